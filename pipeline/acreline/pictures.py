# SPDX-License-Identifier: Apache-2.0
"""Which look of each parcel is shown to people, and its pixels, read once more.

The measuring keeps sums, no pixels; so once there is something to publish, a few passes are read again, over the
parcels alone. A parcel is read whole, wherever the blocks were cut. No trouble here stops a publication: what cannot be
shown is said in words.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
import structlog

from acreline.config import ReadSettings
from acreline.coverage import COVER_ONE
from acreline.cubes import INDEX_NO_DATA, index_x10000
from acreline.curves import clear_looks, days_of
from acreline.geo import TileGrid, tile_grid
from acreline.imagery import clip_cube, load_cube
from acreline.layers import FULL_COVER, PIXEL_M, Block, Coverage, Cube, Looks, Parcels, Scenes, Seasons
from acreline.rasters import centres_inside
from acreline.report import FieldPicture, Unseen

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

log = structlog.get_logger(__name__)

PEAK_DAYS = 45
"""A crop looks like itself from a month and a half before its peak to as long after it."""
MARGIN_PX = 4
"""Least that is shown around a parcel."""
LEAST_SIDE_PX = 24
"""A small parcel is shown with more around it, so that its place can be known again."""
CHIPS = 6
"""Days of the season on which a parcel is shown small, one from each equal part of it."""
GROUP_PX = 1024
"""Parcels whose pictures begin in the same square of this size are read together; it never changes a pixel."""


@dataclass(frozen=True)
class ShownLook:
    """The look of one parcel that is shown."""

    pass_id: str
    day: str
    n_clear: int
    n_seen: int
    """Full pixels with data when the parcel was measured: the picture must hold as many."""
    n_full: int


@dataclass(frozen=True)
class Frame:
    """A square of a tile around one parcel, on whole 20 m pixels."""

    grid: TileGrid
    row: int
    """First row, in 10 m pixels of the tile."""
    col: int
    side: int
    shape: shapely.Geometry
    """The parcel in the tile's CRS."""


def picture_parcels(
    parcels: Parcels,
    looks: Looks,
    seasons: Seasons,
    scenes: Scenes,
    read: ReadSettings,
    implausible: Collection[str] = (),
) -> dict[str, FieldPicture | Unseen]:
    """Read for each measured parcel the pixels of the look that is shown.

    Args:
        parcels: placed and judged; those rejected or failed are left out.
        looks: merged.
        seasons: when each parcel's crops stood at their peak.
        scenes: the season's scenes.
        read: threads, timeouts and retries.
        implausible: ids of scenes that were set aside while measuring.

    Returns:
        parcel id -> its picture, or why there is none.
    """
    kept = parcels[~parcels["status"].isin(["rejected", "failed"])]
    frames = frame_parcels(kept)
    shown = choose_looks(looks, seasons)
    pixels = dict(zip(looks.land["parcel_id"], looks.land["n_full"], strict=True))
    pictures: dict[str, FieldPicture | Unseen] = {
        name: Unseen("no_clear_look" if pixels.get(name, 0) else "no_whole_pixel") for name in frames
    }
    usable = replace(scenes, items=tuple(s for s in scenes.items if s.scene_id not in implausible))
    pictures |= _read_looks(frames, shown, usable, read)
    chips: dict[str, list[FieldPicture]] = {}
    passes = {look.pass_id for name, look in shown.items() if name in frames}
    for looks_of_pass in season_looks(looks):
        passes |= {look.pass_id for name, look in looks_of_pass.items() if name in frames}
        for name, picture in _read_looks(frames, looks_of_pass, usable, read).items():
            if isinstance(picture, FieldPicture):
                chips.setdefault(name, []).append(picture)
    for name, picture in pictures.items():
        if isinstance(picture, FieldPicture):
            pictures[name] = replace(picture, season=tuple(chips.get(name, ())))
    found = [picture for picture in pictures.values() if isinstance(picture, FieldPicture)]
    log.info("field pictures", parcels=len(pictures), shown=len(found), passes=len(passes))
    return pictures


