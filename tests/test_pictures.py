# SPDX-License-Identifier: Apache-2.0
"""Pictures of fields: which look is shown, that its pixels are the satellite's, and that trouble becomes a word."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio.mask
import shapely

from acreline.config import ReadSettings
from acreline.doors import check_seasons
from acreline.imagery import load_cube
from acreline.layers import LOOK_COLUMNS, SEASON_COLUMNS, Looks, Parcels, Scene, Seasons
from acreline.looks import merge_looks
from acreline.pictures import ShownLook, choose_looks, cut_picture, frame_shape, picture_parcels, season_looks
from acreline.report import FieldPicture, Unseen
from acreline.report.field import NDVI_STEPS, ndvi_png, outline_path, scale_bar, true_colour_png
from acreline.tiles import tile_grid
from tests.made_looks import made_parcels
from tests.scenes import COL, CRS, ORIGIN_X, ORIGIN_Y, ROW, make_block, make_scene, make_scenes

READ = ReadSettings()
GRID = tile_grid("31UDS")
LEFT, TOP = ORIGIN_X + COL * 10, ORIGIN_Y - ROW * 10
FIELD = shapely.Polygon(
    [(LEFT + 41, TOP - 37), (LEFT + 133, TOP - 90), (LEFT + 160, TOP - 202), (LEFT + 70, TOP - 110)]
)
FULL = 50
"""Full pixels of every parcel of `seen`."""


# --- which look ---------------------------------------------------------------------------------------------------
def seen(*rows: tuple[str, str, int, float]) -> Looks:
    """Looks told as (parcel, day, clear pixels of 50, NDVI)."""
    table = []
    for parcel, day, clear, ndvi in rows:
        row: dict[str, Any] = dict.fromkeys(LOOK_COLUMNS, 0)
        row |= {"parcel_id": parcel, "pass_id": f"s2_{day}", "time": pd.Timestamp(day, tz="UTC"), "n_seen": FULL}
        row |= {"n_clear": clear, "sum_ndvi": clear * round(ndvi * 10_000)}
        row |= {f"sum_{band}": clear * 2000 for band in ("B02", "B08", "B11")}
        table.append(row)
    names = sorted({parcel for parcel, *_ in rows})
    land = pd.DataFrame({"parcel_id": names, "n_full": FULL, "cover": FULL * 10_000})
    evidence = merge_looks([]).evidence
    return merge_looks([Looks(pd.DataFrame(table, columns=list(LOOK_COLUMNS)), evidence, land)])


def peaks(**days: str) -> Seasons:
    rows = [{"parcel_id": name, "slot": "B", "peak": pd.Timestamp(day, tz="UTC")} for name, day in days.items()]
    return check_seasons(pd.DataFrame(rows, columns=list(SEASON_COLUMNS)))


def days(looks: Looks, seasons: Seasons) -> dict[str, str]:
    return {name: look.day for name, look in choose_looks(looks, seasons).items()}


def test_neighbours_share_the_day_on_which_most_were_seen_whole_and_green() -> None:
    looks = seen(
        ("a", "2018-07-01", 50, 0.9),  # the greenest look of a, but b was not seen
        ("a", "2018-07-11", 50, 0.8),
        ("b", "2018-07-11", 50, 0.7),
        ("a", "2018-07-21", 50, 0.7),
        ("b", "2018-07-21", 50, 0.6),
        ("c", "2018-07-21", 20, 0.9),  # half of it under cloud
        ("c", "2018-08-01", 50, 0.5),
    )
    told = peaks(a="2018-07-10", b="2018-07-10", c="2018-07-10")
    assert days(looks, told) == {"a": "2018-07-11", "b": "2018-07-11", "c": "2018-08-01"}


def test_of_equals_the_latest_is_shown() -> None:
    looks = seen(("a", "2018-07-01", 50, 0.7), ("a", "2018-07-11", 50, 0.7))
    assert days(looks, peaks(a="2018-07-05")) == {"a": "2018-07-11"}


def test_a_green_winter_is_not_the_crop() -> None:
    looks = seen(("a", "2018-02-01", 50, 0.95), ("a", "2018-07-01", 50, 0.6), ("a", "2018-11-20", 50, 0.3))
    assert days(looks, peaks(a="2018-07-20")) == {"a": "2018-07-01"}


def test_without_a_peak_the_latest_whole_look_is_shown_else_the_clearest() -> None:
    looks = seen(
        ("a", "2018-05-01", 50, 0.5),
        ("a", "2018-05-11", 50, 0.4),
        ("a", "2018-05-21", 49, 0.9),
        ("b", "2018-05-01", 40, 0.5),
        ("b", "2018-05-11", 45, 0.5),
        ("b", "2018-05-21", 45, 0.5),
        ("b", "2018-05-31", 30, 0.5),
    )
    chosen = choose_looks(looks, peaks(b="2018-12-01"))
    assert {name: look.day for name, look in chosen.items()} == {"a": "2018-05-11", "b": "2018-05-21"}
    assert (chosen["b"].pass_id, chosen["b"].n_clear, chosen["b"].n_full) == ("s2_2018-05-21", 45, 50)


def test_the_season_is_told_by_the_passes_that_saw_most_parcels_whole() -> None:
    rows = [("a", "04-01", 50), ("b", "04-01", 50), ("a", "04-06", 50), ("b", "04-06", 40)]
    rows += [("a", "07-01", 50), ("b", "07-06", 50), ("a", "09-28", 50)]
    looks = seen(*((name, f"2023-{day}", clear, 0.4) for name, day, clear in rows))
    told = [{name: look.day for name, look in part.items()} for part in season_looks(looks)]
    # two parcels seen whole go before the later day, of equals the later day is taken
    assert told == [{"a": "2023-04-01", "b": "2023-04-01"}, {"b": "2023-07-06"}, {"a": "2023-09-28"}]
    assert season_looks(seen(("a", "2023-04-01", 50, 0.2))) == []


def test_a_parcel_never_half_clear_has_no_look() -> None:
    assert choose_looks(seen(("a", "2018-05-01", 24, 0.5)), peaks()) == {}
    assert choose_looks(merge_looks([]), peaks(a="2018-05-01")) == {}


# --- where --------------------------------------------------------------------------------------------------------
def test_a_frame_by_hand() -> None:
    """A parcel of 3 x 3 pixels, rows 101 to 103, columns 201 to 203, in the middle of 24 pixels on the 20 m grid."""
    shape = shapely.box(*(ORIGIN_X + 2010, ORIGIN_Y - 1040), *(ORIGIN_X + 2040, ORIGIN_Y - 1010))
    frame = frame_shape(shape, GRID)
    assert (frame.row, frame.col, frame.side) == (90, 190, 24)
    long = frame_shape(shapely.box(ORIGIN_X + 1, ORIGIN_Y - 9, ORIGIN_X + 399, ORIGIN_Y - 1), GRID)
    assert (long.row, long.col, long.side) == (-24, -4, 48)  # at the tile's corner: what sticks out has no data


# --- pixels -------------------------------------------------------------------------------------------------------
def land(*shapes: shapely.Polygon, names: str = "abc", **columns: Any) -> Parcels:
    parcels = made_parcels({name: f"f-{name}" for name, _ in zip(names, shapes, strict=False)}, **columns)
    parcels["tile"] = "31UDS"
    parcels.geometry = gpd.GeoSeries(list(shapes), crs=CRS).to_crs("EPSG:4326").values
    return parcels


def looks_of(scene: Scene, *names: str, clear: int = FULL, n_seen: int = 1) -> Looks:
    """Looks of one pass with its own id; `n_seen` pixels must be there when it is read again."""
    looks = seen(*((name, f"{scene.time:%Y-%m-%d}", clear, 0.6) for name in names))
    return Looks(looks.passes.assign(pass_id=scene.pass_id, n_seen=n_seen), looks.evidence, looks.land)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("pictures"), "s", day=60)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rasterio.mask itself
def test_a_picture_holds_the_pixels_of_the_files(scene: Scene) -> None:
    told = picture_parcels(land(FIELD), looks_of(scene, "a"), peaks(), make_scenes([scene]), READ)
    picture = told["a"]
    assert isinstance(picture, FieldPicture)
    assert (picture.day, picture.scenes, picture.clear_share) == ("2023-06-30", ("s",), 1.0)
    frame = frame_shape(FIELD, GRID)

    def framed(values: np.ndarray) -> np.ndarray:
        """What lies in the frame of the files' 64 x 64 pixels, 0 around them."""
        top, left = frame.row - ROW + 32, frame.col - COL + 32
        return np.pad(values.astype(np.int64), 32)[top : top + frame.side, left : left + frame.side]

    for band, layer in zip(("B04", "B03", "B02"), picture.colour, strict=True):
        with rasterio.open(scene.assets[band]) as source:
            np.testing.assert_array_equal(layer, framed(source.read(1)))
    masked = {}
    for band in ("B04", "B08"):
        with rasterio.open(scene.assets[band]) as source:
            masked[band] = framed(rasterio.mask.mask(source, [FIELD], nodata=0)[0][0])
    np.testing.assert_array_equal(picture.inside, masked["B04"] > 0)
    red, nir = masked["B04"] - 1000, masked["B08"] - 1000
    ndvi = np.where(picture.inside, np.rint(10_000 * (nir - red) / (nir + red)), -32768)
    np.testing.assert_array_equal(picture.ndvi, ndvi)
    drawn = shapely.Polygon(
        [(ORIGIN_X + (frame.col + x) * 10, ORIGIN_Y - (frame.row + y) * 10) for x, y in picture.rings[0]]
    )
    assert drawn.symmetric_difference(FIELD).area < 0.01


