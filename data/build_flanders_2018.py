# SPDX-License-Identifier: Apache-2.0
"""Make the real demo region `flanders-2018` from one square of the WorldCereal training patches.

    python data/build_flanders_2018.py SOURCE_FOLDER [--out DIR] [--check]

SOURCE_FOLDER holds the square's NetCDF files and `label_polygons.geojson`; the same source and the same library
versions give the same bytes. `--check` reads everything back and compares it with the source. What is real and what is
invented stands in `data/flanders-2018/README.md`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5netcdf
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pystac
import rasterio
import shapely
from pyproj import CRS, Geod
from rasterio.features import rasterize
from rasterio.transform import Affine
from rasterio.warp import transform_geom

TILE, EPSG = "31UDS", 32631
WEST, SOUTH, EAST, NORTH = 501360, 5629040, 502000, 5629680
COLLECTION = "sentinel-2-l2a"
SCALE = 0.0001
CLOUD, SHADOW, SNOW, NO_DATA = (8, 9, 10), (3,), (11,), (0,)  # Sen2Cor scene classes

# Band -> (pixel size in metres, STAC common name); the wavelengths differ between the satellites and are left out.
BANDS: dict[str, tuple[int, str | None]] = {
    "B02": (10, "blue"),
    "B03": (10, "green"),
    "B04": (10, "red"),
    "B08": (10, "nir"),
    "B05": (20, "rededge071"),
    "B06": (20, "rededge075"),
    "B07": (20, "rededge078"),
    "B8A": (20, "nir08"),
    "B11": (20, "swir16"),
    "B12": (20, "swir22"),
    "SCL": (20, None),
}
EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in (
        "eo/v2.0.0",
        "file/v2.1.0",
        "grid/v1.1.0",
        "projection/v2.0.0",
        "raster/v2.0.0",
        "sentinel-2/v1.0.0",
        "view/v1.0.0",
    )
]
CROPS = {
    1110: "winter_cereal",
    1200: "maize",
    1910: "winter_cereal",
    2000: "vegetables",
    2130: "vegetables",
    5100: "potato",
    7900: "pulses",
    9120: "grassland",
}

# --- invented: who farms what, what was declared wrongly, what the bank knows -------------------------------------
FARM_COLUMNS, FARM_ROWS = 2, 4
WRONG_CROP = {"639B424A-016": "maize"}  # grass in truth
WRONG_AREA = {"639B424A-007": 15}  # mu typed for hectares: 1 ha = 15 mu
APPLICANT_COLUMNS = (
    "farm_id",
    "person_id",
    "requested",
    "existing_debt",
    "record_years",
    "insured_sum",
    "household_need",
    "previous_limit",
)
APPLICANTS = (  # money in CNY; requests are far above any limit, save that of F-004
    ("F-001", "P-0001", 400000, 0, 2, 0, 0, ""),
    ("F-002", "P-0002", 800000, 0, 5, 0, 0, 40000),
    ("F-004", "P-0004", 8000, 0, 6, 0, 0, 10000),
    ("F-005", "P-0005", 500000, 1000, 4, 0, 0, ""),
    ("F-006", "P-0006", 300000, 0, 3, 0, 0, ""),
    ("F-007", "P-0007", 400000, 0, 1, 0, 0, ""),
    ("F-008", "P-0008", 900000, 0, 8, 20000, 5000, 60000),
)


@dataclass(frozen=True)
class Series:
    """The square through time, north up: what one pair of NetCDF files holds."""

    times: list[datetime]
    pixels: Mapping[str, np.ndarray]  # band -> (time, y, x) digital numbers as stored
    sun_azimuth: np.ndarray
    sun_zenith: np.ndarray
    view_zenith: np.ndarray


# --- the source ---------------------------------------------------------------------------------------------------
def only(folder: Path, pattern: str) -> Path:
    """The one file of a folder that fits a pattern."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{folder}: expected one file {pattern}, found {[path.name for path in found]}")
    return found[0]


def north_up(file: h5netcdf.File, name: str) -> np.ndarray:
    """A variable as stored, turned to (..., y, x) by its own dimension names, y falling and x rising."""
    variable = file.variables[name]
    order = [d for d in variable.dimensions if d not in ("y", "x")] + ["y", "x"]
    values = np.transpose(variable[...], [variable.dimensions.index(d) for d in order])
    if file.variables["y"][0] < file.variables["y"][-1]:
        values = values[..., ::-1, :]
    if file.variables["x"][0] > file.variables["x"][-1]:
        values = values[..., ::-1]
    return np.ascontiguousarray(values)


