# SPDX-License-Identifier: Apache-2.0
"""From the first amount to the limit, a bar for each rule that moved it: a drawing that needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from html import escape

from acreline.report.read import Row
from acreline.report.words import word
from acreline.units import CURRENCIES_ZH

Pair = tuple[str, str]

WIDTH, ROW, GAP, TOP = 640, 24, 10, 6
NAMES, CHANGES, AMOUNTS = 180, 82, 104
"""Widths left of the bars for the rules' names, and right of them for what each changed and for what then stood."""
FULL, CUT, SUM = "#9fb8a8", "#edf0f2", "#0f6b5f"
"""Grey print tells them apart too: what stands is darker than what was taken away, which is dashed."""
LEAST = 1.5
TITLES: dict[bool, Pair] = {
    False: ("From the first amount to the limit", "从初始金额到额度"),
    True: ("What the amount would be: no limit stands yet", "参考金额：尚未核定额度"),
}
"""By whether a person decides."""


@dataclass(frozen=True)
class Bar:
    """One line of the drawing: what stands after a rule, and what it took away or added."""

    name: Pair
    before: Decimal
    after: Decimal
    kind: str
    """first, falls, rises or limit."""


def waterfall_bars(farm: Row) -> list[Bar]:
    """The rules of a farm's trail that set or moved its amount; of a referral, what the amount would have been.

    Args:
        farm: one of `tell_farms`' farms.
    """
    bars: list[Bar] = []
    so_far: Decimal | None = None
    for step in farm["trail"]:
        after = _amount(step["after"]) if step["after"] is not None else _would_be(step)
        if after is None or after == so_far:
            continue
        kind = "first" if so_far is None else "falls" if after < so_far else "rises"
        name = ("Rounded down", "向下取整") if step["code"] == "rounded_down" else word("rule", step["rule"])
        bars.append(Bar(name, so_far if so_far is not None else after, after, kind))
        so_far = after
    if so_far is not None:
        refers = farm["outcome"] == "refer"
        name = ("Would be", "参考额度") if refers else ("Limit", "额度")
        bars.append(Bar(name, so_far, so_far, "limit"))
    return bars


def waterfall_svg(bars: Sequence[Bar], currency: str, zh: bool, *, refers: bool = False) -> str:
    """The drawing as SVG for a page; empty without bars.

    Args:
        bars: of `waterfall_bars`.
        currency: of the amounts.
        zh: in Chinese.
        refers: nothing is granted: the last bar is an outline.
    """
    if not bars:
        return ""
    most = max(max(bar.before, bar.after) for bar in bars) or Decimal(1)
    room = WIDTH - NAMES - CHANGES - AMOUNTS
    height = TOP + len(bars) * (ROW + GAP) - GAP + TOP
    title = TITLES[refers][zh]
    hatch = f"would-be-{'zh' if zh else 'en'}"
    parts = [
        f'<svg class="waterfall" viewBox="0 0 {WIDTH} {height}" width="100%" role="img"><title>{title}</title>'
        f"<desc>{escape(_say(bars, currency, zh))}</desc>"
    ]
    if refers:
        parts.append(
            f'<defs><pattern id="{hatch}" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<rect width="6" height="6" fill="#ffffff"/><path d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5" stroke="{SUM}" '
            f'stroke-width="1.2"/></pattern></defs>'
        )
    for k, bar in enumerate(bars):
        y = TOP + k * (ROW + GAP)
        kept, whole = (
            _length(amount, most, room) for amount in (min(bar.before, bar.after), max(bar.before, bar.after))
        )
        middle = y + ROW / 2 + 4
        fill = f"url(#{hatch})" if refers else SUM if bar.kind == "limit" else FULL
        edge = f' stroke="{SUM}" stroke-dasharray="5 3"' if refers else ""
        bold = ' font-weight="bold"' if bar.kind == "limit" else ""
        parts.append(f'<text x="0" y="{middle}" font-size="12"{bold}>{escape(bar.name[zh])}</text>')
        parts.append(f'<rect x="{NAMES}" y="{y}" width="{kept}" height="{ROW}" fill="{fill}"{edge}/>')
        if whole > kept:
            dashed = ' stroke="#7b8790" stroke-dasharray="3 2"' if bar.kind == "falls" else f' stroke="{SUM}"'
            parts.append(
                f'<rect x="{NAMES + kept}" y="{y}" width="{round(whole - kept, 1)}" height="{ROW}" '
                f'fill="{CUT if bar.kind == "falls" else fill}"{dashed}/>'
            )
        if bar.kind in ("falls", "rises"):
            by = _plain(bar.after - bar.before, signed=True)
            parts.append(f'<text x="{WIDTH - AMOUNTS}" y="{middle}" text-anchor="end" font-size="11">{by}</text>')
        if k + 1 < len(bars):
            x = NAMES + _length(bar.after, most, room)
            parts.append(f'<path d="M{x:.1f} {y + ROW}v{GAP}" stroke="#7b8790"/>')
        amount = escape(print_amount(bar.after, currency, zh))
        parts.append(f'<text x="{WIDTH}" y="{middle}" text-anchor="end" font-size="12"{bold}>{amount}</text>')
    return "".join([*parts, "</svg>"])


def waterfall_lines(bars: Sequence[Bar], currency: str, zh: bool) -> list[str]:
    """The same in plain text, amounts aligned."""
    amounts = [print_amount(bar.after, currency, zh) for bar in bars]
    widest = max((len(text) for text in amounts), default=0)
    moved = [print_amount(bar.after - bar.before, currency, zh, signed=True) for bar in bars]
    left, right = ("（", "）") if zh else (" (", ")")
    return [
        f"{amount:>{widest}}  {bar.name[zh]}" + (f"{left}{by}{right}" if bar.kind in ("falls", "rises") else "")
        for bar, amount, by in zip(bars, amounts, moved, strict=True)
    ]


def _say(bars: Sequence[Bar], currency: str, zh: bool) -> str:
    joint = "；" if zh else "; "
    return joint.join(f"{bar.name[zh]} {print_amount(bar.after, currency, zh)}" for bar in bars)


def _length(amount: Decimal, most: Decimal, room: int) -> float:
    length = float(amount / most) * room
    return round(max(length, LEAST if amount > 0 else 0.0), 1)


def print_amount(amount: Decimal, currency: str, zh: bool, *, signed: bool = False) -> str:
    """12,300 CNY, 12,300元."""
    unit = CURRENCIES_ZH.get(currency) if zh else None
    return f"{_plain(amount, signed=signed)}{unit or f' {currency}'}".rstrip()


def _plain(amount: Decimal, *, signed: bool = False) -> str:
    text = f"{amount:+,f}" if signed else f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _amount(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None


def _would_be(step: Row) -> Decimal | None:
    told = next((value for name, value, *_ in step["evidence"] if name == "indicative_limit"), None)
    return None if told is None else _amount(told.split()[0].replace(",", ""))
