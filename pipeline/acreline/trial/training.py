# SPDX-License-Identifier: Apache-2.0
"""From a recipe to a checkpoint with its card: draw counties, calibrate on places held back, teach, write it down."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version as installed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from acreline.config import Settings, packaged_configs
from acreline.errors import ConfigError
from acreline.model.acrenet import AcreNets
from acreline.model.banks import Bank, reflectance_of, square_bank
from acreline.model.calibrate import calibrated_probability, conformal_threshold, fit_temperature
from acreline.model.card import (
    Architecture,
    Card,
    ConformalCell,
    Level,
    Novelty,
    SeasonAxis,
    SlotHead,
    Source,
    save_model,
)
from acreline.model.classes import CROP_CLASSES, HEADS, main_crop_logp
from acreline.model.drawing import Changes
from acreline.model.inputs import add_visible, bin_quickly
from acreline.model.labels import read_square
from acreline.model.learning import Recipe, learn, predict_alone
from acreline.model.painting import add_normal_bias, net_state, nets_of
from acreline.model.scores import score_labels
from acreline.trial.counties import Wanted, county_bank, draw_counties
from acreline.trial.drawings import drawing_scores, tell_drawings
from acreline.trial.evaluate import group_probability
from acreline.trial.land import series_bank
from acreline.trial.measure import scores
from acreline.trial.packaged import read_folds, read_packaged
from acreline.trial.painting import choose_normal_bias, figures, measure_county
from acreline.trial.tasks import TASKS

ALPHA = 0.10
Progress = Callable[[int, int, str], None]
SOURCES = {
    "flanders-2019": (
        "WorldCereal/worldcereal-classification, patch 000028085BF08E7E; declarations: LPIS Flanders 2019",
        "MIT; contains modified Copernicus Sentinel data 2018-2019",
    ),
    "france-2023": (
        "WorldCereal/worldcereal-classification, 2023_FRA_LPIS_POLY_110 (dekads); declarations: LPIS France 2023",
        "MIT; contains modified Copernicus Sentinel data 2022-2024",
    ),
    "bavaria-2018": (
        "aliFrancis/WorldCrops, Test_bavaria.xlsx, half-monthly composites; declarations: Bavaria 2018",
        "MIT; contains modified Copernicus Sentinel data 2018",
    ),
}
SIMULATED = ("acreline simulate", "Apache-2.0; simulated, no real land")


class Counties(Settings):
    """Simulated counties of one kind."""

    config: str
    parcels: int = Field(300, ge=1)
    seeds: tuple[int, ...]


class Teaching(Recipe):
    """The `recipe:` of a model's YAML file: how it is taught, and what from."""

    level: Level = "L2A"
    labels: tuple[str, ...] = ("france-2023",)
    squares: tuple[str, ...] = ("flanders-2019",)
    counties: tuple[Counties, ...] = ()
    held_out: tuple[Counties, ...] = Field((), description="counties that are only measured on, never learned from")
    folds: int = Field(5, ge=2, description="parts of the labelled places, each held back once to calibrate on")
    fold_steps: int = Field(400, ge=1)
    fold_singles: int = Field(128, ge=2)
    remarks: tuple[str, ...] = ()

    @property
    def axis(self) -> SeasonAxis:
        """The season's bins."""
        return SeasonAxis(bins=self.bins)

    @property
    def health_taught(self) -> bool:
        """Whether damage is drawn into real fields at all."""
        return self.changes.get("damage", Changes.damage) > 0

    @property
    def wanted(self) -> list[Wanted]:
        """The counties, one by one."""
        return _one_by_one(self.counties)


def _one_by_one(kinds: Sequence[Counties]) -> list[Wanted]:
    return [Wanted(kind.config, kind.parcels, seed) for kind in kinds for seed in kind.seeds]


def check_teaching(recipe: dict[str, Any]) -> Teaching:
    """A recipe from plain keys and values.

    Raises:
        ConfigError: a key is unknown or a number is out of range; the message names it.
    """
    try:
        return Teaching.model_validate(recipe)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"recipe: {where}: {first['msg']}; found {first['input']!r}",
            hint=f"known keys: {', '.join(Teaching.model_fields)}",
        ) from error


