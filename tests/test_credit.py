# SPDX-License-Identifier: Apache-2.0
"""Policies, rules, reasons and trails; the cases in tests/credit_cases are run from here."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from acreline.config import Policy, list_configs, read_policy
from acreline.credit import (
    CompiledPolicy,
    assess_credit,
    compile_policy,
    decision_from_json,
    decision_line,
    decision_to_json,
    explain_decision,
    known_codes,
    list_rules,
    reason_words,
)
from acreline.credit import rules as rules_folder
from acreline.credit.facts import floor_area, floor_money, floor_to, plain, show_money
from acreline.errors import ConfigError, ContractError, CreditError, StoreError
from acreline.records import ZERO, Applicant, Decision, Farm, Interval, Stand, Struck

CASES = Path(__file__).parent / "credit_cases"
HOUSE: dict[str, Any] = yaml.safe_load((CASES / "policy.yaml").read_text(encoding="utf-8"))
AS_OF: date = HOUSE["as_of"]


def read_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a file, each with what the file says for all of them: its own policy, day and ordinary farm."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(raw, list):
        return raw
    shared = {key: value for key, value in raw.items() if key != "cases"}
    for case in raw["cases"]:
        for key in ("farm", "policy"):
            if isinstance(shared.get(key), dict):
                case[key] = {**shared[key], **case.get(key, {})}
    return [shared | case for case in raw["cases"]]


TABLE = [
    (path.stem, case) for path in sorted(CASES.glob("*.yaml")) if path.stem != "policy" for case in read_cases(path)
]


def house_policy(changes: Mapping[str, Any] | None = None, **keys: Any) -> Policy:
    """The cases' policy, some rules with other numbers (None leaves the rule out), some keys replaced."""
    raw = deepcopy(HOUSE["policy"]) | keys
    changes = changes or {}
    raw |= {key: deepcopy(value) for key, value in changes.items() if key in Policy.model_fields}  # also all rules
    for rule in list(raw["rules"]):
        if rule["rule"] in changes:
            if changes[rule["rule"]] is None:
                raw["rules"].remove(rule)
            else:
                rule["settings"] = changes[rule["rule"]]
    policy = Policy.model_validate(raw)
    policy._file = CASES / "policy.yaml"  # what a rule reads counts from there
    return policy


def house(changes: Mapping[str, Any] | None = None, **keys: Any) -> CompiledPolicy:
    return compile_policy(house_policy(changes, **keys))


def mu(area: float) -> float:
    """Square metres of some mu, never less than them."""
    return math.nextafter(area * 2000 / 3, math.inf)


def make_stand(raw: Mapping[str, Any], number: int = 0) -> Stand:
    low = mu(raw["mu"])
    value = None
    if "value_low" in raw:
        low_value, high_value = float(raw["value_low"]), float(raw["value_high"])
        value = Interval(low_value, (low_value + high_value) / 2, high_value)
    cost = None
    if "cost_high" in raw:
        cost = Interval(float(raw["cost_high"]) * 0.8, float(raw["cost_high"]) * 0.9, float(raw["cost_high"]))
    mid = mu(raw.get("mu_mid", raw["mu"] * 1.02))
    return Stand(
        farm_id="F",
        parcel_id=f"P{number}",
        slot=raw.get("slot", "B"),
        crop=raw["crop"],
        crop_confidence=raw.get("confidence", 0.9),
        declared_crop=raw.get("declared"),
        crop_set=tuple(raw.get("crop_set", [raw["crop"]])),
        area_m2=Interval(low, mid, mid * 1.03),
        cash_cost=cost,
        value=value,
        currency=None if value is None else raw.get("currency", "CNY"),
        code=raw.get("code"),
    )


