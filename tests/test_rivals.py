# SPDX-License-Identifier: Apache-2.0
"""The baselines that the network must beat: each learns a toy county, paints it whole, and says nothing it was told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from acreline.errors import ConfigError, InputError
from acreline.layers import HEALTH_CLASSES
from acreline.model.classes import HEADS
from acreline.model.inputs import CHANNELS
from acreline.model.learning import Recipe
from acreline.trial.rivals import RIVALS, find_rival
from acreline.trial.rivals.boosting import ParcelBoosting, parcel_rows, teach_boosting
from acreline.trial.rivals.forest import draw_pixels, teach_forest
from acreline.trial.rivals.learn import build_rival, learn_rival, load_rival, normalise, rival_recipe, save_rival
from acreline.trial.rivals.lraspp import composites
from acreline.trial.rivals.majority import teach_majority
from acreline.trial.rivals.shape import SHARE_FLOOR, log_share, parcel_numbers, rows_of
from acreline.trial.rivals.speed import Speed, probe, steps_in
from acreline.trial.rivals.utae import TemporalAttention, UTae
from tests.made_bank import toy_bank

NETS = [name for name, rival in RIVALS.items() if rival.build is not None]
STEPS = {"lraspp": 30, "utae": 20}
CHANCE = 0.5
"""More than the share of the commonest of three kinds in any of these counties."""


def recipe(**more) -> Recipe:
    return rival_recipe(
        Recipe(bins=8, learning_rate=3e-3, ema=0.8, warm_up=0.2, **more), {"singles": 1, "mosaics": 0, "crops": 1}
    )


def right(painted, bank) -> tuple[float, float]:
    """Shares of pixels told right in slots A and B."""
    return tuple(
        float((logp.argmax(axis=0).ravel() == true).mean())
        for logp, true in ((painted.crop_a, bank.crop_a), (painted.crop_b, bank.crop_b))
    )


def check_painted(painted, bank, *, health: bool) -> None:
    for slot, logp in (("A", painted.crop_a), ("B", painted.crop_b)):
        assert logp.shape == (len(HEADS[slot]), *bank.shape)
        assert logp.dtype == np.float32
        np.testing.assert_allclose(np.exp(logp).sum(axis=0), 1, atol=1e-5)
    assert (painted.health is not None) == health
    if health:
        assert painted.health.shape == (len(HEALTH_CLASSES), *bank.shape)


# --- the list -----------------------------------------------------------------------------------------------------
def test_every_baseline_is_named_in_both_languages_and_is_taught_one_way() -> None:
    for name, rival in RIVALS.items():
        assert rival.name == name
        assert all(rival.words)
        assert (rival.teach is None) != (rival.build is None)
    assert list(RIVALS) == ["majority", "forest", "boosting", "lraspp", "utae"]
    assert [rival.needs_extra for rival in RIVALS.values()] == [False, True, True, False, False]
    assert RIVALS["forest"].parameters is None
    with pytest.raises(ConfigError, match="no baseline is called 'unet'") as told:
        find_rival("unet")
    assert "utae" in told.value.hint


# --- without a network --------------------------------------------------------------------------------------------
def test_the_majority_says_what_was_commonest_everywhere() -> None:
    bank = toy_bank(1)
    taught = teach_majority([bank])
    painted = taught.paint(toy_bank(2))
    check_painted(painted, bank, health=False)
    commonest = np.bincount(bank.crop_a).argmax()
    assert (painted.crop_a.argmax(axis=0) == commonest).all()
    share = (bank.crop_a == commonest).mean()
    assert np.exp(painted.crop_a[commonest, 0, 0]) == pytest.approx(share, abs=0.01)
    assert taught.parameters == len(HEADS["A"]) + len(HEADS["B"])


def test_what_no_tree_ever_saw_has_a_small_probability_and_all_add_up_to_one() -> None:
    logp = log_share(np.array([[0.75, 0.25], [1.0, 0.0]]), np.array([2, 0]), "A")
    assert logp.shape == (len(HEADS["A"]), 2)
    unseen = len(HEADS["A"]) - 2
    assert np.exp(logp[2, 0]) == pytest.approx(0.75 / (1 + unseen * SHARE_FLOOR), rel=1e-5)
    assert np.exp(logp[5]) == pytest.approx([SHARE_FLOOR, SHARE_FLOOR], rel=0.01)


def test_a_forest_learns_a_county_from_single_pixels_and_the_same_seed_gives_the_same() -> None:
    pytest.importorskip("sklearn")
    banks, test = [toy_bank(1), toy_bank(2)], toy_bank(9)
    told = [teach_forest(banks, seed=3, trees=8, pixels=300) for _ in (1, 2)]
    painted = told[0].paint(test)
    check_painted(painted, test, health=False)
    assert min(right(painted, test)) > 0.9
    np.testing.assert_array_equal(painted.crop_a, told[1].paint(test).crop_a)
    assert told[0].parameters > 8
    assert max(told[0].taught_px.values()) <= 300


def test_rare_crops_are_drawn_by_the_root_of_their_frequency() -> None:
    bank = toy_bank(1)
    rare = replace(bank, crop_a=np.where(np.arange(1600) < 16, 5, 1).astype(np.int16))
    _, label, weight = draw_pixels([rare, rare], "A", 110, np.random.default_rng(0))
    assert np.bincount(label).tolist() == [0, 99, 0, 0, 0, 10]  # roots of 3168 and 32 are as 9.95 to 1
    assert set(weight.tolist()) <= {float(np.float32(0.2)), 1.0}
    with pytest.raises(InputError, match="no pixel has a label for slot B"):
        draw_pixels([replace(bank, crop_b=np.full(1600, -1, np.int16))], "B", 10, np.random.default_rng(0))


def test_boosting_tells_a_parcel_as_a_whole() -> None:
    pytest.importorskip("sklearn")
    banks, test = [toy_bank(k) for k in (1, 2)], toy_bank(9)
    told = teach_boosting(banks, seed=0, rounds=10)
    painted = told.paint(test)
    check_painted(painted, test, health=False)
    assert min(right(painted, test)) > 0.9
    found = painted.crop_a.argmax(axis=0).ravel()
    assert all(len(set(found[test.field == number].tolist())) == 1 for number in np.unique(test.field))
    np.testing.assert_array_equal(painted.crop_b, teach_boosting(banks, seed=0, rounds=10).paint(test).crop_b)
    assert told.parameters > 10


def test_a_parcels_row_is_the_mean_of_its_pixels_by_their_trust() -> None:
    from acreline.trial.rivals.shape import binned

    bank = toy_bank(4)
    at, rows = parcel_rows(bank)
    assert rows.shape == (25, 8 * len(CHANNELS))
    mine = np.flatnonzero(bank.field == 7)
    assert set(at[mine].tolist()) == {6}
    by_hand = np.average(rows_of(binned(bank, mine)), axis=0, weights=bank.weight[mine])
    np.testing.assert_allclose(rows[6], by_hand, atol=1e-5)


class Teller:
    """Says the first feature of each row, whatever it was taught."""

    classes_ = np.array([0, 1])

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return np.stack([x[:, 0], 1 - x[:, 0]], axis=1)


def test_ground_in_no_farm_file_is_told_pixel_by_pixel_not_by_its_true_pool() -> None:
    bank = toy_bank(5, registered=False)
    loose = parcel_numbers(bank) == 0
    assert loose.mean() == pytest.approx(0.5)
    at, rows = parcel_rows(bank)
    assert (at[loose] == -1).all()
    assert len(rows) == len(np.unique(bank.field[~loose]))
    painted = ParcelBoosting({"A": Teller(), "B": Teller()}, {}).paint(bank)
    told = painted.crop_a[0].ravel()
    assert len(set(told[loose].tolist())) > 100
    for number in np.unique(bank.field[~loose]):
        assert len(set(told[bank.field == number].tolist())) == 1


def test_loose_ground_teaches_a_few_pixels_of_each_kind() -> None:
    pytest.importorskip("sklearn")
    bank = toy_bank(5, registered=False)
    loose = parcel_numbers(bank) == 0
    taught = teach_boosting([bank], rounds=5)
    pools = len(np.unique(bank.field[loose]))
    assert taught.taught_rows["A"] == len(np.unique(bank.field[~loose])) + 40 * pools
    assert min(right(taught.paint(bank), bank)) > 0.9


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    for teach in (teach_forest, teach_boosting):
        with pytest.raises(ConfigError, match="needs scikit-learn") as told:
            teach([toy_bank(1)])
        assert told.value.hint == "pip install 'acreline[evaluate]'"


def test_points_cannot_be_painted() -> None:
    bank = toy_bank(1)
    taught = teach_majority([bank])
    with pytest.raises(InputError, match="toy-1: its pixels form no picture"):
        taught.paint(replace(bank, shape=None))


# --- composites ---------------------------------------------------------------------------------------------------
def test_composites_are_means_by_support_over_thirds_of_the_season() -> None:
    bands = torch.zeros(1, 6, 2, 3, 3)
    support = torch.zeros(1, 6, 3, 3)
    bands[0, :2, 0] = torch.tensor([0.2, 0.5])[:, None, None]  # first third
    support[0, :2] = torch.tensor([1.0, 0.5])[:, None, None]
    bands[0, 2:4, 1, 1, 1] = torch.tensor([0.1, 0.3])  # second third, middle pixel, never seen
    bands[0, 4:, 0, 0, 2] = torch.tensor([0.4, 0.8])
    support[0, 5, 0, 2] = 1.0  # last third: only its last bin was seen
    out = composites(bands, support)
    assert out.shape == (1, 9, 3, 3)
    torch.testing.assert_close(out[0, 0], torch.full((3, 3), 0.3))  # (1 x 0.2 + 0.5 x 0.5) / 1.5
    torch.testing.assert_close(out[0, 2], torch.full((3, 3), 0.75))
    torch.testing.assert_close(out[0, 4, 1, 1], torch.tensor(0.2))  # the plain mean of what bridges the gap
    torch.testing.assert_close(out[0, 5], torch.zeros(3, 3))  # ... and it says that it was not seen
    torch.testing.assert_close(out[0, 6, 0, 2], torch.tensor(0.8))
    torch.testing.assert_close(out[0, 8, 0, 2], torch.tensor(0.5))


# --- networks -----------------------------------------------------------------------------------------------------
def test_the_small_utae_has_about_as_many_weights_as_published() -> None:
    assert 250_000 < RIVALS["utae"].parameters < 290_000
    assert 3.0e6 < RIVALS["lraspp"].parameters < 3.5e6


def test_attention_masks_add_up_to_one_over_time_and_pool_their_own_channels() -> None:
    torch.manual_seed(0)
    layer = TemporalAttention(bins=5, channels=8, wide=16, heads=4, keys=2, dropout=0.0).eval()
    z, masks = layer(torch.rand(2, 5, 8, 3, 3))
    assert z.shape == (2, 8, 3, 3)
    assert masks.shape == (2, 4, 5, 3, 3)
    torch.testing.assert_close(masks.sum(dim=2), torch.ones(2, 4, 3, 3))


@pytest.mark.parametrize("name", NETS)
def test_a_network_gives_every_head_and_is_deaf_to_bands_that_were_not_there(name: str) -> None:
    net = build_rival(name, Recipe(bins=6), seed=1).eval()
    x = torch.rand(2, 6, len(CHANNELS), 32, 32)
    x[:, :, 10] = 0  # no visible bands
    with torch.inference_mode():
        heads = net(x)
        assert [tuple(head.shape) for head in heads] == [
            (2, size, 32, 32) for size in (len(HEADS["A"]), len(HEADS["B"]), len(HEALTH_CLASSES), 1, 1)
        ]
        changed = x.clone()
        changed[:, :, :3] = 0.9
        torch.testing.assert_close(net(changed).crop_a, heads.crop_a)
        changed[:, :, 7] = 0.0
        assert not torch.allclose(net(changed).crop_a, heads.crop_a)


@pytest.mark.parametrize("name", NETS)
def test_a_network_learns_a_county_better_than_chance_and_comes_back_from_its_files(
    name: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acreline.trial.rivals.lraspp.ENLARGE", 2)  # quick, and enough for large fields
    banks, test = [toy_bank(k, field_px=20) for k in (1, 2)], toy_bank(9, field_px=20)
    mine = rival_recipe(
        Recipe(bins=8, learning_rate=1e-2, ema=0.5, warm_up=0.2), {"singles": 1, "mosaics": 0, "crops": 2}
    )
    losses = []
    taught = learn_rival(
        build_rival(name, mine, seed=4), mine, banks, seed=5, steps=STEPS[name],
        progress=lambda step, steps, told: losses.append((step, steps, set(told))),
    )  # fmt: skip
    assert losses[-1] == (STEPS[name], STEPS[name], {"crop_a", "crop_b", "health"})
    painted = taught.paint(test)
    check_painted(painted, test, health=True)
    assert np.mean(right(painted, test)) > CHANCE + 0.2
    save_rival(taught, tmp_path)
    again = load_rival(tmp_path, name)
    np.testing.assert_array_equal(again.paint(test).crop_b, painted.crop_b)
    assert (again.steps, again.seed, again.device, again.recipe) == (taught.steps, 5, "cpu", mine)
    assert again.step_seconds == pytest.approx(taught.step_seconds, abs=1e-4)


def test_a_rival_taught_by_a_whole_teaching_recipe_comes_back(tmp_path) -> None:
    from acreline.trial.teaching import Teaching

    mine = rival_recipe(Teaching(bins=8, folds=3, remarks=("of no use to a rival",)))
    save_rival(learn_rival(build_rival("utae", mine, seed=0), mine, [toy_bank(1)], seed=1, steps=1), tmp_path)
    assert load_rival(tmp_path, "utae").recipe.shares == mine.shares


def test_same_seed_same_weights_whatever_the_feeders() -> None:
    mine = recipe()
    one = learn_rival(_small(), mine, [toy_bank(1)], seed=1, steps=2)
    other = learn_rival(_small(), mine, [toy_bank(1)], seed=1, steps=2, feeders=1)
    third = learn_rival(_small(), mine, [toy_bank(1)], seed=2, steps=2)
    assert not torch.equal(one.net.head.weight, _small().head.weight)
    for key, value in one.net.state_dict().items():
        assert torch.equal(value, other.net.state_dict()[key]), key
    assert not torch.equal(one.net.head.weight, third.net.head.weight)


def _small() -> UTae:
    torch.manual_seed(0)
    return UTae(bins=8, widths=(16, 16), wide=32)


def test_normalisation_is_that_of_the_land(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acreline.trial.rivals.learn.NORMAL_DRAWS", 2)
    net = _small()
    mine = recipe(changes={"blind": 0.0})
    normalise(net, mine.drawer([toy_bank(1)]), 0)
    near = net.mean[6]
    assert 0.21 < float(near) < 0.40  # between soil and leaf
    assert float(net.sd[6]) > float(net.sd[0])


def test_a_window_is_painted_as_if_it_lay_in_the_whole() -> None:
    """A county wider than a window: seams lie where they may, and a pixel of the rim is nobody's neighbour."""
    bank = toy_bank(3, side=72, field_px=12)
    painted = learn_rival(_small(), recipe(), [bank], seed=1, steps=1).paint(bank)
    check_painted(painted, bank, health=True)
    assert np.isfinite(painted.health).all()
    assert (painted.crop_a != 0).any(axis=0).all()  # no pixel was left out


