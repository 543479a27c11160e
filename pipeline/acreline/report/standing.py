# SPDX-License-Identifier: Apache-2.0
"""What stands for a farm after people acted, as plain values that a letter and a page print; no report reads a log."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from acreline.errors import StoreError
from acreline.report.unbroken import unbroken

Pair = tuple[str, str]
"""English and Chinese."""
CHANGED, APPEALED, OVERTAKEN, LEFT = "changed", "appealed", "overtaken", "left"
WAITS, ANSWERED = "asked", "answered"
STATES = (CHANGED, APPEALED, OVERTAKEN, LEFT, WAITS, ANSWERED)
"""What acts made of a decision: another one, under appeal, to be looked at again, looked at and left; or it was only
asked for something, which is awaited or has come."""
_DECISION = '<section class="decision '
"""Where a farm's page begins to tell the machine's decision."""


@dataclass(frozen=True)
class NowStands:
    """What stands, beside the machine's decision, which is never changed."""

    outcome: str
    """approve, refer or decline."""
    limit: Decimal | None
    """None for refer."""
    changed: bool
    """It is not what the machine decided."""
    machine_referred: bool
    """The machine itself had asked for a person."""
    said: tuple[Pair, ...]
    """What people did, the last act first, by their role and never by name."""
    asked: tuple[Pair, ...] = ()
    """What the farmer is asked for, and by when."""
    letter: tuple[Pair, ...] = ()
    """`said` for a letter: the amount that stands is its first line already."""
    state: str = CHANGED
    """One of `STATES`."""
    by: Pair = ("", "")
    """The role of who set this state, never a name; of an appeal that is open, its case."""
    day: str = ""
    """ISO day of that act, in UTC."""


@dataclass(frozen=True)
class PeopleActs:
    """What people did on the farms of a run, up to the moment at which its log was read."""

    stands: Mapping[str, NowStands]
    """By farm; those without an act are left out."""
    cases: Sequence[Mapping[str, str]] = ()
    """Appeals, open or not, as `acreline appeal list --out` writes them."""
    asks: Sequence[Mapping[str, str]] = ()
    """What was asked for, as `acreline asks --out` writes it."""


def with_standing(page: str, stands: NowStands | None) -> str:
    """A farm's page with what people did above the machine's decision; as it was where nobody did anything.

    Args:
        page: as `render_farm` gives it.
        stands: what stands; None: nobody did anything.

    Raises:
        StoreError: the page is none of ours.
    """
    if stands is None:
        return page
    if page.count(_DECISION) != 1:
        raise StoreError("a farm's page without its decision", hint="see `acreline verify`, or publish the run again")
    told = [[unbroken(html.escape(text)) for text in pair] for pair in (*stands.said, *stands.asked)]
    lines = "\n".join(f'  <li><span lang="en">{en}</span><span lang="zh">{zh}</span></li>' for en, zh in told)
    return page.replace(_DECISION, f'<ul class="notices people" role="note">\n{lines}\n</ul>\n{_DECISION}')
