# SPDX-License-Identifier: Apache-2.0
"""Where the marks of the report's drawings lie, in units of each drawing; the template only puts them down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 330, 260
LEFT, RIGHT, TOP, BOTTOM = 42, 20, 14, 44
SHADES = 10
"""Steps of shade in the confusion table, from no share of a row to all of it."""


def square_frame(x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Frame and ticks of a drawing whose axes run from 0 to 1."""
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "top": TOP,
        "floor": HEIGHT - BOTTOM,
        "x_ticks": [(place_x(at), text) for at, text in x_ticks],
        "y_ticks": [(place_y(at), text) for at, text in y_ticks],
    }


def place_x(share: float) -> float:
    """Share of the width, 0 to 1 -> x."""
    return round(LEFT + (WIDTH - LEFT - RIGHT) * share, 1)


def place_y(share: float) -> float:
    """Share of the height, 0 to 1, counted from the floor -> y."""
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)


def percent_ticks(low: float = 0.0) -> list[tuple[float, str]]:
    """Ticks of an axis from `low` to 1, in percent, as shares of the axis."""
    levels = [k / 10 for k in range(0, 11, 2) if k / 10 >= low - 1e-9]
    return [((level - low) / (1 - low), f"{level:.0%}") for level in levels]


def line(points: Sequence[tuple[float, float]]) -> str:
    """A path through points."""
    return "".join(f"{'L' if k else 'M'}{x} {y}" for k, (x, y) in enumerate(points))


def reliability(calibration: dict[str, Any]) -> dict[str, Any]:
    """Told confidence against measured accuracy: one dot a bin, its area by its n."""
    rows = calibration["reliability"]
    most = max(row["n"] for row in rows)
    dots = [
        {
            "x": place_x(row["confidence"]),
            "y": place_y(row["accuracy"]),
            "r": round(2.5 + 4.5 * (row["n"] / most) ** 0.5, 1),
            "text": f"told {row['confidence']:.0%}, right {row['accuracy']:.0%}, n {row['n']}",
        }
        for row in rows
    ]
    frame = square_frame(percent_ticks(), percent_ticks())
    return frame | {"dots": dots, "diagonal": line([(place_x(0), place_y(0)), (place_x(1), place_y(1))])}


def kept(curve: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy against the share of samples that is kept."""
    low = floor_of(row["accuracy"] for row in curve)
    points = [(place_x(row["kept"]), place_y((row["accuracy"] - low) / (1 - low))) for row in curve]
    marked = [
        {"x": x, "y": y, "text": f"kept {row['kept']:.0%} (n {row['n']}): {row['accuracy']:.1%}"}
        for row, (x, y) in zip(curve, points, strict=True)
    ]
    at_80 = next(k for k, row in enumerate(curve) if row["kept"] == 0.8)
    frame = square_frame(percent_ticks(), percent_ticks(low))
    return frame | {
        "line": line(points),
        "dots": marked,
        "at_80": marked[at_80],
        "accuracy_80": curve[at_80]["accuracy"],
    }


def by_month(rows: Sequence[dict[str, Any]], majority: float) -> dict[str, Any]:
    """Accuracy as of the end of each month, with its interval, over the majority."""
    ranges = [row["ci95"] or [row["oa"], row["oa"]] for row in rows]
    low = floor_of([*(one[0] for one in ranges), *(row["macro_f1"] for row in rows), majority])
    step = 1 / max(1, len(rows) - 1)
    xs = [place_x(0.04 + 0.92 * k * step) for k in range(len(rows))] if len(rows) > 1 else [place_x(0.5)]

    def y(value: float) -> float:
        return place_y(max(0.0, (value - low) / (1 - low)))

    def points(key: str) -> list[tuple[float, float]]:
        return [(x, y(row[key])) for x, row in zip(xs, rows, strict=True)]

    upper = [(x, y(one[1])) for x, one in zip(xs, ranges, strict=True)]
    lower = [(x, y(one[0])) for x, one in zip(xs, ranges, strict=True)]
    names = [(x, row["until"][5:7]) for x, row in zip(xs, rows, strict=True)]
    return square_frame([], percent_ticks(low)) | {
        "band": line([*upper, *reversed(lower)]) + "Z",
        "oa": line(points("oa")),
        "dots": [
            {"x": x, "y": at, "text": f"{row['until']}: {row['oa']:.1%} ({one[0]:.0%} to {one[1]:.0%})"}
            for (x, at), row, one in zip(points("oa"), rows, ranges, strict=True)
        ],
        "macro_f1": line(points("macro_f1")),
        "majority": y(majority),
        "months": names,
        "year": rows[0]["until"][:4],
    }


def floor_of(values: Any) -> float:
    """The lower end of an axis in percent that shows all values: a multiple of 20 % below the lowest, at most 60 %."""
    return min(0.6, max(0.0, int(min(values) * 5) / 5))


def heat_map(confusion: dict[str, Any]) -> dict[str, Any]:
    """The confusion table without empty lines: each cell with its count, its share of the row and a shade."""
    table, names = confusion["rows_true_columns_found"], confusion["groups"]
    told = [sum(row[k] for row in table) for k in range(len(names))]
    shown = [k for k in range(len(names)) if sum(table[k]) or told[k]]
    rows = []
    for a in shown:
        total = sum(table[a])
        if not total:
            continue  # told and never there: a column, no row
        cells = []
        for b in shown:
            share = table[a][b] / total if total else 0.0
            cells.append({"n": table[a][b], "share": share, "shade": round(SHADES * share)})
        rows.append({"name": names[a], "n": total, "cells": cells})
    return {"names": [names[k] for k in shown], "rows": rows}
