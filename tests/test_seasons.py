# SPDX-License-Identifier: Apache-2.0
"""Seasons: drawn curves with known dates, and what is said where nothing can be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pandas.testing
import pytest

from acreline.config import Sourced
from acreline.errors import ContractError
from acreline.layers import Looks, Seasons
from acreline.looks import merge_looks
from acreline.promises import ConformalStep, EnergyStep
from acreline.seasons import describe_seasons, judged_only, without_guesses
from tests.made_looks import (
    AS_OF,
    CALIBRATION,
    CEREAL,
    CLASSES,
    MAIZE,
    SEASON,
    Curve,
    bump,
    every,
    grass,
    made_calibration,
    made_crops,
    made_looks,
    made_parcels,
)

UP, DOWN = date(2018, 6, 15), date(2018, 9, 20)
MIXED = {"maize": 0.9, "grassland": 0.04, "winter_cereal": 0.03, "potato": 0.03}


def _sure(name: str) -> dict[str, float]:
    return {crop: 0.97 if crop == name else 0.01 for crop in CLASSES}


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


def test_ripening_begins_where_the_curve_leaves_its_height() -> None:
    rows = _describe({"c": CEREAL, "m": MAIZE, "g": grass}, {"c": "winter_cereal", "m": "maize", "g": "grassland"})
    table = rows.set_index("parcel_id")
    # 0.9 of the height is left ln(9) x 8 = 18 days before the middle of the fall
    assert _days_off(table.loc["m", "senescence"], date(2018, 9, 2)) <= 5
    assert _days_off(table.loc["c", "senescence"], date(2018, 6, 17)) <= 5
    assert table.loc["m", "senescence_doubt_days"] == 2.5
    assert pd.isna(table.loc["g", "senescence"])
    assert pd.isna(_describe({"m": MAIZE}, {"m": "maize"}, as_of=date(2018, 8, 1))["senescence"].iloc[0])


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
    table = _describe({"a": double, "b": double}, {"a": "winter_cereal", "b": "maize"})
    assert table["seasons"].tolist() == [2, 2]
    assert table["peak"].dt.month.tolist()[0] in (4, 5, 6)
    assert table["peak"].dt.month.tolist()[1] in (8, 9)
    assert table["peak_ndvi"].tolist() == pytest.approx([0.85, 0.7], abs=0.04)


def double(day: date) -> float:
    """Wheat, a fortnight of stubble, then maize."""
    return max(CEREAL(day), bump(date(2018, 8, 1), date(2018, 10, 15), high=0.7)(day))


BOTH = {
    "A": {"winter_cereal": 0.96, "none": 0.02, "grassland": 0.02},
    "B": {"maize": 0.9, "none": 0.08, "grassland": 0.02},
}


def rape(day: date) -> float:
    """Rapeseed that is up when looking begins, with its fullest leaves in January and flowers in April."""
    flowers = 0.12 * np.exp(-(((day - date(2018, 4, 25)).days / 10) ** 2))
    return float(bump(date(2017, 9, 1), date(2018, 6, 28))(day) - flowers)


def seedlings(day: date) -> float:
    """Wheat whose seedlings a frost of February browns."""
    frost = 0.25 * np.exp(-(((day - date(2018, 2, 10)).days / 12) ** 2))
    return float(max(0.55 * bump(date(2017, 10, 15), date(2018, 6, 1))(day) / 0.85 - frost, 0.2, CEREAL(day)))


def beet(day: date) -> float:
    return bump(date(2018, 6, 20), date(2018, 11, 25))(day) + 0.001 * max((day - date(2018, 8, 1)).days, 0)


def catch(day: date) -> float:
    """Wheat, then mustard until winter."""
    return max(CEREAL(day), bump(date(2018, 9, 15), date(2018, 12, 20), high=0.6)(day))


@pytest.mark.parametrize(
    ("curve", "crop"),
    [(rape, "winter_cereal"), (seedlings, "winter_cereal"), (beet, "maize"), (catch, "winter_cereal")],
)
def test_a_crop_that_peaks_in_winter_or_late_autumn_counts_once_and_seedlings_or_catch_crops_never(
    curve: Curve, crop: str
) -> None:
    row = _describe({"p": curve}, {"p": crop}).iloc[0]
    assert (row["seasons"], str(row["code"])) == (1, "<NA>")


NONE = {"A": {"none": 0.95, "winter_cereal": 0.05}, "B": {"none": 0.9, "maize": 0.1}}


def test_a_crop_that_is_seen_and_not_named_is_said() -> None:
    looks = made_looks(
        {"one": double, "both": double, "bare": double}, every(5), {"one": _sure("maize"), "both": BOTH, "bare": NONE}
    )
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF).set_index("parcel_id")
    assert table.loc["one", ["seasons", "code"]].tolist() == [2, "seasons_differ"]
    assert table.loc["both", "code"].isna().all()
    assert table.loc["bare", "code"] == "no_crop"
    # wheat is cut and maize still rises: what runs may yet be named
    running = _describe({"p": double}, {"p": "maize"}, as_of=date(2018, 8, 12)).iloc[0]
    assert running["code"] == "peak_not_reached"


def test_wheat_then_maize_are_two_stands_on_one_parcel() -> None:
    looks = made_looks({"p": double, "q": MAIZE}, every(5), {"p": BOTH, "q": _sure("maize")})
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    assert table[["parcel_id", "slot", "crop", "crop_set"]].apply(tuple, axis=1).tolist() == [
        ("p", "A", "winter_cereal", "winter_cereal"),
        ("p", "B", "maize", "maize"),
        ("q", "B", "maize", "maize"),
    ]
    wheat, maize, alone = (table.iloc[k] for k in range(3))
    assert wheat["crop_confidence"] == pytest.approx(0.96, abs=0.002)
    assert maize["crop_confidence"] == pytest.approx(0.9, abs=0.002)
    assert (wheat["seasons"], maize["seasons"], alone["seasons"]) == (2, 2, 1)
    assert _days_off(wheat["emergence"], date(2018, 3, 6)) <= 10
    assert _days_off(wheat["harvest"], date(2018, 7, 5)) <= 8
    assert wheat["harvest"] < maize["emergence"] < maize["peak"] < maize["harvest"]
    assert _days_off(maize["emergence"], date(2018, 7, 18)) <= 10  # out of the stubble, not out of the winter's soil
    assert _days_off(maize["harvest"], date(2018, 10, 15)) <= 8
    assert (wheat["stage"], maize["stage"]) == ("harvested", "harvested")
    assert table["code"].isna().all()
    # what stands on the neighbour changes nothing
    apart = describe_seasons(
        made_looks({"p": double}, every(5), {"p": BOTH}), made_crops(), CALIBRATION, SEASON, as_of=AS_OF
    )
    pandas.testing.assert_frame_equal(apart, table.iloc[:2])


@pytest.mark.parametrize(("days", "shift"), [(3, 3), (200, None)])
def test_a_crop_is_up_before_it_shows_green(days: float, shift: int | None) -> None:
    looks = made_looks({"p": double, "q": MAIZE}, every(5), {"p": BOTH, "q": _sure("maize")})
    usual = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    late_to_show = Sourced(value=days, cv=0.3, source="made up")
    crops = made_crops()
    crops["maize"] = crops["maize"].model_copy(update={"green_after_days": late_to_show})
    told = describe_seasons(looks, crops, CALIBRATION, SEASON, as_of=AS_OF)
    moved = (usual["emergence"] - told["emergence"]).dt.days.tolist()
    assert moved[0] == 0  # wheat needs no days here
    if shift is not None:
        assert moved[1:] == [shift, shift]
        doubt = usual["emergence_doubt_days"].astype(float)
        assert told["emergence_doubt_days"].tolist()[1] == pytest.approx(np.hypot(doubt[1], 0.9))
    else:  # no maize came up under standing wheat
        assert told["emergence"][1] == told["harvest"][0] + pd.Timedelta(days=1)


def test_two_rices_whose_peaks_lie_close_are_told_apart() -> None:
    def rices(day: date) -> float:
        early = bump(date(2018, 5, 10), date(2018, 7, 18), high=0.85)(day)  # still green when the late window opens
        return max(early, bump(date(2018, 8, 14), date(2018, 10, 30), high=0.75)(day))

    looks = made_looks({"p": rices}, every(3), {"p": BOTH})
    early, late = (row for _, row in describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF).iterrows())
    assert early["peak"].month in (5, 6, 7)
    assert late["peak"].month in (9, 10)
    assert _days_off(early["harvest"], date(2018, 7, 18)) <= 8
    assert early["harvest"] < late["emergence"]


def test_in_season_the_first_crop_is_cut_and_the_second_not_yet_at_its_peak() -> None:
    looks = made_looks({"p": double}, every(5, last=date(2018, 8, 10)), {"p": BOTH})
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=date(2018, 8, 10))
    assert table["slot"].tolist() == ["A", "B"]
    assert table["stage"].tolist()[0] == "harvested"
    assert table["code"].tolist()[1] == "peak_not_reached"
    assert pd.isna(table["harvest"].iloc[1])


def test_a_crop_of_the_whole_year_is_one_row() -> None:
    said = {
        # likeliest in both slots
        "grass": {"A": {"grassland": 0.81, "none": 0.19}, "B": {"grassland": 0.49, "maize": 0.48, "none": 0.03}},
        # not the likeliest in B, and yet likelier in both together (0.54) than the best pair (0.25)
        "joint": {"A": {"grassland": 0.9, "none": 0.1}, "B": {"grassland": 0.4, "maize": 0.6}},
        # a ley ploughed up for maize: in both together grass (0.05) is beaten by nothing and then maize (0.36)
        "ploughed": {"A": {"grassland": 0.6, "none": 0.4}, "B": {"grassland": 0.1, "maize": 0.9}},
        # two crops of the whole year: the likelier of them in both together
        "trees": {"A": {"grassland": 0.5, "perennial": 0.5}, "B": {"perennial": 0.9, "grassland": 0.1}},
    }
    looks = made_looks(dict.fromkeys(said, grass), every(10), said)
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF).set_index("parcel_id")
    assert table[["slot", "crop"]].apply(tuple, axis=1).to_dict() == {
        "grass": ("AB", "grassland"),
        "joint": ("AB", "grassland"),
        "ploughed": ("B", "maize"),
        "trees": ("AB", "perennial"),
    }
    assert table.loc["grass", "crop_confidence"] == pytest.approx((0.81 * 0.49) ** 0.5, abs=0.002)
    # what reaches 0.2 in either slot; that nothing stood in one of them alone is no doubt about the year
    assert table.loc["grass", "crop_set"] == "grassland|maize"
    assert table.loc["joint", "crop_set"] == "grassland|maize"
    assert table.loc["trees", "crop_set"] == "perennial|grassland"
    assert table.loc["trees", "code"] == "crop_doubtful|crop_not_in_region"
    assert table["code"].notna().to_dict() == {"grass": True, "joint": True, "ploughed": False, "trees": True}


def test_land_on_which_nothing_grew_says_so() -> None:
    bare = bump(date(2018, 6, 15), date(2018, 9, 20), high=0.3)
    said = {
        "idle": {"A": {"none": 0.95, "winter_cereal": 0.05}, "B": {"none": 0.9, "maize": 0.1}},
        "maybe": {"A": {"none": 0.95, "winter_cereal": 0.05}, "B": {"none": 0.6, "maize": 0.4}},
        "doubt": {"A": {"none": 0.95, "winter_cereal": 0.05}, "B": {"none": 0.4, "maize": 0.6}},
    }
    looks = made_looks(dict.fromkeys(said, bare), every(5), said)
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF).set_index("parcel_id")
    assert table[["slot", "crop", "crop_set"]].apply(tuple, axis=1).to_dict() == {
        "doubt": ("B", "maize", "maize|none"),
        "idle": ("AB", "none", "none"),
        "maybe": ("AB", "none", "none|maize"),
    }
    assert table.loc["idle", ["seasons", "stage"]].tolist() == [0, "unknown"]
    assert table.loc["idle", "code"] == "no_crop"
    assert table.loc["idle", "crop_confidence"] == pytest.approx((0.95 * 0.9) ** 0.5, abs=0.002)


def test_thresholds_follow_the_number_of_clear_looks() -> None:
    cells = (ConformalStep(0, 0.05, 50), ConformalStep(40, 0.5, 50))
    slots = {slot: replace(promise, cells=cells) for slot, promise in CALIBRATION.slots.items()}
    shares = {"maize": 0.8, "potato": 0.2}
    looks = made_looks({"a": MAIZE, "b": MAIZE}, {"a": every(5), "b": every(15)}, {"a": shares, "b": shares})
    table = describe_seasons(looks, made_crops(), replace(CALIBRATION, slots=slots), SEASON, as_of=AS_OF)
    assert table["crop_set"].tolist() == ["maize", "maize|potato"]
    assert (table["clear_looks"] >= 40).tolist() == [True, False]


def test_land_that_is_no_farmland_and_land_unlike_all_that_was_taught() -> None:
    sure = {"non_agri": 1.0}
    looks = made_looks({"town": grass, "odd": MAIZE, "known": MAIZE}, every(10), {"town": sure, "odd": _sure("maize")})
    strange = pd.DataFrame(
        [("odd", "energy", "sum", 100, 100 * -250, 0), ("known", "energy", "sum", 100, 100 * -350, 0)],
        columns=looks.evidence.columns,
    )
    looks = merge_looks([looks, Looks(looks.passes.iloc[:0], strange, looks.land.iloc[:0])])
    table = describe_seasons(looks, made_crops(), made_calibration(energy=-3.0), SEASON, as_of=AS_OF)
    assert table.set_index("parcel_id")["code"].to_dict() == {
        "known": "no_evidence",
        "odd": "unlike_training",
        "town": "not_farmland",
    }


def test_what_is_strange_goes_by_the_number_of_clear_looks() -> None:
    looks = made_looks({"often": MAIZE, "seldom": MAIZE}, {"often": every(10), "seldom": every(60)})
    same = [(name, "energy", "sum", 100, 100 * -250, 0) for name in ("often", "seldom")]
    crops = [
        (name, f"crop_{slot}", cls, px, 100 * logp, 0)
        for name in ("often", "seldom")
        for slot, first in (("a", "none"), ("b", "maize"))
        for cls, px, logp in ((first, 100, -10), ("grassland", 0, -4000))
    ]
    strange = pd.DataFrame([*same, *crops], columns=looks.evidence.columns)
    looks = merge_looks([looks, Looks(looks.passes.iloc[:0], strange, looks.land.iloc[:0])])
    steps = (EnergyStep(0, -2.0), EnergyStep(13, -3.0))
    table = describe_seasons(
        looks, made_crops(), replace(CALIBRATION, energy_steps=steps), SEASON, as_of=AS_OF
    ).set_index("parcel_id")
    assert table.loc["often", "code"] == "unlike_training"
    assert table.loc["seldom", "code"] == "long_gap"


def told_pixels(name: str, pixels: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Evidence of one parcel: slot -> class -> pixels on which it is likeliest; it is likely as far as it is common."""
    rows = []
    for slot, counts in pixels.items():
        total = sum(counts.values())
        for cls, px in counts.items():
            logp = round(1024 * np.log(px / total))
            rows.append((name, f"crop_{slot.lower()}", cls, px, total * logp, 0))
    return pd.DataFrame(rows, columns=["parcel_id", "head", "cls", "n_px", "logp", "prob"])


