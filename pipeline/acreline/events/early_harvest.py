# SPDX-License-Identifier: Apache-2.0
"""Stands that were cut long before their neighbours: sold green, given up, or cleared after damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from acreline import config
from acreline.curves import dates_of, known_days
from acreline.events._beside import CUT_ANY_DAY
from acreline.events._runs import Land
from acreline.events._stands import stand_events, surely_known, usual_of

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDERS = ("green_fodder", "other_variety", "lodging_hail")


class Settings(config.Settings):
    """When a harvest counts as early; order of magnitude."""

    early_days: float = Field(20, gt=0, description="before the middle of the crop and slot")
    early_z: float = Field(2.5, gt=0, description="and in spreads of the neighbours")
    min_spread_days: float = Field(4.0, gt=0, description="dates alike to better than this are not ranked any finer")
    full_early_days: float = Field(60, gt=0, description="that counts as severity 1")
    max_doubt_days: float = Field(8, gt=0, description="a date less sure than this tells nothing")
    min_neighbours: int = Field(5, ge=2, description="other harvests of the crop and slot")
    min_confidence: float = Field(0.8, ge=0, le=1, description="in the crop: a field of another has its own time")


def detect(land: Land, settings: Settings) -> pd.DataFrame:
    """Find early harvests: 20 days and 2.5 spreads before the crop's middle field, where the date is sure to 8 days."""
    own = land.stands
    cut = known_days(own["harvest"])
    usual = usual_of(own, cut, settings.min_spread_days)
    doubt = own["harvest_doubt_days"].to_numpy(dtype="float64", na_value=np.nan)
    with np.errstate(invalid="ignore"):
        before = usual.middle - cut
        early = (before > settings.early_days) & (before / usual.spread > settings.early_z)
        early &= (usual.others >= settings.min_neighbours) & (doubt <= settings.max_doubt_days)
    early &= surely_known(own, settings.min_confidence) & ~own["crop"].isin(CUT_ANY_DAY).to_numpy()
    day = dates_of(cut)
    return stand_events(own, early, "early_harvest", day, day, np.nan_to_num(before / settings.full_early_days))