def make_farm(changes: Mapping[str, Any] | None = None, farm_id: str = "F") -> Farm:
    """The ordinary farm of the cases with some facts changed; its value is the sum of its stands'."""
    raw = {**HOUSE["farm"], **(changes or {})}
    stands = tuple(make_stand(stand, number) for number, stand in enumerate(raw["stands"]))
    values = [stand.value for stand in stands if stand.value is not None]
    whole = bool(stands) and len(values) == len(stands)
    planted = sum((stand.area_m2 for stand in stands), ZERO)
    applicant = raw["applicant"]
    if applicant is not None:
        given = {"existing_debt": 0, **applicant}  # null is a debt that nobody gave
        plain_facts = ("person_id", "record_years")
        money = {n: None if value is None else Decimal(value) for n, value in given.items() if n not in plain_facts}
        known = {n: given[n] for n in plain_facts if n in given}
        applicant = Applicant(farm_id, **known, **money)
    return Farm(
        farm_id=farm_id,
        status=raw.get("status", "ok"),
        reason=raw.get("reason"),
        parcel_ids=tuple(stand.parcel_id for stand in stands),
        area_m2=planted.high,
        planted_m2=planted,
        sown_m2=planted.mid,
        stands=stands,
        main_crop=stands[0].crop if stands else None,
        health=raw.get("health", "normal"),
        vigour=raw.get("vigour"),
        clear_looks=raw["clear_looks"],
        last_clear=raw["last_clear"],
        flags=tuple(raw.get("flags", ())),
        events=tuple(raw.get("events", ())),
        value=sum(values, ZERO) if whole else None,
        currency=raw.get("currency", "CNY") if whole else None,
        applicant=applicant,
        struck=tuple(Struck(name, *parts) for name, parts in sorted(raw.get("struck", {}).items())),
    )


def decide(farm: Farm, policy: CompiledPolicy | None = None) -> Decision:
    return assess_credit([farm], policy or house(), as_of=AS_OF)[0]


# --- cases --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rule", "case"), TABLE, ids=[f"{rule}: {case['case']}" for rule, case in TABLE])
def test_case(rule: str, case: dict[str, Any]) -> None:
    if rule == "decision_table":
        pytest.importorskip("zen", reason="needs the extra `rules`")
    check_case(case, house(case.get("policy")), AS_OF)


def check_case(case: dict[str, Any], policy: CompiledPolicy, as_of: date) -> Decision:
    """Decide a case's farm among those beside it, in either order, and hold the decision beside what is written."""
    beside = case.get("beside", [])
    beside = [beside] if isinstance(beside, dict) else beside
    beside = [raw for raw in beside for _ in range(raw.get("times", 1))]
    farms = [make_farm(case.get("farm")), *(make_farm(raw, f"F{n}") for n, raw in enumerate(beside, 2))]
    decision = assess_credit(farms, policy, as_of=as_of, county=case.get("county"))[0]
    assert decision == assess_credit(farms[::-1], policy, as_of=as_of, county=case.get("county"))[-1]
    then = case["then"]
    assert decision.outcome == then["outcome"]
    assert decision.limit == (None if "limit" not in then else Decimal(then["limit"]))
    assert decision.binding_rule == then.get("binding_rule")
    assert list(decision.reasons) == then["reasons"]
    for name, facts in case.get("seen", {}).items():
        steps = [step for step in decision.trail if step.rule == name]
        assert steps, name
        for key, text in facts.items():
            assert steps[0].evidence.get(key) == text, key
    assert decision_from_json(json.loads(decision_line(decision))) == decision
    return decision


def test_every_rule_has_cases() -> None:
    assert {rule for rule, _ in TABLE} == set(rules_folder.load_rules())
    assert [line.split()[0] for line in list_rules()] == sorted(rules_folder.load_rules())
    assert all(len(line.split()) > 4 for line in list_rules())


# --- policies -----------------------------------------------------------------------------------------------------
def test_packaged_policies_compile_and_say_what_they_are() -> None:
    for name in list_configs("policies"):
        assert compile_policy(read_policy(name)).rules, name
    demo = read_policy("demo")
    assert "demonstration only" in demo.title
    assert {rule.source for rule in demo.rules} == {"demonstration only"}
    assert demo.author != demo.approver


