# SPDX-License-Identifier: Apache-2.0
"""A county of 40 x 40 pixels that needs no growth: drawn land of a few units, and a sensor that sees it as drawn."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import Transformer

from acreline.simulate.values import STATE, SUB, County, Overpass, Pairs, Picture, Window
from acreline.tiles import tile_grid

SIDE = 40
SEASON = (date(2025, 1, 1), date(2025, 8, 31))


def made_window(tile: str = "50SLG", row: int = 4000, col: int = 4000, side: int = SIDE) -> Window:
    """A square window of a tile."""
    grid = tile_grid(tile)
    return Window(tile, grid.crs, grid.origin_x, grid.origin_y, row, col, side, side)


class Still:
    """Land that never changes."""

    def on(self, day: date) -> Mapping[str, Any]:
        return {name: np.zeros(4, np.float32) for name in STATE}


def made_county(
    settings: Any = None, *, parcels: int | None = None, seed: int | None = None, progress: Any = None
) -> County:
    """Four square parcels of two farms."""
    window = made_window()
    half = SIDE // 2
    index = np.arange(4, dtype=np.int32)
    cell = np.repeat(np.repeat(index.reshape(2, 2), half * SUB, 0), half * SUB, 1)
    to_lonlat = Transformer.from_crs(window.crs, "EPSG:4326", always_xy=True).transform
    west, north = window.origin_x + 10 * window.col, window.origin_y - 10 * window.row
    boxes = [
        shapely.box(west + 200 * c + 20, north - 200 * r - 180, west + 200 * c + 180, north - 200 * r - 20)
        for r in (0, 1)
        for c in (0, 1)
    ]
    shapes = [shapely.transform(box, lambda xy: np.column_stack(to_lonlat(xy[:, 0], xy[:, 1]))) for box in boxes]
    ids = [f"p-{k}" for k in range(4)]
    table = gpd.GeoDataFrame(
        {
            "id": ids,
            "farm_id": ["F-001", "F-001", "F-002", "F-002"],
            "declared_crop": ["maize"] * 4,
            "declared_area": [2.56] * 4,
        },
        geometry=shapes,
        crs="EPSG:4326",
    )
    days = pd.date_range(SEASON[0], SEASON[1])
    weather = pd.DataFrame(
        {
            "date": days,
            "tmin_c": 5.0,
            "tmean_c": 10.0,
            "tmax_c": 15.0,
            "rain_mm": 1.0,
            "radiation_mj": 12.0,
            "snow": 0.0,
        }
    )
    truth = gpd.GeoDataFrame({"parcel_id": ids, "crop": "maize"}, geometry=shapes, crs="EPSG:4326")
    return County(
        name="made-county" if settings is None else settings.name,
        seed=1 if seed is None else seed,
        window=window,
        season_start=SEASON[0],
        season_end=SEASON[1],
        units=pd.DataFrame({"kind": "parcel", "parcel_id": ids}),
        pairs=Pairs(index, index, index, cell),
        states=Still(),
        relief_m=np.zeros((SIDE, SIDE), np.float32),
        weather=weather,
        parcels=table,
        truth_parcels=truth,
        truth_events=pd.DataFrame({"event": ["flood"], "parcel_id": ["p-0"]}),
        truth_yields=pd.DataFrame({"parcel_id": ids, "yield_kg_per_ha": 6000.0}),
    )


def made_picture(overpass: Overpass, side: int = SIDE, *, red: float = 0.05, nir: float = 0.40) -> Picture:
    """Green land without clouds; values differ a little from pixel to pixel, so that a shift would show."""
    slope = np.linspace(0, 0.01, side * side, dtype=np.float32).reshape(side, side)
    fine = np.stack([slope + level for level in (0.03, 0.06, red, nir)]).astype(np.float32)
    small = slope[::2, ::2]
    coarse = np.stack([small + level for level in (0.09, 0.25, 0.33, 0.38, 0.20, 0.10)]).astype(np.float32)
    return Picture(overpass, fine, coarse)


def made_sense(county: County, overpass: Overpass) -> Picture:
    """What `sensor.sense` would give."""
    return made_picture(overpass, county.window.height)
