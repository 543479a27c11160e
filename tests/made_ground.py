# SPDX-License-Identifier: Apache-2.0
"""Ground made by hand: pieces with one constant state each, drawn on the sub-grid, for tests of what is seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from acreline.simulate.values import STATE, SUB, County, Overpass, Pairs, Window

CROP = {
    "lai": 3.0, "ala": 50.0, "n_leaf": 1.5, "cab": 45.0, "cw": 0.012, "cm": 0.005, "cbrown": 0.0, "soil_bright": 1.0,
    "soil_wet": 0.2, "water": 0.0, "flower": 0.0, "film": 0.0, "straw": 0.0, "snow": 0.0, "sealed": 0.0, "wood": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Constant:
    """The same state every day."""

    columns: Mapping[str, npt.NDArray[np.float32]]

    def on(self, day: date) -> Mapping[str, npt.NDArray[np.float32]]:
        return self.columns


def make_state(count: int = 1, **changes: object) -> dict[str, npt.NDArray[np.float32]]:
    """A healthy crop, with some names set to other numbers or columns."""
    given: dict[str, object] = {**CROP, **changes}
    return {name: np.broadcast_to(np.asarray(given[name], np.float32), count).copy() for name in STATE}


def make_overpass(**changes: object) -> Overpass:
    given: dict[str, object] = {
        "time": datetime(2024, 6, 10, 3, 10, tzinfo=UTC), "platform": "sentinel-2a", "orbit": 75,
        "sun_zenith_deg": 30.0, "sun_azimuth_deg": 140.0, "view_zenith_deg": 5.0, "view_azimuth_deg": 100.0,
    }  # fmt: skip
    return Overpass(**{**given, **changes})  # type: ignore[arg-type]


def make_pairs(unit_of_cell: npt.NDArray[np.int32]) -> Pairs:
    """Pairs of a grid of 2.5 m that names the land unit of each sub-cell."""
    rows, cols = (np.arange(n) // SUB for n in unit_of_cell.shape)
    width = unit_of_cell.shape[1] // SUB
    pixel = rows[:, None] * width + cols
    keys, cell = np.unique(pixel.astype(np.int64) * 1_000_000 + unit_of_cell, return_inverse=True)
    at, unit = np.divmod(keys, 1_000_000)
    row, col = np.divmod(at, width)
    cast = np.int32
    return Pairs(unit.astype(cast), row.astype(cast), col.astype(cast), cell.reshape(unit_of_cell.shape).astype(cast))


def make_ground(
    unit_of_cell: npt.NDArray[np.int32], state_of_unit: Mapping[str, npt.NDArray[np.float32]], seed: int = 7
) -> County:
    """A county whose units have these states: unit_of_cell is (SUB * height, SUB * width), the state (unit,)."""
    pairs = make_pairs(unit_of_cell)
    height, width = (n // SUB for n in unit_of_cell.shape)
    nothing = pd.DataFrame()
    return County(
        name="made",
        seed=seed,
        window=Window("50SMD", "EPSG:32650", 399960.0, 4000020.0, 0, 0, height, width),
        season_start=date(2023, 9, 15),
        season_end=date(2024, 11, 30),
        units=pd.DataFrame({"kind": "parcel", "parcel_id": [f"p{k}" for k in range(int(unit_of_cell.max()) + 1)]}),
        pairs=pairs,
        states=Constant({name: values[pairs.unit] for name, values in state_of_unit.items()}),
        relief_m=np.zeros((height, width), np.float32),
        weather=nothing,
        parcels=gpd.GeoDataFrame(),
        truth_parcels=gpd.GeoDataFrame(),
        truth_events=nothing,
        truth_yields=nothing,
    )