@pytest.mark.parametrize(
    ("rules", "message", "hint"),
    [
        ([{"rule": "capasity"}], "rule 'capasity' is not known", "did you mean 'capacity'?"),
        ([{"rule": "zzz"}], "rule 'zzz' is not known", "known: capacity, capacity_less_costs, concentration"),
        ([{"rule": "requested", "settings": {"a": 1}}], "rule requested: unknown setting 'a'", "known here: none"),
        ([{"rule": "capacity", "settings": {"sharre": 1}}], "share: Field required", "share of the 5 % quantile"),
        (
            [{"rule": "capacity", "settings": {"share": 0.4, "debt_without_recrod": True}}],
            "unknown setting 'debt_without_recrod'",
            "did you mean 'debt_without_record'?",
        ),
        ([{"rule": "capacity", "settings": {"share": 1.4}}], "share: Input should be less than or equal to 1", "mend"),
        ([{"rule": "capacity", "settings": {"share": math.nan}}], "share: Input should be a finite number", "mend"),
        (
            [{"rule": "crop_cap_per_mu", "settings": {"caps_per_mu": {"maize": -5}}}],
            "caps_per_mu.maize: Input should be greater than or equal to 0; found -5",
            "mend 'caps_per_mu.maize' (crop slug -> money per planted mu)",
        ),
        ([{"rule": "person_cap", "settings": {"amount": 1}}], "the first rule is 'person_cap'", "begin with"),
    ],
)
def test_bad_rules_are_refused(rules: list[dict[str, Any]], message: str, hint: str) -> None:
    policy = house_policy(rules=[{"source": "test", **rule} for rule in rules])
    with pytest.raises(ConfigError) as caught:
        compile_policy(policy)
    assert message in caught.value.message
    assert "policy cases-1" in caught.value.message
    assert hint in caught.value.hint


def test_bad_order_and_rounding_are_refused() -> None:
    rules = HOUSE["policy"]["rules"]
    for chosen, message in (
        ([0, 1, 2, 1], "rule 'crop_cap_per_mu' stands twice"),
        ([0, 5, 1], "rule 'minimum_amount' compares a limit, but none is set before it"),
        ([0, 3], "no rule sets a limit"),
    ):
        with pytest.raises(ConfigError, match=message):
            compile_policy(house_policy(rules=[rules[place] for place in chosen]))
    with pytest.raises(ConfigError, match=r"round_to 0\.001 is no whole number of cents"):
        house(round_to="0.001")


def test_version_is_made_from_content() -> None:
    same = house({"capacity": {"share": 0.40}}, round_to="100.0")
    assert same.version == house().version  # how the file writes a number does not matter
    others = [
        house({"capacity": {"share": 0.41}}),
        house(round_to=200),
        house(valid_to=date(2018, 12, 30)),
        house(approver="somebody else"),
        house({"requested": None}),
    ]
    assert len({policy.version for policy in (same, *others)}) == len(others) + 1
    assert decide(make_farm(), same).policy_id == f"cases-1@{same.version}"


@pytest.mark.parametrize(
    ("day", "valid"), [("2017-12-31", False), ("2018-01-01", True), ("2018-12-31", True), ("2019-01-01", False)]
)
def test_policy_holds_on_its_days_only(day: str, valid: bool) -> None:
    as_of = date.fromisoformat(day)
    farm = make_farm({"last_clear": as_of})
    if valid:
        assert assess_credit([farm], house(), as_of=as_of)[0].limit == 60_000
        return
    with pytest.raises(CreditError, match=f"cases-1 is not valid on {day}: it holds from 2018-01-01 to 2018-12-31"):
        assess_credit([farm], house(), as_of=as_of)
    with pytest.raises(CreditError, match="it holds from 2030-01-01 on"):
        assess_credit([farm], house(valid_from=date(2030, 1, 1), valid_to=None), as_of=as_of)


def test_one_farm_twice_is_our_bug() -> None:
    with pytest.raises(ContractError, match="farm 'F' comes twice"):
        assess_credit([make_farm(), make_farm()], house(), as_of=AS_OF)