def test_few_pixels_and_two_crops_on_one_parcel_are_said() -> None:
    said = {
        "whole": {"A": {"none": 100}, "B": {"maize": 80, "potato": 20}},
        "mixed": {"A": {"none": 100}, "B": {"maize": 79, "potato": 21}},
        "small": {"A": {"none": 11}, "B": {"maize": 11}},
        "enough": {"A": {"none": 12}, "B": {"maize": 12}},
        "early": {"A": {"winter_cereal": 70, "none": 30}, "B": {"maize": 100}},
        "grass": {"A": {"grassland": 100}, "B": {"grassland": 75, "maize": 25}},
        "idle": {"A": {"none": 60, "winter_cereal": 40}, "B": {"none": 100}},
    }
    looks = made_looks(dict.fromkeys(said, MAIZE), every(10))
    evidence = pd.concat([told_pixels(name, pixels) for name, pixels in said.items()], ignore_index=True)
    looks = merge_looks([looks, Looks(looks.passes.iloc[:0], evidence, looks.land.iloc[:0])])
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    codes = {
        (row["parcel_id"], row["slot"]): {"few_pixels", "mixed_parcel"} & set(str(row["code"]).split("|"))
        for _, row in table.iterrows()
    }
    assert codes == {
        ("whole", "B"): set(),
        ("mixed", "B"): {"mixed_parcel"},
        ("small", "B"): {"few_pixels"},
        ("enough", "B"): set(),
        ("early", "A"): {"mixed_parcel"},
        ("early", "B"): set(),
        ("grass", "AB"): {"mixed_parcel"},
        ("idle", "AB"): {"mixed_parcel"},
    }


