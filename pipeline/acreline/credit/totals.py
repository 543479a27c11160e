# SPDX-License-Identifier: Apache-2.0
"""Sums over a whole batch, made before any farm is decided, so that no farm's place in the order matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from acreline.credit.contract import PersonTotals, Totals
from acreline.credit.facts import MOST_MONEY, floor_money
from acreline.records import Farm, Interval

PERSON_RULE = "person_cap"
"""The rule whose figures of a person are those of all rules before it."""


def sum_up(farms: Sequence[Farm], currency: str, find_limit: Callable[[Farm], Decimal | None]) -> Totals:
    """Cautious worth of the harvests, by crop too, and the sums of each person who brings several farms.

    Args:
        farms: the batch.
        currency: the policy's; a harvest valued in another adds nothing.
        find_limit: what the rules before the cap on one person would give a farm; asked for those of such persons only.
    """
    by_crop: dict[str, Decimal] = {}
    by_person: dict[str, list[Farm]] = {}
    for farm in farms:
        for stand in farm.stands:
            if stand.value is not None and stand.currency == currency:
                by_crop[stand.crop] = by_crop.get(stand.crop, Decimal(0)) + _worth(stand.value)
        if farm.applicant is not None and farm.applicant.person_id:
            by_person.setdefault(farm.applicant.person_id, []).append(farm)
    persons = {
        person: _sum_person(own, currency, find_limit) for person, own in sorted(by_person.items()) if len(own) > 1
    }
    return Totals(len(farms), sum(by_crop.values(), Decimal(0)), dict(sorted(by_crop.items())), persons)


def worth_of(farm: Farm, currency: str) -> Decimal:
    """Cautious worth of a farm's harvest, summed as in the totals."""
    stands = (stand for stand in farm.stands if stand.value is not None and stand.currency == currency)
    return sum((_worth(stand.value) for stand in stands if stand.value is not None), Decimal(0))


def _worth(value: Interval) -> Decimal:
    return floor_money(value.low) if 0 <= value.low <= float(MOST_MONEY) else Decimal(0)


def _sum_person(farms: Sequence[Farm], currency: str, find_limit: Callable[[Farm], Decimal | None]) -> PersonTotals:
    debts = [None if farm.applicant is None else farm.applicant.existing_debt for farm in farms]
    limits = [find_limit(farm) for farm in farms]
    known_debts = [debt for debt in debts if debt is not None and debt.is_finite()]
    known_limits = [limit for limit in limits if limit is not None]
    return PersonTotals(
        farms=len(farms),
        debt=sum(known_debts, Decimal(0)) if len(known_debts) == len(farms) else None,
        limit=sum(known_limits, Decimal(0)) if len(known_limits) == len(farms) else None,
        value_low=sum((worth_of(farm, currency) for farm in farms), Decimal(0)),
    )
