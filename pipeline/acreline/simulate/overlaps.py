# SPDX-License-Identifier: Apache-2.0
"""Tiles overlap, and so do zones: a county's pictures as the neighbouring tiles hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.errors import SourceError
from acreline.layers import PIXEL_M
from acreline.simulate.values import Window
from acreline.tiles import COLUMN_LETTERS, ROW_LETTERS, TileGrid, tile_grid


def other_tiles(window: Window) -> list[Window]:
    """The part of each other tile that holds land of the county, by tile name.

    Tiles of the same latitude band, in the county's own zone and in the zones beside it; windows begin on even rows and
    columns and have even sides. Empty where the county lies in one tile only.
    """
    zone, band = int(window.tile[:2]), window.tile[2]
    found = []
    for number in (zone - 1, zone, zone + 1):
        corners = _corners(window, f"{(number - 1) % 60 + 1:02d}{band}")
        for column in COLUMN_LETTERS:
            for row in ROW_LETTERS:
                name = f"{(number - 1) % 60 + 1:02d}{band}{column}{row}"
                try:
                    grid = tile_grid(name)
                except SourceError:
                    continue
                part = _part(grid, corners)
                if part is not None and name != window.tile and _reaches_its_zone(grid):
                    found.append(part)
    return sorted(found, key=lambda one: one.tile)


def same_land(window: Window, other: Window, pixel_m: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each pixel of another tile's window the nearest pixel of the county's: rows, columns; -1 outside.

    In one zone the grids coincide, since tiles start on multiples of 60 m; in another the land is turned a little.

    Args:
        window: the county's.
        other: of another tile.
        pixel_m: 10 or 20.
    """
    step = pixel_m // PIXEL_M
    height, width = window.height // step, window.width // step
    xs = other.origin_x + other.col * PIXEL_M + (np.arange(other.width // step) + 0.5) * pixel_m
    ys = other.origin_y - other.row * PIXEL_M - (np.arange(other.height // step) + 0.5) * pixel_m
    x, y = np.meshgrid(xs, ys)
    if other.crs != window.crs:
        x, y = _transformer(other.crs, window.crs).transform(x, y)
    cols = np.floor((x - window.origin_x - window.col * PIXEL_M) / pixel_m).astype(np.int64)
    rows = np.floor((window.origin_y - window.row * PIXEL_M - y) / pixel_m).astype(np.int64)
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    return np.where(inside, rows, -1), np.where(inside, cols, -1)


def _corners(window: Window, square: str) -> tuple[float, float, float, float]:
    """West, south, east, north of the county in another zone, metres."""
    south = square[2] < "N"
    crs = f"EPSG:{(32700 if south else 32600) + int(square[:2])}"
    west, north = window.origin_x + window.col * PIXEL_M, window.origin_y - window.row * PIXEL_M
    east, bottom = west + window.width * PIXEL_M, north - window.height * PIXEL_M
    if crs == window.crs:
        return west, bottom, east, north
    x, y = _transformer(window.crs, crs).transform([west, east, west, east], [north, north, bottom, bottom])
    return min(x), min(y), max(x), max(y)


def _part(grid: TileGrid, corners: tuple[float, float, float, float]) -> Window | None:
    """The tile's pixels that touch a box, or None; a strip narrower than 20 m is none."""
    west, south, east, north = corners
    step = 2 * PIXEL_M

    def place(metres: float) -> int:
        return 2 * int(min(max(metres // step, 0), grid.size_px // 2))

    left, right = place(west - grid.origin_x), place(east - grid.origin_x + step - 1)
    top, bottom = place(grid.origin_y - north), place(grid.origin_y - south + step - 1)
    if right <= left or bottom <= top:
        return None
    return Window(grid.tile, grid.crs, grid.origin_x, grid.origin_y, top, left, bottom - top, right - left)


def _reaches_its_zone(grid: TileGrid) -> bool:
    """Sentinel-2 has only such tiles; the grid of a zone goes on beyond them."""
    west, south, east, north = grid.bounds
    edges, _ = _transformer(grid.crs, "EPSG:4326").transform([west, east], [(south + north) / 2] * 2)
    start = 6 * int(grid.tile[:2]) - 186
    return bool(edges[0] < start + 6 and edges[1] > start)


def _transformer(before: str, after: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(before, after, always_xy=True)
