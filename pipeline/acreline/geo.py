# SPDX-License-Identifier: Apache-2.0
"""Where land lies: its area, the satellite tile it belongs to, the blocks it is read in.

Areas are geodesic, in square metres. A parcel belongs to one Sentinel-2 tile, and everything read for it comes from
that tile's own grid, so no pixel is ever resampled. Datums are in `datum`, tile grids in
`tiles`, pixel shares in `coverage`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.coverage import coverage_key, load_coverage, measure_coverage, save_coverage
from acreline.datum import to_wgs84
from acreline.doors import check_parcels
from acreline.errors import ConfigError, ContractError, SourceError
from acreline.layers import CELL_PX, Block, Coverage, Parcels
from acreline.tiles import TileGrid, tile_grid

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    import numpy.typing as npt

    from acreline.layers import Scenes

__all__ = [
    "TileGrid",
    "geodesic_area_m2",
    "place_parcels",
    "shrunk_share",
    "split_blocks",
    "tile_grid",
    "to_wgs84",
]

WGS84_A_M = 6_378_137.0
WGS84_F = 1 / 298.257223563
WGS84_E2 = WGS84_F * (2 - WGS84_F)
WGS84_E = WGS84_E2**0.5

SHRINK_M = 5.0


# --- area ---------------------------------------------------------------------------------------------------------
def geodesic_area_m2(shapes: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Area of land on the ellipsoid, holes left out.

    The cylindrical equal-area projection keeps areas exactly: x is the longitude, y is a^2/2 times the authalic
    function q of latitude (Snyder, Map Projections: A Working Manual, USGS 1987, eq. 3-12). What lies between an edge
    drawn straight there and the geodesic is added to second order (from the geodesic equation on the sphere), which
    brings fields of up to a few kilometres within 1e-6 of exact geodesics.

    Args:
        shapes: polygons in lon/lat degrees (WGS84), in parts or not; points, lines, empty and missing ones have area 0.

    Returns:
        square metres, float64 (n,).

    Raises:
        ContractError: the shapes are not in lon/lat.
    """
    import shapely

    if shapes.crs is None or not shapes.crs.is_geographic:
        raise ContractError(f"area: expected lon/lat shapes, found {shapes.crs}", hint="reproject to EPSG:4326")
    parts, owner = shapely.get_parts(np.asarray(shapes.values, dtype=object), return_index=True)
    parts, again = shapely.get_parts(parts, return_index=True)  # a collection may hold multipolygons
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    if len(points) == 0:
        return np.zeros(len(shapes))
    lon, lat = np.radians(points).T
    sine = np.sin(lat)
    q = (1 - WGS84_E2) * (sine / (1 - WGS84_E2 * sine**2) + np.arctanh(WGS84_E * sine) / WGS84_E)
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    q -= q[first][ring]  # small numbers lose no digits; a closed ring does not notice
    edge = np.flatnonzero(ring[1:] == ring[:-1])
    dlon, dlat, middle = np.diff(lon)[edge], np.diff(lat)[edge], (lat[1:] + lat[:-1])[edge] / 2
    bulge = np.sin(middle) * dlon * (np.cos(middle) ** 2 * dlon**2 + 3 * dlat**2) / 6
    swept = (q[1:] + q[:-1])[edge] / 2 * dlon + bulge
    area = WGS84_A_M**2 / 2 * np.abs(np.bincount(ring[edge], swept, minlength=len(rings)))
    hole = np.diff(part, prepend=-1) == 0  # the first ring of a polygon is its outside
    signed = np.where(hole, -area, area)
    return np.bincount(owner[again[part]], signed, minlength=len(shapes)).astype(np.float64)


