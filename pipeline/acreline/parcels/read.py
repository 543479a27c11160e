# SPDX-License-Identifier: Apache-2.0
"""The farm file becomes parcels: every row comes out, in lon/lat, with one status and the reason for it.

A file that cannot be understood is refused whole; a bad row stays in the table as `rejected` or `degraded`, with a code
in `reason` and words in `detail`. Reasons of rejection, the first that holds: no_parcel_id, duplicate_id, no_farm_id,
no_geometry, not_a_polygon, too_detailed, invalid_geometry, no_area, absurd_area. Reasons of doubt, the gravest first:
overlapping_claim, overlaps_own_parcel, geometry_repaired, drawn_on_unreadable, declared_area_unreadable.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.doors import check_parcels
from acreline.errors import ConfigError, InputError
from acreline.geo import geodesic_area_m2
from acreline.layers import Parcels
from acreline.parcels.crs import place_on_earth
from acreline.parcels.files import FID, ParcelFile, open_parcel_file
from acreline.parcels.overlaps import find_overlaps
from acreline.privacy import refused_column
from acreline.units import M2_PER_UNIT, to_m2

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from acreline.config import ParcelSource

    Texts = npt.NDArray[np.object_]
    Flags = npt.NDArray[np.bool_]

log = logging.getLogger(__name__)

MAX_VERTICES = 100_000
MAX_AREA_M2 = 1e8
"""10,000 ha: no farm's field, but a county's outline or a slip of units."""
MIN_AREA_M2 = 1.0
REPAIR_TOLERANCE = 0.01
"""An outline whose area changes by more than this when repaired could have meant two different fields."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    # DKBM and CBFBM: plot code and contractor code of the Chinese register of contracted land (NY/T 2539).
    "parcel_id": ("parcel_id", "id", "parcel", "dkbm", "地块编码", "地块编号"),
    "farm_id": ("farm_id", "farm", "farmer_id", "household_id", "cbfbm", "承包方编码", "农户编号"),
    "declared_crop": ("declared_crop", "crop:name", "crop_name", "crop"),
    "declared_area": ("declared_area", *(f"declared_area_{unit}" for unit in M2_PER_UNIT)),
    "registry_area": ("registry_area", *(f"registry_area_{unit}" for unit in M2_PER_UNIT), "metrics:area"),
    "drawn_on": ("drawn_on",),
}
"""Our name -> names it goes by in files, the surest first; letters' case does not matter."""


