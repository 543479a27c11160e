# SPDX-License-Identifier: Apache-2.0
"""The values that pass from room to room, and the checks at each door.

Arrays stay xarray Datasets and tables stay (Geo)DataFrames, so a notebook sees what it knows; a check at the door makes
the distinct type, and a broken promise is a `ContractError` (our bug), never a wrong number later on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NewType

from acreline.errors import ContractError
from acreline.records import STATUSES

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import xarray as xr

# --- Sentinel-2 as the whole house sees it -----------------------------------------------------------------------
BANDS_10M = ("B02", "B03", "B04", "B08")
BANDS_20M = ("B05", "B06", "B07", "B8A", "B11", "B12")
BANDS = BANDS_10M + BANDS_20M
PIXEL_M = 10
DN_SCALE = 1e-4
DN_OFFSET = 1000
"""A cube's number v means reflectance 0.0001 v - 0.1, 0 = no data; scenes before baseline 04.00 are raised by 1000."""

CELL_PX = 64
"""The network runs on square cells of this size, counted from the tile's upper-left corner, so that a pixel gets the
same bits whatever the block it is read in."""
HALO_PX = 32
"""Pixels around a cell that the network sees beside it."""
FULL_COVER = 9990
"""Coverage is kept in ten-thousandths of a pixel (integers add up exactly); from here on a pixel counts as inside."""
MIN_FULL_PX = 8
"""Fewer fully covered pixels than this, and a parcel is too small to judge."""
MIN_SHRUNK_SHARE = 0.40
"""Or when less of its area than this is left after an inward buffer of 5 m."""

HEALTH_CLASSES: dict[str, tuple[str, str, str]] = {
    "normal": ("#4d9221", "正常", "normal"),
    "drought": ("#d8b365", "干旱", "drought"),
    "flood": ("#2166ac", "水淹或渍害", "flood or waterlogging"),
    "lodging_hail": ("#7b3294", "倒伏或雹灾", "lodging or hail"),
    "pest_disease": ("#c51b7d", "病虫害（色素流失，原因待核实）", "pigment loss, cause to be confirmed"),
    "frost": ("#67a9cf", "冻害或冷害", "frost or cold"),
    "late_failed": ("#bf812d", "晚播或缺苗", "late or failed stand"),
    "harvested": ("#bababa", "已收获", "harvested"),
    "other": ("#737373", "其他", "other"),
}
"""Health class -> colour, Chinese and English name; the classes are those of the network's health head."""

SLOTS = ("A", "B")
UNKNOWN = "unknown"

# --- tables -------------------------------------------------------------------------------------------------------
PARCEL_COLUMNS = (
    "farm_id",
    "parcel_id",
    "geometry",
    "area_m2",
    "declared_crop",
    "declared_area_m2",
    "registry_area_m2",
    "status",
    "reason",
    "detail",
)
INDICES = ("ndvi", "ndre", "ndmi", "mndwi")
HISTOGRAM_BINS = 16
LOOK_COLUMNS = (
    "parcel_id",
    "pass_id",
    "time",
    "n_seen",  # fully covered pixels with data
    "n_clear",
    "n_water",
    "n_bare",
    *(f"sum_{band}" for band in BANDS),  # int64, reflectance x 10000 over clear fully covered pixels
    *(f"sum_{index}" for index in INDICES),  # int64, index x 10000
    *(f"ssq_{index}" for index in INDICES),  # int64, (index x 10000) squared
    *(f"hist_{k:02d}" for k in range(HISTOGRAM_BINS)),  # clear pixels by NDVI from -0.2 to 1.0
)
EVIDENCE_COLUMNS = (
    "parcel_id",
    "head",  # crop, health, crop_health (co-counts), land
    "cls",
    "n_px",  # fully covered pixels whose best class this is
    "logp",  # int64: sum of log-probability x 1024
    "prob",  # int64: sum of probability x 10000
)
SEASON_COLUMNS = (
    "parcel_id",
    "slot",
    "crop",
    "crop_confidence",
    "crop_set",
    "seasons",
    "stage",
    "emergence",
    "emergence_doubt_days",
    "peak",
    "peak_doubt_days",
    "harvest",
    "harvest_doubt_days",
    "peak_ndvi",
    "clear_looks",
    "last_clear",
    "evidence",
    "code",
)
HEALTH_COLUMNS = (
    "parcel_id",
    "slot",
    "health",
    "health_confidence",
    "vigour",
    "vigour_neighbours",
    "vigour_normal",
    "evidence",
    "code",
)
EVENT_COLUMNS = ("parcel_id", "event", "start", "end", "share", "severity", "confirmed", "evidence", "code")
GROWTH_COLUMNS = ("parcel_id", "slot", "crop", "index_raw", "index_ratio", "index_error", "evidence", "code")

