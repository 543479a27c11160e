# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from shapely.affinity import rotate

from acreline import coverage as coverage_room
from acreline import geo
from acreline.coverage import measure_coverage
from acreline.doors import check_parcels
from acreline.errors import ConfigError, ContractError, SourceError, StoreError
from acreline.geo import geodesic_area_m2, place_parcels, shrunk_share, split_blocks, tile_grid
from acreline.layers import Scene, Scenes

# tile -> EPSG code and upper-left corner, read off proj:epsg (or proj:code) and proj:transform of real STAC items of
# Earth Search (v0, v1, c1), Planetary Computer, CDSE and ESA's own archive.
REAL_TILES = {
    "01VCG": (32601, 300000, 6700020),
    "01WCQ": (32601, 300000, 7500000),
    "07HFE": (32707, 600000, 6500020),
    "13TDE": (32613, 399960, 4500000),
    "19PHS": (32619, 799980, 1700040),
    "20EPT": (32720, 600000, 3300040),
    "20QRF": (32620, 799980, 2100000),
    "21UYT": (32621, 699960, 5800020),
    "24MUA": (32724, 300000, 9600040),
    "24MUV": (32724, 300000, 9500020),
    "24MVV": (32724, 399960, 9500020),
    "24MWV": (32724, 499980, 9500020),
    "24MXV": (32724, 600000, 9500020),
    "27VWK": (32627, 499980, 7000020),
    "28QCH": (32628, 300000, 2300040),
    "29RKH": (32629, 199980, 2800020),
    "31NBJ": (32631, 199980, 900000),
    "31UDS": (32631, 399960, 5700000),
    "33TWL": (32633, 499980, 5100000),
    "33TWM": (32633, 499980, 5200020),
    "33XWJ": (32633, 499980, 8900040),
    "34VEL": (32634, 499980, 6600000),
    "35MNM": (32735, 499980, 9200020),
    "36NYH": (32636, 699960, 300000),
    "46RER": (32646, 499980, 3100020),
    "55WFR": (32655, 600000, 7600020),
    "58UFE": (32658, 600000, 6000000),
    "58UFF": (32658, 600000, 6100020),
    "58UFG": (32658, 600000, 6200040),
    "58UGE": (32658, 699960, 6000000),
    "58VFH": (32658, 600000, 6300000),
    "58VFJ": (32658, 600000, 6400020),
    "59ULA": (32659, 300000, 6100020),
    "59ULB": (32659, 300000, 6200040),
    "59ULV": (32659, 300000, 6000000),
    "59UMA": (32659, 399960, 6100020),
    "59UMB": (32659, 399960, 6200040),
    "59UMU": (32659, 399960, 5900040),
    "59UMV": (32659, 399960, 6000000),
    "59UNA": (32659, 499980, 6100020),
    "59UNB": (32659, 499980, 6200040),
    "59UNV": (32659, 499980, 6000000),
    "59VLC": (32659, 300000, 6300000),
    "59VLD": (32659, 300000, 6400020),
    "59VLE": (32659, 300000, 6500040),
    "59VLF": (32659, 300000, 6600000),
    "59VMC": (32659, 399960, 6300000),
    "59VMD": (32659, 399960, 6400020),
    "59VME": (32659, 399960, 6500040),
    "59VMF": (32659, 399960, 6600000),
    "59VNC": (32659, 499980, 6300000),
    "59VND": (32659, 499980, 6400020),
    "59VNE": (32659, 499980, 6500040),
    "59VNF": (32659, 499980, 6600000),
    "59VPC": (32659, 600000, 6300000),
    "59VPD": (32659, 600000, 6400020),
    "59VPE": (32659, 600000, 6500040),
    "60VUJ": (32660, 300000, 6400020),
    "60VUK": (32660, 300000, 6500040),
}
LONLAT = "EPSG:4326"
X0, Y0 = 501_360.0, 5_629_680.0  # the demo square's upper-left corner in tile 31UDS


def scenes(*tiles: str, **replaced: str) -> Scenes:
    items = tuple(
        Scene(f"S_{t}", "p", datetime(2025, 6, 1, tzinfo=UTC), t, replaced.get(t, tile_grid(t).crs), {}, 0, "", 0.0, "")
        for t in tiles
    )
    return Scenes("test", items, (), {})


