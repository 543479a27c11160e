# SPDX-License-Identifier: Apache-2.0
"""The baseline that a network must beat: a random forest on the packaged labels of the task, scored on the same data.

Samples that are themselves packaged labels are told by a forest that never saw their place, so that the baseline does
not recite them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.errors import ConfigError, InputError
from acreline.model.classes import NONE
from acreline.model.inputs import STAND_INS
from acreline.model.series import LabelledSeries
from acreline.trial.measure import scores
from acreline.trial.packaged import read_folds, read_packaged, seen_before, square_name
from acreline.trial.tasks import NOT_SCORED, Task

TREES = 400
BIN_DAYS = 30
BINS = 14
"""Bins of 30 days from 1 September before the harvest year to the end of October in it."""
POINT_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
POINT_INDICES = (("B08", "B04"), ("B08", "B05"), ("B08", "B11"), ("B11", "B12"), ("B03", "B08"), ("B03", "B02"))
PIXEL_BANDS = ("B05", "B06", "B07", "B8A", "B11", "B12")
PIXEL_INDICES = (("B8A", "B05"), ("B8A", "B11"), ("B11", "B12"))
"""Squares without 10 m bands are read too, so the forest of pixels has the 20 m bands only."""
SOURCES = {"parcels": ("bavaria-2018",), "points": ("france-2023",), "pixels": ("france-2023", "flanders-2019")}
Progress = Callable[[int, int, str], None]
Inputs = npt.NDArray[np.float32]
View = Callable[[LabelledSeries], Inputs]


@dataclass(frozen=True)
class Baseline:
    """What the forest says, and what it was fitted on."""

    probability: npt.NDArray[np.float64]
    """(n, groups), in the order of the task's groups; 0 for a group it never saw."""
    n_train: int
    trained_on: str
    seen: int
    """Samples that are packaged training labels themselves, told by forests that never saw their place."""


@dataclass(frozen=True)
class Known:
    """Labelled samples ready to be fitted."""

    x: Inputs
    label: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    fold: npt.NDArray[np.int64]
    """-1 = in no fold."""
    cell: npt.NDArray[np.str_]


Fit = Callable[[Known, npt.NDArray[np.bool_]], Any]


def forest_says(series: LabelledSeries, task: Task, progress: Progress | None = None) -> Baseline:
    """Fit the task's forest and let it name the group of every sample.

    Args:
        series: what was seen; only scored samples are of use.
        task: names the groups, and which packaged labels the forest learns from.
        progress: called with (forest, forests, words).

    Raises:
        ConfigError: scikit-learn is not installed.
        InputError: packaged labels are missing, or the series lacks the forest's bands.
    """
    return fitted_says(series, task, inputs_of(task.forest), fit_forest, progress, words="random forest")


def fitted_says(
    series: LabelledSeries, task: Task, inputs: View, fit: Fit, progress: Progress | None = None, *, words: str
) -> Baseline:
    """What any baseline says that is fitted on the task's packaged labels; errors as `forest_says`.

    Args:
        series: what was seen.
        task: names the groups and the labels.
        inputs: the baseline's view of a series, (n, feature).
        fit: (labelled samples, which of them) -> something with `predict_proba` and `classes_`.
        progress: called with (fit, fits, words).
        words: for the progress.
    """
    sources = SOURCES[task.forest]
    if task.forest == "pixels" and series.name.lower() == square_name("flanders-2019").lower():
        sources = sources[:1]  # the square itself is not its own teacher
    known = [_known(name, task, inputs) for name in sources]
    x = inputs(series)
    everything = _joined(known)
    origin = seen_before(series, read_packaged(sources[0])) if task.forest != "pixels" else np.full(len(x), -1)
    teacher = _teacher_folds(sources[0])
    fold = np.where(origin >= 0, teacher[origin], -1)
    parts = sorted(set(fold.tolist()))
    probability = np.zeros((len(x), len(task.groups)))
    for step, part in enumerate(parts):
        if progress is not None:
            progress(step, len(parts), words)
        fitted = fit(everything, everything.fold != part if part >= 0 else np.ones(len(everything.label), np.bool_))
        mine = fold == part
        probability[np.ix_(mine, fitted.classes_)] = fitted.predict_proba(x[mine])
    told = " and ".join(sources)
    return Baseline(probability, len(everything.label), told, int((origin >= 0).sum()))


def inputs_of(kind: str) -> Callable[[LabelledSeries], Inputs]:
    """The forest's view of a series, by `Task.forest`."""
    if kind == "parcels":
        return parcel_inputs
    if kind == "points":
        return lambda series: binned_inputs(series, POINT_BANDS, POINT_INDICES)
    return lambda series: binned_inputs(series, PIXEL_BANDS, PIXEL_INDICES)


def parcel_inputs(series: LabelledSeries) -> Inputs:
    """The plain numbers: every band at the dates of the packaged parcels, (n, date x band).

    Other dates are brought there in a straight line between neighbours, by day of the harvest year.
    """
    pattern = read_packaged("bavaria-2018")
    values = series.values[:, :, _columns(series, pattern.bands)]
    mine, theirs = _days(series), _days(pattern)
    return _at(values, mine, theirs).reshape(len(values), -1)


