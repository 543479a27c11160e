# SPDX-License-Identifier: Apache-2.0
"""A batch decided as a stream, and quickly, is decided as it is whole, and slowly: byte for byte."""

from __future__ import annotations

import decimal
import importlib
import itertools
import json
import math
import random
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
from acreline.credit import (
    CompiledPolicy,
    assess_credit,
    assess_stream,
    compile_policy,
    decision_line,
    decision_to_json,
    find_totals,
)
from acreline.credit import assess as engine
from acreline.credit.contract import RuleContext
from acreline.credit.facts import (
    MONEY,
    area_at,
    find_fault,
    floor_area,
    floor_area_at,
    floor_value,
    show_money,
    value_at,
)
from acreline.errors import ContractError, CreditError
from acreline.hashing import canonical_json
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


def vary(farm: Farm, seed: int, currency: str) -> Farm:
    """A made farm with doubt, costs, health, debt and a request of its own, so that each rule binds somewhere."""
    rng = random.Random(seed)
    size = rng.choice((9.0, 1.0, 0.3, 0.05, 0.02))
    stands = []
    for stand in farm.stands:
        land, worth = size * stand.area_m2.mid, size * stand.area_m2.mid * rng.uniform(0.3, 3)
        cost = land * rng.uniform(0.1, 1.2)
        stands.append(
            replace(stand, area_m2=Interval(land * rng.uniform(0.96, 1), land, land), crop_set=(stand.crop,),
                    value=Interval(worth * rng.uniform(0.55, 1), worth, 1.5 * worth), currency=currency,
                    cash_cost=rng.choice((None, Interval(cost, cost, cost))))
        )  # fmt: skip
    planted, value = Interval(0, 0, 0), Interval(0, 0, 0)
    for stand in stands:
        planted, value = planted + stand.area_m2, value + stand.value
    whole = [
        Decimal(rng.randint(least, most)) for least, most in ((0, 3_000), (0, 300_000), (500, 40_000), (0, 90_000))
    ]
    applicant = replace(
        farm.applicant, existing_debt=rng.choice((Decimal(0), *whole[:2])), record_years=rng.randint(0, 6),
        requested=rng.choice((None, whole[2], Decimal(1000 * rng.randint(20, 300)))), insured_sum=whole[3],
    )  # fmt: skip
    return replace(
        farm, stands=tuple(stands), area_m2=planted.mid, planted_m2=planted, value=value, currency=currency,
        vigour=rng.gauss(-1, 1.5), health=rng.choice(("normal", "normal", "late_failed")), applicant=applicant,
        flags=(), clear_looks=20, last_clear=AS_OF,
    )  # fmt: skip


def varied_farms(made: Any, policy: CompiledPolicy, count: int) -> list[Farm]:
    return [
        vary(farm, seed, policy.policy.currency)
        for seed, farm in enumerate(made.farms_of(made.make_chunk(0, CROPS, count)))
    ]


def ask_all_again(
    names: frozenset[str], farm: Farm, rules: Any, context: RuleContext, steps: list[Step]
) -> Decimal | None:
    """What `_limit_without` finds, by its plain definition: every rule that is left is asked, from the start."""
    left = [entry for entry in rules if entry.rule.name not in names]
    return engine._walk(farm, left, context)[-1].after


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


@pytest.mark.parametrize("pack", ["demo", "china", "kcc"])
def test_the_limit_without_a_rule_or_two_is_that_of_asking_all_others_again(pack: str, made: Any) -> None:
    policy = compile_policy(read_policy(pack, as_of=AS_OF))
    names = [entry.rule.name for entry in policy.rules]
    left_out = [frozenset(one) for count in (1, 2) for one in itertools.combinations(names, count)]
    compared = 0
    for farm in varied_farms(made, policy, 80):
        context = engine._context(farm, policy, AS_OF, None, None)
        with decimal.localcontext(MONEY):
            steps = engine._walk(farm, policy.rules, context)
            if engine._outcome(steps) == "refer":
                continue
            for one in left_out:
                limit = engine._limit_without(one, farm, policy.rules, context, steps)
                assert limit == ask_all_again(one, farm, policy.rules, context, steps), (farm.farm_id, one)
                compared += limit is not None and limit != steps[-1].after
    assert compared > 300


