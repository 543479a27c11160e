# SPDX-License-Identifier: Apache-2.0
"""Farms: who may be judged, what asks for a person, and applicants read exactly."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from acreline.config import EvidenceBar, Sourced, read_policy
from acreline.credit import assess_credit, compile_policy, reason_words
from acreline.doors import check_parcels
from acreline.errors import InputError
from acreline.events import detect_events
from acreline.farms import gather_farms, judge_parcels, read_applicants
from acreline.farms.edges import edge_pixels, perimeter_m
from acreline.farms.land import area_codes, area_flag, green_land
from acreline.growth import measure_growth
from acreline.health import score_health
from acreline.layers import Looks, Parcels, Seasons
from acreline.looks import merge_looks
from acreline.promises import EnergyStep
from acreline.records import ZERO, Applicant, Farm, Interval
from acreline.seasons import describe_seasons
from acreline.yields import estimate_yields
from tests.made_looks import (
    AS_OF,
    CALIBRATION,
    CEREAL,
    CLASSES,
    MAIZE,
    SEASON,
    bump,
    every,
    made_crops,
    made_looks,
    made_parcels,
)

BAR = EvidenceBar(min_clear_looks=6, max_days_since_clear=60)


def _sure(name: str) -> dict[str, float]:
    return {crop: 0.97 if crop == name else 0.01 for crop in CLASSES}


def _seasons(looks: Looks, as_of: date = AS_OF) -> Seasons:
    return describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=as_of)


def _judge(parcels: Parcels, looks: Looks, failed: Mapping[str, str] | None = None, as_of: date = AS_OF) -> Parcels:
    return judge_parcels(parcels, looks, _seasons(looks, as_of), failed or {}, BAR, as_of=as_of)


def _gather(
    parcels: Parcels,
    looks: Looks,
    *,
    failed: Mapping[str, str] | None = None,
    applicants: Mapping[str, Applicant] | None = None,
    detectors: Sequence[str] = ("flood",),
) -> dict[str, Farm]:
    crops = made_crops()
    seasons = _seasons(looks)
    judged = judge_parcels(parcels, looks, seasons, failed or {}, BAR, as_of=AS_OF)
    health = score_health(looks, seasons)
    events = detect_events(looks, seasons, health, detectors)
    growth = measure_growth(looks, seasons, crops)
    farms = gather_farms(judged, looks, seasons, health, events, growth, crops, applicants or {})
    assert [farm.farm_id for farm in farms] == sorted(set(judged["farm_id"]))
    return {farm.farm_id: farm for farm in farms}


def _maize(names: Sequence[str], **more: Any) -> Looks:
    return made_looks(dict.fromkeys(names, MAIZE), every(5), dict.fromkeys(names, _sure("maize")), **more)


def test_land_under_roofs_is_planted_as_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def grey(day: date) -> float:
        return 0.3

    looks = made_looks({"p": grey}, every(5), {"p": _sure("grassland")}, planted=0.1)
    open_land = _gather(made_parcels({"p": "F"}), looks)["F"]
    crops = made_crops()
    crops["grassland"] = crops["grassland"].model_copy(update={"under_cover": True})
    monkeypatch.setattr("tests.test_farms.made_crops", lambda: crops)
    roofed = _gather(made_parcels({"p": "F"}), looks)["F"]
    assert open_land.area_m2 is not None
    assert open_land.planted_m2.mid == pytest.approx(0.1 * open_land.area_m2, rel=0.02)
    assert "event_late_failed" in open_land.flags
    assert roofed.planted_m2.mid == pytest.approx(open_land.area_m2, rel=1e-6)
    assert "event_late_failed" not in roofed.flags
    assert _seasons(looks)["code"].iloc[0] == "area_by_outline"


# --- status -------------------------------------------------------------------------------------------------------
def test_every_parcel_keeps_one_status() -> None:
    parcels = made_parcels(
        dict.fromkeys("abcdefg", "f"),
        status=["ok", "degraded", "rejected", "ok", "ok", "ok", "ok"],
        reason=[None, "geometry_repaired", "no_area", None, None, None, None],
    )
    days = {name: every(5) for name in "abefg"} | {"d": every(5)[-4:], "e": every(5, last=AS_OF - timedelta(days=61))}
    names = sorted(days)
    looks = made_looks(dict.fromkeys(names, MAIZE), days, dict.fromkeys(names, _sure("maize")))
    looks.land.loc[looks.land["parcel_id"] == "f", "n_full"] = 7
    missing = Looks(
        looks.passes[looks.passes["parcel_id"] != "g"],
        looks.evidence[looks.evidence["parcel_id"] != "g"],
        looks.land[looks.land["parcel_id"] != "g"],
    )
    judged = _judge(parcels, missing).set_index("parcel_id")
    assert judged[["status", "reason"]].apply(tuple, axis=1).to_dict() == {
        "a": ("ok", None),
        "b": ("degraded", "geometry_repaired"),
        "c": ("rejected", "no_area"),
        "d": ("insufficient", "few_clear_looks"),
        "e": ("insufficient", "stale_look"),
        "f": ("insufficient", "small_parcel"),
        "g": ("failed", "not_measured"),
    }
    assert judged.loc["d", "detail"] == "4 clear looks (needs 6)"
    last = max(day for day in days["e"])
    assert judged.loc["e", "detail"] == f"newest clear look on {last}, older than 60 days"
    later = _judge(parcels, missing, as_of=AS_OF + timedelta(days=1)).set_index("parcel_id")
    assert later.loc["e", "detail"] == judged.loc["e", "detail"]  # a night without news writes nothing new
    assert judged.loc["f", "detail"].startswith("7 full pixels (needs 8), ")


def test_a_failed_block_fails_its_parcels_and_keeps_what_was_known() -> None:
    parcels = made_parcels(
        {"a": "f", "b": "f", "c": "g"},
        status=["ok", "degraded", "rejected"],
        reason=[None, "overlapping_claim", "no_area"],
        detail=[None, "40 % of it is also parcel x", None],
    )
    looks = _maize(["a", "b"])
    judged = _judge(parcels, looks, {"a": "block_failed", "b": "block_failed", "c": "block_failed"})
    assert judged["status"].tolist() == ["failed", "failed", "rejected"]
    assert judged["reason"].tolist() == ["block_failed", "block_failed", "no_area"]
    assert judged["detail"][1].endswith("; was overlapping_claim; 40 % of it is also parcel x")
    farm = _gather(parcels, looks, failed={"a": "block_failed", "b": "block_failed"})["f"]
    assert (farm.status, farm.reason) == ("failed", "block_failed")
    assert {"incomplete", "overlapping_claim"} <= set(farm.flags)
    assert farm.stands == ()
    assert farm.area_m2 == 20_000


def test_a_strip_is_too_narrow() -> None:
    parcels = made_parcels({"a": "f", "b": "f"})
    west, south, east, _ = parcels.geometry[0].bounds
    strip = shapely.box(west, south, east, south + 14 / 111_195)  # 14 m wide: 4 m are left after 5 m on both sides
    parcels = check_parcels(parcels.set_geometry([strip, parcels.geometry[1]], crs="EPSG:4326"))
    judged = _judge(parcels, _maize(["a", "b"]))
    assert judged["reason"].tolist() == ["small_parcel", None]
    assert "left 5 m inside (needs 40%)" in judged["detail"][0]


def test_a_parcel_that_was_always_cloudy_has_too_few_looks() -> None:
    looks = made_looks({"a": MAIZE}, {"a": []})
    judged = _judge(made_parcels({"a": "f"}), looks)
    assert (judged["status"][0], judged["reason"][0]) == ("insufficient", "few_clear_looks")
    farm = _gather(made_parcels({"a": "f"}), looks)["f"]
    assert (farm.clear_looks, farm.last_clear) == (0, None)
    assert farm.area_m2 == 10_000


# --- farms --------------------------------------------------------------------------------------------------------
def test_a_farm_put_together_by_hand() -> None:
    names = ["a", "b", "c", "d", "e", "f", "g"]
    curves = {name: bump(date(2018, 6, 15), date(2018, 9, 20), high=0.7 + 0.02 * k) for k, name in enumerate(names)}
    curves["w"] = CEREAL
    crops = {**dict.fromkeys(names, _sure("maize")), "w": _sure("winter_cereal")}
    days = dict.fromkeys(curves, every(5)) | {"b": every(5)[:-3]}
    looks = made_looks(curves, days, crops, {"a": {"normal": 0.2, "drought": 0.8}, "w": {"normal": 1.0}})
    owner = {**dict.fromkeys(names, "other"), "a": "mine", "b": "mine", "w": "mine"}
    parcels = made_parcels(owner, area_m2=[12_000.0, 8_000.0, *[10_000.0] * 6])
    person = Applicant("mine", requested=Decimal("1000.01"))
    farm = _gather(parcels, looks, applicants={"mine": person})["mine"]
    assert (farm.status, farm.reason, farm.flags, farm.events) == ("ok", None, (), ())
    assert farm.parcel_ids == ("a", "b", "w")
    assert farm.area_m2 == 30_000
    assert [(s.parcel_id, s.slot, s.crop, s.crop_set) for s in farm.stands] == [
        ("a", "B", "maize", ("maize",)),
        ("b", "B", "maize", ("maize",)),
        ("w", "A", "winter_cereal", ("winter_cereal",)),
    ]
    assert farm.planted_m2.mid == farm.sown_m2 == 30_000
    assert farm.planted_m2.high <= farm.area_m2
    assert farm.main_crop == "maize"
    assert farm.health == "drought"  # of the largest stand
    assert farm.clear_looks == len(every(5)) - 3
    assert farm.last_clear == every(5)[-4]
    assert farm.applicant is person
    a, b, w = farm.stands
    assert a.index_ratio is not None
    assert b.index_ratio is not None
    assert a.index_ratio < b.index_ratio
    assert a.index_error == pytest.approx(0.112, abs=0.001)
    assert (w.index_ratio, w.code) == (None, "few_neighbours")
    graded = score_health(looks, _seasons(looks)).set_index("parcel_id")["vigour"]
    assert farm.vigour == pytest.approx((12_000 * graded["a"] + 8_000 * graded["b"]) / 20_000, abs=1e-3)


def double(day: date) -> float:
    """Wheat, a fortnight of stubble, then maize."""
    return max(CEREAL(day), bump(date(2018, 8, 1), date(2018, 10, 15), high=0.7)(day))


BOTH = {"A": {"winter_cereal": 0.97, "none": 0.03}, "B": {"maize": 0.95, "none": 0.05}}
IDLE = {"A": {"none": 0.97, "winter_cereal": 0.03}, "B": {"none": 0.95, "maize": 0.05}}
MAYBE = {"A": {"none": 0.97, "winter_cereal": 0.03}, "B": {"none": 0.6, "maize": 0.4}}


def test_two_crops_a_year_are_planted_once_sown_twice_and_their_values_add() -> None:
    names = [f"p{k}" for k in range(4)]
    looks = made_looks(dict.fromkeys(names, double), every(5), dict.fromkeys(names, BOTH))
    parcels = made_parcels(
        {"p0": "f", "p1": "g", "p2": "g", "p3": "g"}, declared_crop=["玉米", "winter_cereal", "potato", None]
    )
    farms = _gather(parcels, looks)
    farm = farms["f"]
    assert [(s.parcel_id, s.slot, s.crop, s.declared_crop) for s in farm.stands] == [
        ("p0", "A", "winter_cereal", "maize"),
        ("p0", "B", "maize", "maize"),
    ]
    assert farm.planted_m2.mid == 10_000
    assert farm.planted_m2.high <= 10_000
    assert farm.sown_m2 == 20_000
    assert (farm.status, farm.flags) == ("ok", ())  # what was declared stands in one of the slots
    assert farms["g"].flags == ("declared_crop_differs",)
    # each stand is compared with stands of its own slot
    assert [stand.index_ratio for stand in farm.stands] == pytest.approx([1.0, 1.0])
    crops = {
        slug: crop.model_copy(update={"yield_kg_per_ha": Sourced(value=6000, source="made"), "price_per_kg": price})
        for (slug, crop), price in zip(
            made_crops().items(), [Sourced(value=v, source="made") for v in (2, 1, 3, 1)], strict=True
        )
    }
    valued = estimate_yields([farm], crops)[0]
    wheat, maize = valued.stands
    assert wheat.value is not None
    assert maize.value is not None
    assert (wheat.value.mid, maize.value.mid) == (pytest.approx(18_000), pytest.approx(12_000))
    assert valued.value == wheat.value + maize.value


def test_land_on_which_nothing_grew_is_not_planted_and_asks_for_nobody() -> None:
    looks = made_looks(
        {"idle": bump(date(2018, 4, 1), date(2018, 10, 1), high=0.6), "m": MAIZE},  # weeds are green too
        every(5),
        {"idle": IDLE, "m": _sure("maize")},
    )
    farm = _gather(made_parcels({"idle": "f", "m": "f"}), looks)["f"]
    assert (farm.status, farm.reason, farm.flags) == ("ok", None, ())
    assert [(stand.parcel_id, stand.crop) for stand in farm.stands] == [("m", "maize")]
    assert farm.planted_m2.mid == farm.sown_m2 == 10_000
    assert farm.area_m2 == 20_000
    assert farm.main_crop == "maize"
    alone = _gather(made_parcels({"idle": "f", "m": "g"}, declared_crop=["maize", None]), looks)["f"]
    assert (alone.stands, alone.planted_m2, alone.main_crop) == ((), ZERO, "none")
    assert alone.flags == ("declared_crop_differs",)


def test_doubt_whether_anything_grew_goes_to_a_person_and_lowers_nothing_unseen() -> None:
    looks = made_looks({"a": MAIZE}, every(5), {"a": MAYBE})
    farm = _gather(made_parcels({"a": "f"}, declared_crop=["maize"]), looks)["f"]
    assert farm.flags == ("maybe_no_crop",)
    assert (farm.planted_m2.low, farm.planted_m2.mid, farm.planted_m2.high) == (0, 0, 10_000)
    assert farm.stands == ()
    for lang in ("en", "zh"):
        assert reason_words("maybe_no_crop", lang) != reason_words("no_crop", lang)


def test_land_that_is_no_farmland_is_told_apart_from_a_crop_of_another_region() -> None:
    sure = {"non_agri": 1.0}
    looks = made_looks({"a": MAIZE, "b": MAIZE}, every(5), {"a": sure, "b": {"perennial": 1.0}})
    farms = _gather(made_parcels({"a": "f", "b": "g"}), looks)
    assert farms["f"].flags == ("not_farmland",)
    assert farms["g"].flags == ("crop_not_in_region",)


def test_a_corner_does_not_speak_for_the_whole_farm() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    curves = {**dict.fromkeys(names, MAIZE), "w": CEREAL}
    looks = made_looks(curves, every(5), {**dict.fromkeys(names, _sure("maize")), "w": _sure("winter_cereal")})
    parcels = made_parcels({**dict.fromkeys(names[1:], "g"), "a": "f", "w": "f"}, area_m2=[1e4] * 5 + [9e3, 1e4])
    farms = _gather(parcels, looks)
    assert farms["f"].vigour is None  # the ungraded cereal is more than half of it
    assert farms["g"].vigour == 0.0


def test_farms_of_rejected_parcels_only_come_out() -> None:
    parcels = made_parcels(
        {"a": "f", "b": "g"}, status=["ok", "rejected"], reason=[None, "no_geometry"], area_m2=[1e4, np.nan]
    )
    farms = _gather(parcels, _maize(["a"]))
    lost = farms["g"]
    assert (lost.status, lost.reason, lost.area_m2, lost.stands, lost.parcel_ids) == (
        "rejected",
        "no_geometry",
        None,
        (),
        ("b",),
    )
    assert (lost.clear_looks, lost.last_clear, lost.health, lost.main_crop) == (0, None, "unknown", None)
    assert farms["f"].status == "ok"


def test_both_rows_of_a_duplicate_belong_to_their_farms() -> None:
    parcels = made_parcels({"a": "f", "b": "g"}, status=["rejected"] * 2, reason=["duplicate_id"] * 2)
    parcels["parcel_id"] = ["a", "a"]
    farms = _gather(check_parcels(parcels), _maize(["z"]))
    assert [farm.parcel_ids for farm in farms.values()] == [("a",), ("a",)]


def test_the_worst_parcel_speaks_for_the_farm() -> None:
    parcels = made_parcels({"a": "f", "b": "f", "c": "f"}, status=["degraded", "ok", "ok"], reason=["x", None, None])
    looks = made_looks(
        dict.fromkeys("abc", MAIZE),
        {"a": every(5), "b": every(5)[:-20], "c": every(5)},
        dict.fromkeys("abc", _sure("maize")),
    )
    farm = _gather(parcels, looks)["f"]
    assert (farm.status, farm.reason) == ("insufficient", "stale_look")
    assert "x" in farm.flags
    assert [stand.parcel_id for stand in farm.stands] == ["a", "c"]  # what stands on `b` is not guessed
    assert farm.planted_m2.mid == pytest.approx(farm.area_m2, rel=0.02)  # its planted land was seen all the same
    assert farm.clear_looks == 69
    assert farm.last_clear == date(2018, 9, 6)


def test_flags_ask_for_a_person() -> None:
    names = ["a", "b", "c", "d", "e", "f", "g"]
    looks = made_looks(
        {**dict.fromkeys(names, MAIZE), "f": bump(date(2018, 6, 15), date(2018, 9, 20), high=0.36)},
        every(5),
        {
            "a": _sure("maize"),
            "b": {"maize": 0.6, "potato": 0.38, "grassland": 0.01, "winter_cereal": 0.01},
            "d": _sure("maize"),
            "e": _sure("maize"),
            "f": _sure("maize"),
            "g": _sure("maize"),
        },
    )
    parcels = made_parcels(
        {name: name for name in names},
        declared_crop=["玉米", "potato", None, "Grassland", "maize", None, "rice"],
        declared_area_m2=[10_900.0, np.nan, np.nan, 11_100.0, 150_000.0, np.nan, np.nan],
    )
    farms = _gather(parcels, looks)
    flags = {name: farm.flags for name, farm in farms.items()}
    declared = {name: stand.declared_crop for name, farm in farms.items() for stand in farm.stands}
    assert declared == {"a": "maize", "b": "potato", "c": None, "d": "grassland", "e": "maize", "f": None, "g": None}
    assert flags == {
        "a": (),
        "b": (),  # what was declared is one of the two: whether that is enough is the policy's word
        "c": ("crop_unknown",),
        "d": ("declared_area_differs", "declared_crop_differs"),
        "e": ("declared_area_unit",),
        "f": ("event_late_failed",),
        "g": ("declared_crop_unknown",),
    }


def test_land_unlike_all_that_was_taught_is_referred() -> None:
    """From the energy of the pixels to the decision: a card that tells from where on land is unknown sends it on."""
    policy = compile_policy(read_policy("demo"))
    names = ["known", "odd"]
    looks = _maize(names)
    energy = [("known", "energy", "sum", 100, 100 * -350, 0), ("odd", "energy", "sum", 100, 100 * -290, 0)]
    told = pd.DataFrame(energy, columns=looks.evidence.columns)
    looks = merge_looks([looks, Looks(looks.passes.iloc[:0], told, looks.land.iloc[:0])])
    crops, parcels = made_crops(), made_parcels({name: name for name in names}, declared_crop=["maize", "maize"])
    promise = dataclasses.replace(CALIBRATION, energy_steps=(EnergyStep(0, -2.0), EnergyStep(13, -3.0)))
    codes = {}
    for card in (CALIBRATION, promise):
        seasons = describe_seasons(looks, crops, card, SEASON, as_of=AS_OF)
        judged = judge_parcels(parcels, looks, seasons, {}, BAR, as_of=AS_OF)
        health = score_health(looks, seasons)
        events, growth = detect_events(looks, seasons, health, ()), measure_growth(looks, seasons, crops)
        farms = gather_farms(judged, looks, seasons, health, events, growth, crops, {})
        codes[card is promise] = {
            one.farm_id: ("unlike_training" in one.reasons, one.outcome)
            for one in assess_credit(farms, policy, as_of=AS_OF)
        }
    assert {name: unlike for name, (unlike, _) in codes[False].items()} == {"known": False, "odd": False}
    assert codes[True]["known"] == codes[False]["known"]
    assert codes[True]["odd"] == (True, "refer")


def test_events_in_the_crop_reach_the_farm() -> None:
    def flood(parcel: str, day: date, look: dict[str, float]) -> None:
        winter, summer = date(2018, 1, 10), date(2018, 7, 28)
        first = summer if parcel == "a" else winter
        if parcel in "ab" and first <= day < first + timedelta(days=10):
            look.update(water=0.6, mndwi=0.3, ndvi=min(look["ndvi"], 0.1))

    farms = _gather(made_parcels({"a": "f", "b": "g"}), _maize(["a", "b"], change=flood))
    assert (farms["f"].events, farms["f"].flags) == (("flood",), ("event_flood",))
    assert (farms["g"].events, farms["g"].flags) == ((), ())


def test_bare_ground_is_not_planted() -> None:
    farm = _gather(made_parcels({"a": "f"}), _maize(["a"], planted=0.6))["f"]
    assert farm.planted_m2.mid == 6_000
    # 400 m of outline run past 40 pixels, though the made parcel cuts none: 1.645 x 0.29 x sqrt(40) x 100 m2
    assert farm.planted_m2.low == pytest.approx(6_000 - 301.7, abs=1)
    assert farm.planted_m2.high == pytest.approx(6_000 + 301.7, abs=1)


def test_outlines_are_measured_with_their_holes() -> None:
    lat = 100 / 111_195
    lon = lat / math.cos(math.radians(lat / 2))
    square = shapely.box(3, 0, 3 + lon, lat)
    ring = shapely.Polygon(
        square.exterior.coords, [shapely.box(3 + lon / 4, lat / 4, 3 + lon / 2, lat / 2).exterior.coords]
    )
    two = shapely.MultiPolygon([square, shapely.box(4, 0, 4 + lon, lat)])
    shapes = gpd.GeoSeries([square, None, two, shapely.Polygon(), ring, shapely.Point(3, 0)], crs="EPSG:4326")
    assert perimeter_m(shapes) == pytest.approx([400, 0, 800, 0, 500, 0], rel=0.01)
    assert len(perimeter_m(gpd.GeoSeries([], crs="EPSG:4326"))) == 0


def test_an_outline_along_the_pixels_is_no_surer() -> None:
    cover, full, outline = np.array([100.0, 90.0, 0.0]), np.array([100.0, 64.0, 5.0]), np.array([400.0, 400.0, 0.0])
    assert edge_pixels(cover, full, outline).tolist() == [40.0, 52.0, 0.0]


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1e5), st.floats(0, 1e5))
def test_a_longer_outline_is_never_surer(cover: float, full: float, outline: float, more: float) -> None:
    two = edge_pixels(np.full(2, cover), np.full(2, full), np.array([outline, outline + more]))
    assert 0 <= two[0] <= two[1]


def test_ground_that_was_never_seen_asks_for_a_person() -> None:
    looks = _maize(["a", "b", "c"])
    cover = {"a": 40_000, "b": 60_000, "c": 60_000}
    unseen = pd.DataFrame(
        [{**looks.evidence.iloc[0].to_dict(), "parcel_id": name, "head": "land", "cls": "unseen", "prob": px, "n_px": 0}
         for name, px in cover.items()]
    )  # fmt: skip
    land = looks.evidence[(looks.evidence["head"] == "land") & (looks.evidence["cls"] == "planted")]
    looks.evidence.loc[land.index, "prob"] = [1_000_000 - cover[name] for name in land["parcel_id"]]
    seen = Looks(looks.passes, pd.concat([looks.evidence, unseen], ignore_index=True), looks.land)
    farms = _gather(made_parcels(dict(zip("abc", "fgh", strict=True))), seen, failed={"c": "block_failed"})
    assert [farms[name].flags for name in "fgh"] == [(), ("ground_unseen",), ("incomplete",)]
    assert farms["g"].planted_m2.low == pytest.approx(9_400 - 302, abs=2)


def test_planted_land_by_hand() -> None:
    row = {"area_m2": 10_000.0, "planted": 600_000.0, "bare": 200_000.0, "unseen": 200_000.0, "edge_m2": 300.0}
    interval = green_land(row)
    assert interval.mid == pytest.approx(10_000 * (0.6 + 0.2 * 0.75))
    assert interval.low == pytest.approx(10_000 * 0.6 - 300)
    assert interval.high == pytest.approx(10_000 * 0.8 + 300)
    unseen = green_land({**row, "planted": 0.0, "bare": 0.0})
    assert (unseen.low, unseen.mid, unseen.high) == (0.0, 0.0, 10_000.0)


@given(st.floats(0.01, 1e7), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1e6))
def test_planted_land_never_exceeds_the_polygon(area: float, planted: int, bare: int, unseen: int, edge: float) -> None:
    row = {"area_m2": area, "planted": planted, "bare": bare, "unseen": unseen, "edge_m2": edge}
    interval = green_land(row)
    assert 0 <= interval.low <= interval.mid <= interval.high <= area


@pytest.mark.parametrize(
    ("declared", "drawn", "flag"),
    [
        (None, 100.0, None),
        (100.0, 0.0, None),
        (109.0, 100.0, None),
        (91.0, 100.0, None),
        (111.0, 100.0, "declared_area_differs"),
        (1_200_000.0, 81_000.0, "declared_area_unit"),  # 120 mu written as hectares, 8.1 ha drawn
        (8.1, 120.0, "declared_area_unit"),
        (247.0, 100.0, "declared_area_unit"),
        (100.0, 247.0, "declared_area_unit"),
        (1_000_000.0, 100.0, "declared_area_unit"),
        (300.0, 100.0, "declared_area_differs"),
    ],
)
def test_declared_area_beside_the_drawn_one(declared: float | None, drawn: float, flag: str | None) -> None:
    assert area_flag(declared, drawn) == flag


@pytest.mark.parametrize(
    ("declared", "planted", "codes", "said"),
    [
        (100.0, Interval(80, 85, 90), (), ("planted_area_differs",)),  # 90 and 10 % more are 99
        (98.0, Interval(80, 85, 90), (), ()),
        (100.0, Interval(50, 60, 70), (), ("planted_area_differs",)),
        (100.0, Interval(50, 60, 70), ("peak_not_reached",), ()),  # more of it may yet turn green
        (95.0, Interval(108, 110, 112), (), ("planted_area_differs",)),
        (150.0, Interval(50, 60, 70), (), ("declared_area_differs",)),  # said once
        (100.0, None, (), ()),
        (None, Interval(50, 60, 70), (), ()),
    ],
)
def test_declared_area_beside_what_was_seen_planted(
    declared: float | None, planted: Interval | None, codes: tuple[str, ...], said: tuple[str, ...]
) -> None:
    assert area_codes(declared, 100.0, planted, codes) == said


def test_a_farm_that_planted_less_than_it_declared_asks_for_a_person() -> None:
    looks = _maize(["a"], planted=0.6)
    [farm] = _gather(made_parcels({"a": "f"}, declared_area_m2=[10_000.0], declared_crop=["maize"]), looks).values()
    assert "planted_area_differs" in farm.flags
    [full] = _gather(
        made_parcels({"a": "f"}, declared_area_m2=[10_000.0], declared_crop=["maize"]), _maize(["a"])
    ).values()
    assert full.flags == ()


def test_order_of_tables_does_not_change_a_farm() -> None:
    names = ["a", "b", "c", "d"]
    looks = _maize(names)
    parcels = made_parcels({name: "f" if name in "ac" else "g" for name in names})
    seasons, crops = _seasons(looks), made_crops()
    health, growth = score_health(looks, seasons), measure_growth(looks, seasons, crops)
    events = detect_events(looks, seasons, health, [])
    judged = judge_parcels(parcels, looks, seasons, {}, BAR, as_of=AS_OF)
    one = gather_farms(judged, looks, seasons, health, events, growth, crops, {})
    turned = [type(t)(t.iloc[::-1]) for t in (seasons, health, events, growth)]
    back = Parcels(judged.iloc[::-1].reset_index(drop=True))
    looks_back = Looks(looks.passes.iloc[::-1], looks.evidence.iloc[::-1], looks.land.iloc[::-1])
    other = gather_farms(back, looks_back, turned[0], turned[1], turned[2], turned[3], crops, {})
    assert one == other
    assert all(math.isfinite(value) for farm in one for value in dataclasses.astuple(farm.planted_m2))


def test_applicants_without_land_are_told(caplog: pytest.LogCaptureFixture) -> None:
    _gather(made_parcels({"a": "f"}), _maize(["a"]), applicants={"nobody": Applicant("nobody")})
    assert "1 applicants have no parcel in the farm file, first: nobody" in caplog.text


# --- applicants ---------------------------------------------------------------------------------------------------
def _file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "applicants.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_money_is_read_exactly(tmp_path: Path) -> None:
    text = (
        "farm_id,person_id,requested,existing_debt,record_years,insured_sum,household_need,previous_limit\r\n"
        "f2,p-2,,,,,,\r\n\r\n张三, p-1 ,120000.10,0.30,3,5000,1e-0,\r\n"
    ).replace("1e-0", "12000")
    found = read_applicants(_file(tmp_path, text, "utf-8-sig"))
    assert list(found) == ["f2", "张三"]
    assert found["f2"] == Applicant("f2", "p-2")
    assert found["张三"] == Applicant(
        "张三",
        "p-1",
        requested=Decimal("120000.10"),
        existing_debt=Decimal("0.30"),
        record_years=3,
        insured_sum=Decimal(5000),
        household_need=Decimal(12000),
    )


def test_no_file_is_no_applicants() -> None:
    assert read_applicants(None) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("farm_id,requestd\nf,1\n", r"line 1: column 'requestd' is not known"),
        ("farm_id,requested,requested\nf,1,2\n", r"line 1: column 'requested' stands twice"),
        ("requested\n1\n", r"line 1: no column farm_id"),
        ("", r"line 1: no column farm_id"),
        ("farm_id,requested\nf,12 000\n", r"line 2, column requested: '12 000' is no amount of money"),
        ("farm_id,requested\n\nf,-1\n", r"line 3, column requested: '-1' is no amount of money"),
        ("farm_id,requested\nf,NaN\n", r"line 2, column requested: 'NaN' is no amount of money"),
        ("farm_id,existing_debt\nf,1e5\n", r"column existing_debt: '1e5' is no amount of money"),
        ("farm_id,requested\nf,１２\n", r"column requested: '１２' is no amount of money"),
        ("farm_id,record_years\nf,2.5\n", r"line 2, column record_years: '2.5' is no number of years"),
        ("farm_id,requested\nf,120,000\n", r"line 2: 3 cells, the header has 2"),
        ("farm_id,requested\n,5\n", r"line 2, column farm_id: empty"),
        ("farm_id\nf\ng\nf\n", r"line 4, column farm_id: 'f' stands in line 2 already"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_applicants(_file(tmp_path, text))
    assert "applicants.csv" in caught.value.message
    assert caught.value.hint


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_applicants(_file(tmp_path, "farm_id\n张三\n", "gbk"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_applicants(tmp_path / "none.csv")


def test_files_give_the_same_farms_back() -> None:
    from acreline.tables import farm_from_json, farm_to_json, farms_table, stands_table

    farms = list(_gather(made_parcels({"a": "f", "b": "g"}), _maize(["a"])).values())
    assert [farm_from_json(farm_to_json(farm)) for farm in farms] == farms
    table = farms_table(farms)
    assert table["status"].tolist() == ["ok", "failed"]
    assert isinstance(stands_table(farms), pd.DataFrame)


def test_a_part_never_stands_for_the_farm() -> None:
    from acreline.tables import farms_table

    parcels = made_parcels(
        {"a": "f", "b": "f", "c": "g", "d": "g", "e": "h"},
        status=["ok", "ok", "ok", "rejected", "ok"],
        reason=[None, None, None, "no_geometry", None],
        area_m2=[10_000.0, 20_000.0, 10_000.0, np.nan, 10_000.0],
    )
    farms = _gather(parcels, _maize(["a", "b", "c", "e"]), failed={"b": "block_failed"})
    assert farms["f"].planted_m2.mid == 10_000  # what is known of it, and no statement about the farm
    table = farms_table(list(farms.values())).set_index("farm_id")
    assert table["status"].tolist() == ["failed", "rejected", "ok"]
    partial = ["planted_mu", "planted_mu_low", "planted_mu_high", "sown_mu", "main_crop", "vigour", "value_low"]
    partial += ["value_mid", "value_high", "currency"]
    assert table.loc[["f", "g"], partial].isna().all(axis=None)
    assert table.loc[["f", "g"], "health"].tolist() == ["unknown", "unknown"]
    assert table.loc["f", ["area_m2", "area_mu"]].tolist() == pytest.approx([30_000, 45])
    assert table.loc["g", ["area_m2", "area_mu"]].isna().all()  # nobody knows how large the undrawn parcel is
    assert table.loc["h", "planted_mu"] == 15
    assert table.loc["h", "main_crop"] == "maize"


def test_a_debt_that_is_not_given_is_not_none(tmp_path: Path) -> None:
    assert read_applicants(_file(tmp_path, "farm_id,requested\nf,1\n"))["f"].existing_debt is None
    found = read_applicants(_file(tmp_path, "farm_id,existing_debt\nf,\ng,0\n"))
    assert (found["f"].existing_debt, found["g"].existing_debt) == (None, Decimal(0))
