# SPDX-License-Identifier: Apache-2.0
"""The NDVI curve of one parcel as places on a drawing, for a page that is printed and needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from acreline.report.read import Row
from acreline.report.words import word

WIDTH, HEIGHT = 400, 140
LEFT, RIGHT, TOP, BOTTOM = 24, 6, 30, 20
LOW, HIGH = -0.1, 1.0
CLOUDY, CLEAR, ASIDE = 0, 1, 2
LETTER, LINE = 6.9, 11
"""Width of a letter and height of a line of the words above the curve, as large as a telephone shows them."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def place_curve(parcel: Row, passes: Sequence[str], season: Sequence[str | None], shown: str) -> Row | None:
    """Where the marks of a parcel's curve lie.

    Args:
        parcel: as told for the map page: `curve` (four numbers a look), `stages` and `events`.
        passes: days of the passes the curve counts in.
        season: first and last day, or None.
        shown: day of the look whose picture is shown; empty where none is.

    Returns:
        numbers in units of the drawing (`width` by `height`), rounded to a tenth; None for a parcel without a look.
    """
    looks = [(passes[at], ndvi, share, kind) for at, ndvi, share, kind in _fours(parcel["curve"])]
    if not looks:
        return None
    days = sorted(day for day, *_ in looks)
    first, last = date.fromisoformat(season[0] or days[0]), date.fromisoformat(season[1] or days[-1])

    def x(day: str | date) -> float:
        at = date.fromisoformat(day) if isinstance(day, str) else day
        share = (at - first).days / max(1, (last - first).days)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share)), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (HIGH - max(LOW, value)) / (HIGH - LOW), 1)

    marks = [
        (kind, x(day), y(ndvi / 10_000), f"{day} NDVI {ndvi / 10_000:.2f}") for day, ndvi, _, kind in looks if kind
    ]
    clear = [(at, level, text) for kind, at, level, text in marks if kind == CLEAR]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "floor": y(LOW),
        "levels": [(y(level / 10), f"{level / 10:.1f}") for level in (0, 2, 4, 6, 8, 10)],
        "months": [(x(day), *_month(day)) for day in _firsts(first, last)],
        "line": "".join(f"{'L' if k else 'M'}{at} {level}" for k, (at, level, _) in enumerate(clear)),
        "dots": clear,
        "aside": [(at, level, text) for kind, at, level, text in marks if kind == ASIDE],
        "cloudy": [x(day) for day, _, _, kind in looks if kind == CLOUDY],
        "stages": _apart([mark for season_row in parcel["stages"] for mark in _stages(season_row, x)]),
        "events": [(x(e["start"]), max(2.0, x(e["end"] or e["start"]) - x(e["start"]))) for e in _dated(parcel)],
        "shown": x(shown) if shown else None,
    }


def _fours(flat: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [tuple(flat[k : k + 4]) for k in range(0, len(flat), 4)]


def _firsts(first: date, last: date) -> list[date]:
    """The first days of every second month of a span."""
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    days = [date(month // 12, month % 12 + 1, 1) for month in months if month % 2 == 0]
    return [day for day in days if first <= day <= last]


def _month(day: date) -> tuple[str, str]:
    return (str(day.year), str(day.year)) if day.month == 1 else (MONTHS[day.month - 1], f"{day.month}月")


def _stages(season: Row, x: Any) -> list[tuple[float, float, float, str, str, str]]:
    """Left edge, width, middle, anchor of the words and words of each dated stage, as wide as its doubt."""
    marks = []
    for stage, anchor in (("emergence", "end"), ("peak", "middle"), ("harvest", "start")):
        if stage in season:
            day, doubt = date.fromisoformat(season[stage][0]), timedelta(days=round(season[stage][1] or 0))
            left, right = x(day - doubt), x(day + doubt)
            marks.append((left, max(1.5, round(right - left, 1)), x(day), anchor, *word("ui", stage)))
    return marks


def _apart(marks: list[tuple[float, float, float, str, str, str]]) -> list[tuple[Any, ...]]:
    """The same with the height of the words: on a second line where they would run into those before."""
    ends, told = [-1.0, -1.0], []
    for mark in sorted(marks, key=lambda mark: mark[2]):
        width = LETTER * len(mark[4])
        start = mark[2] - {"start": 0.0, "middle": width / 2, "end": width}[mark[3]]
        if start < 0:  # words never begin before the drawing does
            mark, start = (*mark[:3], "start", *mark[4:]), mark[2]
        line = 0 if start >= ends[0] else 1
        ends[line] = start + width
        told.append((*mark, TOP - 6 - LINE * line))
    return told


def _dated(parcel: Row) -> list[Row]:
    return [event for event in parcel["events"] if event["start"]]