def parcels(shapes, crs: str = LONLAT, ids=None, status=None):
    n = len(shapes)
    table = gpd.GeoDataFrame(
        {
            "farm_id": ["f"] * n,
            "parcel_id": ids or [f"p{k:05d}" for k in range(n)],
            "area_m2": [1.0] * n,
            "declared_crop": [None] * n,
            "declared_area_m2": [np.nan] * n,
            "registry_area_m2": [np.nan] * n,
            "status": status or ["ok"] * n,
            "reason": [None] * n,
            "detail": [None] * n,
        },
        geometry=list(shapes),
        crs=crs,
    )
    return check_parcels(table.to_crs(LONLAT))


def field(x: float, y: float, width: float = 60, height: float = 50, angle: float = 0):
    return rotate(shapely.box(x, y, x + width, y + height), angle)


# --- area ---------------------------------------------------------------------------------------------------------
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.floats(-179, 178),
    st.floats(-70, 70),
    st.lists(st.tuples(st.floats(0.3, 1), st.floats(0, 1)), min_size=4, max_size=12),
    st.floats(50, 1000),
)
def test_area_agrees_with_geodesics(lon, lat, spokes, radius_m):
    angles = np.linspace(0, 2 * np.pi, len(spokes), endpoint=False)
    reach = radius_m * np.array([spoke[0] for spoke in spokes])
    x = lon + reach * np.cos(angles) / (111_320 * np.cos(np.radians(lat)))
    y = lat + reach * np.sin(angles) / 110_900
    shape = shapely.Polygon(np.column_stack([x, y]))
    wanted = abs(Geod(ellps="WGS84").geometry_area_perimeter(shape)[0])
    # The reference itself is good to about a tenth of a square metre.
    assert geodesic_area_m2(gpd.GeoSeries([shape], crs=LONLAT))[0] == pytest.approx(wanted, rel=1e-6, abs=0.2)


def test_area_of_holes_and_parts():
    outer, hole, other = (
        shapely.box(2, 51, 2.02, 51.01),
        shapely.box(2.005, 51.002, 2.01, 51.005),
        field(3, 51, 0.01, 0.01),
    )
    ring = shapely.Polygon(outer.exterior.coords, [hole.exterior.coords])
    both = shapely.MultiPolygon([ring, other])
    whole, cut, gap, apart, missing = geodesic_area_m2(gpd.GeoSeries([outer, ring, hole, both, None], crs=LONLAT))
    assert cut == pytest.approx(whole - gap, rel=1e-12)
    wanted = abs(Geod(ellps="WGS84").geometry_area_perimeter(shapely.orient_polygons(both))[0])
    assert apart == pytest.approx(wanted, rel=1e-6)
    assert missing == 0


def test_area_of_what_is_no_polygon_and_of_a_collection():
    box = shapely.box(2, 51, 2.01, 51.01)
    line = shapely.LineString([(2, 51), (3, 52)])
    mixed = shapely.GeometryCollection([line, shapely.MultiPolygon([box])])
    areas = geodesic_area_m2(gpd.GeoSeries([line, shapely.Point(2, 51), shapely.Polygon(), mixed, box], crs=LONLAT))
    assert areas.tolist() == [0, 0, 0, areas[4], areas[4]]
    assert areas[4] > 7e5
    assert geodesic_area_m2(gpd.GeoSeries([], crs=LONLAT)).tolist() == []


def test_the_whole_earth_has_its_textbook_area():
    earth = shapely.box(-180, -90, 180, 90)
    assert geodesic_area_m2(gpd.GeoSeries([earth], crs=LONLAT))[0] == pytest.approx(510_065_621.7e6, rel=1e-8)


def test_area_refuses_metres():
    with pytest.raises(ContractError, match="expected lon/lat shapes"):
        geodesic_area_m2(gpd.GeoSeries([field(X0, Y0)], crs="EPSG:32631"))


@pytest.mark.parametrize(
    ("width", "height", "share"),
    [(100, 100, 0.81), (60, 40, 50 * 30 / 2400), (300, 9, 0.0), (20, 10.5, 10 * 0.5 / 210)],
)
def test_shrunk_share_by_hand(width, height, share):
    shape = parcels([field(X0, Y0, width, height)], "EPSG:32631").geometry
    assert shrunk_share(shape)[0] == pytest.approx(share, abs=2e-3)


def test_shrunk_share_of_nothing_is_zero():
    assert shrunk_share(gpd.GeoSeries([None, shapely.Polygon()], crs=LONLAT)).tolist() == [0, 0]


# --- tiles --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tile", sorted(REAL_TILES))
def test_tile_grid_is_that_of_real_scenes(tile):
    epsg, x, y = REAL_TILES[tile]
    grid = tile_grid(tile)
    assert (grid.crs, grid.origin_x, grid.origin_y, grid.size_px) == (f"EPSG:{epsg}", x, y, 10980)
    assert grid.bounds == (x, y - 109800, x + 109800, y)