def check_grid(file: h5netcdf.File, pixel_m: int) -> None:
    """Stop unless the pixel centres are those of the square (the `centroid` attributes are half a pixel off)."""
    centres = {"x": np.arange(WEST, EAST, pixel_m) + pixel_m / 2, "y": np.arange(SOUTH, NORTH, pixel_m) + pixel_m / 2}
    for axis, wanted in centres.items():
        if not np.array_equal(np.sort(file.variables[axis][...]), wanted):
            raise SystemExit(f"{file.filename}: pixel centres along {axis} are not those of the square")


def read_times(file: h5netcdf.File) -> list[datetime]:
    """The `timestamp` axis as UTC datetimes, by its own units."""
    unit, start = re.fullmatch(r"(seconds|days) since (.*)", file.variables["timestamp"].attrs["units"]).groups()  # type: ignore[union-attr]
    zero = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return [zero + timedelta(**{unit: int(step)}) for step in file.variables["timestamp"][...]]


def read_series(folder: Path) -> Series:
    """All bands of all dates; stops where scale, no-data value, grid or dates are not what they should be."""
    pixels: dict[str, np.ndarray] = {}
    with (
        h5netcdf.File(only(folder, "S2_L2A_10m_*.nc"), "r") as fine,
        h5netcdf.File(only(folder, "S2_L2A_20m_*.nc"), "r") as coarse,
    ):
        times = read_times(fine)
        if times != read_times(coarse) or times != sorted(set(times)):
            raise SystemExit(f"{folder}: the dates of the 10 m and 20 m files differ, repeat or do not rise")
        for file, pixel_m in ((fine, 10), (coarse, 20)):
            check_grid(file, pixel_m)
            for name in (band for band, (size, _) in BANDS.items() if size == pixel_m):
                attrs = file.variables[name].attrs
                scale = 1 if name == "SCL" else SCALE
                if attrs["scale_factor"] != scale or attrs["_FillValue"] != 0 or "add_offset" in attrs:
                    raise SystemExit(f"{name}: scale, offset or no-data value is not the one expected")
                pixels[name] = north_up(file, name)
        angles = [coarse.variables[name][...] for name in ("sunAzimuthAngles", "sunZenithAngles", "viewZenithMean")]
    return Series(times, pixels, *angles)


# --- scenes -------------------------------------------------------------------------------------------------------
def write_cog(path: Path, values: np.ndarray, pixel_m: int, *, predictor: bool = True) -> None:
    """One band as a cloud-optimised GeoTIFF of a single block, without overviews; 0 is no data."""
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="COG",
        height=height,
        width=width,
        count=1,
        dtype=values.dtype,
        crs=f"EPSG:{EPSG}",
        transform=Affine(*transform(pixel_m)),
        nodata=0,
        compress="DEFLATE",
        level=9,
        predictor="STANDARD" if predictor else "NO",
        blocksize=max(height, width),
        overviews="NONE",
    ) as file:
        file.write(values, 1)


def transform(pixel_m: int) -> list[int]:
    """The square's affine transform, row by row."""
    return [pixel_m, 0, WEST, 0, -pixel_m, NORTH]


def percent(scl: np.ndarray, classes: tuple[int, ...]) -> float:
    """Share of the pixels with data that are of some scene classes, in percent; no-data counts against all pixels."""
    base = scl.size if classes == NO_DATA else int((scl != 0).sum())
    return round(100 * int(np.isin(scl, classes).sum()) / base, 4) if base else 0.0


def footprint() -> dict[str, Any]:
    """The square in lon/lat, counter-clockwise, seven decimals (a centimetre)."""
    square = shapely.geometry.mapping(shapely.box(WEST, SOUTH, EAST, NORTH))
    corners = transform_geom(f"EPSG:{EPSG}", "EPSG:4326", square, precision=7)["coordinates"][0]
    return {"type": "Polygon", "coordinates": [[[round(lon, 7), round(lat, 7)] for lon, lat in corners]]}


