# SPDX-License-Identifier: Apache-2.0
"""The four tests of a model on simulated land, beside its rivals: new land, new year, new climate, and both.

Every test county has land that nobody learned from: no parcel and no farm is in two sets. What else is new:

- `same_year`: nothing; weather, passes and clouds are those of a county that was learned from;
- `unseen_year`: the year, in a climate that was learned from;
- `unseen_zone`: the climate, its crops and its calendar; the year's chance is that of a county that was learned from;
- `unseen_zone_and_year`: the climate and the year.

The first two have the same land under two years, and so have the last two: what differs between them is the year.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from acreline.model.card import SeasonAxis
from acreline.model.classes import HEADS
from acreline.promises import Calibration
from acreline.trial.as_of import Load, Paint, as_of_figures, month_tables
from acreline.trial.county_counts import measure_painted
from acreline.trial.county_scores import figures
from acreline.trial.drawn_blocks import paired_difference
from acreline.trial.parcels_told import ParcelsTold
from acreline.trial.strange import strange_energies, strange_figures

TESTS: Mapping[str, tuple[str, str]] = {
    "same_year": ("new land, climate and year that were taught", "新地块，已学气候与年份"),
    "unseen_year": ("new land and year, climate that was taught", "新地块与年份，已学气候"),
    "unseen_zone": ("new climate, the year's chance that was taught", "新气候，已学年份"),
    "unseen_zone_and_year": ("new climate and year", "新气候与年份"),
}
"""Test -> what it is, English and Chinese."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Contender:
    """One that is put to the test."""

    name: str
    """Of its own; two seeds of a model have two names."""
    paint: Paint
    axis: SeasonAxis
    model: str | None = None
    """What it is a seed of: contenders with the same word are summed up as mean and standard deviation."""
    calibration: Calibration | None = None
    """Of its card; None: it promises nothing, and its probabilities are taken as they are."""
    words: str = ""
    parameters: int | None = None
    months: tuple[str, ...] = ()
    """Tests in which it is asked month by month as well, and about seasons that run backwards: slow."""


def four_tests(
    contenders: Sequence[Contender], land: Mapping[str, Sequence[Load]], progress: Progress | None = None
) -> dict[str, Any]:
    """Put all contenders to each test on the same counties.

    Args:
        contenders: the first is the model in question; each other one is compared with it.
        land: test of `TESTS` -> its counties.
        progress: called with (done, in all, what was painted).

    Returns:
        on; contenders (name, model, words, parameters); tests: of each test words, counties, contenders (name ->
        figures with detail, of `county_scores.figures`, and as_of and strange where asked for), seeds (model -> key of
        `HEADLINES` -> mean, sd, n of at least two seeds) and differences (contender -> slot -> first less contender,
        see `drawn_blocks.paired_difference`).
    """
    told: dict[str, Any] = {"on": "simulated data", "contenders": [_passport(one) for one in contenders], "tests": {}}
    total, done = len(contenders) * sum(len(counties) for counties in land.values()), 0
    for test, counties in land.items():
        counts: dict[str, list[dict[str, Any]]] = {one.name: [] for one in contenders}
        for load in counties:
            for one in contenders:
                bank = load(one.axis.of)
                painted = one.paint(bank)
                county = measure_painted(painted, bank)
                if test in one.months:
                    county["as_of"] = month_tables(one.paint, load, one.axis.of)
                    county["strange"] = strange_energies(one.paint, painted, bank)
                counts[one.name].append(county)
                done += 1
                if progress is not None:
                    progress(done, total, f"{one.name} on {bank.name}")
        if counties:
            told["tests"][test] = _one_test(test, contenders, counts)
    return told


def _passport(one: Contender) -> dict[str, Any]:
    return {"name": one.name, "model": one.model, "words": one.words, "parameters": one.parameters}


