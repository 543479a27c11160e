# SPDX-License-Identifier: Apache-2.0
"""What a network is taught of pixels: crops, health, vigour and edges, and what each pixel counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.model.banks import Bank
from acreline.model.skies import Sky


@dataclass(frozen=True)
class Targets:
    """What is taught; -1 or NaN = not."""

    crop_a: npt.NDArray[np.int64]
    crop_b: npt.NDArray[np.int64]
    health: npt.NDArray[np.int64]
    vigour: npt.NDArray[np.float32]
    edge: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]

    def map(self, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Targets:
        """The same change made to every layer."""
        return Targets(**{field.name: change(getattr(self, field.name)) for field in fields(self)})

    @staticmethod
    def joined(parts: Sequence[Targets], how: Callable[[list[npt.NDArray[Any]]], npt.NDArray[Any]]) -> Targets:
        """Every layer of some parts put together."""
        return Targets(**{field.name: how([getattr(part, field.name) for part in parts]) for field in fields(Targets)})


def targets_of(
    bank: Bank, pixels: npt.NDArray[np.int64], health: npt.NDArray[np.int64], sky: Sky, weight: npt.NDArray[np.float32]
) -> Targets:
    """What a bank's pixels teach, (pixel,) each; of edges nothing.

    Args:
        bank: the land.
        pixels: of the bank, (pixel,).
        health: place of the class among `damage.HEALTH`, -1 = not taught, (pixel,).
        sky: under which they are seen; vigour is taught of the last day before it ends.
        weight: what each counts, (pixel,).
    """
    vigour = np.full(len(pixels), np.nan, np.float32)
    if bank.vigour is not None and bank.vigour_days is not None:
        last = sky.source_days[sky.kept].max(initial=0.0)
        at = int(np.searchsorted(bank.vigour_days, min(last, sky.as_of), side="right")) - 1
        if at >= 0:
            vigour = bank.vigour[at, pixels]
    trust = weight if bank.weight is None else weight * bank.weight[pixels]
    a, b = bank.crop_a[pixels].astype(np.int64), bank.crop_b[pixels].astype(np.int64)
    return Targets(a, b, health, vigour, np.full(len(pixels), np.nan, np.float32), trust.astype(np.float32))


def field_weights(field: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """1 / sqrt(pixels of the field in its patch), mean 1: a large field counts more, not by its pixels."""
    numbers, inverse, counts = np.unique(field, return_inverse=True, return_counts=True)
    weight: npt.NDArray[np.float64] = np.where(numbers > 0, counts**-0.5, 0.1)[inverse].reshape(field.shape)
    scaled: npt.NDArray[np.float32] = (weight / weight.mean()).astype(np.float32)
    return scaled


def no_targets(side_px: int) -> Targets:
    """Targets of no patches, (0, side, side)."""
    none = np.zeros((0, side_px, side_px))
    whole, real = none.astype(np.int64), none.astype(np.float32)
    return Targets(whole, whole, whole, real, real, real)
