# SPDX-License-Identifier: Apache-2.0
"""Pixels enter here: the scenes of a season over one block become one cube, each scene's numbers settled once.

One file is one task: opened once, its window read once. A file that cannot be trusted sets its whole scene aside for
this block, by name; it never becomes a hole that looks like cloud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from acreline.config import ReadSettings
from acreline.cubes import clear_from_scl, reflectance
from acreline.doors import check_cube
from acreline.errors import InputError, SourceError
from acreline.fetch import Fetcher, redact
from acreline.geotiff import JP2_MAGIC, Window, place, put, read_header, read_tiles
from acreline.layers import (
    BANDS,
    BANDS_10M,
    BANDS_20M,
    DN_OFFSET,
    PIXEL_M,
    Block,
    Cube,
    Scene,
    SceneNote,
    Scenes,
)
from acreline.rasters import centres_inside, read_with_gdal
from acreline.reflectance import count_green

if TYPE_CHECKING:
    import geopandas as gpd

ASSETS = (*BANDS, "SCL")
SCL_WATER = 6
VERDICTS = ("unreadable", "missing_asset", "outside")
HOLES_WORTH_TELLING = 0.005
"""Share of a scene's pixels that one band lacks and others have, from which its note says so."""
FOOTPRINT_DOUBT_DEG = 0.02
"""Item footprints are drawn coarsely: a scene is left unopened only if it misses the window by this much."""


@dataclass
class _Part:
    """One scene while it is read; the arrays of a pass's first scene are views into the cube."""

    scene: Scene
    dn10: npt.NDArray[np.uint16]
    dn20: npt.NDArray[np.uint16]
    scl: npt.NDArray[np.uint8]
    trouble: dict[str, SourceError] = field(default_factory=dict)


def load_cube(scenes: Scenes, block: Block, read: ReadSettings) -> Cube:
    """Read every scene of the block's tile over the block, and join the parts of each pass.

    A scene with an asset that is missing, unreadable or on another grid is not used here at all. Which scenes were used
    and which not, and why, is in `attrs["notes"]` (one `SceneNote` for each scene of the tile, in the order of
    `scenes`), with the counts by which a scene's offset is checked against physics once all blocks are read.

    Args:
        scenes: the season's scenes; those of other tiles are left out.
        block: what to read: `block.read_window`, which may stick out of the tile (no data there).
        read: threads, timeouts and retries.

    Returns:
        a `Cube` over `block.read_window`: reflectance = 0.0001 v - 0.1, 0 = no data; `clear` only where every band
        has data and the scene classification sees ground.

    Raises:
        SourceError: not one scene could be used; `retryable` where a later run may do better.
    """
    mine = [scene for scene in scenes.items if scene.tile == block.tile]
    notes: dict[str, SceneNote] = {}
    near = []
    window = _window_lonlat(block)
    for scene in mine:
        missing = [band for band in ASSETS if band not in scene.assets]
        if scene.crs != block.crs:
            why = ("unreadable", f"grid disagrees with its item: item in {scene.crs}, tile in {block.crs}")
        elif missing:
            why = ("missing_asset", f"no address for {', '.join(missing)}")
        elif _misses(scene, window):
            why = ("outside", "its footprint does not touch the block")
        else:
            near.append(scene)
            continue
        notes[scene.scene_id] = SceneNote(scene.scene_id, block.block_id, *why)

    passes: dict[str, list[Scene]] = {}
    for scene in sorted(near, key=lambda s: (s.time, s.scene_id)):
        passes.setdefault(scene.pass_id, []).append(scene)
    arrays, parts = _empty_parts(list(passes.values()), block)
    _read_files([part for members in parts for part in members], block, scenes.read_options, read)
    for part in (part for members in parts for part in members):
        verdict, detail = _judge(part)
        green = _count_green(part, block) if verdict == "used" else (0, 0, 0, 0)
        again = any(error.retryable for error in part.trouble.values())
        notes[part.scene.scene_id] = SceneNote(part.scene.scene_id, block.block_id, verdict, detail, green, again)

    used = [[part for part in members if notes[part.scene.scene_id].verdict == "used"] for members in parts]
    used = [members for members in used if members]
    told = tuple(notes[scene.scene_id] for scene in mine)
    if not used:
        counts = {verdict: sum(note.verdict == verdict for note in told) for verdict in VERDICTS}
        found = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "none of this tile"
        retryable = any(e.retryable for members in parts for part in members for e in part.trouble.values())
        raise SourceError(
            f"block {block.block_id}: {len(mine)} scenes, none readable ({found})",
            hint="run again: only this block will be read" if retryable else "see what is said of its scenes",
            retryable=retryable,
            notes=told,
        )
    return _join(used, arrays, block, told)


