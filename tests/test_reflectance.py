# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.errors import SourceError
from acreline.reflectance import baseline_of, check_offset, count_green, judge_offset, settle_offset

NOTHING: dict[str, Any] = {}
V1 = {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}
V2 = {"raster:scale": 0.0001, "raster:offset": -0.1}
BAND_LIST = {"bands": [{"name": "B04", "raster:scale": 0.0001, "raster:offset": -0.1}]}
ZERO = {"raster:scale": 0.0001, "raster:offset": 0}
OLD = {"s2:processing_baseline": "02.14"}
NEW = {"s2:processing_baseline": "05.09"}


# --- what the item says -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("properties", "asset", "way", "dn_offset", "how", "flags"),
    [
        ({}, V1, "stac", 1000, "the band states offset -0.1", ()),
        ({}, V2, "stac", 1000, "the band states offset -0.1", ()),
        ({}, BAND_LIST, "stac", 1000, "the band states offset -0.1", ()),
        (OLD, ZERO, "stac", 0, "the band states offset 0", ()),
        (NEW, ZERO, "stac", 0, "the band states offset 0", ("offset_against_baseline",)),
        (OLD, V2, "stac", 1000, "the band states offset -0.1", ("offset_against_baseline",)),
        (NEW, {"raster:scale": 0.0001}, "stac", 1000, "baseline 05.09", ()),
        (NEW, NOTHING, "stac", 1000, "baseline 05.09", ()),
        (OLD, NOTHING, "stac", 0, "baseline 02.14", ()),
        ({"s2:processing_baseline": "04.00"}, NOTHING, "stac", 1000, "baseline 04.00", ()),
        ({"s2:processing_baseline": "03.01"}, NOTHING, "stac", 0, "baseline 03.01", ()),
        ({"s2:processing_baseline": "10.00"}, NOTHING, "stac", 1000, "baseline 10.00", ()),
        ({"earthsearch:boa_offset_applied": True} | NEW, V1, "boa_flag", 0, "taken off already", ()),
        ({"sentinel:boa_offset_applied": True} | NEW, NOTHING, "boa_flag", 0, "taken off already", ()),
        ({"earthsearch:boa_offset_applied": True} | NEW, V1, "stac", 0, "taken off already", ()),
        ({"earthsearch:boa_offset_applied": False} | NEW, ZERO, "boa_flag", 1000, "left in; baseline 05.09", ()),
        ({"earthsearch:boa_offset_applied": False} | OLD, V1, "boa_flag", 0, "left in; baseline 02.14", ()),
        ({"earthsearch:boa_offset_applied": False}, V1, "boa_flag", 1000, "the band states offset -0.1", ()),
        ({"earthsearch:boa_offset_applied": "yes"} | NEW, V1, "boa_flag", 1000, "states", ("offset_flag_missing",)),
        (OLD, NOTHING, "boa_flag", 0, "baseline 02.14", ("offset_flag_missing",)),
        (NEW, ZERO, "baseline", 1000, "baseline 05.09", ()),
        (OLD, V1, "baseline", 0, "baseline 02.14", ()),
        ({"datetime": "2022-01-24T23:59:59Z"}, NOTHING, "stac", 0, "sensed 2022-01-24", ("offset_assumed",)),
        ({"datetime": None, "start_datetime": "2019-05-01T00:00:00Z"}, NOTHING, "baseline", 0, "", ("offset_assumed",)),
    ],
)
def test_the_offset_is_settled(
    properties: Any, asset: Any, way: Any, dn_offset: int, how: str, flags: tuple[str, ...]
) -> None:
    offset = settle_offset(properties, asset, way)
    assert (offset.dn_offset, offset.flags) == (dn_offset, flags)
    assert how in offset.how


@pytest.mark.parametrize("day", ["2022-01-25T00:00:00Z", "2026-01-01", None])
def test_nothing_said_of_a_new_scene_is_refused(day: str | None) -> None:
    with pytest.raises(SourceError, match="neither offset nor baseline is stated, and the scene is of") as caught:
        settle_offset({"datetime": day}, {}, "stac")
    assert not caught.value.retryable


