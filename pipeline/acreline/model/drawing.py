# SPDX-License-Identifier: Apache-2.0
"""Training batches: fields drawn by crop, varied as another year, sensor and sky would, alone, in mosaics and in land.

Variety of fields teaches more than number of pixels, so fields are drawn, not pixels. A mosaic paints several fields,
each known from one pixel, side by side as a random pattern: the spatial part of the network then learns edges from
hundreds of fields instead of memorising the few squares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.layers import BANDS
from acreline.model.banks import UNTAUGHT, Bank, boundary_distance, reflectance_of
from acreline.model.damage import draw_damage, weak_label
from acreline.model.inputs import add_visible, bin_quickly

PATCH_PX = 32
"""Side of a training patch on the 10 m grid."""
HAZE = np.array([1.6, 1.2, 0.9, 0.55, 0.8, 0.7, 0.65, 0.5, 0.25, 0.15], np.float32)
"""A thin veil's reflectance by band, relative to 600 nm: (wavelength / 550 nm)^-1.3, in the order of `BANDS`."""


@dataclass(frozen=True)
class Changes:
    """How much the series are varied in training."""

    shift_days: float = 15
    stretch: float = 0.05
    drop: float = 0.5
    hole_days: float = 45
    gain: float = 0.03
    look_gain: float = 0.02
    haze: float = 0.01
    in_season: float = 0.3
    """Share of draws that end on a random day: the as-of date of a run in season."""
    damage: float = 0.3
    """Share of real fields into which damage is drawn."""
    blind: float = 0.15
    """Share of draws whose visible bands are taken away."""


@dataclass(frozen=True)
class Shares:
    """What a training step consists of."""

    singles: int = 64
    """Fields known from one pixel each, without surroundings: cheap, many of them teach the temporal part."""
    mosaics: int = 2
    crops: int = 2
    """Windows of land."""
    real: float = 0.5
    """Share of all this that comes from real sources, where there are simulated ones."""


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


@dataclass(frozen=True)
class Batch:
    """What one training step sees."""

    x: npt.NDArray[np.float32]
    """(patch, bin, channel, y, x)."""
    patches: Targets
    """(patch, y, x)."""
    single_x: npt.NDArray[np.float32]
    """(field, bin, channel)."""
    singles: Targets
    """(field,)."""


