# SPDX-License-Identifier: Apache-2.0
"""Simulated scenes as a provider would give them: COGs at native resolution and their STAC items."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.layers import BANDS_10M, BANDS_20M, DN_SCALE, PIXEL_M
from acreline.rasters import write_cog
from acreline.simulate.copies import Copy
from acreline.simulate.overlaps import same_land
from acreline.simulate.scl import NO_DATA, SHADOW, SNOW
from acreline.simulate.values import Picture, Window

if TYPE_CHECKING:
    import pystac

LARGEST_DN = 65_535
MASK = "SCL"
# Band -> STAC common name, as the real demo region has them.
COMMON: dict[str, str | None] = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B08": "nir",
    "B05": "rededge071",
    "B06": "rededge075",
    "B07": "rededge078",
    "B8A": "nir08",
    "B11": "swir16",
    "B12": "swir22",
    MASK: None,
}
EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in (
        "eo/v2.0.0",
        "file/v2.1.0",
        "grid/v1.1.0",
        "projection/v2.0.0",
        "raster/v2.0.0",
        "sat/v1.1.0",
        "sentinel-2/v1.0.0",
        "timestamps/v1.1.0",
        "view/v1.0.0",
    )
]


def encode(reflectance: npt.NDArray[np.float32], dn_offset: int) -> npt.NDArray[np.uint16]:
    """Reflectance as ESA stores it: clip(round(10000 rho + offset), 1, 65535); 0 is kept for no data."""
    numbers = np.rint(reflectance.astype(np.float64) / DN_SCALE + dn_offset)
    return np.clip(numbers, 1, LARGEST_DN).astype(np.uint16)


def write_scene(
    copy: Copy,
    picture: Picture,
    scl: npt.NDArray[np.uint8],
    window: Window,
    home: Window,
    cloud_percent: float,
    folder: Path,
) -> dict[str, Any] | None:
    """Write one item's bands below `folder` and give the item.

    Args:
        copy: which item.
        picture: the county with clouds.
        scl: uint8 (height / 2, width / 2): scene classes; 0 where there is no data.
        window: the land of the item's tile.
        home: the county's own window, which picture and classes are of.
        cloud_percent: what the item says of clouds.
        folder: the collection's folder.

    Returns:
        the item as JSON with addresses relative to it; None where it would hold no pixel.
    """
    rows, cols = same_land(home, window, 20)
    classes = np.where(rows >= 0, scl[rows, cols], 0).astype(np.uint8)
    half = (home.height // 4) if copy.part else 0
    if copy.part:
        classes[(rows < half) if copy.part == "south" else (rows >= half)] = NO_DATA
    valid = classes != NO_DATA
    if not valid.any():
        return None
    bands = dict(zip(BANDS_10M, picture.fine, strict=True)) | dict(zip(BANDS_20M, picture.coarse, strict=True))
    fine = same_land(home, window, 10)
    place = folder / copy.scene_id
    place.mkdir(parents=True)
    assets = {}
    for name in (*bands, MASK):
        if name == copy.lacks:
            continue
        pixel_m = 10 if name in BANDS_10M else 20
        if name == MASK:
            values: npt.NDArray[Any] = classes
        else:
            at = fine if pixel_m == 10 else (rows, cols)
            numbers = encode(bands[name][at] * np.float32(copy.factor), copy.dn_offset)
            seen = np.repeat(np.repeat(valid, 2, 0), 2, 1) & (fine[0] >= 0) if pixel_m == 10 else valid
            values = np.where(seen, numbers, 0).astype(np.uint16)
        step = pixel_m // PIXEL_M
        write_cog(
            place / f"{name}.tif",
            values,
            crs=window.crs,
            origin_x=window.origin_x,
            origin_y=window.origin_y,
            row=window.row // step,
            col=window.col // step,
            pixel_m=pixel_m,
            nodata=0,
        )
        content = (place / f"{name}.tif").read_bytes()
        fields = band_fields(name, window, copy.dn_offset)
        fields["file:size"] = len(content)
        fields["file:checksum"] = "1220" + hashlib.sha256(content).hexdigest()  # multihash: 0x12 SHA-256, 0x20 bytes
        assets[name] = fields
    return _item(copy, classes, window, cloud_percent, assets).to_dict(include_self_link=False)


def band_fields(name: str, window: Window, dn_offset: int) -> dict[str, Any]:
    """What an item says of one band, its file left out."""
    pixel_m = 10 if name in BANDS_10M else 20
    step, common = pixel_m // PIXEL_M, COMMON[name]
    west, north = window.origin_x + window.col * PIXEL_M, window.origin_y - window.row * PIXEL_M
    fields: dict[str, Any] = {
        "gsd": pixel_m,
        "data_type": "uint16" if common else "uint8",
        "nodata": 0,
        "proj:shape": [window.height // step, window.width // step],
        "proj:transform": [pixel_m, 0, west, 0, -pixel_m, north],
        "bands": [{"name": name} | ({"eo:common_name": common} if common else {})],
    }
    # 0.0 - x, since minus zero would be written as such
    return fields | ({"raster:scale": DN_SCALE, "raster:offset": 0.0 - dn_offset * DN_SCALE} if common else {})


def _item(
    copy: Copy, classes: npt.NDArray[np.uint8], window: Window, cloud_percent: float, assets: dict[str, dict[str, Any]]
) -> pystac.Item:
    import pystac

    overpass = copy.overpass
    geometry = footprint(classes != NO_DATA, window)
    points = np.array(geometry["coordinates"][0])
    seen = classes[classes != NO_DATA]
    item = pystac.Item(
        id=copy.scene_id,
        geometry=geometry,
        bbox=[*points.min(axis=0).tolist(), *points.max(axis=0).tolist()],
        datetime=overpass.time,
        stac_extensions=list(EXTENSIONS),
        properties={
            "platform": overpass.platform,
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "published": _text(copy.processed),
            "eo:cloud_cover": cloud_percent,
            "eo:snow_cover": _percent(seen == SNOW),
            "s2:cloud_shadow_percentage": _percent(seen == SHADOW),
            "s2:nodata_pixel_percentage": _percent(classes == NO_DATA),
            "s2:mgrs_tile": window.tile,
            "s2:processing_baseline": copy.baseline,
            "s2:generation_time": _text(copy.processed),
            "s2:datatake_id": f"GS{overpass.platform[-2:].upper()}_{overpass.time:%Y%m%dT%H%M%S}_{overpass.orbit:06d}",
            "sat:relative_orbit": overpass.orbit,
            "sat:orbit_state": "descending",
            "grid:code": f"MGRS-{window.tile}",
            "proj:code": window.crs,
            "view:sun_azimuth": round(overpass.sun_azimuth_deg, 4),
            "view:sun_elevation": round(90 - overpass.sun_zenith_deg, 4),
            "view:incidence_angle": round(overpass.view_zenith_deg, 4),
            "view:azimuth": round(overpass.view_azimuth_deg, 4),
        },
    )
    for name, fields in assets.items():
        asset = pystac.Asset(f"./{name}.tif", media_type=pystac.MediaType.COG, roles=roles_of(name))
        asset.extra_fields = fields
        item.add_asset(name, asset)
    return item


def roles_of(name: str) -> list[str]:
    """What an asset is for."""
    return ["data", "reflectance"] if COMMON[name] else ["data"]


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _percent(mask: npt.NDArray[np.bool_]) -> float:
    return round(100 * float(mask.mean()), 4)


def footprint(valid: npt.NDArray[np.bool_], window: Window) -> dict[str, Any]:
    """The ground that has data, in lon/lat, counter-clockwise: the hull of its cells.

    Args:
        valid: bool (height / 2, width / 2), somewhere true.
        window: the item's window.

    Returns:
        a GeoJSON polygon, seven decimals (a centimetre).
    """
    import shapely
    from pyproj import Transformer

    rows = np.flatnonzero(valid.any(axis=1))
    first = valid[rows].argmax(axis=1)
    last = valid.shape[1] - valid[rows][:, ::-1].argmax(axis=1)
    corners = [
        (col, row + down) for side in (first, last) for row, col in zip(rows, side, strict=True) for down in (0, 1)
    ]
    hull = shapely.convex_hull(shapely.multipoints(np.array(corners, dtype=np.float64)))
    across, down = shapely.get_coordinates(hull).T * 20
    x = window.origin_x + window.col * PIXEL_M + across
    y = window.origin_y - window.row * PIXEL_M - down
    lon, lat = Transformer.from_crs(window.crs, "EPSG:4326", always_xy=True).transform(x, y)
    ring = shapely.geometry.polygon.orient(shapely.Polygon(np.column_stack([lon, lat])))
    return {"type": "Polygon", "coordinates": [[[round(a, 7), round(b, 7)] for a, b in ring.exterior.coords]]}