def binned_inputs(series: LabelledSeries, bands: tuple[str, ...], indices: tuple[tuple[str, str], ...]) -> Inputs:
    """Means of 30 days with gaps bridged in a straight line, and indices of them, (n, bin x channel).

    Before the first look and after the last the nearest value is held; what was never seen is 0.
    """
    values = series.values[:, :, _columns(series, bands)].astype(np.float64)
    start = np.datetime64(f"{series.harvest_year - 1}-09-01", "D")
    number = ((series.times.astype("datetime64[D]") - start).astype(np.int64)) // BIN_DAYS
    means = np.full((len(values), BINS, len(bands)), np.nan)
    for k in range(BINS):
        part = values[:, number == k]
        seen = np.isfinite(part)
        count = seen.sum(axis=1)
        total = np.where(seen, part, 0).sum(axis=1)
        means[:, k] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    middle = np.arange(BINS, dtype=np.float64)
    filled = _at(means, middle, middle).astype(np.float64)
    pairs = [(filled[..., bands.index(a)], filled[..., bands.index(b)]) for a, b in indices]
    ratios = [(a - b) / np.where(a + b > 0, a + b, 1) for a, b in pairs]
    out: Inputs = (
        np.concatenate([filled, np.stack(ratios, axis=-1)], axis=2).reshape(len(values), -1).astype(np.float32)
    )
    return out


def _columns(series: LabelledSeries, bands: tuple[str, ...]) -> list[int]:
    backwards = {stand: band for band, stand in STAND_INS.items()}
    chosen, missing = [], []
    for band in bands:
        for name in (band, STAND_INS.get(band), backwards.get(band)):
            if name in series.bands:
                chosen.append(series.bands.index(name))
                break
        else:
            missing.append(band)
    if missing:
        raise InputError(
            f"{series.name}: lacks the bands {', '.join(missing)}, which the baseline of its task reads",
            hint="see data/README.md for the format",
        )
    return chosen


def _days(series: LabelledSeries) -> npt.NDArray[np.float64]:
    first = np.datetime64(f"{series.harvest_year}-01-01", "s")
    days: npt.NDArray[np.float64] = (series.times.astype("datetime64[s]") - first) / np.timedelta64(86400, "s")
    return days


def _at(values: npt.NDArray[Any], mine: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> Inputs:
    """(n, time, band) at other times, in a straight line over what is NaN, held at the ends; 0 where nothing is."""
    out = np.zeros((len(values), len(theirs), values.shape[2]), np.float32)
    for k, sample in enumerate(values):
        for band in range(values.shape[2]):
            seen = np.isfinite(sample[:, band])
            if seen.any():
                out[k, :, band] = np.interp(theirs, mine[seen], sample[seen, band])
    return out


def _known(name: str, task: Task, inputs: Callable[[LabelledSeries], Inputs]) -> Known:
    """Packaged samples of the task's groups; pixels of one field share its weight."""
    packaged = read_packaged(name)
    names = list(task.groups)
    if task.forest == "pixels":
        # `none` of a label source means "not taught"; only a simulated truth says that nothing was grown.
        held = {slug: group for group, slugs in task.groups.items() for slug in slugs if slug != NONE}
        group = np.array([held.get(slug, NOT_SCORED) for slug in packaged.slug.tolist()])
    else:
        group = packaged.group
    chosen = np.isin(group, names)
    part = packaged.keep(chosen)
    unit = part.cell if packaged.task == "D" else part.ids
    _, number, counts = np.unique(unit, return_inverse=True, return_counts=True)
    label = np.array([names.index(one) for one in group[chosen].tolist()], np.int64)
    return Known(inputs(part), label, 1.0 / counts[number], _teacher_folds(name)[chosen], part.cell)


def _teacher_folds(name: str) -> npt.NDArray[np.int64]:
    folds = read_folds()
    return np.array([folds.get((name, cell), -1) for cell in read_packaged(name).cell.tolist()], np.int64)


def _joined(parts: list[Known]) -> Known:
    fields = ("x", "label", "weight", "fold", "cell")
    return Known(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def fit_forest(known: Known, chosen: npt.NDArray[np.bool_]) -> Any:
    """The forest of the samples that are chosen."""
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise ConfigError(
            "the random forest baseline needs scikit-learn, which is not installed",
            hint="pip install 'acreline[evaluate]'",
        ) from error
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=2, class_weight="balanced_subsample", random_state=0, n_jobs=1
    )
    return forest.fit(known.x[chosen], known.label[chosen], sample_weight=known.weight[chosen])


def cross_validated(task: Task, name: str, inputs: View | None = None, fit: Fit = fit_forest) -> dict[str, Any]:
    """Scores (see `measure.scores`) of a baseline that never saw the place, on one packaged source by its folds.

    Args:
        task: names the groups.
        name: of the packaged source.
        inputs: the baseline's view; None: the forest's.
        fit: as in `fitted_says`.
    """
    known = _known(name, task, inputs or inputs_of(task.forest))
    found = np.full(len(known.label), -1, np.int64)
    for part in sorted(set(known.fold.tolist())):
        out = known.fold == part
        found[out] = fit(known, ~out).predict(known.x[out])
    return scores(known.label, found, list(task.groups), known.cell)
