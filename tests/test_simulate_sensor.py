# SPDX-License-Identifier: Apache-2.0
"""What the sensor makes of the ground: blur, true 20 m bands, shift, and the same picture every time."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from acreline.layers import BANDS
from acreline.simulate.sensor import (
    NOISE,
    PSF_SIGMA_PX,
    draw_air,
    pass_seed,
    sample_ground,
    sense,
    side_factor,
)
from acreline.simulate.values import SUB, County
from tests.made_ground import make_ground, make_overpass, make_state

AT = {band: k for k, band in enumerate(BANDS)}
STILL = (0.0, 0.0)


def one_band(painted: np.ndarray, step: int, shift_m: tuple[float, float] = STILL) -> np.ndarray:
    """Sample a picture on the sub-grid, given as such."""
    cell = np.arange(painted.size, dtype=np.int32).reshape(painted.shape)
    return sample_ground(painted.reshape(1, -1).astype(np.float32), cell, step, shift_m)[0]


def chequer(height: int = 16, width: int = 20, side: int = 10, seed: int = 7) -> County:
    """Squares of `side` sub-cells of many leaf areas."""
    y, x = np.mgrid[: SUB * height, : SUB * width]
    unit = (y // side * ((SUB * width - 1) // side + 1) + x // side).astype(np.int32)
    count = int(unit.max()) + 1
    return make_ground(unit, make_state(count, lai=np.random.default_rng(3).uniform(0, 6, count)), seed)


@pytest.mark.parametrize("step", [SUB, 2 * SUB])
def test_a_uniform_field_keeps_its_level_to_the_edge(step: int) -> None:
    seen = one_band(np.full((96, 80), 0.3), step, (3.0, -4.0))
    assert seen.shape == (96 // step, 80 // step)
    assert seen == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize("step", [SUB, 2 * SUB])
def test_a_point_keeps_its_sum(step: int) -> None:
    """Summed over pixels, a blurred point weighs what it covers: one sub-cell of step x step."""
    painted = np.zeros((160, 160))
    painted[81, 77] = 1.0
    assert one_band(painted, step).sum() * step**2 == pytest.approx(1.0, abs=0.02)


def test_the_blur_has_the_modulation_asked_for() -> None:
    """A grating at the Nyquist frequency of the 10 m grid comes out with a quarter of its contrast."""
    assert pytest.approx(0.53, abs=0.003) == PSF_SIGMA_PX
    wave = np.cos(np.pi * (np.arange(160) + 0.5 - SUB / 2) / SUB)
    seen = one_band(np.tile(wave, (160, 1)), SUB)
    middle = seen[15:25, 15:25]
    assert np.abs(middle) == pytest.approx(0.25, abs=0.01)


def test_the_sub_grid_is_fine_enough() -> None:
    """Land drawn on 2.5 m and the same land on 1.25 m give the same pixels, far below the noise."""
    painted = np.kron(np.random.default_rng(6).uniform(0, 0.6, (30, 30)), np.ones((6, 6)))  # squares of 15 m
    once, twice = (one_band(np.kron(painted[:160, :160], np.ones((k, k))), k * SUB) for k in (1, 2))
    assert np.abs(once - twice).max() < NOISE[0] / 10


def test_twenty_metre_bands_are_sensed_as_such() -> None:
    rng = np.random.default_rng(5)
    painted = np.kron(rng.uniform(0, 0.6, (20, 20)), np.ones((SUB, SUB)))
    coarse = one_band(painted, 2 * SUB)
    mean_of_fine = one_band(painted, SUB).reshape(10, 2, 10, 2).mean(axis=(1, 3))
    assert np.abs(coarse - mean_of_fine).max() > 0.01
    flat = np.full((80, 80), 0.25)
    assert one_band(flat, 2 * SUB).mean() == pytest.approx(one_band(flat, SUB).mean(), abs=1e-6)
    assert coarse.std() < mean_of_fine.std()  # 10.6 m of blur against 5.3 m and a box of two pixels


def test_a_shift_moves_an_edge_as_far_as_told() -> None:
    y, x = np.mgrid[:160, :160]
    for painted, shift in ((x >= 82, (0.0, 3.0)), (y >= 82, (3.0, 0.0))):
        still, moved = (one_band(painted.astype(float), SUB, s) for s in (STILL, shift))
        # Looking 3 m further into the bright half, 3 m more of it is seen along each line: 0.3 of a pixel.
        inner = slice(10, 30)
        assert (moved - still)[inner, inner].sum() / 20 == pytest.approx(0.3, abs=0.01)


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    painted = np.random.default_rng(2).uniform(0, 0.6, (SUB * 40, SUB * 12))
    whole = one_band(painted, SUB, (1.7, -2.2))
    monkeypatch.setattr("acreline.simulate.sensor.STRIP_PX", 6)
    np.testing.assert_array_equal(one_band(painted, SUB, (1.7, -2.2)), whole)


def test_land_beyond_the_window_is_the_land_at_its_edge() -> None:
    painted = np.tile(np.arange(80, dtype=float), (80, 1))
    seen = one_band(painted, SUB, (0.0, -500.0))
    assert seen == pytest.approx(0.0, abs=1e-6)


def test_a_pass_gives_the_same_picture_always_and_another_pass_another() -> None:
    county, first = chequer(), make_overpass()
    once, again = sense(county, first), sense(county, first)
    np.testing.assert_array_equal(once.fine, again.fine)
    np.testing.assert_array_equal(once.coarse, again.coarse)
    later = make_overpass(time=datetime(2024, 6, 15, 3, 10, tzinfo=UTC))
    assert np.abs(sense(county, later).fine - once.fine).max() > 0.005
    assert np.abs(sense(chequer(seed=8), first).fine - once.fine).max() > 0.005
    assert pass_seed(7, first) != pass_seed(7, make_overpass(platform="sentinel-2b"))


def test_a_picture_has_the_windows_shape_and_plausible_numbers() -> None:
    county = chequer()
    seen = sense(county, make_overpass())
    assert seen.fine.shape == (4, 16, 20)
    assert seen.coarse.shape == (6, 8, 10)
    assert seen.fine.dtype == seen.coarse.dtype == np.float32
    ndvi = (seen.fine[3] - seen.fine[2]) / (seen.fine[3] + seen.fine[2])
    assert -0.1 < ndvi.min() < 0.6
    assert 0.6 < ndvi.max() < 1.0


def test_passes_scatter_by_what_registration_and_correction_leave() -> None:
    passes = [
        make_overpass(time=datetime(2024, 1 + k // 28 % 12, 1 + k % 28, 3, tzinfo=UTC), orbit=1 + k % 143)
        for k in range(336)
    ]
    airs = [draw_air(np.random.default_rng(pass_seed(1, at)), 1, at) for at in passes]
    shifts = np.array([air.shift_m for air in airs])
    assert shifts.std() == pytest.approx(3.0, abs=0.3)
    same_orbit = [draw_air(np.random.default_rng([k]), 1, make_overpass(orbit=75)).shift_m for k in range(300)]
    assert np.std(same_orbit, axis=0) == pytest.approx(2.0, abs=0.25)
    haze = np.array([air.haze for air in airs])
    assert 0.004 < haze[:, AT["B03"]].std() < 0.012
    assert haze[:, AT["B03"]].mean() > 0  # hazy passes are more often than over-corrected ones
    assert (np.abs(haze[:, AT["B02"]]) > np.abs(haze[:, AT["B12"]])).all()
    gain = np.array([air.gain for air in airs])
    assert gain.std() == pytest.approx(0.022, abs=0.004)
    assert all(0.002 <= air.noise <= 0.003 for air in airs)


def test_the_swaths_sides_differ_by_what_is_seen_over_crops() -> None:
    """Canopy model and sensor together: about 3 % either way in the red and 5 % in the near infrared, at the edge."""
    edge = {"view_zenith_deg": 10.3, "sun_azimuth_deg": 140.0}
    behind, against = (make_overpass(view_azimuth_deg=azimuth, **edge) for azimuth in (140.0, 320.0))
    nadir = make_overpass(view_zenith_deg=0.0)
    assert side_factor(nadir) == pytest.approx(1.0)
    from acreline.simulate.canopy import canopy_reflectance

    crops = make_state(50, lai=np.linspace(0, 6, 50))
    level = canopy_reflectance(crops, nadir).mean(axis=1)
    for at, sign in ((behind, 1), (against, -1)):
        change = side_factor(at) * canopy_reflectance(crops, at).mean(axis=1) / level - 1
        assert 0.02 < sign * change[AT["B04"]] < 0.07
        assert 0.03 < sign * change[AT["B08"]] < 0.07
