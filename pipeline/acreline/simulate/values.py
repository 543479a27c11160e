# SPDX-License-Identifier: Apache-2.0
"""What passes between the rooms of the simulator: the land, how it fares day by day, what is true, what is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

SUB = 4
"""Sub-cells along a 10 m pixel: land is drawn on a grid of 2.5 m, so that a pixel's mixture is known."""

STATE = (
    "lai",  # m2 leaf per m2 ground, 0 to 8
    "ala",  # mean leaf inclination, degrees from the horizontal, 25 to 75
    "n_leaf",  # PROSPECT structure number, 1.2 to 2.2
    "cab",  # leaf chlorophyll a+b, ug/cm2, 3 to 85
    "cw",  # leaf water, cm, 0.003 to 0.04
    "cm",  # leaf dry matter, g/cm2, 0.002 to 0.014
    "cbrown",  # brown pigment, 0 to 1
    "soil_bright",  # factor on the soil spectrum, 0.4 to 1.6
    "soil_wet",  # 0 dry to 1 wet
    "water",  # share of the ground under open water, 0 to 1 (paddy, flood, pond)
    "flower",  # yellow flower cover, 0 to 1 (rapeseed, sunflower less)
    "film",  # share of the ground or roof under plastic, 0 to 1 (mulch film, greenhouse)
    "straw",  # share of the ground under straw or stubble, 0 to 1
    "snow",  # snow cover, 0 to 1
    "sealed",  # share of roofs, roads and yards, 0 to 1; their spectrum is fixed by soil_bright
    "wood",  # share of trees over the ground (tree rows, hills, orchards' own crowns are lai), 0 to 1
)
"""What decides how a piece of ground looks; shares lie over it in the order snow, water, film, straw, sealed."""


@dataclass(frozen=True)
class Window:
    """The land's place: a window of one Sentinel-2 tile, in 10 m pixels from the tile's upper-left corner."""

    tile: str
    crs: str
    origin_x: float
    """Easting of the tile's corner, metres."""
    origin_y: float
    """Northing of the tile's corner, metres."""
    row: int
    """First row, a multiple of 2."""
    col: int
    height: int
    """Rows, a multiple of 2."""
    width: int


@dataclass(frozen=True)
class Pairs:
    """Pieces of ground: each land unit's share of each pixel it touches."""

    unit: npt.NDArray[np.int32]
    """(pair,): land unit."""
    row: npt.NDArray[np.int32]
    """(pair,): pixel row in the window."""
    col: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]
    """(SUB * height, SUB * width): pair that each sub-cell of 2.5 m belongs to."""


class States(Protocol):
    """How every piece of ground fares on a day."""

    def on(self, day: date) -> Mapping[str, npt.NDArray[np.float32]]:
        """Every name of `STATE` -> (pair,) on one day. Same day, same bytes, whatever was asked before."""
        ...


@dataclass(frozen=True)
class County:
    """A county with known truth."""

    name: str
    seed: int
    window: Window
    season_start: date
    season_end: date
    units: pd.DataFrame
    """One row per land unit, index = number in `Pairs.unit`: kind (parcel, road, village, pond, ditch, trees, hill,
    yard, and field: a field in no farm file, which grows like any other), parcel_id (text, NA where kind is not
    parcel), part (1: the smaller half of a mixed parcel), surface (of roads: road, track, verge), x_m, y_m (middle,
    metres east and south of the window's corner), crop_a, crop_b (slugs), class_a, class_b (of the network), NA where
    no field is."""
    pairs: Pairs
    states: States
    relief_m: npt.NDArray[np.float32]
    """(height, width): height above the lowest ground, metres."""
    weather: pd.DataFrame
    """Daily: date, tmin_c, tmean_c, tmax_c, rain_mm, radiation_mj (MJ m-2 d-1), snow (0 to 1)."""
    parcels: gpd.GeoDataFrame
    """As a farm file has them, errors included: id, farm_id, geometry (lon/lat), declared_crop, declared_area (ha)."""
    truth_parcels: gpd.GeoDataFrame
    """One row per true parcel and slot: parcel_id, farm_id, slot (A, B, AB), crop, class (of the network), shares of a
    mixed parcel, area_m2, planted_m2, sown, emerged, harvested (dates), late_days, stand (share of the plants that
    came up), irrigated, declared_wrong and outline_error (what is wrong in the farm file), geometry (the true outline).
    """
    truth_events: pd.DataFrame
    """event, event_id, parcel_id, slot, crop, start, end, severity (0 to 1), share (of the parcel), damage (share of
    yield lost)."""
    truth_yields: pd.DataFrame
    """parcel_id, slot, crop, planted_m2, yield_kg_per_ha, production_kg, price_per_kg, value, currency."""
    weather_seed: int | None = None
    """Seed of the year: weather, bad luck, passes, their air and how cloudy they are; None: the county's own."""

    @property
    def year_seed(self) -> int:
        """What the year's chance starts from."""
        return self.seed if self.weather_seed is None else self.weather_seed


@dataclass(frozen=True)
class Overpass:
    """One satellite passing over the county."""

    time: datetime
    """Sensing time, UTC."""
    platform: str
    """sentinel-2a, sentinel-2b or sentinel-2c."""
    orbit: int
    """Relative orbit, 1 to 143."""
    sun_zenith_deg: float
    sun_azimuth_deg: float
    view_zenith_deg: float
    """0 to 10.3, by place in the swath."""
    view_azimuth_deg: float


@dataclass(frozen=True)
class Picture:
    """The county as the sensor sees it through clear air on one pass: reflectance at the ground, no clouds yet.

    Blur, shift between passes, residual haze and noise are in it.
    """

    overpass: Overpass
    fine: npt.NDArray[np.float32]
    """(4, height, width): B02 B03 B04 B08 at 10 m."""
    coarse: npt.NDArray[np.float32]
    """(6, height / 2, width / 2): B05 B06 B07 B8A B11 B12 at 20 m, sensed as such."""
