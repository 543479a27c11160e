# SPDX-License-Identifier: Apache-2.0
"""What is known of a region beside its pictures, from files: harvest statistics, reported events, usual years."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.config import Crop
from acreline.errors import InputError
from acreline.layers import Parcels
from acreline.sheets import days, held, numbers, read_sheet, refuse_nameless, refuse_row, refuse_unknown

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

STATISTIC_COLUMNS = ("crop", "year", "yield_kg_per_ha", "relative_error", "source", "valid_from")
EVENT_COLUMNS = ("event", "start", "end")
EVENT_TEXT = ("start", "end", "valid_from", "parcel_id")
NORMAL_COLUMNS = ("crop", "week", "ndvi", "ndvi_sd", "years")
TABLES = (".csv", ".parquet")
LEAST_SHARE = 0.01
"""Of a parcel inside a reported outline: less is an edge that was drawn roughly."""


def read_statistics(
    path: Path | None, crops: Mapping[str, Crop], *, as_of: date, county: str | None = None
) -> dict[str, tuple[float, float]] | None:
    """Read the region's harvest statistics, as far as they were published on a day.

    Of a crop that figure counts whose harvest is the newest among those published by the day, whenever it was
    published; of several figures of one harvest, a first estimate and its revision, the one published last. A figure of
    the county itself goes before one of the whole land, be it older.

    Args:
        path: CSV or Parquet with `STATISTIC_COLUMNS`: crop (slug), year of the harvest, yield_kg_per_ha,
            relative_error (one standard deviation, as a share, of what the county's mean may differ by), source (who
            says so), valid_from (YYYY-MM-DD, the day of publication); and where it tells of several counties, county
            (empty: the whole land). None: no statistics.
        crops: that are known; the region's own and the packaged ones.
        as_of: what was published later takes no part.
        county: whose rows count beside those of the whole land; None: only those of the whole land.

    Returns:
        crop -> (yield in kg/ha, relative error); empty where nothing was published by the day, which the log says; None
        without a path.

    Raises:
        InputError: the file cannot be read, lacks columns, names no crop or a number that cannot be true, gives two
            figures of one day, or has no row of the county nor of the whole land.
    """
    if path is None:
        return None
    table = read_sheet(path, "statistics", STATISTIC_COLUMNS)
    refuse_unknown(path, table, "crop", crops, "see `acreline list crops`")
    figures = {
        "year": numbers(path, table, "year", low=1900, high=2200),
        "yield_kg_per_ha": numbers(path, table, "yield_kg_per_ha", low=0, high=1e6, above=True),
        "relative_error": numbers(path, table, "relative_error", low=0, high=2, above=True),
        "day": days(path, table, "valid_from"),
        "county": table["county"].fillna("").str.strip() if "county" in table else "",
    }
    refuse_nameless(path, table)
    told = table.assign(**figures)
    twice = told.duplicated(["crop", "county", "year", "day"])
    if twice.any():
        row, again = int(twice.to_numpy().argmax()), told[twice].iloc[0]
        raise InputError(
            f"{path}, row {row + table.attrs['first']}: a second figure for {again['crop']} of {again['year']:.0f}, "
            f"published on {again['day']:%Y-%m-%d} too",
            hint="keep one of them; a figure that was mended later has a later valid_from",
        )
    mine = told[told["county"].isin(["", county or ""])]
    if mine.empty and len(told):
        raise InputError(
            f"{path}: no figure of {'the whole land' if county is None else f'county {county!r}'}",
            hint=f"set `county:` in the region file to one of {', '.join(sorted(set(told['county'])))}",
        )
    newest = held(path, mine, mine["day"], as_of=as_of)
    newest = newest.assign(own=newest["county"] != "").sort_values(["own", "year", "day"], kind="stable")
    return {
        str(row["crop"]): (float(row["yield_kg_per_ha"]), float(row["relative_error"]))
        for row in newest.drop_duplicates("crop", keep="last").sort_values("crop").to_dict("records")
    }


def read_known_events(path: Path | None, parcels: Parcels, kinds: Sequence[str], *, as_of: date) -> pd.DataFrame | None:
    """Read events that were reported: a table by parcel, or outlines that are crossed with the parcels.

    Args:
        path: CSV or Parquet with event, start, end (YYYY-MM-DD) and parcel_id (empty: the whole region); or polygons
            with the properties event, start and end, in any vector file with a reference system. Either may say since
            when a report was known, valid_from (YYYY-MM-DD); empty or missing: since the event's end, which no one
            could state before. None: no reports.
        parcels: the region's, lon/lat.
        kinds: of event that are known.
        as_of: a report that was known later takes no part; how many is said in the log.

    Returns:
        one row per (report, parcel): parcel_id (missing: the whole region), event, start, end, share of the parcel
        inside the outline (1 from a table); None without a path. Outlines that meet no parcel are counted in the log.

    Raises:
        InputError: the file cannot be read or lacks columns or a reference system, an outline is no area, an event is
            not known, a parcel is not in the farm file, an event ends before it starts, or was known before it began.
    """
    if path is None:
        return None
    import pandas as pd

    if path.suffix in TABLES:
        table = read_sheet(path, "known_events", EVENT_COLUMNS, text=EVENT_TEXT)
        if "parcel_id" not in table:
            table["parcel_id"] = None
        table["parcel_id"] = table["parcel_id"].astype("string")
        lost = table["parcel_id"].notna() & ~table["parcel_id"].isin(parcels["parcel_id"].astype("string"))
        if lost.any():
            name = table["parcel_id"][lost].iloc[0]
            raise InputError(
                f"{path}: parcel {name!r} is not in the farm file", hint="leave parcel_id empty for the whole region"
            )
        table["share"] = 1.0
    else:
        table = _outlines(path)
    for row, name in enumerate(table["event"], start=1):
        if name not in kinds:
            close = difflib.get_close_matches(str(name), list(kinds), n=1, cutoff=0.5)
            nearest = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(
                f"{path}, report {row}: event {name!r} is not known", hint=f"{nearest}known: {', '.join(kinds)}"
            )
    for name in ("start", "end"):
        table[name] = _days(table[name], path, name)
    turned = table["end"] < table["start"]
    if turned.any():
        raise InputError(
            f"{path}, report {int(turned.to_numpy().argmax()) + 1}: ends before it starts", hint="check start and end"
        )
    since = _known_since(table, path)
    early = since < table["start"]
    if early.any():
        raise InputError(
            f"{path}, report {int(early.to_numpy().argmax()) + 1}: valid_from lies before its start",
            hint="valid_from is the day since which the report is known",
        )
    later = since > pd.Timestamp(as_of)
    if later.any():
        log.info("%d of %d reported events were not known on %s", int(later.sum()), len(table), as_of)
    table = table[~later]
    if "geometry" in table:
        table = _cross(table, parcels)
    told: pd.DataFrame = table[["parcel_id", "event", "start", "end", "share"]].reset_index(drop=True)
    return told


def _known_since(table: pd.DataFrame, path: Path) -> Any:
    """The day since which each report is known: its valid_from, else the end of the event."""
    if "valid_from" not in table:
        return table["end"]
    given = table["valid_from"].astype("string").str.strip()
    return _days(given.where(given.fillna("") != "", table["end"].dt.strftime("%Y-%m-%d")), path, "valid_from")


def read_normals(path: Path | None, *, harvest_year: int) -> pd.DataFrame | None:
    """Read the normals of earlier years, as `acreline normals` writes them.

    Args:
        path: CSV or Parquet with `NORMAL_COLUMNS`; `years` is `a|b` text of harvest years. None: no normals.
        harvest_year: of the region's season.

    Raises:
        InputError: the file cannot be read, lacks columns, does not say its years, holds the season that it is to be
            held against or a later one (not known then), a number that cannot be true, or a week of a crop twice.
    """
    if path is None:
        return None
    import pandas as pd

    table = read_sheet(path, "normals", NORMAL_COLUMNS, text=["years"])
    if table.empty:
        raise InputError(f"{path}: no row", hint="make it with `acreline normals RUN... --out FILE`")
    texts = table["years"].astype("string").fillna("").str.strip()
    strange = ~texts.str.fullmatch(r"\d{4}(\|\d{4})*")
    refuse_row(path, table, strange, "years", "harvest years such as 2016|2017")
    years = {int(year) for text in set(texts) for year in text.split("|")}
    if harvest_year in years:
        raise InputError(
            f"{path}: the normals hold {harvest_year} itself", hint="make them from the runs of earlier years"
        )
    if max(years) > harvest_year:
        raise InputError(
            f"{path}: the normals hold {max(years)}, which was not known in {harvest_year}",
            hint="make them from the runs of earlier years",
        )
    for name, low, high in (("week", 1, 53), ("ndvi", -1, 1), ("ndvi_sd", 0, 1)):
        number = pd.to_numeric(table[name], errors="coerce")
        possible = (number >= low) & (number <= high) & ((name != "week") | (number % 1 == 0))
        refuse_row(path, table, ~possible, name, f"{low} to {high}")
    twice = table.duplicated(["crop", "week"])
    refuse_row(path, table, twice, "week", "each week of a crop once")
    return table


def _outlines(path: Path) -> Any:
    """Reported outlines in lon/lat."""
    import geopandas as gpd

    if not path.is_file():
        raise InputError(f"{path}: no such file", hint="check `known_events:` in the region file")
    try:
        table = gpd.read_file(path)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise InputError(
            f"{path}: known_events cannot be read: {error}", hint="CSV, Parquet, GeoJSON or GeoPackage"
        ) from error
    if table.crs is None:
        raise InputError(f"{path}: no coordinate reference system", hint="write the file with its CRS, e.g. EPSG:4326")
    missing = [name for name in EVENT_COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: properties {missing} are missing; found {[name for name in table.columns if name != 'geometry']}",
            hint=f"each outline has {', '.join(EVENT_COLUMNS)}",
        )
    flat = ~table.geometry.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy(dtype=bool)
    if flat.any():
        row = int(flat.argmax())
        kind = "nothing" if table.geometry.isna().iloc[row] else table.geometry.geom_type.iloc[row]
        raise InputError(
            f"{path}, report {row + 1}: the outline is no area but {kind}", hint="draw a Polygon or MultiPolygon"
        )
    return table.to_crs("EPSG:4326")


def _cross(reports: Any, parcels: Parcels) -> pd.DataFrame:
    """Which parcels lie in which outline, and how much of them."""
    import numpy as np
    import pandas as pd
    import shapely

    outlines = shapely.make_valid(reports.geometry.to_numpy())
    drawn = np.array(parcels.geometry.to_numpy(), dtype=object)
    drawn[shapely.is_missing(drawn)] = shapely.Polygon()
    shapes = shapely.make_valid(drawn)
    report, parcel = shapely.STRtree(shapes).query(outlines, predicate="intersects")
    whole = shapely.area(shapes[parcel])
    inside = shapely.area(shapely.intersection(shapes[parcel], outlines[report]))
    share = np.divide(inside, whole, out=np.zeros_like(inside), where=whole > 0).clip(0, 1)
    hit = share >= LEAST_SHARE
    missed = len(reports) - len(np.unique(report[hit]))
    if missed:
        log.warning("%d of %d reported outlines meet no parcel", missed, len(reports))
    rows = pd.DataFrame(reports.drop(columns="geometry")).iloc[report[hit]].reset_index(drop=True)
    ids = parcels["parcel_id"].astype("string").to_numpy()[parcel[hit]]
    crossed: pd.DataFrame = rows.assign(parcel_id=pd.array(ids, dtype="string"), share=share[hit].round(4))
    return crossed


def _days(column: Any, path: Path, name: str) -> Any:
    """Days of reports, counted from 1 in messages."""
    import pandas as pd

    texts = column.dt.strftime("%Y-%m-%d") if column.dtype.kind == "M" else column.astype("string").str.slice(0, 10)
    days = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
    if days.isna().any():
        row = int(days.isna().to_numpy().argmax())
        raise InputError(f"{path}, row {row + 1}: {name} {column.iloc[row]!r} is no day", hint="write YYYY-MM-DD")
    return days
