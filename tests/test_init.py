# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import date

import geopandas as gpd
import pytest
import shapely

from acreline.config import read_region
from acreline.errors import ConfigError, InputError
from acreline.init import write_region_file
from acreline.parcels import read_parcels

TODAY = date(2026, 11, 24)


def farm_file(path, crs="EPSG:4326", **columns):
    frame = gpd.GeoDataFrame(columns, geometry=[shapely.box(3.0, 50.8, 3.001, 50.801)], crs=crs)
    frame.to_file(path, driver="GeoJSON" if path.suffix == ".geojson" else None)
    return path


@pytest.mark.parametrize("name", ["My Fields 2025.geojson", "fields.gpkg", "fields.shp"])
def test_the_file_loads_and_finds_the_parcels(tmp_path, name):
    (tmp_path / "data").mkdir()
    path = farm_file(tmp_path / "data" / name, farm_id=["f"], parcel_id=["p"], crop=["maize"])
    out = tmp_path / "regions" / "region.yaml"
    assert write_region_file(path, out=out, datum="wgs84", today=TODAY) == out
    region = read_region(out)
    assert region.name == {"My Fields 2025.geojson": "my-fields-2025"}.get(name, "fields")
    assert region.provider == "earth-search"
    assert region.parcels.path == path
    assert region.parcels.columns == {"parcel_id": "parcel_id", "farm_id": "farm_id", "declared_crop": "crop"}
    assert region.crops
    assert f"../data/{name}" in out.read_text(encoding="utf-8")
    assert read_parcels(region.parcels)["status"].tolist() == ["ok"]


@pytest.mark.parametrize(
    ("today", "start", "end"),
    [
        (date(2026, 11, 24), date(2024, 10, 1), date(2025, 12, 15)),
        (date(2026, 12, 15), date(2024, 10, 1), date(2025, 12, 15)),
        (date(2026, 12, 16), date(2025, 10, 1), date(2026, 12, 15)),
    ],
)
def test_the_season_is_the_last_full_crop_year(tmp_path, today, start, end):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"])
    region = read_region(write_region_file(path, out=tmp_path / "r.yaml", datum="wgs84", today=today))
    assert (region.season.start, region.season.end) == (start, end)