def test_a_set_goes_by_the_group_of_the_likeliest_crop() -> None:
    groups = {"tall": ("maize",), "low": ("potato",)}
    cells = (ConformalStep(0, 0.3, 9), ConformalStep(0, 0.05, 9, "tall"), ConformalStep(0, 0.25, 9, "low"))
    slots = {slot: replace(promise, cells=cells, groups=groups) for slot, promise in CALIBRATION.slots.items()}
    shares = {"m": {"maize": 0.8, "potato": 0.2}, "p": {"potato": 0.8, "maize": 0.2}}
    said = {name: {"A": {"none": 1.0}, "B": given} for name, given in shares.items()}
    looks = made_looks({"m": MAIZE, "p": MAIZE}, every(10), said)
    table = describe_seasons(looks, made_crops(), replace(CALIBRATION, slots=slots), SEASON, as_of=AS_OF)
    assert table["crop_set"].tolist() == ["maize|potato", "potato"]


def test_of_a_parcel_that_may_not_be_judged_neither_crop_nor_slot_is_told() -> None:
    looks = made_looks({"p": double, "q": double}, every(5), {"p": BOTH, "q": BOTH})
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    parcels = made_parcels({"p": "f", "q": "f"}, status=["ok", "insufficient"], reason=[None, "small_parcel"])
    told = without_guesses(table, parcels)
    assert told[["parcel_id", "slot", "crop", "crop_set"]].apply(tuple, axis=1).tolist() == [
        ("p", "A", "winter_cereal", "winter_cereal"),
        ("p", "B", "maize", "maize"),
        ("q", "AB", "unknown", ""),
    ]
    assert judged_only(table, parcels)["parcel_id"].tolist() == ["p", "p"]


