# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from acreline.config import ParcelSource
from acreline.datum import gcj02_to_bd09, wgs84_to_gcj02
from acreline.errors import ConfigError, InputError
from acreline.parcels import crs as parcel_crs
from acreline.parcels import files as parcel_files
from acreline.parcels import overlaps, read_parcels
from acreline.parcels import read as parcels

REAL = Path(__file__).parent / "data" / "parcels"
LON, LAT = 3.02, 50.81
DEG = 1 / 111_000  # about a metre


def square(east_m: float = 0, north_m: float = 0, side_m: float = 100, lon: float = LON, lat: float = LAT):
    x, y = lon + east_m * DEG / 0.632, lat + north_m * DEG
    return shapely.box(x, y, x + side_m * DEG / 0.632, y + side_m * DEG)


def table(shapes, crs="EPSG:4326", **columns) -> gpd.GeoDataFrame:
    n = len(shapes)
    made = {"farm_id": [f"f{k}" for k in range(n)], "parcel_id": [f"p{k:02d}" for k in range(n)], **columns}
    return gpd.GeoDataFrame({k: v for k, v in made.items() if v is not None}, geometry=list(shapes), crs=crs)


def source(path, datum="wgs84", **more) -> ParcelSource:
    return ParcelSource(path=path, datum=datum, **more)


def read(frame: gpd.GeoDataFrame, tmp_path: Path, name: str = "farm.gpkg", **more):
    path = tmp_path / name
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    return read_parcels(source(path, **more))


def features(path: Path, *rows: dict) -> Path:
    made = [{"type": "Feature", "properties": row.get("properties", {}), "geometry": row["geometry"]} for row in rows]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": made}), encoding="utf-8")
    return path


# --- good files ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["farm.gpkg", "farm.geojson", "farm.json", "farm.shp", "farm.parquet", "farm.geoparquet"]
)
def test_every_kind_of_file_gives_the_same_parcels(tmp_path, name):
    frame = table([square(500), square()], parcel_id=["b", "a"], crop=["maize", None])
    path = tmp_path / name
    if "parquet" in name:
        frame.to_parquet(path)
    else:
        frame.to_file(path, driver="GeoJSON" if "json" in name else None)
    found = read_parcels(source(path))
    assert found["parcel_id"].tolist() == ["a", "b"]
    assert found["farm_id"].tolist() == ["f1", "f0"]
    assert found["status"].tolist() == ["ok", "ok"]
    assert found["reason"].tolist() == [None, None]
    assert found["declared_crop"].tolist() == [None, "maize"]
    assert found["area_m2"].to_numpy() == pytest.approx(10_000, rel=0.01)
    assert found.geometry.iloc[0].normalize().equals_exact(square().normalize(), 1e-12)
    assert found.crs.to_epsg() == 4326


def test_a_zipped_shapefile_is_read_and_nothing_is_left_behind(tmp_path, monkeypatch):
    table([square()]).to_file(tmp_path / "farm.shp")
    with zipfile.ZipFile(tmp_path / "farm.zip", "w") as archive:
        for path in sorted(tmp_path.glob("farm.*")):
            if path.suffix != ".zip":
                archive.write(path, f"export/2025/{path.name}")
        archive.writestr("export/readme.txt", "hello")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(parcel_files.tempfile, "tempdir", str(scratch))
    assert read_parcels(source(tmp_path / "farm.zip"))["status"].tolist() == ["ok"]
    assert list(scratch.iterdir()) == []


def test_the_dutch_register_goes_by_its_row_numbers():
    columns = {"parcel_id": "fid", "farm_id": "fid", "declared_crop": "gewas"}
    found = read_parcels(source(REAL / "nl_brp_2023.gpkg", columns=columns))
    assert len(found) == 100
    assert found["status"].value_counts().to_dict() == {"ok": 100}
    metric = gpd.read_file(REAL / "nl_brp_2023.gpkg").geometry.area
    order = [int(name) - 1 for name in found["parcel_id"]]
    # RD New stretches lengths by up to 1e-4.
    assert found["area_m2"].to_numpy() == pytest.approx(metric.to_numpy()[order], rel=3e-4)
    assert (found["declared_crop"] == "Sloot").sum() == 43
    west, south, east, north = found.total_bounds
    assert 3 < west < east < 8
    assert 50 < south < north < 54


