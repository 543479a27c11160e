# SPDX-License-Identifier: Apache-2.0
"""Leaves drier than those of the same crop nearby, look after look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.curves import rain_before
from acreline.events._beside import depart, growing, share_below
from acreline.events._runs import Land, make_events

if TYPE_CHECKING:
    import pandas as pd


CONFOUNDERS = ("senescence", "late_sowing")


class Settings(config.Settings):
    """When a look counts as dry (science 3.1, row drought)."""

    max_z: float = Field(-2.5, lt=0, description="robust z of NDMI against the same crop on the same pass, below this")
    min_looks: int = Field(2, ge=1, description="dry looks in a row")
    min_days: int = Field(20, ge=0, description="from first to last: two bins of the network")
    min_neighbours: int = Field(5, ge=2, description="other fields of the crop on that pass")
    min_ndvi: float = Field(0.5, ge=0, le=1, description="below it there is soil to be seen, not a dry leaf")
    min_spread: float = Field(0.02, gt=0, description="fields alike to better than this are not ranked any finer")
    after_peak_days: int = Field(45, ge=0, description="later than this after its peak a field ripens and dries anyway")
    full_shortfall: float = Field(0.3, gt=0, description="NDMI below the neighbours that counts as severity 1")
    wet_rain_mm: float = Field(60, ge=0, description="rain of the 30 days before from which on nothing is a drought")
    dry_rain_mm: float = Field(15, ge=0, description="rain of the 30 days before that agrees; order of magnitude")


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find droughts: NDMI below the same crop's on the same pass, on all looks of 20 days or more, while growing.

    A stand's usual distance from its neighbours (median over its looks) is taken off first, so that a field that is
    always drier is not called struck; nor is one where, by the weather, 60 mm fell in the 30 days before (2 mm a day,
    order of magnitude). A drought that strikes all fields alike moves their median and stays unseen.
    `share` is the share of pixels below the dry line if NDMI is spread normally in the field; `severity` is the
    shortfall of NDMI over 0.3.
    """
    table = land.table
    beside = depart(table, "ndmi", settings.min_spread)
    dry = (beside.off / beside.spread < settings.max_z) & (table["ndvi"].to_numpy() >= settings.min_ndvi)
    flagged = dry & growing(table, settings.after_peak_days) & (beside.others >= settings.min_neighbours)
    share = share_below(table, "ndmi", table["ndmi"].to_numpy() - beside.off + settings.max_z * beside.spread)
    severity = -beside.off / settings.full_shortfall
    events = make_events(
        table,
        flagged,
        event="drought",
        min_looks=settings.min_looks,
        min_days=settings.min_days,
        share=share,
        severity=severity,
    )
    rain = rain_before(land.weather, events["start"], 30)
    events["confirmed"] = np.nan_to_num(rain, nan=np.inf) <= settings.dry_rain_mm
    return events[~(rain >= settings.wet_rain_mm)].reset_index(drop=True)
