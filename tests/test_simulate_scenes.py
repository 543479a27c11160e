# SPDX-License-Identifier: Apache-2.0
"""Simulated scenes are read by the house's own search and cube, quirks and all."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pystac
import pytest
import shapely
from pyproj import Transformer

from acreline.config import Provider, ReadSettings, SeasonSettings, find_config, read_settings
from acreline.cubes import band_values
from acreline.geo import place_parcels, split_blocks
from acreline.imagery import load_cube
from acreline.layers import BANDS_10M, BANDS_20M
from acreline.parcels import read_parcels
from acreline.rasters import read_raster
from acreline.search import search_scenes
from acreline.simulate import make
from acreline.simulate.copies import baseline_on, plan_copies
from acreline.simulate.overlaps import other_tiles, same_land
from acreline.simulate.scenes import encode, footprint
from acreline.simulate.sky import SkySettings
from acreline.simulate.values import Overpass, Window
from tests.made_county import SIDE, made_county, made_picture, made_sense, made_window

CLEAR = {
    "clear_share": [1.0] * 12,
    "clear_cover": 0.0,
    "cirrus_share": 0.0,
    "haze_share": 0.0,
    "second_orbit_share": 0.0,
    "cloud_cover_noise": 0.0,
    "revisit_days": 30,
    "scl": {"bright_commission": [0, 0], "dark_commission": 0},
}


class Made:
    """A simulated county on disk, and the house's own reading of it."""

    def __init__(self, out: Path, sky: dict[str, Any], *, start: date | None = None, end: date | None = None) -> None:
        self.county = made_county()
        if start is not None and end is not None:
            self.county = dataclasses.replace(self.county, season_start=start, season_end=end)
        out.mkdir()
        self.counts = make._write_county(self.county, make.read_sky(CLEAR | sky, None), out, 1, None)
        self.out = out
        self.season = SeasonSettings(start=self.county.season_start, end=self.county.season_end)
        provider = read_settings(Provider, find_config("providers", "folder"))
        self.provider = provider.model_copy(update={"href": str(out / "scenes" / "catalog.json")})
        self.parcels = read_parcels(source(out))
        self.scenes = search_scenes(self.parcels, self.season, self.provider, as_of=self.county.season_end)

    def cube(self) -> Any:
        placed = place_parcels(self.parcels, self.scenes)
        (block,) = split_blocks(placed, self.scenes, 1024)
        return load_cube(self.scenes, block, ReadSettings())


def source(out: Path) -> Any:
    from acreline.config import ParcelSource

    return ParcelSource(
        path=out / "parcels.parquet", datum="wgs84", declared_area_unit="ha", columns={"parcel_id": "id"}
    )


@pytest.fixture(autouse=True)
def _drawn_land(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "make_county", made_county)
    monkeypatch.setattr(make, "sense", made_sense)


def expect_cube(made: Made, cube: Any) -> None:
    """Every pass of the cube holds the drawn reflectance within 0.0001, wherever it has data."""
    row, col = cube.attrs["row"] - made.county.window.row, cube.attrs["col"] - made.county.window.col
    picture = made_picture(Overpass(datetime(2025, 1, 1, tzinfo=UTC), "", 1, 30, 150, 5, 104))
    for names, values, step in ((BANDS_10M, picture.fine, 1), (BANDS_20M, picture.coarse, 2)):
        for name, band in zip(names, values, strict=True):
            full = np.repeat(np.repeat(band, step, 0), step, 1)
            wide = np.pad(full, 200, constant_values=np.nan)
            height, width = cube.sizes["y"], cube.sizes["x"]
            wanted = wide[200 + row : 200 + row + height, 200 + col : 200 + col + width]
            found = band_values(cube, name)
            inside = np.isfinite(wanted)
            assert inside.sum() == SIDE * SIDE
            assert (found[:, inside] > 0).all(), name
            assert np.abs(found[:, inside] * 1e-4 - 0.1 - wanted[inside]).max() <= 1.0001e-4, name


def test_a_clear_season_is_found_and_read_as_it_was_coded(tmp_path: Path) -> None:
    made = Made(tmp_path / "c", {"quirks": {"duplicates": 0, "splits": 0, "missing_bands": 0}})
    assert made.scenes.completeness["received"] == made.counts["scenes"] == made.counts["passes"]
    assert not made.scenes.set_aside
    assert made.scenes.simulated
    assert {scene.dn_offset for scene in made.scenes.items} == {1000}
    assert all(scene.cloud_percent == 0 and not scene.flags for scene in made.scenes.items)
    cube = made.cube()
    expect_cube(made, cube)
    assert cube["clear"].values.any()