# --- reasons ------------------------------------------------------------------------------------------------------
OTHER_ROOMS = [
    "small_parcel",
    "few_clear_looks",
    "stale_look",
    "overlapping_claim",
    "overlaps_own_parcel",
    "geometry_repaired",
    "block_failed",
    "incomplete",
    "duplicate_id",
    "no_geometry",
    "invalid_geometry",
    "no_area",
    "absurd_area",
    "too_detailed",
    "not_a_polygon",
    "no_parcel_id",
    "no_farm_id",
    "no_tile",
    "crop_doubtful",
    "crop_unknown",
    "crop_not_in_region",
    "declared_crop_differs",
    "declared_crop_unknown",
    "ground_unseen",
    "few_pixels",
    "mixed_parcel",
    "unlike_training",
    "crop_set_not_priced",
    "debt_unknown",
    "applicant_unknown",
    "declared_area_differs",
    "declared_area_unit",
    "event_flood",
    "event_drought",
    "no_cap_for_crop",
    "mixed_currency",
    "insufficient_imagery",
    "no_value",
    "not_modelled",
    "no_index",
    "no_yield",
    "no_price",
    "status_failed",
    "status_rejected",
    "status_insufficient",
    "status_degraded",
    "implausible_facts",
    "nothing_left",
    "not_measured",
    "few_looks",
    "few_neighbours",
    "in_season",
    "declared_area_unreadable",
    "event_late_failed",
]


@pytest.mark.parametrize("code", sorted({*known_codes(), *OTHER_ROOMS}))
def test_every_code_has_words(code: str) -> None:
    assert code in known_codes()
    en, zh = reason_words(code, "en"), reason_words(code, "zh")
    assert en[0].isupper()
    assert en.endswith(".")
    assert code not in en.split()
    assert "{" not in en + zh
    assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
    assert zh.endswith("。")
    assert len(en) <= 130


def test_words_of_an_unknown_code_show_it() -> None:
    assert reason_words("moon{landing}") == "This was noted and a person looks: moon{landing}."
    assert decide(make_farm({"flags": ["moon{landing}"]})).trail[0].text_en.endswith("moon{landing}.")


def test_other_languages_are_refused() -> None:
    with pytest.raises(ConfigError, match="language 'fr' is not spoken"):
        reason_words("small_parcel", "fr")
    with pytest.raises(ConfigError, match="language 'fr' is not spoken"):
        explain_decision(decide(make_farm()), "fr")


BIG = {"crop": "potato", "mu": 1000, "value_low": 9_000_000, "value_high": 12_000_000}


@pytest.mark.parametrize(
    ("farm", "reason", "neutral_farm", "neutral_policy"),
    [
        ({}, "crop_cap_per_mu", {"stands": [{**HOUSE["farm"]["stands"][0], "mu": 10_000}]}, {}),
        (
            {"stands": [{"crop": "maize", "mu": 100, "value_low": 1e5, "value_high": 2e5}]},
            "capacity",
            {"stands": [{"crop": "maize", "mu": 100, "value_low": 1e8, "value_high": 2e8}]},
            {},
        ),
        (
            {"applicant": {"existing_debt": 70_000}},
            "capacity_after_debt",
            {"applicant": {"existing_debt": 0}},
            {},
        ),
        ({"applicant": {"requested": 7_000}}, "requested", {"applicant": {}}, {}),
        ({"stands": [BIG]}, "person_cap", {"stands": [BIG]}, {"person_cap": {"amount": 10**9}}),
    ],
)
def test_reasons_are_true(
    farm: dict[str, Any], reason: str, neutral_farm: dict[str, Any], neutral_policy: dict[str, Any]
) -> None:
    given, neutral = decide(make_farm(farm)), decide(make_farm(neutral_farm), house(neutral_policy))
    assert given.outcome == "approve"
    assert given.reasons == (reason,)
    assert given.limit is not None
    assert neutral.limit is not None
    assert neutral.limit > given.limit
    for rule in ("crop_cap_per_mu", "capacity", "requested", "person_cap"):
        if rule != given.binding_rule:  # a rule that is no reason: without it the limit is the same
            assert decide(make_farm(farm), house({rule: None})).limit == given.limit


