# SPDX-License-Identifier: Apache-2.0
"""Reading pixels: numbers, places, joins, and what becomes of a file that cannot be trusted."""

from __future__ import annotations

import logging
import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.mask
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from acreline.config import ReadSettings
from acreline.errors import InputError, SourceError
from acreline.fetch import Fetcher, address_problem, redact
from acreline.geotiff import Window, _inflate, read_header
from acreline.imagery import ASSETS, _read_window, clip_cube, load_cube, settle_dn
from acreline.layers import BANDS_10M, BANDS_20M, Cube, Scene
from acreline.reflectance import GreenCount, judge_offset
from tests.range_server import RangeServer
from tests.scenes import (
    COL,
    CRS,
    ORIGIN_X,
    ORIGIN_Y,
    ROW,
    SIZE,
    at_server,
    make_block,
    make_scene,
    make_scenes,
    write_tif,
)

READ = ReadSettings(threads=4, connect_timeout_s=2, timeout_s=20, max_retry=2)
INNER = slice(32, 32 + SIZE)
"""The made files inside the cube: the block is one network cell, the halo is 32 px."""


def verdicts(cube: xr.Dataset) -> dict[str, tuple[str, str]]:
    return {note.scene_id: (note.verdict, note.detail) for note in cube.attrs["notes"]}


def same(one: xr.Dataset, other: xr.Dataset) -> bool:
    return bool(one.identical(other.assign_attrs(notes=one.attrs["notes"])))


@pytest.fixture
def two(tmp_path: Path) -> list[Scene]:
    return [make_scene(tmp_path, "first", day=0), make_scene(tmp_path, "second", day=5)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RangeServer]:
    with RangeServer(tmp_path) as running:
        yield running


# --- numbers ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dn_offset", "dn", "stored"),
    [
        (1000, [0, 1, 900, 1000, 1500, 65535], [0, 1, 900, 1000, 1500, 65535]),
        (0, [0, 1, 900, 1000, 1500, 64536, 65535], [0, 1001, 1900, 2000, 2500, 65535, 65535]),
        (2000, [0, 1, 1000, 1001, 2500], [0, 1, 1, 1, 1500]),
    ],
)
def test_nothing_wraps_and_zero_stays_no_data(dn_offset: int, dn: list[int], stored: list[int]) -> None:
    got = settle_dn(np.array(dn, np.uint16), dn_offset)
    assert got.dtype == np.uint16
    assert got.tolist() == stored
    assert settle_dn(np.array(dn, ">u2"), dn_offset).tolist() == stored


def test_a_field_reads_the_same_before_and_after_baseline_0400(tmp_path: Path) -> None:
    old = make_scene(tmp_path, "old", day=0, dn_offset=0, noise=0)
    new = make_scene(tmp_path, "new", day=5, dn_offset=1000, noise=0)
    cube = load_cube(make_scenes([old, new]), make_block(), READ)
    assert cube["dn10"].values[0].any()
    np.testing.assert_array_equal(cube["dn10"].values[0], cube["dn10"].values[1])
    np.testing.assert_array_equal(cube["dn20"].values[0], cube["dn20"].values[1])


# --- places -------------------------------------------------------------------------------------------------------
def test_every_pixel_lies_where_its_coordinates_say(tmp_path: Path) -> None:
    r, c = np.indices((4, 4))
    fine = (1000 + 10 * r + c).astype(np.uint16)
    coarse = np.array([[2000, 2001], [2010, 2011]], np.uint16)
    dn = {**dict.fromkeys(BANDS_10M, fine), **dict.fromkeys(BANDS_20M, coarse)}
    scl = np.array([[4, 6], [5, 0]])
    scene = make_scene(tmp_path, "s", row=130, col=196, height=4, width=4, dn=dn, scl=scl)
    cube = load_cube(make_scenes([scene]), make_block(), READ)

    assert cube.sizes["y"] == cube.sizes["x"] == 128
    assert (cube.attrs["row"], cube.attrs["col"]) == (96, 160)
    # The 10 m pixel (131, 198) of the tile: its centre is 1315 m south and 1985 m east of the corner.
    spot = {"y": ORIGIN_Y - 1315, "x": ORIGIN_X + 1985}
    assert cube["dn10"].sel(spot, method=None).values.ravel().tolist() == [1012] * 4
    assert cube["dn20"].sel(y20=ORIGIN_Y - 1310, x20=ORIGIN_X + 1990).values.ravel().tolist() == [2001] * 6
    assert np.count_nonzero(cube["dn10"]) == 4 * 16
    assert np.count_nonzero(cube["dn20"]) == 6 * 4

    clear = cube["clear"].values[0][34:38, 36:40]
    assert clear.astype(int).tolist() == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert np.count_nonzero(cube["clear"]) == 12
    assert [tuple(at) for at in np.argwhere(cube["water"].values[0])] == [(17, 19)]


