# SPDX-License-Identifier: Apache-2.0
"""Concentration of a book in words, for a terminal and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from acreline.review.compare import records
from acreline.review.concentration import COUNTY, CROP, PERSON, SIZE, Concentration, Spread
from acreline.review.files import SIMULATED
from acreline.review.page import Page, Section, Words, bars, money
from acreline.review.policy_page import aligned

SHOWN = 8
"""Groups of a kind that are shown; the table in CSV has all."""
KINDS: Mapping[str, Words] = {
    CROP: ("crop", "作物"),
    PERSON: ("person", "申请人"),
    COUNTY: ("county", "县"),
    SIZE: ("size of farm", "农场规模"),
}
BASIS: Words = (
    "Limits as they stand now, with what people granted or took. A limit stands on the crops of its farm as their "
    "cautious harvest worth does, on places as the farm's drawn land does.",
    "额度为当前有效额度，含人工决定。额度按各作物的保守产值分摊到作物，按农场地块面积分摊到地域。",
)
EQUAL: Words = (
    "As many equal groups would be spread as well: 1 divided by the sum of squared shares.",
    "等效组数为份额平方和的倒数：相当于多少个同等大小的组。",
)


def concentration_lines(found: Concentration) -> list[str]:
    """The book by kind of group for a terminal, the largest groups of each first."""
    lines = ["on simulated data"] if found.simulated else []
    lines.append(
        f"{found.name}: {money(found.limit)} {found.currency} in limits that stand, "
        f"for {found.granted} of {found.farms} farms"
        + (f", {found.by_people} of them set by people" if found.by_people else "")
    )
    titles = [
        "",
        "farms",
        "land (mu)",
        f"worth, low ({found.currency})",
        "share",
        f"limits ({found.currency})",
        "share",
    ]
    for spread in found.spreads:
        rows = _rows(found, spread.by)
        lines += ["", f"by {_kind(spread.by)[0]}: {spread_words(spread)[0]}"]
        lines += aligned([titles, *(_cells(row) for row in rows[:SHOWN])])
        if len(rows) > SHOWN:
            most = rows[SHOWN]["limit_share"]
            lines.append(f"and {len(rows) - SHOWN} more, {f'none above {most:.1%}' if most else 'without limits'}")
    return lines


def spread_words(spread: Spread) -> Words:
    """One kind's spread in a sentence."""
    if spread.groups == 1:
        return (f"all on {spread.largest}", f"全部集中于{spread.largest}")
    return (
        f"{spread.largest} bears {spread.largest_share:.1%}, the largest of {spread.groups}; spread as "
        f"{spread.effective:.1f} equal groups (index {spread.index:.3f})",
        f"共{spread.groups}组，最大为{spread.largest}，占{spread.largest_share:.1%}；相当于{spread.effective:.1f}个等大的组"
        f"（指数{spread.index:.3f}）",
    )


def _kind(by: str) -> Words:
    return KINDS.get(by, (by, by))


def _rows(found: Concentration, by: str) -> list[dict[str, Any]]:
    return [row for row in records(found.table) if row["by"] == by]


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [row["group"], str(row["farms"]), f"{row['land_mu']:,.1f}", money(row["worth_low"]),
            f"{row['worth_share']:.1%}", money(row["limit"]), f"{row['limit_share']:.1%}"]  # fmt: skip


def concentration_figures(found: Concentration) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "regions": found.name,
        "simulated": found.simulated,
        "currency": found.currency,
        "farms": found.farms,
        "granted": found.granted,
        "by_people": found.by_people,
        "limit": found.limit,
        "spread": [
            {"by": one.by, "groups": one.groups, "largest": one.largest, "largest_share": one.largest_share,
             "index": one.index, "effective": one.effective}
            for one in found.spreads
        ],
        "groups": records(found.table),
    }  # fmt: skip


def concentration_page(found: Concentration) -> Page:
    """The book as a page: a chart and a table for each kind of group."""
    cards: list[tuple[str, Words]] = [
        (money(found.limit), (f"limits, {found.currency}", f"额度合计，{found.currency}")),
        (f"{found.granted} / {found.farms}", ("farms with a limit", "有额度的农户")),
    ]
    cards += [
        (f"{one.largest_share:.0%}", (f"on the largest {_kind(one.by)[0]}", f"最大{_kind(one.by)[1]}占比"))
        for one in found.spreads
        if one.groups > 1
    ]
    sections = [_section(found, one) for one in found.spreads]
    title = (f"{found.name}: concentration", f"{found.name}：集中度")
    return Page(title, BASIS, cards, sections, [SIMULATED] if found.simulated else [])


def _section(found: Concentration, spread: Spread) -> Section:
    rows = _rows(found, spread.by)
    kind, head = _kind(spread.by), found.currency
    heads: Sequence[Words] = [kind, ("farms", "农户"), ("land, mu", "面积，亩"),
                              (f"worth, low, {head}", f"保守产值，{head}"), ("share", "占比"),
                              (f"limits, {head}", f"额度，{head}"), ("share", "占比")]  # fmt: skip
    notes: list[Words] = [spread_words(spread), EQUAL] if spread.groups > 1 else [spread_words(spread)]
    if len(rows) > SHOWN:
        rest = len(rows) - SHOWN
        notes.append((f"{rest} more stand in concentration.csv.", f"其余{rest}组见 concentration.csv。"))
    drawn = [(row["group"], (100 * row["limit_share"],)) for row in rows[:SHOWN]]
    chart = bars(drawn, [("share of limits, %", "额度占比，%")], unit=" %") if spread.groups > 1 else None
    title = (f"By {kind[0]}", f"按{kind[1]}")
    return Section(title, heads, [_cells(row) for row in rows[:SHOWN]], notes, chart)
