# SPDX-License-Identifier: Apache-2.0
"""From facts of farms to decisions: the policy's rules in order, each step kept, nothing in between."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

from acreline.codes import without_following
from acreline.credit.contract import CompiledPolicy, CompiledRule, RuleContext, Totals, make_step
from acreline.credit.facts import MONEY, Shown, find_fault, floor_to, lowest, show, show_money
from acreline.credit.totals import PERSON_RULE, sum_up
from acreline.credit.words import measured_words
from acreline.errors import CreditError
from acreline.records import Decision, Farm, Step

MOST_REASONS = 4
ENGINE = "policy"
"""Name of the steps that no single rule makes: the check of the facts before all, the rounding after all."""


def assess_credit(
    farms: Sequence[Farm],
    policy: CompiledPolicy,
    *,
    as_of: date,
    county: str | None = None,
    totals: Totals | None = None,
) -> list[Decision]:
    """Give every farm its decision: approve with a limit, decline with limit 0, or refer to a person.

    A referral wins over everything: then no limit stands, and what the caps would have allowed is kept in the trail
    as `indicative_limit` for the officer. Money is exact decimal arithmetic; limits are rounded down at the end.

    Args:
        farms: facts, in any order; each decision depends on its own farm and on sums over all of them.
        policy: from `compile_policy`.
        as_of: day of the decision; the policy must be valid on it.
        county: what the policy's amounts by county call the place; None: its general amounts.
        totals: sums over the region, where `farms` are a part of it; None: they are made of `farms`.

    Returns:
        one decision per farm, in the same order.

    Raises:
        CreditError: the policy is not valid on that day, or its numbers have so many digits that money is not exact.
        ContractError: two farms carry one id.
    """
    check_valid(policy, as_of)
    if totals is None:
        totals = find_totals(farms, policy, as_of=as_of, county=county)
    return list(assess_stream(farms, policy, as_of=as_of, totals=totals, county=county))


def assess_stream(
    farms: Iterable[Farm], policy: CompiledPolicy, *, as_of: date, totals: Totals, county: str | None = None
) -> Iterator[Decision]:
    """Decide farm by farm, as they come, and keep none: what `assess_credit` gives, for a batch that fills no memory.

    Args:
        farms: facts of a batch or of a part of it, each farm once.
        policy: from `compile_policy`.
        as_of: day of the decision; the policy must be valid on it.
        totals: of the whole batch, from `find_totals`: what one farm's decision may know of the others.
        county: what the policy's amounts by county call the place; None: its general amounts.

    Yields:
        one decision per farm, in the same order.

    Raises:
        CreditError: as `assess_credit` does, at the first farm.
    """
    check_valid(policy, as_of)
    for farm in farms:
        with _exact(policy):  # for this farm alone: between two of them the caller's own arithmetic holds
            decision = _decide(farm, policy, _context(farm, policy, as_of, county, totals))
        yield decision


def find_totals(farms: Iterable[Farm], policy: CompiledPolicy, *, as_of: date, county: str | None = None) -> Totals:
    """Sums over all farms, made before any of them is decided: the same in whatever order the farms come.

    Of a person who brings several farms it takes what the rules before the cap on one person would give each of them.

    Args:
        farms: the batch; it is gone through twice and not kept, so no iterator that is empty afterwards.
        policy: from `compile_policy`.
        as_of: day of the decision.
        county: as for `assess_credit`.

    Raises:
        ContractError: two farms carry one id, or the farms cannot be gone through twice.
    """
    names = [entry.rule.name for entry in policy.rules]
    before = policy.rules[: names.index(PERSON_RULE)] if PERSON_RULE in names else policy.rules

    def find_limit(farm: Farm) -> Decimal | None:
        steps = _walk(farm, before, _context(farm, policy, as_of, county, None))
        return next((step.after for step in reversed(steps) if step.rule != ENGINE), None)

    with _exact(policy):
        return sum_up(farms, policy.policy.currency, find_limit)


@contextmanager
def _exact(policy: CompiledPolicy) -> Iterator[None]:
    try:
        with decimal.localcontext(MONEY):
            yield
    except decimal.Inexact as error:
        raise CreditError(
            f"policy {policy.policy.id}: an amount needs more than {MONEY.prec} digits to be exact",
            hint="write the policy's numbers with fewer digits",
            policy=policy.policy.id,
        ) from error


def check_valid(policy: CompiledPolicy, as_of: date) -> None:
    """Refuse a day on which the policy does not hold. Raises `CreditError`."""
    rules = policy.policy
    if as_of < rules.valid_from or (rules.valid_to is not None and as_of > rules.valid_to):
        until = f"to {rules.valid_to}" if rules.valid_to is not None else "on"
        raise CreditError(
            f"policy {rules.id} is not valid on {as_of}: it holds from {rules.valid_from} {until}",
            hint="name a policy that is valid on the day of the decision, or decide as of another day",
            policy=rules.id,
        )


def _context(farm: Farm, policy: CompiledPolicy, as_of: date, county: str | None, totals: Totals | None) -> RuleContext:
    person = farm.applicant.person_id if farm.applicant is not None else None
    rules = policy.policy
    return RuleContext(
        as_of,
        rules.currency,
        rules.round_to,
        quantile=rules.quantile,
        county=county,
        crop_names=policy.crop_names,
        totals=totals,
        person=totals.persons.get(person) if totals is not None and person else None,
    )


def _decide(farm: Farm, policy: CompiledPolicy, context: RuleContext) -> Decision:
    steps = _walk(farm, policy.rules, context)
    outcome = _outcome(steps)
    if outcome == "refer":
        return Decision(
            farm_id=farm.farm_id,
            outcome=outcome,
            limit=None,
            currency=context.currency,
            binding_rule=None,
            reasons=_refer_reasons(farm, policy, context, steps),
            policy_id=policy.name,
            as_of=context.as_of,
            trail=_unlimited(steps, context.currency),
        )
    held = [step for step in steps if step.rule != ENGINE and _holds_down(step)]
    binding = next((step for step in steps if step.outcome == "decline"), held[-1])
    return Decision(
        farm_id=farm.farm_id,
        outcome=outcome,
        limit=steps[-1].after,
        currency=context.currency,
        binding_rule=binding.rule,
        reasons=_limit_reasons(farm, policy, context, steps, binding),
        policy_id=policy.name,
        as_of=context.as_of,
        trail=tuple(steps),
    )


def _holds_down(step: Step) -> bool:
    """It set the first limit or lowered it: what adds to a limit is never why it is not higher."""
    return step.after is not None and (step.before is None or step.after < step.before)


def _walk(farm: Farm, rules: Sequence[CompiledRule], context: RuleContext) -> list[Step]:
    """Every step from no limit to the rounded one; later rules are still asked after one has referred."""
    fault = find_fault(farm, context.as_of)
    if fault is not None:
        words = ("{fault} cannot be true; a person corrects it.", "{fault}不可能为真，需人工更正。")
        return [make_step(ENGINE, "implausible_facts", None, None, words, {"fault": show(fault)}, outcome="refer")]
    limit: Decimal | None = None
    blind = False  # a cap could not be told: from there on no amount may be read as a limit, not even "would be"
    steps: list[Step] = []
    for entry in rules:
        made = entry.rule.apply(farm, limit, entry.settings, context)
        new = (made,) if isinstance(made, Step) else made
        blind = blind or (entry.rule.sets_limit and new[-1].after is None)
        if blind:
            new = tuple(
                replace(step, before=None, after=None, changed=step.outcome is not None, cap=None) for step in new
            )
        steps += new
        limit = new[-1].after
        if entry.rule.sets_base:
            context = replace(context, base=limit)
    if limit is None:
        return steps
    rounded = floor_to(limit, context.round_to)
    facts = {
        "round_to": show_money(context.round_to, context.currency),
        "limit": show_money(rounded, context.currency),
    }
    words = ("Rounded down to a multiple of {round_to}: {limit}.", "向下取整到{round_to}的整数倍：{limit}。")
    steps.append(make_step(ENGINE, "rounded_down", limit, rounded, words, facts))
    if rounded == 0 and _outcome(steps) == "approve":
        code = "nothing_left"
        steps.append(make_step(ENGINE, code, rounded, rounded, measured_words(code), outcome="refer"))
    return steps


def _outcome(steps: Sequence[Step]) -> str:
    spoken = {step.outcome for step in steps}
    return "refer" if "refer" in spoken else "decline" if "decline" in spoken else "approve"


def _unlimited(steps: Sequence[Step], currency: str) -> tuple[Step, ...]:
    """The trail of a referred farm. Where a cap could not be told, what stood before it is no amount to speak of."""
    if steps[-1].after is None:
        return tuple(
            step if step.after is None else replace(step, before=None, after=None, cap=None, **_referring(step))
            for step in steps
        )
    return tuple(make_indicative(step, currency) for step in steps)


def _referring(step: Step) -> dict[str, Any]:
    refers = step.outcome == "refer"
    return {"changed": refers, "outcome": "refer" if refers else None}


def make_indicative(step: Step, currency: str) -> Step:
    """A step of a referred farm: no limit stands in it, only what it would have been."""
    if step.after is None:
        return step
    would_be = {"indicative_limit": show_money(step.after, currency)}
    if step.outcome == "decline":
        would_be["indicative_outcome"] = Shown("decline", "未批准")
    evidence = step.evidence | {name: shown.en for name, shown in would_be.items()}
    evidence_zh = step.evidence_zh | {name: shown.zh for name, shown in would_be.items()}
    refers = step.outcome == "refer"
    return Step(  # not `replace`, which takes five times as long: this is done for each step of each referred farm
        step.rule, None, None, step.code, refers, "refer" if refers else None, evidence, step.text_en, step.text_zh,
        evidence_zh,
    )  # fmt: skip


def _refer_reasons(farm: Farm, policy: CompiledPolicy, context: RuleContext, steps: Sequence[Step]) -> tuple[str, ...]:
    """Codes that refer, in order; where only the smallest loan refers, also what made the limit so small."""
    codes = list(dict.fromkeys(step.code for step in steps if step.outcome == "refer"))
    codes = without_following(codes, farm.reason)
    if codes in (["below_minimum"], ["nothing_left"]):
        codes += _holding_codes(farm, policy, context, steps)
    return tuple(dict.fromkeys(codes))[:MOST_REASONS]


def _limit_reasons(
    farm: Farm, policy: CompiledPolicy, context: RuleContext, steps: Sequence[Step], binding: Step
) -> tuple[str, ...]:
    """What held a limit down, largest rise first; of a decline its own code before them."""
    codes = _holding_codes(farm, policy, context, steps)
    if binding.outcome is not None:
        codes = [binding.code, *(code for code in codes if code != binding.code)]
    return tuple(dict.fromkeys(codes))[:MOST_REASONS]


def _holding_codes(farm: Farm, policy: CompiledPolicy, context: RuleContext, steps: Sequence[Step]) -> list[str]:
    """Codes of the rules without which the amount would be higher, largest rise first.

    That is found out, not assumed: each rule that held the amount down is taken away and the farm is decided again. A
    cap that a lower one made idle is no reason. Where caps stand level none of them raises the amount alone: then the
    fewest that raise it together are named, the one that binds first.
    """
    final = steps[-1].after or Decimal(0)
    held = [step for step in steps if step.rule != ENGINE and step.outcome is None and _holds_down(step)]
    if not held:
        return []

    def rise_without(*names: str) -> Decimal | None:
        without = _limit_without(frozenset(names), farm, policy.rules, context, steps)
        return None if without is None else without - final

    binding = held[-1]
    rises = [(rise_without(step.rule) or Decimal(0), step) for step in held]
    codes = [step.code for rise, step in sorted(rises, key=lambda one: (-one[0], one[1] != binding)) if rise > 0]
    if binding.code in codes or any(step.outcome == "decline" for step in steps):
        return codes
    others = {step.rule: step for step in reversed(steps) if step.rule not in (ENGINE, binding.rule)}
    level = _find_level(binding.rule, list(others), rise_without)
    return [binding.code, *(others[name].code for name in level), *codes]


def _find_level(binding: str, others: Sequence[str], rise_without: Callable[..., Decimal | None]) -> tuple[str, ...]:
    """The fewest rules that, taken away together with the one that binds, let the amount rise; none if none do."""
    if rise_without(binding) is None:  # nothing else sets an amount
        return ()
    for count in range(1, MOST_REASONS):
        for names in combinations(others, count):
            if (rise_without(binding, *names) or 0) > 0:
                return names
    return ()


def _limit_without(
    names: frozenset[str], farm: Farm, rules: Sequence[CompiledRule], context: RuleContext, steps: Sequence[Step]
) -> Decimal | None:
    """The limit that a farm would have without some rules; None where none would stand.

    Rules are pure, so only those behind the first missing one count anew, and only until the limit is what it was with
    all of them: from there on all is as it was. Of those that count, one that judges leaves the limit, one whose cap
    stands in its step caps it, and every other is asked again.

    Args:
        names: of the rules to leave out.
        farm: facts.
        rules: of the policy, in order.
        context: of the farm.
        steps: of the whole walk, which ended with a limit.
    """
    told = {step.rule: step for step in steps}
    limit: Decimal | None = None
    with_it: Decimal | None = None
    base: Decimal | None = None
    base_with: Decimal | None = None
    left_out, missing = False, names
    for entry in rules:
        rule, name = entry.rule, entry.rule.name
        step = told[name]
        if name in names:
            left_out, missing = True, missing - {name}
        elif not left_out:
            limit = step.after
        elif limit == with_it and base == base_with and not missing:
            return steps[-1].after
        elif step.cap is not None:
            limit = lowest(limit, step.cap)
        elif not rule.judges:
            made = rule.apply(farm, limit, entry.settings, context if base is None else replace(context, base=base))
            limit = made.after if isinstance(made, Step) else made[-1].after
            if limit is None and rule.sets_limit:
                return None
        with_it = step.after
        if rule.sets_base:
            base_with = with_it
            base = base if name in names else limit
    return None if limit is None else floor_to(limit, context.round_to)
