# SPDX-License-Identifier: Apache-2.0
"""An event in a sentence: when it struck, how sure that is, what else it could be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from acreline.codes import find_code
from acreline.events import list_detectors
from acreline.report.event_words import NOUNS, event_line, event_said
from acreline.report.words import WORDS, word

ROW: dict[str, Any] = {
    "parcel_id": "p1", "event": "flood", "not_before": "2025-06-30T00:00:00", "start": "2025-07-05",
    "end": "2025-07-10", "share": 0.4, "severity": 0.35, "confirmed": False, "code": "suspected",
    "could_be": "pond|shadow", "evidence": '["S2A_R068_20250705", "S2B_R111_20250710"]',
}  # fmt: skip


def test_an_event_is_told_in_two_languages() -> None:
    english, chinese = event_line(ROW)
    suspected = word("flag", "suspected")
    assert english == (
        f"Flood ({suspected[0]}): between 2025-06-30 and 2025-07-05, until 2025-07-10; 40% of the parcel, "
        "severity 0.35; seen on: 2025-07-05, 2025-07-10; could also be: a pond, shadow of clouds or hills. "
        "There may have been standing water on this plot: signs were seen, and nothing else confirms them yet."
    )
    assert chinese == (
        f"水淹（{suspected[1]}）：2025-06-30 至 2025-07-05 之间，至 2025-07-10；占地块 40%，程度 0.35；"
        "影像日期：2025-07-05、2025-07-10；也可能是：池塘、云影或山影。"
        "该地块可能曾有积水：观测到迹象，尚无其他佐证。"
    )


@pytest.mark.parametrize(
    ("change", "part", "words"),
    [
        ({"confirmed": True, "code": None}, "name", "Flood (confirmed)"),
        ({"code": None}, "name", "Flood"),
        ({"not_before": None}, "when", "2025-07-05, until 2025-07-10"),
        ({"not_before": None, "end": "2025-07-05"}, "when", "2025-07-05"),
        ({"start": None, "code": "reported_only"}, "when", "day not known"),
        ({"code": "network_only|suspected"}, "when", "day not known"),  # the network tells no day
        ({"start": datetime(2025, 7, 5, tzinfo=UTC), "not_before": None, "end": None}, "when", "2025-07-05"),
        ({"share": None, "severity": 0.0}, "how_much", ""),
        ({"evidence": "[]"}, "looks", ""),
        ({"evidence": "not a list"}, "looks", ""),
        ({"evidence": str([f"X_202507{day:02}" for day in range(1, 8)]).replace("'", '"')}, "looks",
         "7 days, 2025-07-01 to 2025-07-07"),
        ({"could_be": ""}, "could_be", ""),
        ({"could_be": "brand_new"}, "could_be", "brand_new"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_said(change: dict[str, Any], part: str, words: str) -> None:
    assert event_said(ROW | change)[part][0] == words


@pytest.mark.parametrize("kind", list_detectors())
def test_every_kind_has_a_name(kind: str) -> None:
    assert kind in WORDS["event"]


@pytest.mark.parametrize("kind", list_detectors())
@pytest.mark.parametrize(
    ("confirmed", "code", "english", "chinese"),
    [
        (True, None, "There are signs of", "佐证"),
        (False, "suspected", "There may have been", "可能曾有"),
        (False, "reported_only", "was reported", "报告"),
        (False, "network_only|suspected", "Only our model sees", "仅模型判断"),
        (False, "outside_growth", "no crop was hit", "未影响作物"),
    ],
)
def test_a_farmer_is_told_no_more_than_is_known(
    kind: str, confirmed: bool, code: str | None, english: str, chinese: str
) -> None:
    said = event_said(ROW | {"event": kind, "confirmed": confirmed, "code": code})["sentence"]
    assert english in said[0]
    assert chinese in said[1]
    if code != "outside_growth":
        assert NOUNS[kind][0] in said[0]
        assert NOUNS[kind][1] in said[1]
    if kind == "pest_disease" and code != "outside_growth":
        assert "pest" not in said[0]
        assert "病" not in said[1]
        assert "cause a person must confirm" in said[0]
        assert "须由人工核实" in said[1]


@pytest.mark.parametrize("kind", list_detectors())
def test_the_code_of_an_event_holds_whatever_is_known_of_it(kind: str) -> None:
    code = find_code(f"event_{kind}")
    assert "may have" in code.said[0]
    assert "可能" in code.said[1]
    assert "seen" not in code.short[0]
    if kind == "pest_disease":
        assert "a person must find out the cause" in code.said[0]
        assert "原因须由人工核实" in code.said[1]