def test_a_season_can_be_given(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"])
    start, end = date(2020, 9, 1), date(2021, 8, 31)
    for k, given in enumerate(({"season_start": start, "season_end": end}, {"season_start": start})):
        region = read_region(write_region_file(path, out=tmp_path / f"{k}.yaml", datum="wgs84", **given))
        assert region.season.start == start
        assert region.season.end == (end if "season_end" in given else date(2021, 12, 15))


def test_a_season_that_falls_is_refused(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"])
    with pytest.raises(
        ConfigError, match=r"season: the season must start before it ends, not 2022-01-01 \.\. 2021-01-01"
    ):
        write_region_file(
            path, out=tmp_path / "r.yaml", datum="wgs84", season_start=date(2022, 1, 1), season_end=date(2021, 1, 1)
        )
    assert not (tmp_path / "r.yaml").exists()


def test_without_a_farm_id_the_file_says_how_and_the_run_refuses(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", flik=["DE1"], parcel_id=["p"])
    out = write_region_file(path, out=tmp_path / "r.yaml", datum="wgs84", today=TODAY)
    text = out.read_text(encoding="utf-8")
    assert "NEEDED: no column looks like a farm id" in text
    assert "# Columns in the file: flik, parcel_id" in text
    with pytest.raises(InputError, match="no column for farm_id"):
        read_parcels(read_region(out).parcels)
    out.write_text(text.replace("# farm_id: parcel_id ", "farm_id: parcel_id "), encoding="utf-8")
    assert read_parcels(read_region(out).parcels)["farm_id"].tolist() == ["p"]


def test_without_any_id_the_row_number_is_offered(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", crop=["maize"])
    out = write_region_file(path, out=tmp_path / "r.yaml", datum="wgs84", today=TODAY)
    out.write_text(out.read_text(encoding="utf-8").replace("# farm_id: fid ", "farm_id: fid "), encoding="utf-8")
    assert read_parcels(read_region(out).parcels)["parcel_id"].tolist() == ["1"]


def test_a_bare_area_asks_for_its_unit(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"], declared_area=[1.0])
    out = write_region_file(path, out=tmp_path / "r.yaml", datum="wgs84", today=TODAY)
    with pytest.raises(ConfigError, match="an area without a unit"):
        read_parcels(read_region(out).parcels)
    text = out.read_text(encoding="utf-8").replace("declared_area_unit:\n", "declared_area_unit: ha\n")
    out.write_text(text, encoding="utf-8")
    assert read_parcels(read_region(out).parcels)["declared_area_m2"].tolist() == [10_000]


def test_the_unit_of_declared_areas_can_be_given(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"], declared_area=[15.0])
    out = write_region_file(path, out=tmp_path / "r.yaml", datum="wgs84", today=TODAY, declared_area_unit="mu")
    assert "NEEDED" not in out.read_text(encoding="utf-8")
    assert read_parcels(read_region(out).parcels)["declared_area_m2"].tolist() == [10_000]
    with pytest.raises(ConfigError, match="unit 'muu' is not known") as caught:
        write_region_file(path, out=tmp_path / "s.yaml", datum="wgs84", declared_area_unit="muu")
    assert caught.value.hint == "did you mean 'mu'? known: m2, mu, ha, acre"


def test_odd_names_stay_text(tmp_path):
    path = farm_file(tmp_path / "地块: no #1.geojson", 农户编号=["f"], 地块编码=["p"], **{"a\nb: {x": ["q"]})
    out = write_region_file(path, out=tmp_path / "r.yaml", datum="cgcs2000", today=TODAY)
    region = read_region(out)
    assert region.parcels.path == path
    assert region.parcels.columns == {"parcel_id": "地块编码", "farm_id": "农户编号"}
    assert region.parcels.datum == "cgcs2000"
    assert read_region(write_region_file(path, out=tmp_path / "region.yaml", datum="wgs84")).name == "no-1"


def test_a_layer_and_a_missing_crs_are_written_down(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"])
    out = write_region_file(path, out=tmp_path / "r.yaml", datum="wgs84", layer="a", provider="cdse", today=TODAY)
    assert (read_region(out).parcels.layer, read_region(out).provider) == ("a", "cdse")
    shape = farm_file(tmp_path / "b.shp", farm_id=["f"], parcel_id=["p"])
    (tmp_path / "b.prj").unlink()
    out = write_region_file(shape, out=tmp_path / "s.yaml", datum="wgs84", today=TODAY)
    assert "NEEDED: the file does not say its CRS" in out.read_text(encoding="utf-8")
    assert read_region(out).parcels.crs is None


def test_an_unknown_datum_names_the_nearest(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"])
    with pytest.raises(ConfigError, match="datum 'gcj2' is not known") as caught:
        write_region_file(path, out=tmp_path / "r.yaml", datum="gcj2")
    assert "did you mean 'gcj02'? known: wgs84, cgcs2000, gcj02, bd09" in caught.value.hint


def test_nothing_is_overwritten(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"])
    out = tmp_path / "r.yaml"
    out.write_text("mine")
    with pytest.raises(ConfigError, match="is already there") as caught:
        write_region_file(path, out=out, datum="wgs84")
    assert "--out" in caught.value.hint
    assert out.read_text() == "mine"


def test_a_place_that_cannot_be_written(tmp_path):
    path = farm_file(tmp_path / "a.gpkg", farm_id=["f"], parcel_id=["p"])
    with pytest.raises(ConfigError, match="cannot be written"):
        write_region_file(path, out=path / "r.yaml", datum="wgs84")


def test_a_farm_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        write_region_file(tmp_path / "none.gpkg", out=tmp_path / "r.yaml", datum="wgs84")
    assert not (tmp_path / "r.yaml").exists()
