# SPDX-License-Identifier: Apache-2.0
"""A farm whose appeal is open: no machine grants or declines it, and what the machine would have said is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from acreline.credit.assess import ENGINE, MOST_REASONS, make_indicative
from acreline.credit.contract import make_step
from acreline.credit.facts import Shown, show, show_money
from acreline.records import Decision

WORDS = (
    "An appeal is open ({case}, since {since}); a person decides.",
    "申诉处理中（{case}，{since}起），由工作人员决定。",
)
CODE = "under_review"
WOULD_BE = {
    "approve": Shown("approve", "批准"),
    "decline": Shown("decline", "未批准"),
    "refer": Shown("refer", "转人工"),
}


def refer_reviewed(decisions: Sequence[Decision], reviews: Mapping[str, Mapping[str, str]]) -> list[Decision]:
    """Refer the farms whose appeal is open; every other decision is the same object as before.

    Args:
        decisions: as the rules gave them.
        reviews: farm id -> case and since (day of its opening), of the appeals that are open.
    """
    return [_refer(one, reviews[one.farm_id]) if one.farm_id in reviews else one for one in decisions]


def _refer(decision: Decision, review: Mapping[str, str]) -> Decision:
    facts = {"case": show(review["case"]), "since": show(review["since"])}
    facts["machine_outcome"] = WOULD_BE[decision.outcome]
    if decision.limit is not None:
        facts["indicative_limit"] = show_money(decision.limit, decision.currency)
    step = make_step(ENGINE, "under_review", None, None, WORDS, facts, outcome="refer")
    reasons = (CODE, *(decision.reasons if decision.outcome == "refer" else ()))
    return replace(
        decision,
        outcome="refer",
        limit=None,
        binding_rule=None,
        reasons=reasons[:MOST_REASONS],
        trail=(*(make_indicative(one, decision.currency) for one in decision.trail), step),
    )


def review_of(decision: Decision) -> dict[str, str] | None:
    """Case and day of the open appeal for which a decision was referred; None for any other decision."""
    last = decision.trail[-1] if decision.trail else None
    if last is None or last.code != CODE:
        return None
    return {name: last.evidence[name] for name in ("case", "since")}


def machine_word(decision: Decision) -> tuple[str, Decimal | None]:
    """Outcome and limit as the rules gave them, whether an appeal was open or not."""
    if review_of(decision) is None:
        return decision.outcome, decision.limit
    outcome = decision.trail[-1].evidence["machine_outcome"]
    return outcome, None if outcome == "refer" else named_amount(decision)


def named_amount(decision: Decision) -> Decimal | None:
    """The amount that a referred decision names as what would have been; None where it names none, or a refusal."""
    for step in reversed(decision.trail):
        told = step.evidence.get("indicative_limit")
        if told is not None:
            refused = step.evidence.get("indicative_outcome") == "decline"
            return None if refused else Decimal(told.removesuffix(decision.currency).strip().replace(",", ""))
    return None
