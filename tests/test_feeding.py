# SPDX-License-Identifier: Apache-2.0
"""Batches by number, whoever draws them; single fields mixed; what a step is punished for, by hand."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
import torch

from acreline.model.damage import HEALTH
from acreline.model.drawing import Batch, Drawer, Shares
from acreline.model.feeding import Fed, Steps, mix_singles
from acreline.model.learning import Lesson, Recipe, learn
from acreline.model.losses import crop_losses, fare_losses, fed_losses
from acreline.model.outputs import Crops, Fares
from acreline.model.skies import Changes
from acreline.model.targets import Targets, no_targets
from tests.made_bank import toy_bank

TINY = Recipe(
    steps=3, members=1, bins=8, stem=8, width=8, levels=(8, 8, 8), mixup=0.4, smoothing=0.0,
    shares={"singles": 8, "mosaics": 0, "crops": 1},
)  # fmt: skip


def steps(seed: int = 4) -> Steps:
    return Steps(Drawer([toy_bank(), toy_bank(1)], Changes(), Shares(singles=8, mosaics=0, crops=1)), seed, 0.4)


def same(one: Fed, other: Fed) -> bool:
    """All arrays of two steps are the same."""
    pairs = [(one.single_x, other.single_x), (one.single_apart, other.single_apart), (one.batch.x, other.batch.x)]
    pairs += [(one.batch.apart, other.batch.apart)]
    for mine, theirs in ((one.batch.patches, other.batch.patches), *zip(one.singles, other.singles, strict=True)):
        pairs += [(getattr(mine, field.name), getattr(theirs, field.name)) for field in fields(Targets)]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


# --- batches by number --------------------------------------------------------------------------------------------
def test_a_step_sees_the_same_whatever_step_came_first() -> None:
    whole, later = list(steps().feed(0, 4)), list(steps().feed(2, 4))
    assert len(later) == 2
    assert all(same(a, b) for a, b in zip(whole[2:], later, strict=True))
    assert not same(whole[0], whole[1])
    assert not same(whole[0], steps(seed=5)[0])


def test_a_step_sees_the_same_whoever_draws_it() -> None:
    before = torch.get_rng_state()
    drawn = list(steps().feed(1, 5, feeders=2))
    assert torch.equal(torch.get_rng_state(), before)  # nor does drawing ahead touch the network's chance
    assert [same(a, b) for a, b in zip(drawn, steps().feed(1, 5), strict=True)] == [True] * 4


def test_weights_do_not_depend_on_who_draws() -> None:
    here, ahead = (learn(TINY, [toy_bank()], Lesson(4, feeders=feeders)).state_dict() for feeders in (0, 2))
    assert all(torch.equal(here[key], ahead[key]) for key in here)


# --- mixed fields -------------------------------------------------------------------------------------------------
def targets(*crop: int, **more: object) -> Targets:
    """(field,) each, weight 1; nothing else is taught."""
    n = len(crop)
    values = {"crop_a": np.array(crop), "crop_b": np.full(n, -1), "health": np.full(n, -1)}
    values |= {name: np.full(n, np.nan, np.float32) for name in ("vigour", "edge")}
    values["weight"] = np.ones(n, np.float32)
    return Targets(**(values | more))


class Chance:
    """Says what the lot would."""

    def beta(self, a: float, b: float, n: int) -> np.ndarray:
        assert (a, b, n) == (0.4, 0.4, 3)
        return np.array([0.3, 0.8, 1.0])

    def permutation(self, n: int) -> np.ndarray:
        return np.array([1, 2, 0])


def singles(weight: list[float]) -> Batch:
    x = np.array([0.0, 10.0, 20.0], np.float32)[:, None, None]
    told = targets(3, 4, 5, weight=np.array(weight, np.float32))
    nothing = np.zeros((0, 1, 1, 32, 32), np.float32)
    return Batch(nothing, nothing, no_targets(32), x, x / 10, told)


def test_fields_mixed_by_hand() -> None:
    fed = mix_singles(singles([1, 0.5, 1]), 0.4, Chance())  # type: ignore[arg-type]
    assert fed.single_x.ravel().tolist() == pytest.approx([3.0, 12.0, 20.0])  # 0.7 of one's own, then 0.8, then all
    assert fed.single_apart.ravel().tolist() == pytest.approx([0.3, 1.2, 2.0])
    own, other = fed.singles
    assert (own.crop_a.tolist(), other.crop_a.tolist()) == ([3, 4, 5], [4, 5, 3])
    assert own.weight.tolist() == pytest.approx([0.7, 0.4, 1.0])
    assert other.weight.tolist() == pytest.approx([0.15, 0.2, 0.0])
    assert fed.batch.single_x.ravel().tolist() == [0, 10, 20]


def test_without_mixing_fields_are_as_they_are() -> None:
    batch = singles([1, 1, 1])
    fed = mix_singles(batch, 0.0, np.random.default_rng(0))
    assert fed.single_x is batch.single_x
    assert fed.singles == (batch.singles,)


# --- losses -------------------------------------------------------------------------------------------------------
def lying(told: Targets) -> Targets:
    return told.map(lambda layer: layer[None, None])


def test_losses_of_crops_by_hand() -> None:
    logits = torch.zeros(1, 4, 1, 3)
    logits[0, 2, 0, 0] = math.log(3)  # 3 of 6 for class 2
    crops = Crops(logits, torch.zeros(1, 5, 1, 3), torch.tensor([1.0, 0.5, 0.0])[None, None, None])
    told = targets(2, 1, -1, weight=np.array([1, 0.5, 9], np.float32), edge=np.array([0, np.nan, 0], np.float32))
    losses = crop_losses(crops, lying(told), TINY)
    assert losses["crop_a"].item() == pytest.approx((math.log(2) + 0.5 * math.log(4)) / 2)  # the third is not taught
    assert losses["crop_b"].item() == 0
    assert losses["edge"].item() == pytest.approx(0.2 * (0.5 + 0) / 2)  # smooth L1 of 1 is 0.5
    assert crop_losses(crops, lying(told), TINY, 0.4)["crop_a"] == pytest.approx(0.4 * losses["crop_a"].item())


def test_common_health_classes_weigh_less_and_the_weak_are_not_taught() -> None:
    fares = Fares(torch.zeros(1, len(HEALTH), 1, 3), torch.full((1, 1, 1, 3), 1.0))
    health = np.array([HEALTH.index("normal"), HEALTH.index("drought"), -1])
    told = targets(0, 0, 0, health=health, vigour=np.array([0.5, np.nan, np.nan], np.float32))
    losses = fare_losses(fares, lying(told), TINY)
    assert losses["health"].item() == pytest.approx((0.3 + 1) * math.log(len(HEALTH)) / 2)
    assert losses["vigour"].item() == pytest.approx(0.3 * 0.125)  # smooth L1 of 0.5
    calm = fare_losses(fares, lying(told), TINY.model_copy(update={"health": 0.1}))
    assert calm["health"].item() == pytest.approx(0.1 * losses["health"].item())


def test_how_fields_fare_does_not_teach_what_grows_there() -> None:
    torch.manual_seed(0)
    net = TINY.build().train()
    losses = fed_losses(net, steps()[0], TINY)
    (losses["health"] + losses["vigour"]).backward()
    graded = {name.split(".")[0] for name, part in net.named_parameters() if part.grad is not None and part.grad.any()}
    assert graded == {"health_stem", "attend_health", "embed_health", "tell_health"}


def test_crops_teach_the_embedding_but_not_the_health_branch() -> None:
    torch.manual_seed(0)
    net = TINY.build().train()
    losses = fed_losses(net, steps()[0], TINY)
    (losses["crop_a"] + losses["crop_b"] + losses["edge"]).backward()
    graded = {name.split(".")[0] for name, part in net.named_parameters() if part.grad is not None and part.grad.any()}
    assert {"stem", "position", "attend_crop", "whole_season", "embed_crop", "aux_crop", "head"} <= graded
    assert not graded & {"health_stem", "attend_health", "embed_health", "tell_health"}
