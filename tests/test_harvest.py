# SPDX-License-Identifier: Apache-2.0
"""Harvest of stands that ripen: dry plants still stand when the green is gone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from acreline.seasons.harvest import looks_around_cut, standing

GREEN, DRY, GROUND = (0.85, 0.40, 0.20, 0.08), (0.30, 0.00, 0.30, 0.19), (0.21, -0.09, 0.36, 0.27)
"""NDVI, NDMI, B11 and B12."""


def looks(*days_and_states: tuple[int, tuple[float, ...]], parcel: int = 0) -> pd.DataFrame:
    table = pd.DataFrame([(parcel, day, *state) for day, state in days_and_states],
                         columns=["parcel", "day", "ndvi", "ndmi", "swir", "swir2"])  # fmt: skip
    return table


def cut(table: pd.DataFrame, ground: float = 100.0, until: float = 400.0) -> tuple[int, int]:
    before, after = looks_around_cut(table, np.array([0]), np.array([ground]), np.array([until]))
    return int(before[0]), int(after[0])


def test_what_stands_is_greenness_water_and_dry_matter() -> None:
    value = standing(looks((0, DRY), (5, GROUND)))
    assert value == pytest.approx([0.30 + 0.11 / 0.49, 0.21 - 0.09 + 0.09 / 0.63])


def test_a_dry_stand_is_cut_when_the_ground_shows() -> None:
    table = looks((80, GREEN), (100, DRY), (110, DRY), (120, DRY), (125, GROUND), (130, GROUND))
    assert cut(table) == (3, 4)


def test_a_green_stand_is_cut_where_it_falls() -> None:
    assert cut(looks((80, GREEN), (95, GREEN), (100, GROUND), (105, GROUND))) == (1, 2)


def test_a_dry_stand_that_was_never_seen_to_go_has_no_cut() -> None:
    assert cut(looks((80, GREEN), (100, DRY), (110, DRY), (170, DRY))) == (-1, -1)


def test_what_grows_again_ends_the_search() -> None:
    weeds = (0.45, 0.05, 0.30, 0.20)
    table = looks((80, GREEN), (100, DRY), (105, GROUND), (120, weeds), (140, GROUND))
    assert cut(table) == (1, 2)


def test_the_next_crop_ends_the_search() -> None:
    table = looks((80, GREEN), (100, DRY), (110, DRY), (125, GROUND))
    assert cut(table, until=120.0) == (-1, -1)
    assert cut(table, until=125.0) == (2, 3)


def test_the_first_look_of_a_parcel_is_no_fall() -> None:
    other = looks((90, GREEN), (95, GREEN))
    mine = looks((100, GROUND), (105, GROUND), parcel=1)
    table = pd.concat([other, mine], ignore_index=True)
    before, after = looks_around_cut(table, np.array([1]), np.array([100.0]), np.array([400.0]))
    assert (before[0], after[0]) == (-1, -1)


def test_stands_without_a_fall_of_green_are_left_out() -> None:
    table = looks((80, GREEN), (100, DRY), (105, GROUND))
    before, after = looks_around_cut(table, np.array([0, 0]), np.array([np.nan, 100.0]), np.array([400.0, 400.0]))
    assert before.tolist() == [-1, 1]
    assert after.tolist() == [-1, 2]
