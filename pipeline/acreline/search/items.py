# SPDX-License-Identifier: Apache-2.0
"""One STAC item, whoever wrote it, becomes what the house needs of a scene, or the reason why it cannot be used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
import shapely.geometry

from acreline.config import Provider
from acreline.errors import SourceError
from acreline.layers import BANDS, SetAside
from acreline.reflectance import baseline_of, settle_offset
from acreline.search.addresses import Home, RefusedAddress, open_address

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

MASK = "SCL"
PROCESSED_KEYS = ("s2:generation_time", "processing:datetime", "sentinel2:generation_time")
LISTED_KEYS = ("published", *PROCESSED_KEYS)
ORBIT_KEYS = ("sat:relative_orbit", "sentinel2:relative_orbit_number")
PRODUCT_KEYS = ("s2:product_uri", "sentinel:product_id")
TILE = re.compile(r"(\d{1,2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
TILE_IN_NAME = re.compile(r"(?<![A-Z0-9])T?(\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])(?![A-Z0-9])")
PLATFORM = re.compile(r"^(?:SENTINEL-?2|S2)([A-D])", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """A scene that could be used, with what is needed to choose between copies of it."""

    scene_id: str
    platform: str
    """S2A ... S2D, or S2 where the item does not say."""
    orbit: int | None
    time: datetime
    tile: str
    crs: str
    assets: Mapping[str, str]
    dn_offset: int
    offset_how: str
    cloud_percent: float | None
    baseline: str | None
    processed: str
    """When this copy was made, ISO 8601; empty where the item does not say."""
    known: bool
    """Whether this copy was there on the as-of day, as far as the item says."""
    flags: tuple[str, ...]
    geometry: Mapping[str, Any]
    footprint: BaseGeometry = field(compare=False)

    @property
    def pass_id(self) -> str:
        """Platform, relative orbit where known, UTC day: the parts of a split scene share it."""
        orbit = f"_R{self.orbit:03d}" if self.orbit is not None else ""
        return f"{self.platform}{orbit}_{self.time:%Y%m%d}"


@dataclass(frozen=True)
class Wanted:
    """What an item must match."""

    provider: Provider
    start: date
    end: date
    as_of: date
    area: Sequence[BaseGeometry]
    """Boxes around the parcels, degrees."""
    home: Home
    """Where the catalogue itself is: decides which addresses its items may name."""


class _Unfit(Exception):  # noqa: N818 - not an error: becomes a line of the list of scenes set aside
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def judge_item(item: Mapping[str, Any], base: str, wanted: Wanted) -> Candidate | SetAside:
    """Whether a catalogue's item can be used as a scene, and if not, why.

    Args:
        item: the item as JSON; nothing in it is taken for granted.
        base: address or path that its relative hrefs count from.
        wanted: provider, days, area.

    Returns:
        the scene, or what is wrong with it: not_an_item, other_collection, no_time, outside_season, after_as_of,
        not_a_tile, no_geometry, outside_area, missing_asset, foreign_scheme, foreign_address, unknown_offset.
    """
    properties = item.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    scene_id = str(item.get("id") or base.rsplit("/", 1)[-1])
    time: datetime | None = None
    tile: str | None = None
    try:
        if item.get("type") != "Feature" or not item.get("id"):
            raise _Unfit("not_an_item", "no STAC item with an id")
        _check_collection(item, wanted.provider)
        time, time_flags = _time(properties)
        _check_day(time, wanted)
        tile = _tile(scene_id, properties)
        crs = _crs(tile, [properties])
        footprint = _footprint(item)
        if not any(_touches(footprint, box) for box in wanted.area):
            raise _Unfit("outside_area", "the footprint does not touch the parcels")
        assets, entries = _assets(item, base, wanted)
        _crs(tile, [entry for _, entry in entries])
        dn_offset, how, flags = _offset(properties, entries, wanted.provider)
    except _Unfit as unfit:
        return SetAside(scene_id, time, tile, unfit.reason, unfit.detail)
    cloud = _number(properties.get("eo:cloud_cover"))
    listed = _first_text(properties, LISTED_KEYS)
    known = not listed or listed[:10] <= wanted.as_of.isoformat()
    flags = (
        *time_flags,
        *flags,
        *(() if cloud is not None else ("cloud_unknown",)),
        *(() if known else ("reprocessed_since",)),
        *(("jpeg2000",) if any(href.split("?")[0].lower().endswith(".jp2") for href in assets.values()) else ()),
    )
    return Candidate(
        scene_id=scene_id,
        platform=_platform(scene_id, properties),
        orbit=_orbit(scene_id, properties),
        time=time,
        tile=tile,
        crs=crs,
        assets=assets,
        dn_offset=dn_offset,
        offset_how=how,
        cloud_percent=cloud,
        baseline=baseline_of(properties, scene_id),
        processed=_first_text(properties, (*PROCESSED_KEYS, "created", "updated")),
        known=known,
        flags=tuple(sorted(set(flags))),
        geometry=item["geometry"],
        footprint=footprint,
    )


def _check_collection(item: Mapping[str, Any], provider: Provider) -> None:
    collection = item.get("collection")
    if provider.collection and collection is not None and collection != provider.collection:
        raise _Unfit("other_collection", f"of collection {collection}, not {provider.collection}")


def _time(properties: Mapping[str, Any]) -> tuple[datetime, tuple[str, ...]]:
    for key, flags in (("datetime", ()), ("start_datetime", ("time_from_start",))):
        text = properties.get(key)
        if not isinstance(text, str):
            continue
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise _Unfit("no_time", f"{key} cannot be read") from None
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC), flags
    raise _Unfit("no_time", "neither datetime nor start_datetime")


def _check_day(time: datetime, wanted: Wanted) -> None:
    day = time.date()
    if not wanted.start <= day <= wanted.end:
        raise _Unfit("outside_season", f"of {day}, season {wanted.start} .. {wanted.end}")
    lag = wanted.provider.lag_days
    if day + timedelta(days=lag) > wanted.as_of:
        raise _Unfit("after_as_of", f"of {day}, not yet listed on {wanted.as_of} ({lag} days later at the earliest)")


def _tile(scene_id: str, properties: Mapping[str, Any]) -> str:
    zone, band, square = (properties.get(f"mgrs:{key}") for key in ("utm_zone", "latitude_band", "grid_square"))
    words = (
        str(properties.get("grid:code", "")).removeprefix("MGRS-").removeprefix("T"),
        str(properties.get("s2:mgrs_tile", "")),
        f"{zone}{band}{square}",
        *TILE_IN_NAME.findall(scene_id),
        *TILE_IN_NAME.findall(_first_text(properties, PRODUCT_KEYS)),
    )
    match = next((found for word in words if (found := TILE.fullmatch(word))), None)
    if match is None or not 1 <= int(match[1]) <= 60:
        raise _Unfit("not_a_tile", "no Sentinel-2 tile in grid:code, s2:mgrs_tile, mgrs:* or the id")
    return f"{int(match[1]):02d}{match[2]}{match[3]}{match[4]}"


def _crs(tile: str, holders: Sequence[Mapping[str, Any]]) -> str:
    """The tile's own CRS; one stated that is not of the tile's zone is refused rather than believed."""
    crs = f"EPSG:{(32600 if tile[2] >= 'N' else 32700) + int(tile[:2])}"
    for holder in holders:
        code, number = holder.get("proj:code"), holder.get("proj:epsg")
        stated = code if isinstance(code, str) else f"EPSG:{number}" if isinstance(number, int) else crs
        if stated.upper() != crs:
            raise _Unfit("not_a_tile", f"stated {stated[:20]}, but tile {tile} is {crs}")
    return crs


def _footprint(item: Mapping[str, Any]) -> BaseGeometry:
    geometry = item.get("geometry")
    if not isinstance(geometry, dict):
        raise _Unfit("no_geometry", "the item has no footprint")
    try:
        footprint = shapely.geometry.shape(geometry)
    except (shapely.errors.ShapelyError, AttributeError, KeyError, TypeError, ValueError, IndexError):
        raise _Unfit("no_geometry", "the footprint cannot be read") from None
    if footprint.is_empty or footprint.geom_type not in ("Polygon", "MultiPolygon"):
        raise _Unfit("no_geometry", f"the footprint is {footprint.geom_type}")
    footprint = footprint if footprint.is_valid else shapely.make_valid(footprint)
    west, _, east, _ = footprint.bounds
    if east - west > 180:  # drawn across the antimeridian the short way: its western longitudes are one turn short
        footprint = shapely.transform(footprint, lambda xy: xy + (xy[:, :1] < 0) * np.array([[360.0, 0.0]]))
        footprint = footprint if footprint.is_valid else shapely.make_valid(footprint)
    return footprint


def _touches(footprint: BaseGeometry, box: BaseGeometry) -> bool:
    if footprint.intersects(box):
        return True
    if footprint.bounds[2] <= 180:
        return False
    return bool(footprint.intersects(shapely.transform(box, lambda xy: xy + np.array([[360.0, 0.0]]))))


def _asset_table(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    assets = item.get("assets")
    return {k: v for k, v in assets.items() if isinstance(v, dict)} if isinstance(assets, dict) else {}


def _assets(
    item: Mapping[str, Any], base: str, wanted: Wanted
) -> tuple[dict[str, str], list[tuple[str, dict[str, Any]]]]:
    """Address of each band and of the mask, and the reflectance bands' asset entries."""
    table = _asset_table(item)
    addresses: dict[str, str] = {}
    entries: list[tuple[str, dict[str, Any]]] = []
    missing: list[str] = []
    for band in (*BANDS, MASK):
        keys = wanted.provider.bands[band]
        keys = [keys] if isinstance(keys, str) else keys
        asset = next((table[key] for key in keys if isinstance(table.get(key, {}).get("href"), str)), None)
        if asset is None:
            missing.append(f"{band} ({' or '.join(keys)})")
            continue
        try:
            addresses[band] = open_address(asset["href"], base, wanted.provider, wanted.home)
        except RefusedAddress as refused:
            raise _Unfit(refused.reason, f"{band}: {refused}") from None
        if band != MASK:
            entries.append((band, asset))
    if missing:
        raise _Unfit("missing_asset", f"no asset for {', '.join(missing)}")
    return addresses, entries