@pytest.mark.parametrize(
    "asset",
    [
        {"raster:scale": 0.0001, "raster:offset": -0.2},
        {"raster:scale": 0.001, "raster:offset": -0.1},
        {"raster:scale": 1, "raster:offset": -1000},
        {"raster:scale": 0.0001, "raster:offset": 0.1},
        {"raster:scale": "0.0001", "raster:offset": 0},
        {"raster:offset": -0.1},
        {"raster:bands": [{"offset": -1000}]},
    ],
)
def test_other_scales_and_offsets_are_refused(asset: Any) -> None:
    with pytest.raises(SourceError, match=r"the band states scale .* known are 0\.0001 with 0 or -0\.1"):
        settle_offset(NEW, asset, "stac")


@pytest.mark.parametrize(
    ("properties", "href", "baseline"),
    [
        ({"s2:processing_baseline": "05.09"}, "", "05.09"),
        ({"processing:version": "05.00"}, "", "05.00"),
        ({"processing:version": "1.2.3"}, "", None),
        ({"sentinel:processing_baseline": "2.14"}, "", "02.14"),
        ({"s2:product_uri": "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T155057.SAFE"}, "", "05.09"),
        ({"s2:datatake_id": "GS2A_20200219T112111_024344_N02.14"}, "", "02.14"),
        ({}, "https://a.org/S2A_MSIL2A_20230216T150721_N0400_R082_T19PHS_20230217T082924.SAFE/B04.tif", "04.00"),
        ({"s2:processing_baseline": 5.09}, "https://a.org/B04.tif", None),
    ],
)
def test_the_baseline_is_found(properties: Any, href: str, baseline: str | None) -> None:
    assert baseline_of(properties, href) == baseline


@given(major=st.integers(0, 99), minor=st.integers(0, 99))
def test_baselines_compare_as_numbers(major: int, minor: int) -> None:
    offset = settle_offset({"s2:processing_baseline": f"{major:02d}.{minor:02d}"}, {}, "baseline")
    assert offset.dn_offset == (1000 if major >= 4 else 0)


# --- what the pixels say ------------------------------------------------------------------------------------------
def make_canopy(shift: int = 0, size: int = 20, haze: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two thirds dense summer canopy (red 3 %, blue 2.5 %, near infrared 45 %), one third bare soil, as v."""
    rng = np.random.default_rng(7)
    soil = np.arange(size * size).reshape(size, size) % 3 == 0
    leaf = {"B02": 1250 + haze, "B04": 1300 + haze, "B08": 5500}
    bare = {"B02": 1900, "B04": 2500, "B08": 3600}
    values = {
        band: np.clip(np.where(soil, bare[band], leaf[band]) + rng.integers(-150, 150, (size, size)) + shift, 1, 65535)
        for band in leaf
    }
    return {band: value.astype(np.uint16) for band, value in values.items()}, np.ones((size, size), dtype=bool)


@pytest.mark.parametrize(
    ("shift", "code"), [(0, "ok"), (1000, "not_subtracted"), (-1000, "subtracted_twice"), (150, "ok"), (-150, "ok")]
)
def test_the_pixels_tell_a_wrong_offset(shift: int, code: str) -> None:
    verdict = check_offset(*make_canopy(shift))
    assert verdict.code == code
    assert verdict.ok == (code == "ok")
    assert "green pixels" in verdict.detail


def test_haze_is_not_taken_for_a_wrong_offset() -> None:
    assert check_offset(*make_canopy(haze=550)).code == "ok"


def test_only_clear_pixels_with_data_count() -> None:
    values, clear = make_canopy(1000)
    values["B02"][:14] = 0
    verdict = check_offset(values, clear)
    assert (verdict.ok, verdict.code) == (True, "not_checked")
    assert verdict.detail == "80 green pixels, 200 are needed"
    assert check_offset(make_canopy(1000)[0], ~clear).code == "not_checked"


def test_numbers_do_not_wrap() -> None:
    values = {band: np.full((20, 20), v, np.uint16) for band, v in {"B02": 1300, "B04": 60_000, "B08": 100}.items()}
    assert check_offset(values, np.ones((20, 20), dtype=bool)).code == "not_checked"


def test_counts_of_two_halves_add_up_to_the_whole() -> None:
    values, clear = make_canopy(1000)
    upper = count_green({band: value[:9] for band, value in values.items()}, clear[:9])
    lower = count_green({band: value[9:] for band, value in values.items()}, clear[9:])
    assert upper + lower == count_green(values, clear)
    assert judge_offset(upper).code == "not_checked"
    assert judge_offset(upper + lower).code == "not_subtracted"
