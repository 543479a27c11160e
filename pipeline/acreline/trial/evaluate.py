# SPDX-License-Identifier: Apache-2.0
"""Labelled data in, one report out: what a model says of it, beside the majority, a random forest and boosting."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.errors import InputError, StoreError
from acreline.model import Model, load_model
from acreline.model.classes import main_crop_logp
from acreline.model.series import LabelledSeries, classify_slots, set_thresholds, slot_logp, why_silent
from acreline.trial import measure
from acreline.trial.forest import Baseline, forest_says
from acreline.trial.packaged import TASKS as PACKAGED
from acreline.trial.packaged import read_packaged, seen_before, square_name
from acreline.trial.page import render_report
from acreline.trial.read import read_labelled
from acreline.trial.rivals.boosting_series import boosting_says
from acreline.trial.tasks import TASKS, Task, count_not_scored, region_task
from acreline.trial.times import month_ends

METRICS, PAGE = "metrics.json", "index.html"
KEEP_SHARE = 0.8
SHOWN = 5
"""Labels that a message names."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Report:
    """What an evaluation found, and where it lies."""

    metrics: dict[str, Any]
    page: Path


def evaluate_data(
    path: Path, out: Path, *, model: str | None = None, labels: Path | None = None, progress: Progress | None = None
) -> Report:
    """Report a model on labelled data of anyone: `metrics.json` and one page, `index.html`, that needs no network.

    Args:
        path: data of a known kind; see `acreline.trial.read.KINDS`.
        out: folder for the report; made if it is not there.
        model: name of a model, or path of its YAML file; None: the packaged one of the data's level.
        labels: GeoJSON with names, areas and outlines of a table of parcels.
        progress: called with (step, steps, words).

    Returns:
        the report. Same data, same model: same bytes. Where the model cannot read the data its part is null with a
        reason, and majority and forest still stand.

    Raises:
        ConfigError: no such model, or an extra is not installed.
        InputError: the data cannot be read, or hold nothing that is scored.
        StoreError: the folder cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise StoreError(f"{out}: the report cannot be written: it is a file", hint="choose another --out")
    named = None if model is None else load_model(model)  # a slip is told before the data are read
    series, digest = read_labelled(path, labels=labels, progress=progress)
    loaded = named or load_model(MODELS[series.level])
    metrics = measure_series(series, loaded, digest, progress)
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (out / METRICS).write_text(text, encoding="utf-8", newline="\n")
        (out / PAGE).write_text(render_report(metrics), encoding="utf-8", newline="\n")
    except OSError as error:
        raise StoreError(f"{out}: the report cannot be written: {error}", hint="choose another --out") from error
    return Report(metrics, out / PAGE)


def measure_series(
    series: LabelledSeries, model: Model, digest: str, progress: Progress | None = None
) -> dict[str, Any]:
    """Every figure of the report as plain numbers; see `evaluate_data`."""
    task = region_task(series.slug) if series.task == "region" else TASKS[series.task]
    groups = list(task.groups)
    scored = np.isin(series.group, groups)
    if not scored.any():
        found = [
            f"{row['name']} ({row['code'] or 'no code'})"
            for row in count_not_scored(series.code, series.label, ~scored)
        ]
        raise InputError(
            f"{series.name}: no sample has a label that is scored; found {', '.join(found[:SHOWN])}"
            f"{', ...' if len(found) > SHOWN else ''}",
            hint=f"scored groups: {', '.join(groups)}; configs/labels/ says which codes belong to them",
        )
    known = series.keep(scored)
    never = int((~np.isfinite(known.values)).all(axis=(1, 2)).sum())
    if never == len(known.ids):
        raise InputError(
            f"{series.name}: not one of its {never:,} {task.unit[0]} has a value on any date",
            hint="reflectance stands as numbers x 10000; empty, 0 and 65535 are no data (data/README.md)",
        )
    notes = [*series.notes, *([f"{never:,} of them have no value on any date and count all the same"] if never else [])]
    true = np.array([groups.index(group) for group in known.group.tolist()], np.int64)
    baseline = forest_says(known, task, progress)
    told = measure.scores(true, baseline.probability.argmax(axis=1), groups, known.cell)
    boosted = boosting_says(known, task, progress)
    boosted_told = measure.scores(true, boosted.probability.argmax(axis=1), groups, known.cell)
    metrics: dict[str, Any] = {
        "task": task.name,
        "unit": list(task.unit),
        "data": {"name": series.name, "rows": len(series.ids), "sha256": digest, "level": series.level}
        | {"harvest_year": series.harvest_year, "notes": notes},
        "model": {"name": model.card.name, "version": model.card.version, "digest": model.digest},
        "simulated": series.simulated,
        "n": int(scored.sum()),
        "places": told["places"],
        "majority_oa": told["majority_oa"],
        "majority": groups[int(np.bincount(true).argmax())],
        "random_forest": _baseline_part(baseline, told, "forest"),
        "gradient_boosting": _baseline_part(boosted, boosted_told, "booster"),
        "not_scored": count_not_scored(series.code, series.label, ~scored),
        "why": {},
    }
    silent = why_silent(model, series)
    if silent is None:
        metrics |= _model_part(known, true, task, model, metrics["why"], progress)
    else:
        metrics |= dict.fromkeys(MODEL_PART)
        metrics["why"] |= dict.fromkeys(MODEL_PART, silent) | {"model": silent}
    metrics["model"]["taught_by_these"] = taught_by(known, model)
    if task.name != "D":
        metrics["regions"] = None
        metrics["why"]["regions"] = "only squares have regions"
    elif silent is None:
        metrics["random_forest"]["regions"] = regions(true, baseline.probability, groups, known.cell)
    return metrics


MODELS = {"L2A": "acrenet-s", "L1C": "acrenet-toa"}
"""Level of the data -> the packaged model that reads it."""
MODEL_PART = (
    *("oa", "macro_f1", "kappa", "ci95", "macro_f1_ci95", "per_class", "confusion", "calibration", "conformal"),
    *("risk_coverage", "accuracy_at_80", "accuracy_at_80_ci95", "by_size", "by_slot", "by_month", "regions"),
)
"""Keys that are null where the model cannot speak."""


def group_probability(
    logp: npt.NDArray[np.floating[Any]], classes: tuple[str, ...], task: Task
) -> npt.NDArray[np.float64]:
    """Log-probabilities of classes -> probabilities of the scored groups alone, (n, groups), each row adding up to 1.

    Classes of one group are added up; what the model gives to classes that are not scored is left out.
    """
    share = np.exp(logp.astype(np.float64))
    columns = [[classes.index(slug) for slug in slugs if slug in classes] for slugs in task.groups.values()]
    grouped = np.stack([share[:, at].sum(axis=1) if at else np.zeros(len(share)) for at in columns], axis=1)
    total = grouped.sum(axis=1, keepdims=True)
    named = np.array([bool(at) for at in columns], np.float64)
    return np.where(total > 0, grouped / np.where(total > 0, total, 1), named / max(named.sum(), 1))


def taught_by(series: LabelledSeries, model: Model) -> int:
    """How many samples the model's card says it was trained on."""
    sources = {source.name for source in model.card.data}
    if series.task == "D":
        mine = "flanders-2019" in sources and series.name.lower() == square_name("flanders-2019").lower()
        return len(series.ids) if mine else 0
    for name, task in PACKAGED.items():
        if task == series.task and name in sources:
            return int((seen_before(series, read_packaged(name)) >= 0).sum())
    return 0


