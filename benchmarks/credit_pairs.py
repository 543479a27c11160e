# SPDX-License-Identifier: Apache-2.0
"""Pairs of farms of which the second is better: how often a policy gives it less (it must be never).

Seeded, so that the same pairs come again. `count_counter_examples(policy, pairs, seed)` is what a benchmark or a test
calls. Better is: more planted land (with its harvest and cost), one more stand, better health, a higher yield, a
longer record, a lower debt; one of them or two at once; a tenth of the pairs lie on the two sides of a step's edge.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from acreline.config import list_configs
from acreline.credit import CompiledPolicy, assess_credit
from acreline.credit.assess import find_totals
from acreline.records import ZERO, Applicant, Decision, Farm, Interval, Stand, Struck

BATCH = 2_000
RANK = {"decline": 0, "refer": 1, "approve": 2}
CLASSES = ("normal", "late_failed", "pest_disease", "drought", "unknown")
EVENTS = ("flood", "drought")
M2_PER_MU = 2000 / 3


def count_counter_examples(
    policy: CompiledPolicy, pairs: int, seed: int, *, as_of: date | None = None
) -> dict[str, Any]:
    """Decide pairs of farms and count those where the better one gets less.

    Args:
        policy: compiled.
        pairs: how many.
        seed: of the farms and of what is better about them.
        as_of: day of the decisions; default the last day of the policy, or a year after its first.

    Returns:
        pairs, pairs that are decided on both sides (`decided`), `counter_examples` (a lower limit, or a worse outcome:
        approve, then refer, then decline), `more_doubt` (approvals that only the evidence bar now refers, with no lower
        amount behind), `passed_cap` (limits above a cap that the trail tells), pairs by what was
        better (`by_kind`), and the first counter-example in words (`first`).
    """
    rng = random.Random(seed)
    day = as_of or policy.policy.valid_to or policy.policy.valid_from + timedelta(days=365)
    crops = crops_of(policy)
    edges = _edges_of(policy)
    found: dict[str, Any] = {
        "pairs": 0,
        "decided": 0,
        "counter_examples": 0,
        "more_doubt": 0,
        "passed_cap": 0,
        "by_kind": {},
        "first": None,
    }
    while found["pairs"] < pairs:
        made = [_make_pair(rng, n, crops, edges, policy, day) for n in range(min(BATCH, pairs - found["pairs"]))]
        worse = [pair[0] for pair in made]
        totals = find_totals(worse, policy, as_of=day)
        before = assess_credit(worse, policy, as_of=day, totals=totals)
        after = assess_credit([pair[1] for pair in made], policy, as_of=day, totals=totals)
        for (_, _, kind), one, other in zip(made, before, after, strict=True):
            found["pairs"] += 1
            found["by_kind"][kind] = found["by_kind"].get(kind, 0) + 1
            found["more_doubt"] += more_doubt(one, other)
            found["decided"] += one.limit is not None and other.limit is not None
            found["passed_cap"] += passes_cap(one) + passes_cap(other)
            if gets_less(one, other):
                found["counter_examples"] += 1
                found["first"] = found["first"] or f"{kind}: {_say(one)} became {_say(other)}"
    found["by_kind"] = dict(sorted(found["by_kind"].items()))
    return found


def gets_less(one: Decision, other: Decision) -> bool:
    """Whether the second decision is worse than the first.

    A referral that is no longer asked for is no loss where the machine would have said no behind it all along. Nor is
    one that only the evidence bar asks for, with no lower amount behind: more of a crop whose worth is in doubt makes
    the farm more doubtful, and no limit falls (`more_doubt` counts these).
    """
    if more_doubt(one, other):
        return False
    would_be = "decline" if any("indicative_outcome" in step.evidence for step in one.trail) else one.outcome
    if RANK[other.outcome] < RANK[would_be]:
        return True
    return one.limit is not None and other.limit is not None and other.limit < one.limit


def more_doubt(one: Decision, other: Decision) -> bool:
    """An approval became a referral by the evidence bar alone, and what would be lent is no less."""
    if one.outcome != "approve" or one.limit is None or other.outcome != "refer":
        return False
    asking = {step.rule for step in other.trail if step.outcome == "refer"}
    would_be = other.trail[-1].evidence.get("indicative_limit", "-1")
    return asking == {"evidence_bar"} and Decimal(would_be.split()[0].replace(",", "")) >= one.limit


def passes_cap(decision: Decision) -> bool:
    """Whether a limit is above a cap its trail tells."""
    if decision.limit is None:
        return False
    caps = [
        step
        for step in decision.trail
        if step.before is not None and step.after is not None and step.after < step.before
    ]
    told = [step.evidence[key] for step in decision.trail for key in ("requested", "amount") if key in step.evidence
            and step.rule in ("requested", "person_cap")]  # fmt: skip
    amounts = [Decimal(text.split()[0].replace(",", "")) for text in told] + [
        step.after for step in caps if step.after is not None
    ]
    return any(decision.limit > amount for amount in amounts)


def _say(decision: Decision) -> str:
    return f"{decision.outcome} {decision.limit} {decision.reasons}"


# --- farms --------------------------------------------------------------------------------------------------------
def crops_of(policy: CompiledPolicy) -> list[str]:
    """Crops for which a policy has an amount; all that are packaged where it names none."""
    for entry in policy.rules:
        for name in ("caps_per_mu", "amounts"):
            if hasattr(entry.settings, name):
                return sorted(getattr(entry.settings, name))
    return list_configs("crops")


def _edges_of(policy: CompiledPolicy) -> list[float]:
    """Vigours at which a step of the policy lies."""
    settings = [entry.settings for entry in policy.rules if entry.rule.name == "health"]
    return [step.below for one in settings for step in one.vigour]  # type: ignore[attr-defined]


def _make_pair(
    rng: random.Random, number: int, crops: list[str], edges: list[float], policy: CompiledPolicy, day: date
) -> tuple[Farm, Farm, str]:
    farm = make_farm(rng, f"F{number}", crops, policy.policy.currency, day)
    chosen = rng.sample(sorted(BETTER), rng.choice((1, 1, 2)))
    if edges and "health" in chosen and rng.random() < 0.3:
        farm = replace(farm, vigour=math.nextafter(rng.choice(edges), -math.inf))  # one step of a float below the edge
    if rng.random() < 0.1:
        farm = _on_an_edge(farm, rng, policy)
    better = farm
    for name in chosen:
        better = BETTER[name](better, rng, crops)
    return farm, better, " + ".join(sorted(chosen))


def make_farm(rng: random.Random, farm_id: str, crops: list[str], currency: str, day: date) -> Farm:
    """A made farm of one to three stands that may be worth lending to, with everything that rules look at."""
    stands = []
    for number in range(rng.choice((1, 1, 1, 2, 3))):
        low = math.exp(rng.uniform(math.log(0.3), math.log(800))) * M2_PER_MU
        mid = low / rng.uniform(0.93, 0.999)
        value_mid = mid / M2_PER_MU * math.exp(rng.gauss(math.log(1500), 0.6))
        value = Interval(value_mid * rng.uniform(0.4, 0.9), value_mid, value_mid * rng.uniform(1.1, 2.0))
        cost = mid / M2_PER_MU * rng.uniform(200, 900)
        stands.append(
            Stand(farm_id, f"P{number}", "B", crop := rng.choice(crops), rng.uniform(0.5, 1), (crop,),
                  Interval(low, mid, mid * 1.03), value=value, currency=currency,
                  cash_cost=Interval(cost * 0.8, cost, cost * 1.2) if rng.random() < 0.5 else None)
        )  # fmt: skip
    struck = tuple(Struck(name, rng.random() * 0.3, rng.random()) for name in EVENTS if rng.random() < 0.08)
    applicant = Applicant(
        farm_id,
        f"person-{farm_id}",
        requested=rng.choice((None, None, Decimal(rng.randrange(0, 400_000)), Decimal(rng.randrange(10**7)) / 100)),
        existing_debt=rng.choice(
            (Decimal(0), Decimal(0), Decimal(rng.randrange(0, 60_000)), Decimal(rng.randrange(10**8)) / 100)
        ),
        record_years=rng.randrange(0, 9),
        insured_sum=Decimal(rng.choice((0, 0, rng.randrange(0, 300_000)))),
    )
    return _with_stands(
        Farm(
            farm_id=farm_id, status="ok", reason=None, parcel_ids=(), area_m2=None, planted_m2=ZERO, sown_m2=0.0,
            stands=(), main_crop=stands[0].crop, health=rng.choice(CLASSES),
            vigour=rng.choice((None, rng.gauss(-1, 1.5))),
            clear_looks=rng.randrange(4, 30), last_clear=day - timedelta(days=rng.randrange(0, 70)), currency=currency,
            events=tuple(one.event for one in struck), flags=tuple(f"event_{one.event}" for one in struck),
            struck=struck, applicant=applicant,
        ),
        tuple(stands),
    )  # fmt: skip


def _with_stands(farm: Farm, stands: tuple[Stand, ...]) -> Farm:
    planted = sum((stand.area_m2 for stand in stands), ZERO)
    value = sum((stand.value for stand in stands if stand.value is not None), ZERO)
    return replace(
        farm, stands=stands, planted_m2=planted, area_m2=planted.high, sown_m2=planted.mid, value=value,
        parcel_ids=tuple(stand.parcel_id for stand in stands), main_crop=stands[0].crop,
    )  # fmt: skip


def _on_an_edge(farm: Farm, rng: random.Random, policy: CompiledPolicy) -> Farm:
    """The farm just below where a rounding or a bar lies: a hundredth of a mu, the smallest loan, a day of the bar."""
    first, *rest = farm.stands
    kind = rng.randrange(3)
    if kind == 0:
        hundredths = max(math.floor(first.area_m2.low / M2_PER_MU * 100), 1)
        low = math.nextafter(hundredths / 100 * M2_PER_MU, 0)
        first = replace(first, area_m2=Interval(low, max(low, first.area_m2.mid), max(low, first.area_m2.high)))
    elif kind == 1 and first.value is not None:
        whole = max(math.floor(first.value.low), 1)
        low = math.nextafter(float(whole), 0)
        first = replace(first, value=Interval(low, max(low, first.value.mid), max(low, first.value.high)))
    else:
        step = policy.policy.round_to
        assert farm.applicant is not None
        asked = step * rng.randrange(1, 1000) - Decimal("0.01")
        return replace(farm, applicant=replace(farm.applicant, requested=asked))
    return _with_stands(farm, (first, *rest))


# --- what is better -----------------------------------------------------------------------------------------------
def _grow(interval: Interval, factor: float) -> Interval:
    return Interval(interval.low * factor, interval.mid * factor, interval.high * factor)


def _factor(rng: random.Random) -> float:
    """From barely more, so that a step's edge is passed and little else, to several times as much."""
    return 1 + 10 ** rng.uniform(-9, 0.6)


