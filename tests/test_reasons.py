# SPDX-License-Identifier: Apache-2.0
"""Reasons are true (G01, G02): over a thousand made farms, what is named is what moved the result, and no more."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest

from acreline.codes import all_codes
from acreline.config import read_policy
from acreline.credit import CompiledPolicy, assess_credit, compile_policy, explain_decision, known_codes, reason_words
from acreline.credit.rules.evidence_bar import NAME as EVIDENCE
from acreline.records import ZERO, Applicant, Decision, Farm, Interval, Stand
from tests.test_credit import decide, house, make_farm

AS_OF = date(2018, 12, 15)
CROPS = ("maize", "potato", "grassland", "winter_cereal", "soybean")
"""The demonstration policy has no amount for the last one."""
FLAGS = ("overlapping_claim", "declared_crop_differs", "mixed_parcel", "declared_area_differs")
LOOKS = {"few_clear_looks", "stale_look"}
"""What `insufficient_imagery` says in one word beside them, as G09 wants it: it has no factor of its own."""
GENERIC = {"policy", "score", "other", "rules", "model"}
MOST = 4


@cache
def demo() -> CompiledPolicy:
    return compile_policy(read_policy("demo"))


def made_farm(number: int, dice: random.Random) -> Farm:
    """A farm whose facts are often at the edge of something: a round request, a debt as large as a cap, few looks."""
    stands = []
    for place in range(dice.randint(1, 3)):
        crop = dice.choice(CROPS[:4]) if dice.random() < 0.97 else CROPS[4]
        area = dice.choice((667.0, 6_700.0, 40_000.0, 700_000.0)) * dice.uniform(0.5, 2)
        low = area * dice.uniform(0.2, 3)
        rivals = (crop, dice.choice(CROPS)) if dice.random() < 0.05 else (crop,)
        stands.append(
            Stand("F", f"P{place}", "B", crop, 0.9, tuple(dict.fromkeys(rivals)), Interval(area, area, area),
                  value=Interval(low, 1.4 * low, 2 * low), currency="CNY" if dice.random() < 0.98 else "EUR")
        )  # fmt: skip
    land = sum((stand.area_m2 for stand in stands), ZERO)
    one_money = {stand.currency for stand in stands} == {"CNY"}
    worth = sum((stand.value for stand in stands if stand.value is not None), ZERO)
    requested = dice.choice((None, Decimal(500), Decimal(8_000), Decimal(300_000), Decimal(dice.randint(900, 90_000))))
    debt = dice.choice((Decimal(0), Decimal(0), Decimal(290_000), Decimal(dice.randint(1, 20_000)), None))
    return Farm(
        f"F-{number:04d}", "ok", None, tuple(stand.parcel_id for stand in stands), land.high, land, land.mid,
        tuple(stands), stands[0].crop, "normal", None, dice.choice((0, 5, 6, 12, 30, 30)),
        AS_OF - timedelta(days=dice.choice((3, 3, 20, 90))),
        flags=tuple(dice.sample(FLAGS, dice.choice((0, 0, 0, 1, 2, 4)))),
        value=worth if one_money else None, currency="CNY" if one_money else None,
        applicant=Applicant(f"F-{number:04d}", f"P-{number}", requested, debt, 3),
    )  # fmt: skip


@cache
def thousand() -> tuple[tuple[Farm, Decision], ...]:
    dice = random.Random(2018)
    farms = [made_farm(number, dice) for number in range(1000)]
    return tuple(zip(farms, assess_credit(farms, demo(), as_of=AS_OF), strict=True))


def without(policy: CompiledPolicy, *names: str) -> CompiledPolicy:
    return replace(policy, rules=tuple(entry for entry in policy.rules if entry.rule.name not in names))


def amount(farm: Farm, policy: CompiledPolicy) -> Decimal:
    """The limit, or what it would have been; no end where no rule is left that sets one."""
    if not any(entry.rule.sets_limit for entry in policy.rules):
        return Decimal("inf")
    decision = assess_credit([farm], policy, as_of=AS_OF)[0]
    if decision.limit is not None:
        return decision.limit
    told = [step.evidence["indicative_limit"] for step in decision.trail if "indicative_limit" in step.evidence]
    return Decimal(told[-1].split()[0].replace(",", "")) if told else Decimal("inf")


def rules_of(decision: Decision) -> dict[str, str]:
    return {step.code: step.rule for step in decision.trail}


def settled(farm: Farm, policy: CompiledPolicy, codes: set[str], decision: Decision) -> tuple[Farm, CompiledPolicy]:
    """The farm, and the policy, with some reasons of a referral taken away."""
    stands = farm.stands
    if "crop_doubtful" in codes:
        stands = tuple(replace(stand, crop_set=(stand.crop,)) for stand in stands)
    farm = replace(
        farm,
        stands=stands,
        clear_looks=30 if "few_clear_looks" in codes else farm.clear_looks,
        last_clear=AS_OF if "stale_look" in codes else farm.last_clear,
        flags=tuple(flag for flag in farm.flags if flag not in codes),
        applicant=replace(farm.applicant, existing_debt=Decimal(0))
        if "debt_unknown" in codes and farm.applicant
        else farm.applicant,
    )
    by_rule = {rules_of(decision)[code] for code in codes - {"debt_unknown"}} - {EVIDENCE}
    return farm, without(policy, *by_rule)


def test_every_outcome_has_one_to_four_reasons_in_words() -> None:
    outcomes = Counter(decision.outcome for _, decision in thousand())
    assert min(outcomes[kind] for kind in ("approve", "refer", "decline")) >= 10, outcomes
    for farm, decision in thousand():
        assert 1 <= len(decision.reasons) <= MOST, farm.farm_id
        assert len(set(decision.reasons)) == len(decision.reasons)
        assert not GENERIC & set(decision.reasons)
        assert set(decision.reasons) <= set(known_codes())
        assert set(decision.reasons) <= set(rules_of(decision))
        for code in decision.reasons:
            assert "{" not in reason_words(code, "en") + reason_words(code, "zh")


def test_each_reason_of_a_limit_raises_it_and_the_first_raises_most() -> None:
    level = 0
    for farm, decision in thousand():
        if decision.outcome != "approve" or decision.limit is None:
            continue
        rule_of = rules_of(decision)
        rises = [amount(farm, without(demo(), rule_of[code])) - decision.limit for code in decision.reasons]
        if rises[0] > 0:
            assert rises == sorted(rises, reverse=True), (farm.farm_id, decision.reasons, rises)
            assert min(rises) > 0, (farm.farm_id, decision.reasons, rises)
            continue
        level += (
            1  # caps that stand level: none alone raises it, all of them together do, and none is named for nothing
        )
        names = {rule_of[code] for code in decision.reasons}
        assert amount(farm, without(demo(), *names)) > decision.limit, (farm.farm_id, decision.reasons)
        for name in names:
            assert amount(farm, without(demo(), *(names - {name}))) == decision.limit, (farm.farm_id, name)
    assert level >= 5


def test_no_rule_that_would_raise_a_limit_is_left_out() -> None:
    for farm, decision in thousand():
        if decision.outcome == "approve" and decision.limit is not None and len(decision.reasons) < MOST:
            named = {rules_of(decision)[code] for code in decision.reasons}
            for entry in demo().rules:
                if entry.rule.name not in named:
                    assert amount(farm, without(demo(), entry.rule.name)) <= decision.limit, entry.rule.name


def test_each_reason_of_a_referral_is_enough_and_together_they_are_all() -> None:
    for farm, decision in thousand():
        if decision.outcome != "refer" or decision.reasons[0] in ("below_minimum", "nothing_left"):
            continue
        codes = set(decision.reasons)
        for code in codes:
            if code == "insufficient_imagery":
                assert codes & LOOKS
                continue
            other, policy = settled(farm, demo(), codes - {code}, decision)
            alone = assess_credit([other], policy, as_of=AS_OF)[0]
            assert alone.outcome == "refer", (farm.farm_id, code)
            assert code in alone.reasons, (farm.farm_id, code, alone.reasons)
        if len(codes) < MOST:
            cleared, policy = settled(farm, demo(), codes, decision)
            if any(entry.rule.sets_limit for entry in policy.rules):
                after = assess_credit([cleared], policy, as_of=AS_OF)[0]
                assert not codes & set(after.reasons), (farm.farm_id, codes, after.reasons)
                assert after.outcome != "refer" or after.reasons[0] in ("below_minimum", "nothing_left", "no_value")


def test_a_loan_that_is_too_small_names_what_made_it_small() -> None:
    seen = 0
    for farm, decision in thousand():
        if decision.outcome == "refer" and decision.reasons[0] in ("below_minimum", "nothing_left"):
            seen += 1
            assert len(decision.reasons) > 1
            names = {rules_of(decision)[code] for code in decision.reasons[1:]}
            assert amount(farm, without(demo(), *names)) > amount(farm, demo())
    assert seen >= 10


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"requested": 20_000, "existing_debt": 0}, ("requested", "person_cap")),  # level to the cent
        ({"requested": 20_040, "existing_debt": 0}, ("person_cap", "requested")),  # level once rounded down
        ({"requested": 19_000, "existing_debt": 0}, ("requested",)),
    ],
)
def test_caps_that_stand_level_are_named_together(changes: dict[str, int], reasons: tuple[str, ...]) -> None:
    policy = house({"person_cap": {"amount": 20_000}})
    assert assess_credit([make_farm({"applicant": changes})], policy, as_of=AS_OF)[0].reasons == reasons


def test_three_caps_that_stand_level_are_named_together() -> None:
    """60,000 by the land, 60,000 asked for, 60,000 a person: only without all three there is more, by the harvest."""
    policy = house({"person_cap": {"amount": 60_000}})
    farm = make_farm({"applicant": {"requested": 60_000}})
    decision = assess_credit([farm], policy, as_of=AS_OF)[0]
    assert decision.limit == 60_000
    assert set(decision.reasons) == {"crop_cap_per_mu", "requested", "person_cap"}
    assert decision.reasons[0] == "crop_cap_per_mu"


def test_codes_have_no_generic_names() -> None:
    assert not GENERIC & {*known_codes(), *all_codes()}


def test_a_referral_tells_its_figures_in_both_languages() -> None:
    seen = {"clear_looks": 4, "stands": [{"crop": "maize", "crop_set": ["maize", "potato"], "mu": 100}]}
    decision = decide(make_farm(seen))
    told = {step.code: (step.text_en, step.text_zh) for step in decision.trail if step.outcome == "refer"}
    assert told["few_clear_looks"][0].endswith(" Seen clearly 4 times; needed: 6 times.")
    assert told["few_clear_looks"][1].endswith("清晰观测4次，需要6次。")
    assert told["crop_doubtful"][0].endswith(" It may be maize or potato.")
    assert told["crop_doubtful"][1].endswith("可能是maize或potato。")
    lines = explain_decision(decision)
    assert any(line.startswith("Reason: ") and "needed: 6 times." in line for line in lines)


def test_no_amount_would_be_where_one_cap_cannot_be_told() -> None:
    unpriced = {"stands": [{"crop": "maize", "mu": 100, "code": "no_price"}]}
    decision = decide(make_farm(unpriced))
    assert decision.outcome == "refer"
    assert all(step.after is None and "indicative_limit" not in step.evidence for step in decision.trail)
    assert not any("would be" in line for line in explain_decision(decision))