def read_parcels(source: ParcelSource) -> Parcels:
    """Read the farm file, put every parcel where it lies, and say of each row whether it can be judged.

    Args:
        source: path, datum, and where needed layer, column names, unit of declared areas.

    Returns:
        One row per row of the file, sorted by parcel_id, then by row; EPSG:4326, 2D. `area_m2` is geodesic (NaN without
        an outline), `declared_area_m2` and `registry_area_m2` are NaN where not given, texts are None where missing.
        `drawn_on` (the day the outline was drawn, UTC midnight, NaT where missing) is there where the file has it.
        Rows without an id are named `row-<n>`, counted from 1.

    Raises:
        InputError: no such file, unreadable, no rows, no CRS, no id columns, coordinates outside what the CRS is for.
        ConfigError: `columns`, `crs` or `declared_area_unit` do not fit the file.
    """
    import geopandas as gpd
    import pandas as pd
    import shapely

    with open_parcel_file(source.path, source.layer) as file:
        chosen = choose_columns(file, source.columns)
        values, outlines, broken = file.read(list(chosen.values()))
    rows = len(outlines)
    verdict = _Verdict(rows)
    parcel_id = _ids(values[chosen["parcel_id"]], chosen["parcel_id"], file.name)
    farm_id = _ids(values[chosen["farm_id"]], chosen["farm_id"], file.name)
    nameless = _missing(parcel_id)
    parcel_id[nameless] = [f"row-{k + 1}" for k in np.flatnonzero(nameless)]
    verdict.reject(nameless, "no_parcel_id", f"no value in column {chosen['parcel_id']!r}")
    twice = pd.Series(parcel_id).duplicated(keep=False).to_numpy()
    verdict.reject(twice, "duplicate_id", "another row has the same id")
    homeless = _missing(farm_id)
    verdict.reject(homeless, "no_farm_id", f"no value in column {chosen['farm_id']!r}")
    farm_id[homeless] = parcel_id[homeless]  # a farm of its own, so that it too comes out with a decision

    _judge_shapes(outlines, broken, verdict)
    outlines = place_on_earth(outlines, file.crs, source, parcel_id, file.name)
    outlines, area_m2 = _repair(outlines, verdict)

    def area_of(ours: str) -> npt.NDArray[np.float64]:
        if ours not in chosen:
            return np.full(rows, np.nan)
        return _areas(values[chosen[ours]], chosen[ours], _unit(ours, chosen[ours], file, source), verdict)

    declared_m2, registry_m2 = area_of("declared_area"), area_of("registry_area")
    drawn_on = _days(values[chosen["drawn_on"]], chosen["drawn_on"], verdict) if "drawn_on" in chosen else None
    kept = np.flatnonzero(verdict.alive)
    found = find_overlaps(outlines[kept], area_m2[kept], parcel_id[kept], farm_id[kept])
    verdict.doubt(kept[found.row[~found.other_farm]], "overlaps_own_parcel", found.detail[~found.other_farm])
    verdict.doubt(kept[found.row[found.other_farm]], "overlapping_claim", found.detail[found.other_farm])

    crop = [None if value is None or not str(value).strip() else str(value) for value in _column(values, chosen, rows)]
    table = gpd.GeoDataFrame(
        {
            "farm_id": _texts(farm_id),
            "parcel_id": _texts(parcel_id),
            "area_m2": np.where(shapely.is_missing(outlines) | shapely.is_empty(outlines), np.nan, area_m2),
            "declared_crop": _texts(crop),
            "declared_area_m2": declared_m2,
            "registry_area_m2": registry_m2,
            "status": _texts(verdict.status),
            "reason": _texts(verdict.reason),
            "detail": _texts(verdict.detail),
        },
        geometry=list(outlines),
        crs="EPSG:4326",
    )
    if drawn_on is not None:
        table["drawn_on"] = drawn_on
    order = sorted(range(rows), key=lambda k: (parcel_id[k], k))
    log.info("%s: %d rows, %s", file.name, rows, table["status"].value_counts().sort_index().to_dict())
    return check_parcels(table.iloc[order])


# --- columns ------------------------------------------------------------------------------------------------------
def choose_columns(file: ParcelFile, mapping: Mapping[str, str]) -> dict[str, str]:
    """Which of the file's columns holds what: our name -> the file's name; the user's mapping wins over synonyms.

    Raises:
        ConfigError: the mapping uses a name that is not ours, or a person's name as farm id.
        InputError: it names a column the file lacks, or the file has no parcel or farm id.
    """
    named = refused_column(mapping.get("farm_id", ""))
    if named is not None:
        raise ConfigError(
            f"parcels.columns.farm_id: column {mapping['farm_id']!r} is {named.told()}",
            hint="name a column with the bank's own number for the farm: it stands in every table and page of a run",
        )
    for ours, theirs in mapping.items():
        if ours not in SYNONYMS:
            raise ConfigError(
                f"parcels.columns: unknown name {ours!r}",
                hint=f"{_nearest(ours, list(SYNONYMS))}known here: {', '.join(SYNONYMS)}",
            )
        if theirs not in file.columns and theirs != FID:
            raise InputError(
                f"{file.name}: has no column {theirs!r} for {ours}; it has {', '.join(file.columns) or 'none'}",
                hint=f"{_nearest(theirs, list(file.columns))}mend parcels.columns.{ours}",
            )
    chosen = {**guess_columns(file), **mapping}
    for ours in ("parcel_id", "farm_id"):
        if ours not in chosen:
            raise InputError(
                f"{file.name}: no column for {ours}; it has {', '.join(file.columns) or 'none'}",
                hint=f"name it in the region file: parcels: {{columns: {{{ours}: <column>}}}} "
                f"(`{FID}` is the file's own row number)",
            )
    return chosen


def guess_columns(file: ParcelFile) -> dict[str, str]:
    """The columns whose names leave no doubt: our name -> the file's name."""
    by_lower = {name.lower(): name for name in reversed(file.columns)}
    chosen = {
        ours: next(by_lower[name] for name in names if name in by_lower)
        for ours, names in SYNONYMS.items()
        if any(name in by_lower for name in names)
    }
    if file.older_fiboa and "area" in file.columns:
        chosen.setdefault("registry_area", "area")
    return chosen


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? " if close else ""


