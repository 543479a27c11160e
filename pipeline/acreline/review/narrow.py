# SPDX-License-Identifier: Apache-2.0
"""The drawings of a review page for a telephone: the same values on half the width, with text that is not shrunk."""

from __future__ import annotations

from typing import Any

WIDTH = 320.0
"""Of a narrow drawing; at 13 units its text is 13 px tall on a telephone of 390 px."""
LEAD = 18.0
"""Height of the line above a bar, in which its name stands."""
VALUES, LOWS = 76.0, 60.0
"""Right of the bars for their values, and left of them where some are negative."""
LEFT, RIGHT, MARKS = 58.0, 10.0, 7
"""Beside the lines of a chart, and how many months stand below it at most."""


def narrow_bars(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart of `bars` with each name above its bars instead of beside them.

    Args:
        chart: what `bars` gave.

    Returns:
        the same keys; names begin at the left edge.
    """
    marks = [mark for row in chart["rows"] for mark in row["marks"]]
    low = min([chart["axis"], *(mark["x"] for mark in marks)])
    high = max([chart["axis"], *(mark["x"] + mark["width"] for mark in marks)])
    start = LOWS if any(mark["left"] for mark in marks) else 0.0
    factor = (WIDTH - VALUES - start) / max(high - low, 1.0)

    def across(x: float) -> float:
        return float(round(start + (x - low) * factor, 1))

    rows = []
    for k, row in enumerate(chart["rows"]):
        down = (k + 1) * LEAD
        rows.append(
            {
                **row,
                "base": min(mark["y"] for mark in row["marks"]) + down - 6,
                "marks": [
                    {**mark, "x": across(mark["x"]), "width": max(0.5, round(mark["width"] * factor, 1)),
                     "at": across(mark["at"] + 5) - 5 if mark["left"] else across(mark["at"] - 5) + 5,
                     "y": mark["y"] + down, "base": mark["base"] + down}
                    for mark in row["marks"]
                ],
            }
        )  # fmt: skip
    height = chart["height"] + LEAD * len(rows)
    return {
        **chart,
        "width": WIDTH,
        "height": height,
        "axis": across(chart["axis"]),
        "left": 0,
        "start": True,
        "rows": rows,
    }


def narrow_lines(chart: dict[str, Any]) -> dict[str, Any]:
    """The chart of `line_chart` on half the width, with fewer marks below it.

    Args:
        chart: what `line_chart` gave.

    Returns:
        the same keys.
    """
    right = WIDTH - RIGHT
    factor = (right - LEFT) / (chart["right"] - chart["left"])

    def across(x: float) -> float:
        return float(round(LEFT + (x - chart["left"]) * factor, 1))

    def place(point: str) -> str:
        x, y = point.split(",")
        return f"{across(float(x))},{y}"

    every = -(-len(chart["marks"]) // MARKS)
    return {
        **chart,
        "width": WIDTH,
        "left": LEFT,
        "right": right,
        "marks": [(across(x), said) for x, said in chart["marks"][::every]],
        "lines": [
            {
                **one,
                "points": " ".join(place(point) for point in one["points"].split()),
                "ends": [(across(float(x)), y) for x, y in one["ends"]],
            }
            for one in chart["lines"]
        ],
    }
