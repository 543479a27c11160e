# SPDX-License-Identifier: Apache-2.0
"""Health: robust z by hand, neighbours that count, and the network's voice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd
import pandas.testing
import pytest

from acreline.errors import InputError
from acreline.health import score_health
from acreline.layers import Health, Looks, Seasons
from acreline.looks import merge_looks
from acreline.seasons import describe_seasons
from tests.made_looks import AS_OF, CALIBRATION, CEREAL, MAIZE, SEASON, bump, every, grass, made_crops, made_looks

SURE = {"maize": 0.97, "grassland": 0.01, "winter_cereal": 0.01, "potato": 0.01}


def _fields(
    shifts: Mapping[str, float], as_of: date = AS_OF, health: Mapping[str, Mapping[str, float]] | None = None
) -> tuple[Looks, Seasons]:
    """Maize fields whose NDVI, NDRE and NDMI are all shifted by the same amount, and one field of grass."""

    def shift(parcel: str, day: date, look: dict[str, float]) -> None:
        for index in ("ndvi", "ndre", "ndmi"):
            look[index] += shifts.get(parcel, 0.0)

    curves = {**dict.fromkeys(shifts, MAIZE), "z-grass": grass}
    crops = {**dict.fromkeys(shifts, SURE), "z-grass": {**SURE, "maize": 0.01, "grassland": 0.97}}
    looks = made_looks(curves, every(5, last=as_of), crops, health, change=shift)
    return looks, describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=as_of)


def _score(shifts: Mapping[str, float], as_of: date = AS_OF) -> Health:
    return score_health(*_fields(shifts, as_of))


SEVEN = {"a": -0.12, "b": -0.04, "c": -0.02, "d": 0.0, "e": 0.02, "f": 0.04, "g": 0.08}


def test_vigour_is_a_robust_z() -> None:
    table = _score(SEVEN).set_index("parcel_id")
    # median shift 0; deviations 0 .02 .02 .04 .04 .08 .12, MAD .04: z = shift / (1.4826 x 0.04) for each index
    for name, shift in SEVEN.items():
        assert table.loc[name, "vigour"] == pytest.approx(shift / (1.4826 * 0.04), abs=0.02)
    assert table.loc["a", "vigour_neighbours"] == 6
    assert table.loc["a", "vigour"] < -2
    assert table.loc["a", "code"] == "no_normal"
    assert pd.isna(table.loc["a", "vigour_normal"])
    assert table.loc["a", "evidence"].count("S2A") >= 7  # looks within 20 days of the peak


def test_each_of_two_stands_is_graded_at_its_own_peak_and_both_carry_the_fields_class() -> None:
    def double(day: date) -> float:
        return max(CEREAL(day), bump(date(2018, 8, 1), date(2018, 10, 15), high=0.7)(day))

    def shift(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "a" and day > date(2018, 7, 20):  # only its second crop is poor
            look.update(ndvi=look["ndvi"] - 0.2, ndre=look["ndre"] - 0.2, ndmi=look["ndmi"] - 0.2)

    names = list("abcdefg")
    both = {"A": {"winter_cereal": 0.97, "none": 0.03}, "B": {"maize": 0.97, "none": 0.03}}
    idle = {"A": {"none": 1.0}, "B": {"none": 1.0}}
    told = {**dict.fromkeys(names, both), "z": idle}
    looks = made_looks(
        dict.fromkeys(told, double),
        every(5),
        told,
        {name: {"drought": 0.9, "normal": 0.1} for name in told},
        change=shift,
    )
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = score_health(looks, seasons).set_index(["parcel_id", "slot"])
    assert len(table) == 2 * len(names) + 1
    assert table.loc[("a", "A"), "vigour"] == pytest.approx(0, abs=0.1)
    assert table.loc[("a", "B"), "vigour"] < -2
    assert table.loc["a", "health"].tolist() == ["drought", "drought"]
    assert table.loc[("z", "AB"), "health"] == "unknown"
    assert pd.isna(table.loc[("z", "AB"), "vigour"])
    assert table.loc[("b", "A"), "vigour_neighbours"] == len(names) - 1


def test_too_few_neighbours_make_no_vigour() -> None:
    table = _score({name: SEVEN[name] for name in "abcde"}).set_index("parcel_id")
    assert table["vigour"].isna().all()
    assert table.loc["a", "code"] == "few_neighbours|no_normal"
    assert (table.loc["a", "vigour_neighbours"], table.loc["z-grass", "vigour_neighbours"]) == (4, 0)
    assert table["health"].tolist() == ["unknown"] * 6


def test_fields_all_alike_are_not_ranked() -> None:
    table = _score({name: shift / 100 for name, shift in SEVEN.items()})
    assert table["vigour"].abs().max() < 0.2


def test_vigour_of_a_running_season_is_read_from_its_newest_looks() -> None:
    day = date(2018, 7, 5)
    table = _score(SEVEN, day).set_index("parcel_id")
    newest = [f"S2A-R051-{look:%Y%m%d}" for look in every(5, last=day)][-1]
    assert newest in table.loc["a", "evidence"]
    assert table.loc["a", "evidence"].count("S2A") <= 9
    assert table.loc["a", "vigour"] == pytest.approx(-0.12 / (1.4826 * 0.04), abs=0.05)


def test_against_a_normal_year() -> None:
    looks, seasons = _fields(SEVEN)
    normals = pd.DataFrame({"crop": "maize", "week": range(1, 54), "ndvi": 0.80, "ndvi_sd": 0.05})
    table = score_health(looks, seasons, normals).set_index("parcel_id")
    seen = [MAIZE(date.fromisoformat(name[-8:])) for name in json.loads(table.loc["d", "evidence"])]
    assert table.loc["d", "vigour_normal"] == pytest.approx((np.mean(seen) - 0.80) / 0.05, abs=0.002)
    assert table.loc["a", "vigour_normal"] == pytest.approx(table.loc["d", "vigour_normal"] - 0.12 / 0.05, abs=0.01)
    assert pd.isna(table.loc["d", "code"])
    assert table.loc["z-grass", "code"] == "few_neighbours|no_normal"


def test_normals_without_a_column_are_refused() -> None:
    looks, seasons = _fields(SEVEN)
    with pytest.raises(InputError, match=r"normals: columns \['ndvi_sd'\] are missing"):
        score_health(looks, seasons, pd.DataFrame({"crop": [], "week": [], "ndvi": []}))


def test_the_network_names_the_class() -> None:
    said = {"a": {"normal": 0.7, "drought": 0.3}, "b": {"normal": 0.2, "drought": 0.8}}
    table = score_health(*_fields(SEVEN, health=said)).set_index("parcel_id")
    assert table.loc[["a", "b", "c"], "health"].tolist() == ["normal", "drought", "unknown"]
    assert table.loc[["a", "b", "c"], "health_confidence"].tolist() == pytest.approx([0.7, 0.8, 0.0], abs=0.002)


def test_a_class_with_less_than_half_of_the_probability_is_not_published() -> None:
    said = {"a": {"normal": 0.45, "drought": 0.3, "flood": 0.25}, "b": {"normal": 0.55, "drought": 0.45, "flood": 0.0}}
    table = score_health(*_fields(SEVEN, health=said)).set_index("parcel_id")
    assert table.loc[["a", "b", "c"], "health"].tolist() == ["unknown", "normal", "unknown"]
    assert table.loc["a", "health_confidence"] == pytest.approx(0.45, abs=0.002)
    assert table.loc["a", "code"] == "health_doubtful|no_normal"
    assert table.loc[["b", "c"], "code"].tolist() == ["no_normal", "no_normal"]  # said nothing is not doubtful


def test_rules_and_network_stand_side_by_side() -> None:
    fares = {
        "a": {"drought": 0.9, "normal": 0.1},  # vigour -2.0, weak: both see it
        "b": {"normal": 0.9, "drought": 0.1},  # -0.7
        "c": {"harvested": 0.9, "normal": 0.1},  # neither damaged nor normal
        "e": {"flood": 0.9, "normal": 0.1},  # 0.3: it stands as its neighbours do
        "f": {"normal": 0.4, "flood": 0.3, "frost": 0.3},  # no class at all
    }
    table = score_health(*_fields(SEVEN, health=fares)).set_index("parcel_id")
    told = {name: None if pd.isna(value) else bool(value) for name, value in table["confirmed"].items()}
    assert told == {"a": True, "b": True, "c": None, "d": None, "e": False, "f": None, "g": None, "z-grass": None}
    assert table["code"].str.contains("health_disagrees").to_dict() == {name: name == "e" for name in told}
    sound = score_health(*_fields(SEVEN, health={"a": {"normal": 0.9, "drought": 0.1}})).set_index("parcel_id")
    assert sound.loc["a", "code"] == "health_disagrees|no_normal"  # normal, and far below its neighbours
    assert not sound.loc["a", "confirmed"]


def test_a_field_never_seen_clear_has_no_vigour() -> None:
    looks = made_looks({"m": MAIZE}, {"m": []}, {"m": SURE})
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    row = score_health(looks, seasons).iloc[0]
    assert row["code"] == "no_look|no_normal"
    assert row["evidence"] == "[]"


def test_no_parcels_give_an_empty_table_of_the_same_types() -> None:
    nothing = merge_looks([])
    seasons = describe_seasons(nothing, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    empty = score_health(nothing, seasons)
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == _score(SEVEN).dtypes.to_dict()


def test_order_of_looks_does_not_matter() -> None:
    looks, seasons = _fields(SEVEN)
    turned = Looks(looks.passes.iloc[::-1], looks.evidence.iloc[::-1], looks.land.iloc[::-1])
    pandas.testing.assert_frame_equal(score_health(looks, seasons), score_health(turned, seasons))
    assert np.isfinite(score_health(looks, seasons)["vigour"].dropna().to_numpy(dtype=float)).all()
