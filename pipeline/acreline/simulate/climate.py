# SPDX-License-Identifier: Apache-2.0
"""Daily weather of a zone: a harmonic year with noise that lingers, wet and dry spells, sun and snow."""

from __future__ import annotations

import datetime as dt
import math
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.light import sun_above
from acreline.simulate.fields import chance

if TYPE_CHECKING:
    from acreline.simulate.settings import Climate, CountySettings

Days = npt.NDArray[np.float64]
HEAT_CAP_C = 35.0
"""Warmer than this does not hurry a crop any more (science, 2.4)."""
SNOW_FROM_C = 0.5
MELT_MM_PER_DEGREE = 3.0
"""Degree-day factor of snow melt, 2 to 5 mm per degree and day: order of magnitude."""


def draw_weather(settings: CountySettings, seed: int) -> pd.DataFrame:
    """Weather from 1 January of the year before the harvest to the end of the season.

    It starts long before the season, so that the crops that stand on its first day have had their warmth.

    Returns:
        date (datetime64[ns]), tmin_c, tmean_c, tmax_c, rain_mm, radiation_mj (MJ m-2 d-1), snow (0 to 1),
        all to two decimals; one row a day.
    """
    climate, place = settings.climate, settings.place
    first, last = weather_start(settings), settings.season[1]
    dates = pd.date_range(first, last, freq="D")
    rng = chance(seed, "climate")
    wet, rain = _draw_rain(climate, dates.month.to_numpy() - 1, rng)
    noise = _linger(rng.normal(0.0, 1.0, len(dates)), climate.noise_ar1) * climate.noise_sd_c
    usual_wet = np.array(climate.wet_share)[dates.month.to_numpy() - 1]
    tmean = mean_temperature(climate, dates) + noise - 1.2 * (wet - usual_wet)  # wet days are cooler
    spread = climate.diurnal_c * np.where(wet, 0.6, 1.05) * np.clip(rng.normal(1.0, 0.15, len(dates)), 0.4, 1.6)
    haze = np.clip(rng.normal(0.92, 0.10, len(dates)), 0.5, 1.02)
    through = np.where(wet, climate.wet_transmission, climate.clear_transmission) * haze
    table = pd.DataFrame(
        {
            "date": dates,
            "tmin_c": tmean - 0.5 * spread,
            "tmean_c": tmean,
            "tmax_c": tmean + 0.5 * spread,
            "rain_mm": rain,
            "radiation_mj": sun_above(place.lat, dates.day_of_year.to_numpy()) * through,
            "snow": _snow_cover(tmean, rain),
        }
    )
    numbers = [name for name in table.columns if name != "date"]
    return table.assign(**{name: table[name].round(2) for name in numbers})


def weather_start(settings: CountySettings) -> date:
    """The first day that the simulator knows: day 0 of every day number."""
    return min(dt.date(settings.year - 1, 1, 1), dt.date(settings.season[0].year, 1, 1))


def mean_temperature(climate: Climate, dates: pd.DatetimeIndex) -> Days:
    """The harmonic year, degrees C."""
    warmest = dt.date(2001, int(climate.warmest[:2]), int(climate.warmest[3:])).timetuple().tm_yday
    turn = 2 * math.pi * (dates.day_of_year.to_numpy() - warmest) / 365.25
    return np.asarray(climate.mean_c + climate.amplitude_c * np.cos(turn), dtype=np.float64)


def mean_degrees(climate: Climate, dates: pd.DatetimeIndex, base_c: float) -> Days:
    """Degrees above the base to be expected on each day, noise included: E max(0, N(mean, sd) - base)."""
    over = mean_temperature(climate, dates) - base_c
    sd = max(climate.noise_sd_c, 1e-6)
    below = np.array([0.5 * math.erfc(-value / sd / math.sqrt(2)) for value in over])
    return np.asarray(over * below + sd * np.exp(-0.5 * (over / sd) ** 2) / math.sqrt(2 * math.pi), dtype=np.float64)


def degrees_above(tmean_c: Days, base_c: float) -> Days:
    """Degree days of each day: max(0, min(T, 35) - base)."""
    return np.maximum(0.0, np.minimum(tmean_c, HEAT_CAP_C) - base_c)


def surface_wetness(weather: pd.DataFrame) -> npt.NDArray[np.float32]:
    """Wetness of the bare surface, 0 to 1, by day: 18 mm of rain fill it, the sun of some days empties it again.

    Set so that bare fields are dry in a European May and wet from November on, as in the WorldCereal sample of France
    2023.
    """
    rain, sun = weather["rain_mm"].to_numpy(), weather["radiation_mj"].to_numpy()
    wet = np.zeros(len(weather), np.float32)
    now = 0.3
    for day in range(len(wet)):
        now = min(1.0, now * math.exp(-(0.05 + 0.028 * sun[day])) + rain[day] / 18.0)
        wet[day] = now
    return wet


def _draw_rain(climate: Climate, month: npt.NDArray[np.int64], rng: np.random.Generator) -> tuple[Days, Days]:
    """Wet days by a two-state Markov chain, amounts from a gamma distribution of shape 0.7, by month."""
    share = np.array(climate.wet_share)[month]
    chance_after_dry = share * (1 - climate.wet_persistence)
    chance_after_wet = climate.wet_persistence + share * (1 - climate.wet_persistence)
    dice = rng.uniform(size=len(month))
    amounts = rng.gamma(0.7, np.array(climate.wet_mm)[month] / 0.7)
    wet = np.zeros(len(month))
    before = False
    for day in range(len(month)):
        before = bool(dice[day] < (chance_after_wet[day] if before else chance_after_dry[day]))
        wet[day] = before
    return wet, np.where(wet > 0, np.maximum(amounts, 0.2), 0.0)


def _linger(shocks: Days, ar1: float) -> Days:
    """First-order autoregressive noise of unit variance."""
    out, now = np.empty_like(shocks), 0.0
    for day, shock in enumerate(shocks):
        now = ar1 * now + math.sqrt(1 - ar1 * ar1) * shock
        out[day] = now
    return out


def _snow_cover(tmean: Days, rain: Days) -> Days:
    """Share of the ground under snow: what falls below half a degree stays, warmth melts it."""
    cover, store = np.zeros(len(tmean)), 0.0
    for day in range(len(tmean)):
        store += rain[day] if tmean[day] < SNOW_FROM_C else 0.0
        store = max(0.0, store - MELT_MM_PER_DEGREE * max(0.0, tmean[day] - SNOW_FROM_C))
        store *= 0.98  # wind and sun take a little on cold days too
        cover[day] = 1 - math.exp(-store / 4.0)
    return cover
