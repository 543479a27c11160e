# SPDX-License-Identifier: Apache-2.0
"""What one decision must know of the whole batch, as plain values, and the farm decided again with them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from acreline.credit.assess import assess_credit
from acreline.credit.contract import CompiledPolicy, PersonTotals, Totals
from acreline.records import Decision, Farm


def batch_to_json(farms: Sequence[Farm], totals: Totals) -> tuple[dict[str, Any], list[dict[str, Any] | None]]:
    """Sums over a batch as plain values, and for each farm those over its person's farms.

    Args:
        farms: the batch.
        totals: from `find_totals`, with which it was decided.

    Returns:
        the sums, in which nobody is named; and one entry per farm, in order, None where its person brings no other.
    """
    crops = {crop: format(low, "f") for crop, low in totals.value_low_by_crop.items()}
    persons = [totals.persons.get(_person(farm) or "") for farm in farms]
    told = {"farms": totals.farms, "value_low": format(totals.value_low, "f"), "value_low_by_crop": crops}
    return told, [None if one is None else _person_to_json(one) for one in persons]


def decide_alone(
    farm: Farm,
    policy: CompiledPolicy,
    totals: Mapping[str, Any],
    person: Mapping[str, Any] | None,
    *,
    as_of: date,
    county: str | None = None,
) -> Decision:
    """The decision that `assess_credit` gave the farm in its batch.

    Args:
        farm: facts as they were.
        policy: from `compile_policy`.
        totals: sums over the batch, from `batch_to_json`.
        person: the farm's entry of `batch_to_json`.
        as_of: day of the decision.
        county: what the region file called the place.
    """
    crops = {crop: Decimal(low) for crop, low in totals["value_low_by_crop"].items()}
    own = {_person(farm) or "": _person_from_json(person)} if person is not None else {}
    sums = Totals(totals["farms"], Decimal(totals["value_low"]), crops, own)
    return assess_credit([farm], policy, as_of=as_of, county=county, totals=sums)[0]


def _person(farm: Farm) -> str | None:
    return farm.applicant.person_id if farm.applicant is not None else None


def _person_to_json(sums: PersonTotals) -> dict[str, Any]:
    money = {"debt": sums.debt, "limit": sums.limit, "value_low": sums.value_low}
    return {"farms": sums.farms, **{name: None if one is None else format(one, "f") for name, one in money.items()}}


def _person_from_json(raw: Mapping[str, Any]) -> PersonTotals:
    debt, limit = (None if raw[name] is None else Decimal(raw[name]) for name in ("debt", "limit"))
    return PersonTotals(raw["farms"], debt, limit, Decimal(raw["value_low"]))
