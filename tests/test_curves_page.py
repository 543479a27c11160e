# SPDX-License-Identifier: Apache-2.0
"""The page of a training's curves: whole without a network, and its marks where the numbers say."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acreline.errors import InputError
from acreline.trial.curves_page import (
    HEADS,
    curves_beside,
    log_levels,
    loss_drawing,
    render_curves,
    score_drawing,
    smooth,
    spread,
    write_curves,
)


def rows(lift: float = 0.0) -> list[dict[str, float]]:
    return [
        {
            "step": step, "crop_a": 2.0 / k, "crop_b": 3.0 / k, "health": 1.0, "vigour": 0.5, "edge": 0.02,
            "f1_crop_a": 0.2 * k + lift, "f1_crop_b": 0.1 * k + lift, "f1_health": 0.3,
        }
        for k, step in enumerate((10, 20, 30, 40), start=1)
    ]  # fmt: skip


TRAINING: dict[str, Any] = {
    "curves": [rows(), rows(0.1)], "device": "cpu", "minutes_drawing": 1.5, "minutes_teaching": 4.0, "processes": 2,
    "get_it_again": "acreline train <made> --seed 7", "watched_on": "loess-12-3, on simulated data, never learned from",
}  # fmt: skip


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = render_curves("made", TRAINING, {"seed": 7})
    assert "default-src 'none'" in html.unescape(page)
    assert not re.search(r"<script|https?://|\bsrc=|@import|url\(", page)
    assert " style=" not in page  # the policy forbids them
    assert page == render_curves("made", TRAINING, {"seed": 7})


def test_the_page_says_what_was_learned_and_on_what_it_was_watched() -> None:
    page = render_curves("made", TRAINING, {"seed": 7})
    assert "Macro-F1 by head, on simulated data" in page
    assert "never learned from" in page
    assert "2 networks of 40 steps, seed 7, on cpu" in page
    assert "acreline train &lt;made&gt; --seed 7" in page
    for english, chinese, _ in HEADS.values():
        assert english in page
        assert chinese in page
    assert page.count('class="bold"') == 5 + 3
    assert page.count('class="faint"') == 2 * (5 + 3)
    cells = re.findall(r"<td>(?:<b>)?([\d.–]+)(?:</b>)?</td>", page)
    assert cells[:4] == ["2.000", "0.500", "0.250", "0.850"]  # slot A: loss and macro-F1, first and last row's mean


def test_without_watched_land_figures_are_those_of_the_batch() -> None:
    training = {name: value for name, value in TRAINING.items() if name != "watched_on"}
    page = render_curves("made", training, {"seed": 7})
    assert "on simulated data" not in page
    assert "real and simulated ones" in page


def test_a_training_that_has_no_scores_has_no_empty_drawing() -> None:
    bare = [{key: value for key, value in row.items() if not key.startswith("f1_")} for row in rows()]
    page = render_curves("made", {"curves": [bare]}, {"seed": 7})
    assert "Macro-F1 by head" not in page
    assert page.count('class="bold"') == 5


def test_the_page_is_written_beside_the_card(tmp_path: Path) -> None:
    settings = tmp_path / "made.yaml"
    card = {"name": "made", "recipe": {"seed": 7}, "metrics": {"training": TRAINING}}
    settings.with_suffix(".json").write_text(json.dumps(card))
    page = write_curves(settings)
    assert page == tmp_path / "made-curves.html" == curves_beside(settings)
    assert page.read_text(encoding="utf-8") == render_curves("made", TRAINING, {"seed": 7})


@pytest.mark.parametrize("metrics", [{}, {"training": {"curves": []}}, {"training": {"curves": [[]]}}])
def test_a_card_without_curves_is_refused(tmp_path: Path, metrics: dict[str, Any]) -> None:
    (tmp_path / "made.json").write_text(json.dumps({"name": "made", "recipe": {}, "metrics": metrics}))
    with pytest.raises(InputError, match=r"made\.json: no card with curves of a training"):
        write_curves(tmp_path / "made.yaml")
    assert not (tmp_path / "made-curves.html").exists()


# --- where marks lie ----------------------------------------------------------------------------------------------
def test_marks_lie_where_the_numbers_say() -> None:
    steps = np.array([50.0, 100.0])
    drawn = score_drawing({"health": (steps, [np.array([0.0, 1.0]), np.array([0.5, 1.0])])})
    (one,) = drawn["lines"]
    half = (drawn["left"] + drawn["right"]) / 2
    assert one["faint"][0] == f"M{half} {drawn['floor']}.0L{drawn['right']}.0 {drawn['top']}.0"
    assert [dot["text"] for dot in one["dots"]] == ["health, step 50: 0.25", "health, step 100: 1.00"]
    assert [text for _, text in drawn["y_ticks"]] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [text for _, text in drawn["x_ticks"]] == ["0", "20", "40", "60", "80", "100"]


def test_losses_lie_on_a_logarithmic_axis_and_those_that_are_nothing_are_left_out() -> None:
    steps = np.array([1.0, 2.0])
    drawn = loss_drawing({"crop_a": (steps, [np.array([1.0, 0.1])]), "vigour": (steps, [np.zeros(2)])})
    assert [text for _, text in drawn["y_ticks"]] == ["0.1", "0.2", "0.5", "1"]
    (one,) = drawn["lines"]
    assert [dot["y"] for dot in one["dots"]] == [drawn["top"], drawn["floor"]]


def test_levels_by_hand() -> None:
    assert log_levels(0.03, 3.0) == [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
    assert log_levels(1.0, 1.0) == [1, 2]
    assert log_levels(1e-9, 1.0)[0] == 1e-4  # four powers of ten at most


def test_smoothed_by_hand() -> None:
    assert smooth(np.array([9.0, 0, 0, 0, 0, 9])).tolist() == pytest.approx([4.5, 2.25, 1, 1, 2.25, 4.5])
    assert smooth(np.full(7, 3.0)).tolist() == pytest.approx([3.0] * 7)
    assert smooth(np.array([4.0])).tolist() == [4.0]


def test_names_at_the_ends_do_not_lie_on_each_other() -> None:
    assert spread([10, 12, 60], 15) == [3.5, 18.5, 60]
    assert spread([60, 12, 10], 15) == [60, 18.5, 3.5]
    assert spread([], 15) == []
    close = spread([50.0, 50.0, 50.0, 52.0], 15)
    assert np.diff(sorted(close)).tolist() == [15, 15, 15]
    assert np.mean(close) == pytest.approx(50.5)
