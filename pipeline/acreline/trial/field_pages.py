# SPDX-License-Identifier: Apache-2.0
"""Health and yield of single fields as a page each, that needs no network, no script and no font."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.codes import find_code, split_codes
from acreline.trial.charts import line, place_x, place_y, square_frame
from acreline.trial.curves_drawn import INKS
from acreline.trial.page import group_name, render_page

if TYPE_CHECKING:
    import pandas as pd

Pair = tuple[str, str]
MOST_CURVES = 12
"""Fields whose season is drawn: those of most looks."""
MOST_DOTS = 1500
"""Of more pairs every few are drawn, so that a page stays light; the figures are of all."""
LEAF_AREA = re.compile(
    r"(?<![a-z])([gp]?lai|gai)(?![a-z])|leaf[^a-z]?area[^a-z]?index|^(green[^a-z]?)?leaf[^a-z]?area$"
)
"""A measured column so named, in small letters, is on the scale of what is told; leaf nitrogen and the like are not."""
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def render_yield(metrics: Mapping[str, Any], told: pd.DataFrame) -> str:
    """The page of `evaluate_yield`.

    Args:
        metrics: what it returns.
        told: id, date, crop, value, low, high, code, known and mean of each field, t/ha.
    """
    crops = sorted(set(told["crop"].astype(str)))
    inks = {crop: INKS[k % len(INKS)] for k, crop in enumerate(crops)}
    known = told[told["known"].notna() & told["value"].notna()]
    compared = metrics["interval_90"] is not None  # a drawing of one or two fields would look like a comparison
    return render_page(
        "fields.html.j2",
        "report.css",
        "fields.css",
        m=metrics,
        task="yield",
        codes=_codes(metrics["codes"]),
        scatter=_yield_scatter(known, inks) if compared else None,
        legend=[(inks[crop], _crop(crop)) for crop in sorted(set(known["crop"].astype(str)))],
        fields=[_yield_row(row) for row in told.sort_values("id").to_dict("records")],
        contradicted=[_contradicted(one) for one in metrics["contradicted"]],
        measured=[],
        curves=[],
    )


def render_health(metrics: Mapping[str, Any], told: pd.DataFrame, measured: pd.DataFrame) -> str:
    """The page of `evaluate_health`.

    Args:
        metrics: what it returns.
        told: id, date, value, low, high and code of each look.
        measured: what else stands in the same rows, in the same order.
    """
    used = (told["code"] == "").to_numpy()
    leaf = next((name for name in metrics["measured"] if LEAF_AREA.search(name.lower())), None)
    parts = []
    for column, figures in metrics["measured"].items():
        numbers = _numbers(measured[column])
        both = used & np.isfinite(numbers) & told["value"].notna().to_numpy()
        same_scale = LEAF_AREA.search(column.lower()) is not None
        parts.append(
            {
                "name": column,
                "figures": figures,
                "rivals": [(name, figures[name]) for name in ("leaf area", "NDVI", "NDRE")],
                "scatter": _scatter(numbers[both], told["value"].to_numpy(np.float64)[both], same_scale),
            }
        )
    return render_page(
        "fields.html.j2",
        "report.css",
        "fields.css",
        m=metrics,
        task="health",
        codes=_codes(metrics["codes"]),
        scatter=None,
        legend=[],
        fields=[],
        contradicted=[],
        measured=parts,
        curves=_curves(told[used], None if leaf is None else _numbers(measured[leaf])[used]),
    )


def _crop(slug: str) -> Pair:
    return group_name(slug) if slug else ("not said", "未说明")


def _codes(counts: Mapping[str, int]) -> list[tuple[int, Pair]]:
    return [(count, _short(code)) for code, count in counts.items() if count]


def _short(code: str) -> Pair:
    english, chinese = find_code(code).short
    return english, chinese


# --- yield ----------------------------------------------------------------------------------------------------------
def _yield_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        **{name: None if _missing(row[name]) else row[name] for name in ("value", "low", "high", "known", "mean")},
        "id": row["id"],
        "date": row["date"],
        "crop": _crop(row["crop"]),
        "codes": [_short(code) for code in split_codes(row["code"])],
    }


def _contradicted(one: Mapping[str, Any]) -> dict[str, Any]:
    names = {name: group_name(one[name]) if one[name] else None for name in ("declared", "harvested", "like")}
    return {"id": one["id"], "ripened": one["ripened"], **names}


def _yield_scatter(told: pd.DataFrame, inks: Mapping[str, str]) -> dict[str, Any]:
    """Told against harvested, each with its interval, and the line on which both are the same."""
    top = _round_up(float(told[["known", "high"]].max().max()))
    marks = [
        {
            "x": place_x(row["known"] / top),
            "y": place_y(row["value"] / top),
            "low": place_y(row["low"] / top),
            "high": place_y(row["high"] / top),
            "ink": inks[row["crop"]],
            "text": f"{row['id']}: told {row['value']:.1f} ({row['low']:.1f} to {row['high']:.1f}), "
            f"harvested {row['known']:.1f} t/ha",
        }
        for row in told.to_dict("records")
    ]
    return _frame(top, top) | {"marks": marks, "diagonal": line([(place_x(0), place_y(0)), (place_x(1), place_y(1))])}


# --- health ---------------------------------------------------------------------------------------------------------
def _scatter(true: npt.NDArray[np.float64], told: npt.NDArray[np.float64], same_scale: bool) -> dict[str, Any]:
    low = min(0.0, float(true.min()))
    right, top = _round_up(float(true.max()) - low), _round_up(float(told.max()))
    if same_scale:
        right = top = max(right, top)
    step = math.ceil(len(true) / MOST_DOTS)
    dots = [
        {"x": place_x((x - low) / right), "y": place_y(max(0.0, y / top)), "text": f"measured {x:.2f}, told {y:.2f}"}
        for x, y in zip(true[::step].tolist(), told[::step].tolist(), strict=True)
    ]
    diagonal = line([(place_x(0), place_y(0)), (place_x(1), place_y(1))]) if same_scale and low == 0 else None
    return _frame(right, top, low) | {"dots": dots, "diagonal": diagonal, "thinned": step > 1}


def _curves(told: pd.DataFrame, measured: npt.NDArray[np.float64] | None) -> list[dict[str, Any]]:
    """Leaf area through the season of the fields that were looked at most, two looks and more."""
    import pandas as pd

    table = told.assign(day=pd.to_datetime(told["date"]), measured=np.nan if measured is None else measured)
    table = table[table["value"].notna()]
    looks = table.groupby("id").size()
    names = sorted(looks[looks >= 2].sort_values(ascending=False, kind="stable").index[:MOST_CURVES])
    if not names:
        return []
    table = table[table["id"].isin(names)]
    first, last = table["day"].min(), table["day"].max()
    span = max((last - first).days, 1)
    top = _round_up(float(np.nanmax(table[["high", "measured"]].to_numpy(np.float64))))
    starts = pd.date_range(first, last, freq="MS")
    ticks = [((day - first).days / span, MONTHS[day.month - 1]) for day in starts[:: math.ceil(len(starts) / 6) or 1]]
    frame = square_frame(ticks, [(k / 4, f"{top * k / 4:g}") for k in range(0, 5, 2)])
    out = []
    for name in names:
        rows = table[table["id"] == name].sort_values("day")
        x = [place_x(days / span) for days in (rows["day"] - first).dt.days.tolist()]
        low, middle, high, known = (
            [place_y(min(max(value / top, 0), 1)) if value == value else None for value in rows[column].tolist()]
            for column in ("low", "value", "high", "measured")
        )
        band = list(zip(x, high, strict=True)) + list(zip(x, low, strict=True))[::-1]
        dots = [{"x": at, "y": y} for at, y in zip(x, known, strict=True) if y is not None]
        out.append(
            frame
            | {
                "name": name,
                "line": line(list(zip(x, middle, strict=True))),  # type: ignore[arg-type]
                "band": line(band) + "Z",  # type: ignore[arg-type]
                "dots": dots,
            }
        )
    return out


def _frame(right: float, top: float, low: float = 0.0) -> dict[str, Any]:
    return square_frame(
        [(k / 4, f"{low + right * k / 4:.3g}") for k in range(5)], [(k / 4, f"{top * k / 4:.3g}") for k in range(5)]
    )


def _round_up(value: float) -> float:
    """The next number that four ticks divide well."""
    if not value > 0:
        return 1.0
    size = 10 ** math.floor(math.log10(value))
    return float(next(step * size for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * size >= value))


def _numbers(column: pd.Series[Any]) -> npt.NDArray[np.float64]:
    import pandas as pd

    numbers: npt.NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)  # an infinite one would be the end of an axis


def _missing(value: Any) -> bool:
    return value is None or value != value