def describe_scene(series: Series, index: int) -> pystac.Item:
    """The STAC item of one date, without assets."""
    time, scl = series.times[index], series.pixels["SCL"][index]
    return pystac.Item(
        id=f"S2_{TILE}_{time:%Y%m%dT%H%M%S}",
        geometry=footprint(),
        bbox=list(shapely.geometry.shape(footprint()).bounds),
        datetime=time,
        stac_extensions=list(EXTENSIONS),
        properties={
            "constellation": "sentinel-2",
            "instruments": ["msi"],
            "gsd": 10,
            "eo:cloud_cover": percent(scl, CLOUD),
            "eo:snow_cover": percent(scl, SNOW),
            "s2:cloud_shadow_percentage": percent(scl, SHADOW),
            "s2:nodata_pixel_percentage": percent(scl, NO_DATA),
            "s2:mgrs_tile": TILE,
            "grid:code": f"MGRS-{TILE}",
            "proj:code": f"EPSG:{EPSG}",
            "view:sun_azimuth": round(float(series.sun_azimuth[index]), 4),
            "view:sun_elevation": round(90 - float(series.sun_zenith[index]), 4),
            "view:incidence_angle": round(float(series.view_zenith[index]), 4),
        },
    )


def describe_band(name: str) -> dict[str, Any]:
    """What is the same in every scene's asset of one band."""
    pixel_m, common = BANDS[name]
    side = (EAST - WEST) // pixel_m
    fields: dict[str, Any] = {
        "gsd": pixel_m,
        "data_type": "uint16" if common else "uint8",
        "nodata": 0,
        "proj:shape": [side, side],
        "proj:transform": transform(pixel_m),
        "bands": [{"name": name} | ({"eo:common_name": common} if common else {})],
    }
    return fields | ({"raster:scale": SCALE, "raster:offset": 0} if common else {})


def roles(name: str) -> list[str]:
    """What an asset is for."""
    return ["data", "reflectance"] if BANDS[name][1] else ["data"]


def write_catalog(series: Series, out: Path) -> None:
    """Write COGs and the static catalogue over them; what an earlier build left of them is removed first."""
    shutil.rmtree(out / COLLECTION, ignore_errors=True)
    collection = pystac.Collection(
        id=COLLECTION,
        title="Sentinel-2 L2A, every date over a square of 640 m in West Flanders",
        description=(
            "Surface reflectance at native resolution, made from the training patches of ESA WorldCereal "
            "(Copyright (c) 2023 ESA WorldCereal, MIT). Contains modified Copernicus Sentinel data 2017-2018."
        ),
        license="MIT",
        extent=pystac.Extent(
            pystac.SpatialExtent([list(shapely.geometry.shape(footprint()).bounds)]),
            pystac.TemporalExtent([[series.times[0], series.times[-1]]]),
        ),
        providers=[
            pystac.Provider("European Space Agency", roles=[pystac.ProviderRole.PRODUCER]),
            pystac.Provider("ESA WorldCereal", roles=[pystac.ProviderRole.PROCESSOR, pystac.ProviderRole.LICENSOR]),
        ],
        stac_extensions=[
            url for url in EXTENSIONS if any(name in url for name in ("/eo/", "/projection/", "/raster/"))
        ],
    )
    collection.extra_fields["item_assets"] = {
        name: {"type": pystac.MediaType.COG, "roles": roles(name), **describe_band(name)} for name in BANDS
    }
    for index in range(len(series.times)):
        item = describe_scene(series, index)
        folder = out / COLLECTION / item.id
        folder.mkdir(parents=True)
        for name, (pixel_m, common) in BANDS.items():
            path = folder / f"{name}.tif"
            write_cog(path, series.pixels[name][index], pixel_m, predictor=common is not None)
            content = path.read_bytes()
            checksum = "1220" + hashlib.sha256(content).hexdigest()  # multihash: 0x12 SHA-256, 0x20 bytes
            fields = describe_band(name) | {"file:size": len(content), "file:checksum": checksum}
            asset = pystac.Asset(f"./{name}.tif", media_type=pystac.MediaType.COG, roles=roles(name))
            asset.extra_fields = fields
            item.add_asset(name, asset)
        collection.add_item(item)
    root = pystac.Catalog("flanders-2018", title="acreline demo region", description="The scenes of the demo region.")
    root.add_child(collection)
    root.normalize_hrefs(str(out))
    root.save(pystac.CatalogType.SELF_CONTAINED, stac_io=ShortLists())


class ShortLists(pystac.stac_io.DefaultStacIO):
    """JSON with lists of plain values on one line, so that a scene stays readable and small."""

    def json_dumps(self, json_dict: dict[str, Any], *_: Any, **__: Any) -> str:
        """The JSON text of one STAC object."""
        text = json.dumps(json_dict, indent=2, ensure_ascii=False)
        return (
            re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + re.sub(r",\s+", ", ", found[1]) + "]", text) + "\n"
        )


