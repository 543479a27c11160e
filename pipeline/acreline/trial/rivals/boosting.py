# SPDX-License-Identifier: Apache-2.0
"""Gradient boosting on the mean binned series of parcels: one row a parcel, told back to each of its pixels.

It is given the parcels' outlines, which the networks are not: what a lender with good outlines could do with no
network at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.inputs import CHANNELS
from acreline.model.painting import Painted
from acreline.trial.rivals.shape import (
    binned,
    crop_of,
    log_share,
    no_labels,
    no_sklearn,
    parcel_numbers,
    picture_of,
    rows_of,
    strips,
    trust_of,
)

ROUNDS = 60
LOOSE_PX = 40
"""Single pixels of each kind of ground in no farm file that are taught, per bank."""


@dataclass(frozen=True)
class ParcelBoosting:
    """One booster for each slot."""

    boosters: Mapping[str, Any]
    """Slot -> fitted `HistGradientBoostingClassifier`; its classes are places in the slot's head."""
    taught_rows: Mapping[str, int]
    name: str = "boosting"

    @property
    def parameters(self) -> int:
        """Nodes of all trees."""
        return sum(
            len(tree.nodes) for booster in self.boosters.values() for trees in booster._predictors for tree in trees
        )

    def paint(self, bank: Bank) -> Painted:
        """See `shape.Painter`; ground in no farm file is told pixel by pixel. It has no health head."""
        rows, cols = picture_of(bank)
        at, x = parcel_rows(bank)
        parcels = {slot: log_share(one.predict_proba(x), one.classes_, slot) for slot, one in self.boosters.items()}
        out = {slot: logp[:, np.maximum(at, 0)] for slot, logp in parcels.items()}
        loose = np.flatnonzero(at < 0)
        for part in strips(len(loose)):
            alone = rows_of(binned(bank, loose[part]))
            for slot, one in self.boosters.items():
                out[slot][:, loose[part]] = log_share(one.predict_proba(alone), one.classes_, slot)
        return Painted(*(out[slot].reshape(-1, rows, cols) for slot in ("A", "B")))


def teach_boosting(banks: Sequence[Bank], *, seed: int = 0, rounds: int = ROUNDS) -> ParcelBoosting:
    """Fit one booster for each slot; same seed, same booster.

    Args:
        banks: simulated counties and real points; a point is a parcel of its own.
        seed: of the draw of loose pixels and of the columns that each tree is shown.
        rounds: trees for each class.

    Raises:
        ConfigError: scikit-learn is not installed.
        InputError: no parcel has a label for one of the slots.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise no_sklearn("gradient boosting") from error
    tables = [_table(bank, np.random.default_rng([seed, k])) for k, bank in enumerate(banks)]
    x = np.concatenate([table[0] for table in tables])
    boosters, taught = {}, {}
    for slot in HEADS:
        label = np.concatenate([table[1][slot] for table in tables])
        known = label >= 0
        if not known.any():
            raise no_labels(slot)
        booster = HistGradientBoostingClassifier(
            learning_rate=0.15, max_iter=rounds, max_leaf_nodes=15, min_samples_leaf=5, l2_regularization=1.0,
            max_features=0.3, early_stopping=False, random_state=seed,
        )  # fmt: skip
        counts = np.bincount(label[known])
        weight = counts[label[known]] ** -0.5  # rare crops count more, as in the network's batches
        boosters[slot] = booster.fit(x[known], label[known], sample_weight=weight / weight.mean())
        taught[slot] = int(known.sum())
    return ParcelBoosting(boosters, taught)


def parcel_rows(bank: Bank) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Mean binned series of every parcel, over its pixels by the trust in them.

    Returns:
        (pixel,): row of the pixel's parcel, -1 = in none; (parcel, bin x channel).
    """
    number = parcel_numbers(bank)
    inside = np.flatnonzero(number > 0)
    names, row = np.unique(number[inside], return_inverse=True)
    at = np.full(len(number), -1, np.int64)
    at[inside] = row
    trust = trust_of(bank)
    total = np.bincount(row, trust[inside], len(names))
    sums = np.zeros((len(names), bank.axis.bins * len(CHANNELS)))
    for part in strips(len(inside)):
        x = rows_of(binned(bank, inside[part])) * trust[inside[part], None]
        order = np.argsort(row[part], kind="stable")
        mine, first = np.unique(row[part][order], return_index=True)
        sums[mine] += np.add.reduceat(x[order], first, axis=0)
    return at, (sums / np.maximum(total, 1e-6)[:, None]).astype(np.float32)


def _table(bank: Bank, rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], dict[str, npt.NDArray[np.int64]]]:
    """What a bank teaches: features of parcels and of some loose pixels, and slot -> class of each, -1 = not taught."""
    at, x = parcel_rows(bank)
    loose = np.flatnonzero((at < 0) & bank.taught)
    if len(loose):
        pools, pool = np.unique(bank.field[loose], return_inverse=True)
        loose = np.concatenate(
            [
                rng.choice(loose[pool == k], min(LOOSE_PX, int((pool == k).sum())), replace=False)
                for k in range(len(pools))
            ]
        )
    inside = at >= 0
    labels = {}
    for slot, classes in HEADS.items():
        crop = crop_of(bank, slot)
        known = inside & (crop >= 0)
        votes = np.bincount(
            at[known] * len(classes) + crop[known], trust_of(bank)[known], minlength=len(x) * len(classes)
        ).reshape(len(x), len(classes))
        parcels = np.where(votes.any(axis=1), votes.argmax(axis=1), -1)
        labels[slot] = np.concatenate([parcels, crop[loose].astype(np.int64)])
    alone = rows_of(binned(bank, loose)) if len(loose) else np.zeros((0, x.shape[1]), np.float32)
    return np.concatenate([x, alone]), labels
