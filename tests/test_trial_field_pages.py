# SPDX-License-Identifier: Apache-2.0
"""The pages of `acreline evaluate --task health|yield`: same figures as the file, no empty drawing, nothing loaded."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acreline.codes import find_code
from acreline.trial import evaluate_health, evaluate_yield
from acreline.trial.field_pages import LEAF_AREA, _round_up, render_yield
from acreline.trial.field_yields import SURVEY, read_survey, tell_yields
from acreline.trial.packaged import labels_folder
from tests.test_trial_fields import EARLY, LATE, series

RISE = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 0.8, 0.5, 0.2]


def made_rows(path: Path, **columns: Any) -> Path:
    rng = np.random.default_rng(0)
    tables = [series(RISE, plot=f"p{k}", **{n: np.abs(np.array(RISE) * 5 + rng.normal(0, 0.2, 10)) for n in columns})
              for k in range(14)]  # fmt: skip
    pd.concat(tables).to_csv(path, index=False)
    return path


def alone(page: str) -> bool:
    """Whether a page loads nothing."""
    return "default-src 'none'" in html.unescape(page) and not re.search(r"<script|https?://|url\(", page)


def test_a_page_of_health_holds_the_figures_of_the_file(tmp_path: Path) -> None:
    rows = made_rows(tmp_path / "rows.csv", lai=1, chlorophyll=1)
    metrics = evaluate_health(rows, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert alone(page)
    for column in ("lai", "chlorophyll"):
        told = metrics["measured"][column]
        for name in ("leaf area", "NDVI", "NDRE"):
            assert f"{told[name]['spearman']:.3f}" in page
    assert page.count('class="diagonal"') == 1  # leaf area is on the scale of what is told, chlorophyll is not
    assert page.count('aria-label="leaf area of ') == 12  # of 14 fields
    assert 'class="measured"' in page
    assert page.count('class="dot"') == 2 * metrics["measured"]["lai"]["n"]
    evaluate_health(rows, tmp_path / "again")
    assert (tmp_path / "again" / "index.html").read_text(encoding="utf-8") == page


def test_where_nothing_was_measured_there_is_no_comparison(tmp_path: Path) -> None:
    table = series(RISE, plot="p")
    table.loc[2, [name for name in table if name.endswith("_mean")]] = 6000
    table.to_csv(tmp_path / "rows.csv", index=False)
    evaluate_health(tmp_path / "rows.csv", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "there is no comparison" in page
    assert "无法比较" in page
    assert page.count("<svg") == 1  # the season of the one field
    assert all(words in page for words in find_code("cloud_doubtful").short)
    assert "1 of 10 looks (10.0 %)" in page


def test_a_number_without_end_is_not_drawn(tmp_path: Path) -> None:
    table = pd.read_csv(made_rows(tmp_path / "rows.csv", lai=1))
    table["lai"] = table["lai"].where(table.index % 7 > 0, np.inf)
    table.to_csv(tmp_path / "rows.csv", index=False)
    metrics = evaluate_health(tmp_path / "rows.csv", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count('class="dot"') == metrics["measured"]["lai"]["n"] == 120
    assert "inf" not in re.findall(r">([a-z]+)</text>", page)


@pytest.mark.parametrize(
    ("column", "same"),
    [
        ("lai", True), ("green_lai", True), ("lai_2000", True), ("plai", True), ("gai", True),
        ("leaf area index", True), ("leaf_area", True),
        ("leaf_nitrogen", False), ("specific_leaf_area", False), ("again", False), ("claim", False),
    ],
)  # fmt: skip
def test_only_leaf_area_is_drawn_on_the_scale_of_leaf_area(column: str, same: bool) -> None:
    assert (LEAF_AREA.search(column) is not None) is same


def test_a_page_of_yield_holds_the_figures_of_the_file(tmp_path: Path) -> None:
    metrics = evaluate_yield(labels_folder() / SURVEY, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert alone(page)
    assert f"{metrics['rmse_t_per_ha']:.2f}" in page
    assert f"{metrics['mean_predictor']['rmse_t_per_ha']:.2f}" in page
    assert page.count('class="bar"') == metrics["n"]
    assert page.count("<tr><td>") == metrics["fields"] + len(metrics["contradicted"])
    assert "冬大麦" in page


def test_one_or_two_known_yields_are_listed_and_not_drawn(tmp_path: Path) -> None:
    table = pd.concat(series(LATE, id=f"w{k}", crop="WW", yield_t_per_ha=7.13 if k else None) for k in range(3))
    table.to_csv(tmp_path / "rows.csv", index=False)
    metrics = evaluate_yield(tmp_path / "rows.csv", tmp_path / "out")
    assert metrics["n"] == 2
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert alone(page)
    assert "Fewer than three yields are known" in page
    assert "<svg" not in page
    assert page.count("<td>7.1</td>") == 2


def test_the_legend_names_the_crops_that_are_drawn_and_the_page_what_was_fitted(tmp_path: Path) -> None:
    metrics = evaluate_yield(labels_folder() / SURVEY, tmp_path)
    told = tell_yields(read_survey(), read_survey())
    told.loc[told.index[0], ["crop", "known"]] = ["maize", np.nan]
    told.loc[told.index[1], "crop"] = ""
    page = render_yield(metrics, told)
    assert re.findall(r"</svg>([a-z ]+) <span", page) == ["not said", "winter barley", "winter cereals"]
    assert "the width of the intervals" not in page
    assert "the width of the intervals" in render_yield(metrics | {"interval": "conformal"}, told)


def test_contradicted_crops_and_codes_stand_on_the_page(tmp_path: Path) -> None:
    early = [series(EARLY, id=f"b{k}", crop="WG") for k in range(4)]
    late = [series(LATE, id=f"w{k}", crop="WW") for k in range(4)]
    odd = [series(LATE, id="odd", crop="WG", harvested="WEIZEN"), series(LATE[:2], id="few", crop="WW")]
    pd.concat([*early, *late, *odd]).assign(Date=lambda t: t["Date"].str.replace("2018", "2021")).to_csv(
        tmp_path / "rows.csv", index=False
    )
    evaluate_yield(tmp_path / "rows.csv", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "Fewer than three yields are known" in page
    assert "<svg" not in page  # no yield is known: nothing to draw
    assert "Crops that are contradicted" in page
    for code in ("crop_contradicted", "ripens_otherwise", "few_looks", "not_surveyed"):
        assert all(words in page for words in find_code(code).short), code


@pytest.mark.parametrize(
    ("value", "end"), [(0.0, 1.0), (0.9, 1.0), (1.0, 1.0), (6.1, 8.0), (11.4, 12.0), (96.0, 100.0)]
)
def test_axes_end_on_round_numbers(value: float, end: float) -> None:
    assert _round_up(value) == pytest.approx(end)
