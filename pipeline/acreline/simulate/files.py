# SPDX-License-Identifier: Apache-2.0
"""What lies beside the scenes of a simulated county: farm file, applicants, weather, truth, region file, README."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.config import Region, list_configs
from acreline.geo import geodesic_area_m2
from acreline.simulate.values import County
from acreline.units import m2_to_mu

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa

APPLICANTS = 108
APPLICANT_COLUMNS = (
    *("farm_id", "person_id", "requested", "existing_debt", "record_years", "insured_sum", "household_need"),
    "previous_limit",
)
REQUESTED_PER_MU = 700.0
"""CNY asked for per mu, median; order of magnitude of a crop's cash cost, a little above the demo policy's caps."""
WEATHER_COLUMNS = {
    "tmin_c": "tmin_c",
    "tmean_c": "tmean_c",
    "tmax_c": "tmax_c",
    "rain_mm": "rain_mm",
    "radiation_mj": "radiation_mj_per_m2",
}
SPECIFICATIONS = (
    "https://vecorel.org/specification/v0.1.0/schema.yaml",
    "https://fiboa.org/specification/v0.3.0/schema.yaml",
)
CUSTOM = {
    "farm_id": {"type": "string"},
    "declared_crop": {"type": "string"},
    "declared_area": {"type": "double", "exclusiveMinimum": 0},
}


# --- the farm file ------------------------------------------------------------------------------------------------
def write_parcels(parcels: gpd.GeoDataFrame, path: Path, collection: str) -> None:
    """The farm file, errors included: fiboa 0.3 / Vecorel 0.1 GeoParquet with three columns of ours.

    Args:
        parcels: id, farm_id, geometry (lon/lat), declared_crop, declared_area (ha).
        path: where.
        collection: name of the collection.
    """
    import pyarrow as pa
    import shapely
    from pyproj import CRS

    count = len(parcels)
    columns: dict[str, tuple[Any, Any]] = {
        "id": (pa.string(), parcels["id"].tolist()),
        "collection": (pa.string(), [collection] * count),
        "geometry": (pa.binary(), shapely.to_wkb(parcels.geometry.to_numpy()).tolist()),
        "metrics:area": (pa.float32(), geodesic_area_m2(parcels.geometry)),  # fiboa's `float` has 32 bits
        "determination:method": (pa.string(), ["unknown"] * count),
        "farm_id": (pa.string(), parcels["farm_id"].tolist()),
        "declared_crop": (pa.string(), [None if crop != crop else crop for crop in parcels["declared_crop"]]),
        "declared_area": (pa.float64(), parcels["declared_area"].astype("float64")),
    }
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": sorted(set(parcels.geometry.geom_type)),
                "crs": CRS.from_epsg(4326).to_json_dict(),
                "bbox": [float(value) for value in parcels.total_bounds],
            }
        },
    }
    schema = {"$schema": "https://vecorel.org/sdl/v0.2.0/schema.json", "required": [], "collection": {}}
    about = {
        "schemas": {collection: list(SPECIFICATIONS)},
        "schemas:custom": {**schema, "properties": CUSTOM},
    }
    fields = [
        pa.field(name, kind, nullable=name not in ("id", "collection", "geometry"))
        for name, (kind, _) in columns.items()
    ]
    meta = {b"geo": json.dumps(geo).encode(), b"collection": json.dumps(about).encode()}
    table = pa.Table.from_arrays([pa.array(v, kind) for kind, v in columns.values()], schema=pa.schema(fields, meta))
    _write_parquet(table, path)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """A table as Parquet, one with outlines as GeoParquet (lon/lat)."""
    import pandas as pd
    import pyarrow as pa
    import shapely

    shapes = table["geometry"] if "geometry" in table.columns else None
    plain = pd.DataFrame(table.drop(columns="geometry")) if shapes is not None else table
    arrow = pa.Table.from_pandas(plain.reset_index(drop=True), preserve_index=False).replace_schema_metadata(None)
    if shapes is not None:
        arrow = arrow.append_column("geometry", pa.array(shapely.to_wkb(shapes.to_numpy()).tolist(), pa.binary()))
        column = {"encoding": "WKB", "geometry_types": []}
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
        arrow = arrow.replace_schema_metadata({b"geo": json.dumps(geo).encode()})
    _write_parquet(arrow, path)


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd", version="2.6")


# --- tables of text -----------------------------------------------------------------------------------------------
def applicant_rows(parcels: gpd.GeoDataFrame, seed: int) -> list[tuple[Any, ...]]:
    """Invented applicants, one for each farm: what is asked for grows with the land; money in whole hundreds.

    Args:
        parcels: the farm file.
        seed: the county's.
    """
    area_mu = m2_to_mu(1.0) * geodesic_area_m2(parcels.geometry)
    farms: dict[str, float] = {}
    for farm, mu in zip(parcels["farm_id"], area_mu, strict=True):
        farms[str(farm)] = farms.get(str(farm), 0.0) + float(mu)
    draw = np.random.default_rng([seed, APPLICANTS])
    rows = []
    for number, farm in enumerate(sorted(farms), start=1):
        requested = max(1000, _hundreds(REQUESTED_PER_MU * farms[farm] * float(np.exp(draw.normal(0, 0.5)))))
        owes, knows, insured, needs, had, years = draw.random(6)
        debt: Any = _hundreds(requested * owes) if owes < 0.35 else 0
        rows.append(
            (
                farm,
                f"P-{number:05d}",
                requested,
                debt if knows > 0.02 else "",  # an unknown debt is not a debt of 0
                int(12 * years * years),
                _hundreds(0.6 * requested) if insured < 0.2 else 0,
                _hundreds(3000 + 6000 * needs) if needs < 0.3 else 0,
                _hundreds(requested * (0.5 + had)) if had < 0.5 else "",
            )
        )
    return rows


def _hundreds(amount: float) -> int:
    return int(round(amount / 100) * 100)


def weather_rows(weather: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    """The daily table as `acreline.weather` reads it: one row a day, degrees Celsius, mm, MJ per m2.

    Rounded to hundredths, in such a way that tmin <= tmean <= tmax still holds.
    """
    import pandas as pd

    columns = [weather[name].round(2 if name != "radiation_mj" else 3) for name in WEATHER_COLUMNS]
    for day, *values in zip(pd.to_datetime(weather["date"]), *columns, strict=True):
        low, mean, high, rain, radiation = (float(value) + 0.0 for value in values)  # + 0.0: no minus zero
        yield f"{day:%Y-%m-%d}", f"{low:.2f}", f"{mean:.2f}", f"{high:.2f}", f"{rain:.2f}", f"{radiation:.3f}"


def write_csv(path: Path, header: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows as CSV with plain line ends."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


# --- words --------------------------------------------------------------------------------------------------------
def region_text(county: County) -> str:
    """A region file over what was made; its paths count from it."""
    crops = "\n".join(f"  - {name}" for name in list_configs("crops"))
    return f"""\
