# SPDX-License-Identifier: Apache-2.0
"""The land half of the simulator: fields that look like fields, crops that keep their calendars, truth that is true."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from acreline.config import packaged_configs, read_settings
from acreline.errors import ConfigError, InputError
from acreline.layers import HEALTH_CLASSES
from acreline.simulate.cells import CELL_M, count_pairs, paint, pair_cells
from acreline.simulate.classes import CLASSES
from acreline.simulate.county import make_county
from acreline.simulate.crops import read_sim_crops
from acreline.simulate.damage import Mark, mark_states, yield_lost
from acreline.simulate.growth import age_of, current_stand
from acreline.simulate.lattice import bend, draw_sheet
from acreline.simulate.settings import CountySettings, ParcelShapes, check_crops, read_county
from acreline.simulate.states import LIMITS
from acreline.simulate.truth import truth_rasters
from acreline.simulate.values import STATE, SUB, County

ZONES = sorted(path.stem for path in (packaged_configs() / "simulate").glob("*.yaml") if path.stem != "crops")
HEALTH = list(HEALTH_CLASSES)


def _settings(name: str = "sim-county", **changes: Any) -> CountySettings:
    raw = yaml.safe_load((packaged_configs() / "simulate" / f"{name}.yaml").read_text(encoding="utf-8"))
    return CountySettings.model_validate({**raw, **changes})


@cache
def _county(name: str = "sim-county", parcels: int = 30) -> County:
    return make_county(read_county(name), parcels=parcels)


def _struck(kind: str, **event: Any) -> tuple[County, pd.DataFrame]:
    """A small county that one kind of event strikes often, and its rows of truth."""
    raw = {"kind": kind, "expected": 2000.0 if kind == "late_failed" else 400.0, "severity": (0.7, 1.0), **event}
    county = make_county(_settings(events=[raw], land={"villages": 0.05, "relief_m": 4}), parcels=30, seed=5)
    return county, county.truth_events.loc[county.truth_events["event"] == kind]


# --- settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZONES)
def test_packaged_counties_are_sound(name: str) -> None:
    settings = read_county(name)
    assert settings.name == name
    assert settings.season == (dt.date(settings.year - 1, 10, 1), dt.date(settings.year, 12, 15))


def test_zones_cover_the_crops_of_china_and_europe() -> None:
    crops = read_sim_crops()
    grown = {crop for name in ZONES for rotation in read_county(name).rotations for crop in rotation.crops.values()}
    classes = {crops.crops[slug].network_class for slug in grown}
    assert len(classes - {"none", "non_agri"}) >= 15
    assert classes | {"none", "non_agri"} == set(CLASSES)


def test_crops_file_is_typed_and_sourced() -> None:
    crops = read_sim_crops().crops
    assert crops["winter_wheat"].produce is not None
    assert crops["winter_wheat"].produce.yield_kg_per_ha == 5940
    for slug, crop in crops.items():
        for block in (crop.calendar, crop.canopy, crop.harvest, *([crop.produce] if crop.produce else [])):
            assert len(block.source) > 2, slug
        assert crop.name_zh
    assert {slug for slug, crop in crops.items() if crop.layers.paddy} == {"early_rice", "late_rice", "single_rice"}


def _written(tmp_path: Path, **changes: Any) -> Path:
    raw = yaml.safe_load((packaged_configs() / "simulate" / "sim-county.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**raw, **changes}), encoding="utf-8")
    return path


def test_unknown_key_is_refused_with_the_nearest_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key 'parcel'") as caught:
        read_county(str(_written(tmp_path, parcel=3)))
    assert "did you mean 'parcels'?" in caught.value.hint


def test_unknown_crop_is_refused_with_the_nearest_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="crop 'sumer_maize' is not known") as caught:
        read_county(str(_written(tmp_path, rotations=[{"b": "sumer_maize", "share": 1.0}])))
    assert "did you mean 'summer_maize'?" in caught.value.hint


def test_unknown_class_is_refused_with_the_nearest_word(tmp_path: Path) -> None:
    raw = yaml.safe_load((packaged_configs() / "simulate" / "crops.yaml").read_text(encoding="utf-8"))
    raw["crops"]["tea"]["class"] = "teaa"
    path = tmp_path / "crops.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'tea'"):
        read_sim_crops(path)


FROST = {"kind": "frost", "expected": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotations": [{"b": "cotton", "share": 0.4}]}, "add up to 0.400"),
        ({"rotations": [{"share": 1.0}]}, "name a crop in a, b or ab"),
        ({"rotations": [{"a": "winter_wheat", "ab": "apple", "share": 1.0}]}, "leave out a and b"),
        ({"season_start": "2025-12-01"}, "must be 200 to 550 days long"),
        ({"rotations": [{"b": "cotton", "share": 1.0, "after": {"winter_wheat": 1, "soybean": 0.2}}]}, "at most 1"),
        ({"rotations": [{"b": "cotton", "share": 1.0, "after": {"wheat": 0.5}}]}, "crop 'wheat' is not known"),
        ({"land": {"villages": 0.5, "woods": 0.3}}, "leave 0.4 to fields"),
        ({"events": [{"kind": "floods", "expected": 1}]}, "late_failed"),
        ({"crops": {"winter_wheat": {"sow": "02-31"}}}, "crops.winter_wheat.sow: '02-31' is not a day of every year"),
        ({"events": [FROST | {"window": ["04-20", "04-01"]}]}, "events.0.window: 04-20 comes before 04-01"),
        ({"events": [FROST | {"severity": [0.9, 0.1]}]}, "events.0.severity: 0.9 comes before 0.1"),
        ({"events": [FROST | {"size_m": [350, 150]}]}, "events.0.size_m: 350.0 comes before 150.0"),
        ({"events": [FROST | {"size_m": [-350, -150]}]}, "events.0.size_m.0: Input should be greater than 0"),
        ({"shapes": {"median_m2": 4600, "block_m": [380, 140]}}, "shapes.block_m: 380.0 comes before 140.0"),
        ({"shapes": {"median_m2": 4600, "block_m": [0, 1]}}, "shapes.block_m.0: Input should be greater than or equal"),
        ({"shapes": {"median_m2": 4600, "farm_parcels": [5, 1]}}, "shapes.farm_parcels: 5 comes before 1"),
        ({"shapes": {"median_m2": 4600, "farm_parcels": [0, 1]}}, "shapes.farm_parcels.0: Input should be greater"),
        ({"place": {"lat": 37.3, "lon": 115.6, "tile": "XYZ"}}, "place.tile: 'XYZ' is not the name of a Sentinel-2"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_county(str(_written(tmp_path, **changes)))


def test_the_file_of_crops_is_no_county() -> None:
    with pytest.raises(ConfigError, match="'crops' is no county") as caught:
        read_county("crops")
    assert "sim-county" in caught.value.hint
    assert "crops" not in caught.value.hint


def test_crop_in_the_wrong_slot_is_refused() -> None:
    settings = _settings(rotations=[{"b": "winter_wheat", "share": 1.0}])
    with pytest.raises(ConfigError, match="winter_wheat stands in slot B") as caught:
        check_crops(settings, read_sim_crops())
    assert caught.value.hint == "its slot is A: write it there"


def test_place_outside_the_tile_is_refused() -> None:
    settings = _settings(place={"lat": 37.3, "lon": 118.9, "tile": "50SLG"})
    with pytest.raises(ConfigError, match="tile 50SLG does not hold the county") as caught:
        make_county(settings, parcels=30)
    assert "move lat and lon" in caught.value.hint


def test_sky_is_passed_through_untouched(tmp_path: Path) -> None:
    sky = {"any": {"thing": [1, 2]}}
    assert read_settings(CountySettings, _written(tmp_path, sky=sky)).sky == sky


# --- land ---------------------------------------------------------------------------------------------------------


def _fingerprint(county: County) -> dict[str, bytes]:
    tables = ("parcels", "truth_parcels", "truth_events", "truth_yields", "units", "weather")
    prints = {name: getattr(county, name).to_csv().encode() for name in tables}
    prints["pairs"] = county.pairs.unit.tobytes() + county.pairs.cell.tobytes()
    prints["relief"] = county.relief_m.tobytes()
    for day in (dt.date(2025, 4, 20), dt.date(2025, 8, 1)):
        prints[str(day)] = b"".join(county.states.on(day)[name].tobytes() for name in STATE)
    return prints


def test_same_seed_same_bytes() -> None:
    first = _fingerprint(make_county(read_county("sim-county"), parcels=30))
    again = _fingerprint(make_county(read_county("sim-county"), parcels=30))
    assert first == again
    other = _fingerprint(make_county(read_county("sim-county"), parcels=30, seed=99))
    assert other["pairs"] != first["pairs"]


def test_states_do_not_depend_on_what_was_asked_before() -> None:
    county, day = _county(), dt.date(2025, 5, 10)
    before = county.states.on(day)
    county.states.on(dt.date(2025, 9, 1))
    after = county.states.on(day)
    for name in STATE:
        assert np.array_equal(before[name], after[name])
        assert before[name].dtype == np.float32


def test_another_bad_luck_leaves_the_land_alone() -> None:
    calm = make_county(_settings(events=[]), parcels=30)
    assert np.array_equal(calm.pairs.cell, _county().pairs.cell)
    assert calm.truth_parcels["crop"].tolist() == _county().truth_parcels["crop"].tolist()
    assert calm.truth_events.empty


@pytest.mark.parametrize("name", ZONES)
def test_parcels_are_whole_apart_and_wide(name: str) -> None:
    county = _county(name)
    outlines = county.states.land.outlines  # type: ignore[attr-defined]
    assert len(county.parcels) == len(outlines) == 30
    assert county.parcels["id"].is_unique
    assert shapely.is_valid(outlines).all()
    assert set(shapely.get_type_id(outlines)) == {int(shapely.GeometryType.POLYGON)}
    tree = shapely.STRtree(outlines)
    left, right = tree.query(outlines, predicate="intersects")
    assert (left == right).all(), "two parcels touch or overlap"
    assert (shapely.length(shapely.minimum_rotated_rectangle(outlines)) > 32).all()
    assert not shapely.is_empty(shapely.buffer(outlines, -3.9)).any(), "a parcel is narrower than 8 m"
    side = county.window.width * 10
    bounds = shapely.bounds(outlines)
    assert bounds.min() > 0
    assert bounds.max() < side


def test_pieces_add_up_to_the_polygons() -> None:
    county = _county("sim-county", 200)
    outlines = county.states.land.outlines  # type: ignore[attr-defined]
    drawn = pd.Series(shapely.area(outlines), index=county.parcels["id"])
    cells = pd.Series(pair_cells(county.pairs)).groupby(county.pairs.unit).sum() * CELL_M**2
    pieces = cells.groupby(county.units["parcel_id"].reindex(cells.index)).sum()
    assert pieces.sum() == pytest.approx(drawn.sum(), rel=0.005)
    assert (pieces / drawn.reindex(pieces.index) - 1).abs().max() < 0.08
    planted = county.truth_parcels.groupby(["parcel_id", "slot"])["share"].sum()
    assert planted.max() <= 1.0002
    assert int(cells.sum() / CELL_M**2) == county.pairs.cell.size


def test_window_is_even_and_on_the_tile() -> None:
    window = _county().window
    assert [value % 2 for value in (window.row, window.col, window.height, window.width)] == [0, 0, 0, 0]
    assert window.crs == "EPSG:32650"
    assert _county().relief_m.shape == (window.height, window.width)
    assert _county().relief_m.min() == 0
    assert _county().pairs.cell.shape == (SUB * window.height, SUB * window.width)


def test_the_farm_file_lies_where_the_land_lies() -> None:
    county = _county()
    x, y = county.parcels.to_crs(county.window.crs).union_all().centroid.coords[0]
    assert county.window.origin_x + county.window.col * 10 < x
    assert y < county.window.origin_y - county.window.row * 10
    assert abs(county.parcels.union_all().centroid.y - 37.3) < 0.01


@given(
    corners=st.lists(st.tuples(st.floats(-20, 60), st.floats(-20, 60)), min_size=3, max_size=6),
)
@hypothesis_settings(max_examples=150, deadline=None)
def test_painting_agrees_with_point_in_polygon(corners: list[tuple[float, float]]) -> None:
    polygon = shapely.convex_hull(shapely.multipoints(np.round(np.array(corners), 2)))
    if polygon.geom_type != "Polygon":
        return
    cells = np.full((16, 16), -1, np.int32)
    paint(cells, np.array([polygon], dtype=object), np.array([7], np.int32))
    middle = (np.arange(16) + 0.5) * CELL_M
    east, north = np.meshgrid(middle, middle)
    inside = shapely.contains_xy(polygon, east, north)
    border = shapely.dwithin(shapely.boundary(polygon), shapely.points(east, north), 1e-6)
    assert ((cells == 7) == inside)[~border].all()


@given(seed=st.integers(0, 10_000), bearing=st.floats(-90, 90), bend_m=st.floats(0, 80), skew=st.floats(0, 0.3))
@hypothesis_settings(max_examples=12, deadline=None)
def test_lots_never_overlap_however_bent(seed: int, bearing: float, bend_m: float, skew: float) -> None:
    shapes = ParcelShapes(median_m2=2500, bearing_deg=bearing, bend_m=bend_m, skew=skew, log_sd=0.6)
    sheet = draw_sheet(shapes, _settings().land, 300.0, np.random.default_rng(seed))
    lots = bend(sheet.lots, shapes, np.random.default_rng(seed), inset_m=0.3)
    lots = lots[~shapely.is_empty(lots)]
    assert shapely.is_valid(lots).all()
    left, right = shapely.STRtree(lots).query(lots, predicate="overlaps")
    assert shapely.area(shapely.intersection(lots[left], lots[right])).sum() == 0


def test_pairs_count_each_cell_once() -> None:
    units = np.zeros((8, 8), np.int32)
    units[:4, 2:] = 1
    pairs = count_pairs(units, 2)
    assert pairs.unit.tolist() == [0, 1, 1, 0, 0]
    assert pairs.row.tolist() == [0, 0, 0, 1, 1]
    assert pairs.col.tolist() == [0, 0, 1, 0, 1]
    assert pair_cells(pairs).tolist() == [8, 8, 16, 16, 16]


def test_farms_are_small_and_near() -> None:
    county = _county("sim-county", 200)
    sizes = county.parcels["farm_id"].value_counts()
    assert 1 <= sizes.min() <= sizes.max() <= 12
    placed = county.parcels.to_crs(county.window.crs)
    spread = placed.assign(x=placed.centroid.x, y=placed.centroid.y).groupby("farm_id")[["x", "y"]].std().dropna()
    assert spread.median().max() < 0.25 * county.window.width * 10


# --- crops --------------------------------------------------------------------------------------------------------


def test_shares_of_crops_follow_the_rotations() -> None:
    county, settings = _county("sim-county", 200), read_county("sim-county")
    first = county.truth_parcels.loc[county.truth_parcels["share"] > 0.5]
    for slug in ("winter_wheat", "cotton", "greenhouse"):
        wanted = sum(rotation.share for rotation in settings.rotations if slug in rotation.crops.values())
        found = first.loc[first["crop"] == slug, "parcel_id"].nunique() / 200
        assert found == pytest.approx(wanted, abs=0.035), slug


def test_double_crops_share_their_land_and_keep_their_days() -> None:
    truth = _county("sim-county", 200).truth_parcels
    a = truth.loc[(truth["slot"] == "A") & (truth["crop"] == "winter_wheat")]
    b = truth.loc[(truth["slot"] == "B") & (truth["crop"] == "summer_maize")]
    both = pd.DataFrame(a).merge(pd.DataFrame(b), on="parcel_id", suffixes=("_a", "_b"))
    assert len(both) > 80
    assert (both["harvested_a"] < both["sown_b"]).all()
    assert (both["sown_a"] < both["emerged_a"]).all()
    sound = both.loc[(both["late_days_a"] == 0) & (both["late_days_b"] == 0)]
    assert abs((sound["sown_a"] - pd.Timestamp("2024-10-10")).dt.days.mean()) < 4
    assert abs((sound["harvested_b"] - pd.Timestamp("2025-10-01")).dt.days.mean()) < 12


@pytest.mark.parametrize("name", ZONES)
def test_each_stand_is_gone_before_the_next_is_sown(name: str) -> None:
    growing = _county(name).states.growing  # type: ignore[attr-defined]
    same = growing.unit[1:] == growing.unit[:-1]
    assert (growing.v["harvested"][:-1][same] < growing.v["sown"][1:][same]).all()
    assert (growing.v["ploughed"][:-1][same] < growing.v["sown"][1:][same]).all()


def test_thermal_time_never_runs_back() -> None:
    growing = _county().states.growing  # type: ignore[attr-defined]
    stands = np.arange(len(growing.unit))
    ages = np.array([age_of(growing, stands, day) for day in range(250, growing.heat.days - 1, 7)])
    assert (np.diff(ages, axis=0) >= -1e-6).all()


@pytest.mark.parametrize("name", ZONES)
def test_states_keep_their_ranges_all_year(name: str) -> None:
    county = _county(name)
    peak = np.zeros(len(county.pairs.unit), np.float32)
    for day in pd.date_range(county.season_start, county.season_end, freq="23D"):
        states = county.states.on(day.date())
        assert tuple(states) == STATE
        for state, (low, high) in LIMITS.items():
            assert states[state].shape == county.pairs.unit.shape
            assert np.isfinite(states[state]).all(), state
            assert low - 1e-4 <= states[state].min(), state
            assert states[state].max() <= high + 1e-4, state
        peak = np.maximum(peak, states["lai"])
    farmed = (county.units["kind"] == "parcel").to_numpy()[county.pairs.unit]
    assert 2.0 < np.median(peak[farmed]) < 7.0


def test_paddies_stand_under_water_and_rapeseed_flowers() -> None:
    county = _county("yangtze", 60)
    unit = county.pairs.unit
    rice = (county.units["crop_b"] == "single_rice").fillna(False).to_numpy()[unit]
    rape = (county.units["crop_a"] == "winter_rapeseed").fillna(False).to_numpy()[unit]
    wettest = max(float(county.states.on(dt.date(2025, 6, day))["water"][rice].mean()) for day in range(1, 30, 4))
    assert wettest > 0.4
    assert county.states.on(dt.date(2025, 8, 10))["water"][rice].mean() < 0.1
    yellow = [float(county.states.on(dt.date(2025, 3, day))["flower"][rape].mean()) for day in range(2, 31, 4)]
    assert max(yellow) > 0.25
    assert county.states.on(dt.date(2025, 1, 10))["flower"][rape].mean() < 0.03


def test_last_year_another_crop_may_have_stood_there() -> None:
    rotation = {"b": "spring_maize", "share": 1.0, "cover": 0.0, "after": {"winter_wheat": 0.5}}
    growing = make_county(_settings("western-europe", rotations=[rotation]), parcels=60).states.growing  # type: ignore[attr-defined]
    first = growing.v["harvested"][growing.first[:-1][growing.first[:-1] < growing.first[1:]]]
    summer = (growing.heat.start + dt.timedelta(days=int(one)) for one in first)
    in_july = np.mean([day.year == 2024 and day.month in (6, 7, 8) for day in summer])
    assert in_july == pytest.approx(0.5, abs=0.2)


def test_leaves_differ_from_field_to_field() -> None:
    states = _county("sim-county", 200).states
    v = states.growing.v  # type: ignore[attr-defined]
    for name in ("n_leaf", "cw", "cm"):
        factor = v[name] / np.median(v[name])
        wheat = v["cab_leaf"] == read_sim_crops().crops["winter_wheat"].canopy.cab
        assert 0.08 < np.std(factor[wheat]) < 0.3, name


def test_green_goes_when_a_crop_ripens() -> None:
    county = _county("sim-county", 60)
    unit = county.pairs.unit
    wheat = (county.units["crop_a"] == "winter_wheat").fillna(False).to_numpy()[unit]
    growing = county.states.growing  # type: ignore[attr-defined]
    stand = current_stand(growing, growing.heat.day(dt.date(2025, 6, 4)))[unit]
    still = wheat & (growing.v["harvested"][np.maximum(stand, 0)] > growing.heat.day(dt.date(2025, 6, 5)))
    ripe, green = county.states.on(dt.date(2025, 6, 4)), county.states.on(dt.date(2025, 5, 5))
    assert still.sum() > 50
    assert np.median(ripe["cab"][still]) < 0.5 * np.median(green["cab"][still])
    brown = still & (ripe["cbrown"] > 0.7)
    assert np.median(ripe["cab"][brown]) < 8


def test_catch_crops_keep_many_fields_green_before_maize() -> None:
    county = _county("western-europe", 200)
    maize = (county.units["crop_b"] == "spring_maize").fillna(False).to_numpy()[county.pairs.unit]
    winter = county.states.on(dt.date(2025, 1, 20))["lai"][maize]
    assert 0.4 < (winter > 0.6).mean() < 0.85


def test_a_day_outside_the_season_is_refused() -> None:
    with pytest.raises(InputError, match="2026-02-01 lies outside the simulated season") as caught:
        _county().states.on(dt.date(2026, 2, 1))
    assert caught.value.hint == "ask for a day of the season"


# --- events -------------------------------------------------------------------------------------------------------


def _health(county: County, day: dt.date) -> dict[str, Any]:
    return dict(county.states.health_on(day))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "days", "state", "after", "falls"),
    [
        ("hail", ("07-20", "07-28"), "lai", 1, True),
        ("lodging", ("05-15", "05-25"), "ala", 1, True),
        ("drought", ("07-10", "07-15"), "cw", 24, True),
        ("pest_disease", ("07-10", "07-15"), "cab", 34, True),
        ("frost", ("04-12", "04-16"), "cab", 2, True),
        ("flood", ("07-20", "07-25"), "water", 2, False),
    ],
)
def test_each_event_leaves_its_mark(kind: str, days: tuple[str, str], state: str, after: int, falls: bool) -> None:
    county, rows = _struck(kind, window=days, size_m=(150, 400))
    calm = make_county(_settings(events=[], land={"villages": 0.05, "relief_m": 4}), parcels=30, seed=5)
    assert len(rows) > 0
    assert rows["damage"].between(0.0001, 0.95).all()
    assert rows["severity"].between(0.1, 1).all()
    assert rows["share"].between(0, 1.0001).all()
    assert (rows["end"] >= rows["start"]).all()
    marks = county.states.marks  # type: ignore[attr-defined]
    day = rows["start"].max().date() + dt.timedelta(days=after)
    number = county.states.growing.heat.day(day)  # type: ignore[attr-defined]
    hit = np.unique(np.concatenate([mark.pair[mark.strength(number) > 0.3] for mark in marks]))
    assert hit.size
    with_, without = county.states.on(day)[state][hit], calm.states.on(day)[state][hit]
    assert (with_.mean() < 0.95 * without.mean()) if falls else (with_.mean() > without.mean() + 0.4)
    told = _health(county, day)
    assert (told["kind"] == HEALTH.index(marks[0].health)).mean() > 0.001
    spared = np.setdiff1d(np.arange(len(county.pairs.unit)), np.concatenate([mark.pair for mark in marks]))
    growth = ("lai", "cab", "cw", "ala")
    for name in growth if kind not in ("frost", "drought") else ():  # these two change the weather for all
        difference = county.states.on(day)[name][spared] - calm.states.on(day)[name][spared]
        assert np.abs(difference).mean() < 0.02 * np.abs(calm.states.on(day)[name]).mean() + 0.02


def test_weather_goes_with_the_events() -> None:
    county, rows = _struck("frost", window=("04-12", "04-16"), size_m=(150, 400))
    night = county.weather.set_index("date").loc[rows["start"].min()]
    assert night["tmin_c"] <= -3
    county, rows = _struck("flood", window=("07-20", "07-25"), size_m=(150, 400))
    assert county.weather.set_index("date").loc[rows["start"].min(), "rain_mm"] > 40


def test_late_and_failed_stands_are_late_and_thin() -> None:
    county, rows = _struck("late_failed")
    truth = county.truth_parcels
    late, thin = truth.loc[truth["late_days"] > 0], truth.loc[truth["stand"] < 1]
    assert len(late) > 3
    assert len(thin) > 3
    assert len(rows) == len(late) + len(thin)
    assert late["late_days"].between(15, 35).all()
    assert thin["stand"].between(0.3, 0.6).all()
    told = _health(county, dt.date(2025, 5, 5))
    assert (told["kind"] == HEALTH.index("late_failed")).any()
    ill = told["kind"] == HEALTH.index("late_failed")
    assert told["vigour"][ill].mean() < told["vigour"][(told["kind"] == 0) & (told["vigour"] != 0)].mean() - 1


def test_harvested_fields_are_told() -> None:
    told = _health(_county(), dt.date(2025, 12, 1))
    farmed = (_county().units["kind"] == "parcel").to_numpy()[_county().pairs.unit]
    assert (told["kind"][farmed] == HEALTH.index("harvested")).mean() > 0.2
    assert (told["kind"][~farmed & (_county().units["kind"] != "field").to_numpy()[_county().pairs.unit]] == 0).all()


def test_vigour_of_a_calm_county_is_centred() -> None:
    county = make_county(_settings(events=[]), parcels=60)
    told = _health(county, dt.date(2025, 8, 5))
    grows = told["vigour"] != 0
    assert abs(told["vigour"][grows].mean()) < 0.5
    assert 0.4 < told["vigour"][grows].std() < 1.8


def test_flood_water_comes_and_goes() -> None:
    mark = Mark(
        1, "flood", np.array([0, 1]), np.array([1, 0.5], np.float32), np.array([10, 10]), np.array([5, 5]),
        np.array([99, 99]),
    )  # fmt: skip
    for day, wet in ((9, False), (10, True), (14, True), (15, False)):
        states = {name: np.full(3, 0.5 if name == "lai" else 0.0, np.float32) for name in STATE}
        mark_states(states, mark, day)
        assert (states["water"][0] > 0.7) == wet
        assert states["water"][2] == 0


def test_loss_is_greatest_at_flowering_and_rice_stands_water() -> None:
    stage, dry = np.array([1.0, 0.5], np.float32), np.array([False, False])
    strength = np.ones(2, np.float32)
    lost = yield_lost("flood", strength, np.array([10, 10]), stage, paddy=dry)
    assert lost.tolist() == pytest.approx([0.45, 0.225])
    assert yield_lost("flood", strength, np.array([10, 10]), stage, paddy=~dry)[0] == pytest.approx(0.18)
    assert yield_lost("lodging", strength, np.array([1, 1]), stage, paddy=dry)[0] == pytest.approx(0.28)


# --- truth --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZONES)
def test_yields_lie_around_the_crops_normal(name: str) -> None:
    settings = read_county(name)
    county = make_county(settings, parcels=150)
    crops, table = read_sim_crops().crops, county.truth_yields
    assert (table["yield_kg_per_ha"] > 0).all()
    assert set(table["currency"]) == {settings.currency}
    assert table["production_kg"].to_numpy() == pytest.approx(
        table["yield_kg_per_ha"] * table["planted_m2"] / 10_000, abs=1
    )
    assert table["value"].to_numpy() == pytest.approx(table["production_kg"] * table["price_per_kg"], abs=0.01)
    for slug, rows in table.groupby("crop"):
        produce, own = crops[str(slug)].produce, settings.crops.get(str(slug))
        assert produce is not None
        normal = (own.yield_kg_per_ha if own else None) or produce.yield_kg_per_ha
        assert rows["yield_kg_per_ha"].between(0.05 * normal, 2.2 * normal).all(), slug
        if len(rows) >= 20:
            assert rows["yield_kg_per_ha"].mean() == pytest.approx(normal, rel=0.25), slug
            assert 0.08 < rows["yield_kg_per_ha"].std() / rows["yield_kg_per_ha"].mean() < 0.45, slug


def test_declared_errors_come_at_the_configured_share() -> None:
    settings = _settings(noise={"declared_wrong": 0.2, "outlines_wrong": 0.25, "mixed": 0.3})
    county = make_county(settings, parcels=200)
    grown = county.truth_parcels.groupby("parcel_id")["class"].agg(set)
    declared_crop = county.parcels["declared_crop"].fillna("none")
    wrong = [crop not in grown[one] for one, crop in zip(county.parcels["id"], declared_crop, strict=True)]
    assert 0.12 < np.mean(wrong) < 0.28
    true = county.truth_parcels.drop_duplicates("parcel_id").set_index("parcel_id").geometry
    same = [shape.equals(true[one]) for one, shape in zip(county.parcels["id"], county.parcels.geometry, strict=True)]
    assert 0.17 < 1 - np.mean(same) < 0.33
    mixed = county.truth_parcels.groupby(["parcel_id", "slot"]).size().groupby("parcel_id").max() > 1
    assert mixed.any()
    parts = county.units.loc[county.units["kind"] == "parcel", "part"]
    assert 0.2 < parts.sum() / 200 < 0.4
    truth = county.truth_parcels.drop_duplicates("parcel_id").set_index("parcel_id").reindex(county.parcels["id"])
    assert truth["declared_wrong"].tolist() == wrong
    assert [error == "" for error in truth["outline_error"]] == same
    assert set(truth["outline_error"]) == {"", "shifted", "merged", "outdated"}
    land = county.states.land  # type: ignore[attr-defined]
    declared = county.parcels["declared_area"].to_numpy() * 10_000 / shapely.area(land.outlines)
    assert 0.01 < declared.std() < 0.035


def test_without_noise_the_farm_file_is_true() -> None:
    noise = {"declared_wrong": 0.0, "outlines_wrong": 0.0, "mixed": 0.0, "area_sd": 0.0}
    county = make_county(_settings(noise=noise), parcels=30)
    true = county.truth_parcels.drop_duplicates("parcel_id").set_index("parcel_id").geometry
    assert all(
        shape.equals(true[one]) for one, shape in zip(county.parcels["id"], county.parcels.geometry, strict=True)
    )
    grown = county.truth_parcels.groupby("parcel_id")["class"].agg(set)
    declared = county.parcels["declared_crop"].fillna("none")
    assert all(crop in grown[one] for one, crop in zip(county.parcels["id"], declared, strict=True))


def test_rasters_say_what_grows_where() -> None:
    county = _county("sim-county", 200)
    rasters = truth_rasters(county)
    shape = (county.window.height, county.window.width)
    assert {name: (layer.shape, layer.dtype.name) for name, layer in rasters.items()} == {
        "crop_a": (shape, "uint8"),
        "crop_b": (shape, "uint8"),
        "edge": (shape, "bool"),
        "parcel": (shape, "int32"),
    }
    assert rasters["parcel"].max() == 199
    inside = rasters["parcel"] >= 0
    assert (rasters["crop_a"][inside] != CLASSES.index("non_agri")).all()
    wheat = rasters["crop_a"] == CLASSES.index("winter_cereal")
    assert set(np.unique(rasters["crop_b"][wheat])) <= {CLASSES.index(name) for name in ("maize", "soybean", "peanut")}
    always = rasters["crop_a"] == CLASSES.index("greenhouse")
    assert (rasters["crop_b"][always] == CLASSES.index("greenhouse")).all()
    assert 0.1 < rasters["edge"].mean() < 0.7


def test_progress_names_the_rooms() -> None:
    words: list[str] = []
    make_county(read_county("sim-county"), parcels=30, progress=words.append)
    assert words == ["land", "weather", "growth", "events", "truth"]
