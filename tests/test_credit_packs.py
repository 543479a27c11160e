# SPDX-License-Identifier: Apache-2.0
"""The packs that come with acreline, each with the cases a credit officer reads, and dated families of policies."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from acreline.config import list_policies, policy_period, read_family, read_policy
from acreline.credit import compile_policy
from acreline.desk import list_kind
from acreline.errors import ConfigError
from tests.test_credit import CASES, HOUSE, check_case, read_cases

PACKS = [
    (f"{path.parent.name}/{path.stem}", case) for path in sorted(CASES.glob("*/*.yaml")) for case in read_cases(path)
]


@pytest.mark.parametrize(("file", "case"), PACKS, ids=[f"{file}: {case['case']}" for file, case in PACKS])
def test_case_of_a_pack(file: str, case: dict[str, Any]) -> None:
    name, id_end = file.split("/")
    policy = read_policy(case["policy"], as_of=case["as_of"])
    assert (case["policy"], policy.id) == (name, f"{name}-{id_end}")
    check_case(case, compile_policy(policy), case["as_of"])


def test_every_pack_has_cases_of_each_of_its_years_and_says_where_its_numbers_come_from() -> None:
    told = {file for file, _ in PACKS}
    for name in ("china", "kcc"):
        for policy in read_family(name):
            assert policy.id.replace("-", "/", 1) in told
            assert "demonstration only" in policy.title
            words = ("demonstration", "order of magnitude", "RBI/")
            assert all(any(word in rule.source for word in words) for rule in policy.rules)
    assert {"china", "kcc", "demo"} <= set(list_policies())


@pytest.mark.parametrize("name", ["china", "kcc"])
def test_every_rule_of_the_newest_policy_of_a_pack_decides_some_case(name: str) -> None:
    """It binds, is a reason's rule, or leaves a changed step: a rule that no case feels could be deleted unseen."""
    policy = read_family(name)[-1]
    compiled = compile_policy(policy)
    felt: set[str] = set()
    for file, case in PACKS:
        if file == policy.id.replace("-", "/", 1):
            decision = check_case(case, compiled, case["as_of"])
            felt |= {step.rule for step in decision.trail if step.changed}
    assert {rule.rule for rule in policy.rules} - felt == set()


# --- families -----------------------------------------------------------------------------------------------------
def write_family(folder: Path, *periods: tuple[str, str | None]) -> Path:
    family = folder / "mine"
    family.mkdir()
    for number, (start, end) in enumerate(periods):
        raw = {**HOUSE["policy"], "id": f"mine-{number}", "valid_from": start, "valid_to": end}
        (family / f"{number}.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("day", "found"),
    [("2017-01-01", "mine-0"), ("2017-12-31", "mine-0"), ("2018-01-01", "mine-1"), ("2099-01-01", "mine-1")],
)
def test_the_policy_of_the_day_decides(tmp_path: Path, day: str, found: str) -> None:
    base = write_family(tmp_path, ("2017-01-01", "2017-12-31"), ("2018-01-01", None))
    assert read_policy("./mine", base, date.fromisoformat(day)).id == found


def test_a_day_before_the_family_is_refused_with_its_periods(tmp_path: Path) -> None:
    base = write_family(tmp_path, ("2017-01-01", "2017-12-31"), ("2018-01-01", "2018-12-31"))
    for day in ("2016-12-31", "2019-01-01"):
        with pytest.raises(ConfigError, match=f"none is valid on {day}") as caught:
            read_policy("./mine", base, date.fromisoformat(day))
        assert "mine-0 2017-01-01 to 2017-12-31, mine-1 2018-01-01 to 2018-12-31" in caught.value.hint


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (("2017-01-01", "2017-12-31"), ("2017-12-31", None),
         r"mine-0 \(2017-01-01 to 2017-12-31\) and mine-1 \(from 2017-12-31 on\) overlap"),
        (("2017-01-01", None), ("2018-01-01", None), "mine-0 .* and mine-1 .* overlap"),
        (("2017-01-01", "2017-12-30"), ("2018-01-01", None),
         "mine-0 .* and mine-1 .* leave a gap: no policy from 2017-12-31 to 2017-12-31"),
    ],
)  # fmt: skip
def test_a_gap_or_an_overlap_is_refused(tmp_path: Path, first: Any, second: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_family("./mine", write_family(tmp_path, first, second))


def test_one_id_twice_in_a_family_is_refused(tmp_path: Path) -> None:
    base = write_family(tmp_path, ("2017-01-01", "2017-12-31"), ("2018-01-01", None))
    second = base / "mine" / "1.yaml"
    second.write_text(second.read_text(encoding="utf-8").replace("mine-1", "mine-0"), encoding="utf-8")
    with pytest.raises(ConfigError, match="carry one id"):
        read_family("./mine", base)


def test_a_name_that_is_no_policy_names_the_families_too() -> None:
    with pytest.raises(ConfigError, match="policies: 'chinaa' is not known") as caught:
        read_policy("chinaa")
    assert "did you mean 'china'? known: china, demo, kcc" in caught.value.hint


def test_the_list_shows_every_period() -> None:
    lines = list_kind("policies")
    for policy in read_family("china"):
        assert any(f"{policy.id}, {policy_period(policy)}:" in line for line in lines)


def test_whom_to_ask_is_no_part_of_a_policy_s_version() -> None:
    policy = read_policy("demo")
    assert policy.contact is not None
    silent = policy.model_copy(update={"contact": None})
    assert compile_policy(silent).version == compile_policy(policy).version
