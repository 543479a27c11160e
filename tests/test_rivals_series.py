# SPDX-License-Identifier: Apache-2.0
"""Baselines on labelled series: boosting beside the forest in the report, and Presto from a file of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from acreline.errors import ConfigError, InputError
from acreline.model.series import LabelledSeries
from acreline.trial.evaluate import measure_series
from acreline.trial.packaged import read_packaged
from acreline.trial.page import render_report
from acreline.trial.rivals.boosting_series import boosting_inputs, boosting_says
from acreline.trial.rivals.presto import GROUPS, MONTHS, Presto, load_presto, token_mask, unit_vector
from acreline.trial.rivals.presto_series import BANDS, embeddings, monthly, presto_says, rebuilt, shuffled
from acreline.trial.tables import read_parcel_table
from acreline.trial.tasks import TASKS
from acreline.trial.words import report_table
from tests.made_labelled import made_model, parcel_table

ALL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def made_series(values: np.ndarray, times: list[str], bands: tuple[str, ...] = ALL) -> LabelledSeries:
    """Samples of surface reflectance, harvested in 2023."""
    n = len(values)
    words = np.array(["maize"] * n)
    return LabelledSeries(
        "B", "made", "L2A", 2023, bands, np.array(times, "datetime64[s]"), values.astype(np.float32),
        np.array([f"p{k}" for k in range(n)]), np.zeros(n, np.int64), words, words, words, words,
    )  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of Presto's shape with drawn weights."""
    torch.manual_seed(0)
    net = Presto()
    for table in (net.encoder.pos_embed, net.decoder.pos_embed, net.decoder.mask_token):
        torch.nn.init.normal_(table)
    path = tmp_path_factory.mktemp("presto") / "presto.pt"
    torch.save(net.state_dict(), path)
    return path


# --- boosting -----------------------------------------------------------------------------------------------------
def test_boosting_reads_months_of_clear_looks_only() -> None:
    values = np.full((1, 3, 10), 0.2)
    values[0, :, 6] = [0.3, 0.9, 0.5]
    series = made_series(values, ["2022-09-05", "2022-09-10", "2022-11-10"])
    rows = boosting_inputs("points")(series).reshape(14, -1)
    assert rows[:3, 6] == pytest.approx([0.6, 0.55, 0.5], abs=1e-6)  # B08: mean of two looks, bridged, seen
    cloudy = values.copy()
    cloudy[0, 1, 0] = 0.4  # bright blue at the top of the atmosphere: a cloud
    top = replace(made_series(cloudy, ["2022-09-05", "2022-09-10", "2022-11-10"]), level="L1C")
    rows = boosting_inputs("parcels")(top).reshape(14, -1)
    assert rows[:3, 6] == pytest.approx([0.3, 0.4, 0.5], abs=1e-6)


def test_boosting_tells_packaged_parcels_without_reciting_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr("acreline.trial.rivals.boosting_series.ROUNDS", 20)
    packaged = read_packaged("bavaria-2018")
    known = packaged.keep(np.isin(packaged.group, list(TASKS["A"].groups)))
    steps = []
    told = boosting_says(known, TASKS["A"], lambda *step: steps.append(step))
    assert told.seen == told.n_train == len(known.ids)
    assert {step[2] for step in steps} == {"gradient boosting"}
    assert len(steps) == steps[0][1] == 5  # one fit for each fold
    names = np.array(list(TASKS["A"].groups))
    assert 0.75 < float((names[told.probability.argmax(axis=1)] == known.group).mean()) < 0.99
    np.testing.assert_allclose(told.probability.sum(axis=1), 1, atol=1e-6)


def test_the_report_has_boosting_beside_the_forest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setattr("acreline.trial.forest.TREES", 10)
    monkeypatch.setattr("acreline.trial.rivals.boosting_series.ROUNDS", 5)
    path = tmp_path / "parcels.csv"
    parcel_table([115, 400, 451, 131]).to_csv(path, index=False)
    metrics = measure_series(read_parcel_table(path), made_model("L1C"), "0" * 64)
    told = metrics["gradient_boosting"]
    assert {"oa", "macro_f1", "n_train", "trained_on", "ci95", "per_class", "seen_in_training", "how"} <= set(told)
    assert told["trained_on"] == "bavaria-2018"
    assert told["n_train"] == 176
    page = render_report(metrics)
    assert "gradient boosting" in page
    assert "梯度提升" in page
    assert any(line.startswith("boosting ") for line in report_table(metrics))


def test_boosting_without_its_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = read_packaged("bavaria-2018").keep(np.arange(3))
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    with pytest.raises(ConfigError, match="gradient boosting baseline needs scikit-learn"):
        boosting_says(packaged, TASKS["A"])