def test_a_green_manure_in_autumn_is_not_the_peak() -> None:
    def covered(day: date) -> float:
        return max(MAIZE(day), bump(date(2018, 10, 20), date(2019, 3, 1), high=0.9)(day))

    row = _describe({"m": covered}, {"m": "maize"}).iloc[0]
    assert date(2018, 7, 10) <= row["peak"].date() <= date(2018, 8, 20)
    assert _days_off(row["harvest"], DOWN) <= 10
    assert (row["seasons"], row["stage"]) == (1, "harvested")  # what greens in autumn is no crop of the year
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


def manured(day: date) -> float:
    """Mustard until the middle of May, then maize."""
    return max(bump(date(2018, 2, 10), date(2018, 5, 12), high=0.75)(day), MAIZE(day))


@pytest.mark.parametrize("month", [3, 4, 5])
def test_a_green_manure_of_spring_dates_no_late_crop(month: int) -> None:
    row = _describe({"m": manured}, {"m": "maize"}, as_of=date(2018, month, 28)).iloc[0]
    assert row["code"] == "not_begun|peak_not_reached"
    assert row[["emergence", "peak", "harvest", "peak_ndvi"]].isna().all()
    assert row["stage"] == {3: "not_begun", 4: "not_begun", 5: "bare"}[month]


