# SPDX-License-Identifier: Apache-2.0
"""Dated, signed exceptions: segments that may get less for a time, with a reason and what is done about it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from acreline.config import Settings, packaged_configs, read_settings
from acreline.trial.segments import KINDS, NEEDS

if TYPE_CHECKING:
    import pandas as pd

EXCEPTED = "exception"
LONGEST_DAYS = 366
"""An exception that never ends is a rule, and belongs into the policy."""


class SegmentException(Settings):
    """One segment that may miss a measure for a time."""

    kind: Literal["clear views", "slope", "crop share", "size"]
    segment: str = Field(description="as `acreline segments` names it")
    policy: str = Field(min_length=1, description="family of the policy, or its id")
    measures: tuple[Literal["approval", "limit", "acreage"], ...] = Field(min_length=1)
    reason: str = Field(min_length=3)
    control: str = Field(min_length=3, description="what is done so that nobody is harmed by it")
    valid_from: AwareDatetime = Field(description="instant with its offset, as 2026-03-01T00:00:00Z")
    valid_to: AwareDatetime = Field(description="from this instant on it counts no more")
    author: str = Field(description="who asks for it")
    approver: str = Field(description="who grants it: another person")

    @model_validator(mode="after")
    def _can_be(self) -> SegmentException:
        known = KINDS[self.kind].names
        if self.segment not in known:
            near = difflib.get_close_matches(self.segment, known, n=1)
            told = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{self.kind} has no segment {self.segment!r}{told} known: {', '.join(known)}")
        if self.valid_to <= self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} does not lie after valid_from {self.valid_from}")
        if (self.valid_to - self.valid_from).days > LONGEST_DAYS:
            raise ValueError(f"an exception lasts a year at most, not from {self.valid_from} to {self.valid_to}")
        names = ["".join(name.split()).casefold() for name in (self.author, self.approver)]
        if not all(names):
            raise ValueError("author and approver must both be named")
        if names[0] == names[1]:
            raise ValueError(f"author and approver must be two people, both are {self.author!r}")
        return self

    def words(self) -> str:
        """Until when, why and who signed, as one clause."""
        until = f"{self.valid_to.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"until {until}: {self.reason}; {self.control} ({self.author}, granted by {self.approver})"


class ExceptionList(Settings):
    """`exceptions.yaml`: what may be missed, in any order."""

    exceptions: tuple[SegmentException, ...] = ()


def read_exceptions(own: Path | None = None) -> tuple[SegmentException, ...]:
    """Every entry of the packaged list and of one named here.

    Raises:
        ConfigError: a list is missing or wrong; the message names file and key.
    """
    files = [packaged_configs() / "exceptions.yaml", *([own] if own is not None else [])]
    return tuple(entry for file in files for entry in read_settings(ExceptionList, file).exceptions)


def policy_families(policy_id: str) -> tuple[str, ...]:
    """What a policy may be called in an exception: its id, and its family: the id without its year or number.

    >>> policy_families("china-2025")
    ('china-2025', 'china')
    """
    return tuple(dict.fromkeys((policy_id, re.sub(r"-\d+$", "", policy_id))))


def with_exceptions(
    table: pd.DataFrame, exceptions: Iterable[SegmentException], policy_id: str, now: datetime
) -> pd.DataFrame:
    """The segments, those that need an exception and have one for all that they miss told as such.

    Args:
        table: of `segment_farms`.
        exceptions: of `read_exceptions`; those of other policies, not yet begun or expired count for nothing.
        policy_id: under which the farms were decided.
        now: an instant with its offset.

    Returns:
        the table with a column `exception` (words; empty: none); verdict is `exception` where all is covered.
    """
    names = policy_families(policy_id)
    valid = [one for one in exceptions if one.policy in names and one.valid_from <= now < one.valid_to]

    def judge(row: Mapping[Any, Any]) -> tuple[str, str]:
        mine = [one for one in valid if (one.kind, one.segment) == (row["kind"], row["segment"])]
        covered = {measure for one in mine for measure in one.measures}
        if row["verdict"] != NEEDS or not set(row["failing"].split("|")) <= covered:
            return str(row["verdict"]), ""
        return EXCEPTED, "; ".join(one.words() for one in mine)

    judged = [judge(row) for row in table.to_dict("records")]
    return table.assign(verdict=[one for one, _ in judged], exception=[words for _, words in judged])
