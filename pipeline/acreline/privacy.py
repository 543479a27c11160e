# SPDX-License-Identifier: Apache-2.0
"""What each personal field is for and how long it is kept, the facts a limit may see, and columns that are refused.

All of it stands in `configs/privacy/purposes.yaml`; this room reads it. What is refused is named with its reason, so a
column that says who somebody is, or stands in for it, never gets as far as a record.
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Literal

from pydantic import Field

from acreline.config import Settings, packaged_configs, read_settings
from acreline.errors import ConfigError

Words = tuple[str, str]
"""English and Chinese."""


class PersonalField(Settings):
    """One field that can be tied to a person."""

    table: Literal["applicants", "parcels"]
    name: str
    identifies: bool = Field(False, description="it names the person: replaced when the person is deleted")
    purpose: Words
    legal_basis: Words
    retention_months: int = Field(ge=1, le=600, description="from the day of the decision")
    retention_why: Words


class KeptFile(Settings):
    """One kind of file under the evidence folder of a run: handed in by people, or kept by an act of theirs."""

    kind: Literal["photo", "place", "document", "boundary", "explanation", "difference"]
    what: Words
    purpose: Words
    legal_basis: Words
    retention_months: int = Field(ge=1, le=600, description="from the day of the act")
    retention_why: Words
    readers: Words
    on_deletion: Literal["removed", "stays"] = Field(description="when the person is deleted, once every term is over")
    told: Words = Field(description="what becomes of it then, in the words that the person is told")


class RefusedWords(Settings):
    """Words of column names that are never taken in, and why."""

    kind: Literal["personal", "proxy"] = Field(description="says who somebody is, or stands in for it")
    words: tuple[str, ...] = Field(min_length=1)
    reason: Words

    def told(self) -> str:
        """The reason in English, with its kind."""
        return f"{'personal' if self.kind == 'personal' else 'a proxy'}: {self.reason[0]}"


class Features(Settings):
    """Names of the facts a rule may look at, by record."""

    farm: tuple[str, ...]
    stand: tuple[str, ...]
    applicant: tuple[str, ...]


class Purposes(Settings):
    """`configs/privacy/purposes.yaml`."""

    fields: tuple[PersonalField, ...]
    files: tuple[KeptFile, ...]
    features: Features
    refused: tuple[RefusedWords, ...]


@cache
def read_purposes() -> Purposes:
    """The purpose table.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    return read_settings(Purposes, packaged_configs() / "privacy" / "purposes.yaml")


def file_purpose(kind: str) -> KeptFile:
    """The row of a kind of kept file.

    Raises:
        ConfigError: no row: nobody has said what such a file is kept for.
    """
    rows = {row.kind: row for row in read_purposes().files}
    if kind not in rows:
        raise ConfigError(
            f"configs/privacy/purposes.yaml: files: no row for kept files of kind {kind!r}",
            hint=f"say there what it is kept for, how long and who reads it; known: {', '.join(sorted(rows))}",
        )
    return rows[kind]


def refused_column(name: str) -> RefusedWords | None:
    """Why a column is not taken in, by the words its name is made of; None: its name says nothing of a person.

    Latin names are split at signs and at capitals (`headSex`, `phone_brand`), so `package` is not `age`; Chinese words
    count wherever they stand.
    """
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())
    parts = [part for part in re.split(r"[^a-z]+", split.lower()) if part]
    joined = {"".join(parts), *parts, *(a + b for a, b in pairwise(parts))}
    # A proxy is named as one even where its name also holds a personal word, as in `phone_brand`.
    for entry in sorted(read_purposes().refused, key=lambda one: one.kind != "proxy"):
        if any(word in joined if word.isascii() else word in name for word in entry.words):
            return entry
    return None


def personal_value(person_id: str) -> str | None:
    """What a value that should be a pseudonym looks like instead; None: nothing of the kind."""
    looks_like = {
        "an identity card's number": r"[1-9][0-9]{16}[0-9Xx]",
        "a mobile phone's number": r"(\+?86)?1[3-9][0-9]{9}",
        "an e-mail address": r"[^@\s]+@[^@\s]+\.[^@\s]+",
        "a name": r"[\u4e00-\u9fff]{2,4}(·[\u4e00-\u9fff]{1,8})*",
    }
    return next((what for what, pattern in looks_like.items() if re.fullmatch(pattern, person_id)), None)


def kept_until(decided: date) -> date:
    """The day until which a person's name must stay with a decision or an act: the longest term of names and files."""
    purposes = read_purposes()
    names = [row.retention_months for row in purposes.fields if row.identifies]
    months = max([*names, *(row.retention_months for row in purposes.files)])
    year, month = divmod(decided.year * 12 + decided.month - 1 + months, 12)
    return date(year, month + 1, min(decided.day, calendar.monthrange(year, month + 1)[1]))
