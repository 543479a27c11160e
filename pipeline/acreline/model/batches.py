# SPDX-License-Identifier: Apache-2.0
"""Training batches: mosaics of single fields and crops of whole squares, both through time as a satellite sees them.

Variety of fields teaches more than number of pixels, so fields are drawn, not pixels. A mosaic paints several fields,
each known from one pixel, side by side as a random pattern: the spatial part of the network then learns edges from
hundreds of fields instead of memorising the few squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acreline.cubes import bin_series, clear_from_scl
from acreline.layers import TimeAxis
from acreline.model.damage import draw_damage, weak_label
from acreline.model.labels import CROP_CLASSES, NO_LABEL, Points, Square
from acreline.model.segment import as_reflectance

PATCH_PX = 32
"""Side of a training patch on the 10 m grid."""


@dataclass(frozen=True)
class Bank:
    """One source of fields on one calendar: a pixel's series each, with the field it belongs to."""

    name: str
    axis: TimeAxis
    days: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]
    """Reflectance (time, band, pixel)."""
    clear: npt.NDArray[np.bool_]
    """(time, pixel)."""
    label: npt.NDArray[np.int16]
    """(pixel,)."""
    field: npt.NDArray[np.int64]
    """(pixel,), from 0; pixels of one field share it."""
    group: npt.NDArray[np.str_]
    """(pixel,): cell, for folds that never part one."""
    raster: npt.NDArray[np.int16] | None = None
    """Label (y, x) on the 10 m grid where the pixels form a square (in row order, 20 m), else None."""
    patches: npt.NDArray[np.int32] | None = None
    """Field number (y, x) of such a square, 0 = no label."""

    def times(self) -> npt.NDArray[np.datetime64]:
        """The looks' times as datetime64."""
        return days_to_times(self.days, self.axis)

    def keep(self, chosen: npt.NDArray[np.bool_]) -> Bank:
        """Only these pixels, no longer a square."""
        return Bank(
            self.name, self.axis, self.days, self.values[:, :, chosen], self.clear[:, chosen], self.label[chosen],
            self.field[chosen], self.group[chosen],
        )  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """What one training step sees."""

    x: npt.NDArray[np.float32]
    """(patch, bin, channel, y20, x20)."""
    crop: npt.NDArray[np.int64]
    """(patch, y, x), -1 = not taught."""
    health: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    """(patch, y, x): pixels of a field share its weight."""
    single_x: npt.NDArray[np.float32]
    """(field, bin, channel): fields known from one pixel, without surroundings."""
    single_crop: npt.NDArray[np.int64]
    single_health: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Changes:
    """How much the series are varied in training."""

    shift_days: float = 15
    stretch: float = 0.05
    drop: float = 0.5
    gain: float = 0.03
    look_gain: float = 0.02
    haze: float = 0.01
    in_season: float = 0.2
    """Share of patches that end on a random day: the as-of date of a run in season."""
    damage: float = 0.35


def points_bank(points: Points, axis: TimeAxis) -> Bank:
    """Points as a bank: every point is a field of its own."""
    count = points.values.shape[2]
    return Bank(
        points.name, axis, times_to_days(points.times, axis), as_reflectance(points.values),
        np.logical_and.reduce(points.values != 0, axis=1), points.label, np.arange(count), points.cell,
    )  # fmt: skip


def square_bank(square: Square, axis: TimeAxis) -> Bank:
    """A square as a bank of its 20 m pixels; a pixel's label is that of all its four 10 m pixels, or none."""
    height, width = square.values.shape[2:]
    fine = square.label.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(height * width, 4)
    number = square.field.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(height * width, 4)
    pure = (number == number[:, :1]).all(axis=1) & (number[:, 0] > 0)
    clear = clear_from_scl(square.scl)[:, ::2, ::2] & np.logical_and.reduce(square.values != 0, axis=1)
    looks = len(square.times)
    return Bank(
        name=square.name,
        axis=axis,
        days=times_to_days(square.times, axis),
        values=as_reflectance(square.values).reshape(looks, -1, height * width),
        clear=clear.reshape(looks, -1),
        label=np.where(pure, fine[:, 0], NO_LABEL).astype(np.int16),
        field=number[:, 0].astype(np.int64),
        group=np.full(height * width, square.name),
        raster=square.label,
        patches=square.field,
    )


