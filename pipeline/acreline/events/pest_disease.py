# SPDX-License-Identifier: Apache-2.0
"""Pigment lost little by little while leaves keep their water: pests, disease or hunger; a person finds out which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.events._beside import Floats, depart, growing, share_below, steps
from acreline.events._runs import Land, make_events

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDERS = ("nitrogen_shortage", "early_ripening", "drought")


class Settings(config.Settings):
    """When a loss of pigment counts (science 3.1, row pest / disease)."""

    back_days: int = Field(20, ge=5, description="the loss is taken against the newest look at least so long ago")
    longest_days: int = Field(40, ge=10, description="and at most so long ago")
    max_slope: float = Field(-0.5, lt=0, description="spreads of NDRE lost in 10 days beside the neighbours")
    max_step_share: float = Field(0.7, gt=0, le=1, description="of the loss between two looks: more came at a stroke")
    step_days: int = Field(15, ge=1, description="looks further apart do not tell a stroke from a gradual loss")
    max_water_loss: float = Field(1.0, ge=0, description="spreads of NDMI lost meanwhile: more is a drought")
    max_z: float = Field(-1.5, lt=0, description="and NDRE lies below the neighbours' by this many spreads")
    min_looks: int = Field(2, ge=1, description="such looks in a row")
    min_neighbours: int = Field(5, ge=2, description="other fields of the crop on that pass")
    min_spread: float = Field(0.02, gt=0, description="fields alike to better than this are not ranked any finer")
    after_peak_days: int = Field(30, ge=0, description="later than this after its peak a field ripens")
    full_shortfall: float = Field(0.25, gt=0, description="NDRE below the neighbours that counts as severity 1")


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find a gradual loss of pigment: NDRE falls behind the neighbours' over 20 to 40 days, NDMI hardly does.

    Both looks are at the crop while it grows. A loss most of which came from one look to the next is a flood's, hail's,
    frost's or a harvest's. What took a gradual one is not told: insects, fungi and want of nitrogen look alike.
    `severity` is the shortfall of NDRE over 0.25, `share` the share of pixels below the line from which on a look
    counts.
    """
    table = land.table
    pigment, water = (depart(table, column, settings.min_spread) for column in ("ndre", "ndmi"))
    earlier = _look_before(table, settings.back_days, settings.longest_days)
    grown = growing(table, settings.after_peak_days)
    there = (earlier >= 0) & grown[earlier]  # soil before emergence is no measure of pigment
    day = table["day"].to_numpy(dtype="float64")
    days = np.where(there, day - day[earlier], np.nan)
    with np.errstate(invalid="ignore"):
        lost = pigment.off[earlier] - pigment.off
        slope = -lost / pigment.spread / days * 10
        at_a_stroke = _largest_since(-steps(table, pigment.off, settings.step_days), earlier)
        dried = -(water.off - water.off[earlier]) / water.spread
        struck = (
            there
            & (slope <= settings.max_slope)
            & (at_a_stroke <= settings.max_step_share * lost)
            & (dried <= settings.max_water_loss)
            & (pigment.off / pigment.spread <= settings.max_z)
            & (pigment.others >= settings.min_neighbours)
            & grown
        )
    line = table["ndre"].to_numpy() - pigment.off + settings.max_z * pigment.spread
    return make_events(
        table,
        struck,
        event="pest_disease",
        min_looks=settings.min_looks,
        share=share_below(table, "ndre", line),
        severity=-pigment.off / settings.full_shortfall,
    )


def _look_before(table: pd.DataFrame, back_days: int, longest_days: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Row of the newest look of the same stand at least `back_days` ago and at most `longest_days`; -1 without one."""
    if not len(table):
        return np.zeros(0, dtype=np.int64)
    parcel, day = table["parcel"].to_numpy(dtype="int64"), table["day"].to_numpy(dtype="int64")
    slot = table["slot"].to_numpy(dtype=object)
    first = int(day.min())
    length = int(day.max()) - first + longest_days + 2
    key = parcel * length + (day - first)
    at = np.searchsorted(key, key - back_days, side="right") - 1
    safe = np.maximum(at, 0)
    good = (at >= 0) & (parcel[safe] == parcel) & (slot[safe] == slot) & (day - day[safe] <= longest_days)
    return np.where(good, safe, -1)


def _largest_since(fall: Floats, earlier: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """The largest fall after the row `earlier` up to each look, 0 where none is known; 0 without an earlier row."""
    known = np.append(np.nan_to_num(fall), 0.0)  # one more, so that the last range has an end
    rows = np.flatnonzero(earlier >= 0)
    ends = np.stack([earlier[rows] + 1, rows + 1], axis=1).ravel()
    largest = np.zeros(len(fall))
    if len(rows):
        largest[rows] = np.maximum.reduceat(known, ends)[::2]
    return largest
