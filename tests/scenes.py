# SPDX-License-Identifier: Apache-2.0
"""A seeded maker of small Sentinel-2 scenes: real GeoTIFFs of a few pixels on tile 31UDS, no catalogue needed.

scene = make_scene(tmp_path, "s1", day=5)                         # a green field, clear, offset 1000
cloudy = make_scene(tmp_path, "s2", day=8, scl=9)
cube = load_cube(make_scenes([scene, cloudy]), make_block(), ReadSettings())
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from acreline.layers import BANDS, BANDS_10M, Block, Coverage, Scene, Scenes

TILE, CRS = "31UDS", "EPSG:32631"
ORIGIN_X, ORIGIN_Y = 399960.0, 5700000.0
ROW, COL, SIZE = 128, 192, 64
"""Where the small scenes lie by default: one network cell, in 10 m pixels of the tile."""

GREEN = {
    "B02": 350,
    "B03": 700,
    "B04": 400,
    "B05": 1100,
    "B06": 2600,
    "B07": 3200,
    "B08": 3600,
    "B8A": 3700,
    "B11": 1700,
    "B12": 900,
}
"""Reflectance x 10000 of a green canopy."""


def write_tif(
    path: Path,
    values: np.ndarray,
    *,
    row: int = ROW,
    col: int = COL,
    pixel_m: int = 10,
    crs: str = CRS,
    driver: str = "COG",
    **options: Any,
) -> Path:
    """Write one band; `row` and `col` count 10 m pixels of the tile. A COG unless told otherwise."""
    transform = Affine(pixel_m, 0, ORIGIN_X + col * 10, 0, -pixel_m, ORIGIN_Y - row * 10)
    height, width = values.shape
    profile: dict[str, Any] = {
        "driver": driver,
        "height": height,
        "width": width,
        "count": 1,
        "dtype": values.dtype,
        "crs": crs,
        "transform": transform,
    }
    if driver == "COG":
        profile |= {"compress": "DEFLATE", "predictor": "YES", "overviews": "NONE"}
    with rasterio.open(path, "w", **(profile | options)) as out:
        out.write(values, 1)
    return path


def make_scene(
    folder: Path,
    scene_id: str,
    *,
    day: float = 0,
    row: int = ROW,
    col: int = COL,
    height: int = SIZE,
    width: int = SIZE,
    dn: Mapping[str, Any] | None = None,
    scl: Any = 4,
    dn_offset: int = 1000,
    pass_id: str | None = None,
    noise: int = 40,
    seed: int = 0,
    geometry: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Scene:
    """Write the eleven files of one scene and return its `Scene`.

    Args:
        folder: where; a folder named like the scene is made in it.
        scene_id: also decides the noise, together with `seed`.
        day: days after 2023-05-01 10:50 UTC.
        row: upper-left corner of the files, in 10 m pixels of the tile, even.
        col: the same.
        height: in 10 m pixels, even.
        width: the same.
        dn: band -> stored number (one or an array); other bands are a green canopy with a little noise.
        scl: scene class, one or an array on the 20 m grid.
        dn_offset: what the stored numbers are raised by.
        pass_id: shared by parts of a split scene; else made from the day.
        noise: half width of the noise, in stored numbers.
        seed: of the noise.
        geometry: footprint as GeoJSON.
        options: for `write_tif`.
    """
    time = datetime(2023, 5, 1, 10, 50, tzinfo=UTC) + timedelta(days=day)
    home = folder / scene_id
    home.mkdir(parents=True)
    assets = {}
    for band in (*BANDS, "SCL"):
        pixel_m = 10 if band in BANDS_10M else 20
        shape = (height * 10 // pixel_m, width * 10 // pixel_m)
        if band == "SCL":
            values = np.broadcast_to(np.asarray(scl), shape).astype(np.uint8)
        elif band in (dn or {}):
            values = np.broadcast_to(np.asarray((dn or {})[band]), shape).astype(np.uint16)
        else:
            rng = np.random.default_rng([seed, zlib.crc32(f"{scene_id}/{band}".encode())])
            values = (GREEN[band] + dn_offset + rng.integers(-noise, noise + 1, shape)).astype(np.uint16)
        path = write_tif(home / f"{band}.tif", values, row=row, col=col, pixel_m=pixel_m, **dict(options or {}))
        assets[band] = str(path)
    return Scene(
        scene_id=scene_id,
        pass_id=pass_id or f"sentinel-2a_R008_{time:%Y%m%d}",
        time=time,
        tile=TILE,
        crs=CRS,
        assets=assets,
        dn_offset=dn_offset,
        offset_how="made",
        cloud_percent=0.0,
        baseline="05.09" if dn_offset else "02.08",
        geometry=geometry,
    )


def at_server(scene: Scene, folder: Path, url: str) -> Scene:
    """The same scene with addresses on a server that serves `folder` at `url`."""
    assets = {band: f"{url.rstrip('/')}/{Path(href).relative_to(folder)}" for band, href in scene.assets.items()}
    return replace(scene, assets=assets)


def make_scenes(items: Sequence[Scene], **read_options: str) -> Scenes:
    """Scenes as a search would give them."""
    ordered = tuple(sorted(items, key=lambda scene: (scene.time, scene.scene_id)))
    return Scenes("made", ordered, (), {"received": len(ordered), "used": len(ordered)}, read_options)


def make_block(
    row: int = ROW,
    col: int = COL,
    height: int = SIZE,
    width: int = SIZE,
    parcels: Mapping[str, tuple[int, int, int, int]] | None = None,
) -> Block:
    """A block with box-shaped parcels, each told as (first row, first column, rows, columns) in pixels of the tile."""
    ids = tuple(sorted(parcels or {}))
    cells = [
        (k, r, c)
        for k, name in enumerate(ids)
        for r in range((parcels or {})[name][0], sum((parcels or {})[name][0::2]))
        for c in range((parcels or {})[name][1], sum((parcels or {})[name][1::2]))
    ]
    parcel, rows, cols = (np.array([cell[k] for cell in cells], np.int32) for k in range(3))
    coverage = Coverage(ids, parcel, rows, cols, np.full(len(cells), 10_000, np.int32))
    return Block(f"{TILE}_{row}_{col}", TILE, CRS, row, col, height, width, ORIGIN_X, ORIGIN_Y, coverage)
