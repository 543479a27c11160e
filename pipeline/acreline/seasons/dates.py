# SPDX-License-Identifier: Apache-2.0
"""When each stand came up, peaked and was cut, each date with its doubt, and the stage it is in now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.config import SeasonSettings
from acreline.curves import Curves, growing_window, smooth_curves, turn_day
from acreline.layers import UNKNOWN
from acreline.seasons.harvest import looks_around_cut
from acreline.seasons.peaks import (
    EMERGING_NDVI,
    MIN_AMPLITUDE,
    REBOUND,
    SOIL_NDVI,
    count_seasons,
    find_tops,
    highest,
    rebound,
    tops_around,
)

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

EARLY_DAYS = 30
"""Before the window of slot A opens, its crop is told by this many days up to its newest look."""
OWN_PEAK_DAYS, SOWN_DAYS = 30, 75
"""What peaked, or began to rise, so long before the window of slot B opens is not the late crop's own."""
EMERGENCE_SHARE = 0.15
"""Emergence is where the curve first rises by this share of its amplitude (science 3.1: 10 %, here above the noise)."""
SOIL_SHARE = 0.25
NEAR_PEAK = 0.9

STAGES = ("not_begun", "bare", "emerging", "growing", "peak", "senescing", "harvested", "permanent", UNKNOWN)


def date_seasons(
    table: pd.DataFrame, n: int, parcel: npt.NDArray[np.int64], slots: npt.NDArray[Any], season: SeasonSettings
) -> dict[str, npt.NDArray[Any]]:
    """When each stand came up, peaked and was cut, read from its parcel's curve in the window of its slot.

    Args:
        table: what `clear_looks` gives.
        n: number of parcels.
        parcel: of each stand, rising, (stand,); a parcel may have several.
        slots: of each stand.
        season: first and last day looked at.

    Returns:
        dates (days since 1970-01-01, NaN where not known), doubts, peak, stage, number of seasons and deciding passes
        (rows of `table`, -1 for none) of each stand.
    """
    names = (
        "emergence", "peak", "senescence", "harvest", "emergence_doubt", "peak_doubt", "senescence_doubt",
        "harvest_doubt", "peak_ndvi", "ground", "ground_until",
    )  # fmt: skip
    rows = len(parcel)
    dated: dict[str, npt.NDArray[Any]] = {name: np.full(rows, np.nan) for name in names}
    dated["open"], dated["no_curve"] = np.zeros(rows, dtype=bool), np.ones(rows, dtype=bool)
    dated["not_begun"] = np.zeros(rows, dtype=bool)
    dated["seasons"] = np.zeros(rows, dtype=np.int64)
    dated["stage"] = np.full(rows, STAGES.index(UNKNOWN), dtype=np.int64)
    dated["passes"] = np.full((rows, 5), -1, dtype=np.int64)
    days = table["day"].to_numpy()
    epoch = date(1970, 1, 1)
    turn = turn_day((season.start - epoch).days, (season.end - epoch).days)
    for curves in smooth_curves(table, n):
        mine = slice(*np.searchsorted(parcel, [curves.parcels.start, curves.parcels.stop]).tolist())
        if mine.start == mine.stop:
            continue
        at = parcel[mine] - curves.parcels.start
        second = np.concatenate([[False], at[1:] == at[:-1]])
        own = replace(
            curves, value=curves.value[at], raw=curves.raw[at], before=curves.before[at], after=curves.after[at]
        )
        for name, values in _date_chunk(own, days, slots[mine], second, turn).items():
            dated[name][mine] = values
    dated["seasons"] = np.where((slots == "AB") & ~dated["no_curve"], 1, dated["seasons"])
    _wait_for_bare_ground(dated, table, parcel)
    return dated


