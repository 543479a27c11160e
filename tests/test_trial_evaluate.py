# SPDX-License-Identifier: Apache-2.0
"""Labelled data of anyone in, one report out: same figures each time, nothing hidden, nothing from the network."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from acreline.cli import app
from acreline.errors import AcrelineError, ConfigError, InputError, StoreError
from acreline.model.card import save_model
from acreline.model.series import LabelledSeries, classify_series, classify_slots, set_thresholds, slot_logp, why_silent
from acreline.trial.evaluate import MODEL_PART, evaluate_data, group_probability, measure_series, regions
from acreline.trial.forest import binned_inputs, forest_says, parcel_inputs
from acreline.trial.packaged import read_packaged
from acreline.trial.page import render_report
from acreline.trial.squares import read_square
from acreline.trial.tables import read_parcel_table, read_point_table
from acreline.trial.tasks import TASKS, region_task
from acreline.trial.words import report_table
from tests.made_labelled import made_model, parcel_table, point_table, write_square

pytest.importorskip("sklearn")
pytest.importorskip("h5netcdf")
POINTS = [1101060000, 1101060000, 2001020022, 2001020022, 1101010011, 1106000010, 1101070000, 4711]


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    model = made_model()
    return str(save_model(model.net, model.card, tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("points") / "points.parquet"
    point_table(POINTS).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def told(points: Path, model_file: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on points."""
    out = tmp_path_factory.mktemp("report")
    evaluate_data(points, out, model=model_file)
    return out


# --- how a model speaks -------------------------------------------------------------------------------------------
def test_a_model_speaks_in_log_probabilities_that_add_up_to_one(points: Path) -> None:
    model, series = made_model(), read_point_table(points)
    steps = []
    logp = classify_series(model, series, lambda done, total: steps.append((done, total)))
    assert logp.dtype == np.float32
    assert logp.shape == (len(POINTS), len(model.card.crop_classes))
    np.testing.assert_allclose(np.exp(logp).sum(axis=1), 1, atol=1e-5)
    assert steps[-1] == (len(POINTS), len(POINTS))
    np.testing.assert_array_equal(classify_series(model, series.keep(np.array([3, 1]))), logp[[3, 1]])


def test_a_series_cut_at_a_day_knows_nothing_later(points: Path) -> None:
    from datetime import date

    series = read_point_table(points)
    early = series.until(date(2022, 12, 31))
    assert str(early.times.max())[:10] <= "2022-12-31"
    assert early.values.shape[1] == len(early.times)
    nothing = classify_series(made_model(), series.until(date(2000, 1, 1)))
    assert len(np.unique(nothing, axis=0)) == 1


