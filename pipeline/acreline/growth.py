# SPDX-License-Identifier: Apache-2.0
"""How much each field grew: light caught over the season, as a ratio to the same crop in the region."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acreline.config import Crop
from acreline.curves import (
    clear_looks,
    days_of,
    end_of_day,
    has_code,
    join_codes,
    known_days,
    nullable,
    parcel_ids,
    smooth_curves,
)
from acreline.doors import check_growth
from acreline.inversion import INPUT_BANDS, invert_canopy
from acreline.layers import UNKNOWN, Growth, Looks, Seasons, Weather
from acreline.light import harvest_part, light_worth, usable_light
from acreline.records import NO_CROP, TRUE_SPREAD, UNSEEN_SPREAD

if TYPE_CHECKING:
    pass

Floats = npt.NDArray[np.float64]

MIN_FIELDS = 3
FAPAR_ERROR = 0.10
"""Relative error of the light that a field caught, as `inversion` reads it (RMSE 0.088 of fAPAR on drawn canopies);
with the gap part below 0.05 it makes 0.112."""
SEEN_SPREAD = math.sqrt(TRUE_SPREAD**2 - UNSEEN_SPREAD**2)
"""How far fields of one crop truly differ in what the index can follow."""
MANY_FIELDS = 10
"""Fields of a crop from which on their own spread tells how far the index errs."""
GAP_ERROR, GAP_DAYS = 0.05, 30
"""Error from gaps: this much for a longest gap of up to 30 days, growing in proportion beyond."""
OPEN_ERROR = 0.10
"""Added while the season is not over: what is still to come is not known (science 4.2, order of magnitude)."""
MIN_WEATHER_SHARE = 0.9


def measure_growth(looks: Looks, seasons: Seasons, crops: Mapping[str, Crop], weather: Weather | None = None) -> Growth:
    """Add up what each field's canopy made of the light, and compare it with the same crop in the region.

    Leaf area, light caught and chlorophyll are read from each look's reflectance (`inversion`); the share of the light
    that they turn to use is smoothed and added from emergence to harvest, and changed by how much of it fell after the
    crop's middle peak, when grain is filled (science 4.1). Where a field's own date is not known
    its crop's median date holds, without one the date at which the other crop of the same land ends or begins, else the
    region's first or last look. Outside a field's own looks its first or last value holds.

    Args:
        looks: what was seen.
        seasons: crop and dates of each parcel.
        crops: the region's crops by slug; a crop outside them gets no ratio.
        weather: daily weather; with radiation the index is MJ of usable light per m2, without it days of full light.

    Returns:
        one row per (parcel, slot): index_raw; index_ratio against the area-weighted mean of the same crop and slot;
        index_error, one relative standard deviation: the budget of one field, or what the spread of ten and more fields
        of the crop lies above the true spread, if that is larger. `code` is `a|b` text of few_looks, crop_unknown,
        no_crop, crop_not_in_region, few_neighbours (fewer than 3 fields), not_begun, in_season, no_weather.
    """
    import pandas as pd

    ids = parcel_ids(looks)
    table = clear_looks(looks, end_of_day(seasons["last_clear"].max()), bands=INPUT_BANDS)
    canopy = invert_canopy(table[list(INPUT_BANDS)].to_numpy(dtype="float32"), INPUT_BANDS)
    table["worth"] = light_worth(canopy.lai, canopy.fapar, canopy.chlorophyll_g_per_m2)
    place = ids.get_indexer(pd.Index(seasons["parcel_id"].astype("string")))
    running = has_code(seasons, "peak_not_reached")
    start, stop = _bounds(seasons, running)
    flowering = _flowering(seasons, running)
    first_day = int(table["day"].min()) if len(table) else 0
    light, lit = _daily_light(weather, first_day, int(table["day"].max()) if len(table) else 0)
    raw, filled, gap = (np.full(len(seasons), np.nan) for _ in range(3))
    days = table["day"].to_numpy()
    for curves in smooth_curves(table, len(ids), column="worth"):
        rows = np.flatnonzero((place >= curves.parcels.start) & (place < curves.parcels.stop))
        at = place[rows] - curves.parcels.start  # a parcel of two stands has its curve added up twice, each in its time
        raw[rows], filled[rows], gap[rows] = _add_light(
            curves.value[at],
            curves.before[at],
            curves.after[at],
            days,
            start[rows] - first_day,
            stop[rows] - first_day,
            flowering[rows] - first_day,
            light,
        )
    raw *= harvest_part(np.nan_to_num(filled), _middle(seasons, filled))

    cover = looks.land.set_index(looks.land["parcel_id"].astype("string"))["cover"]
    area = cover.reindex(pd.Index(seasons["parcel_id"].astype("string"))).fillna(0).to_numpy(dtype="float64")
    crop = seasons["crop"].to_numpy(dtype=object)
    listed = np.isin(crop.astype(str), list(crops))
    ahead = has_code(seasons, "not_begun")
    raw[(crop == NO_CROP) | ahead] = np.nan
    measured = ~np.isnan(raw)
    ratio, few = _compare(seasons, raw, area, measured & listed)
    gap_part = GAP_ERROR * np.maximum(gap / GAP_DAYS, 1.0)
    budget = np.sqrt(FAPAR_ERROR**2 + gap_part**2 + np.where(running, OPEN_ERROR, 0.0) ** 2)
    error = np.maximum(budget, _beyond_true(seasons, ratio)).round(4)
    codes = {
        "few_looks": ~measured & (crop != NO_CROP) & ~ahead,
        "not_begun": ahead,
        "crop_unknown": crop == UNKNOWN,
        "no_crop": crop == NO_CROP,
        "crop_not_in_region": (crop != UNKNOWN) & (crop != NO_CROP) & ~listed,
        "few_neighbours": few & ~ahead,
        "in_season": running,
        "no_weather": np.full(len(seasons), not lit),
    }
    longest = [None if np.isnan(value) else int(value) for value in gap]
    return check_growth(
        pd.DataFrame(
            {
                "parcel_id": seasons["parcel_id"].astype("string").to_numpy(),
                "slot": seasons["slot"].astype("string").to_numpy(),
                "crop": seasons["crop"].astype("string").to_numpy(),
                "index_raw": nullable(raw.round(4)),
                "index_ratio": nullable(ratio),
                "index_error": nullable(np.where(measured, error, np.nan)),
                "evidence": pd.array([json.dumps({"longest_gap_days": days}) for days in longest], dtype="string"),
                "code": join_codes(codes, len(seasons)),
            }
        ).astype({"parcel_id": "string", "slot": "string", "crop": "string"})
    )


def _bounds(seasons: Seasons, running: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """First and last day of each stand in days since 1970-01-01, NaN where nothing tells it."""
    import pandas as pd

    start = _dates(seasons, "emergence", np.zeros(len(seasons), dtype=bool))
    stop = _dates(seasons, "harvest", running)
    # Of two crops on one land the early one ends at the latest where the late one begins, and the other way round.
    parcel, slot = seasons["parcel_id"].to_numpy(dtype=object), seasons["slot"].to_numpy(dtype=object)
    ends = pd.Series(stop[slot == "A"], index=parcel[slot == "A"]).reindex(parcel).to_numpy()
    begins = pd.Series(start[slot == "B"], index=parcel[slot == "B"]).reindex(parcel).to_numpy()
    stop = np.where((slot == "A") & np.isnan(stop) & ~running, begins, stop)
    start = np.where((slot == "B") & np.isnan(start), ends, start)
    return start, stop


def _flowering(seasons: Seasons, running: npt.NDArray[np.bool_]) -> Floats:
    """Day on which each stand begins to fill grain: the middle peak of its crop and slot; NaN: not known."""
    import pandas as pd

    peak = np.where(running, np.nan, known_days(seasons["peak"]))
    middle: Floats = pd.Series(peak).groupby(_groups(seasons)).transform("median").to_numpy(dtype="float64")
    return np.where(running, np.nan, np.floor(middle))


def _middle(seasons: Seasons, filled: Floats) -> Floats:
    """Light after flowering of the middle stand of each crop and slot; 0 where it is not told."""
    import pandas as pd

    middle: Floats = pd.Series(filled).groupby(_groups(seasons)).transform("median").to_numpy(dtype="float64")
    return np.where(np.isnan(filled), 0.0, np.nan_to_num(middle))


def _groups(seasons: Seasons) -> npt.NDArray[np.object_]:
    return (seasons["crop"] + "|" + seasons["slot"]).to_numpy(dtype=object)


def _dates(seasons: Seasons, name: str, still_open: npt.NDArray[np.bool_]) -> Floats:
    """A date of each row in days since 1970-01-01, its crop's median where its own is not known; NaN without either."""
    import pandas as pd

    values = known_days(seasons[name])
    median: Floats = np.floor(pd.Series(values).groupby(_groups(seasons)).transform("median").to_numpy(dtype="float64"))
    return np.where(np.isnan(values) & ~still_open, median, values)


