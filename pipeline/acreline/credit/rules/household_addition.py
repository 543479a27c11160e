# SPDX-License-Identifier: Apache-2.0
"""A share of the crop amount on top, for what the household needs after the harvest."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.additions import add_share
from acreline.credit.contract import Rule, RuleContext, Words
from acreline.records import Farm, Step

NAME = "household_addition"
REASONS: dict[str, Words] = {
    NAME: ("A share for the needs of your household was added.", "已加上家庭生活所需的部分。"),
}
ADDED: Words = (
    "{rate} of {base} is added for the needs of your household after the harvest.",
    "加上{base}的{rate}，用于收获后的家庭生活所需。",
)


class HouseholdSettings(Settings):
    """How much is added for the household."""

    share: Decimal = Field(
        gt=0, le=1, description="share of the crop amount (scale of finance x area), 0.10 in the KCC"
    )


def apply(farm: Farm, limit: Decimal | None, settings: HouseholdSettings, context: RuleContext) -> Step:
    """Add a share of the crop amount, not of what other additions made of it."""
    return add_share(NAME, limit, context, settings.share, ADDED, REASONS[NAME])


RULE = Rule(
    name=NAME,
    title=("Added for the household", "家庭生活附加"),
    settings=HouseholdSettings,
    apply=apply,
    reasons=REASONS,
    adds=True,
)