# --- parcels, labels, applicants, weather -------------------------------------------------------------------------
def farm_of(x: float, y: float) -> str:
    """The invented farm of a place: the square cut into two columns and four rows, counted from the north-west."""
    column = int((x - WEST) * FARM_COLUMNS // (EAST - WEST))
    row = int((NORTH - y) * FARM_ROWS // (NORTH - SOUTH))
    return f"F-{row * FARM_COLUMNS + column + 1:03d}"


def read_labels(folder: Path) -> tuple[gpd.GeoDataFrame, np.ndarray]:
    """Label regions and the raster they were drawn from; stops unless the one fills the other exactly."""
    table = gpd.read_file(folder / "label_polygons.geojson").sort_values("parcel_id", ignore_index=True)
    with h5netcdf.File(only(folder, "OUTPUT_*.nc"), "r") as file:
        check_grid(file, 10)
        codes = north_up(file, "CT").astype("uint16")
    shapes = zip(table.to_crs(EPSG).geometry, table["ct_code"], strict=True)
    drawn = rasterize(shapes, codes.shape, transform=Affine(*transform(10)), dtype="uint16")
    if not np.array_equal(drawn, codes):
        raise SystemExit(f"{folder}: label_polygons.geojson does not fill the CT raster exactly")
    return table, codes


def write_parcels(table: gpd.GeoDataFrame, path: Path) -> None:
    """The label regions as a farm file: fiboa 0.3 / Vecorel 0.1 GeoParquet with our three columns."""
    geod = Geod(ellps="WGS84")
    area_m2 = [abs(geod.geometry_area_perimeter(shape)[0]) for shape in table.geometry]
    centres = table.to_crs(EPSG).centroid
    ids = table["parcel_id"].tolist()
    hectares = [round(area * WRONG_AREA.get(i, 1) / 10_000, 2) for i, area in zip(ids, area_m2, strict=True)]
    crops = [WRONG_CROP.get(i, CROPS[code]) for i, code in zip(ids, table["ct_code"], strict=True)]
    columns: dict[str, tuple[pa.DataType, Any]] = {
        "id": (pa.string(), ids),
        "collection": (pa.string(), ["flanders-2018"] * len(ids)),
        "geometry": (pa.binary(), shapely.to_wkb(table.geometry.values).tolist()),
        "metrics:area": (pa.float32(), area_m2),  # fiboa's `float` has 32 bits
        "determination:method": (pa.string(), ["unknown"] * len(ids)),
        "farm_id": (pa.string(), [farm_of(centre.x, centre.y) for centre in centres]),
        "declared_crop": (pa.string(), crops),
        "declared_area": (pa.float64(), hectares),
    }
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": ["Polygon"],
                "crs": CRS.from_epsg(4326).to_json_dict(),
                "bbox": [float(value) for value in table.total_bounds],
            }
        },
    }
    core, fiboa = "vecorel.org/specification/v0.1.0", "fiboa.org/specification/v0.3.0"
    collection = {
        "schemas": {"flanders-2018": [f"https://{core}/schema.yaml", f"https://{fiboa}/schema.yaml"]},
        "schemas:custom": {
            "$schema": "https://vecorel.org/sdl/v0.2.0/schema.json",
            "required": [],
            "collection": {},
            "properties": {
                "farm_id": {"type": "string"},
                "declared_crop": {"type": "string"},
                "declared_area": {"type": "double", "exclusiveMinimum": 0},
            },
        },
    }
    write_parquet(columns, path, {b"geo": json.dumps(geo), b"collection": json.dumps(collection)})


def write_parquet(columns: Mapping[str, tuple[pa.DataType, Any]], path: Path, meta: Mapping[bytes, str]) -> None:
    """Columns as Parquet; those that fiboa requires admit no null."""
    required = ("id", "collection", "geometry")
    schema = pa.schema(
        [pa.field(name, kind, nullable=name not in required) for name, (kind, _) in columns.items()],
        metadata=dict(meta),
    )
    arrays = [pa.array(values, kind) for kind, values in columns.values()]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd", version="2.6")