def test_the_halo_beyond_the_tile_is_no_data(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "s", row=0, col=0, height=32, width=32)
    cube = load_cube(make_scenes([scene]), make_block(0, 0, 32, 32), READ)
    assert (cube.attrs["row"], cube.attrs["col"]) == (-32, -32)
    seen = (cube["dn10"].values[0] != 0).all(axis=0)
    assert seen[32:64, 32:64].all()
    assert np.count_nonzero(seen) == 32 * 32
    np.testing.assert_array_equal(cube["clear"].values[0], seen)
    assert float(cube["x"][32]) == ORIGIN_X + 5


def test_clear_needs_every_band_and_distance_from_cloud(tmp_path: Path) -> None:
    hole = np.full((SIZE, SIZE), 4600, np.uint16)
    hole[5, 7] = 0
    scl = np.full((SIZE // 2, SIZE // 2), 4)
    scl[20, 20] = 9
    scene = make_scene(tmp_path, "s", dn={"B08": hole}, scl=scl)
    clear = load_cube(make_scenes([scene]), make_block(), READ)["clear"].values[0][INNER, INNER]
    expected = np.ones((SIZE, SIZE), bool)
    expected[5, 7] = False
    expected[2 * 17 : 2 * 24, 2 * 17 : 2 * 24] = False
    np.testing.assert_array_equal(clear, expected)


KINDS = {
    "cog": {},
    "tiled, differences": {
        "driver": "GTiff",
        "compress": "DEFLATE",
        "predictor": 2,
        "tiled": True,
        "blockxsize": 16,
        "blockysize": 32,
    },
    "tiled, plain": {"driver": "GTiff", "compress": "DEFLATE", "tiled": True, "blockxsize": 32, "blockysize": 16},
    "strips": {"driver": "GTiff", "compress": "DEFLATE", "predictor": 2, "blockysize": 7},
    "big endian": {
        "driver": "GTiff",
        "compress": "DEFLATE",
        "predictor": 2,
        "ENDIANNESS": "BIG",
        "tiled": True,
        "blockxsize": 16,
        "blockysize": 16,
    },
    "BigTIFF": {
        "driver": "GTiff",
        "compress": "DEFLATE",
        "BIGTIFF": "YES",
        "tiled": True,
        "blockxsize": 16,
        "blockysize": 16,
    },
    "no data 9": {"driver": "GTiff", "compress": "DEFLATE", "nodata": 9},
    "lzw": {"driver": "GTiff", "compress": "LZW"},
    "uncompressed": {"driver": "GTiff"},
    "zstd cog": {"compress": "ZSTD"},
    "jp2": {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("served", [False, True], ids=["disk", "http"])
def test_every_kind_of_file_is_read_as_gdal_reads_it(
    tmp_path: Path, server: RangeServer, kind: str, served: bool
) -> None:
    values = np.random.default_rng(3).integers(0, 60_000, (75, 53)).astype(np.uint16)
    values[:20, :20] = 9
    scene = make_scene(tmp_path, "s", row=120, col=180, height=80, width=80)
    path = tmp_path / "s" / ("B08.jp2" if kind == "jp2" else "B08.tif")
    write_tif(path, values, row=123, col=185, **KINDS[kind])
    with rasterio.open(path) as source:
        truth = np.zeros((128, 128), np.uint16)
        truth[123 - 96 : 123 - 96 + 75, 185 - 160 : 185 - 160 + 53] = source.read(1)
    if kind == "no data 9":
        truth[truth == 9] = 0
    scene = replace(scene, assets={**scene.assets, "B08": str(path)})
    if served:
        scene = at_server(scene, tmp_path, server.url(""))
    cube = load_cube(make_scenes([scene]), make_block(), READ)
    assert verdicts(cube)["s"][0] == "used"
    np.testing.assert_array_equal(cube["dn10"].sel(band10="B08").values[0], truth)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_window_of_any_file_equals_gdal(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    row, col = data.draw(st.integers(60, 260)), data.draw(st.integers(120, 330))
    kind = data.draw(st.sampled_from([k for k in KINDS if k != "jp2"]))
    values = np.random.default_rng(height).integers(0, 65536, (height, width)).astype(np.uint16)
    path = write_tif(tmp_path_factory.mktemp("w") / "a.tif", values, row=row, col=col, **KINDS[kind])
    window = Window(CRS, ORIGIN_X, ORIGIN_Y, 10, 96, 160, 128, 128)
    with Fetcher(READ, frozenset()) as fetcher:
        got = _read_window(str(path), window, fetcher, {}, READ)
    truth = np.zeros((400, 500), np.uint16)
    truth[row : row + height, col : col + width] = np.where(values == 9, 0, values) if "9" in kind else values
    np.testing.assert_array_equal(got, truth[96 : 96 + 128, 160 : 160 + 128])


# --- passes -------------------------------------------------------------------------------------------------------
def test_parts_of_a_split_scene_become_one_pass(tmp_path: Path) -> None:
    left = make_scene(tmp_path, "left", day=1.0, width=40, pass_id="p", dn_offset=1000, noise=0)
    right = make_scene(tmp_path, "right", day=0.9, col=COL + 32, width=32, pass_id="p", dn_offset=0, noise=0)
    cube = load_cube(make_scenes([left, right]), make_block(), READ)
    assert cube["pass_id"].values.tolist() == ["p"]
    assert cube["time"].values[0] == np.datetime64("2023-05-02T08:26:00")  # the earlier part
    inner = cube["dn10"].values[0, :, INNER, INNER]
    assert (inner[3] == 3600 + 1000).all()
    assert cube["clear"].values[0, INNER, INNER].all()
    assert {verdict for verdict, _ in verdicts(cube).values()} == {"used"}


def test_a_damaged_part_leaves_the_other_part(tmp_path: Path) -> None:
    left = make_scene(tmp_path, "left", day=0.9, width=40, pass_id="p")
    right = make_scene(tmp_path, "right", day=1.0, col=COL + 32, width=32, pass_id="p")
    alone = load_cube(make_scenes([right]), make_block(), READ)
    Path(left.assets["B12"]).unlink()
    cube = load_cube(make_scenes([left, right]), make_block(), READ)
    assert same(cube, alone)
    assert verdicts(cube)["left"] == ("unreadable", "B12 B12.tif: no such file")


def test_threads_and_order_do_not_matter(tmp_path: Path) -> None:
    items = [make_scene(tmp_path, f"s{k}", day=(7 * k) % 5, scl=[4, 9, 5][k % 3]) for k in range(5)]
    Path(items[2].assets["B05"]).write_bytes(b"")
    one = load_cube(make_scenes(items), make_block(), READ.model_copy(update={"threads": 1}))
    assert one["time"].values.tolist() == sorted(one["time"].values.tolist())
    assert one.sizes["time"] == 4
    for threads in (2, 16):
        many = load_cube(make_scenes(items[::-1]), make_block(), READ.model_copy(update={"threads": threads}))
        assert one.identical(many)


def test_other_tiles_are_not_read(two: list[Scene]) -> None:
    other = replace(two[0], scene_id="other", tile="31UES", assets={})
    cube = load_cube(make_scenes([*two, other]), make_block(), READ)
    assert set(verdicts(cube)) == {"first", "second"}


# --- files that cannot be trusted ---------------------------------------------------------------------------------
def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for k in range(10):
        raw[-200 + k] ^= 0xFF
    path.write_bytes(bytes(raw))


def _vrt(path: Path) -> None:
    path.write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f"<SourceFilename>{path.with_name('B02.tif')}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )


def _grid(**how: object) -> object:
    def spoil(path: Path) -> None:
        values = np.full((64, 64), 3000, how.pop("dtype", np.uint16))  # type: ignore[call-overload]
        write_tif(path, values, **how)  # type: ignore[arg-type]

    return spoil


def _ungeoreferenced(path: Path) -> None:
    path.unlink()
    profile = {"driver": "GTiff", "height": 64, "width": 64, "count": 1, "dtype": "uint16"}
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path, "w", **profile) as out:
        out.write(np.full((64, 64), 3000, np.uint16), 1)


FAULTS = {
    "gone": (lambda path: path.unlink(), "no such file"),
    "empty": (lambda path: path.write_bytes(b""), "empty file"),
    "sign-in page": (lambda path: path.write_text("<html>sign in</html>"), "not a GeoTIFF"),
    "virtual raster": (_vrt, "not a GeoTIFF"),
    "flipped bytes": (_flip, "damaged GeoTIFF: tile 0,0 does not match its size or check sum"),
    "cut tile": (lambda path: path.write_bytes(path.read_bytes()[:-300]), "damaged GeoTIFF: tile 0,0 is cut off"),
    "cut tables": (
        lambda path: path.write_bytes(path.read_bytes()[:150]),
        "damaged GeoTIFF: its tables cannot be read",
    ),
    "20 m": (_grid(pixel_m=20), "grid disagrees with its item: pixels of 20 x 20 m, expected 10 m"),
    "other zone": (_grid(crs="EPSG:32632"), "grid disagrees with its item: in EPSG:32632, expected EPSG:32631"),
    "shifted": (_grid(row=ROW + 0.5), "is not on the tile's grid"),
    "decimals": (_grid(dtype=np.float32, predictor="NO"), "not one upright band of whole numbers: 1 of float32"),
    "nowhere": (_ungeoreferenced, "grid disagrees with its item: it does not say where it lies"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_sets_its_scene_aside_by_name(tmp_path: Path, two: list[Scene], fault: str) -> None:
    third = make_scene(tmp_path, "third", day=3)
    clean = load_cube(make_scenes(two), make_block(), READ)
    spoil, words = FAULTS[fault]
    spoil(Path(third.assets["B03"]))  # type: ignore[operator]
    cube = load_cube(make_scenes([*two, third]), make_block(), READ)
    assert same(cube, clean)
    verdict, detail = verdicts(cube)["third"]
    assert verdict == "unreadable"
    assert words in detail
    assert detail.startswith("B03 B03.tif: ")
    assert verdicts(cube)["first"] == ("used", "")


def test_flipped_bytes_are_found_wherever_they_are(tmp_path: Path) -> None:
    # libtiff gives half of such tiles out as pictures: it never looks at the check sum.
    values = np.random.default_rng(0).integers(1000, 3000, (256, 256)).astype(np.uint16)
    path = write_tif(
        tmp_path / "a.tif", values, driver="GTiff", compress="DEFLATE", tiled=True, blockxsize=128, blockysize=128
    )
    raw, rng = path.read_bytes(), random.Random(1)
    window = Window(CRS, ORIGIN_X, ORIGIN_Y, 10, ROW, COL, 256, 256)
    with Fetcher(READ, frozenset()) as fetcher:
        tiff = read_header(fetcher.open(str(path)))
        assert tiff is not None
        for _ in range(40):
            at = tiff.offsets[1] + rng.randrange(2, tiff.counts[1] - 12)
            path.write_bytes(raw[:at] + bytes(b ^ 0xFF for b in raw[at : at + 10]) + raw[at + 10 :])
            with pytest.raises(SourceError, match="damaged GeoTIFF: tile 0,1"):
                _read_window(str(path), window, fetcher, {}, READ)


def test_the_faster_unpacker_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = pytest.importorskip("deflate", reason="the extra `fast` is not installed")
    raw = np.random.default_rng(0).integers(0, 99, 5000).astype(np.uint16).tobytes()
    packed = zlib.compress(raw)
    broken = packed[:500] + b"\0\0\0" + packed[503:]
    for data in (packed, packed + b"more", packed[:-1], packed[:-4] + b"1234", broken, b"", zlib.compress(raw + b"1")):
        monkeypatch.setattr("acreline.geotiff.libdeflate", fast)
        quick = _inflate(data, len(raw))
        monkeypatch.setattr("acreline.geotiff.libdeflate", None)
        slow = _inflate(data, len(raw))
        assert (quick == raw) == (slow == raw)
        assert (data[: len(packed)] == packed) == (slow == raw)


def test_a_hole_in_one_band_is_told(tmp_path: Path) -> None:
    hole = np.full((SIZE, SIZE), 4600, np.uint16)
    hole[:20] = 0
    cube = load_cube(make_scenes([make_scene(tmp_path, "s", dn={"B08": hole})]), make_block(), READ)
    assert verdicts(cube)["s"] == ("used", "holes that other bands do not have: B08 1280 px")
    assert not cube["clear"].values[0, 32:52].any()


def test_a_scene_without_a_mask_is_never_all_clear(two: list[Scene]) -> None:
    bare = replace(two[0], assets={band: href for band, href in two[0].assets.items() if band not in ("SCL", "B08")})
    cube = load_cube(make_scenes([bare, two[1]]), make_block(), READ)
    assert verdicts(cube)["first"] == ("missing_asset", "no address for B08, SCL")
    assert cube.sizes["time"] == 1


def test_an_item_in_another_crs_is_refused(two: list[Scene]) -> None:
    cube = load_cube(make_scenes([replace(two[0], crs="EPSG:32632"), two[1]]), make_block(), READ)
    assert verdicts(cube)["first"][1] == "grid disagrees with its item: item in EPSG:32632, tile in EPSG:32631"


@pytest.mark.parametrize(
    ("stored_with", "told", "code"), [(1000, 0, "not_subtracted"), (0, 1000, "subtracted_twice"), (0, 0, "ok")]
)
def test_pixels_that_contradict_their_offset_are_told_by_their_counts(
    tmp_path: Path, stored_with: int, told: int, code: str
) -> None:
    scene = replace(make_scene(tmp_path, "s", dn_offset=stored_with), dn_offset=told)
    cube = load_cube(make_scenes([scene]), make_block(), READ)
    (note,) = cube.attrs["notes"]
    assert note.verdict == "used"
    assert judge_offset(GreenCount(*note.green)).code == code


def test_a_footprint_elsewhere_spares_the_files(two: list[Scene]) -> None:
    far = shapely.geometry.mapping(shapely.box(3.0, 50.0, 3.5, 50.5))
    away = replace(two[0], geometry=far, assets=dict.fromkeys(ASSETS, "/nowhere/x.tif"))
    odd = replace(two[1], geometry={"type": "Polygon", "coordinates": "?"})
    cube = load_cube(make_scenes([away, odd]), make_block(), READ)
    assert verdicts(cube)["first"] == ("outside", "its footprint does not touch the block")
    assert verdicts(cube)["second"] == ("used", "")


def test_a_scene_with_no_data_here_is_outside(tmp_path: Path, two: list[Scene]) -> None:
    elsewhere = make_scene(tmp_path, "elsewhere", row=2000, col=2000)
    black = make_scene(tmp_path, "black", dn=dict.fromkeys(ASSETS, 0), scl=0)
    cube = load_cube(make_scenes([*two, elsewhere, black]), make_block(), READ)
    assert verdicts(cube)["elsewhere"] == verdicts(cube)["black"] == ("outside", "no data in the block")
    assert cube.sizes["time"] == 2


def test_a_block_without_any_usable_scene_says_so(two: list[Scene]) -> None:
    Path(two[0].assets["B02"]).unlink()
    bare = replace(two[1], assets={})
    with pytest.raises(SourceError) as caught:
        load_cube(make_scenes([two[0], bare]), make_block(), READ)
    assert caught.value.message == ("block 31UDS_128_192: 2 scenes, none readable (1 unreadable, 1 missing_asset)")
    assert not caught.value.retryable
    with pytest.raises(SourceError, match=r"0 scenes, none readable \(none of this tile\)"):
        load_cube(make_scenes([]), make_block(), READ)


# --- over HTTP ----------------------------------------------------------------------------------------------------
def test_http_equals_disk_and_asks_once_per_small_file(tmp_path: Path, two: list[Scene], server: RangeServer) -> None:
    disk = load_cube(make_scenes(two), make_block(), READ)
    remote = load_cube(make_scenes([at_server(s, tmp_path, server.url("")) for s in two]), make_block(), READ)
    assert disk.identical(remote)
    assert len(server.asked()) == 2 * len(ASSETS)


def test_a_large_file_costs_one_request_and_one_for_each_row_of_tiles(tmp_path: Path, server: RangeServer) -> None:
    values = np.random.default_rng(0).integers(0, 9999, (1024, 1024)).astype(np.uint16)
    path = write_tif(tmp_path / "a.tif", values, row=0, col=0, blocksize=128)
    window = Window(CRS, ORIGIN_X, ORIGIN_Y, 10, 200, 300, 512, 256)  # 5 rows of 3 tiles, of 8 x 8
    with Fetcher(READ, frozenset([f"127.0.0.1:{server.port}"])) as fetcher:
        got = _read_window(server.url("a.tif"), window, fetcher, {}, READ)
        tiff = read_header(fetcher.open(str(path)))
    np.testing.assert_array_equal(got, values[200:712, 300:556])
    assert tiff is not None
    needed = sum(tiff.counts[r * 8 + c] for r in range(1, 6) for c in range(2, 5))
    assert len(server.asked()) == 6
    assert sum(entry.sent for entry in server.asked()) <= 1.02 * needed + 32_768


HTTP_FAULTS = {
    "404": ({"kind": "status", "status": 404}, "missing_asset", "not there (HTTP 404)"),
    "403": ({"kind": "status", "status": 403}, "unreadable", "access refused (HTTP 403)"),
    "always 503": ({"kind": "status", "status": 503}, "unreadable", "server error (HTTP 503)"),
    "html": ({"kind": "html"}, "unreadable", "expected a GeoTIFF, got text/html from 127.0.0.1 (sign-in?)"),
    "empty": ({"kind": "empty"}, "unreadable", "empty file"),
    "always cut": ({"kind": "cut"}, "unreadable", "connection cut after"),
    "loop": ({"kind": "redirect"}, "unreadable", "more than 5 redirects"),
    "other host": (
        {"kind": "redirect", "location": "http://127.0.0.2:9/x?token=SECRET"},
        "unreadable",
        "redirected (sign-in?), and that leads to 127.0.0.2:9, which no scene names",
    ),
    "other scheme": (
        {"kind": "redirect", "location": "file:///etc/passwd"},
        "unreadable",
        "scheme 'file' is not one that may be opened",
    ),
}


@pytest.mark.parametrize("fault", HTTP_FAULTS)
def test_a_bad_answer_sets_the_scene_aside_in_clear_words(
    tmp_path: Path, two: list[Scene], server: RangeServer, fault: str
) -> None:
    how, verdict, words = HTTP_FAULTS[fault]
    clean = load_cube(make_scenes(two[1:]), make_block(), READ)
    server.fail("first/B11.tif", **how)
    remote = [at_server(scene, tmp_path, server.url("")) for scene in two]
    cube = load_cube(make_scenes(remote), make_block(), READ)
    assert verdicts(cube)["first"][0] == verdict
    assert words in verdicts(cube)["first"][1]
    assert "SECRET" not in repr(cube.attrs["notes"])
    assert same(cube, clean)
    assert len(server.asked("first/B11.tif")) <= 6


@pytest.mark.parametrize(
    "how",
    [
        {"kind": "status", "status": 503, "times": 1},
        {"kind": "status", "status": 429, "times": 2},
        {"kind": "cut", "times": 1},
        {"kind": "no_range"},
    ],
    ids=lambda how: how["kind"] + str(how.get("status", "")),
)
def test_what_passes_is_waited_for(tmp_path: Path, two: list[Scene], server: RangeServer, how: dict) -> None:
    clean = load_cube(make_scenes(two), make_block(), READ)
    server.fail("first/B11.tif", **how)
    cube = load_cube(make_scenes([at_server(s, tmp_path, server.url("")) for s in two]), make_block(), READ)
    assert cube.identical(clean)


def test_a_quarter_of_requests_failing_changes_nothing(tmp_path: Path, two: list[Scene], server: RangeServer) -> None:
    clean = load_cube(make_scenes(two), make_block(), READ)
    for scene in two:
        for band in ASSETS:
            server.fail(f"{scene.scene_id}/{band}.tif", "status", status=503, every=4)
    patient = READ.model_copy(update={"max_retry": 4})
    cube = load_cube(make_scenes([at_server(s, tmp_path, server.url("")) for s in two]), make_block(), patient)
    assert cube.identical(clean)


def test_damage_on_the_way_is_read_once_more(tmp_path: Path, two: list[Scene], server: RangeServer) -> None:
    # The same address gives a damaged file first and the right one afterwards.
    path = Path(two[0].assets["B02"])
    good = path.read_bytes()
    _flip(path)
    server.serve_once("first/B02.tif", path.read_bytes())
    path.write_bytes(good)
    cube = load_cube(make_scenes([at_server(s, tmp_path, server.url("")) for s in two]), make_block(), READ)
    assert verdicts(cube)["first"] == ("used", "")
    assert len(server.asked("first/B02.tif")) == 2


def test_a_server_that_drips_is_left(
    tmp_path: Path, two: list[Scene], server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acreline.fetch.STALL_S", 0.5)
    server.fail("first/B11.tif", "slow")
    hasty = READ.model_copy(update={"max_retry": 0})
    cube = load_cube(make_scenes([at_server(s, tmp_path, server.url("")) for s in two]), make_block(), hasty)
    assert verdicts(cube)["first"][0] == "unreadable"
    assert "too slow" in verdicts(cube)["first"][1] or "no answer in time" in verdicts(cube)["first"][1]


def test_a_dead_server_fails_the_block_soon_and_may_be_tried_again(two: list[Scene], tmp_path: Path) -> None:
    dead = [at_server(scene, tmp_path, "http://127.0.0.1:9/") for scene in two]
    with pytest.raises(SourceError, match="2 scenes, none readable") as caught:
        load_cube(make_scenes(dead), make_block(), READ.model_copy(update={"threads": 2, "max_retry": 1}))
    assert caught.value.retryable
    assert caught.value.hint == "run again: only this block will be read"


def test_a_virtual_raster_over_http_reaches_no_other_port(
    tmp_path: Path, two: list[Scene], server: RangeServer
) -> None:
    with RangeServer(tmp_path) as inner:
        path = Path(two[0].assets["B08"])
        _vrt(path)
        path.write_text(
            path.read_text().replace(str(path.with_name("B02.tif")), f"/vsicurl/{inner.url('second/B02.tif')}")
        )
        cube = load_cube(make_scenes([at_server(s, tmp_path, server.url("")) for s in two]), make_block(), READ)
        assert verdicts(cube)["first"][1] == "B08 B08.tif: not a GeoTIFF"
        assert inner.asked() == []


def test_secrets_in_addresses_are_told_nowhere(
    tmp_path: Path, two: list[Scene], server: RangeServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    signed = []
    for scene in two:
        far = at_server(scene, tmp_path, server.url(""))
        signed.append(replace(far, assets={band: f"{href}?sig=SECRET" for band, href in far.assets.items()}))
    write_tif(Path(two[0].assets["B04"]), np.full((64, 64), 1400, np.uint16), driver="GTiff", compress="LZW")
    server.fail("second/B04.tif", "status", status=403)
    cube = load_cube(make_scenes(signed), make_block(), READ)
    assert verdicts(cube)["first"] == ("used", "")
    assert verdicts(cube)["second"] == ("unreadable", "B04 B04.tif: access refused (HTTP 403)")
    server.fail("first/B04.tif", "status", status=403)
    with pytest.raises(SourceError) as caught:
        load_cube(make_scenes(signed), make_block(), READ)
    told = f"{caught.value} {caught.value.hint} {caught.value.context} {cube.attrs} {caplog.text}"
    assert "SECRET" not in told
    assert redact("GET https://user:SECRET@h.org/a.tif?sig=SECRET#x failed") == "GET https://h.org/a.tif failed"


@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("file:///etc/passwd", "scheme 'file'"),
        ("ftp://example.org/a.tif", "scheme 'ftp'"),
        ("data:image/tiff;base64,SUkqAA==", "scheme 'data'"),
        ("GTIFF_DIR:1:/a.tif", "not one that may be opened"),
        ("/vsicurl/http://127.0.0.1/a.tif", "GDAL's own paths"),
        ("http:///a.tif", "without a host"),
        ("http://127.0.0.1/a\r\nHost: b.tif", "not a valid address"),
        ("http://127.0.0.1:99999/a.tif", "not a valid address"),
        ("http://169.254.169.254/latest/meta-data", "metadata"),
        ("http://2852039166/latest", "metadata"),
        ("http://0xA9FEA9FE/latest", "metadata"),
        ("http://0251.0376.0251.0376/latest", "metadata"),
        ("http://[fd00:ec2::254]/latest", "metadata"),
        ("http://[::ffff:169.254.169.254]/latest", "metadata"),
        ("http://0.0.0.0/a.tif", "link-local"),
    ],
)
def test_addresses_that_are_never_opened(two: list[Scene], href: str, words: str) -> None:
    assert words in str(address_problem(href))
    lured = replace(two[0], assets={**two[0].assets, "B08": href})
    cube = load_cube(make_scenes([lured, two[1]]), make_block(), READ)
    verdict, detail = verdicts(cube)["first"]
    assert verdict == "unreadable"
    assert "refused: " in detail
    assert words in detail


def test_s3_is_read_only_where_the_provider_sets_it_up(two: list[Scene]) -> None:
    lured = replace(two[0], assets={**two[0].assets, "B08": "s3://other-bucket/a.jp2"})
    cube = load_cube(make_scenes([lured, two[1]]), make_block(), READ)
    assert "refused: s3 is read only where the provider sets AWS_ options" in verdicts(cube)["first"][1]


# --- one parcel ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def meadow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Cube]:
    scene = make_scene(tmp_path_factory.mktemp("meadow"), "s")
    return scene, load_cube(make_scenes([scene]), make_block(), READ)


def _equals_mask(scene: Scene, cube: Cube, shape: shapely.Geometry) -> None:
    clip = clip_cube(cube, shape, CRS)
    for band, name, axis in (("B04", "dn10", "band10"), ("B11", "dn20", "band20")):
        with rasterio.open(scene.assets[band]) as source:
            truth, _ = rasterio.mask.mask(source, [shape], crop=False, nodata=0)
            whole = xr.zeros_like(cube[name].sel({axis: band}).isel(time=0))
            half = 32 if name == "dn10" else 16
            whole[half : half + source.height, half : half + source.width] = truth[0]
        got = clip[name].sel({axis: band}).isel(time=0)
        y, x = got.dims
        xr.testing.assert_equal(got.drop_vars(axis), whole.sel({y: got[y], x: got[x]}).drop_vars(axis))
        assert int(whole.astype(int).sum()) == int(got.astype(int).sum())  # nothing of the parcel is cut away


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rasterio.mask itself
def test_clip_equals_rasterio_mask_for_a_field(meadow: tuple[Scene, Cube]) -> None:
    scene, cube = meadow
    left, top = ORIGIN_X + COL * 10, ORIGIN_Y - ROW * 10
    field = shapely.Polygon(
        [(left + 41, top - 37), (left + 333, top - 90), (left + 260, top - 402), (left + 70, top - 310)]
    )
    _equals_mask(scene, cube, field)
    clip = clip_cube(cube, field, CRS)
    assert float(clip["inside"].sum()) * 100 == pytest.approx(field.area, rel=1e-4)
    seen = clip["reflectance"].sel(band="B08").isel(time=0)
    np.testing.assert_array_equal(np.isfinite(seen), clip["dn10"].sel(band10="B08").isel(time=0) != 0)
    assert float(seen.mean()) == pytest.approx(0.36, abs=0.001)
    assert np.isfinite(clip["reflectance"].sel(band="B11")).sum() == np.isfinite(seen).sum()
    assert (clip.attrs["row"], clip.attrs["col"]) == (ROW + 2, COL + 4)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # rasterio.mask itself
@settings(max_examples=30, deadline=None)
@given(st.floats(0, 600), st.floats(0, 600), st.floats(0.5, 300), st.floats(0.5, 300), st.floats(0, 90))
def test_clip_equals_rasterio_mask_for_any_box(
    meadow: tuple[Scene, Cube], east: float, south: float, width: float, height: float, turn: float
) -> None:
    left, top = ORIGIN_X + COL * 10 + east, ORIGIN_Y - ROW * 10 - south
    box = shapely.affinity.rotate(shapely.box(left, top - height, left + width, top), turn)
    inner = shapely.box(ORIGIN_X + COL * 10, ORIGIN_Y - ROW * 10 - 640, ORIGIN_X + COL * 10 + 640, ORIGIN_Y - ROW * 10)
    shape = box.intersection(inner)
    if shape.geom_type == "Polygon" and shape.area > 1:
        _equals_mask(*meadow, shape)


def test_clip_takes_a_table_row_in_lon_lat(meadow: tuple[Scene, Cube]) -> None:
    import geopandas as gpd

    left, top = ORIGIN_X + COL * 10 + 100, ORIGIN_Y - ROW * 10 - 100
    shape = gpd.GeoSeries([shapely.box(left, top - 100, left + 100, top)], crs=CRS)
    lonlat = gpd.GeoDataFrame(geometry=shape).to_crs("EPSG:4326")
    clip = clip_cube(meadow[1], lonlat)
    assert float(clip["inside"].sum()) == pytest.approx(100, abs=0.01)
    assert clip_cube(meadow[1], lonlat.geometry.iloc[0]).identical(clip)
    assert clip_cube(meadow[1], lonlat.geometry).identical(clip)
    with pytest.raises(InputError, match="one polygon with a CRS is needed, found 2"):
        clip_cube(meadow[1], gpd.GeoSeries([shape.iloc[0]] * 2, crs=CRS))
    with pytest.raises(InputError, match="does not touch the cube"):
        clip_cube(meadow[1], shapely.box(4, 51, 4.01, 51.01))


def test_addresses_may_hold_spaces_and_letters(tmp_path: Path, server: RangeServer) -> None:
    scene = make_scene(tmp_path, "农田 a", day=0)
    cube = load_cube(make_scenes([at_server(scene, tmp_path, server.url(""))]), make_block(), READ)
    assert verdicts(cube) == {"农田 a": ("used", "")}
