# SPDX-License-Identifier: Apache-2.0
"""Time counted by warmth: the stretched axis by hand, days to come, and the whole way from a table to the bins."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from acreline.blocks import axis_day_starts, part_key
from acreline.config import read_region
from acreline.cubes import bin_series
from acreline.errors import ConfigError, ContractError, InputError
from acreline.layers import BANDS, Scenes, TimeAxis, Weather
from acreline.model import segment_cube
from acreline.model.banks import square_bank
from acreline.model.card import SeasonAxis, save_model
from acreline.model.drawing import Drawer, Shares
from acreline.model.inputs import bin_quickly
from acreline.model.labels import read_square
from acreline.model.series import LabelledSeries, axis_parts, classify_slots, why_silent
from acreline.model.skies import Changes
from acreline.plan import plan_run
from acreline.thermal import (
    USUAL_C,
    WARMEST,
    YEAR_DAYS,
    Temperatures,
    pack_temperatures,
    season_temperatures,
    step_temperatures,
    thermal_days,
    unpack_temperatures,
    usual_temperatures,
    weather_temperatures,
)
from acreline.trial.counties import county_bank
from acreline.trial.land import series_banks
from acreline.trial.packaged import read_packaged
from acreline.trial.squares import read_square as read_folder
from acreline.trial.tables import read_point_table
from tests.made_labelled import made_model, point_table, write_square
from tests.test_model_segment import SEASON, make_block, make_model, read
from tests.test_river import own_region

STEP = np.array([-3.0] * 5 + [20.0] * 5)
"""Five days of frost, five warm ones."""
STEPPED = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 4.0, 5.5, 7.0, 8.5, 10.0)
"""u x 10 by hand: half a day a day in the frost, then 10 x (0.5 x 20 / 100 + 0.5 / 10) = 1.5 days a day."""
DAY0 = date(2020, 1, 1)
TEN_DAYS = TimeAxis(DAY0, date(2020, 1, 11), 10, "thermal", STEPPED)
THERMAL = SeasonAxis(bins=8, kind="thermal")
YEAR = 2018
SPAN = THERMAL.span(YEAR)
LENGTH = (SPAN[1] - SPAN[0]).days


def mild(start: date = SPAN[0], days: int = LENGTH, warm_c: float = 20.0, cold_c: float = 2.0) -> Temperatures:
    """Cold for the first half of the days, warm for the second."""
    return Temperatures(start, np.where(np.arange(days) < days // 2, cold_c, warm_c))


def weather_of(known: Temperatures) -> Weather:
    days = pd.date_range(known.first, periods=len(known.tmean_c))
    return Weather(pd.DataFrame({"date": days, "tmean_c": known.tmean_c}), "made.csv")


# --- the axis, by hand --------------------------------------------------------------------------------------------
def test_a_constant_temperature_gives_the_calendar() -> None:
    np.testing.assert_allclose(thermal_days(np.full(7, 12.5)), np.arange(8.0), atol=1e-12)


def test_a_step_of_temperature_by_hand() -> None:
    np.testing.assert_allclose(thermal_days(STEP), STEPPED, atol=1e-12)


@pytest.mark.parametrize(("warm", "same"), [(35.0, 50.0), (0.0, -20.0)])
def test_more_than_35_degrees_counts_as_35_and_frost_as_nothing(warm: float, same: float) -> None:
    assert thermal_days(np.array([10.0, warm, 10.0])) == thermal_days(np.array([10.0, same, 10.0]))


def test_a_season_without_warmth_goes_by_the_calendar() -> None:
    np.testing.assert_allclose(thermal_days(np.full(4, -5.0)), np.arange(5.0))


@settings(max_examples=60)
@given(st.lists(st.floats(-60, 60), min_size=1, max_size=40))
def test_the_axis_rises_from_0_to_its_length_and_back(tmean_c: list[float]) -> None:
    starts = thermal_days(np.array(tmean_c))
    u = np.array(starts) / len(tmean_c)
    assert u[0] == 0
    assert u[-1] == pytest.approx(1)
    assert (np.diff(u) > 0.49 / len(tmean_c)).all()
    assert ((u >= 0) & (u <= 1 + 1e-12)).all()
    axis = TimeAxis(DAY0, DAY0, 4, "thermal", starts)
    days = np.linspace(-3, len(tmean_c) + 3, 50)
    np.testing.assert_allclose(axis.on_calendar(axis.on_axis(days)), days, atol=1e-9)
    assert (np.diff(axis.on_axis(days)) > 0).all()


def test_days_are_placed_within_a_day_and_kept_outside_the_season() -> None:
    days = np.array([-4.0, 0.0, 0.5, 5.5, 10.0, 12.0, np.inf])
    assert TEN_DAYS.on_axis(days).tolist() == [-4.0, 0.0, 0.25, 3.25, 10.0, 12.0, np.inf]
    calendar = replace(TEN_DAYS, day_starts=())
    assert calendar.on_axis(days) is days
    assert calendar.on_calendar(days) is days


def test_bins_of_a_thermal_axis_by_hand() -> None:
    """Noon of 6 January stands at 3.25 of ten bins: in bin 3, a quarter bin before its middle."""
    times = np.array(["2020-01-06T12:00:00"], "datetime64[s]")
    values, clear = np.full((1, 1, 1), 0.4, np.float32), np.ones((1, 1), bool)
    out = bin_series(values, clear, times, TEN_DAYS)[:, :, 0]
    gaps = np.abs(np.arange(10) + 0.5 - 3.25)
    np.testing.assert_allclose(out[:, 0], 0.4, rtol=1e-6)
    np.testing.assert_allclose(out[:, 1], np.where(gaps <= 1.5, np.exp(-(gaps**2) / 0.5), 0), rtol=1e-6)
    np.testing.assert_allclose(out[:, 2], gaps / 30, rtol=1e-6)
    days = TEN_DAYS.on_axis(np.array([5.5]))
    np.testing.assert_allclose(bin_quickly(values, clear, days, TEN_DAYS)[:, :, 0], out, rtol=1e-5, atol=1e-6)


# --- what is known, and what is to be expected --------------------------------------------------------------------
def test_the_same_known_days_give_the_same_bins_whatever_came_later() -> None:
    day = date(2018, 6, 30)
    cool, hot = mild(warm_c=12), mild(warm_c=30)
    later = (day - SPAN[0]).days + 1
    hot = replace(hot, tmean_c=np.where(np.arange(LENGTH) < later, cool.tmean_c, hot.tmean_c))
    assert THERMAL.of(YEAR, cool) != THERMAL.of(YEAR, hot)
    assert THERMAL.of(YEAR, cool.until(day)) == THERMAL.of(YEAR, hot.until(day))


def test_measured_days_stand_and_only_the_others_are_expected() -> None:
    known = Temperatures(date(2017, 9, 28), np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    found = season_temperatures(known, *SPAN)
    assert found[:2].tolist() == [4.0, 5.0]
    np.testing.assert_array_equal(found[2:], usual_temperatures(known, *(SPAN[0], LENGTH))[2:])


def test_a_place_like_the_usual_one_is_expected_to_stay_so() -> None:
    def usual(first: date, days: int) -> np.ndarray:
        turn = 2 * np.pi * (np.arange(days) + (first - WARMEST).days) / YEAR_DAYS
        return USUAL_C[0] + USUAL_C[1] * np.cos(turn)

    autumn = Temperatures(SPAN[0], usual(SPAN[0], 60))
    np.testing.assert_allclose(usual_temperatures(autumn, SPAN[0], LENGTH), usual(SPAN[0], LENGTH), atol=1e-9)


def test_years_of_a_places_own_outweigh_the_usual_year() -> None:
    first, days = date(2014, 1, 1), 4 * 365 + 1
    turn = 2 * np.pi * (np.arange(days) + (first - WARMEST).days - 4) / YEAR_DAYS
    northern = Temperatures(first, 3.0 + 21.0 * np.cos(turn))
    ahead = (date(2018, 7, 20) - first).days
    expected = usual_temperatures(northern, first, ahead + 1)
    assert expected[ahead] == pytest.approx(24.0, abs=0.5)
    assert usual_temperatures(replace(northern, tmean_c=northern.tmean_c[:30]), first, ahead + 1)[ahead] < 24.0


def test_a_season_of_which_nothing_is_known_is_refused() -> None:
    with pytest.raises(InputError, match="of 2016-01-01 to 2016-01-10: none lies in the season 2017-10-01"):
        season_temperatures(Temperatures(date(2016, 1, 1), np.zeros(10)), *SPAN)


@pytest.mark.parametrize(
    ("start", "end", "lacking"),
    [((2020, 1, 1), (2020, 1, 5), 0), ((2019, 12, 30), (2020, 1, 8), 5), ((2020, 2, 1), (2020, 2, 4), 3)],
)
def test_days_that_are_not_known_are_counted(
    start: tuple[int, int, int], end: tuple[int, int, int], lacking: int
) -> None:
    assert Temperatures(DAY0, np.zeros(4)).lacking(date(*start), date(*end)) == lacking


def test_a_day_without_a_number_is_a_broken_promise() -> None:
    with pytest.raises(ContractError, match=r"temperatures from 2020-01-01: .* 1 that are none"):
        Temperatures(DAY0, np.array([1.0, np.nan]))


def test_steps_become_days_and_a_fault_is_bridged() -> None:
    starts = np.array(["2023-01-01", "2023-01-11", "2023-01-21", "2023-02-01", "2023-02-11"], "datetime64[D]")
    known = step_temperatures(starts, np.array([10.9, -22.6, 9.3, np.nan, 7.0]))
    assert known.first == date(2023, 1, 1)
    assert known.last == date(2023, 2, 20)  # the last step is as long as the median one
    assert known.tmean_c[[0, 9]].tolist() == [10.9, 10.9]
    assert known.tmean_c[[10, 19]] == pytest.approx(10.1)
    assert known.tmean_c[[20, 30]].tolist() == [9.3, 9.3]
    assert known.tmean_c[31] == pytest.approx(8.15)
    with pytest.raises(InputError, match="no step has a value"):
        step_temperatures(starts, np.full(5, np.nan))


def test_temperatures_are_packed_and_found_again() -> None:
    zones = (Temperatures(DAY0, np.array([1.25, -3.5])), Temperatures(DAY0, np.array([20.0, 21.01])))
    again = unpack_temperatures(pack_temperatures(zones))
    assert [zone.first for zone in again] == [DAY0, DAY0]
    np.testing.assert_allclose([zone.tmean_c for zone in again], [zone.tmean_c for zone in zones])
    assert unpack_temperatures({}) == ()
    with pytest.raises(ContractError, match="2 different spans"):
        pack_temperatures((zones[0], Temperatures(DAY0, np.zeros(3))))


# --- the card ------------------------------------------------------------------------------------------------------
def test_a_calendar_axis_does_not_look_at_temperatures() -> None:
    axis = SeasonAxis(bins=8)
    assert axis.of(YEAR, mild()) == axis.of(YEAR) == TimeAxis(*SPAN, 8, "calendar")


def test_a_thermal_axis_without_temperatures_is_refused() -> None:
    with pytest.raises(ConfigError, match="season 2017-10-01 to 2018-12-15: the model counts time by warmth") as caught:
        THERMAL.of(YEAR)
    assert "calendar" in caught.value.hint
    with pytest.raises(ValidationError):
        SeasonAxis(kind="lunar")  # type: ignore[arg-type]


# --- a run -----------------------------------------------------------------------------------------------------------
def test_maps_of_a_thermal_model_follow_the_weather() -> None:
    block = make_block(128, 128, 64, 64)
    cube = read(block)
    calendar, thermal = make_model(), make_model(axis=THERMAL)
    plain = segment_cube(cube, calendar, block, season=SEASON)
    even = weather_of(Temperatures(SPAN[0], np.full(LENGTH, 12.0)))
    same = segment_cube(cube, thermal, block, even, season=SEASON)
    assert np.abs(same["crop_b_logp"].values.astype(int) - plain["crop_b_logp"].values).max() <= 1
    other = segment_cube(cube, thermal, block, weather_of(mild()), season=SEASON)
    assert np.abs(other["crop_b_logp"].values.astype(int) - plain["crop_b_logp"].values).max() > 100
    with pytest.raises(ConfigError, match="no temperatures are given"):
        segment_cube(cube, thermal, block, season=SEASON)


def test_a_region_without_weather_is_refused_before_the_search(repo: Path, tmp_path: Path) -> None:
    model = made_model()
    card = model.card.model_copy(update={"name": "warm", "axis": THERMAL})
    named = save_model(model.net, card, tmp_path)
    with pytest.raises(ConfigError, match=r"model 'warm' counts time by warmth .* names no weather") as caught:
        plan_run(read_region(own_region(repo, tmp_path, model=str(named), weather=None)))
    assert "weather:" in caught.value.hint

    plan = plan_run(read_region(own_region(repo, tmp_path, model=str(named))))
    one, other = (axis_day_starts(plan, weather_of(mild(warm_c=warm))) for warm in (15, 25))
    block, scenes = make_block(128, 128, 64, 64), Scenes("p", (), (), {})
    assert len({part_key(plan, block, scenes, starts) for starts in (one, other, ())}) == 3
    again = axis_day_starts(plan, weather_of(mild(warm_c=15)))
    assert part_key(plan, block, scenes, one) == part_key(plan, block, scenes, again)
    with pytest.raises(ConfigError, match="no temperatures are given"):
        axis_day_starts(plan, None)


# --- series ----------------------------------------------------------------------------------------------------------
def two_zones() -> LabelledSeries:
    """Four fields of one light; the second and the fourth lie where it is colder."""
    rng = np.random.default_rng(4)
    times = np.datetime64("2017-10-05", "s") + np.arange(20) * np.timedelta64(20, "D")
    light = rng.uniform(0.05, 0.4, (1, 20, 10)).astype(np.float32).repeat(4, axis=0)
    text = np.full(4, "maize")
    return LabelledSeries(
        "B", "made", "L2A", YEAR, BANDS, times, light, np.array(["a", "b", "c", "d"]), np.zeros(4, np.int64), text,
        text, text, np.array(["p", "q", "p", "q"]), temperatures=(mild(), mild(cold_c=11)), zone=np.array([0, 1, 0, 1]),
    )  # fmt: skip


def test_samples_of_a_zone_share_its_axis() -> None:
    series = two_zones()
    parts = list(axis_parts(series, THERMAL))
    assert [mine.tolist() for mine, _ in parts] == [[0, 2], [1, 3]]
    assert parts[0][1] == THERMAL.of(YEAR, series.temperatures[0])
    (whole,) = axis_parts(series, SeasonAxis(bins=8))
    assert whole[0].tolist() == [0, 1, 2, 3]
    kept = series.keep(np.array([3, 0]))
    assert kept.zone is not None
    assert kept.zone.tolist() == [1, 0]
    early = series.until(date(2018, 5, 31))
    assert {zone.last for zone in early.temperatures} == {date(2018, 5, 31)}
    assert series.until(date(2000, 1, 1)).temperatures == ()


def test_a_model_reads_each_sample_on_its_own_axis() -> None:
    series = two_zones()
    model = make_model(axis=THERMAL)
    told = classify_slots(model, series)["B"]
    np.testing.assert_array_equal(told[0], told[2])
    np.testing.assert_array_equal(told[1], told[3])
    assert np.abs(told[0] - told[1]).max() > 1e-3
    cold = replace(series.keep(np.array([1])), temperatures=series.temperatures[1:], zone=None)
    np.testing.assert_allclose(classify_slots(model, cold)["B"][0], told[1], atol=1e-5)
    calendar = classify_slots(make_model(), series)["B"]
    np.testing.assert_array_equal(calendar[0], calendar[1])


def test_a_thermal_model_is_silent_on_a_series_without_temperatures() -> None:
    bare = replace(two_zones(), temperatures=(), zone=None)
    assert why_silent(make_model(), bare) is None
    assert "made has no temperatures" in str(why_silent(make_model(axis=THERMAL), bare))
    with pytest.raises(ConfigError, match="made has no temperatures"):
        classify_slots(make_model(axis=THERMAL), bare)
    with pytest.raises(ConfigError, match="made: has no temperatures"):
        series_banks(bare, THERMAL)


def test_banks_of_zones_are_parts_of_the_whole() -> None:
    series = two_zones()
    (whole,) = series_banks(series, SeasonAxis(bins=8))
    warm, cold = series_banks(series, THERMAL)
    assert warm.name == cold.name == whole.name == "made"
    assert [bank.field.tolist() for bank in (whole, warm, cold)] == [[1, 2, 3, 4], [1, 3], [2, 4]]
    assert cold.group.tolist() == ["q", "q"]
    assert (np.diff(warm.days) > 0).all()
    assert warm.days[10] < cold.days[10] < whole.days[10]  # in April only the mild winter has had warmth worth naming


def test_the_packaged_series_carry_their_temperatures() -> None:
    france = read_packaged("france-2023")
    assert france.zone is not None
    assert france.zone.max() + 1 == len(france.temperatures) > 1
    for zone in france.temperatures:
        assert zone.first == date(2022, 9, 1)
        assert -10 < zone.tmean_c.min() < 8
        assert 18 < zone.tmean_c.max() < 30
    flanders = read_packaged("flanders-2019")
    assert len(flanders.temperatures) == 1
    assert flanders.temperatures[0].tmean_c.max() > 25  # the heat of July 2019
    for series in (france, flanders):
        for _, axis in axis_parts(series, THERMAL):
            assert len(axis.day_starts) == LENGTH + 1


def test_points_bring_temperatures_of_their_square_of_one_degree(tmp_path: Path) -> None:
    table = point_table([1101060000, 1101060000, 1101060000], steps=12)
    table["lon"] = table["sample_id"].map({"p0": 0.2, "p1": 0.8, "p2": 1.2})
    kelvin = {"p0": 28315, "p1": 28515, "p2": 65535}
    table["AGERA5-TMEAN"] = table["sample_id"].map(kelvin)
    table.to_parquet(tmp_path / "points.parquet")
    series = read_point_table(tmp_path / "points.parquet")
    assert series.zone is not None
    assert series.zone.tolist() == [0, 0, 1]
    assert [zone.tmean_c[0] for zone in series.temperatures] == pytest.approx([11.0, 11.0], abs=1e-4)
    assert series.temperatures[0].first == date(2022, 9, 1)
    assert len(series.temperatures[0].tmean_c) == 120
    table.drop(columns=["lon", "lat"]).assign(cell="c").to_parquet(tmp_path / "points.parquet")
    assert len(read_point_table(tmp_path / "points.parquet").temperatures) == 1
    table.assign(**{"AGERA5-TMEAN": 65535}).to_parquet(tmp_path / "points.parquet")
    assert read_point_table(tmp_path / "points.parquet").temperatures == ()


def test_a_square_brings_its_daily_temperatures(tmp_path: Path) -> None:
    folder = write_square(tmp_path / "square", np.full((4, 4), 1200))
    assert read_folder(folder).temperatures == ()
    write_temperatures(folder, [283.15, -9999.0, 285.15])
    (known,) = read_folder(folder).temperatures
    assert known.first == date(2017, 8, 1)
    np.testing.assert_allclose(known.tmean_c, [10, 11, 12], atol=1e-4)


def write_temperatures(folder: Path, kelvin: list[float]) -> None:
    import h5netcdf

    with h5netcdf.File(folder / "AgERA5_DAILY_1000m_x.nc", "w") as file:
        file.dimensions = {"timestamp": len(kelvin), "y": 1, "x": 1}
        days = file.create_variable("timestamp", ("timestamp",), "int64", data=np.arange(len(kelvin)))
        days.attrs["units"], days.attrs["calendar"] = "days since 2017-08-01", "proleptic_gregorian"
        values = np.array(kelvin, np.float32)[:, None, None]
        file.create_variable("temperature_mean", ("timestamp", "y", "x"), data=values, fillvalue=np.float32(-9999))


# --- land to learn from -------------------------------------------------------------------------------------------
def write_county(path: Path, **more: Any) -> Path:
    """A county of 4 x 4 pixels with three looks; half of it was hailed on from day 200."""
    times = np.array(["2017-10-11", "2018-04-19", "2018-07-28"], "datetime64[s]")
    hail = np.arange(16).reshape(4, 4) < 8
    np.savez(
        path, harvest_year=YEAR, season=np.array([str(SPAN[0]), str(SPAN[1])]), times=times,
        dn10=np.full((3, 4, 4, 4), 2000, np.uint16), dn20=np.full((3, 6, 2, 2), 2500, np.uint16),
        scl=np.full((3, 2, 2), 4, np.uint8), crop_a=np.ones((4, 4), np.uint8), crop_b=np.ones((4, 4), np.uint8),
        parcel=np.zeros((4, 4), np.int32), event=hail.astype(np.uint8) * 3,
        event_day=np.where(hail, 200, np.inf).astype(np.float32), vigour=np.zeros((2, 4, 4), np.float16),
        vigour_day=np.array([0.0, 300.0]), key=np.array("k"), **more,
    )  # fmt: skip
    return path


def test_a_county_counts_looks_events_and_vigour_on_its_axis(tmp_path: Path) -> None:
    known = mild()
    path = write_county(tmp_path / "made.npz", tmean_c=known.tmean_c.astype(np.float32))
    calendar, thermal = county_bank(path, SeasonAxis(bins=8).of), county_bank(path, THERMAL.of)
    assert calendar.days.tolist() == [10.0, 200.0, 300.0]
    axis = THERMAL.of(YEAR, known)
    np.testing.assert_array_equal(thermal.days, axis.on_axis(calendar.days))
    # Half of 440 days at 2 degrees, half at 20: a cold day is 0.5 x 440 x 2 / 4840 + 0.5 = 0.5909 of a day.
    assert thermal.days[:2] == pytest.approx([10 * 0.5909, 200 * 0.5909], rel=1e-3)
    assert thermal.event_day is not None
    assert thermal.event_day[:8] == pytest.approx(200 * 0.5909, rel=1e-3)
    assert np.isinf(thermal.event_day[8:]).all()
    assert thermal.vigour_days is not None
    assert thermal.vigour_days.tolist() == axis.on_axis(np.array([0.0, 300.0])).tolist()


def test_a_county_drawn_before_temperatures_were_kept_is_refused_on_a_thermal_axis(tmp_path: Path) -> None:
    path = write_county(tmp_path / "old.npz")
    assert county_bank(path, SeasonAxis(bins=8).of).days[0] == 10.0
    with pytest.raises(ConfigError, match=r"old\.npz: .*temperatures"):
        county_bank(path, THERMAL.of)


def test_batches_are_drawn_from_land_on_a_thermal_axis(repo: Path) -> None:
    square = read_square(repo / "data" / "training" / "flanders-2019.npz")
    bank = square_bank(square, THERMAL.of(square.harvest_year, square.temperatures))
    assert (np.diff(bank.days) >= 0).all()
    batch = Drawer([bank], Changes(), Shares(singles=8, mosaics=0, crops=1)).draw(np.random.default_rng(1))
    assert np.isfinite(batch.x).all()
    assert np.isfinite(batch.single_x).all()
    assert batch.single_x.shape[1] == 8


def test_weather_gives_its_mean_temperatures() -> None:
    known = mild(days=6)
    again = weather_temperatures(weather_of(known))
    assert again.first == known.first
    np.testing.assert_array_equal(again.tmean_c, known.tmean_c)
