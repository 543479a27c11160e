# SPDX-License-Identifier: Apache-2.0
"""How strong the edges of a picture are along outlines, where these lie and shifted at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.config import Datum
from acreline.cubes import INDEX_NO_DATA, band_values, index_x10000
from acreline.datum import CHINA_BOX, gcj02_to_bd09, to_wgs84, wgs84_to_gcj02
from acreline.layers import PIXEL_M, Cube

STEP_M = 10.0
SHIFTS = 100
SHIFT_M = (30.0, 300.0)
"""A random shift leaves the edge (two pixels wide in the picture) and stays in the same country."""
SEED = 20260101

Floats = npt.NDArray[np.float64]


def edge_strength(cubes: Sequence[Cube]) -> npt.NDArray[np.float32]:
    """(y, x): mean rank of each pixel's gradient among the clear pixels of its look, 0 to 1; NaN where never clear.

    Args:
        cubes: of one window, a look or more in each.
    """
    shape = cubes[0]["clear"].shape[1:]
    total, count = np.zeros(shape, np.float64), np.zeros(shape, np.int64)
    for cube in cubes:
        ndvi = index_x10000(cube, "ndvi").to_numpy()
        clear = cube["clear"].to_numpy() & (ndvi != INDEX_NO_DATA)
        for values in (ndvi, band_values(cube, "B04"), band_values(cube, "B08")):
            for look, seen in zip(values, clear, strict=True):
                ranks = _ranks(_sobel(np.where(seen, look.astype(np.float64), np.nan)))
                known = np.isfinite(ranks)
                total[known] += ranks[known]
                count += known
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _sobel(values: Floats) -> Floats:
    """Length of the gradient by Sobel's 3 x 3 operator; NaN beside what is not known and along the rim."""
    out = np.full_like(values, np.nan)
    if min(values.shape) < 3:
        return out
    down = values[:-2] + 2 * values[1:-1] + values[2:]
    right = values[:, :-2] + 2 * values[:, 1:-1] + values[:, 2:]
    out[1:-1, 1:-1] = np.hypot(down[:, 2:] - down[:, :-2], right[2:] - right[:-2])
    return out


def _ranks(values: Floats) -> Floats:
    """Share of the known values that are smaller, equal ones counting half; NaN stays NaN."""
    known = np.isfinite(values)
    ranks = np.full_like(values, np.nan)
    _, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / max(int(counts.sum()), 1)
    ranks[known] = middle[place]
    return ranks


# --- outlines --------------------------------------------------------------------------------------------------------
def move_outlines(outlines: npt.NDArray[Any], stated: Datum, really: Datum, crs: str) -> npt.NDArray[Any]:
    """Outlines placed by the stated datum (lon/lat), as they lie if the drawn coordinates are of another one.

    Returns:
        the outlines in `crs`, metres.
    """
    import shapely
    from pyproj import Transformer

    lon, lat = shapely.get_coordinates(outlines).T
    if stated in ("gcj02", "bd09"):  # back to the numbers that were drawn
        lon, lat = wgs84_to_gcj02(lon, lat)
    if stated == "bd09":
        lon, lat = gcj02_to_bd09(lon, lat)
    lon, lat = to_wgs84(lon, lat, really)
    xy = np.column_stack(Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat))
    return np.asarray(shapely.set_coordinates(outlines.copy(), xy), dtype=object)


def outline_points(outlines: npt.NDArray[Any]) -> Floats:
    """Points along all outlines, one every 10 m at least, (n, 2) in metres."""
    import shapely

    return np.asarray(shapely.get_coordinates(shapely.segmentize(shapely.boundary(outlines), STEP_M)), dtype=np.float64)


def distance_m(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Median distance between the corners of the same outlines in two places, metres."""
    import shapely

    return float(np.median(np.hypot(*(shapely.get_coordinates(first) - shapely.get_coordinates(second)).T)))


def in_china(outlines: npt.NDArray[Any]) -> bool:
    """Whether all outlines (lon/lat) lie where GCJ-02 and BD-09 are defined."""
    import shapely

    lon, lat = shapely.get_coordinates(outlines).T
    west, south, east, north = CHINA_BOX
    # A tenth of a degree inside: a datum must not move a parcel over the rim.
    return bool(((lon > west + 0.1) & (lon < east - 0.1) & (lat > south + 0.1) & (lat < north - 0.1)).all())


def random_shifts() -> Floats:
    """(1 + SHIFTS, 2) metres east and north: none, then random ones, the same in every run."""
    rng = np.random.default_rng(SEED)
    angle, length = rng.uniform(0, 2 * np.pi, SHIFTS), rng.uniform(*SHIFT_M, SHIFTS)
    return np.concatenate([np.zeros((1, 2)), np.column_stack([length * np.cos(angle), length * np.sin(angle)])])


def strength_along(
    strength: npt.NDArray[np.float32], cube: Cube, points: Floats, shifts: Floats
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Sum of edge strength over the points, and number of those that could be seen, for each shift.

    Args:
        strength: (y, x) as `edge_strength` gives it.
        cube: whose window it is.
        points: (n, 2) metres in the window's CRS.
        shifts: (shift, 2) metres east and north.
    """
    sums, counts = np.zeros(len(shifts)), np.zeros(len(shifts), dtype=np.int64)
    west = cube.attrs["origin_x"] + cube.attrs["col"] * PIXEL_M
    north = cube.attrs["origin_y"] - cube.attrs["row"] * PIXEL_M
    height, width = strength.shape
    for k, (east_m, north_m) in enumerate(shifts):
        col = np.floor((points[:, 0] + east_m - west) / PIXEL_M).astype(np.int64)
        row = np.floor((north - points[:, 1] - north_m) / PIXEL_M).astype(np.int64)
        inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
        found = strength[row[inside], col[inside]].astype(np.float64)
        seen = np.isfinite(found)
        sums[k], counts[k] = found[seen].sum(), np.count_nonzero(seen)
    return sums, counts
