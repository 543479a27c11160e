# SPDX-License-Identifier: Apache-2.0
"""Nobody is lent more than they asked for."""

from __future__ import annotations

from decimal import Decimal

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import lowest, show_money
from acreline.records import Farm, Step

NAME = "requested"
REASONS: dict[str, Words] = {
    "requested": ("The limit is the amount you asked for.", "额度为您申请的金额。"),
    "nothing_requested": ("No amount was named in the application.", "申请中没有写明金额。"),
}
ACTIONS: dict[str, Words] = {
    "requested": (
        "Ask for more at any time; the steps below show what the other rules allow.",
        "随时申请更高金额；其他规则允许的金额见下方计算过程。",
    ),
}
ASKED: Words = ("You asked for {requested}.", "您申请的金额为{requested}。")


class RequestedSettings(Settings):
    """Cap at the amount the applicant asked for; no numbers to set."""


def apply(farm: Farm, limit: Decimal | None, settings: RequestedSettings, context: RuleContext) -> Step:
    """Cap the limit at the amount asked for; without one, leave it."""
    if farm.applicant is None or farm.applicant.requested is None:
        return make_step(NAME, "nothing_requested", limit, limit, REASONS["nothing_requested"])
    asked = farm.applicant.requested
    facts = {"requested": show_money(asked, context.currency)}
    return make_step(NAME, "requested", limit, lowest(limit, asked), ASKED, facts, cap=asked)


RULE = Rule(
    name=NAME,
    title=("Amount asked for", "申请金额"),
    settings=RequestedSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
)