def test_after_its_green_manure_the_late_crop_is_dated_by_its_own_rise() -> None:
    stages = {}
    for month, day in ((6, 25), (7, 10), (8, 1), (9, 1), (11, 1)):
        row = _describe({"m": manured}, {"m": "maize"}, as_of=date(2018, month, day)).iloc[0]
        stages[(month, day)] = row["stage"]
        assert _days_off(row["emergence"], date(2018, 6, 1)) <= 10
        assert "not_begun" not in str(row["code"])
        assert pd.isna(row["harvest"]) == (month < 11)
    assert stages[(6, 25)] in ("emerging", "growing")
    assert stages[(7, 10)] in ("growing", "peak")
    assert stages[(11, 1)] == "harvested"


def test_a_late_crop_that_is_not_up_when_its_days_open_is_not_its_green_manure() -> None:
    def late(day: date) -> float:
        return max(bump(date(2018, 2, 10), date(2018, 6, 14), high=0.75)(day), bump(date(2018, 7, 25), DOWN)(day))

    row = _describe({"m": late}, {"m": "maize"}, as_of=date(2018, 7, 2)).iloc[0]
    assert row["code"] == "not_begun|peak_not_reached"
    assert row[["emergence", "peak", "harvest"]].isna().all()
    up = _describe({"m": late}, {"m": "maize"}, as_of=date(2018, 8, 20)).iloc[0]
    assert _days_off(up["emergence"], date(2018, 7, 11)) <= 10
    assert pd.isna(up["harvest"])


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
    softer = made_calibration(temperature=3.0)
    again = describe_seasons(looks, made_crops(), softer, SEASON, as_of=AS_OF)
    assert again["crop_confidence"].iloc[1] < table["crop_confidence"].iloc[1]
    strict = made_calibration(threshold=0.99)
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
    assert (table.loc["foreign", "crop"], table.loc["foreign", "slot"]) == ("potato", "B")
    assert pd.isna(table.loc["few", "peak"])
    assert (table.loc["few", "stage"], table.loc["few", "seasons"], table.loc["few", "evidence"]) == (
        "unknown",
        0,
        "[]",
    )
    assert table.loc["few", "clear_looks"] == 3


