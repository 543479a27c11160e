# SPDX-License-Identifier: Apache-2.0
"""The pixels around a farm: its window, the published maps of it, and the scenes of the run read once more."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.config import Region, packaged_configs, provider_of, read_region
from acreline.cubes import INDEX_NO_DATA, index_x10000, reflectance
from acreline.errors import ConfigError, SourceError, StoreError
from acreline.farm_view.read import read_rows
from acreline.hashing import file_sha256
from acreline.imagery import load_cube
from acreline.layers import BANDS, PIXEL_M, SLOTS, Block, Coverage, Cube, Parcels, Scenes
from acreline.rasters import centres_inside, read_raster
from acreline.search import search_scenes
from acreline.tiles import TileGrid, tile_grid

if TYPE_CHECKING:
    import geopandas as gpd
    import shapely
    import xarray as xr

MOST_PX = 512
"""Longest side of a window: 5 km. A year of a larger one would not fit into a notebook's memory."""
MAP_NAME = re.compile(r"(?P<tile>\w+?)_r(?P<row>\d+)_c(?P<col>\d+)_(?P<px>\d+)_crop\.tif")


@dataclass(frozen=True)
class Window:
    """A rectangle of a tile around some parcels, on whole 20 m pixels."""

    grid: TileGrid
    row: int
    """First row, in 10 m pixels of the tile."""
    col: int
    height: int
    width: int
    shapes: Mapping[str, shapely.Geometry]
    """The parcels in it by id, in the tile's CRS."""

    @property
    def y(self) -> npt.NDArray[np.float64]:
        """Northings of the pixels' centres, falling, metres."""
        return self.grid.origin_y - (self.row + np.arange(self.height, dtype=np.float64) + 0.5) * PIXEL_M

    @property
    def x(self) -> npt.NDArray[np.float64]:
        """Eastings of the pixels' centres, rising, metres."""
        return self.grid.origin_x + (self.col + np.arange(self.width, dtype=np.float64) + 0.5) * PIXEL_M

    @property
    def attrs(self) -> dict[str, Any]:
        """What every Dataset of this window says of itself."""
        return {"crs": self.grid.crs, "tile": self.grid.tile, "parcel_ids": tuple(self.shapes)}


def window_around(parcels: gpd.GeoDataFrame, farm_id: str, *, margin_px: int, least_px: int = 2) -> Window:
    """The smallest window around some parcels of one farm, with a margin.

    Args:
        parcels: in lon/lat, with `parcel_id` and `tile`; those without a tile are left out.
        farm_id: for messages.
        margin_px: pixels of 10 m around the parcels.
        least_px: least length of a side.

    Raises:
        ConfigError: no parcel has a tile, or they lie too far apart for one window.
    """
    placed = parcels[parcels["tile"].notna()] if "tile" in parcels else parcels.iloc[:0]
    if placed.empty:
        raise ConfigError(f"farm {farm_id}: no parcel lies on a satellite tile", hint="see `status` in its parcels")
    tiles = sorted(set(placed["tile"]))
    if len(tiles) > 1:
        raise ConfigError(f"farm {farm_id}: its parcels lie in the tiles {', '.join(tiles)}", hint="name one parcel_id")
    grid = tile_grid(str(tiles[0]))
    shapes = placed.geometry.to_crs(grid.crs)
    west, south, east, north = (float(edge) for edge in shapes.total_bounds)
    row, height = _span(grid.origin_y - north, grid.origin_y - south, margin_px, least_px)
    col, width = _span(west - grid.origin_x, east - grid.origin_x, margin_px, least_px)
    if max(height, width) > MOST_PX:
        raise ConfigError(
            f"farm {farm_id}: a window of {height} by {width} pixels of 10 m, at most {MOST_PX} can be read at once",
            hint="name one parcel_id",
        )
    return Window(grid, row, col, height, width, dict(zip(placed["parcel_id"].astype(str), shapes, strict=True)))


def _span(near_m: float, far_m: float, margin_px: int, least_px: int) -> tuple[int, int]:
    """First pixel and number of pixels of a stretch, on whole 20 m pixels."""
    first, last = math.floor(near_m / PIXEL_M) - margin_px, math.ceil(far_m / PIXEL_M) + margin_px
    lacking = max(0, least_px - (last - first))
    first, last = first - lacking // 2, last + (lacking + 1) // 2
    first -= first % 2
    return first, last - first + (last - first) % 2


