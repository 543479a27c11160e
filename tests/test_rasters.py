# SPDX-License-Identifier: Apache-2.0
"""Maps written, read back and laid out for the web."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from acreline.errors import ContractError, InputError, StoreError
from acreline.rasters import read_raster, web_map, write_cog

CODES = np.array([[0, 1, 2], [3, 1, 0], [2, 2, 3]], np.uint8)
TABLE = {0: ("unknown", "#000000"), 1: ("maize", "#ffd300"), 2: ("grassland", "#2ca02c"), 3: ("potato", "#8c564b")}
PLACE = {"crs": "EPSG:32631", "origin_x": 399960.0, "origin_y": 5700000.0, "row": 7032, "col": 10140}


def test_a_map_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "crop.tif"
    write_cog(path, CODES, **PLACE, nodata=0, class_table=TABLE, tags={"layer": "crop"}, descriptions=["crop"])
    array, transform, crs, tags = read_raster(path)
    assert array.tolist() == [CODES.tolist()]
    assert transform == (10, 0, 501360, 0, -10, 5629680)
    assert crs == "EPSG:32631"
    assert tags["layer"] == "crop"
    assert json.loads(tags["classes"])["1"] == ["maize", "#ffd300"]
    with rasterio.open(path) as source:
        assert source.colormap(1)[1] == (255, 211, 0, 255)
        assert source.colorinterp[0].name == "palette"
        assert source.nodata == 0
        assert source.descriptions == ("crop",)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.compression.name == "deflate"
    assert [entry.name for entry in tmp_path.iterdir()] == ["crop.tif"]


def test_two_slots_and_a_20_m_map_of_other_numbers(tmp_path: Path) -> None:
    slots = np.stack([CODES, np.zeros_like(CODES)])
    write_cog(tmp_path / "a.tif", slots, **PLACE, nodata=0, class_table=TABLE, descriptions=["slot A", "slot B"])
    array, _, _, tags = read_raster(tmp_path / "a.tif")
    np.testing.assert_array_equal(array, slots)
    assert json.loads(tags["classes"])["3"][0] == "potato"
    write_cog(tmp_path / "b.tif", CODES * 1.5, **{**PLACE, "row": 3516, "col": 5070}, pixel_m=20)
    array, transform, _, _ = read_raster(tmp_path / "b.tif")
    assert array[0, 2, 2] == 4.5
    assert transform == (20, 0, 501360, 0, -20, 5629680)


def test_the_same_map_has_the_same_bytes(tmp_path: Path) -> None:
    big = np.random.default_rng(0).integers(0, 4, (2, 700, 900)).astype(np.uint8)
    for array in (big, big[0], CODES):
        for name in ("a", "b"):
            write_cog(tmp_path / f"{name}.tif", array, **PLACE, nodata=0, class_table=TABLE, tags={"b": "1", "a": "2"})
        assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_failed_write_leaves_the_old_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "crop.tif"
    write_cog(path, CODES, **PLACE)
    old = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match=r"crop\.tif: cannot be written: No space left on device"):
        write_cog(path, CODES + 1, **PLACE)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written: No such file or directory"):
        write_cog(tmp_path / "none" / "a.tif", CODES, **PLACE)


@pytest.mark.parametrize(
    ("array", "how", "words"),
    [
        (np.zeros((2, 2), np.float32), {"class_table": TABLE}, "a class table needs uint8 codes, found float32"),
        (CODES, {"class_table": {256: ("x", "#ffffff")}}, "a class table needs uint8 codes"),
        (CODES, {"class_table": {1: ("x", "yellow")}}, "colour 'yellow' is not #rrggbb"),
        (CODES, {"descriptions": ["a", "b"]}, "is no map"),
        (np.zeros((0, 4), np.uint8), {}, "is no map"),
    ],
)
def test_what_does_not_fit_is_our_bug(tmp_path: Path, array: np.ndarray, how: dict, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        write_cog(tmp_path / "a.tif", array, **PLACE, **how)
    assert list(tmp_path.iterdir()) == []


def test_web_map_puts_each_field_where_it_lies(tmp_path: Path) -> None:
    codes = np.zeros((64, 64), np.uint8)
    codes[10:20, 40:60] = 2
    codes[40:60, 5:15] = 3
    write_cog(tmp_path / "a.tif", codes, **PLACE, nodata=0, class_table=TABLE)
    seen, (west, south, east, north) = web_map(tmp_path / "a.tif")
    assert seen.dtype == np.uint8
    assert set(np.unique(seen)) == {0, 2, 3}
    assert 2 < west < east < 4
    assert 50 < south < north < 52

    # A browser stretches the picture evenly between the corners in web mercator.
    to_web = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    left, bottom = to_web.transform(west, south)
    right, top = to_web.transform(east, north)
    assert (right - left) / seen.shape[1] == pytest.approx((top - bottom) / seen.shape[0], rel=1e-6)
    from_utm = Transformer.from_crs("EPSG:32631", "EPSG:3857", always_xy=True)
    for row, col, code in ((15, 50, 2), (50, 10, 3), (15, 10, 0), (60, 60, 0)):
        x, y = from_utm.transform(501360 + (col + 0.5) * 10, 5629680 - (row + 0.5) * 10)
        at = int((top - y) / (top - bottom) * seen.shape[0]), int((x - left) / (right - left) * seen.shape[1])
        assert seen[at] == code


def test_web_map_lets_a_code_give_way_to_the_other_slot(tmp_path: Path) -> None:
    codes = np.zeros((2, 32, 32), np.uint8)
    codes[0, :16], codes[1, 8:24] = 1, 3  # nothing grew early, something late; below it only late; above only nothing
    write_cog(tmp_path / "a.tif", codes, **PLACE, nodata=0, class_table=TABLE)
    plain, _ = web_map(tmp_path / "a.tif")
    weak, _ = web_map(tmp_path / "a.tif", weak=1)
    assert set(np.unique(plain)) == set(np.unique(weak)) == {0, 1, 3}
    assert (weak == 3).sum() == pytest.approx(2 * (plain == 3).sum(), rel=0.1)
    assert (weak == 1).sum() == pytest.approx((plain == 1).sum() / 2, rel=0.1)


def test_web_map_joins_slots_and_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = np.zeros((2, 64, 64), np.uint8)
    slots[0, :32], slots[1] = 1, 2
    write_cog(tmp_path / "a.tif", slots, **PLACE, nodata=0, class_table=TABLE)
    seen, bounds = web_map(tmp_path / "a.tif")
    middle = seen.shape[1] // 2
    assert seen[seen.shape[0] // 4, middle] == 1
    assert seen[3 * seen.shape[0] // 4, middle] == 2
    monkeypatch.setattr("acreline.rasters.MAX_WEB_PX", 20)
    small, same = web_map(tmp_path / "a.tif")
    assert max(small.shape) == 20
    assert same == pytest.approx(bounds, abs=1e-3)


def test_files_that_are_no_maps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.tif: no such file"):
        read_raster(tmp_path / "gone.tif")
    (tmp_path / "text.tif").write_text("no")
    with pytest.raises(InputError, match=r"text\.tif: not a GeoTIFF that can be read"):
        web_map(tmp_path / "text.tif")
    write_cog(tmp_path / "wide.tif", CODES.astype(np.uint16), **PLACE)
    with pytest.raises(InputError, match="a map of codes is uint8, found uint16"):
        web_map(tmp_path / "wide.tif")
