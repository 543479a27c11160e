# SPDX-License-Identifier: Apache-2.0
"""Labelled tables: parcels with dates of mean reflectance, and points in dekads or months."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.errors import InputError
from acreline.model.series import LabelledSeries
from acreline.thermal import Temperatures, step_temperatures
from acreline.trial.tasks import NOT_SCORED, look_up, read_codes
from acreline.trial.times import harvest_year_of

BANDS_L1C = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
BANDS_POINTS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
PARCEL_CODES, POINT_CODES = "bavaria-nc", "worldcereal-ewoc"
SCALE = 10_000
NO_DATA = 65535
LEAST_SCALED = 2.0
"""Reflectance x 10000 is above it wherever anything was seen; a share of 1 hardly ever is."""
TEMPERATURE = "AGERA5-TMEAN"
DEKAD_DAYS = 16
"""Steps of up to so many days are dekads, longer ones are months."""
BLOCK_M = 1000
"""Parcels whose centres lie in one square of this size are never parted."""


def csv_columns(path: Path) -> list[str]:
    """Names in the first line of a CSV table."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            return [name.strip().strip('"') for name in stream.readline().split(",")]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}", hint="give a CSV table in UTF-8") from error


def parquet_columns(path: Path) -> list[str]:
    """Column names of a parquet file."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        return list(pq.read_schema(path).names)
    except (OSError, ArrowException) as error:
        raise InputError(f"{path.name}: not a parquet file: {error}", hint="restore the file") from error


def refuse_ndvi(path: Path) -> NoReturn:
    """A table of NDVI alone is known, and no model reads it."""
    raise InputError(
        f"{path.name}: holds NDVI only, and no model card says that it reads NDVI series",
        hint="choose data with reflectance bands: parcels, points or squares",
    )


def read_parcel_table(path: Path, labels: Path | None = None) -> LabelledSeries:
    """Parcels by date: id, Date, NC, B1_mean ... B12_mean, top of atmosphere x 10000.

    Args:
        path: the CSV table; a column `label` names the crop and wins over the code, others are left alone.
        labels: GeoJSON with `id` and `label`, and where it has them `area_ha` and outlines: names then win over codes.

    Raises:
        InputError: columns are missing, or a value is no number or date.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}", hint="give a CSV table in UTF-8") from error
    columns = {f"B{band.removeprefix('B').removeprefix('0')}_mean": band for band in BANDS_L1C}
    _need(path, table.columns, ("id", "Date", "NC", *columns))
    table["Date"] = _days(path, table["Date"])
    bands = _numbers(path, table[list(columns)])
    if table.empty:
        raise InputError(f"{path.name}: has no rows", hint="give labelled parcels")
    _refuse_first(path, table["id"], table["id"].isna(), "names no parcel", "each row names its parcel")
    twice = _twice(table["id"], table["Date"])
    ids, times, values = _cube(table["id"].astype(str), table["Date"], (bands.to_numpy() / SCALE).astype(np.float32))
    codes = table.assign(id=table["id"].astype(str)).groupby("id")["NC"].first().reindex(ids)
    code = _codes(codes)
    name, slug, group = look_up(PARCEL_CODES, code)
    cell, size, notes = ids, None, ("no places are given: each parcel stands for itself in the intervals",)
    if "label" in table.columns:
        words = table.assign(id=table["id"].astype(str)).groupby("id")["label"].first().reindex(ids)
        named = {str(key): "" if word != word else str(word) for key, word in words.items()}
        name, slug, group = _by_name(named, name, slug, group)
    if labels is not None:
        named, size, places = read_label_file(labels, ids)
        name, slug, group = _by_name(named, name, slug, group)
        notes = (f"labels and areas from {labels.name}",)
        if places is not None:
            cell = places
    return LabelledSeries(
        "A", path.name, "L1C", harvest_year_of(times), BANDS_L1C, times, values, ids, code, name, slug, group, cell,
        size, notes=(*notes, *twice),
    )  # fmt: skip


