# SPDX-License-Identifier: Apache-2.0
"""A toy county that can be told at a glance: square fields of three kinds, each with its own green months."""

from __future__ import annotations

from datetime import date

import numpy as np

from acreline.layers import TimeAxis
from acreline.model.banks import Bank, edge_pixels
from acreline.model.classes import HEADS

KINDS = (("winter_cereal", "none"), ("none", "maize"), ("grassland", "grassland"))
GREEN_DAYS = ((180.0, 270.0), (290.0, 380.0), (120.0, 400.0))
"""Days since the season's start between which each kind is green."""
SOIL = np.array([0.07, 0.10, 0.13, 0.15, 0.18, 0.20, 0.21, 0.22, 0.29, 0.24], np.float32)
LEAF = np.array([0.03, 0.06, 0.03, 0.09, 0.28, 0.36, 0.40, 0.42, 0.18, 0.08], np.float32)


def toy_axis(bins: int = 8) -> TimeAxis:
    """September to October of the next year in a few bins."""
    return TimeAxis(date(2024, 9, 1), date(2025, 11, 1), bins)


def toy_bank(seed: int = 0, *, side: int = 40, field_px: int = 8, bins: int = 8, registered: bool = True) -> Bank:
    """Fields of `field_px` pixels a side, kinds drawn; one field in six was struck by drought.

    Without `registered` the right half is ground in no farm file: pooled by its kind.
    """
    rng = np.random.default_rng(seed)
    per_side = side // field_px
    block = np.arange(side) // field_px
    number = block[:, None] * per_side + block  # (y, x)
    kind = rng.integers(0, len(KINDS), per_side * per_side)
    kind[: len(KINDS)] = np.arange(len(KINDS))
    of = kind[number].ravel()
    days = np.arange(5.0, 425.0, 12.0)
    green = np.stack([(days > low) & (days < high) for low, high in GREEN_DAYS], axis=1).astype(np.float32)[:, of]
    values = SOIL[None, :, None] * (1 - green[:, None]) + LEAF[None, :, None] * green[:, None]
    values *= 1 + rng.normal(0, 0.03, values.shape)
    field = number.ravel() + 1
    last = per_side * per_side
    if not registered:
        right = np.broadcast_to(np.arange(side) >= side // 2, (side, side)).ravel()
        field = np.where(right, last + 1 + of, field)
    crop_a, crop_b = (
        np.array([HEADS[slot].index(pair[k]) for pair in KINDS], np.int16)[of] for k, slot in enumerate("AB")
    )
    struck = rng.random(last)[number].ravel() < 1 / 6
    return Bank(
        name=f"toy-{seed}", axis=toy_axis(bins), days=days, fine=np.rint(values * 10000 + 1000).astype(np.uint16),
        visible=True, clear=rng.random((len(days), side * side)) < 0.8, crop_a=crop_a, crop_b=crop_b,
        field=field.astype(np.int64), group=np.full(side * side, f"toy-{seed}"), shape=(side, side),
        event=np.where(struck, 1, 0).astype(np.int16), event_day=np.where(struck, 200, np.inf).astype(np.float32),
        weight=np.where(edge_pixels(number), 0.2, 1).astype(np.float32).ravel(), simulated=True,
        registered=last,
    )  # fmt: skip
