# SPDX-License-Identifier: Apache-2.0
"""What the outline of an event touches: land by hand, money by share, and outlines that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from acreline.errors import InputError
from acreline.exposure import COLUMNS, _touched, exposure_lines, measure_exposure, read_outline
from tests.made_publication import make_publication


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("exposure") / "made")


def write(shape: shapely.Geometry, path: Path, crs: str = "EPSG:4326") -> Path:
    gpd.GeoDataFrame(geometry=[shape], crs=crs).to_file(path, driver="GPKG")
    return path


def parcels_of(publication: Path) -> gpd.GeoDataFrame:
    return gpd.read_parquet(publication / "parcels.parquet")


def test_a_whole_region_is_all_its_farms(publication: Path, tmp_path: Path) -> None:
    parcels = parcels_of(publication)
    table = measure_exposure(publication, write(shapely.box(*parcels.total_bounds).buffer(0.01), tmp_path / "all.gpkg"))
    assert tuple(table.columns) == COLUMNS
    drawn = parcels[~parcels.geometry.is_empty]
    assert table["touched_m2"].sum() == pytest.approx(drawn["metrics:area"].sum(), rel=1e-5)
    undrawn = set(
        parcels.loc[parcels.geometry.is_empty, "farm_id"]
    )  # a parcel without an outline is touched by nothing
    assert (table.loc[~table["farm_id"].isin(undrawn), "limit_share"] > 0.999).all()
    stands = pd.read_parquet(publication / "stands.parquet")
    whole = stands.groupby("farm_id")["value_mid"].apply(lambda v: None if v.isna().any() else float(v.sum()))
    for row in table.itertuples():
        if row.farm_id in whole.index and pd.notna(whole[row.farm_id]):
            assert row.value_mid == pytest.approx(whole[row.farm_id], rel=1e-6)


def test_half_a_parcel_is_half_of_its_land_and_value(publication: Path, tmp_path: Path) -> None:
    parcels = parcels_of(publication)
    parcel = parcels[parcels["id"] == "P00"].iloc[0]
    west, south, east, north = parcel.geometry.bounds
    half = parcel.geometry.intersection(shapely.box(west, south, (west + east) / 2, north))
    share = half.area / parcel.geometry.area
    row = measure_exposure(publication, write(half, tmp_path / "half.gpkg")).iloc[0]
    assert (row["farm_id"], row["parcels"]) == (parcel["farm_id"], 1)
    assert row["touched_m2"] == pytest.approx(share * parcel["metrics:area"], rel=1e-6)
    assert row["touched_mu"] == pytest.approx(row["touched_m2"] * 15 / 10_000)
    stand = pd.read_parquet(publication / "stands.parquet").set_index("parcel_id").loc["P00"]
    assert row["planted_touched_m2"] == pytest.approx(share * stand["area_m2_mid"], rel=1e-6)
    if pd.notna(stand["value_mid"]):
        assert row["value_mid"] == pytest.approx(share * stand["value_mid"], rel=1e-6)


def test_an_outline_in_another_reference_system_is_the_same_ground(publication: Path, tmp_path: Path) -> None:
    shape = parcels_of(publication).geometry.iloc[0].buffer(0.0005)
    here = measure_exposure(publication, write(shape, tmp_path / "degrees.gpkg"))
    metres = gpd.GeoSeries([shape], crs="EPSG:4326").to_crs("EPSG:32631").iloc[0]
    there = measure_exposure(publication, write(metres, tmp_path / "metres.gpkg", crs="EPSG:32631"))
    assert here["touched_m2"].tolist() == pytest.approx(there["touched_m2"].tolist(), rel=1e-3)


def test_ground_elsewhere_touches_nobody(publication: Path, tmp_path: Path) -> None:
    table = measure_exposure(publication, write(shapely.box(100, 30, 100.1, 30.1), tmp_path / "far.gpkg"))
    assert table.empty
    assert exposure_lines(table, simulated=True) == ["on simulated data", "the outline touches no parcel of this run"]


def test_farms_are_told_with_their_money(publication: Path, tmp_path: Path) -> None:
    box = shapely.box(*parcels_of(publication).total_bounds)
    lines = exposure_lines(measure_exposure(publication, write(box, tmp_path / "box.gpkg")), simulated=False)
    assert "farms" in lines[-1]
    assert any("approve" in line for line in lines)


squares = st.tuples(st.floats(0, 2), st.floats(0, 2), st.floats(0.01, 2)).map(
    lambda one: shapely.box(one[0], one[1], one[0] + one[2], one[1] + one[2])
)


@settings(max_examples=50)
@given(st.lists(squares, min_size=1, max_size=4), squares)
def test_more_outline_never_touches_less(shapes: list[shapely.Polygon], more: shapely.Polygon) -> None:
    parcels = gpd.GeoDataFrame(
        {"metrics:area": [10_000.0, 40_000.0]}, geometry=[shapely.box(0, 0, 1, 1), shapely.box(1, 1, 3, 3)], crs=4326
    )
    less, land = _touched(parcels, shapely.union_all(shapes))
    greater, _ = _touched(parcels, shapely.union_all([*shapes, more]))
    assert (land <= parcels["metrics:area"] + 1e-6).all()
    assert (greater >= less - 1e-9).all()


def test_an_outline_without_a_reference_system_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.gpkg"
    with pytest.warns(UserWarning, match="'crs' was not provided"):
        gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)]).to_file(path, driver="GPKG")
    with pytest.raises(InputError, match="no coordinate reference system"):
        read_outline(path)


def test_an_outline_of_points_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is of polygons; found Point"):
        read_outline(write(shapely.Point(0, 0), tmp_path / "point.gpkg"))


def test_an_outline_without_ground_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.geojson"
    flat = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2], [0, 0]]]}
    told = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": flat}]}
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(InputError, match="holds no ground"):
        read_outline(path)


def test_what_is_no_vector_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "words.geojson"
    path.write_text("a flood", encoding="utf-8")
    with pytest.raises(InputError, match="the event's outline cannot be read"):
        read_outline(path)