def _more_land(farm: Farm, rng: random.Random, crops: list[str]) -> Farm:
    factor = _factor(rng)
    at = rng.randrange(len(farm.stands))
    grown = replace(
        farm.stands[at],
        area_m2=_grow(farm.stands[at].area_m2, factor),
        value=None if (value := farm.stands[at].value) is None else _grow(value, factor),
        cash_cost=None if (cost := farm.stands[at].cash_cost) is None else _grow(cost, factor),
    )
    return _with_stands(farm, (*farm.stands[:at], grown, *farm.stands[at + 1 :]))


def _higher_yield(farm: Farm, rng: random.Random, crops: list[str]) -> Farm:
    factor = _factor(rng)
    at = rng.randrange(len(farm.stands))
    value = farm.stands[at].value
    grown = farm.stands[at] if value is None else replace(farm.stands[at], value=_grow(value, factor))
    return _with_stands(farm, (*farm.stands[:at], grown, *farm.stands[at + 1 :]))


def _better_health(farm: Farm, rng: random.Random, crops: list[str]) -> Farm:
    vigour = farm.vigour if farm.vigour is None else farm.vigour + 10 ** rng.uniform(-12, 0.6)
    struck = tuple(one for one in farm.struck if rng.random() < 0.5)
    return replace(
        farm,
        health="normal" if rng.random() < 0.5 else farm.health,
        vigour=vigour,
        struck=struck,
        events=tuple(one.event for one in struck),
        flags=tuple(f"event_{one.event}" for one in struck),
    )


