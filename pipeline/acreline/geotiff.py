# SPDX-License-Identifier: Apache-2.0
"""Windows of plain GeoTIFFs, decoded here so that the check sum inside every compressed tile is looked at.

libtiff, and so GDAL, stops when a tile is full and never reads that check sum: of sixty tiles with ten flipped bytes
it gave thirty wrong pictures without a word. Here such a tile is an error. Only what Sentinel-2 COGs are is decoded
(one band of 8 or 16 bit whole numbers, DEFLATE, tiles or strips); other files are left to GDAL.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.errors import SourceError
from acreline.fetch import LocalFile, RemoteFile

try:  # libdeflate, twice as fast (243 against 118 million pixels a second on one core); the extra `fast` brings it
    libdeflate: Any = importlib.import_module("deflate")
except ImportError:
    libdeflate = None

MAX_TILE_BYTES = 64 << 20
MAX_TILES = 1 << 20
JP2_MAGIC = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")
_TYPES = {1: "B", 2: "c", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q", 17: "q", 18: "Q"}


@dataclass(frozen=True)
class Grid:
    """Where a raster's pixels lie: CRS as EPSG number, upper-left corner and pixel size in metres, size in pixels."""

    epsg: int | None
    x_min: float
    y_max: float
    pixel_x: float
    pixel_y: float
    height: int
    width: int


@dataclass(frozen=True)
class Window:
    """Wanted pixels, counted from a tile's upper-left corner on its 10 m or its 20 m grid."""

    crs: str
    origin_x: float
    origin_y: float
    pixel_m: int
    row: int
    col: int
    height: int
    width: int


@dataclass(frozen=True)
class Tiff:
    """What a plain GeoTIFF's first directory says."""

    grid: Grid
    dtype: np.dtype[Any]
    predictor: int
    tile_h: int
    tile_w: int
    tiled: bool
    offsets: Sequence[int]
    counts: Sequence[int]
    nodata: int | None


def _damaged(what: str) -> SourceError:
    return SourceError(f"damaged GeoTIFF: {what}", hint="get the file again", retryable=False, damaged=True)


