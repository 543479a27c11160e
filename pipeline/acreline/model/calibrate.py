# SPDX-License-Identifier: Apache-2.0
"""Probabilities that mean what they say: one temperature, and sets that hold the true crop as often as promised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
"""(field, class): log-probabilities of fields the network did not see in training."""
TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(4.0), 161))


def calibrated_probability(logits: Logits, temperature: float) -> npt.NDArray[np.float64]:
    """Softmax of logits / temperature, (field, class)."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    share = np.exp(scaled)
    probability: npt.NDArray[np.float64] = share / share.sum(axis=1, keepdims=True)
    return probability


def fit_temperature(logits: Logits, label: npt.NDArray[np.integer]) -> float:
    """The temperature under which the true crops were least surprising, from 0.25 to 4."""
    rows = np.arange(len(label))
    surprise = [-np.log(calibrated_probability(logits, t)[rows, label] + 1e-12).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(surprise))])


def conformal_threshold(true_probability: npt.NDArray[np.float64], alpha: float) -> float:
    """From which probability on a crop is in a field's set, so that at most a share `alpha` of sets miss the truth.

    Split conformal with score 1 - p_true: the k-th smallest p_true, k = floor(alpha (n + 1)); 0 (every crop is in
    every set) where too few fields are known to promise anything.
    """
    k = int(np.floor(alpha * (len(true_probability) + 1)))
    return float(np.sort(true_probability)[k - 1]) if k >= 1 else 0.0


def measured_coverage(
    logits: Logits, label: npt.NDArray[np.integer], group: npt.NDArray[np.str_], alpha: float, *, splits: int = 20
) -> dict[str, float]:
    """What such sets hold on fields of other cells.

    Temperature and threshold come from half of the cells and are measured on the other half, over seeded halvings.

    Returns:
        promised and measured coverage, mean set size, share of sets with one crop and their accuracy, number of fields.
    """
    names = np.unique(group)
    held, sizes, single, right = [], [], [], []
    for split in range(splits):
        half = np.random.default_rng(split).permutation(names)[: len(names) // 2]
        fit = np.isin(group, half)
        if not fit.any() or fit.all():
            continue
        temperature = fit_temperature(logits[fit], label[fit])
        inside = calibrated_probability(logits[fit], temperature)[np.arange(int(fit.sum())), label[fit]]
        threshold = conformal_threshold(inside, alpha)
        probability = calibrated_probability(logits[~fit], temperature)
        sets = probability >= threshold
        held.append(sets[np.arange(len(sets)), label[~fit]].mean())
        sizes.append(sets.sum(axis=1).mean())
        one = sets.sum(axis=1) == 1
        single.append(one.mean())
        if one.any():
            right.append((probability.argmax(axis=1) == label[~fit])[one].mean())
    return {
        "promised": 1 - alpha,
        "measured": _mean(held),
        "mean_set_size": _mean(sizes),
        "one_crop_share": _mean(single),
        "one_crop_accuracy": _mean(right),
        "fields": len(label),
    }


def _mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 3) if values else float("nan")
