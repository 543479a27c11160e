# SPDX-License-Identifier: Apache-2.0
"""Figures that come with their number of samples, their baseline and their doubt: arrays in, plain numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]
BOOTSTRAPS = 1000
BINS = 15
"""Equal-mass bins of the calibration error."""
KEPT = tuple(round(0.05 * k, 2) for k in range(1, 21))
"""Shares of samples kept in the risk-coverage curve."""
SIZES_HA = ((0.0, 0.1), (0.1, 0.3), (0.3, 1.0), (1.0, float("inf")))
"""Parcel sizes of the reports."""


def scores(true: Indices, found: Indices, groups: Sequence[str], unit: npt.NDArray[np.str_]) -> dict[str, Any]:
    """Accuracy with everything needed to judge it.

    Args:
        true: index into `groups`, per sample.
        found: the same, as it was told.
        groups: names.
        unit: place of each sample: whole places are drawn again and again for the 95 % intervals.

    Returns:
        n, oa, macro_f1 (mean over the groups that occur in `true`), kappa (Cohen), ci95 and macro_f1_ci95 (percentile
        bootstrap over places; None where all is of one place), places, per_class, majority_oa, confusion (rows true,
        columns found).
    """
    table = confusion(true, found, len(groups))
    drawn = _bootstrap(true, found, len(groups), unit) if len(np.unique(unit)) > 1 else []
    return {
        "n": len(true),
        "oa": _round(_accuracy(table)),
        "macro_f1": _round(_macro_f1(table)),
        "kappa": _round(kappa(table)),
        "ci95": interval([_accuracy(one) for one in drawn]) if drawn else None,
        "macro_f1_ci95": interval([_macro_f1(one) for one in drawn]) if drawn else None,
        "places": len(np.unique(unit)),
        "per_class": per_class(table, groups),
        "majority_oa": _round(float(table.sum(axis=1).max() / table.sum())),
        "confusion": {"groups": list(groups), "rows_true_columns_found": table.tolist()},
    }


def confusion(true: Indices, found: Indices, groups: int) -> Indices:
    """Counts (true, found)."""
    return np.bincount(true * groups + found, minlength=groups * groups).reshape(groups, groups).astype(np.int64)


def kappa(table: Indices) -> float | None:
    """Cohen's kappa: agreement beyond what the margins alone would give; None where they leave nothing to agree on."""
    total = table.sum()
    chance = float((table.sum(axis=0) * table.sum(axis=1)).sum() / total**2)
    return None if chance >= 1 else (_accuracy(table) - chance) / (1 - chance)


def per_class(table: Indices, groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and n of each group that occurs or was told; None where a share has no denominator."""
    out = {}
    for k, name in enumerate(groups):
        n, told, both = int(table[k].sum()), int(table[:, k].sum()), int(table[k, k])
        if n or told:
            out[name] = {
                "precision": _round(both / told) if told else None,
                "recall": _round(both / n) if n else None,
                "f1": _round(2 * both / (n + told)),
                "n": n,
            }
    return out


def calibration(true: Indices, probability: Shares) -> dict[str, Any]:
    """How well the highest probability tells how often it is right.

    Returns:
        ece: mean distance of confidence and accuracy over 15 bins of equal mass, weighted by n; brier: mean squared
        distance of all groups' probabilities from the truth (0 to 2); bins: n, confidence, accuracy.
    """
    confidence, hit = probability.max(axis=1), probability.argmax(axis=1) == true
    parts = [part for part in np.array_split(np.argsort(confidence, kind="stable"), BINS) if len(part)]
    bins = [(len(part), float(confidence[part].mean()), float(hit[part].mean())) for part in parts]
    truth = np.eye(probability.shape[1])[true]
    return {
        "ece": _round(sum(n * abs(told - right) for n, told, right in bins) / len(true)),
        "brier": _round(float(((probability - truth) ** 2).sum(axis=1).mean())),
        "reliability": [{"n": n, "confidence": _round(told), "accuracy": _round(right)} for n, told, right in bins],
    }


def conformal(true: Indices, probability: Shares, threshold: Shares, alpha: float) -> dict[str, Any]:
    """What sets of all groups from a probability on, (n, groups), hold, beside what the card promises."""
    sets = probability >= threshold
    single = sets.sum(axis=1) == 1
    right = probability.argmax(axis=1) == true
    return {
        "promised": _round(1 - alpha),
        "held": _round(float(sets[np.arange(len(true)), true].mean())),
        "mean_size": _round(float(sets.sum(axis=1).mean())),
        "single_share": _round(float(single.mean())),
        "single_accuracy": _round(float(right[single].mean())) if single.any() else None,
        "single_n": int(single.sum()),
    }


def risk_coverage(true: Indices, probability: Shares) -> list[dict[str, Any]]:
    """Accuracy among the most certain samples, by the share that is kept."""
    order = np.argsort(-probability.max(axis=1), kind="stable")
    hit = (probability.argmax(axis=1) == true)[order]
    counts = [max(1, round(share * len(hit))) for share in KEPT]
    return [
        {"kept": share, "n": n, "accuracy": _round(float(hit[:n].mean()))}
        for share, n in zip(KEPT, counts, strict=True)
    ]


def kept_interval(true: Indices, probability: Shares, share: float, unit: npt.NDArray[np.str_]) -> list[float] | None:
    """95 % interval of the accuracy among the most certain, whole places drawn; None where they are of one place."""
    order = np.argsort(-probability.max(axis=1), kind="stable")[: max(1, round(share * len(true)))]
    hit = (probability.argmax(axis=1) == true)[order]
    names, place = np.unique(unit[order], return_inverse=True)
    if len(names) < 2:
        return None
    hits, counts = np.bincount(place, hit), np.bincount(place)
    drawn = np.random.default_rng(0).integers(0, len(names), (BOOTSTRAPS, len(names)))
    shares = hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return interval(shares.tolist())


def by_size(true: Indices, found: Indices, groups: int, size_m2: Shares) -> list[dict[str, Any]]:
    """Accuracy by parcel size, beside the share of the most frequent class of that size."""
    out = []
    for low, high in SIZES_HA:
        mine = (size_m2 >= low * 10_000) & (size_m2 < high * 10_000)
        if mine.any():
            table = confusion(true[mine], found[mine], groups)
            limit = None if np.isinf(high) else high
            row = {"from_ha": low, "to_ha": limit, "n": int(mine.sum()), "oa": _round(_accuracy(table))}
            most = float(table.sum(axis=1).max() / table.sum())
            out.append({**row, "macro_f1": _round(_macro_f1(table)), "majority_oa": _round(most)})
    return out


def interval(values: Sequence[float]) -> list[float]:
    """Middle 95 % of values that were drawn."""
    low, high = np.percentile(np.asarray(values), [2.5, 97.5])
    return [round(float(low), 3), round(float(high), 3)]


def _bootstrap(true: Indices, found: Indices, groups: int, unit: npt.NDArray[np.str_]) -> list[Indices]:
    """Confusion tables of drawn places."""
    names, place = np.unique(unit, return_inverse=True)
    tables = np.stack([confusion(true[place == k], found[place == k], groups) for k in range(len(names))])
    rng = np.random.default_rng(0)
    return [tables[rng.integers(0, len(names), len(names))].sum(axis=0) for _ in range(BOOTSTRAPS)]


def _accuracy(table: Indices) -> float:
    return float(np.trace(table) / table.sum())


def _macro_f1(table: Indices) -> float:
    occurs = table.sum(axis=1) > 0
    both, sums = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    return float((2 * both[occurs] / sums[occurs]).mean())


def _round(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
