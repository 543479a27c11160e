# SPDX-License-Identifier: Apache-2.0
"""So much per hectare, acre or mu of each crop (scale of finance): the amount that additions are a share of."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.amounts import Amount, PerArea, Unit, cap_by_area
from acreline.credit.contract import Rule, RuleContext, Words
from acreline.credit.words import measured_words
from acreline.records import Farm, Step

NAME = "scale_of_finance"

REASONS: dict[str, Words] = {
    "scale_of_finance": (
        "The limit rests on the planted area times the scale of finance of your crops.",
        "额度以您实际种植的面积乘以各作物的贷款标准为基础。",
    ),
    "no_cap_for_crop": measured_words("no_cap_for_crop"),
    "no_stand": measured_words("no_stand"),
}
ACTIONS: dict[str, Words] = {
    "scale_of_finance": (
        "If you grow more than was seen, a corrected outline or a photo of the field with date and place raises the"
        " area; the amounts are set by the district each year.",
        "如实际种植面积大于观测面积，请更正地块边界或提供带日期和位置的田间照片；贷款标准由当地每年核定。",
    ),
}
SCALE: Words = (
    "At least {planted} of crops, each crop of the year counted, carry {cap} at the scale of finance ({crops}).",
    "各季作物合计至少{planted}，按贷款标准计算为{cap}（{crops}）。",
)
MISSING: Words = (
    "This policy has no scale of finance for: {crops_without_cap}. A person sets it.",
    "本政策没有以下作物的贷款标准：{crops_without_cap}，需人工确定。",
)


HOW = PerArea(NAME, 4, SCALE, MISSING)


class ScaleOfFinanceSettings(Settings):
    """The scale of finance by crop, in the policy's currency."""

    unit: Unit = Field(description="land that an amount is for: ha, acre or mu")
    amounts: dict[str, Amount] = Field(min_length=1, description="crop slug -> money per unit of planted land")
    counties: dict[str, dict[str, Amount]] = Field(
        default_factory=dict, description="county or district -> crop slug -> money, where it differs from `amounts`"
    )


def apply(farm: Farm, limit: Decimal | None, settings: ScaleOfFinanceSettings, context: RuleContext) -> Step:
    """Cap the limit at the sum over stands of planted land (down to 0.0001) x the crop's scale: `amounts.cap_by_area`.

    Each crop of a year counts its land, as the scheme does where several crops are grown.
    """
    return cap_by_area(farm, limit, context, HOW, settings.unit, settings.amounts, settings.counties)


RULE = Rule(
    name=NAME,
    title=("Scale of finance", "贷款标准"),
    settings=ScaleOfFinanceSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    sets_limit=True,
    sets_base=True,
)
