# SPDX-License-Identifier: Apache-2.0
"""One farm in one picture: clear days of its season above, the greenness curves of its largest parcels below."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import structlog

from acreline.errors import AcrelineError, ConfigError
from acreline.farm_view import card
from acreline.farm_view.chips import CHIPS, Chip, draw_chip, read_chips
from acreline.farm_view.panel import draw_panel
from acreline.farm_view.style import FAINT, INK, MUTED, WORDS, chinese_font, shade
from acreline.report.field import NDVI_STEPS
from acreline.report.words import word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from acreline.farm_view.view import FarmView

log = structlog.get_logger(__name__)

MOST_PARCELS = 3
WIDTH_IN = 10.0
"""At 100 dots an inch a figure is 1000 px wide."""
DPI = 100
LEFT_IN, RIGHT_IN = 0.5, 0.2
HEAD_IN, LINE_IN = 0.62, 0.18
CHIP_IN, DATE_IN, LEADER_IN, HEADING_IN = 1.45, 0.24, 0.58, 0.27
LINE_CHARS = (130, 64)
"""Most characters of a line below the title, in English and in Chinese."""
FIRST_IN, NEXT_IN, BETWEEN_IN, FOOT_IN = 2.0, 1.5, 0.45, 0.94
SMALL_IN, SMALL_CHARS = 0.15, (170, 84)
"""Height and most characters of a line of the small print at the foot, in English and in Chinese."""


def plot_farm(view: FarmView, lang: str, chips: str) -> Figure:
    """Draw it; see `FarmView.plot`."""
    if lang not in ("en", "zh"):
        raise ConfigError(f"plot: {lang!r} is not spoken", hint="lang is en or zh")
    if chips not in CHIPS:
        raise ConfigError(f"plot: {chips!r} are no chips", hint=f"chips is one of {', '.join(CHIPS)}")
    try:
        import matplotlib as mpl
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ConfigError(
            "a farm's picture needs matplotlib, which is not installed", hint="pip install 'acreline[notebooks]'"
        ) from error
    font = chinese_font()
    if lang == "zh" and font is None:
        log.warning("no Chinese font on this machine: the labels are English")
        lang = "en"
    families = ["DejaVu Sans", *([font] if font else [])]
    with mpl.rc_context({"font.family": families, "font.size": 9, "axes.unicode_minus": False}):
        figure = _draw(view, int(lang == "zh"), chips, plt)
    plt.close(figure)  # a notebook shows what a cell returns: once, not twice
    return figure


def _draw(view: FarmView, zh: int, kind: str, plt: Any) -> Figure:
    shown = view.measured_ids[:MOST_PARCELS]
    pictures, trouble = _pictures(view, shown, kind)
    lines = _lines(view, zh)
    if trouble:
        lines += textwrap.wrap(WORDS["no_pictures"][zh].format(why=trouble), LINE_CHARS[0])[:3]
    if not shown:
        lines.append(WORDS["no_parcel"][zh])
    head = HEAD_IN + LINE_IN * len(lines)
    tall = min(CHIP_IN, CHIP_IN * pictures[0].tallness) if pictures else 0.0
    strip = tall + DATE_IN + LEADER_IN if pictures else 0.36
    panels = [FIRST_IN, *[NEXT_IN] * (len(shown) - 1)] if shown else []
    told = ("；" if zh else "; ").join(pair[zh] for pair in card.notices(view))
    small = textwrap.wrap(told, SMALL_CHARS[zh])
    foot = SMALL_IN * max(0, len(small) - 1)
    height = head + strip + sum(panels) + BETWEEN_IN * max(0, len(panels) - 1) + FOOT_IN + foot
    figure: Figure = plt.figure(figsize=(WIDTH_IN, height), dpi=DPI, facecolor="white")
    _title(figure, view, zh, lines, height)

    def place(left: float, upper: float, width: float, tall: float) -> Axes:
        """Axes by inches from the upper left corner."""
        share = (left / WIDTH_IN, 1 - (upper + tall) / height, width / WIDTH_IN, tall / height)
        ax: Axes = figure.add_axes(share)
        return ax

    wide, at, curves = WIDTH_IN - LEFT_IN - RIGHT_IN, head + strip, []
    numbers = {parcel_id: k for k, parcel_id in enumerate(shown, start=1)} if len(view.measured_ids) > 1 else {}
    for parcel_id, high in zip(shown, panels, strict=True):
        ax = place(LEFT_IN, at, wide, high)
        days = [chip.day for chip in pictures]
        draw_panel(ax, view, parcel_id, zh, number=numbers.get(parcel_id), shown=days, last=parcel_id == shown[-1])
        curves.append(ax)
        at += high + BETWEEN_IN
    room = (wide - CHIP_IN * len(pictures)) / max(1, len(pictures) - 1)
    for k, chip in enumerate(pictures):
        ax = place(LEFT_IN + k * (CHIP_IN + room), head, CHIP_IN, tall)
        draw_chip(ax, chip, kind, zh, numbers if k == 0 else {}, scale=k == len(pictures) - 1)
        _leader(figure, ax, curves[0], chip)
    if pictures and kind == "ndvi":
        _key(place(WIDTH_IN - RIGHT_IN - 1.3, HEAD_IN - 0.12, 1.0, 0.09))
    for k, line in enumerate(small):
        low = (0.09 + foot - SMALL_IN * k) / height
        figure.text(LEFT_IN / WIDTH_IN, low, line, size=7.5, color=MUTED, va="baseline")
    if shown:
        _legend(figure, view, shown, zh, height, foot)
    return figure


def _pictures(view: FarmView, shown: tuple[str, ...], kind: str) -> tuple[list[Chip], str]:
    """The chips, or why there are none; a curve is worth drawing without them."""
    if kind == "none" or not shown:
        return [], ""
    try:
        return read_chips(view, shown[0]), ""
    except AcrelineError as error:
        log.warning("no pictures of the farm", farm=view.farm_id, error=str(error), hint=error.hint)
        return [], f"{error} ({error.hint})"


def _lines(view: FarmView, zh: int) -> list[str]:
    """What stands below the title: the first reason, and whatever asks for a person."""
    told = [pair[zh] for pair in card.reasons(view.decision)[:1]]
    raised = ("、" if zh else ", ").join(pair[zh] for pair in card.flags(view))
    if raised:
        told.append(f"{word('ui', 'asks_person')[zh]}{'：' if zh else ': '}{raised}")
    return [line for text in told for line in textwrap.wrap(text, LINE_CHARS[zh])]


def _title(figure: Figure, view: FarmView, zh: int, lines: list[str], height: float) -> None:
    """Who and how much, what was decided and why."""
    left, right = LEFT_IN / WIDTH_IN, 1 - RIGHT_IN / WIDTH_IN
    base = 1 - 0.38 / height
    name = figure.text(left, base, view.farm_id, size=15, weight="bold", color=INK, va="baseline")
    wide = name.get_window_extent(figure.canvas.get_renderer()).width / DPI  # type: ignore[attr-defined]
    facts = "  ·  ".join((card.land(view.facts.area_m2)[zh], card.crop_with_confidence(view)[zh]))
    figure.text(left + (wide + 0.18) / WIDTH_IN, base, facts, size=11, color=INK, va="baseline")
    decided, colour = card.outcome(view.decision)[zh], card.OUTCOME_COLOURS[view.decision.outcome]
    figure.text(right, base, decided, size=11, weight="bold", color=colour, va="baseline", ha="right")
    for k, line in enumerate(lines):
        figure.text(left, 1 - (0.6 + LINE_IN * k) / height, line, size=8.5, color=MUTED, va="baseline")


def _leader(figure: Figure, chip_axes: Axes, curve_axes: Axes, chip: Chip) -> None:
    """A fine line from a chip down to its day on the first curve, straight down past the words above the curve."""
    import numpy as np
    from matplotlib.lines import Line2D

    wide, high = figure.bbox.width, figure.bbox.height
    box, top = chip_axes.bbox, curve_axes.bbox.y1
    axis: Any = curve_axes.xaxis
    x = float(curve_axes.transData.transform((axis.convert_units(np.datetime64(chip.day)), 0.0))[0])
    points = [((box.x0 + box.x1) / 2, box.y0 - DATE_IN * DPI), (x, top + HEADING_IN * DPI), (x, top)]
    line = Line2D([left / wide for left, _ in points], [low / high for _, low in points], color=FAINT, lw=0.7)
    line.set_zorder(-1)
    figure.add_artist(line)


def _key(ax: Axes) -> None:
    """What the colours of NDVI chips mean."""
    import numpy as np
    from matplotlib.colors import ListedColormap

    ax.imshow(np.arange(len(NDVI_STEPS))[None], cmap=ListedColormap(list(NDVI_STEPS)), aspect="auto")
    ax.set_axis_off()
    for share, told, side in ((-0.04, "NDVI 0", "right"), (1.04, "1", "left")):
        ax.text(share, 0.4, told, transform=ax.transAxes, size=8, color=MUTED, ha=side, va="center")


def _legend(figure: Figure, view: FarmView, shown: tuple[str, ...], zh: int, height: float, foot: float) -> None:
    """Only marks that are there; `foot` inches above their usual place."""
    from matplotlib.lines import Line2D

    mine = view.looks[view.looks["parcel_id"].isin(shown)]
    colour = shade(card.colour_of(view, "crop", view.facts.main_crop))
    marks = {
        "smooth": Line2D([], [], color=colour, lw=1.7),
        "clear": Line2D([], [], color=colour, marker="o", ls="", ms=4.5),
        "haze": Line2D([], [], mfc="white", mec=MUTED, mew=0.8, marker="o", ls="", ms=4.5),
        "cloudy": Line2D([], [], color=FAINT, marker="|", ls="", ms=6, mew=0.9),
    }
    kinds = {"smooth", *mine["kind"]}
    names = [name for name in marks if name in kinds]
    figure.legend(
        [marks[name] for name in names],
        [WORDS[name][zh] for name in names],
        loc="lower left",
        bbox_to_anchor=((LEFT_IN - 0.1) / WIDTH_IN, (0.22 + foot) / height),
        ncols=4,
        frameon=False,
        fontsize=8,
        labelcolor=MUTED,
        handletextpad=0.5,
        columnspacing=1.6,
        borderaxespad=0.25,
    )
    where = [str(view.manifest["region"]), WORDS["as_of"][zh].format(day=view.decision.as_of)]
    smaller = len(view.measured_ids) - len(shown)
    if smaller:
        where.insert(0, WORDS["smaller"][zh].format(n=smaller))
    right, low = 1 - RIGHT_IN / WIDTH_IN, (0.32 + foot) / height
    figure.text(right, low, "  ·  ".join(where), size=8, color=MUTED, ha="right", va="baseline")
