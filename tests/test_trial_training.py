# SPDX-License-Identifier: Apache-2.0
"""A checkpoint from a recipe, on counties small enough to draw in a test; figures of a county by hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch
from structlog.testing import capture_logs

from acreline.errors import ConfigError, InputError, StoreError
from acreline.layers import HEALTH_CLASSES, TimeAxis
from acreline.model.banks import Bank
from acreline.model.card import load_model
from acreline.model.classes import CROP_CLASSES, HEADS
from acreline.model.learning import Recipe
from acreline.model.members import AcreNets
from acreline.model.outputs import Heads
from acreline.model.painting import add_normal_bias, paint_bank
from acreline.trial.counties import Wanted, county_bank, draw_counties
from acreline.trial.curves_page import curves_beside, render_curves
from acreline.trial.demo import train_packaged
from acreline.trial.held_back import main_labels
from acreline.trial.land import series_bank
from acreline.trial.packaged import read_packaged
from acreline.trial.painting import by_field, choose_normal_bias, figures, measure_county
from acreline.trial.teaching import check_teaching
from acreline.trial.training import train_model

TINY = {
    "steps": 2, "members": 1, "bins": 8, "stem": 8, "width": 8, "levels": (8, 8, 8), "folds": 2,
    "points": {"steps": 5, "shares": {"singles": 8, "mosaics": 1, "crops": 1, "real": 0.5}},
    "shares": {"singles": 8, "mosaics": 0, "crops": 1, "real": 0.5},
}  # fmt: skip


def test_a_recipe_with_a_slip_is_refused() -> None:
    with pytest.raises(ConfigError, match="recipe: unknown key 'stepz'") as caught:
        check_teaching({"stepz": 3})
    assert caught.value.hint.startswith("did you mean 'steps'?")
    with pytest.raises(ConfigError, match=r"recipe: unknown key 'points\.step'") as caught:
        check_teaching({"points": {"step": 3}})
    assert caught.value.hint.startswith("did you mean 'steps'? known here: blend, ")


def test_a_training_without_a_recipe_or_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("name: bare\nweights: a.safetensors\ncard: a.json\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bare\.yaml: has no recipe"):
        train_packaged(str(tmp_path / "bare.yaml"), tmp_path / "out", seed=None, progress=lambda *_: None)
    with pytest.raises(StoreError, match=r"bare\.yaml: cannot be written: Not a directory"):
        train_model(TINY | {"squares": []}, tmp_path / "bare.yaml", name="tiny")


def test_the_declared_crop_is_found_again_from_what_it_teaches() -> None:
    series = read_packaged("france-2023")
    bank = series_bank(series, check_teaching({}).axis.of(2023))
    label = main_labels(bank.crop_a, bank.crop_b)
    for slug, number in zip(series.slug, label, strict=True):
        assert (CROP_CLASSES[number] if number >= 0 else "none") == (slug if slug in CROP_CLASSES else "none")
    assert bank.visible
    assert bank.fine.shape[1] == 10


def test_parcels_at_the_top_of_the_atmosphere_are_masked_by_blue_and_cirrus() -> None:
    series = read_packaged("bavaria-2018")
    bank = series_bank(series, check_teaching({}).axis.of(2018))
    assert bank.clear.shape == (14, 201)
    assert not bank.clear[1].any()  # 28 February 2018: cloud over all of them
    assert bank.clear[4].mean() > 0.9


@pytest.mark.slow
def test_training_draws_teaches_calibrates_and_writes_a_checkpoint_that_opens(tmp_path: Path) -> None:
    kinds = {"counties": [{"config": "loess", "parcels": 12, "seeds": [1]}]}
    kinds |= {"calibrate_on": [{"config": "loess", "parcels": 12, "seeds": [4]}]}
    kinds |= {"held_out": [{"config": "loess", "parcels": 12, "seeds": [3]},
                           {"config": "loess", "parcels": 12, "seeds": [2], "mishaps": 5}]}  # fmt: skip
    told: list[tuple[int, int, str]] = []
    with capture_logs() as lines:
        path = train_model(
            {**TINY, **kinds}, tmp_path, name="made", seed=9, workers=2, steps=2, created=date(2026, 1, 1),
            progress=lambda done, total, words: told.append((done, total, words)),
        )  # fmt: skip
    model = load_model(path.name, path.parent)
    card = model.card
    assert card.recipe["seed"] == 9
    assert (card.recipe["steps"], card.recipe["points"]["steps"]) == (2, 2)  # not the points' own 5
    training = card.metrics["training"]
    assert training["get_it_again"] == "acreline train made --seed 9 --steps 2"
    scores = card.metrics["cross_validation"]["france-2023"]
    assert {"n", "majority", "interval_95"} <= set(scores)
    assert {"n", "macro_f1", "false_alarms"} <= set(card.metrics["health_head_on_drawings"])
    simulated = card.metrics["simulated"]
    assert simulated["same_climate"]["on"] == "simulated data"
    assert simulated["same_climate"]["counties"] == ["loess-12-3"]
    assert simulated["settled_on"] == ["loess-12-2-mishaps5"]
    assert [source.name for source in card.data] == ["france-2023", "flanders-2019", "loess-12-1"]
    assert card.metrics["calibration"]["places"]["simulated"] == 1
    assert card.heads["A"].cells[0].fields["real"] > 200
    counties = [(done, total) for done, total, words in told if words.startswith("loess-12-")]
    assert counties == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [(done, total) for done, total, words in told if words == "teaching"][-1] == (8, 8)

    assert [[row["step"] for row in rows] for rows in training["curves"]] == [[1, 2, 3, 4]]  # land, then points
    assert {*Heads._fields, "f1_crop_a", "f1_crop_b", "f1_health", "step"} == set(training["curves"][0][0])
    assert training["watched_on"] == "loess-12-2-mishaps5, on simulated data, never learned from"
    page = curves_beside(path).read_text(encoding="utf-8")
    assert page == render_curves("made", training, card.recipe)

    warned = {line["head"]: line["classes"] for line in lines if line["log_level"] == "warning"}
    assert training["untaught"] == {head: names.split(", ") for head, names in warned.items()}
    assert {"sugarcane", "tea"} <= set(training["untaught"]["B"])  # of neither France, Flanders nor the loess
    assert not {"maize", "wheat"} & set(training["untaught"]["B"])

    again = draw_counties(
        [Wanted("loess", 12, 1)], tmp_path / "work" / "counties", progress=lambda *_: pytest.fail("drawn again")
    )
    bank = county_bank(again[0], card.axis.of)
    assert bank.shape is not None
    assert bank.taught.all()
    painted = paint_bank(model.net, bank)
    assert painted.crop_a.shape == (len(HEADS["A"]), *bank.shape)
    assert np.exp(painted.health).sum(axis=0) == pytest.approx(1, abs=1e-4)


def test_a_file_that_is_no_county_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no")
    with pytest.raises(InputError, match=r"x\.npz: not a drawn county"):
        county_bank(tmp_path / "x.npz", check_teaching({}).axis.of)


# --- figures by hand ----------------------------------------------------------------------------------------------
def made_bank() -> Bank:
    """Two fields of 4 x 4 px: wheat then maize, and grass, of which the second was hailed on."""
    field = np.repeat([1, 2], 4)[None].repeat(4, axis=0).ravel().astype(np.int64)
    a, b = HEADS["A"], HEADS["B"]
    hail = list(HEALTH_CLASSES).index("lodging_hail")
    return Bank(
        name="made", axis=TimeAxis(date(2019, 10, 1), date(2020, 12, 15), 8, "calendar"), days=np.array([100.0]),
        fine=np.full((1, 10, 32), 2000, np.uint16), visible=True, clear=np.ones((1, 32), bool),
        crop_a=np.where(field == 1, a.index("winter_cereal"), a.index("grassland")).astype(np.int16),
        crop_b=np.where(field == 1, b.index("maize"), b.index("grassland")).astype(np.int16), field=field,
        group=np.full(32, "made"), shape=(4, 8), event=np.where(field == 2, hail, 0).astype(np.int16),
        event_day=np.zeros(32, np.float32), simulated=True,
    )  # fmt: skip


class Says:
    """Nets that say one thing everywhere."""

    def __init__(self, a: str, b: str, health: str) -> None:
        recipe = Recipe(bins=8, stem=8, width=8, levels=(8, 8, 8))
        self.nets = AcreNets([recipe.build()]).eval().requires_grad_(False)
        net = self.nets.members[0]
        for layer in (net.aux_crop, net.tell_health):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        net.aux_crop.bias[HEADS["A"].index(a)] = 9
        net.aux_crop.bias[len(HEADS["A"]) + HEADS["B"].index(b)] = 9
        net.tell_health.bias[list(HEALTH_CLASSES).index(health)] = 2


def test_figures_of_a_county_by_hand() -> None:
    nets = Says("winter_cereal", "maize", "lodging_hail").nets
    told = figures([measure_county(nets, made_bank())])
    assert told["slot_A"]["pixel_accuracy"] == 0.5
    assert told["slot_A"]["miou"] == 0.25  # wheat 16 of 32, grass 0
    assert told["slot_B"]["parcel_accuracy"] == 0.5
    assert told["slot_B"]["parcel_f1"] == {"maize": 0.6667, "grassland": 0.0}
    assert told["health"]["false_alarms"] == 1.0
    assert told["health"]["f1"] == {"lodging_hail": 0.6667}
    add_normal_bias(nets, choose_normal_bias([2.0]))
    assert figures([measure_county(nets, made_bank())])["health"]["false_alarms"] == 0.0


def test_the_bias_leaves_the_allowed_share_of_alarms() -> None:
    assert choose_normal_bias([5.0, 1.0, -1.0, -2.0], 0.25) == pytest.approx(1.001)
    assert choose_normal_bias([-1.0], 0.0) == pytest.approx(-0.999)  # calmer than it need be: made less so
    assert choose_normal_bias([]) == 0.0


def test_means_by_field_and_their_floor() -> None:
    logp = np.array([[[0.0, -50.0]], [[-1.0, -2.0]]], np.float32)
    numbers, means, counts = by_field(logp, np.array([3, 3]), np.ones(2, bool))
    assert numbers.tolist() == [3]
    assert means.tolist() == [[-6.0, -1.5]]
    assert counts.tolist() == [2]


def test_a_network_whose_spatial_part_is_untaught_says_the_same_with_a_picture_as_without() -> None:
    from acreline.layers import BANDS
    from acreline.model.series import LabelledSeries, Picture, classify_slots
    from tests.test_model_segment import make_model

    rng = np.random.default_rng(2)
    model = make_model()
    land = rng.uniform(0.05, 0.4, (6, 10, 6, 9)).astype(np.float32)
    land[2, :, 1, 1] = np.nan
    at = np.array([10, 0, 53])
    times = np.datetime64("2018-04-01T10:00:00", "s") + np.arange(6) * np.timedelta64(20, "D")
    text = np.full(3, "x")
    series = LabelledSeries(
        "D", "made", "L2A", 2018, BANDS, times, land.reshape(6, 10, -1)[:, :, at].transpose(2, 0, 1), text,
        np.zeros(3, np.int64), text, text, text, text, picture=Picture(land, at),
    )  # fmt: skip
    for member in model.net.members:
        torch.nn.init.zeros_(member.head.weight)
        torch.nn.init.zeros_(member.head.bias)
    seen, alone = (
        classify_slots(model, series),
        classify_slots(model, series.keep(np.arange(3)).until(date(2018, 12, 1))),
    )
    import dataclasses

    bare = classify_slots(model, dataclasses.replace(series, picture=None))
    for slot in "AB":
        assert seen[slot] == pytest.approx(bare[slot], abs=1e-4)
        assert alone[slot] == pytest.approx(bare[slot], abs=1e-4)
