# SPDX-License-Identifier: Apache-2.0
"""The smoothed curve: against a dense solve, in gaps, and at its ends."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from acreline.curves import SMOOTHNESS, _whittaker, clear_looks, dates_of, days_of, end_of_day, smooth_curves
from tests.made_looks import MAIZE, every, made_looks


@pytest.mark.parametrize("n", [3, 4, 5, 40])
def test_whittaker_solves_its_equation(n: int) -> None:
    rng = np.random.default_rng(n)
    weights, values = (rng.random((n, 6)) < 0.7).astype(float), rng.random((n, 6))
    weights[[0, -1]] = 1
    found = _whittaker(weights, weights * values)
    second = np.diff(np.eye(n), 2, axis=0)
    for k in range(6):
        wanted = np.linalg.solve(np.diag(weights[:, k]) + SMOOTHNESS * second.T @ second, weights[:, k] * values[:, k])
        np.testing.assert_allclose(found[:, k], wanted, rtol=1e-6, atol=1e-9)


def test_whittaker_agrees_with_the_library_of_that_name() -> None:
    smoother = pytest.importorskip("whittaker_eilers").WhittakerSmoother
    rng = np.random.default_rng(0)
    days = 440  # a season: a look every five days, two thirds of them cloudy, some half clear
    weights = np.where(np.arange(days)[:, None] % 5 == 0, rng.choice([0, 0, 0.5, 1], (days, 8)), 0.0)
    values = 0.2 + 0.6 * np.exp(-(((np.arange(days)[:, None] - 200) / 60) ** 2)) + rng.normal(0, 0.03, (days, 8))
    found = _whittaker(weights, weights * values)
    for k in range(8):
        theirs = smoother(lmbda=SMOOTHNESS, order=2, data_length=days, weights=weights[:, k].tolist())
        np.testing.assert_allclose(found[:, k], theirs.smooth(values[:, k].tolist()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2])
def test_a_season_of_two_days_is_what_was_seen(n: int) -> None:
    found = _whittaker(np.ones((n, 1)), np.arange(1.0, n + 1)[:, None])
    assert found[:, 0].tolist() == [1.0, 2.0][:n]


def test_the_curve_ends_with_the_looks_and_never_overshoots() -> None:
    days = [*every(5, last=date(2018, 6, 20)), *every(5, first=date(2018, 9, 1), last=date(2018, 10, 1))]
    looks = made_looks({"a": MAIZE, "b": MAIZE}, {"a": days, "b": every(5)})
    table = clear_looks(looks)
    (curves,) = smooth_curves(table, 2)
    row = curves.value[0]
    seen = table.loc[table["parcel"] == 0, "ndvi"]
    assert np.nanmax(row) <= seen.max()
    assert np.nanmin(row) >= seen.min()
    last = (days[-1] - days[0]).days
    assert not np.isnan(row[: last + 1]).any()
    assert np.isnan(row[last + 1 :]).all()
    assert curves.before[0, last] == len(seen) - 1
    assert curves.after[0, last] == -1


def test_two_looks_of_one_day_count_as_one_day() -> None:
    looks = made_looks({"a": MAIZE}, every(5))
    twice = looks.passes.assign(pass_id=looks.passes["pass_id"].str.replace("S2A", "S2B"))
    import pandas as pd

    both = type(looks)(pd.concat([looks.passes, twice], ignore_index=True), looks.evidence, looks.land)
    (one,), (two,) = smooth_curves(clear_looks(looks), 1), smooth_curves(clear_looks(both), 1)
    np.testing.assert_allclose(one.value, two.value, atol=0.03)
    assert len(clear_looks(both)) == 2 * len(clear_looks(looks))


def test_days_and_dates_are_each_others_inverse() -> None:
    dates = dates_of([17_000.0, float("nan"), 0.0])
    assert dates[0].date() == date(2016, 7, 18)
    assert dates.isna().tolist() == [False, True, False]
    assert days_of(dates[[0, 2]]).tolist() == [17_000, 0]
    moment = end_of_day(date(2018, 2, 28))
    assert moment is not None
    assert moment.isoformat() == "2018-02-28T23:59:59.999000+00:00"
    assert end_of_day(None) is None