def _wait_for_bare_ground(
    dated: dict[str, npt.NDArray[Any]], table: pd.DataFrame, parcel: npt.NDArray[np.int64]
) -> None:
    """Where bare ground was seen after the green was gone, the harvest lies just before it."""
    days = table["day"].to_numpy()
    before, after = looks_around_cut(table, parcel, dated.pop("ground"), dated.pop("ground_until"))
    seen = np.flatnonzero(after >= 0)
    earlier, later = days[before[seen]], days[after[seen]]
    dated["harvest"][seen] = np.floor((earlier + later) / 2)
    dated["harvest_doubt"][seen] = np.maximum((later - earlier) / 2, 1.0)
    dated["passes"][seen, 2], dated["passes"][seen, 3] = before[seen], after[seen]


def _date_chunk(
    curves: Curves, look_days: npt.NDArray[np.int64], slots: npt.NDArray[Any], second: Mask, turn: int | None
) -> dict[str, npt.NDArray[Any]]:
    ndvi = curves.value
    n, length = ndvi.shape
    day = np.arange(length)
    here = np.arange(n)
    seen = ~np.isnan(ndvi)
    annual = slots == "AB"
    last, first = length - 1 - seen[:, ::-1].argmax(axis=1), seen.argmax(axis=1)

    # The peak of the slot: the highest peak of its window, or just its highest day where the curve has none.
    window = seen.copy()
    opens, closes = (bound[:, None] - curves.first_day for bound in growing_window(slots, turn))
    # A late crop is not told before its own days: what is green then is a green manure or the crop before it.
    late_crop = slots == "B"
    told_from = np.where(late_crop[:, None], opens, np.minimum(opens, last[:, None] - EARLY_DAYS))
    window &= (day >= told_from) & (day <= closes)
    is_top = find_tops(ndvi, first, last)
    seasons = count_seasons(ndvi, find_tops(ndvi, first, last, SOIL_NDVI), turn, curves.first_day)
    tops = is_top & ~annual[:, None]
    later = np.flatnonzero(second)  # the late crop of land that bore an early one too, whose row lies before it
    window[later] &= day > rebound(ndvi[later], highest(ndvi, window, tops)[later - 1])[:, None]
    running = last <= closes[:, 0]
    has_curve: Mask = np.logical_or.reduce(seen, axis=1)
    not_begun = has_curve & _only_own(ndvi, window, is_top, late_crop & running, opens)
    top = highest(ndvi, window, tops)
    has_peak: Mask = np.logical_or.reduce(window, axis=1)
    peak_ndvi = np.where(has_peak, ndvi[here, top], np.nan)

    # Soil before it, and the rise out of that soil. What comes up after another crop rises out of that crop's stubble,
    # not out of last winter's soil. Only a peak outside the slot's own window is another crop's: a flood in the middle
    # of a season makes two peaks of one crop.
    before, after = tops_around(is_top & (day < opens), top)[0], tops_around(is_top & (day > closes), top)[1]
    both = later[has_peak[later] & has_peak[later - 1]]
    before[both], after[both - 1] = top[both - 1], top[both]
    follows = np.zeros(n, dtype=bool)
    follows[both] = True
    early = seen & (day <= top[:, None]) & (day >= np.where(slots == "B", before, 0)[:, None])
    valley = length - 1 - np.where(early, ndvi, np.inf)[:, ::-1].argmin(axis=1)  # the latest of equal lows
    low = ndvi[here, valley]
    # Stubble of a fortnight is smoothed away: between two known stands its own looks tell the low, soil or not.
    stubble = np.where(early & ~np.isnan(curves.raw), curves.raw, np.inf).min(axis=1)
    low = np.where(follows, np.minimum(low, stubble), low)
    rise = peak_ndvi - low
    risen = early & (day > valley[:, None]) & (ndvi >= (low + EMERGENCE_SHARE * rise)[:, None])
    soil_seen = follows | (low < SOIL_NDVI + SOIL_SHARE * rise)
    emerged = has_peak & ~annual & (rise >= MIN_AMPLITUDE) & soil_seen
    emergence = risen.argmax(axis=1)

    # The fall after it: first day near soil, and the fastest fall before that; of an early crop, before the next rises.
    late = seen & (day >= top[:, None]) & (day <= np.where(slots == "A", after, length - 1)[:, None])
    end_low = np.where(late, ndvi, np.inf).min(axis=1)
    soil = np.fmin(low, end_low)
    amplitude = peak_ndvi - soil
    ground = np.maximum(SOIL_NDVI, soil + SOIL_SHARE * amplitude)
    # A short stubble between two stands is smoothed away: a look at soil counts once the curve has half fallen.
    half = (soil + 0.5 * amplitude)[:, None]
    down = late & ((ndvi <= ground[:, None]) | ((curves.raw <= ground[:, None]) & (ndvi <= half)))
    cut: Mask = has_peak & ~annual & (peak_ndvi - end_low >= MIN_AMPLITUDE) & down.any(axis=1)
    cut &= last >= opens[:, 0]  # a fall before the crop's own days is none of its own
    slope = np.full_like(ndvi, np.inf)
    slope[:, 1:] = np.diff(ndvi, axis=1)
    falling = late & (day > top[:, None]) & (day <= np.where(cut, down.argmax(axis=1), -1)[:, None])
    steepest = np.where(falling & ~np.isnan(slope), slope, np.inf).argmin(axis=1)
    with np.errstate(invalid="ignore"):
        falling_off = peak_ndvi - ndvi[here, last] > (1 - NEAR_PEAK) * amplitude
    open_end = has_curve & running & ~(has_peak & (cut | (falling_off & (last >= opens[:, 0]))))

    # Ripening begins on the last day at nine tenths of the way from soil to peak, once the curve has left that.
    green = late & (ndvi >= (soil + NEAR_PEAK * amplitude)[:, None])
    green &= day <= np.where(cut, down.argmax(axis=1), length - 1)[:, None]
    ripening = length - 1 - green[:, ::-1].argmax(axis=1)
    ripens = has_peak & ~annual & (amplitude >= MIN_AMPLITUDE) & (cut | falling_off) & (ripening < last)
    around_ripening = _Around(curves, look_days, ripening)
    around_peak = _Around(curves, look_days, top)
    around_start = _Around(curves, look_days, np.maximum(emergence - 1, 0))
    around_cut = _Around(curves, look_days, np.maximum(steepest - 1, 0))
    origin = curves.first_day
    return {
        "peak": np.where(has_peak, top + origin, np.nan),
        "peak_ndvi": peak_ndvi,
        "peak_doubt": np.where(has_peak & ~open_end, around_peak.doubt, np.nan),
        "emergence": np.where(emerged, emergence + origin, np.nan),
        "emergence_doubt": np.where(emerged, around_start.doubt, np.nan),
        "senescence": np.where(ripens, ripening + origin, np.nan),
        "senescence_doubt": np.where(ripens, around_ripening.doubt, np.nan),
        "harvest": np.where(cut, around_cut.middle, np.nan),
        "harvest_doubt": np.where(cut, around_cut.doubt, np.nan),
        "ground": np.where(cut, down.argmax(axis=1) + origin, np.nan),
        "ground_until": np.where(slots == "A", after, length - 1) + float(origin),
        "open": open_end,
        "not_begun": not_begun,
        "no_curve": ~has_curve,
        "seasons": seasons,
        "stage": np.where(
            not_begun & (ndvi[here, last] > SOIL_NDVI),
            STAGES.index("not_begun"),
            _stage(ndvi, last, top, soil, amplitude, np.asarray(has_peak), cut, annual),
        ),
        "passes": np.stack(
            [
                np.where(has_peak, around_peak.before, -1),
                np.where(has_peak, around_peak.after, -1),
                np.where(cut, around_cut.before, -1),
                np.where(cut, around_cut.after, -1),
                np.where(emerged, around_start.after, -1),
            ],
            axis=1,
        ),
    }