def _unit(ours: str, column: str, file: ParcelFile, source: ParcelSource) -> str:
    """Unit of an area column: its own name says it, fiboa says it, or the region file must."""
    last = column.lower().rpartition("_")[2]
    if last in M2_PER_UNIT:
        if ours == "declared_area" and source.declared_area_unit not in (None, last):
            raise ConfigError(
                f"{file.name}: column {column!r} says {last}, parcels.declared_area_unit says "
                f"{source.declared_area_unit}",
                hint="remove declared_area_unit, or rename the column",
            )
        return last
    if column == "metrics:area":
        return "m2"
    if column == "area" and file.older_fiboa:
        return "ha"
    if source.declared_area_unit is None:
        raise ConfigError(
            f"{file.name}: column {column!r} is an area without a unit",
            hint=f"set parcels.declared_area_unit to one of {', '.join(M2_PER_UNIT)}",
        )
    return source.declared_area_unit


# --- values -------------------------------------------------------------------------------------------------------
def _ids(values: Sequence[Any], column: str, name: str) -> Texts:
    """Ids as exact text; None where missing or blank. Refuses numbers that have lost digits."""
    ids = np.full(len(values), None, dtype=object)
    for k, value in enumerate(values):
        if value is None or isinstance(value, str):
            ids[k] = value if value and value.strip() else None
        elif isinstance(value, float) and value != value:
            ids[k] = None
        elif isinstance(value, int) and not isinstance(value, bool):
            ids[k] = str(value)
        elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            ids[k] = str(int(value))
        else:
            raise InputError(
                f"{name}: column {column!r} cannot be an id: row {k + 1} holds {type(value).__name__} {value!r}",
                hint="store ids as text: a fraction or a very long number has no exact form",
            )
    return ids


def _areas(values: Sequence[Any], column: str, unit: str, verdict: _Verdict) -> npt.NDArray[np.float64]:
    """Square metres from a column of areas; NaN where none is given, and a doubt where it cannot be one."""
    areas = np.full(len(values), np.nan)
    odd = np.zeros(len(values), dtype=bool)
    for k, value in enumerate(values):
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            odd[k] = True
            continue
        if np.isfinite(number) and number > 0:
            areas[k] = to_m2(number, unit)
        else:
            odd[k] = not np.isnan(number)
    verdict.doubt(np.flatnonzero(odd), "declared_area_unreadable", f"column {column!r} holds no area above zero")
    return areas


def _days(values: Sequence[Any], column: str, verdict: _Verdict) -> pd.Series[Any]:
    """UTC midnights from a column of days; NaT where none is given, and a doubt where it cannot be one."""
    import pandas as pd

    days: list[date | None] = [None] * len(values)
    odd = np.zeros(len(values), dtype=bool)
    for k, value in enumerate(values):
        if value is None or (isinstance(value, str) and not value.strip()) or value is pd.NaT:
            continue
        if isinstance(value, date):
            days[k] = value.date() if isinstance(value, datetime) else value
            continue
        try:
            days[k] = datetime.fromisoformat(str(value).strip().replace("/", "-")).date()
        except ValueError:
            odd[k] = True
    verdict.doubt(np.flatnonzero(odd), "drawn_on_unreadable", f"column {column!r} holds no day such as 2025-06-01")
    return pd.Series(pd.to_datetime(pd.Series(days, dtype=object), utc=True)).astype("datetime64[ms, UTC]")


def _column(values: Mapping[str, list[Any]], chosen: Mapping[str, str], rows: int) -> list[Any]:
    return values[chosen["declared_crop"]] if "declared_crop" in chosen else [None] * rows


def _missing(texts: Texts) -> Flags:
    return np.array([text is None for text in texts], dtype=bool)


def _texts(values: Sequence[Any] | Texts) -> Any:
    """A column of text and None: pandas would make a None of its own text type into NaN, which counts as true."""
    import pandas as pd

    return pd.Series(np.array(values, dtype=object), dtype=object)


