# SPDX-License-Identifier: Apache-2.0
"""Training data, labels, drawings, one tiny training; scores by hand. The demo square is never trained on."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from acreline.config import packaged_configs
from acreline.cubes import bin_series
from acreline.errors import ConfigError, InputError
from acreline.layers import BANDS, BANDS_20M
from acreline.model.banks import Bank, boundary_distance, edge_pixels, reflectance_of, square_bank, times_to_days
from acreline.model.calibrate import (
    calibrated_probability,
    conformal_threshold,
    fit_temperature,
)
from acreline.model.card import SeasonAxis
from acreline.model.classes import CROP_CLASSES, HEADS, NONE, main_crop_logp, slot_targets
from acreline.model.damage import DRAWN, HEALTH, draw_damage, red_edge_index, weak_label
from acreline.model.drawing import Drawer, Shares
from acreline.model.inputs import CHANNELS, add_visible, bin_quickly, gather_bands
from acreline.model.labels import (
    IGNORED,
    TEST_SQUARE,
    Square,
    number_fields,
    read_label_map,
    read_square,
)
from acreline.model.learning import Lesson, Recipe, learn, predict_alone
from acreline.model.scores import score_labels
from acreline.model.skies import Changes
from acreline.model.targets import field_weights

TRAINING = Path(__file__).parents[1] / "data" / "training"
AXIS = SeasonAxis(bins=8).of(2020)
TINY = Recipe(
    steps=3, members=1, bins=8, stem=8, width=8, levels=(8, 8, 8),
    shares={"singles": 8, "mosaics": 1, "crops": 1},
)  # fmt: skip
MAIZE, WHEAT = CROP_CLASSES.index("maize"), CROP_CLASSES.index("winter_cereal")


class Points(NamedTuple):
    """Fields of which one pixel was watched through a season; values (time, band, field) as a cube's numbers."""

    times: np.ndarray
    values: np.ndarray
    label: np.ndarray
    cell: np.ndarray


def make_points(fields: int = 40, looks: int = 20) -> Points:
    """Maize is green in summer, winter cereal in spring; the first label is one, the next the other."""
    rng = np.random.default_rng(0)
    days = np.linspace(10, 430, looks)
    label = np.where(np.arange(fields) % 2 == 0, MAIZE, WHEAT)
    peak = np.where(label == MAIZE, 300, 220)
    green = np.exp(-(((days[:, None] - peak) / 45) ** 2)) + rng.normal(0, 0.02, (looks, fields))
    bare = np.array([0.15, 0.18, 0.20, 0.22, 0.29, 0.24])[None, :, None]
    leaf = np.array([0.10, 0.30, 0.38, 0.42, 0.20, 0.10])[None, :, None]
    values = (bare + (leaf - bare) * green[:, None]) / 1e-4 + 1000
    times = np.datetime64(AXIS.start, "s") + (days * 86400).astype("timedelta64[s]")
    cell = np.array([f"c{i // 4}" for i in range(fields)])
    return Points(times, values.astype(np.uint16), label.astype(np.int16), cell)


def points_bank(points: Points) -> Bank:
    """Every point is a field of its own."""
    values, visible = gather_bands(points.values, BANDS_20M)
    crop_a, crop_b = slot_targets(points.label)
    return Bank(
        "points", AXIS, times_to_days(points.times, AXIS), values, visible, (points.values != 0).all(axis=1),
        crop_a, crop_b, np.arange(1, len(points.label) + 1), points.cell,
    )  # fmt: skip


def make_square(side: int = 32) -> Square:
    points = make_points(2)
    field = np.ones((2 * side, 2 * side), np.int32)
    field[:, side:] = 2
    label = np.where(field == 1, MAIZE, WHEAT).astype(np.int16)
    values = points.values[:, :, (field[::2, ::2] - 1).ravel()].reshape(len(points.times), 6, side, side)
    return Square(
        "square", 2020, points.times, values, np.full((len(points.times), side, side), 4, np.uint8), label, field
    )


