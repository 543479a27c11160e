# SPDX-License-Identifier: Apache-2.0
"""A checkpoint opens only when weights, card and house fit together; every refusal says what was found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from acreline.config import Crop
from acreline.errors import ConfigError
from acreline.layers import BANDS
from acreline.model import departures, load_model
from acreline.model.acrenet import AcreNet
from acreline.model.card import Architecture, Model, build_net, save_model
from acreline.model.classes import CROP_CLASSES, CROP_SLOTS, HEADS
from acreline.model.inputs import CHANNELS
from acreline.model.mlm import write_model_item
from acreline.records import NO_CROP
from tests.test_model_segment import make_card, make_head, make_model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model = make_model()
    return save_model(model.net, model.card, tmp_path)


def made(slot: str, **changes) -> dict:
    return make_head(slot).model_dump(mode="json") | changes


def edit_card(settings: Path, **changes) -> None:
    path = settings.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_checkpoint_comes_back_as_it_was_saved(saved):
    model = load_model(saved.name, saved.parent)
    x = torch.rand(1, 8, len(CHANNELS), 8, 8)
    for before, after in zip(make_model().net(x), model.net(x), strict=True):
        assert torch.equal(before, after)
    assert model.card.level == "L2A"
    assert model.card.crop_codes == {"none": 1} | {name: i + 2 for i, name in enumerate(CROP_CLASSES)}
    assert not model.net.training


def test_the_card_promises_per_slot_and_number_of_looks(saved):
    promise = load_model(saved.name, saved.parent).calibration()
    assert set(promise.slots) == {"A", "B"}
    early = promise.slots["A"]
    assert (early.classes, early.temperature, early.alpha) == (HEADS["A"], 1.5, 0.1)
    any_class = np.zeros(4, np.int64)
    assert early.threshold(np.array([0, 11, 12, 70]), any_class).tolist() == [0.1, 0.1, 0.2, 0.2]
    assert promise.crop_slots == CROP_SLOTS
    assert promise.energy_threshold is None
    edit_card(saved, unknown={"energy": -3.5, "alpha": 0.05})
    assert load_model(saved.name, saved.parent).calibration().energy_threshold == -3.5


def test_simulated_scenes_have_a_promise_of_their_own_where_the_card_makes_one(saved):
    before = load_model(saved.name, saved.parent)
    assert before.calibration(simulated=True) == before.calibration()
    own = {"heads": {"A": made("A", temperature=0.5), "B": made("B")}, "unknown": {"energy": -7.0, "alpha": 0.05}}
    edit_card(saved, on_simulated=own)
    after = load_model(saved.name, saved.parent)
    assert after.calibration() == before.calibration()
    told = after.calibration(simulated=True)
    assert (told.slots["A"].temperature, told.energy_threshold) == (0.5, -7.0)
    edit_card(saved, on_simulated={"heads": {"A": made("A")}})
    with pytest.raises(ConfigError, match=r"heads: expected one for each of the slots \['A', 'B'\], found \['A'\]"):
        load_model(saved.name, saved.parent)


def test_the_house_has_one_word_for_no_crop():
    assert HEADS["A"][0] == HEADS["B"][0] == NO_CROP


def test_the_digest_hangs_on_weights_and_card(saved):
    first = load_model(saved.name, saved.parent).digest
    edit_card(saved, version="2")
    assert load_model(saved.name, saved.parent).digest != first


def test_one_changed_byte_is_refused_with_both_hashes(saved):
    weights = saved.with_suffix(".safetensors")
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(ConfigError, match=r"tiny.safetensors: expected sha256 \w{64}, found \w{64}") as caught:
        load_model(saved.name, saved.parent)
    assert "restore" in caught.value.hint


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_missing_file_is_named(saved, suffix):
    saved.with_suffix(suffix).unlink()
    with pytest.raises(ConfigError, match=f"tiny{suffix}: expected beside the model's settings"):
        load_model(saved.name, saved.parent)


def test_weights_that_could_run_code_are_refused(saved):
    saved.write_text(yaml.safe_dump({"name": "tiny", "weights": "tiny.pt", "card": "tiny.json"}))
    with pytest.raises(ConfigError, match=r"weights must be a \.safetensors file"):
        load_model(saved.name, saved.parent)


def test_weights_of_another_shape_are_refused(saved):
    edit_card(saved, architecture={"stem": 16, "width": 8, "levels": [8, 8, 8], "dropout": 0})
    with pytest.raises(ConfigError, match="the weights do not have the shape of the card"):
        load_model(saved.name, saved.parent)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bands": ["B04", "B8A"]}, r"bands: expected \['B02', .*'B12'\], found \['B04', 'B8A'\]"),
        ({"level": "L3"}, "level: Input should be 'L2A' or 'L1C'"),
        ({"health_classes": ["normal"]}, "health classes: expected .*, found .'normal'."),
        ({"crop_slots": {"rice": ["B"]}}, r"crop slots: \[.*'rice'.*\] do not stand as in acreline's list"),
        ({"heads": {"A": made("A")}}, r"heads: expected one for each of the slots \['A', 'B'\], found \['A'\]"),
        ({"heads": {"A": made("B"), "B": made("B")}}, "classes of head A: expected .*winter_cereal.*, found .*maize"),
        ({"heads": {"A": made("A", temperature=0), "B": made("B")}}, "temperature: Input should be greater than 0"),
        ({"heads": {"A": made("A", cells=[]), "B": made("B")}}, "cells: Tuple should have at least 1 item"),
        (
            {"heads": {"A": made("A", cells=[{"from_looks": 5, "threshold": 0.1}]), "B": made("B")}},
            r"cells must rise by from_looks, the first from 0; found \[5\]",
        ),
    ],
)
def test_a_card_that_does_not_fit_the_house_is_refused(saved, changes, words):
    edit_card(saved, **changes)
    with pytest.raises(ConfigError, match=words):
        load_model(saved.name, saved.parent)


def test_a_crop_in_another_slot_than_the_region_says_is_refused(saved):
    crop = Crop(slug="maize", name_en="maize", name_zh="玉米", slot="A", colour="#ffffff")
    with pytest.raises(ConfigError, match="crop 'maize': its file says season slot A, the model's card says B"):
        load_model(saved.name, saved.parent, crops={"maize": crop})
    with pytest.raises(ConfigError, match=r"potato.*season slot AB, the model's card says A or B"):
        load_model(saved.name, saved.parent, crops={"potato": crop.model_copy(update={"slug": "potato", "slot": "AB"})})
    for slug, slot in (("vegetables", "B"), ("vegetables", "AB"), ("potato", "A")):
        load_model(saved.name, saved.parent, crops={slug: crop.model_copy(update={"slug": slug, "slot": slot})})
    unknown = crop.model_copy(update={"slug": "quinoa"})
    load_model(saved.name, saved.parent, crops={"quinoa": unknown})  # not known to the model: no contradiction


def test_a_weight_that_is_not_a_number_is_refused(tmp_path):
    model = make_model()
    next(model.net.parameters()).data[0] = float("nan")
    path = save_model(model.net, model.card, tmp_path)
    with pytest.raises(ConfigError, match="a weight is not a number"):
        load_model(path.name, tmp_path)


def test_the_packaged_model_opens_and_is_small():
    model = load_model("acrenet-s")
    assert isinstance(model, Model)
    assert model.card.bands == BANDS
    assert model.card.health == "not validated"
    assert model.card.licence == "Apache-2.0"
    folder = Path(load_model.__code__.co_filename).parent / "weights"
    assert (folder / "acrenet-s.safetensors").stat().st_size < 5_000_000


def test_season_bins_follow_the_harvest_year():
    axis = make_card().axis.of(2018)
    assert (str(axis.start), str(axis.end), axis.bins) == ("2017-10-01", "2018-12-15", 8)


def test_members_are_averaged():
    card = make_card(architecture=Architecture(stem=8, width=8, levels=(8, 8, 8), dropout=0, members=2))
    net = build_net(card).eval()
    x, apart = torch.rand(1, 8, len(CHANNELS), 8, 8), torch.rand(1, 8, departures.CHANNELS, 8, 8)
    y = net.embed(x)
    told = (*net.decode(y), *net.fare(x, y, apart))  # crops of both slots, edge, health, vigour
    one, two = (
        (*member.decode(own), *member.fare(x, own, apart)) for member in net.members for own in [member.embed(x)]
    )
    for head in (0, 1, 3):  # log-probabilities
        mean = (one[head].log_softmax(1) + two[head].log_softmax(1)) / 2
        assert torch.allclose(told[head], mean, atol=1e-6)
        assert not torch.equal(one[head], two[head])
    for head in (2, 4):
        assert torch.allclose(told[head], (one[head] + two[head]) / 2, atol=1e-6)


def test_an_unseen_bin_is_played_down_by_the_attention():
    torch.manual_seed(0)
    net = AcreNet(bins=8, crops_a=3, crops_b=3, healths=3, stem=8, width=8, levels=(8, 8)).eval()
    x = torch.rand(1, 8, len(CHANNELS), 4, 4)
    seen, unseen = x.clone(), x.clone()
    at = CHANNELS.index("support")
    seen[:, :, at], unseen[:, :, at] = 1, 0
    assert not torch.equal(net.embed(seen), net.embed(unseen))


def test_a_stac_item_of_the_model_stands_beside_the_weights(tmp_path):
    import pystac.validation

    card = make_model().card
    save_model(build_net(card), card, tmp_path)
    item = pystac.Item.from_file(str(tmp_path / f"{card.name}.stac.json"))
    told = json.loads((tmp_path / f"{card.name}.stac.json").read_text(encoding="utf-8"))
    pystac.validation.validate_dict({**told, "stac_extensions": []})  # the core; the extension's schema is on the net
    assert item.properties["mlm:name"] == card.name
    assert [band["name"] for band in item.properties["mlm:input"][0]["bands"]] == list(card.bands)
    assert [out["name"] for out in item.properties["mlm:output"]] == ["crop of slot A", "crop of slot B", "health"]
    assert item.properties["mlm:total_parameters"] > 0
    assert item.assets["model"].href.endswith(f"{card.name}.safetensors")
    assert _breaks_the_extension(told) == []


def _breaks_the_extension(told):
    """What the MLM schema asks beyond the types that pystac writes: artifact type, a dimension `bands`, bands told."""
    models = [one for one in told["assets"].values() if "mlm:model" in one["roles"]]
    others = [one for one in told["assets"].values() if "mlm:model" not in one["roles"]]
    rules = {
        "a model asset": len(models) >= 1,
        "artifact type of the model": all(one.get("mlm:artifact_type") for one in models),
        "artifact type of nothing else": not any("mlm:artifact_type" in one for one in others),
        "dimension bands": all("bands" in one["input"]["dim_order"] for one in told["properties"]["mlm:input"]),
        "as many dimensions": all(
            len(one["input"]["dim_order"]) == len(one["input"]["shape"]) for one in told["properties"]["mlm:input"]
        ),
        "bands of the weights": all(
            [band["name"] for band in one.get("bands", [])]
            == [band["name"] for band in told["properties"]["mlm:input"][0]["bands"]]
            for one in models
        ),
    }
    return [name for name, kept in rules.items() if not kept]


@pytest.mark.parametrize("name", ["acrenet-s", "acrenet-toa"])
def test_the_items_that_ship_are_those_that_their_cards_give(name, tmp_path):
    model = load_model(name)
    folder = Path(departures.__file__).parent / "weights"
    parameters = sum(value.numel() for value in model.net.parameters())
    again = write_model_item(model.card, tmp_path, folder / f"{name}.safetensors", parameters)
    assert again.read_bytes() == (folder / f"{name}.stac.json").read_bytes()
    assert _breaks_the_extension(json.loads(again.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", ["acrenet-xs", "acrenet-m"])
def test_a_model_that_comes_without_weights_says_how_to_make_them(name: str) -> None:
    with pytest.raises(ConfigError, match=f"model {name}: no weights") as caught:
        load_model(name)
    assert caught.value.hint.startswith(f"train it first: acreline train {name} --out DIR")
