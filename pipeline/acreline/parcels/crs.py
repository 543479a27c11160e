# SPDX-License-Identifier: Apache-2.0
"""Drawn coordinates put where they lie on the Earth, or refused: no CRS, swapped axes and unknown datums stop here."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.datum import check_china, to_wgs84
from acreline.errors import ConfigError, InputError

if TYPE_CHECKING:
    import numpy.typing as npt
    from pyproj import CRS
    from pyproj.transformer import Transformer

    from acreline.config import ParcelSource

    Degrees = npt.NDArray[np.float64]

MARGIN_DEG = 1.5
"""A field may lie a little outside what its CRS is for; swapped axes land farther away (Dutch ones 2.4 degrees)."""
ZONE_MARGIN_DEG = 5.0
"""A whole country may be kept in one UTM or Gauss-Kruger zone; there swapped axes land on another continent."""
MAX_SHIFT_DOUBT_M = 10.0
"""One pixel: a datum shift known no better than this puts a field on its neighbour's land."""


def place_on_earth(
    outlines: npt.NDArray[Any], crs: CRS | None, source: ParcelSource, ids: npt.NDArray[np.object_], name: str
) -> npt.NDArray[Any]:
    """Turn outlines of any CRS and datum into lon/lat of WGS84.

    Args:
        outlines: 2D shapes with finite coordinates, None where missing.
        crs: of the file; None where it carries none.
        source: datum, and the CRS of a file that carries none.
        ids: parcel ids, to name the first that offends.
        name: of the file.

    Raises:
        InputError: no CRS; gcj02 or bd09 in a projected CRS; coordinates outside what the CRS or datum is for; a datum
            whose shift to WGS84 is not known to 10 m.
        ConfigError: `crs` of the region file is not one, or contradicts the file's.
    """
    import shapely

    crs = _settle_crs(crs, source, name)
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    if len(points) == 0:
        return outlines
    rough = _in_own_degrees(points, crs)
    _check_range(rough, owner, crs, ids, name)
    if source.datum != "wgs84":
        try:
            check_china(rough[:, 0], rough[:, 1], source.datum)
        except InputError as error:
            first = ids[owner[int(str(error.context["first"]))]]
            raise InputError(
                f"{name}: parcel {first!r} lies outside China, where datum {source.datum} is defined", hint=error.hint
            ) from error
    if source.datum in ("gcj02", "bd09"):
        if not crs.is_geographic:
            raise InputError(
                f"{name}: datum {source.datum} with the projected CRS {crs.name!r}",
                hint=f"give the longitudes and latitudes of the web map, or set datum to what {crs.name!r} means",
            )
        placed = np.column_stack(to_wgs84(points[:, 0], points[:, 1], source.datum))
    elif crs.to_epsg() == 4326 or crs.to_authority() == ("OGC", "CRS84"):
        return outlines
    else:
        shift = _find_shift(crs, rough, name)
        placed = np.column_stack(shift.transform(points[:, 0], points[:, 1]))
    return np.asarray(shapely.set_coordinates(outlines.copy(), placed), dtype=object)


def _settle_crs(crs: CRS | None, source: ParcelSource, name: str) -> CRS:
    """The file's own CRS, or the one the user gives for a file without."""
    import pyproj

    try:
        given = None if source.crs is None else pyproj.CRS.from_user_input(source.crs)
    except pyproj.exceptions.CRSError as error:
        raise ConfigError(f"parcels.crs: {source.crs!r} is no CRS", hint="write it like EPSG:4326") from error
    if crs is None:
        if given is None:
            raise InputError(
                f"{name}: no CRS: nobody can say where its coordinates lie",
                hint="give one with `crs:` in the region file, e.g. EPSG:4490, or add the missing .prj file",
            )
        crs = given
    elif given is not None and not crs.equals(given, ignore_axis_order=True):
        raise ConfigError(
            f"parcels.crs: {source.crs} contradicts {name}, which says {crs.name!r}",
            hint="remove `crs`; if the file is wrong, mend the file",
        )
    if crs.is_geographic and any(axis.unit_name != "degree" for axis in crs.axis_info[:2]):
        raise InputError(f"{name}: {crs.name!r} does not count in degrees", hint="reproject it to EPSG:4326")
    if not (crs.is_geographic or crs.is_projected):
        raise InputError(f"{name}: {crs.name!r} is no place on the Earth", hint="reproject it to EPSG:4326")
    return crs


def _in_own_degrees(points: Degrees, crs: CRS) -> Degrees:
    """(n, 2) longitude and latitude on the CRS's own datum."""
    from pyproj import Transformer

    if crs.is_geographic:
        return points
    own = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    return np.column_stack(own.transform(points[:, 0], points[:, 1]))


def _check_range(
    lonlat: Degrees, owner: npt.NDArray[np.intp], crs: CRS, ids: npt.NDArray[np.object_], name: str
) -> None:
    """Refuse coordinates no such CRS can have: axes swapped, or the wrong CRS declared."""
    lon, lat = lonlat.T
    fine = np.isfinite(lonlat).all(axis=1) & (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)
    use = crs.area_of_use
    if use is not None:
        way = crs.coordinate_operation
        in_zones = way is not None and way.method_name == "Transverse Mercator"
        margin = ZONE_MARGIN_DEG if in_zones else MARGIN_DEG
        width = (use.east - use.west) % 360.0 or 360.0
        fine &= ((lon - use.west + margin) % 360.0 <= width + 2 * margin) | (width + 2 * margin >= 360.0)
        fine &= (lat >= use.south - margin) & (lat <= use.north + margin)
    if not fine.all():
        owners = np.unique(owner[~fine])
        where = "" if use is None else f" (for use in {use.west:g}..{use.east:g} E, {use.south:g}..{use.north:g} N)"
        raise InputError(
            f"{name}: {len(owners)} parcels, the first is {ids[owners[0]]!r}, lie outside {crs.name!r}{where}",
            hint="longitude and latitude may be swapped (x must come first), or the file states the wrong CRS",
        )


def _find_shift(crs: CRS, lonlat: Degrees, name: str) -> Transformer:
    """The best operation from `crs` to WGS84 for this place; refused where it is only a guess."""
    from pyproj.transformer import AreaOfInterest, TransformerGroup

    (west, south), (east, north) = lonlat.min(axis=0).tolist(), lonlat.max(axis=0).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "a grid is missing": its cost is the accuracy, checked below
        ways = TransformerGroup(
            crs, "EPSG:4326", always_xy=True, area_of_interest=AreaOfInterest(west, south, east, north)
        ).transformers
    best = ways[0] if ways else None
    doubt_m = best.accuracy if best is not None else -1.0
    # Datums on the GRS80 ellipsoid (CGCS2000, ETRS89, NAD83, GDA94) lie within 2 m of WGS84 even without a known shift.
    ellipsoid = crs.ellipsoid
    modern = ellipsoid is not None and ellipsoid.semi_major_metre == 6_378_137.0
    if best is None or doubt_m > MAX_SHIFT_DOUBT_M or (doubt_m < 0 and not modern):
        known = f"only to {doubt_m:g} m" if doubt_m >= 0 else "not at all"
        raise InputError(
            f"{name}: how {crs.name!r} lies on the Earth is known {known} here",
            hint="reproject it with your survey office's parameters to EPSG:4490 or EPSG:4326",
        )
    return best
