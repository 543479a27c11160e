# SPDX-License-Identifier: Apache-2.0
"""Water standing where there was none before: the mask's water pixels, or a wet signal while the green falls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.curves import rain_before
from acreline.events._runs import Land, make_events

if TYPE_CHECKING:
    import pandas as pd


PADDY = ("early_rice", "late_rice", "single_rice")
"""Crops that stand in water by their farmer's will."""
CONFOUNDERS = ("paddy_transplanting", "pond", "shadow")


class Settings(config.Settings):
    """When a look counts as flooded (science 3.1, row flood; shares are ours)."""

    min_water_share: float = Field(0.2, gt=0, le=1, description="share of clear pixels that the mask calls water")
    open_water_mndwi: float = Field(0.0, description="mean MNDWI above this is open water")
    wet_mndwi: float = Field(-0.1, description="above this with a fall of NDVI: water under an emergent canopy")
    min_ndvi_fall: float = Field(0.2, gt=0, description="fall of NDVI since the look before")
    paddy_days: int = Field(40, ge=0, description="after it shows green a rice field stands in its own water")
    max_usual_water: float = Field(0.1, ge=0, description="a parcel usually wetter than this is a pond or a paddy")
    confirming_rain_mm: float = Field(50, gt=0, description="rain of the 7 days before that agrees; order of magnitude")


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find floods: water new on the parcel, or MNDWI above -0.1 while NDVI falls by more than 0.2.

    Water on a rice field before it is well grown is its own.

    `share` is the larger of the mask's water share and the share of pixels below NDVI 0.1; `severity` is the NDVI lost
    since the last dry look, as a share of what stood there.
    """
    table = land.table
    by_parcel = table.groupby("parcel")
    ndvi, mndwi = table["ndvi"].to_numpy(), table["mndwi"].to_numpy()
    water = table["water"].to_numpy()
    previous = by_parcel["ndvi"].shift(1).to_numpy()
    usual = by_parcel["water"].transform("median").to_numpy()
    with np.errstate(invalid="ignore"):
        wet = (
            (water >= settings.min_water_share)
            | (mndwi > settings.open_water_mndwi)
            | ((mndwi > settings.wet_mndwi) & (previous - ndvi > settings.min_ndvi_fall))
        )
    with np.errstate(invalid="ignore"):
        paddy = table["crop"].isin(PADDY).to_numpy() & (
            table["day"].to_numpy() <= table["emergence"].to_numpy() + settings.paddy_days
        )
    flagged = wet & ~paddy & (usual <= settings.max_usual_water) & ~np.isnan(previous)
    dry = table["ndvi"].where(~flagged).groupby(table["parcel"]).ffill().to_numpy()
    lost = np.nan_to_num((dry - ndvi) / np.maximum(dry, 0.05))
    share = np.maximum(water, table["bare"].to_numpy())
    events = make_events(table, flagged, event="flood", min_looks=1, share=share, severity=lost)
    rain = rain_before(land.weather, events["start"], 7)
    events["confirmed"] = np.nan_to_num(rain, nan=-1.0) >= settings.confirming_rain_mm
    return events