def test_level_caps_are_named_together_the_one_that_binds_first() -> None:
    decision = decide(make_farm({"applicant": {"requested": 60_000}}))  # asked for just what the crops carry
    assert decision.limit == 60_000
    assert decision.binding_rule == "crop_cap_per_mu"
    assert decision.reasons == ("crop_cap_per_mu", "requested")  # neither alone raises it, both together do


def test_nothing_left_without_a_smallest_loan_refers() -> None:
    decision = decide(make_farm({"applicant": {"requested": 99}}), house({"minimum_amount": None}))
    assert decision.outcome == "refer"
    assert decision.reasons == ("nothing_left", "requested")


# --- the trail ----------------------------------------------------------------------------------------------------
def test_trail_of_an_approval_reads_from_nothing_to_the_limit() -> None:
    decision = decide(make_farm({"applicant": {"requested": "20099.50", "existing_debt": 100}}))
    moves = [(step.rule, step.before, step.after, step.changed) for step in decision.trail]
    assert moves == [
        ("evidence_bar", None, None, False),
        ("crop_cap_per_mu", None, 60_000, True),
        ("capacity", 60_000, 60_000, False),
        ("requested", 60_000, Decimal("20099.50"), True),
        ("person_cap", Decimal("20099.50"), Decimal("20099.50"), False),
        ("minimum_amount", Decimal("20099.50"), Decimal("20099.50"), False),
        ("policy", Decimal("20099.50"), 20_000, True),
    ]
    asked = decision.trail[3]
    assert asked.evidence == {"requested": "20,099.5 CNY"}
    assert (asked.text_en, asked.text_zh) == ("You asked for 20,099.5 CNY.", "您申请的金额为20,099.5元。")


def test_a_referral_shows_no_limit_but_what_it_would_be() -> None:
    decision = decide(make_farm({"flags": ["crop_doubtful"], "applicant": {"requested": 20_000}}))
    assert decision.limit is None
    assert decision.binding_rule is None
    assert all(step.before is None and step.after is None for step in decision.trail)
    assert decision.trail[0].outcome == "refer"
    would_be = [step.evidence.get("indicative_limit") for step in decision.trail]
    assert would_be == [None, "60,000 CNY", "60,000 CNY", *["20,000 CNY"] * 4]


def test_explanation_in_both_languages() -> None:
    approved = decide(make_farm())
    english, chinese = explain_decision(approved), explain_decision(approved, "zh")
    assert english[0] == "F, 2018-12-15. Approved: limit 60,000 CNY."
    assert english[1].startswith(
        "Reason: The limit is the planted area times the amount per mu for your crops. What you"
    )
    assert english[3].startswith(
        "2. Amount per mu: At least 100 mu of crops, each crop of the year counted, carry 60,000 CNY"
    )
    assert english[3].endswith("-> 60,000 CNY")
    assert english[-1] == "You may ask at any time that a person looks at this again."
    assert chinese[0] == "F，2018-12-15。批准：额度60,000元。"
    assert chinese[-1] == "您可以随时要求人工复核。"
    assert len(english) == len(chinese) == 2 + len(approved.trail) + 2
    referred = decide(make_farm({"flags": ["crop_doubtful"]}))
    assert explain_decision(referred)[0] == "F, 2018-12-15. Referred: a person decides."
    assert explain_decision(referred)[3].endswith("(would be 60,000 CNY)")
    assert explain_decision(referred, "zh")[3].endswith("（参考额度60,000元）")
    declined = decide(make_farm({"applicant": {"existing_debt": 500_000}}))
    assert explain_decision(declined)[0] == "F, 2018-12-15. Declined: limit 0 CNY."
    assert explain_decision(declined, "zh")[0] == "F，2018-12-15。未批准：额度0元。"


def test_lines_are_the_same_bytes_whatever_the_order() -> None:
    farms = [make_farm({"clear_looks": looks}, f"F{looks}") for looks in range(12)]
    policy = house()
    forward = [decision_line(d) for d in assess_credit(farms, policy, as_of=AS_OF)]
    backward = [decision_line(d) for d in assess_credit(farms[::-1], house(), as_of=AS_OF)]
    assert forward == backward[::-1]
    assert json.loads(forward[11])["limit"] == "60000"
    assert forward == [decision_line(assess_credit([farm], policy, as_of=AS_OF)[0]) for farm in farms]


