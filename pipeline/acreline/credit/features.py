# SPDX-License-Identifier: Apache-2.0
"""The plain facts that a bank's own decision table may ask for, and no others: nothing of who a person is."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from acreline.credit.contract import RuleContext
from acreline.credit.facts import floor_area, floor_value
from acreline.records import Farm

Find = Callable[[Farm, Decimal | None, RuleContext], Any]


def _mine(name: str) -> Find:
    """A figure of the applicant, in whole units of money or years; None where it was not given."""

    def find(farm: Farm, limit: Decimal | None, context: RuleContext) -> int | None:
        amount = None if farm.applicant is None else getattr(farm.applicant, name)
        return None if amount is None else math.floor(amount)

    return find


FEATURES: dict[str, tuple[Find, str]] = {
    "main_crop": (lambda farm, _, __: farm.main_crop, "crop slug of the most land, null where none"),
    "crops": (lambda farm, _, __: sorted({stand.crop for stand in farm.stands}), "crop slugs of all stands"),
    "planted_mu": (
        lambda farm, _, __: float(floor_area(farm.planted_m2.low, "mu", 2)),
        "planted land at its cautious end, mu",
    ),
    "value": (
        lambda farm, _, context: (
            None
            if farm.value is None or farm.currency != context.currency
            else floor_value(farm.value, context.quantile)
        ),
        "harvest at the policy's quantile, in its currency; null where it is not known",
    ),
    "cash_cost": (
        lambda farm, _, __: None if farm.cash_cost is None else math.ceil(farm.cash_cost.high),
        "cash costs at their high end; null where not known",
    ),
    "health": (lambda farm, _, __: farm.health, "health class, or unknown"),
    "vigour": (lambda farm, _, __: farm.vigour, "robust z against the same crop nearby; null where not known"),
    "events": (lambda farm, _, __: sorted(farm.events), "what struck: flood, drought ..."),
    "clear_looks": (lambda farm, _, __: farm.clear_looks, "clear looks in the season, of the parcel that has fewest"),
    "days_since_clear": (
        lambda farm, _, context: None if farm.last_clear is None else (context.as_of - farm.last_clear).days,
        "days since the newest clear look",
    ),
    "county": (lambda _, __, context: context.county, "what the region file calls the place; null where it does not"),
    "limit": (lambda _, limit, __: None if limit is None else math.floor(limit), "limit by the rules before"),
    "requested": (_mine("requested"), "amount asked for"),
    "existing_debt": (_mine("existing_debt"), "debt there is; null where nobody gave it"),
    "record_years": (_mine("record_years"), "years on record"),
    "insured_sum": (_mine("insured_sum"), "insured sum"),
    "household_need": (_mine("household_need"), "needs of the household"),
    "previous_limit": (_mine("previous_limit"), "limit of the season before"),
}
"""Name -> how it is found, and what it is. Names, sex, age, phone, place of origin have no place here."""


def find_features(farm: Farm, limit: Decimal | None, context: RuleContext) -> dict[str, Any]:
    """All features of a farm as plain JSON values."""
    return {name: find(farm, limit, context) for name, (find, _) in FEATURES.items()}
