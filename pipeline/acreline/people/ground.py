# SPDX-License-Identifier: Apache-2.0
"""What a farmer shows of the land itself: a corrected outline, a photo with its place. The log holds no exact place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import ConfigError, InputError
from acreline.people.evidence import Kept
from acreline.report.read import read_table

if TYPE_CHECKING:
    import geopandas as gpd

M_PER_DEGREE = 111_320.0
MOST_OUTLINE_BYTES = 2_000_000


@dataclass(frozen=True)
class PhotoClaim:
    """A photo, and where and when it is said to have been taken."""

    file: Path
    place: str
    """LON,LAT in degrees, WGS 84."""
    time: str
    """Instant with its offset, ISO."""


@dataclass(frozen=True)
class Outlines:
    """Corrected outlines by parcel, and the GeoJSON that is kept of them: outlines and ids, nothing else."""

    shapes: Mapping[str, Any]
    content: bytes


def read_boundary(path: Path, parcel_ids: Sequence[str]) -> Outlines:
    """Corrected outlines of a farm's parcels from a GeoJSON file in WGS 84.

    Args:
        path: features with the property `parcel_id` (or `id`); of a farm with one parcel one feature needs none.
        parcel_ids: the farm's.

    Raises:
        InputError: the file cannot be read, is in another system, or a feature is no sound outline of these parcels.
    """
    import shapely

    hint = "GeoJSON in longitude and latitude (WGS 84), a polygon and its parcel_id for each corrected parcel"
    try:
        content = path.read_bytes()
        raw = json.loads(content) if len(content) <= MOST_OUTLINE_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}", hint=hint) from error
    raw = raw if isinstance(raw, dict) else {}
    features = raw.get("features", [raw] if raw else None)
    if not features or not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise InputError(f"{path}: no features", hint=hint)
    crs = json.dumps(raw.get("crs") or "CRS84")
    if "CRS84" not in crs and "EPSG::4326" not in crs:
        raise InputError(f"{path}: in another system: {crs[:80]}", hint=hint)
    shapes: dict[str, Any] = {}
    for number, feature in enumerate(features, start=1):
        told = feature.get("properties") or {}
        name = str(told.get("parcel_id") or told.get("id") or (parcel_ids[0] if len(parcel_ids) == 1 else ""))
        where = f"{path}: feature {number}"
        if name not in parcel_ids:
            raise InputError(f"{where}: {name!r} is no parcel of this farm", hint=f"one of {', '.join(parcel_ids)}")
        if name in shapes:
            raise InputError(f"{where}: parcel {name} stands twice", hint="give one outline, a MultiPolygon if need be")
        try:
            shape = shapely.force_2d(shapely.from_geojson(json.dumps(feature.get("geometry", feature))))
        except (shapely.GEOSException, TypeError) as error:
            raise InputError(f"{where}: no geometry", hint=hint) from error
        _check_shape(shape, where, hint)
        shapes[name] = shape
    return Outlines(shapes, _geojson(shapes))


def _check_shape(shape: Any, where: str, hint: str) -> None:
    import shapely

    if shape is None or shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        raise InputError(f"{where}: no polygon", hint=hint)
    if not shape.is_valid:
        raise InputError(f"{where}: {shapely.is_valid_reason(shape).split('[')[0]}", hint="draw it without crossings")
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise InputError(f"{where}: outside longitude and latitude", hint=hint)


def _geojson(shapes: Mapping[str, Any]) -> bytes:
    import shapely

    features = [
        {"type": "Feature", "properties": {"parcel_id": name}, "geometry": json.loads(shapely.to_geojson(shape))}
        for name, shape in sorted(shapes.items())
    ]
    return (json.dumps({"type": "FeatureCollection", "features": features}) + "\n").encode()


def boundary_facts(publication: Path, farm_id: str, outlines: Outlines) -> dict[str, dict[str, float | None]]:
    """Each corrected parcel's area before and after, in m2, and the share of the new outline that lies in the old.

    Raises:
        StoreError: the parcels of the publication cannot be read.
    """
    import geopandas as gpd

    from acreline.geo import geodesic_area_m2

    before = farm_outlines(publication, farm_id)
    told: dict[str, dict[str, float | None]] = {}
    for name, shape in outlines.shapes.items():
        old = before.get(name)
        pieces = gpd.GeoSeries([shape, *([] if old is None else [old, old.intersection(shape)])], crs="EPSG:4326")
        area = [round(float(one), 1) for one in geodesic_area_m2(pieces)]
        share = None if old is None or not area[0] else round(area[2] / area[0], 3)
        told[name] = {"area_m2": None if old is None else area[1], "new_area_m2": area[0], "inside_old": share}
    return told


def farm_outlines(publication: Path, farm_id: str) -> dict[str, Any]:
    """Outlines of a farm's parcels as they were judged, in lon/lat; a parcel without one is left out.

    Raises:
        StoreError: the parcels of the publication cannot be read.
    """
    import shapely

    rows = read_table(publication, "parcels", ["id", "farm_id", "geometry"]).to_pylist()
    mine = {row["id"]: row["geometry"] for row in rows if row["farm_id"] == farm_id and row["geometry"] is not None}
    return {name: shapely.make_valid(shapely.from_wkb(shape)) for name, shape in mine.items()}


def place_photo(
    publication: Path, farm_id: str, claim: PhotoClaim, sha256: str, now: datetime
) -> tuple[Kept, dict[str, Any]]:
    """Where a photo is said to have been taken, held against the farm's land.

    Args:
        publication: the farm's.
        farm_id: whose land.
        claim: place and time as they were told.
        sha256: of the photo as it is kept.
        now: the machine's clock.

    Returns:
        the exact place, to be kept with the evidence; and what the log says: the time, whether the place lies inside
        the farm's land, else how far from it in metres (to 10 m; None where the land has no outline), and the place to
        two decimals.

    Raises:
        ConfigError: place or time cannot be read, lie nowhere or ahead.
        StoreError: the parcels of the publication cannot be read.
    """
    import shapely

    hint = "--place LON,LAT in degrees and --time 2026-03-01T09:30+08:00, as the phone shows them"
    try:
        lon, lat = (float(part) for part in claim.place.split(","))
        taken = datetime.fromisoformat(claim.time)
    except ValueError as error:
        raise ConfigError(f"--place {claim.place} --time {claim.time}: cannot be read", hint=hint) from error
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise ConfigError(f"--place {claim.place}: nowhere on earth", hint=hint)
    if taken.tzinfo is None or taken > now:
        why = "without its offset" if taken.tzinfo is None else "lies ahead"
        raise ConfigError(f"--time {claim.time}: {why}", hint=hint)
    outlines = farm_outlines(publication, farm_id).values()
    exact = {"photo": sha256, "lon": lon, "lat": lat, "time": taken.isoformat()}
    metres = min((_metres(shape, shapely.Point(lon, lat)) for shape in outlines), default=None)
    facts = {
        "time": taken.isoformat(),
        "near": [round(lon, 2), round(lat, 2)],
        "inside": metres == 0,
        "metres": None if metres is None else round(metres / 10) * 10,
    }
    return Kept("place", json.dumps(exact, sort_keys=True).encode(), ".json"), facts


def _metres(shape: Any, point: Any) -> float:
    """Distance of a point from an outline, 0 inside; degrees scaled to metres, which does for a few kilometres."""
    import shapely

    east = M_PER_DEGREE * math.cos(math.radians(point.y))
    near = shapely.transform(shape, lambda xy: (xy - (point.x, point.y)) * (east, M_PER_DEGREE))
    return float(near.distance(shapely.Point(0, 0)))


def with_outlines(parcels: gpd.GeoDataFrame, outlines: Mapping[str, Any]) -> gpd.GeoDataFrame:
    """A table of parcels with corrected outlines in the place of their own."""
    changed = parcels.copy()
    shapes = [outlines.get(name, old) for name, old in zip(parcels["parcel_id"], parcels.geometry, strict=True)]
    placed: gpd.GeoDataFrame = changed.set_geometry(shapes, crs=parcels.crs)
    return placed