def times_to_days(times: npt.NDArray[np.datetime64], axis: TimeAxis) -> npt.NDArray[np.float64]:
    """Days since the season's start."""
    days: npt.NDArray[np.float64] = (times.astype("datetime64[s]") - np.datetime64(axis.start, "s")) / np.timedelta64(
        86400, "s"
    )
    return days


def days_to_times(days: npt.NDArray[np.float64], axis: TimeAxis) -> npt.NDArray[np.datetime64]:
    """The inverse of `times_to_days`, to the second."""
    times: npt.NDArray[np.datetime64] = np.datetime64(axis.start, "s") + np.rint(days * 86400).astype("timedelta64[s]")
    return times


def draw_batch(
    banks: list[Bank],
    bands: tuple[str, ...],
    changes: Changes,
    mosaics: int,
    crops: int,
    singles: int,
    rng: np.random.Generator,
) -> Batch:
    """Draw one step's fields.

    `singles` fields stand alone (cheap: many of them teach the temporal part), `mosaics` patches are painted from
    single fields, `crops` patches are cut from squares (none where there is no square).
    """
    labelled = [bank for bank in banks if (bank.label >= 0).any()]
    sizes = np.array([len(np.unique(bank.field[bank.label >= 0])) for bank in labelled], float) ** 0.5
    shares = sizes / sizes.sum()
    parts = []
    for _ in range(mosaics):
        parts.append(_mosaic(labelled[int(rng.choice(len(labelled), p=shares))], bands, changes, rng))
    squares = [bank for bank in banks if bank.raster is not None]
    for _ in range(crops if squares else 0):
        parts.append(_crop(squares[int(rng.integers(len(squares)))], bands, changes, rng))
    x, crop, health, field = (np.stack([part[i] for part in parts]) for i in range(4))
    alone = [
        _singles(bank, max(1, round(share * singles / 2)), bands, changes, rng)
        for bank, share in zip(labelled, shares, strict=True)
        for _ in range(2)
    ]
    single_x, single_crop, single_health = (np.concatenate([part[i] for part in alone]) for i in range(3))
    return Batch(
        x.astype(np.float32), crop.astype(np.int64), health.astype(np.int64), _field_weights(field),
        single_x.astype(np.float32), single_crop.astype(np.int64), single_health.astype(np.int64),
    )  # fmt: skip


