# SPDX-License-Identifier: Apache-2.0
"""The satellite tiles' own grids, worked out from their names, so that no server need be asked where a tile lies."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from acreline.errors import SourceError
from acreline.layers import PIXEL_M

TILE_PX = 10_980
SQUARE_M = 100_000
SNAP_M = 60
"""Tile corners lie on multiples of 60 m, so that the 10, 20 and 60 m grids share them."""
COLUMN_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
ROW_LETTERS = "ABCDEFGHJKLMNPQRSTUV"
BAND_LETTERS = "CDEFGHJKLMNPQRSTUVWX"
FALSE_NORTHING_M = 10_000_000


@dataclass(frozen=True)
class TileGrid:
    """The 10 m pixel grid of one Sentinel-2 tile."""

    tile: str
    crs: str
    """EPSG:326xx north of the equator, EPSG:327xx south."""
    origin_x: float
    """Easting of the upper-left corner, metres."""
    origin_y: float
    """Northing of the upper-left corner, metres."""
    size_px: int = TILE_PX

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """west, south, east, north in metres."""
        side = self.size_px * PIXEL_M
        return self.origin_x, self.origin_y - side, self.origin_x + side, self.origin_y


@lru_cache(maxsize=1024)
def tile_grid(tile: str) -> TileGrid:
    """The grid of a tile, from its name alone.

    A name such as 31UDS is a UTM zone, a latitude band and the letters of a 100 km square (NGA.STND.0037, MGRS). The
    tile starts at that square's upper-left corner, moved outwards to a multiple of 60 m (south of the equator counted
    from the equator, whose northing is 10,000,000 m), and is 109.8 km wide.

    Raises:
        SourceError: not the name of a tile.
    """
    match = re.fullmatch(r"(\d{2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])", tile)
    zone = int(match.group(1)) if match else 0
    if match is None or not 1 <= zone <= 60:
        raise _no_tile(tile)
    band, column, row = match.group(2), match.group(3), match.group(4)
    column_index = COLUMN_LETTERS.index(column) - 8 * ((zone - 1) % 3)
    if not 0 <= column_index < 8:
        raise _no_tile(tile)
    easting = (column_index + 1) * SQUARE_M
    # Row letters repeat every 2,000 km: of all squares so named, the one nearest the middle of the latitude band.
    first = (ROW_LETTERS.index(row) - (0 if zone % 2 else 5)) % 20 * SQUARE_M
    south_deg = -80 + 8 * BAND_LETTERS.index(band)
    middle = _meridian_m(south_deg + (6 if band == "X" else 4))  # signed metres from the equator
    period = 20 * SQUARE_M
    northing = first + round((middle - first - SQUARE_M / 2) / period) * period
    half_band = _meridian_m(12 if band == "X" else 8) / 2
    if abs(northing + SQUARE_M / 2 - middle) > half_band + 2 * SQUARE_M:
        raise _no_tile(tile)
    south = band < "N"
    origin_x = easting // SNAP_M * SNAP_M
    origin_y = -(-(northing + SQUARE_M) // SNAP_M) * SNAP_M + (FALSE_NORTHING_M if south else 0)
    return TileGrid(tile, f"EPSG:{(32700 if south else 32600) + zone}", float(origin_x), float(origin_y))


def _no_tile(tile: str) -> SourceError:
    return SourceError(
        f"{tile!r} is not the name of a Sentinel-2 tile", hint="a tile is named like 31UDS", retryable=False
    )


def _meridian_m(lat_deg: float) -> float:
    """Metres along the meridian from the equator on UTM's scale; good to 100 m (series of the WGS84 ellipsoid)."""
    phi = math.radians(lat_deg)
    return 0.9996 * (111_132.95 * lat_deg - 16_038.5 * math.sin(2 * phi) + 16.8 * math.sin(4 * phi))
