# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import date
from decimal import Decimal

import pytest

from acreline.records import STATUSES, ZERO, Decision, Interval, Step, worst_status


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        (["ok"], "ok"),
        (["ok", "degraded"], "degraded"),
        (["insufficient", "degraded"], "insufficient"),
        (["failed", "ok", "insufficient"], "failed"),
        (list(STATUSES), "rejected"),
        ([], "failed"),
    ],
)
def test_worst_status(statuses, worst):
    assert worst_status(statuses) == worst


def test_an_unknown_status_is_an_error():
    with pytest.raises(ValueError, match="not in tuple"):
        worst_status(["fine"])


def test_intervals_add_cautiously():
    assert Interval(1, 2, 4) + Interval(0, 1, 1) == Interval(1, 3, 5)
    assert sum([Interval(1, 2, 3)], ZERO) == Interval(1, 2, 3)


@pytest.mark.parametrize("bad", [(2, 1, 3), (1, 3, 2), (float("nan"), 1, 2)])
def test_an_interval_must_rise(bad):
    with pytest.raises(ValueError, match="must rise"):
        Interval(*bad)


def decision(outcome: str, limit: Decimal | None) -> Decision:
    return Decision("f", outcome, limit, "CNY", None, (), "demo", date(2025, 1, 1), ())


def test_outcomes_and_limits_belong_together():
    assert decision("approve", Decimal(100)).limit == 100
    assert decision("refer", None).limit is None
    assert decision("decline", Decimal(0)).limit == 0


@pytest.mark.parametrize(
    ("outcome", "limit", "words"),
    [
        ("perhaps", Decimal(1), "'perhaps' is none of"),
        ("approve", None, "approve came with None"),
        ("refer", Decimal(0), "refer came with 0"),
        ("decline", None, "decline came with None"),
        ("decline", Decimal(5), "limit 0, not 5"),
    ],
)
def test_a_contradictory_decision_cannot_be_made(outcome, limit, words):
    with pytest.raises(ValueError, match=words):
        decision(outcome, limit)


def test_records_are_frozen():
    step = Step("cap", None, Decimal(1), "capped", True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.code = "other"


def test_money_records_load_no_array_library():
    code = "import sys, acreline.records, acreline.units; print({'numpy', 'pandas', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