def test_what_cannot_be_taught_is_told() -> None:
    mine = recipe()
    with pytest.raises(ConfigError, match="'forest' is no network"):
        build_rival("forest", mine, seed=0)
    with pytest.raises(InputError, match="no bank is a picture with labels: toy-1"):
        learn_rival(_small(), mine, [replace(toy_bank(1), shape=None)], seed=0, steps=1)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="device cuda: no GPU is to be seen"):
            learn_rival(_small(), mine, [toy_bank(1)], seed=0, steps=1, device="cuda")


def test_files_of_a_rival_that_do_not_belong_together_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="no rival 'utae' can be read") as told:
        load_rival(tmp_path, "utae")
    assert "both files" in told.value.hint
    mine = recipe()
    taught = learn_rival(build_rival("utae", mine, seed=0), mine, [toy_bank(1)], seed=0, steps=1)
    save_rival(taught, tmp_path)
    weights = tmp_path / "utae.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(InputError, match=r"not the weights that utae\.json speaks of"):
        load_rival(tmp_path, "utae")


# --- speed --------------------------------------------------------------------------------------------------------
def test_the_clock_tells_steps_and_painting_apart() -> None:
    told = probe("utae", Recipe(bins=8), [toy_bank(1)], steps=1, window_px=32)
    assert told.name == "utae"
    assert told.threads == 1
    assert min(told.step_seconds, told.draw_seconds, told.forward_px_per_second) > 0
    speed = Speed("x", 1, 1, step_seconds=2.0, step_cpu_seconds=2.0, draw_seconds=9.0, draw_cpu_seconds=1.0,
                  forward_px_per_second=1.0)  # fmt: skip
    assert steps_in(speed, 40, feeders=True) == 1200
    assert steps_in(speed, 40, feeders=False) == 800