def is_tiff(head: bytes) -> bool:
    """Whether the first bytes are those of a TIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_header(file: LocalFile | RemoteFile) -> Tiff | None:
    """Read the first directory; None if this is a TIFF of a kind that is left to GDAL.

    Raises:
        SourceError: it is not a TIFF, or its tables are cut off.
    """
    if not is_tiff(file.head):
        raise SourceError("not a GeoTIFF", hint="only GeoTIFF and JPEG 2000 are read", retryable=False)
    try:
        tags, order = _read_tags(file)
        return _plain(tags, order)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise _damaged("its tables cannot be read") from error


def _read_tags(file: LocalFile | RemoteFile) -> tuple[dict[int, Any], str]:
    order = "<" if file.head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", file.head[2:4])[0] == 43
    step, count_fmt, at_fmt, inline = (20, "Q", "Q", 8) if big else (12, "H", "I", 4)
    (at,) = struct.unpack(order + at_fmt, file.head[8:16] if big else file.head[4:8])
    (entries,) = struct.unpack(order + count_fmt, _bytes(file, at, struct.calcsize(count_fmt)))
    if entries > 4096:
        raise ValueError("too many tags")
    table = _bytes(file, at + struct.calcsize(count_fmt), entries * step)
    tags: dict[int, Any] = {}
    for k in range(0, entries * step, step):
        tag, kind = struct.unpack(order + "HH", table[k : k + 4])
        (count,) = struct.unpack(order + at_fmt, table[k + 4 : k + 4 + inline])
        fmt = _TYPES.get(kind)
        if fmt is None or count > MAX_TILES * 2:
            continue
        size = struct.calcsize("=" + fmt) * count
        value = table[k + 4 + inline : k + 4 + 2 * inline]
        if size > inline:
            value = _bytes(file, struct.unpack(order + at_fmt, value)[0], size)
        tags[tag] = value[:size] if kind == 2 else struct.unpack(f"{order}{count * len(fmt)}{fmt[0]}", value[:size])
    return tags, order


def _bytes(file: LocalFile | RemoteFile, start: int, size: int) -> bytes:
    (found,) = file.ranges([(start, start + size)])
    if len(found) != size:
        raise ValueError("cut off")
    return found


def _plain(tags: dict[int, Any], order: str) -> Tiff | None:
    width, height = tags[256][0] if 256 in tags else 0, tags[257][0] if 257 in tags else 0
    if width < 1 or height < 1:
        raise ValueError("no size")
    bits, samples = tags.get(258, (1,)), tags.get(277, (1,))[0]
    if not {33550, 34264} & set(tags):
        raise SourceError(
            "grid disagrees with its item: it does not say where it lies",
            hint="check the item's asset addresses",
            retryable=False,
        )
    compression, predictor = tags.get(259, (1,))[0], tags.get(317, (1,))[0]
    odd = samples != 1 or bits not in ((8,), (16,)) or tags.get(339, (1,)) != (1,)
    if odd or compression not in (8, 32946) or predictor not in (1, 2) or 34264 in tags or 33550 not in tags:
        return None
    tiled = 322 in tags
    tile_w = tags[322][0] if tiled else width
    tile_h = tags[323][0] if tiled else min(tags.get(278, (height,))[0], height)
    offsets, counts = tags.get(324 if tiled else 273, ()), tags.get(325 if tiled else 279, ())
    tiles = -(-height // tile_h) * -(-width // tile_w)
    if len(offsets) != tiles or len(counts) != tiles:
        raise ValueError("tile tables do not fit the size")
    if tile_w * tile_h * 2 > MAX_TILE_BYTES:
        raise ValueError("tile too large")
    keys = tags.get(34735, ())
    geo = {keys[k]: keys[k + 3] for k in range(4, len(keys) - 3, 4) if keys[k + 1] == 0}
    scale, tie = tags[33550], tags.get(33922, ())
    if len(tie) != 6 or 3072 not in geo or geo[3072] == 32767:
        return None
    half = 0.5 if geo.get(1025) == 2 else 0.0  # the tie point is the centre of a pixel, not its corner
    grid = Grid(
        epsg=geo[3072],
        x_min=tie[3] - (tie[0] + half) * scale[0],
        y_max=tie[4] + (tie[1] + half) * scale[1],
        pixel_x=scale[0],
        pixel_y=scale[1],
        height=height,
        width=width,
    )
    text = tags.get(42113, b"").rstrip(b"\0 ").decode("ascii", "replace")
    nodata = int(text) if text.isdigit() else None
    dtype = np.dtype(f"{order}u{bits[0] // 8}")
    return Tiff(grid, dtype, predictor, tile_h, tile_w, tiled, offsets, counts, nodata)


def read_tiles(
    file: LocalFile | RemoteFile, tiff: Tiff, row: int, col: int, height: int, width: int
) -> npt.NDArray[np.uint8 | np.uint16]:
    """Decode a window that lies inside the file, each tile it touches once.

    Returns:
        (height, width) whole numbers as stored; tiles the file leaves out are its no-data value, else 0.

    Raises:
        SourceError: a tile is cut off or its check sum is wrong.
    """
    across = -(-tiff.grid.width // tiff.tile_w)
    wanted = [
        (r, c)
        for r in range(row // tiff.tile_h, -(-(row + height) // tiff.tile_h))
        for c in range(col // tiff.tile_w, -(-(col + width) // tiff.tile_w))
    ]
    spans = {}
    for r, c in wanted:
        offset, count = tiff.offsets[r * across + c], tiff.counts[r * across + c]
        if count > MAX_TILE_BYTES:
            raise _damaged(f"tile {r},{c} claims {count} bytes")
        if offset and count:
            spans[r, c] = (offset, offset + count)
    packed = dict(zip(spans, file.ranges(list(spans.values())), strict=True))
    out = np.full((height, width), tiff.nodata or 0, dtype=tiff.dtype.newbyteorder("="))
    for (r, c), data in packed.items():
        top, left = r * tiff.tile_h, c * tiff.tile_w
        rows = tiff.tile_h if tiff.tiled else min(tiff.tile_h, tiff.grid.height - top)
        tile = _decode(data, spans[r, c], tiff, rows, f"tile {r},{c}")
        r0, r1 = max(row, top), min(row + height, top + rows)
        c0, c1 = max(col, left), min(col + width, left + tiff.tile_w)
        out[r0 - row : r1 - row, c0 - col : c1 - col] = tile[r0 - top : r1 - top, c0 - left : c1 - left]
    return out


def _decode(data: bytes, span: tuple[int, int], tiff: Tiff, rows: int, name: str) -> npt.NDArray[Any]:
    if len(data) != span[1] - span[0]:
        raise _damaged(f"{name} is cut off")
    size = rows * tiff.tile_w * tiff.dtype.itemsize
    raw = _inflate(data, size)
    if raw is None or len(raw) != size:
        raise _damaged(f"{name} does not match its size or check sum")
    tile = np.frombuffer(raw, dtype=tiff.dtype).reshape(rows, tiff.tile_w)
    tile = tile.astype(tiff.dtype.newbyteorder("="), copy=False)
    # Predictor 2 keeps differences along the row; their sum wraps like the numbers themselves.
    return np.cumsum(tile, axis=1, dtype=tile.dtype) if tiff.predictor == 2 else tile


def _inflate(data: bytes, size: int) -> bytes | None:
    """The unpacked bytes, at most `size` of them; None where there are more, too few or wrong ones."""
    if libdeflate is not None:
        try:
            return bytes(libdeflate.zlib_decompress(data, size))
        except libdeflate.DeflateError:
            return None
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(data, size + 1)  # one more than fits: a tile cannot fill the memory
    except zlib.error:
        return None
    return raw if unpack.eof else None


# --- the tile's grid ----------------------------------------------------------------------------------------------
def place(grid: Grid, crs: str, window: Window) -> tuple[int, int, int, int] | None:
    """(row, col, height, width) in the file of what it has of the window; None: nothing.

    Raises:
        SourceError: the file's CRS, pixel size or corner is not that of the tile's grid.
    """
    size = window.pixel_m
    row0, col0 = _corner(grid, window)
    wrong = ""
    if crs != window.crs:
        wrong = f"in {crs}, expected {window.crs}"
    elif abs(grid.pixel_x - size) > 1e-6 or abs(grid.pixel_y - size) > 1e-6:
        wrong = f"pixels of {grid.pixel_x:g} x {grid.pixel_y:g} m, expected {size} m"
    elif max(abs(col0 - round(col0)), abs(row0 - round(row0))) > 1e-3:
        wrong = f"its corner ({grid.x_min:.2f}, {grid.y_max:.2f}) is not on the tile's grid"
    if wrong:
        raise SourceError(
            f"grid disagrees with its item: {wrong}", hint="check the item's asset addresses", retryable=False
        )
    top, left = window.row - round(row0), window.col - round(col0)
    r0, r1 = max(top, 0), min(top + window.height, grid.height)
    c0, c1 = max(left, 0), min(left + window.width, grid.width)
    return (r0, c0, r1 - r0, c1 - c0) if r0 < r1 and c0 < c1 else None


def put(
    values: npt.NDArray[Any] | None,
    inside: tuple[int, int, int, int] | None,
    grid: Grid,
    nodata: float | None,
    window: Window,
) -> npt.NDArray[Any]:
    """Lay what `place` found of a file into the window, 0 around it and where the file says no data."""
    if values is None or inside is None:
        return np.zeros((window.height, window.width), np.uint16)
    if nodata:
        values = np.where(values == nodata, 0, values).astype(values.dtype)
    if values.shape == (window.height, window.width):
        return values
    row0, col0 = _corner(grid, window)
    top, left = inside[0] + round(row0) - window.row, inside[1] + round(col0) - window.col
    out = np.zeros((window.height, window.width), values.dtype)
    out[top : top + inside[2], left : left + inside[3]] = values
    return out


def _corner(grid: Grid, window: Window) -> tuple[float, float]:
    """Row and column of the file's first pixel, counted from the tile's corner in the window's pixels."""
    return (window.origin_y - grid.y_max) / window.pixel_m, (grid.x_min - window.origin_x) / window.pixel_m
