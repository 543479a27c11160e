# SPDX-License-Identifier: Apache-2.0
"""Drift between two runs: an index by hand, a test that knows n, and shifts planted in a drawn run."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from acreline import cli, tables
from acreline.errors import ConfigError, StoreError
from acreline.layers import BANDS, LOOK_COLUMNS
from acreline.review.compare import records
from acreline.review.drift import (
    COLUMNS,
    Binned,
    bin_classes,
    bin_numbers,
    chi_square,
    critical_index,
    measure_drift,
    stability_index,
)
from acreline.review.drift_runs import drift_figures, drift_lines, drift_page, drift_runs
from acreline.review.files import write_review
from acreline.review.page import render_page
from tests.made_publication import make_publication

N = 240


def draw_looks(parcels: int, *, shift: float = 0.0, seed: int = 1) -> pd.DataFrame:
    """Three looks of each parcel, ten clear pixels each; `shift` in reflectance on every band."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(parcels):
        level = rng.normal(0.18, 0.06)
        for month in (5, 6, 7):
            row = dict.fromkeys(LOOK_COLUMNS, 0) | {"parcel_id": f"P{number}", "pass_id": f"p{month}"}
            row |= {"time": pd.Timestamp(2018, month, 10, tz="UTC"), "n_seen": 10, "n_clear": 10}
            row |= {f"sum_{band}": round(10 * 10_000 * (level + rng.normal(0, 0.01) + shift)) for band in BANDS}
            row |= {"sum_ndvi": round(10 * 10_000 * rng.normal(0.6, 0.1))}
            rows.append(row)
    return pd.DataFrame(rows, columns=list(LOOK_COLUMNS))


def draw_run(folder: Path, parcels: int, *, shift: float = 0.0, seed: int = 1, maize: float = 0.5) -> Path:
    """The drawn publication with the looks and parcels of many fields of one kind."""
    publication = make_publication(folder)
    tables.write_table(draw_looks(parcels, shift=shift, seed=seed), publication / "looks.parquet")
    rng = np.random.default_rng(seed + 1000)
    crops = np.where(rng.random(parcels) < maize, "maize", "grassland")
    numbers = {
        name: rng.normal(1, 0.1, parcels)
        for name in ("metrics:area", "clear_looks", "crop_confidence", "vigour", "planted_fraction")
    }
    frame = {"id": [f"P{k}" for k in range(parcels)], "status": "ok", "crop": crops, "health": "normal", **numbers}
    tables.write_table(pd.DataFrame(frame), publication / "parcels.parquet")
    return publication


