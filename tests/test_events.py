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
from acreline.events.frost import Settings as FrostSettings
from acreline.events.lodging_hail import Settings as HailSettings
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


def _weather(rain_mm: float, cold: date | None = None, tmin_c: float = -3.0) -> Weather:
    days = pd.date_range(SEASON.start, AS_OF, freq="D")
    table = pd.DataFrame({"date": days, "rain_mm": rain_mm, "radiation_mj_per_m2": 15.0, "tmin_c": 8.0})
    if cold is not None:
        table.loc[table["date"] == pd.Timestamp(cold), "tmin_c"] = tmin_c
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
    assert row["share"] == 1.0  # every pixel far above the line of MNDWI
    assert row["severity"] == pytest.approx(0.4 * (MAIZE(STRUCK) - 0.05) / MAIZE(STRUCK), abs=0.01)
    assert all(f"{day:%Y%m%d}" in row["evidence"] for day in looks)
    assert not row["confirmed"]
    assert row["code"] == "suspected"


def emergent(parcel: str, day: date, look: dict[str, float]) -> None:
    if parcel in ("p1", "p2") and _between(day, STRUCK, 5):
        look["mndwi"] = -0.05
        look["ndvi"] -= 0.3 if parcel == "p1" else 0.1


def test_without_neighbours_water_under_the_canopy_needs_a_fall_of_green() -> None:
    looks = made_looks(dict.fromkeys(NAMES[:3], MAIZE), every(5), dict.fromkeys(NAMES[:3], SURE), change=emergent)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    assert detect_events(looks, seasons, score_health(looks, seasons), ["flood"])["parcel_id"].tolist() == ["p1"]


def test_beside_dry_fields_of_its_crop_water_under_the_canopy_shows_itself() -> None:
    assert _detect(emergent, ["flood"])["parcel_id"].tolist() == ["p1", "p2"]


