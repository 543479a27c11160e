# SPDX-License-Identifier: Apache-2.0
"""The checks at the doors: they alone make the distinct types, so a wrong value stops where it was made.

A broken promise is a `ContractError`: our bug, never a wrong number later on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from acreline.errors import ContractError
from acreline.layers import (
    BANDS_10M,
    BANDS_20M,
    EVENT_COLUMNS,
    EVIDENCE_COLUMNS,
    GROWTH_COLUMNS,
    HEALTH_COLUMNS,
    LOOK_COLUMNS,
    PARCEL_COLUMNS,
    SEASON_COLUMNS,
    Cube,
    Events,
    Growth,
    Health,
    Looks,
    Maps,
    Parcels,
    Seasons,
)
from acreline.records import STATUSES

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import xarray as xr


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

    Variables over the block's own window: `crop` uint8 (slot, y, x), code of the class table, 0 = unknown, 1 = none;
    `crop_confidence` uint8 percent (slot, y, x); `health` uint8 (y, x); `health_confidence` uint8; `clear_looks`
    uint16; `valid` bool (y, x): measured at all; `crop_a_logp` int16 (crop_a_class, y, x), `crop_b_logp` int16
    (crop_b_class, y, x) and `health_logp` int16 (health_class, y, x): log-probability x 1024; `vigour` int16 (y, x):
    usual spreads x 100; `energy` int16 (y, x): how little the pixel alone is like what was taught, x 100. Coordinates
    `crop_a_class`, `crop_b_class`, `health_class` (names), `slot`, `y`, `x`. Attributes as a cube's (`row`, `col` of
    the window), plus `crop_codes`, `health_codes`: name -> code.

    Raises:
        ContractError: anything of that is not so.
    """
    wanted = {
        "crop": (("slot", "y", "x"), "uint8"),
        "crop_confidence": (("slot", "y", "x"), "uint8"),
        "health": (("y", "x"), "uint8"),
        "health_confidence": (("y", "x"), "uint8"),
        "clear_looks": (("y", "x"), "uint16"),
        "valid": (("y", "x"), "bool"),
        "crop_a_logp": (("crop_a_class", "y", "x"), "int16"),
        "crop_b_logp": (("crop_b_class", "y", "x"), "int16"),
        "health_logp": (("health_class", "y", "x"), "int16"),
        "vigour": (("y", "x"), "int16"),
        "energy": (("y", "x"), "int16"),
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