# --- Presto -------------------------------------------------------------------------------------------------------
def test_months_are_means_from_november_to_october() -> None:
    values = np.full((2, 4, 10), 0.2)
    values[0, :, 6] = [0.9, 0.3, 0.5, 0.4]  # B08 on four days, of which the first is before November
    values[1] = np.nan
    series = made_series(values, ["2022-10-31", "2022-11-03", "2022-11-30", "2023-10-31"])
    inputs, seen = monthly(series)
    assert {name: tuple(one.shape) for name, one in inputs.items()} == {n: (2, 12, k) for n, k in GROUPS.items()}
    torch.testing.assert_close(inputs["S2_NIR_10m"][0, :, 0], torch.tensor([0.4, *[0.0] * 10, 0.4]))
    assert seen["S2_RGB"][0].tolist() == [True, *[False] * 10, True]
    assert inputs["NDVI"][0, 0, 0] == pytest.approx((0.4 - 0.2) / 0.6)
    assert not any(one[1].any() for one in seen.values())
    assert not seen["S1"].any()
    assert not seen["ERA5"].any()


def test_a_group_that_the_series_lacks_is_hidden_and_no_group_at_all_is_refused() -> None:
    values = np.full((1, 2, 9), 0.2)
    few = tuple(band for band in ALL if band != "B8A")
    _, seen = monthly(made_series(values, ["2023-03-01", "2023-04-01"], few))
    assert not seen["S2_NIR_20m"].any()
    assert seen["S2_SWIR"].any()
    with pytest.raises(InputError, match="made: holds no whole group of Presto's bands"):
        monthly(made_series(values[:, :, :2], ["2023-03-01", "2023-04-01"], ("B02", "B05")))


def test_a_missing_or_foreign_file_of_weights_is_told(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pt: no such file of Presto weights") as told:
        load_presto(tmp_path / "none.pt")
    assert "acreline does not carry it" in told.value.hint
    text = tmp_path / "text.pt"
    text.write_text("no weights", encoding="utf-8")
    with pytest.raises(InputError, match=r"text\.pt: "):
        load_presto(text)
    less = torch.load(weights, weights_only=True)
    del less["encoder.norm.weight"]
    torch.save(less, tmp_path / "less.pt")
    with pytest.raises(InputError, match=r"less\.pt: not the tensors of Presto"):
        load_presto(tmp_path / "less.pt")


def test_presto_has_the_published_number_of_weights_and_its_file_is_read_strictly(weights: Path) -> None:
    net = load_presto(weights)
    assert sum(table.numel() for table in net.parameters()) == 823_002
    assert not net.training


def test_what_was_not_seen_says_nothing(weights: Path) -> None:
    net = load_presto(weights)
    rng = np.random.default_rng(0)
    inputs, seen = monthly(made_series(rng.uniform(0, 0.5, (3, 2, 10)), ["2023-03-01", "2023-07-01"]))
    place = unit_vector(10.0, 50.0).expand(3, -1)
    told = net.embed(inputs, seen, place, 10)
    assert told.shape == (3, 128)
    other = {name: torch.where(seen[name][..., None], one, torch.rand_like(one)) for name, one in inputs.items()}
    torch.testing.assert_close(net.embed(other, seen, place, 10), told)
    less = seen | {"S2_SWIR": torch.zeros(3, MONTHS, dtype=torch.bool)}
    assert not torch.allclose(net.embed(inputs, less, place, 10), told)
    assert token_mask(seen).shape == (3, 1 + 12 * 8 + 1)  # the place, eight groups by month, terrain once


def test_the_month_of_the_year_is_told_apart_from_the_step(weights: Path) -> None:
    net = load_presto(weights)
    inputs, seen = monthly(made_series(np.full((1, 1, 10), 0.3), ["2023-05-05"]))
    place = unit_vector(0.0, 0.0)[None]
    torch.testing.assert_close(place, torch.tensor([[1.0, 0.0, 0.0]]))
    assert not torch.allclose(net.embed(inputs, seen, place, 10), net.embed(inputs, seen, place, 4))


def test_hiding_a_group_rebuilds_each_of_them_and_another_order_is_another_series(weights: Path) -> None:
    net = load_presto(weights)
    rng = np.random.default_rng(1)
    series = made_series(rng.uniform(0, 0.5, (4, 3, 10)), ["2023-03-01", "2023-05-01", "2023-07-01"])
    r = rebuilt(net, series)
    assert set(r) == set(BANDS)
    assert all(-1 <= value <= 1 for value in r.values())
    assert r != rebuilt(net, series, shuffled)
    inputs, _ = monthly(series)
    turned = shuffled(inputs)
    torch.testing.assert_close(turned["S2_Red_Edge"], inputs["S2_RGB"])
    torch.testing.assert_close(turned["S2_RGB"][..., :1], inputs["S2_NIR_20m"])


def test_presto_names_the_group_of_packaged_parcels_by_folds(weights: Path) -> None:
    pytest.importorskip("sklearn")
    packaged = read_packaged("bavaria-2018")
    known = packaged.keep(np.isin(packaged.group, ["grassland", "maize"])).keep(np.arange(0, 100, 5))
    told = presto_says(known, TASKS["A"], weights)
    assert told.probability.shape == (20, 6)
    assert told.seen == 20
    np.testing.assert_allclose(told.probability.sum(axis=1), 1, atol=1e-6)
    x = embeddings(load_presto(weights), known)
    assert x.shape == (20, 128)
    assert x.dtype == np.float32