_Arrays = tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16], npt.NDArray[np.uint8]]


def _empty_parts(passes: Sequence[Sequence[Scene]], block: Block) -> tuple[_Arrays, list[list[_Part]]]:
    """Room for every pass; only the further parts of a split scene get arrays of their own."""
    _, _, height, width = block.read_window
    fine, coarse = (height, width), (height // 2, width // 2)
    dn10 = np.zeros((len(passes), len(BANDS_10M), *fine), np.uint16)
    dn20 = np.zeros((len(passes), len(BANDS_20M), *coarse), np.uint16)
    scl = np.zeros((len(passes), *coarse), np.uint8)
    parts = []
    for k, (first, *rest) in enumerate(passes):
        others = [_Part(scene, np.zeros_like(dn10[k]), np.zeros_like(dn20[k]), np.zeros_like(scl[k])) for scene in rest]
        parts.append([_Part(first, dn10[k], dn20[k], scl[k]), *others])
    return (dn10, dn20, scl), parts


def _join(used: Sequence[Sequence[_Part]], arrays: _Arrays, block: Block, notes: tuple[SceneNote, ...]) -> Cube:
    """Move what is used to the front of the arrays, fill each pass's holes from its further parts, and label it all."""
    dn10, dn20, scl = arrays
    n = len(used)
    row, col, height, width = block.read_window
    clear = np.zeros((n, height, width), np.bool_)
    for k, members in enumerate(used):
        for target, name in ((dn10[k], "dn10"), (dn20[k], "dn20"), (scl[k], "scl")):
            target[...] = getattr(members[0], name)
            for part in members[1:]:
                np.copyto(target, getattr(part, name), where=target == 0)
        clear[k] = clear_from_scl(scl[k : k + 1], _all_bands(dn10[k], dn20[k])[None])[0]
    times = [min(part.scene.time.astimezone(UTC) for part in members).replace(tzinfo=None) for members in used]
    y = block.origin_y - (row + np.arange(height) + 0.5) * PIXEL_M
    x = block.origin_x + (col + np.arange(width) + 0.5) * PIXEL_M
    cube = xr.Dataset(
        {
            "dn10": (("time", "band10", "y", "x"), dn10[:n]),
            "dn20": (("time", "band20", "y20", "x20"), dn20[:n]),
            "clear": (("time", "y", "x"), clear),
            "water": (("time", "y20", "x20"), scl[:n] == SCL_WATER),
        },
        coords={
            "time": np.array(times, dtype="datetime64[ns]"),
            "pass_id": ("time", [members[0].scene.pass_id for members in used]),
            "band10": list(BANDS_10M),
            "band20": list(BANDS_20M),
            "y": y,
            "x": x,
            "y20": (y[::2] + y[1::2]) / 2,
            "x20": (x[::2] + x[1::2]) / 2,
        },
        attrs={
            "crs": block.crs,
            "tile": block.tile,
            "row": row,
            "col": col,
            "origin_x": block.origin_x,
            "origin_y": block.origin_y,
            "block_id": block.block_id,
            "notes": notes,
        },
    )
    return check_cube(cube)


def _all_bands(dn10: npt.NDArray[np.uint16], dn20: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """(y, x) on the 10 m grid: every band has data."""
    fine, coarse = np.all(dn10 != 0, axis=0), np.all(dn20 != 0, axis=0)
    return np.asarray(fine & np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1))


def _judge(part: _Part) -> tuple[str, str]:
    """The verdict over one scene once all its files were tried, and why."""
    for band in ASSETS:  # the first in band order, whichever thread was first
        if band in part.trouble:
            error = part.trouble[band]
            name = redact(part.scene.assets[band]).rstrip("/").rpartition("/")[2]
            return "missing_asset" if error.context.get("missing") else "unreadable", f"{band} {name}: {error.message}"
    if not part.dn10.any() and not part.dn20.any():
        return "outside", "no data in the block"
    holes = []
    for bands, values in ((BANDS_10M, part.dn10), (BANDS_20M, part.dn20)):
        seen = values.any(axis=0)
        for k, band in enumerate(bands):
            lacking = int(np.count_nonzero(seen & (values[k] == 0)))
            if lacking > HOLES_WORTH_TELLING * seen.size:
                holes.append(f"{band} {lacking} px")
    return "used", f"holes that other bands do not have: {', '.join(holes)}" if holes else ""


def _count_green(part: _Part, block: Block) -> tuple[int, int, int, int]:
    """Counts for the physics check over the pixels under parcels, which are the same however the land is cut."""
    row, col, _, _ = block.read_window
    clear = clear_from_scl(part.scl[None], _all_bands(part.dn10, part.dn20)[None])[0]
    at: tuple[Any, ...] = (slice(None), slice(None))
    if block.coverage.parcel_ids:
        at = (block.coverage.row - row, block.coverage.col - col)
    count = count_green({band: part.dn10[k][at] for k, band in enumerate(BANDS_10M)}, clear[at])
    return count.green, count.negative_red, count.bright_blue, count.bright_red


# --- files --------------------------------------------------------------------------------------------------------
def _read_files(parts: Sequence[_Part], block: Block, options: Mapping[str, str], read: ReadSettings) -> None:
    """Fill every part's arrays, several files at once; what goes wrong is kept with the part."""
    at = (block.crs, block.origin_x, block.origin_y)
    fine = Window(*at, PIXEL_M, *block.read_window)
    coarse = Window(*at, 2 * PIXEL_M, *(number // 2 for number in block.read_window))
    hrefs = [href for part in parts for href in part.scene.assets.values() if "://" in href]
    hosts = frozenset(urlsplit(href).netloc.rpartition("@")[2].lower() for href in hrefs)

    def read_one(part: _Part, band: str) -> None:
        try:
            window = fine if band in BANDS_10M else coarse
            values = _read_window(part.scene.assets[band], window, fetcher, options, read)
        except SourceError as error:
            part.trouble[band] = error
            return
        if band == "SCL":
            part.scl[...] = values.astype(np.uint8)
        elif band in BANDS_10M:
            part.dn10[BANDS_10M.index(band)] = settle_dn(values, part.scene.dn_offset)
        else:
            part.dn20[BANDS_20M.index(band)] = settle_dn(values, part.scene.dn_offset)

    with Fetcher(read, hosts) as fetcher, ThreadPoolExecutor(read.threads) as pool:
        try:
            for done in [pool.submit(read_one, part, band) for part in parts for band in ASSETS]:
                done.result()
        except BaseException:  # stopped by a person or a signal: what is not begun is not read
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def settle_dn(values: npt.NDArray[Any], dn_offset: int) -> npt.NDArray[np.uint16]:
    """A scene's own digital numbers -> the cube's: reflectance = 0.0001 v - 0.1, 0 = no data, nothing wraps.

    Args:
        values: whole numbers as stored, any shape.
        dn_offset: what this scene's numbers are raised by: 1000 from baseline 04.00 on, else 0.
    """
    if dn_offset == DN_OFFSET and values.dtype == np.uint16:
        return values
    raised = np.clip(values.astype(np.int32) - (dn_offset - DN_OFFSET), 1, 65535)
    return np.where(values == 0, 0, raised).astype(np.uint16)


def _read_window(
    href: str, window: Window, fetcher: Fetcher, options: Mapping[str, str], read: ReadSettings
) -> npt.NDArray[Any]:
    """One file's numbers on the window, 0 where it has none. Raises `SourceError`."""
    if href.startswith("s3://"):
        if not any(name.startswith("AWS_") for name in (*options, *read.gdal)):
            raise SourceError(
                "refused: s3 is read only where the provider sets AWS_ options",
                hint="set read.gdal in its file",
                retryable=False,
            )
        return read_with_gdal(href, "JP2OpenJPEG" if href.endswith(".jp2") else "GTiff", window, read, options)
    try:
        return _read_checked(href, window, fetcher, options, read)
    except SourceError as error:
        # A tile that does not match its check sum may have been damaged on the way: read the file once more.
        if "://" not in href or not error.context.get("damaged"):
            raise
        return _read_checked(href, window, fetcher, options, read)


def _read_checked(
    href: str, window: Window, fetcher: Fetcher, options: Mapping[str, str], read: ReadSettings
) -> npt.NDArray[Any]:
    file = fetcher.open(href)
    if file.head.startswith(JP2_MAGIC):
        return read_with_gdal(href, "JP2OpenJPEG", window, read, options)
    tiff = read_header(file)
    if tiff is None:
        return read_with_gdal(href, "GTiff", window, read, options)
    inside = place(tiff.grid, f"EPSG:{tiff.grid.epsg}", window)
    values = read_tiles(file, tiff, *inside) if inside is not None else None
    return put(values, inside, tiff.grid, tiff.nodata, window)


# --- where things lie ---------------------------------------------------------------------------------------------
def _window_lonlat(block: Block) -> shapely.Geometry | None:
    """The window in lon/lat with a margin, or None where lon/lat is no plane (the antimeridian, a pole)."""
    from pyproj import Transformer

    row, col, height, width = block.read_window
    left, top = block.origin_x + col * PIXEL_M, block.origin_y - row * PIXEL_M
    to_lonlat = Transformer.from_crs(block.crs, "EPSG:4326", always_xy=True)
    west, south, east, north = to_lonlat.transform_bounds(
        left, top - height * PIXEL_M, left + width * PIXEL_M, top, densify_pts=21
    )
    if not -179 < west < east < 179 or max(abs(south), abs(north)) > 88:
        return None
    d = FOOTPRINT_DOUBT_DEG
    return shapely.box(west - d, south - d, east + d, north + d)


def may_touch(scenes: Sequence[Scene], block: Block) -> list[bool]:
    """For each scene whether its footprint leaves it open that it has pixels in what the block reads."""
    window = _window_lonlat(block)
    return [not _misses(scene, window) for scene in scenes]


def _misses(scene: Scene, window: shapely.Geometry | None) -> bool:
    """True only where the item's own footprint says so beyond doubt."""
    if scene.geometry is None or window is None:
        return False
    try:
        footprint = shapely.geometry.shape(dict(scene.geometry))
        west, _, east, _ = footprint.bounds
        return bool(east - west < 180 and footprint.is_valid and not footprint.intersects(window))
    except (ValueError, TypeError, KeyError, AttributeError, shapely.errors.ShapelyError):
        return False  # a footprint that cannot be read proves nothing: the files decide


def clip_cube(
    cube: Cube, geometry: shapely.Geometry | gpd.GeoSeries | gpd.GeoDataFrame, crs: str = "EPSG:4326"
) -> xr.Dataset:
    """Cut one parcel out of a cube, to look at or to plot.

    Args:
        cube: what `load_cube` gave.
        geometry: polygon, or a GeoSeries or GeoDataFrame of one row (its own CRS is used).
        crs: of a bare polygon.

    Returns:
        the cube's variables over the parcel's bounding window (whole 20 m pixels), `dn10` and `dn20` 0 and `clear`
        and `water` false where a pixel's centre lies outside; `inside` float64 (y, x), share of each 10 m pixel under
        the parcel, exact to 1/10000; `reflectance` float32 (time, band, y, x), all ten bands at 10 m, NaN outside or
        without data.

    Raises:
        InputError: not one polygon, or it does not touch the cube.
    """
    import geopandas as gpd

    from acreline.coverage import COVER_ONE, measure_coverage

    shapes = geometry.geometry if isinstance(geometry, gpd.GeoDataFrame) else geometry
    if not isinstance(shapes, gpd.GeoSeries):
        shapes = gpd.GeoSeries([shapes], crs=crs)
    if len(shapes) != 1 or shapes.crs is None or shapes.iloc[0] is None or shapes.iloc[0].is_empty:
        raise InputError(
            f"clip: one polygon with a CRS is needed, found {len(shapes)} in {shapes.crs}", hint="choose one row"
        )
    placed = gpd.GeoSeries(shapes.to_crs(cube.attrs["crs"]).reset_index(drop=True))
    cover = measure_coverage(placed, ("clip",), cube.attrs["crs"], cube.attrs["origin_x"], cube.attrs["origin_y"])
    row, col = cover.row - cube.attrs["row"], cover.col - cube.attrs["col"]
    here = (row >= 0) & (row < cube.sizes["y"]) & (col >= 0) & (col < cube.sizes["x"])
    if not here.any():
        raise InputError("clip: the parcel does not touch the cube", hint="check its CRS and the cube's tile")
    row, col, share = row[here], col[here], cover.cover[here]
    top, left = int(row.min()) // 2, int(col.min()) // 2  # in pixels of 20 m, so that both grids are cut alike
    bottom, right = int(row.max()) // 2 + 1, int(col.max()) // 2 + 1
    part = cube.isel(
        y20=slice(top, bottom),
        x20=slice(left, right),
        y=slice(2 * top, 2 * bottom),
        x=slice(2 * left, 2 * right),
    ).copy(deep=True)
    part.attrs.update(row=cube.attrs["row"] + 2 * top, col=cube.attrs["col"] + 2 * left)
    fine = centres_inside(placed.iloc[0], part["y"], part["x"], PIXEL_M)
    coarse = centres_inside(placed.iloc[0], part["y20"], part["x20"], 2 * PIXEL_M)
    inside = np.zeros(fine.shape)
    inside[row - 2 * top, col - 2 * left] = share / COVER_ONE
    part["reflectance"] = reflectance(Cube(part), BANDS).where(fine)
    part["inside"] = (("y", "x"), inside)
    for name, mask in (("dn10", fine), ("dn20", coarse), ("clear", fine), ("water", coarse)):
        part[name] = part[name] * mask.astype(part[name].dtype)
    return part
