# SPDX-License-Identifier: Apache-2.0
"""What a recipe may not say, what no source teaches, how far a training is; a county's health history by hand."""

from __future__ import annotations

import pickle
import re
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from acreline.config import find_config, list_configs, read_settings
from acreline.errors import AcrelineError, ConfigError, InputError, SourceError
from acreline.layers import HEALTH_CLASSES
from acreline.model.card import ModelSettings
from acreline.model.classes import HEADS
from acreline.model.labels import Square
from acreline.model.members import AcreNets
from acreline.simulate.values import SUB
from acreline.trial import teach, teaching
from acreline.trial.counties import NAMED, health_history
from acreline.trial.packaged import read_packaged
from acreline.trial.teach import Ground, progress_words, teach_all
from acreline.trial.teaching import Points, Teaching, check_sources, check_teaching, one_by_one, untaught_classes
from tests.made_bank import toy_bank

KINDS = list(HEALTH_CLASSES)


COUNTY = {"config": "loess", "parcels": 5, "seeds": [3]}


# --- what a recipe may not say ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("recipe", "message", "hint"),
    [
        ({"labels": ["atlantis"]}, "recipe: labels: 'atlantis' is not known", "known: bavaria-2018, flanders-2019"),
        ({"squares": ["atlantis"]}, "recipe: squares: 'atlantis' is not known", "known: flanders-2019"),
        ({"counties": [{"config": "atlantis", "seeds": [1]}]}, "'atlantis' is not known", "known: .*loess"),
        ({"labels": ["bavaria-2018"]}, "bavaria-2018 is of level L1C, the recipe of level L2A", "labels of one level"),
        ({"labels": ["bavaria-2018"], "level": "L1C"}, "squares and simulated counties are of level L2A", "empty"),
        (
            {"counties": [COUNTY], "calibrate_on": [COUNTY | {"parcels": 9}]},
            "recipe: calibrate_on: loess with seed 3 is among the counties that are learned from",
            "another seed",
        ),
        (
            {"counties": [COUNTY], "held_out": [COUNTY | {"mishaps": 5}]},
            "recipe: held_out: loess with seed 3 is among",
            "another seed",
        ),
        ({"labels": [], "squares": []}, "recipe: nothing to learn from", "name labels, squares or counties"),
    ],
)
def test_a_recipe_that_cannot_be_taught_is_refused_before_anything_is_drawn(
    recipe: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check_sources(check_teaching(recipe))
    assert re.search(hint, caught.value.hint)


@pytest.mark.parametrize(("key", "value"), [("device", "tpu"), ("steps", 0), ("stem", 4), ("folds", 1000)])
def test_a_number_or_name_out_of_range_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"recipe: {key}: .*; found {value!r}"):
        check_teaching({key: value})


@pytest.mark.parametrize("name", list_configs("models"))
def test_every_packaged_recipe_can_be_taught(name: str) -> None:
    settings = read_settings(ModelSettings, find_config("models", name))
    recipe = check_teaching(settings.recipe)
    check_sources(recipe)
    assert settings.name == name
    assert AcreNets([recipe.build()]).healths == len(HEALTH_CLASSES)
    drawn = one_by_one([*recipe.counties, *recipe.calibrate_on, *recipe.held_out])
    assert len({one.name for one in drawn}) == len(drawn)  # nothing is learned from that is judged on


def test_labels_of_which_none_is_of_a_crop_class_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_packaged("france-2023")
    barren = replace(whole, slug=np.full(len(whole.slug), "none"))
    monkeypatch.setattr(teaching, "read_packaged", lambda _: barren)
    with pytest.raises(InputError, match="france-2023: not one of its labels is of a crop class; found none") as caught:
        check_sources(check_teaching({}))
    assert "configs/labels/" in caught.value.hint
    assert "winter_cereal" in caught.value.hint


def test_a_square_of_which_no_pixel_is_of_a_crop_class_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    times = np.array(["2020-06-01T10:00:00"], "datetime64[s]")
    barren = Square(
        "square", 2020, times, np.full((1, 6, 2, 2), 2000, np.uint16), np.full((1, 2, 2), 4, np.uint8),
        np.full((4, 4), -1, np.int16), np.ones((4, 4), np.int32),
    )  # fmt: skip
    monkeypatch.setattr(teaching, "read_square", lambda _: barren)
    with pytest.raises(InputError, match="flanders-2019: not one of its labels is of a crop class"):
        check_sources(check_teaching({"labels": []}))