def test_older_fiboa_keeps_its_hectares_apart_and_its_doubled_ids():
    found = read_parcels(source(REAL / "dk_2024_fiboa.parquet", columns={"farm_id": "id"}))
    raw = gpd.read_parquet(REAL / "dk_2024_fiboa.parquet")
    twice = raw["id"][raw["id"].duplicated(keep=False)].tolist()
    rejected = found[found["status"] == "rejected"]
    assert set(rejected["reason"]) == {"duplicate_id"}
    assert sorted(rejected["parcel_id"]) == sorted(twice)
    assert len(rejected) == 13
    ratio = found["registry_area_m2"] / found["area_m2"]
    assert ratio.median() == pytest.approx(1, abs=0.01)
    assert found["declared_area_m2"].isna().all()


def test_the_example_of_the_fiboa_specification():
    found = read_parcels(source(REAL / "fiboa_spec_example.parquet", columns={"farm_id": "flik"}))
    assert found["status"].tolist() == ["ok", "ok"]
    assert found["registry_area_m2"].to_numpy() == pytest.approx(found["area_m2"].to_numpy(), rel=0.01)


@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:3857", "EPSG:4258", "EPSG:31370", "EPSG:25831", "OGC:CRS84"])
def test_any_crs_lands_on_the_same_ground(tmp_path, crs):
    found = read(table([square()]).to_crs(crs), tmp_path, "farm.parquet")
    centre = found.geometry.iloc[0].centroid
    away = Geod(ellps="WGS84").inv(centre.x, centre.y, square().centroid.x, square().centroid.y)[2]
    assert away < 2
    assert found["area_m2"].iloc[0] == pytest.approx(10_000, rel=0.01)


def test_chinese_survey_crs_with_north_first_axes(tmp_path):
    shape = square(lon=108.49, lat=34.30)
    for crs in ("EPSG:4490", "EPSG:4545"):
        found = read(table([shape]).to_crs(crs), tmp_path, f"{crs[-4:]}.parquet", datum="cgcs2000")
        assert found.geometry.iloc[0].equals_exact(shape, 1e-8)


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
@pytest.mark.parametrize("name", ["farm.geojson", "farm.gpkg"])
def test_a_parcel_drawn_on_a_chinese_web_map_lands_on_its_twin(tmp_path, datum, name):
    twin = square(lon=108.49, lat=34.30)

    def draw(points):
        lon, lat = wgs84_to_gcj02(points[:, 0], points[:, 1])
        return np.column_stack(gcj02_to_bd09(lon, lat) if datum == "bd09" else (lon, lat))

    drawn = shapely.transform(twin, draw)
    found = read(table([drawn]), tmp_path, name, datum=datum)
    one, two = found.geometry.iloc[0].exterior.coords, twin.exterior.coords
    away = [Geod(ellps="WGS84").inv(*a, *b)[2] for a, b in zip(one, two, strict=True)]
    assert max(away) < 1
    apart = Geod(ellps="WGS84").inv(*drawn.centroid.coords[0], *twin.centroid.coords[0])[2]
    assert apart > 300


def test_heights_are_dropped(tmp_path):
    found = read(table([shapely.force_3d(square(), 120.0)]), tmp_path)
    assert not found.geometry.iloc[0].has_z
    assert found["status"].tolist() == ["ok"]


# --- ids ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["farm.gpkg", "farm.geojson", "farm.parquet"])
def test_whole_numbers_with_gaps_stay_exact(tmp_path, name):
    big = 9_007_199_254_740_993  # not a float
    frame = table([square(), square(300), square(600)], parcel_id=pd.array([big, None, 7], dtype="Int64"))
    found = read(frame, tmp_path, name)
    assert found["parcel_id"].tolist() == ["7", str(big), "row-2"]
    assert found["reason"].tolist() == [None, None, "no_parcel_id"]


def test_odd_ids_pass_unchanged(tmp_path):
    ids = ["../../x", "a/b", "CON", "x" * 300, " 007", "地块一", "=HYPERLINK(1)", "<script>"]
    found = read(table([square(300 * k) for k in range(len(ids))], parcel_id=ids), tmp_path, "farm.parquet")
    assert found["parcel_id"].tolist() == sorted(ids)
    assert set(found["status"]) == {"ok"}


