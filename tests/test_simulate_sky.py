# SPDX-License-Identifier: Apache-2.0
"""The simulated sky: passes, sun, clouds, shadows and the errors of the mask."""

from __future__ import annotations

import dataclasses
import itertools
import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from acreline.config import list_configs
from acreline.errors import ConfigError
from acreline.simulate.clouds import Clouds, double, draw_clouds, power_field, put_clouds, shadow_shift
from acreline.simulate.passes import plan_passes, seen_part, sun_place
from acreline.simulate.scl import classify, patches, shrink, thin_clouds, true_clouds, true_shadow
from acreline.simulate.settings import read_county
from acreline.simulate.sky import PassSky, SkySettings, plan_sky, read_sky
from acreline.simulate.values import Overpass
from tests.made_county import made_picture, made_window

NOON = Overpass(datetime(2025, 6, 21, 3, tzinfo=UTC), "sentinel-2b", 75, 25.0, 135.0, 4.0, 104.0)
STATE = PassSky(0.4, (0.1, 4.0), 1500.0, 0.0, 0.0, 0.2, 0.4, 1, 0.1, 0.05)


# --- settings -----------------------------------------------------------------------------------------------------
def test_an_unknown_key_is_refused_with_the_nearest_word() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'sky\.clear_shar'") as caught:
        read_sky({"clear_shar": [0.5] * 12}, None)
    assert "did you mean 'clear_share'" in caught.value.hint
    with pytest.raises(ConfigError, match=r"unknown key 'sky\.quirks\.splitts'") as caught:
        read_sky({"quirks": {"splitts": 1}}, None)
    assert "did you mean 'splits'" in caught.value.hint


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"clear_share": [0.5] * 11}, "twelve shares from 0 to 1"),
        ({"clear_share": [1.5] * 12}, "twelve shares from 0 to 1"),
        ({"optical_depth": [5, 0.1]}, "optical_depth is a lowest and a highest value"),
        ({"height_m": [-1, 3]}, "height_m is a lowest and a highest value from 0 to 20000"),
        ({"scl": {"thin_omission": [0.3, 0.2]}}, "thin_omission is a lowest and a highest value"),
        ({"revisit_days": 7}, "multiple of 5"),
    ],
)
def test_wrong_values_are_told(raw: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_sky(raw, None)


@pytest.mark.parametrize("name", [name for name in list_configs("simulate") if name != "crops"])
def test_the_sky_of_every_packaged_county_is_understood(name: str) -> None:
    settings = read_county(name)
    sky = read_sky(settings.sky, settings.file)
    assert 0.15 < np.mean(sky.clear_share) < 0.8


# --- passes -------------------------------------------------------------------------------------------------------
def test_one_orbit_passes_every_five_days_with_two_satellites_in_turn() -> None:
    passes = plan_passes(made_window(), date(2024, 1, 1), date(2024, 12, 31), SkySettings(second_orbit_share=0), 1)
    days = [one.time.date() for one in passes]
    assert {(b - a).days for a, b in itertools.pairwise(days)} == {5}
    assert {one.platform for one in passes} == {"sentinel-2a", "sentinel-2b"}
    assert all(a.platform != b.platform for a, b in itertools.pairwise(passes))
    assert len({one.orbit for one in passes}) == 1
    assert all(0 <= one.view_zenith_deg <= 10.3 for one in passes)


def test_the_neighbouring_orbit_is_two_or_three_days_off_and_of_the_same_satellite_three_days_later() -> None:
    for seed in range(4):
        passes = plan_passes(made_window(), date(2024, 1, 1), date(2024, 12, 31), SkySettings(), seed)
        gaps = {(b.time.date() - a.time.date()).days for a, b in itertools.pairwise(passes)}
        assert gaps == {2, 3}
        first, second = sorted({one.orbit for one in passes})
        assert (second - first) in (43, 100)
        by_day = {one.time.date(): one for one in passes}
        for day, one in by_day.items():
            for gap in (2, 3):
                other = by_day.get(day + timedelta(days=gap))
                if other is not None:
                    assert (other.platform == one.platform) == (gap == 3)


def test_sentinel_2c_takes_the_place_of_2a() -> None:
    passes = plan_passes(made_window(), date(2024, 10, 1), date(2025, 10, 1), SkySettings(), 3)
    before = {one.platform for one in passes if one.time.year == 2024}
    after = {one.platform for one in passes if one.time.date() > date(2025, 2, 1)}
    assert before == {"sentinel-2a", "sentinel-2b"}
    assert after == {"sentinel-2b", "sentinel-2c"}


def test_a_longer_revisit_leaves_passes_out() -> None:
    sky = SkySettings(revisit_days=30, second_orbit_share=0)
    assert len(plan_passes(made_window(), date(2025, 1, 1), date(2025, 8, 31), sky, 1)) in (8, 9)


@pytest.mark.parametrize(
    ("day", "lat", "zenith"),
    [
        (date(2025, 3, 21), 0.0, 22.5),  # equinox on the equator: the hour angle alone
        (date(2025, 6, 21), 23.45, math.degrees(math.acos(0.1583 + 0.8416 * math.cos(math.radians(22.5))))),
    ],
)
def test_the_sun_stands_where_the_formula_says(day: date, lat: float, zenith: float) -> None:
    assert sun_place(day, lat)[0] == pytest.approx(zenith, abs=0.5)


def test_the_morning_sun_stands_south_east_and_higher_in_summer() -> None:
    winter, summer = sun_place(date(2025, 12, 21), 37.0), sun_place(date(2025, 6, 21), 37.0)
    assert winter[0] == pytest.approx(64.05, abs=0.3)
    assert summer[0] == pytest.approx(23.6, abs=0.3)
    assert 90 < summer[1] < winter[1] < 180


def test_the_swath_of_the_neighbour_ends_over_the_county() -> None:
    window = made_window(side=200)
    for seed in range(6):
        passes = plan_passes(window, date(2025, 1, 1), date(2025, 3, 1), SkySettings(), seed)
        own, other = sorted({one.orbit: one for one in passes}.values(), key=lambda one: one.view_zenith_deg)
        assert seen_part(own, passes, window, 0.4).all()
        part = seen_part(other, passes, window, 0.4)
        assert part.mean() == pytest.approx(0.4, abs=0.01)
        east = math.sin(math.radians(other.view_azimuth_deg)) > 0
        assert part[50, -1] == east
        assert part[50, 0] != east


# --- how cloudy it is ---------------------------------------------------------------------------------------------
def test_shares_of_clear_passes_follow_the_months() -> None:
    """Sixty years of passes; the error of a month's share is then about 0.03."""
    share = (0.6, 0.6, 0.55, 0.55, 0.5, 0.4, 0.3, 0.35, 0.5, 0.6, 0.6, 0.6)
    sky = SkySettings(clear_share=share, second_orbit_share=0)
    seen: dict[int, list[bool]] = {}
    for year in range(60):
        passes = plan_passes(made_window(), date(1990 + year, 1, 1), date(1990 + year, 12, 31), sky, year)
        for one, state in zip(passes, plan_sky(passes, sky, year), strict=True):
            seen.setdefault(one.time.month, []).append(state.cover <= sky.clear_cover)
    for month, clear in seen.items():
        assert np.mean(clear) == pytest.approx(share[month - 1], abs=0.08)
    assert np.mean(seen[7]) < np.mean(seen[4]) - 0.1


def test_days_alike_follow_each_other() -> None:
    passes = [dataclasses.replace(NOON, time=NOON.time + timedelta(days=k)) for k in range(3000)]
    sky = SkySettings(clear_share=(0.5,) * 12, persistence=0.6)
    clear = np.array([state.cover <= sky.clear_cover for state in plan_sky(passes, sky, 1)], float)
    assert np.corrcoef(clear[1:], clear[:-1])[0, 1] == pytest.approx(0.6, abs=0.05)
    assert clear.mean() == pytest.approx(0.5, abs=0.05)


# --- clouds -------------------------------------------------------------------------------------------------------
def test_the_field_has_the_asked_spectrum() -> None:
    field = power_field((256, 256), np.random.default_rng(1), exponent=-2.7, smooth_px=0.0)
    power = np.abs(np.fft.fft2(field)) ** 2
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
    use = (k > 0.02) & (k < 0.4)
    slope = np.polyfit(np.log(k[use]), np.log(power[use]), 1)[0]
    assert slope == pytest.approx(-2.7, abs=0.1)
    assert field.mean() == pytest.approx(0, abs=1e-5)
    assert field.std() == pytest.approx(1, abs=1e-5)


def test_a_stretched_field_is_longer_that_way() -> None:
    field = power_field((256, 256), np.random.default_rng(1), stretch=4.0, along_deg=0.0)
    assert np.abs(np.diff(field, axis=1)).mean() < 0.5 * np.abs(np.diff(field, axis=0)).mean()


@pytest.mark.parametrize("cover", [0.0, 0.3, 1.0])
def test_cover_is_the_share_of_sky_with_cloud(cover: float) -> None:
    clouds = draw_clouds(dataclasses.replace(STATE, cover=cover), NOON, (512, 512), 5)
    assert true_clouds(clouds).mean() == pytest.approx(cover, abs=0.12)
    if cover:
        cloudy = clouds.depth[clouds.depth > 0]
        assert cloudy.min() >= 0.0999
        assert cloudy.max() <= 4.0 + 1e-5


def test_clouds_are_thin_at_their_edges() -> None:
    clouds = draw_clouds(STATE, NOON, (512, 512), 5)
    cloudy = clouds.depth > 0
    rim = cloudy & ~shrink(cloudy, 1)
    assert clouds.depth[rim].mean() < 0.5 < 1.0 < clouds.depth[shrink(cloudy, 8)].mean()


@pytest.mark.parametrize("azimuth", [90.0, 135.0, 180.0, 225.0])
def test_shadow_lies_away_from_the_sun_by_height_and_tangent(azimuth: float) -> None:
    sun = dataclasses.replace(NOON, sun_zenith_deg=45.0, sun_azimuth_deg=azimuth)
    down, right = shadow_shift(sun, 1500.0)
    assert 20 * math.hypot(down, right) == pytest.approx(1500, abs=20)
    assert right == pytest.approx(-75 * math.sin(math.radians(azimuth)), abs=1)
    assert down == pytest.approx(75 * math.cos(math.radians(azimuth)), abs=1)  # north is up: fewer rows
    clouds = draw_clouds(STATE, sun, (300, 300), 2)
    inner = slice(100, 200)
    moved = np.roll(clouds.depth, (down, right), (0, 1))
    assert np.array_equal(clouds.shade[inner, inner], moved[inner, inner])
    assert clouds.shade[inner, inner].any()


def test_clouds_whiten_and_shadows_darken_the_infrared_more() -> None:
    clear = made_picture(NOON)
    shape = (20, 20)
    flat = np.zeros(shape, np.float32)
    thick = put_clouds(clear, Clouds(flat + 5, flat, flat), STATE)
    assert thick.fine.min() > 0.55
    assert thick.coarse[-1].max() < 0.4  # 2.2 um: water absorbs
    shaded = put_clouds(clear, Clouds(flat, flat, flat + 5), STATE)
    left = shaded.fine / clear.fine
    assert left[3].mean() < left[0].mean() < 0.6
    assert (shaded.coarse / clear.coarse)[5].mean() < left[3].mean()
    half = put_clouds(clear, Clouds(flat + math.log(2), flat, flat), STATE)
    mixed = 0.5 * clear.fine[0] + 0.5 * 0.64 * (0.75 + 0.25 * math.log(2) / 4)
    np.testing.assert_allclose(half.fine[0], mixed, atol=1e-5)
    np.testing.assert_allclose(put_clouds(clear, Clouds(flat, flat, flat), STATE).fine, clear.fine, atol=1e-6)


def test_haze_lifts_blue_most() -> None:
    clear, flat = made_picture(NOON), np.zeros((20, 20), np.float32)
    hazy = put_clouds(clear, Clouds(flat, flat, flat), dataclasses.replace(STATE, haze_depth=0.2))
    rise = [(hazy.fine[k] - clear.fine[k]).mean() for k in (0, 1, 2)]
    assert rise[0] > rise[1] > rise[2] > 0.005


def test_double_keeps_means() -> None:
    values = np.random.default_rng(1).random((6, 5)).astype(np.float32)
    fine = double(values)
    assert fine.shape == (12, 10)
    np.testing.assert_allclose(fine[2:-2, 2:-2].mean(), double(fine)[4:-4, 4:-4].mean(), rtol=0.02)
    np.testing.assert_allclose(double(np.ones((4, 4), np.float32)), 1)


# --- the mask -----------------------------------------------------------------------------------------------------
def test_patches_are_even_and_lie_together() -> None:
    field = patches((100, 100), np.random.default_rng(1))
    assert (field < 0.2).mean() == pytest.approx(0.2, abs=0.001)
    mask = field < 0.2
    assert (mask[:, 1:] == mask[:, :-1]).mean() > 0.85  # by chance alone 0.68


def test_shrink_takes_the_rim_and_spares_the_border() -> None:
    mask = np.zeros((5, 5), bool)
    mask[:, 2:] = True
    assert shrink(mask, 1).sum() == 10
    assert shrink(np.ones((5, 5), bool), 2).all()


def test_errors_of_the_mask_lie_within_their_bounds_over_many_draws() -> None:
    """Shares of all cells concerned over 40 skies; each sky's own rate is drawn from the settings' span."""
    sky, side = SkySettings(), 200
    passes = [dataclasses.replace(NOON, time=NOON.time + timedelta(days=5 * k)) for k in range(120)]
    states = plan_sky(passes, sky, 3)
    told = {"thin": [0, 0], "shadow": [0, 0], "core": [0, 0], "bright": [0, 0], "dark": [0, 0]}
    valid = np.ones((side // 2, side // 2), bool)
    lost_px = set()
    for overpass, state in zip(passes, states, strict=True):
        state = dataclasses.replace(state, haze_depth=0.0)
        clear = made_picture(overpass, side)
        clear.fine[:3, :60], clear.fine[3, :60] = 0.30, 0.34  # plastic
        clear.coarse[:, :30] = 0.34
        clear.fine[:, 160:], clear.coarse[:, 80:] = np.array([0.05, 0.06, 0.04, 0.02])[:, None, None], 0.02  # pond
        clouds = draw_clouds(state, overpass, (side // 2, side // 2), 3)
        scl = classify(clear, put_clouds(clear, clouds, state), clouds, state, valid, 3)
        cloudy, thin = true_clouds(clouds), thin_clouds(clouds)
        kept = shrink(cloudy, state.edge_loss_px)
        called = np.isin(scl, (8, 9, 10))
        land = np.zeros_like(valid)
        land[30:80] = True
        plain = ~cloudy & ~true_shadow(clouds)
        bright, water = np.zeros_like(valid), np.zeros_like(valid)
        bright[:30], water[80:] = True, True
        for name, where, wrong in (
            ("thin", thin & kept & land, ~called),
            ("core", kept & ~thin, ~called),
            ("shadow", true_shadow(clouds) & land, scl != 3),
            ("bright", plain & bright, called),
            ("dark", plain & water, scl == 3),
        ):
            told[name][0] += int((where & wrong).sum())
            told[name][1] += int(where.sum())
        assert not (called & land & ~cloudy).any()
        if (cloudy & ~kept).any():
            lost_px.add(state.edge_loss_px)
    rate = {name: wrong / count for name, (wrong, count) in told.items()}
    assert 0.15 <= rate["thin"] <= 0.30
    assert 0.30 <= rate["shadow"] <= 0.50
    assert 0.05 <= rate["bright"] <= 0.15
    assert 0.02 <= rate["dark"] <= 0.08
    assert rate["core"] == 0
    assert lost_px == {1, 2}


def test_surface_classes_and_no_data() -> None:
    clear = made_picture(NOON)
    clear.fine[:, :10], clear.coarse[:, :5] = 0.15, 0.2  # bare
    clear.fine[:, 10:20], clear.coarse[:, 5:10] = np.array([0.05, 0.06, 0.04, 0.02])[:, None, None], 0.02  # water
    clear.fine[:, 20:30], clear.coarse[:, 10:15] = 0.7, np.array([0.7, 0.7, 0.7, 0.7, 0.1, 0.08])[:, None, None]  # snow
    clear.fine[0, 30:32, :2] = 1.7  # glint
    flat = np.zeros((20, 20), np.float32)
    valid = np.ones((20, 20), bool)
    valid[:, 15:] = False
    perfect = dataclasses.replace(STATE, bright_commission=0.0, dark_commission=0.0)
    scl = classify(clear, clear, Clouds(flat, flat, flat), perfect, valid, 1)
    assert scl.dtype == np.uint8
    assert (scl[:5, :15] == 5).mean() > 0.9
    assert (scl[5:10, :15] == 6).mean() > 0.9
    assert (scl[10:15, :15] == 11).all()
    assert scl[15, 0] == 1
    assert (scl[16:, :15] == 4).mean() > 0.9
    assert (scl[:, 15:] == 0).all()


def test_cirrus_and_thick_cloud_have_their_classes() -> None:
    clear = made_picture(NOON)
    flat = np.zeros((20, 20), np.float32)
    sure = dataclasses.replace(STATE, thin_omission=0.0, edge_loss_px=0)
    for clouds, wanted in (
        (Clouds(flat, flat + 0.3, flat), 10),
        (Clouds(flat + 3, flat, flat), 9),
        (Clouds(flat + 0.4, flat, flat), 8),
    ):
        seen = put_clouds(clear, clouds, sure)
        scl = classify(clear, seen, clouds, sure, np.ones((20, 20), bool), 1)
        assert (scl == wanted).all()


def test_the_same_seed_gives_the_same_sky() -> None:
    sky = SkySettings()
    passes = plan_passes(made_window(), date(2025, 1, 1), date(2025, 6, 1), sky, 9)
    assert passes == plan_passes(made_window(), date(2025, 1, 1), date(2025, 6, 1), sky, 9)
    states = plan_sky(passes, sky, 9)
    assert states == plan_sky(passes, sky, 9)
    assert states != plan_sky(passes, sky, 10)
    cloudy = next(k for k, state in enumerate(states) if 0 < state.cover < 1)
    first, again = (draw_clouds(states[cloudy], passes[cloudy], (20, 20), 9) for _ in range(2))
    assert np.array_equal(first.depth, again.depth)
