# SPDX-License-Identifier: Apache-2.0
"""The curves of a training as one page that needs no network, no script and no font: losses and macro-F1 by head."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.errors import InputError
from acreline.trial.charts import line
from acreline.trial.curves_drawn import INKS
from acreline.trial.page import render_page

HEADS = {
    "crop_a": ("crop of slot A", "第一季作物", INKS[0]),
    "crop_b": ("crop of slot B", "第二季作物", INKS[1]),
    "health": ("health", "长势与灾害", INKS[4]),
    "vigour": ("vigour", "茂盛程度", INKS[2]),
    "edge": ("field boundary", "地块边界", INKS[5]),
}
"""English and Chinese name and ink of each head, in the order of the legend."""
WIDTH, HEIGHT = 760, 330
LEFT, RIGHT, TOP, BOTTOM = 46, 160, 14, 40
LABEL_PX = 15
"""Words at the ends of lines are kept so far apart."""
SMOOTH = (1, 2, 3, 2, 1)
"""Weights of a row and its neighbours in the bold lines."""


def write_curves(settings: Path) -> Path:
    """Write `<name>-curves.html` beside a checkpoint's YAML file, from the rows in its card.

    Args:
        settings: the YAML file that `card.save_model` wrote; the card lies beside it.

    Returns:
        the page.

    Raises:
        InputError: the card is not there or holds no curves.
    """
    path = settings.with_suffix(".json")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        text = render_curves(card["name"], card["metrics"]["training"], card["recipe"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path.name}: no card with curves of a training: {error}", hint="acreline train writes one"
        ) from error
    page = curves_beside(settings)
    page.write_text(text, encoding="utf-8")
    return page


def curves_beside(settings: Path) -> Path:
    """Where the page of a checkpoint's YAML file lies."""
    return settings.with_name(f"{settings.stem}-curves.html")