@pytest.mark.parametrize(
    "tile", ["", "31UD", "T31UDS", "00UDS", "61UDS", "31IDS", "31UIS", "31UDW", "31UJS", "31NDS", "31uds"]
)
def test_what_is_no_tile_is_refused(tile):
    with pytest.raises(SourceError, match="is not the name of a Sentinel-2 tile") as caught:
        tile_grid(tile)
    assert caught.value.retryable is False


# --- place --------------------------------------------------------------------------------------------------------
def test_the_nearest_centre_of_the_tiles_that_hold_a_parcel_whole():
    # 31UDS and 31UES overlap between x = 499980 and 509760; the centres are at x = 454860 and 554880.
    west, middle, east = field(500_100, 5_650_000), field(504_840, 5_650_000), field(509_000, 5_650_000)
    across, outside = field(509_740, 5_650_000), field(499_960, 5_650_000)
    placed = place_parcels(parcels([west, middle, east, across, outside], "EPSG:32631"), scenes("31UES", "31UDS"))
    assert placed["tile"].tolist() == ["31UDS", "31UDS", "31UES", "31UES", "31UDS"]
    assert set(placed["status"]) == {"ok"}


def test_a_tie_goes_to_the_lower_name():
    placed = place_parcels(parcels([field(504_840, 5_650_000)], "EPSG:32631"), scenes("31UES", "31UDS"))
    assert placed["tile"].tolist() == ["31UDS"]


def test_only_tiles_with_scenes_count_and_the_homeless_are_rejected_by_name():
    shapes = [
        field(509_740, 5_650_000),
        field(450_000, 5_650_000),
        field(720_000, 5_650_000),
        field(450_000, 5_650_000),
    ]
    table = parcels(shapes, "EPSG:32631", status=["ok", "degraded", "ok", "rejected"])
    placed = place_parcels(table, scenes("31UDS"))
    assert placed["tile"].tolist() == [None, "31UDS", None, None]
    assert placed["status"].tolist() == ["rejected", "degraded", "rejected", "rejected"]
    assert placed["reason"].tolist() == ["no_tile", None, "no_tile", None]
    assert placed["detail"].tolist()[0] == "only partly inside tile 31UDS"
    assert placed["detail"].tolist()[2] == "no scene's tile reaches it"
    assert "tile" not in table.columns


def test_no_scenes_reject_everything():
    placed = place_parcels(parcels([field(500_100, 5_650_000)], "EPSG:32631"), scenes())
    assert placed["reason"].tolist() == ["no_tile"]


def test_a_tile_across_the_date_line_holds_its_parcels():
    grid = tile_grid("01WCQ")
    x, y = grid.origin_x + 2000, grid.origin_y - 50_000
    west_lon = Transformer.from_crs(grid.crs, LONLAT, always_xy=True).transform(grid.origin_x, grid.origin_y)[0]
    assert west_lon > 0  # the corner lies beyond 180 degrees
    placed = place_parcels(parcels([field(x + 90_000, y), field(x, y)], grid.crs), scenes("01WCQ"))
    assert placed["tile"].tolist() == ["01WCQ", "01WCQ"]


def test_a_scene_that_contradicts_its_tile_is_refused():
    with pytest.raises(SourceError, match=r"scene S_31UDS: CRS EPSG:32632, but tile 31UDS lies in EPSG:32631"):
        place_parcels(parcels([field(500_100, 5_650_000)], "EPSG:32631"), scenes("31UDS", **{"31UDS": "EPSG:32632"}))


# --- coverage -----------------------------------------------------------------------------------------------------
def test_three_by_three_by_hand():
    grid = tile_grid("31UDS")
    # From 5 m east and 2 m south of the corner of pixel (7032, 10140), 20 m wide, 18 m high.
    shape = shapely.box(X0 + 5, Y0 - 20, X0 + 25, Y0 - 2)
    found = measure_coverage(gpd.GeoSeries([shape], crs=grid.crs), ("a",), grid.crs, grid.origin_x, grid.origin_y)
    assert found.row.tolist() == [7032] * 3 + [7033] * 3
    assert found.col.tolist() == [10140, 10141, 10142] * 2
    assert found.cover.tolist() == [4000, 8000, 4000, 5000, 10000, 5000]
    assert found.parcel.tolist() == [0] * 6
    assert {found.row.dtype, found.col.dtype, found.cover.dtype, found.parcel.dtype} == {np.dtype("int32")}