def test_labels_without_the_bands_that_nothing_stands_in_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_packaged("france-2023")
    kept = [k for k, band in enumerate(whole.bands) if band not in ("B05", "B11")]
    bare = replace(whole, bands=tuple(whole.bands[k] for k in kept), values=whole.values[:, :, kept])
    monkeypatch.setattr(teaching, "read_packaged", lambda _: bare)
    with pytest.raises(InputError, match=r"france-2023: its bands .* are not enough to learn from") as caught:
        check_sources(check_teaching({}))
    assert "B05 B06 B07 B11 B12" in caught.value.hint


def test_classes_that_no_source_teaches_are_named() -> None:
    told = untaught_classes(Teaching(), [toy_bank()])  # wheat, maize, grass; one field in six struck
    assert {*HEADS["A"]} - {*told["A"]} == {"none", "winter_cereal", "grassland"}
    assert {*HEADS["B"]} - {*told["B"]} == {"none", "maize", "grassland"}
    assert {*KINDS} - {*told["health"]} == {KINDS[0], KINDS[1]}
    real = replace(toy_bank(), event=None, event_day=None, simulated=False)
    assert "health" in untaught_classes(Teaching(changes={"damage": 0.0}), [real])
    drawn = untaught_classes(Teaching(), [real]).get("health", [])
    assert not {"drought", "flood", "normal", "harvested"} & set(drawn)


# --- how far it is ------------------------------------------------------------------------------------------------
def jobs(fold_members: int | None = None) -> list[teach._Job]:
    teaching = Teaching(steps=100, points=Points(steps=40), folds=2, members=2, fold_members=fold_members)
    ground = Ground(teaching, (), Path())
    first, then = teach.jobs_of(ground)
    return [*first, *then]


def test_land_comes_first_and_points_join_for_members_and_folds() -> None:
    told = [(job.words, job.steps) for job in jobs()]
    assert told == [
        ("member 1, land", 100), ("member 2, land", 100), ("member 1", 40), ("member 2", 40),
        ("fold 1", 80), ("fold 2", 80),
    ]  # fmt: skip
    alone = Ground(Teaching(points=Points(steps=40), folds=2, members=1, squares=()), (), Path())
    first, then = teach.jobs_of(alone)  # no land at all
    assert (first, [job.words for job in then]) == ([], ["member 1", "fold 1", "fold 2"])


def test_progress_is_told_in_words() -> None:
    assert progress_words(jobs(), {}) == (0, 440, "teaching")
    told = {
        "member 1, land": (30, {"crop_a": 1.25, "health": 0.5, "f1_crop_a": 0.614, "f1_health": 0.3}),
        "member 2, land": (10, {"crop_a": 2.0}),
    }
    words = "member 1, land step 30: loss 1.75, macro-F1 crop_a 0.61 health 0.30; member 2, land step 10: loss 2.00"
    assert progress_words(jobs(), told) == (40, 440, words)
    done = {job.words: (job.steps, {"crop_a": 1.0}) for job in jobs()}
    assert progress_words(jobs(), done) == (440, 440, "teaching")


def test_a_fold_goes_on_from_all_members_and_a_member_from_its_own() -> None:
    land = [teach.Member({"weight": np.array([k])}, []) for k in range(2)]
    begun = {job.words: [int(state["weight"][0]) for state in teach._after(job, land).begun] for job in jobs()[2:]}
    assert begun == {"member 1": [0], "member 2": [1], "fold 1": [0, 1], "fold 2": [0, 1]}


def test_a_fold_of_one_network_goes_on_from_each_member_in_turn() -> None:
    land = [teach.Member({"weight": np.array([k])}, []) for k in range(2)]
    alone = jobs(fold_members=1)
    begun = {job.words: [int(state["weight"][0]) for state in teach._after(job, land).begun] for job in alone[2:]}
    assert begun == {"member 1": [0], "member 2": [1], "fold 1": [0], "fold 2": [1]}
    assert [job.steps for job in alone if job.fold] == [40, 40]


