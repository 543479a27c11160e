# SPDX-License-Identifier: Apache-2.0
"""Segments of farms are held against a reference group at equal true value; small ones are not judged."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from acreline.records import Decision
from acreline.trial.farm_truth import decided_farms
from acreline.trial.segments import FEW, FEWEST, KINDS, NEEDS, PASSES, UNKNOWN, segment_farms, wilson, worst_of


def made_farms(
    n: int, *, looks: int, approved: float, value: float, share: float = 0.4, bias: float = 0.0
) -> pd.DataFrame:
    """Farms of one segment: the first part of them is approved, the rest is referred."""
    true = np.full(n, value)
    outcome = np.where(np.arange(n) < round(approved * n), "approve", "refer")
    return pd.DataFrame({
        "outcome": outcome, "limit": np.where(outcome == "approve", share * true, np.nan), "area_ha": 2.0,
        "planted_m2": 20_000.0 * (1 + bias), "true_planted_m2": 20_000.0, "true_value": true, "clear_looks": looks,
    })  # fmt: skip


def rows_of(*parts: pd.DataFrame) -> pd.DataFrame:
    table = segment_farms(pd.concat(parts, ignore_index=True))
    return table[table["kind"] == "clear views"].set_index("segment")


def test_less_at_equal_value_needs_an_exception() -> None:
    rows = rows_of(
        made_farms(60, looks=60, approved=0.8, value=10_000),
        made_farms(60, looks=30, approved=0.8, value=10_000),
        made_farms(60, looks=8, approved=0.5, value=10_000, share=0.3),
    )
    assert rows["verdict"].to_dict() == {"48 or more": PASSES, "24-47": PASSES, "6-11": NEEDS}
    assert rows.loc["48 or more", "reference"]
    assert rows.loc["24-47", "approval_ratio"] == pytest.approx(1.0)
    assert rows.loc["6-11", "approval_ratio"] == pytest.approx(0.5 / 0.8)
    assert rows.loc["6-11", "limit_ratio"] == pytest.approx(0.75)
    assert rows.loc["6-11", "failing"] == "approval|limit"
    assert rows.loc["6-11", "approval_ratio_low"] < 0.5 / 0.8 < rows.loc["6-11", "approval_ratio_high"]
    assert rows.loc["6-11", "limit_per_ha"] == pytest.approx(1_500)


def test_a_richer_reference_group_is_no_measure() -> None:
    """Poor farms are approved at 0.4 and rich ones at 0.9 in both segments: nobody is treated worse."""
    rows = rows_of(
        made_farms(20, looks=60, approved=0.4, value=2_000),
        made_farms(200, looks=60, approved=0.9, value=50_000),
        made_farms(200, looks=8, approved=0.4, value=2_000),
        made_farms(20, looks=8, approved=0.9, value=50_000),
    )
    assert rows.loc["6-11", "approved"] / rows.loc["48 or more", "approved"] < 0.6
    assert rows.loc["6-11", "approval_ratio"] == pytest.approx(1.0)
    assert rows.loc["6-11", "verdict"] == PASSES


def test_farms_without_an_equal_in_the_reference_group_compare_nobody() -> None:
    rows = rows_of(
        made_farms(60, looks=60, approved=0.9, value=50_000), made_farms(60, looks=8, approved=0.1, value=2_000)
    )
    assert rows.loc["6-11", "compared"] == 0
    assert np.isnan(rows.loc["6-11", "approval_ratio"])
    assert rows.loc["6-11", "verdict"] == FEW


@pytest.mark.parametrize(("bias", "verdict"), [(0.029, PASSES), (0.031, NEEDS), (-0.029, PASSES), (-0.031, NEEDS)])
def test_acreage_may_be_off_by_three_in_a_hundred(bias: float, verdict: str) -> None:
    rows = rows_of(
        made_farms(60, looks=60, approved=0.9, value=9_000),
        made_farms(60, looks=8, approved=0.9, value=9_000, bias=bias),
    )
    assert rows.loc["6-11", "acreage_bias"] == pytest.approx(bias)
    assert rows.loc["6-11", "verdict"] == verdict
    assert rows.loc["48 or more", "verdict"] == PASSES


def test_a_small_segment_is_neither_passed_nor_failed() -> None:
    few = FEWEST - 1
    for approved in (0.0, 1.0):
        rows = rows_of(
            made_farms(60, looks=60, approved=0.9, value=9_000),
            made_farms(few, looks=8, approved=approved, value=9_000),
        )
        assert rows.loc["6-11", "verdict"] == FEW
        assert "approval" in rows.loc["6-11", "unjudged"]
        assert rows.loc["6-11", "approved_high"] - rows.loc["6-11", "approved_low"] > 0.1


def test_where_nobody_is_approved_there_is_nothing_to_compare() -> None:
    rows = rows_of(
        made_farms(60, looks=60, approved=0.0, value=9_000), made_farms(60, looks=8, approved=0.0, value=9_000)
    )
    assert np.isnan(rows.loc["6-11", "approval_ratio"])
    assert (rows.loc["6-11", "verdict"], rows.loc["6-11", "unjudged"]) == (FEW, "approval|limit")


def test_where_hardly_anybody_is_approved_one_farm_does_not_decide() -> None:
    """At 5 % the segment's 40 farms would have 2 approvals; at 15 % 6."""
    for rate, verdict in ((0.05, FEW), (0.15, NEEDS)):
        rows = rows_of(
            made_farms(60, looks=60, approved=rate, value=9_000), made_farms(40, looks=8, approved=0.0, value=9_000)
        )
        assert rows.loc["6-11", "verdict"] == verdict