def write_labels(table: gpd.GeoDataFrame, codes: np.ndarray, folder: Path) -> None:
    """The true crops, for evaluation only: a run never reads this folder."""
    folder.mkdir(exist_ok=True)
    write_cog(folder / "labels.tif", codes, 10, predictor=False)
    columns = {
        "parcel_id": (pa.string(), table["parcel_id"].tolist()),
        "ct_code": (pa.int32(), table["ct_code"].tolist()),
        "crop": (pa.string(), [CROPS[code] for code in table["ct_code"]]),
        "n_pixels": (pa.int32(), table["n_pixels"].tolist()),
    }
    write_parquet(columns, folder / "labels.parquet", {})


def write_csv(path: Path, rows: Iterator[tuple[Any, ...]]) -> None:
    """Rows as CSV with plain line ends."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def weather_rows(folder: Path) -> Iterator[tuple[Any, ...]]:
    """AgERA5 by day: kelvin become degrees Celsius, J m-2 d-1 become MJ m-2 d-1."""
    names = {
        "temperature_min": "K",
        "temperature_mean": "K",
        "temperature_max": "K",
        "precipitation_flux": "mm d-1",
        "solar_radiation_flux": "J m-2 d-1",
    }
    yield ("date", "tmin_c", "tmean_c", "tmax_c", "rain_mm", "radiation_mj_per_m2")
    with h5netcdf.File(only(folder, "AgERA5_DAILY_*.nc"), "r") as file:
        for name, unit in names.items():
            if file.variables[name].attrs["units"] != unit:
                raise SystemExit(f"{name}: unit is {file.variables[name].attrs['units']}, expected {unit}")
        days = read_times(file)
        columns = [file.variables[name][...].ravel().astype(float) for name in names]
    for day, *values in zip(days, *columns, strict=True):
        if min(values) == -9999:
            raise SystemExit(f"AgERA5: a value is missing on {day:%Y-%m-%d}")
        tmin, tmean, tmax, rain, radiation = values
        degrees = (f"{kelvin - 273.15:.2f}" for kelvin in (tmin, tmean, tmax))
        yield (f"{day:%Y-%m-%d}", *degrees, f"{rain:.2f}", f"{radiation / 1e6:.3f}")


# --- the whole ----------------------------------------------------------------------------------------------------
def build(source: Path, out: Path) -> None:
    """Write everything below `out` save its README."""
    out.mkdir(parents=True, exist_ok=True)
    write_catalog(read_series(source), out)
    table, codes = read_labels(source)
    write_parcels(table, out / "parcels.parquet")
    write_labels(table, codes, out / "labels")
    write_csv(out / "applicants.csv", iter((APPLICANT_COLUMNS, *APPLICANTS)))
    write_csv(out / "weather.csv", weather_rows(source))


def check(source: Path, out: Path) -> None:
    """Read every asset back through the catalogue and compare it with the source, then print NDVI by crop and month."""
    series, (_, codes) = read_series(source), read_labels(source)
    items = sorted(pystac.Catalog.from_file(str(out / "catalog.json")).get_items(recursive=True), key=lambda i: i.id)
    if [item.datetime for item in items] != series.times:
        raise SystemExit(f"{out}: the catalogue's dates are not the source's")
    for index, item in enumerate(items):
        for name in BANDS:
            with rasterio.open(item.assets[name].get_absolute_href()) as file:
                same = np.array_equal(file.read(1), series.pixels[name][index])
                if not same or list(file.transform)[:6] != transform(BANDS[name][0]):
                    raise SystemExit(f"{item.id} {name}: pixels or grid are not the source's")
    print(f"{len(items)} scenes, {len(items) * len(BANDS)} assets: equal to the source")
    red, near = (series.pixels[name].astype(float) for name in ("B04", "B08"))
    ndvi = (near - red) / (near + red)
    for code in sorted(set(np.unique(codes)) - {0}):
        print(f"{code} {CROPS[int(code)]}, median NDVI of scenes with less than 5 % cloud, shadow and snow:")
        for index, time in enumerate(series.times):
            if percent(series.pixels["SCL"][index], CLOUD + SHADOW + SNOW) < 5:
                print(f"  {time:%Y-%m-%d} {np.median(ndvi[index][codes == code]):.2f}")


def main() -> None:
    """Read the command line and build or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SOURCE_FOLDER")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "flanders-2018")
    parser.add_argument("--check", action="store_true", help="compare what stands in --out with the source")
    arguments = parser.parse_args()
    (check if arguments.check else build)(arguments.source, arguments.out)


if __name__ == "__main__":
    main()