def render_curves(name: str, training: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    """The text of the page. Same figures, same bytes.

    Args:
        name: of the model.
        training: `metrics.training` of its card; `curves` holds the rows of each member (`watching.Curve`).
        recipe: of its card.

    Raises:
        ValueError: there is no row.
    """
    members = [rows for rows in training["curves"] if rows]
    if not members:
        raise ValueError("no row")
    losses, scores = (_by_head(members, prefix) for prefix in ("", "f1_"))
    return render_page(
        "curves.html.j2",
        "report.css",
        "curves.css",
        name=name,
        training=training,
        recipe=recipe,
        steps=int(members[0][-1]["step"]),
        members=len(members),
        rows=len(members[0]),
        losses=loss_drawing(losses),
        scores=score_drawing(scores) if scores else None,
        table=[(*words[:2], _ends(losses.get(head)), _ends(scores.get(head))) for head, words in HEADS.items()],
        simulated="on simulated data" in training.get("watched_on", ""),
    )


Curves = dict[str, tuple[npt.NDArray[np.float64], list[npt.NDArray[np.float64]]]]
"""Head -> steps, and the values of each member at them."""


def _by_head(members: Sequence[Sequence[Mapping[str, float]]], prefix: str) -> Curves:
    steps = np.array([row["step"] for row in members[0]])
    out: Curves = {}
    for head in HEADS:
        key = prefix + head
        if all(key in row for rows in members for row in rows):
            out[head] = steps, [np.array([row[key] for row in rows]) for rows in members]
    return out


def _middle(lines: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    mean: npt.NDArray[np.float64] = np.mean(lines, axis=0)
    return mean


def _ends(curve: tuple[Any, Sequence[npt.NDArray[np.float64]]] | None) -> tuple[float, float, float] | None:
    """First, best and last value of the members' mean; best is the largest."""
    if curve is None:
        return None
    mean = _middle(curve[1])
    return float(mean[0]), float(mean.max()), float(mean[-1])


def smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each value with its neighbours, by the weights `SMOOTH`; at the ends, those that are there."""
    weights = np.array(SMOOTH, float)
    half = len(weights) // 2
    sums, shares = (np.convolve(np.pad(row, half), weights, "valid") for row in (values, np.ones(len(values))))
    mean: npt.NDArray[np.float64] = sums / shares
    return mean


def loss_drawing(curves: Curves) -> dict[str, Any]:
    """Losses over steps on a logarithmic axis; heads that teach nothing (all 0) are left out."""
    shown = {head: (steps, lines) for head, (steps, lines) in curves.items() if np.max(lines) > 0}
    values = np.concatenate([np.concatenate(lines) for _, lines in shown.values()]) if shown else np.ones(1)
    levels = log_levels(float(values[values > 0].min()), float(values.max()))
    low, wide = math.log10(levels[0]), math.log10(levels[-1] / levels[0])
    return _drawing(
        shown,
        lambda loss: (np.log10(np.maximum(loss, levels[0])) - low) / wide,
        [((math.log10(level) - low) / wide, f"{level:g}") for level in levels],
        "{:.2g}",
    )


def score_drawing(curves: Curves) -> dict[str, Any]:
    """Macro-F1 over steps, 0 to 1."""
    return _drawing(curves, lambda score: score, [(k / 5, f"{k / 5:.1f}") for k in range(6)], "{:.2f}")


def log_levels(low: float, high: float) -> list[float]:
    """The levels 1, 2 and 5 times powers of ten from below `low` to above `high`, at most four powers of ten wide."""
    low = max(low, high * 1e-4)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [float(f"{one}e{power}") for power in powers for one in (1, 2, 5)]
    first = max(k for k, level in enumerate(every) if level <= low)
    last = min(k for k, level in enumerate(every) if level >= high)
    return every[first : max(last, first + 1) + 1]


def _drawing(curves: Curves, place: Any, y_ticks: Sequence[tuple[float, str]], words: str) -> dict[str, Any]:
    """Frame and lines: faint ones of the members as they are, a bold smoothed one of their mean, its name at the end.

    Args:
        curves: by head.
        place: values -> share of the height.
        y_ticks: share of the height and words.
        words: format of a value.
    """
    last = max(float(steps[-1]) for steps, _ in curves.values())
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def path(steps: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
        shares = place(values)
        return [
            (round(LEFT + wide * step / last, 1), round(TOP + tall * (1 - share), 1))
            for step, share in zip(steps.tolist(), shares.tolist(), strict=True)
        ]

    lines: list[dict[str, Any]] = []
    for head, (steps, members) in curves.items():
        mean = _middle(members)
        bold = path(steps, smooth(mean))
        dots = [
            {"x": x, "y": y, "text": f"{HEADS[head][0]}, step {int(step)}: {words.format(value)}"}
            for (x, y), step, value in zip(path(steps, mean), steps, mean, strict=True)
        ]
        lines.append({
            "name": HEADS[head][0], "chinese": HEADS[head][1], "ink": HEADS[head][2], "line": line(bold), "dots": dots,
            "faint": [line(path(steps, member)) for member in members], "y": bold[-1][1],
            "last": words.format(smooth(mean)[-1]),
        })  # fmt: skip
    for one, at in zip(lines, spread([float(one["y"]) for one in lines]), strict=True):
        one["label_y"] = at
    return {
        "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "floor": HEIGHT - BOTTOM,
        "x_ticks": [(round(LEFT + wide * step / last, 1), f"{step:,}") for step in _round_steps(int(last))],
        "y_ticks": [(round(TOP + tall * (1 - share), 1), text) for share, text in y_ticks],
        "lines": lines,
    }  # fmt: skip


def spread(places: Sequence[float], apart: float = LABEL_PX) -> list[float]:
    """Places moved as little as needs be, in their order, to stand at least `apart` from each other."""
    order = np.argsort(places, kind="stable")
    # Least squares under order: pool neighbours that would touch, each at its place less what the ones before take up.
    blocks: list[list[float]] = []
    for k, index in enumerate(order.tolist()):
        blocks.append([places[index] - k * apart])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    told = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks]) if blocks else np.zeros(0)
    out = np.empty(len(places))
    out[order] = told + apart * np.arange(len(places))
    return [round(float(at), 1) for at in out]


def _round_steps(last: int) -> list[int]:
    """0 and up to five round numbers of steps up to the last."""
    power = 10 ** max(0, len(str(last)) - 2)
    gap = next(one * power for one in (1, 2, 5, 10, 20, 50) if one * power * 5 >= last)
    return list(range(0, last + 1, gap))
