# SPDX-License-Identifier: Apache-2.0
"""How much of a parcel's edge runs through pixels: what the doubt of its area comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acreline.layers import PIXEL_M

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy.typing as npt


def perimeter_m(shapes: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Length of each parcel's outline on the ellipsoid, holes with it.

    Args:
        shapes: polygons in lon/lat degrees (WGS84), in parts or not.

    Returns:
        metres, float64 (n,); 0 for an empty or missing shape.
    """
    import shapely
    from pyproj import Geod

    parts, owner = shapely.get_parts(np.asarray(shapes.values, dtype=object), return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    start = np.flatnonzero(ring[1:] == ring[:-1])  # the last point of a ring is its first
    west, south = points[start].T
    east, north = points[start + 1].T
    length = np.asarray(Geod(ellps="WGS84").inv(west, south, east, north)[2], dtype=np.float64)
    total: npt.NDArray[np.float64] = np.bincount(owner[part[ring[start]]], length, len(shapes)).astype(np.float64)
    return total


def edge_pixels(
    cover_px: npt.NDArray[np.float64], full_px: npt.NDArray[np.float64], outline_m: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Pixels in which the edge of the crop may lie.

    An edge pixel is half covered on average, so there are twice as many as the ground in them would fill. An outline
    that was drawn along the pixels cuts none of them, and is no surer for it: there are never fewer than the pixels its
    length runs past.
    """
    edge_px: npt.NDArray[np.float64] = np.maximum(2 * np.maximum(cover_px - full_px, 0), outline_m / PIXEL_M)
    return edge_px