def test_a_hole_is_not_covered():
    grid = tile_grid("31UDS")
    ring = shapely.box(X0, Y0 - 30, X0 + 30, Y0) - shapely.box(X0 + 10, Y0 - 20, X0 + 20, Y0 - 10)
    found = measure_coverage(gpd.GeoSeries([ring], crs=grid.crs), ("a",), grid.crs, grid.origin_x, grid.origin_y)
    assert len(found.cover) == 8
    assert (7033, 10141) not in set(zip(found.row.tolist(), found.col.tolist(), strict=True))


def test_coverage_refuses_another_crs():
    with pytest.raises(ContractError, match="shapes are in EPSG:32632, the grid in EPSG:32631"):
        measure_coverage(gpd.GeoSeries([field(X0, Y0)], crs="EPSG:32632"), ("a",), "EPSG:32631", 0, 0)


def test_a_lost_answer_is_noticed(monkeypatch):
    import exactextract

    monkeypatch.setattr(exactextract, "exact_extract", lambda *_, **__: [])
    with pytest.raises(ContractError, match="1 shapes in, 0 answers out"):
        measure_coverage(gpd.GeoSeries([field(X0, Y0)], crs="EPSG:32631"), ("a",), "EPSG:32631", 399960, 5700000)


# --- blocks -------------------------------------------------------------------------------------------------------
def placed(shapes, ids=None):
    return place_parcels(parcels(shapes, "EPSG:32631", ids), scenes("31UDS"))


def flat(blocks):
    """All pixels of some blocks as rows (parcel, row, col, cover), sorted."""
    rows = []
    for block in blocks:
        c = block.coverage
        names = [c.parcel_ids[k] for k in c.parcel]
        rows += zip(names, c.row.tolist(), c.col.tolist(), c.cover.tolist(), strict=True)
    return sorted(rows)


farmland = st.lists(
    st.tuples(
        st.floats(400_100, 508_000),
        st.floats(5_592_000, 5_698_000),
        st.floats(30, 900),
        st.floats(30, 900),
        st.floats(0, 180),
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(farmland)
def test_the_same_numbers_whatever_the_block(rows):
    shapes = [field(*row) for row in rows]
    table = placed(shapes)
    table = table[table["status"] == "ok"].reset_index(drop=True)
    cuts = {px: split_blocks(table, scenes("31UDS"), px) for px in (32, 64, 1024)}
    assert flat(cuts[32]) == flat(cuts[64]) == flat(cuts[1024])
    covered = {}
    for name, _, _, cover in flat(cuts[1024]):
        covered[name] = covered.get(name, 0) + cover
    metric = table.to_crs("EPSG:32631")
    for name, area in zip(metric["parcel_id"], metric.geometry.area, strict=True):
        assert covered[name] * 1e-2 == pytest.approx(area, rel=5e-4)


@settings(deadline=None, max_examples=10)
@given(farmland, st.randoms())
def test_a_parcel_is_measured_alike_alone_and_in_any_company(rows, random):
    table = placed([field(*row) for row in rows])
    table = table[table["status"] == "ok"].reset_index(drop=True)
    shuffled = table.sample(frac=1, random_state=random.randrange(2**31))
    everyone = split_blocks(table, scenes("31UDS"))
    assert flat(split_blocks(shuffled, scenes("31UDS"))) == flat(everyone)
    alone = flat(split_blocks(table.iloc[:1], scenes("31UDS")))
    name = table["parcel_id"].iloc[0] if len(table) else None
    assert alone == [row for row in flat(everyone) if row[0] == name]


def test_blocks_are_named_sorted_and_cut_at_the_tile_edge():
    last = field(399_960 + 109_700, 5_700_000 - 109_790, 90, 80)
    first = field(399_970, 5_699_900, 50, 50)
    table = placed([last, first])
    blocks = split_blocks(table, scenes("31UDS", "31UES"))
    assert [block.block_id for block in blocks] == ["31UDS_r0000_c0000_1024", "31UDS_r0010_c0010_1024"]
    edge = blocks[1]
    # trimmed to the network cell (64 px) that holds the parcel, and cut where the tile ends
    assert (edge.row, edge.col, edge.height, edge.width) == (10944, 10944, 36, 36)
    assert (blocks[0].row, blocks[0].col, blocks[0].height, blocks[0].width) == (0, 0, 64, 64)
    assert (edge.crs, edge.origin_x, edge.origin_y) == ("EPSG:32631", 399_960, 5_700_000)
    assert edge.coverage.parcel_ids == ("p00000",)


def test_a_parcel_across_an_edge_is_in_both_blocks():
    edge_x = 399_960 + 9 * 10_240
    table = placed([field(edge_x - 30, 5_650_000, 60, 40), field(edge_x + 200, 5_650_000)], ids=["b", "a"])
    left, right = split_blocks(table, scenes("31UDS"))
    assert (left.block_id, right.block_id) == ("31UDS_r0004_c0008_1024", "31UDS_r0004_c0009_1024")
    assert left.coverage.parcel_ids == ("b",)
    assert right.coverage.parcel_ids == ("a", "b")
    assert right.coverage.parcel.tolist() == sorted(right.coverage.parcel.tolist())
    assert int(
        left.coverage.cover.sum() + right.coverage.cover[right.coverage.parcel == 1].sum()
    ) / 100 == pytest.approx(60 * 40, rel=5e-4)


def test_rejected_parcels_have_no_block_and_no_parcels_no_blocks():
    table = placed([field(X0, Y0)])
    table["status"] = "rejected"
    assert split_blocks(table, scenes("31UDS")) == []


def test_land_too_small_for_a_ten_thousandth_of_a_pixel_gives_no_block():
    table = placed([field(X0 + 1, Y0 + 1, 0.05, 0.05)])
    assert split_blocks(table, scenes("31UDS")) == []


@pytest.mark.parametrize("px", [0, 16, 100])
def test_a_block_off_the_grid_is_refused(px):
    with pytest.raises(ConfigError, match=f"block_px must be a multiple of 32, not {px}"):
        split_blocks(placed([field(X0, Y0)]), scenes("31UDS"), px)


def test_parcels_without_a_tile_are_our_fault():
    with pytest.raises(ContractError, match="no column tile"):
        split_blocks(parcels([field(X0, Y0)], "EPSG:32631"), scenes("31UDS"))


# --- cache --------------------------------------------------------------------------------------------------------
def test_coverage_is_measured_once_and_a_damaged_file_again(tmp_path, monkeypatch, caplog):
    table = placed([field(X0, Y0, 60, 50, 20), field(X0 + 100, Y0)])
    fresh = flat(split_blocks(table, scenes("31UDS"), cache=tmp_path))
    (kept,) = tmp_path.iterdir()
    measured = []
    real = geo.measure_coverage
    monkeypatch.setattr(geo, "measure_coverage", lambda *args: measured.append(1) or real(*args))
    assert flat(split_blocks(table, scenes("31UDS"), 64, cache=tmp_path)) == fresh
    assert not measured
    whole = kept.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"no archive at all"):
        kept.write_bytes(damage)
        assert flat(split_blocks(table, scenes("31UDS"), cache=tmp_path)) == fresh
        assert kept.read_bytes() != damage
    assert len(measured) == 3
    assert "damaged" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]