Cube = NewType("Cube", "xr.Dataset")
"""Pixels of one block through time; see `check_cube`."""
Maps = NewType("Maps", "xr.Dataset")
"""Crop and health of each pixel of one block; see `check_maps`."""
Parcels = NewType("Parcels", "gpd.GeoDataFrame")
"""Every row of the farm file, in lon/lat, with a status; see `check_parcels`."""
Seasons = NewType("Seasons", "pd.DataFrame")
Health = NewType("Health", "pd.DataFrame")
Events = NewType("Events", "pd.DataFrame")
Growth = NewType("Growth", "pd.DataFrame")


@dataclass(frozen=True)
class Scene:
    """One STAC item that may be read: what the house needs of it, nothing provider-specific left."""

    scene_id: str
    pass_id: str
    """platform, relative orbit where known, UTC day; parts of a split scene share it."""
    time: datetime
    """Sensing time, UTC."""
    tile: str
    """Sentinel-2 tile, e.g. 31UDS."""
    crs: str
    """The tile's own CRS, e.g. EPSG:32631."""
    assets: Mapping[str, str]
    """Band name (B02 ... B12, SCL) to an address that can be opened as it stands."""
    dn_offset: int
    """Digital number to subtract before dividing by 10000: 1000 or 0."""
    offset_how: str
    """How that was decided, in words."""
    cloud_percent: float | None
    baseline: str | None
    flags: tuple[str, ...] = ()
    geometry: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SetAside:
    """A scene found but not used, and why."""

    scene_id: str
    time: datetime | None
    tile: str | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Scenes:
    """The scenes of a season, proven complete as far as the catalogue lets us."""

    provider: str
    items: tuple[Scene, ...]
    """Sorted by time, then id."""
    set_aside: tuple[SetAside, ...]
    completeness: Mapping[str, int | float | str | None]
    """received, stated (or None), pages, duplicates, used, passes, longest_gap_days."""
    read_options: Mapping[str, str] = field(default_factory=dict)
    """GDAL options of the provider."""


@dataclass(frozen=True)
class Coverage:
    """Exact share of pixels under parcels, as integers that add up whatever the order."""

    parcel_ids: tuple[str, ...]
    parcel: npt.NDArray[np.int32]
    """Index into `parcel_ids`, one entry per (parcel, pixel)."""
    row: npt.NDArray[np.int32]
    """10 m pixel row in the tile."""
    col: npt.NDArray[np.int32]
    cover: npt.NDArray[np.int32]
    """Covered ten-thousandths of the pixel, 1 to 10000."""