def test_weeks_that_nobody_saw_are_told() -> None:
    def without(first: date, last: date) -> list[date]:
        return [day for day in every(1) if not first < day < last]

    days = {
        "summer": without(date(2018, 7, 1), date(2018, 8, 11)),  # 41 days
        "forty": without(date(2018, 7, 1), date(2018, 8, 10)),
        "winter": without(date(2017, 11, 1), date(2018, 2, 1)),  # no maize stood
        "later": without(date(2018, 10, 20), date(2018, 12, 10)),  # it was cut
        "ends": without(date(2018, 9, 1), date(2018, 12, 16)),  # not yet over: the newest look is old
        "cereal": without(date(2017, 11, 1), date(2018, 2, 1)),
        "idle": without(date(2018, 7, 1), date(2018, 8, 20)),
    }
    told = {**dict.fromkeys(days, _sure("maize")), "cereal": _sure("winter_cereal"), "idle": {"none": 1.0}}
    told["idle"] = {"A": {"none": 1.0}, "B": {"none": 1.0}}
    looks = made_looks({**dict.fromkeys(days, MAIZE), "cereal": CEREAL}, days, told)
    table = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    code = table.set_index("parcel_id")["code"].fillna("")
    assert sorted(code.index[code.str.contains("long_gap")]) == ["summer"]
    early = table.loc[table["parcel_id"] == "cereal", "emergence"].iloc[0]
    assert early > pd.Timestamp("2018-02-01", tz="UTC")  # the gap was over when it came up


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
