# SPDX-License-Identifier: Apache-2.0
"""Water standing where there was none before: the mask's water pixels, or a wet signal while the green falls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.curves import rain_before
from acreline.events._beside import share_below
from acreline.events._runs import Land, make_events

if TYPE_CHECKING:
    import pandas as pd


PADDY = ("early_rice", "late_rice", "single_rice")
"""Crops that stand in water by their farmer's will."""
DRY_QUARTER = 0.25
CONFOUNDERS = ("paddy_transplanting", "pond", "shadow")


class Settings(config.Settings):
    """When a look counts as flooded (science 3.1, row flood; shares are ours)."""

    min_rise: float = Field(0.3, gt=0, description="MNDWI above the dry quarter of the crop on the pass")
    wet_mndwi: float = Field(-0.3, description="and it is above this")
    min_neighbours: int = Field(5, ge=2, description="other fields of the crop on that pass; with fewer, see below")
    min_water_share: float = Field(0.2, gt=0, le=1, description="alone: share of clear pixels the mask calls water")
    open_water_mndwi: float = Field(0.0, description="alone: mean MNDWI above this is open water")
    canopy_mndwi: float = Field(-0.1, description="alone: above this with a fall of NDVI, water under a canopy")
    min_ndvi_fall: float = Field(0.2, gt=0, description="alone: fall of NDVI since the look before")
    max_blue: float = Field(0.15, gt=0, description="alone: a look that is brighter in B02 saw haze or snow")
    paddy_days: int = Field(19, ge=0, description="after transplanting a rice field stands in its own water alone")
    young_days: int = Field(52, ge=0, description="so long its own water still shows between the plants")
    young_rise: float = Field(0.5, gt=0, description="in place of min_rise so long: fields are not all of one day")
    max_usual_water: float = Field(0.1, ge=0, description="a parcel usually wetter than this is a pond or a paddy")
    lasting: float = Field(0.4, gt=0, le=1, description="of the green that is gone at the look, what the harvest loses")
    confirming_rain_mm: float = Field(50, gt=0, description="rain of the 7 days before that agrees; order of magnitude")


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find floods: MNDWI 0.3 above the dry quarter of the same crop on the same pass, and new on the parcel.

    The quarter stays dry where a river takes half of a crop's fields, which would move their middle; and rain, snow or
    haze on all of them moves it with them. A crop with fewer than 6 fields on the pass is held against open water alone
    (MNDWI above 0, or above -0.1 while NDVI falls by more than 0.2; science 3.1). A rice field stands in its own
    water at first; until its canopy has closed it must lie 0.5 above the dry quarter, since fields that were planted
    later show more of theirs. A greenhouse's roof looks like water.

    `share` is the share of pixels above the line of MNDWI that the look crossed, if it is spread normally in the field,
    or the mask's water share where that is larger; `severity` is the NDVI lost since the last dry look, as a share of
    what stood there, times what of that the harvest loses: water hides leaves that live on (docs/decisions/0012).
    """
    table = land.table
    by_parcel = table.groupby("parcel")
    ndvi, mndwi = table["ndvi"].to_numpy(), table["mndwi"].to_numpy()
    water = table["water"].to_numpy()
    previous = by_parcel["ndvi"].shift(1).to_numpy()
    usual = by_parcel["water"].transform("median").to_numpy()
    kin = table.groupby(["crop", "pass_id"])["mndwi"]
    several = kin.transform("size").to_numpy() > settings.min_neighbours
    dry_mndwi = kin.transform("quantile", DRY_QUARTER).to_numpy()
    with np.errstate(invalid="ignore"):
        wilted = previous - ndvi > settings.min_ndvi_fall
        line_alone = np.where(wilted, settings.canopy_mndwi, settings.open_water_mndwi)
        alone = (water >= settings.min_water_share) | (mndwi > line_alone)
        alone &= table["blue"].to_numpy() <= settings.max_blue
        age = table["day"].to_numpy() - table["emergence"].to_numpy()
        rice = table["crop"].isin(PADDY).to_numpy()
        young = rice & (age <= settings.young_days)
        rise = np.where(young, settings.young_rise, settings.min_rise)
        line_beside = np.maximum(dry_mndwi + rise, settings.wet_mndwi)
        wet = np.where(several, mndwi >= line_beside, alone & ~young)
        wet &= (table["crop"] != "greenhouse").to_numpy(dtype=bool)
    flagged = wet & ~(rice & (age <= settings.paddy_days)) & (usual <= settings.max_usual_water) & ~np.isnan(previous)
    dry = table["ndvi"].where(~flagged).groupby(table["parcel"]).ffill().to_numpy()
    lost = settings.lasting * np.nan_to_num((dry - ndvi) / np.maximum(dry, 0.05)).clip(0, 1)
    line = np.where(several, line_beside, line_alone)
    share = np.maximum(water, 1 - share_below(table, "mndwi", line))
    events = make_events(table, flagged, event="flood", min_looks=1, share=share, severity=lost)
    rain = rain_before(land.weather, events["start"], 7)
    events["confirmed"] = np.nan_to_num(rain, nan=-1.0) >= settings.confirming_rain_mm
    return events