@pytest.mark.parametrize(
    ("mndwi", "sd", "water", "fields", "share"),
    [(-0.1 + 0.15, 0.15, 0.0, 8, 0.846),  # other maize at -0.4, the line 0.3 above: one spread below the mean
     (-0.1 + 0.15, 0.3, 0.0, 8, 0.701), (-0.1 + 0.15, 0.15, 0.95, 8, 0.95), (-0.09, 0.3, 0.0, 8, 0.514),
     (-0.1 + 0.05, 0.05, 0.0, 3, 0.846), (0.1, 0.0, 0.0, 3, 1.0)],  # alone: -0.1 where the green fell
)  # fmt: skip
def test_the_share_of_a_flood_is_that_above_the_line_it_crossed(
    mndwi: float, sd: float, water: float, fields: int, share: float
) -> None:
    def under_the_canopy(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p1" and _between(day, STRUCK, 5):
            look.update(mndwi=mndwi, sd_mndwi=sd, water=water, ndvi=look["ndvi"] - 0.3)

    names = NAMES[:fields]
    looks = made_looks(dict.fromkeys(names, MAIZE), every(5), dict.fromkeys(names, SURE), change=under_the_canopy)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    table = detect_events(looks, seasons, score_health(looks, seasons), ["flood"])
    assert table["parcel_id"].tolist() == ["p1"]
    assert table["share"].iloc[0] == pytest.approx(share, abs=0.002)


def test_a_flood_that_takes_half_of_a_crop_is_found_on_all_of_it() -> None:
    struck = sorted(NAMES)[: len(NAMES) // 2]

    def river(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel in struck and _between(day, STRUCK, 5):
            look["mndwi"] = 0.05

    assert _detect(river, ["flood"])["parcel_id"].tolist() == struck


def test_what_all_fields_show_at_once_is_no_flood() -> None:
    def wet_day(parcel: str, day: date, look: dict[str, float]) -> None:
        if _between(day, STRUCK, 5):
            look["mndwi"] = 0.1

    assert len(_detect(wet_day, ["flood"])) == 0


def test_a_pond_is_no_flood() -> None:
    def pond(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p2":
            look["water"] = 0.5

    assert len(_detect(pond, ["flood"])) == 0


def test_a_rice_field_stands_in_its_own_water() -> None:
    looks = made_looks(dict.fromkeys(NAMES, MAIZE), every(5), dict.fromkeys(NAMES, SURE), change=early_water)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    assert detect_events(looks, seasons, score_health(looks, seasons), ["flood"])["parcel_id"].tolist() == ["p3"]
    health = score_health(looks, seasons)

    def found(came_up: date) -> int:
        rice = seasons.assign(crop="single_rice", emergence=pd.Timestamp(came_up, tz="UTC").as_unit("ms"))
        return len(detect_events(looks, Seasons(rice), health, ["flood"]))

    assert found(date(2018, 6, 24)) == 0  # not a week old: the water is its own
    assert found(date(2018, 6, 5)) == 1  # much more of it than its neighbours show: a flood

    def shallow(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p3" and _between(day, date(2018, 6, 20), 10):
            look["mndwi"] = -0.05

    looks = made_looks(dict.fromkeys(NAMES, MAIZE), every(5), dict.fromkeys(NAMES, SURE), change=shallow)
    assert len(detect_events(looks, seasons, health, ["flood"])) == 1  # 0.35 above other maize
    assert found(date(2018, 6, 5)) == 0  # but a young paddy may be a later one
    assert found(date(2018, 4, 20)) == 1  # its canopy has closed


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
    assert _detect(parched, ["drought"], _weather(1.5))["confirmed"].tolist() == [False]
    assert len(_detect(parched, ["drought"], _weather(3.0))) == 0  # 90 mm in a month: nothing is parched


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


def test_what_is_cut_on_any_day_is_neither_beaten_nor_harvested_early() -> None:
    soon = bump(date(2018, 6, 15), date(2018, 8, 15), days=3)
    for curves, change, kind in (
        (dict.fromkeys(NAMES, MAIZE), beaten, "lodging_hail"),
        ({**dict.fromkeys(NAMES, MAIZE), "soon": soon}, None, "early_harvest"),
    ):
        looks = made_looks(curves, every(5), dict.fromkeys(curves, SURE), change=change)
        seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
        health = score_health(looks, seasons)
        for crop, count in (("maize", 1), ("vegetables", 0), ("grassland", 0)):
            assert len(detect_events(looks, Seasons(seasons.assign(crop=crop)), health, [kind])) == count, (kind, crop)


def test_an_early_harvest_of_a_doubtful_crop_is_not_told() -> None:
    soon = bump(date(2018, 6, 15), date(2018, 8, 15), days=3)
    looks = made_looks({**dict.fromkeys(NAMES, MAIZE), "soon": soon}, every(5), dict.fromkeys([*NAMES, "soon"], SURE))
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    doubtful = Seasons(seasons.assign(crop_confidence=0.7))
    assert len(detect_events(looks, seasons, score_health(looks, seasons), ["early_harvest"])) == 1
    assert len(detect_events(looks, doubtful, score_health(looks, seasons), ["early_harvest"])) == 0


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


def test_a_crop_has_a_cold_limit_of_its_own() -> None:
    curves = dict.fromkeys(NAMES, CEREAL)
    cereal = {"winter_cereal": 0.97, "maize": 0.01, "grassland": 0.01, "potato": 0.01}
    shoot = date(2018, 5, 1)

    def beaten_in_may(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p4" and day >= shoot:
            look["ndvi"] *= 0.65

    looks = made_looks(curves, every(5), dict.fromkeys(NAMES, cereal), change=beaten_in_may)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    health = score_health(looks, seasons)
    for tmin_c, limit_c, event in ((-3.0, -2.0, "frost"), (-1.0, -2.0, "lodging_hail"), (-1.0, 0.0, "frost")):
        weather = _weather(0.0, shoot - timedelta(days=2), tmin_c)
        chosen = {
            "frost": FrostSettings(crop_max_tmin_c={"winter_cereal": limit_c}),
            "lodging_hail": HailSettings(crop_max_tmin_c={"winter_cereal": limit_c}),
        }
        table = detect_events(looks, seasons, health, ["frost", "lodging_hail"], weather, settings=chosen)
        assert table[["parcel_id", "event"]].to_numpy().tolist() == [["p4", event]]
    assert FrostSettings().crop_max_tmin_c["winter_cereal"] == -2.0


def test_a_cold_night_that_took_nothing_is_no_event() -> None:
    assert len(_detect(None, KINDS, _weather(3.0, STRUCK))) == 0


def test_a_flood_is_no_hail() -> None:
    assert set(_detect(flooded, KINDS)["event"]) == {"flood"}


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


def test_weeds_before_the_crop_are_no_measure_of_its_pigment() -> None:
    def weedy(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p2" and date(2018, 5, 1) <= day < date(2018, 7, 10):  # up on 29 May, then poorer but steady
            look["ndre"] += max(0.05 - 0.005 * (day - date(2018, 5, 10)).days, -0.06)

    assert len(_detect(weedy, ["pest_disease"])) == 0


def test_pigment_lost_at_a_stroke_is_no_disease() -> None:
    def struck(parcel: str, day: date, look: dict[str, float]) -> None:
        if parcel == "p4" and day >= STRUCK:
            look.update(ndvi=0.65 * look["ndvi"], ndre=0.65 * look["ndre"])

    assert _detect(struck, KINDS)["event"].tolist() == ["lodging_hail"]


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


def test_a_late_sowing_is_neither_dry_nor_ill() -> None:
    late = bump(date(2018, 7, 15), date(2018, 10, 20))
    curves = {**dict.fromkeys(NAMES, MAIZE), "late": late}
    assert set(_detect_curves(curves, KINDS)["event"]) == {"late_failed"}


def test_a_usual_stand_is_neither_late_nor_early() -> None:
    soon = bump(date(2018, 6, 8), date(2018, 9, 12))
    curves = {**dict.fromkeys(NAMES, MAIZE), "soon": soon}
    assert len(_detect_curves(curves, ["late_failed", "early_harvest"])) == 0


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


def _detect_named(network: dict[str, dict[str, float]], known: pd.DataFrame | None = None) -> Events:
    looks = made_looks(dict.fromkeys(NAMES, MAIZE), every(5), dict.fromkeys(NAMES, SURE), network, change=parched)
    seasons = describe_seasons(looks, made_crops(), CALIBRATION, SEASON, as_of=AS_OF)
    return detect_events(looks, seasons, score_health(looks, seasons), ["drought", "flood"], known=known)


def test_damage_that_the_network_alone_names_is_told() -> None:
    table = _detect_named({
        "p1": {"flood": 0.9, "normal": 0.1},
        "p2": {"normal": 0.9, "flood": 0.1},
        "p4": {"frost": 0.9, "normal": 0.1},  # a kind that nobody looked for
        "p5": {"drought": 0.9, "normal": 0.1},  # the rule sees it too
        "p6": {"flood": 0.4, "normal": 0.3, "frost": 0.3},  # less than half
    }).set_index("parcel_id")  # fmt: skip
    assert table["event"].to_dict() == {"p1": "flood", "p5": "drought"}
    alone = table.loc["p1"]
    assert alone["code"] == "network_only|suspected"
    assert (alone["start"].date(), alone["end"].date()) == (every(5)[-1], every(5)[-1])
    assert alone["evidence"] == f'["S2A-R051-{every(5)[-1]:%Y%m%d}"]'
    assert (alone["share"], alone["severity"], alone["confirmed"]) == (1.0, 0.0, False)
    assert table.loc["p5", "confirmed"]
    assert table["code"].isna().to_dict() == {"p1": False, "p5": True}


def test_a_report_that_the_network_seconds_is_confirmed() -> None:
    known = pd.DataFrame({
        "parcel_id": ["p1"], "event": ["flood"], "start": [pd.Timestamp("2018-07-27")],
        "end": [pd.Timestamp("2018-08-05")], "share": [0.4],
    })  # fmt: skip
    table = _detect_named({"p1": {"flood": 0.9, "normal": 0.1}}, known)
    floods = table[table["event"] == "flood"]
    assert floods[["parcel_id", "share", "confirmed"]].to_numpy().tolist() == [["p1", 0.4, True]]
    assert floods["start"].iloc[0].date() == date(2018, 7, 27)
    assert floods["code"].isna().all()


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_says_what_else_it_could_be(name: str) -> None:
    told = confounders(name)
    assert told
    assert name not in told
    for english, chinese in told.values():
        assert english.isascii()
        assert not chinese.isascii()


def test_a_kind_that_is_none_has_no_confounders() -> None:
    with pytest.raises(ConfigError, match="'hail' is not known"):
        confounders("hail")


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