def train_model(
    recipe: dict[str, Any],
    out: Path,
    *,
    name: str,
    seed: int | None = None,
    workers: int = 2,
    version: str = "0.2.0",
    created: date | None = None,
    progress: Progress | None = None,
) -> Path:
    """Train a checkpoint, calibrate it on places it did not see, and write weights, card and the YAML that names them.

    Args:
        recipe: keys of `Teaching`.
        out: receives `<name>.safetensors`, `<name>.json`, `<name>.yaml`; drawn counties and half-done trainings are
            kept in `out/work`, from which a training that was stopped goes on.
        name: of the model.
        seed: wins over the recipe's.
        workers: processes; the weights do not depend on it.
        version: of the model.
        created: date on the card; default today (UTC).
        progress: called with (done, in all, words).

    Returns:
        the YAML file; its path can stand in a region's `model:`.

    Raises:
        ConfigError: the recipe has a key or number that is wrong.
        InputError: training data are missing or damaged, or name the demo region's square.
    """
    teaching = check_teaching({**recipe, **({} if seed is None else {"seed": seed})})
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    tell = progress or (lambda done, total, words: None)
    wanted, held_out = teaching.wanted, _one_by_one(teaching.held_out)
    drawn_paths = draw_counties([*wanted, *held_out], work / "counties", workers=workers, progress=tell)
    paths = drawn_paths[: len(wanted)]
    drawn = time.perf_counter()
    jobs = [_Job(teaching, tuple(paths), work, fold, 0) for fold in range(teaching.folds)]
    jobs += [_Job(teaching, tuple(paths), work, None, member) for member in range(teaching.members)]
    done: list[Any] = []
    with ProcessPoolExecutor(max(1, min(workers, len(jobs))), mp_context=get_context("spawn")) as pool:
        # The long ones first, so that no core waits at the end; the order of results is that of the jobs.
        order = sorted(range(len(jobs)), key=lambda k: jobs[k].fold is not None)
        waiting = {k: pool.submit(_work, jobs[k]) for k in order}
        for k in range(len(jobs)):
            done.append(waiting[k].result())
            tell(k + 1, len(jobs), f"taught {jobs[k].words}")
    held = [result for result, job in zip(done, jobs, strict=True) if job.fold is not None]
    members = [result for result, job in zip(done, jobs, strict=True) if job.fold is None]
    nets = nets_of(teaching, members)
    finished = time.perf_counter()
    told = _gather([rows for rows, _ in held])
    drawn_damage = [pair for _, pairs in held for pair in pairs]
    metrics = {
        "cross_validation": cross_validation(teaching, told),
        **({"health_head_on_drawings": drawing_scores(drawn_damage)} if drawn_damage else {}),
        "simulated": measure_held_out(nets, teaching, dict(zip(held_out, drawn_paths[len(wanted) :], strict=True))),
        "training": {
            "seed": teaching.seed,
            "minutes_drawing": round((drawn - started) / 60, 1),
            "minutes_teaching": round((finished - drawn) / 60, 1),
            "processes": workers,
            "torch": installed("torch"),
            "get_it_again": f"acreline train {name} --seed {teaching.seed}",
        },
    }
    card = Card(
        name=name,
        version=version,
        created=created or datetime.now(UTC).date(),
        level=teaching.level,
        axis=teaching.axis,
        architecture=Architecture(
            stem=teaching.stem, width=teaching.width, levels=teaching.levels, dropout=teaching.dropout,
            members=teaching.members,
        ),
        heads={slot: _calibrate(told, slot) for slot in ("A", "B")},
        unknown=Novelty(),
        data=tuple(_source(bank) for bank in read_banks(teaching, paths)),
        recipe=teaching.model_dump(mode="json"),
        metrics=metrics,
        remarks=teaching.remarks,
        weights_sha256="0" * 64,
    )  # fmt: skip
    return save_model(nets, card, out)


