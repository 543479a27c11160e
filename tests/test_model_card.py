# SPDX-License-Identifier: Apache-2.0
"""A checkpoint opens only when weights, card and house fit together; every refusal says what was found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml

from acreline.config import Crop
from acreline.errors import ConfigError
from acreline.layers import BANDS
from acreline.model import load_model
from acreline.model.card import Model, build_net, save_model
from acreline.model.net import AcreNet
from tests.test_model_segment import make_card, make_model


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model = make_model()
    return save_model(model.net, model.card, tmp_path)


def edit_card(settings: Path, **changes) -> None:
    path = settings.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_checkpoint_comes_back_as_it_was_saved(saved):
    model = load_model(saved.name, saved.parent)
    x = torch.rand(1, 8, 8, 8, 8)
    before = make_model().net(x)
    after = model.net(x)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])
    assert model.calibration.temperature == 1.5
    assert model.card.crop_codes == {name: i + 1 for i, name in enumerate(model.card.crop_classes)}
    assert not model.net.training


def test_the_digest_hangs_on_weights_and_card(saved):
    first = load_model(saved.name, saved.parent).digest
    edit_card(saved, temperature=1.6)
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
    edit_card(saved, architecture={"stem": 8, "width": 8, "levels": [8, 8, 8], "dropout": 0})
    with pytest.raises(ConfigError, match="the weights do not have the shape of the card"):
        load_model(saved.name, saved.parent)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bands": ["B10"]}, "bands .'B10'. are not read by acreline"),
        ({"health_classes": ["normal"]}, "health classes: expected .*, found .'normal'."),
        ({"crop_slots": {"rice": "B"}}, "unknown crop class .*rice"),
        ({"crop_classes": ["maize", "maize"]}, "a crop class stands twice"),
        ({"temperature": 0}, "temperature: Input should be greater than 0"),
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
    unknown = crop.model_copy(update={"slug": "quinoa"})
    load_model(saved.name, saved.parent, crops={"quinoa": unknown})  # not known to the model: no contradiction


def test_a_weight_that_is_not_a_number_is_refused(tmp_path):
    model = make_model()
    next(model.net.parameters()).data[0] = float("nan")
    path = save_model(model.net, model.card, tmp_path)
    with pytest.raises(ConfigError, match="a weight is not a number"):
        load_model(path.name, tmp_path)


def test_the_packaged_model_opens_and_is_small():
    model = load_model("acrenet-xs")
    assert isinstance(model, Model)
    assert set(model.card.bands) <= set(BANDS)
    assert model.card.health == "not validated"
    assert model.card.licence == "Apache-2.0"
    folder = Path(load_model.__code__.co_filename).parent / "weights"
    assert (folder / "acrenet-xs.safetensors").stat().st_size < 5_000_000


def test_season_bins_follow_the_harvest_year():
    axis = make_card().axis.of(2018)
    assert (str(axis.start), str(axis.end), axis.bins) == ("2017-10-01", "2018-12-15", 8)


def test_members_are_averaged():
    card = make_card(architecture={"stem": 4, "width": 8, "levels": [8, 8, 8], "dropout": 0, "members": 2})
    net = build_net(card).eval()
    x = torch.rand(1, 8, 8, 8, 8)
    one, two = (member(x)[0].log_softmax(1) for member in net.members)
    assert torch.allclose(net(x)[0], (one + two) / 2, atol=1e-6)
    assert not torch.equal(one, two)


def test_an_unseen_bin_is_played_down_by_the_attention():
    torch.manual_seed(0)
    net = AcreNet(bins=8, bands=2, crops=3, healths=3, stem=4, width=8, levels=(8, 8)).eval()
    x = torch.rand(1, 8, 4, 4, 4)
    seen, unseen = x.clone(), x.clone()
    seen[:, :, 2], unseen[:, :, 2] = 1, 0
    assert not torch.equal(net.embed(seen), net.embed(unseen))
