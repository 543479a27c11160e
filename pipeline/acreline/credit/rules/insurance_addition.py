# SPDX-License-Identifier: Apache-2.0
"""What the farmer pays to insure crops and assets, on top of the crop amount."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import CENT, floor_to, show_money, show_share
from acreline.records import Farm, Step

NAME = "insurance_addition"
REASONS: dict[str, Words] = {
    NAME: ("The premium of your insurance was added.", "已加上您的保险保费。"),
}
ADDED: Words = (
    "{added} is added for insurance: {rate} of {base} for the crops, {asset_rate} of the {insured_sum} you insured.",
    "加上保险保费{added}：作物部分为{base}的{rate}，资产部分为您投保金额{insured_sum}的{asset_rate}。",
)


class InsuranceSettings(Settings):
    """What insurance costs the farmer."""

    crop_premium: Decimal = Field(ge=0, le=1, description="farmer's premium as a share of the crop amount")
    asset_premium: Decimal = Field(
        Decimal(0), ge=0, le=1, description="premium as a share of the applicant's insured_sum (assets, persons)"
    )


def apply(farm: Farm, limit: Decimal | None, settings: InsuranceSettings, context: RuleContext) -> Step:
    """Add the premiums; without an applicant nothing is insured beyond the crops."""
    if limit is None or context.base is None:
        return make_step(NAME, NAME, limit, limit, REASONS[NAME])
    insured = farm.applicant.insured_sum if farm.applicant is not None else Decimal(0)
    added = floor_to(context.base * settings.crop_premium + insured * settings.asset_premium, CENT)
    facts = {
        "rate": show_share(settings.crop_premium),
        "base": show_money(context.base, context.currency),
        "asset_rate": show_share(settings.asset_premium),
        "insured_sum": show_money(insured, context.currency),
        "added": show_money(added, context.currency),
    }
    return make_step(NAME, NAME, limit, limit + added, ADDED, facts)


RULE = Rule(
    name=NAME,
    title=("Added for insurance", "保险附加"),
    settings=InsuranceSettings,
    apply=apply,
    reasons=REASONS,
    adds=True,
)