def test_an_id_that_lost_its_digits_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"column 'parcel_id' cannot be an id: row 1 holds float 1e\+20"):
        read(table([square()], parcel_id=[1e20]), tmp_path)
    with pytest.raises(InputError, match=r"row 2 holds float 1\.5"):
        read(table([square(), square(300)], parcel_id=[2.0, 1.5]), tmp_path)


def test_a_true_or_false_is_no_id(tmp_path):
    with pytest.raises(InputError, match="row 1 holds bool True"):
        read(table([square()], farm_id=[True]), tmp_path, "farm.parquet")


# --- columns and units --------------------------------------------------------------------------------------------
def test_chinese_register_names_are_known(tmp_path):
    frame = table([square()], farm_id=None, parcel_id=None, DKBM=["610481001"], CBFBM=["6104810010001"])
    found = read(frame, tmp_path)
    assert found[["farm_id", "parcel_id"]].iloc[0].tolist() == ["6104810010001", "610481001"]


def test_a_file_without_farm_ids_says_how_to_go_on(tmp_path):
    with pytest.raises(InputError, match="no column for farm_id; it has parcel_id") as caught:
        read(table([square()], farm_id=None), tmp_path)
    assert "columns: {farm_id: <column>}" in caught.value.hint


def test_a_mapped_column_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="has no column 'farmid' for farm_id") as caught:
        read(table([square()]), tmp_path, columns={"farm_id": "farmid"})
    assert "did you mean 'farm_id'?" in caught.value.hint


def test_a_mapping_of_a_name_that_is_not_ours(tmp_path):
    with pytest.raises(ConfigError, match=r"parcels.columns: unknown name 'farmid'") as caught:
        read(table([square()]), tmp_path, columns={"farmid": "farm_id"})
    assert "did you mean 'farm_id'?" in caught.value.hint


def test_declared_areas_become_square_metres(tmp_path):
    frame = table([square(), square(300)], declared_area=[15.0, np.nan], registry_area_ha=[0.9, 1.1])
    found = read(frame, tmp_path, declared_area_unit="mu")
    assert found["declared_area_m2"].tolist()[0] == pytest.approx(10_000)
    assert np.isnan(found["declared_area_m2"].tolist()[1])
    assert found["registry_area_m2"].tolist() == pytest.approx([9_000, 11_000])
    assert found["status"].tolist() == ["ok", "ok"]


def test_an_area_without_a_unit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'declared_area' is an area without a unit") as caught:
        read(table([square()], declared_area=[1.0]), tmp_path)
    assert "m2, mu, ha, acre" in caught.value.hint


def test_two_units_for_one_column_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'declared_area_mu' says mu, parcels\.declared_area_unit says ha"):
        read(table([square()], declared_area_mu=[1.0]), tmp_path, declared_area_unit="ha")


def test_an_area_that_is_no_area_is_doubted(tmp_path):
    shapes = [square(300 * k) for k in range(4)]
    found = read(table(shapes, declared_area_ha=["1.0", "about two", "-3", " "]), tmp_path)
    assert found["status"].tolist() == ["ok", "degraded", "degraded", "ok"]
    assert found["reason"].tolist() == [None, "declared_area_unreadable", "declared_area_unreadable", None]
    assert found["declared_area_m2"].isna().tolist() == [False, True, True, True]


# --- rows ---------------------------------------------------------------------------------------------------------
def bow_tie():
    x, y = LON, LAT
    return shapely.Polygon([(x, y), (x + 0.001, y + 0.001), (x + 0.001, y), (x, y + 0.001), (x, y)])


def spiked():
    """A field whose outline goes out along a line and back: hardly any area, but not a valid polygon."""
    x, y = LON + 0.1, LAT
    return shapely.Polygon(
        [(x, y), (x + 0.001, y), (x + 0.002, y), (x + 0.001, y), (x + 0.001, y + 0.001), (x, y + 0.001)]
    )