@pytest.mark.parametrize(
    ("pack", "binding"),
    [
        ("demo", {"crop_cap_per_mu", "capacity"}),
        ("china", {"crop_cap_per_mu", "capacity_less_costs", "health"}),
        ("kcc", {"scale_of_finance"}),
    ],
)
def test_reasons_are_those_of_asking_every_rule_again(
    pack: str, binding: set[str], made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = compile_policy(read_policy(pack, as_of=AS_OF))
    farms = varied_farms(made, policy, 400)
    quick = assess_credit(farms, policy, as_of=AS_OF)
    monkeypatch.setattr(engine, "_limit_without", ask_all_again)
    assert [decision_line(one) for one in quick] == [
        decision_line(one) for one in assess_credit(farms, policy, as_of=AS_OF)
    ]
    assert {one.binding_rule for one in quick if one.outcome == "approve"} == {*binding, "requested", "person_cap"}
    assert sum(len(one.reasons) > 1 for one in quick) > 20


@pytest.mark.parametrize("pack", ["demo", "china", "kcc"])
def test_a_cap_in_a_step_and_a_rule_that_judges_are_what_they_say(pack: str, made: Any) -> None:
    """What the reasons rest on: at any limit, a rule with a cap leaves the lower one, one that judges leaves it."""
    policy = compile_policy(read_policy(pack, as_of=AS_OF))
    farms = varied_farms(made, policy, 60)
    totals = find_totals(farms, policy, as_of=AS_OF)
    told = set()
    for farm in farms:
        context = engine._context(farm, policy, AS_OF, None, totals)
        with decimal.localcontext(MONEY):
            for entry, limit in itertools.product(policy.rules, (None, Decimal(0), Decimal(7_000), Decimal(10**9))):
                made_steps = entry.rule.apply(farm, limit, entry.settings, context)
                last = made_steps if isinstance(made_steps, Step) else made_steps[-1]
                if entry.rule.judges:
                    told.add(entry.rule.name)
                    assert last.after == limit
                if last.cap is not None:
                    told.add(entry.rule.name)
                    assert last.after == (last.cap if limit is None else min(limit, last.cap))
                    again = entry.rule.apply(farm, Decimal(1), entry.settings, context)
                    assert isinstance(again, Step)
                    assert again.cap == last.cap
    assert told >= {"evidence_bar", "requested", "person_cap"}


def test_a_line_is_the_canonical_json_of_its_decision(made: Any) -> None:
    policy = compile_policy(read_policy("china", as_of=AS_OF))
    decisions = assess_credit(list(made.farms_of(made.make_chunk(0, CROPS, 300))), policy, as_of=AS_OF)
    step = Step("a", None, Decimal("1E+3"), 'q"\\', True, "refer", {"z": "\n土", "a": "\x7f\u2028"}, "\t", "土\x00")
    odd = replace(decisions[0], farm_id='"\\/\x1f土', reasons=('"',), trail=(step,))
    for decision in (odd, *decisions):
        assert decision_line(decision) == canonical_json(decision_to_json(decision))
    assert {one.limit is None for one in decisions} == {True, False}


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


QUANTILES = st.sampled_from(["0.05", "0.1", "0.2", "0.37", "0.5"]).map(Decimal)


@given(st.floats(0, 1e12), st.floats(0, 1), QUANTILES, st.sampled_from(["mu", "ha", "acre"]), st.integers(2, 4))
def test_quick_land_is_the_exact_land(mid: float, part: float, quantile: Decimal, unit: str, digits: int) -> None:
    area = Interval(part * mid, mid, mid)
    exact = floor_area(area_at(area, quantile), unit, digits)
    assert floor_area_at(area, quantile, unit, digits) == exact * 10**digits


@given(
    st.one_of(st.floats(0, 1e15), st.integers(0, 10**6).map(float)),
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    QUANTILES,
    st.fractions(0, 10**9),
    st.integers(1, 9),
)
def test_quick_worth_is_the_exact_worth(mid: float, part: float, quantile: Decimal, cost: Fraction, times: int) -> None:
    value = Interval(part * mid, mid, mid)
    less = (times * cost.numerator, times * cost.denominator)
    assert floor_value(value, quantile, less) == math.floor(Fraction(value_at(value, quantile)) - cost)


def test_a_worth_within_a_floats_error_of_a_whole_number_is_reckoned_exactly() -> None:
    value = Interval(700.0, 1000.0, 1500.0)
    exact = Fraction(value_at(value, Decimal("0.2")))
    for shift in (Fraction(0), Fraction(1, 10**25), Fraction(-1, 10**25)):
        cost = exact - 500 + shift
        assert floor_value(value, Decimal("0.2"), (cost.numerator, cost.denominator)) == (499 if shift > 0 else 500)


def test_equal_amounts_have_one_text() -> None:
    for amount in ("0", "-0", "0.00"):
        assert show_money(Decimal(amount), "CNY") == ("0 CNY", "0元")
    assert {show_money(Decimal(amount), "INR").en for amount in ("1E+3", "1000", "1000.00")} == {"1,000 INR"}


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
