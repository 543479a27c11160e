# SPDX-License-Identifier: Apache-2.0
"""Leaves drier than those of the same crop nearby, look after look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.curves import growing_window, rain_before, turn_day
from acreline.events._runs import looks_with_seasons, make_events, reported
from acreline.layers import UNKNOWN, Health, Looks, Seasons, Weather
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import pandas as pd


class Settings(config.Settings):
    """When a look counts as dry (science 3.1, row drought)."""

    max_z: float = Field(-1.5, lt=0, description="robust z of NDMI against the same crop on the same pass, below this")
    min_looks: int = Field(2, ge=1, description="dry looks in a row")
    min_days: int = Field(20, ge=0, description="from first to last: two bins of the network")
    min_neighbours: int = Field(5, ge=2, description="other fields of the crop on that pass")
    min_ndvi: float = Field(0.35, ge=0, le=1, description="below it there is soil to be seen, not a dry leaf")
    min_spread: float = Field(0.02, gt=0, description="fields alike to better than this are not ranked any finer")
    after_peak_days: int = Field(45, ge=0, description="later than this after its peak a field ripens and dries anyway")
    full_shortfall: float = Field(0.3, gt=0, description="NDMI below the neighbours that counts as severity 1")
    dry_rain_mm: float = Field(15, ge=0, description="rain of the 30 days before that agrees; order of magnitude")


def detect(
    looks: Looks,
    seasons: Seasons,
    health: Health,
    weather: Weather | None,
    known: pd.DataFrame | None,
    settings: Settings,
) -> pd.DataFrame:
    """Find droughts: NDMI below the same crop's on the same pass, on all looks of 20 days or more, while growing.

    A stand's usual distance from its neighbours (median over its looks) is taken off first, so that a field that is
    always drier is not called struck. A drought that strikes all fields alike moves their median and stays unseen.
    `share` is the share of pixels below the dry line if NDMI is spread normally in the field; `severity` is the
    shortfall of NDMI over 0.3.
    """
    table = looks_with_seasons(looks, seasons)
    crop = table["crop"].to_numpy(dtype=object)
    key = [table["crop"], table["slot"], table["pass_id"]]
    ndmi = table["ndmi"]
    usual = ndmi.groupby(key).transform("median")
    off = ndmi - usual
    off -= off.groupby([table["parcel"], table["slot"]]).transform("median")
    spread = np.maximum(1.4826 * off.abs().groupby(key).transform("median").to_numpy(), settings.min_spread)
    others = ndmi.groupby(key).transform("size").to_numpy() - 1
    day = table["day"].to_numpy(dtype="float64")
    slots = table["slot"].to_numpy(dtype=object)
    turn = turn_day(int(day.min()), int(day.max())) if len(day) else None
    opens, closes = growing_window(slots, turn)
    with np.errstate(invalid="ignore"):
        growing = np.where(
            slots == "AB",
            (day >= opens) & (day <= closes),
            ~(day < table["emergence"].to_numpy())
            & (day <= table["peak"].to_numpy() + settings.after_peak_days)
            & ~(day >= table["harvest"].to_numpy()),
        )
    dry = (off.to_numpy() / spread < settings.max_z) & (table["ndvi"].to_numpy() >= settings.min_ndvi)
    flagged = dry & growing & (others >= settings.min_neighbours) & (crop != UNKNOWN) & (crop != NO_CROP)
    line = ndmi.to_numpy() - off.to_numpy() + settings.max_z * spread
    within = np.maximum(table["sd_ndmi"].to_numpy(), 1e-3)
    below = np.clip((line - ndmi.to_numpy()) / within, -10, 10)
    share = 1 / (1 + np.exp(-1.702 * below))  # the logistic curve stands in for the normal one
    severity = -off.to_numpy() / settings.full_shortfall
    events = make_events(
        table,
        flagged,
        event="drought",
        min_looks=settings.min_looks,
        min_days=settings.min_days,
        share=share,
        severity=severity,
    )
    rain = rain_before(weather, events["start"], 30)
    events["confirmed"] = reported(events, known) | (np.nan_to_num(rain, nan=np.inf) <= settings.dry_rain_mm)
    return events
