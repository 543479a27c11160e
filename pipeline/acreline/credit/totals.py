# SPDX-License-Identifier: Apache-2.0
"""Sums over a whole batch, made before any farm is decided, so that no farm's place in the order matters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from acreline.credit.contract import PersonTotals, Totals
from acreline.credit.facts import can_be_value
from acreline.errors import ContractError
from acreline.records import Farm, Interval

PERSON_RULE = "person_cap"
"""The rule whose figures of a person are those of all rules before it."""


def sum_up(farms: Iterable[Farm], currency: str, find_limit: Callable[[Farm], Decimal | None]) -> Totals:
    """Cautious worth of the harvests, by crop too, and the sums of each person who brings several farms.

    Args:
        farms: the batch, gone through twice: once for the sums and for who brings several, once for those alone.
        currency: the policy's; a harvest valued in another adds nothing.
        find_limit: what the rules before the cap on one person would give a farm; asked for those of such persons only.

    Raises:
        ContractError: two farms carry one id, or the farms cannot be gone through twice.
    """
    if isinstance(farms, Iterator):
        raise ContractError("farms are summed in two passes", hint="give a list, or what can be gone through again")
    seen: set[str] = set()
    persons: Counter[str] = Counter()
    by_crop: Counter[str] = Counter()
    for farm in farms:
        if farm.farm_id in seen:
            raise ContractError(
                f"farm {farm.farm_id!r} comes twice",
                hint="this is a fault of acreline: please report it",
                farm=farm.farm_id,
            )
        seen.add(farm.farm_id)
        if farm.applicant is not None and farm.applicant.person_id:
            persons[farm.applicant.person_id] += 1
        for crop, value in _valued(farm, currency):
            by_crop[crop] += math.floor(value.low)
    several = {person for person, count in persons.items() if count > 1}
    own: dict[str, list[PersonTotals]] = {}
    for farm in farms if several else ():
        if farm.applicant is not None and farm.applicant.person_id in several:
            alone = PersonTotals(1, _debt(farm), find_limit(farm), worth_of(farm, currency))
            own.setdefault(farm.applicant.person_id, []).append(alone)
    worth = {crop: Decimal(low) for crop, low in sorted(by_crop.items())}
    together = {person: _add(parts) for person, parts in sorted(own.items())}
    return Totals(len(seen), sum(worth.values(), Decimal(0)), worth, together)


def worth_of(farm: Farm, currency: str) -> Decimal:
    """Cautious worth of a farm's harvest, summed as in the totals."""
    return sum(worth_by_crop(farm, currency).values(), Decimal(0))


def worth_by_crop(farm: Farm, currency: str) -> dict[str, Decimal]:
    """Cautious worth of a farm's harvest by crop slug, summed as in the totals."""
    told: dict[str, Decimal] = {}
    for crop, value in _valued(farm, currency):
        told[crop] = told.get(crop, Decimal(0)) + math.floor(value.low)
    return told


def _valued(farm: Farm, currency: str) -> Iterator[tuple[str, Interval]]:
    """Crop and value of each stand whose harvest has one in a currency."""
    for stand in farm.stands:
        value = stand.value
        if value is not None and stand.currency == currency and can_be_value(value):
            yield stand.crop, value


def _debt(farm: Farm) -> Decimal | None:
    debt = None if farm.applicant is None else farm.applicant.existing_debt
    return debt if debt is not None and debt.is_finite() else None


def _add(parts: Sequence[PersonTotals]) -> PersonTotals:
    """The farms of one person together; a debt or a limit that is not known of one is not known of all."""
    debts = [one.debt for one in parts if one.debt is not None]
    limits = [one.limit for one in parts if one.limit is not None]
    return PersonTotals(
        farms=len(parts),
        debt=sum(debts, Decimal(0)) if len(debts) == len(parts) else None,
        limit=sum(limits, Decimal(0)) if len(limits) == len(parts) else None,
        value_low=sum((one.value_low for one in parts), Decimal(0)),
    )