def test_land_is_kept_whatever_points_follow_it() -> None:
    usual, other = Teaching(), Teaching(points=Points(steps=7), remarks=("new",), folds=3, fold_members=1)
    assert usual.land_recipe == other.land_recipe
    assert usual.land_recipe != Teaching(steps=usual.steps + 1).land_recipe


def test_an_error_in_another_process_comes_with_its_hint() -> None:
    for error in (ConfigError("a", hint="b", file="c"), SourceError("a", hint="b", retryable=False)):
        again = pickle.loads(pickle.dumps(error))
        assert isinstance(again, AcrelineError)
        assert type(again) is type(error)
        assert (again.message, again.hint, again.context) == ("a", "b", error.context)
        assert vars(again) == vars(error)


SMALL = {
    "bins": 8, "stem": 8, "width": 8, "levels": (8, 8, 8), "folds": 2, "members": 1, "steps": 1_000_000, "labels": [],
    "shares": {"singles": 8, "mosaics": 0, "crops": 0},
}  # fmt: skip


@pytest.mark.slow
def test_what_goes_wrong_in_another_process_ends_the_training_with_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "torn.npz").write_bytes(b"no")
    ground = Ground(check_teaching(SMALL), (tmp_path / "torn.npz",), tmp_path)
    with pytest.raises(InputError, match=r"torn\.npz: not a drawn county") as caught:
        teach_all(ground, 2, lambda *_: None)
    assert caught.value.hint == "draw it again"


def test_a_training_ends_where_another_one_failed(tmp_path: Path) -> None:
    told: dict[str, Any] = {}

    class Board(dict):  # type: ignore[type-arg]
        """Another training fails while this one is at its tenth step."""

        def __setitem__(self, key: str, value: Any) -> None:
            told[key] = value
            super().__setitem__(key, value)
            super().__setitem__(teach.STOP, (0, {}))

    with pytest.raises(KeyboardInterrupt):  # at its twentieth, of a million
        teach._work(teach._Job(Ground(check_teaching(SMALL), (), tmp_path), "land", 0), Board())
    assert told["member 1, land"][0] == 10


def test_a_process_that_vanished_is_said_in_words() -> None:
    with pytest.raises(ConfigError, match="a process was ended from outside") as caught, teach.memory_told():
        raise BrokenProcessPool
    assert "--workers" in caught.value.hint


# --- a county's health --------------------------------------------------------------------------------------------
class Struck:
    """Four pieces of ground: a weak drought, a flood that grows, a harvest, a drought and then a worse flood."""

    def health_on(self, day: date) -> dict[str, np.ndarray]:
        number = (day - date(2024, 10, 1)).days
        kind, strength = np.zeros(4, np.int64), np.zeros(4, np.float32)
        drought, flood, harvested = (KINDS.index(name) for name in ("drought", "flood", "harvested"))
        if number >= 12:
            kind[0], strength[0] = drought, NAMED - 0.01
            kind[1], strength[1] = flood, 0.2 if number < 18 else 0.5
            kind[2], strength[2] = harvested, 1.0
        if number >= 6:
            kind[3], strength[3] = (drought, 0.4) if number < 18 else (flood, 0.9)
        return {"kind": kind, "strength": strength, "vigour": np.array([0.5, 0.0, -1.0, number / 100])}


def test_mishaps_too_weak_for_a_name_are_neither_damage_nor_none() -> None:
    start = date(2024, 10, 1)
    cell = np.arange(4)[None].repeat(SUB, axis=0).repeat(SUB, axis=1)  # one row of four pixels
    county: Any = SimpleNamespace(
        season_start=start, season_end=start + timedelta(days=40), pairs=SimpleNamespace(cell=cell), states=Struck()
    )
    event, since, vigour, days = health_history(county)
    flood = KINDS.index("flood")
    assert event.tolist() == [[-1, flood, 0, flood]]
    assert since.tolist() == [[12.0, 18.0, np.inf, 18.0]]  # from the day on which it can be named
    assert days.tolist() == [0, 30]
    assert vigour[1, 0].tolist() == pytest.approx([0.5, np.nan, -1.0, 0.3], nan_ok=True, abs=1e-3)