def test_a_picture_is_the_same_whatever_is_read_with_it(scene: Scene) -> None:
    far = shapely.box(LEFT + 400, TOP - 500, LEFT + 500, TOP - 400)
    scenes = make_scenes([scene])
    both = picture_parcels(land(FIELD, far), looks_of(scene, "a", "b"), peaks(), scenes, READ)
    for name, shape in (("a", FIELD), ("b", far)):
        alone = picture_parcels(land(shape, names=name), looks_of(scene, name), peaks(), scenes, READ)[name]
        assert isinstance(alone, FieldPicture)
        for field in ("colour", "ndvi", "inside"):
            np.testing.assert_array_equal(getattr(alone, field), getattr(both[name], field))
        assert alone.rings == both[name].rings  # type: ignore[union-attr]


def test_cloud_inside_the_parcel_has_no_greenness(tmp_path: Path) -> None:
    scl = np.full((32, 32), 4)
    scl[:, 7:] = 9  # from 140 m on, and 60 m around it
    cloudy = make_scene(tmp_path, "s", scl=scl)
    cube = load_cube(make_scenes([cloudy]), make_block(), READ)
    picture = cut_picture(cube, frame_shape(FIELD, GRID), ShownLook("p", "2023-05-01", 30, 1, 50))
    assert isinstance(picture, FieldPicture)
    assert picture.clear_share == 0.6
    clear = picture.ndvi > -10_000
    assert 0 < np.count_nonzero(clear) < np.count_nonzero(picture.inside)
    assert not clear[:, COL + 8 - frame_shape(FIELD, GRID).col :].any()