def test_each_bad_row_is_kept_with_its_reason(tmp_path):
    rows = {
        "a_empty": (shapely.Polygon(), "rejected", "no_geometry"),
        "b_null": (None, "rejected", "no_geometry"),
        "c_point": (shapely.Point(LON, LAT), "rejected", "not_a_polygon"),
        "d_line": (shapely.LineString([(LON, LAT), (LON, LAT + 0.001)]), "rejected", "not_a_polygon"),
        "e_bow_tie": (bow_tie(), "rejected", "invalid_geometry"),
        "f_spike": (spiked(), "degraded", "geometry_repaired"),
        "g_flat": (shapely.box(LON, LAT, LON + 1e-7, LAT + 1e-7), "rejected", "no_area"),
        "h_county": (square(0, 5_000, side_m=12_000), "rejected", "absurd_area"),
        "i_twin": (square(-500), "rejected", "duplicate_id"),
        "j_good": (square(-900), "ok", None),
    }
    ids, shapes = [*rows, "i_twin"], [*(row[0] for row in rows.values()), square(-1500)]
    found = read(table(shapes, parcel_id=ids), tmp_path, "farm.parquet")
    assert len(found) == len(ids)
    assert found["parcel_id"].tolist() == sorted(ids)
    for name, (_, status, reason) in rows.items():
        mine = found[found["parcel_id"] == name]
        assert set(mine["status"]) == {status}, name
        assert mine["reason"].tolist() == [reason] * len(mine), name
    detail = found.set_index("parcel_id")["detail"]
    assert detail["c_point"] == "the outline is a point"
    assert detail["e_bow_tie"] == "0.0 m2 as drawn, 3920.4 m2 repaired"
    assert "14" in detail["h_county"]
    assert "limit is 10000 ha" in detail["h_county"]
    assert found.geometry[found["parcel_id"] == "f_spike"].is_valid.all()
    assert found["area_m2"].isna().sum() == 2


def test_the_repaired_outline_of_a_bow_tie_is_measured_by_hand():
    # Two triangles with base 0.001 degrees of latitude and half of 0.001 degrees of longitude as height.
    geod = Geod(ellps="WGS84")
    base = geod.inv(LON, LAT, LON, LAT + 0.001)[2]
    height = geod.inv(LON, LAT + 0.0005, LON + 0.0005, LAT + 0.0005)[2]
    assert base * height == pytest.approx(3920.4, abs=0.1)


def test_missing_ids_are_rejected_with_a_stable_name(tmp_path):
    frame = table([square(300 * k) for k in range(3)], parcel_id=["a", None, "  "], farm_id=[None, "f", "f"])
    found = read(frame, tmp_path)
    assert found["parcel_id"].tolist() == ["a", "row-2", "row-3"]
    assert found["reason"].tolist() == ["no_farm_id", "no_parcel_id", "no_parcel_id"]
    assert found["farm_id"].tolist() == ["a", "f", "f"]  # a farm of its own, so that it comes out with a decision


def test_a_missing_text_is_none_and_never_a_number(tmp_path):
    found = read(table([square()], farm_id=[None], crop=[None]), tmp_path, "farm.parquet")
    assert found["declared_crop"].iloc[0] is None
    assert read(table([square()]), tmp_path)["reason"].iloc[0] is None


def test_too_detailed_and_too_large_are_refused_quickly(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 2_000_000, endpoint=False)
    detailed = shapely.Polygon(np.column_stack([LON + 0.01 * np.cos(angle), LAT + 0.01 * np.sin(angle)]))
    path = tmp_path / "farm.parquet"
    table([detailed, square(9000, side_m=100_000), square(-9000)]).to_parquet(path)
    start = time.perf_counter()
    found = read_parcels(source(path))
    assert time.perf_counter() - start < 10  # promised 2 s; the machine that tests may be busy
    assert found["reason"].tolist() == ["too_detailed", "absurd_area", None]
    assert found["detail"].iloc[0] == "2000001 vertices, the limit is 100000"
    assert found.geometry.iloc[0] is None


def test_a_coordinate_without_end_spoils_its_own_row_only(tmp_path):
    endless = shapely.Polygon([(LON, LAT), (np.inf, LAT), (LON, LAT + 0.001)])
    found = read(table([endless, square()]), tmp_path, "farm.parquet")
    assert found["reason"].tolist() == ["invalid_geometry", None]
    assert found["detail"].iloc[0] == "a coordinate is not a finite number"


