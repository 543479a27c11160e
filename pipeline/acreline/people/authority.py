# SPDX-License-Identifier: Apache-2.0
"""Who may change a limit and how far, and the reasons that may be given: two small files, checked when read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from acreline.config import Settings, packaged_configs, read_settings
from acreline.errors import ConfigError, CreditError
from acreline.hashing import file_sha256
from acreline.people.acts import Amount

OWN_FILE = "ACRELINE_PEOPLE"
"""Variable that names a bank's own file of people; `--people` wins over it."""
Way = Literal["raise", "lower", "grant", "refuse", "refer"]


class Role(Settings):
    """What holders of a role may do; money in the file's currency."""

    said: tuple[str, str] = Field(
        ("an officer", "工作人员"), description="what a farmer reads in the name's place, English and Chinese"
    )
    override: bool = Field(False, description="may change a limit")
    ask: bool = Field(False, description="may ask for evidence and send somebody to the field")
    close_appeals: bool = Field(False, description="may decide an appeal")
    raise_share: Decimal = Field(Decimal(0), ge=0, le=10, description="most above the machine's amount, as its share")
    raise_amount: Decimal = Field(Decimal(0), ge=0, description="most above the machine's amount")
    grant_amount: Decimal = Field(Decimal(0), ge=0, description="most where the machine named no amount, or declined")
    most_limit: Decimal = Field(Decimal(0), ge=0, description="no limit above it")


class Holder(Settings):
    """One user in one role for a time."""

    user: str = Field(min_length=1, description="name of the user on this machine: a pseudonym or a login, no phone")
    role: str
    valid_from: date = Field(description="first day, in UTC")
    valid_to: date | None = Field(
        None, description="from this day on it counts no more; left out: until further notice"
    )
    persons: tuple[str, ...] = Field((), description="own and family's pseudonyms as applicants")
    farms: tuple[str, ...] = Field((), description="own and family's farm ids")


class Rates(Settings):
    """When `acreline overrides` speaks up: it asks a question, it finds nobody guilty."""

    least: int = Field(20, ge=1, description="below so many reviewed decisions nothing is told of an officer's rates")
    false_alerts: float = Field(
        0.05, gt=0, lt=1, description="share of false alerts among all alerts, over officers and rates (0 to 1)"
    )
    least_gap: float = Field(
        0.05, ge=0, le=1, description="smaller gaps between rates are never alerted, however large n (0 to 1)"
    )
    most_overridden: float = Field(
        0.1, ge=0, le=1, description="share of the machine's own decisions that people may change in all (0 to 1)"
    )
    caps: tuple[str, ...] = Field(
        ("crop_cap_per_mu", "person_cap"), description="rules whose cap nobody passes but by an exception"
    )


