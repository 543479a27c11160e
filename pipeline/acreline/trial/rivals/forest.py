# SPDX-License-Identifier: Apache-2.0
"""A random forest on the binned series of single pixels: no surroundings, no order of time, hard to beat.

The fitting of trees on labelled series of anyone is in `acreline.trial.forest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.painting import Painted
from acreline.trial.rivals.shape import (
    binned,
    crop_of,
    log_share,
    no_labels,
    no_sklearn,
    picture_of,
    rows_of,
    strips,
    trust_of,
)

TREES = 200
PIXELS = 20_000
"""Pixels that each slot's forest is taught from, at most."""


@dataclass(frozen=True)
class PixelForest:
    """One forest for each slot."""

    forests: Mapping[str, Any]
    """Slot -> fitted `RandomForestClassifier`; its classes are places in the slot's head."""
    taught_px: Mapping[str, int]
    name: str = "forest"

    @property
    def parameters(self) -> int:
        """Nodes of all trees."""
        return sum(int(tree.tree_.node_count) for forest in self.forests.values() for tree in forest.estimators_)

    def paint(self, bank: Bank) -> Painted:
        """See `shape.Painter`; it has no health head."""
        rows, cols = picture_of(bank)
        parts: dict[str, list[npt.NDArray[np.float32]]] = {"A": [], "B": []}
        for pixels in strips(rows * cols):
            x = rows_of(binned(bank, pixels))
            for slot, forest in self.forests.items():
                parts[slot].append(log_share(forest.predict_proba(x), forest.classes_, slot))
        a, b = (np.concatenate(parts[slot], axis=1).reshape(-1, rows, cols) for slot in ("A", "B"))
        return Painted(a, b)


def teach_forest(
    banks: Sequence[Bank], *, seed: int = 0, threads: int = 1, trees: int = TREES, pixels: int = PIXELS
) -> PixelForest:
    """Fit one forest for each slot; same seed, same forest.

    Args:
        banks: simulated counties and real points.
        seed: of the draw of pixels and of the trees.
        threads: of the fit.
        trees: in each forest.
        pixels: each forest is taught from, at most.

    Raises:
        ConfigError: scikit-learn is not installed.
        InputError: no pixel has a label for one of the slots.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise no_sklearn("random forest") from error
    forests, taught = {}, {}
    for slot in HEADS:
        x, label, weight = draw_pixels(banks, slot, pixels, np.random.default_rng([seed, ord(slot)]))
        forest = RandomForestClassifier(
            trees, min_samples_leaf=2, max_features="sqrt", random_state=seed, n_jobs=threads
        )
        forests[slot], taught[slot] = forest.fit(x, label, sample_weight=weight), len(label)
    return PixelForest(forests, taught)


def draw_pixels(
    banks: Sequence[Bank], slot: str, pixels: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Labelled pixels of a slot, a class by the root of its frequency: as the network's batches favour rare crops.

    Returns:
        features (n, bin x channel), class (n,) and trust in it (n,).
    """
    crops = [crop_of(bank, slot) for bank in banks]
    everything = np.concatenate(crops)
    counts = np.bincount(everything[everything >= 0], minlength=len(HEADS[slot]))
    if not counts.any():
        raise no_labels(slot)
    quota = np.floor(pixels * np.sqrt(counts) / np.sqrt(counts).sum()).astype(np.int64)
    chosen = np.concatenate(
        [
            rng.choice(np.flatnonzero(everything == k), min(counts[k], max(quota[k], 1)), replace=False)
            for k in np.flatnonzero(counts)
        ]
    )
    chosen = np.sort(rng.permutation(chosen)[:pixels])  # a class never fills less than one pixel: may be too many
    ends = np.cumsum([0, *(len(crop) for crop in crops)])
    x, weight = [], []
    for k, bank in enumerate(banks):
        mine = chosen[(chosen >= ends[k]) & (chosen < ends[k + 1])] - ends[k]
        x += [rows_of(binned(bank, mine[part])) for part in strips(len(mine))]
        weight.append(trust_of(bank)[mine])
    return np.concatenate(x), everything[chosen].astype(np.int64), np.concatenate(weight)
