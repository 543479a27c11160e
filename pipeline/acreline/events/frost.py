# SPDX-License-Identifier: Apache-2.0
"""Frost on a standing crop: green that falls after a cold night; only weather can tell it from hail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from acreline.curves import days_of
from acreline.events import _sudden
from acreline.events._runs import looks_with_seasons, make_events, reported
from acreline.layers import Health, Looks, Seasons, Weather

if TYPE_CHECKING:
    import pandas as pd

CONFOUNDERS = ("lodging_hail", "pest_disease", "late_failed")


class Settings(_sudden.Settings):
    """When a fall counts as frost."""

    max_tmin_c: float = Field(0.0, description="a night colder than this can hurt a crop that stands; by crop -4 to 2")


def detect(
    looks: Looks,
    seasons: Seasons,
    health: Health,
    weather: Weather | None,
    known: pd.DataFrame | None,
    settings: Settings,
) -> pd.DataFrame:
    """Find frost: NDVI falls by a quarter within 15 days of a night below 0 degrees C while the neighbours' does not.

    Without weather nothing is told: the fall itself looks like hail. `severity` and `share` as for lodging and hail.
    Weather agrees with every event of this kind, so `confirmed` is left to reports and the network.
    """
    table = looks_with_seasons(looks, seasons)
    struck, lost, share = _sudden.sudden_falls(table, settings)
    struck &= frost_before(table, weather, settings.max_tmin_c, settings.longest_days)
    events = make_events(table, struck, event="frost", min_looks=1, share=share, severity=lost)
    events["confirmed"] = reported(events, known)
    return events


def frost_before(table: pd.DataFrame, weather: Weather | None, max_tmin_c: float, days: int) -> npt.NDArray[np.bool_]:
    """Looks with a night colder than a limit within so many days before; none without weather."""
    import pandas as pd

    if weather is None or "tmin_c" not in weather.daily.columns or not len(table):
        return np.zeros(len(table), dtype=bool)
    dates = pd.to_datetime(weather.daily["date"], utc=True)
    coldest = pd.Series(weather.daily["tmin_c"].to_numpy(dtype="float64"), index=days_of(dates)).groupby(level=0).min()
    daily = coldest.reindex(range(int(coldest.index.min()), int(coldest.index.max()) + 1))
    lowest = daily.rolling(days, min_periods=1).min().reindex(table["day"].to_numpy()).to_numpy()
    cold: npt.NDArray[np.bool_] = np.nan_to_num(lowest, nan=np.inf) < max_tmin_c
    return cold