def regions(
    true: npt.NDArray[np.int64], probability: npt.NDArray[np.float64], groups: list[str], cell: npt.NDArray[np.str_]
) -> dict[str, Any]:
    """A square region by region: the group with the highest mean probability over its pixels."""
    names, place = np.unique(cell, return_inverse=True)
    counts = np.bincount(place)
    mean = np.stack([np.bincount(place, probability[:, k]) for k in range(probability.shape[1])], axis=1)
    found = (mean / counts[:, None]).argmax(axis=1)
    first = np.array([int(true[place == k][0]) for k in range(len(names))])
    rows = [
        {"region": name, "pixels": int(count), "true": groups[a], "found": groups[b]}
        for name, count, a, b in zip(names.tolist(), counts, first, found, strict=True)
    ]
    return {"n": len(names), "right": int((found == first).sum()), "list": rows}


def _baseline_part(baseline: Baseline, told: dict[str, Any], what: str) -> dict[str, Any]:
    keys = ("oa", "macro_f1", "kappa", "ci95", "macro_f1_ci95", "per_class")
    how = f"each of them told by a {what} that never saw its place" if baseline.seen else "none of these samples"
    return {key: told[key] for key in keys} | {
        "n_train": baseline.n_train,
        "trained_on": baseline.trained_on,
        "seen_in_training": baseline.seen,
        "how": how,
    }


