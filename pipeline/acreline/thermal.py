# SPDX-License-Identifier: Apache-2.0
"""Time counted by warmth: the days of a season stretched where it is warm and pressed together where it is cold.

A crop ages by the warmth it has had, so the same stage stands at nearly the same place of a thermal axis in a warm and
in a cold year or region. Winter keeps half of its room: on warmth alone it would have next to none, and what is sown
in autumn is told apart there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.errors import ContractError, InputError

if TYPE_CHECKING:
    from acreline.layers import Weather

Days = npt.NDArray[np.float64]
HEAT_CAP_C = 35.0
"""Warmer than this does not hurry a crop any more (the house's science notes, 2.4)."""
WARM_SHARE = 0.5
"""Share of a thermal axis that goes by warmth; the rest goes by the calendar."""
YEAR_DAYS = 365.2425
WARMEST = date(2000, 7, 20)
"""The yearly cycle lags the sun by about 29 days over land outside the tropics (Stine, Huybers and Fung 2009)."""
USUAL_C = (13.0, 13.0, 0.0, 0.0, 0.0)
USUAL_SD_C = (7.0, 6.0, 2.5, 1.5, 1.5)
"""Farmland of the temperate zone: mean of the year, yearly swing in step with `WARMEST` and a quarter year off it, and
the same of half a year; and how far places differ in them. Order of magnitude: the counties of `configs/simulate/`
have means of 3 to 21 and swings of 8 to 22 degrees C, warmest from 15 to 25 July."""
DAY_SD_C = 8.0
"""What one day says of the yearly cycle: weather strays by about 3 degrees C, and lingers: with a correlation of 0.75
from one day to the next a day counts as a seventh of an independent one (3 x sqrt 7)."""
JUMP_C = 15.0
"""A step's mean farther than this from the mean of the steps beside it is a fault, not weather."""


@dataclass(frozen=True)
class Temperatures:
    """Mean air temperature of every day at one place, without a gap."""

    first: date
    """The first day."""
    tmean_c: Days
    """(day,): degrees C."""

    def __post_init__(self) -> None:
        if self.tmean_c.ndim != 1 or not len(self.tmean_c) or not np.isfinite(self.tmean_c).all():
            raise ContractError(
                f"temperatures from {self.first}: expected a number for each day, found an array of "
                f"{self.tmean_c.shape} with {int((~np.isfinite(self.tmean_c)).sum())} that are none",
                hint="report it",
            )

    @property
    def last(self) -> date:
        """The last day."""
        return self.first + timedelta(days=len(self.tmean_c) - 1)

    def lacking(self, start: date, end: date) -> int:
        """How many days from `start` to the day before `end` are not known."""
        known = min(self.last + timedelta(days=1), end) - max(self.first, start)
        return max((end - start).days, 0) - max(known.days, 0)

    def until(self, day: date) -> Temperatures | None:
        """As they were known at the end of a day; None where nothing was known yet."""
        count = (day - self.first).days + 1
        return Temperatures(self.first, self.tmean_c[:count]) if count > 0 else None


def weather_temperatures(weather: Weather) -> Temperatures:
    """The mean temperatures of a region's daily weather."""
    table = weather.daily
    return Temperatures(table["date"].iloc[0].date(), table["tmean_c"].to_numpy(np.float64))


def step_temperatures(starts: npt.NDArray[np.datetime64], tmean_c: npt.NDArray[np.floating[Any]]) -> Temperatures:
    """Means of longer steps (dekads, months) as days: each day has its step's mean.

    Args:
        starts: datetime64 (step,), first day of each step, rising; the last step is as long as the median one.
        tmean_c: (step,), degrees C; a step that is NaN, or that strays by more than `JUMP_C` from the mean of the two
            beside it, is put on the line between its neighbours.

    Raises:
        InputError: no step has a temperature.
    """
    known = np.isfinite(tmean_c)
    if not known.any():
        raise InputError(
            f"temperatures from {starts[0]}: no step has a value", hint="give mean temperatures, or leave them out"
        )
    at = np.arange(len(starts))
    filled = np.interp(at, at[known], tmean_c[known].astype(np.float64))
    if len(filled) > 2:
        off = np.zeros(len(filled))
        off[1:-1] = np.abs(filled[1:-1] - (filled[:-2] + filled[2:]) / 2)
        stray = off > JUMP_C
        stray[1:-1] &= (off[1:-1] > off[:-2]) & (off[1:-1] > off[2:])  # the steps beside a fault stray half as far
        filled = np.interp(at, at[~stray], filled[~stray])
    days = starts.astype("datetime64[D]")
    lengths = np.diff(days).astype(np.int64)
    last = int(np.median(lengths)) if len(lengths) else 1
    first: date = days[0].astype(date)
    return Temperatures(first, np.repeat(filled, [*lengths.tolist(), last]))


def pack_temperatures(zones: Sequence[Temperatures]) -> dict[str, npt.NDArray[Any]]:
    """Places of one span of days as plain arrays: `temperature_first` (day) and `tmean_c100` int16 (zone, day)."""
    spans = sorted({(zone.first, zone.last) for zone in zones})
    if len(spans) != 1:
        raise ContractError(f"temperatures of {len(spans)} different spans {spans[:2]}", hint="report it")
    hundredths = np.rint(np.stack([zone.tmean_c for zone in zones]) * 100).astype(np.int16)
    return {"temperature_first": np.array(spans[0][0], "datetime64[D]"), "tmean_c100": hundredths}


def unpack_temperatures(stored: Mapping[str, Any]) -> tuple[Temperatures, ...]:
    """What `pack_temperatures` made, zone by zone; nothing where the arrays are not there."""
    if "tmean_c100" not in stored:
        return ()
    first: date = stored["temperature_first"].astype("datetime64[D]").item()
    return tuple(Temperatures(first, days / 100) for days in stored["tmean_c100"].astype(np.float64))


def warmth(tmean_c: Days) -> Days:
    """Degree days of each day: max(0, min(T, 35)), T in degrees C."""
    return np.clip(tmean_c, 0.0, HEAT_CAP_C)


def usual_temperatures(known: Temperatures, first: date, days: int) -> Days:
    """What is to be expected of each day at a place of which some days are known, (day,), degrees C.

    Two harmonics of the year, fitted by least squares to all days that are known, drawn towards the usual cycle of
    temperate farmland (`USUAL_C`, `USUAL_SD_C`) in so far as those days leave it open: the most probable cycle under
    independent normal priors. Years of a place's own leave nothing of the prior; of two autumn months it keeps how
    warm a summer is.
    """
    x = _yearly(known.first, len(known.tmean_c))
    trust = np.diag(1 / np.square(USUAL_SD_C))
    precision = x.T @ x / DAY_SD_C**2 + trust
    wanted = x.T @ known.tmean_c / DAY_SD_C**2 + trust @ np.array(USUAL_C)
    cycle: Days = np.linalg.solve(precision, wanted)
    expected: Days = _yearly(first, days) @ cycle
    return expected


def season_temperatures(known: Temperatures, start: date, end: date) -> Days:
    """Every day from `start` to the day before `end`: as measured, else as `usual_temperatures`, (day,), degrees C.

    Raises:
        InputError: no day of the season is known.
    """
    days = (end - start).days
    offset = (known.first - start).days
    low, high = max(offset, 0), min(offset + len(known.tmean_c), days)
    if low >= high:
        raise InputError(
            f"temperatures of {known.first} to {known.last}: none lies in the season {start} to {end}",
            hint="give daily weather from before the season's start on, or take a model on a calendar axis",
        )
    out = usual_temperatures(known, start, days)
    out[low:high] = known.tmean_c[low - offset : high - offset]
    return out


def thermal_days(tmean_c: Days) -> tuple[float, ...]:
    """Where each day of a season begins on its thermal axis.

    The axis is as long as the season; a moment t lies at length x u(t), u = 0.5 tau(t) / tau(end) + 0.5 (t - start) /
    (end - start), tau the warmth summed since the start (the house's science notes, 2.4). A season without any warmth
    goes by the calendar.

    Args:
        tmean_c: (day,): mean temperature of every day of the season, degrees C.

    Returns:
        (day + 1,), strictly rising from 0 to the number of days.
    """
    length = len(tmean_c)
    calendar = np.arange(length + 1, dtype=np.float64)
    tau = np.concatenate([[0.0], np.cumsum(warmth(tmean_c))])
    share = tau / tau[-1] if tau[-1] > 0 else calendar / length
    on_axis = WARM_SHARE * length * share + (1 - WARM_SHARE) * calendar
    return tuple(on_axis.tolist())


def _yearly(first: date, days: int) -> Days:
    """Terms of the yearly cycle, (day, 5): one, and cosine and sine of the year and of the half year."""
    turn = 2 * np.pi * (np.arange(days) + (first - WARMEST).days) / YEAR_DAYS
    return np.stack([np.ones(days), np.cos(turn), np.sin(turn), np.cos(2 * turn), np.sin(2 * turn)], axis=1)