def test_only_passes_that_are_shown_are_read_and_never_an_implausible_scene(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    import acreline.pictures as room

    other, read = make_scene(tmp_path, "other", day=30), []

    def load(scenes: Any, block: Any, settings: Any) -> Any:
        read.append([each.scene_id for each in scenes.items])
        return load_cube(scenes, block, settings)

    monkeypatch.setattr(room, "load_cube", load)
    scenes = make_scenes([scene, other])
    picture_parcels(land(FIELD), looks_of(scene, "a"), peaks(), scenes, READ)
    assert read == [["s"]]
    told = picture_parcels(land(FIELD), looks_of(scene, "a"), peaks(), scenes, READ, {"s": "too bright"})
    assert told == {"a": Unseen("not_read_again", "2023-06-30")}


# --- what cannot be shown -----------------------------------------------------------------------------------------
def test_trouble_becomes_words(tmp_path: Path) -> None:
    hurt = make_scene(tmp_path, "hurt", day=60)
    Path(hurt.assets["B04"]).write_bytes(b"not a tiff")
    told = picture_parcels(land(FIELD, FIELD), looks_of(hurt, "a", "b"), peaks(), make_scenes([hurt]), READ)
    assert told == dict.fromkeys("ab", Unseen("not_read_again", "2023-06-30"))


def test_what_nobody_foresaw_becomes_words_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    import acreline.pictures as room

    real = room.cut_picture

    def cut(cube: Any, frame: Any, look: ShownLook) -> Any:
        if frame.shape.area < 5000:
            raise OSError("the disk coughed")
        return real(cube, frame, look)

    monkeypatch.setattr(room, "cut_picture", cut)
    small = shapely.box(LEFT + 400, TOP - 450, LEFT + 450, TOP - 400)
    told = picture_parcels(land(FIELD, small), looks_of(scene, "a", "b"), peaks(), make_scenes([scene]), READ)
    assert isinstance(told["a"], FieldPicture)
    assert told["b"] == Unseen("not_read_again", "2023-06-30")


def test_fewer_pixels_than_were_measured_are_no_picture(scene: Scene) -> None:
    """A part of a split pass that is gone leaves a hole that must not look like a whole picture."""
    cube = load_cube(make_scenes([scene]), make_block(), READ)
    frame, look = frame_shape(FIELD, GRID), ShownLook("p", "2023-05-01", 50, 1, 50)
    picture = cut_picture(cube, frame, look)
    assert isinstance(picture, FieldPicture)
    assert cut_picture(cube, frame, replace(look, n_seen=10_000)) == Unseen("not_read_again", "2023-05-01")


def test_refused_and_failed_parcels_are_not_asked_for_and_others_say_why(scene: Scene) -> None:
    parcels = land(FIELD, FIELD, FIELD, FIELD, names="abcd", status=["rejected", "failed", "ok", "insufficient"])
    looks = looks_of(scene, "a", "b", "c", clear=20)
    told = picture_parcels(parcels, looks, peaks(), make_scenes([scene]), READ)
    assert told == {"c": Unseen("no_clear_look"), "d": Unseen("no_whole_pixel")}


# --- drawing ------------------------------------------------------------------------------------------------------
def drawn(png: bytes) -> np.ndarray:
    with rasterio.MemoryFile(png) as memory, memory.open() as source:
        return np.asarray(source.read())


def picture_of(colour: Any, ndvi: Any, inside: Any) -> FieldPicture:
    arrays = (np.array(colour, np.uint16), np.array(ndvi, np.int16), np.array(inside, np.bool_))
    return FieldPicture("2018-07-01", ("s",), 1.0, *arrays, ())


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_true_colour_by_hand() -> None:
    """0.25 and more is white, 0 and less black, 0.0625 a quarter: 255 * 0.25 ** (1 / 1.8) = 118; paler outside."""
    band = [[3500, 9000, 1000], [900, 1625, 1625], [0, 1625, 3500]]
    inside = [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    red, green, blue, opacity = drawn(true_colour_png(picture_of([band] * 3, np.zeros((3, 3)), inside)))
    np.testing.assert_array_equal(red, [[255, 255, 0], [0, 118, 186], [0, 186, 255]])
    np.testing.assert_array_equal(red, green)
    np.testing.assert_array_equal(red, blue)
    np.testing.assert_array_equal(opacity, [[255, 255, 255], [255, 255, 255], [0, 255, 255]])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_ndvi_steps_by_hand() -> None:
    ndvi = [[-32768, -400, 0], [999, 1000, 5500], [8999, 9000, 10000]]
    [codes] = drawn(ndvi_png(picture_of(np.zeros((3, 3, 3)), ndvi, np.ones((3, 3)))))
    np.testing.assert_array_equal(codes, [[0, 1, 1], [1, 2, 6], [9, 10, 10]])
    assert len(NDVI_STEPS) == 10


@pytest.mark.parametrize(("side", "bar"), [(24, (50, 5.0)), (32, (100, 10.0)), (60, (200, 20.0)), (400, (1000, 100.0))])
def test_scale_bar_is_a_round_length_of_at_most_a_third(side: int, bar: tuple[int, float]) -> None:
    assert scale_bar(side) == bar


def test_outline_as_a_path() -> None:
    assert outline_path([((0.0, 1.0), (2.5, 1.0), (0.0, 1.0))]) == "M0.00 1.00L2.50 1.00L0.00 1.00Z"


def test_the_day_is_the_utc_day() -> None:
    assert days(seen(("a", "2018-07-01 23:59", 50, 0.5)), peaks())["a"] == date(2018, 7, 1).isoformat()
