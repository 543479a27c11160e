# SPDX-License-Identifier: Apache-2.0
"""So much per hectare, acre or mu of each crop (scale of finance): the amount that additions are a share of."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import Shown, lowest, plain, show, show_money, why_unmeasured
from acreline.credit.words import measured_words
from acreline.records import NO_CROP, Farm, Step
from acreline.units import M2_PER_UNIT

NAME = "scale_of_finance"
Amount = Annotated[Decimal, Field(ge=0, le=10**9)]
Unit = Literal["ha", "acre", "mu"]
UNIT_ZH = {"ha": "公顷", "acre": "英亩", "mu": "亩"}

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
    "Crops on at least {planted} of your land carry {cap} at the scale of finance ({crops}).",
    "您的地块上至少种植了{planted}作物，按贷款标准计算为{cap}（{crops}）。",
)
MISSING: Words = (
    "This policy has no scale of finance for: {crops_without_cap}. A person sets it.",
    "本政策没有以下作物的贷款标准：{crops_without_cap}，需人工确定。",
)


class ScaleOfFinanceSettings(Settings):
    """The scale of finance by crop, in the policy's currency."""

    unit: Unit = Field(description="land that an amount is for: ha, acre or mu")
    amounts: dict[str, Amount] = Field(min_length=1, description="crop slug -> money per unit of planted land")
    counties: dict[str, dict[str, Amount]] = Field(
        default_factory=dict, description="county or district -> crop slug -> money, where it differs from `amounts`"
    )


def apply(farm: Farm, limit: Decimal | None, settings: ScaleOfFinanceSettings, context: RuleContext) -> Step:
    """Cap the limit at the sum over stands of planted land x the crop's scale of finance.

    Each crop of a year counts its land, as the scheme does where several crops are grown. Area is the cautious bound,
    rounded down to 0.0001 of the unit per stand, so stands add up to the farm. Where crops cannot be told apart, the
    lowest amount of them counts.
    """
    unmeasured = why_unmeasured(farm)
    if unmeasured is not None:
        return make_step(NAME, unmeasured, limit, None, measured_words(unmeasured), outcome="refer")
    if not farm.stands:
        return make_step(NAME, "no_stand", limit, None, REASONS["no_stand"], outcome="refer")
    size, zh = M2_PER_UNIT[settings.unit], UNIT_ZH[settings.unit]
    area: dict[tuple[str, ...], Decimal] = {}
    for stand in farm.stands:
        crops = (stand.crop, *sorted(set(stand.crop_set) - {stand.crop, NO_CROP}))
        part = Decimal(math.floor(Fraction(stand.area_m2.low) / size * 10_000)).scaleb(-4)
        area[crops] = area.get(crops, Decimal(0)) + part
    amounts = settings.amounts | settings.counties.get(context.county or "", {})
    missing = sorted({crop for crops in area for crop in crops} - set(amounts))
    if "unknown" in missing:
        return make_step(NAME, "crop_unknown", limit, None, measured_words("crop_unknown"), outcome="refer")
    if missing:
        names = [context.name_crop(crop) for crop in missing]
        facts = {"crops_without_cap": Shown(", ".join(n.en for n in names), "、".join(n.zh for n in names))}
        return make_step(NAME, "no_cap_for_crop", limit, None, MISSING, facts, outcome="refer")
    scale = {crops: min(amounts[crop] for crop in crops) for crops in area}
    cap = sum((area[crops] * scale[crops] for crops in area), Decimal(0))
    told = []
    for crops in sorted(area):
        names, land = [context.name_crop(crop) for crop in crops], plain(area[crops])
        money = show_money(scale[crops], context.currency)
        told.append(
            Shown(
                f"{' or '.join(name.en for name in names)} {land} {settings.unit} x {money.en}/{settings.unit}",
                f"{'或'.join(name.zh for name in names)} {land}{zh} × {money.zh}/{zh}",
            )
        )
    planted = plain(sum(area.values(), Decimal(0)))
    facts = {
        "planted": Shown(f"{planted} {settings.unit}", f"{planted}{zh}"),
        "cap": show_money(cap, context.currency),
        "crops": Shown("; ".join(one.en for one in told), "；".join(one.zh for one in told)),
    }
    if context.county in settings.counties:
        facts["county"] = show(context.county)
    return make_step(NAME, NAME, limit, lowest(limit, cap), SCALE, facts)


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
