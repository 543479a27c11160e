# SPDX-License-Identifier: Apache-2.0
"""Peaks of the curves of parcels, and the crops of a year that they make."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MIN_AMPLITUDE = 0.15
"""A rise or fall of NDVI below this is no season (science 3.1: prominence of a peak)."""
MIN_PEAK_DAYS = 50
YEAR_DAYS = (-145, 75)
"""Days from the turn (20 July) in which a peak is one of the year's crops."""
STANDS_DAYS = (-60, 30)
"""Days from the turn on which a crop that peaked before those days, or peaks after them, stands at half its height."""
SOIL_NDVI = 0.30
"""Harvested: the curve came down to this, or to a quarter of its amplitude above its own soil, if that is higher."""
EMERGING_NDVI = 0.4
"""A rising stand below it does not cover the ground yet."""
REBOUND = 0.05
"""A smoothed curve that has risen by this from its low is rising again."""


def find_tops(ndvi: Floats, first: npt.NDArray[Any], last: npt.NDArray[Any], low_before: float = np.inf) -> Mask:
    """Where peaks stand 0.15 above the lows on both sides and 50 days apart, one still rising at the end among them.

    `low_before`: how low it may have been before the first day, so that what is up by then has risen.
    """
    n, length = ndvi.shape
    is_top, here = np.zeros(ndvi.shape, dtype=bool), np.arange(n)
    latest = np.full(n, -(10**6))
    rising = np.zeros(n, dtype=bool)
    low, high = np.minimum(ndvi[here, first], low_before), np.full(n, -np.inf)
    high_day = np.zeros(n, dtype=np.int64)
    for day in range(length):
        value = ndvi[:, day]
        with np.errstate(invalid="ignore"):
            low = np.where(~rising & (value < low), value, low)
            starts = ~rising & (value - low >= MIN_AMPLITUDE)
            rising |= starts
            higher = rising & (starts | (value > high))
            high, high_day = np.where(higher, value, high), np.where(higher, day, high_day)
            ends = rising & ((high - value >= MIN_AMPLITUDE) | (last == day))
        fresh = ends & (high_day - latest >= MIN_PEAK_DAYS)
        is_top[here[fresh], high_day[fresh]] = True
        latest = np.where(fresh, high_day, latest)
        low = np.where(ends, value, low)
        rising &= ~ends
    return is_top


def tops_around(is_top: Mask, top: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Day of the newest peak before each stand's own and of the next one after it; the curve's ends without one."""
    length = is_top.shape[1]
    day = np.arange(length)
    earlier, later = is_top & (day < top[:, None]), is_top & (day > top[:, None])
    before = np.where(earlier.any(axis=1), length - 1 - earlier[:, ::-1].argmax(axis=1), 0)
    after = np.where(later.any(axis=1), later.argmax(axis=1), length - 1)
    return before, after


def highest(ndvi: Floats, window: Mask, tops: Mask) -> npt.NDArray[np.int64]:
    """The highest peak of each row's window, or its highest day where the curve has none there; 0 without a day."""
    inside = window & tops
    chosen = np.where(inside.any(axis=1, keepdims=True), inside, window)
    found: npt.NDArray[np.int64] = np.where(chosen, ndvi, -np.inf).argmax(axis=1)
    return found


def rebound(ndvi: Floats, top: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The low after which each curve rises again from its peak; the curve's end where it does not (yet)."""
    length = ndvi.shape[1]
    fall = np.where((np.arange(length) >= top[:, None]) & ~np.isnan(ndvi), ndvi, np.inf)
    lowest = np.minimum.accumulate(fall, axis=1)
    with np.errstate(invalid="ignore"):
        up = np.isfinite(fall) & (fall - lowest >= REBOUND)
    turned = np.where(up.any(axis=1), up.argmax(axis=1), length)  # the first day on which it is clearly up again
    low: npt.NDArray[np.int64] = np.where(np.arange(length) < turned[:, None], fall, np.inf).argmin(axis=1)
    return np.where(turned < length, low, length - 1)


def count_seasons(ndvi: Floats, is_top: Mask, turn: int | None, first_day: int) -> npt.NDArray[np.int64]:
    """Crops of the year by the curve alone: peaks of 0.4 and more from the end of February to the start of October.

    A crop may peak before (rapeseed, whose flowers hide its leaves) or after (beet) if it stands at more than half its
    height on 21 May or 19 August. What else is green before is a catch crop or the seedlings of winter crops, what is
    green after weeds, a catch crop or next year's.
    """
    high = is_top & (np.nan_to_num(ndvi, nan=-np.inf) >= EMERGING_NDVI)
    if turn is None:
        return np.asarray(high.sum(axis=1), dtype=np.int64)
    day = np.arange(ndvi.shape[1])
    opens, closes = (turn + bound - first_day for bound in YEAR_DAYS)
    count = np.asarray((high & (day >= opens) & (day <= closes)).sum(axis=1), dtype=np.int64)
    may, august = (turn + on - first_day for on in STANDS_DAYS)
    late = high & (day > closes)  # read backwards in time: its low is the one before it
    count += _stands_until(ndvi, is_top, high & (day < opens), may)
    count += _stands_until(ndvi[:, ::-1], is_top[:, ::-1], late[:, ::-1], len(day) - 1 - august)
    return count


def _stands_until(ndvi: Floats, is_top: Mask, early: Mask, until: int) -> Mask:
    """Rows whose last early peak keeps more than half its height above the low after it up to the column `until`."""
    n, length = ndvi.shape
    if not 0 <= until < length or not early.any():
        return np.zeros(n, dtype=bool)
    day, here = np.arange(length), np.arange(n)
    top = length - 1 - early[:, ::-1].argmax(axis=1)
    another = is_top & (day > top[:, None])
    ends = np.where(another.any(axis=1), another.argmax(axis=1), length)
    known = np.where(np.isnan(ndvi), np.inf, ndvi)
    low = np.where((day > top[:, None]) & (day < ends[:, None]), known, np.inf).min(axis=1)
    low = np.where(np.isfinite(low), np.minimum(low, np.where(ends == length, SOIL_NDVI, np.inf)), SOIL_NDVI)
    stands = np.where((day >= top[:, None]) & (day <= until), known, np.inf).min(axis=1)
    with np.errstate(invalid="ignore"):
        kept: Mask = early.any(axis=1) & (until < ends) & (stands > (ndvi[here, top] + low) / 2)
    return kept & ~np.isnan(ndvi[:, until])