def test_an_outline_that_cannot_be_parsed_spoils_its_own_row_only(tmp_path):
    ring = [[LON, LAT], [LON, LAT + 0.001], [LON, LAT]]
    path = features(
        tmp_path / "farm.geojson",
        {"properties": {"farm_id": "f", "parcel_id": "a"}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"properties": {"farm_id": "f", "parcel_id": "b"}, "geometry": shapely.geometry.mapping(square())},
    )
    found = read_parcels(source(path))
    assert found["status"].tolist() == ["rejected", "ok"]
    assert found["reason"].tolist() == ["invalid_geometry", None]


# --- overlaps -----------------------------------------------------------------------------------------------------
def test_two_farms_on_one_ground_are_both_told_by_parcel(tmp_path):
    frame = table([square(), square(60), square(2000)], farm_id=["Wang", "Li", "Li"])
    found = read(frame, tmp_path)
    assert found["status"].tolist() == ["degraded", "degraded", "ok"]
    assert found["reason"].tolist() == ["overlapping_claim", "overlapping_claim", None]
    assert found["detail"].tolist()[:2] == ["40.0% of it is also parcel p01", "40.0% of it is also parcel p00"]
    assert not any("Wang" in str(detail) or "Li" in str(detail) for detail in found["detail"])


def test_a_farm_that_counts_its_ground_twice(tmp_path):
    found = read(table([square(), square(60)], farm_id=["f", "f"]), tmp_path)
    assert found["reason"].tolist() == ["overlaps_own_parcel"] * 2


def test_the_graver_doubt_is_the_reason_and_all_are_told(tmp_path):
    shapes = [square(), square(90), square(0, 60), square(0, 10)]
    found = read(table(shapes, farm_id=["f", "f", "g", "h"]), tmp_path)
    first = found.iloc[0]
    assert first["reason"] == "overlapping_claim"
    assert first["detail"] == "90.0% of it is also parcel p03, and 1 more; 10.0% of it is also parcel p01"


@pytest.mark.parametrize(
    ("offset_m", "side_m", "status"),
    [(100, 100, "ok"), (99.5, 100, "ok"), (98, 100, "degraded"), (9.5, 10, "ok"), (5, 10, "ok")],
)
def test_crossing_edges_of_neighbours_are_no_claim(tmp_path, offset_m, side_m, status):
    found = read(table([square(side_m=side_m), square(offset_m, side_m=side_m)]), tmp_path)
    assert found["status"].tolist() == [status] * 2


def test_a_parcel_inside_another_and_one_twice(tmp_path):
    found = read(table([square(), square(20, 20, 50), square()]), tmp_path)
    assert found["reason"].tolist() == ["overlapping_claim"] * 3
    assert found["detail"].tolist()[1].startswith("100.0% of it is also parcel p00, and 1 more")


def test_one_outline_for_all_rows_is_refused_before_memory_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(overlaps, "FEW_PAIRS", 0)
    monkeypatch.setattr(overlaps, "PAIRS_PER_PARCEL", 10)
    monkeypatch.setattr(overlaps, "QUERY_ROWS", 7)
    table([square()] * 22).to_parquet(tmp_path / "farm.parquet")
    with pytest.raises(InputError, match="22 parcels, and more than 220 pairs of them lie on each other") as caught:
        read_parcels(source(tmp_path / "farm.parquet"))
    assert "same one" in caught.value.hint
    table([square()] * 21).to_parquet(tmp_path / "farm.parquet")  # 210 pairs
    assert set(read_parcels(source(tmp_path / "farm.parquet"))["reason"]) == {"overlapping_claim"}


