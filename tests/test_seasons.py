# SPDX-License-Identifier: Apache-2.0
"""Seasons: drawn curves with known dates, and what is said where nothing can be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pandas.testing
import pytest

from acreline.errors import ContractError
from acreline.layers import Calibration, Looks, Seasons
from acreline.looks import merge_looks
from acreline.seasons import describe_seasons
from tests.made_looks import (
    AS_OF,
    CALIBRATION,
    CEREAL,
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
MIXED = {"maize": 0.9, "grassland": 0.04, "winter_cereal": 0.03, "potato": 0.03}


def _sure(name: str) -> dict[str, float]:
    return {crop: 0.97 if crop == name else 0.01 for crop in CALIBRATION.classes}


def _describe(
    curves: Mapping[str, Curve],
    crops: Mapping[str, str],
    days: Sequence[date] | Mapping[str, Sequence[date]] | None = None,
    as_of: date = AS_OF,
) -> Seasons:
    looks = made_looks(curves, days or every(5), {name: _sure(crop) for name, crop in crops.items()})
    return describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=as_of)


def _days_off(found: pd.Timestamp, wanted: date) -> int:
    return abs((found.date() - wanted).days)


def test_dates_of_drawn_seasons() -> None:
    table = _describe(
        {"c": CEREAL, "g": grass, "m": MAIZE}, {"c": "winter_cereal", "g": "grassland", "m": "maize"}
    ).set_index("parcel_id")
    cereal, grassland, maize = table.loc["c"], table.loc["g"], table.loc["m"]
    assert (cereal["slot"], grassland["slot"], maize["slot"]) == ("A", "AB", "B")
    # halfway up is 20 March and 15 June, halfway down 5 July and 20 September; 15 % of the rise is 14 days before
    assert _days_off(cereal["harvest"], date(2018, 7, 5)) <= 6
    assert _days_off(maize["harvest"], date(2018, 9, 20)) <= 6
    assert _days_off(cereal["emergence"], date(2018, 3, 6)) <= 8
    assert _days_off(maize["emergence"], date(2018, 6, 1)) <= 8
    assert date(2018, 4, 20) <= cereal["peak"].date() <= date(2018, 6, 5)
    assert date(2018, 7, 10) <= maize["peak"].date() <= date(2018, 8, 20)
    assert maize["peak_ndvi"] == pytest.approx(0.85, abs=0.03)
    assert maize["harvest_doubt_days"] == 2.5  # a look every 5 days
    assert (cereal["stage"], grassland["stage"], maize["stage"]) == ("harvested", "permanent", "harvested")
    assert pd.isna(grassland["emergence"])
    assert pd.isna(grassland["harvest"])
    assert table["code"].isna().all()
    assert table["seasons"].tolist() == [1, 1, 1]
    assert maize["clear_looks"] == len(every(5))
    assert maize["last_clear"].date() == every(5)[-1]


def test_doubt_is_half_the_gap() -> None:
    gap = [day for day in every(5) if not date(2018, 9, 5) <= day <= date(2018, 10, 10)]
    maize = _describe({"m": MAIZE}, {"m": "maize"}, gap).iloc[0]
    before = max(day for day in gap if day < date(2018, 9, 5))
    after = min(day for day in gap if day > date(2018, 10, 10))
    assert maize["harvest_doubt_days"] == (after - before).days / 2
    assert maize["harvest"].date() == before + timedelta(days=(after - before).days // 2)
    assert f"{before:%Y%m%d}" in maize["evidence"]
    assert f"{after:%Y%m%d}" in maize["evidence"]


def test_two_crops_a_year_are_two_seasons_and_the_slot_picks_its_own() -> None:
    def double(day: date) -> float:
        return max(CEREAL(day), bump(date(2018, 8, 1), date(2018, 10, 15), high=0.7)(day))

    table = _describe({"a": double, "b": double}, {"a": "winter_cereal", "b": "maize"})
    assert table["seasons"].tolist() == [2, 2]
    assert table["peak"].dt.month.tolist()[0] in (4, 5, 6)
    assert table["peak"].dt.month.tolist()[1] in (8, 9)
    assert table["peak_ndvi"].tolist() == pytest.approx([0.85, 0.7], abs=0.04)


def test_a_green_manure_in_autumn_is_not_the_peak() -> None:
    def covered(day: date) -> float:
        return max(MAIZE(day), bump(date(2018, 10, 20), date(2019, 3, 1), high=0.9)(day))

    row = _describe({"m": covered}, {"m": "maize"}).iloc[0]
    assert date(2018, 7, 10) <= row["peak"].date() <= date(2018, 8, 20)
    assert _days_off(row["harvest"], DOWN) <= 10
    assert (row["seasons"], row["stage"]) == (2, "harvested")
    assert pd.isna(row["code"])


def test_stages_through_the_year() -> None:
    stages = {}
    for month, day in ((4, 1), (6, 8), (7, 1), (8, 1), (9, 15), (11, 1)):
        row = _describe({"m": MAIZE}, {"m": "maize"}, as_of=date(2018, month, day)).iloc[0]
        stages[(month, day)] = row["stage"]
    assert stages[(4, 1)] == "bare"
    assert stages[(6, 8)] == "emerging"
    assert stages[(7, 1)] == "growing"
    assert stages[(8, 1)] in ("growing", "peak")
    assert stages[(9, 15)] == "senescing"
    assert stages[(11, 1)] == "harvested"


def test_nothing_after_as_of_is_used() -> None:
    day = date(2018, 7, 1)
    full = _describe({"m": MAIZE}, {"m": "maize"}, as_of=day)
    cut = _describe({"m": MAIZE}, {"m": "maize"}, [d for d in every(5) if d <= day], as_of=day)
    pandas.testing.assert_frame_equal(full, cut)
    assert full["code"].iloc[0] == "peak_not_reached"
    assert pd.isna(full["harvest"].iloc[0])
    assert pd.isna(full["peak_doubt_days"].iloc[0])


def test_a_single_cloudy_look_does_not_move_the_curve() -> None:
    spoilt = {date(2018, 8, 2): "haze", date(2018, 7, 13): "shadow", date(2018, 8, 22): "deep"}

    def spoil(parcel: str, day: date, look: dict[str, float]) -> None:
        kind = spoilt.get(day) if parcel == "spoilt" else None
        if kind == "haze":
            look.update(ndvi=look["ndvi"] - 0.25, blue=0.15)
        elif kind == "shadow":
            look.update(ndvi=look["ndvi"] - 0.1, nir=0.1, swir=0.05)
        elif kind == "deep":
            look["ndvi"] = 0.1

    days = every(5, first=date(2018, 3, 30))
    assert set(spoilt) <= set(days)
    without = [day for day in days if day not in spoilt]
    looks = made_looks(
        {"clean": MAIZE, "spoilt": MAIZE},
        {"clean": without, "spoilt": days},
        {name: _sure("maize") for name in ("clean", "spoilt")},
        change=spoil,
    )
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    pandas.testing.assert_frame_equal(
        table.iloc[[0]].drop(columns="parcel_id").reset_index(drop=True),
        table.iloc[[1]].drop(columns="parcel_id").reset_index(drop=True),
    )
    assert table["clear_looks"].tolist() == [len(without)] * 2


def test_a_half_seen_parcel_is_no_look() -> None:
    def half(parcel: str, day: date, look: dict[str, float]) -> None:
        look["clear"] = 49.0 if day.day % 2 else 50.0

    looks = made_looks({"m": MAIZE}, every(5), {"m": _sure("maize")}, change=half)
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    assert table["clear_looks"].iloc[0] == sum(day.day % 2 == 0 for day in every(5))


def test_crop_sets_follow_the_card() -> None:
    looks = made_looks(
        {"a": MAIZE, "b": MAIZE, "c": MAIZE},
        every(10),
        {
            "a": {"maize": 0.5, "potato": 0.3, "grassland": 0.1, "winter_cereal": 0.1},
            "b": {"maize": 0.9, "potato": 0.1},
            "c": {"maize": 0.19, "potato": 0.18},
        },
    )
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    assert table["crop"].tolist() == ["maize"] * 3
    assert table["crop_set"].tolist() == ["maize|potato", "maize", "maize|potato"]
    assert table["crop_confidence"].iloc[2] == pytest.approx(0.19 / 0.37, abs=0.002)
    assert table["crop_confidence"].iloc[0] == pytest.approx(0.5, abs=0.002)
    softer = Calibration(CALIBRATION.classes, temperature=3.0, set_threshold=0.2, alpha=0.1)
    again = describe_seasons(looks, made_crops(), softer, SEASON, as_of=AS_OF)
    assert again["crop_confidence"].iloc[1] < table["crop_confidence"].iloc[1]
    strict = Calibration(CALIBRATION.classes, temperature=1.0, set_threshold=0.99, alpha=0.1)
    alone = describe_seasons(looks, made_crops(), strict, SEASON, as_of=AS_OF)
    assert alone["crop_set"].tolist() == ["maize"] * 3  # never empty: the best stands with its confidence


def test_what_cannot_be_known_says_so() -> None:
    crops = {name: crop for name, crop in made_crops().items() if name != "potato"}
    looks = made_looks(
        {
            "few": MAIZE,
            "foreign": MAIZE,
            "silent": MAIZE,
            "weak": bump(date(2018, 6, 15), date(2018, 9, 20), high=0.36),
        },
        {"few": every(150), "foreign": every(5), "silent": every(5), "weak": every(5)},
        {"few": _sure("maize"), "foreign": _sure("potato"), "weak": _sure("maize")},
    )
    table = describe_seasons(looks, crops, CALIBRATION, SEASON, as_of=AS_OF).set_index("parcel_id")
    assert table["code"].to_dict() == {
        "few": "few_looks",
        "foreign": "crop_not_in_region",
        "silent": "no_evidence",
        "weak": "weak_peak",
    }
    assert table.loc["silent", ["crop", "crop_set", "crop_confidence"]].tolist() == ["unknown", "", 0.0]
    assert (table.loc["foreign", "crop"], table.loc["foreign", "slot"]) == ("potato", "AB")
    assert pd.isna(table.loc["few", "peak"])
    assert (table.loc["few", "stage"], table.loc["few", "seasons"], table.loc["few", "evidence"]) == (
        "unknown",
        0,
        "[]",
    )
    assert table.loc["few", "clear_looks"] == 3


def test_a_class_the_card_does_not_know_is_refused() -> None:
    looks = made_looks({"m": MAIZE}, every(10), {"m": {"durian": 0.9, "maize": 0.1}})
    with pytest.raises(ContractError, match=r"crop classes \['durian'\] that the model's card does not"):
        describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)


def test_no_parcels_give_an_empty_table_of_the_same_types() -> None:
    empty = describe_seasons(merge_looks([]), made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    filled = _describe({"m": MAIZE}, {"m": "maize"})
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == filled.dtypes.to_dict()


def test_a_parcel_that_was_never_clear_is_there() -> None:
    def clouds(parcel: str, day: date, look: dict[str, float]) -> None:
        look["clear"] = 0.0

    looks = made_looks({"m": MAIZE}, every(5), change=clouds)
    row = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF).iloc[0]
    assert row["clear_looks"] == 0
    assert pd.isna(row["last_clear"])
    assert row["code"] == "no_evidence|few_looks"


def test_neighbours_and_chunks_do_not_change_a_parcel(monkeypatch: pytest.MonkeyPatch) -> None:
    import acreline.curves

    rng = np.random.default_rng(4)
    shifts = rng.integers(-20, 20, 9)
    curves = {
        f"p{k}": bump(date(2018, 6, 15) + timedelta(days=int(s)), date(2018, 9, 20)) for k, s in enumerate(shifts)
    }
    together = _describe(curves, dict.fromkeys(curves, "maize"))
    monkeypatch.setattr(acreline.curves, "CHUNK", 2)
    monkeypatch.setattr(acreline.curves.smooth_curves, "__defaults__", (2,))
    chunked = _describe(curves, dict.fromkeys(curves, "maize"))
    pandas.testing.assert_frame_equal(together, chunked)
    alone = pd.concat([_describe({name: curve}, {name: "maize"}) for name, curve in curves.items()], ignore_index=True)
    pandas.testing.assert_frame_equal(together, alone)


def test_order_of_looks_does_not_matter() -> None:
    looks = made_looks({"a": MAIZE, "b": CEREAL}, every(5), {"a": MIXED, "b": _sure("winter_cereal")})
    turned = Looks(looks.passes.iloc[::-1], looks.evidence.iloc[::-1], looks.land.iloc[::-1])
    one = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    pandas.testing.assert_frame_equal(one, describe_seasons(turned, made_crops(), CALIBRATION, SEASON, as_of=AS_OF))
