# SPDX-License-Identifier: Apache-2.0
"""From a field's clear looks to its greenness curve: which looks may speak, and one smooth value a day between them.

Ground for the parcel stages (seasons, health, events, growth): all of them see the same looks and the same curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from acreline.layers import INDICES, Looks, Weather

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

UTC_MS: Final = "datetime64[ms, UTC]"
"""Type of every time column: what a Parquet file gives back."""
MIN_CURVE_LOOKS = 4
"""Fewer clear looks than this, and there is no curve to speak of."""
SMOOTHNESS = 2000.0
"""Whittaker weight of the squared second difference of the daily curve. With a look every 5 days it evens out what is
shorter than about (2000 * 5) ** 0.25 = 10 days."""
CHUNK = 4096
"""Parcels smoothed at once: memory stays near 100 MB whatever the region."""

# A single look out of line (science 2.4, validity): thin cloud brightens blue, shadow darkens NIR and SWIR.
DIP_NDVI = 0.15
HAZE_BLUE = 0.04
SHADOW_SHARE = 0.6
DEEP_DIP_NDVI = 0.35
DEEP_DIP_DAYS = 30
"""Nothing on a field falls and regrows by the deep dip within this many days."""
WATER_SHARE = 0.2
"""A look with this share of water is a flood's witness and never dropped as a shadow."""

TURN_MONTH_DAY = (7, 20)
"""Slot A is harvested by about this day, slot B after it."""
GROWING_DAYS = {"A": (-300, 0), "B": (-30, 75), "AB": (-110, 75)}
"""When a slot's crop may peak, days from the turn: neither a green manure in autumn nor grass under a winter sun."""


@dataclass(frozen=True)
class Curves:
    """Daily NDVI (or what else was smoothed) of some parcels, (parcel, day)."""

    parcels: slice
    """Which of the parcel ids these rows are."""
    first_day: int
    """Days since 1970-01-01 of column 0."""
    value: npt.NDArray[np.float64]
    """Smoothed; NaN before the first and after the last look, and everywhere for a parcel with too few looks."""
    raw: Floats
    """As seen, NaN on days without a look."""
    before: npt.NDArray[np.int64]
    """Row of the newest look on or before the day, -1 where there is none."""
    after: npt.NDArray[np.int64]
    """Row of the next look after the day, -1 where there is none."""


def parcel_ids(looks: Looks) -> pd.Index[Any]:
    """Every parcel that has land, looks or evidence, sorted."""
    import pandas as pd

    names = [table["parcel_id"].astype("string") for table in (looks.land, looks.passes, looks.evidence)]
    ids: pd.Index[Any] = pd.Index(pd.concat(names).unique(), dtype="string", name="parcel_id").sort_values()
    return ids