def test_a_rejected_row_claims_nothing(tmp_path):
    found = read(table([square(), square()], farm_id=["f", None]), tmp_path)
    assert found["status"].tolist() == ["ok", "rejected"]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "", None]),
            st.sampled_from(["f", "g", None]),
            st.one_of(st.none(), st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))),
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(),
)
def test_nothing_is_lost_and_order_does_not_matter(tmp_path, rows, random):
    shapes = [None if box is None else square(*box) for _, _, box in rows]
    frame = table(shapes, parcel_id=[row[0] for row in rows], farm_id=[row[1] for row in rows])
    found = read(frame, tmp_path, "farm.parquet")
    assert len(found) == len(rows)
    assert set(found["status"]) <= {"ok", "degraded", "rejected"}
    assert all((reason is None) == (status == "ok") for reason, status in zip(found.reason, found.status, strict=True))
    if all(name for name, _, _ in rows):
        again = read(frame.sample(frac=1, random_state=random.randrange(2**31)), tmp_path, "farm.parquet")
        columns = ["parcel_id", "status", "reason", "detail"]
        left, right = (t[columns].astype(str).sort_values(columns).to_numpy().tolist() for t in (found, again))
        assert left == right


# --- files refused whole ------------------------------------------------------------------------------------------
def refused(path: Path, words: str, hint: str = "", **more) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_parcels(source(path, **more))
    assert hint in caught.value.hint
    assert caught.value.exit_code == 3


def test_no_such_file(tmp_path):
    refused(tmp_path / "none.gpkg", "no such file", "region file")


def test_unknown_kind_of_file(tmp_path):
    (tmp_path / "farm.kml").write_text("<kml/>")
    refused(tmp_path / "farm.kml", r"unknown kind of file '\.kml'", ".geojson")


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".parquet"])
def test_another_format_under_a_borrowed_name(tmp_path, suffix):
    path = tmp_path / f"farm{suffix}"
    path.write_text("<OGRVRTDataSource><OGRVRTLayer name='x'></OGRVRTLayer></OGRVRTDataSource>")
    refused(path, f"its content is not that of a {suffix} file")


def test_a_damaged_file(tmp_path, caplog):
    for name, start in (("a.gpkg", b"SQLite format 3\x00"), ("a.parquet", b"PAR1"), ("a.geojson", b'{"type": "Fea')):
        (tmp_path / name).write_bytes(start + b"\x01" * 200)
        refused(tmp_path / name, f"{name}: cannot be read: ", "export it again")
    assert "a.gpkg: " in caplog.text  # what GDAL muttered is in the log


def test_a_file_without_rows(tmp_path):
    table([]).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "holds no parcels")


def test_a_table_without_outlines(tmp_path):
    pd.DataFrame({"farm_id": ["f"], "parcel_id": ["p"]}).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "a Parquet table without outlines")


def test_several_layers(tmp_path):
    path = tmp_path / "farm.gpkg"
    table([square()]).to_file(path, layer="fields")
    table([square()]).to_file(path, layer="barns")
    refused(path, "has several layers: .*barns", "layer")
    refused(path, "no layer 'field'; it has", layer="field")
    assert len(read_parcels(source(path, layer="fields"))) == 1


def test_too_many_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(parcel_files, "MAX_ROWS", 1)
    table([square(), square(300)]).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "2 rows, the limit is 1")


def test_too_many_bytes(tmp_path, monkeypatch):
    table([square()]).to_parquet(tmp_path / "farm.parquet")
    table([square()]).to_file(tmp_path / "farm.geojson")
    monkeypatch.setattr(parcel_files, "MAX_JSON_BYTES", 100)
    refused(tmp_path / "farm.geojson", "bytes, the limit is 100")
    monkeypatch.setattr(parcel_files, "MAX_FILE_BYTES", 100)
    refused(tmp_path / "farm.parquet", "bytes, the limit is 100")


def test_a_parquet_that_swells(tmp_path, monkeypatch):
    path = tmp_path / "farm.parquet"
    table([square()] * 5000, parcel_id=["p"] * 5000, farm_id=["f"] * 5000).to_parquet(
        path, compression="gzip", use_dictionary=False
    )
    monkeypatch.setattr(parcel_files, "MAX_FILE_BYTES", path.stat().st_size + 1)
    monkeypatch.setattr(parcel_files, "_check_kind", lambda *_: None)
    refused(path, r"unpacks to .* bytes")


def test_a_shapefile_without_its_table(tmp_path):
    table([square()]).to_file(tmp_path / "farm.shp")
    (tmp_path / "farm.dbf").unlink()
    refused(tmp_path / "farm.shp", r"its \.dbf is missing", ".shx")


