# SPDX-License-Identifier: Apache-2.0
"""Training data, labels, drawings, one tiny training; scores by hand. The demo square is never trained on."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch

from acreline.config import packaged_configs
from acreline.errors import ConfigError, InputError
from acreline.layers import BANDS_20M
from acreline.model.batches import Changes, _field_weights, draw_batch, points_bank, square_bank
from acreline.model.calibrate import (
    calibrated_probability,
    conformal_threshold,
    fit_temperature,
    measured_coverage,
)
from acreline.model.card import SeasonAxis, load_model
from acreline.model.damage import DRAWN, HEALTH, draw_damage, red_edge_index, weak_label
from acreline.model.fitting import Recipe, add_normal_bias, fit, predict_points, predict_square, read_banks
from acreline.model.folds import fold_of_group, normal_bias
from acreline.model.labels import (
    CROP_CLASSES,
    IGNORED,
    TEST_SQUARE,
    Points,
    Square,
    number_fields,
    read_label_map,
    read_points,
    read_square,
)
from acreline.model.scores import score_labels
from acreline.model.train import check_recipe, train_model

TRAINING = Path(__file__).parents[1] / "data" / "training"
AXIS = SeasonAxis(bins=8).of(2020)
TINY = Recipe(
    steps=3, members=1, bins=8, stem=4, width=8, levels=(8, 8, 8), singles=8, mosaics=1, crops=1, points=("points",),
    squares=("square",),
)  # fmt: skip


def make_points(fields: int = 40, looks: int = 20) -> Points:
    """Maize is green in summer, winter cereal in spring; the first label is one, the next the other."""
    rng = np.random.default_rng(0)
    days = np.linspace(10, 430, looks)
    label = np.arange(fields) % 2 * 2  # maize 0, winter_cereal 2
    peak = np.where(label == 0, 300, 220)
    green = np.exp(-(((days[:, None] - peak) / 45) ** 2)) + rng.normal(0, 0.02, (looks, fields))
    bare = np.array([0.15, 0.18, 0.20, 0.22, 0.29, 0.24])[None, :, None]
    leaf = np.array([0.10, 0.30, 0.38, 0.42, 0.20, 0.10])[None, :, None]
    values = (bare + (leaf - bare) * green[:, None]) / 1e-4 + 1000
    times = np.datetime64(AXIS.start, "s") + (days * 86400).astype("timedelta64[s]")
    cell = np.array([f"c{i // 4}" for i in range(fields)])
    return Points("points", 2020, times, values.astype(np.uint16), label.astype(np.int16), label + 1.0, cell)


def make_square(side: int = 32) -> Square:
    points = make_points(2)
    field = np.ones((2 * side, 2 * side), np.int32)
    field[:, side:] = 2
    label = np.where(field == 1, 0, 2).astype(np.int16)
    values = points.values[:, :, (field[::2, ::2] - 1).ravel()].reshape(len(points.times), 6, side, side)
    return Square(
        "square", 2020, points.times, values, np.full((len(points.times), side, side), 4, np.uint8), label, field
    )


def make_files(folder: Path) -> None:
    points, square = make_points(), make_square()
    codes = np.where(points.label == 0, 1101060000, 1101010011)
    np.savez(
        folder / "points.npz", harvest_year=2020, label_map="worldcereal-ewoc", times=points.times,
        values=points.values, code=codes, cell=points.cell,
    )  # fmt: skip
    np.savez(
        folder / "square.npz", square="made", harvest_year=2020, label_map="worldcereal-legacy", times=square.times,
        values=square.values, scl=square.scl, code=np.where(square.label == 0, 1200, 1110), field=square.field,
    )  # fmt: skip


# --- the test square ----------------------------------------------------------------------------------------------
def test_the_demo_square_is_never_trained_on(tmp_path):
    make_files(tmp_path)
    (tmp_path / "square.npz").rename(tmp_path / f"x-{TEST_SQUARE.lower()}.npz")
    with pytest.raises(InputError, match="is the test set and is never trained on"):
        read_square(tmp_path / f"x-{TEST_SQUARE.lower()}.npz")


def test_renaming_the_demo_square_does_not_help(tmp_path):
    square = make_square()
    np.savez(
        tmp_path / "innocent.npz", square=TEST_SQUARE, harvest_year=2018, label_map="worldcereal-legacy",
        times=square.times, values=square.values, scl=square.scl, code=square.label, field=square.field,
    )  # fmt: skip
    with pytest.raises(InputError, match=TEST_SQUARE):
        train_model(TINY.model_copy(update={"squares": ("innocent",), "points": ()}), tmp_path, tmp_path / "out")


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
    assert seen > 30


def test_label_files_hold_known_classes_once_each():
    for path in sorted((packaged_configs() / "labels").glob("*.csv")):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        assert len({row["code"] for row in rows}) == len(rows)
        assert {row["class"] for row in rows} <= {*CROP_CLASSES, IGNORED}
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
    (tmp_path / "labels" / "x.csv").write_text("code,name,class,group\n1,rice,rice,rice\n")
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
        read_points(tmp_path / "bad.npz")


# --- batches and drawings -----------------------------------------------------------------------------------------
def test_a_batch_is_whole_and_the_same_for_the_same_seed():
    banks = [points_bank(make_points(), AXIS), square_bank(make_square(), AXIS)]
    one, two = (draw_batch(banks, BANDS_20M, Changes(), 2, 1, 8, np.random.default_rng(5)) for _ in range(2))
    assert one.x.shape == (3, 8, 8, 16, 16)
    assert one.crop.shape == (3, 32, 32)
    assert np.isfinite(one.x).all()
    assert set(np.unique(one.crop)) <= {0, 2}
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("x", "crop", "health", "single_x"))
    assert len(one.single_x) == len(one.single_crop) == len(one.single_health)


def test_a_small_field_is_not_drowned_by_a_large_one():
    field = np.zeros((1, 3, 3), np.int32)
    field[0, 0, 0] = 1
    field[0, 1:, :2] = 2
    weight = _field_weights(field)
    assert weight[0].tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]]


def test_a_pixel_on_a_border_teaches_nothing_alone():
    square = make_square(4)
    square.field[:, 3] = 2  # not on the 20 m grid
    square.label[:, 3] = 2
    bank = square_bank(square, AXIS)
    assert bank.label.reshape(4, 4)[0].tolist() == [0, -1, 2, 2]


@pytest.mark.parametrize("kind", DRAWN)
def test_each_drawing_changes_what_it_should(kind, monkeypatch):
    points = make_points(2)
    bank = points_bank(points, AXIS)
    rng = np.random.default_rng(1)
    real_choice = rng.choice

    class Chooser:
        uniform = staticmethod(rng.uniform)

        @staticmethod
        def choice(options, *rest, **named):
            return kind if options is DRAWN else real_choice(options, *rest, **named)

    pixel = 1 if kind == "frost" else 0  # the spring crop is green before May
    values, clear = bank.values[:, :, pixel : pixel + 1], bank.clear[:, pixel]
    for _ in range(20):
        changed, found = draw_damage(values, clear, bank.days, BANDS_20M, Chooser())
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
    bank = points_bank(make_points(2), AXIS)
    whole = bank.clear[:, 0]
    summer = whole & (bank.days < 320)
    assert HEALTH[weak_label(bank.values[:, :, 0], whole, BANDS_20M)] == "harvested"
    assert HEALTH[weak_label(bank.values[:, :, 0], summer, BANDS_20M)] == "normal"


# --- training -----------------------------------------------------------------------------------------------------
def test_a_recipe_with_a_slip_is_refused():
    with pytest.raises(ConfigError, match="recipe: stepz: Extra inputs are not permitted") as caught:
        check_recipe({"stepz": 3})
    assert "steps" in caught.value.hint


def test_false_alarms_are_held_down_by_hand():
    normal, flood, harvested = (HEALTH.index(name) for name in ("normal", "flood", "harvested"))
    logits = np.zeros((10, len(HEALTH)), np.float32)
    logits[:, normal] = 5
    logits[:3, flood] = [6, 7, 9]  # three undamaged fields look flooded, by 1, 2 and 4
    logits[3, [flood, harvested]] = [8, 9]  # called harvested: no alarm
    bias = normal_bias(logits, 0.1)  # one alarm in ten may stay
    assert 2 < bias < 2.01
    logits[:, normal] += bias
    assert (logits.argmax(axis=1) == flood).sum() == 1
    assert normal_bias(logits, 0.1) == pytest.approx(0.0, abs=1e-3)
    assert normal_bias(logits[:0], 0.1) == 0.0


def test_the_bias_makes_every_member_calmer():
    banks = [points_bank(make_points(), AXIS)]
    net = fit(TINY.model_copy(update={"members": 2, "squares": (), "steps": 1}), banks, seed=1)
    x = torch.rand(1, 8, 8, 16, 16)
    add_normal_bias(net, 50.0)
    assert (net(x)[1].argmax(dim=1) == HEALTH.index("normal")).all()


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    banks = [points_bank(make_points(), AXIS), square_bank(make_square(), AXIS)]
    one, two, other = (fit(TINY, banks, seed=seed).state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_two_crops_that_differ_in_season_are_learned():
    banks = [points_bank(make_points(), AXIS)]
    recipe = TINY.model_copy(update={"steps": 60, "squares": (), "ema": 0.9, "drop": 0.2})
    net = fit(recipe, banks, seed=1)
    assert (predict_points(net, banks[0]).argmax(axis=1) == banks[0].label).mean() > 0.9
    square = square_bank(make_square(), AXIS)
    assert (predict_square(net, square)[0].argmax(axis=0) == square.raster).mean() > 0.8


def test_training_writes_a_checkpoint_that_opens(tmp_path):
    pytest.importorskip("sklearn")
    make_files(tmp_path)
    calls = []
    path = train_model(
        TINY, tmp_path, tmp_path / "out", seed=9, name="made", created=date(2026, 1, 1),
        progress=lambda step, steps, loss: calls.append((step, steps)),
    )  # fmt: skip
    model = load_model(path.name, path.parent)
    card = model.card
    assert card.recipe["seed"] == 9
    assert card.metrics["training"]["get_it_again"] == "acreline train --seed 9"
    assert set(card.metrics["cross_validation"]) == {"points", "square, left out as a whole"}
    assert {"n", "majority", "interval_95", "forest"} <= set(card.metrics["cross_validation"]["points"])
    assert [source.fields for source in card.data] == [40, 2]
    assert 0 <= card.conformal.threshold <= 1
    assert calls[-1] == (3, 3)
    assert len(read_banks(TINY, tmp_path)) == 2


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


def test_sets_hold_about_what_they_promise():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (2000, 4)).astype(np.float32)
    label = (calibrated_probability(logits, 1.0).cumsum(axis=1) > rng.random((2000, 1))).argmax(axis=1)
    group = np.array([f"c{i % 50}" for i in range(2000)])
    out = measured_coverage(logits, label, group, 0.1)
    assert out["promised"] == 0.9
    assert out["measured"] == pytest.approx(0.9, abs=0.02)
    assert out["fields"] == 2000


def test_folds_never_part_a_cell():
    group = np.array(["a", "b", "a", "c", "d", "e", "b"])
    fold = fold_of_group(group, 3)
    assert fold[0] == fold[2]
    assert fold[1] == fold[6]
    assert set(fold.tolist()) == {0, 1, 2}