def test_quirks_are_made_found_and_settled(tmp_path: Path) -> None:
    quirks = {"duplicates": 2, "splits": 2, "missing_bands": 1}
    made = Made(tmp_path / "c", {"quirks": quirks})
    passes = made.counts["passes"]
    assert (made.counts["reprocessed_duplicates"], made.counts["split_passes"], made.counts["missing_bands"]) == (
        2,
        2,
        1,
    )
    assert made.counts["scenes"] == passes + 4 == made.scenes.completeness["received"]
    reasons = sorted(aside.reason for aside in made.scenes.set_aside)
    assert reasons == ["duplicate_of", "duplicate_of", "missing_asset"]
    assert all("baseline" in one.detail for one in made.scenes.set_aside if one.reason == "duplicate_of")
    assert made.scenes.completeness["passes"] == passes - 1
    cube = made.cube()
    assert cube.sizes["time"] == passes - 1
    expect_cube(made, cube)  # the two halves are joined, and of two copies the true one was read


def test_old_and_new_baselines_read_alike(tmp_path: Path) -> None:
    quirks = {"duplicates": 0, "splits": 0, "missing_bands": 0, "old_baseline_share": 0.5}
    made = Made(tmp_path / "c", {"quirks": quirks, "revisit_days": 15})
    offsets = [scene.dn_offset for scene in made.scenes.items]
    assert set(offsets) == {0, 1000}
    assert made.counts["scenes_without_offset"] == offsets.count(0)
    expect_cube(made, made.cube())


def test_a_season_over_the_change_of_baseline_is_continuous(tmp_path: Path) -> None:
    start, end = date(2021, 9, 1), date(2022, 6, 30)
    made = Made(tmp_path / "c", {}, start=start, end=end)
    by_day = {scene.time.date(): scene for scene in made.scenes.items}
    reprocessed = {aside.detail for aside in made.scenes.set_aside if aside.reason == "duplicate_of"}
    assert len(reprocessed) == 1
    old = [scene for day, scene in by_day.items() if day < date(2022, 1, 25) and scene.baseline != "05.00"]
    assert old
    assert all(scene.dn_offset == 0 for scene in old)
    assert all(scene.dn_offset == 1000 for day, scene in by_day.items() if day >= date(2022, 1, 25))
    expect_cube(made, made.cube())


def test_beyond_the_swath_there_is_no_data(tmp_path: Path) -> None:
    quirks = {"duplicates": 0, "splits": 0, "missing_bands": 0}
    made = Made(tmp_path / "c", {"second_orbit_share": 0.5, "quirks": quirks})
    assert made.counts["passes_at_the_swath_edge"] in (8, 9)
    cube = made.cube()
    filled = (band_values(cube, "B04") > 0).sum(axis=(1, 2)) / SIDE**2
    assert sorted(set(np.round(filled, 1))) == [0.5, 1.0]
    assert (band_values(cube, "B11") > 0).sum() == (band_values(cube, "B04") > 0).sum()
    areas = {round(shapely.geometry.shape(scene.geometry).area, 9) for scene in made.scenes.items}
    assert len(areas) == 2  # a footprint tells what is there


