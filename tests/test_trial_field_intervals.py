# SPDX-License-Identifier: Apache-2.0
"""Intervals by the misses of the surveyed fields."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from acreline.trial.field_intervals import ENOUGH, conform


def fields(misses: list[float], half: float = 0.2) -> pd.DataFrame:
    """Fields told as 5 t/ha whose harvest is off by so much on the logarithm; NaN: not surveyed."""
    value = np.full(len(misses), 5.0)
    return pd.DataFrame(
        {"value": value, "low": value / np.exp(half), "high": value * np.exp(half), "known": 5 * np.exp(misses)}
    )


def test_a_few_surveyed_fields_change_nothing() -> None:
    table = fields([0.01] * (ENOUGH - 1) + [np.nan] * 5)
    told, kind = conform(table)
    assert kind == "log-normal"
    pd.testing.assert_frame_equal(told, table)


def test_intervals_are_as_wide_as_the_misses_of_the_others_ask_for() -> None:
    misses = [k / 100 for k in range(1, 51)]  # 0.01 to 0.50
    told, kind = conform(fields([*misses, np.nan]))
    assert kind == "conformal"
    # Not surveyed: 50 others, rank ceil(51 x 0.9) = 46 of them is 0.46.
    assert told["high"].iloc[-1] == pytest.approx(5 * np.exp(0.46), abs=1e-3)
    assert told["low"].iloc[-1] == pytest.approx(5 * np.exp(-0.46), abs=1e-3)
    # Surveyed: 49 others, rank ceil(50 x 0.9) = 45: of those without a small miss 0.46, without the largest 0.45.
    assert told["high"].iloc[0] == pytest.approx(5 * np.exp(0.46), abs=1e-3)
    assert told["high"].iloc[49] == pytest.approx(5 * np.exp(0.45), abs=1e-3)


def test_a_field_that_is_known_better_stays_narrower() -> None:
    wide, narrow = fields([0.1] * 25, 0.4), fields([0.1] * 25, 0.1)
    told, _ = conform(pd.concat([wide, narrow], ignore_index=True))
    width = np.log(told["high"] / told["value"])
    assert width.iloc[0] == pytest.approx(4 * width.iloc[30], abs=2e-3)


def test_the_promise_holds_on_drawn_fields() -> None:
    rng = np.random.default_rng(1)
    table = fields(rng.normal(0, 0.25, 2000).tolist(), 0.1)  # much too sure of itself
    told, _ = conform(table)
    held = (told["low"] <= told["known"]) & (told["known"] <= told["high"])
    assert held.mean() == pytest.approx(0.9, abs=0.005)


def test_what_could_not_be_told_stays_so() -> None:
    table = fields([0.1] * 50)
    table.loc[3, ["value", "low", "high"]] = np.nan
    told, kind = conform(table)
    assert kind == "conformal"
    assert told.loc[3, ["low", "high"]].isna().all()
