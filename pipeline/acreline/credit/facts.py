# SPDX-License-Identifier: Apache-2.0
"""From measured numbers to exact ones: where floats end and money begins, and how amounts are printed."""

from __future__ import annotations

import math
from datetime import date
from decimal import (
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from fractions import Fraction
from functools import cache, lru_cache
from typing import NamedTuple

from acreline.records import Farm, Interval
from acreline.units import CURRENCIES_ZH, M2_PER_UNIT

MONEY = Context(prec=80, rounding=ROUND_FLOOR, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""Every sum of money is exact under this context: what would have to be rounded in silence is an error instead."""
_SERIES = Context(prec=40, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
_LOG = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Logarithms are rounded, to the same 28 digits everywhere; what comes of them is rounded down to money afterwards."""
_PARTS = 10**20
"""Weights of quantiles are whole numbers of these: sums with them are exact."""
_FLOAT_ERROR, _SMALLEST_SHARE = 1e-12, 1e-6
"""How far a quantile reckoned in floats can be from the exact one, as a share of the middle: a hundred times what its
few roundings and any machine's exp and log come to, while `low` is at least this share of `mid`."""
_PI = Decimal("3.14159265358979323846264338327950288419716939937511")
LOWEST_QUANTILE, MIDDLE = Decimal("0.05"), Decimal("0.5")
MOST_M2 = 1e12
"""A million square kilometres: no farm is larger, whatever a file says."""
MOST_MONEY = Decimal(10) ** 15
_MOST_VALUE = float(MOST_MONEY)
CENT = Decimal("0.01")
Ratio = tuple[int, int]
"""A fraction of whole numbers: numerator, denominator above 0."""
FINEST_EXPONENT = -4
"""No bank keeps an amount finer than a hundredth of a cent."""


class Shown(NamedTuple):
    """One printed fact, in English and Chinese."""

    en: str
    zh: str


def area_at(area: Interval, quantile: Decimal) -> float | Fraction:
    """Quantile of planted land in m2, exact: its error is taken as normal, its 5 % and 50 % quantiles at low and mid.

    The quantile q is (1 - w) mid + w low with w = z(q) / z(0.05), z the standard normal quantile: `low` itself at 0.05.
    Never outside the two; it rises with either and with q.

    Args:
        area: low and mid 0 or more.
        quantile: 0.05 to 0.5.
    """
    if quantile == LOWEST_QUANTILE or area.low == area.mid:
        return area.low
    if quantile == MIDDLE:
        return area.mid
    weight = int(_weight_of_low(quantile) * _PARTS)
    (low, of_low), (mid, of_mid) = area.low.as_integer_ratio(), area.mid.as_integer_ratio()
    return Fraction((_PARTS - weight) * mid * of_low + weight * low * of_mid, _PARTS * of_low * of_mid)


def floor_area(area_m2: float | Fraction, unit: str, digits: int) -> Decimal:
    """Square metres in mu, ha or acre, rounded down to so many decimals; exact, so the same on every machine."""
    size = M2_PER_UNIT[unit]
    numerator, denominator = area_m2.as_integer_ratio()  # whole numbers throughout: exact, and quick for a county
    parts: int = numerator * 10**digits * size.denominator // (denominator * size.numerator)
    return Decimal(parts).scaleb(-digits)


def floor_area_at(area: Interval, quantile: Decimal, unit: str, digits: int) -> int:
    """`floor_area` of `area_at`, as a whole number of parts (15 for 0.15 mu): the same, without their fractions.

    Args:
        area: low and mid 0 or more, m2.
        quantile: 0.05 to 0.5.
        unit: mu, ha or acre.
        digits: decimals of the unit that are kept.
    """
    scale = _parts_per_m2(unit, digits)
    about = (area.mid + _float_weight(quantile) * (area.low - area.mid)) * scale
    whole = _settle_floor(about, _FLOAT_ERROR * area.mid * scale)
    return int(floor_area(area_at(area, quantile), unit, digits).scaleb(digits)) if whole is None else whole


def _settle_floor(about: float, doubt: float) -> int | None:
    """The whole number below a number that is known to within a doubt; None where it could be one of two."""
    whole = math.floor(about - doubt)
    return whole if whole == math.floor(about + doubt) else None


@cache
def _parts_per_m2(unit: str, digits: int) -> float:
    return float(10**digits / M2_PER_UNIT[unit])


@cache
def _float_weight(quantile: Decimal) -> float:
    return float(_weight_of_low(quantile))


def floor_money(value: float | Decimal | Fraction) -> Decimal:
    """An estimated value as money, rounded down to a whole unit."""
    return Decimal(math.floor(value))


def value_at(value: Interval, quantile: Decimal) -> Decimal:
    """Quantile of an estimated value, not rounded: the same digits on every machine.

    The value is log-normal with its 5 % and 50 % quantiles at `low` and `mid`, so that its quantile q is
    mid (low / mid)^w with w = z(q) / z(0.05), z the standard normal quantile: `low` itself at 0.05, `mid` at 0.5.
    Never outside the two; it rises with either and with q.

    Args:
        value: low and mid 0 or more.
        quantile: 0.05 to 0.5.
    """
    low, mid = Decimal(value.low), Decimal(value.mid)
    if quantile == MIDDLE:
        return mid
    if quantile == LOWEST_QUANTILE or low in (0, mid):
        return low
    part = _LOG.exp(_LOG.multiply(_weight_of_low(quantile), _LOG.ln(_LOG.divide(low, mid))))
    return max(low, min(mid, _LOG.multiply(mid, part)))


def floor_value(value: Interval, quantile: Decimal, less: Ratio = (0, 1)) -> int:
    """Quantile of an estimated value less an exact cost, rounded down to a whole unit; it may be below zero.

    It is `value_at` to the last digit: a float tells which whole number it is wherever its error cannot reach the next
    one; where it can, all digits are reckoned.

    Args:
        value: low and mid 0 or more, at most `MOST_MONEY`.
        quantile: 0.05 to 0.5.
        less: the cost as a fraction of whole numbers, not necessarily in lowest terms.
    """
    low, mid = value.low, value.mid
    cost, of_cost = less
    if low >= _SMALLEST_SHARE * mid > 0:
        rest = cost / of_cost
        about = mid * math.exp(_float_weight(quantile) * math.log(low / mid)) - rest
        whole = _settle_floor(about, _FLOAT_ERROR * (mid + rest))
        if whole is not None:
            return whole
    exact, of_exact = value_at(value, quantile).as_integer_ratio()
    return (exact * of_cost - cost * of_exact) // (of_exact * of_cost)


@cache
def _weight_of_low(quantile: Decimal) -> Decimal:
    with localcontext(_SERIES):
        return (_normal_quantile(quantile) / _normal_quantile(LOWEST_QUANTILE)).quantize(Decimal("1E-20"))


def _normal_quantile(quantile: Decimal) -> Decimal:
    """Standard normal quantile by Newton's method on the series of its distribution function, 0.05 to 0.5."""
    root = (2 * _PI).sqrt()
    z = Decimal(0)
    for _ in range(60):
        term = total = z
        for n in range(1, 120):
            term *= -z * z / (2 * n)
            total += term / (2 * n + 1)
        step = (Decimal("0.5") + total / root - quantile) * root * (z * z / 2).exp()
        z -= step
        if abs(step) < Decimal("1E-30"):
            break
    return z


def floor_to(amount: Decimal, multiple: Decimal) -> Decimal:
    """The largest multiple of `multiple` that is not above `amount`; `amount` is 0 or more."""
    return amount // multiple * multiple


def at_least_zero(amount: Decimal) -> Decimal:
    """The amount, or a plain 0: never the minus 0 that rounding towards minus infinity makes of a difference."""
    return amount if amount > 0 else Decimal(0)


def lowest(limit: Decimal | None, cap: Decimal) -> Decimal:
    """The lower of the limit so far, if one stands, and a cap; never below zero."""
    cap = at_least_zero(cap)
    return cap if limit is None else min(limit, cap)


def plain(number: Decimal) -> str:
    """A decimal with thousands marked and no zeros to no purpose: 12,300 or 12.5; equal numbers have one text."""
    text = format(number or Decimal(0), ",f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@lru_cache(512)
def show_money(amount: Decimal, currency: str) -> Shown:
    """12,300 CNY, 12,300元."""
    text = plain(amount)
    return Shown(f"{text} {currency}", f"{text}{CURRENCIES_ZH.get(currency) or f' {currency}'}")


def show_doubt(doubt: float) -> Shown:
    """0.0508 as 5.1 %, rounded up."""
    percent = math.ceil(1000 * doubt - 1e-9) / 10
    return Shown(f"{percent:g} %", f"{percent:g}%")


def doubt_of(interval: Interval) -> float:
    """How far the cautious end lies below the middle, as a share of the middle; 0 where the middle is 0."""
    return (interval.mid - interval.low) / interval.mid if interval.mid > 0 else 0.0


def show(value: object, unit_en: str = "", unit_zh: str = "") -> Shown:
    """Any other fact with its unit."""
    return Shown(f"{value} {unit_en}".strip(), f"{value}{unit_zh}")


@lru_cache(256)
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
    if farm.vigour is not None and not math.isfinite(farm.vigour):
        return f"vigour = {farm.vigour}"
    for struck in farm.struck:
        for name, part in (("share", struck.share), ("severity", struck.severity)):
            if not 0 <= part <= 1:
                return f"{struck.event} {name} = {part}"
    if farm.clear_looks < 0:
        return f"clear_looks = {farm.clear_looks}"
    if farm.last_clear is not None and farm.last_clear > as_of:
        return f"last_clear = {farm.last_clear}"
    if farm.applicant is not None:
        for name in ("requested", "existing_debt"):
            amount = getattr(farm.applicant, name)
            if amount is not None and not _is_money(amount):
                return f"{name} = {amount}"
        for name in ("insured_sum", "household_need"):
            if not _is_money(getattr(farm.applicant, name)):
                return f"{name} = {getattr(farm.applicant, name)}"
        if farm.applicant.record_years < 0:
            return f"record_years = {farm.applicant.record_years}"
    return None


def can_be_value(value: Interval) -> bool:
    """A harvest's worth or cost is finite, none below zero, and within what any can be."""
    return value.low >= 0 and value.high <= _MOST_VALUE


def _numbers_hold(farm: Farm) -> bool:
    """Areas and values are finite and within what can be: no comparison holds of a number that is none."""
    land = farm.area_m2 is None or 0 <= farm.area_m2 <= MOST_M2
    planted = farm.planted_m2.low >= 0 and farm.planted_m2.high <= MOST_M2
    if not (land and planted and (farm.value is None or can_be_value(farm.value))):
        return False
    return all(
        stand.area_m2.low >= 0
        and stand.area_m2.high <= MOST_M2
        and (stand.value is None or can_be_value(stand.value))
        and (stand.cash_cost is None or can_be_value(stand.cash_cost))
        for stand in farm.stands
    )


def _name_fault(farm: Farm) -> str:
    """The first area or value that cannot be, in words."""
    numbers = {} if farm.area_m2 is None else {"area_m2": (farm.area_m2, MOST_M2)}
    spans = [("planted_m2", farm.planted_m2, MOST_M2)]
    spans += [(f"stand {stand.parcel_id} {stand.slot} area_m2", stand.area_m2, MOST_M2) for stand in farm.stands]
    spans += [] if farm.value is None else [("value", farm.value, _MOST_VALUE)]
    for stand in farm.stands:
        where = f"stand {stand.parcel_id} {stand.slot}"
        money = {"value": stand.value, "cash_cost": stand.cash_cost}
        spans += [(f"{where} {name}", amount, _MOST_VALUE) for name, amount in money.items() if amount is not None]
    for name, span, most in spans:
        numbers |= {f"{name}.low": (span.low, most), f"{name}.high": (span.high, most)}
    return next(f"{name} = {number}" for name, (number, most) in numbers.items() if not 0 <= number <= most)


def _is_money(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= FINEST_EXPONENT and 0 <= amount <= MOST_MONEY
