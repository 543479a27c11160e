# SPDX-License-Identifier: Apache-2.0
"""Growth: the index of drawn fields, its ratio by hand, and its error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from acreline.curves import clear_looks
from acreline.growth import _bounds, measure_growth
from acreline.inversion import INPUT_BANDS, invert_canopy
from acreline.layers import Growth, Weather
from acreline.looks import merge_looks
from acreline.seasons import describe_seasons
from tests.made_looks import (
    AS_OF,
    CALIBRATION,
    CLASSES,
    MAIZE,
    SEASON,
    Curve,
    bump,
    every,
    grass,
    made_crops,
    made_looks,
)

UP, DOWN = date(2018, 6, 15), date(2018, 9, 20)


def _sure(name: str) -> dict[str, float]:
    return {crop: 0.97 if crop == name else 0.01 for crop in CLASSES}


def _measure(
    curves: Mapping[str, Curve],
    crop: str = "maize",
    days: Sequence[date] | Mapping[str, Sequence[date]] | None = None,
    as_of: date = AS_OF,
    weather: Weather | None = None,
    listed: Sequence[str] = ("maize", "grassland", "winter_cereal", "potato"),
) -> Growth:
    looks = made_looks(curves, days or every(5, last=as_of), {name: _sure(crop) for name in curves})
    crops = {name: settings for name, settings in made_crops().items() if name in listed}
    seasons = describe_seasons(looks, crops, CALIBRATION, SEASON, as_of=as_of)
    return measure_growth(looks, seasons, crops, weather)


def _weather(mj: float, first: date = SEASON.start, last: date = AS_OF) -> Weather:
    days = pd.date_range(first, last, freq="D")
    return Weather(pd.DataFrame({"date": days, "radiation_mj_per_m2": mj, "rain_mm": 0.0}), "made")


def test_index_of_grass_by_hand() -> None:
    days = every(5)
    row = _measure({"g": grass}, "grassland").iloc[0]
    span = (days[-1] - days[0]).days + 1
    look = clear_looks(made_looks({"g": grass}, days), bands=INPUT_BANDS).iloc[0]
    canopy = invert_canopy(look[list(INPUT_BANDS)].to_numpy(dtype="float32"), INPUT_BANDS)
    green = min(max(float(canopy.chlorophyll_g_per_m2) / (0.45 * float(canopy.lai)), 0.6), 1.05)
    assert row["index_raw"] == pytest.approx(span * float(canopy.fapar) * green, rel=1e-3)
    assert row["code"] == "few_neighbours|no_weather"
    assert pd.isna(row["index_ratio"])


def test_ratio_is_against_the_area_weighted_mean() -> None:
    curves = {name: bump(UP, DOWN, high=high) for name, high in (("a", 0.55), ("b", 0.75), ("c", 0.95))}
    table = _measure(curves).set_index("parcel_id")
    raw = table["index_raw"].to_numpy(dtype=float)
    assert raw[0] < raw[1] < raw[2]
    assert table["index_ratio"].tolist() == pytest.approx((raw / raw.mean()).tolist(), rel=1e-5)
    assert table["index_ratio"].mean() == pytest.approx(1)


def test_two_crops_of_one_land_are_added_up_each_in_its_own_time() -> None:
    early, late = bump(date(2018, 3, 20), date(2018, 7, 5)), bump(date(2018, 8, 1), date(2018, 10, 15), high=0.7)
    both = {"A": {"winter_cereal": 0.97, "none": 0.03}, "B": {"maize": 0.97, "none": 0.03}}
    curves = {"a": lambda day: max(early(day), late(day)), "e": early, "l": late}
    looks = made_looks(curves, every(5), {"a": both, "e": _sure("winter_cereal"), "l": _sure("maize")})
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = measure_growth(looks, seasons, made_crops()).set_index(["parcel_id", "slot"])
    raw = table["index_raw"].to_dict()
    assert raw["a", "A"] == pytest.approx(raw["e", "A"], rel=0.08)
    assert raw["a", "B"] == pytest.approx(raw["l", "B"], rel=0.12)
    assert raw["a", "A"] > 1.3 * raw["a", "B"]


def test_an_undated_stand_ends_where_the_next_begins() -> None:
    looks = made_looks({"a": MAIZE}, every(5), {"a": {"A": {"winter_cereal": 1.0}, "B": {"maize": 1.0}}})
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    dated = seasons.copy()
    dated.loc[:, ["emergence", "harvest"]] = pd.NaT
    dated.loc[1, "emergence"] = pd.Timestamp("2018-06-10", tz="UTC")
    start, stop = _bounds(dated, np.zeros(2, dtype=bool))
    day = (date(2018, 6, 10) - date(1970, 1, 1)).days
    assert (stop[0], start[1]) == (day, day)
    assert np.isnan(start[0])
    assert np.isnan(stop[1])


def test_idle_land_has_no_index() -> None:
    looks = made_looks({"a": MAIZE}, every(5), {"a": {"A": {"none": 1.0}, "B": {"none": 1.0}}})
    row = measure_growth(looks, describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF), made_crops())
    assert row["code"].tolist() == ["no_crop|no_weather"]
    assert row["index_raw"].isna().all()


def test_area_weights_the_mean() -> None:
    looks = made_looks(
        {name: bump(UP, DOWN, high=h) for name, h in (("a", 0.5), ("b", 0.7), ("c", 0.9))},
        every(5),
        {name: _sure("maize") for name in "abc"},
    )
    looks.land.loc[looks.land["parcel_id"] == "c", "cover"] *= 8
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = measure_growth(looks, seasons, made_crops())
    raw = table["index_raw"].to_numpy(dtype=float)
    assert table["index_ratio"].iloc[0] == pytest.approx(raw[0] / ((raw[0] + raw[1] + 8 * raw[2]) / 10), rel=1e-5)


def test_error_is_the_budget_of_one_field_and_grows_with_gaps() -> None:
    gap = [day for day in every(5) if not date(2018, 7, 1) <= day <= date(2018, 8, 29)]
    table = _measure(dict.fromkeys("abcd", MAIZE), days={**dict.fromkeys("abc", every(5)), "d": gap})
    errors = table["index_error"].tolist()
    assert errors[0] == pytest.approx(math.sqrt(0.10**2 + 0.05**2), abs=1e-4)
    longest = json.loads(table["evidence"].iloc[3])["longest_gap_days"]
    assert longest == (date(2018, 9, 1) - date(2018, 6, 28)).days
    assert errors[3] == pytest.approx(math.sqrt(errors[0] ** 2 - 0.05**2 + (0.05 * longest / 30) ** 2), abs=1e-3)


def test_an_index_that_spreads_beyond_the_truth_is_less_sure() -> None:
    highs = (0.30, 0.35, 0.40, 0.45, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95)
    curves = {f"p{k}": bump(UP, DOWN, high=high) for k, high in enumerate(highs)}
    table = _measure(curves)
    ratio = table["index_ratio"].to_numpy(dtype=float)
    spread = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    seen = 0.18**2 - 0.13**2
    assert spread**2 - seen > 0.10**2 + 0.05**2
    assert table["index_error"].tolist() == pytest.approx([math.sqrt(spread**2 - seen)] * 10, abs=1e-3)
    few = _measure(dict(list(curves.items())[:9]))
    assert few["index_error"].max() == pytest.approx(math.sqrt(0.10**2 + 0.05**2), abs=1e-3)


def test_a_running_season_is_marked_and_less_sure() -> None:
    done, running = _measure(dict.fromkeys("abc", MAIZE)), _measure(dict.fromkeys("abc", MAIZE), as_of=date(2018, 7, 5))
    assert running["code"].tolist() == ["in_season|no_weather"] * 3
    assert (running["index_error"] > done["index_error"]).all()


def test_a_late_crop_that_is_not_up_has_no_index_of_the_green_before_it() -> None:
    manure = bump(date(2018, 2, 10), date(2018, 5, 12), high=0.75)
    ahead = _measure(dict.fromkeys("abc", manure), as_of=date(2018, 5, 28))
    assert ahead["code"].tolist() == ["not_begun|in_season|no_weather"] * 3
    assert ahead[["index_raw", "index_ratio", "index_error"]].isna().all(axis=None)


def test_radiation_turns_days_into_light_and_cancels_in_the_ratio() -> None:
    curves = {name: bump(UP, DOWN, high=high) for name, high in (("a", 0.55), ("b", 0.75), ("c", 0.95))}
    plain, lit = _measure(curves), _measure(curves, weather=_weather(20.0))
    assert lit["index_raw"].tolist() == pytest.approx([raw * 0.48 * 20 for raw in plain["index_raw"]], rel=1e-4)
    assert lit["index_ratio"].tolist() == pytest.approx(plain["index_ratio"].tolist(), rel=1e-5)
    assert lit["code"].isna().all()


def test_weather_that_misses_the_season_is_not_used() -> None:
    short = _weather(20.0, last=SEASON.start + timedelta(days=100))
    assert _measure(dict.fromkeys("abc", MAIZE), weather=short)["code"].tolist() == ["no_weather"] * 3


def test_what_cannot_be_compared_says_so() -> None:
    foreign = _measure(dict.fromkeys("abc", MAIZE), crop="potato", listed=("maize",))
    assert foreign["code"].tolist() == ["crop_not_in_region|no_weather"] * 3
    assert foreign["index_ratio"].isna().all()
    few = _measure(dict.fromkeys("abc", MAIZE), days=every(150))
    assert few["code"].tolist() == ["few_looks|no_weather"] * 3
    assert few["index_error"].isna().all()


def test_no_parcels_give_an_empty_table_of_the_same_types() -> None:
    nothing = merge_looks([])
    seasons = describe_seasons(nothing, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    empty = measure_growth(nothing, seasons, made_crops())
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == _measure(dict.fromkeys("abc", MAIZE)).dtypes.to_dict()