def _one_test(test: str, contenders: Sequence[Contender], counts: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    told = {}
    for one in contenders:
        told[one.name] = figures(counts[one.name], one.calibration, detail=True)
        if test in one.months:
            told[one.name]["as_of"] = as_of_figures([county["as_of"] for county in counts[one.name]])
            told[one.name]["strange"] = strange_figures([county["strange"] for county in counts[one.name]])
    parcels = {name: ParcelsTold.join([one["parcels"] for one in some]) for name, some in counts.items()}
    first = contenders[0].name
    return {
        "words": list(TESTS[test]),
        "counties": told[first]["counties"],
        "contenders": told,
        "seeds": _seeds(contenders, told),
        "differences": {one.name: _difference(parcels[first], parcels[one.name]) for one in contenders[1:]},
    }


def _difference(one: ParcelsTold, other: ParcelsTold) -> dict[str, Any]:
    out = {}
    for slot, names in HEADS.items():
        known = one.judged & (one.true[slot] >= 0)
        found = [parcels.logp[slot][known].argmax(axis=1) for parcels in (one, other)]
        out[slot] = paired_difference(one.true[slot][known], found[0], found[1], len(names), one.block[known])
    return out


def _seeds(contenders: Sequence[Contender], told: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation (n - 1) over the seeds of a model."""
    out: dict[str, Any] = {}
    for model in dict.fromkeys(one.model for one in contenders if one.model is not None):
        mine = [headline(told[one.name]) for one in contenders if one.model == model]
        if len(mine) < 2:
            continue
        out[model] = {}
        for key in HEADLINES:
            values = [value for one in mine for value, _ in [one[key]] if value is not None]
            if len(values) >= 2:
                mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
                out[model][key] = {"mean": round(mean, 4), "sd": round(sd, 4), "n": len(values)}
    return out


HEADLINES: Mapping[str, str] = {
    "miou_a": "pixel mIoU, slot A",
    "miou_b": "pixel mIoU, slot B",
    "oa_a": "parcel accuracy, slot A",
    "oa_b": "parcel accuracy, slot B",
    "macro_f1_a": "parcel macro-F1, slot A",
    "macro_f1_b": "parcel macro-F1, slot B",
    "accepted_accuracy": "accuracy of accepted parcels, both slots right",
    "accepted_share": "share of the parcels told that are accepted",
    "kept_70": "accuracy of the most certain 70 % of parcels, both slots right",
    "kept_55": "accuracy of the most certain 55 % of parcels, both slots right",
    "coverage_a": "coverage of crop sets, slot A",
    "coverage_b": "coverage of crop sets, slot B",
    "ece_a": "expected calibration error of parcels, slot A",
    "ece_b": "expected calibration error of parcels, slot B",
    "health_f1": "health macro-F1 over events",
    "flood_iou": "flood IoU by pixel",
    "false_alarms": "false alarms on normal parcels",
}
"""The figures that have a target, and what they are."""


def headline(told: Mapping[str, Any]) -> dict[str, tuple[float | None, int]]:
    """Key of `HEADLINES` -> its value (None: not to be had) and the number of cases behind it."""
    out: dict[str, tuple[float | None, int]] = {}
    for slot in ("A", "B"):
        part, low = told[f"slot_{slot}"], slot.lower()
        out[f"miou_{low}"] = (part["miou"], part["n_pixels"])
        out[f"oa_{low}"] = (part["parcel_accuracy"], part["n_parcels"])
        out[f"macro_f1_{low}"] = (part["parcel_macro_f1"], part["n_parcels"])
        sets = part["sets"]
        out[f"coverage_{low}"] = (None, 0) if sets is None else (sets["coverage"], sets["n"])
        out[f"ece_{low}"] = (part["ece"], part["n_parcels"])
    both, health = told["both_slots"], told["health"]
    out["accepted_accuracy"] = (both["accepted_accuracy"], both["accepted_n"] or 0)
    out["accepted_share"] = (both["accepted_share"], both["n"])
    for row in both["kept"]:
        if row["share"] in (0.70, 0.55):
            out[f"kept_{round(100 * row['share'])}"] = (row["accuracy"], row["n"])
    out["health_f1"] = (None, 0) if health is None else (health["macro_f1_events"], health["n_events"])
    out["flood_iou"] = (None, 0) if health is None else (health["flood_iou"], health["flood_pixels"])
    out["false_alarms"] = (None, 0) if health is None else (health["false_alarms"], health["n_normal"])
    return {key: out.get(key, (None, 0)) for key in HEADLINES}