def _singles(
    bank: Bank, count: int, bands: tuple[str, ...], changes: Changes, rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Fields of one bank under one sky: inputs (field, bin, channel), crop and health per field."""
    pixels = _draw_fields(bank, count, rng)
    days, values, clear = _vary(bank, pixels, changes, rng)
    health = np.full(count, NO_LABEL)
    for i in range(count):
        values[:, :, i : i + 1], health[i] = _draw_health(
            values[:, :, i : i + 1], clear[:, i], days, bands, changes, rng
        )
    binned = bin_series(values, clear, days_to_times(days, bank.axis), bank.axis)  # (k, c, count)
    binned[:, :-2] *= 1 + rng.normal(0, 0.03, (1, binned.shape[1] - 2, count)).astype(np.float32)
    return binned.transpose(2, 0, 1), bank.label[pixels], health


def _mosaic(bank: Bank, bands: tuple[str, ...], changes: Changes, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Single fields painted side by side: every pixel belongs to its nearest seed."""
    count = int(rng.integers(3, 9))
    binned, label, health = _singles(bank, count, bands, changes, rng)
    seeds = rng.uniform(0, PATCH_PX, (count, 2))
    grid = np.stack(np.meshgrid(np.arange(PATCH_PX), np.arange(PATCH_PX), indexing="ij"), axis=-1) + 0.5
    owner = ((grid[:, :, None] - seeds) ** 2).sum(axis=-1).argmin(axis=-1)
    fine = binned.transpose(1, 2, 0)[:, :, owner]  # (k, c, y, x)
    k, c = fine.shape[:2]
    # A 20 m pixel on an edge holds both fields, as it does on the ground.
    x = fine.reshape(k, c, PATCH_PX // 2, 2, PATCH_PX // 2, 2).mean(axis=(3, 5))
    x[:, :-2] *= 1 + rng.normal(0, 0.02, (1, c - 2, *x.shape[2:])).astype(np.float32)
    return x, label[owner], health[owner], owner + 1


def _crop(bank: Bank, bands: tuple[str, ...], changes: Changes, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A window of a real square, turned and mirrored, some of its fields damaged."""
    assert bank.raster is not None
    assert bank.patches is not None
    side, half = bank.raster.shape[0] // 2, PATCH_PX // 2
    top, left = (int(v) for v in rng.integers(0, side - half + 1, 2))
    pixels = (np.arange(top, top + half)[:, None] * side + np.arange(left, left + half)).ravel()
    days, values, clear = _vary(bank, pixels, changes, rng)
    window = (slice(2 * top, 2 * top + PATCH_PX), slice(2 * left, 2 * left + PATCH_PX))
    label, number = bank.raster[window], bank.patches[window]
    coarse = number[::2, ::2].ravel()
    health = np.full(number.shape, -1)
    for field in np.unique(number[number > 0]):
        mine = coarse == field
        if mine.any():
            changed, found = _draw_health(
                values[:, :, mine], np.logical_or.reduce(clear[:, mine], axis=1), days, bands, changes, rng
            )
            values[:, :, mine] = changed
            health[number == field] = found
    binned = bin_series(values, clear, days_to_times(days, bank.axis), bank.axis)
    x = binned.reshape(*binned.shape[:2], half, half)
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    out = [np.rot90(layer, turns, axes=(-2, -1)) for layer in (x, label, health, number)]
    return tuple(layer[..., ::-1] if mirror else layer for layer in out)


def _draw_fields(bank: Bank, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Pixels of `count` fields; a class is drawn with p ~ fields^-0.5 each, so that rare crops appear."""
    usable = np.flatnonzero(bank.label >= 0)
    fields, first = np.unique(bank.field[usable], return_index=True)
    classes = bank.label[usable][first]
    weight = np.bincount(classes, minlength=len(CROP_CLASSES))[classes] ** -0.5
    chosen = fields[rng.choice(len(fields), count, p=weight / weight.sum())]
    return np.array([rng.choice(usable[bank.field[usable] == field]) for field in chosen])


def _vary(
    bank: Bank, pixels: npt.NDArray[np.int64], changes: Changes, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Another year, sensor and sky: time shifted and stretched, looks lost, gain and haze changed."""
    length = (bank.axis.end - bank.axis.start).days
    middle = length / 2
    days = (bank.days - middle) * rng.uniform(1 - changes.stretch, 1 + changes.stretch) + middle
    days = days + rng.uniform(-changes.shift_days, changes.shift_days)
    values = bank.values[:, :, pixels]
    looks, bands = values.shape[:2]
    clear = bank.clear[:, pixels] & (rng.random((looks, 1)) >= rng.uniform(0, changes.drop))
    hole = rng.uniform(0, length)
    clear &= ~((days >= hole) & (days < hole + rng.uniform(0, 45)))[:, None]
    if rng.random() < changes.in_season:
        clear &= (days <= rng.uniform(150, length))[:, None]
    gain = rng.normal(1, changes.gain, (1, bands, 1)) * rng.normal(1, changes.look_gain, (looks, 1, 1))
    haze = np.abs(rng.normal(0, changes.haze, (looks, 1, 1))) * np.linspace(1, 0.2, bands)[None, :, None]
    varied = np.clip(values * gain + haze, 0, 1).astype(np.float32)
    return days, varied, clear


def _draw_health(
    values: npt.NDArray[np.float32],
    clear: npt.NDArray[np.bool_],
    days: npt.NDArray[np.float64],
    bands: tuple[str, ...],
    changes: Changes,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], int]:
    if rng.random() < changes.damage:
        return draw_damage(values, clear, days, bands, rng)
    return values, weak_label(values.mean(axis=2), clear, bands)


def _field_weights(field: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """1 / sqrt(pixels of the field in its patch): large fields count more than small ones, not by their pixels."""
    weight = np.zeros(field.shape, np.float32)
    for patch in range(len(field)):
        numbers, inverse, counts = np.unique(field[patch], return_inverse=True, return_counts=True)
        weight[patch] = np.where(numbers > 0, counts**-0.5, 0)[inverse].reshape(field[patch].shape)
    return weight
