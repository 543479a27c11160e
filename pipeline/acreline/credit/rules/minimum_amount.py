# SPDX-License-Identifier: Apache-2.0
"""Below the smallest loan a person looks; the machine says no only where no doubt of measurement could change it."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import DebtWithoutRecord, Rule, RuleContext, Words, make_step
from acreline.credit.facts import find_debt, floor_money, floor_to, show_money
from acreline.credit.words import measured_words
from acreline.records import Farm, Step

NAME = "minimum_amount"
REASONS: dict[str, Words] = {
    "minimum_met": ("The limit is not below the smallest loan.", "额度不低于最低贷款金额。"),
    "below_minimum": measured_words("below_minimum"),
    "harvest_below_minimum": (
        "Even the most your harvest could be worth, less the debt you have, is below the smallest loan.",
        "即使按收成的最高估值扣除已有债务，也低于最低贷款金额。",
    ),
    "no_limit_to_compare": (
        "No limit stands that could be compared with the smallest loan.",
        "目前没有可与最低贷款金额比较的额度。",
    ),
}
ACTIONS: dict[str, Words] = {
    "below_minimum": (
        "Bring what shows what else you grow or earn, or ask for a small loan of another kind.",
        "提供其他种植或收入的证明，或咨询其他小额贷款。",
    ),
    "harvest_below_minimum": (
        "Bring what shows further plots or income that are not in this application.",
        "补充本次申请之外的地块或收入的证明。",
    ),
}
MET: Words = ("{limit} is not below the smallest loan of {amount}.", "{limit}不低于最低贷款金额{amount}。")
BELOW: Words = (
    "{limit} is below the smallest loan of {amount}; a person looks whether another product fits.",
    "{limit}低于最低贷款金额{amount}，由工作人员看看是否有其他合适的产品。",
)
HARVEST_BELOW: Words = (
    "Even if your harvest is worth {value_high}, the most that can be expected, less your debt of {existing_debt} that"
    " is below the smallest loan of {amount}.",
    "即使您的收成按最高估值{value_high}计算，扣除已有债务{existing_debt}后也低于最低贷款金额{amount}。",
)


class MinimumSettings(Settings):
    """The smallest loan of the product, and whether a machine may say no."""

    amount: Decimal = Field(gt=0, le=10**9, description="smallest loan, in the policy's currency")
    may_decline: bool = Field(
        description="true: decline where even the whole harvest at its high end, less debt, is below the smallest loan;"
        " false: always refer"
    )
    debt_without_record: DebtWithoutRecord = False


def apply(farm: Farm, limit: Decimal | None, settings: MinimumSettings, context: RuleContext) -> Step:
    """Refer, or decline with limit 0, where the limit as it will be paid out is below the smallest loan.

    Decline asks for the 95 % quantile of the whole harvest less debt to be too small: then no better view of the
    field could have changed the answer, and a small request or a small cap is never the cause.
    """
    smallest = show_money(settings.amount, context.currency)
    if limit is None:
        words = REASONS["no_limit_to_compare"]
        return make_step(NAME, "no_limit_to_compare", limit, limit, words, {"amount": smallest})
    facts = {"limit": show_money(limit, context.currency), "amount": smallest}
    if floor_to(limit, context.round_to) >= settings.amount:
        return make_step(NAME, "minimum_met", limit, limit, MET, facts)
    if settings.may_decline and farm.value is not None and farm.currency == context.currency:
        value_high = floor_money(farm.value.high) + 1  # rounded up: a decline must not rest on rounding
        debt = find_debt(farm, settings.debt_without_record)
        if isinstance(debt, str):
            return make_step(NAME, debt, limit, limit, measured_words(debt), facts, outcome="refer")
        if value_high - debt < settings.amount:
            facts["value_high"] = show_money(value_high, context.currency)
            facts["existing_debt"] = show_money(debt, context.currency)
            code = "harvest_below_minimum"
            return make_step(NAME, code, limit, Decimal(0), HARVEST_BELOW, facts, outcome="decline")
    return make_step(NAME, "below_minimum", limit, limit, BELOW, facts, outcome="refer")


RULE = Rule(
    name=NAME,
    title=("Smallest loan", "最低贷款金额"),
    settings=MinimumSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    needs_limit=True,
)
