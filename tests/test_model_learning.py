# SPDX-License-Identifier: Apache-2.0
"""The training loop: what it tells on the way, what it refuses, and that going on is as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from acreline.errors import ConfigError
from acreline.model import learning, watching
from acreline.model.learning import Lesson, Recipe, learn
from acreline.model.members import AcreNets
from acreline.model.watching import ROWS, Curve, alone_macro_f1, watched_batch
from tests.made_bank import toy_bank

TINY = Recipe(
    steps=4, members=1, bins=8, stem=8, width=8, levels=(8, 8, 8), shares={"singles": 8, "mosaics": 0, "crops": 1}
)
LOSSES = {"crop_a", "crop_b", "health", "vigour", "edge"}
SCORES = {"f1_crop_a", "f1_crop_b", "f1_health"}


# --- refused ------------------------------------------------------------------------------------------------------
def test_land_without_a_label_teaches_nothing() -> None:
    bank = toy_bank()
    none = np.full_like(bank.crop_a, -1)
    with pytest.raises(ConfigError, match="training: no pixel of any source has a label") as caught:
        learn(TINY, [replace(bank, crop_a=none, crop_b=none)], Lesson(1))
    assert "labels, squares or counties" in caught.value.hint


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert TINY.chosen_device() == torch.device("cpu")
    with pytest.raises(ConfigError, match="device: cuda is asked for, but torch sees no GPU") as caught:
        learn(TINY.model_copy(update={"device": "cuda"}), [toy_bank()], Lesson(1))
    assert "device: cpu or auto" in caught.value.hint
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert TINY.chosen_device() == torch.device("cuda")
    assert TINY.model_copy(update={"device": "cpu"}).chosen_device() == torch.device("cpu")


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
)
def test_want_of_memory_is_told_with_what_to_lower(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "fed_losses", raising(error))
    with pytest.raises(ConfigError, match=r"memory does not suffice for a step of \{'singles': 8") as caught:
        learn(TINY, [toy_bank()], Lesson(1))
    assert "lower singles, mosaics and crops" in caught.value.hint
    assert caught.value.__cause__ is error


def test_another_error_is_not_taken_for_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "fed_losses", raising(RuntimeError("shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="shapes"):
        learn(TINY, [toy_bank()], Lesson(1))


def test_networks_of_another_shape_are_not_gone_on_from() -> None:
    wide = AcreNets([TINY.model_copy(update={"width": 16}).build()])
    with pytest.raises(ConfigError, match="the networks to go on from have another shape: size mismatch") as caught:
        learn(TINY, [toy_bank()], Lesson(1), start=wide)
    assert "bins, stem, width and levels" in caught.value.hint


def test_a_loss_that_is_no_number_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learning.fed_losses

    def lost(net: Any, fed: Any, recipe: Recipe, device: Any) -> Any:
        losses = whole(net, fed, recipe, device)
        return losses | {"health": losses["health"] * float("nan")}

    monkeypatch.setattr(learning, "fed_losses", lost)
    with pytest.raises(ConfigError, match="the loss is no number any more by step 1 of 4") as caught:
        learn(TINY, [toy_bank()], Lesson(1))
    assert "learning_rate" in caught.value.hint


# --- going on -----------------------------------------------------------------------------------------------------
def test_networks_that_were_taught_before_are_gone_on_from() -> None:
    first = learn(TINY, [toy_bank()], Lesson(1))
    again = learn(TINY.model_copy(update={"learning_rate": 1e-12, "ema": 0.0}), [toy_bank()], Lesson(2), start=first)
    before, after = (dict(nets.members[0].named_parameters()) for nets in (first, again))
    assert all(torch.allclose(before[key], after[key], atol=1e-6) for key in before)
    assert torch.equal(first.members[0].mean, again.members[0].mean)


def test_weights_are_moved_back_towards_those_begun_with() -> None:
    first = learn(TINY, [toy_bank()], Lesson(1))
    taught = learn(TINY, [toy_bank()], Lesson(2), start=first)
    blended = learn(TINY.model_copy(update={"blend": 0.25}), [toy_bank()], Lesson(2), start=first)
    begun, all_, some = (nets.state_dict() for nets in (first, taught, blended))
    moved = [key for key, value in begun.items() if value.is_floating_point() and not torch.equal(value, all_[key])]
    assert len(moved) > 10
    for key in moved:
        assert torch.allclose(some[key], 0.75 * begun[key] + 0.25 * all_[key], atol=1e-6)


def test_what_begins_from_nothing_is_not_moved_back() -> None:
    whole, some = (learn(TINY.model_copy(update={"blend": share}), [toy_bank()], Lesson(1)) for share in (1.0, 0.25))
    state = whole.state_dict()
    assert all(torch.equal(part, state[key]) for key, part in some.state_dict().items())


def test_going_on_between_two_rows_gives_the_same_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SAVE_EVERY", 3)
    monkeypatch.setattr(watching, "ROWS", 2)
    recipe = TINY.model_copy(update={"steps": 8})
    whole: list[dict[str, float]] = []
    nets = learn(recipe, [toy_bank()], Lesson(4, curve=whole))
    assert [row["step"] for row in whole] == [4, 8]

    def stop(step: int, *_: object) -> None:
        if step == 4:  # kept at step 3, a row made since
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(recipe, [toy_bank()], Lesson(4, stop, keep=tmp_path / "state"))
    rows: list[dict[str, float]] = []
    again = learn(recipe, [toy_bank()], Lesson(4, keep=tmp_path / "state", curve=rows))
    assert rows == whole
    state = nets.state_dict()
    assert all(torch.equal(part, state[key]) for key, part in again.state_dict().items())


def test_a_state_of_another_recipe_is_not_gone_on_from(tmp_path: Path) -> None:
    learn(TINY, [toy_bank()], Lesson(4, keep=tmp_path / "state"))
    steps: list[int] = []
    other = TINY.model_copy(update={"dropout": 0.3})
    learn(other, [toy_bank()], Lesson(4, lambda step, *_: steps.append(step), keep=tmp_path / "state"))
    assert steps == [1, 2, 3, 4]


# --- told on the way ----------------------------------------------------------------------------------------------
def test_rows_hold_losses_and_scores_by_head() -> None:
    rows: list[dict[str, float]] = []
    learn(TINY, [toy_bank()], Lesson(4, watch=toy_bank(5), curve=rows))
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        assert set(row) == {"step"} | LOSSES | SCORES
        assert all(0 <= row[name] <= 1 for name in SCORES)
        assert row["crop_a"] > 0


def test_progress_is_told_now_and_then_with_scores_where_a_row_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ROWS", 2)
    told: list[tuple[int, int, dict[str, float]]] = []
    recipe = TINY.model_copy(update={"steps": 9})
    learn(recipe, [toy_bank()], Lesson(4, lambda *one: told.append(one), tell_every=3))
    assert [(step, of) for step, of, _ in told] == [(3, 9), (5, 9), (6, 9), (9, 9)]
    assert [set(numbers) - LOSSES for *_, numbers in told] == [set(), SCORES, set(), SCORES]


@pytest.mark.parametrize(("steps", "rows"), [(3, 3), (40, 40), (500, 39), (4000, 40)])
def test_a_curve_has_few_rows_and_the_last_step_is_one(steps: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "alone_macro_f1", lambda net, batch: {"f1_crop_a": 0.5})
    curve = Curve(TINY.model_copy(update={"steps": steps}))
    for step in range(1, steps + 1):
        curve.add(step, {"crop_a": torch.tensor(float(step))}, None, None)  # type: ignore[arg-type]
    assert len(curve.rows) == rows <= ROWS
    assert curve.rows[-1]["step"] == steps
    first = curve.rows[0]
    assert first["crop_a"] == (1 + first["step"]) / 2  # the mean of 1, 2, ... up to its step
    assert first["f1_crop_a"] == 0.5


def test_watched_fields_are_whole_seasons_and_the_same_at_every_look() -> None:
    one, two = (watched_batch(toy_bank(), 3) for _ in range(2))
    assert np.array_equal(one.single_x, two.single_x)
    assert np.array_equal(one.singles.health, two.singles.health)
    assert len(one.single_x) == 512
    assert set(one.singles.health.tolist()) == {0, 1}  # as at the season's end


def test_scores_of_heads_that_nothing_is_told_of_are_left_out() -> None:
    batch = watched_batch(toy_bank(), 3)
    quiet = replace(batch, singles=replace(batch.singles, health=np.full(512, -1)))
    net = TINY.build()
    net.train()
    assert set(alone_macro_f1(net, quiet)) == {"f1_crop_a", "f1_crop_b"}
    assert net.training
