# SPDX-License-Identifier: Apache-2.0
"""Where the marks of the four tests' drawings lie: lines over a share or over months, bars by size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from acreline.trial.charts import floor_of, line, percent_ticks, place_x, place_y, square_frame

INKS = ("#1c6b47", "#b5790a", "#2166ac", "#7b3294", "#c51b7d", "#737373", "#67a9cf", "#8c510a")
"""Colours of the lines, in the order of the contenders; dashes part them where colours do not."""
DASHES = ("", "6 4", "2 3", "9 3 2 3")
Points = Sequence[tuple[float, float]]


def lines(
    named: Sequence[tuple[str, Points]], x_ticks: Sequence[tuple[float, str]], *, low: float | None = None
) -> dict[str, Any] | None:
    """Several lines over one frame, y in percent from a round floor to 100 %.

    Args:
        named: name and points (x 0 to 1, y 0 to 1) of each line; one without points is left out.
        x_ticks: (x 0 to 1, words).
        low: lower end of the y axis; None: a round number below all points.

    Returns:
        None where no line has a point.
    """
    shown = [(name, points) for name, points in named if points]
    if not shown:
        return None
    floor = floor_of(y for _, points in shown for _, y in points) if low is None else low
    out = []
    for k, (name, points) in enumerate(shown):
        at = [(place_x(x), place_y(max(0.0, (y - floor) / (1 - floor)))) for x, y in points]
        marks = [{"x": px, "y": py, "text": f"{name}: {y:.1%}"} for (px, py), (_, y) in zip(at, points, strict=True)]
        dash = DASHES[(k // len(INKS)) % len(DASHES)]
        out.append({"name": name, "ink": INKS[k % len(INKS)], "dash": dash, "path": line(at), "dots": marks})
    return square_frame(x_ticks, percent_ticks(floor)) | {"lines": out}


def month_lines(as_of: dict[str, Any]) -> dict[str, Any] | None:
    """Macro-F1 of both slots as of the end of each month."""
    months = [row["month"] for row in as_of["A"]["months"]]
    place = {month: (k + 0.5) / len(months) for k, month in enumerate(months)}
    named = [
        (
            f"slot {slot}",
            [(place[row["month"]], row["macro_f1"]) for row in as_of[slot]["months"] if row["month"] in place],
        )
        for slot in ("A", "B")
    ]
    return lines(named, [(x, month) for month, x in place.items()])


def kept_lines(told: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Accuracy in both slots against the share of parcels kept, a line a contender."""
    named = [
        (name, [(row["kept"], row["accuracy"]) for row in figures["both_slots"]["curve"]])
        for name, figures in told.items()
    ]
    return lines(named, percent_ticks())


def reliability_lines(figures: dict[str, Any]) -> dict[str, Any] | None:
    """Told confidence against measured accuracy of both slots, with the line of a perfect one."""
    named: list[tuple[str, Points]] = [
        (
            f"slot {slot}",
            [(row["confidence"], row["accuracy"]) for row in figures[f"slot_{slot}"]["reliability"]],
        )
        for slot in ("A", "B")
    ]
    drawn = lines(named, percent_ticks(), low=0.0)
    diagonal = line([(place_x(0), place_y(0)), (place_x(1), place_y(1))])
    return None if drawn is None else drawn | {"diagonal": diagonal}


def size_lines(figures: dict[str, Any]) -> dict[str, Any] | None:
    """Accuracy of parcels by their area, classes without parcels left out."""
    rows = [row for row in figures["slot_A"]["by_size"] if row["n"]]
    if not rows:
        return None
    names = [
        f"{row['from_ha']:g}-{row['to_ha']:g}" if row["to_ha"] is not None else f"> {row['from_ha']:g}" for row in rows
    ]
    place = [(k + 0.5) / len(rows) for k in range(len(rows))]
    named = []
    for slot in ("A", "B"):
        oa = [row["oa"] for row in figures[f"slot_{slot}"]["by_size"] if row["n"]]
        named.append((f"slot {slot}", list(zip(place, oa, strict=True))))
    ticks = [(x, f"{name}, n {row['n']}") for x, name, row in zip(place, names, rows, strict=True)]
    return lines(named, ticks)