def number_parcels(window: Window) -> xr.DataArray:
    """Which parcel holds each pixel's centre: int16 (y, x), 0 = none, k = the k-th of `parcel_ids`."""
    import xarray as xr

    y, x = xr.DataArray(window.y, dims="y"), xr.DataArray(window.x, dims="x")
    numbers = np.zeros((window.height, window.width), np.int16)
    for k, shape in enumerate(window.shapes.values(), start=1):
        numbers[centres_inside(shape, y, x, PIXEL_M).to_numpy()] = k
    return xr.DataArray(numbers, dims=("y", "x"), coords={"y": window.y, "x": window.x})


# --- published maps -----------------------------------------------------------------------------------------------
def read_maps(publication: Path, window: Window) -> xr.Dataset:
    """Crop and health of each pixel of a window, out of the publication's maps.

    Returns:
        `crop` uint8 (slot, y, x), `health` uint8 (y, x), 0 = not told; `parcel` as `number_parcels` gives it.

    Raises:
        InputError: a map cannot be read.
        StoreError: no map of this publication reaches the window.
    """
    import xarray as xr

    layers = {
        "crop": np.zeros((len(SLOTS), window.height, window.width), np.uint8),
        "health": np.zeros((1, window.height, window.width), np.uint8),
    }
    names = [path.name for path in sorted((publication / "maps").glob("*_crop.tif")) if _may_reach(path.name, window)]
    for name in names:
        for layer, target in layers.items():
            values, (_, _, left, _, _, top), _, _ = read_raster(
                publication / "maps" / f"{name.removesuffix('crop.tif')}{layer}.tif"
            )
            down = round((window.grid.origin_y - top) / PIXEL_M) - window.row
            right = round((left - window.grid.origin_x) / PIXEL_M) - window.col
            _lay(values, target, down, right)
    if not names:
        raise StoreError(
            f"{publication}: no map reaches this window",
            hint="its block failed, or the maps were taken away: run again",
        )
    return xr.Dataset(
        {"crop": (("slot", "y", "x"), layers["crop"]), "health": (("y", "x"), layers["health"][0])},
        coords={"slot": list(SLOTS), "y": window.y, "x": window.x},
        attrs=window.attrs,
    ).assign(parcel=number_parcels(window))


def _may_reach(name: str, window: Window) -> bool:
    """Whether a map, whose name says which square of its tile it lies in, may have pixels of a window."""
    at = MAP_NAME.fullmatch(name)
    if at is None or at["tile"] != window.grid.tile:
        return False
    row, col, px = int(at["row"]), int(at["col"]), int(at["px"])
    rows = row * px < window.row + window.height and window.row < (row + 1) * px
    return rows and col * px < window.col + window.width and window.col < (col + 1) * px


def _lay(values: npt.NDArray[Any], target: npt.NDArray[Any], down: int, right: int) -> None:
    """Lay an array (band, y, x) into another, its corner at (down, right) of it; what sticks out is left out."""
    height = min(target.shape[1], down + values.shape[1]) - max(0, down)
    width = min(target.shape[2], right + values.shape[2]) - max(0, right)
    if height > 0 and width > 0:
        top, left = max(0, -down), max(0, -right)
        part = values[:, top : top + height, left : left + width]
        target[:, max(0, down) : max(0, down) + height, max(0, right) : max(0, right) + width] = part


# --- the scenes once more -----------------------------------------------------------------------------------------
@lru_cache(maxsize=8)
def find_region(sha256: str, here: Path) -> Region | None:
    """The region file with that SHA-256, among those that come with acreline and those in the folder `here`."""
    for folder in (packaged_configs() / "regions", here):
        for path in sorted(folder.glob("*.yaml")):
            if path.is_file() and file_sha256(path) == sha256:
                return read_region(path)
    return None


