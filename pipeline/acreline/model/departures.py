# SPDX-License-Identifier: Apache-2.0
"""How far a field stands from others of its crop on the same land in the same season: what damage is seen by.

A dry June lies on all fields; the one that was struck stands apart from its own kind (science notes, 3.1: anomaly
against the same crop, region and age). Kinds are pairs of crops, of slot A and slot B.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from acreline.layers import BANDS

SIGN_PAIRS: tuple[tuple[int, int, bool], ...] = (
    (3, 2, True),  # NDVI: B08, B04
    (1, 3, True),  # NDWI: B03, B08
    (7, 4, False),  # NDRE: B8A, B05
    (7, 8, False),  # NDMI: B8A, B11
    (8, 9, False),  # straw and soil: B11, B12
    (1, 8, True),  # MNDWI: B03, B11: open water
)
"""Normalised differences (a - b) / (a + b) by place in `layers.BANDS`; True: needs the visible."""
SIGN_BANDS: tuple[tuple[int, bool], ...] = ((2, True), (3, False), (8, False))
"""Reflectances that are looked at themselves: B04, B08, B11."""
SIGNS = len(SIGN_PAIRS) + len(SIGN_BANDS)
CHANNELS = SIGNS + 1
"""The signs' departures, and whether there was anything to compare with."""
LEAST_SPREAD = 0.02
MOST = 4.0
"""Departures are cut here, in spreads."""


class Usual(NamedTuple):
    """What is usual for each kind of field on one piece of land in one season."""

    middle: Tensor
    """(kind, bin, sign)."""
    spread: Tensor
    """(kind, bin, sign), in standard deviations of a normal distribution."""
    known: Tensor
    """(kind,): 1 where enough pixels were seen."""


def signs_of(x: Tensor) -> Tensor:
    """Network input (b, bin, channel, ...) -> its signs (b, bin, sign, ...), about -1 to 1."""
    visible = x[:, :, len(BANDS)]
    parts = []
    for first, second, needs in SIGN_PAIRS:
        one, other = x[:, :, first], x[:, :, second]
        ratio = (one - other) / (one + other + 0.02)
        parts.append(ratio * visible if needs else ratio)
    parts += [2 * x[:, :, band] * visible if needs else 2 * x[:, :, band] for band, needs in SIGN_BANDS]
    return torch.stack(parts, dim=2)


def usual_of(signs: Tensor, kind: Tensor, kinds: int, *, fewest: int) -> Usual:
    """What is usual for each kind.

    Args:
        signs: (bin, sign, pixel).
        kind: (pixel,), 0 to `kinds` - 1; below 0: of none.
        kinds: how many there are.
        fewest: pixels that a kind must have to be known.
    """
    bins, count, n = signs.shape
    flat = signs.reshape(bins * count, n).T  # (pixel, value)
    table = Usual(flat.new_zeros(kinds, bins, count), flat.new_ones(kinds, bins, count), flat.new_zeros(kinds))
    for one in torch.unique(kind[kind >= 0]).tolist():
        mine = flat[kind == one]
        if len(mine) >= fewest:
            middle, spread = shortest_half(mine)
            table.middle[one], table.spread[one] = middle.reshape(bins, count), spread.reshape(bins, count)
            table.known[one] = 1
    return table


def shortest_half(values: Tensor) -> tuple[Tensor, Tensor]:
    """Middle and spread of the densest half of some values, column by column (Rousseeuw 1984: the shorth).

    Nearly half of a kind may be struck, in whatever direction, and the usual stays that of the others: a median would
    be drawn towards them, a mean more so.

    Args:
        values: (n, column).

    Returns:
        mean of the shortest interval that holds more than half of the values, and its length / 1.349, the standard
        deviation where they are normally distributed; (column,) each.
    """
    n = len(values)
    half = n // 2
    ranked = _ranked(values)
    width = ranked[half:] - ranked[: n - half]
    first = width.argmin(dim=0, keepdim=True)
    sums = torch.cat([values.new_zeros(1, values.shape[1]), ranked.cumsum(dim=0)])
    middle = (sums.gather(0, first + half + 1) - sums.gather(0, first)) / (half + 1)
    return middle[0], width.gather(0, first)[0] / 1.349


def _ranked(values: Tensor) -> Tensor:
    """Values in rising order, column by column: by numpy in a tenth of the time that torch takes, to the same bit."""
    if values.device.type != "cpu" or values.requires_grad:
        return values.sort(dim=0).values
    return torch.from_numpy(np.sort(values.numpy(), axis=0))


def depart(signs: Tensor, kind: Tensor, usual: Usual) -> Tensor:
    """How far each pixel stands from what is usual for its kind.

    Args:
        signs: (bin, sign, pixel).
        kind: (pixel,); below 0, or a kind that is not known: nothing to compare with.
        usual: of the land around it.

    Returns:
        (bin, sign + 1, pixel): departures in spreads / `MOST`, -1 to 1; the last channel is 1 where they are known, and
        they are 0 where not.
    """
    at = kind.clamp(min=0)
    known = usual.known[at] * (kind >= 0)
    middle, spread = (part[at].permute(1, 2, 0) for part in usual[:2])
    far = ((signs - middle) / (spread + LEAST_SPREAD)).clamp(-MOST, MOST) / MOST * known
    return torch.cat([far, known.expand(signs.shape[0], 1, -1)], dim=1)
