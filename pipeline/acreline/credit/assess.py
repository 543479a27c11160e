# SPDX-License-Identifier: Apache-2.0
"""From facts of farms to decisions: the policy's rules in order, each step kept, nothing in between."""

from __future__ import annotations

import decimal
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from acreline.credit.contract import CompiledPolicy, CompiledRule, RuleContext, Totals, make_step
from acreline.credit.facts import MONEY, Shown, find_fault, floor_to, show, show_money
from acreline.credit.totals import PERSON_RULE, sum_up
from acreline.credit.words import measured_words
from acreline.errors import ContractError, CreditError
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
    rules = policy.policy
    if as_of < rules.valid_from or (rules.valid_to is not None and as_of > rules.valid_to):
        until = f"to {rules.valid_to}" if rules.valid_to is not None else "on"
        raise CreditError(
            f"policy {rules.id} is not valid on {as_of}: it holds from {rules.valid_from} {until}",
            hint="name a policy that is valid on the day of the decision, or decide as of another day",
            policy=rules.id,
        )
    twice = [farm_id for farm_id, count in Counter(farm.farm_id for farm in farms).items() if count > 1]
    if twice:
        raise ContractError(
            f"farm {twice[0]!r} comes twice", hint="this is a fault of acreline: please report it", farm=twice[0]
        )
    try:
        with decimal.localcontext(MONEY):
            if totals is None:
                totals = find_totals(farms, policy, as_of=as_of, county=county)
            return [_decide(farm, policy, _context(farm, policy, as_of, county, totals)) for farm in farms]
    except decimal.Inexact as error:
        raise CreditError(
            f"policy {rules.id}: an amount needs more than {MONEY.prec} digits to be exact",
            hint="write the policy's numbers with fewer digits",
            policy=rules.id,
        ) from error


def find_totals(farms: Sequence[Farm], policy: CompiledPolicy, *, as_of: date, county: str | None = None) -> Totals:
    """Sums over all farms, made before any of them is decided: the same in whatever order the farms come.

    Of a person who brings several farms it takes what the rules before the cap on one person would give each of them.
    """
    names = [entry.rule.name for entry in policy.rules]
    before = policy.rules[: names.index(PERSON_RULE)] if PERSON_RULE in names else policy.rules

    def find_limit(farm: Farm) -> Decimal | None:
        steps = _walk(farm, before, _context(farm, policy, as_of, county, None))
        return next((step.after for step in reversed(steps) if step.rule != ENGINE), None)

    with decimal.localcontext(MONEY):
        return sum_up(farms, policy.policy.currency, find_limit)


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
            reasons=_refer_reasons(steps),
            policy_id=policy.name,
            as_of=context.as_of,
            trail=tuple(_make_indicative(step, context) for step in steps),
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
            new = tuple(replace(step, before=None, after=None, changed=step.outcome is not None) for step in new)
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


def _make_indicative(step: Step, context: RuleContext) -> Step:
    """A step of a referred farm: no limit stands in it, only what it would have been."""
    if step.after is None:
        return step
    would_be = {"indicative_limit": show_money(step.after, context.currency)}
    if step.outcome == "decline":
        would_be["indicative_outcome"] = Shown("decline", "未批准")
    evidence = step.evidence | {name: shown.en for name, shown in would_be.items()}
    evidence_zh = step.evidence_zh | {name: shown.zh for name, shown in would_be.items()}
    refers = step.outcome == "refer"
    outcome = "refer" if refers else None
    return replace(
        step, before=None, after=None, changed=refers, outcome=outcome, evidence=evidence, evidence_zh=evidence_zh
    )


def _refer_reasons(steps: Sequence[Step]) -> tuple[str, ...]:
    """Codes that refer, in order; where only the smallest loan refers, also the cap that made the limit so small."""
    codes = list(dict.fromkeys(step.code for step in steps if step.outcome == "refer"))
    if codes in (["below_minimum"], ["nothing_left"]):
        codes += [step.code for step in steps if step.rule != ENGINE and _holds_down(step)][-1:]
    return tuple(codes[:MOST_REASONS])


def _limit_reasons(
    farm: Farm, policy: CompiledPolicy, context: RuleContext, steps: Sequence[Step], binding: Step
) -> tuple[str, ...]:
    """The binding rule's code, then the codes of rules without which the limit would be higher, largest rise first.

    That is found out, not assumed: each rule that moved the limit is taken away and the farm is decided again. A cap
    that a lower one made idle is no reason, and where two caps stand level only the one that binds is named.
    """
    rises: list[tuple[Decimal, str]] = []
    final = steps[-1].after or Decimal(0)
    for step in steps:
        if step.rule in (ENGINE, binding.rule) or step.before == step.after:
            continue
        others = [entry for entry in policy.rules if entry.rule.name != step.rule]
        without = _walk(farm, others, context)[-1].after
        if without is not None and without > final:
            rises.append((without - final, step.code))
    codes = [binding.code, *(code for _, code in sorted(rises, key=lambda rise: (-rise[0], rise[1])))]
    return tuple(dict.fromkeys(codes))[:MOST_REASONS]
