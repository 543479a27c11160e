# SPDX-License-Identifier: Apache-2.0
"""The committed demo region is what it says it is, and its script builds the same bytes from the same source."""

import csv
import hashlib
import importlib.util
import json
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import geopandas as gpd
import h5netcdf
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio
import shapely
from pystac.validation import validate_dict
from rasterio.features import rasterize

from acreline.config import read_region
from acreline.layers import BANDS, BANDS_10M, MIN_FULL_PX, MIN_SHRUNK_SHARE

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "flanders-2018"
WEST, SOUTH, EAST, NORTH = 501360, 5629040, 502000, 5629680


def load_script():
    spec = importlib.util.spec_from_file_location("build_flanders_2018", ROOT / "data" / "build_flanders_2018.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = load_script()


@pytest.fixture(scope="module")
def catalog():
    return pystac.Catalog.from_file(str(DEMO / "catalog.json"))


@pytest.fixture(scope="module")
def items(catalog):
    return list(catalog.get_items(recursive=True))


@pytest.fixture(scope="module")
def parcels():
    return gpd.read_parquet(DEMO / "parcels.parquet")


@pytest.fixture(scope="module")
def labels():
    return pd.read_parquet(DEMO / "labels" / "labels.parquet")


def read(item, name):
    with rasterio.open(item.assets[name].get_absolute_href()) as file:
        return file.read(1)


# --- scenes -------------------------------------------------------------------------------------------------------
def test_catalogue_holds_every_date_once(items):
    times = [item.datetime for item in items]
    assert len(items) == 118
    assert times == sorted(set(times))
    assert (times[0].isoformat(), times[-1].isoformat()) == ("2017-08-04T10:53:28+00:00", "2018-11-27T10:56:51+00:00")
    assert [item.id for item in items] == [f"S2_31UDS_{time:%Y%m%dT%H%M%S}" for time in times]


def test_catalogue_is_valid_stac(catalog, items):
    # The extensions' schemas are fetched from the network by the validator, so only the core is checked here.
    for found in (catalog, *catalog.get_children(), *items):
        plain = json.loads(Path(found.get_self_href()).read_text())
        validate_dict(plain, extensions=[])


def test_catalogue_can_be_moved_and_carries_no_clock(items):
    for path in DEMO.rglob("*.json"):
        plain = json.loads(path.read_text())
        hrefs = [link["href"] for link in plain["links"]]
        hrefs += [asset["href"] for asset in plain.get("assets", {}).values()]
        assert hrefs
        assert all(href.startswith(".") and (path.parent / href).is_file() for href in hrefs)
        assert not any(link["rel"] == "self" for link in plain["links"])
    unwanted = {"created", "updated", "published", "platform", "s2:processing_baseline"}
    assert not any(unwanted & set(item.properties) for item in items)


def test_assets_are_what_the_items_say(items):
    for item in items:
        assert tuple(sorted(item.assets)) == tuple(sorted((*BANDS, "SCL")))
        for name, asset in item.assets.items():
            fields, side = asset.extra_fields, 64 if name in BANDS_10M else 32
            content = Path(asset.get_absolute_href()).read_bytes()
            assert fields["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
            assert fields["file:size"] == len(content)
            with rasterio.open(asset.get_absolute_href()) as file:
                values = file.read(1)
                assert file.crs.to_epsg() == 32631
                assert file.nodata == fields["nodata"] == 0
                assert file.dtypes[0] == fields["data_type"] == ("uint8" if name == "SCL" else "uint16")
                assert list(file.shape) == fields["proj:shape"] == [side, side]
                assert list(file.transform)[:6] == fields["proj:transform"]
                assert tuple(file.bounds) == (WEST, SOUTH, EAST, NORTH)
                assert file.overviews(1) == []
                assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            if name == "SCL":
                assert values.min() >= 1
                assert values.max() <= 11
                assert "raster:scale" not in fields
            else:
                assert values.min() >= 1  # no pixel is missing
                assert values.max() < 20_000
                assert (fields["raster:scale"], fields["raster:offset"]) == (0.0001, 0)


def test_cloud_cover_is_that_of_the_scene_classes(items):
    clear = 0
    for item in items:
        scl = read(item, "SCL")
        stated = item.properties
        assert stated["eo:cloud_cover"] == round(100 * np.isin(scl, (8, 9, 10)).mean(), 4)
        assert stated["s2:cloud_shadow_percentage"] == round(100 * (scl == 3).mean(), 4)
        assert stated["eo:snow_cover"] == round(100 * (scl == 11).mean(), 4)
        assert stated["s2:nodata_pixel_percentage"] == round(100 * (scl == 0).mean(), 4)
        clear += np.isin(scl, (0, 3, 8, 9, 10, 11)).mean() < 0.05
    assert clear == 52  # the count of the source's own description


def test_sun_stands_where_it_should(items):
    for item in items:
        noon_height = item.properties["view:sun_elevation"]
        assert 150 < item.properties["view:sun_azimuth"] < 175  # late morning
        june, december = item.datetime.month == 6, item.datetime.month == 12
        assert (noon_height > 59) if june else (noon_height < 17) if december else 14 < noon_height < 61


def test_labels_lie_on_the_fields_they_name(items):
    with rasterio.open(DEMO / "labels" / "labels.tif") as file:
        codes = file.read(1)
        assert tuple(file.bounds) == (WEST, SOUTH, EAST, NORTH)

    def median_ndvi(day, code):
        item = next(item for item in items if f"{item.datetime:%Y-%m-%d}" == day)
        red, near = (read(item, name).astype(float) for name in ("B04", "B08"))
        return np.median(((near - red) / (near + red))[codes == code])

    assert median_ndvi("2018-05-11", 1200) < 0.25 < 0.75 < median_ndvi("2018-07-18", 1200)  # maize: bare, then full
    assert median_ndvi("2018-10-06", 1200) < 0.25  # cut
    assert median_ndvi("2018-02-10", 9120) > 0.85  # grass all winter
    assert median_ndvi("2018-08-07", 9120) < 0.45  # the drought of 2018


def test_demo_region_is_small():
    files = [path for path in DEMO.rglob("*") if path.is_file()]
    on_disk = sum(-(-path.stat().st_size // 4096) * 4096 for path in files)
    assert on_disk < 12_000_000


# --- tables -------------------------------------------------------------------------------------------------------
def test_parcels_are_a_fiboa_file():
    file = pq.ParquetFile(DEMO / "parcels.parquet")
    schema = file.schema_arrow
    assert {field.name for field in schema if not field.nullable} == {"id", "collection", "geometry"}
    assert schema.field("metrics:area").type == pa.float32()
    assert all(schema.field(n).type == pa.string() for n in ("id", "collection", "farm_id", "declared_crop"))
    meta = json.loads(schema.metadata[b"collection"])
    urls = meta["schemas"]["flanders-2018"]
    assert [url.split("/specification/")[1] for url in urls] == ["v0.1.0/schema.yaml", "v0.3.0/schema.yaml"]
    assert json.loads(schema.metadata[b"geo"])["version"] == "1.1.0"


def test_parcels_and_labels_agree_with_the_label_raster(parcels, labels):
    assert parcels.crs.to_epsg() == 4326
    assert list(parcels["id"]) == list(labels["parcel_id"])
    assert parcels["id"].is_unique
    assert len(parcels) == 19
    with rasterio.open(DEMO / "labels" / "labels.tif") as file:
        codes, grid = file.read(1), file.transform
    shapes = parcels.to_crs(32631).geometry
    drawn = rasterize(zip(shapes, labels["ct_code"], strict=True), codes.shape, transform=grid, dtype="uint16")
    assert np.array_equal(drawn, codes)
    assert int((codes > 0).sum()) == labels["n_pixels"].sum() == 2236
    assert np.allclose(shapes.area, labels["n_pixels"] * 100, atol=0.1)
    assert np.allclose(parcels["metrics:area"], shapes.area, rtol=0.001)  # geodesic against the map's 0.9996 scale


def small_parcels(parcels):
    """Ids too small to judge: counted pixel by pixel."""
    found = set()
    for parcel_id, shape in zip(parcels["id"], parcels.to_crs(32631).geometry, strict=True):
        xmin, ymin, xmax, ymax = (round(v, -1) for v in shape.bounds)
        x, y = np.meshgrid(np.arange(xmin, xmax, 10), np.arange(ymin, ymax, 10))
        cover = shapely.area(shapely.intersection(shapely.box(x, y, x + 10, y + 10), shape)) / 100
        if (cover >= 0.999).sum() < MIN_FULL_PX or shape.buffer(-5).area < MIN_SHRUNK_SHARE * shape.area:
            found.add(parcel_id[-3:])
    return found


def test_some_farms_can_be_judged_and_some_cannot(parcels, labels):
    small = small_parcels(parcels)
    false_crop = set(parcels["id"][parcels["declared_crop"] != labels["crop"]].str[-3:])
    ratio = parcels["declared_area"] * 10_000 / parcels["metrics:area"]
    false_area = set(parcels["id"][(ratio < 0.8) | (ratio > 1.2)].str[-3:])
    assert (small, false_crop, false_area) == ({"000", "002", "012"}, {"016"}, {"007"})
    assert ratio[parcels["id"] == "639B424A-007"].item() == pytest.approx(15, rel=0.01)

    farms = parcels.assign(short=parcels["id"].str[-3:], crop=labels["crop"]).groupby("farm_id")
    assert list(farms.groups) == [f"F-{k:03d}" for k in (1, 2, 4, 5, 6, 7, 8)]  # no parcel lies in the third part
    clean = {farm for farm, rows in farms if not set(rows["short"]) & (small | false_crop | false_area)}
    assert clean == {"F-004", "F-005", "F-006"}
    assert all(set(farms.get_group(farm)["crop"]) <= {"maize", "grassland"} for farm in clean)


def test_applicants_fit_the_farms(parcels):
    with (DEMO / "applicants.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == script.APPLICANT_COLUMNS
    assert [row["farm_id"] for row in rows] == sorted(set(parcels["farm_id"]))
    assert len({row["person_id"] for row in rows}) == len(rows)
    assert all(Decimal(row["requested"]) > 0 and int(row["record_years"]) >= 0 for row in rows)
    assert [row["farm_id"] for row in rows if Decimal(row["existing_debt"]) > 0] == ["F-005"]


def test_weather_is_daily_and_plausible():
    table = pd.read_csv(DEMO / "weather.csv", parse_dates=["date"])
    assert list(table.columns) == ["date", "tmin_c", "tmean_c", "tmax_c", "rain_mm", "radiation_mj_per_m2"]
    days = [date(2017, 8, 1) + timedelta(days=k) for k in range(487)]
    assert [day.date() for day in table["date"]] == days
    assert (table["tmin_c"] <= table["tmean_c"]).all()
    assert (table["tmean_c"] <= table["tmax_c"]).all()
    assert table["tmax_c"].between(-10, 40).all()
    assert table["rain_mm"].between(0, 100).all()
    assert table["radiation_mj_per_m2"].between(0, 35).all()
    monthly = table.groupby(table["date"].dt.to_period("M")).mean(numeric_only=True)
    assert monthly.loc["2018-07", "tmean_c"] > 18 > 5 > monthly.loc["2018-02", "tmean_c"]
    assert monthly.loc["2018-07", "rain_mm"] < 1.0  # the dry summer of 2018


def test_region_file_names_what_is_there():
    path = ROOT / "configs" / "regions" / "flanders-2018.yaml"
    assert path.read_text().splitlines()[0] == "# yaml-language-server: $schema=region.schema.json"
    region = read_region(path)
    assert (region.name, region.as_of, region.provider) == ("flanders-2018", date(2018, 12, 15), "folder")
    assert Path(region.catalog) == DEMO / "catalog.json"
    for found in (region.parcels.path, region.applicants, region.weather):
        assert found.is_file()
        assert "labels" not in found.parts


# --- the script, on a made source ---------------------------------------------------------------------------------
def make_source(
    folder, *, upside_down=False, scale=0.0001, start="2018-05-01 10:50:31", later=0, kelvin="K", code=1200, rain=3.25
):
    """A source square of two dates with made numbers; `upside_down` stores the same ground with y rising, x first."""
    folder.mkdir()
    rng = np.random.default_rng(7)

    def store(name, variables, pixel_m, unit, extra):
        side = (EAST - WEST) // pixel_m
        x = WEST + pixel_m * (np.arange(side) + 0.5)
        y = NORTH - pixel_m * (np.arange(side) + 0.5)
        with h5netcdf.File(folder / name, "w") as file:
            file.dimensions = {"timestamp": 2, "y": side, "x": side}
            file.create_variable("x", ("x",), data=x)
            file.create_variable("y", ("y",), data=y[::-1] if upside_down else y)
            stamps = file.create_variable(
                "timestamp", ("timestamp",), data=np.array([0, 86400 if "sec" in unit else 1])
            )
            stamps.attrs["units"] = unit
            for band, values in variables.items():
                dims = ("y", "x") if values.ndim == 2 else ("timestamp", "y", "x")
                if upside_down:
                    values, dims = np.swapaxes(values[..., ::-1, :], -1, -2), (*dims[:-2], "x", "y")
                made = file.create_variable(band, dims, data=values)
                made.attrs["scale_factor"] = 1 if band == "SCL" else scale
                made.attrs["_FillValue"] = values.dtype.type(0)
            for band, values in extra.items():
                file.create_variable(band, ("timestamp",), data=values)

    made = {
        name: rng.integers(1, 12 if name == "SCL" else 9000, (2, 640 // m, 640 // m)).astype(
            "uint8" if name == "SCL" else "uint16"
        )
        for name, (m, _) in script.BANDS.items()
    }
    unit = f"seconds since {start}"
    angles = {name: np.full(2, 30, "float32") for name in ("sunAzimuthAngles", "sunZenithAngles", "viewZenithMean")}
    store("S2_L2A_10m_made.nc", {n: made[n] for n in BANDS_10M}, 10, unit, {})
    late = f"seconds since {datetime.fromisoformat(start) + timedelta(seconds=later)}"
    store("S2_L2A_20m_made.nc", {n: v for n, v in made.items() if n not in BANDS_10M}, 20, late, angles)
    labels = np.zeros((64, 64), "uint16")
    labels[2:12, 3:20] = code
    store("OUTPUT_made.nc", {"CT": labels}, 10, unit, {})
    shape = gpd.GeoSeries([shapely.box(WEST + 30, NORTH - 120, WEST + 200, NORTH - 20)], crs=32631).to_crs(4326)
    table = {"ct_code": [1200], "crop": ["maize"], "n_pixels": [170], "parcel_id": ["made-000"]}
    gpd.GeoDataFrame(table, geometry=shape).to_file(folder / "label_polygons.geojson", COORDINATE_PRECISION=15)
    with h5netcdf.File(folder / "AgERA5_DAILY_made.nc", "w") as file:
        file.dimensions = {"timestamp": 2, "y": 1, "x": 1}
        file.create_variable("timestamp", ("timestamp",), data=np.array([0, 1])).attrs["units"] = (
            "days since 2018-05-01"
        )
        for name, day, unit in (
            ("temperature_min", [275.15, 276.15], kelvin),
            ("temperature_mean", [280.15, 281.15], "K"),
            ("temperature_max", [285.15, 286.15], "K"),
            ("precipitation_flux", [0.0, rain], "mm d-1"),
            ("solar_radiation_flux", [2.0e7, 1.5e7], "J m-2 d-1"),
        ):
            values = np.array(day, "float32").reshape(2, 1, 1)
            file.create_variable(name, ("timestamp", "y", "x"), data=values).attrs["units"] = unit
    return made


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_source_same_bytes_whatever_the_axis_order(tmp_path):
    made = make_source(tmp_path / "source")
    make_source(tmp_path / "turned", upside_down=True)
    script.build(tmp_path / "source", tmp_path / "first")
    script.build(tmp_path / "source", tmp_path / "again")
    script.build(tmp_path / "turned", tmp_path / "turned_out")
    script.build(tmp_path / "source", tmp_path / "first")  # over an earlier build
    assert contents(tmp_path / "first") == contents(tmp_path / "again") == contents(tmp_path / "turned_out")

    items = list(pystac.Catalog.from_file(str(tmp_path / "first" / "catalog.json")).get_items(recursive=True))
    assert [item.id for item in items] == ["S2_31UDS_20180501T105031", "S2_31UDS_20180502T105031"]
    assert all(np.array_equal(read(item, n), made[n][k]) for k, item in enumerate(items) for n in script.BANDS)
    assert (tmp_path / "first" / "weather.csv").read_text().splitlines() == [
        "date,tmin_c,tmean_c,tmax_c,rain_mm,radiation_mj_per_m2",
        "2018-05-01,2.00,7.00,12.00,0.00,20.000",
        "2018-05-02,3.00,8.00,13.00,3.25,15.000",
    ]


def test_check_finds_a_changed_pixel(tmp_path, capsys):
    make_source(tmp_path / "source")
    script.build(tmp_path / "source", tmp_path / "out")
    script.check(tmp_path / "source", tmp_path / "out")
    assert "2 scenes, 22 assets: equal to the source" in capsys.readouterr().out
    path = tmp_path / "out" / "sentinel-2-l2a" / "S2_31UDS_20180502T105031" / "B11.tif"
    with rasterio.open(path) as file:
        values = file.read(1)
    values[3, 4] += 1
    script.write_cog(path, values, 20)
    with pytest.raises(SystemExit, match="S2_31UDS_20180502T105031 B11: pixels or grid are not the source's"):
        script.check(tmp_path / "source", tmp_path / "out")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"scale": 0.001}, "B02: scale, offset or no-data value is not the one expected"),
        ({"later": 1}, "the dates of the 10 m and 20 m files differ, repeat or do not rise"),
        ({"code": 9120}, "label_polygons.geojson does not fill the CT raster exactly"),
        ({"kelvin": "degC"}, "temperature_min: unit is degC, expected K"),
        ({"rain": -9999}, "AgERA5: a value is missing on 2018-05-02"),
    ],
)
def test_a_source_that_is_not_as_described_is_refused(tmp_path, fault, message):
    make_source(tmp_path / "source", **fault)
    with pytest.raises(SystemExit, match=message):
        script.build(tmp_path / "source", tmp_path / "out")


def test_check_finds_other_dates(tmp_path):
    make_source(tmp_path / "source")
    make_source(tmp_path / "other", start="2018-05-04 10:50:31")
    script.build(tmp_path / "source", tmp_path / "out")
    with pytest.raises(SystemExit, match="the catalogue's dates are not the source's"):
        script.check(tmp_path / "other", tmp_path / "out")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"expected one file S2_L2A_10m_\*.nc, found \[\]"):
        script.read_series(tmp_path)


def test_a_shifted_grid_is_refused(tmp_path, monkeypatch):
    make_source(tmp_path / "source")
    monkeypatch.setattr(script, "WEST", WEST + 20)
    with pytest.raises(SystemExit, match="pixel centres along x are not those of the square"):
        script.read_series(tmp_path / "source")


def test_cloud_percent_by_hand():
    scl = np.array([[0, 8, 9], [10, 3, 4], [4, 4, 11]], "uint8")
    assert script.percent(scl, script.CLOUD) == 37.5  # 3 of 8 pixels with data
    assert script.percent(scl, script.NO_DATA) == 11.1111  # 1 of 9 pixels
    assert script.percent(np.zeros((2, 2), "uint8"), script.CLOUD) == 0.0
