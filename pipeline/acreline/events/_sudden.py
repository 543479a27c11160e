# SPDX-License-Identifier: Apache-2.0
"""Common ground of what strikes from one look to the next: a fall of green that the neighbours do not share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from acreline import config
from acreline.curves import days_of
from acreline.events._beside import CUT_ANY_DAY, depart, growing, next_of_stand, share_below, steps
from acreline.layers import Weather

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Settings(config.Settings):
    """When a fall counts as sudden damage (science 3.1, rows lodging / hail and frost)."""

    min_fall: float = Field(0.25, gt=0, le=1, description="fall of NDVI beside the neighbours', as a share of it")
    min_own_fall: float = Field(0.1, ge=0, le=1, description="fall of its own NDVI: neighbours that rise strike nobody")
    min_spreads: float = Field(4.0, gt=0, description="and in spreads of the neighbours")
    longest_days: int = Field(15, ge=1, description="between the look before and the look after")
    kept: float = Field(0.5, ge=0, le=1, description="share of the fall that the next look still shows")
    min_ndvi: float = Field(0.2, ge=0, le=1, description="below it the field was cut or ploughed, not struck")
    max_water: float = Field(0.1, ge=0, le=1, description="share of water from which on it is a flood")
    min_neighbours: int = Field(5, ge=2, description="other fields of the crop on that pass")
    min_spread: float = Field(0.02, gt=0, description="fields alike to better than this are not ranked any finer")
    after_peak_days: int = Field(30, ge=0, description="later than this after its peak a field ripens")
    max_tmin_c: float = Field(0.0, description="after a night colder than this a fall is frost, else lodging or hail")
    crop_max_tmin_c: dict[str, float] = Field(
        {"winter_cereal": -2.0, "winter_barley": -2.0},
        description="the same of single crops; wheat that shoots bears -2 to -4 (science 3.1, row frost)",
    )


def sudden_falls(table: pd.DataFrame, settings: Settings) -> tuple[Mask, Floats, Floats]:
    """Looks right after a fall of NDVI that the neighbours do not share and the next look still shows.

    Returns:
        the looks; severity, the fall as a share of what stood there; share of the pixels that lie below the middle
        between before and after.
    """
    beside = depart(table, "ndvi", settings.min_spread)
    ndvi = table["ndvi"].to_numpy(dtype="float64")
    change = steps(table, beside.off, settings.longest_days)
    stood = ndvi - change  # what NDVI would be had it gone the neighbours' way
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = -change / np.maximum(stood, 0.05)
        after = next_of_stand(table, beside.off)
        kept = (beside.off - change - after >= -settings.kept * change) | np.isnan(after)
        before = ndvi - steps(table, ndvi, settings.longest_days)
        struck = (
            (lost >= settings.min_fall)
            & (before - ndvi >= settings.min_own_fall * before)
            & (-change >= settings.min_spreads * beside.spread)
            & kept
            & (ndvi >= settings.min_ndvi)
            & (table["water"].to_numpy() <= settings.max_water)
            & (beside.others >= settings.min_neighbours)
            & growing(table, settings.after_peak_days)
            & ~table["crop"].isin(CUT_ANY_DAY).to_numpy()
        )
    share = share_below(table, "ndvi", np.nan_to_num(stood + ndvi) / 2)
    return struck, np.nan_to_num(lost), share


def frost_before(table: pd.DataFrame, weather: Weather | None, settings: Settings) -> Mask:
    """Looks with a night below their crop's limit within `longest_days` before; none without weather."""
    import pandas as pd

    if weather is None or "tmin_c" not in weather.daily.columns or not len(table):
        return np.zeros(len(table), dtype=bool)
    dates = pd.to_datetime(weather.daily["date"], utc=True)
    coldest = pd.Series(weather.daily["tmin_c"].to_numpy(dtype="float64"), index=days_of(dates)).groupby(level=0).min()
    daily = coldest.reindex(range(int(coldest.index.min()), int(coldest.index.max()) + 1))
    lowest = daily.rolling(settings.longest_days, min_periods=1).min().reindex(table["day"].to_numpy()).to_numpy()
    limit = table["crop"].map(settings.crop_max_tmin_c).fillna(settings.max_tmin_c).to_numpy(dtype="float64")
    cold: Mask = np.nan_to_num(lowest, nan=np.inf) < limit
    return cold
