# SPDX-License-Identifier: Apache-2.0
"""The values that pass from room to room.

Arrays stay xarray Datasets and tables stay (Geo)DataFrames, so a notebook sees what it knows; a check at the door makes
the distinct type, and a broken promise is a `ContractError` (our bug), never a wrong number later on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NewType

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
LOGP_SCALE = 1024
"""Log-probabilities are kept as whole numbers of this fraction, so that sums over pixels are exact."""
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
"""Season slots: A is harvested by about 20 July, B after it. What stands in both (AB) fills the whole year."""
UNKNOWN = "unknown"
NUMBER_SCALE = 100
"""Vigour and energy are kept as whole numbers of this fraction, so that sums over pixels are exact."""

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
    "head",  # crop_a, crop_b, health, crop_a_health and crop_b_health (co-counts), vigour, energy, land
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
    "senescence",
    "senescence_doubt_days",
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
    "confirmed",  # the network's class and the vigour beside the neighbours go together; missing: one is silent
    "vigour",
    "vigour_neighbours",
    "vigour_normal",
    "evidence",
    "code",
)
EVENT_COLUMNS = (
    "parcel_id",
    "event",
    "not_before",  # the clear look before `start`, which did not show it: it struck in between; NaT: not known
    "start",
    "end",
    "share",
    "severity",
    "confirmed",
    "evidence",
    "could_be",  # what else it could be, codes of `confounders`, by "|"
    "code",
)
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
    simulated: bool = False
    """The catalogue says of itself that no satellite took its pictures."""


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
    """used, unreadable, missing_asset, outside."""
    detail: str
    green: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Fields of `reflectance.GreenCount` over the pixels under parcels: physics is judged over all blocks together."""
    retryable: bool = False
    """What stopped the reading may be gone at the next run."""


@dataclass(frozen=True)
class Weather:
    """Daily weather of the region: date, tmin_c, tmean_c, tmax_c, rain_mm, radiation_mj_per_m2."""

    daily: pd.DataFrame
    source: str


@dataclass(frozen=True)
class TimeAxis:
    """The bins the network sees: `bins` equal steps from `start` to `end`, by calendar or thermal time."""

    start: date
    end: date
    bins: int
    kind: str = "calendar"
    day_starts: tuple[float, ...] = ()
    """Where each calendar day from `start` to `end` begins on a thermal axis of the same length, (day + 1,), strictly
    rising from 0: see `thermal.thermal_days`. Empty: a calendar axis, on which a day is a day."""

    def on_axis(self, days: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Calendar days since `start` -> days on the axis, any shape; outside the season a day is a day."""
        return self._convert(days, to_axis=True)

    def on_calendar(self, days: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Days on the axis -> calendar days since `start`: the way back from `on_axis`."""
        return self._convert(days, to_axis=False)

    def _convert(self, days: npt.NDArray[np.float64], *, to_axis: bool) -> npt.NDArray[np.float64]:
        if not self.day_starts:
            return days
        import numpy as np

        calendar, starts = np.arange(len(self.day_starts), dtype=np.float64), np.array(self.day_starts)
        source, target = (calendar, starts) if to_axis else (starts, calendar)
        inside = np.interp(days, source, target)
        return np.where((days < 0) | (days > source[-1]), days, inside)