NAMES = {"maize": ("Maize", "玉米"), "potato": ("Potato", "马铃薯"), "rapeseed": ("Rapeseed", "油菜")}
BAR = {"min_clear_looks": 6, "max_days_since_clear": 60, "agreed_confidence": 0.6}


def test_crops_are_called_by_their_names_in_both_languages() -> None:
    named = compile_policy(house_policy({"evidence_bar": BAR}), NAMES)
    assert named.version == house({"evidence_bar": BAR}).version  # words change no limit
    doubtful = {"crop": "maize", "crop_set": ["maize", "potato"], "declared": "maize", "confidence": 0.729}
    farm = make_farm({"stands": [{**doubtful, "mu": 100, "value_low": 2e5, "value_high": 4e5}]})
    bar, per_mu = decide(farm, named).trail[:2]
    assert bar.code == "evidence_met"
    assert bar.text_en.endswith(
        "to look. Maize was taken because you declared it and the satellite's first answer agrees (72 %)."
    )
    assert bar.text_zh.endswith("。按玉米计算，因为您申报的作物与卫星的首要判断一致（72%）。")
    assert bar.evidence["declared_and_seen"] == "Maize"
    assert bar.evidence_zh["declared_and_seen"] == "玉米"
    assert bar.evidence_zh["clear_looks"] == "12次"
    assert per_mu.evidence["crops"] == "Maize or Potato 100 mu x 600 CNY/mu"
    assert per_mu.evidence_zh["crops"] == "玉米或马铃薯 100亩 × 600元/亩"
    missing = make_farm({"stands": [{"crop": "rapeseed", "mu": 1, "value_low": 1, "value_high": 2}]})
    step = decide(missing, named).trail[1]
    assert step.text_en.startswith("This policy has no amount per mu for: Rapeseed.")
    assert step.text_zh.startswith("本政策没有以下作物的每亩额度：油菜，")
    odd = compile_policy(house_policy({"evidence_bar": BAR}), {"maize": ("{maize}", "{玉米}")})
    assert "{maize} was taken" in decide(farm, odd).trail[0].text_en


def test_a_trail_of_before_the_chinese_values_still_reads() -> None:
    raw = decision_to_json(decide(make_farm({"flags": ["crop_doubtful"]})))
    assert raw["trail"][1]["evidence_zh"]["indicative_limit"] == "60,000元"
    assert all(set(step["evidence_zh"]) == set(step["evidence"]) for step in raw["trail"])
    for step in raw["trail"]:
        del step["evidence_zh"]
    assert decision_from_json(raw).trail[1].evidence_zh == {}


def test_every_rule_has_a_title_and_every_code_words_on_the_page() -> None:
    from acreline.report.words import WORDS

    titles = {name: rule.title for name, rule in rules_folder.load_rules().items()}
    assert titles.items() <= WORDS["rule"].items()
    rule_codes = {code for rule in rules_folder.load_rules().values() for code in rule.reasons}
    assert set(known_codes()) - rule_codes <= set(WORDS["flag"])  # a rule's own codes come with their sentence
    facts = [step.evidence for policy in (house(), house({"evidence_bar": BAR})) for changes in (
        {}, {"flags": ["crop_doubtful"], "applicant": {"requested": 1, "person_id": "P"}}, {"clear_looks": -1},
        {"stands": [{"crop": "maize", "mu": 5, "value_low": 400, "value_high": 900}]},
        {"stands": [{"crop": "rapeseed", "mu": 5, "value_low": 400, "value_high": 900}]},
    ) for step in decide(make_farm(changes), policy).trail]  # fmt: skip
    assert {name for fact in facts for name in fact} <= set(WORDS["fact"])


def test_a_farm_whose_land_has_no_area_is_no_fault_of_its_numbers() -> None:
    assert decide(replace(make_farm(), area_m2=None)).reasons == ("crop_cap_per_mu",)