# SIMULATED: no satellite took these pictures, no farmer asks for this money. Made by `acreline simulate`.
name: {county.name}
season: {{start: {county.season_start}, end: {county.season_end}}}
as_of: {county.season_end}

provider: folder
catalog: scenes/catalog.json

parcels:
  path: parcels.parquet
  datum: wgs84
  declared_area_unit: ha
  columns: {{parcel_id: id}}
applicants: applicants.csv
weather: weather.csv

crops:
{crops}
events: [flood]
model: {Region.model_fields["model"].default}
policy: demo
"""


def readme_text(county: County, counts: Mapping[str, int]) -> str:
    """What the folder is, said at its door."""
    rows = "\n".join(f"| {name.replace('_', ' ')} | {count:,} |" for name, count in counts.items())
    return f"""\
# {county.name}: SIMULATED

Nothing here was seen or measured: land, weather, growth, scenes, farms and applicants are drawn with seed
{county.seed}, {county.season_start} to {county.season_end}. Accuracy on it is
**not evidence of accuracy on real fields**.

| what | count |
| --- | --- |
{rows}

- `scenes/` a static STAC catalogue, with the quirks of real ones; `parcels.parquet`, `applicants.csv`, `weather.csv`
  what a bank would have, errors included; `region.yaml` for `acreline run`.
- `truth/` what no run reads: `parcels` (outlines, crops, dates), `events`, `yields`, `scenes` (true clouds, errors of
  the mask), `clouds.npz` (optical depth x 50 and shadow per pass on the 20 m grid).
"""