def find_labels(path: Path) -> Path | None:
    """A GeoJSON beside a parcel table that names most of its ids; None where there is none."""
    ids = set(pd.read_csv(path, usecols=["id"])["id"].astype(str)) if "id" in csv_columns(path) else set()
    for file in sorted(path.parent.glob("*.geojson")):
        try:
            rows = [feature["properties"] for feature in json.loads(file.read_text(encoding="utf-8"))["features"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # somebody else's file
        known = {str(row["id"]) for row in rows if row and "id" in row and "label" in row}
        if ids and 2 * len(ids & known) >= len(ids):
            return file
    return None


def read_label_file(
    path: Path, ids: npt.NDArray[np.str_]
) -> tuple[dict[str, str], npt.NDArray[np.float64] | None, npt.NDArray[np.str_] | None]:
    """Names, areas (m2) and places (blocks of 1 km) of parcels from a GeoJSON.

    Raises:
        InputError: it cannot be read, has no `id` and `label`, or names none of the parcels.
    """
    import geopandas as gpd

    try:
        table = gpd.read_file(path)  # type: ignore[no-untyped-call]
    except Exception as error:  # GDAL raises its own
        raise InputError(f"{path.name}: cannot be read: {error}", hint="give a GeoJSON with id and label") from error
    _need(path, table.columns, ("id", "label"))
    table = table.assign(id=table["id"].astype(str)).drop_duplicates("id").set_index("id").reindex(ids)
    named = {key: str(label) for key, label in table["label"].dropna().items()}
    if not named:
        raise InputError(f"{path.name}: names none of the parcels of the table", hint="join both on the column id")
    size = table["area_ha"].to_numpy(np.float64) * 10_000 if "area_ha" in table.columns else None
    places = None
    if bool(table.geometry.notna().any()):
        centres = table.geometry.to_crs(table.geometry.estimate_utm_crs()).centroid
        places = np.array(
            [
                key if point is None or point.is_empty else f"{point.x // BLOCK_M:.0f}_{point.y // BLOCK_M:.0f}"
                for key, point in zip(ids.tolist(), centres, strict=True)
            ]
        )
    named_in_order = {str(key): named.get(str(key), "") for key in ids.tolist()}
    return named_in_order, size, places


def read_point_table(path: Path) -> LabelledSeries:
    """Points by dekad or month: sample_id, timestamp, ewoc_code, S2-L2A-Bxx, surface reflectance x 10000.

    65535 and 0 are no data. B8A is taken where it holds data. A composite's time is put in the middle of its step. Mean
    temperatures (AGERA5-TMEAN, K x 100) are taken where they are there, as means over squares of one degree.

    Raises:
        InputError: columns are missing, or the points are of several harvest years.
    """
    columns = parquet_columns(path)
    _need(path, columns, ("sample_id", "timestamp", "ewoc_code", *(f"S2-L2A-{band}" for band in BANDS_POINTS)))
    extra = [
        name for name in ("S2-L2A-B8A", "lon", "lat", "cell", "year", "valid_time", TEMPERATURE) if name in columns
    ]
    read = ["sample_id", "timestamp", "ewoc_code", *(f"S2-L2A-{band}" for band in BANDS_POINTS), *extra]
    table = pd.read_parquet(path, columns=read)
    if table.empty:
        raise InputError(f"{path.name}: has no rows", hint="give labelled points")
    _refuse_first(path, table["sample_id"], table["sample_id"].isna(), "names no point", "each row names its point")
    bands: tuple[str, ...] = BANDS_POINTS
    if "S2-L2A-B8A" in extra and bool((table["S2-L2A-B8A"] != NO_DATA).any()):
        bands = (*BANDS_POINTS[:7], "B8A", *BANDS_POINTS[7:])
    raw = _numbers(path, table[[f"S2-L2A-{band}" for band in bands]]).to_numpy()
    share = np.where((raw == NO_DATA) | (raw <= 0), np.float32("nan"), raw / np.float32(SCALE))
    days = _days(path, table["timestamp"])
    ids, times, values = _cube(table["sample_id"].astype(str), days, share)
    first = table.assign(sample_id=table["sample_id"].astype(str)).drop_duplicates("sample_id").set_index("sample_id")
    first = first.reindex(ids)
    code = _codes(first["ewoc_code"])
    name, slug, group = look_up(POINT_CODES, code)
    temperatures: tuple[Temperatures, ...] = ()
    zone: npt.NDArray[np.int64] | None = None
    if TEMPERATURE in extra:
        kelvin = table[[TEMPERATURE]].to_numpy(np.float32)
        celsius = np.where((kelvin == NO_DATA) | (kelvin <= 0), np.float32("nan"), kelvin / 100 - np.float32(273.15))
        felt = _cube(table["sample_id"].astype(str), days, celsius)[2][:, :, 0]
        temperatures, zone = zone_temperatures(times, felt, first)
    step = np.median(np.diff(times)) if len(times) > 1 else np.timedelta64(0, "s")
    step_days = float(step / np.timedelta64(86400, "s"))
    return LabelledSeries(
        "B" if step_days <= DEKAD_DAYS else "series", path.name, "L2A", _years(path, first, times), bands,
        times + (step / 2).astype("timedelta64[s]"), values, ids, code, name, slug, group, _cells(first, ids),
        notes=(
            f"composites of {step_days:.0f} days, each put in the middle of its step",
            *_twice(table["sample_id"], days),
        ),
        temperatures=temperatures, zone=zone,
    )  # fmt: skip


def zone_temperatures(
    starts: npt.NDArray[np.datetime64], felt_c: npt.NDArray[np.float32], first: pd.DataFrame
) -> tuple[tuple[Temperatures, ...], npt.NDArray[np.int64] | None]:
    """Temperatures of samples -> of squares of one degree, and the square of each sample.

    Args:
        starts: datetime64 (step,), first day of each step.
        felt_c: (n, step): mean temperature, degrees C; NaN = not known.
        first: one row for each sample; without `lon` and `lat` all samples lie in one square.

    Returns:
        nothing where no temperature is known; a square without any has the mean of all.
    """
    known = np.isfinite(felt_c)
    if not known.any():
        return (), None
    place = np.zeros((len(felt_c), 2))
    if {"lon", "lat"} <= set(first.columns):
        place = np.floor(first[["lon", "lat"]].to_numpy(np.float64))
    names, zone = np.unique(place, axis=0, return_inverse=True)
    zone = zone.ravel().astype(np.int64)
    sums, counts = np.zeros((len(names), len(starts))), np.zeros((len(names), len(starts)))
    np.add.at(sums, zone, np.where(known, felt_c, 0))
    np.add.at(counts, zone, known)
    whole = np.where(counts.sum(axis=0) > 0, sums.sum(axis=0) / np.maximum(counts.sum(axis=0), 1), np.nan)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    means[~counts.any(axis=1)] = whole
    return tuple(step_temperatures(starts, one) for one in means), zone


def _need(path: Path, columns: Sequence[Any] | pd.Index[Any], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in set(columns)]
    if missing:
        raise InputError(
            f"{path.name}: the columns {', '.join(missing)} are missing", hint="see data/README.md for the format"
        )


def _days(path: Path, column: pd.Series[Any]) -> pd.Series[Any]:
    """Days of a column, without a zone.

    Raises:
        InputError: one is no date; the message has its row and what stands there.
    """
    given = column if pd.api.types.is_datetime64_any_dtype(column) else column.astype(str)
    days = pd.to_datetime(given, format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
    _refuse_first(path, column, days.isna(), "is not a date", "dates as 2018-06-15")
    return days


def _numbers(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Columns as numbers; what is empty stays empty.

    Raises:
        InputError: one is no number, and the message has its column, its row and what stands there; or all are far too
            small for reflectance x 10000.
    """
    out = {}
    for name, column in table.items():
        out[name] = pd.to_numeric(column, errors="coerce").astype(np.float32)
        _refuse_first(
            path, column, out[name].isna() & column.notna(), "is not a number", "reflectance x 10000 as numbers"
        )
    most = max(float(column.max()) for column in out.values())
    if 0 < most <= LEAST_SCALED:
        raise InputError(
            f"{path.name}: the highest reflectance is {most:g}: these look like shares of 1",
            hint="give reflectance x 10000, as data/README.md says",
        )
    return pd.DataFrame(out)


def _refuse_first(path: Path, column: pd.Series[Any], bad: pd.Series[bool], what: str, hint: str) -> None:
    if bad.any():
        row = int(np.flatnonzero(bad.to_numpy())[0])
        raise InputError(f"{path.name}: {column.name}, row {row + 1}: {str(column.iloc[row])!r} {what}", hint=hint)


def _twice(ids: pd.Series[Any], days: pd.Series[Any]) -> tuple[str, ...]:
    """A note where rows of one sample bear the same date."""
    count = int(pd.DataFrame({"id": ids, "day": days}).duplicated().sum())
    return (f"{count:,} rows repeat a sample and date: the first of each is taken",) if count else ()


def _cube(
    ids: pd.Series[Any], times: pd.Series[Any], values: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.datetime64], npt.NDArray[np.float32]]:
    """Long rows -> ids, times and (n, time, band); NaN where there is no row; of two rows for one date the first."""
    names, row = np.unique(ids.to_numpy().astype(str), return_inverse=True)
    days, column = np.unique(times.to_numpy("datetime64[s]"), return_inverse=True)
    out = np.full((len(names), len(days), values.shape[1]), np.nan, np.float32)
    out[row[::-1], column[::-1]] = values[::-1]
    return names, days, out


def _codes(column: pd.Series[Any]) -> npt.NDArray[np.int64]:
    """Codes as numbers, with or without the dashes that some tables put between their levels; 0 = none given."""
    text = column.astype(str).str.replace("-", "", regex=False)
    codes: npt.NDArray[np.int64] = pd.to_numeric(text, errors="coerce").fillna(0).to_numpy().astype(np.int64)
    return codes


def _by_name(named: dict[str, str], *coded: npt.NDArray[np.str_]) -> tuple[npt.NDArray[np.str_], ...]:
    """Name, slug and group of each parcel: by the name its owner gave; a name that no code bears is not scored."""
    listed = {code.name: code for code in read_codes(PARCEL_CODES).values()}
    out = [array.astype(object) for array in coded]
    for at, label in enumerate(named.values()):
        if label in listed:
            out[0][at], out[1][at], out[2][at] = label, listed[label].slug, listed[label].group
        elif label:
            out[2][at] = NOT_SCORED
    return tuple(array.astype(str) for array in out)


def _years(path: Path, first: pd.DataFrame, times: npt.NDArray[np.datetime64]) -> int:
    """The one harvest year of all points."""
    if "year" in first:
        years = pd.to_numeric(first["year"], errors="coerce")
        if years.isna().any():
            odd = str(first["year"][years.isna()].iloc[0])
            raise InputError(f"{path.name}: year: {odd!r} is not a year", hint="the year of the harvest, as 2023")
        years = years.astype(int)
    elif "valid_time" in first:
        years = pd.to_datetime(first["valid_time"]).dt.year
    else:
        return harvest_year_of(times)
    found = sorted(set(years.tolist()))
    if len(found) > 1:
        raise InputError(
            f"{path.name}: points of the harvest years {', '.join(map(str, found))}", hint="give one file for each year"
        )
    return int(found[0])


def _cells(first: pd.DataFrame, ids: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """Cells of 0.1 degree."""
    if {"lon", "lat"} <= set(first.columns):
        return np.array(
            [f"{np.floor(x * 10):.0f}_{np.floor(y * 10):.0f}" for x, y in zip(first["lon"], first["lat"], strict=True)]
        )
    return first["cell"].astype(str).to_numpy().astype(str) if "cell" in first else ids
