# SPDX-License-Identifier: Apache-2.0
"""One page of a review: words, bars and tables, both languages, no script and nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from acreline.review.narrow import narrow_bars, narrow_lines

Words = tuple[str, str]
"""English and Chinese."""

_HERE = Path(__file__).parent / "templates"
WIDTH, ROW, LEFT, RIGHT = 640, 24, 190, 90
INKS = ("#1c6b47", "#b5790a")
"""Colours of the bars of a chart, in order."""
LINE_INKS = ("#1c6b47", "#b5790a", "#2b5d9b", "#a2352f", "#6b4a9b", "#3a8f92", "#7d6a1a", "#5d6b64")
"""Colours of lines, in order."""


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: Words
    head: Sequence[Words] = ()
    rows: Sequence[Sequence[str | Words]] = ()
    """Cells as printed, as many as `head`; two languages where a cell has words."""
    notes: Sequence[Words] = ()
    chart: dict[str, Any] | None = None
    """From `bars`."""
    lines: dict[str, Any] | None = None
    """From `line_chart`."""


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


@dataclass(frozen=True)
class LineSeries:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]
    """x and y, in order of x; finite, y 0 or more."""


def line_chart(series: Sequence[LineSeries], *, x: Words, unit: str = "") -> dict[str, Any] | None:
    """Where the lines of a chart lie, both axes from 0; a line ends where its points end. None without a point.

    Args:
        series: in the order of the key; colours repeat after eight, from then on dashed.
        x: what the axis to the right is.
        unit: printed behind the values of the axis upwards.
    """
    if not series:
        return None
    top, floor, left, right = 12.0, 232.0, 72.0, WIDTH - 16.0
    most_x = max(point[0] for one in series for point in one.points) or 1.0
    tick = round_step(max(point[1] for one in series for point in one.points))
    ticks = max(1, math.ceil(max(point[1] for one in series for point in one.points) / tick - 1e-9))
    most_y = tick * ticks

    def place(point: tuple[float, float]) -> str:
        across, up = point[0] / most_x, point[1] / most_y
        return f"{left + across * (right - left):.1f},{floor - up * (floor - top):.1f}"

    step = max(1, round(most_x / 12))
    return {
        "width": WIDTH, "height": floor + 36, "left": left, "right": right, "top": top, "floor": floor, "x": x,
        "levels": [(floor - k / ticks * (floor - top), _printed(tick * k) + unit) for k in range(ticks + 1)],
        "marks": [(left + k / most_x * (right - left), str(k)) for k in range(0, int(most_x) + 1, step)],
        "lines": [
            {"ink": LINE_INKS[k % len(LINE_INKS)], "dash": "5 3" if k >= len(LINE_INKS) else "", "name": one.name,
             "points": " ".join(place(point) for point in one.points),
             "ends": [place(point).split(",") for point in one.points[-1:]]}
            for k, one in enumerate(series)
        ],
    }  # fmt: skip


def round_step(most: float) -> float:
    """A round distance of ticks, 1, 2, 2.5 or 5 times a power of ten, of which three to five reach a value.

    Args:
        most: the largest value that is drawn, 0 or more.
    """
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most / 5))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power * 5 >= most * (1 - 1e-9))


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
    environment.filters |= {"narrow_bars": narrow_bars, "narrow_lines": narrow_lines}
    style = (_HERE / "review.css").read_text(encoding="utf-8")
    sha = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{sha}'; img-src data:; base-uri 'none'; form-action 'none'"
    return environment.get_template("review.html.j2").render(policy=policy, style=style, page=page)
