# SPDX-License-Identifier: Apache-2.0
"""What is read to judge a datum: windows around many parcels, in each a clear scene of every third of the season."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import structlog

from acreline.config import ReadSettings
from acreline.errors import SourceError
from acreline.geo import TileGrid, tile_grid
from acreline.imagery import load_cube, may_touch
from acreline.layers import PIXEL_M, Block, Coverage, Cube, Scene, Scenes

log = structlog.get_logger(__name__)

MOST_SCENES = 3
"""One of each third of the season: neighbours that look alike in one month differ in another."""
MOST_TRIES = 4
"""A catalogue's cloud cover is that of a whole tile: a scene that is clouded here is laid aside, the next one read."""
CLEAR_SHARE, LEAST_CLEAR = 0.7, 0.2
"""Clear share around the parcels at which no other scene is tried, and below which a scene is not used."""
MOST_WINDOWS = 4
WINDOW_PX = 512
MOST_PARCELS = 500
"""In one window; more would say the same."""
MARGIN_PX = 180
"""BD-09 moves land by up to 1.4 km, a random shift by 0.3 km more."""
LARGEST_PX = 256
"""A parcel that is longer than this is no field, and its window would have no end."""


def choose_windows(parcels: Any) -> list[tuple[str, Any]]:
    """The squares of `WINDOW_PX` with the most parcels: (tile, rows), the fullest first."""
    found = []
    for tile, rows in parcels.dropna(subset=["tile"]).groupby("tile", sort=True):
        grid = tile_grid(str(tile))
        bounds = rows.geometry.to_crs(grid.crs).bounds.to_numpy()
        small = (bounds[:, 2:] - bounds[:, :2]).max(axis=1) <= LARGEST_PX * PIXEL_M
        col = (bounds[:, [0, 2]].mean(axis=1) - grid.origin_x) // (WINDOW_PX * PIXEL_M)
        row = (grid.origin_y - bounds[:, [1, 3]].mean(axis=1)) // (WINDOW_PX * PIXEL_M)
        rows = rows.assign(square_row=row.astype(int), square_col=col.astype(int))[small]
        for at, members in rows.groupby(["square_row", "square_col"], sort=True):
            found.append((-len(members), str(tile), at, members.sort_values("parcel_id").head(MOST_PARCELS)))
    found.sort(key=lambda one: one[:3])
    return [(tile, members) for _, tile, _, members in found[:MOST_WINDOWS]]


def window_around(rows: Any, grid: TileGrid) -> Block:
    """What is read for some parcels of a tile: around all of them, wherever a datum may put them."""
    west, south, east, north = rows.geometry.to_crs(grid.crs).total_bounds
    row, col = int((grid.origin_y - north) // PIXEL_M) - MARGIN_PX, int((west - grid.origin_x) // PIXEL_M) - MARGIN_PX
    height = int((grid.origin_y - south) // PIXEL_M) + 1 + MARGIN_PX - row
    width = int((east - grid.origin_x) // PIXEL_M) + 1 + MARGIN_PX - col
    none = np.empty(0, dtype=np.int32)
    nothing = Coverage((), none, none, none, none)
    name = f"{grid.tile}_datum_r{row}_c{col}"
    return Block(name, grid.tile, grid.crs, row, col, height, width, grid.origin_x, grid.origin_y, nothing)


def rank_scenes(scenes: Scenes, block: Block) -> list[list[Scene]]:
    """The scenes over a block in each third of the time that they span, the least cloudy first.

    Cloud cover counts in whole percent, one that is not stated as 101; of equals the one nearest to the third's middle.
    """
    here = [scene for scene in scenes.items if scene.tile == block.tile]
    near = [scene for scene, touches in zip(here, may_touch(here, block), strict=True) if touches]
    if not near:
        return []
    start = near[0].time
    third = max((near[-1].time - start) / MOST_SCENES, timedelta(days=1))
    parts: dict[int, list[Scene]] = {}
    for scene in near:
        parts.setdefault(min(int((scene.time - start) / third), MOST_SCENES - 1), []).append(scene)
    return [
        sorted(members, key=functools.partial(_rank, middle=start + third * (part + 0.5)))
        for part, members in sorted(parts.items())
    ]


def _rank(scene: Scene, middle: datetime) -> tuple[int, timedelta, str]:
    cloud = 101 if scene.cloud_percent is None else round(scene.cloud_percent)
    return cloud, abs(scene.time - middle), scene.scene_id


def clear_cubes(scenes: Scenes, block: Block, read: ReadSettings) -> tuple[list[Cube], int, list[SourceError]]:
    """The clearest scene of each third of the season over a block; how many were opened, and what could not be."""
    cubes, opened, trouble = [], 0, []
    for members in rank_scenes(scenes, block):
        best: tuple[float, Cube] | None = None
        for scene in members[:MOST_TRIES]:
            try:
                cube = load_cube(replace(scenes, items=(scene,)), block, read)
            except SourceError as error:
                log.warning("a scene of the datum check was not read", scene=scene.scene_id, error=error.message)
                trouble.append(error)
                continue
            opened += 1
            clear = cube["clear"].to_numpy()[0]
            top, left = block.row - cube.attrs["row"] + MARGIN_PX, block.col - cube.attrs["col"] + MARGIN_PX
            bottom, right = top + block.height - 2 * MARGIN_PX, left + block.width - 2 * MARGIN_PX
            share = float(clear[top:bottom, left:right].mean())
            if share >= LEAST_CLEAR and (best is None or share > best[0]):
                best = share, cube
            if share >= CLEAR_SHARE:
                break
        if best is not None:
            cubes.append(best[1])
    return cubes, opened, trouble