def test_a_cache_with_other_numbers_is_not_believed(tmp_path, caplog):
    table = placed([field(X0, Y0)])
    fresh = flat(split_blocks(table, scenes("31UDS"), cache=tmp_path))
    (kept,) = tmp_path.iterdir()
    with np.load(kept) as arrays:
        forged = {name: arrays[name] for name in arrays.files}
    forged["cover"] = forged["cover"] + 1
    np.savez(kept, **forged)
    assert flat(split_blocks(table, scenes("31UDS"), cache=tmp_path)) == fresh
    assert "check sum" in caplog.text


def test_no_parcels_have_no_coverage():
    none = measure_coverage(gpd.GeoSeries([], crs="EPSG:32631"), (), "EPSG:32631", 0, 0)
    assert len(none.cover) == len(none.row) == 0


def test_another_outline_or_id_has_another_key():
    one = gpd.GeoSeries([shapely.box(0, 0, 1, 1)], crs=LONLAT)
    two = gpd.GeoSeries([shapely.box(0, 0, 1, 1.0000001)], crs=LONLAT)
    keys = {
        coverage_room.coverage_key(one, ("a",), "31UDS"),
        coverage_room.coverage_key(two, ("a",), "31UDS"),
        coverage_room.coverage_key(one, ("b",), "31UDS"),
        coverage_room.coverage_key(one, ("a",), "31UES"),
    }
    assert len(keys) == 4


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"coverage cache .* cannot be written"):
        split_blocks(placed([field(X0, Y0)]), scenes("31UDS"), cache=tmp_path / "file")


def test_the_door_needs_nothing_but_tiles_and_crs_of_scenes():
    items = (SimpleNamespace(scene_id="s", tile="31UDS", crs="EPSG:32631"),)
    assert len(split_blocks(placed([field(X0, Y0)]), SimpleNamespace(items=items))) == 1