def shrunk_share(shapes: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Share of a parcel's area left after taking 5 m off along its whole edge: small for strips and slivers.

    Args:
        shapes: polygons in lon/lat degrees.

    Returns:
        0 to 1, float64 (n,); 0 for an empty or missing shape. Measured in a plane through each parcel's own middle.
    """
    import shapely

    outlines = np.asarray(shapes.values, dtype=object)
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    if len(points) == 0:
        return np.zeros(len(outlines))
    west, south, east, north = shapely.bounds(outlines).T
    lon0, lat0 = ((west + east) / 2)[owner], ((south + north) / 2)[owner]
    w2 = 1 - WGS84_E2 * np.sin(np.radians(lat0)) ** 2
    x = np.radians(points[:, 0] - lon0) * WGS84_A_M / np.sqrt(w2) * np.cos(np.radians(lat0))
    y = np.radians(points[:, 1] - lat0) * WGS84_A_M * (1 - WGS84_E2) / w2**1.5
    plane = shapely.set_coordinates(outlines.copy(), np.column_stack([x, y]))
    whole = np.nan_to_num(shapely.area(plane), nan=0.0)
    left = np.nan_to_num(shapely.area(shapely.buffer(plane, -SHRINK_M)), nan=0.0)
    return np.divide(left, whole, out=np.zeros_like(whole), where=whole > 0)


# --- tiles --------------------------------------------------------------------------------------------------------
def _tiles_of(scenes: Scenes) -> list[TileGrid]:
    """Grids of the scenes' tiles, by name; refuses a scene whose CRS is not its tile's."""
    grids: dict[str, TileGrid] = {}
    for scene in scenes.items:
        grid = grids.setdefault(scene.tile, tile_grid(scene.tile))
        if scene.crs != grid.crs:
            raise SourceError(
                f"scene {scene.scene_id}: CRS {scene.crs}, but tile {scene.tile} lies in {grid.crs}",
                hint="the catalogue contradicts itself: set the scene aside or tell the provider",
                retryable=False,
            )
    return [grids[name] for name in sorted(grids)]


def place_parcels(parcels: Parcels, scenes: Scenes) -> Parcels:
    """Give each parcel its tile: of those that hold it whole the one with the nearest centre, then the lower name.

    Args:
        parcels: as read.
        scenes: only their tiles count.

    Returns:
        The same rows with a column `tile`; a parcel that no tile holds whole is rejected with reason `no_tile`.
        Rows rejected before keep their reason and have tile None.

    Raises:
        SourceError: a scene's tile has no such name, or its CRS contradicts it.
    """
    import shapely
    from pyproj import Transformer

    table = parcels.reset_index(drop=True)
    alive = np.flatnonzero((table["status"] != "rejected").to_numpy())
    outlines = np.asarray(table.geometry.values, dtype=object)[alive]
    boxes = shapely.bounds(outlines) if len(outlines) else np.empty((0, 4))
    best = np.full(len(alive), np.iinfo(np.int64).max)
    tile = np.full(len(alive), None, dtype=object)
    touched = np.full(len(alive), "", dtype=object)
    for grid in _tiles_of(scenes):
        west, south, east, north = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform_bounds(
            *grid.bounds, densify_pts=51
        )
        over = (boxes[:, 2] >= west) & (boxes[:, 0] <= east)
        if west > east:  # across 180 degrees
            over = (boxes[:, 2] >= west) | (boxes[:, 0] <= east)
        near = np.flatnonzero(over & (boxes[:, 3] >= south) & (boxes[:, 1] <= north))
        if len(near) == 0:
            continue
        xmin, ymin, xmax, ymax = shapely.bounds(_project(outlines[near], grid.crs)).T
        left, bottom, right, top = grid.bounds
        touched[near[(xmin < right) & (xmax > left) & (ymin < top) & (ymax > bottom)]] += f" {grid.tile}"
        whole = (xmin >= left) & (xmax <= right) & (ymin >= bottom) & (ymax <= top)
        # Whole metres: the last bits of a projection must not choose the tile.
        away = np.rint(np.hypot((xmin + xmax - left - right) / 2, (ymin + ymax - bottom - top) / 2))
        held = near[whole]
        closer = away[whole] < best[held]
        tile[held[closer]] = grid.tile
        best[held[closer]] = away[whole][closer]
    column = np.full(len(table), None, dtype=object)
    column[alive] = tile
    table["tile"] = _text(column)
    homeless = np.array([name is None for name in tile], dtype=bool)
    rows = alive[homeless]
    for name, values in (
        ("status", np.full(len(rows), "rejected", dtype=object)),
        ("reason", np.full(len(rows), "no_tile", dtype=object)),
        ("detail", np.array([_why_no_tile(names) for names in touched[homeless]], dtype=object)),
    ):
        changed = np.asarray(table[name], dtype=object).copy()
        changed[rows] = values
        table[name] = _text(changed)
    return check_parcels(table)


def _why_no_tile(touched: str) -> str:
    return f"only partly inside tile{touched}" if touched else "no scene's tile reaches it"


def _text(values: npt.NDArray[Any]) -> Any:
    """A column of text and None: pandas would make a None of its own text type into NaN, which counts as true."""
    import pandas as pd

    return pd.Series(values, dtype=object)


def _project(outlines: npt.NDArray[Any], crs: str) -> npt.NDArray[Any]:
    """Lon/lat shapes in metres of `crs`."""
    import geopandas as gpd

    return np.asarray(gpd.GeoSeries(outlines, crs="EPSG:4326").to_crs(crs).values, dtype=object)


# --- blocks -------------------------------------------------------------------------------------------------------
def split_blocks(parcels: Parcels, scenes: Scenes, block_px: int = 1024, *, cache: Path | None = None) -> list[Block]:
    """Cut the land of the parcels into windows that can be read one at a time.

    Args:
        parcels: placed, with column `tile`; rejected rows are left out.
        scenes: their tiles name the grids.
        block_px: side of a window in 10 m pixels, a multiple of 32; counted from the tile's upper-left corner.
        cache: folder where measured coverage is kept between runs, by hash of its content.

    Returns:
        Blocks sorted by id, only those that parcels touch, each trimmed to the network cells that hold a parcel, with
        the exact coverage of its own window. The numbers are the same whatever `block_px`: a parcel across an edge is
        in both blocks with its own pixels.

    Raises:
        ConfigError: `block_px` is no multiple of 32.
        ContractError: the parcels have no tile.
        SourceError: a scene's tile has no such name, or its CRS contradicts it.
        StoreError: the cache folder cannot be written.
    """
    import geopandas as gpd

    if block_px < 32 or block_px % 32:
        raise ConfigError(f"block_px must be a multiple of 32, not {block_px}", hint="take 1024")
    if "tile" not in parcels.columns:
        raise ContractError("blocks: parcels have no column tile", hint="call place_parcels first")
    kept = parcels[parcels["status"] != "rejected"].sort_values("parcel_id", kind="stable")
    blocks: list[Block] = []
    for grid in _tiles_of(scenes):
        here = kept[(kept["tile"] == grid.tile).to_numpy()]
        if len(here) == 0:
            continue
        names = tuple(str(name) for name in here["parcel_id"])
        key = "" if cache is None else coverage_key(here.geometry, names, grid.tile)
        coverage = None if cache is None else load_coverage(cache, key, names)
        if coverage is None:
            shapes = gpd.GeoSeries(_project(np.asarray(here.geometry.values, dtype=object), grid.crs), crs=grid.crs)
            coverage = measure_coverage(shapes, names, grid.crs, grid.origin_x, grid.origin_y)
            if cache is not None:
                save_coverage(cache, key, coverage)
        blocks.extend(_windows(coverage, grid, block_px))
    return sorted(blocks, key=lambda block: block.block_id)


def _trimmed(lines: npt.NDArray[np.int32], start: int, block_px: int, size_px: int) -> tuple[int, int]:
    """First and last line (exclusive) of a window's network cells that hold a parcel: no more than those is read."""
    first = max(start, int(lines.min()) // CELL_PX * CELL_PX)
    last = min(start + block_px, (int(lines.max()) // CELL_PX + 1) * CELL_PX, size_px)
    return first, last


def _windows(coverage: Coverage, grid: TileGrid, block_px: int) -> list[Block]:
    """One block per touched window of the tile, with the pixels that lie in it."""
    if len(coverage.cover) == 0:
        return []
    row, col = coverage.row // block_px, coverage.col // block_px
    window = row.astype(np.int64) * (grid.size_px + 1) + col
    order = np.argsort(window, kind="stable")  # keeps (parcel, row, col) sorted within a window
    starts = np.flatnonzero(np.diff(window[order], prepend=-1))
    blocks = []
    for part in np.split(order, starts[1:]):
        at_row, at_col = int(row[part[0]]), int(col[part[0]])
        members, parcel = np.unique(coverage.parcel[part], return_inverse=True)
        inside = Coverage(
            tuple(coverage.parcel_ids[k] for k in members),
            parcel.astype(np.int32),
            coverage.row[part],
            coverage.col[part],
            coverage.cover[part],
        )
        top, bottom = _trimmed(inside.row, at_row * block_px, block_px, grid.size_px)
        left, right = _trimmed(inside.col, at_col * block_px, block_px, grid.size_px)
        blocks.append(
            Block(
                block_id=f"{grid.tile}_r{at_row:04d}_c{at_col:04d}_{block_px}",
                tile=grid.tile,
                crs=grid.crs,
                row=top,
                col=left,
                height=bottom - top,
                width=right - left,
                origin_x=grid.origin_x,
                origin_y=grid.origin_y,
                coverage=inside,
            )
        )
    return blocks
