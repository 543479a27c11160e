# SPDX-License-Identifier: Apache-2.0
"""Money of one currency in another: a rate that somebody gives, and what an applicant said at that rate, cautiously."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from acreline.errors import ConfigError
from acreline.records import Applicant, Farm

CENT = Decimal("0.01")
_RATE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,8})?")
AT_MOST = ("requested", "insured_sum", "household_need", "previous_limit")
"""Amounts that may raise a limit: rounded down to a cent. A debt, which lowers it, is rounded up."""


def read_rate(text: str) -> Decimal:
    """What `--rate` says: how many units of a policy's currency one unit of the applicants' is.

    Args:
        text: digits and at most one point, above 0.

    Raises:
        ConfigError: it is no such number.
    """
    if _RATE.fullmatch(text) is None or Decimal(text) == 0:
        raise ConfigError(
            f"--rate: {text!r} is no rate",
            hint="units of the policy's currency for one of the applicants', above 0: 11.7",
        )
    return Decimal(text)


def applicant_at(applicant: Applicant, rate: Decimal) -> Applicant:
    """What an applicant said of money, in another currency; exact, then to a cent and never in the farm's favour."""
    told = {name: getattr(applicant, name) for name in AT_MOST}
    changed: dict[str, Any] = {
        name: _times(amount, rate, ROUND_FLOOR) for name, amount in told.items() if amount is not None
    }
    if applicant.existing_debt is not None:
        changed["existing_debt"] = _times(applicant.existing_debt, rate, ROUND_CEILING)
    return replace(applicant, **changed)


def farms_at(farms: Sequence[Farm], rate: Decimal) -> list[Farm]:
    """Farms whose applicants' money is told in another currency; what was measured of them stays as it is."""
    return [
        farm if farm.applicant is None else replace(farm, applicant=applicant_at(farm.applicant, rate))
        for farm in farms
    ]


def check_rate(of: str, policy_id: str, currency: str, rate: Decimal | None, how: str) -> None:
    """Refuse money that would be misread.

    Args:
        of: currency of the applicants' money.
        policy_id: of the policy that is to decide.
        currency: of that policy.
        rate: the one that was given, if any.
        how: where to give one.

    Raises:
        ConfigError: a rate is needed and none was given, or one was given and none is needed.
    """
    if of == currency and rate is not None:
        raise ConfigError(
            f"a rate of {rate} was given, but the applicants' money and policy {policy_id} are both in {currency}",
            hint="leave it out",
        )
    if of != currency and rate is None:
        raise ConfigError(
            f"the applicants' money is in {of}, policy {policy_id} in {currency}: requests and debts would be misread",
            hint=f"say how many {currency} one {of} is, {how}",
        )


def _times(amount: Decimal, rate: Decimal, rounding: str) -> Decimal:
    return (amount * rate).quantize(CENT, rounding=rounding)