def _longer_record(farm: Farm, rng: random.Random, crops: list[str]) -> Farm:
    assert farm.applicant is not None
    years = farm.applicant.record_years + rng.randrange(1, 6)
    return replace(farm, applicant=replace(farm.applicant, record_years=years))


def _lower_debt(farm: Farm, rng: random.Random, crops: list[str]) -> Farm:
    assert farm.applicant is not None
    debt = farm.applicant.existing_debt or Decimal(0)
    less = rng.choice((Decimal(0), debt - Decimal("0.01"), debt // 2, debt // 100 * 100))
    return replace(farm, applicant=replace(farm.applicant, existing_debt=max(less, Decimal(0))))


BETTER: dict[str, Callable[[Farm, random.Random, list[str]], Farm]] = {
    "debt": _lower_debt,
    "health": _better_health,
    "land": _more_land,
    "record": _longer_record,
    "yield": _higher_yield,
}


def packaged_policies() -> Iterator[tuple[str, CompiledPolicy]]:
    """Every packaged policy, each file of a family, by its id."""
    from acreline.config import list_policies, read_family
    from acreline.credit import compile_policy

    for name in list_policies():
        for policy in read_family(name):
            yield policy.id, compile_policy(policy)


if __name__ == "__main__":
    import sys
    import time

    for name, compiled in packaged_policies():
        start = time.perf_counter()
        told = count_counter_examples(compiled, int(sys.argv[1]) if len(sys.argv) > 1 else 2_000, seed=1)
        print(name, told, f"{time.perf_counter() - start:.1f} s")
