# SPDX-License-Identifier: Apache-2.0
"""The region's daily weather, checked day by day: a wrong day is refused, never averaged in."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import InputError
from acreline.layers import Weather

if TYPE_CHECKING:
    import pandas as pd

POSSIBLE: dict[str, tuple[float, float]] = {
    # World records with a margin: WMO Weather and Climate Extremes Archive (-89.2 and 56.7 degC, 1825 mm in a day);
    # radiation: clear-sky sum at the top of the atmosphere stays below 46 MJ/m2 (FAO-56, eq. 21).
    "tmin_c": (-90.0, 60.0),
    "tmean_c": (-90.0, 60.0),
    "tmax_c": (-90.0, 60.0),
    "rain_mm": (0.0, 2000.0),
    "radiation_mj_per_m2": (0.0, 50.0),
}
COLUMNS = ("date", *POSSIBLE)


def read_weather(path: Path | None, *, as_of: date) -> Weather | None:
    """Read the daily weather table, as far as it was known on a day.

    Args:
        path: CSV or Parquet with the columns date (YYYY-MM-DD), tmin_c, tmean_c, tmax_c, rain_mm and
            radiation_mj_per_m2, one row for each day, no day missing; other columns are left out. None: no weather.
        as_of: rows after this day are not looked at, so that later corrections cannot change an old answer.

    Returns:
        the days up to `as_of` in order, `date` as datetime64[ns]; None without a path.

    Raises:
        InputError: the file cannot be read, a column lacks, or a day is missing, stands twice or cannot be true; the
            message names the file and the first such day.
    """
    if path is None:
        return None
    import numpy as np
    import pandas as pd

    table = _read(path)
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        raise _bad(path, f"columns {', '.join(lacking)} are missing, found {', '.join(map(str, table.columns))}")
    days = _days(table["date"], path)
    table = table.assign(date=days).loc[days <= pd.Timestamp(as_of), list(COLUMNS)]
    table = table.sort_values("date", kind="stable").reset_index(drop=True)
    if table.empty:
        raise _bad(path, f"no day up to {as_of}")

    steps = np.diff(table["date"].to_numpy()).astype("timedelta64[D]").astype(int)
    twice, gap = np.flatnonzero(steps == 0), np.flatnonzero(steps > 1)
    if twice.size:
        raise _bad(path, f"{table['date'][twice[0]]:%Y-%m-%d} stands twice")
    if gap.size:
        after, before = table["date"][gap[0]], table["date"][gap[0] + 1]
        raise _bad(path, f"no row between {after:%Y-%m-%d} and {before:%Y-%m-%d}")

    for name, (low, high) in POSSIBLE.items():
        found = pd.to_numeric(table[name], errors="coerce").astype("float64")
        wrong = np.flatnonzero(~((found >= low) & (found <= high)).to_numpy())
        if wrong.size:
            k = wrong[0]
            raise _bad(
                path, f"{table['date'][k]:%Y-%m-%d}: {name} is {table[name][k]}, possible is {low:g} to {high:g}"
            )
        table[name] = found
    crossed = np.flatnonzero(
        ~((table["tmin_c"] <= table["tmean_c"]) & (table["tmean_c"] <= table["tmax_c"])).to_numpy()
    )
    if crossed.size:
        bad = table.iloc[crossed[0]]
        raise _bad(
            path,
            f"{bad['date']:%Y-%m-%d}: tmin_c {bad['tmin_c']:g}, tmean_c {bad['tmean_c']:g}, tmax_c {bad['tmax_c']:g} "
            "do not rise",
        )
    return Weather(table, path.name)


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, encoding="utf-8-sig", dtype={"date": "string"}, skipinitialspace=True)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", hint="check `weather:` in the region file") from error
    except (OSError, UnicodeDecodeError, ValueError, pa.ArrowException) as error:
        raise _bad(path, f"cannot be read as {'Parquet' if path.suffix == '.parquet' else 'CSV'}") from error


def _days(column: pd.Series[Any], path: Path) -> pd.Series[Any]:
    """Days at midnight without a zone; only YYYY-MM-DD is taken from text, since 03/04 means two days."""
    import pandas as pd

    texts = column.astype("string") if column.dtype.kind != "M" else column.dt.strftime("%Y-%m-%d")
    days = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce").astype("datetime64[ns]")
    if days.isna().any():
        k = int(days.isna().to_numpy().argmax())
        raise _bad(path, f"row {k + 1}: date {column.iloc[k]!r} is not YYYY-MM-DD")
    return days


def _bad(path: Path, what: str) -> InputError:
    return InputError(
        f"{path}: {what}", hint="one row a day: date,tmin_c,tmean_c,tmax_c,rain_mm,radiation_mj_per_m2 (YYYY-MM-DD)"
    )
