# SPDX-License-Identifier: Apache-2.0
"""What the outline of an event touches: land by hand, money by share, and outlines that are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from acreline import cli
from acreline.errors import InputError, StoreError
from acreline.exposure import COLUMNS, Outlines, _touched, exposure_lines, measure_exposure, read_outlines
from acreline.geo import geodesic_area_m2
from tests.made_publication import make_publication


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_publication(tmp_path_factory.mktemp("exposure") / "made")


def outline(*shapes: shapely.Geometry, names: tuple[str, ...] | None = None) -> Outlines:
    return Outlines(names or ("flood",), np.array(shapes, dtype=object))


def write(shape: shapely.Geometry, path: Path, crs: str = "EPSG:4326") -> Path:
    gpd.GeoDataFrame(geometry=[shape], crs=crs).to_file(path, driver="GPKG")
    return path


def draw(path: Path, *features: tuple[list[Any] | None, dict[str, str]]) -> Path:
    """A GeoJSON of polygons by their outer rings, written as drawn, right or wrong."""
    told = [
        {"type": "Feature", "properties": words, "geometry": ring and {"type": "Polygon", "coordinates": [ring]}}
        for ring, words in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": told}), encoding="utf-8")
    return path


def parcels_of(publication: Path) -> gpd.GeoDataFrame:
    return gpd.read_parquet(publication / "parcels.parquet")


def parcel_of(publication: Path, name: str) -> Any:
    parcels = parcels_of(publication)
    return parcels[(parcels["id"] == name) & ~parcels.geometry.is_empty].iloc[0]


def changed(publication: Path, folder: Path, name: str, change: Callable[[Any], Any]) -> Path:
    """A copy of the publication with one table changed."""
    copy = Path(shutil.copytree(publication, folder / "changed"))
    table = gpd.read_parquet(copy / name) if name == "parcels.parquet" else pd.read_parquet(copy / name)
    change(table).to_parquet(copy / name)
    return copy


# --- land and money -----------------------------------------------------------------------------------------------
def test_a_whole_region_is_all_its_farms(publication: Path) -> None:
    parcels = parcels_of(publication)
    table = measure_exposure(publication, outline(shapely.box(*parcels.total_bounds).buffer(0.01)))
    assert tuple(table.columns) == COLUMNS
    drawn = parcels[~parcels.geometry.is_empty]
    assert table["touched_m2"].sum() == pytest.approx(drawn["metrics:area"].sum(), rel=1e-9)
    undrawn = set(
        parcels.loc[parcels.geometry.is_empty, "farm_id"]
    )  # a parcel without an outline is touched by nothing
    assert (table.loc[~table["farm_id"].isin(undrawn), "limit_share"] == 1).all()
    stands = pd.read_parquet(publication / "stands.parquet")
    whole = stands.groupby("farm_id")["value_mid"].sum()
    lost = set(drawn.loc[drawn["status"].isin(["failed", "rejected"]), "farm_id"])
    assert lost
    for row in table.itertuples():
        if row.farm_id in lost:
            assert np.isnan([row.value_low, row.value_mid, row.value_high, row.planted_touched_m2]).all()
        else:
            assert row.value_mid == pytest.approx(whole[row.farm_id], rel=1e-9)
    decided = pd.read_parquet(publication / "decisions.parquet").set_index("farm_id")
    assert table.set_index("farm_id")["outcome"].to_dict() == decided["outcome"].to_dict()


def test_half_a_parcel_is_half_of_its_land_and_value(publication: Path) -> None:
    parcel = parcel_of(publication, "P00")
    west, south, east, north = parcel.geometry.bounds
    half = parcel.geometry.intersection(shapely.box(west, south, (west + east) / 2, north))
    half_m2 = geodesic_area_m2(gpd.GeoSeries([half], crs="EPSG:4326"))[0]
    share = half_m2 / parcel["metrics:area"]
    row = measure_exposure(publication, outline(half)).iloc[0]
    assert 0.3 < share < 0.7
    assert (row["event"], row["farm_id"], row["parcels"]) == ("flood", parcel["farm_id"], 1)
    assert row["touched_m2"] == pytest.approx(half_m2, rel=1e-6)
    assert row["touched_mu"] == pytest.approx(half_m2 * 15 / 10_000, rel=1e-6)
    assert row["touched_ha"] == pytest.approx(half_m2 / 10_000, rel=1e-6)
    stand = pd.read_parquet(publication / "stands.parquet").set_index("parcel_id").loc["P00"]
    assert row["planted_touched_m2"] == pytest.approx(share * stand["area_m2_mid"], rel=1e-6)
    for end in ("low", "mid", "high"):
        assert row[f"value_{end}"] == pytest.approx(share * stand[f"value_{end}"], rel=1e-6)
    decided = pd.read_parquet(publication / "decisions.parquet").set_index("farm_id").loc[parcel["farm_id"]]
    assert (row["limit"], row["limit_currency"]) == (decided["limit"], "CNY")
    assert row["limit_share"] == pytest.approx(half_m2 / row["farm_m2"], rel=1e-6)
    assert row["limit_exposed"] == pytest.approx(float(decided["limit"]) * row["limit_share"], abs=0.01)


def test_two_crops_a_year_are_planted_once_and_worth_both(publication: Path, tmp_path: Path) -> None:
    def two(stands: pd.DataFrame) -> pd.DataFrame:
        second = stands[stands["parcel_id"] == "P00"].assign(slot="X")
        return pd.concat([stands, second.assign(area_m2_mid=second["area_m2_mid"] / 2)])

    shape = outline(parcel_of(publication, "P00").geometry)
    one = measure_exposure(publication, shape).iloc[0]
    both = measure_exposure(changed(publication, tmp_path, "stands.parquet", two), shape).iloc[0]
    assert both["planted_touched_m2"] == one["planted_touched_m2"]
    assert both["value_mid"] == pytest.approx(2 * one["value_mid"])


def test_a_stand_without_value_or_in_other_money_makes_no_sum(publication: Path, tmp_path: Path) -> None:
    shape = outline(shapely.union_all([parcel_of(publication, name).geometry for name in ("P00", "P01")]))
    assert measure_exposure(publication, shape).iloc[0]["currency"] == "CNY"
    for name, changes in (("none", {"value_mid": np.nan}), ("euro", {"currency": "EUR"})):

        def spoil(stands: pd.DataFrame, changes: dict[str, Any] = changes) -> pd.DataFrame:
            stands.loc[stands["parcel_id"] == "P01", list(changes)] = list(changes.values())
            return stands

        (tmp_path / name).mkdir()
        row = measure_exposure(changed(publication, tmp_path / name, "stands.parquet", spoil), shape).iloc[0]
        assert np.isnan([row["value_low"], row["value_mid"], row["value_high"]]).all()
        assert row["currency"] is None
        assert row["planted_touched_m2"] > 0


def test_land_that_was_not_judged_is_said_and_land_where_nothing_grew_is_worth_nothing(
    publication: Path, tmp_path: Path
) -> None:
    def bare(stands: pd.DataFrame) -> pd.DataFrame:
        return stands[~stands["parcel_id"].isin(["P06", "P02"])]

    made = changed(publication, tmp_path, "stands.parquet", bare)
    shapes = [parcel_of(publication, name).geometry for name in ("P02", "P06")]  # ok, and insufficient
    table = measure_exposure(made, outline(shapely.union_all(shapes)))
    rows = table.set_index("farm_id")
    idle, dark = (rows.loc[parcel_of(publication, name)["farm_id"]] for name in ("P02", "P06"))
    assert (idle["parcels_not_judged"], idle["value_mid"], idle["planted_touched_m2"]) == (0, 0, 0)
    assert dark["parcels_not_judged"] == 1
    assert np.isnan([dark["value_mid"], dark["planted_touched_m2"]]).all()
    lines = exposure_lines(table, outline(shapely.union_all(shapes)), simulated=False)
    assert not any("nan" in line.lower().split() for line in lines)
    assert any("0 to 0" in line for line in lines)
    assert "nothing grew on the touched land of 1 farms" in lines
    assert "in no sum: the harvest of 1 farms, and of 1 touched parcels that were not judged" in lines


def test_an_outline_in_another_reference_system_is_the_same_ground(publication: Path, tmp_path: Path) -> None:
    shape = parcels_of(publication).geometry.iloc[0].buffer(0.0005)
    here = measure_exposure(publication, read_outlines(write(shape, tmp_path / "degrees.gpkg")))
    metres = gpd.GeoSeries([shape], crs="EPSG:4326").to_crs("EPSG:32631").iloc[0]
    drawn = read_outlines(write(metres, tmp_path / "metres.gpkg", crs="EPSG:32631"))
    there = measure_exposure(publication, drawn)
    assert len(here) > 1
    assert here["touched_m2"].tolist() == pytest.approx(there["touched_m2"].tolist(), rel=1e-3)


def test_ground_elsewhere_touches_nobody(publication: Path) -> None:
    far = outline(shapely.box(100, 30, 100.1, 30.1))
    table = measure_exposure(publication, far)
    assert table.empty
    assert tuple(table.columns) == COLUMNS
    assert exposure_lines(table, far, simulated=True) == [
        "on simulated data",
        "flood: the outline touches no parcel of this run",
    ]


def test_farms_are_told_with_their_money_and_totals(publication: Path) -> None:
    box = outline(shapely.box(*parcels_of(publication).total_bounds))
    table = measure_exposure(publication, box)
    lines = exposure_lines(table, box, simulated=False)
    limits = float(sum(limit for limit in table["limit"] if limit is not None))
    exposed = table["limit_exposed"].sum()
    assert f"limits of touched farms: {limits:,.0f} CNY, {exposed:,.0f} of it by the touched share of land" in lines
    known = table[table["value_mid"].notna()]
    low, mid, high = (known[f"value_{end}"].sum() for end in ("low", "mid", "high"))
    assert f"harvest at stake: {low:,.0f} to {high:,.0f} CNY, middle {mid:,.0f}, of {len(known)} farms" in lines
    assert len(known) + table["value_mid"].isna().sum() == len(table)
    assert lines[-1] == f"with a person: {(table['outcome'] == 'refer').sum()} farms"
    assert sum("approve" in line for line in lines) == (table["outcome"] == "approve").sum()


def test_a_publication_without_a_table_is_refused(publication: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(publication, tmp_path / "copy"))
    (copy / "stands.parquet").unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        measure_exposure(copy, outline(shapely.box(0, 0, 1, 1)))


CORNERS = st.integers(0, 20)
squares = st.tuples(CORNERS, CORNERS, st.integers(1, 20)).map(
    lambda one: shapely.box(
        3 + one[0] * 1e-3, 50 + one[1] * 1e-3, 3 + (one[0] + one[2]) * 1e-3, 50 + (one[1] + one[2]) * 1e-3
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(squares, min_size=1, max_size=4), squares)
def test_more_outline_never_touches_less_and_never_more_than_the_parcel(
    shapes: list[shapely.Polygon], more: shapely.Polygon
) -> None:
    drawn = np.array([shapely.box(3, 50, 3.01, 50.01), shapely.Polygon([(3.01, 50), (3.03, 50.01), (3.02, 50.03)])])
    area = geodesic_area_m2(gpd.GeoSeries(drawn, crs="EPSG:4326"))
    both = np.array([shapely.union_all(shapes), shapely.union_all([*shapes, more])], dtype=object)
    event, parcel, touched = _touched(drawn, area, both)
    land = np.zeros((2, 2))
    land[event, parcel] = touched
    assert (land <= area).all()
    assert (land[1] >= land[0] * (1 - 1e-6)).all()


# --- outlines -----------------------------------------------------------------------------------------------------
RING = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
BOW = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
FLAT = [[0, 0], [1, 1], [2, 2], [0, 0]]
FAR_RING = [[5, 5], [6, 5], [6, 6], [5, 6], [5, 5]]


def test_polygons_are_one_event_unless_a_column_names_several(tmp_path: Path) -> None:
    plain = read_outlines(draw(tmp_path / "july-flood.geojson", (RING, {"name": "a"}), (FAR_RING, {"name": "b"})))
    assert plain.names == ("july-flood",)
    assert shapely.area(plain.shapes[0]) == pytest.approx(2)
    several = draw(
        tmp_path / "two.geojson", (RING, {"event": "hail"}), (FAR_RING, {"event": "flood"}), (BOW, {"event": "flood"})
    )
    named = read_outlines(several)
    assert named.names == ("flood", "hail")
    assert shapely.area(named.shapes).tolist() == pytest.approx([1.5, 1])
    assert read_outlines(several, "storm").names == ("storm",)


def test_events_are_measured_side_by_side(publication: Path) -> None:
    first, second = parcel_of(publication, "P00").geometry, parcel_of(publication, "P03").geometry
    both = outline(first, shapely.union_all([first, second]), names=("flood", "hail"))
    table = measure_exposure(publication, both)
    assert table["event"].tolist() == ["flood", "hail", "hail"]
    alone = measure_exposure(publication, outline(first))
    assert table.iloc[0].equals(alone.iloc[0])
    assert "do not add up the events" in exposure_lines(table, both, simulated=False)[-1]


def test_an_outline_that_crosses_itself_is_mended_and_said(publication: Path, tmp_path: Path) -> None:
    drawn = read_outlines(draw(tmp_path / "bow.geojson", (BOW, {}), (RING, {}), (FLAT, {}), (None, {})))
    assert (drawn.mended, drawn.bare) == (1, 2)
    assert shapely.is_valid(drawn.shapes).all()
    lines = exposure_lines(measure_exposure(publication, drawn), drawn, simulated=False)
    assert lines[0] == "polygons that crossed themselves and were mended: 1; look at them on a map"
    assert lines[1] == "rows without ground, left out: 2"


def test_a_polygon_of_no_named_event_is_refused(tmp_path: Path) -> None:
    path = draw(tmp_path / "some.geojson", (RING, {"event": "hail"}), (FAR_RING, {"event": " "}))
    with pytest.raises(InputError, match="1 of 2 polygons have no name in the column event"):
        read_outlines(path)


def test_an_outline_nowhere_on_earth_is_refused(tmp_path: Path) -> None:
    metres = [[450000, 4000000], [451000, 4000000], [451000, 4001000], [450000, 4000000]]
    with pytest.raises(InputError, match=r"lies nowhere on earth: 450000 to 451000 east") as caught:
        read_outlines(draw(tmp_path / "metres.geojson", (metres, {})))
    assert "EPSG:4326" in caught.value.hint


def test_an_outline_without_a_reference_system_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.gpkg"
    with pytest.warns(UserWarning, match="'crs' was not provided"):
        gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)]).to_file(path, driver="GPKG")
    with pytest.raises(InputError, match="no coordinate reference system"):
        read_outlines(path)


def test_an_outline_of_points_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is of polygons; found Point"):
        read_outlines(write(shapely.Point(0, 0), tmp_path / "point.gpkg"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.gpkg"
    gpd.GeoDataFrame(geometry=[], crs="EPSG:4326").to_file(path, driver="GPKG", geometry_type="Polygon")
    with pytest.raises(InputError, match="is of polygons; found nothing"):
        read_outlines(path)


def test_a_table_without_outlines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("event,start\nflood,2018-07-01\n", encoding="utf-8")
    with pytest.raises(InputError, match="a table without outlines"):
        read_outlines(path)


@pytest.mark.parametrize("ring", [FLAT, None])
def test_an_outline_without_ground_is_refused(ring: list[Any] | None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no ground"):
        read_outlines(draw(tmp_path / "flat.geojson", (ring, {})))


@pytest.mark.parametrize("name", ["words.geojson", "nowhere.geojson"])
def test_what_is_no_vector_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "words.geojson").write_text("a flood", encoding="utf-8")
    with pytest.raises(InputError, match="the event's outline cannot be read"):
        read_outlines(tmp_path / name)


# --- the command --------------------------------------------------------------------------------------------------
def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["acreline", "exposure", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def test_the_command_writes_the_table(
    publication: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = write(shapely.box(*parcels_of(publication).total_bounds), tmp_path / "event.gpkg")
    assert call(monkeypatch, publication, "--event", event, "--name", "hail", "--out", tmp_path / "hit.csv") == 0
    told = capsys.readouterr().out.splitlines()
    assert (told[0], told[-1]) == ("hail:", f"table: {tmp_path / 'hit.csv'}")
    table = pd.read_csv(tmp_path / "hit.csv")
    assert tuple(table.columns) == COLUMNS
    assert set(table["event"]) == {"hail"}
    assert call(monkeypatch, publication, "--event", event, "--out", tmp_path / "nowhere" / "hit.csv") == 6
    assert "cannot be written" in capsys.readouterr().err


def test_no_farm_touched_is_no_failure_and_simulated_land_says_so(
    publication: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(publication, tmp_path / "copy"))
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (copy / "manifest.json").write_text(json.dumps(manifest | {"simulated": True}), encoding="utf-8")
    event = draw(tmp_path / "far.geojson", (FAR_RING, {}))
    assert call(monkeypatch, copy, "--event", event) == 0
    assert capsys.readouterr().out.splitlines() == [
        "on simulated data",
        "far: the outline touches no parcel of this run",
    ]


def test_outlines_are_read_from_geoparquet(tmp_path: Path) -> None:
    drawn = gpd.GeoDataFrame({"event": ["hail"]}, geometry=[shapely.box(3, 50, 3.1, 50.1)], crs="EPSG:4326")
    drawn.to_parquet(tmp_path / "hail.parquet")
    told = read_outlines(tmp_path / "hail.parquet")
    assert told.names == ("hail",)
    assert told.shapes[0].equals(shapely.box(3, 50, 3.1, 50.1))


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("broken", "cannot be read: Parquet magic bytes not found in footer"),
        ("cut", "cannot be read: "),
        ("plain", "a table without outlines"),
        ("missing", "cannot be read: no such file"),
        ("folder", "cannot be read: a folder"),
    ],
)
def test_a_wrong_parquet_is_refused_with_what_to_do(kind: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    if kind == "broken":
        path.write_text("no table at all", encoding="utf-8")
    elif kind == "cut":
        gpd.GeoDataFrame({"event": ["hail"]}, geometry=[shapely.box(3, 50, 4, 51)], crs="EPSG:4326").to_parquet(path)
        path.write_bytes(path.read_bytes()[:100])
    elif kind == "plain":
        pd.DataFrame({"a": [1]}).to_parquet(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=rf"x\.parquet: .*{found}") as caught:
        read_outlines(path)
    assert "duckdb" not in str(caught.value)
    assert "GeoParquet" in caught.value.hint