def clear_looks(looks: Looks, until: pd.Timestamp | None = None, bands: Sequence[str] = ()) -> pd.DataFrame:
    """The looks that may speak: at least half of the parcel's full pixels clear, and not a single-date dip.

    Args:
        looks: all looks.
        until: looks after this moment are left out.
        bands: whose mean reflectance is wanted under their own names as well.

    Returns:
        rows sorted by parcel, time and pass: parcel_id, parcel (row in `parcel_ids(looks)`), pass_id, time, day (days
        since 1970-01-01, UTC), ndvi, ndre, ndmi, mndwi (means), sd_ndvi, sd_ndre, sd_ndmi, sd_mndwi, blue, nir,
        swir, swir2 and `bands` (reflectance), water (share of clear pixels), clear_share.
    """
    import pandas as pd

    ids = parcel_ids(looks)
    passes = looks.passes
    full = looks.land.set_index(looks.land["parcel_id"].astype("string"))["n_full"].reindex(ids).fillna(0)
    code = ids.get_indexer(pd.Index(passes["parcel_id"].astype("string")))
    n_full = full.to_numpy(dtype="int64")[code]
    n_clear = passes["n_clear"].to_numpy(dtype="int64")
    time = passes["time"].astype(UTC_MS)
    kept = (n_clear > 0) & (2 * n_clear >= n_full)
    if until is not None:
        kept &= (time <= until).to_numpy()
    passes, code, n_clear, time = passes[kept], code[kept], n_clear[kept], time[kept]
    table = pd.DataFrame(
        {
            "parcel_id": passes["parcel_id"].astype("string").to_numpy(),
            "parcel": code.astype("int64"),
            "pass_id": passes["pass_id"].astype("string").to_numpy(),
            "time": time.to_numpy(),
            "day": days_of(time),
        }
    )
    table["time"] = pd.Series(table["time"]).astype(UTC_MS)
    for name in INDICES:
        table[name] = passes[f"sum_{name}"].to_numpy() / n_clear / 10_000
        spread = passes[f"ssq_{name}"].to_numpy() / n_clear / 1e8 - table[name].to_numpy() ** 2
        table[f"sd_{name}"] = np.sqrt(np.maximum(spread, 0.0))
    for name, band in (("blue", "B02"), ("nir", "B08"), ("swir", "B11"), ("swir2", "B12"),
                       *zip(bands, bands, strict=True)):  # fmt: skip
        table[name] = passes[f"sum_{band}"].to_numpy() / n_clear / 10_000
    table["water"] = passes["n_water"].to_numpy() / n_clear
    table["clear_share"] = np.minimum(n_clear / np.maximum(n_full[kept], 1), 1.0)
    table = table.sort_values(["parcel", "day", "pass_id"], kind="stable").reset_index(drop=True)
    return table[~_is_dip(table)].reset_index(drop=True)


