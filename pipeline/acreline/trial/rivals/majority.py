# SPDX-License-Identifier: Apache-2.0
"""The least that can be said: what is commonest where it was taught stands everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.painting import Painted
from acreline.trial.rivals.shape import crop_of, log_share, no_labels, picture_of


@dataclass(frozen=True)
class Majority:
    """Says of every pixel how common each class was."""

    share: Mapping[str, npt.NDArray[np.float64]]
    """Slot -> share of each class of its head among the pixels it was taught from."""
    name: str = "majority"

    @property
    def parameters(self) -> int:
        """Shares of classes."""
        return sum(len(share) for share in self.share.values())

    def paint(self, bank: Bank) -> Painted:
        """See `shape.Painter`."""
        rows, cols = picture_of(bank)

        def everywhere(slot: str) -> npt.NDArray[np.float32]:
            logp = log_share(self.share[slot][None], np.arange(len(HEADS[slot])), slot)
            return np.repeat(logp, rows * cols, axis=1).reshape(-1, rows, cols)

        return Painted(everywhere("A"), everywhere("B"))


def teach_majority(banks: Sequence[Bank]) -> Majority:
    """Count the classes of each slot, pixel by pixel.

    Raises:
        InputError: no pixel has a label for one of the slots.
    """
    share = {}
    for slot, classes in HEADS.items():
        crops = [crop_of(bank, slot) for bank in banks]
        counts = sum((np.bincount(crop[crop >= 0], minlength=len(classes)) for crop in crops), np.zeros(len(classes)))
        if not counts.any():
            raise no_labels(slot)
        share[slot] = counts / counts.sum()
    return Majority(share)