class People(Settings):
    """`people.yaml`: roles, who holds them, and how long an appeal may take."""

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    author: str = Field(description="who wrote it")
    approver: str = Field(description="who approved it: another person")
    appeal_days: int = Field(30, ge=1, le=366, description="days within which an appeal is answered")
    ask_days: int = Field(14, ge=1, le=366, description="days within which evidence is to come, if no day is said")
    rates: Rates = Rates()
    roles: dict[str, Role]
    people: tuple[Holder, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> People:
        names = ["".join(name.split()).casefold() for name in (self.author, self.approver)]
        if not all(names) or names[0] == names[1]:
            raise ValueError(f"author and approver must be two people, both named; found {self.author!r}")
        for one in self.people:
            if one.role not in self.roles:
                raise ValueError(f"{one.user}: no role {one.role!r}; known: {', '.join(sorted(self.roles))}")
            if one.valid_to is not None and one.valid_to <= one.valid_from:
                raise ValueError(f"{one.user}: valid_to {one.valid_to} does not lie after valid_from {one.valid_from}")
        return self


class Reason(Settings):
    """One reason for a change."""

    slug: str = Field(pattern=r"^[a-z][a-z_]*$")
    ways: tuple[Way, ...] = Field(min_length=1, description="ways that it may go; grant: an amount where none stood")
    evidence: bool = Field(False, description="a file must show it")
    said: tuple[str, str] = Field(description="English and Chinese, after `changed by an officer:`")


class Reasons(Settings):
    """`overrides.yaml`."""

    reasons: tuple[Reason, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Reasons:
        slugs = [one.slug for one in self.reasons]
        twice = sorted({slug for slug in slugs if slugs.count(slug) > 1})
        if twice:
            raise ValueError(f"a reason stands twice: {', '.join(twice)}")
        return self


@dataclass(frozen=True)
class Signer:
    """The person who acts, with what the role allows on the day."""

    user: str
    role_name: str
    role: Role
    currency: str
    persons: frozenset[str]
    farms: frozenset[str]
    people_sha256: str
    """Of the file that says so."""


def people_file(own: Path | None = None) -> Path:
    """The file of people that counts: one named here, else that of the variable, else the packaged one."""
    if own is not None:
        return own
    return Path(os.environ[OWN_FILE]) if os.environ.get(OWN_FILE) else packaged_configs() / "people.yaml"


def read_people(own: Path | None = None) -> People:
    """Roles and who holds them.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    return read_settings(People, people_file(own))


def read_reasons(own: Path | None = None) -> dict[str, Reason]:
    """Reasons by code, in the file's order.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    path = own or packaged_configs() / "overrides.yaml"
    return {one.slug: one for one in read_settings(Reasons, path).reasons}


def find_signer(user: str, day: date, own: Path | None = None) -> Signer:
    """The role that a user holds on a day; of several the last in the file. What is their own is gathered from all.

    Raises:
        ConfigError: the file is missing or wrong.
        CreditError: the user holds no role on that day.
    """
    path = people_file(own)
    people = read_people(own)
    mine = [one for one in people.people if one.user == user]
    held = [one for one in mine if one.valid_from <= day and (one.valid_to is None or day < one.valid_to)]
    if not held:
        why = f"held one, but not on {day}" if mine else "is not in it"
        raise CreditError(
            f"{user!r} holds no role: {why} ({path.name})",
            hint="let somebody act who holds one, or name the bank's own file: --people FILE",
        )
    name = held[-1].role
    return Signer(
        user, name, people.roles[name], people.currency,
        frozenset(person for one in mine for person in one.persons),
        frozenset(farm for one in mine for farm in one.farms),
        file_sha256(path),
    )  # fmt: skip


def find_reason(reasons: dict[str, Reason], slug: str, way: Way, *, shown: bool) -> Reason:
    """The reason of a code, if it may go this way and is shown where it must be.

    Args:
        reasons: from `read_reasons`.
        slug: code.
        way: how the amount moves.
        shown: a file is given.

    Raises:
        ConfigError: no such code, another way, or no file where one is asked for.
    """
    reason = reasons.get(slug)
    if reason is None:
        raise ConfigError(f"--reason: {slug!r} is not known", hint=f"one of {', '.join(reasons)}")
    if way not in reason.ways:
        fits = [one.slug for one in reasons.values() if way in one.ways]
        raise ConfigError(f"--reason: {slug} is no reason to {way}", hint=f"one of {', '.join(fits)}")
    if reason.evidence and not shown:
        raise ConfigError(f"--reason: {slug} must be shown by a file", hint="add --evidence FILE")
    return reason


def check_amount(signer: Signer, to: Amount, base: Decimal | None, currency: str) -> None:
    """Refuse an amount above a role's authority; less, none and back to a person are within everyone's.

    Args:
        signer: who acts.
        to: what is to stand.
        base: what a raise is measured from: the machine's amount; None where it named none, or declined.
        currency: of the run.

    Raises:
        CreditError: above what the role allows, or in another currency than its limits.
    """
    if to.outcome != "approve" or to.limit is None:
        return
    role, who = signer.role, f"{signer.user} ({signer.role_name})"
    if currency != signer.currency:
        raise CreditError(
            f"limits of authority are in {signer.currency}, this run is in {currency}",
            hint="name a file of people in the run's currency: --people FILE",
        )
    bars: list[tuple[Decimal, str]] = []
    if base is None:
        bars.append((role.grant_amount, "where the machine named no amount"))
    elif to.limit > base:
        bars.append((base + role.raise_amount, f"{role.raise_amount:,} above the machine's {base:,}"))
        bars.append((base + base * role.raise_share, f"{role.raise_share:.0%} above the machine's {base:,}"))
    if base is None or to.limit > base:
        bars.append((role.most_limit, "the most that this role may let stand"))
    most, why = min(bars, default=(to.limit, ""), key=lambda bar: bar[0])
    if to.limit > most:
        raise CreditError(
            f"{to.limit:,} {currency} is above the authority of {who}: at most {most:,.2f}, {why}",
            hint="let somebody with more authority act, or take an amount within it",
        )
