# SPDX-License-Identifier: Apache-2.0
"""Warmth since the first simulated day: the clock by which crops age."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.simulate.climate import degrees_above, mean_degrees, weather_start

if TYPE_CHECKING:
    from acreline.simulate.crops import SimCrops
    from acreline.simulate.settings import CountySettings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Heat:
    """Warmth since day 0 above each base temperature."""

    start: dt.date
    """Day 0."""
    tmean_c: Floats
    expected: dict[float, Floats]
    """Base -> (day + 1,) degree days to be expected before each day."""
    felt: dict[float, Floats]
    """Base -> (day + 1,) degree days really had before each day."""

    @property
    def days(self) -> int:
        """How many days are simulated."""
        return len(self.tmean_c)

    @cached_property
    def cold(self) -> npt.NDArray[np.float32]:
        """(day,): how wintry the last three weeks were, 0 to 1; leaves pale and brown then."""
        weights = np.exp(-np.arange(40) / 12.0)
        padded = np.concatenate([np.full(39, self.tmean_c[:20].mean()), self.tmean_c])
        lagged = np.convolve(padded, weights / weights.sum(), mode="valid")
        return np.asarray(1 / (1 + np.exp((lagged - 2.5) / 1.6)), dtype=np.float32)

    def day(self, when: dt.date) -> int:
        """Day number of a date."""
        return (when - self.start).days


def feel_heat(settings: CountySettings, crops: SimCrops, weather: pd.DataFrame) -> Heat:
    """Sum the warmth of the weather and of the climate for every base temperature that a crop has."""
    bases = sorted({crop.calendar.base_c for crop in crops.crops.values()})
    tmean = weather["tmean_c"].to_numpy()
    dates = pd.DatetimeIndex(weather["date"])

    def summed(degrees: Floats) -> Floats:
        return np.concatenate([[0.0], np.cumsum(degrees)])

    return Heat(
        weather_start(settings),
        tmean,
        {base: summed(mean_degrees(settings.climate, dates, base)) for base in bases},
        {base: summed(degrees_above(tmean, base)) for base in bases},
    )
