# SPDX-License-Identifier: Apache-2.0
"""A GeoPackage of four layers and the run they come from, for QGIS and any other GIS; same publication, same bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from acreline.errors import StoreError
from acreline.export._layers import TITLES, Layer, read_layers
from acreline.export._places import new_file

if TYPE_CHECKING:
    from pathlib import Path

    from acreline.export import Wanted
    from acreline.export._source import Source

TITLE = "GeoPackage for QGIS and other GIS: farms with limits, parcels, stands, events"
PLACE = "file"
ENDING = ".gpkg"
PERSONS = True


def write(source: Source, wanted: Wanted) -> list[str]:
    """Write the GeoPackage; layers `farms`, `parcels`, `stands`, `events`, and the table `run` of one row.

    Geometry is multipolygons in WGS 84, longitude first. Money is a real number, days are dates.

    Raises:
        ConfigError: the file is there already.
        StoreError: it cannot be written, or a table of the publication is missing.
    """
    assert wanted.out is not None
    layers = read_layers(source)
    with new_file(wanted.out, replace=wanted.replace) as path, _fixed_date(source.as_of):
        for layer in layers:
            _write(path, layer.name, *_drawn(layer), f"{TITLES[layer.name]}. {source.words}")
        _write(path, "run", _run(source), None, f"The run behind the layers. {source.words}")
    rows = ", ".join(f"{len(layer.table)} {layer.name}" for layer in layers)
    return [f"{wanted.out}: GeoPackage of {rows}", "next: open it in QGIS; the layer `farms` has the limits"]


@contextlib.contextmanager
def _fixed_date(day: str) -> Iterator[None]:
    """GDAL writes the moment of writing into the file; here it is the day of the decisions."""
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{day}T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _drawn(layer: Layer) -> tuple[Any, str]:
    import pyarrow as pa
    import shapely

    table = layer.table
    for k, (name, kind) in enumerate(layer.columns.items()):
        if kind == "money":
            table = table.set_column(k, name, table[name].cast(pa.float64()))
    outlines = pa.array(shapely.to_wkb(layer.outlines), pa.binary())
    field = pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})
    return table.append_column(field, outlines), "MultiPolygon"


def _run(source: Source) -> Any:
    import pyarrow as pa

    manifest = source.manifest
    policy, model = manifest.get("policy") or {}, manifest.get("model") or {}
    row = {
        "region": source.region,
        "publication_id": source.publication_id,
        "as_of": source.as_of,
        "simulated": source.simulated,
        "policy": f"{policy.get('id')}@{policy.get('version')}",
        "model": f"{model.get('name')} {model.get('version')}",
        "acreline": str((manifest.get("code") or {}).get("acreline")),
        "notices": source.words,
    }
    return pa.table({name: [value] for name, value in row.items()})


def _write(path: Path, name: str, table: Any, geometry: str | None, words: str) -> None:
    import pyogrio

    drawn = {} if geometry is None else {"geometry_name": "geometry", "geometry_type": geometry, "crs": "EPSG:4326"}
    options = {"IDENTIFIER": name, "DESCRIPTION": words}
    try:
        pyogrio.write_arrow(table, path, layer=name, driver="GPKG", layer_options=options, **drawn)
    except pyogrio.errors.DataSourceError as error:
        raise StoreError(f"layer {name}: not written: {error}", hint="check the folder of --out") from error
