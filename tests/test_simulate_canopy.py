# SPDX-License-Identifier: Apache-2.0
"""How ground looks: the emulator against the model it stands for, and each cover against what is known of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from acreline.errors import ConfigError, InputError
from acreline.layers import BANDS
from acreline.simulate.canopy import (
    BARE_SOIL,
    COEFFICIENTS,
    RANGES,
    canopy_reflectance,
    emulate,
    packaged_emulator,
    read_emulator,
    relative_azimuth,
)
from acreline.simulate.covers import CLEAR_WATER, TURBID_WATER
from tests.made_ground import make_overpass, make_state
from tests.scripts import load_script

AT = {band: k for k, band in enumerate(BANDS)}


def look(**changes: object) -> np.ndarray:
    """(band, pair) of a crop with some names changed."""
    count = max(np.size(value) for value in changes.values()) if changes else 1
    return canopy_reflectance(make_state(count, **changes), make_overpass())


def ndvi(seen: np.ndarray) -> np.ndarray:
    return (seen[AT["B08"]] - seen[AT["B04"]]) / (seen[AT["B08"]] + seen[AT["B04"]])


def test_the_emulator_answers_as_the_model_did() -> None:
    with np.load(COEFFICIENTS) as stored:
        given = {name: stored[f"check_{name}"] for name in RANGES}
        truth = stored["check_reflectance"]  # (sample, satellite, band)
    assert truth.shape == (20, 2, 10)
    for satellite in (0, 1):
        error = emulate(packaged_emulator(), given, satellite) - truth[:, satellite].T
        assert np.sqrt((error**2).mean()) < 0.0015
        assert np.abs(error).max() < 0.01


def test_the_emulator_answers_as_the_model_does() -> None:
    why = "the canopy model itself is not installed: pip install 'acreline[canopy]'"
    pytest.importorskip("xleaf", reason=why)
    pytest.importorskip("pyrsr", reason=why)
    build = load_script("build_canopy")
    responses = build.read_responses()
    samples = build.draw_samples(200, seed=99)
    truth = build.run_model(samples, responses, build.draw_soils(responses))
    for satellite in (0, 1):
        error = emulate(packaged_emulator(), samples, satellite) - truth[:, satellite].T
        assert (np.sqrt((error**2).mean(axis=1)) < 0.002).all()  # each band


def test_the_coefficients_are_small_and_say_whence_they_come() -> None:
    assert COEFFICIENTS.stat().st_size < 200_000
    with np.load(COEFFICIENTS) as stored:
        about = str(stored["about"])
    assert "MIT" in about
    assert "PROSPECT-D" in about


def test_coefficients_that_are_none_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"not a zip"):
        (tmp_path / "canopy.npz").write_bytes(content)
        with pytest.raises(ConfigError, match=r"coefficients in .*canopy.npz cannot be read") as caught:
            read_emulator(tmp_path / "canopy.npz")
        assert "build_canopy.py" in caught.value.hint
    np.savez(tmp_path / "other.npz", weight0=np.zeros(3))
    with pytest.raises(ConfigError, match=r"other\.npz"):
        read_emulator(tmp_path / "other.npz")
    with pytest.raises(ConfigError, match=r"none\.npz"):
        read_emulator(tmp_path / "none.npz")


def test_bare_ground_is_exactly_the_soil() -> None:
    seen = look(lai=0.0, soil_bright=0.8, soil_wet=0.0)[:, 0]
    assert seen == pytest.approx(0.8 * BARE_SOIL, abs=2e-3)  # the band's response over a drawn line: not to the digit
    assert (look(lai=0.0, soil_wet=1.0) < 0.62 * look(lai=0.0, soil_wet=0.0)).all()


def test_greenness_rises_with_leaf_area() -> None:
    green = ndvi(look(lai=np.linspace(0, 6, 25)))
    assert (np.diff(green) > 0).all()
    assert green[0] < 0.25
    assert green[-1] > 0.85


def test_a_dry_brown_canopy_is_redder_and_less_bright_in_the_infrared() -> None:
    green, brown = look()[:, 0], look(cbrown=0.8, cab=12.0, cw=0.006)[:, 0]
    assert brown[AT["B04"]] > green[AT["B04"]] + 0.02
    assert brown[AT["B08"]] < green[AT["B08"]]


def test_leaf_water_darkens_the_short_waves_and_leaves_the_red_alone() -> None:
    dry, moist = look(cw=0.006)[:, 0], look(cw=0.024)[:, 0]
    assert moist[AT["B11"]] < dry[AT["B11"]] - 0.05
    assert moist[AT["B12"]] < dry[AT["B12"]] - 0.03
    assert moist[AT["B04"]] == pytest.approx(dry[AT["B04"]], abs=0.003)


def test_the_red_edge_moves_with_chlorophyll() -> None:
    seen = look(cab=np.linspace(15, 75, 13))
    assert (np.diff(seen[AT["B05"]]) < 0).all()
    reip = 700 + 40 * ((seen[AT["B04"]] + seen[AT["B07"]]) / 2 - seen[AT["B05"]]) / (seen[AT["B06"]] - seen[AT["B05"]])
    assert reip[-1] - reip[0] > 8  # nanometres


def test_the_satellites_differ_by_what_their_responses_say() -> None:
    rng = np.random.default_rng(4)
    drawn = {name: rng.uniform(*RANGES[name], 400) for name in ("lai", "ala", "n_leaf", "cab", "cw", "cm")}
    # a ripe crop looks alike to both: its spectrum is one fixed level
    state = make_state(400, **drawn, cbrown=rng.uniform(0, 0.6, 400))
    a, b, c = (canopy_reflectance(state, make_overpass(platform=f"sentinel-2{letter}")) for letter in "abc")
    difference = (a - b).mean(axis=1)
    assert difference[AT["B06"]] == pytest.approx(0.0045, abs=0.002)
    assert difference[AT["B07"]] == pytest.approx(0.0030, abs=0.002)
    for band in ("B02", "B03", "B04", "B05", "B08", "B8A"):
        assert abs(difference[AT[band]]) < 0.0015
    np.testing.assert_array_equal(a, c)


def test_the_side_with_the_sun_behind_is_brighter() -> None:
    assert relative_azimuth(make_overpass(sun_azimuth_deg=350.0, view_azimuth_deg=20.0)) == pytest.approx(30)
    at_edge = {"sun_azimuth_deg": 140.0, "view_zenith_deg": 10.0}
    behind = canopy_reflectance(make_state(), make_overpass(view_azimuth_deg=140.0, **at_edge))
    against = canopy_reflectance(make_state(), make_overpass(view_azimuth_deg=320.0, **at_edge))
    assert (behind > against).all()


def test_water_is_dark_in_the_short_waves_and_brown_where_it_is_stirred_up() -> None:
    clear, muddy = look(water=1.0, soil_bright=np.array([0.4, 1.6])).T
    assert clear == pytest.approx(CLEAR_WATER, abs=1e-6)
    assert muddy == pytest.approx(TURBID_WATER, abs=1e-6)
    for water in (clear, muddy):
        assert water[AT["B11"]] < 0.02
        assert water[AT["B03"]] > water[AT["B08"]]  # NDWI above 0
    assert muddy[AT["B04"]] > muddy[AT["B02"]]


def test_film_is_bright_and_snow_brighter_but_dark_in_the_short_waves() -> None:
    film, snow, soil = (look(lai=0.0, **{name: 1.0})[:, 0] for name in ("film", "snow", "water"))
    assert (film[:3] > 0.2).all()
    assert (snow[:4] > 0.7).all()
    assert snow[AT["B11"]] < 0.15
    assert (film > soil).all()


def test_straw_is_brighter_than_soil_and_low_in_b12() -> None:
    straw, soil = look(lai=0.0, straw=1.0)[:, 0], look(lai=0.0)[:, 0]
    assert straw[AT["B04"]] > soil[AT["B04"]]
    assert straw[AT["B12"]] / straw[AT["B11"]] < soil[AT["B12"]] / soil[AT["B11"]] - 0.05


def test_yellow_flowers_raise_green_and_red_by_what_is_seen_of_rapeseed() -> None:
    gain = look(flower=1.0)[:, 0] - look()[:, 0]
    assert gain[AT["B03"]] == pytest.approx(0.07, abs=1e-3)
    assert gain[AT["B04"]] == pytest.approx(0.06, abs=1e-3)
    assert abs(gain[AT["B02"]]) < 0.01


def test_a_cover_hides_what_lies_under_it_in_the_order_told() -> None:
    under = look(sealed=1.0, straw=1.0, film=1.0, water=1.0, snow=np.array([1.0, 0.0]))
    assert under[:, 0] == pytest.approx(look(snow=1.0)[:, 0], abs=1e-6)
    assert under[:, 1] == pytest.approx(look(water=1.0)[:, 0], abs=1e-6)
    half, all_of_it, none = (look(water=share)[:, 0] for share in (0.5, 1.0, 0.0))
    assert half == pytest.approx((all_of_it + none) / 2, abs=1e-6)


def test_trees_are_green_in_summer_and_barer_in_winter() -> None:
    wood = make_state(1, wood=1.0)
    summer = canopy_reflectance(wood, make_overpass(time=datetime(2024, 7, 10, 3, tzinfo=UTC)))
    winter = canopy_reflectance(wood, make_overpass(time=datetime(2024, 1, 10, 3, tzinfo=UTC), sun_zenith_deg=60.0))
    assert ndvi(summer)[0] > 0.8
    assert ndvi(winter)[0] < ndvi(summer)[0] - 0.15


def test_any_state_gives_reflectance_between_none_and_all() -> None:
    rng = np.random.default_rng(1)
    state = {name: rng.uniform(0, 1.2, 5000).astype(np.float32) for name in make_state()}
    state |= {"lai": rng.uniform(0, 12, 5000).astype(np.float32), "ala": rng.uniform(0, 90, 5000).astype(np.float32)}
    seen = canopy_reflectance(state, make_overpass(sun_zenith_deg=80.0))
    assert seen.shape == (10, 5000)
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_the_state_is_left_as_it_was_and_chunks_do_not_show() -> None:
    lai = np.linspace(0, 6, 10_000, dtype=np.float32)
    state = make_state(10_000, lai=lai)
    seen = canopy_reflectance(state, make_overpass())
    np.testing.assert_array_equal(state["lai"], lai)
    alone = canopy_reflectance(make_state(3, lai=lai[5000:5003]), make_overpass())
    np.testing.assert_allclose(seen[:, 5000:5003], alone, atol=1e-6)


def test_a_platform_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="platform 'landsat-9'") as caught:
        canopy_reflectance(make_state(), make_overpass(platform="landsat-9"))
    assert "sentinel-2a" in caught.value.hint


def test_a_state_with_a_name_missing_or_of_another_length_is_refused() -> None:
    state = make_state(3)
    del state["cab"]
    with pytest.raises(InputError, match="lacks cab"):
        canopy_reflectance(state, make_overpass())
    with pytest.raises(InputError, match=r"film of shape \(2,\) beside lai of shape \(3,\)") as caught:
        canopy_reflectance({**make_state(3), "film": np.zeros(2, np.float32)}, make_overpass())
    assert "one number per piece of ground" in caught.value.hint
