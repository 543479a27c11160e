# SPDX-License-Identifier: Apache-2.0
"""The parcels of a run as fiboa 0.3 / Vecorel 0.1 GeoParquet, the format in which field boundaries are shared.

What is ours stands under `acreline:`, with its types in the file (`schemas:custom`), so that a reader knows them all.
A parcel that was rejected, or has no valid outline of its own, is no field boundary and does not leave.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import StoreError
from acreline.export._layers import Kind, Layer, read_layers
from acreline.export._places import new_file
from acreline.tables import VECOREL_SCHEMAS, write_arrow

if TYPE_CHECKING:
    from acreline.export import Wanted
    from acreline.export._source import Source

TITLE = "fiboa / Vecorel GeoParquet of the parcels, for whoever shares field boundaries"
PLACE = "file"
ENDING = ".parquet"
PERSONS = False
SDL = "https://vecorel.org/sdl/v0.2.0/schema.json"
OURS = (
    *("farm_id", "status", "reason", "crop", "crop_confidence", "crop_set", "health", "vigour", "planted_fraction"),
    *("planted_m2_low", "planted_m2_mid", "planted_m2_high", "clear_looks", "last_clear", "events", "code"),
)
"""Columns of the layer of parcels that stand under `acreline:`."""
TYPES: dict[Kind, str] = {"text": "string", "number": "double", "whole": "int32", "day": "date", "yes": "boolean"}


def write(source: Source, wanted: Wanted) -> list[str]:
    """Write the GeoParquet: OGC:CRS84, one row per parcel that was not rejected, in the order of the ids.

    Raises:
        ConfigError: the file is there already.
        StoreError: it cannot be written, or no parcel has an outline.
    """
    assert wanted.out is not None
    with new_file(wanted.out, replace=wanted.replace) as path:
        kept, left = write_fiboa(source, path)
    told = f"; {left} rejected or without a valid outline are left out" if left else ""
    return [
        f"{wanted.out}: fiboa GeoParquet of {kept} parcels{told}",
        "next: fiboa validate FILE (pip install fiboa-cli)",
    ]


def write_fiboa(source: Source, path: Path) -> tuple[int, int]:
    """Write the parcels to a path; how many were written and how many left out.

    Raises:
        StoreError: no parcel has an outline, or a table of the publication is missing.
    """
    import pyarrow as pa
    import shapely

    layer = next(one for one in read_layers(source) if one.name == "parcels")
    rows = _fields(layer)
    if not rows:
        raise StoreError(
            f"{source.region}: no parcel has a valid outline: nothing to write", hint="see `acreline explain` of a farm"
        )
    table = layer.table.take(rows)
    outlines = [_single(layer.outlines[k]) for k in rows]
    columns: dict[str, Any] = {
        "id": table["parcel_id"],
        "collection": pa.array([source.region] * len(rows), pa.string()),
        "geometry": pa.array(shapely.to_wkb(outlines), pa.binary()),
        "bbox": _boxes(outlines),
        "metrics:area": table["area_m2"].cast(pa.float32()),
        **{f"acreline:{name}": table[name] for name in OURS},
        "acreline:publication_id": pa.array([source.publication_id] * len(rows), pa.string()),
        "acreline:as_of": pa.array([source.as_of] * len(rows), pa.string()).cast(pa.date32()),
    }
    meta = {b"geo": _text(_geo(outlines)), b"collection": _text(_collection(source))}
    write_arrow(pa.table(columns).replace_schema_metadata(meta), path, required=("id", "collection", "geometry"))
    return len(rows), len(layer.table) - len(rows)


def _fields(layer: Layer) -> list[int]:
    """Rows that are field boundaries, by id; ids are unique, since a parcel of an id that was there is rejected."""
    import shapely

    status, ids = layer.table["status"].to_pylist(), layer.table["parcel_id"].to_pylist()
    areas = layer.table["area_m2"].to_pylist()
    rows = [
        k
        for k, shape in enumerate(layer.outlines)
        if shape is not None and status[k] != "rejected" and areas[k] and shapely.is_valid(shape)
    ]
    return sorted(rows, key=lambda k: str(ids[k]))


def _single(shape: Any) -> Any:
    return shape.geoms[0] if len(shape.geoms) == 1 else shape


def _boxes(outlines: list[Any]) -> Any:
    import pyarrow as pa
    import shapely

    names = ("xmin", "ymin", "xmax", "ymax")
    bounds = shapely.bounds(outlines)
    return pa.StructArray.from_arrays([pa.array(bounds[:, k], pa.float64()) for k in range(4)], names=list(names))


def _geo(outlines: list[Any]) -> dict[str, Any]:
    import shapely

    covering = {"bbox": {name: ["bbox", name] for name in ("xmin", "ymin", "xmax", "ymax")}}
    column = {
        "encoding": "WKB",
        "geometry_types": sorted({shape.geom_type for shape in outlines}),
        "bbox": shapely.total_bounds(outlines).tolist(),
        "covering": covering,
    }
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def _collection(source: Source) -> dict[str, Any]:
    """Which schemas the columns follow; ours in full, since they are published nowhere."""
    from acreline.export._layers import COLUMNS

    kinds = COLUMNS["parcels"]
    ours = {f"acreline:{name}": {"type": TYPES[kinds[name]]} for name in OURS}
    ours |= {"acreline:publication_id": {"type": "string"}, "acreline:as_of": {"type": "date"}}
    return {
        "schemas": {source.region: list(VECOREL_SCHEMAS)},
        "schemas:custom": {
            "$schema": SDL,
            "required": [],
            "collection": dict.fromkeys(ours, False),
            "properties": ours,
        },
        "description": source.words,
    }


def _text(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, sort_keys=True).encode()
