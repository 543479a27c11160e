# SPDX-License-Identifier: Apache-2.0
"""What would settle a doubt: every code has a remedy and words, cheapest first, and a date to wait for."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pytest

from acreline.desk import explain_farm
from acreline.remedies import CODES, REMEDIES, settle, wait_until
from acreline.report.words import word
from tests.made_publication import make_publication

PACKAGE = Path(__file__).parents[1] / "pipeline" / "acreline"
STAGES = ("seasons/describe.py", "health.py", "growth.py", "events/_runs.py")
"""Stages whose codes are the keys of a table that `join_codes` is given."""
TOLD_ELSEWHERE = {"mixed_currency", "no_crop"}


def keys_of_join_codes(path: Path) -> set[str]:
    """Keys of the dictionaries that a module gives to `join_codes`, or names `codes`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "codes"
        given = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "join_codes"
        table = node.value if named else node.args[0] if given else None  # type: ignore[attr-defined]
        if isinstance(table, ast.Dict):
            found |= {key.value for key in table.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    return found


@pytest.mark.parametrize("name", STAGES)
def test_every_code_of_a_stage_has_a_remedy(name: str) -> None:
    codes = keys_of_join_codes(PACKAGE / name)
    assert codes
    assert codes <= set(CODES)


def test_every_remedy_is_known_and_every_code_has_words() -> None:
    assert set(CODES.values()) <= set(REMEDIES)
    for code in CODES:
        english, chinese = word("flag", code)
        assert english != code, code
        assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese), code


def test_the_cheapest_comes_first() -> None:
    told = settle(["overlapping_claim", "few_looks", "block_failed", "few_looks", "unheard_of"])
    assert [(remedy.slug, codes) for remedy, codes in told] == [
        ("rerun", ("block_failed",)),
        ("wait", ("few_looks",)),
        ("documents", ("overlapping_claim",)),
    ]
    assert settle([]) == []


def test_who_visits_takes_the_photo_along() -> None:
    told = settle(["crop_doubtful", "unlike_training"])
    assert [(remedy.slug, set(codes)) for remedy, codes in told] == [("visit", {"unlike_training", "crop_doubtful"})]


def test_looks_come_as_they_came_before() -> None:
    start, day = date(2018, 1, 1), date(2018, 4, 11)  # 100 days
    assert wait_until(4, 6, start, day) == date(2018, 5, 31)  # a look every 25 days, two more
    assert wait_until(6, 6, start, day) is None
    assert wait_until(1, 6, start, day) is None
    assert wait_until(4, 6, start, start) is None


def test_explain_says_what_would_settle_a_referral(tmp_path: Path) -> None:
    publication = make_publication(tmp_path / "made")
    referred = [name for name in farms_of(publication) if "Referred" in explain_farm(publication, name, "en")[0]]
    assert referred
    for name in referred:
        lines = explain_farm(publication, name, "en")
        at = lines.index("What would settle it, cheapest first:")
        assert all(line.startswith("- ") for line in lines[at + 1 :])
        assert len(lines) > at + 1
        assert "可消除疑点的办法：" in explain_farm(publication, name, "zh")
    decided = [name for name in farms_of(publication) if name not in referred]
    assert all("What would settle it" not in " ".join(explain_farm(publication, name, "en")) for name in decided)


def farms_of(publication: Path) -> list[str]:
    import pandas as pd

    return [str(name) for name in pd.read_parquet(publication / "decisions.parquet")["farm_id"]]
