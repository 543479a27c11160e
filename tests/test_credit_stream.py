# SPDX-License-Identifier: Apache-2.0
"""A batch decided as a stream, and quickly, is decided as it is whole, and slowly: byte for byte."""

from __future__ import annotations

import decimal
import importlib
import json
import math
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.config import read_policy
from acreline.credit import CompiledPolicy, assess_credit, assess_stream, compile_policy, decision_line, find_totals
from acreline.credit import assess as engine
from acreline.credit.contract import RuleContext
from acreline.credit.facts import MONEY, find_fault, floor_area
from acreline.errors import ContractError, CreditError
from acreline.records import Applicant, Decision, Farm, Interval, Step
from tests.test_credit import AS_OF, house, make_farm

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CROPS = ("maize", "potato", "rapeseed", "winter_cereal")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("credit_farms")
    for name in ("credit_farms", "credit_rivals"):
        sys.modules.pop(name, None)


def slow_reasons(farm: Farm, policy: CompiledPolicy, context: RuleContext, steps: list[Step]) -> dict[str, Any]:
    """The limit without each rule, by asking all the others again from the start."""
    others = {name: [e for e in policy.rules if e.rule.name != name] for name in (e.rule.name for e in policy.rules)}
    return {name: engine._walk(farm, rules, context)[-1].after for name, rules in others.items()}


def test_a_stream_says_what_a_list_says(made: Any) -> None:
    policy = compile_policy(read_policy("demo"))
    farms = list(made.farms_of(made.make_chunk(0, CROPS, 2_000)))
    whole = [decision_line(decision) for decision in assess_credit(farms, policy, as_of=made.AS_OF)]
    totals = find_totals(farms, policy, as_of=made.AS_OF)
    parts = [
        decision_line(decision)
        for start in range(0, 2_000, 300)
        for decision in assess_stream(iter(farms[start : start + 300]), policy, as_of=made.AS_OF, totals=totals)
    ]
    assert parts == whole
    assert {json.loads(line)["outcome"] for line in whole} == {"approve", "decline", "refer"}
    assert totals.farms == 2_000
    assert totals.value_low == sum(int(farm.value.low) for farm in farms if farm.value)
    assert sum(totals.value_low_by_crop.values()) == totals.value_low
    assert {name: one.farms for name, one in totals.persons.items()} == {
        f"P-{number:07d}": 2 for number in range(0, 2_000, 50)
    }
    with pytest.raises(ContractError, match="summed in two passes"):
        find_totals(iter(farms), policy, as_of=made.AS_OF)


def test_the_limit_without_a_rule_is_that_of_asking_all_others_again(made: Any) -> None:
    policy = compile_policy(read_policy("demo"))
    compared = 0
    for farm in made.farms_of(made.make_chunk(0, CROPS, 2_000)):
        context = engine._context(farm, policy, made.AS_OF, None, None)
        with decimal.localcontext(MONEY):
            steps = engine._walk(farm, policy.rules, context)
            if engine._outcome(steps) == "refer":
                continue
            for name, limit in slow_reasons(farm, policy, context, steps).items():
                assert engine._limit_without(frozenset({name}), farm, policy.rules, context, steps) == limit, (
                    farm.farm_id,
                    name,
                )
                compared += limit is not None and limit != steps[-1].after
    assert compared > 500


def test_plain_versions_give_the_same_limits(made: Any) -> None:
    rivals = importlib.import_module("credit_rivals")
    policy = compile_policy(read_policy("demo"))
    chunk = made.make_chunk(3, CROPS, 2_000)
    farms = list(made.farms_of(chunk))
    totals = find_totals(farms, policy, as_of=made.AS_OF)
    limits = [d.limit for d in assess_stream(farms, policy, as_of=made.AS_OF, totals=totals)]
    several = made.too_many(totals, [farm.applicant.person_id for farm in farms], policy)
    numbers = rivals.read_numbers(policy, CROPS)
    wanted = [rivals.REFER if limit is None else int(limit * 100) for limit in limits]
    assert rivals.decide_pandas(chunk, numbers, several).tolist() == wanted
    pytest.importorskip("polars")
    assert rivals.decide_polars(chunk, numbers, several).tolist() == wanted
    assert {rivals.REFER, 0} <= set(wanted)
    assert rivals.read_numbers(house(), CROPS[:2]) is not None
    assert rivals.read_numbers(house({"requested": None}), CROPS) is None