def _only_own(ndvi: Floats, window: Mask, is_top: Mask, running: Mask, opens: Floats) -> Mask:
    """Leave in the window of a late crop whose season runs nothing but the crop's own rise, should there be one.

    What peaked long before the slot's days is a green manure's or the crop's before: no late crop peaks that soon. Its
    fall is left out, and a rise that begins after it is the late crop's own.

    Returns:
        rows in whose window, which is changed in place, nothing has come up yet.
    """
    length = ndvi.shape[1]
    day, seen = np.arange(length), ~np.isnan(ndvi)
    last = length - 1 - seen[:, ::-1].argmax(axis=1)
    others = is_top & (day < opens - OWN_PEAK_DAYS)
    own = is_top & ~others
    start = np.where(others.any(axis=1), length - 1 - others[:, ::-1].argmax(axis=1), seen.argmax(axis=1))
    # Before the slot's days: a rise from the low that follows another's peak, unless it is spring growth of weeds.
    rows = np.flatnonzero(running & (last < opens[:, 0]) & seen.any(axis=1))
    since = np.where(seen[rows] & (day >= start[rows, None]), ndvi[rows], np.inf)
    lowest = since.min(axis=1)
    low = length - 1 - (since <= (lowest + REBOUND)[:, None])[:, ::-1].argmax(axis=1)
    rising = (low >= opens[rows, 0] - SOWN_DAYS) & (ndvi[rows, last[rows]] - lowest >= MIN_AMPLITUDE)
    window[rows] = seen[rows] & (day > low[:, None]) & rising[:, None]
    # In them: what still falls as they open.
    inside = window & (day >= opens)
    falls = inside.any(axis=1) & (highest(ndvi, inside, inside & is_top) == inside.argmax(axis=1))
    rows = np.flatnonzero(running & (last >= opens[:, 0]) & falls & others.any(axis=1) & ~own.any(axis=1))
    window[rows] &= day > rebound(ndvi[rows], inside[rows].argmax(axis=1))[:, None]
    return running & ~window.any(axis=1)