def test_top_of_atmosphere_is_refused_by_a_model_of_surface_reflectance(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([115, 400]).to_csv(path, index=False)
    series = read_parcel_table(path)
    words = r"this model \(tiny\) reads surface reflectance; parcels.csv is top of atmosphere; choose a model"
    assert re.match(words, str(why_silent(made_model(), series)))
    with pytest.raises(ConfigError, match=words):
        classify_series(made_model(), series)
    assert classify_series(made_model("L1C"), series).shape[0] == 2


def test_a_missing_band_is_named_and_b08_may_stand_in(points: Path) -> None:
    series = read_point_table(points)
    assert "B8A" not in series.bands
    cut = [band for band in series.bands if band != "B11"]
    at = [series.bands.index(band) for band in cut]
    less = replace(series, bands=tuple(cut), values=series.values[:, :, at])
    with pytest.raises(ConfigError, match=r"needs the bands B11, which points\.parquet lacks"):
        classify_series(made_model(), less)


def test_classes_of_a_group_are_added_up_and_those_not_scored_left_out() -> None:
    classes = ("winter_cereal", "winter_barley", "maize", "cotton")
    share = np.array([[0.2, 0.2, 0.1, 0.5], [0.0, 0.0, 0.0, 1.0]])
    with np.errstate(divide="ignore"):
        told = group_probability(np.log(share), classes, TASKS["B"])
    names = list(TASKS["B"].groups)
    assert told[0, names.index("winter_cereal")] == pytest.approx(0.8)
    assert told[0, names.index("maize")] == pytest.approx(0.2)
    np.testing.assert_allclose(told.sum(axis=1), 1)


def test_each_season_is_told_by_its_own_head() -> None:
    from acreline.model.classes import HEADS

    rng = np.random.default_rng(0)
    slots = {slot: rng.normal(size=(3, len(HEADS[slot]))) for slot in ("A", "B")}
    told = slot_logp(slots, np.array(["A", "B", "AB"]), ("winter_cereal", "maize", "grassland"))
    assert told[0, 0] == slots["A"][0, HEADS["A"].index("winter_cereal")]
    assert told[0, 1] == -np.inf  # maize is no crop of the early season
    assert told[1, 1] == slots["B"][1, HEADS["B"].index("maize")]
    both = [slots[slot][2, HEADS[slot].index("grassland")] for slot in ("A", "B")]
    assert told[2, 2] == pytest.approx(np.mean(both))


def test_the_card_says_from_which_probability_a_class_is_in_the_set(points: Path) -> None:
    model, series = made_model(), read_point_table(points)
    slots = classify_slots(model, series)
    thresholds, alpha = set_thresholds(model, series, ("maize", "none"), slots)
    assert thresholds.shape == (len(POINTS), 2)
    assert (thresholds == 0.1).all()
    assert alpha == 0.1


# --- the forest ---------------------------------------------------------------------------------------------------
def test_bins_are_means_with_gaps_bridged_and_ends_held(points: Path) -> None:
    series = read_point_table(points)
    kept = replace(series, values=np.full_like(series.values, np.nan))
    kept.values[0, 0], kept.values[0, 9] = 0.2, 0.5  # 6 September and 5 December: bins 0 and 3
    x = binned_inputs(kept, series.bands, (("B08", "B04"),)).reshape(len(POINTS), -1, 10)
    assert x[0, :5, 0] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.5], abs=1e-6)
    assert x[0, -1, 0] == pytest.approx(0.5)
    assert (x[:, :, 9] == 0).all()
    assert (x[1] == 0).all()
    with pytest.raises(InputError, match="lacks the bands B09"):
        binned_inputs(series, ("B09",), ())


def test_packaged_parcels_go_in_as_their_plain_numbers() -> None:
    series = read_packaged("bavaria-2018")
    np.testing.assert_array_equal(parcel_inputs(series), series.values.reshape(len(series.ids), -1))


def test_what_is_packaged_is_told_by_a_forest_that_never_saw_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acreline.trial.forest.TREES", 15)
    packaged = read_packaged("bavaria-2018")
    known = packaged.keep(np.isin(packaged.group, list(TASKS["A"].groups)))
    baseline = forest_says(known, TASKS["A"])
    assert baseline.seen == len(known.ids)
    assert baseline.n_train == len(known.ids)
    names = np.array(list(TASKS["A"].groups))
    hit = float((names[baseline.probability.argmax(axis=1)] == known.group).mean())
    assert 0.7 < hit < 0.97  # it does not recite them
    fresh = forest_says(replace(known, values=known.values * np.float32(1.01)), TASKS["A"])
    assert fresh.seen == 0
    assert float((names[fresh.probability.argmax(axis=1)] == known.group).mean()) > hit


