# SPDX-License-Identifier: Apache-2.0
"""Parcels of a simulated county: what stands there, and what a painted county says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.layers import MIN_FULL_PX
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.painting import Painted

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
SUM_FLOOR = -12.0
"""A pixel's log-probability counts no less than this for its parcel: one odd pixel must not outvote a field."""
BLOCK_PX = 32
"""Side of the squares of land that are drawn as wholes for intervals, pixels of 10 m: neighbours share weather, crops
and mishaps."""


@dataclass(frozen=True)
class ParcelsTold:
    """Parcels of one or more counties, (parcel,) unless said otherwise."""

    block: npt.NDArray[np.str_]
    """County and square of land that holds the parcel's middle."""
    size_px: Ints
    """All its pixels, each given to the parcel that fills most of it."""
    inner_px: Ints
    """Those that touch no other field."""
    looks: Ints
    """Clear looks in the season, mean over its pixels."""
    true: dict[str, Ints]
    """Slot -> place in its head of the commonest crop; -1 where none is known."""
    logp: dict[str, Floats]
    """Slot -> (parcel, class): mean log-probability over inner pixels, or over all where it has no inner one."""
    px_true: dict[str, Floats]
    """Slot -> (parcel, class): pixels that bear each class."""
    px_told: dict[str, Floats]
    """Slot -> (parcel, class): pixels told, the sum of their probabilities."""
    px_named: dict[str, Floats]
    """Slot -> (parcel, class): pixels whose likeliest class it is."""
    energy: Floats
    """Mean over its pixels; NaN where the painter tells none."""

    @property
    def judged(self) -> Bools:
        """Large enough to be told: as in a run, at least 8 inner pixels."""
        return self.inner_px >= MIN_FULL_PX

    def keep(self, chosen: Bools) -> ParcelsTold:
        """Only some of them."""
        return ParcelsTold(**{name: _each(value, lambda x: x[chosen]) for name, value in vars(self).items()})

    @staticmethod
    def join(parts: Sequence[ParcelsTold]) -> ParcelsTold:
        """Of several counties."""
        return ParcelsTold(**{name: _stack([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def _each(value: Any, of: Any) -> Any:
    return {slot: of(part) for slot, part in value.items()} if isinstance(value, dict) else of(value)


def _stack(values: list[Any]) -> Any:
    if isinstance(values[0], dict):
        return {slot: np.concatenate([value[slot] for value in values]) for slot in values[0]}
    return np.concatenate(values)


def tell_parcels(painted: Painted, bank: Bank) -> ParcelsTold:
    """Gather a painted county by parcel; ground in no farm file is left out.

    Args:
        painted: log-probabilities (class, y, x).
        bank: the same county.
    """
    mine = registered(bank)
    numbers, at, size = np.unique(bank.field[mine], return_inverse=True, return_counts=True)
    count = len(numbers)
    inner = whole(bank)[mine]
    inner_px = np.bincount(at, inner, count).astype(np.int64)
    heard = inner | (inner_px == 0)[at]
    weight = np.bincount(at, heard, count)
    true, logp, px_true, px_told, px_named = {}, {}, {}, {}, {}
    for slot, part, crop in (("A", painted.crop_a, bank.crop_a), ("B", painted.crop_b, bank.crop_b)):
        classes = len(HEADS[slot])
        values = part.reshape(classes, -1)[:, mine].astype(np.float64)
        floored = np.maximum(values, SUM_FLOOR) * heard
        logp[slot] = _sums(floored, at, count) / np.maximum(weight, 1)[:, None]
        px_told[slot] = _sums(np.exp(values), at, count)
        px_named[slot] = _counts(values.argmax(axis=0), at, count, classes, np.ones(len(at)))
        label = crop[mine]
        px_true[slot] = _counts(label, at, count, classes, np.ones(len(at)))
        heard_true = _counts(label, at, count, classes, heard.astype(np.float64))
        true[slot] = np.where(heard_true.sum(axis=1) > 0, heard_true.argmax(axis=1), -1).astype(np.int64)
    return ParcelsTold(
        block=_blocks(bank, mine, at, size),
        size_px=size.astype(np.int64),
        inner_px=inner_px,
        looks=np.rint(np.bincount(at, bank.clear.sum(axis=0)[mine], count) / np.maximum(size, 1)).astype(np.int64),
        true=true,
        logp=logp,
        px_true=px_true,
        px_told=px_told,
        px_named=px_named,
        energy=np.full(count, np.nan)
        if painted.energy is None
        else np.bincount(at, painted.energy.ravel()[mine], count) / np.maximum(size, 1),
    )


def registered(bank: Bank) -> Bools:
    """(pixel,): it belongs to a parcel of the farm file."""
    last = bank.field.max(initial=0) if bank.registered is None else bank.registered
    return np.asarray((bank.field > 0) & (bank.field <= last))


def whole(bank: Bank) -> Bools:
    """(pixel,): it belongs to a field and touches no other."""
    inner = bank.field > 0
    return inner & (bank.weight >= 1) if bank.weight is not None else inner


def by_field(logp: npt.NDArray[np.float32], field: Ints, inner: Bools) -> tuple[Ints, Floats, Ints]:
    """Mean log-probability of each field's inner pixels: fields, (field, class), pixels."""
    flat = np.maximum(logp.reshape(len(logp), -1)[:, inner], SUM_FLOOR).astype(np.float64)
    numbers, at, counts = np.unique(field[inner], return_inverse=True, return_counts=True)
    return numbers, _sums(flat, at, len(numbers)) / counts[:, None], counts


def _sums(values: Floats, at: Ints, count: int) -> Floats:
    """(class, pixel) -> (parcel, class)."""
    return np.stack([np.bincount(at, row, count) for row in values], axis=1)


def _counts(label: npt.NDArray[np.integer[Any]], at: Ints, count: int, classes: int, weight: Floats) -> Floats:
    """(parcel, class): weights of the pixels that bear each class; below 0 = not known."""
    known = label >= 0
    place = at[known] * classes + label[known]
    table = np.bincount(place, weight[known], count * classes).reshape(count, classes)
    return table.astype(np.float64)


def _blocks(bank: Bank, mine: Bools, at: Ints, size: Ints) -> npt.NDArray[np.str_]:
    assert bank.shape is not None
    row, col = np.divmod(np.flatnonzero(mine), bank.shape[1])
    middles = [(np.bincount(at, place, len(size)) / size).astype(np.int64) // BLOCK_PX for place in (row, col)]
    return np.array([f"{bank.name}/{y}/{x}" for y, x in zip(*(m.tolist() for m in middles), strict=True)], np.str_)
