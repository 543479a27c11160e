# SPDX-License-Identifier: Apache-2.0
"""What stands for a farm after people acted, as plain values that a letter and a page print; no report reads a log."""

from __future__ import annotations

import html
from dataclasses import dataclass
from decimal import Decimal

from acreline.errors import StoreError

Pair = tuple[str, str]
"""English and Chinese."""
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
    lines = "\n".join(
        f'  <li><span lang="en">{html.escape(en)}</span><span lang="zh">{html.escape(zh)}</span></li>'
        for en, zh in (*stands.said, *stands.asked)
    )
    told = f'<ul class="notices people" role="note">\n{lines}\n</ul>\n'
    return page.replace(_DECISION, told + _DECISION)
