# SPDX-License-Identifier: Apache-2.0
"""What must hold for every farm: limits that never fall when facts improve, caps never passed, money exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from acreline.credit import assess_credit, decision_from_json, decision_to_json, known_codes
from acreline.records import ZERO, Applicant, Decision, Farm, Interval, Stand
from tests.test_credit import AS_OF, house

CAPS = {"maize": 600, "potato": 1500, "grassland": 200, "winter_cereal": 550}
HOUSE = house()
RANK = {"decline": 0, "refer": 1, "approve": 2}
MANY = settings(max_examples=150, deadline=None)

areas_m2 = st.one_of(st.just(0.0), st.floats(0, 1e4), st.floats(0, 1e9))
values = st.one_of(st.just(0.0), st.floats(0, 1e5), st.floats(0, 1e12))
money = st.one_of(
    st.just(Decimal(0)),
    st.decimals(0, 10**6, places=2, allow_nan=False),
    st.decimals(0, 10**14, places=4, allow_nan=False),
)


def spread(low: float, more: float) -> Interval:
    return Interval(low, low + more / 2, low + more)


@st.composite
def farms(draw: st.DrawFn, *, seen: bool | None = None) -> Farm:
    """Any farm whose facts can be true; `seen`: whether the evidence is good, None for either."""
    stands = tuple(
        Stand("F", f"P{number}", "B", crop, 0.9, (crop,), spread(draw(areas_m2), draw(areas_m2)),
              value=spread(draw(values), draw(values)), currency="CNY")
        for number, crop in enumerate(draw(st.lists(st.sampled_from(sorted(CAPS)), min_size=1, max_size=4)))
    )  # fmt: skip
    good = draw(st.booleans()) if seen is None else seen
    flags = () if good else tuple(draw(st.lists(st.sampled_from(("crop_doubtful", "overlapping_claim")), max_size=2)))
    planted = sum((stand.area_m2 for stand in stands), ZERO)
    return Farm(
        farm_id="F",
        status="ok" if good else draw(st.sampled_from(("ok", "degraded", "insufficient"))),
        reason=None,
        parcel_ids=tuple(stand.parcel_id for stand in stands),
        area_m2=planted.high,
        planted_m2=planted,
        sown_m2=planted.mid,
        stands=stands,
        main_crop=stands[0].crop,
        health="normal",
        vigour=None,
        clear_looks=12 if good else draw(st.integers(0, 12)),
        last_clear=AS_OF - timedelta(days=5 if good else draw(st.integers(0, 100))),
        flags=flags,
        value=sum((stand.value for stand in stands if stand.value is not None), ZERO),
        currency="CNY",
        applicant=Applicant("F", "P-1", draw(st.none() | money), draw(money), draw(st.integers(0, 20))),
    )


def decide(farm: Farm) -> Decision:
    return assess_credit([farm], HOUSE, as_of=AS_OF)[0]


def never_worse(given_farm: Farm, better: Farm) -> None:
    before, after = decide(given_farm), decide(better)
    assert RANK[after.outcome] >= RANK[before.outcome]
    if before.limit is not None and after.limit is not None:
        assert after.limit >= before.limit


def with_stands(farm: Farm, stands: tuple[Stand, ...]) -> Farm:
    planted = sum((stand.area_m2 for stand in stands), ZERO)
    value = sum((stand.value for stand in stands if stand.value is not None), ZERO)
    return replace(farm, stands=stands, planted_m2=planted, area_m2=planted.high, value=value)


@MANY
@given(farms(), areas_m2)
def test_more_planted_area_never_lowers(farm: Farm, more: float) -> None:
    first, *rest = farm.stands
    never_worse(farm, with_stands(farm, (replace(first, area_m2=first.area_m2 + Interval(more, more, more)), *rest)))


@MANY
@given(farms(), areas_m2, values, st.sampled_from(sorted(CAPS)))
def test_one_more_stand_never_lowers(farm: Farm, area: float, value: float, crop: str) -> None:
    stand = Stand("F", "P9", "A", crop, 0.9, (crop,), spread(area, 1), value=spread(value, 1), currency="CNY")
    never_worse(farm, with_stands(farm, (*farm.stands, stand)))


@MANY
@given(farms(), values)
def test_higher_value_never_lowers(farm: Farm, more: float) -> None:
    assert farm.value is not None
    never_worse(farm, replace(farm, value=farm.value + Interval(more, more, more)))


@MANY
@given(farms(), money, st.integers(0, 20))
def test_lower_debt_and_longer_record_never_lower(farm: Farm, debt: Decimal, years: int) -> None:
    applicant = farm.applicant
    assert applicant is not None
    assert applicant.existing_debt is not None
    lower = replace(applicant, existing_debt=min(debt, applicant.existing_debt))
    never_worse(farm, replace(farm, applicant=replace(lower, record_years=applicant.record_years + years)))


@MANY
@given(farms())
def test_a_debt_that_nobody_gave_never_makes_a_limit(farm: Farm) -> None:
    assert farm.applicant is not None
    decision = decide(replace(farm, applicant=replace(farm.applicant, existing_debt=None)))
    assert decision.outcome == "refer"
    assert {"debt_unknown"} <= {step.code for step in decision.trail}
    assert all("indicative_limit" not in step.evidence for step in decision.trail if step.rule == "requested")


@MANY
@given(farms(), st.sets(st.sampled_from(sorted(CAPS))))
def test_more_doubt_between_crops_never_raises(farm: Farm, more: set[str]) -> None:
    first, *rest = farm.stands
    doubtful = replace(first, crop_set=(first.crop, *sorted(more - {first.crop})))
    bar = {"evidence_bar": {"min_clear_looks": 6, "max_days_since_clear": 60, "note_only": ["crop_doubtful"]}}
    one, other = (
        assess_credit([f], house(bar), as_of=AS_OF)[0] for f in (farm, replace(farm, stands=(doubtful, *rest)))
    )
    if one.limit is not None and other.limit is not None:
        assert other.limit <= one.limit


@MANY
@given(farms(), st.integers(0, 12), st.integers(0, 100), st.sampled_from(("ok", "insufficient", "failed")))
def test_less_evidence_refers_and_never_lowers_or_declines(farm: Farm, looks: int, days: int, status: str) -> None:
    """G09: a farm seen less well has the same limit or goes to a person."""
    before = decide(farm)
    assert farm.last_clear is not None
    last: date = min(AS_OF - timedelta(days=days), farm.last_clear)  # a later look would be more evidence
    after = decide(
        replace(farm, clear_looks=min(looks, farm.clear_looks), last_clear=last,
                status=status if farm.status == "ok" else farm.status)
    )  # fmt: skip
    assert after.outcome == "refer" or (after.outcome, after.limit) == (before.outcome, before.limit)
    if looks < 6 or days > 60:
        assert after.outcome == "refer"


@MANY
@given(farms())
def test_limits_are_whole_capped_and_explained(farm: Farm) -> None:
    decision = decide(farm)
    assert decision == decide(farm)
    assert decision_from_json(decision_to_json(decision)) == decision
    assert 1 <= len(decision.reasons) <= 4
    assert set(decision.reasons) <= set(known_codes())
    assert all(step.text_en and step.text_zh for step in decision.trail)
    if decision.limit is None:
        return
    assert farm.applicant is not None
    assert farm.value is not None
    debt = farm.applicant.existing_debt
    assert debt is not None
    assert decision.limit % 100 == 0
    assert 0 <= decision.limit <= max(300_000 - debt, Decimal(0))
    assert decision.limit <= max(Decimal(farm.value.low) * Decimal("0.4") - debt, Decimal(0))
    per_mu = sum(Decimal(s.area_m2.low) * 3 / 2000 * CAPS[s.crop] for s in farm.stands)
    assert decision.limit <= per_mu
    if farm.applicant.requested is not None:
        assert decision.limit <= farm.applicant.requested
    if decision.outcome == "decline":
        assert Decimal(farm.value.high) - debt < 1000
    else:
        assert decision.limit >= 1000


@MANY
@given(farms(seen=True))
def test_a_reason_is_a_rule_without_which_the_limit_would_rise(farm: Farm) -> None:
    """G02, by taking rules away; caps that end on one rounded limit raise it together, and are named together."""
    decision = decide(farm)
    if decision.outcome != "approve" or decision.limit is None:
        return
    rule_of = {step.code: step.rule for step in decision.trail}
    assert decision.binding_rule in {rule_of[code] for code in decision.reasons}
    raises = set()
    for name in ("crop_cap_per_mu", "capacity", "requested", "person_cap"):
        without = assess_credit([farm], house({name: None}), as_of=AS_OF)[0].limit
        assert without is not None
        raises |= {name} if without > decision.limit else set()
    named = {rule_of[code] for code in decision.reasons}
    assert raises <= named
    if named != raises:
        assert rule_of[decision.reasons[0]] == decision.binding_rule
        without = assess_credit([farm], house(dict.fromkeys(named)), as_of=AS_OF)[0].limit
        assert without is None or without > decision.limit
