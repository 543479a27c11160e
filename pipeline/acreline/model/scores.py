# SPDX-License-Identifier: Apache-2.0
"""Scores that come with their number of samples, their baseline and their doubt."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.errors import ConfigError

Labels = npt.NDArray[np.integer[Any]]
BOOTSTRAPS = 1000


def score_labels(
    true: Labels, found: Labels, unit: Labels | npt.NDArray[np.str_], names: tuple[str, ...]
) -> dict[str, Any]:
    """Accuracy with everything needed to judge it.

    Args:
        true: class index per sample.
        found: class index per sample.
        unit: field or cell of each sample: the 95 % interval comes from drawing whole units again and again, because
            pixels of one field are not independent.
        names: class names by index.

    Returns:
        n, accuracy, its 95 % interval, macro-F1 and F1 per class that occurs, majority baseline, confusion (rows true,
        columns found; only classes that occur).
    """
    if not len(true):
        return {"n": 0}
    present = np.unique(true)
    f1 = {names[c]: _f1(true, found, int(c)) for c in present}
    shown = np.unique(np.concatenate([true, found]))
    confusion = [[int(((true == a) & (found == b)).sum()) for b in shown] for a in shown]
    return {
        "n": len(true),
        "accuracy": round(float((true == found).mean()), 4),
        "interval_95": _interval(true == found, unit),
        "units": len(np.unique(unit)),
        "macro_f1": round(float(np.mean(list(f1.values()))), 4),
        "f1": f1,
        "majority": round(float(np.bincount(true).max() / len(true)), 4),
        "classes": [names[c] for c in shown],
        "confusion": confusion,
    }


def macro_f1(true: Labels, found: Labels) -> float:
    """Mean F1 of the classes that occur in `true`; 0 where nothing is known."""
    return float(np.mean([_f1(true, found, int(c)) for c in np.unique(true)])) if len(true) else 0.0


def fit_forest(x: npt.NDArray[np.float32], label: Labels, weight: npt.NDArray[np.float64], *, seed: int = 0) -> Any:
    """A random forest on the network's own inputs: the baseline that stands in every report.

    Args:
        x: (sample, feature).
        label: (sample,).
        weight: (sample,): pixels share the weight of their field.
        seed: of the forest.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise ConfigError(
            "the random forest baseline needs scikit-learn, which is not installed",
            hint="pip install 'acreline[evaluate]'",
        ) from error
    forest = RandomForestClassifier(500, min_samples_leaf=2, max_features="sqrt", random_state=seed, n_jobs=1)
    return forest.fit(x, label, sample_weight=weight)


def _f1(true: Labels, found: Labels, c: int) -> float:
    both = ((true == c) & (found == c)).sum()
    return round(float(2 * both / ((true == c).sum() + (found == c).sum())), 4)


def _interval(hit: npt.NDArray[np.bool_], unit: Labels | npt.NDArray[np.str_]) -> list[float]:
    """95 % interval of the mean of `hit`, whole units drawn with replacement."""
    _, number = np.unique(unit, return_inverse=True)
    hits, counts = np.bincount(number, hit), np.bincount(number)
    drawn = np.random.default_rng(0).integers(0, len(counts), (BOOTSTRAPS, len(counts)))
    shares = hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return [round(float(v), 3) for v in np.percentile(shares, [2.5, 97.5])]