def read_pixels(
    publication: Path, manifest: Mapping[str, Any], region: Region, parcels: gpd.GeoDataFrame, window: Window,
    passes: Collection[str] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Read a window of the scenes that a run used, as they lie at their source now.

    Args:
        publication: of the run.
        manifest: its manifest.
        region: the run's region, whose provider is asked.
        parcels: those of the farm, which say where scenes are looked for.
        window: what is read.
        passes: pass ids; None: all.

    Returns:
        `reflectance` float32 (time, band, y, x), NaN = no data; `ndvi` float32 (time, y, x), NaN = no data; `clear`
        bool (time, y, x); `parcel` as `number_parcels` gives it; times are UTC, `pass_id` lies along them.

    Raises:
        ConfigError: the run used no scene of these passes.
        SourceError: a scene that the run used is no longer there, or can no longer be read.
    """
    import xarray as xr

    rows = read_rows(publication, "scenes", "tile", [window.grid.tile])
    rows = rows[rows["status"] == "used"]
    if passes is not None:
        rows = rows[rows["pass_id"].isin(list(passes))]
    if rows.empty:
        raise ConfigError(
            f"{publication}: no scene of tile {window.grid.tile} was used on these passes", hint="see `looks.pass_id`"
        )
    provider, wanted = provider_of(region, manifest.get("provider")), set(rows["scene_id"])
    found = find_scenes(manifest, region, parcels, wanted)
    lost = sorted(wanted - {scene.scene_id for scene in found.items})
    if lost:
        raise _gone(lost, len(wanted), provider.name, "are no longer in the catalogue")
    cube = load_cube(found, _block(window), provider.read)
    partly = set(rows.loc[rows["flags"].fillna("").str.contains("partly_"), "scene_id"])
    bad = {note.scene_id for note in cube.attrs["notes"] if note.verdict in ("unreadable", "missing_asset")}
    if bad - partly:
        raise _gone(sorted(bad - partly), len(wanted), provider.name, "can no longer be read")
    top, left = window.row - cube.attrs["row"], window.col - cube.attrs["col"]
    rows_10m, cols_10m = slice(top, top + window.height), slice(left, left + window.width)
    rows_20m, cols_20m = (slice(part.start // 2, part.stop // 2) for part in (rows_10m, cols_10m))
    part = Cube(cube.isel(y=rows_10m, x=cols_10m, y20=rows_20m, x20=cols_20m))
    ndvi = index_x10000(part, "ndvi").to_numpy()
    greenness = np.where(ndvi == INDEX_NO_DATA, np.float32("nan"), ndvi / np.float32(10_000)).astype(np.float32)
    values = reflectance(part, BANDS).to_numpy()
    data = {
        "reflectance": (("time", "band", "y", "x"), values),
        "ndvi": (("time", "y", "x"), greenness),
        "clear": (("time", "y", "x"), part["clear"].to_numpy()),
    }
    coords = {"time": part["time"].to_numpy(), "band": list(BANDS), "y": window.y, "x": window.x}
    coords["pass_id"] = ("time", part["pass_id"].to_numpy())
    return xr.Dataset(data, coords=coords, attrs=window.attrs).assign(parcel=number_parcels(window))


def find_scenes(
    manifest: Mapping[str, Any], region: Region, parcels: gpd.GeoDataFrame, wanted: Collection[str]
) -> Scenes:
    """Those of some scenes that the catalogue of a region still has over some parcels.

    Args:
        manifest: of the run.
        region: whose provider is asked.
        parcels: in lon/lat.
        wanted: ids of scenes.
    """
    day = date.fromisoformat(manifest["as_of"])
    found = search_scenes(Parcels(parcels), region.season, provider_of(region, manifest.get("provider")), as_of=day)
    return replace(found, items=tuple(scene for scene in found.items if scene.scene_id in wanted))


def _gone(lost: list[str], wanted: int, provider: str, what: str) -> SourceError:
    return SourceError(
        f"{provider}: {len(lost)} of {wanted} scenes that the run used {what}: {', '.join(lost[:3])}"
        f"{' ...' if len(lost) > 3 else ''}",
        hint="give a region file that says where they lie now: acreline.farm(run, farm_id, region=FILE)",
        retryable=False,
    )


def _block(window: Window) -> Block:
    """The window as what `load_cube` reads: no parcels to count."""
    none, grid = np.empty(0, dtype=np.int32), window.grid
    nothing = Coverage((), none, none, none, none)
    place = (window.row, window.col, window.height, window.width, grid.origin_x, grid.origin_y)
    return Block(f"{grid.tile}_view_r{window.row}_c{window.col}", grid.tile, grid.crs, *place, nothing)
