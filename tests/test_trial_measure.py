# SPDX-License-Identifier: Apache-2.0
"""Figures of three by three samples against answers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from acreline.trial import charts, measure

GROUPS = ("maize", "grass", "potato")
TRUE = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
FOUND = np.array([0, 0, 0, 1, 1, 1, 0, 1, 2])
#          told:  m  g  p
#   maize  4     3  1  0
#   grass  3     1  2  0
#   potato 2     0  1  1
PLACES = np.array(list("aabbccdde"))


def test_a_table_of_nine_has_the_figures_worked_out_by_hand() -> None:
    told = measure.scores(TRUE, FOUND, GROUPS, PLACES)
    assert told["confusion"]["rows_true_columns_found"] == [[3, 1, 0], [1, 2, 0], [0, 1, 1]]
    assert (told["n"], told["places"]) == (9, 5)
    assert told["oa"] == pytest.approx(6 / 9, abs=1e-4)
    assert told["majority_oa"] == pytest.approx(4 / 9, abs=1e-4)
    chance = (4 * 4 + 3 * 4 + 2 * 1) / 81
    assert told["kappa"] == pytest.approx((6 / 9 - chance) / (1 - chance), abs=1e-4)
    assert told["per_class"]["maize"] == {"precision": 0.75, "recall": 0.75, "f1": 0.75, "n": 4}
    assert told["per_class"]["grass"] == {"precision": 0.5, "recall": 0.6667, "f1": 0.5714, "n": 3}
    assert told["per_class"]["potato"] == {"precision": 1.0, "recall": 0.5, "f1": 0.6667, "n": 2}
    assert told["macro_f1"] == pytest.approx((3 / 4 + 4 / 7 + 2 / 3) / 3, abs=1e-4)
    low, high = told["ci95"]
    assert 0 <= low < told["oa"] < high <= 1


def test_a_group_that_is_only_told_has_no_recall_and_one_that_never_occurs_no_line() -> None:
    told = measure.scores(np.array([0, 0]), np.array([0, 1]), GROUPS, np.array(["a", "b"]))
    assert told["per_class"]["grass"] == {"precision": 0.0, "recall": None, "f1": 0.0, "n": 0}
    assert "potato" not in told["per_class"]
    assert told["macro_f1"] == pytest.approx(2 / 3, abs=1e-4)  # over maize alone: what occurs


def test_one_place_has_no_interval_and_one_group_no_kappa() -> None:
    told = measure.scores(np.array([0, 0]), np.array([0, 0]), GROUPS, np.array(["a", "a"]))
    assert told["ci95"] is None
    assert told["macro_f1_ci95"] is None
    assert told["kappa"] is None


def test_the_calibration_error_of_two_bins_is_their_mean_distance() -> None:
    share = np.array([[0.9, 0.1], [0.6, 0.4]])
    told = measure.calibration(np.array([0, 1]), share)
    assert told["ece"] == pytest.approx((abs(0.9 - 1) + abs(0.6 - 0)) / 2, abs=1e-4)
    assert told["brier"] == pytest.approx((2 * 0.1**2 + 2 * 0.6**2) / 2, abs=1e-4)
    assert sum(row["n"] for row in told["reliability"]) == 2


def test_sets_hold_what_reaches_their_own_threshold() -> None:
    share = np.array([[0.7, 0.2, 0.1], [0.45, 0.45, 0.1], [0.2, 0.2, 0.6]])
    limits = np.array([[0.3, 0.3, 0.3], [0.3, 0.3, 0.3], [0.3, 0.3, 0.7]])
    told = measure.conformal(np.array([0, 1, 2]), share, limits, 0.1)
    assert told["promised"] == 0.9
    assert told["held"] == pytest.approx(2 / 3, abs=1e-4)
    assert told["mean_size"] == 1.0
    assert (told["single_n"], told["single_accuracy"]) == (1, 1.0)
    nothing = measure.conformal(np.array([0]), share[:1], np.ones((1, 3)), 0.1)
    assert nothing["single_accuracy"] is None


def test_the_most_certain_are_kept_first() -> None:
    share = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    curve = measure.risk_coverage(np.array([0, 0, 0, 1]), share)
    at = {row["kept"]: (row["n"], row["accuracy"]) for row in curve}
    assert at[0.25] == (1, 1.0)
    assert at[0.75] == (3, 1.0)
    assert at[1.0] == (4, 0.75)
    low, high = measure.kept_interval(np.array([0, 0, 0, 1]), share, 1.0, np.array(list("aabb")))
    assert (low, high) == (0.5, 1.0)  # place a is right twice, place b once in two
    assert measure.kept_interval(np.array([0, 0, 0, 1]), share, 0.5, np.array(list("aabb"))) is None


def test_sizes_are_those_of_the_reports() -> None:
    rows = measure.by_size(np.array([0, 1, 0]), np.array([0, 0, 0]), 2, np.array([500.0, 2_000.0, 20_000.0]))
    assert [(row["from_ha"], row["to_ha"], row["n"], row["oa"]) for row in rows] == [
        (0.0, 0.1, 1, 1.0),
        (0.1, 0.3, 1, 0.0),
        (1.0, None, 1, 1.0),
    ]
    mixed = measure.by_size(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, np.full(3, 2_000.0))
    assert [(row["n"], row["majority_oa"]) for row in mixed] == [(3, 0.6667)]


def test_drawings_keep_their_marks_inside_the_frame() -> None:
    assert charts.place_x(0) == charts.LEFT
    assert charts.place_x(1) == charts.WIDTH - charts.RIGHT
    assert charts.place_y(0) == charts.HEIGHT - charts.BOTTOM
    row = {"until": "2018-06-30", "n": 9, "oa": 0.7, "macro_f1": 0.1, "ci95": [0.5, 0.8]}
    drawn = charts.by_month([row], 0.4)
    assert drawn["months"] == [(charts.place_x(0.5), "06")]
    assert all(charts.TOP <= dot["y"] <= charts.HEIGHT - charts.BOTTOM for dot in drawn["dots"])
    assert charts.floor_of([0.95, 0.99]) == 0.6
    assert charts.floor_of([0.05]) == 0.0
    table = measure.scores(TRUE, FOUND, GROUPS, PLACES)["confusion"]
    heat = charts.heat_map(table)
    assert heat["rows"][0]["cells"][0] == {"n": 3, "share": 0.75, "shade": 8}
    told_only = charts.heat_map({"groups": ["a", "b"], "rows_true_columns_found": [[1, 1], [0, 0]]})
    assert [row["name"] for row in told_only["rows"]] == ["a"]
    assert told_only["names"] == ["a", "b"]