# --- the report ---------------------------------------------------------------------------------------------------
def test_the_figures_have_every_key_and_their_counts_add_up(told: Path) -> None:
    metrics = json.loads((told / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["task"] == "B"
    assert metrics["n"] == 6
    assert metrics["data"]["rows"] == len(POINTS)
    assert len(metrics["data"]["sha256"]) == 64
    assert {row["code"]: row["n"] for row in metrics["not_scored"]} == {1101070000: 1, 4711: 1}
    assert next(row["name"] for row in metrics["not_scored"] if row["code"] == 4711) == "not listed"
    assert set(MODEL_PART) <= set(metrics)
    assert sum(map(sum, metrics["confusion"]["rows_true_columns_found"])) == 6
    assert metrics["random_forest"]["n_train"] == 262
    assert metrics["random_forest"]["seen_in_training"] == 0
    assert metrics["accuracy_at_80"] == next(r["accuracy"] for r in metrics["risk_coverage"] if r["kept"] == 0.8)
    assert [row["until"] for row in metrics["by_month"]][:2] == ["2023-01-31", "2023-02-28"]
    assert metrics["by_month"][-1]["oa"] == metrics["oa"]
    assert metrics["by_size"] is None
    assert metrics["why"]["by_size"] == "the data do not say how large the fields are"
    assert metrics["regions"] is None
    assert metrics["simulated"] is False


def test_the_same_data_give_the_same_bytes(told: Path, points: Path, model_file: str, tmp_path: Path) -> None:
    evaluate_data(points, tmp_path, model=model_file)
    for name in ("metrics.json", "index.html"):
        assert (tmp_path / name).read_bytes() == (told / name).read_bytes()


def test_the_page_needs_no_network_and_no_script(told: Path) -> None:
    page = (told / "index.html").read_text(encoding="utf-8")
    assert "http:" not in page
    assert "https:" not in page
    assert "<script" not in page
    assert not re.search(r"\b(src|href)=", page)
    assert not re.search(r"\bstyle=", page)  # the policy would drop it
    assert "default-src 'none'" in html.unescape(page)


def test_the_page_names_every_class_in_both_languages_and_what_it_cannot_prove(told: Path) -> None:
    page = (told / "index.html").read_text(encoding="utf-8")
    for words in (
        "winter cereals",
        "冬谷物",
        "maize",
        "玉米",
        "What this cannot prove",
        "不能证明",
        "random forest",
        "majority",
    ):
        assert words in page
    assert "simulated" not in page
    assert "n 6" in page


def test_what_is_simulated_says_so_wherever_a_figure_stands(told: Path) -> None:
    metrics = json.loads((told / "metrics.json").read_text(encoding="utf-8"))
    page = render_report(metrics | {"simulated": True})
    assert page.count("on simulated data") >= 6
    assert "模拟" in page
    assert "on simulated data" in next(iter(report_table(metrics | {"simulated": True})))


def test_a_model_that_cannot_read_the_data_leaves_its_part_empty_with_a_reason(tmp_path: Path, model_file: str) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([115, 400, 451, 131, 9999]).to_csv(path, index=False)
    report = evaluate_data(path, tmp_path / "out", model=model_file)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert all(metrics[key] is None for key in MODEL_PART)
    assert "choose a model whose card says so" in metrics["why"]["oa"]
    assert metrics["random_forest"]["oa"] is not None
    assert metrics["majority_oa"] == 0.25
    page = report.page.read_text(encoding="utf-8")
    assert "The model&#39;s part is empty" in page or "The model's part is empty" in page
    assert "<svg" not in page  # no empty drawing
    assert any("no figures of the model: this model (tiny)" in line for line in report_table(metrics))


def test_a_model_of_that_level_fills_it(tmp_path: Path) -> None:
    path = tmp_path / "parcels.csv"
    parcel_table([115, 400, 451, 131]).to_csv(path, index=False)
    metrics = measure_series(read_parcel_table(path), made_model("L1C"), "0" * 64)
    assert metrics["oa"] is not None
    assert set(metrics["per_class"]) <= set(TASKS["A"].groups)


def test_a_square_is_told_by_pixel_and_by_region(tmp_path: Path, model_file: str) -> None:
    codes = np.zeros((8, 8), int)
    codes[:4, :4], codes[6:, :], codes[0, 6:] = 1200, 9120, 5100
    report = evaluate_data(write_square(tmp_path / "site", codes), tmp_path / "out", model=model_file)
    metrics = report.metrics
    assert metrics["n"] == 16 + 16 + 2
    assert metrics["regions"]["n"] == metrics["places"] == 3
    assert [row["pixels"] for row in metrics["regions"]["list"]] == [16, 2, 16]
    assert metrics["random_forest"]["trained_on"] == "france-2023 and flanders-2019"
    assert "Region by region" in report.page.read_text(encoding="utf-8")
    assert any(line.startswith("regions right: model") for line in report_table(metrics))


def test_pixels_of_a_square_that_are_not_scored_are_left_out_and_counted(tmp_path: Path, model_file: str) -> None:
    codes = np.zeros((8, 8), int)
    codes[:4, :4], codes[6:, :], codes[0, 6:] = 1200, 4711, 5100
    series = read_square(write_square(tmp_path / "site", codes))
    assert series.picture is not None
    kept = series.keep(series.code != 4711)
    assert kept.picture is not None
    assert kept.picture.at.tolist() == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, *range(16, 20), *range(24, 28)]
    metrics = evaluate_data(tmp_path / "site", tmp_path / "out", model=model_file).metrics
    assert metrics["n"] == 16 + 2
    assert sum(row["n"] for row in metrics["not_scored"]) == 16
    assert sum(map(sum, metrics["confusion"]["rows_true_columns_found"])) == 18


def test_a_region_takes_the_highest_mean_probability_of_its_pixels() -> None:
    share = np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.8, 0.2]])
    told = regions(np.array([1, 1, 1, 0]), share, ["maize", "grass"], np.array(["r1", "r1", "r1", "r2"]))
    assert (told["n"], told["right"]) == (2, 2)  # two of three pixels of r1 say maize, their mean says grass


