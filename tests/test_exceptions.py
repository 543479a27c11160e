# SPDX-License-Identifier: Apache-2.0
"""Exceptions of segments: dated, signed by two people, and over when they are over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from acreline.config import packaged_configs
from acreline.errors import ConfigError
from acreline.trial.exceptions import EXCEPTED, ExceptionList, read_exceptions, with_exceptions
from acreline.trial.segments import FEW, NEEDS, PASSES

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def own_list(folder: Path, **changes: Any) -> Path:
    path = folder / "exceptions.yaml"
    entry = {
        "kind": "clear views", "segment": "0-5", "policy": "demo", "measures": ["approval"],
        "reason": "a person decides", "control": "visited within 10 days",
        "valid_from": "2026-03-01T08:00:00+08:00", "valid_to": "2026-09-01T00:00:00Z",
        "author": "Li Wei", "approver": "Anna Braun",
    }  # fmt: skip
    path.write_text(yaml.safe_dump({"exceptions": [entry | changes]}), encoding="utf-8")
    return path


def segments(failing: str = "approval") -> pd.DataFrame:
    return pd.DataFrame({
        "kind": ["clear views", "clear views", "size"], "segment": ["0-5", "6-11", "1-5 ha"],
        "verdict": [NEEDS, PASSES, FEW], "failing": [failing, "", ""],
    })  # fmt: skip


def test_none_comes_packaged_and_the_list_has_its_schema() -> None:
    assert read_exceptions() == ()
    folder = packaged_configs()
    assert (folder / "exceptions.yaml").read_text("utf-8").startswith("# yaml-language-server: $schema=exceptions.")
    made = json.dumps(ExceptionList.model_json_schema(), indent=2, sort_keys=True) + "\n"
    assert (folder / "exceptions.schema.json").read_text(encoding="utf-8") == made


@pytest.mark.parametrize(
    ("policy", "now", "failing", "verdict"),
    [
        ("demo-1", NOW, "approval", EXCEPTED),
        ("demo", NOW, "approval", EXCEPTED),
        ("demo-1", NOW, "approval|limit", NEEDS),  # it covers a part alone
        ("kcc-2017", NOW, "approval", NEEDS),
        ("demo-1", datetime(2026, 2, 28, 23, 59, tzinfo=UTC), "approval", NEEDS),
        ("demo-1", datetime(2026, 3, 1, tzinfo=UTC), "approval", EXCEPTED),
        ("demo-1", datetime(2026, 9, 1, tzinfo=UTC), "approval", NEEDS),  # expired
    ],
)
def test_an_exception_counts_for_its_policy_its_measures_and_its_time(
    tmp_path: Path, policy: str, now: datetime, failing: str, verdict: str
) -> None:
    table = with_exceptions(segments(failing), read_exceptions(own_list(tmp_path)), policy, now)
    assert table["verdict"].tolist() == [verdict, PASSES, FEW]
    told = "until 2026-09-01 00:00 UTC: a person decides; visited within 10 days (Li Wei, granted by Anna Braun)"
    assert table["exception"].tolist() == [told if verdict == EXCEPTED else "", "", ""]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segment": "0-4"}, r"clear views has no segment '0-4'; did you mean '0-5'\? known: 0-5, 6-11"),
        ({"segment": "hills"}, "clear views has no segment 'hills' known: 0-5"),
        ({"kind": "village"}, "'clear views', 'slope', 'crop share' or 'size'"),
        ({"measures": []}, "at least 1 item"),
        ({"measures": ["mood"]}, "'approval', 'limit' or 'acreage'"),
        ({"reason": ""}, "at least 3 characters"),
        ({"control": ""}, "at least 3 characters"),
        ({"policy": ""}, "at least 1 character"),
        ({"valid_from": "2026-03-01T08:00:00"}, "should have timezone info"),
        ({"valid_to": "2026-03-01T00:00:00Z"}, "valid_to .* does not lie after valid_from"),
        ({"valid_to": "2027-09-01T00:00:00Z"}, "an exception lasts a year at most"),
        ({"approver": "li  WEI"}, "author and approver must be two people, both are 'Li Wei'"),
        ({"approver": " "}, "author and approver must both be named"),
        ({"until": "2027"}, "unknown key"),
    ],
)
def test_an_exception_that_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_exceptions(own_list(tmp_path, **changes))


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_exceptions(tmp_path / "none.yaml")