# --- text ---------------------------------------------------------------------------------------------------------
def gbk_shapefile(folder: Path) -> Path:
    path = folder / "farm.shp"
    table([square()], parcel_id=["地块一"]).to_file(path, encoding="GBK")
    return path


def test_a_shapefile_that_names_its_encoding_keeps_its_letters(tmp_path):
    path = gbk_shapefile(tmp_path)
    path.with_suffix(".cpg").write_text("GBK")
    assert read_parcels(source(path))["parcel_id"].tolist() == ["地块一"]


def test_a_shapefile_that_does_not_asks_for_it(tmp_path):
    path = gbk_shapefile(tmp_path)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    body = bytearray(path.with_suffix(".dbf").read_bytes())
    body[29] = 0
    path.with_suffix(".dbf").write_bytes(body)
    refused(path, "letters beyond ASCII, and the file names no code page", ".cpg")


def test_letters_that_happen_to_be_valid_are_doubted_too(tmp_path):
    path = tmp_path / "farm.shp"
    table([square()], parcel_id=["地块一"]).to_file(path, encoding="UTF-8")
    path.with_suffix(".cpg").unlink()
    refused(path, "column 'parcel_id': letters beyond ASCII, and the file names no code page", ".cpg")


def test_lost_letters_are_noticed(tmp_path):
    table([square()], parcel_id=["地\ufffd一"]).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "column 'parcel_id' has letters that were lost", "UTF-8")


def test_geojson_in_another_encoding(tmp_path):
    path = features(tmp_path / "a.geojson", {"geometry": None})
    path.write_bytes(path.read_text().replace("Feature", "地块").encode("gbk"))
    refused(path, "text that is not UTF-8", "UTF-8")


def test_geojson_with_a_byte_order_mark(tmp_path):
    path = features(
        tmp_path / "a.geojson",
        {"properties": {"farm_id": "f", "parcel_id": 'q"{[\\'}, "geometry": shapely.geometry.mapping(square())},
    )
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_parcels(source(path))["parcel_id"].tolist() == ['q"{[\\']


# --- attacks ------------------------------------------------------------------------------------------------------
def test_deeply_nested_geojson_never_reaches_a_parser(tmp_path):
    path = tmp_path / "deep.geojson"
    depth = 200_000
    inner = '{"type":"GeometryCollection","geometries":['
    path.write_text('{"type":"Feature","properties":{},"geometry":' + inner * depth + "]}" * depth + "}")
    start = time.perf_counter()
    refused(path, "nested 400001 deep, the limit is 20")
    assert time.perf_counter() - start < 5


def test_brackets_in_text_are_no_depth(tmp_path):
    text = '"' + "[{" * 50 + "\\" + '\\"' + "[" * 50
    path = features(
        tmp_path / "a.geojson",
        {"properties": {"farm_id": "f", "parcel_id": text}, "geometry": shapely.geometry.mapping(square())},
    )
    assert read_parcels(source(path))["parcel_id"].tolist() == [text]


def test_json_that_is_no_object(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2]")
    refused(tmp_path / "a.json", "not a GeoJSON object")


def test_an_archive_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("farm.shp", b"\x00\x00\x27\x0a" + bytes(60 << 20))
    monkeypatch.setattr(zipfile.ZipFile, "extract", lambda *_: pytest.fail("unpacked"))
    start = time.perf_counter()
    refused(path, "unpacks to .* times its size, the limit is 100", "unpack it yourself")
    assert time.perf_counter() - start < 2
    monkeypatch.setattr(parcel_files, "MAX_FILE_BYTES", 1 << 20)
    refused(path, "unpacks to .* bytes, the limit is 1048576")


def test_a_zip_of_many_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for k in range(101):
            archive.writestr(f"{k}.txt", "")
    refused(tmp_path / "a.zip", "101 files, the limit is 100")


@pytest.mark.parametrize(
    ("names", "found"), [(["a.txt"], "found none"), (["a.gpkg", "b.shp"], r"found \['a.gpkg', 'b.shp'\]")]
)
def test_a_zip_must_hold_one_farm_file(tmp_path, names, found):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    refused(tmp_path / "a.zip", f"expected one farm file inside, {found}")