def test_the_largest_segment_is_the_measure_where_the_best_is_small() -> None:
    rows = rows_of(
        made_farms(5, looks=60, approved=0.9, value=9_000), made_farms(60, looks=8, approved=0.9, value=9_000),
        made_farms(40, looks=30, approved=0.9, value=9_000),
    )  # fmt: skip
    assert rows["reference"].to_dict() == {"6-11": True, "24-47": False, "48 or more": False}


def test_without_truth_rates_are_told_and_nothing_is_judged() -> None:
    farms = made_farms(60, looks=60, approved=0.5, value=9_000).drop(columns=["true_value", "true_planted_m2"])
    table = segment_farms(farms.assign(slope_deg=np.where(np.arange(60) < 50, 1.0, np.nan)))
    views = table[table["kind"] == "clear views"].iloc[0]
    assert views["verdict"] == UNKNOWN
    assert views["approved"] == views["referred"] == 0.5
    assert views["limit_per_ha"] == pytest.approx(1_800)
    assert np.isnan(views["limit_per_value"])
    assert table["kind"].drop_duplicates().tolist() == list(KINDS)
    slope = table[table["kind"] == "slope"].set_index("segment")
    assert slope["n"].to_dict() == {"under 2 deg": 50, "not known": 10}
    assert table[table["kind"] == "crop share"]["segment"].tolist() == ["not known"]


def test_the_same_farms_give_the_same_intervals() -> None:
    farms = pd.concat(
        [made_farms(50, looks=60, approved=0.7, value=9_000), made_farms(50, looks=8, approved=0.6, value=9_000)]
    )
    pd.testing.assert_frame_equal(segment_farms(farms), segment_farms(farms))


def test_a_share_has_the_interval_of_wilson() -> None:
    """By hand: 5 of 10 is 0.5 +- 0.263."""
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 20)[0] == 0
    assert wilson(0, 20)[1] == pytest.approx(0.1611, abs=1e-4)


def test_the_worst_of_a_kind_is_of_segments_that_are_large_enough() -> None:
    table = segment_farms(pd.concat([
        made_farms(60, looks=60, approved=0.8, value=9_000),
        made_farms(60, looks=30, approved=0.6, value=9_000, bias=-0.05),
        made_farms(10, looks=8, approved=0.1, value=9_000),
    ]))  # fmt: skip
    value, segment, n, small = worst_of(table, "clear views", "approval")
    assert (value, segment, n, small) == (pytest.approx(0.75), "24-47", 60, 1)
    assert worst_of(table, "clear views", "acreage")[:2] == (pytest.approx(0.05), "24-47")
    assert np.isnan(worst_of(table, "slope", "approval")[0])


# --- the table of a run -----------------------------------------------------------------------------------------------
def made_run() -> dict[str, pd.DataFrame]:
    mu = 15 / 10_000
    farms = pd.DataFrame({
        "farm_id": ["f1", "f2", "f3"], "area_m2": [12_000.0, 5_000.0, 1_000.0], "clear_looks": [60, 8, 0],
        "planted_mu": [11_000 * mu, 5_000 * mu, None],
    })  # fmt: skip
    stands = pd.DataFrame({
        "farm_id": ["f1", "f1", "f2"], "crop": ["maize", "tea", "unknown"], "area_m2_mid": [9_000.0, 1_000.0, 5_000.0],
    })  # fmt: skip
    decisions = pd.DataFrame({"farm_id": ["f2", "f1", "f3"], "outcome": ["decline", "approve", "refer"],
                              "limit": [0, 5_000, None]})  # fmt: skip
    return {"farms": farms, "stands": stands, "decisions": decisions}


def made_truth() -> dict[str, pd.DataFrame]:
    parcels = pd.DataFrame({
        "parcel_id": ["p1", "p1", "p2", "p3"], "farm_id": ["f1", "f1", "f2", "f3"], "slot": ["A", "B", "B", "B"],
        "class": ["winter_cereal", "maize", "maize", "none"], "planted_m2": [10_000.0, 10_000.0, 5_000.0, 0.0],
    })  # fmt: skip
    yields = pd.DataFrame({"parcel_id": ["p1", "p1", "p2"], "value": [9_000.0, 8_000.0, 4_000.0]})
    return {"parcels": parcels, "yields": yields}


def test_a_runs_farms_stand_beside_their_truth() -> None:
    told = made_run()
    table = decided_farms(told, told["decisions"], made_truth(), pd.Series({"f1": 4.0})).set_index("farm_id")
    assert table["outcome"].tolist() == ["approve", "decline", "refer"]
    assert table["limit"].fillna(-1).tolist() == [5_000, 0, -1]
    assert table["true_value"].tolist() == [17_000, 4_000, 0]
    assert table["true_planted_m2"].tolist() == [10_000, 5_000, 0]
    assert table["planted_m2"].fillna(-1).tolist() == pytest.approx([11_000, 5_000, -1])
    assert table["crop_share"].fillna(-1).tolist() == pytest.approx([0.6, 0.6, -1])
    assert table["slope_deg"].fillna(-1).tolist() == [4, -1, -1]


def test_without_truth_the_crop_is_the_one_that_was_told() -> None:
    told = made_run()
    made = [Decision(one.farm_id, one.outcome, None if pd.isna(one.limit) else Decimal(int(one.limit)), "CNY", None,
                     ("x",), "p", date(2025, 12, 15), ()) for one in told["decisions"].itertuples()]  # fmt: skip
    table = decided_farms(told, made)
    assert table["limit"].fillna(-1).tolist() == [5_000, 0, -1]
    assert table["crop_share"].fillna(-1).tolist() == pytest.approx([0.9, -1, -1])
    assert not {"true_value", "slope_deg"} & set(table)
