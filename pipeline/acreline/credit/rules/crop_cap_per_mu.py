# SPDX-License-Identifier: Apache-2.0
"""So much per mu of each crop that stands on the land, counted at the low end of the planted area."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.amounts import Amount, PerArea, cap_by_area
from acreline.credit.contract import Rule, RuleContext, Words
from acreline.credit.words import measured_words
from acreline.records import Farm, Step

NAME = "crop_cap_per_mu"
CAP: Words = (
    "At least {planted} of crops, each crop of the year counted, carry {cap}"
    " at the amount per mu set for each crop ({crops}).",
    "各季作物合计至少{planted}，按各作物每亩额度计算为{cap}（{crops}）。",
)
REASONS: dict[str, Words] = {
    "crop_cap_per_mu": (
        "The limit is the planted area times the amount per mu for your crops.",
        "额度按您实际种植的面积和作物的每亩额度计算。",
    ),
    "no_cap_for_crop": measured_words("no_cap_for_crop"),
    "no_stand": measured_words("no_stand"),
}
ACTIONS: dict[str, Words] = {
    "crop_cap_per_mu": (
        "If more is planted than was counted, send a corrected outline or a photo of the field with date and place.",
        "如实际种植面积更大，提供更正的地块边界，或带日期和位置的田间照片。",
    ),
    "no_cap_for_crop": (
        "Bring what shows your costs or what the crop earned before; a person sets the amount.",
        "提供该作物的成本或往年收入凭证，由工作人员确定金额。",
    ),
}
MISSING: Words = (
    "This policy has no amount per mu for: {crops_without_cap}. A person sets it.",
    "本政策没有以下作物的每亩额度：{crops_without_cap}，需人工确定。",
)


HOW = PerArea(NAME, 2, CAP, MISSING)


class CropCapSettings(Settings):
    """Most money per mu, by crop, in the policy's currency."""

    caps_per_mu: dict[str, Amount] = Field(min_length=1, description="crop slug -> money per planted mu")
    counties: dict[str, dict[str, Amount]] = Field(
        default_factory=dict,
        description="county -> crop slug -> money per planted mu, where it differs there from `caps_per_mu`",
    )


def apply(farm: Farm, limit: Decimal | None, settings: CropCapSettings, context: RuleContext) -> Step:
    """Cap the limit at the sum over stands of planted mu (down to 0.01) x the crop's amount: `amounts.cap_by_area`."""
    return cap_by_area(farm, limit, context, HOW, "mu", settings.caps_per_mu, settings.counties)


RULE = Rule(
    name=NAME,
    title=("Amount per mu", "每亩额度"),
    settings=CropCapSettings,
    apply=apply,
    reasons=REASONS,
    actions=ACTIONS,
    sets_limit=True,
)
