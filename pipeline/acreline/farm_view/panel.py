# SPDX-License-Identifier: Apache-2.0
"""The curve of one parcel: greenness through the season, its dates with their doubt, and what befell it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from acreline.farm_view.card import colour_of, event_name, name_of
from acreline.farm_view.style import FAINT, GRID, INK, MUTED, WORDS, month_label, shade, short_day
from acreline.report.words import word
from acreline.units import m2_to_mu

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from acreline.farm_view.view import FarmView

FLOOR, CEILING, STAGE_ROW = -0.07, 1.04, 0.17
"""Lower edge, where the dates begin above the curve, and the height of a row of them, all in NDVI."""
CLOUDY_AT = -0.035
Side = Literal["left", "center", "right"]
WORDS_SHARE = 0.14
"""Width of a date's words, as a share of the panel."""
STAGES: tuple[tuple[str, Side], ...] = (("emergence", "right"), ("peak", "center"), ("harvest", "left"))
PLATE = {"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none"}
"""Under words that a fine line may cross."""
ONE_DAY = np.timedelta64(1, "D")


def draw_panel(
    ax: Axes, view: FarmView, parcel_id: str, zh: int, *, number: int | None, shown: Sequence[date], last: bool
) -> None:
    """Draw one parcel.

    Args:
        ax: where.
        view: the farm.
        parcel_id: one of its parcels that were not refused.
        zh: 1 in Chinese, 0 in English.
        number: written before the parcel's name; None for the only one.
        shown: days whose pictures stand above.
        last: months are written below it.
    """
    row = view.parcels[(view.parcels["parcel_id"] == parcel_id) & (view.parcels["status"] != "rejected")].iloc[0]
    colour = colour_of(view, "crop", row["crop"])
    line = shade(colour)
    looks = view.looks[view.looks["parcel_id"] == parcel_id]
    seasons = view.seasons[view.seasons["parcel_id"] == parcel_id]
    dated = seasons[seasons[[stage for stage, _ in STAGES]].notna().any(axis=1)]
    curve = view.curve(parcel_id)
    days, ndvi = _moments(curve["date"]), curve["ndvi"].to_numpy()
    ax.fill_between(days, 0, np.clip(ndvi, 0, None), color=colour, alpha=0.22, lw=0, zorder=1)
    ax.plot(days, ndvi, color=line, lw=1.7, zorder=3, solid_capstyle="round")
    marks: tuple[tuple[str, dict[str, Any]], ...] = (
        ("cloudy", {"marker": "|", "s": 22, "color": FAINT, "lw": 0.8}),
        ("haze", {"marker": "o", "s": 13, "facecolors": "white", "edgecolors": MUTED, "lw": 0.8}),
        ("clear", {"marker": "o", "s": 15, "color": line, "edgecolors": "white", "lw": 0.6}),
    )
    for kind, style in marks:
        rows = looks[looks["kind"] == kind]
        values = np.full(len(rows), CLOUDY_AT) if kind == "cloudy" else rows["ndvi"].to_numpy()
        ax.scatter(_moments(rows["time"]), values, zorder=4, **style)
    if not (looks["kind"] == "clear").any():
        ax.text(0.5, 0.5, WORDS["no_look"][zh], transform=ax.transAxes, color=MUTED, ha="center", va="center")
    for day in shown:
        ax.axvline(_at(day), color=FAINT, lw=0.6, zorder=0)
    _events(ax, view, parcel_id, zh)
    _axes(ax, view, zh, CEILING + STAGE_ROW * max(1, len(dated)), last=last)
    for k, (_, season) in enumerate(dated.iterrows()):
        _stages(ax, season, CEILING + STAGE_ROW * k, line, zh)
    _heading(ax, view, row, colour, zh, number)


def _at(day: date) -> Any:
    """A day as an axis of dates takes it."""
    return np.datetime64(day)


def _moments(times: pd.Series[Any]) -> Any:
    return times.dt.tz_convert(None).to_numpy()


def _events(ax: Axes, view: FarmView, parcel_id: str, zh: int) -> None:
    """Shaded spans with their name; a start without an end is a day."""
    rows = view.events[(view.events["parcel_id"] == parcel_id) & view.events["start"].notna()]
    for _, event in rows.sort_values("start").iterrows():
        start = event["start"].tz_convert(None).to_datetime64()
        end = start + ONE_DAY if pd.isna(event["end"]) else event["end"].tz_convert(None).to_datetime64()
        colour = colour_of(view, "health", event["event"])
        ax.axvspan(start, max(end, start + ONE_DAY), color=colour, alpha=0.3, lw=0, zorder=0)
        name = event_name(view, event["event"])[zh]
        if not event["confirmed"]:
            name = f"{name}（{WORDS['suspected'][zh]}）" if zh else f"{name}, {WORDS['suspected'][zh]}"
        middle = start + (end - start) / 2
        ax.text(middle, 0.03, name, color=shade(colour, 0.6), size=7.5, ha="center", va="bottom", zorder=5)