def measure_held_out(nets: AcreNets, teaching: Teaching, paths: Mapping[Wanted, Path]) -> dict[str, Any]:
    """Figures on counties that were not learned from, on simulated data.

    The first half of those whose climate was taught settles how calm the health head is made (`nets` is changed); the
    rest, and the climates that were not taught, are measured on.
    """
    taught = {one.config for one in teaching.wanted}
    near = [path for one, path in paths.items() if one.config in taught]
    far = [path for one, path in paths.items() if one.config not in taught]
    if not near:
        return {}
    cut = (len(near) + 1) // 2
    first = [measure_county(nets, county_bank(path, teaching.axis.of)) for path in near[:cut]]
    bias = choose_normal_bias([margin for one in first for margin in one["normal_margins"]])
    add_normal_bias(nets, bias)
    out: dict[str, Any] = {"normal_bias": round(bias, 4), "settled_on": [one["county"] for one in first]}
    for name, some in (("same_climate", near[cut:]), ("unseen_climate", far)):
        if some:
            out[name] = figures([measure_county(nets, county_bank(path, teaching.axis.of)) for path in some])
    return out


# --- processes ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Job:
    teaching: Teaching
    counties: tuple[Path, ...]
    work: Path
    fold: int | None
    member: int

    @property
    def words(self) -> str:
        return f"member {self.member + 1}" if self.fold is None else f"fold {self.fold + 1}"


@functools.lru_cache(maxsize=1)
def _banks(recipe: str, counties: tuple[Path, ...]) -> tuple[Bank, ...]:
    return tuple(read_banks(Teaching.model_validate_json(recipe), counties))


def _work(job: _Job) -> Any:
    """Teach one member, or one network without a part of the places and let it tell what it was not shown."""
    teaching = job.teaching
    banks = list(_banks(teaching.model_dump_json(), job.counties))
    if job.fold is None:
        one = teaching.model_copy(update={"members": 1})
        keep = job.work / f"{teaching.level}-{job.member}.state"
        nets = learn(one, banks, seed=1000 * teaching.seed + job.member, keep=keep)
        return net_state(nets)
    real = [bank for bank in banks if not bank.simulated and bank.shape is None]
    rest = [bank for bank in banks if bank.simulated or bank.shape is not None]
    parts = [(bank, fold_of(bank, teaching.folds) == job.fold) for bank in real]
    light = {
        "members": 1, "steps": teaching.fold_steps,
        "shares": {**teaching.shares, "singles": teaching.fold_singles, "mosaics": 0, "crops": 0},
    }  # fmt: skip
    shown = [bank.keep(~out) for bank, out in parts]
    nets = learn(teaching.model_copy(update=light), [*shown, *rest], seed=500_000 + 100 * teaching.seed + job.fold)
    held = [bank.keep(out) for bank, out in parts]
    drawn = [tell_drawings(nets, bank, job.fold) for bank in held] if teaching.health_taught else []
    return [(bank, *predict_alone(nets, alone_inputs(bank))) for bank in held], drawn


def fold_of(bank: Bank, folds: int) -> npt.NDArray[np.int64]:
    """Fold of each sample by its place, as `data/labels/folds.csv` says, folded again where fewer are wanted."""
    listed = read_folds()
    return np.array([listed[bank.name, str(cell)] % folds for cell in bank.group], np.int64)


def alone_inputs(bank: Bank) -> npt.NDArray[np.float32]:
    """Network inputs (n, bin, channel) of every pixel of a bank."""
    values = reflectance_of(bank.read(np.arange(bank.fine.shape[2])))
    binned = bin_quickly(values, bank.clear, bank.days, bank.axis)
    return np.ascontiguousarray(add_visible(binned, bank.visible).transpose(2, 0, 1))


def read_banks(teaching: Teaching, counties: Sequence[Path]) -> list[Bank]:
    """Everything the recipe learns from."""
    banks = []
    for name in teaching.labels:
        series = read_packaged(name)
        banks.append(series_bank(series, teaching.axis.of(series.harvest_year)))
    folder = packaged_configs().parent / "data" / "training"
    for name in teaching.squares:
        square = read_square(folder / f"{name}.npz")
        banks.append(square_bank(square, teaching.axis.of(square.harvest_year)))
    return banks + [county_bank(path, teaching.axis.of) for path in counties]