def _offset(
    properties: Mapping[str, Any], entries: Sequence[tuple[str, dict[str, Any]]], provider: Provider
) -> tuple[int, str, tuple[str, ...]]:
    """One offset for the whole scene; bands that do not agree are refused."""
    try:
        offsets = {band: settle_offset(properties, asset, provider.offset) for band, asset in entries}
    except SourceError as error:
        raise _Unfit("unknown_offset", error.message) from None
    numbers = {offset.dn_offset for offset in offsets.values()}
    if len(numbers) > 1:
        told = ", ".join(f"{band} {offset.dn_offset}" for band, offset in offsets.items())
        raise _Unfit("unknown_offset", f"the bands do not agree: {told}")
    first = offsets[entries[0][0]]
    return first.dn_offset, first.how, tuple({flag for offset in offsets.values() for flag in offset.flags})


def _platform(scene_id: str, properties: Mapping[str, Any]) -> str:
    for text in (str(properties.get("platform", "")), scene_id):
        match = PLATFORM.match(text)
        if match:
            return f"S2{match[1].upper()}"
    return "S2"


def _orbit(scene_id: str, properties: Mapping[str, Any]) -> int | None:
    for key in ORBIT_KEYS:
        number = _number(properties.get(key))
        if number is not None and 1 <= number <= 143:
            return int(number)
    for text in (scene_id, _first_text(properties, PRODUCT_KEYS)):
        match = re.search(r"_R(\d{3})_", text)
        if match:
            return int(match[1])
    return None


def _first_text(properties: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((properties[key] for key in keys if isinstance(properties.get(key), str)), "")


def _number(value: object) -> float | None:
    """A number, also where a catalogue wrote it as text; None for anything else and for NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if -1e308 < number < 1e308 else None