# --- outlines -----------------------------------------------------------------------------------------------------
class _Verdict:
    """Status, reason and detail of every row while they are found: the first rejection stands, doubts add up."""

    def __init__(self, rows: int) -> None:
        self.status = np.full(rows, "ok", dtype=object)
        self.reason = np.full(rows, None, dtype=object)
        self.detail = np.full(rows, None, dtype=object)

    @property
    def alive(self) -> Flags:
        return np.asarray(self.status != "rejected", dtype=bool)

    def reject(self, rows: Flags, reason: str, detail: str | Texts) -> None:
        hit = rows & self.alive
        self.status[hit] = "rejected"
        self.reason[hit] = reason
        self.detail[hit] = detail if isinstance(detail, str) else detail[hit]

    def doubt(self, rows: npt.NDArray[np.intp], reason: str, detail: str | Texts) -> None:
        """A doubt told later is graver: its code stands in front, all words are kept."""
        for k, row in enumerate(rows):
            if self.status[row] == "rejected":
                continue
            said = detail if isinstance(detail, str) else str(detail[k])
            self.status[row], self.reason[row] = "degraded", reason
            self.detail[row] = f"{said}; {self.detail[row]}" if self.detail[row] else said


def _judge_shapes(outlines: Texts, broken: Flags, verdict: _Verdict) -> None:
    """Reject what is no polygon; takes outlines that nobody may touch (too detailed, not finite) out in place."""
    import shapely

    verdict.reject(broken, "invalid_geometry", "the outline's bytes cannot be read as a shape")
    verdict.reject(shapely.is_missing(outlines) | shapely.is_empty(outlines), "no_geometry", "the row has no outline")
    kind = shapely.get_type_id(outlines)
    names = np.array([shapely.GeometryType(k).name.lower() if k >= 0 else "" for k in kind], dtype=object)
    verdict.reject(
        ~np.isin(kind, (3, 6)), "not_a_polygon", np.array([f"the outline is a {name}" for name in names], dtype=object)
    )
    vertices = shapely.get_num_coordinates(outlines)
    too_many = vertices > MAX_VERTICES
    told = np.array([f"{count} vertices, the limit is {MAX_VERTICES}" for count in vertices], dtype=object)
    verdict.reject(too_many, "too_detailed", told)
    outlines[too_many] = None
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    endless = np.zeros(len(outlines), dtype=bool)
    endless[owner[~np.isfinite(points).all(axis=1)]] = True
    verdict.reject(endless, "invalid_geometry", "a coordinate is not a finite number")
    outlines[endless] = None


def _repair(outlines: Texts, verdict: _Verdict) -> tuple[Texts, npt.NDArray[np.float64]]:
    """Mend self-crossing outlines where that hardly changes their area, reject the others; area of each, m2."""
    import geopandas as gpd
    import shapely

    def area_m2(shapes: Texts) -> npt.NDArray[np.float64]:
        return geodesic_area_m2(gpd.GeoSeries(list(shapes), crs="EPSG:4326"))

    area = area_m2(outlines)
    sick = np.flatnonzero(verdict.alive & ~shapely.is_valid(outlines))
    if len(sick):
        healed = shapely.make_valid(outlines[sick], method="structure", keep_collapsed=False)
        after = area_m2(healed)
        told = np.array(
            [f"{a:.1f} m2 as drawn, {b:.1f} m2 repaired" for a, b in zip(area[sick], after, strict=True)], dtype=object
        )
        close = np.abs(after - area[sick]) <= REPAIR_TOLERANCE * area[sick]
        close &= np.isin(shapely.get_type_id(healed), (3, 6)) & ~shapely.is_empty(healed)
        outlines = outlines.copy()
        outlines[sick[close]] = healed[close]
        area[sick[close]] = after[close]
        verdict.doubt(sick[close], "geometry_repaired", told[close])
        rejected, words = np.zeros(len(outlines), dtype=bool), np.full(len(outlines), "", dtype=object)
        rejected[sick[~close]], words[sick[~close]] = True, told[~close]
        verdict.reject(rejected, "invalid_geometry", words)
    verdict.reject(area < MIN_AREA_M2, "no_area", f"less than {MIN_AREA_M2:g} m2")
    told = np.array([f"{one / 1e4:.0f} ha, the limit is {MAX_AREA_M2 / 1e4:.0f} ha" for one in area], dtype=object)
    verdict.reject(area > MAX_AREA_M2, "absurd_area", told)
    return outlines, area
