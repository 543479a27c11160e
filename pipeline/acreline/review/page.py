# SPDX-License-Identifier: Apache-2.0
"""One page of a review: words, bars and tables, both languages, no script and nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

Words = tuple[str, str]
"""English and Chinese."""

_HERE = Path(__file__).parent / "templates"
WIDTH, ROW, LEFT, RIGHT = 640, 24, 190, 90
INKS = ("#1c6b47", "#b5790a")
"""Colours of the bars of a chart, in order."""


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: Words
    head: Sequence[Words] = ()
    rows: Sequence[Sequence[str]] = ()
    """Cells as printed, as many as `head`."""
    notes: Sequence[Words] = ()
    chart: dict[str, Any] | None = None
    """From `bars`."""


@dataclass(frozen=True)
class Page:
    """A page."""

    title: Words
    under: Words
    cards: Sequence[tuple[str, Words]] = ()
    """The main numbers as printed, each with what it is."""
    sections: Sequence[Section] = field(default_factory=tuple)
    notices: Sequence[Words] = ()
    """What stands above all else: simulated, not as known then."""


def bars(rows: Sequence[tuple[str, Sequence[float]]], names: Sequence[Words], *, unit: str = "") -> dict[str, Any]:
    """Where the bars of a chart lie: one line of bars a row, to the right of the axis if positive, left if negative.

    Args:
        rows: name and one value per series; finite.
        names: of the series, at most two.
        unit: printed behind each value.
    """
    values = [value for _, series in rows for value in series]
    low, high = min([0.0, *values]), max([0.0, *values])
    span = (high - low) or 1.0
    room = WIDTH - LEFT - RIGHT - (60 if low < 0 else 0)
    start = LEFT + (60 if low < 0 else 0)
    axis = round(start + room * (0 - low) / span, 1)
    thick = ROW if len(names) == 1 else ROW - 4
    drawn, y = [], 8
    for name, series in rows:
        marks = []
        for k, value in enumerate(series):
            end = round(start + room * (value - low) / span, 1)
            marks.append(
                {"x": min(axis, end), "width": max(0.5, abs(end - axis)), "y": y + k * thick + 3, "height": thick - 7,
                 "ink": INKS[k % len(INKS)], "text": _printed(value) + unit, "left": value < 0,
                 "at": end - 5 if value < 0 else end + 5, "base": y + k * thick + thick / 2 + 4}
            )  # fmt: skip
        drawn.append({"name": name, "marks": marks, "base": y + thick * len(series) / 2 + 4})
        y += thick * len(series) + 6
    key = [{"ink": INKS[k % len(INKS)], "words": words} for k, words in enumerate(names)]
    return {"width": WIDTH, "height": y + 6, "axis": axis, "left": LEFT, "rows": drawn, "key": key}


def _printed(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def money(amount: Decimal | float | None) -> str:
    """An amount with thousands marked and no part of a unit; a dash where there is none."""
    return "–" if amount is None or amount != amount else f"{amount:,.0f}"


def render_page(page: Page) -> str:
    """The text of a page that may load nothing; same values, same bytes."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (_HERE / "review.css").read_text(encoding="utf-8")
    sha = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{sha}'; img-src data:; base-uri 'none'; form-action 'none'"
    return environment.get_template("review.html.j2").render(policy=policy, style=style, page=page)