def test_a_damaged_zip(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and then nothing")
    refused(tmp_path / "a.zip", "cannot be unpacked")


def test_a_zip_cannot_climb_out_of_its_folder(tmp_path):
    table([square()]).to_file(tmp_path / "farm.geojson")
    path = tmp_path / "deep" / "a.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "farm.geojson", "../../../climbed.geojson")
    before = sorted(tmp_path.rglob("*"))
    assert read_parcels(source(path))["status"].tolist() == ["ok"]
    assert sorted(tmp_path.rglob("*")) == before
    assert not list(Path(parcel_files.tempfile.gettempdir()).glob("climbed*"))


# --- where on Earth -----------------------------------------------------------------------------------------------
def test_no_crs(tmp_path):
    table([square()]).to_file(tmp_path / "farm.shp")
    (tmp_path / "farm.prj").unlink()
    refused(tmp_path / "farm.shp", r"farm\.shp: no CRS", "crs:")
    found = read_parcels(source(tmp_path / "farm.shp", crs="EPSG:4326"))
    assert found["status"].tolist() == ["ok"]


def test_parquet_without_a_crs(tmp_path):
    table([square()], crs=None).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "no CRS")


@pytest.mark.parametrize(
    ("crs", "words"),
    [("EPSG:32631", "contradicts farm.gpkg"), ("EPSG:99999", "is no CRS"), ("moon", "'moon' is no CRS")],
)
def test_a_crs_setting_that_cannot_be(tmp_path, crs, words):
    with pytest.raises(ConfigError, match=words):
        read(table([square()]), tmp_path, crs=crs)


def test_swapped_axes_in_degrees(tmp_path):
    shapes = [shapely.box(116.1, 39.1, 116.2, 39.2), shapely.box(39.1, 116.1, 39.2, 116.2)]
    table(shapes, parcel_id=["good", "swapped"]).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "1 parcels, the first is 'swapped', lie outside 'WGS 84'", "swapped")


@pytest.mark.parametrize("crs", ["EPSG:28992", "EPSG:32631", "EPSG:4490"])
def test_swapped_axes_in_other_systems(tmp_path, crs):
    x, y = {"EPSG:28992": (150_000, 450_000), "EPSG:32631": (500_000, 5_630_000), "EPSG:4490": (76.0, 39.5)}[crs]
    side = 0.001 if crs == "EPSG:4490" else 100
    swapped = shapely.box(y, x, y + side, x + side)
    table([swapped], crs=crs).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "the first is 'p00', lie outside", "swapped", datum="wgs84")


@pytest.mark.parametrize("datum", ["gcj02", "bd09", "cgcs2000"])
def test_a_chinese_datum_outside_china(tmp_path, datum):
    table([square()]).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", f"parcel 'p00' lies outside China, where datum {datum}", "swapped", datum=datum)


def test_a_web_map_datum_in_a_projected_crs(tmp_path):
    table([square(lon=108.49, lat=34.30)]).to_crs("EPSG:32649").to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "datum gcj02 with the projected CRS", "longitudes", datum="gcj02")


def test_an_old_survey_datum_that_is_only_a_guess(tmp_path):
    # Xian 1980 has no public parameters: PROJ would move nothing, and the fields would lie about 100 m off.
    table([square(lon=108.49, lat=34.30)]).to_crs("EPSG:4490").set_crs("EPSG:4610", allow_override=True).to_parquet(
        tmp_path / "farm.parquet"
    )
    refused(tmp_path / "farm.parquet", "'Xian 1980' lies on the Earth is known not at all here", "EPSG:4490")


def test_a_system_in_grads(tmp_path):
    table([square()]).set_crs("EPSG:4807", allow_override=True).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "does not count in degrees")


def test_a_local_drawing(tmp_path):
    local = 'LOCAL_CS["site",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]'
    table([square()]).set_crs(local, allow_override=True).to_parquet(tmp_path / "farm.parquet")
    refused(tmp_path / "farm.parquet", "is no place on the Earth")


def test_limits_are_the_promised_ones():
    assert (parcels.MAX_VERTICES, parcels.MAX_AREA_M2, parcel_files.MAX_JSON_DEPTH) == (100_000, 1e8, 20)
    assert parcel_crs.MAX_SHIFT_DOUBT_M == 10