@dataclass(frozen=True)
class Block:
    """A window of a tile with the parcels that touch it: the unit of reading, memory, failure and restart."""

    block_id: str
    tile: str
    crs: str
    row: int
    """First row in 10 m pixels of the tile."""
    col: int
    height: int
    width: int
    origin_x: float
    """Easting of the tile's upper-left corner, metres."""
    origin_y: float
    coverage: Coverage
    """Of this window only."""

    @property
    def read_window(self) -> tuple[int, int, int, int]:
        """(row, col, height, width) to read: the window out to whole network cells, plus the halo."""
        row0 = self.row // CELL_PX * CELL_PX - HALO_PX
        col0 = self.col // CELL_PX * CELL_PX - HALO_PX
        row1 = -(-(self.row + self.height) // CELL_PX) * CELL_PX + HALO_PX
        col1 = -(-(self.col + self.width) // CELL_PX) * CELL_PX + HALO_PX
        return row0, col0, row1 - row0, col1 - col0


@dataclass(frozen=True)
class Looks:
    """What was seen of parcels, as sums that can be added across blocks."""

    passes: pd.DataFrame
    """One row per (parcel, pass): `LOOK_COLUMNS`."""
    evidence: pd.DataFrame
    """One row per (parcel, head, class): `EVIDENCE_COLUMNS`."""
    land: pd.DataFrame
    """One row per parcel: parcel_id, n_full (fully covered pixels), cover (ten-thousandths of pixels)."""


@dataclass(frozen=True)
class SceneNote:
    """What reading found about one scene in one block."""

    scene_id: str
    block_id: str
    verdict: str
    """used, unreadable, missing_asset, outside, implausible."""
    detail: str


@dataclass(frozen=True)
class Weather:
    """Daily weather of the region: date, tmin_c, tmean_c, tmax_c, rain_mm, radiation_mj_per_m2."""

    daily: pd.DataFrame
    source: str


def _refuse(what: str, where: str, found: object) -> ContractError:
    return ContractError(
        f"{where}: {what}; found {found}", hint="this is a fault of acreline: please report it with the run's log"
    )


def _check_columns(table: pd.DataFrame, columns: tuple[str, ...], where: str) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise _refuse(f"columns {missing} are missing", where, list(table.columns))


def check_parcels(table: gpd.GeoDataFrame) -> Parcels:
    """Make `Parcels`: lon/lat, unique ids among rows that are not rejected, one known status each, sorted by parcel_id.

    Raises:
        ContractError: a column is missing, the CRS is not EPSG:4326, a status is unknown, or geometry lacks.
    """
    _check_columns(table, PARCEL_COLUMNS, "parcels")
    if table.crs is None or table.crs.to_epsg() != 4326:
        raise _refuse("parcels must be in EPSG:4326", "parcels", table.crs)
    odd = sorted(set(table["status"]) - set(STATUSES))
    if odd:
        raise _refuse("unknown status", "parcels", odd)
    kept = table[table["status"] != "rejected"]
    if kept["parcel_id"].duplicated().any():
        raise _refuse("a parcel id stands twice", "parcels", kept["parcel_id"][kept["parcel_id"].duplicated()].tolist())
    if kept.geometry.isna().any() or kept.geometry.is_empty.any():
        raise _refuse("a parcel that is not rejected has no geometry", "parcels", len(kept))
    return Parcels(table.reset_index(drop=True))


def check_cube(cube: xr.Dataset) -> Cube:
    """Make a `Cube`.

    Variables: `dn10` uint16 (time, band10, y, x); `dn20` uint16 (time, band20, y20, x20), native 20 m; `clear` bool
    (time, y, x); `water` bool (time, y20, x20). Coordinates: `time` (UTC, rising), `pass_id` along time, `band10`,
    `band20`, pixel centres `y x y20 x20`. Attributes: `crs`, `tile`, `row`, `col` (tile pixel of the cube's first row
    and column, both even), `origin_x`, `origin_y`. A number v means reflectance 0.0001 v - 0.1; 0 is no data.

    Raises:
        ContractError: anything of that is not so.
    """
    wanted = {
        "dn10": (("time", "band10", "y", "x"), "uint16"),
        "dn20": (("time", "band20", "y20", "x20"), "uint16"),
        "clear": (("time", "y", "x"), "bool"),
        "water": (("time", "y20", "x20"), "bool"),
    }
    for name, (dims, dtype) in wanted.items():
        if name not in cube:
            raise _refuse(f"variable {name} is missing", "cube", list(cube.data_vars))
        if cube[name].dims != dims or str(cube[name].dtype) != dtype:
            raise _refuse(f"{name} must be {dtype} {dims}", "cube", f"{cube[name].dtype} {cube[name].dims}")
    if tuple(cube["band10"].values) != BANDS_10M or tuple(cube["band20"].values) != BANDS_20M:
        raise _refuse("bands out of order", "cube", [*cube["band10"].values, *cube["band20"].values])
    if cube.sizes["y"] != 2 * cube.sizes["y20"] or cube.sizes["x"] != 2 * cube.sizes["x20"]:
        raise _refuse("10 m and 20 m grids do not match", "cube", dict(cube.sizes))
    if cube.attrs["row"] % 2 or cube.attrs["col"] % 2:
        raise _refuse("the cube must start on a whole 20 m pixel", "cube", (cube.attrs["row"], cube.attrs["col"]))
    if "pass_id" not in cube.coords or not bool(cube.indexes["time"].is_monotonic_increasing):
        raise _refuse("time must rise and carry pass_id", "cube", list(cube.coords))
    return Cube(cube)


def check_maps(maps: xr.Dataset) -> Maps:
    """Make `Maps`.

    Variables over the block's own window: `crop` uint8 (slot, y, x), code of the class table, 0 = unknown;
    `crop_confidence` uint8 percent (y, x); `health` uint8 (y, x); `health_confidence` uint8; `clear_looks` uint16;
    `valid` bool (y, x): measured at all; `crop_logp` int16 (crop_class, y, x) and `health_logp` int16 (health_class, y,
    x): log-probability x 1024. Coordinates `crop_class`, `health_class` (names), `slot`, `y`, `x`. Attributes as a
    cube's (`row`, `col` of the window), plus `crop_codes`, `health_codes`: name -> code.

    Raises:
        ContractError: anything of that is not so.
    """
    wanted = {
        "crop": (("slot", "y", "x"), "uint8"),
        "crop_confidence": (("y", "x"), "uint8"),
        "health": (("y", "x"), "uint8"),
        "health_confidence": (("y", "x"), "uint8"),
        "clear_looks": (("y", "x"), "uint16"),
        "valid": (("y", "x"), "bool"),
        "crop_logp": (("crop_class", "y", "x"), "int16"),
        "health_logp": (("health_class", "y", "x"), "int16"),
    }
    for name, (dims, dtype) in wanted.items():
        if name not in maps:
            raise _refuse(f"variable {name} is missing", "maps", list(maps.data_vars))
        if maps[name].dims != dims or str(maps[name].dtype) != dtype:
            raise _refuse(f"{name} must be {dtype} {dims}", "maps", f"{maps[name].dtype} {maps[name].dims}")
    for name in ("crop_codes", "health_codes", "row", "col", "tile", "crs", "origin_x", "origin_y"):
        if name not in maps.attrs:
            raise _refuse(f"attribute {name} is missing", "maps", list(maps.attrs))
    return Maps(maps)


def check_looks(looks: Looks) -> Looks:
    """Check `Looks`: all columns there, and no (parcel, pass) or (parcel, head, class) twice.

    Raises:
        ContractError: a column is missing or a key stands twice.
    """
    _check_columns(looks.passes, LOOK_COLUMNS, "looks.passes")
    _check_columns(looks.evidence, EVIDENCE_COLUMNS, "looks.evidence")
    _check_columns(looks.land, ("parcel_id", "n_full", "cover"), "looks.land")
    for table, key in (
        (looks.passes, ["parcel_id", "pass_id"]),
        (looks.evidence, ["parcel_id", "head", "cls"]),
        (looks.land, ["parcel_id"]),
    ):
        if table.duplicated(key).any():
            raise _refuse(f"{key} stands twice", "looks", table[table.duplicated(key)][key].iloc[0].tolist())
    return looks


def check_seasons(table: pd.DataFrame) -> Seasons:
    """Make `Seasons`: one row per (parcel, slot). Raises `ContractError` otherwise."""
    _check_columns(table, SEASON_COLUMNS, "seasons")
    if table.duplicated(["parcel_id", "slot"]).any():
        raise _refuse("a (parcel, slot) stands twice", "seasons", len(table))
    return Seasons(table)


def check_health(table: pd.DataFrame) -> Health:
    """Make `Health`: one row per (parcel, slot). Raises `ContractError` otherwise."""
    _check_columns(table, HEALTH_COLUMNS, "health")
    return Health(table)


def check_events(table: pd.DataFrame) -> Events:
    """Make `Events`: one row per (parcel, event, start). Raises `ContractError` otherwise."""
    _check_columns(table, EVENT_COLUMNS, "events")
    return Events(table)


def check_growth(table: pd.DataFrame) -> Growth:
    """Make `Growth`: one row per (parcel, slot). Raises `ContractError` otherwise."""
    _check_columns(table, GROWTH_COLUMNS, "growth")
    return Growth(table)


@dataclass(frozen=True)
class TimeAxis:
    """The bins the network sees: `bins` equal steps from `start` to `end`, by calendar or thermal time."""

    start: date
    end: date
    bins: int
    kind: str = "calendar"


@dataclass(frozen=True)
class Calibration:
    """What the model's card promises about its probabilities."""

    classes: tuple[str, ...]
    """Crop classes in the order of the crop head."""
    temperature: float
    """Parcel log-probabilities are divided by this before they are called probabilities."""
    set_threshold: float
    """A crop is in the parcel's set when its calibrated probability reaches this (split conformal)."""
    alpha: float
    """Share of parcels whose set may miss the true crop."""
