# SPDX-License-Identifier: Apache-2.0
"""From measured numbers to exact ones: where floats end and money begins, and how amounts are printed."""

from __future__ import annotations

import math
from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import NamedTuple

from acreline.records import Farm, Interval
from acreline.units import M2_PER_MU

MONEY = Context(prec=80, rounding=ROUND_FLOOR, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""Every sum of money is exact under this context: what would have to be rounded in silence is an error instead."""
MU_STEP = Decimal("0.01")
MOST_M2 = 1e12
"""A million square kilometres: no farm is larger, whatever a file says."""
MOST_MONEY = Decimal(10) ** 15
_MOST_VALUE = float(MOST_MONEY)
FINEST_EXPONENT = -4
"""No bank keeps an amount finer than a hundredth of a cent."""
CURRENCIES_ZH = {"CNY": "元", "EUR": "欧元", "USD": "美元"}


class Shown(NamedTuple):
    """One printed fact, in English and Chinese."""

    en: str
    zh: str


def floor_mu(area_m2: float) -> Decimal:
    """Square metres as mu, rounded down to a hundredth; exact, so the same on every machine."""
    numerator, denominator = area_m2.as_integer_ratio()  # whole numbers throughout: exact, and quick for a county
    hundredths = numerator * 100 * M2_PER_MU.denominator // (denominator * M2_PER_MU.numerator)
    return Decimal(hundredths).scaleb(-2)


def floor_money(value: float) -> Decimal:
    """An estimated value as money, rounded down to a whole unit."""
    return Decimal(math.floor(value))


def floor_to(amount: Decimal, multiple: Decimal) -> Decimal:
    """The largest multiple of `multiple` that is not above `amount`; `amount` is 0 or more."""
    return amount // multiple * multiple


def lowest(limit: Decimal | None, cap: Decimal) -> Decimal:
    """The lower of the limit so far, if one stands, and a cap; never below zero."""
    cap = max(cap, Decimal(0))
    return cap if limit is None else min(limit, cap)


def plain(number: Decimal) -> str:
    """A decimal with thousands marked and no zeros to no purpose: 12,300 or 12.5."""
    text = format(number, ",f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def show_money(amount: Decimal, currency: str) -> Shown:
    """12,300 CNY, 12,300元."""
    text = plain(amount)
    return Shown(f"{text} {currency}", f"{text}{CURRENCIES_ZH.get(currency) or f' {currency}'}")


def show_mu(area: Decimal) -> Shown:
    """12.34 mu, 12.34亩."""
    text = plain(area)
    return Shown(f"{text} mu", f"{text}亩")


def show(value: object, unit_en: str = "", unit_zh: str = "") -> Shown:
    """Any other fact with its unit."""
    return Shown(f"{value} {unit_en}".strip(), f"{value}{unit_zh}")


def show_share(share: Decimal) -> Shown:
    """0.4 as 40 %."""
    percent = plain(share.scaleb(2))
    return Shown(f"{percent} %", f"{percent}%")


def why_unmeasured(farm: Farm) -> str | None:
    """Why a farm's area and value are not those of all its land: no amount may be made of a part; None if they are."""
    if farm.status in ("failed", "rejected"):
        return "incomplete" if farm.stands else "not_measured"
    return "not_measured" if farm.status != "ok" and not farm.stands else None


def find_debt(farm: Farm, without_record: bool) -> Decimal | str:
    """Debt the farm has already; a code where nobody said: applicant_unknown or debt_unknown.

    Args:
        farm: facts.
        without_record: the policy counts a debt that nobody gave as none.
    """
    debt = farm.applicant.existing_debt if farm.applicant is not None else None
    if debt is not None:
        return debt
    if without_record:
        return Decimal(0)
    return "applicant_unknown" if farm.applicant is None else "debt_unknown"


def find_fault(farm: Farm, as_of: date) -> str | None:
    """The first fact of a farm no money may rest on (negative, endless, from the future), in words; None if all hold.

    Infinite and not-a-number values would pass or break every comparison after them, and a negative debt would raise
    a limit: such a farm goes to a person before any rule sees it.
    """
    if not _numbers_hold(farm):
        return _name_fault(farm)
    if farm.clear_looks < 0:
        return f"clear_looks = {farm.clear_looks}"
    if farm.last_clear is not None and farm.last_clear > as_of:
        return f"last_clear = {farm.last_clear}"
    if farm.applicant is not None:
        for name in ("requested", "existing_debt"):
            amount = getattr(farm.applicant, name)
            if amount is not None and not _is_money(amount):
                return f"{name} = {amount}"
    return None


def can_be_value(value: Interval) -> bool:
    """A harvest's worth is finite, none below zero, and within what any can be."""
    return value.low >= 0 and value.high <= _MOST_VALUE


def _numbers_hold(farm: Farm) -> bool:
    """Areas and values are finite and within what can be: no comparison holds of a number that is none."""
    land = farm.area_m2 is None or 0 <= farm.area_m2 <= MOST_M2
    planted = farm.planted_m2.low >= 0 and farm.planted_m2.high <= MOST_M2
    if not (land and planted and (farm.value is None or can_be_value(farm.value))):
        return False
    return all(stand.area_m2.low >= 0 and stand.area_m2.high <= MOST_M2 for stand in farm.stands)


def _name_fault(farm: Farm) -> str:
    """The first area or value that cannot be, in words."""
    numbers = {} if farm.area_m2 is None else {"area_m2": (farm.area_m2, MOST_M2)}
    spans = [("planted_m2", farm.planted_m2, MOST_M2)]
    spans += [(f"stand {stand.parcel_id} {stand.slot} area_m2", stand.area_m2, MOST_M2) for stand in farm.stands]
    spans += [] if farm.value is None else [("value", farm.value, _MOST_VALUE)]
    for name, span, most in spans:
        numbers |= {f"{name}.low": (span.low, most), f"{name}.high": (span.high, most)}
    return next(f"{name} = {number}" for name, (number, most) in numbers.items() if not 0 <= number <= most)


def _is_money(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= FINEST_EXPONENT and 0 <= amount <= MOST_MONEY
