# SPDX-License-Identifier: Apache-2.0
"""Stands that came up long after their neighbours, or never grew to a stand worth the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.curves import clear_looks, dates_of, days_of, end_of_day
from acreline.events._runs import reported
from acreline.events._stands import leaf_area_of, stand_events, usual_of
from acreline.layers import Health, Looks, Seasons, Weather

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDERS = ("other_variety", "other_crop")


class Settings(config.Settings):
    """When a stand counts as late or failed (science 3.1)."""

    late_days: float = Field(15, gt=0, description="emergence behind the middle of the crop and slot")
    late_z: float = Field(2.0, gt=0, description="and in spreads of the neighbours")
    min_spread_days: float = Field(4.0, gt=0, description="dates alike to better than this are not ranked any finer")
    full_late_days: float = Field(40, gt=0, description="that counts as severity 1")
    min_leaf_share: float = Field(0.55, gt=0, lt=1, description="largest leaf area beside the middle one: less failed")
    min_neighbours: int = Field(5, ge=2, description="other fields of the crop and slot")


def detect(
    looks: Looks,
    seasons: Seasons,
    health: Health,
    weather: Weather | None,
    known: pd.DataFrame | None,
    settings: Settings,
) -> pd.DataFrame:
    """Find late and failed stands: up 15 days after the crop's middle field, or with half of its leaf area at best.

    The leaf area of a stand is its largest over the season (`inversion`). `start` is the date on which its crop usually
    comes up for a failed stand, its own emergence for a late one; `severity` is lateness over 40 days or the leaf area
    that is wanting; the whole parcel is struck. Stands whose season still runs are not called failed.
    """
    table = clear_looks(looks, end_of_day(seasons["last_clear"].max()))
    own = seasons[seasons["slot"] != "AB"].reset_index(drop=True)
    up = np.full(len(own), np.nan)
    there = own["emergence"].notna().to_numpy()
    up[there] = days_of(own["emergence"][there])
    usual_up = usual_of(own, up, settings.min_spread_days)
    leaf = leaf_area_of(looks, own)
    usual_leaf = usual_of(own, leaf, 0.1)
    with np.errstate(invalid="ignore"):
        behind = up - usual_up.middle
        late = (behind > settings.late_days) & (behind / usual_up.spread > settings.late_z)
        late &= usual_up.others >= settings.min_neighbours
        share = leaf / usual_leaf.middle
        failed = (share < settings.min_leaf_share) & (usual_leaf.others >= settings.min_neighbours)
    failed &= ~own["code"].fillna("").str.contains("peak_not_reached").to_numpy(dtype=bool)
    severity = np.fmax(np.where(late, behind / settings.full_late_days, 0), np.where(failed, 1 - share, 0))
    start = np.where(late | ~np.isnan(up), up, usual_up.middle)
    last = float(table["day"].max()) if len(table) else np.nan
    end = np.full(len(own), last)
    cut = own["harvest"].notna().to_numpy()
    end[cut] = days_of(own["harvest"][cut])
    start = np.where(np.isnan(start), end, start)
    events = stand_events(
        own, late | failed, "late_failed", dates_of(start), dates_of(np.maximum(start, end)), np.nan_to_num(severity)
    )
    events["confirmed"] = reported(events, known)
    return events
