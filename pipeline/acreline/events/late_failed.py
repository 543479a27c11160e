# SPDX-License-Identifier: Apache-2.0
"""Stands that came up long after their neighbours, or never grew to a stand worth the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.curves import dates_of, known_days
from acreline.events._runs import Land
from acreline.events._stands import leaf_area_of, stand_events, usual_of

if TYPE_CHECKING:
    import pandas as pd

WINTER_MONTHS = (12, 1, 2)

CONFOUNDERS = ("other_variety", "other_crop")


class Settings(config.Settings):
    """When a stand counts as late or failed (science 3.1)."""

    late_days: float = Field(20, gt=0, description="emergence behind the middle of the crop and slot")
    late_z: float = Field(3.0, gt=0, description="and in spreads of the neighbours")
    min_spread_days: float = Field(4.0, gt=0, description="dates alike to better than this are not ranked any finer")
    full_late_days: float = Field(40, gt=0, description="that counts as severity 1")
    min_leaf_share: float = Field(0.5, gt=0, lt=1, description="largest leaf area beside the middle one: less failed")
    leaf_z: float = Field(4.0, gt=0, description="and it lies so many spreads of the neighbours below")
    min_neighbours: int = Field(5, ge=2, description="other fields of the crop and slot")


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find late and failed stands: up 20 days after the crop's middle field, or with half of its leaf area at best.

    Days from December to February do not count: hardly anything grows then, and a stand that shows in January was
    sown with those that showed in November.

    The leaf area of a stand is its largest over the season (`inversion`). `start` is the date on which its crop usually
    comes up for a failed stand, its own emergence for a late one; `severity` is lateness over 40 days or the leaf area
    that is wanting; the whole parcel is struck. Stands whose season still runs are not called failed.
    """
    own, table = land.stands, land.table
    up = known_days(own["emergence"])
    usual_up = usual_of(own, up, settings.min_spread_days)
    leaf = leaf_area_of(land.looks, own)
    usual_leaf = usual_of(own, leaf, 0.1)
    with np.errstate(invalid="ignore"):
        behind = _growing_days(up) - _growing_days(usual_up.middle)
        late = (behind > settings.late_days) & (behind / usual_up.spread > settings.late_z)
        late &= usual_up.others >= settings.min_neighbours
        share = leaf / usual_leaf.middle
        failed = (share < settings.min_leaf_share) & (usual_leaf.others >= settings.min_neighbours)
        failed &= (usual_leaf.middle - leaf) / usual_leaf.spread > settings.leaf_z
    failed &= ~own["code"].fillna("").str.contains("peak_not_reached").to_numpy(dtype=bool)
    severity = np.fmax(np.where(late, behind / settings.full_late_days, 0), np.where(failed, 1 - share, 0))
    start = np.where(late | ~np.isnan(up), up, usual_up.middle)
    last = float(table["day"].max()) if len(table) else np.nan
    cut = known_days(own["harvest"])
    end = np.where(np.isnan(cut), last, cut)
    start = np.where(np.isnan(start), end, start)
    return stand_events(
        own, late | failed, "late_failed", dates_of(start), dates_of(np.maximum(start, end)), np.nan_to_num(severity)
    )


def _growing_days(days: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Days since 1970-01-01 without those of winter; NaN stays NaN."""
    known = np.isfinite(days)
    last = int(days[known].max()) if known.any() else 0
    calendar = np.arange(last + 1).astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12 + 1
    counted = np.concatenate([[0], np.cumsum(~np.isin(calendar, WINTER_MONTHS))])
    return np.where(known, counted[np.where(known, days, 0).astype(int)].astype(np.float64), np.nan)