def test_what_the_whole_batch_knows_reaches_its_parts() -> None:
    def each_by_itself(batch: list[Farm], known: list[list[Farm]]) -> list[Decision]:
        sums = [find_totals(farms, house(), as_of=AS_OF) for farms in known]
        return [
            next(assess_stream([farm], house(), as_of=AS_OF, totals=one)) for farm, one in zip(batch, sums, strict=True)
        ]

    # 60,000 each, and no more than 300,000 for one person
    farms = [replace(make_farm(farm_id=name), applicant=Applicant(name, "P", None, Decimal(0))) for name in "ABCDEF"]
    alone = each_by_itself(farms, [[farm] for farm in farms])
    assert {decision.outcome for decision in alone} == {"approve"}
    together = each_by_itself(farms, [farms] * len(farms))
    assert together == assess_credit(farms, house(), as_of=AS_OF)
    assert {decision.reasons for decision in together} == {("several_farms_one_person",)}
    assert {decision.limit for decision in each_by_itself(farms[:5], [farms[:5]] * 5)} == {Decimal(60_000)}
    with pytest.raises(ContractError, match="farm 'A' comes twice"):
        find_totals([farms[0], farms[0]], house(), as_of=AS_OF)


def test_a_stream_leaves_the_callers_arithmetic_alone() -> None:
    before = decimal.getcontext().copy()
    stream = assess_stream(
        [make_farm(farm_id=n) for n in "AB"], house(), as_of=AS_OF, totals=find_totals([], house(), as_of=AS_OF)
    )
    next(stream)
    assert decimal.getcontext().prec == before.prec
    assert decimal.getcontext().rounding == before.rounding
    with pytest.raises(CreditError, match="is not valid on 2001-01-01"):
        next(
            assess_stream([make_farm()], house(), as_of=date(2001, 1, 1), totals=find_totals([], house(), as_of=AS_OF))
        )


@given(st.floats(0, 1e12))
def test_mu_are_rounded_down_exactly(area_m2: float) -> None:
    hundredths = math.floor(Fraction(area_m2) * 3 / 2000 * 100)
    assert floor_area(area_m2, "mu", 2) == Decimal(hundredths) / 100


def test_each_impossible_number_is_named() -> None:
    farm = make_farm({"stands": [{"crop": "maize", "mu": 10, "value_low": 1000, "value_high": 2000}]})
    bad: Any = float("inf")
    stand = farm.stands[0]
    for wrong, told in (
        (replace(farm, area_m2=-1.0), "area_m2 = -1.0"),
        (replace(farm, area_m2=math.nan), "area_m2 = nan"),
        (replace(farm, planted_m2=Interval(-5.0, 1.0, 2.0)), "planted_m2.low = -5.0"),
        (replace(farm, planted_m2=Interval(0.0, 1.0, bad)), "planted_m2.high = inf"),
        (
            replace(farm, stands=(replace(stand, area_m2=Interval(0, 1, 1e13)),)),
            "stand P0 B area_m2.high = 1" + "0" * 13,
        ),
        (replace(farm, value=Interval(-1.0, 1.0, 2.0)), "value.low = -1.0"),
        (replace(farm, value=Interval(0.0, 1.0, 2e15)), "value.high = 2000000000000000.0"),
    ):
        found = find_fault(wrong, AS_OF)
        assert found is not None
        assert found.split(" = ")[0] == told.split(" = ")[0]
        assert float(found.split(" = ")[1]) == float(told.split(" = ")[1]) or "nan" in told
    assert find_fault(farm, AS_OF) is None
    assert find_fault(replace(farm, area_m2=None, value=None), AS_OF) is None


def test_sums_from_columns_are_those_from_records(made: Any) -> None:
    chunks = [made.make_chunk(index, CROPS, 500) for index in range(2)]
    policy = compile_policy(read_policy("demo"))
    farms = [farm for chunk in chunks for farm in made.farms_of(chunk)]
    assert made.totals_of(lambda: chunks, policy) == find_totals(farms, policy, as_of=made.AS_OF)
