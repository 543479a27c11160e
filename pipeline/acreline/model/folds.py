# SPDX-License-Identifier: Apache-2.0
"""Cross-validation over places: the only basis for choosing a recipe, and the source of the card's calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.cubes import bin_series
from acreline.layers import BANDS_20M
from acreline.model.batches import Bank, draw_batch
from acreline.model.damage import HEALTH
from acreline.model.fitting import Progress, Recipe, fit, predict_batch, predict_points, predict_square
from acreline.model.labels import CROP_CLASSES
from acreline.model.net import AcreNets
from acreline.model.scores import fit_forest, score_labels

FOLDS = 5
FALSE_ALARMS = 0.08
"""Target of the house's science notes for undamaged parcels."""


@dataclass(frozen=True)
class Folds:
    """Predictions of fields by networks that never saw their cell."""

    logits: npt.NDArray[np.float32]
    """(field, class), log-probabilities."""
    label: npt.NDArray[np.int16]
    group: npt.NDArray[np.str_]
    metrics: dict[str, Any]


def cross_validate(recipe: Recipe, banks: list[Bank], progress: Progress | None = None) -> Folds:
    """Predict every field with a network trained without its place.

    Points are split by cell of 0.1 degree into five parts; each square is left out as a whole (a network trained on
    the rest paints it). A random forest on the same binned inputs goes through the same folds.
    """
    parts = [_cv_points(recipe, bank, banks, progress) for bank in banks if bank.raster is None]
    parts += [_cv_square(recipe, bank, banks, progress) for bank in banks if bank.raster is not None]
    metrics = {key: value for part in parts for key, value in part.metrics.items()}
    return Folds(
        np.concatenate([part.logits for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.group for part in parts]),
        {"cross_validation": metrics},
    )


def fold_of_group(group: npt.NDArray[np.str_], folds: int = FOLDS) -> npt.NDArray[np.int64]:
    """Fold of each row; rows of one cell stay together; the same answer every time."""
    names = np.unique(group)
    number = np.random.default_rng(0).permutation(len(names)) % folds
    return number[np.searchsorted(names, group)]


def flat_inputs(bank: Bank) -> npt.NDArray[np.float32]:
    """The network's binned input of each pixel in one row, (pixel, bin x channel)."""
    binned = bin_series(bank.values, bank.clear, bank.times(), bank.axis)
    return binned.reshape(-1, binned.shape[2]).T


def forest_on(banks: list[Bank]) -> Any:
    """A random forest on the labelled pixels of some banks, every field with the same weight."""
    x, label, weight = [], [], []
    for bank in banks:
        known = bank.label >= 0
        _, number, counts = np.unique(bank.field[known], return_inverse=True, return_counts=True)
        x.append(flat_inputs(bank)[known])
        label.append(bank.label[known])
        weight.append(1.0 / counts[number])
    return fit_forest(np.concatenate(x), np.concatenate(label), np.concatenate(weight))


def _cv_points(recipe: Recipe, bank: Bank, banks: list[Bank], progress: Progress | None) -> Folds:
    fold = fold_of_group(bank.group)
    logits = np.zeros((len(bank.label), len(CROP_CLASSES)), np.float32)
    trees = np.zeros(len(bank.label), np.int64)
    others = [other for other in banks if other is not bank]
    for k in range(FOLDS):
        out = fold == k
        training = [bank.keep(~out), *others]
        logits[out] = predict_points(fit(recipe, training, seed=recipe.seed + 1 + k, progress=progress), bank.keep(out))
        trees[out] = forest_on(training).predict(flat_inputs(bank.keep(out)))
    known = bank.label >= 0
    label = bank.label[known].astype(np.int64)
    scores = score_labels(label, logits[known].argmax(axis=1), bank.group[known], CROP_CLASSES)
    scores["forest"] = score_labels(label, trees[known], bank.group[known], CROP_CLASSES)
    logp = log_softmax(logits)[known]
    return Folds(logp, bank.label[known], bank.group[known], {bank.name: scores})


