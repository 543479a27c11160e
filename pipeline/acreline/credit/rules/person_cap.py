# SPDX-License-Identifier: Apache-2.0
"""No person owes more than one amount, whatever the land, over all the farms they bring together."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import DebtWithoutRecord, Rule, RuleContext, Words, make_step
from acreline.credit.facts import at_least_zero, find_debt, lowest, show, show_money
from acreline.credit.words import measured_words
from acreline.records import Farm, Step

NAME = "person_cap"
REASONS: dict[str, Words] = {
    "person_cap": ("The limit is the most one person may borrow.", "额度为每人可借的最高金额。"),
    "person_cap_after_debt": (
        "The limit is the most one person may owe, less the debt you have already.",
        "额度为每人可负债的最高金额减去您已有的债务。",
    ),
    "several_farms_one_person": measured_words("several_farms_one_person"),
}
ACTIONS: dict[str, Words] = {
    "person_cap": (
        "Ask the office about other loans: this is the most one person may borrow here.",
        "向办理网点咨询其他贷款：这是此处每人可借的最高金额。",
    ),
    "person_cap_after_debt": (
        "A smaller debt raises it one for one: bring the receipt of what you have paid back and is not on file yet.",
        "携带尚未登记的还款凭证：减少债务可等额提高额度。",
    ),
    "several_farms_one_person": (
        "Wait for a person, who sets the limits of your farms together; nothing is missing.",
        "等待工作人员对您名下的农场统一核定，无需补充材料。",
    ),
}
BARE: Words = ("One person may borrow at most {amount}.", "每人最多可借{amount}。")
LESS_DEBT: Words = (
    "One person may owe at most {amount}; less your debt of {existing_debt} that leaves {cap}.",
    "每人负债最高为{amount}，扣除您已有的债务{existing_debt}后为{cap}。",
)
WITHIN: Words = (
    "You bring {farms} in this batch; together they may borrow {together}, which with the debt you have stays within"
    " {amount}.",
    "本批次中您名下有{farms}，合计可借{together}，加上您已有的债务不超过{amount}。",
)
SEVERAL: Words = (
    "You bring {farms} in this batch; a person sets their limits together, so that they stay below {amount} in all.",
    "本批次中您名下有{farms}，由工作人员统一核定，使总额不超过{amount}。",
)


class PersonCapSettings(Settings):
    """The most one person may owe, in the policy's currency."""

    amount: Decimal = Field(gt=0, le=10**12, description="most money one person may owe, old debt and new")
    debt_without_record: DebtWithoutRecord = False


def apply(farm: Farm, limit: Decimal | None, settings: PersonCapSettings, context: RuleContext) -> Step:
    """Cap the limit at the amount less existing debt.

    The farms of one person count together: where what the rules before would give all of them stays within the amount
    less all their debt, each has its own; else all are referred. A cap shared out by machine would let a second farm
    lower the first one's limit, and one given to whoever comes first would depend on the order: neither happens.
    """
    debt = find_debt(farm, settings.debt_without_record)
    if isinstance(debt, str):
        return make_step(NAME, debt, limit, None, measured_words(debt), outcome="refer")
    cap = at_least_zero(settings.amount - debt)
    facts = {
        "amount": show_money(settings.amount, context.currency),
        "existing_debt": show_money(debt, context.currency),
        "cap": show_money(cap, context.currency),
    }
    person = context.person
    if person is not None:
        facts["farms"] = show(person.farms, "farms", "个农场")
        debts = Decimal(0) if person.debt is None and settings.debt_without_record else person.debt
        if limit is None or person.limit is None or debts is None or person.limit > settings.amount - debts:
            after = lowest(limit, cap)
            return make_step(NAME, "several_farms_one_person", limit, after, SEVERAL, facts, outcome="refer", cap=cap)
        facts["together"] = show_money(person.limit, context.currency)
        return make_step(NAME, "person_cap", limit, lowest(limit, cap), WITHIN, facts, cap=cap)
    code, words = ("person_cap_after_debt", LESS_DEBT) if debt > 0 else ("person_cap", BARE)
    return make_step(NAME, code, limit, lowest(limit, cap), words, facts, cap=cap)


RULE = Rule(
    name=NAME,
    title=("Most one person may owe", "个人负债上限"),
    settings=PersonCapSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    sets_limit=True,
)
