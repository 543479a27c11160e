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

GAP, TOP, AMOUNTS = 10, 6, 104
"""Between bars, above the first and below the last, and what amounts take at the right of a wide drawing."""
FULL, CUT, SUM = "#9fb8a8", "#edf0f2", "#0f6b5f"
"""Grey print tells them apart too: what stands is darker than what was taken away, which is dashed."""
LEAST = 1.5
TITLES: dict[bool, Pair] = {
    False: ("From the first amount to the limit", "从初始金额到额度"),
    True: ("What the amount would be: no limit stands yet", "参考金额：尚未核定额度"),
}
"""By whether a person decides."""


@dataclass(frozen=True)
class Sheet:
    """Measures of one drawing, in its own units."""

    css: str
    """Class beside `waterfall`: the page's style shows one of the two."""
    width: int
    names: int
    """Left of the bars, for the rules' names; 0: name and amount stand above their bar."""
    right: int
    """Right of the bars, for what each changed and what then stood; of names above, for the change alone."""
    row: int
    """Height of a bar."""
    text: int

    @property
    def lead(self) -> int:
        """Height of the line above a bar."""
        return 0 if self.names else self.text + 6


WIDE = Sheet("", 640, 180, 186, 24, 12)
NARROW = Sheet(" narrow", 320, 0, 84, 14, 13)
"""On a telephone of 360 px its text is 13 px tall where that of the wide one would be 6."""


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


def waterfall_pair(farm: Row) -> Pair:
    """The drawings of one of `tell_farms`' farms in English and Chinese; empty where no amount was told."""
    bars, currency, refers = waterfall_bars(farm), farm["limit_currency"] or "", farm["outcome"] == "refer"
    english, chinese = (waterfall_drawings(bars, currency, zh, refers=refers) for zh in (False, True))
    return english, chinese


def waterfall_drawings(bars: Sequence[Bar], currency: str, zh: bool, *, refers: bool = False) -> str:
    """The drawing for a page of any width: a wide and a narrow SVG, of which its style shows one; empty without bars.

    Args:
        bars: of `waterfall_bars`.
        currency: of the amounts.
        zh: in Chinese.
        refers: nothing is granted: the bars are outlines.
    """
    return "".join(waterfall_svg(bars, currency, zh, refers=refers, sheet=sheet) for sheet in (WIDE, NARROW))


def waterfall_svg(bars: Sequence[Bar], currency: str, zh: bool, *, refers: bool = False, sheet: Sheet = WIDE) -> str:
    """One drawing as SVG; empty without bars.

    Args:
        bars: of `waterfall_bars`.
        currency: of the amounts.
        zh: in Chinese.
        refers: nothing is granted: the bars are outlines.
        sheet: its measures.
    """
    if not bars:
        return ""
    most = max(max(bar.before, bar.after) for bar in bars) or Decimal(1)
    room, step = sheet.width - sheet.names - sheet.right, sheet.lead + sheet.row + GAP
    height = TOP + len(bars) * step - GAP + TOP
    title = TITLES[refers][zh]
    hatch = f"would-be-{'zh' if zh else 'en'}{sheet.css.replace(' ', '-')}"
    parts = [
        f'<svg class="waterfall{sheet.css}" viewBox="0 0 {sheet.width} {height}" width="100%" role="img">'
        f"<title>{title}</title><desc>{escape(_say(bars, currency, zh))}</desc>"
    ]
    if refers:
        parts.append(
            f'<defs><pattern id="{hatch}" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<rect width="6" height="6" fill="#ffffff"/><path d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5" stroke="{SUM}" '
            f'stroke-width="1.2"/></pattern></defs>'
        )
    for k, bar in enumerate(bars):
        y = TOP + k * step + sheet.lead
        kept, whole = (
            _length(amount, most, room) for amount in (min(bar.before, bar.after), max(bar.before, bar.after))
        )
        middle = y + sheet.row / 2 + 4
        line = y - 5 if sheet.lead else middle
        fill = f"url(#{hatch})" if refers else SUM if bar.kind == "limit" else FULL
        edge = f' stroke="{SUM}" stroke-dasharray="5 3"' if refers else ""
        bold = ' font-weight="bold"' if bar.kind == "limit" else ""
        size = f' font-size="{sheet.text}"'
        parts.append(f'<text x="0" y="{line}"{size}{bold}>{escape(bar.name[zh])}</text>')
        parts.append(f'<rect x="{sheet.names}" y="{y}" width="{kept}" height="{sheet.row}" fill="{fill}"{edge}/>')
        if whole > kept:
            dashed = ' stroke="#7b8790" stroke-dasharray="3 2"' if bar.kind == "falls" else f' stroke="{SUM}"'
            parts.append(
                f'<rect x="{sheet.names + kept}" y="{y}" width="{round(whole - kept, 1)}" height="{sheet.row}" '
                f'fill="{CUT if bar.kind == "falls" else fill}"{dashed}/>'
            )
        if bar.kind in ("falls", "rises"):
            by, end = _plain(bar.after - bar.before, signed=True), sheet.width - (AMOUNTS if sheet.names else 0)
            parts.append(f'<text x="{end}" y="{middle}" text-anchor="end"{size}>{by}</text>')
        if sheet.names and k + 1 < len(bars):
            x = sheet.names + _length(bar.after, most, room)
            parts.append(f'<path d="M{x:.1f} {y + sheet.row}v{GAP}" stroke="#7b8790"/>')
        amount = escape(print_amount(bar.after, currency, zh))
        parts.append(f'<text x="{sheet.width}" y="{line}" text-anchor="end"{size}{bold}>{amount}</text>')
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