def _model_part(
    known: LabelledSeries,
    true: npt.NDArray[np.int64],
    task: Task,
    model: Model,
    why: dict[str, str],
    progress: Progress | None,
) -> dict[str, Any]:
    groups = list(task.groups)
    classes = tuple(slug for slugs in task.groups.values() for slug in slugs)

    def speak(series: LabelledSeries, what: str) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]:
        def step(done: int, total: int) -> None:
            if progress is not None:
                progress(done, total, what)

        slots = classify_slots(model, series, step)
        if series.slot is None:
            return group_probability(main_crop_logp(slots["A"], slots["B"]), model.card.crop_classes, task), slots
        return group_probability(slot_logp(slots, series.slot, classes), classes, task), slots

    share, slots = speak(known, "whole season")
    found = share.argmax(axis=1)
    told = measure.scores(true, found, groups, known.cell)
    curve = measure.risk_coverage(true, share)
    thresholds, alpha = set_thresholds(model, known, classes, slots)
    at = np.cumsum([0, *(len(slugs) for slugs in task.groups.values())])
    limits = np.stack(
        [thresholds[:, i:j].min(axis=1) if j > i else np.ones(len(true)) for i, j in pairwise(at)], axis=1
    )
    part = {key: told[key] for key in MODEL_PART[:7]} | {
        "calibration": measure.calibration(true, share),
        "conformal": measure.conformal(true, share, limits, alpha),
        "risk_coverage": curve,
        "accuracy_at_80": next(row["accuracy"] for row in curve if row["kept"] == KEEP_SHARE),
        "accuracy_at_80_ci95": measure.kept_interval(true, share, KEEP_SHARE, known.cell),
        "by_size": None,
        "by_slot": None,
        "by_month": [],
        "regions": regions(true, share, groups, known.cell) if task.name == "D" else None,
    }
    if known.size_m2 is None:
        why["by_size"] = "the data do not say how large the fields are"
    else:
        sized = np.isfinite(known.size_m2)
        part["by_size"] = measure.by_size(true[sized], found[sized], len(groups), known.size_m2[sized])
    if known.slot is not None:
        part["by_slot"] = [
            {"slot": slot} | {key: row[key] for key in ("n", "oa", "macro_f1", "ci95", "majority_oa")}
            for slot in ("A", "B", "AB")
            for mine in [known.slot == slot]
            if mine.any()
            for row in [measure.scores(true[mine], found[mine], groups, known.cell[mine])]
        ]
    for day in month_ends(known.times, known.harvest_year):
        early = speak(known.until(day), f"as of {day}")[0].argmax(axis=1)
        row = measure.scores(true, early, groups, known.cell)
        part["by_month"].append({"until": day.isoformat()} | {key: row[key] for key in ("n", "oa", "macro_f1", "ci95")})
    return part