@pytest.fixture(scope="module")
def since(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_run(tmp_path_factory.mktemp("drift") / "since", N)


# --- the index ----------------------------------------------------------------------------------------------------
def test_the_index_by_hand() -> None:
    binned = Binned(("a", "b"), (50, 50), (75, 25))
    old, new = (50.5 / 101, 50.5 / 101), (75.5 / 101, 25.5 / 101)
    by_hand = sum((q - p) * math.log(q / p) for p, q in zip(old, new, strict=True))
    assert stability_index(binned) == pytest.approx(by_hand)
    assert stability_index(Binned(("a", "b"), (50, 50), (500, 500))) == pytest.approx(0, abs=1e-12)


def test_an_empty_bin_has_an_index() -> None:
    assert 1 < stability_index(Binned(("a", "b"), (60, 0), (0, 60))) < 20


@pytest.mark.parametrize(
    ("upper", "freedom", "value"),
    [(0.05, 1, 3.841459), (0.05, 2, 5.991465), (0.05, 9, 16.918978), (0.01, 4, 13.276704), (0.001, 19, 43.820196)],
)
def test_the_chi_square_is_the_one_of_the_tables(upper: float, freedom: int, value: float) -> None:
    assert chi_square(upper, freedom) == pytest.approx(value, abs=1e-5)


def test_the_critical_index_falls_with_n_and_is_nothing_of_one_bin() -> None:
    assert critical_index(50, 50, 10, 0.05) == pytest.approx(0.04 * 16.918978, abs=1e-6)
    assert critical_index(5000, 5000, 10, 0.05) < 0.01
    assert critical_index(50, 50, 1, 0.05) == 0


def test_bins_are_of_equal_share_and_missing_is_one_of_them() -> None:
    values = np.array([*range(100), *[np.nan] * 5], dtype="float64")
    binned = bin_numbers(values, values[:50])
    assert binned.names[-1] == "missing"
    assert binned.since == (20, 20, 20, 20, 20, 5)
    assert binned.now == (20, 20, 10, 0, 0, 0)[: len(binned.now)]
    assert binned.names[0].startswith("-inf to ")


def test_bins_of_a_constant_are_two_at_most() -> None:
    ones = np.ones(40)
    assert bin_numbers(ones, ones).names == ("-inf to 1",)
    assert sum(bin_numbers(ones, ones + 1).now) == 40
    assert bin_numbers(np.full(30, np.nan), ones).since == (0, 30)


def test_classes_are_counted_by_name() -> None:
    binned = bin_classes(["a", "b", None], ["b", "c"])
    assert binned == Binned(("a", "b", "c", "missing"), (1, 1, 0, 1), (0, 1, 1, 0))


# --- verdicts -----------------------------------------------------------------------------------------------------
def test_equal_land_of_fifty_is_chance_though_its_index_is_above_the_threshold() -> None:
    rng = np.random.default_rng(3)
    features = [(f"x{k}", rng.normal(size=50), rng.normal(size=50)) for k in range(50)]
    rows = records(measure_drift(features, []))
    assert {row["bins"] for row in rows} == {5}
    assert sum(row["psi"] > 0.10 for row in rows) > 10, "the convention alone would have told drift"
    assert {row["verdict"] for row in rows} == {"stable", "small_sample"}


def test_the_share_of_false_alarms_is_the_one_stated() -> None:
    rng = np.random.default_rng(5)
    over = 0
    for _ in range(1000):
        binned = bin_numbers(rng.normal(size=200), rng.normal(size=200))
        over += stability_index(binned) > critical_index(200, 200, len(binned.names), 0.05)
    assert 0.03 < over / 1000 < 0.08


def test_verdicts_by_size_and_index() -> None:
    rng = np.random.default_rng(7)
    base = rng.normal(size=4000)
    found = measure_drift(
        [
            ("same", base, rng.normal(size=4000)),
            ("a little", base, rng.normal(0.4, 1, 4000)),
            ("much", base, rng.normal(1, 1, 4000)),
            ("few", base[:50], rng.normal(0.3, 1, 50)),
            ("too few", base[:19], base),
        ],
        [],
    )
    assert tuple(found.columns) == COLUMNS
    verdicts = {row["name"]: row["verdict"] for row in records(found)}
    assert verdicts == {
        "much": "alert",
        "a little": "note",
        "few": "small_sample",
        "same": "stable",
        "too few": "too_few",
    }
    assert list(found["verdict"]) == ["alert", "note", "small_sample", "stable", "too_few"]
    assert found["psi"].isna().tolist() == [False] * 4 + [True]


# --- runs ---------------------------------------------------------------------------------------------------------
def test_a_shift_of_a_tenth_of_reflectance_alerts(since: Path, tmp_path: Path) -> None:
    now = draw_run(tmp_path / "now", N, shift=0.1, seed=2)
    rows = {row["name"]: row for row in records(drift_runs(now, since).table)}
    for band in BANDS:
        assert rows[band]["verdict"] == "alert"
        assert rows[band]["mean_now"] - rows[band]["mean_since"] == pytest.approx(0.1, abs=0.02)
        assert (rows[band]["n_since"], rows[band]["n_now"], rows[band]["bins"]) == (N, N, 10)
    assert rows["ndvi"]["verdict"] == "stable"


def test_equal_land_of_fifty_parcels_does_not_alert(since: Path, tmp_path: Path) -> None:
    now = draw_run(tmp_path / "now", 50, seed=3)
    rows = records(drift_runs(now, since).table)
    assert not [row["name"] for row in rows if row["verdict"] in ("alert", "note")]


def test_another_mix_of_crops_alerts(since: Path, tmp_path: Path) -> None:
    now = draw_run(tmp_path / "now", N, seed=4, maize=0.9)
    rows = {row["name"]: row for row in records(drift_runs(now, since).table)}
    assert rows["crop"]["verdict"] == "alert"
    assert rows["crop"]["bin_names"] == "grassland|maize"
    assert rows["outcome"]["verdict"] == "too_few"  # thirteen farms


def test_only_months_that_both_saw_are_compared(since: Path, tmp_path: Path) -> None:
    now = draw_run(tmp_path / "now", N, seed=2)
    looks = draw_looks(N, seed=2)
    winter = looks[looks["pass_id"] == "p5"].assign(time=pd.Timestamp(2018, 1, 5, tz="UTC"))
    winter[[f"sum_{band}" for band in BANDS]] += 50_000
    tables.write_table(pd.concat([looks, winter], ignore_index=True), now / "looks.parquet")
    found = drift_runs(now, since)
    assert found.months == (5, 6, 7)
    assert {row["verdict"] for row in records(found.table) if row["name"] in BANDS} <= {"stable", "small_sample"}


def test_a_run_held_against_itself_is_refused(since: Path) -> None:
    with pytest.raises(ConfigError, match="held against itself"):
        drift_runs(since, since)


def test_a_lost_table_is_a_storage_error(since: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(since, tmp_path / "broken")
    (broken / "looks.parquet").unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        drift_runs(broken, since)


def test_the_command_tells_drift_and_writes_it(since: Path, tmp_path: Path) -> None:
    now, out = draw_run(tmp_path / "now", N, shift=0.1, seed=2), tmp_path / "out"
    done = CliRunner().invoke(cli.app, ["drift", str(now), "--since", str(since), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "10 alert" in done.output
    figures = json.loads((out / "drift.json").read_text(encoding="utf-8"))
    assert figures["thresholds"] == {"alert": 0.25, "level": 0.05, "note": 0.1}
    assert len(pd.read_csv(out / "drift.csv")) == len(figures["rows"])
    assert "分布漂移" in (out / "drift.html").read_text(encoding="utf-8")


def test_the_same_drift_is_the_same_bytes(since: Path, tmp_path: Path) -> None:
    found = drift_runs(draw_run(tmp_path / "now", 60, seed=9), since)
    for name in ("a", "b"):
        write_review(tmp_path / name, "drift", {"drift": found.table}, drift_figures(found), drift_page(found))
    assert [p.read_bytes() for p in sorted((tmp_path / "a").iterdir())] == [
        p.read_bytes() for p in sorted((tmp_path / "b").iterdir())
    ]
    assert drift_lines(found)[0].startswith("made-square as of 2018-12-15, held against")


def test_runs_too_small_for_any_index_have_a_page_without_a_chart(tmp_path: Path) -> None:
    few = [draw_run(tmp_path / name, 5, seed=seed) for name, seed in (("a", 1), ("b", 2))]
    found = drift_runs(few[0], few[1])
    assert set(found.table["verdict"]) == {"too_few"}
    assert "<svg class" not in render_page(drift_page(found))