def _cv_square(recipe: Recipe, bank: Bank, banks: list[Bank], progress: Progress | None) -> Folds:
    assert bank.raster is not None
    assert bank.patches is not None
    others = [other for other in banks if other is not bank]
    if not others:
        empty = np.zeros(0, np.int16)
        return Folds(np.zeros((0, len(CROP_CLASSES)), np.float32), empty, empty.astype(str), {})
    logits, _ = predict_square(fit(recipe, others, seed=recipe.seed + 11, progress=progress), bank)
    logp = np.moveaxis(log_softmax(np.moveaxis(logits, 0, -1)), -1, 0)
    side = bank.raster.shape[0] // 2
    trees = forest_on(others).predict(flat_inputs(bank)).reshape(side, side).repeat(2, axis=0).repeat(2, axis=1)
    known = (bank.raster >= 0) & (bank.patches > 0)
    numbers = np.unique(bank.patches[known])
    fields = np.stack([logp[:, (bank.patches == number) & known].mean(axis=1) for number in numbers])
    label = np.array([bank.raster[(bank.patches == number) & known][0] for number in numbers], np.int16)
    group = np.array([f"{bank.name}-{number}" for number in numbers])
    truth, unit = bank.raster[known].astype(np.int64), bank.patches[known]
    scores = {
        "pixels": score_labels(truth, logp[:, known].argmax(axis=0), unit, CROP_CLASSES)
        | {"forest": score_labels(truth, trees[known], unit, CROP_CLASSES)},
        "fields": score_labels(label.astype(np.int64), fields.argmax(axis=1), group, CROP_CLASSES),
    }
    return Folds(fields.astype(np.float32), label, group, {f"{bank.name}, left out as a whole": scores})


def score_drawings(recipe: Recipe, banks: list[Bank], progress: Progress | None = None) -> tuple[dict[str, Any], float]:
    """How well the health head tells drawn damage apart, on held-back fields and drawings.

    One member only, trained without a fifth of the cells. Not evidence from fields.

    Returns:
        the scores, and what is added to the logit of `normal` so that at most `FALSE_ALARMS` of undamaged fields in
        such drawings are called damaged: a false alarm is what a farmer feels.
    """
    training, held = [], []
    for bank in banks:
        if bank.raster is None:
            out = fold_of_group(bank.group) == 0
            training.append(bank.keep(~out))
            held.append(bank.keep(out))
    if not held:
        return {"n": 0}, 0.0
    one = recipe.model_copy(update={"members": 1})
    logits, true, unit = draw_held_back(fit(one, training, seed=recipe.seed + 21, progress=progress), recipe, held)
    normal = true == HEALTH.index("normal")
    bias = normal_bias(logits[normal], FALSE_ALARMS)
    logits[:, HEALTH.index("normal")] += bias
    found = logits.argmax(axis=1)
    alarms = ~np.isin(found[normal], [HEALTH.index("normal"), HEALTH.index("harvested")])
    scores = score_labels(true, found, unit, HEALTH)
    return scores | {"false_alarms": round(float(alarms.mean()), 4), "normal_bias": round(bias, 3)}, bias


def normal_bias(logits: npt.NDArray[np.float32], share: float) -> float:
    """The least addition to the logit of `normal` that leaves at most `share` of undamaged fields called damaged."""
    if not len(logits):
        return 0.0
    calm = [HEALTH.index("normal"), HEALTH.index("harvested")]
    alarm = np.delete(logits, calm, axis=1).max(axis=1)
    # A field that is called harvested anyway raises no alarm, whatever is added.
    excess = np.where(logits[:, calm[1]] >= alarm, -np.inf, alarm - logits[:, calm[0]])
    allowed = int(np.floor(share * len(logits)))
    return float(max(0.0, np.sort(excess)[::-1][allowed] + 1e-3)) if allowed < len(excess) else 0.0


def draw_held_back(
    net: AcreNets, recipe: Recipe, held: list[Bank]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Health log-probabilities, truth and mosaic number of fields in freshly drawn mosaics."""
    rng = np.random.default_rng(recipe.seed + 22)
    logits, true, unit = [], [], []
    for number in range(24):
        batch = draw_batch(held, BANDS_20M, recipe.changes, 8, 0, 2, rng)
        painted = predict_batch(net, batch.x)[1]
        for patch in range(len(batch.x)):
            # A field of a mosaic has one weight of its own size: distinct weights are fields.
            for weight in np.unique(batch.weight[patch]):
                mine = batch.weight[patch] == weight
                for kind in np.unique(batch.health[patch][mine]):
                    if kind >= 0:
                        logits.append(painted[patch][:, mine & (batch.health[patch] == kind)].mean(axis=1))
                        true.append(int(kind))
                        unit.append(number * 8 + patch)
    return np.array(logits, np.float32).reshape(-1, len(HEALTH)), np.array(true, np.int64), np.array(unit, np.int64)


def log_softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-probabilities along the last axis."""
    safe = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    logp: npt.NDArray[np.float32] = (safe - np.log(np.exp(safe).sum(axis=-1, keepdims=True))).astype(np.float32)
    return logp
