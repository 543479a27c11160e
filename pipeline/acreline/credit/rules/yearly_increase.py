# SPDX-License-Identifier: Apache-2.0
"""For each year that was repaid the limit grows by a share, compounding, up to a number of years."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import CENT, floor_to, show, show_money, show_share
from acreline.records import Farm, Step

NAME = "yearly_increase"
REASONS: dict[str, Words] = {
    NAME: ("The limit has grown with the years on record.", "额度已随信用记录年数增长。"),
    "first_year": ("This is the first year on record: nothing is added yet.", "这是有记录的第一年，暂不增加。"),
}
ADDED: Words = (
    "With {years} on record the limit grows by {rate} a year: {added} is added.",
    "已有{years}信用记录，额度每年增长{rate}，增加{added}。",
)


class YearlyIncreaseSettings(Settings):
    """How a limit grows with the years."""

    rate: Decimal = Field(gt=0, le=1, description="share added for each year, 0.10 in the KCC")
    max_years: int = Field(ge=1, le=20, description="years that add at most: 4 in a KCC of five years")


def apply(farm: Farm, limit: Decimal | None, settings: YearlyIncreaseSettings, context: RuleContext) -> Step:
    """Multiply the limit with (1 + rate) once for each year on record, at most `max_years` times."""
    record = farm.applicant.record_years if farm.applicant is not None else 0
    years = max(0, min(record, settings.max_years))
    if limit is None or context.base is None or years == 0:
        return make_step(NAME, "first_year" if years == 0 else NAME, limit, limit, REASONS["first_year"])
    after = floor_to(limit * (1 + settings.rate) ** years, CENT)
    facts = {
        "years": show(years, "year" if years == 1 else "years", "年"),
        "rate": show_share(settings.rate),
        "added": show_money(after - limit, context.currency),
    }
    return make_step(NAME, NAME, limit, after, ADDED, facts)


RULE = Rule(
    name=NAME,
    title=("Growth with the years", "逐年增长"),
    settings=YearlyIncreaseSettings,
    apply=apply,
    reasons=REASONS,
    adds=True,
)
