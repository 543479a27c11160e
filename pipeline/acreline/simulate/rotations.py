# SPDX-License-Identifier: Apache-2.0
"""Which rotation each field follows: the shares of the settings, neighbours more alike than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acreline.simulate.fields import chance, smooth_field

if TYPE_CHECKING:
    from acreline.simulate.land import Land
    from acreline.simulate.settings import CountySettings

NEAR_M, FAR_M = 140.0, 450.0
"""Ranges over which neighbours choose alike: a few fields, and a village's land."""


@dataclass(frozen=True)
class Choices:
    """What each field unit grows."""

    unit: npt.NDArray[np.int64]
    """(field unit,): number of the land unit: parcels, their second parts, and fields in no farm file."""
    rotation: npt.NDArray[np.int64]
    """(field unit,): place in `CountySettings.rotations`."""


def choose_rotations(settings: CountySettings, seed: int, land: Land) -> Choices:
    """Draw a rotation for every field.

    Each rotation has a score on each field: a smooth field in space (neighbours are alike: a Potts-like map without its
    slow sampling), a draw of the field's own, and the nearness of a village where that counts. The highest score wins;
    the scores' levels are then moved until the registered parcels' counts meet the shares.

    The smaller part of a mixed parcel gets another rotation than the parcel.
    """
    units = land.units
    rows = np.flatnonzero(units["kind"].isin(["parcel", "field"]).to_numpy())
    x, y = units["x_m"].to_numpy()[rows], units["y_m"].to_numpy()[rows]
    scores = np.empty((len(rows), len(settings.rotations)))
    for number, rotation in enumerate(settings.rotations):
        rng = chance(seed, "rotations", number, *rotation.crops.values())
        alike = 0.6 * smooth_field(x, y, NEAR_M, rng) + 0.8 * smooth_field(x, y, FAR_M, rng)
        own = rng.gumbel(size=len(rows))
        near = -1.5 * np.clip(land.village_m[rows] - 1, 0, 3) if rotation.near_village else 0.0
        scores[:, number] = 1.6 * rotation.clustering * alike + 0.7 * own + near
    share = np.array([rotation.share for rotation in settings.rotations])
    whole = (units["part"].to_numpy()[rows] == 0) & (units["kind"].to_numpy()[rows] == "parcel")
    level = _settle_levels(scores[whole], share / share.sum())
    ranked = np.argsort(-(scores + level), axis=1, kind="stable")
    rotation_of = ranked[:, 0].copy()
    if len(settings.rotations) > 1:
        second = np.flatnonzero(units["part"].to_numpy()[rows] == 1)
        parent = dict(zip(units["parcel_id"].to_numpy()[rows[whole]], rotation_of[whole], strict=True))
        for at in second:
            taken = parent[units["parcel_id"].iloc[rows[at]]]
            rotation_of[at] = next(other for other in ranked[at] if other != taken)
    return Choices(rows, rotation_of)


def _settle_levels(scores: npt.NDArray[np.float64], share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The level to add to each rotation's scores so that the winners' counts meet the shares."""
    level = np.log(share)
    pace = 1.0
    best, least = level, np.inf
    for _ in range(120):
        found = np.bincount(np.argmax(scores + level, axis=1), minlength=len(share)) / len(scores)
        miss = float(np.abs(found - share).sum())
        if miss < least:
            best, least = level.copy(), miss
        level = level + pace * (np.log(share + 0.002) - np.log(found + 0.002))
        pace = max(0.05, 0.95 * pace)
    return best