# --- what was held back -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class HeldBack:
    """Fields told by networks that never saw their place."""

    name: npt.NDArray[np.str_]
    logp_a: npt.NDArray[np.float32]
    logp_b: npt.NDArray[np.float32]
    crop_a: npt.NDArray[np.int16]
    crop_b: npt.NDArray[np.int16]
    group: npt.NDArray[np.str_]
    row: npt.NDArray[np.int64]
    """Place of each in its own source."""


def _gather(held: Sequence[list[Any]]) -> HeldBack:
    rows = [row for part in held for row in part]
    return HeldBack(
        np.concatenate([np.full(len(bank.crop_a), bank.name) for bank, *_ in rows]),
        np.concatenate([a for _, a, _, _ in rows]),
        np.concatenate([b for _, _, b, _ in rows]),
        np.concatenate([bank.crop_a for bank, *_ in rows]),
        np.concatenate([bank.crop_b for bank, *_ in rows]),
        np.concatenate([bank.group for bank, *_ in rows]),
        np.concatenate([bank.field - 1 for bank, *_ in rows]),
    )


def _calibrate(told: HeldBack, slot: str) -> SlotHead:
    """Temperature and conformal threshold of a head, from fields that were held back."""
    logits, label = (told.logp_a, told.crop_a) if slot == "A" else (told.logp_b, told.crop_b)
    known = label >= 0
    logits, label = logits[known], label[known].astype(np.int64)
    temperature = round(fit_temperature(logits, label), 4)
    inside = calibrated_probability(logits, temperature)[np.arange(len(label)), label]
    threshold = float(np.floor(conformal_threshold(inside, ALPHA) * 1e4) / 1e4)
    cell = ConformalCell(from_looks=0, threshold=threshold, n=len(label))
    return SlotHead(classes=HEADS[slot], temperature=temperature, alpha=ALPHA, cells=(cell,))


def cross_validation(teaching: Teaching, told: HeldBack) -> dict[str, Any]:
    """Accuracy of the year's main crop on places that were held back, by source."""
    logp = main_crop_logp(told.logp_a, told.logp_b)
    out: dict[str, Any] = {}
    for name in teaching.labels:
        series = read_packaged(name)
        known = np.array([slug in CROP_CLASSES for slug in series.slug])
        mine = told.name == name
        label = main_labels(told.crop_a[mine], told.crop_b[mine])
        assert known.sum() == (label >= 0).sum()
        kept = np.flatnonzero(mine)[label >= 0]
        out[name] = score_labels(label[label >= 0], logp[kept].argmax(axis=1), told.group[kept], CROP_CLASSES)
        task = TASKS[series.task]
        groups = list(task.groups)
        place = {group: k for k, group in enumerate(groups)}
        true = np.array([place.get(group, -1) for group in series.group[told.row[mine]]], np.int64)
        scored = np.flatnonzero(mine)[true >= 0]
        found = group_probability(logp[scored], CROP_CLASSES, task).argmax(axis=1)
        by_group = scores(true[true >= 0], found, groups, told.group[scored])
        out[name]["groups"] = {key: by_group[key] for key in ("n", "oa", "macro_f1", "ci95", "majority_oa")}
    return out


def main_labels(crop_a: npt.NDArray[np.int16], crop_b: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """Index into `CROP_CLASSES` of the declared crop, from what it teaches the heads; -1 = not taught."""
    out = np.full(len(crop_a), -1, np.int64)
    for slot, crops in (("A", crop_a), ("B", crop_b)):
        for number, name in enumerate(HEADS[slot]):
            if name in CROP_CLASSES:
                out[crops == number] = CROP_CLASSES.index(name)
    return out


def _source(bank: Bank) -> Source:
    origin, licence = SIMULATED if bank.simulated else SOURCES.get(bank.name, ("given by the user", "its owner's"))
    known = bank.taught
    return Source(
        name=bank.name,
        origin=origin,
        licence=licence,
        fields=len(np.unique(bank.field[known])),
        pixels=int(known.sum()),
    )