def _read_looks(
    frames: Mapping[str, Frame], chosen: Mapping[str, ShownLook], scenes: Scenes, read: ReadSettings
) -> dict[str, FieldPicture | Unseen]:
    """The pictures of some looks; neighbours of one pass are read together."""
    groups: dict[tuple[str, str, int, int], list[str]] = {}
    for name in sorted(set(frames) & set(chosen)):
        frame = frames[name]
        at = (frame.grid.tile, chosen[name].pass_id, frame.row // GROUP_PX, frame.col // GROUP_PX)
        groups.setdefault(at, []).append(name)
    pictures: dict[str, FieldPicture | Unseen] = {}
    for (tile, pass_id, _, _), names in sorted(groups.items()):
        mine = tuple(scene for scene in scenes.items if (scene.tile, scene.pass_id) == (tile, pass_id))
        wanted = {name: (frames[name], chosen[name]) for name in names}
        pictures |= _read_group(wanted, replace(scenes, items=mine), read)
    return pictures


# --- which look ---------------------------------------------------------------------------------------------------
def choose_looks(looks: Looks, seasons: Seasons) -> dict[str, ShownLook]:
    """Choose for each parcel the look that shows its crop best, with few different passes.

    Where a parcel was seen whole (every full pixel clear) near the peak of a crop, one of these looks is taken: passes
    are chosen in turn, each time the one with the highest sum of NDVI over all parcels not yet shown, of equals the
    latest; so neighbours share a day. Any other parcel is shown by the look with the largest clear share, of equals
    the latest.

    Args:
        looks: merged; only those that may speak count (half of the pixels clear, no haze).
        seasons: rows with a `peak` say where a crop's peak lies.

    Returns:
        parcel id -> look; a parcel without a look that may speak is not in it.
    """
    key = ["parcel_id", "pass_id"]
    table = clear_looks(looks)[key].merge(looks.passes, on=key).merge(looks.land, on="parcel_id")
    table["green"] = (table["sum_ndvi"] // table["n_clear"]).clip(lower=1)  # whole numbers: no sum hangs on the order
    left = table[(table["n_clear"] >= table["n_full"]) & _near_a_peak(table, seasons)]
    chosen: dict[str, ShownLook] = {}
    while len(left):
        scores = left.groupby("pass_id").agg(green=("green", "sum"), time=("time", "max")).reset_index()
        best = scores.sort_values(["green", "time", "pass_id"])["pass_id"].iloc[-1]
        chosen |= _shown(left[left["pass_id"] == best])
        left = left[~left["parcel_id"].isin(list(chosen))]
    others = table[~table["parcel_id"].isin(list(chosen))]
    others = others.assign(share=10_000 * others["n_clear"] // others["n_full"].clip(lower=1))
    others = others.sort_values(["parcel_id", "share", "time", "pass_id"], kind="stable")
    return chosen | _shown(others.drop_duplicates("parcel_id", keep="last"))


def season_looks(looks: Looks) -> list[dict[str, ShownLook]]:
    """Looks that show a season's course: of each of `CHIPS` equal parts of it the pass that saw most parcels whole.

    Args:
        looks: merged; only those that may speak count.

    Returns:
        for each such pass, in order of time, parcel id -> look of the parcels that it saw whole. A season of a single
        pass has no course.
    """
    key = ["parcel_id", "pass_id"]
    table = clear_looks(looks)[key].merge(looks.passes, on=key).merge(looks.land, on="parcel_id")
    table = table[table["n_clear"] >= table["n_full"]]
    if table["pass_id"].nunique() < 2:
        return []
    days = days_of(table["time"]).astype(np.int64)
    first, last = int(days.min()), int(days.max())
    table = table.assign(part=np.minimum(CHIPS * (days - first) // max(1, last - first), CHIPS - 1))
    counts = table.groupby(["part", "pass_id"]).agg(n=("parcel_id", "size"), time=("time", "max")).reset_index()
    best = counts.sort_values(["part", "n", "time", "pass_id"]).drop_duplicates("part", keep="last")
    return [_shown(table[table["pass_id"] == pass_id]) for pass_id in best["pass_id"]]


def _near_a_peak(table: pd.DataFrame, seasons: Seasons) -> npt.NDArray[np.bool_]:
    """Which looks were taken within `PEAK_DAYS` of a peak of their parcel."""
    near = np.zeros(len(table), dtype=np.bool_)
    peaks = seasons[["parcel_id", "peak"]].dropna()
    if peaks.empty or table.empty:
        return near
    pairs = table[["parcel_id", "time"]].assign(at=np.arange(len(table))).merge(peaks, on="parcel_id")
    close = (days_of(pairs["time"]) - days_of(pairs["peak"])).astype(np.int64)
    near[pairs["at"].to_numpy()[np.abs(close) <= PEAK_DAYS]] = True
    return near


def _shown(rows: pd.DataFrame) -> dict[str, ShownLook]:
    days = rows["time"].dt.strftime("%Y-%m-%d")
    counts = (rows[name].tolist() for name in ("n_clear", "n_seen", "n_full"))
    looks = (ShownLook(*look) for look in zip(rows["pass_id"], days, *counts, strict=True))
    return dict(zip(rows["parcel_id"], looks, strict=True))


# --- where --------------------------------------------------------------------------------------------------------
def frame_parcels(parcels: Parcels) -> dict[str, Frame]:
    """The square around each parcel, in the grid of its own tile; the same whatever the blocks."""
    if "tile" not in parcels.columns:
        return {}
    frames = {}
    for tile, rows in parcels.groupby("tile"):
        grid = tile_grid(str(tile))
        for name, shape in zip(rows["parcel_id"], rows.geometry.to_crs(grid.crs), strict=True):
            frames[str(name)] = frame_shape(shape, grid)
    return frames


def frame_shape(shape: shapely.Geometry, grid: TileGrid) -> Frame:
    """The square around one shape given in the tile's CRS."""
    west, south, east, north = (float(edge) for edge in shapely.bounds(shape))
    top, bottom = math.floor((grid.origin_y - north) / PIXEL_M), math.ceil((grid.origin_y - south) / PIXEL_M)
    left, right = math.floor((west - grid.origin_x) / PIXEL_M), math.ceil((east - grid.origin_x) / PIXEL_M)
    side = max(bottom - top + 2 * MARGIN_PX, right - left + 2 * MARGIN_PX, LEAST_SIDE_PX)
    side += side % 2
    row, col = (top + bottom - side) // 2, (left + right - side) // 2
    return Frame(grid, row - row % 2, col - col % 2, side, shape)


# --- pixels -------------------------------------------------------------------------------------------------------
def _read_group(
    wanted: Mapping[str, tuple[Frame, ShownLook]], scenes: Scenes, read: ReadSettings
) -> dict[str, FieldPicture | Unseen]:
    """The pictures of some neighbours on one pass; trouble becomes the reason why there are none."""
    pictures: dict[str, FieldPicture | Unseen] = {}
    cube: Cube | None = None
    for name, (frame, look) in wanted.items():
        try:
            if cube is None:
                cube = load_cube(scenes, _window([each for each, _ in wanted.values()]), read)
            pictures[name] = cut_picture(cube, frame, look)
        except Exception as error:  # noqa: BLE001 - a picture is worth a word, never a publication
            log.warning("no field picture", parcel=name, error=f"{type(error).__name__}: {error}")
            if cube is None:  # the same trouble for all of them
                return {other: Unseen("not_read_again", shown.day) for other, (_, shown) in wanted.items()}
            pictures[name] = Unseen("not_read_again", look.day)
    return pictures


def _window(frames: Sequence[Frame]) -> Block:
    """What is read for some frames of one tile: all of them in one window, no parcels to count."""
    grid = frames[0].grid
    row, col = min(frame.row for frame in frames), min(frame.col for frame in frames)
    height = max(frame.row + frame.side for frame in frames) - row
    width = max(frame.col + frame.side for frame in frames) - col
    none = np.empty(0, dtype=np.int32)
    nothing = Coverage((), none, none, none, none)
    name = f"{grid.tile}_pictures_r{row}_c{col}"
    return Block(name, grid.tile, grid.crs, row, col, height, width, grid.origin_x, grid.origin_y, nothing)


def cut_picture(cube: Cube, frame: Frame, look: ShownLook) -> FieldPicture | Unseen:
    """Cut one parcel, with what lies around, out of the cube of one pass.

    Args:
        cube: one pass over the frame.
        frame: the square to show.
        look: what was seen there when the parcel was measured.

    Returns:
        the picture; `Unseen` where fewer of the parcel's pixels could be read than when it was measured.

    Raises:
        InputError: the frame does not touch the cube.
    """
    grid = frame.grid
    west, north = grid.origin_x + frame.col * PIXEL_M, grid.origin_y - frame.row * PIXEL_M
    square = shapely.box(west, north - frame.side * PIXEL_M, west + frame.side * PIXEL_M, north)
    around, field = clip_cube(cube, square, grid.crs), clip_cube(cube, frame.shape, grid.crs)

    full = _laid(field, frame, np.rint(field["inside"].to_numpy() * COVER_ONE) >= FULL_COVER, fill=False)
    has_data = np.isfinite(around["reflectance"].to_numpy()[0]).all(axis=0)
    if np.count_nonzero(full & has_data) < look.n_seen:
        return Unseen("not_read_again", look.day)
    greenness = np.where(field["clear"].to_numpy()[0], index_x10000(Cube(field), "ndvi").to_numpy()[0], INDEX_NO_DATA)
    centres = centres_inside(frame.shape, field["y"], field["x"], PIXEL_M).to_numpy()
    return FieldPicture(
        day=look.day,
        scenes=tuple(sorted(note.scene_id for note in cube.attrs["notes"] if note.verdict == "used")),
        clear_share=look.n_clear / max(look.n_full, 1),
        colour=around["dn10"].sel(band10=["B04", "B03", "B02"]).to_numpy()[0],
        ndvi=_laid(field, frame, greenness.astype(np.int16), fill=INDEX_NO_DATA),
        inside=_laid(field, frame, centres, fill=False),
        rings=tuple(
            tuple(((x - west) / PIXEL_M, (north - y) / PIXEL_M) for x, y, *_ in ring.coords)
            for part in shapely.get_parts(frame.shape)
            for ring in (part.exterior, *part.interiors)
        ),
        place=(str(grid.crs), west, north),
    )


def _laid(field: xr.Dataset, frame: Frame, values: npt.NDArray[Any], *, fill: Any) -> npt.NDArray[Any]:
    """Values on a parcel's own window, (y, x), laid into its frame."""
    top, left = field.attrs["row"] - frame.row, field.attrs["col"] - frame.col
    laid = np.full((frame.side, frame.side), fill, dtype=values.dtype)
    laid[top : top + values.shape[0], left : left + values.shape[1]] = values
    return laid
