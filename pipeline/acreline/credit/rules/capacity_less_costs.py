# SPDX-License-Identifier: Apache-2.0
"""The loan stays below a share of what the harvest leaves after its cash costs, less the debt there is already."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.amounts import Amount
from acreline.credit.contract import DebtWithoutRecord, Rule, RuleContext, Words, make_step
from acreline.credit.facts import (
    Ratio,
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
from acreline.records import Farm, Stand, Step
from acreline.units import M2_PER_MU

NAME = "capacity_less_costs"
REASONS: dict[str, Words] = {
    "capacity_less_costs": (
        "The limit is a share of what your harvest leaves after its cash costs.",
        "额度按您收成扣除现金成本后剩余的一定比例计算。",
    ),
    "capacity_less_costs_and_debt": (
        "The limit is a share of what your harvest leaves after its cash costs, less the debt you have already.",
        "额度按您收成扣除现金成本后剩余的一定比例计算，并扣除您已有的债务。",
    ),
    "no_value": measured_words("no_value"),
    "other_currency": measured_words("other_currency"),
    "no_cost": measured_words("no_cost"),
}
ACTIONS: dict[str, Words] = {
    "capacity_less_costs": (
        "Delivery notes, a purchase contract or receipts for seed and fertiliser that show a higher harvest or lower"
        " costs let a person reckon again.",
        "如能提供显示产量更高或成本更低的交售单、收购合同或种肥票据，工作人员可重新核算。",
    ),
    "capacity_less_costs_and_debt": (
        "Paying off part of the debt raises the limit by as much; bring the receipt.",
        "偿还部分债务后额度相应提高，请携带还款凭证。",
    ),
}
BARE: Words = (
    "Your harvest ({quantile} quantile) leaves {net} after the cash costs of growing it; {share} of that is {cap}.",
    "您的收成（{quantile}分位数）扣除现金成本后剩余{net}，其{share}为{cap}。",
)
LESS_DEBT: Words = (
    "Your harvest ({quantile} quantile) leaves {net} after the cash costs of growing it; {share} of that, less your"
    " debt of {existing_debt}, is {cap}.",
    "您的收成（{quantile}分位数）扣除现金成本后剩余{net}，其{share}扣除您已有的债务{existing_debt}后为{cap}。",
)


class CapacityLessCostsSettings(Settings):
    """Which share of what is left after costs may be lent, and where costs come from."""

    share: Decimal = Field(gt=0, le=1, description="share of value less cash costs that may be lent, 0 to 1")
    unknown_cost: Literal["refer", "table"] = Field(
        description="a crop whose cost the region does not tell: refer, or take `costs_per_mu`"
    )
    costs_per_mu: dict[str, Amount] = Field(
        default_factory=dict, description="crop slug -> cash cost per mu and harvest, cautious: the upper end"
    )
    debt_without_record: DebtWithoutRecord = False


def apply(farm: Farm, limit: Decimal | None, settings: CapacityLessCostsSettings, context: RuleContext) -> Step:
    """Cap the limit at share x sum over stands of (value at the policy's quantile - cash cost at its high end) - debt.

    A stand that costs more than it brings adds nothing and takes nothing off the others: more land never lowers the
    sum. The difference of each stand is exact and rounded down to a whole unit of money; the sum is not below zero.
    """
    if farm.value is None or farm.currency is None or why_unmeasured(farm) is not None:
        return _refer(why_no_value(farm), limit)
    if farm.currency != context.currency:
        return _refer("other_currency", limit)
    debt = find_debt(farm, settings.debt_without_record)
    if isinstance(debt, str):
        return _refer(debt, limit)
    net = costs = 0
    for stand in farm.stands:
        cost = _cost_of(stand, settings)
        if cost is None or stand.value is None:
            return _refer("no_cost" if cost is None else "no_value", limit)
        costs -= -cost[0] // cost[1]
        net += max(0, floor_value(stand.value, context.quantile, cost))
    cap = at_least_zero(net * settings.share - debt)
    facts = {
        "quantile": show_share(context.quantile),
        "value_low": show_money(floor_money(farm.value.low), context.currency),
        "value_mid": show_money(floor_money(farm.value.mid), context.currency),
        "value_high": show_money(floor_money(farm.value.high), context.currency),
        "cash_cost": show_money(Decimal(costs), context.currency),
        "net": show_money(Decimal(net), context.currency),
        "share": show_share(settings.share),
        "existing_debt": show_money(debt, context.currency),
        "cap": show_money(cap, context.currency),
    }
    code, words = ("capacity_less_costs_and_debt", LESS_DEBT) if debt > 0 else (NAME, BARE)
    return make_step(NAME, code, limit, lowest(limit, cap), words, facts, cap=cap)


def _cost_of(stand: Stand, settings: CapacityLessCostsSettings) -> Ratio | None:
    """Cash cost of one stand at its high end, exact; of crops that look alike the dearest. None: not known."""
    if stand.cash_cost is not None:
        return stand.cash_cost.high.as_integer_ratio()
    crops = {stand.crop, *stand.crop_set} & settings.costs_per_mu.keys()
    if settings.unknown_cost == "refer" or stand.crop not in crops:
        return None
    land, of_land = stand.area_m2.high.as_integer_ratio()
    cost, of_cost = max([settings.costs_per_mu[crop] for crop in crops]).as_integer_ratio()
    return land * cost * M2_PER_MU.denominator, of_land * of_cost * M2_PER_MU.numerator


def _refer(code: str, limit: Decimal | None) -> Step:
    return make_step(NAME, code, limit, None, measured_words(code), outcome="refer")


RULE = Rule(
    name=NAME,
    title=("Share of what is left after costs", "扣除成本后剩余的比例"),
    settings=CapacityLessCostsSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    sets_limit=True,
)