def _daily_light(weather: Weather | None, first_day: int, last_day: int) -> tuple[Floats, bool]:
    """Usable light of each day, MJ per m2; ones (days of full light) where the weather does not cover the season."""
    import pandas as pd

    days = np.arange(first_day, last_day + 1)
    if weather is None or "radiation_mj_per_m2" not in weather.daily.columns:
        return np.ones(len(days)), False
    dates = pd.to_datetime(weather.daily["date"], utc=True)
    radiation = pd.Series(weather.daily["radiation_mj_per_m2"].to_numpy(dtype="float64"), index=days_of(dates))
    on_days = radiation.groupby(level=0).mean().reindex(days)
    if on_days.notna().mean() < MIN_WEATHER_SHARE:
        return np.ones(len(days)), False
    return usable_light(on_days.interpolate(limit_direction="both").to_numpy(dtype="float64")), True


def _add_light(
    worth: Floats,
    before: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
    look_days: npt.NDArray[np.int64],
    start: Floats,
    stop: Floats,
    flowering: Floats,
    light: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Light put to use from start to stop and from flowering on; the longest gap between looks or to the ends, days."""
    n, length = worth.shape
    day, here = np.arange(length), np.arange(n)
    seen = ~np.isnan(worth)
    some = seen.any(axis=1)
    first, last = seen.argmax(axis=1), length - 1 - seen[:, ::-1].argmax(axis=1)
    held = worth[here[:, None], np.clip(day, first[:, None], last[:, None])]
    begin, end = np.where(np.isnan(start), 0, start), np.where(np.isnan(stop), length - 1, stop)
    inside = (day >= begin[:, None]) & (day <= end[:, None])
    used = np.maximum(held, 0.0) * inside * light  # daily steps
    raw = np.where(some, used.sum(axis=1), np.nan)
    late = np.where(some & ~np.isnan(flowering), (used * (day >= flowering[:, None])).sum(axis=1), np.nan)
    offset = look_days.min() if len(look_days) else 0
    earlier = np.where(before >= 0, look_days[before] - offset, 0)
    later = np.where(after >= 0, look_days[after] - offset, length - 1)
    gap = np.where(inside, later - earlier, 0).max(axis=1).astype("float64")
    return raw, late, np.where(some, gap, np.nan)


def _beyond_true(seasons: Seasons, ratio: Floats) -> Floats:
    """How far the index of a crop's fields spreads beyond what is true of them: that much of it is error; 0: no more.

    Spread is 1.4826 MAD over the fields of a crop and slot; variances add (empirical Bayes, Fay and Herriot 1979).
    """
    import pandas as pd

    values, group = pd.Series(ratio), _groups(seasons)
    middle = values.groupby(group).transform("median")
    spread = 1.4826 * (values - middle).abs().groupby(group).transform("median").to_numpy(dtype="float64")
    many = values.groupby(group).transform("count").to_numpy() >= MANY_FIELDS
    beyond = np.sqrt(np.maximum(spread**2 - SEEN_SPREAD**2, 0.0))
    return np.where(many, np.nan_to_num(beyond), 0.0)


def _compare(
    seasons: Seasons, raw: Floats, area: Floats, comparable: npt.NDArray[np.bool_]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Raw index over the area-weighted mean of the same crop and slot; NaN, and few, below three fields."""
    import pandas as pd

    fields = pd.DataFrame({"group": _groups(seasons), "raw": raw, "area": area})[comparable]
    fields["weighted"] = fields["raw"] * fields["area"]
    by_group = fields.groupby("group")
    size = by_group["raw"].transform("size").to_numpy()
    mean = (by_group["weighted"].transform("sum") / by_group["area"].transform("sum").replace(0, np.nan)).to_numpy()
    enough = (size >= MIN_FIELDS) & (mean > 0)
    ratio, few = np.full(len(raw), np.nan), np.zeros(len(raw), dtype=bool)
    at = np.flatnonzero(comparable)
    ratio[at[enough]] = (fields["raw"].to_numpy()[enough] / mean[enough]).round(6)
    few[at[~enough]] = True
    return ratio, few
