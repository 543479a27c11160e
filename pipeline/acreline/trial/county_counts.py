# SPDX-License-Identifier: Apache-2.0
"""A painted county against the truth: counts that add up over counties, and its parcels; see `county_scores`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.layers import HEALTH_CLASSES, MIN_FULL_PX
from acreline.model.banks import Bank, boundary_distance
from acreline.model.classes import HEADS
from acreline.model.painting import NORMAL, Painted
from acreline.trial.parcels_told import ParcelsTold, by_field, registered, tell_parcels, whole

BOUNDARY_PX = 2
"""A pixel is at a boundary where another field lies within so many pixels along its row or column."""
STRUCK, SOUND = 0.3, 0.98
"""A parcel counts as struck by what hit more than the first share of its inner pixels, as normal from the second on
that nothing hit; what lies between is no case for a parcel's health. What struck too weakly for a name is neither."""
FLOOD = list(HEALTH_CLASSES).index("flood")


def measure_painted(painted: Painted, bank: Bank, *, normal_bias: float = 0.0) -> dict[str, Any]:
    """Compare a painted county with its truth.

    Args:
        painted: log-probabilities (class, y, x); without `health` the county has no counts of health.
        bank: the county as `counties.county_bank` gives it, with `shape` and `event`.
        normal_bias: added to the log-probability of `normal` before the likeliest health class is taken.

    Returns:
        county (its name); for each slot pixels_A (confusion counts over all ground, rows true) and pixels_boundary_A
        (those at a boundary); parcels, `ParcelsTold`; health (confusion counts of parcels), flood (pixels hit, true,
        told) and normal_margins (of sound parcels: log-probability of the likeliest damage less that of `normal`),
        None and empty where the painter tells no health.
    """
    assert bank.shape is not None
    inner = bank.field > 0
    boundary = inner & at_boundary(bank.field.reshape(bank.shape)).ravel()
    counts: dict[str, Any] = {"county": bank.name}
    for slot, logp, true in (("A", painted.crop_a, bank.crop_a), ("B", painted.crop_b, bank.crop_b)):
        found = logp.reshape(len(logp), -1).argmax(axis=0)
        for name, mask in (("pixels", inner), ("pixels_boundary", boundary)):
            counts[f"{name}_{slot}"] = table_of(true[mask], found[mask], len(HEADS[slot]))
    parcels = tell_parcels(painted, bank)
    return counts | {"parcels": parcels} | _health_counts(painted, bank, normal_bias)


def at_boundary(field: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    """(y, x): another field lies within `BOUNDARY_PX` pixels along the row or the column."""
    reach = BOUNDARY_PX + 1
    return np.asarray(np.rint(boundary_distance(field, reach) * reach) < BOUNDARY_PX)


def parcel_tables(parcels: ParcelsTold) -> dict[str, npt.NDArray[np.int64]]:
    """Slot -> confusion counts of the parcels that are large enough to be told."""
    out = {}
    for slot, logp in parcels.logp.items():
        known = parcels.judged & (parcels.true[slot] >= 0)
        out[slot] = table_of(parcels.true[slot][known], logp[known].argmax(axis=1), logp.shape[1])
    return out


def _health_counts(painted: Painted, bank: Bank, normal_bias: float) -> dict[str, Any]:
    if painted.health is None or bank.event is None:
        return {"health": None, "flood": None, "normal_margins": []}
    health = painted.health.astype(np.float64)
    health[NORMAL] += normal_bias
    told = health.reshape(len(health), -1).argmax(axis=0)
    field = (bank.field > 0) & (bank.event >= 0)
    wet, said = field & (bank.event == FLOOD), field & (told == FLOOD)
    flood = np.array([(wet & said).sum(), wet.sum(), said.sum()], np.int64)
    mine = registered(bank) & whole(bank)
    numbers, means, size = by_field(health.astype(np.float32), bank.field, mine)
    at = np.searchsorted(numbers, bank.field[mine])
    share = np.stack(
        [np.bincount(at, bank.event[mine] == k, len(numbers)) / size for k in range(len(HEALTH_CLASSES))], 1
    )
    struck = np.where(share[:, 1:].max(axis=1) > STRUCK, share[:, 1:].argmax(axis=1) + 1, 0)
    first, second = (commonest(at, crops[mine], len(numbers)) for crops in (bank.crop_a, bank.crop_b))
    planted = (first != HEADS["A"].index("none")) | (second != HEADS["B"].index("none"))
    planted &= first != HEADS["A"].index("non_agri")
    judged = (size >= MIN_FULL_PX) & planted & ((share[:, 0] > SOUND) | (struck > 0))
    margin = np.delete(means, NORMAL, axis=1).max(axis=1) - means[:, NORMAL]
    return {
        "health": table_of(struck[judged], means.argmax(axis=1)[judged], len(HEALTH_CLASSES)),
        "flood": flood,
        "normal_margins": margin[judged & (struck == 0)].round(4).tolist(),
    }


def commonest(at: npt.NDArray[np.int64], crop: npt.NDArray[np.int16], count: int) -> npt.NDArray[np.int64]:
    """The commonest crop of each field."""
    kinds = int(crop.max(initial=0)) + 1
    table = np.bincount(at * kinds + np.maximum(crop, 0), minlength=count * kinds).reshape(count, kinds)
    return np.asarray(table.argmax(axis=1), np.int64)


def table_of(true: npt.NDArray[Any], found: npt.NDArray[Any], classes: int) -> npt.NDArray[np.int64]:
    """Confusion counts, rows true; below 0 = not known."""
    known = true >= 0
    at = true[known].astype(np.int64) * classes + found[known]
    table: npt.NDArray[np.int64] = np.bincount(at, minlength=classes * classes).reshape(classes, classes)
    return table
