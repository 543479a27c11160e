# SPDX-License-Identifier: Apache-2.0
"""Events: short series with the event drawn in, and without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import pandas as pd
import pandas.testing
import pytest

from acreline.errors import ConfigError, InputError
from acreline.events import check_detectors, confounders, detect_events, list_detectors
from acreline.events._runs import looks_with_seasons
from acreline.events.flood import Settings as FloodSettings
from acreline.health import score_health
from acreline.layers import EVENT_COLUMNS, Events, Seasons, Weather
from acreline.seasons import describe_seasons
from tests.made_looks import AS_OF, CALIBRATION, CEREAL, MAIZE, SEASON, Curve, bump, every, made_crops, made_looks

KINDS = ["drought", "early_harvest", "flood", "frost", "late_failed", "lodging_hail", "pest_disease"]
NAMES = [f"p{k}" for k in range(8)]
SURE = {"maize": 0.97, "grassland": 0.01, "winter_cereal": 0.01, "potato": 0.01}
STRUCK = date(2018, 7, 28)
Change = Callable[[str, date, dict[str, float]], None]


def _detect(
    change: Change | None,
    detectors: Sequence[str] = ("flood", "drought"),
    weather: Weather | None = None,
    known: pd.DataFrame | None = None,
    settings: dict[str, FloodSettings] | None = None,
) -> Events:
    looks = made_looks(dict.fromkeys(NAMES, MAIZE), every(5), dict.fromkeys(NAMES, SURE), change=change)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    return detect_events(looks, seasons, score_health(looks, seasons), detectors, weather, known, settings)


def _between(day: date, first: date, days: int) -> bool:
    return first <= day < first + timedelta(days=days)


def flooded(parcel: str, day: date, look: dict[str, float]) -> None:
    if parcel == "p3" and _between(day, STRUCK, 10):
        look.update(ndvi=0.05, ndre=0.0, mndwi=0.3, water=0.6, nir=0.08, swir=0.05)


def parched(parcel: str, day: date, look: dict[str, float]) -> None:
    if parcel == "p5" and _between(day, STRUCK, 30):
        look["ndmi"] -= 0.15


def _weather(rain_mm: float, cold: date | None = None) -> Weather:
    days = pd.date_range(SEASON.start, AS_OF, freq="D")
    table = pd.DataFrame({"date": days, "rain_mm": rain_mm, "radiation_mj_per_m2": 15.0, "tmin_c": 8.0})
    if cold is not None:
        table.loc[table["date"] == pd.Timestamp(cold), "tmin_c"] = -3.0
    return Weather(table, "made")


DOUBLE = {"A": {"winter_cereal": 0.97, "none": 0.03}, "B": {"maize": 0.97, "none": 0.03}}


def double(day: date) -> float:
    """Wheat, a fortnight of stubble, then maize."""
    return max(CEREAL(day), bump(date(2018, 8, 1), date(2018, 10, 15), high=0.7)(day))


def test_a_look_belongs_to_the_stand_of_its_day() -> None:
    looks = made_looks({"a": double, "g": MAIZE}, every(5), {"a": DOUBLE, "g": SURE})
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = looks_with_seasons(looks, seasons)
    mine = table[table["parcel_id"] == "a"]
    cut = seasons["harvest"].iloc[0].date()
    assert date(2018, 6, 25) < cut < date(2018, 7, 15)
    days = [(date(1970, 1, 1) + timedelta(days=int(day))) for day in mine["day"]]
    assert [slot == "A" for slot in mine["slot"]] == [day <= cut for day in days]
    assert set(mine.loc[mine["slot"] == "B", "crop"]) == {"maize"}
    assert (table.loc[table["parcel_id"] == "g", "slot"] == "B").all()
    undated = seasons.copy()
    undated.loc[:, ["emergence", "harvest"]] = pd.NaT
    turned = looks_with_seasons(looks, undated)
    first = turned[(turned["parcel_id"] == "a") & (turned["slot"] == "B")]["day"].min()
    assert first > (date(2018, 7, 20) - date(1970, 1, 1)).days >= first - 5


def test_a_drought_of_the_second_crop_is_told_by_the_second_crop() -> None:
    def dry(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p5" and _between(day, date(2018, 8, 20), 30):
            look["ndmi"] -= 0.15

    looks = made_looks(dict.fromkeys(NAMES, double), every(5), dict.fromkeys(NAMES, DOUBLE), change=dry)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = detect_events(looks, seasons, score_health(looks, seasons), ["drought"])
    assert table[["parcel_id", "event"]].to_numpy().tolist() == [["p5", "drought"]]
    assert table["code"].tolist() == ["suspected"]
    assert table["start"].iloc[0].date() >= date(2018, 8, 20)


def test_water_on_idle_land_hits_no_crop() -> None:
    idle = {"A": {"none": 1.0}, "B": {"none": 1.0}}
    looks = made_looks({"p3": MAIZE}, every(5), {"p3": idle}, change=flooded)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = detect_events(looks, seasons, score_health(looks, seasons), ["flood"])
    assert table["code"].tolist() == ["outside_growth"]


def test_a_quiet_season_has_no_event() -> None:
    table = _detect(None)
    assert len(table) == 0
    assert list(table.columns) == list(EVENT_COLUMNS)
    assert table.dtypes.to_dict() == _detect(flooded).dtypes.to_dict()


def test_a_flood_is_found_where_it_was_drawn() -> None:
    table = _detect(flooded, ["flood"])
    looks = [day for day in every(5) if _between(day, STRUCK, 10)]
    assert len(looks) == 2
    row = table.iloc[0]
    assert len(table) == 1
    assert (row["parcel_id"], row["event"]) == ("p3", "flood")
    assert (row["start"].date(), row["end"].date()) == (looks[0], looks[-1])
    assert row["share"] == 1.0  # every pixel below NDVI 0.1
    assert row["severity"] == pytest.approx((MAIZE(STRUCK) - 0.05) / MAIZE(STRUCK), abs=0.01)
    assert all(f"{day:%Y%m%d}" in row["evidence"] for day in looks)
    assert not row["confirmed"]
    assert row["code"] == "suspected"


def test_water_under_the_canopy_needs_a_fall_of_green() -> None:
    def emergent(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel in ("p1", "p2") and _between(day, STRUCK, 5):
            look["mndwi"] = -0.05
            look["ndvi"] -= 0.3 if parcel == "p1" else 0.1

    assert _detect(emergent, ["flood"])["parcel_id"].tolist() == ["p1"]


def test_a_pond_is_no_flood() -> None:
    def pond(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p2":
            look["water"] = 0.5

    assert len(_detect(pond, ["flood"])) == 0


def test_a_rice_field_stands_in_its_own_water() -> None:
    looks = made_looks(dict.fromkeys(NAMES, MAIZE), every(5), dict.fromkeys(NAMES, SURE), change=early_water)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    assert detect_events(looks, seasons, score_health(looks, seasons), ["flood"])["parcel_id"].tolist() == ["p3"]
    rice = seasons.copy()
    rice["crop"] = "single_rice"
    assert len(detect_events(looks, Seasons(rice), score_health(looks, seasons), ["flood"])) == 0


def early_water(parcel: str, day: date, look: dict[str, float]) -> None:
    if parcel == "p3" and _between(day, date(2018, 6, 20), 10):
        look.update(mndwi=0.3, water=0.6)


def test_water_on_bare_ground_is_told_apart() -> None:
    def winter(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p2" and _between(day, date(2018, 1, 10), 10):
            look.update(water=0.5, mndwi=0.2)

    table = _detect(winter, ["flood"])
    assert table["code"].tolist() == ["outside_growth"]


def test_a_drought_is_found_where_it_was_drawn() -> None:
    table = _detect(parched, ["drought"])
    row = table.iloc[0]
    assert len(table) == 1
    assert (row["parcel_id"], row["event"]) == ("p5", "drought")
    assert _between(row["start"].date(), STRUCK, 30)
    assert row["severity"] == pytest.approx(0.15 / 0.3, abs=0.01)
    assert row["share"] > 0.95


def test_one_dry_look_is_no_drought() -> None:
    def once(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p5" and _between(day, STRUCK, 5):
            look["ndmi"] -= 0.15

    assert len(_detect(once, ["drought"])) == 0


def test_a_field_that_is_always_drier_is_not_struck() -> None:
    def always(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p5":
            look["ndmi"] -= 0.15

    assert len(_detect(always, ["drought"])) == 0


def test_a_ploughed_field_is_not_dry() -> None:
    def ploughed(parcel: str, day: date, look: dict[str, float]) -> None:
        parched(parcel, day, look)
        if parcel == "p5" and _between(day, STRUCK, 30):
            look["ndvi"] = 0.2

    assert len(_detect(ploughed, ["drought"])) == 0


def test_a_drought_of_all_has_no_neighbours_to_show_it() -> None:
    def everyone(parcel: str, day: date, look: dict[str, float]) -> None:
        if _between(day, STRUCK, 30):
            look["ndmi"] -= 0.15

    assert len(_detect(everyone, ["drought"])) == 0


def test_weather_agrees_or_not() -> None:
    assert _detect(flooded, ["flood"], _weather(10.0))["confirmed"].tolist() == [True]
    assert _detect(flooded, ["flood"], _weather(1.0))["confirmed"].tolist() == [False]
    assert _detect(parched, ["drought"], _weather(0.1))["confirmed"].tolist() == [True]
    assert _detect(parched, ["drought"], _weather(3.0))["confirmed"].tolist() == [False]


@pytest.mark.parametrize(
    ("parcel", "event", "end", "agrees"),
    [("p3", "flood", "2018-08-01", True), (None, "flood", "2018-08-01", True), ("p4", "flood", "2018-08-01", False),
     ("p3", "hail", "2018-08-01", False), ("p3", "flood", "2018-07-20", False)],
)  # fmt: skip
def test_a_report_confirms_its_own_kind_place_and_time(parcel: str | None, event: str, end: str, agrees: bool) -> None:
    known = pd.DataFrame({"parcel_id": [parcel], "event": [event], "start": ["2018-07-15"], "end": [end]})
    table = _detect(flooded, ["flood"], known=known)
    seen = table[table["code"].fillna("") != "reported_only"]
    assert seen["confirmed"].tolist() == [agrees]


def test_known_events_without_a_column_are_refused() -> None:
    with pytest.raises(InputError, match=r"known events: columns \['event', 'start', 'end'\] are missing"):
        _detect(flooded, ["flood"], known=pd.DataFrame({"parcel_id": ["p3"]}))


def test_settings_can_be_given() -> None:
    strict = FloodSettings(min_water_share=0.7, open_water_mndwi=0.5, wet_mndwi=0.5)
    assert len(_detect(flooded, ["flood"], settings={"flood": strict})) == 0


def test_detectors_are_named() -> None:
    assert list_detectors() == KINDS
    check_detectors(["flood"])
    with pytest.raises(ConfigError, match="'floods' is not known") as caught:
        _detect(None, ["floods"])
    assert caught.value.hint == f"did you mean 'flood'? known: {', '.join(KINDS)}"
    with pytest.raises(ConfigError, match="stands twice"):
        check_detectors(["flood", "flood"])


def test_order_of_detectors_does_not_matter() -> None:
    def both(parcel: str, day: date, look: dict[str, float]) -> None:
        flooded(parcel, day, look)
        parched(parcel, day, look)

    one, other = _detect(both, ["flood", "drought"]), _detect(both, ["drought", "flood"])
    pandas.testing.assert_frame_equal(one, other)
    assert one["parcel_id"].tolist() == ["p3", "p5"]
    assert len(_detect(both, [])) == 0


# --- sudden, gradual, late and early ----------------------------------------------------------------------------------
def beaten(parcel: str, day: date, look: dict[str, float]) -> None:
    if parcel == "p4" and day >= STRUCK:
        look["ndvi"] *= 0.65


def test_hail_is_a_fall_that_stays() -> None:
    table = _detect(beaten, KINDS, _weather(0.0))
    assert table[["parcel_id", "event"]].to_numpy().tolist() == [["p4", "lodging_hail"]]
    row = table.iloc[0]
    assert 0 <= (row["start"].date() - STRUCK).days < 5  # the first look after it
    assert row["severity"] == pytest.approx(0.35, abs=0.03)
    assert row["share"] > 0.9
    assert row["code"] == "suspected"


def test_a_fall_that_is_gone_on_the_next_look_is_none() -> None:
    def cloud(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p4" and _between(day, STRUCK, 5):
            look["ndvi"] *= 0.75

    assert len(_detect(cloud, ["lodging_hail"])) == 0


def test_a_harvest_is_no_hail() -> None:
    def cut(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p4" and day >= STRUCK:
            look.update(ndvi=0.15, ndre=0.05, ndmi=-0.1)

    assert len(_detect(cut, ["lodging_hail", "frost"], _weather(0.0, STRUCK))) == 0


def test_a_fall_after_a_cold_night_is_frost() -> None:
    cold = _weather(0.0, STRUCK - timedelta(days=2))
    table = _detect(beaten, ["frost", "lodging_hail"], cold)
    assert table["event"].tolist() == ["frost"]
    assert len(_detect(beaten, ["frost"])) == 0  # without weather nobody can know


def test_a_fall_of_all_has_no_neighbours_to_show_it() -> None:
    def everywhere(parcel: str, day: date, look: dict[str, float]) -> None:
        if day >= STRUCK:
            look["ndvi"] *= 0.65

    assert len(_detect(everywhere, ["lodging_hail", "frost"], _weather(0.0, STRUCK))) == 0


def test_pigment_lost_little_by_little_is_told() -> None:
    def eaten(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p2" and day >= date(2018, 7, 10):
            look["ndre"] -= min((day - date(2018, 7, 10)).days * 0.004, 0.15)

    table = _detect(eaten, KINDS)
    assert table[["parcel_id", "event"]].to_numpy().tolist() == [["p2", "pest_disease"]]
    row = table.iloc[0]
    assert date(2018, 7, 15) <= row["start"].date() <= date(2018, 8, 5)
    assert 0.2 < row["severity"] <= 1
    assert row["share"] > 0.8


def test_pigment_lost_with_the_water_is_a_drought() -> None:
    def dry(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p2" and day >= date(2018, 7, 10):
            loss = min((day - date(2018, 7, 10)).days * 0.004, 0.15)
            look["ndre"] -= loss
            look["ndmi"] -= 1.5 * loss

    assert len(_detect(dry, ["pest_disease"])) == 0


def _detect_curves(curves: dict[str, Curve], detectors: Sequence[str]) -> Events:
    looks = made_looks(curves, every(5), dict.fromkeys(curves, SURE))
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    return detect_events(looks, seasons, score_health(looks, seasons), detectors)


def test_a_late_stand_is_told_by_its_neighbours() -> None:
    late = bump(date(2018, 7, 15), date(2018, 9, 20))
    table = _detect_curves({**dict.fromkeys(NAMES, MAIZE), "late": late}, KINDS)
    row = table[table["event"] == "late_failed"].iloc[0]
    assert row["parcel_id"] == "late"
    assert abs((row["start"].date() - date(2018, 7, 1)).days) <= 10
    assert row["severity"] == pytest.approx(30 / 40, abs=0.15)
    assert set(table["parcel_id"]) == {"late"}


def test_a_failed_stand_never_had_its_leaves() -> None:
    curves = {**dict.fromkeys(NAMES, MAIZE), "thin": bump(date(2018, 6, 15), date(2018, 9, 20), high=0.42)}
    looks = made_looks(curves, every(5), dict.fromkeys(curves, SURE))
    soil = looks.passes["parcel_id"] == "thin"
    for band, value in (("B11", 3000), ("B12", 2500)):
        looks.passes.loc[soil, f"sum_{band}"] = looks.passes.loc[soil, "n_clear"] * value
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = detect_events(looks, seasons, score_health(looks, seasons), ["late_failed"])
    assert table["parcel_id"].tolist() == ["thin"]
    assert 0.45 < table["severity"].iloc[0] < 1


def test_an_early_harvest_is_told_by_its_neighbours() -> None:
    soon = bump(date(2018, 6, 15), date(2018, 8, 15), days=3)
    table = _detect_curves({**dict.fromkeys(NAMES, MAIZE), "soon": soon}, ["early_harvest"])
    assert table["parcel_id"].tolist() == ["soon"]
    assert abs((table["start"].iloc[0].date() - date(2018, 8, 15)).days) <= 8
    assert table["severity"].iloc[0] == pytest.approx(36 / 60, abs=0.12)


def test_few_neighbours_tell_nothing() -> None:
    few = dict.fromkeys(NAMES[:4], MAIZE)
    late = bump(date(2018, 7, 15), date(2018, 9, 20))
    assert len(_detect_curves({**few, "late": late}, ["late_failed", "early_harvest", "lodging_hail"])) == 0


def test_the_network_seconds_a_rule_or_leaves_it_suspected() -> None:
    looks = made_looks(
        dict.fromkeys(NAMES, MAIZE), every(5), dict.fromkeys(NAMES, SURE), {"p3": {"flood": 0.9, "normal": 0.1}},
        change=flooded,
    )  # fmt: skip
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = detect_events(looks, seasons, score_health(looks, seasons), ["flood"])
    assert table["confirmed"].tolist() == [True]
    assert table["code"].isna().all()


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_says_what_else_it_could_be(name: str) -> None:
    assert confounders(name)


def test_a_report_without_a_sign_is_told_as_a_report() -> None:
    known = pd.DataFrame({
        "parcel_id": ["p3", "p6", "nobody"], "event": ["flood"] * 3, "start": [pd.Timestamp("2018-07-27")] * 3,
        "end": [pd.Timestamp("2018-08-05")] * 3, "share": [0.9, 0.4, 1.0],
    })  # fmt: skip
    table = _detect(flooded, ["flood"], known=known).set_index("parcel_id")
    assert table.loc["p3", "confirmed"]
    assert table.loc["p6", ["code", "share", "severity"]].tolist() == ["reported_only", 0.4, 0.0]
    assert not table.loc["p6", "confirmed"]
    assert len(table) == 2