def test_a_broken_line_is_refused() -> None:
    raw = decision_to_json(decide(make_farm()))
    for change in ({"limit": "sixty"}, {"outcome": "maybe"}, {"as_of": "yesterday"}, {"trail": [{}]}):
        with pytest.raises(StoreError, match="a line is no decision"):
            decision_from_json(raw | change)


# --- money --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"area_m2": math.inf}, "area_m2 = inf"),
        ({"area_m2": -1.0}, "area_m2 = -1.0"),
        ({"planted_m2": Interval(-5, 0, 0)}, "planted_m2.low = -5"),
        ({"planted_m2": Interval(0, 0, 1e13)}, "planted_m2.high = 10000000000000.0"),
        ({"value": Interval(-1, 0, 1)}, "value.low = -1"),
        ({"value": Interval(0, 1, math.inf)}, "value.high = inf"),
        ({"clear_looks": -1}, "clear_looks = -1"),
        ({"last_clear": date(2018, 12, 16)}, "last_clear = 2018-12-16"),
        ({"applicant": Applicant("F", existing_debt=Decimal(-1))}, "existing_debt = -1"),
        ({"applicant": Applicant("F", existing_debt=Decimal("NaN"))}, "existing_debt = NaN"),
        ({"applicant": Applicant("F", requested=Decimal("1e16"))}, "requested = 1E+16"),
    ],
)
def test_facts_that_cannot_be_true_go_to_a_person(changes: dict[str, Any], named: str) -> None:
    decision = decide(replace(make_farm(), **changes))
    assert decision.outcome == "refer"
    assert decision.reasons == ("implausible_facts",)
    assert [step.evidence for step in decision.trail] == [{"fault": named}]


def test_enormous_but_possible_stays_exact_and_under_the_cap() -> None:
    giant = make_farm({"stands": [{"crop": "potato", "mu": 1.4e9, "value_low": 9.99e14, "value_high": 1e15}]})
    decision = decide(giant)
    assert decision.limit == 300_000
    assert decide(giant, house({"person_cap": None})).limit == Decimal("2100000000000")
    assert decide(giant, house({"person_cap": None, "crop_cap_per_mu": None})).limit == Decimal("399600000000000")


def test_money_that_would_have_to_be_rounded_in_silence_is_refused() -> None:
    endless = "0." + "3" * 90
    with pytest.raises(CreditError, match="policy cases-1: an amount needs more than 80 digits"):
        decide(make_farm(), house({"capacity": {"share": endless}}))
    assert decide(make_farm({"applicant": {"existing_debt": endless}})).reasons == ("implausible_facts",)


def test_quantisation_by_hand() -> None:
    assert floor_area(2000 / 3 * 2.999, "mu", 2) == Decimal("2.99")
    assert floor_area(0.0, "mu", 2) == 0
    assert floor_area(10_000.0, "mu", 2) == 15
    assert floor_area(9_999.999, "mu", 2) == Decimal("14.99")
    assert floor_money(1999.999) == 1999
    assert floor_to(Decimal("1234.56"), Decimal("0.5")) == Decimal("1234.5")
    assert [plain(Decimal(text)) for text in ("1000", "1E+3", "1234.50", "0.00", "0.10")] == [
        "1,000",
        "1,000",
        "1,234.5",
        "0",
        "0.1",
    ]
    assert show_money(Decimal(5), "CHF") == ("5 CHF", "5 CHF")


def test_money_needs_no_array_library() -> None:
    code = (
        "import sys, acreline.credit, acreline.yields; acreline.credit.list_rules();"
        "print(sorted({'numpy', 'pandas', 'torch', 'rasterio', 'xarray', 'shapely'} & set(sys.modules)))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


def test_a_rule_file_without_a_rule_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_done.py").write_text("# SPDX-License-Identifier: Apache-2.0\n", encoding="utf-8")
    rules_folder.load_rules.cache_clear()
    monkeypatch.setattr(rules_folder, "__path__", [*rules_folder.__path__, str(tmp_path)])
    try:
        with pytest.raises(ContractError, match=r"credit/rules/half_done\.py: no RULE of that name"):
            rules_folder.load_rules()
    finally:
        rules_folder.load_rules.cache_clear()