def _is_dip(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Looks out of the line between the one before and the one after, for reasons that are not the field's."""
    if len(table) < 3:
        return np.zeros(len(table), dtype=bool)
    parcel, day = table["parcel"].to_numpy(), table["day"].to_numpy()
    inner = np.zeros(len(table), dtype=bool)
    inner[1:-1] = (parcel[:-2] == parcel[1:-1]) & (parcel[2:] == parcel[1:-1])
    gap = np.ones(len(table))
    gap[1:-1] = np.maximum(day[2:] - day[:-2], 1)
    share = np.zeros(len(table))
    share[1:-1] = (day[1:-1] - day[:-2]) / gap[1:-1]

    def line(name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        value = table[name].to_numpy()
        expected = value.copy()
        expected[1:-1] = value[:-2] * (1 - share[1:-1]) + value[2:] * share[1:-1]
        return value, expected

    (ndvi, ndvi_line), (blue, blue_line) = line("ndvi"), line("blue")
    (nir, nir_line), (swir, swir_line) = line("nir"), line("swir")
    fall = ndvi_line - ndvi
    haze = (fall > DIP_NDVI) & (blue - blue_line > HAZE_BLUE)
    shadow = (nir < SHADOW_SHARE * nir_line) & (swir < SHADOW_SHARE * swir_line)
    deep = (fall > DEEP_DIP_NDVI) & (gap <= DEEP_DIP_DAYS)
    dry = table["water"].to_numpy() < WATER_SHARE
    return inner & dry & (haze | shadow | deep)


def end_of_day(moment: Any) -> pd.Timestamp | None:
    """The last millisecond of a UTC day; None for a moment that is not known."""
    import pandas as pd

    if pd.isna(moment):
        return None
    stamp = pd.Timestamp(moment)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return stamp.normalize() + pd.Timedelta(days=1, milliseconds=-1)


def days_of(time: pd.Series[Any]) -> npt.NDArray[np.int64]:
    """UTC moments as whole days since 1970-01-01."""
    return time.dt.tz_convert(None).to_numpy().astype("datetime64[D]").astype("int64")  # type: ignore[no-any-return]


def known_days(dates: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """UTC moments as whole days since 1970-01-01, NaN where one is not known (NaT)."""
    days = np.full(len(dates), np.nan)
    there = dates.notna().to_numpy()
    days[there] = days_of(dates[there])
    return days


def dates_of(days: npt.NDArray[np.float64] | Sequence[float]) -> pd.Series[Any]:
    """Days since 1970-01-01 (NaN: not known) as UTC midnights (NaT)."""
    import pandas as pd

    numbers = np.asarray(days, dtype="float64")
    known = np.isfinite(numbers)
    stamps = np.where(known, numbers, 0).astype("int64").astype("datetime64[D]").astype("datetime64[ms]")
    stamps[~known] = np.datetime64("NaT")
    dates: pd.Series[Any] = pd.Series(stamps).dt.tz_localize("UTC").astype(UTC_MS)
    return dates


def nullable(values: npt.NDArray[np.float64]) -> Any:
    """Numbers as a nullable column: NaN becomes missing."""
    import pandas as pd

    return pd.array([None if np.isnan(value) else float(value) for value in values], dtype="Float64")


def join_codes(codes: Mapping[str, npt.NDArray[np.bool_]], n: int) -> Any:
    """For each of n rows the names of the codes that hold, as `a|b` text; missing where none does."""
    import pandas as pd

    text = np.full(n, "", dtype=object)
    for name, holds in codes.items():
        text[holds] = [f"{old}|{name}" if old else name for old in text[holds]]
    return pd.array([value or None for value in text], dtype="string")


def has_code(table: pd.DataFrame, code: str) -> npt.NDArray[np.bool_]:
    """Rows whose `code` column names a code."""
    names = table["code"].fillna("").astype("string")
    return ("|" + names + "|").str.contains(f"|{code}|", regex=False).to_numpy(dtype=bool)


def turn_day(first_day: int, last_day: int) -> int | None:
    """The last 20 July between two days (all in days since 1970-01-01); None where there is none."""
    last = date(1970, 1, 1) + timedelta(days=last_day)
    turns = [(date(year, *TURN_MONTH_DAY) - date(1970, 1, 1)).days for year in (last.year, last.year - 1)]
    return next((turn for turn in turns if first_day <= turn <= last_day), None)


def growing_window(slots: npt.NDArray[Any], turn: int | None) -> tuple[Floats, Floats]:
    """First and last day on which each slot's crop may peak; no bounds without a turn or for another slot."""
    low, high = np.full(len(slots), -np.inf), np.full(len(slots), np.inf)
    if turn is not None:
        for slot, (before, after) in GROWING_DAYS.items():
            low[slots == slot], high[slots == slot] = turn + before, turn + after
    return low, high


def empty_table(kinds: Mapping[str, str]) -> pd.DataFrame:
    """A table without rows, its columns of fixed types."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds.items()})


def rain_before(weather: Weather | None, starts: pd.Series[Any], days: int) -> npt.NDArray[np.float64]:
    """Rain of the last `days` days up to each date, mm; NaN where the weather does not cover them."""
    import pandas as pd

    if weather is None or not len(starts):
        return np.full(len(starts), np.nan)
    dates = pd.to_datetime(weather.daily["date"], utc=True)
    rain = pd.Series(weather.daily["rain_mm"].to_numpy(dtype="float64"), index=days_of(dates)).groupby(level=0).mean()
    daily = rain.reindex(range(int(rain.index.min()), int(rain.index.max()) + 1))
    return daily.rolling(days).sum().reindex(days_of(starts)).to_numpy(dtype="float64")


def smooth_curves(table: pd.DataFrame, n_parcels: int, chunk: int = CHUNK, *, column: str = "ndvi") -> Iterator[Curves]:
    """One value a day for each parcel: its clear looks smoothed (Whittaker; Eilers 2003, second differences).

    Args:
        table: what `clear_looks` gives.
        n_parcels: number of parcels its `parcel` column counts through.
        chunk: parcels a step.
        column: what is smoothed.

    Yields:
        curves of `chunk` parcels at a time, in order; nothing for an empty table.
    """
    if not len(table):
        return
    parcel, day = table["parcel"].to_numpy(), table["day"].to_numpy()
    first_day, last_day = int(day.min()), int(day.max())
    value, weight = table[column].to_numpy(), table["clear_share"].to_numpy()
    edges = np.searchsorted(parcel, np.arange(n_parcels + 1))
    for start in range(0, n_parcels, chunk):
        stop = min(start + chunk, n_parcels)
        rows = slice(int(edges[start]), int(edges[stop]))
        shape = (stop - start, last_day - first_day + 1)
        cell = (parcel[rows] - start) * shape[1] + day[rows] - first_day
        size = shape[0] * shape[1]
        weights = np.bincount(cell, weights=weight[rows], minlength=size).reshape(shape)
        pulls = np.bincount(cell, weights=weight[rows] * value[rows], minlength=size).reshape(shape)
        raw = np.divide(pulls, weights, out=np.full(shape, np.nan), where=weights > 0)
        before = np.full(shape, -1, dtype="int64")
        before.ravel()[cell] = np.arange(rows.start, rows.stop)
        after = np.where(before < 0, len(table), before)
        before = np.maximum.accumulate(before, axis=1)
        after = np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
        inside = (before >= 0) & (after < len(table))
        after = np.concatenate([after[:, 1:], np.full((shape[0], 1), len(table))], axis=1)  # strictly after the day
        counts = edges[start + 1 : stop + 1] - edges[start:stop]
        # Two looks on different days make the system solvable; the parcels below the bar are emptied afterwards.
        enough = (counts >= MIN_CURVE_LOOKS) & ((weights > 0).sum(axis=1) >= 2)
        weights[~enough] = 1.0
        curve = np.ascontiguousarray(_whittaker(weights.astype(np.float64).T, pulls.astype(np.float64).T).T)
        lows = np.full(shape[0], np.inf)
        highs = np.full(shape[0], -np.inf)
        np.minimum.at(lows, parcel[rows] - start, value[rows])
        np.maximum.at(highs, parcel[rows] - start, value[rows])
        curve = np.clip(curve, lows[:, None], highs[:, None])  # no overshoot in long gaps
        curve[~(inside & enough[:, None])] = np.nan
        yield Curves(slice(start, stop), first_day, curve, raw, before, np.where(after >= len(table), -1, after))


def _whittaker(
    weights: npt.NDArray[np.float64], pulls: npt.NDArray[np.float64], smoothness: float = SMOOTHNESS
) -> npt.NDArray[np.float64]:
    """Solve (W + s D'D) z = W y for all parcels at once, D = second differences: LDL' of five bands, (day, parcel)."""
    n = len(weights)
    main = np.full(n, 6.0)
    side = np.full(n, -4.0)
    if n < 3:  # no second difference: what was seen is all there is
        return np.divide(pulls, weights, out=np.zeros_like(pulls), where=weights > 0)
    if n == 3:
        main[:], side[:] = (1, 4, 1), (-2, -2, 0)
    else:
        main[[0, 1, -2, -1]] = 1, 5, 5, 1
        side[[0, -2, -1]] = -2, -2, 0
    diagonal, one, two, solution = (np.zeros_like(weights) for _ in range(4))
    for i in range(n):
        d, e, u = weights[i] + smoothness * main[i], np.full_like(weights[i], smoothness * side[i]), pulls[i].copy()
        if i >= 1:
            d = d - one[i - 1] ** 2 * diagonal[i - 1]
            e = e - one[i - 1] * two[i - 1] * diagonal[i - 1]
            u -= one[i - 1] * solution[i - 1]
        if i >= 2:
            d = d - two[i - 2] ** 2 * diagonal[i - 2]
            u -= two[i - 2] * solution[i - 2]
        diagonal[i], one[i], solution[i] = d, e / d, u
        if i < n - 2:
            two[i] = smoothness / d
    solution /= diagonal
    for i in range(n - 2, -1, -1):
        solution[i] -= one[i] * solution[i + 1]
        if i < n - 2:
            solution[i] -= two[i] * solution[i + 2]
    return solution
