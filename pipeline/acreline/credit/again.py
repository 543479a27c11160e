# SPDX-License-Identifier: Apache-2.0
"""What one decision must know of the whole batch, as plain values, and the farm decided again with them alone."""

from __future__ import annotations

import decimal
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from acreline.credit.assess import _decide
from acreline.credit.contract import CompiledPolicy, RuleContext, Totals
from acreline.credit.facts import MONEY
from acreline.records import Decision, Farm


def batch_to_json(farms: Sequence[Farm]) -> tuple[dict[str, Any], list[dict[str, Any] | None]]:
    """Sums over a batch, the same whatever its order, and for each farm those over its person's farms.

    Returns:
        the sums, in which nobody is named; and one entry per farm, in order, None where its person brings no other.
    """
    by_crop: Counter[str] = Counter()
    for farm in farms:
        for stand in farm.stands:
            if stand.value is not None and math.isfinite(stand.value.low):
                by_crop[stand.crop] += math.floor(stand.value.low)
    worth = sum(math.floor(f.value.low) for f in farms if f.value is not None and math.isfinite(f.value.low))
    crops = {crop: str(low) for crop, low in sorted(by_crop.items())}
    counts = Counter(_person(farm) for farm in farms)
    persons = [
        {"farms": counts[_person(farm)]} if _person(farm) and counts[_person(farm)] > 1 else None for farm in farms
    ]
    return {"farms": len(farms), "value_low": str(worth), "value_low_by_crop": crops}, persons


def decide_alone(
    farm: Farm,
    policy: CompiledPolicy,
    totals: Mapping[str, Any],
    person: Mapping[str, Any] | None,
    *,
    as_of: date,
) -> Decision:
    """The decision that `assess_credit` gave the farm in its batch.

    Args:
        farm: facts as they were.
        policy: from `compile_policy`.
        totals: sums over the batch, from `batch_to_json`.
        person: the farm's entry of `batch_to_json`.
        as_of: day of the decision; that the policy held on it was checked then.
    """
    rules, count = policy.policy, 1 if person is None else person["farms"]
    crops = {crop: Decimal(low) for crop, low in totals["value_low_by_crop"].items()}
    sums = Totals(totals["farms"], Decimal(totals["value_low"]), crops)
    context = RuleContext(as_of, rules.currency, rules.round_to, count, policy.crop_names, sums)
    with decimal.localcontext(MONEY):
        return _decide(farm, policy, context)


def _person(farm: Farm) -> str | None:
    return farm.applicant.person_id if farm.applicant is not None else None
