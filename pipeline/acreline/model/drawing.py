# SPDX-License-Identifier: Apache-2.0
"""Training batches: fields drawn by crop, varied as another year, sensor and sky would, alone, in mosaics and in land.

Variety of fields teaches more than number of pixels, so fields are drawn, not pixels. A mosaic paints several fields,
each known from one pixel, side by side as a random pattern: the spatial part of the network then learns edges from
hundreds of fields instead of memorising the few squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from acreline.layers import BANDS
from acreline.model.banks import UNTAUGHT, Bank, boundary_distance
from acreline.model.damage import draw_damage, weak_label
from acreline.model.departures import CHANNELS, depart, signs_of, usual_of
from acreline.model.inputs import add_visible, bin_quickly
from acreline.model.skies import Changes, Looked, Sky, vary_sky
from acreline.model.targets import Targets, field_weights, no_targets, targets_of

PATCH_PX = 32
"""Side of a training patch on the 10 m grid."""
GROUPS = 4
"""Skies of one step's single fields: a group is fields of one source under one sky, so that they can be compared."""
OTHERS = 192
"""Pixels beside those drawn from which the usual of their kinds is taken."""
AROUND_PX = 40
"""How far around a window its others are taken."""
FEWEST = 10
"""Pixels of a kind from which on a group tells what is usual for it."""
SLIPS = 0.08
"""Share of pixels that are compared with another kind: where the network runs, crops are told, not known."""
LONELY = 0.15
"""Share of groups without anything to compare with."""


@dataclass(frozen=True)
class Shares:
    """What a training step consists of."""

    singles: int = 64
    """Fields known from one pixel each: cheap, many of them teach the temporal part."""
    mosaics: int = 2
    crops: int = 2
    """Windows of land."""
    real: float = 0.5
    """Share of all this that comes from real sources, where there are simulated ones."""


@dataclass(frozen=True)
class Batch:
    """What one training step sees."""

    x: npt.NDArray[np.float32]
    """(patch, bin, channel, y, x)."""
    apart: npt.NDArray[np.float32]
    """(patch, bin, sign + 1, y, x): departures from what is usual around."""
    patches: Targets
    """(patch, y, x)."""
    single_x: npt.NDArray[np.float32]
    """(field, bin, channel)."""
    single_apart: npt.NDArray[np.float32]
    """(field, bin, sign + 1)."""
    singles: Targets
    """(field,)."""


@dataclass(frozen=True)
class _Part:
    """Some pixels under one sky: input and departures (bin, channel, ...), targets (...)."""

    x: npt.NDArray[np.float32]
    apart: npt.NDArray[np.float32]
    told: Targets