def _stages(ax: Axes, season: Any, level: float, colour: str, zh: int) -> None:
    """Each dated stage as a mark above the curve, as wide as its doubt, with its day."""
    for stage, side in STAGES:
        if pd.isna(season[stage]):
            continue
        day: Any = season[stage].date()
        doubt = 0.0 if pd.isna(season[f"{stage}_doubt_days"]) else float(season[f"{stage}_doubt_days"])
        wide = timedelta(days=max(doubt, 0.5))
        ax.plot([day - wide, day + wide], [level] * 2, color=colour, lw=2.4, solid_capstyle="butt", zorder=5)
        ax.plot([day] * 2, [level - 0.035, level + 0.035], color=INK, lw=1.0, zorder=6)
        told = f"{word('ui', stage)[zh]} {short_day(day, zh)}"
        told += f" ±{doubt:.0f}{' 天' if zh else ' d'}" if doubt else ""
        side = _kept_inside(ax, day, side)
        at: Any = {"right": day + wide, "center": day, "left": day - wide}[side]
        ax.text(at, level + 0.045, told, color=INK, size=7.5, ha=side, va="bottom", zorder=5, bbox=PLATE)


def _kept_inside(ax: Axes, day: date, side: Side) -> Side:
    """Which side of its words a day stands on, so that they do not run out of the picture."""
    left, right = ax.get_xlim()
    axis: Any = ax.xaxis
    share = (float(axis.convert_units(_at(day))) - left) / (right - left)
    if side == "center":
        return "left" if share < WORDS_SHARE / 2 else "right" if share > 1 - WORDS_SHARE / 2 else "center"
    return "left" if share < WORDS_SHARE else "right" if share > 1 - WORDS_SHARE else side


def _axes(ax: Axes, view: FarmView, zh: int, top: float, *, last: bool) -> None:
    first, end = (date.fromisoformat(view.manifest["season"][name]) for name in ("start", "end"))
    ax.set_xlim(_at(first), _at(end))
    ax.set_ylim(FLOOR, top)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0", "", "0.5", "", "1"])
    ax.set_axisbelow(True)
    ax.grid(axis="y", color=GRID, lw=0.8)
    step = 1 if (end - first).days < 250 else 2
    months = [date(m // 12, m % 12 + 1, 1) for m in range(first.year * 12 + first.month - 1, end.year * 12 + end.month)]
    months = [day for day in months if first <= day <= end][::step]
    years = {day.year: day for day in reversed(months)}
    labels = [month_label(day, zh, year=years[day.year] == day) for day in months]
    ax.set_xticks([_at(day) for day in months], labels if last else [""] * len(months))
    ax.tick_params(length=3, color=FAINT, labelcolor=MUTED, labelsize=8, pad=2)
    ax.tick_params(axis="y", length=0)
    for name, spine in ax.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(FAINT)
    ax.set_ylabel("NDVI", color=MUTED, size=8, labelpad=2)
    as_of = view.decision.as_of
    if first < as_of < end:
        ax.axvline(_at(as_of), color=MUTED, lw=0.9, ls=(0, (3, 2)), zorder=2)
        told = f" {WORDS['as_of'][zh].format(day=as_of)}"
        ax.text(_at(as_of), 0.03, told, color=MUTED, size=7.5, va="bottom")


def _heading(ax: Axes, view: FarmView, row: Any, colour: str, zh: int, number: int | None) -> None:
    """Above the panel: number, parcel, crop (or all that cannot be told apart), land, and what is wrong with it."""
    told_apart = "" if pd.isna(row["crop_set"]) else str(row["crop_set"])
    crops = [slug for slug in told_apart.split("|") if slug] or [row["crop"]]
    names = word("ui", "or")[zh].join(name_of(view, "crop", slug)[zh] for slug in crops)
    if len(crops) == 1 and pd.notna(row["crop_confidence"]) and row["crop_confidence"] > 0:
        names = f"{names} {row['crop_confidence']:.0%}"
    area = "–" if pd.isna(row["area_m2"]) else f"{m2_to_mu(row['area_m2']):,.1f} {word('ui', 'mu')[zh]}"
    told = [str(row["parcel_id"]), names, area]
    if row["status"] != "ok":
        told.append(word("status", row["status"])[zh])
    if pd.notna(row["reason"]):
        told.append(word("flag", row["reason"])[zh])
    text = f"{'' if number is None else f'{number}   '}{'  ·  '.join(told)}"
    ax.annotate("■", (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", color=colour, size=10,
                va="bottom")  # fmt: skip
    ax.annotate(text, (0, 1), (14, 3.5), xycoords="axes fraction", textcoords="offset points", color=INK, size=9,
                va="bottom", bbox=PLATE)  # fmt: skip
