# SPDX-License-Identifier: Apache-2.0
"""The loan stays below a share of what the harvest is worth at the policy's quantile, less the debt there is."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import DebtWithoutRecord, Rule, RuleContext, Words, make_step
from acreline.credit.facts import (
    at_least_zero,
    find_debt,
    floor_money,
    floor_value,
    lowest,
    show_money,
    show_share,
    why_unmeasured,
)
from acreline.credit.words import measured_words, why_no_value
from acreline.records import Farm, Step

NAME = "capacity"
REASONS: dict[str, Words] = {
    "capacity": (
        "The limit is a share of the cautious worth of your harvest.",
        "额度按您收成的保守估值的一定比例计算。",
    ),
    "capacity_after_debt": (
        "The limit is a share of the cautious worth of your harvest, less the debt you have already.",
        "额度按您收成的保守估值的一定比例计算，并扣除您已有的债务。",
    ),
    "no_value": measured_words("no_value"),
    "other_currency": measured_words("other_currency"),
}
ACTIONS: dict[str, Words] = {
    "capacity": (
        "If your harvest is worth more, bring delivery notes or last year's yields; a person reckons again.",
        "如收成价值更高，提供销售单据或往年产量，由工作人员重新核算。",
    ),
    "capacity_after_debt": (
        "A smaller debt raises it one for one: bring the receipt of what you have paid back and is not on file yet.",
        "携带尚未登记的还款凭证：减少债务可等额提高额度。",
    ),
}
BARE: Words = (
    "The cautious estimate of your harvest ({quantile} quantile of our model) is {value_used}; {share} of that is"
    " {cap}.",
    "您的收成的保守估值（模型的{quantile}分位数）为{value_used}，其{share}为{cap}。",
)
LESS_DEBT: Words = (
    "The cautious estimate of your harvest ({quantile} quantile of our model) is {value_used}; {share} of that, less"
    " your debt of {existing_debt}, is {cap}.",
    "您的收成的保守估值（模型的{quantile}分位数）为{value_used}，其{share}扣除您已有的债务{existing_debt}后为{cap}。",
)


class CapacitySettings(Settings):
    """Which share of the cautious harvest may be lent."""

    share: Decimal = Field(
        gt=0,
        le=1,
        description="share of the 5 % quantile of the harvest's value, or of the policy's own quantile, 0 to 1",
    )
    debt_without_record: DebtWithoutRecord = False


def apply(farm: Farm, limit: Decimal | None, settings: CapacitySettings, context: RuleContext) -> Step:
    """Cap the limit at share x value at the policy's quantile (rounded down to a whole unit) less debt, 0 or more."""
    if farm.value is None or farm.currency is None or why_unmeasured(farm) is not None:
        return _refer(why_no_value(farm), limit)
    if farm.currency != context.currency:
        return _refer("other_currency", limit)
    debt = find_debt(farm, settings.debt_without_record)
    if isinstance(debt, str):
        return _refer(debt, limit)
    value_used = Decimal(floor_value(farm.value, context.quantile))
    cap = at_least_zero(value_used * settings.share - debt)
    facts = {
        "quantile": show_share(context.quantile),
        "value_used": show_money(value_used, context.currency),
        "value_low": show_money(floor_money(farm.value.low), context.currency),
        "value_mid": show_money(floor_money(farm.value.mid), context.currency),
        "value_high": show_money(floor_money(farm.value.high), context.currency),
        "share": show_share(settings.share),
        "existing_debt": show_money(debt, context.currency),
        "cap": show_money(cap, context.currency),
    }
    code, words = ("capacity_after_debt", LESS_DEBT) if debt > 0 else ("capacity", BARE)
    return make_step(NAME, code, limit, lowest(limit, cap), words, facts, cap=cap)


def _refer(code: str, limit: Decimal | None) -> Step:
    words = REASONS.get(code) or measured_words(code)
    return make_step(NAME, code, limit, None, words, outcome="refer")


RULE = Rule(
    name=NAME,
    title=("Share of the harvest's worth", "收成估值的比例"),
    settings=CapacitySettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    sets_limit=True,
)