class Drawer:
    """Draws batches from banks; what is drawn follows from the generator alone."""

    def __init__(self, banks: Sequence[Bank], changes: Changes, shares: Shares, *, by_event: bool = False) -> None:
        self.banks = [bank for bank in banks if bank.taught.any()]
        self.changes, self.shares, self.by_event = changes, shares, by_event
        self.tables = [_field_table(bank, by_event) for bank in self.banks]
        sizes = np.array([len(table.first) for table in self.tables], float) ** 0.5
        simulated = np.array([bank.simulated for bank in self.banks])
        self.chance = _by_kind(sizes, simulated, shares.real)
        pictures = np.array([bank.shape is not None for bank in self.banks])
        self.picture_chance = _by_kind(sizes * pictures, simulated, shares.real)
        self.point_chance = _by_kind(sizes * ~pictures, simulated, shares.real)

    def draw(self, rng: np.random.Generator) -> Batch:
        """One step's fields."""
        shares = self.shares
        parts = []
        for _ in range(shares.mosaics if self.point_chance.any() else 0):
            parts.append(self._mosaic(int(rng.choice(len(self.banks), p=self.point_chance)), rng))
        for _ in range(shares.crops if self.picture_chance.any() else 0):
            parts.append(self._crop(int(rng.choice(len(self.banks), p=self.picture_chance)), rng))
        sizes = np.diff(np.linspace(0, shares.singles, min(GROUPS, shares.singles) + 1).astype(int))
        numbers = rng.choice(len(self.banks), len(sizes), p=self.chance)
        alone = [self._singles(int(number), int(size), rng) for number, size in zip(numbers, sizes, strict=True)]
        single_x, single_apart = (
            np.concatenate([getattr(part, name).transpose(2, 0, 1) for part in alone]) for name in ("x", "apart")
        )
        singles = Targets.joined([part.told for part in alone], np.concatenate)
        if not parts:
            x, apart = (
                np.zeros((0, *layer.shape[1:], PATCH_PX, PATCH_PX), np.float32) for layer in (single_x, single_apart)
            )
            return Batch(x, apart, no_targets(PATCH_PX), single_x, single_apart, singles)
        x, apart = (np.stack([getattr(part, name) for part in parts]) for name in ("x", "apart"))
        return Batch(x, apart, Targets.joined([part.told for part in parts], np.stack), single_x, single_apart, singles)

    def _pixels(self, number: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """One pixel each of fields that are drawn by their crops."""
        table = self.tables[number]
        chosen = rng.choice(len(table.first), count, p=table.chance)
        return table.order[table.first[chosen] + (rng.random(count) * table.count[chosen]).astype(np.int64)]

    def _singles(self, number: int, count: int, rng: np.random.Generator) -> _Part:
        bank, table = self.banks[number], self.tables[number]
        pixels = self._pixels(number, count, rng)
        at = rng.integers(len(table.first), size=OTHERS)
        others = table.order[table.first[at] + (rng.random(OTHERS) * table.count[at]).astype(np.int64)]
        sky = vary_sky(bank, self.changes, rng)
        seen = sky.look(bank, pixels)
        health = self._health(bank, pixels, seen, sky.as_of, np.arange(count), rng)
        x = add_visible(bin_quickly(seen.values, seen.clear, seen.days, bank.axis), sky.visible)  # (k, c, n)
        x[:, : len(BANDS)] *= 1 + rng.normal(0, 0.03, (1, len(BANDS), count)).astype(np.float32)
        told = targets_of(bank, pixels, health, sky, np.ones(count, np.float32))
        return _Part(x, self._compare(bank, pixels, x, others, sky, rng), told)

    def _compare(
        self,
        bank: Bank,
        pixels: npt.NDArray[np.int64],
        x: npt.NDArray[np.float32],
        others: npt.NDArray[np.int64],
        sky: Sky,
        rng: np.random.Generator,
    ) -> npt.NDArray[np.float32]:
        """Departures (bin, sign + 1, pixel) from what is usual of their kinds among them and some others."""
        if rng.random() < LONELY:
            return np.zeros((x.shape[0], CHANNELS, x.shape[2]), np.float32)
        seen = sky.look(bank, others)
        beside = add_visible(bin_quickly(seen.values, seen.clear, seen.days, bank.axis), sky.visible)
        both = np.concatenate([pixels, others])
        _, kind = np.unique(bank.crop_a[both].astype(np.int64) * 1000 + bank.crop_b[both], return_inverse=True)
        signs = signs_of(torch.from_numpy(np.concatenate([x, beside], axis=2))[None])[0]
        kinds = int(kind.max()) + 1
        asked = np.where(np.arange(len(kind)) < len(pixels), -1, kind) if self.by_event else kind
        usual = usual_of(signs, torch.from_numpy(asked), kinds, fewest=FEWEST)  # the struck are drawn too often there
        slip = rng.random(len(pixels)) < SLIPS
        taken = np.where(slip, kind[rng.integers(len(kind), size=len(pixels))], kind[: len(pixels)])
        apart: npt.NDArray[np.float32] = depart(signs[..., : len(pixels)], torch.from_numpy(taken), usual).numpy()
        return apart

    def _mosaic(self, number: int, rng: np.random.Generator) -> _Part:
        """Single fields painted side by side: every pixel belongs to its nearest seed."""
        count = int(rng.integers(3, 9))
        part = self._singles(number, count, rng)
        seeds = rng.uniform(0, PATCH_PX, (count, 2))
        grid = np.stack(np.meshgrid(np.arange(PATCH_PX), np.arange(PATCH_PX), indexing="ij"), axis=-1) + 0.5
        owner = ((grid[:, :, None] - seeds) ** 2).sum(axis=-1).argmin(axis=-1)
        land = part.x[:, :, owner]  # (k, c, y, x)
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
        weight = field_weights(owner + 1) * np.where(edge < 0.25, 0.2, 1)
        told = replace(part.told.map(lambda layer: layer[owner]), edge=edge, weight=weight.astype(np.float32))
        return _Part(land, part.apart[:, :, owner], told)

    def _crop(self, number: int, rng: np.random.Generator) -> _Part:
        """A window of land around a field that is drawn by its crop, turned and mirrored."""
        bank = self.banks[number]
        assert bank.shape is not None
        rows, cols = bank.shape
        centre = int(self._pixels(number, 1, rng)[0])
        shift = rng.integers(-PATCH_PX // 3, PATCH_PX // 3 + 1, 2)
        top = int(np.clip(centre // cols + shift[0] - PATCH_PX // 2, 0, rows - PATCH_PX)) // 2 * 2
        left = int(np.clip(centre % cols + shift[1] - PATCH_PX // 2, 0, cols - PATCH_PX)) // 2 * 2
        pixels = (np.arange(top, top + PATCH_PX)[:, None] * cols + np.arange(left, left + PATCH_PX)).ravel()
        near_rows = rng.integers(max(top - AROUND_PX, 0), min(top + PATCH_PX + AROUND_PX, rows), OTHERS)
        near_cols = rng.integers(max(left - AROUND_PX, 0), min(left + PATCH_PX + AROUND_PX, cols), OTHERS)
        sky = vary_sky(bank, self.changes, rng)
        seen = sky.look(bank, pixels)
        numbers = bank.field[pixels]
        health = self._health(bank, pixels, seen, sky.as_of, numbers, rng)
        x = add_visible(bin_quickly(seen.values, seen.clear, seen.days, bank.axis), sky.visible)
        apart = self._compare(bank, pixels, x, near_rows * cols + near_cols, sky, rng)
        picture = numbers.reshape(PATCH_PX, PATCH_PX)
        told = targets_of(bank, pixels, health, sky, field_weights(picture).ravel())
        told = told.map(lambda layer: layer.reshape(PATCH_PX, PATCH_PX))
        told = replace(told, edge=boundary_distance(picture))
        x, apart = (layer.reshape(*layer.shape[:2], PATCH_PX, PATCH_PX) for layer in (x, apart))
        return _turned(_Part(x, apart, told), int(rng.integers(4)), bool(rng.integers(2)))

    def _health(
        self,
        bank: Bank,
        pixels: npt.NDArray[np.int64],
        looked: Looked,
        as_of: float,
        numbers: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.int64]:
        """Health of each pixel; into fields of real sources damage may be drawn (the values are changed in place)."""
        values = looked.values
        health = np.full(len(pixels), UNTAUGHT, np.int64)
        if bank.event is not None and bank.event_day is not None:
            struck = (bank.event[pixels] != 0) & (bank.event_day[pixels] <= as_of)
            health = np.where(struck, bank.event[pixels], 0).astype(np.int64)  # -1: too weak to be told
            health[bank.field[pixels] <= 0] = UNTAUGHT
            return health
        for field in np.unique(numbers):
            mine = numbers == field
            if not bank.field[pixels[mine]].all():
                continue
            seen = np.logical_or.reduce(looked.clear[:, mine], axis=1)
            if rng.random() < self.changes.damage:
                changed, found = draw_damage(
                    values[:, :, mine], seen, bank.axis.on_calendar(looked.source_days), BANDS, rng
                )
                values[:, :, mine] = changed
            else:
                found = weak_label(values[:, :, mine].mean(axis=2), seen, BANDS)
            health[mine] = found
        return health


@dataclass(frozen=True)
class _Fields:
    """Fields of a bank: where their pixels lie, and how often each is drawn."""

    order: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    chance: npt.NDArray[np.float64]


def _field_table(bank: Bank, by_event: bool = False) -> _Fields:
    """A pair of crops is drawn with p ~ fields^-0.5 for each field, so that rare crops appear.

    By event: what struck the field, where that is known, takes the place of its crops.
    """
    usable = np.flatnonzero(bank.taught)
    order = usable[np.argsort(bank.field[usable], kind="stable")]
    _, first, count = np.unique(bank.field[order], return_index=True, return_counts=True)
    kind = bank.crop_a[order[first]].astype(np.int64) * 1000 + bank.crop_b[order[first]]
    if by_event and bank.event is not None:
        kind = np.maximum.reduceat(bank.event[order], first).astype(np.int64)
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


def _turned(part: _Part, turns: int, mirror: bool) -> _Part:
    """A window turned by quarters and mirrored, its series and its targets in one go."""
    layers = [getattr(part.told, field.name) for field in fields(Targets)]
    series = tv_tensors.Video(torch.from_numpy(np.concatenate([part.x, part.apart], axis=1)))
    masks = tv_tensors.Mask(torch.from_numpy(np.stack(layers).astype(np.float32)))
    kept: list[npt.NDArray[Any]] = []
    for stack in (series, masks):
        turned = v2.functional.rotate(stack, 90.0 * turns)
        kept.append((v2.functional.horizontal_flip(turned) if mirror else turned).numpy())
    channels = part.x.shape[1]
    told = [layer.astype(before.dtype) for layer, before in zip(kept[1], layers, strict=True)]
    return _Part(kept[0][:, :channels], kept[0][:, channels:], Targets(*told))