def test_seasons_of_parcels_are_scored_by_slot(points: Path) -> None:
    base = read_point_table(points).keep(np.arange(4))
    slug = np.array(["winter_cereal", "maize", "perennial", "none"])
    series = replace(
        base, task="region", slug=slug, group=slug, slot=np.array(["A", "B", "AB", "B"]), simulated=True,
        size_m2=np.array([500.0, 2000.0, 2000.0, 20000.0]),
    )  # fmt: skip
    metrics = measure_series(series, made_model(), "0" * 64)
    assert [(row["slot"], row["n"]) for row in metrics["by_slot"]] == [("A", 1), ("B", 2), ("AB", 1)]
    assert [row["n"] for row in metrics["by_size"]] == [1, 2, 1]
    page = render_report(metrics)
    assert "By season, on simulated data" in page
    assert "nothing grown" in page
    assert region_task(slug).name == "region"


def test_training_data_of_the_model_are_called_no_evidence() -> None:
    packaged = read_packaged("france-2023")
    some = packaged.keep(np.flatnonzero(np.isin(packaged.group, ["maize", "grassland"]))[:8])
    metrics = measure_series(some, made_model(sources=("france-2023",)), "0" * 64)
    assert metrics["model"]["taught_by_these"] == 8
    assert "Not evidence" in render_report(metrics)
    assert any(line.startswith("not evidence: 8 of these points") for line in report_table(metrics))
    assert measure_series(some, made_model(), "0" * 64)["model"]["taught_by_these"] == 0


def test_data_without_a_scored_label_are_refused(points: Path) -> None:
    series: LabelledSeries = read_point_table(points)
    with pytest.raises(
        InputError, match=r"points\.parquet: no sample has a label that is scored; found .*\(4711\)"
    ) as caught:
        measure_series(series.keep(np.array([6, 7])), made_model(), "0" * 64)
    assert "maize" in caught.value.hint


def test_data_without_one_value_are_refused_and_samples_without_one_are_counted(points: Path) -> None:
    series: LabelledSeries = read_point_table(points)
    empty = replace(series, values=np.full_like(series.values, np.nan))
    with pytest.raises(InputError, match=r"points\.parquet: not one of its 6 points has a value on any date"):
        measure_series(empty, made_model(), "0" * 64)
    some = series.values.copy()
    some[:2] = np.nan
    notes = measure_series(replace(series, values=some), made_model(), "0" * 64)["data"]["notes"]
    assert notes[-1] == "2 of them have no value on any date and count all the same"


def test_a_folder_that_cannot_be_written_is_told(points: Path, model_file: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="the report cannot be written: it is a file"):
        evaluate_data(tmp_path / "nowhere.csv", tmp_path / "file", model=model_file)  # said before data are read
    with pytest.raises(StoreError, match=r"the report cannot be written: .*Not a directory"):
        evaluate_data(points, tmp_path / "file" / "deeper", model=model_file)


# --- the command --------------------------------------------------------------------------------------------------
def test_the_command_prints_a_short_table_and_where_the_page_is(points: Path, model_file: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["evaluate", "--data", str(points), "--out", str(out), "--model", model_file])
    assert done.exit_code == 0, done.output
    assert "task B, 6 points in 6 places" in done.stdout
    for row in ("model ", "random forest ", "majority "):
        assert re.search(rf"^{row}", done.stdout, re.MULTILINE)
    assert done.stdout.strip().endswith(f"report: {out / 'index.html'}")
    assert "not scored: 2 of 8: not listed (4711) 1, sorghum (1101070000) 1" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--out", "x"], ["--data", "x"], ["--labels", "x"]],
)
def test_the_command_asks_for_both_of_its_paths(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert isinstance(done.exception, AcrelineError)
    assert "--data and --out go together" in str(done.exception)
