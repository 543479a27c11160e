# SPDX-License-Identifier: Apache-2.0
"""Four tests of toy painters on toy land: who is ahead, by how much, in rows and on a page; the land of the tests."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from acreline.errors import ConfigError
from acreline.layers import HEALTH_CLASSES
from acreline.model.banks import Bank
from acreline.model.card import SeasonAxis
from acreline.model.classes import HEADS
from acreline.model.painting import Painted
from acreline.promises import Calibration, ConformalStep, SlotCalibration
from acreline.simulate.county import make_county
from acreline.simulate.passes import plan_passes
from acreline.simulate.settings import read_county
from acreline.simulate.sky import plan_sky, read_sky
from acreline.trial.counties import Wanted
from acreline.trial.four_tests import HEADLINES, TESTS, Contender, four_tests, headline
from acreline.trial.held_out_land import held_out_land
from acreline.trial.tests_page import class_name, render_tests
from tests.made_painted import names_of, paint_names, raster_bank

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
GRID = np.arange(16).reshape(4, 4).repeat(20, axis=0).repeat(20, axis=1) + 1  # 80 x 80: sixteen fields of 4 ha
CROPS = {k: ("winter_cereal", "rapeseed", "none", "perennial")[k % 4] for k in range(1, 17)}
LATE = {k: ("none", "none", "maize", "perennial")[k % 4] for k in range(1, 17)}
STEPS = (ConformalStep(0, 0.3, 100),)
CARD = Calibration({slot: SlotCalibration(HEADS[slot], 1.0, 0.1, STEPS) for slot in "AB"}, {})


def land(name: str) -> Callable[[object], Bank]:
    """A county of which one field was flooded."""
    flood = list(HEALTH_CLASSES).index("flood")
    event = np.where(GRID.ravel() == 1, flood, 0).astype(np.int16)
    bank = raster_bank(GRID, CROPS, LATE, name=name, event=event)
    return lambda axis_of: bank


def knows(bank: Bank) -> Painted:
    """The truth."""
    health = np.where(GRID == 1, "flood", "normal").astype(object)
    energy = np.full(GRID.shape, bank.days[0], np.float32)
    return paint_names(names_of(bank, "A"), names_of(bank, "B"), health, energy=energy)


def guesses(bank: Bank) -> Painted:
    """Wheat everywhere, and no word of health."""
    return paint_names(np.full(GRID.shape, "winter_cereal", object))


def half_knows(bank: Bank) -> Painted:
    """The truth in the upper half."""
    told = names_of(bank, "A")
    told[40:] = "winter_cereal"
    return paint_names(told, names_of(bank, "B"))


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    axis = SeasonAxis(bins=8)
    who = [
        Contender("model", knows, axis, "model", CARD, "all-knowing", 12_345, ("unseen_year",)),
        Contender("model, seed 2", half_knows, axis, "model", CARD),
        Contender("guess", guesses, axis),
    ]
    counties: dict[str, Any] = {"unseen_year": [land("one"), land("two")], "unseen_zone": [land("far")]}
    return four_tests(who, counties)


def test_the_best_is_ahead_and_seeds_are_summed_up(told: dict[str, Any]) -> None:
    assert list(told["tests"]) == ["unseen_year", "unseen_zone"]
    near = told["tests"]["unseen_year"]
    assert near["counties"] == ["one", "two"]
    assert headline(near["contenders"]["model"])["oa_a"] == (1.0, 32)
    assert headline(near["contenders"]["guess"])["oa_a"] == (0.25, 32)
    assert near["differences"]["guess"]["A"]["oa"]["difference"] == 0.75
    low, high = near["differences"]["guess"]["A"]["oa"]["ci95"]
    assert 0 < low <= 0.75 <= high
    # 0.5 of the lower half are no wheat, so the second seed is right in 10 of 16 fields.
    assert near["seeds"]["model"]["oa_a"] == {"mean": 0.8125, "sd": 0.2652, "n": 2}
    assert headline(near["contenders"]["model"])["flood_iou"] == (1.0, 800)
    assert headline(near["contenders"]["guess"])["flood_iou"] == (None, 0)
    assert near["contenders"]["model"]["strange"]["auroc"] == 1.0
    assert "as_of" not in told["tests"]["unseen_zone"]["contenders"]["model"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_the_same_land_gives_the_same_figures(told: dict[str, Any]) -> None:
    axis = SeasonAxis(bins=8)
    again = four_tests([Contender("guess", guesses, axis)], {"unseen_zone": [land("far")]})
    assert again["tests"]["unseen_zone"]["contenders"]["guess"] == told["tests"]["unseen_zone"]["contenders"]["guess"]


@pytest.fixture
def rows_of(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("model_rows")


def test_every_figure_with_a_target_has_a_row(told: dict[str, Any], rows_of: ModuleType) -> None:
    rows = rows_of.simulated_rows(told)
    assert rows_of.TARGETS.keys() == HEADLINES.keys()
    near = [row for row in rows if "one, two" in row["setting"]]
    far = [row for row in rows if "far" in row["setting"]]
    assert len(near) == sum(bool(pair[0]) for pair in rows_of.TARGETS.values())
    assert len(far) == sum(bool(pair[1]) for pair in rows_of.TARGETS.values())
    assert all("on simulated data" in row["setting"] and row["baseline"] and row["n"] > 0 for row in rows)
    accuracy = next(row for row in near if row["quantity"] == HEADLINES["oa_a"])
    assert (accuracy["value"], accuracy["met"]) == (0.8125, False)  # the mean of two seeds, missed and kept
    assert "guess 0.250" in accuracy["baseline"]
    assert "sd 0.265" in accuracy["setting"]
    assert rows_of.missing_figures(told) == [
        f"test {test!r}: no county for it" for test in ("same_year", "unseen_zone_and_year")
    ]


def test_seeds_of_a_rival_are_told_as_mean_and_spread(rows_of: ModuleType) -> None:
    axis = SeasonAxis(bins=8)
    who = [
        Contender("model", knows, axis),
        Contender("short, seed 1", knows, axis, "short"),
        Contender("short, seed 2", half_knows, axis, "short"),
        Contender("guess", guesses, axis),
    ]
    rows = rows_of.simulated_rows(four_tests(who, {"unseen_year": [land("one"), land("two")]}))
    accuracy = next(row for row in rows if row["quantity"] == HEADLINES["oa_a"])
    assert (accuracy["value"], accuracy["met"]) == (1.0, True)
    assert "guess 0.250; short 0.812 (mean of 2 seeds, sd 0.265)" in accuracy["baseline"]
    assert "seed 1" not in accuracy["baseline"]


def test_rows_of_cards_and_what_cards_lack(rows_of: ModuleType) -> None:
    groups = {"n": 50, "oa": 0.96, "macro_f1": 0.9, "majority_oa": 0.4}
    sets = {"real": {"promised": 0.9, "measured": 0.91, "fields": 419, "mean_set_size": 3.4}, "simulated": {}}
    held = {"coverage": {"A": sets}}
    cards = {"acrenet-toa": {"cross_validation": {"bavaria-2018": {"groups": groups}}, "calibration": held}}
    rows, missing = rows_of.card_rows(cards, {"A": "random forest accuracy 0.900"})
    assert [(row["quantity"], row["met"]) for row in rows] == [
        ("accuracy", True), ("macro-F1", False), ("coverage of crop sets, slot A", True)
    ]  # fmt: skip
    assert (rows[2]["n"], rows[2]["baseline"]) == (419, "promised 0.90; 3.4 crops a set")
    assert rows[0]["baseline"] == "commonest group 0.400; random forest accuracy 0.900"
    assert len(missing) == 6
    assert missing[0].startswith("task A, accuracy of the most certain 80 %: the card of acrenet-toa has no")


def test_rows_of_a_square_that_no_training_reads(rows_of: ModuleType) -> None:
    metrics = {
        "oa": 0.87, "n": 1000, "majority_oa": 0.5, "accuracy_at_80": 0.89, "model": {"name": "model"},
        "data": {"name": "square"}, "random_forest": {"oa": 0.7, "regions": {"right": 12, "n": 18}},
        "regions": {"right": 16, "n": 18}, "conformal": {"held": 0.9, "promised": 0.9}, "calibration": {"ece": 0.06},
    }  # fmt: skip
    rows = rows_of.square_rows(metrics)
    assert [row["met"] for row in rows] == [True, True, False, True, False]
    assert rows[1]["quantity"] == "regions right, 16 of 18"
    assert rows[1]["value"] == 0.8889
    assert rows[1]["baseline"] == "random forest 12 of 18"
    assert rows_of.square_rows(metrics | {"oa": None}) == []


def test_the_page_has_no_empty_drawing_and_a_name_for_all(told: dict[str, Any], rows_of: ModuleType) -> None:
    page = render_tests(told, rows_of.simulated_rows(told))
    assert page == render_tests(told, rows_of.simulated_rows(told))
    assert page.count("on simulated data") >= 5
    assert not re.search(r'<path d=""|>None<|nan', page)
    assert "http" not in page.replace("http-equiv", "")
    drawings = re.findall(r'<svg class="drawing".*?</svg>', page, re.S)
    assert len(drawings) == 7  # months in one test alone, three other drawings in each
    assert all("<circle" in one for one in drawings)
    for name in {*HEADS["A"], *HEADS["B"], *HEALTH_CLASSES}:
        english, chinese = class_name(name)
        assert english
        assert re.search(r"[\u4e00-\u9fff]", chinese), name
    assert set(TESTS) == {"same_year", "unseen_year", "unseen_zone", "unseen_zone_and_year"}


# --- land of the tests --------------------------------------------------------------------------------------------
def test_the_land_of_the_tests_was_never_used() -> None:
    recipe = {
        "seed": 7,
        "counties": [{"config": "loess", "parcels": 300, "seeds": [3, 4]}],
        "held_out": [{"config": "yangtze", "parcels": 300, "seeds": [901]}],
    }
    found = held_out_land(recipe, parcels=50, zones=["loess", "yangtze"])
    assert found["same_year"] == [Wanted("loess", 50, 902, year=3)]
    assert found["unseen_year"] == [Wanted("loess", 50, 902)]
    assert found["unseen_zone"] == [Wanted("yangtze", 50, 902, year=3)]
    assert found["unseen_zone_and_year"] == [Wanted("yangtze", 50, 902)]
    assert found["same_year"][0].name == "loess-50-902-year3"
    assert not any(held_out_land({"counties": []}).values())
    with pytest.raises(ConfigError, match="no zone is called 'mars'"):
        held_out_land(recipe, zones=["mars"])


def test_the_year_moves_the_weather_and_the_sky_but_not_the_land() -> None:
    settings = read_county("loess")
    usual = make_county(settings, parcels=12, seed=1)
    named = make_county(settings, parcels=12, seed=1, weather_seed=1)
    other = make_county(settings, parcels=12, seed=1, weather_seed=2)
    moved = make_county(settings, parcels=12, seed=2, weather_seed=1)
    sky = read_sky(settings.sky, settings.file)
    passes = {
        name: plan_passes(one.window, one.season_start, one.season_end, sky, one.year_seed)
        for name, one in (("usual", usual), ("named", named), ("other", other), ("moved", moved))
    }
    # The seed alone, and the same seed named for the year: one county, to the byte.
    assert named.weather.equals(usual.weather)
    assert named.units.equals(usual.units)
    assert named.truth_yields.equals(usual.truth_yields)
    assert named.truth_events.equals(usual.truth_events)
    assert passes["named"] == passes["usual"]
    # Another year over the same land.
    assert other.units.equals(usual.units)
    assert np.array_equal(other.pairs.cell, usual.pairs.cell)
    assert not other.weather.equals(usual.weather)
    assert not other.truth_parcels["emerged"].equals(usual.truth_parcels["emerged"])
    # Other land under the same year.
    assert not moved.units.equals(usual.units)
    assert moved.weather.equals(usual.weather)
    assert [one.time.date() for one in passes["moved"]] == [one.time.date() for one in passes["usual"]]
    skies = [plan_sky(passes[name], sky, 1) for name in ("moved", "usual")]
    assert [one.cover for one in skies[0]] == [one.cover for one in skies[1]]


def test_health_on_stricken_counties_has_rows_where_there_is_something_to_find(rows_of: ModuleType) -> None:
    health = {
        "macro_f1_events": 0.2,
        "n_events": 9,
        "flood_iou": 0.0,
        "flood_pixels": 0,
        "false_alarms": 0.04,
        "n_normal": 25,
    }
    told = {"simulated": {"unseen_climate_stricken": {"counties": ["loess-1-mishaps5"], "health": health}}}
    rows = rows_of.stricken_rows("made", told)
    assert [(row["value"], row["n"], row["target"], row["met"]) for row in rows] == [
        (0.2, 9, ">= 0.55", False),
        (0.04, 25, "<= 0.08", True),
    ]
    assert all("on simulated data" in row["setting"] for row in rows)
    assert rows_of.stricken_rows("made", {}) == []
