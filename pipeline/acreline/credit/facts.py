# SPDX-License-Identifier: Apache-2.0
"""From measured numbers to exact ones: where floats end and money begins, and how amounts are printed."""

from __future__ import annotations

import math
from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import NamedTuple

from acreline.records import Farm
from acreline.units import M2_PER_MU

MONEY = Context(prec=80, rounding=ROUND_FLOOR, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""Every sum of money is exact under this context: what would have to be rounded in silence is an error instead."""
MU_STEP = Decimal("0.01")
MOST_M2 = 1e12
"""A million square kilometres: no farm is larger, whatever a file says."""
MOST_MONEY = Decimal(10) ** 15
FINEST_EXPONENT = -4
"""No bank keeps an amount finer than a hundredth of a cent."""


class Shown(NamedTuple):
    """One printed fact, in English and Chinese."""

    en: str
    zh: str


def floor_mu(area_m2: float) -> Decimal:
    """Square metres as mu, rounded down to a hundredth; exact, so the same on every machine."""
    hundredths = math.floor(Fraction(area_m2) / M2_PER_MU * 100)
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
    zh = {"CNY": "元", "EUR": "欧元", "USD": "美元"}.get(currency, f" {currency}")
    return Shown(f"{plain(amount)} {currency}", f"{plain(amount)}{zh}")


def show_mu(area: Decimal) -> Shown:
    """12.34 mu, 12.34亩."""
    return Shown(f"{plain(area)} mu", f"{plain(area)}亩")


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
    areas = {"planted_m2.low": farm.planted_m2.low, "planted_m2.high": farm.planted_m2.high}
    if farm.area_m2 is not None:
        areas = {"area_m2": farm.area_m2, **areas}
    values: dict[str, float] = (
        {} if farm.value is None else {"value.low": farm.value.low, "value.high": farm.value.high}
    )
    for stand in farm.stands:
        where = f"stand {stand.parcel_id} {stand.slot}"
        areas |= {f"{where} area_m2.low": stand.area_m2.low, f"{where} area_m2.high": stand.area_m2.high}
    for most, numbers in ((MOST_M2, areas), (float(MOST_MONEY), values)):
        for name, number in numbers.items():
            if not (math.isfinite(number) and 0 <= number <= most):
                return f"{name} = {number}"
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


def _is_money(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= FINEST_EXPONENT and 0 <= amount <= MOST_MONEY
