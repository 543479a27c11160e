# SPDX-License-Identifier: Apache-2.0
"""What packs promise beyond their cases: quantiles, sums over a batch, order of rules, fair to small and cloudy."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import sys
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks.credit_pairs import count_counter_examples, gets_less, more_doubt, packaged_policies
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from acreline.config import Policy, read_family, read_policy
from acreline.credit import CompiledPolicy, RuleContext, assess_credit, compile_policy, find_totals
from acreline.credit import rules as rules_folder
from acreline.credit.facts import area_at, at_least_zero, floor_area, value_at
from acreline.credit.features import FEATURES, find_features
from acreline.credit.rules.health import CLASSES
from acreline.errors import ConfigError
from acreline.farms.edges import edge_pixels
from acreline.farms.gather import EDGE_PX_SD, PIXEL_M2, Z_95
from acreline.farms.land import green_land
from acreline.farms.struck import struck_land, struck_parcels
from acreline.layers import HEALTH_CLASSES
from acreline.records import Applicant, Farm, Interval, Stand, Struck
from acreline.tables import farm_from_json, farm_to_json
from tests.test_credit import CASES, HOUSE, decide, house, house_policy, make_farm

DAY = date(2018, 12, 15)
PACKS: dict[str, CompiledPolicy] = {name: compile_policy(read_policy(name, as_of=DAY)) for name in ("china", "kcc")}


# --- the quantile that is lent on ---------------------------------------------------------------------------------
@pytest.mark.parametrize("quantile", ["0.05", "0.1", "0.25", "0.4", "0.5"])
def test_a_quantile_lies_on_the_log_normal_curve(quantile: str) -> None:
    weight = NormalDist().inv_cdf(float(quantile)) / NormalDist().inv_cdf(0.05)
    want = 1000 * 0.7**weight
    assert float(value_at(Interval(700, 1000, 1500), Decimal(quantile))) == pytest.approx(want, rel=1e-12)


def test_quantiles_at_the_ends_are_low_and_middle_to_the_last_digit() -> None:
    value = Interval(0.1, 0.3, 0.5)
    assert value_at(value, Decimal("0.05")) == Decimal.from_float(0.1)
    assert value_at(value, Decimal("0.5")) == Decimal.from_float(0.3)
    assert value_at(Interval(0, 5, 9), Decimal("0.2")) == 0
    assert value_at(Interval(7, 7, 9), Decimal("0.2")) == 7
    found = value_at(Interval(700, 1000, 1500), Decimal("0.2"))
    assert str(found)[:18] == "833.18493803397455"  # the same digits on every machine


def test_land_is_taken_at_the_quantile_of_the_policy() -> None:
    """Normal: z(0.2) / z(0.05) = 0.5117 of the way from the middle down to the low end; its ends exactly."""
    land = Interval(9_000.0, 10_000.0, 10_000.0)
    assert area_at(land, Decimal("0.05")) == 9_000
    assert area_at(land, Decimal("0.5")) == 10_000
    assert float(area_at(land, Decimal("0.2"))) == pytest.approx(10_000 - 511.66, abs=0.1)
    assert floor_area(area_at(land, Decimal("0.2")), "ha", 4) == Decimal("0.9488")


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(["0.05", "0.1", "0.2", "0.37", "0.5"]))
def test_more_land_is_never_less_at_any_quantile(low: float, gap: float, more: float, quantile: str) -> None:
    land, larger = Interval(low, low + gap, low + gap), Interval(low + more, low + gap + more, low + gap + more)
    at = area_at(land, Decimal(quantile))
    assert land.low <= at <= land.mid
    assert area_at(larger, Decimal(quantile)) >= at


@pytest.mark.parametrize("quantile", ["0.04", "0.51", "0"])
def test_a_quantile_outside_is_refused(quantile: str) -> None:
    with pytest.raises(ValidationError, match="quantile"):
        house_policy(quantile=quantile)


def test_the_quantile_is_part_of_the_version() -> None:
    assert house(quantile="0.050").version == house().version != house(quantile="0.2").version


def test_zero_has_no_minus() -> None:
    assert str(at_least_zero(Decimal("-0"))) == str(at_least_zero(Decimal(-1))) == "0"
    poor = make_farm({"stands": [{"crop": "maize", "mu": 30, "value_low": 0, "value_high": 90_000}]})
    assert all("-0" not in step.text_en for step in decide(poor).trail)


# --- the file and its order ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("names", [("Li Wei", "li  wei"), ("A. Rao", "A.Rao "), ("王伟", "王 伟")])
def test_one_person_in_two_spellings_is_one_person(names: tuple[str, str]) -> None:
    with pytest.raises(ValidationError, match="author and approver must be two people"):
        house_policy(author=names[0], approver=names[1])
    with pytest.raises(ValidationError, match="must both be named"):
        house_policy(author=" ")


KCC_RULES: list[dict[str, Any]] = read_policy("kcc", as_of=DAY).model_dump()["rules"]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ((0, 1, 6, 2), "rule 'household_addition' adds to a limit, and stands behind 'requested'"),
        ((0, 2, 1), "rule 'household_addition' adds to a limit, and stands behind 'evidence_bar'"),
        ((0, 1, 7, 5), "rule 'yearly_increase' adds to a limit, and stands behind 'person_cap'"),
    ],
)
def test_what_adds_stands_before_every_cap(order: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compile_policy(house_policy(rules=[KCC_RULES[place] for place in order]))
    assert "before caps" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vigour": [{"below": -2, "factor": 0.8}, {"below": -3, "factor": 0.5}]}, "vigour steps must rise"),
        ({"vigour": [{"below": -3, "factor": 0.9}, {"below": -2, "factor": 0.5}]}, "better health must not get less"),
        ({"classes": {"sick": 0.5}}, "'sick' is no health class"),
        ({"classes": {"flood": 1.5}}, "a factor is a share"),
        ({"classes": {"normal": 0.9}}, "a normal crop counts whole"),
    ],
)
def test_health_factors_that_cannot_be_fair_are_refused(settings: dict[str, Any], message: str) -> None:
    rules = [*HOUSE["policy"]["rules"], {"rule": "health", "source": "test", "settings": settings}]
    with pytest.raises(ConfigError, match=message):
        compile_policy(house_policy(rules=rules))


def test_health_classes_have_the_words_of_the_maps() -> None:
    assert {name: (en, zh) for name, (_, zh, en) in HEALTH_CLASSES.items()} == CLASSES


def test_every_fact_of_the_packs_has_a_name_on_the_page() -> None:
    from acreline.report.words import WORDS

    changes: list[dict[str, Any]] = [
        {}, {"clear_looks": 2}, {"vigour": -4.0}, {"events": ["flood"], "struck": {"flood": [0.5, 0.5]}},
        {"applicant": {"existing_debt": 500, "record_years": 3, "insured_sum": 900, "person_id": "P"}},
    ]  # fmt: skip
    farms = [make_farm(change, f"F{n}") for n, change in enumerate([*changes, {"applicant": {"person_id": "P"}}] * 4)]
    for policy in (compile_policy(one) for name in ("china", "kcc") for one in read_family(name)):
        day = policy.policy.valid_to or policy.policy.valid_from
        young = [replace(farm, last_clear=min(farm.last_clear or day, day)) for farm in farms]
        steps = [step for made in assess_credit(young, policy, as_of=day, county="karnal") for step in made.trail]
        assert {key for step in steps for key in step.evidence} <= set(WORDS["fact"])
        assert {step.rule for step in steps} <= set(WORDS["rule"])
        assert all("{" not in step.text_en + step.text_zh for step in steps)


def test_a_new_rules_actions_speak_of_its_own_reasons() -> None:
    for rule in rules_folder.load_rules().values():
        assert set(rule.actions) <= set(rule.reasons), rule.name
        assert all(en.endswith(".") and zh.endswith("。") for en, zh in rule.actions.values())


# --- sums over the batch ------------------------------------------------------------------------------------------
def many_farms() -> list[Farm]:
    sizes = (10, 40, 100, 250, 400, 30)
    persons = ("P-1", "P-2", "P-1", "P-3", "P-2", None)
    return [
        make_farm({"stands": [{"crop": "maize", "mu": mu, "value_low": 3000 * mu, "value_high": 5000 * mu}],
                   "applicant": {"person_id": person, "existing_debt": 700}}, f"F{n}")
        for n, (mu, person) in enumerate(zip(sizes, persons, strict=True))
    ]  # fmt: skip


def test_sums_and_decisions_do_not_depend_on_the_order() -> None:
    farms, policy = many_farms(), house()
    totals = find_totals(farms, policy, as_of=DAY)
    assert totals.farms == 6
    assert totals.value_low == totals.value_low_by_crop["maize"] == 830 * 3000
    assert set(totals.persons) == {"P-1", "P-2"}
    assert (totals.persons["P-1"].limit, totals.persons["P-1"].debt) == (66_000, 1400)
    told = {d.farm_id: d for d in assess_credit(farms, policy, as_of=DAY)}
    # P-1 stays within 300,000 - 1,400; so does P-2 with 264,000
    assert [told[f"F{n}"].limit for n in range(6)] == [6_000, 24_000, 60_000, 150_000, 240_000, 18_000]
    for order in itertools.islice(itertools.permutations(farms), 0, 720, 97):
        assert find_totals(order, policy, as_of=DAY) == totals
        assert {d.farm_id: d for d in assess_credit(order, policy, as_of=DAY)} == told


def test_sums_that_were_made_before_serve_a_part_of_the_farms() -> None:
    farms, policy = many_farms(), house({"person_cap": {"amount": 66_000}})
    whole = assess_credit(farms, policy, as_of=DAY)
    totals = find_totals(farms, policy, as_of=DAY)
    assert [assess_credit([farm], policy, as_of=DAY, totals=totals)[0] for farm in farms] == whole
    assert whole[0].reasons == ("several_farms_one_person",)  # 66,000 and a debt of 1,400 pass the cap


def test_the_limits_of_one_person_never_pass_the_cap_together() -> None:
    farms = many_farms()
    for amount in range(20_000, 320_000, 7_000):
        for n, made in enumerate(assess_credit(farms, house({"person_cap": {"amount": amount}}), as_of=DAY)):
            assert made.limit is None or made.limit + 700 <= amount, n
        told = {d.farm_id: d.limit for d in assess_credit(farms, house({"person_cap": {"amount": amount}}), as_of=DAY)}
        for own in (("F0", "F2"), ("F1", "F4")):
            limits = [told[name] for name in own]
            assert all(one is None for one in limits) or sum(one or 0 for one in limits) + 1400 <= amount


@pytest.mark.parametrize("rule", ["crop_cap_per_mu", "capacity_less_costs", "scale_of_finance"])
def test_the_sum_of_the_parcels_is_the_farm(rule: str) -> None:
    made = {"crop_cap_per_mu": {"caps_per_mu": {"maize": "601.37", "potato": "1500"}},
            "capacity_less_costs": {
                "share": "0.37", "unknown_cost": "table", "costs_per_mu": {"maize": 500, "potato": 9}},
            "scale_of_finance": {"unit": "acre", "amounts": {"maize": "333.33", "potato": 1}}}[rule]  # fmt: skip
    bar = {"rule": "evidence_bar", "source": "test", "settings": {"min_clear_looks": 1, "max_days_since_clear": 90}}
    policy = compile_policy(
        house_policy(rules=[bar, {"rule": rule, "source": "test", "settings": made}], round_to="0.01")
    )
    stands = [{"crop": crop, "mu": mu, "value_low": mu * worth, "value_high": mu * 4000}
              for crop, mu, worth in (("maize", 3.337, 999), ("potato", 7.77, 1234), ("maize", 0.1, 2e3))]  # fmt: skip
    whole = decide(make_farm({"stands": stands}), policy).trail[1].after
    parts = [decide(make_farm({"stands": [stand]}), policy).trail[1].after for stand in stands]
    assert whole == sum(part for part in parts if part is not None)
    assert whole is not None
    assert whole > 0


# --- what struck --------------------------------------------------------------------------------------------------
def test_a_farm_is_struck_by_the_share_of_its_land() -> None:
    events = pd.DataFrame({"parcel_id": ["a", "a", "b", "c"], "event": ["flood", "flood", "flood", "frost"],
                           "share": [0.2, 0.5, 1.0, np.nan], "severity": [0.9, 0.1, 0.3, 0.2]})  # fmt: skip
    hits = struck_parcels(events)
    assert hits["a"] == [Struck("flood", 0.5, 0.9)]
    # half of 2 ha and all of 1 ha, of 4 ha; where a share was not told it is all of the parcel
    land = [(20_000.0, hits["a"]), (10_000.0, hits["b"]), (10_000.0, hits["c"])]
    assert struck_land(land) == (Struck("flood", 0.5, 0.9), Struck("frost", 0.25, 0.2))
    assert struck_land([(math.nan, hits["a"])]) == (Struck("flood", 1.0, 0.9),)
    assert struck_land([]) == ()


def test_what_struck_comes_back_from_the_trail() -> None:
    farm = make_farm({"events": ["flood"], "struck": {"flood": [0.25, 0.5]}})
    assert farm_from_json(farm_to_json(farm)) == farm
    older = {key: value for key, value in farm_to_json(farm).items() if key != "struck"}
    assert farm_from_json(older).struck == ()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"vigour": math.nan}, "vigour = nan"),
        ({"struck": (Struck("flood", 1.5, 0.1),)}, "flood share = 1.5"),
        ({"applicant": Applicant("F", insured_sum=Decimal(-5), existing_debt=Decimal(0))}, "insured_sum = -5"),
        ({"applicant": Applicant("F", record_years=-1, existing_debt=Decimal(0))}, "record_years = -1"),
    ],
)
def test_facts_of_the_new_rules_that_cannot_be_true_go_to_a_person(changes: dict[str, Any], named: str) -> None:
    decision = decide(replace(make_farm(), **changes))
    assert decision.reasons == ("implausible_facts",)
    assert decision.trail[0].evidence == {"fault": named}


def test_a_cost_that_cannot_be_true_goes_to_a_person() -> None:
    farm = make_farm()
    [stand] = farm.stands
    odd = replace(farm, stands=(replace(stand, cash_cost=Interval(0, 0, math.inf)),))
    assert decide(odd).reasons == ("implausible_facts",)


# --- fair to small, cloudy and doubtful ---------------------------------------------------------------------------
def square_field(hectares: float, crop: str, policy: CompiledPolicy) -> Farm:
    """A square field wholly under one crop, its area interval as `gather_farms` makes it."""
    area_m2 = hectares * 10_000
    side = math.sqrt(area_m2)
    cover, full = np.array([area_m2 / 100]), np.array([max(side / 10 - 1, 0) ** 2])
    edge_m2 = Z_95 * EDGE_PX_SD * math.sqrt(edge_pixels(cover, full, np.array([4 * side]))[0]) * PIXEL_M2
    area = green_land({"area_m2": area_m2, "planted": 1.0, "bare": 0.0, "unseen": 0.0, "edge_m2": edge_m2})
    worth = Interval(3.2 * area_m2, 4.2 * area_m2, 5.5 * area_m2)
    stand = Stand("F", "P", "B", crop, 0.95, (crop,), area, value=worth, currency=policy.policy.currency,
                  cash_cost=Interval(0.4 * area_m2, 0.5 * area_m2, 0.6 * area_m2))  # fmt: skip
    return replace(make_farm(), stands=(stand,), area_m2=area_m2, planted_m2=area, sown_m2=area.mid, value=worth,
                   currency=policy.policy.currency, main_crop=crop)  # fmt: skip


@pytest.mark.parametrize("name", ["china", "kcc"])
def test_the_same_field_gets_the_same_a_hectare_whatever_its_size(name: str) -> None:
    """G23, with the smallest loan and rounding set aside: both are amounts of a product, not of a measurement."""
    given = read_policy(name, as_of=DAY)
    kept = [rule for rule in given.rules if rule.rule not in ("minimum_amount", "person_cap")]
    policy = compile_policy(Policy.model_validate(given.model_dump() | {"rules": kept, "round_to": "0.01"}))
    per_ha: dict[float, Decimal] = {}
    for hectares in (0.1, 0.3, 0.5, 1, 2, 5, 50, 500):
        decision = decide(square_field(hectares, "maize", policy), policy)
        if decision.limit is None:
            assert decision.reasons == ("area_doubtful",)
            continue
        per_ha[hectares] = decision.limit / Decimal(hectares)
    assert {1, 2, 5, 50, 500} <= set(per_ha)
    assert 0.1 not in per_ha
    assert min(per_ha.values()) >= Decimal("0.95") * max(per_ha.values())


@pytest.mark.parametrize("name", ["china", "kcc", "house"])
@pytest.mark.parametrize("percent", range(0, 101, 5))
def test_too_little_imagery_refers_and_never_lowers(name: str, percent: int) -> None:
    """G09, over the share of 24 passes that were clear."""
    policy = house() if name == "house" else PACKS[name]
    stands = [{"crop": "maize", "mu": 100, "value_low": 200_000, "value_high": 300_000, "cost_high": 60_000}]
    full = decide(make_farm({"stands": stands}), policy)
    assert full.outcome == "approve"
    looks = round(24 * percent / 100)
    seen = make_farm({"stands": stands, "clear_looks": looks, "last_clear": DAY - timedelta(days=5) if looks else None})
    decision = decide(seen, policy)
    if looks >= 6:
        assert (decision.outcome, decision.limit) == (full.outcome, full.limit)
    else:
        assert decision.outcome == "refer"
        assert "insufficient_imagery" in decision.reasons


@pytest.mark.parametrize("name", ["china", "kcc"])
def test_uncertainty_refers_or_counts_at_the_declared_bound(name: str) -> None:
    """G11: one point estimate, a confidence of 0.55 and of 0.95, and two widths of the interval."""
    policy = PACKS[name]
    stand = {"crop": "maize", "mu": 100, "value_low": 200_000, "value_high": 300_000, "declared": "maize"}
    sure = decide(make_farm({"stands": [{**stand, "confidence": 0.95}]}), policy)
    doubtful = decide(make_farm({"stands": [{**stand, "confidence": 0.55, "crop_set": ["maize", "potato"]}]}), policy)
    assert sure.outcome == "approve"
    assert doubtful.outcome == "refer"
    assert "crop_doubtful" in doubtful.reasons
    assert sure.trail[0].evidence["area_doubt"] == "2 %"
    wide = {"china": {"value_low": 60_000, "value_high": 440_000}, "kcc": {"mu": 90, "mu_mid": 102}}[name]
    decision = decide(make_farm({"stands": [{**stand, **wide}]}), policy)
    assert decision.outcome == "refer"
    assert set(decision.reasons) & {"value_doubtful", "area_doubtful"}


@pytest.mark.parametrize(
    ("name", "policy"), list(packaged_policies()), ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_better_farm_never_gets_less(name: str, policy: CompiledPolicy) -> None:
    """G13 in short; `benchmarks/credit_pairs.py` decides the 100,000 pairs."""
    told = count_counter_examples(policy, 400, seed=7)
    assert told["counter_examples"] == 0, told["first"]
    assert told["passed_cap"] == 0
    assert told["pairs"] == sum(told["by_kind"].values()) == 400
    assert told["decided"] > 60
    assert told == count_counter_examples(policy, 400, seed=7)


def test_the_counter_finds_a_policy_that_punishes_what_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = rules_folder.load_rules()["yearly_increase"]

    def shrink(farm: Farm, limit: Decimal | None, settings: Any, context: Any) -> Any:
        made = rule.apply(farm, limit, settings, context)
        years = farm.applicant.record_years if farm.applicant is not None else 0
        return replace(made, after=None if limit is None else limit / 2 if years > 3 else limit)  # type: ignore[type-var]

    policy = compile_policy(read_policy("kcc", as_of=DAY))
    bad = [
        replace(one, rule=replace(rule, apply=shrink)) if one.rule.name == rule.name else one for one in policy.rules
    ]
    told = count_counter_examples(replace(policy, rules=tuple(bad)), 400, seed=7)
    assert told["counter_examples"] > 0
    assert "record" in told["first"]


def test_less_is_a_lower_limit_or_a_worse_outcome() -> None:
    rich, poor = decide(make_farm()), decide(make_farm({"applicant": {"requested": 5000}}))
    referred = decide(make_farm({"flags": ["crop_doubtful"]}))
    assert gets_less(rich, poor)
    small = decide(make_farm({"applicant": {"requested": 900}}))
    assert small.reasons[0] == "below_minimum"
    assert gets_less(poor, small)
    assert not gets_less(poor, referred)  # the evidence bar alone, with 60,000 behind it
    assert more_doubt(poor, referred)
    assert not more_doubt(poor, small)
    assert not gets_less(poor, rich)
    assert not gets_less(referred, poor)


# --- a bank's own table -------------------------------------------------------------------------------------------
JDM = (CASES / "tables" / "limits.json").read_text(encoding="utf-8")


def table_policy(folder: Path, content: str, **settings: str) -> CompiledPolicy:
    (folder / "limits.json").write_text(content, encoding="utf-8")
    bar = {"rule": "evidence_bar", "source": "test", "settings": {"min_clear_looks": 1, "max_days_since_clear": 90}}
    table = {"rule": "decision_table", "source": "test", "settings": {"table": "limits.json", **settings}}
    policy = house_policy(rules=[bar, table])
    policy._file = folder / "policy.yaml"
    return compile_policy(policy)


def test_the_table_is_part_of_the_version(tmp_path: Path) -> None:
    pytest.importorskip("zen", reason="needs the extra `rules`")
    one = table_policy(tmp_path, JDM)
    assert one.version != table_policy(tmp_path, JDM.replace("20000", "20001")).version
    assert one.version == table_policy(tmp_path, JDM).version
    named = hashlib.sha256(JDM.encode()).hexdigest()
    assert table_policy(tmp_path, JDM, sha256=named).version == one.version
    with pytest.raises(ConfigError, match="the policy names") as caught:
        table_policy(tmp_path, JDM + " ", sha256=named)
    assert "changed after the policy was signed" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"field": "record_years"', '"field": "sex"', "column 'sex': 'sex' is no feature of a farm"),
        ('"field": "record_years"', '"field": "village_code"', "'village_code' is no feature of a farm"),
        ('"field": "record_years"', '"field": "surname_script"', "'surname_script' is no feature of a farm"),
        ('"field": "record_years"', '"field": "phone_brand"', "'phone_brand' is no feature of a farm"),
        (">= 3", "surname == 'Li'", "row 1, column 'record_years': 'surname' is no feature of a farm"),
        (">= 3", ">= >= 3", "row 1, column 'record_years': '>= >= 3': "),
        (">= 3", "> d('now').year()", "'d' is no feature of a farm"),
        ("decisionTableNode", "functionNode", "node 'functionNode' is not taken"),
        ('"field": "cap"', '"field": "rate"', r"it gives \['rate', 'refer'\]"),
        ('"sourceId": "table"', '"sourceId": "nowhere"', "missingNode"),
        ('"nodes"', '"knots"', "not a JDM file"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    pytest.importorskip("zen", reason="needs the extra `rules`")
    with pytest.raises(ConfigError, match=message):
        table_policy(tmp_path, JDM.replace(old, new))


@pytest.mark.parametrize("cap", ["-5", '\\"many\\"', "true", "1e17"])
def test_a_cap_that_is_no_money_goes_to_a_person(tmp_path: Path, cap: str) -> None:
    pytest.importorskip("zen", reason="needs the extra `rules`")
    decision = decide(make_farm(), table_policy(tmp_path, JDM.replace('"cap": "20000"', f'"cap": "{cap}"')))
    assert decision.reasons == ("table_without_row",)


def test_without_the_engine_a_table_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zen", None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        table_policy(tmp_path, JDM)
    assert 'pip install "acreline[rules]"' in caught.value.hint


def test_features_hold_nothing_of_who_a_person_is() -> None:
    told = find_features(make_farm({"applicant": {"person_id": "P-77"}}), None, RuleContext(DAY, "CNY", Decimal(1)))
    assert list(told) == list(FEATURES)
    assert "P-77" not in json.dumps(told)
    assert not {"name", "sex", "age", "phone", "person_id", "farm_id", "ethnicity"} & set(FEATURES)
    assert not {"village_code", "surname_script", "phone_brand"} & set(FEATURES)
    assert (told["planted_mu"], told["value"], told["days_since_clear"], told["existing_debt"]) == (
        100.0,
        200_000,
        15,
        0,
    )
