# SPDX-License-Identifier: Apache-2.0
"""A STAC catalogue over a publication's maps, so that any GIS finds them with their classes and their source scenes.

It is written beside the maps (`catalog.json`, `maps/collection.json`, `maps/<block>.json`), every link relative, so the
folder can be moved. What a scene's own address was is nobody's business here: scenes are named by id, as URNs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from acreline.hashing import file_sha256
from acreline.layers import SLOTS
from acreline.report.read import MAP_LAYERS, Row, legends, read_manifest, read_table

if TYPE_CHECKING:
    import pystac

MULTIHASH_SHA256 = "1220"
"""Multihash prefix: SHA-256, 32 bytes (multiformats table), as the file extension asks."""
EXTENSIONS = (
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
)
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
TITLES = {"crop": "Crop of each season slot", "health": "Health at the end of what was seen"}


def write_catalog(publication: Path) -> None:
    """Write the STAC catalogue over a publication's maps; the same publication gives the same bytes.

    Args:
        publication: folder of a publication, finished or still being staged (its manifest.json must be there).

    Raises:
        StoreError: a file of the publication is missing or cannot be read.
        InputError: a map cannot be read.
    """
    import pystac

    manifest = read_manifest(publication)
    region = str(manifest["region"])
    scenes = sorted(
        (r for r in _scenes(publication) if r["status"] == "used"), key=lambda r: (r["time"], r["scene_id"])
    )
    blocks = _blocks(publication / "maps")
    catalog = pystac.Catalog(id="acreline", title="acreline", description=f"Crop and health maps of {region}")
    items = [_item(block, paths, manifest, scenes) for block, paths in sorted(blocks.items())]
    if items:
        collection = _collection(region, manifest, items, scenes)
        catalog.add_child(collection)
        collection.add_items(items)
        collection.set_self_href(str(publication / "maps" / "collection.json"))
    catalog.set_self_href(str(publication / "catalog.json"))
    for item in items:
        item.set_self_href(str(publication / "maps" / f"{item.id}.json"))
    catalog.catalog_type = pystac.CatalogType.SELF_CONTAINED
    for entry in (catalog, *catalog.get_children(), *items):
        _write(entry, scenes)


def _write(entry: pystac.STACObject, scenes: Sequence[Row]) -> None:
    told = entry.to_dict(include_self_link=False)
    if told["type"] == "Feature":  # added here: pystac would turn a URN into a path
        told["links"] += [_source(scene) for scene in _of_tile(told["id"], scenes)]
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    Path(entry.self_href).write_text(text, encoding="utf-8", newline="\n")


def _source(scene: Row) -> dict[str, str]:
    name = str(scene["scene_id"])
    return {"rel": "derived_from", "href": f"urn:acreline:scene:{quote(name, safe='')}", "title": name}


def _of_tile(block: str, scenes: Sequence[Row]) -> list[Row]:
    """The scenes a block was read from: those of its own tile, which its name begins with."""
    return [scene for scene in scenes if block.startswith(str(scene["tile"]))]


def _scenes(publication: Path) -> list[Row]:
    rows: list[Row] = read_table(publication, "scenes", ["scene_id", "time", "tile", "status"]).to_pylist()
    return [row for row in rows if row["time"] is not None]


def _blocks(folder: Path) -> dict[str, dict[str, Path]]:
    """Block id -> layer -> its map."""
    blocks: dict[str, dict[str, Path]] = {}
    for layer in MAP_LAYERS:
        for path in sorted(folder.glob(f"*_{layer}.tif")):
            blocks.setdefault(path.name.removesuffix(f"_{layer}.tif"), {})[layer] = path
    return blocks


def _item(block: str, paths: Mapping[str, Path], manifest: Mapping[str, Any], scenes: Sequence[Row]) -> pystac.Item:
    import pystac
    from pyproj import Transformer

    from acreline.rasters import read_raster

    assets = {}
    corners: list[list[float]] = []
    for layer, path in sorted(paths.items()):
        array, (a, _, c, _, e, f), crs, _ = read_raster(path)
        bands, height, width = array.shape
        to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        metres = [(c, f), (c, f + e * height), (c + a * width, f + e * height), (c + a * width, f)]
        corners = [[round(degree, 7) for degree in to_lonlat.transform(x, y)] for x, y in metres]
        fields = {
            "data_type": "uint8",
            "nodata": 0,
            "classification:classes": _classes(legends(manifest)[layer]),
            "file:checksum": MULTIHASH_SHA256 + file_sha256(path),
            "file:size": path.stat().st_size,
            "proj:code": crs,
            "proj:shape": [height, width],
            "proj:transform": [a, 0.0, c, 0.0, e, f],
        }
        if bands == len(SLOTS):
            fields["bands"] = [{"name": slot, "description": f"crop of season slot {slot}"} for slot in SLOTS]
        assets[layer] = pystac.Asset(
            f"./{path.name}", TITLES[layer], media_type=COG, roles=["data"], extra_fields=fields
        )
    used = _of_tile(block, scenes)
    first, last = _span(manifest, used)
    lons, lats = zip(*corners, strict=True)
    return pystac.Item(
        id=block,
        geometry={"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
        bbox=[min(lons), min(lats), max(lons), max(lats)],
        datetime=last,
        start_datetime=first,
        end_datetime=last,
        properties={
            "processing:software": _software(manifest),
            "processing:lineage": f"{len(used)} Sentinel-2 L2A scenes, as of {manifest['as_of']}",
        },
        stac_extensions=list(EXTENSIONS),
        assets=assets,
    )


def _collection(
    region: str, manifest: Mapping[str, Any], items: Sequence[pystac.Item], scenes: Sequence[Row]
) -> pystac.Collection:
    import pystac

    boxes = [item.bbox or [] for item in items]
    west, south = (min(box[k] for box in boxes) for k in (0, 1))
    east, north = (max(box[k] for box in boxes) for k in (2, 3))
    first, last = _span(manifest, scenes)
    years = "–".join(dict.fromkeys((str(first.year), str(last.year))))
    simulated = bool(manifest.get("simulated"))
    source = "Simulated land: no satellite took the pictures behind these maps."
    licensor = pystac.Provider("European Union, Copernicus", roles=[pystac.ProviderRole.LICENSOR])
    return pystac.Collection(
        id=region,
        title=f"Crop and health maps, {region}, as of {manifest['as_of']}",
        description="Crop and health of every 10 m pixel under or near a parcel, as painted by acreline's network. "
        + (source if simulated else f"Contains modified Copernicus Sentinel data {years}."),
        extent=pystac.Extent(
            pystac.SpatialExtent([[west, south, east, north]]), pystac.TemporalExtent([[first, last]])
        ),
        license="other",
        keywords=["crop type", "crop health", "simulated" if simulated else "sentinel-2"],
        providers=[
            *([] if simulated else [licensor]),
            pystac.Provider(
                "acreline",
                roles=[pystac.ProviderRole.PROCESSOR],
                extra_fields={"processing:software": _software(manifest)},
            ),
        ],
        stac_extensions=[name for name in EXTENSIONS if "/processing/" in name],
    )


def _classes(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Classes as the classification extension writes them; Chinese and English name stand in the description."""
    return [
        {
            "value": row["code"],
            "name": row["slug"],
            "title": row["en"],
            "description": f"{row['en']} {row['zh']}",
            "color_hint": str(row["colour"]).removeprefix("#").upper(),
            **({"nodata": True} if row["code"] == 0 else {}),
        }
        for row in rows
    ]


def _software(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Name and version of acreline and of the model, as far as the manifest tells."""
    told = {str(name): str(number) for name, number in sorted((manifest.get("code") or {}).items())}
    model = manifest.get("model")
    if isinstance(model, Mapping):
        told[str(model["name"])] = f"{model['version']} ({model['digest']})"
    return told


def _span(manifest: Mapping[str, Any], scenes: Sequence[Row]) -> tuple[datetime, datetime]:
    """First and last look; where nothing was seen, the season's start and the day of the decision."""
    if scenes:
        return _utc(scenes[0]["time"]), _utc(scenes[-1]["time"])
    return _utc(datetime.fromisoformat(manifest["season"]["start"])), _utc(datetime.fromisoformat(manifest["as_of"]))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
