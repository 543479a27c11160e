# SPDX-License-Identifier: Apache-2.0
"""A share of the crop amount on top, for repairs and upkeep of what the farm works with."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.additions import add_share
from acreline.credit.contract import Rule, RuleContext, Words
from acreline.records import Farm, Step

NAME = "maintenance_addition"
REASONS: dict[str, Words] = {
    NAME: ("A share for repairs and upkeep was added.", "已加上农用资产维修保养的部分。"),
}
ADDED: Words = (
    "{rate} of {base} is added for repairs and upkeep of your farm assets.",
    "加上{base}的{rate}，用于农用资产的维修保养。",
)


class MaintenanceSettings(Settings):
    """How much is added for upkeep."""

    share: Decimal = Field(
        gt=0, le=1, description="share of the crop amount (scale of finance x area), 0.20 in the KCC"
    )


def apply(farm: Farm, limit: Decimal | None, settings: MaintenanceSettings, context: RuleContext) -> Step:
    """Add a share of the crop amount, not of what other additions made of it."""
    return add_share(NAME, limit, context, settings.share, ADDED, REASONS[NAME])


RULE = Rule(
    name=NAME,
    title=("Added for upkeep", "维修保养附加"),
    settings=MaintenanceSettings,
    apply=apply,
    reasons=REASONS,
    adds=True,
)