class _Around:
    """The looks before and after a day of each parcel: their rows, the middle between them and half the gap."""

    def __init__(self, curves: Curves, look_days: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> None:
        here = np.arange(len(column))
        self.before, self.after = curves.before[here, column], curves.after[here, column]
        day = (column + curves.first_day).astype(np.float64)
        earlier = np.where(self.before >= 0, look_days[self.before], day)
        later = np.where(self.after >= 0, look_days[self.after], earlier)
        self.middle: Floats = np.floor((earlier + later) / 2)
        self.doubt: Floats = np.maximum((later - earlier) / 2, 1.0)


def _stage(
    ndvi: Floats,
    last: npt.NDArray[Any],
    top: npt.NDArray[Any],
    soil: Floats,
    amplitude: Floats,
    has_peak: Mask,
    cut: Mask,
    annual: Mask,
) -> npt.NDArray[np.int64]:
    """Where the stand is at its newest clear look."""
    now = ndvi[np.arange(len(ndvi)), last]
    with np.errstate(invalid="ignore"):
        flat = amplitude < MIN_AMPLITUDE
        level = (now - soil) / np.maximum(amplitude, MIN_AMPLITUDE)
        choices = (
            (np.isnan(now), UNKNOWN),
            (annual, "permanent"),
            (~has_peak & (now <= SOIL_NDVI), "bare"),
            (~has_peak, UNKNOWN),
            (cut, "harvested"),
            (flat & (now <= SOIL_NDVI), "bare"),
            ((last > top) & (level < NEAR_PEAK) & ~flat, "senescing"),
            ((last > top) & (level >= NEAR_PEAK), "peak"),
            (now <= EMERGING_NDVI, "emerging"),
        )
    codes = [STAGES.index(name) for _, name in choices]
    return np.select([holds for holds, _ in choices], codes, STAGES.index("growing"))