class Drawer:
    """Draws batches from banks; what is drawn follows from the generator alone."""

    def __init__(self, banks: Sequence[Bank], changes: Changes, shares: Shares) -> None:
        self.banks = [bank for bank in banks if bank.taught.any()]
        self.changes, self.shares = changes, shares
        self.tables = [_field_table(bank) for bank in self.banks]
        sizes = np.array([len(table.first) for table in self.tables], float) ** 0.5
        simulated = np.array([bank.simulated for bank in self.banks])
        self.chance = _by_kind(sizes, simulated, shares.real)
        pictures = np.array([bank.shape is not None for bank in self.banks])
        self.picture_chance = _by_kind(sizes * pictures, simulated, shares.real)
        self.point_chance = _by_kind(sizes * ~pictures, simulated, shares.real)

    def draw(self, rng: np.random.Generator) -> Batch:
        """One step's fields."""
        parts = []
        shares = self.shares
        for _ in range(shares.mosaics if self.point_chance.any() else 0):
            parts.append(self._mosaic(int(rng.choice(len(self.banks), p=self.point_chance)), rng))
        for _ in range(shares.crops if self.picture_chance.any() else 0):
            parts.append(self._crop(int(rng.choice(len(self.banks), p=self.picture_chance)), rng))
        alone = []
        for number, count in enumerate(rng.multinomial(shares.singles, self.chance)):
            for part in (count // 2, count - count // 2):  # two skies
                if part:
                    alone.append(self._singles(number, part, rng))
        x = np.concatenate([part[0] for part in alone])
        singles = Targets.joined([part[1] for part in alone], np.concatenate)
        return Batch(
            np.stack([part[0] for part in parts]) if parts else np.zeros((0, *x.shape[1:], PATCH_PX, PATCH_PX), "f4"),
            Targets.joined([part[1] for part in parts], np.stack) if parts else _nothing(),
            x,
            singles,
        )

    def _singles(self, number: int, count: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], Targets]:
        bank, table = self.banks[number], self.tables[number]
        chosen = rng.choice(len(table.first), count, p=table.chance)
        within = (rng.random(count) * table.count[chosen]).astype(np.int64)
        pixels = table.order[table.first[chosen] + within]
        sky = _vary(bank, self.changes, rng)
        values, clear = sky.look(bank, pixels, rng)
        health = self._health(bank, pixels, values, clear, sky, np.arange(count), rng)
        x = add_visible(bin_quickly(values, clear, sky.days, bank.axis), sky.visible)  # (k, c, n)
        x[:, : len(BANDS)] *= 1 + rng.normal(0, 0.03, (1, len(BANDS), count)).astype(np.float32)
        return x.transpose(2, 0, 1), _targets(bank, pixels, health, sky, np.ones(count, np.float32))

    def _mosaic(self, number: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], Targets]:
        """Single fields painted side by side: every pixel belongs to its nearest seed."""
        count = int(rng.integers(3, 9))
        x, told = self._singles(number, count, rng)
        seeds = rng.uniform(0, PATCH_PX, (count, 2))
        grid = np.stack(np.meshgrid(np.arange(PATCH_PX), np.arange(PATCH_PX), indexing="ij"), axis=-1) + 0.5
        owner = ((grid[:, :, None] - seeds) ** 2).sum(axis=-1).argmin(axis=-1)
        land = x.transpose(1, 2, 0)[:, :, owner]  # (k, c, y, x)
        soft = land.copy()  # a pixel on an edge holds both fields, as it does on the ground
        soft[..., 1:, :] += land[..., :-1, :]
        soft[..., :-1, :] += land[..., 1:, :]
        soft[..., :, 1:] += land[..., :, :-1]
        soft[..., :, :-1] += land[..., :, 1:]
        near = np.full((PATCH_PX, PATCH_PX), 5, np.float32)
        near[[0, -1]] -= 1
        near[:, [0, -1]] -= 1
        land = np.where(rng.random() < 0.7, soft / near, land).astype(np.float32)
        land[:, : len(BANDS)] *= 1 + rng.normal(0, 0.02, (1, len(BANDS), PATCH_PX, PATCH_PX)).astype(np.float32)
        edge = boundary_distance(owner)
        weight = _field_weights(owner + 1) * np.where(edge < 0.25, 0.2, 1)
        return land, replace(told.map(lambda layer: layer[owner]), edge=edge, weight=weight.astype(np.float32))

    def _crop(self, number: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], Targets]:
        """A window of land around a field that is drawn by its crop, turned and mirrored."""
        bank, table = self.banks[number], self.tables[number]
        assert bank.shape is not None
        rows, cols = bank.shape
        field = int(rng.choice(len(table.first), p=table.chance))
        centre = int(table.order[table.first[field] + rng.integers(table.count[field])])
        shift = rng.integers(-PATCH_PX // 3, PATCH_PX // 3 + 1, 2)
        top = int(np.clip(centre // cols + shift[0] - PATCH_PX // 2, 0, rows - PATCH_PX)) // 2 * 2
        left = int(np.clip(centre % cols + shift[1] - PATCH_PX // 2, 0, cols - PATCH_PX)) // 2 * 2
        pixels = (np.arange(top, top + PATCH_PX)[:, None] * cols + np.arange(left, left + PATCH_PX)).ravel()
        sky = _vary(bank, self.changes, rng)
        values, clear = sky.look(bank, pixels, rng)
        numbers = bank.field[pixels]
        health = self._health(bank, pixels, values, clear, sky, numbers, rng)
        x = add_visible(bin_quickly(values, clear, sky.days, bank.axis), sky.visible)
        x = x.reshape(*x.shape[:2], PATCH_PX, PATCH_PX)
        picture = numbers.reshape(PATCH_PX, PATCH_PX)
        told = _targets(bank, pixels, health, sky, _field_weights(picture).ravel())
        told = told.map(lambda layer: layer.reshape(PATCH_PX, PATCH_PX))
        told = replace(told, edge=boundary_distance(picture))
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))

        def turn(layer: npt.NDArray[Any]) -> npt.NDArray[Any]:
            turned = np.rot90(layer, turns, axes=(-2, -1))
            return turned[..., ::-1] if mirror else turned

        return turn(x), told.map(turn)

    def _health(
        self,
        bank: Bank,
        pixels: npt.NDArray[np.int64],
        values: npt.NDArray[np.float32],
        clear: npt.NDArray[np.bool_],
        sky: _Sky,
        numbers: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.int64]:
        """Health of each pixel; into fields of real sources damage may be drawn (`values` is changed in place)."""
        health = np.full(len(pixels), UNTAUGHT, np.int64)
        if bank.event is not None and bank.event_day is not None:
            struck = (bank.event[pixels] > 0) & (bank.event_day[pixels] <= sky.as_of)
            health = np.where(struck, bank.event[pixels], 0).astype(np.int64)
            health[bank.field[pixels] <= 0] = UNTAUGHT
            return health
        for field in np.unique(numbers):
            mine = numbers == field
            if not bank.field[pixels[mine]].all():
                continue
            seen = np.logical_or.reduce(clear[:, mine], axis=1)
            if rng.random() < self.changes.damage:
                changed, found = draw_damage(values[:, :, mine], seen, sky.source_days, BANDS, rng)
                values[:, :, mine] = changed
            else:
                found = weak_label(values[:, :, mine].mean(axis=2), seen, BANDS)
            health[mine] = found
        return health


@dataclass(frozen=True)
class _Sky:
    """One year, sensor and sky for all pixels of a draw."""

    days: npt.NDArray[np.float64]
    """(time,) as the network is told."""
    source_days: npt.NDArray[np.float64]
    kept: npt.NDArray[np.bool_]
    """(time,)."""
    gain: npt.NDArray[np.float32]
    """(time, band)."""
    haze: npt.NDArray[np.float32]
    visible: bool
    as_of: float
    """In days of the source."""

    def look(
        self, bank: Bank, pixels: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Reflectance (time, band, pixel) and clear (time, pixel) under this sky."""
        values = reflectance_of(bank.read(pixels)) * self.gain[:, :, None] + self.haze[:, :, None]
        if not self.visible:
            values[:, :3] = 0
        return np.clip(values, 0, 1).astype(np.float32), bank.clear[:, pixels] & self.kept[:, None]


def _vary(bank: Bank, changes: Changes, rng: np.random.Generator) -> _Sky:
    """Another year, sensor and sky: time shifted and stretched, looks lost, gain and haze changed."""
    length = (bank.axis.end - bank.axis.start).days
    middle = length / 2
    stretch, shift = rng.uniform(1 - changes.stretch, 1 + changes.stretch), rng.uniform(-1, 1) * changes.shift_days
    days = (bank.days - middle) * stretch + middle + shift
    looks = len(days)
    kept = rng.random(looks) >= rng.uniform(0, changes.drop)
    hole = rng.uniform(0, length)
    kept &= ~((days >= hole) & (days < hole + rng.uniform(0, changes.hole_days)))
    as_of = np.inf
    if rng.random() < changes.in_season:
        last = rng.uniform(150, length)
        kept &= days <= last
        as_of = (last - shift - middle) / stretch + middle
    gain = rng.normal(1, changes.gain, (1, len(BANDS))) * rng.normal(1, changes.look_gain, (looks, 1))
    haze = np.abs(rng.normal(0, changes.haze, (looks, 1))) * HAZE[None]
    visible = bank.visible and rng.random() >= changes.blind
    return _Sky(days, bank.days, kept, gain.astype(np.float32), haze.astype(np.float32), visible, as_of)


@dataclass(frozen=True)
class _Fields:
    """Fields of a bank: where their pixels lie, and how often each is drawn."""

    order: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    chance: npt.NDArray[np.float64]


def _field_table(bank: Bank) -> _Fields:
    """A pair of crops is drawn with p ~ fields^-0.5 for each field, so that rare crops appear."""
    usable = np.flatnonzero(bank.taught)
    order = usable[np.argsort(bank.field[usable], kind="stable")]
    _, first, count = np.unique(bank.field[order], return_index=True, return_counts=True)
    kind = bank.crop_a[order[first]].astype(np.int64) * 1000 + bank.crop_b[order[first]]
    _, number, kinds = np.unique(kind, return_inverse=True, return_counts=True)
    chance = kinds[number].astype(float) ** -0.5
    return _Fields(order, first, count, chance / chance.sum())


def _by_kind(sizes: npt.NDArray[np.float64], simulated: npt.NDArray[np.bool_], real: float) -> npt.NDArray[np.float64]:
    """Chance of each bank: `real` over the real ones, the rest over the simulated, each by its size."""
    chance = np.zeros(len(sizes))
    kinds = [(~simulated, real), (simulated, 1 - real)]
    for mine, share in kinds:
        total = sizes[mine].sum()
        if total:
            chance[mine] = share * sizes[mine] / total
    return chance / chance.sum() if chance.any() else chance


def _targets(
    bank: Bank, pixels: npt.NDArray[np.int64], health: npt.NDArray[np.int64], sky: _Sky, weight: npt.NDArray[np.float32]
) -> Targets:
    vigour = np.full(len(pixels), np.nan, np.float32)
    if bank.vigour is not None and bank.vigour_days is not None:
        last = sky.source_days[sky.kept].max(initial=0.0)
        at = int(np.searchsorted(bank.vigour_days, min(last, sky.as_of), side="right")) - 1
        if at >= 0:
            vigour = bank.vigour[at, pixels]
    trust = weight if bank.weight is None else weight * bank.weight[pixels]
    a, b = bank.crop_a[pixels].astype(np.int64), bank.crop_b[pixels].astype(np.int64)
    return Targets(a, b, health, vigour, np.full(len(pixels), np.nan, np.float32), trust.astype(np.float32))


def _field_weights(field: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    """1 / sqrt(pixels of the field in its patch), mean 1: a large field counts more, not by its pixels."""
    numbers, inverse, counts = np.unique(field, return_inverse=True, return_counts=True)
    weight: npt.NDArray[np.float64] = np.where(numbers > 0, counts**-0.5, 0.1)[inverse].reshape(field.shape)
    scaled: npt.NDArray[np.float32] = (weight / weight.mean()).astype(np.float32)
    return scaled


def _nothing() -> Targets:
    none = np.zeros((0, PATCH_PX, PATCH_PX))
    whole, real = none.astype(np.int64), none.astype(np.float32)
    return Targets(whole, whole, whole, real, real, real)
