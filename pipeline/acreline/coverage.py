# SPDX-License-Identifier: Apache-2.0
"""How much of each 10 m pixel a parcel covers, exactly, once for all dates and bands.

Covers are integers, ten-thousandths of a pixel, so that sums do not depend on the order or on how land is cut into
blocks. The work is done by exactextract on small grids aligned with the tile; memory does not grow with the region.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acreline.errors import ContractError, StoreError
from acreline.layers import PIXEL_M, Coverage

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy.typing as npt

log = logging.getLogger(__name__)

COVER_ONE = 10_000
GROUP_PX = 1024
"""Parcels whose upper-left corners share a square of this size are measured together; it never changes a number."""
CACHE_VERSION = 1


def measure_coverage(
    shapes: gpd.GeoSeries, parcel_ids: tuple[str, ...], crs: str, origin_x: float, origin_y: float
) -> Coverage:
    """Measure which share of each pixel every parcel covers.

    Args:
        shapes: polygons in the tile's CRS, in the order of `parcel_ids`.
        parcel_ids: their ids.
        crs: the tile's CRS.
        origin_x: easting of the tile's upper-left corner, metres.
        origin_y: northing of it.

    Returns:
        Coverage sorted by parcel, row, column; pixels counted from the tile's corner.

    Raises:
        ContractError: the shapes are in another CRS (exactextract would only warn and return nothing).
    """
    import geopandas as gpd

    if shapes.crs is None or shapes.crs != crs:
        raise ContractError(f"coverage: shapes are in {shapes.crs}, the grid in {crs}", hint="reproject the shapes")
    if len(shapes) == 0:
        empty = np.empty(0, dtype=np.int32)
        return Coverage(parcel_ids, empty, empty, empty, empty)
    bounds = shapes.bounds.to_numpy()  # (n, 4) west, south, east, north
    col0 = np.floor((bounds[:, 0] - origin_x) / PIXEL_M).astype(np.int64)
    row0 = np.floor((origin_y - bounds[:, 3]) / PIXEL_M).astype(np.int64)
    col1 = np.ceil((bounds[:, 2] - origin_x) / PIXEL_M).astype(np.int64)
    row1 = np.ceil((origin_y - bounds[:, 1]) / PIXEL_M).astype(np.int64)
    group = (row0 // GROUP_PX) * (1 << 32) + col0 // GROUP_PX
    parts: list[tuple[npt.NDArray[np.int64], ...]] = []
    for one in np.unique(group):
        members = np.flatnonzero(group == one)
        top, left = int(row0[members].min()), int(col0[members].min())
        height, width = int(row1[members].max()) - top, int(col1[members].max()) - left
        who, cell, share = _extract(
            gpd.GeoSeries(shapes.iloc[members]),
            origin_x + left * PIXEL_M,
            origin_y - top * PIXEL_M,
            max(height, 1),
            max(width, 1),
        )
        cover = np.rint(share * COVER_ONE).astype(np.int64)
        kept = cover > 0
        row, col = np.divmod(cell[kept], max(width, 1))
        parts.append((members[who[kept]], row + top, col + left, cover[kept]))
    parcel, row, col, cover = (np.concatenate([part[k] for part in parts]) for k in range(4))
    order = np.lexsort((col, row, parcel))
    return Coverage(parcel_ids, *(array[order].astype(np.int32) for array in (parcel, row, col, cover)))


def _extract(
    shapes: gpd.GeoSeries, west: float, north: float, height: int, width: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(position of the shape, cell of the grid, covered share), one entry per touched pixel."""
    import geopandas as gpd
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource

    # The values are never used: one byte, seen as a whole grid, costs no memory.
    grid = NumPyRasterSource(
        np.broadcast_to(np.zeros(1, dtype=np.uint8), (height, width)),
        xmin=west,
        ymin=north - height * PIXEL_M,
        xmax=west + width * PIXEL_M,
        ymax=north,
        srs_wkt=shapes.crs.to_wkt(),
    )
    # Joined by position, never by `include_cols=["id"]`: that returns row numbers as text.
    frame = gpd.GeoDataFrame(geometry=shapes.reset_index(drop=True))
    found = exact_extract(grid, frame, ["cell_id", "coverage"], output="pandas")
    if len(found) != len(frame):
        raise ContractError(
            f"coverage: {len(frame)} shapes in, {len(found)} answers out", hint="please report it with the run's log"
        )
    counts = np.array([len(cells) for cells in found["cell_id"]], dtype=np.int64)
    return (
        np.repeat(np.arange(len(frame)), counts),
        np.concatenate(found["cell_id"].to_list()).astype(np.int64),
        np.concatenate(found["coverage"].to_list()).astype(np.float64),
    )


def coverage_key(shapes: gpd.GeoSeries, parcel_ids: tuple[str, ...], tile: str) -> str:
    """A name for this measurement made of all it depends on: ids, outlines as drawn, tile, the libraries' versions."""
    from importlib.metadata import version

    import pyproj
    import shapely

    made_by = f"{version('exactextract')}|{pyproj.proj_version_str}"
    digest = hashlib.sha256(f"{CACHE_VERSION}|{made_by}|{tile}|{len(parcel_ids)}".encode())
    for name, outline in zip(parcel_ids, shapely.to_wkb(np.asarray(shapes.values, dtype=object)), strict=True):
        text = name.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "little") + text + len(outline).to_bytes(8, "little") + outline)
    return digest.hexdigest()


def load_coverage(folder: Path, key: str, parcel_ids: tuple[str, ...]) -> Coverage | None:
    """A measurement kept earlier under `key`, or None; a damaged file is thrown away and measured again."""
    path = folder / f"{key}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            parcel, row, col, cover = (kept[name] for name in ("parcel", "row", "col", "cover"))
            check = str(kept["check"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        log.warning("coverage cache %s is damaged (%s): measured again", path.name, type(error).__name__)
        return None
    coverage = Coverage(parcel_ids, parcel, row, col, cover)
    if check != _check(coverage, key):
        log.warning("coverage cache %s does not match its check sum: measured again", path.name)
        return None
    return coverage


def save_coverage(folder: Path, key: str, coverage: Coverage) -> None:
    """Keep a measurement whole or not at all. Raises `StoreError` where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".part-", suffix=".npz")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez_compressed(
                    file,
                    parcel=coverage.parcel,
                    row=coverage.row,
                    col=coverage.col,
                    cover=coverage.cover,
                    check=np.array(_check(coverage, key)),
                )
                file.flush()
                os.fsync(file.fileno())
            part.replace(folder / f"{key}.npz")
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"coverage cache {folder}: cannot be written: {error.strerror}", hint="check space and permissions"
        ) from error


def _check(coverage: Coverage, key: str) -> str:
    digest = hashlib.sha256(key.encode())
    for array in (coverage.parcel, coverage.row, coverage.col, coverage.cover):
        digest.update(f"{array.dtype.str}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