def make_file(path: Path) -> None:
    square = make_square()
    np.savez(
        path, square="made", harvest_year=2020, label_map="worldcereal-legacy", times=square.times,
        values=square.values, scl=square.scl, code=np.where(square.label == MAIZE, 1200, 1110), field=square.field,
    )  # fmt: skip


# --- the test square ----------------------------------------------------------------------------------------------
def test_the_demo_square_is_never_trained_on(tmp_path):
    make_file(tmp_path / f"x-{TEST_SQUARE.lower()}.npz")
    with pytest.raises(InputError, match="is the test set and is never trained on"):
        read_square(tmp_path / f"x-{TEST_SQUARE.lower()}.npz")


def test_renaming_the_demo_square_does_not_help(tmp_path):
    square = make_square()
    np.savez(
        tmp_path / "innocent.npz", square=TEST_SQUARE, harvest_year=2018, label_map="worldcereal-legacy",
        times=square.times, values=square.values, scl=square.scl, code=square.label, field=square.field,
    )  # fmt: skip
    with pytest.raises(InputError, match=TEST_SQUARE):
        read_square(tmp_path / "innocent.npz")


def test_the_packaged_training_data_hold_no_demo_square():
    for path in sorted(TRAINING.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            assert "square" not in stored or str(stored["square"]) != TEST_SQUARE
    assert sum(path.stat().st_size for path in TRAINING.glob("*.npz")) < 5_000_000


# --- labels -------------------------------------------------------------------------------------------------------
def test_every_packaged_code_is_mapped():
    seen = 0
    for path in sorted(TRAINING.glob("*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            listed = read_label_map(str(stored["label_map"]))
            codes = set(np.unique(stored["code"]).tolist()) - {0}
            assert codes <= set(listed.classes), path.name
            assert codes <= set(listed.groups), path.name
            seen += len(codes)
    assert seen >= 5


def test_label_files_hold_known_classes_once_each():
    for path in sorted((packaged_configs() / "labels").glob("*.csv")):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        assert len({row["code"] for row in rows}) == len(rows)
        assert {row["slug"] for row in rows} <= {*CROP_CLASSES, IGNORED}
        assert all(row["group"] for row in rows)


def test_codes_become_classes_and_unknown_codes_are_refused():
    listed = read_label_map("worldcereal-legacy")
    found = listed.indices(np.array([[0, 1200], [1400, 9120]]))
    assert found.tolist() == [[-1, CROP_CLASSES.index("maize")], [-1, CROP_CLASSES.index("grassland")]]
    with pytest.raises(InputError, match=r"label code 4711 is not in configs/labels/worldcereal-legacy\.csv"):
        listed.indices(np.array([4711]))


def test_an_unknown_label_file_and_an_unknown_class_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"labels: no file nowhere\.csv"):
        read_label_map("nowhere")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "x.csv").write_text("code,name,group,slug\n1,rice,rice,rice\n")
    monkeypatch.setattr("acreline.model.labels.packaged_configs", lambda: tmp_path)
    with pytest.raises(ConfigError, match="code 1 names the unknown crop class 'rice'"):
        read_label_map("x")


def test_fields_are_numbered_by_connected_code():
    codes = np.array([[5, 5, 0], [7, 5, 5], [5, 7, 7]])
    assert number_fields(codes).tolist() == [[1, 1, 0], [3, 1, 1], [2, 4, 4]]
    snake = np.array([[1, 1, 1], [0, 0, 1], [1, 1, 1]])
    assert number_fields(snake).max() == 1


def test_a_damaged_training_file_is_named(tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"not an archive")
    with pytest.raises(InputError, match=r"bad\.npz: not a training file of acreline"):
        read_square(tmp_path / "bad.npz")


# --- classes ------------------------------------------------------------------------------------------------------
def test_a_declared_late_crop_says_that_nothing_was_harvested_before_it():
    names = ("maize", "winter_cereal", "grassland", "vegetables")
    a, b = slot_targets(np.array([*(CROP_CLASSES.index(name) for name in names), -1]))
    told = [HEADS["A"][k] if k >= 0 else None for k in a]
    assert told == [NONE, "winter_cereal", "grassland", NONE, None]
    told = [HEADS["B"][k] if k >= 0 else None for k in b]
    assert told == ["maize", None, "grassland", "vegetables", None]


def test_the_main_crop_by_hand():
    logp = {slot: np.full((1, len(HEADS[slot])), np.log(1e-6)) for slot in "AB"}
    logp["A"][0, HEADS["A"].index(NONE)] = np.log(0.9)
    logp["A"][0, HEADS["A"].index("winter_cereal")] = np.log(0.1)
    logp["B"][0, HEADS["B"].index("maize")] = np.log(0.8)
    logp["B"][0, HEADS["B"].index(NONE)] = np.log(0.2)
    told = np.exp(main_crop_logp(logp["A"], logp["B"]))[0]
    assert told.sum() == pytest.approx(1)
    assert told[MAIZE] / told[WHEAT] == pytest.approx(0.9 * 0.8 / 0.1, rel=1e-3)
    early = {**logp, "A": np.roll(logp["A"], 0)}
    early["A"][0, [HEADS["A"].index(NONE), HEADS["A"].index("winter_cereal")]] = np.log([0.1, 0.9])
    assert CROP_CLASSES[int(main_crop_logp(early["A"], early["B"])[0].argmax())] == "winter_cereal"


# --- inputs -------------------------------------------------------------------------------------------------------
def test_bands_come_in_the_order_of_the_house():
    bands = ("B12", "B05", "B06", "B07", "B11", "B8A")
    values = np.arange(6, dtype=np.uint16)[None, :, None] + 1
    gathered = gather_bands(values, bands)
    assert gathered is not None
    found, visible = gathered
    assert not visible
    assert dict(zip(BANDS, found[0, :, 0].tolist(), strict=True)) == {
        "B02": 0, "B03": 0, "B04": 0, "B08": 6, "B05": 2, "B06": 3, "B07": 4, "B8A": 6, "B11": 5, "B12": 1,
    }  # fmt: skip
    assert gather_bands(values[:, :5], bands[:5]) is None


def test_quick_bins_are_those_of_the_river():
    rng = np.random.default_rng(3)
    days = np.sort(rng.uniform(0, 440, 30))
    times = np.datetime64(AXIS.start, "s") + (days * 86400).astype("timedelta64[s]")
    values, clear = rng.random((30, 10, 7)).astype(np.float32), rng.random((30, 7)) < 0.4
    clear[:, 0] = False
    exact = bin_series(values, clear, times, AXIS)
    quick = bin_quickly(values, clear, days, AXIS)
    assert quick[:, :10, 1:] == pytest.approx(exact[:, :10, 1:], abs=2e-5)
    assert quick[:, 10:] == pytest.approx(exact[:, 10:], abs=2e-5)
    assert add_visible(quick, True).shape[1] == len(CHANNELS)


# --- batches and drawings -----------------------------------------------------------------------------------------
def make_banks() -> list[Bank]:
    return [points_bank(make_points()), square_bank(make_square(), AXIS)]


def test_a_batch_is_whole_and_the_same_for_the_same_seed():
    drawer = Drawer(make_banks(), Changes(), Shares(singles=8, mosaics=2, crops=1))
    one, two = (drawer.draw(np.random.default_rng(5)) for _ in range(2))
    assert one.x.shape == (3, 8, len(CHANNELS), 32, 32)
    assert one.patches.crop_b.shape == (3, 32, 32)
    assert np.isfinite(one.x).all()
    assert set(np.unique(one.patches.crop_b)) <= {-1, HEADS["B"].index("maize")}
    assert set(np.unique(one.patches.crop_a)) <= {HEADS["A"].index(NONE), HEADS["A"].index("winter_cereal")}
    assert np.array_equal(one.x, two.x)
    assert np.array_equal(one.single_x, two.single_x)
    assert np.array_equal(one.patches.health, two.patches.health)
    assert len(one.single_x) == len(one.singles.crop_a) == 8


def test_a_small_field_is_not_drowned_by_a_large_one():
    field = np.zeros((3, 3), np.int32)
    field[0, 0] = 1
    field[1:, :2] = 2
    weight = field_weights(field)
    assert weight[0, 0] == pytest.approx(2 * weight[1, 0])
    assert weight[0, 0] == pytest.approx(10 * weight[0, 1])


def test_edges_and_distances_by_hand():
    field = np.zeros((1, 6), np.int64)
    field[0, 3:] = 1
    assert edge_pixels(field)[0].tolist() == [False, False, True, True, False, False]
    assert boundary_distance(field, reach_px=4)[0].tolist() == [0.5, 0.25, 0, 0, 0.25, 0.5]


def test_a_square_pixel_at_the_edge_of_its_field_is_trusted_less():
    bank = square_bank(make_square(4), AXIS)
    assert bank.weight is not None
    assert bank.weight.reshape(8, 8)[0].tolist() == pytest.approx([1, 1, 1, 0.2, 0.2, 1, 1, 1])
    assert not bank.visible


def make_looks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days, reflectance (time, band, pixel) of the 20 m bands, and clear (time, pixel) of one maize and one wheat."""
    bank = points_bank(make_points(2))
    own = [BANDS.index(band) for band in BANDS_20M]
    return bank.days, reflectance_of(bank.fine[:, own]), bank.clear


@pytest.mark.parametrize("kind", DRAWN)
def test_each_drawing_changes_what_it_should(kind, monkeypatch):
    days, series, seen = make_looks()
    rng = np.random.default_rng(1)
    real_choice = rng.choice

    class Chooser:
        uniform = staticmethod(rng.uniform)

        @staticmethod
        def choice(options, *rest, **named):
            return kind if options is DRAWN else real_choice(options, *rest, **named)

    pixel = 1 if kind == "frost" else 0  # the spring crop is green before May
    values, clear = series[:, :, pixel : pixel + 1], seen[:, pixel]
    for _ in range(20):
        changed, found = draw_damage(values, clear, days, BANDS_20M, Chooser())
        if found >= 0:
            break
    assert HEALTH[found] == kind
    assert np.isfinite(changed).all()
    assert changed.min() >= 0
    assert changed.max() <= 1
    difference = changed - values
    assert np.abs(difference).max() > 0.01
    if kind == "pest_disease":
        assert difference[:, BANDS_20M.index("B05")].max() > 0.01
        assert np.abs(difference[:, BANDS_20M.index("B11")]).max() < 1e-6
    if kind == "flood":
        assert difference[:, BANDS_20M.index("B11")].min() < -0.05
    if kind in ("harvested", "lodging_hail", "late_failed"):
        assert red_edge_index(changed, BANDS_20M).max() <= red_edge_index(values, BANDS_20M).max() + 1e-6


def test_no_damage_is_drawn_where_nothing_grows():
    bare = np.tile(np.array([0.15, 0.18, 0.2, 0.22, 0.29, 0.24], np.float32)[None, :, None], (20, 1, 1))
    days = np.linspace(0, 400, 20)
    out, kind = draw_damage(bare, np.ones(20, bool), days, BANDS_20M, np.random.default_rng(0))
    assert kind == -1
    assert out is bare
    assert weak_label(bare[:, :, 0], np.ones(20, bool), BANDS_20M) == -1


def test_weak_labels_tell_standing_from_harvested():
    days, series, seen = make_looks()
    whole = seen[:, 0]
    summer = whole & (days < 320)
    assert HEALTH[weak_label(series[:, :, 0], whole, BANDS_20M)] == "harvested"
    assert HEALTH[weak_label(series[:, :, 0], summer, BANDS_20M)] == "normal"


# --- training -----------------------------------------------------------------------------------------------------
def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    one, two, other = (learn(TINY, make_banks(), Lesson(seed)).state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_a_training_that_was_stopped_goes_on_where_it_stopped(tmp_path, monkeypatch):
    from acreline.model import learning

    monkeypatch.setattr(learning, "SAVE_EVERY", 2)
    recipe = TINY.model_copy(update={"steps": 5})
    rows, same_rows = [], []
    whole = learn(recipe, make_banks(), Lesson(4, curve=rows)).state_dict()

    def stop(step: int, steps: int, losses: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learn(recipe, make_banks(), Lesson(4, stop, keep=tmp_path / "state"))
    steps = []
    lesson = Lesson(4, lambda step, *_: steps.append(step), keep=tmp_path / "state", curve=same_rows)
    again = learn(recipe, make_banks(), lesson).state_dict()
    assert steps == [3, 4, 5]
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert same_rows == rows


def test_two_crops_that_differ_in_season_are_learned():
    bank = make_banks()[0]
    shares = {"singles": 32, "mosaics": 0, "crops": 0}
    changes = {"drop": 0.2, "damage": 0.0, "in_season": 0.0}
    recipe = TINY.model_copy(update={"steps": 160, "ema": 0.9, "shares": shares, "changes": changes, "mixup": 0.2})
    net = learn(recipe, [bank], Lesson(1))
    values = (bank.fine.astype(np.float32) - 1000) / 10000
    x = add_visible(bin_quickly(values, bank.clear, bank.days, bank.axis), bank.visible).transpose(2, 0, 1)
    logp_a, logp_b, health = predict_alone(net, x)
    assert np.exp(logp_a).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert health.shape == (40, len(HEALTH))
    assert (main_crop_logp(logp_a, logp_b).argmax(axis=1) == make_points().label).mean() > 0.9


# --- scores and calibration ---------------------------------------------------------------------------------------
def test_scores_by_hand():
    true = np.array([0, 0, 0, 1, 1, 2])
    found = np.array([0, 0, 1, 1, 1, 0])
    score = score_labels(true, found, np.array([1, 1, 2, 3, 3, 4]), ("a", "b", "c"))
    assert score["n"] == 6
    assert score["accuracy"] == 0.6667
    assert score["majority"] == 0.5
    assert score["f1"] == {"a": 0.6667, "b": 0.8, "c": 0.0}
    assert score["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    low, high = score["interval_95"]
    assert low < 0.6667 < high
    assert score["units"] == 4


def test_a_forest_without_its_library_says_how_to_get_it(monkeypatch):
    from acreline.model.scores import fit_forest

    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    with pytest.raises(ConfigError, match="scikit-learn, which is not installed") as caught:
        fit_forest(np.zeros((2, 2), np.float32), np.array([0, 1]), np.ones(2))
    assert "acreline[evaluate]" in caught.value.hint


def test_temperature_is_found_again():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 4)).astype(np.float32)
    probability = calibrated_probability(logits, 1.0)
    label = (probability.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    assert fit_temperature(logits * 2, label) == pytest.approx(2.0, rel=0.1)


def test_conformal_threshold_by_hand():
    truth = np.array([0.9, 0.2, 0.5, 0.7, 0.8, 0.6, 0.95, 0.85, 0.4])
    assert conformal_threshold(truth, 0.1) == 0.2  # k = floor(0.1 * 10) = 1
    assert conformal_threshold(truth, 0.3) == 0.5  # k = 3
    assert conformal_threshold(truth[:5], 0.1) == 0.0  # too few fields to promise anything