def test_items_say_what_the_real_ones_say(tmp_path: Path, repo: Path) -> None:
    made = Made(tmp_path / "c", {})
    catalog = pystac.Catalog.from_file(str(made.out / "scenes" / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    real = next(pystac.Catalog.from_file(str(repo / "data/flanders-2018/catalog.json")).get_items(recursive=True))
    for item in items:
        assert set(real.properties) <= set(item.properties)
        assert set(real.stac_extensions) <= set(item.stac_extensions)
        for name, asset in item.assets.items():
            assert set(real.assets[name].extra_fields) == set(asset.extra_fields)
            content = Path(asset.get_absolute_href() or "").read_bytes()
            assert asset.extra_fields["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        assert item.properties["sat:relative_orbit"] in range(1, 144)
    whole = next(item for item in items if len(item.assets) == 11)
    assert whole.assets["B04"].extra_fields["raster:offset"] == -0.1
    assert whole.assets["B04"].extra_fields["proj:shape"] == [SIDE, SIDE]
    assert whole.assets["B11"].extra_fields["proj:shape"] == [SIDE // 2, SIDE // 2]
    collection = catalog.get_child("sentinel-2-l2a")
    assert collection is not None
    assert "SIMULATED" in (collection.title or "")


def test_cloud_cover_is_the_true_one_with_noise(tmp_path: Path) -> None:
    import pandas as pd

    made = Made(
        tmp_path / "c", {"clear_share": [0.0] * 12, "overcast_share": 0.0, "revisit_days": 5, "cloud_cover_noise": 4.0}
    )
    truth = pd.read_parquet(made.out / "truth" / "scenes.parquet").set_index("scene_id")
    error = [
        scene.cloud_percent - 100 * truth["cloud_share"][scene.scene_id]
        for scene in made.scenes.items
        if scene.cloud_percent is not None and 0.15 < truth["cloud_share"][scene.scene_id] < 0.85
    ]
    assert len(error) > 5
    assert 1 < np.std(error) < 8
    clouds = np.load(made.out / "truth" / "clouds.npz")
    assert clouds["depth_x50"].shape == (made.counts["passes"], SIDE // 2, SIDE // 2)


# --- coding -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "offset", "number"),
    [(0.0, 1000, 1000), (0.12344, 1000, 2234), (-0.2, 1000, 1), (0.0, 0, 1), (0.2, 0, 2000), (9.0, 1000, 65535)],
)
def test_coding_keeps_zero_for_no_data(value: float, offset: int, number: int) -> None:
    assert encode(np.array([value], np.float32), offset)[0] == number


def test_baselines_follow_the_calendar() -> None:
    assert baseline_on(date(2022, 1, 24)) == "03.01"
    assert baseline_on(date(2022, 1, 25)) == "04.00"
    assert baseline_on(date(2018, 6, 1)) == "02.09"


def test_a_pass_has_one_quirk_at_most() -> None:
    passes = [Overpass(datetime(2025, 1, 1 + k, 3, tzinfo=UTC), "sentinel-2b", 5, 40, 150, 5, 104) for k in range(12)]
    sky = make.read_sky({"quirks": {"duplicates": 3, "splits": 4, "missing_bands": 9}}, None)
    planned = plan_copies(passes, sky, ["50SLG"], date(2025, 8, 31), 1)
    assert len(planned) == 12
    twice = [group for group in planned if len(group) == 2 and not group[0].part]
    halves = [group for group in planned if group[0].part]
    lacking = [group for group in planned if group[0].lacks]
    assert (len(twice), len(halves), len(lacking)) == (3, 4, 5)
    for first, again in twice:
        assert first.baseline < again.baseline
        assert first.processed < again.processed
        assert first.factor > 1 == again.factor
    ids = [copy.scene_id for group in planned for copy in group]
    assert len(set(ids)) == len(ids)


def test_a_duplicate_is_listed_only_where_its_reprocessing_was_known_by_the_end() -> None:
    passes = [Overpass(datetime(2025, 8, 1 + k, 3, tzinfo=UTC), "sentinel-2b", 5, 40, 150, 5, 104) for k in range(20)]
    sky = SkySettings.model_validate({"quirks": {"duplicates": 3}})
    assert all(len(group) == 1 or group[0].part for group in plan_copies(passes, sky, ["50SLG"], date(2025, 8, 31), 1))


def test_a_footprint_is_the_hull_of_what_has_data() -> None:
    window = made_window()
    valid = np.zeros((20, 20), bool)
    valid[2:5, 1:7] = True
    shape = shapely.geometry.shape(footprint(valid, window))
    to_metres = Transformer.from_crs("EPSG:4326", window.crs, always_xy=True).transform
    west, south, east, north = shapely.transform(
        shape, lambda xy: np.column_stack(to_metres(xy[:, 0], xy[:, 1]))
    ).bounds
    left, top = window.origin_x + 10 * window.col, window.origin_y - 10 * window.row
    assert (west, south, east, north) == pytest.approx((left + 20, top - 100, left + 140, top - 40), abs=0.05)
    assert shapely.is_ccw(shape.exterior)


# --- overlaps -----------------------------------------------------------------------------------------------------
def test_a_county_in_the_middle_of_a_tile_is_in_no_other() -> None:
    assert other_tiles(made_window()) == []


def test_the_neighbouring_tile_holds_the_same_pixels() -> None:
    window = made_window(col=10_500)
    found = {one.tile: one for one in other_tiles(window)}
    east = found["50SMG"]
    rows, cols = same_land(window, east, 10)
    assert rows.shape == (SIDE, SIDE)
    assert np.array_equal(rows, np.arange(SIDE)[:, None].repeat(SIDE, 1))
    assert np.array_equal(cols, np.arange(SIDE)[None, :].repeat(SIDE, 0))


def test_a_tile_that_holds_part_of_the_county_gets_that_part() -> None:
    window = made_window(col=9_980)  # the next tile starts 100 km east, at column 9,996 to 10,002
    east = {one.tile: one for one in other_tiles(window)}["50SMG"]
    assert east.width < SIDE
    assert east.col == 0
    rows, cols = same_land(window, east, 20)
    assert (cols[:, -1] == SIDE // 2 - 1).all()
    assert (rows >= 0).all()


def test_the_neighbouring_zone_holds_the_nearest_pixels() -> None:
    window = made_window(tile="50SQG", col=6_000)  # near the zone's edge at 120 degrees east
    zones = [one for one in other_tiles(window) if one.tile.startswith("51")]
    assert zones
    other = zones[0]
    rows, cols = same_land(window, other, 10)
    inside = rows >= 0
    assert inside.sum() == pytest.approx(SIDE * SIDE, abs=60)
    to_own = Transformer.from_crs(other.crs, window.crs, always_xy=True).transform
    r, c = (int(k) for k in np.argwhere(inside)[inside.sum() // 2])
    x, y = to_own(other.origin_x + 10 * (other.col + c) + 5, other.origin_y - 10 * (other.row + r) - 5)
    assert abs(window.origin_x + 10 * (window.col + cols[r, c]) + 5 - x) <= 5
    assert abs(window.origin_y - 10 * (window.row + rows[r, c]) - 5 - y) <= 5


@pytest.mark.parametrize(
    ("tile", "col", "other"),
    [("50SLG", 10_500, "50SMG"), ("50SQG", 5_000, "51STB")],
    ids=["same zone", "next zone"],
)
def test_every_pass_is_also_in_the_other_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: str, col: int, other: str
) -> None:
    base, window = made_county(), made_window(tile=tile, col=col)
    county = dataclasses.replace(base, window=window, parcels=moved(base.parcels, base.window, window))
    monkeypatch.setattr(f"{__name__}.made_county", lambda: county)
    quirks = {"duplicates": 0, "splits": 0, "missing_bands": 0, "overlap_tiles": True}
    made = Made(tmp_path / "c", {"quirks": quirks})
    zone = "scenes_of_other_tiles" if tile[:2] == other[:2] else "scenes_of_other_zones"
    assert made.counts[zone] == made.counts["passes"] == made.counts["scenes"] / 2
    assert {scene.tile for scene in made.scenes.items} == {tile, other}
    assert made.scenes.completeness["passes"] == made.counts["passes"]
    assert place_parcels(made.parcels, made.scenes)["status"].tolist() == ["ok"] * 4
    (theirs, *_) = (scene for scene in made.scenes.items if scene.tile == other)
    values, _, crs, _ = read_raster(Path(theirs.assets["B08"]))
    assert crs == theirs.crs
    seen = values[0][values[0] > 0]
    assert seen.size == pytest.approx(SIDE * SIDE, abs=60)
    picture = made_picture(Overpass(theirs.time, "", 1, 30, 150, 5, 104))
    assert set(seen.tolist()) <= set(encode(picture.fine[3], 1000).ravel().tolist())  # nearest: no value is new


def moved(parcels: gpd.GeoDataFrame, before: Window, after: Window) -> gpd.GeoDataFrame:
    """Parcels drawn over one window, at the same pixels of another."""

    def corner(window: Window) -> Any:
        return np.array([window.origin_x + 10 * window.col, window.origin_y - 10 * window.row])

    def move(xy: Any) -> Any:
        inward = Transformer.from_crs("EPSG:4326", before.crs, always_xy=True).transform
        back = Transformer.from_crs(after.crs, "EPSG:4326", always_xy=True).transform
        return np.column_stack(back(*(np.column_stack(inward(*xy.T)) - corner(before) + corner(after)).T))

    shapes = [shapely.transform(shape, move) for shape in parcels.geometry]
    return parcels.set_geometry(gpd.GeoSeries(shapes, crs="EPSG:4326"))
