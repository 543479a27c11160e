# SPDX-License-Identifier: Apache-2.0
"""Two decisions of every farm in words, figures and as a page; a policy diff and a challenger are told alike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from acreline.review.compare import DIMENSIONS, KINDS, MONEY, Comparison
from acreline.review.files import SIMULATED
from acreline.review.page import Page, Section, Words, bars, money
from acreline.review.policy_diff import PolicyDiff

MOST_FARMS = 200
"""On the page; the table of the folder holds them all."""
KIND_WORDS: dict[str, Words] = {
    "gains": ("gain", "额度提高"),
    "loses": ("lose", "额度降低"),
    "same": ("same", "不变"),
    "to_person": ("to a person", "转人工"),
    "from_person": ("from a person", "不再转人工"),
}
DIMENSION_WORDS: dict[str, Words] = {
    "outcome": ("by outcome", "按结果"),
    "crop": ("by main crop", "按主要作物"),
    "county": ("by county", "按县"),
    "size": ("by size of the farm", "按农户规模"),
}
HEAD: tuple[Words, ...] = (
    ("farms", "农户"),
    *KIND_WORDS.values(),
    ("limits old", "旧额度"),
    ("limits new", "新额度"),
    ("gained", "增加"),
    ("lost", "减少"),
    ("money to a person", "转人工金额"),
    ("money from a person", "人工转回金额"),
)


def diff_lines(diff: PolicyDiff) -> list[str]:
    """A policy diff for a terminal: what was asked, all farms, then each dimension."""
    lines = ["on simulated data"] if diff.simulated else []
    lines += [f"old {diff.old}", f"new {diff.new}", *diff.notes]
    return lines + comparison_lines(diff.comparison)


def comparison_lines(found: Comparison) -> list[str]:
    """Counts and sums by group, money in whole units."""
    titles = ["", "farms", *(KIND_WORDS[kind][0] for kind in KINDS), "old", "new", "difference"]
    rows = [titles]
    for row in found.groups.to_dict("records"):
        name = "all farms" if row["by"] == "all" else f"{row['by']} {row['group']}"
        moved = row["limit_new"] - row["limit_old"]
        rows.append(
            [name, *(str(row[one]) for one in ("farms", *KINDS)), money(row["limit_old"]), money(row["limit_new"]),
             f"{moved:+,.0f}"]
        )  # fmt: skip
    lines = aligned(rows)
    lines.append(f"limits in {found.currency}; a referred farm has none: what a person will grant is not known")
    return lines


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells in columns: the first to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    out = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        out.append("  ".join(cells).rstrip())
    return out


def diff_figures(diff: PolicyDiff) -> dict[str, Any]:
    """All of a diff as plain values."""
    return {
        "old": diff.old,
        "new": diff.new,
        "regions": diff.name,
        "simulated": diff.simulated,
        "notes": list(diff.notes),
        "currency": diff.comparison.currency,
        "groups": diff.comparison.groups.to_dict("records"),
        "farms": diff.comparison.farms.to_dict("records"),
    }


def diff_page(diff: PolicyDiff) -> Page:
    """A diff as a page."""
    title = (f"{diff.name}: two policies on the same farms", f"{diff.name}：同一批农户，两种政策")
    under = (
        f"Old {diff.old}, new {diff.new}, on the facts and the day of each run. Nothing was granted.",
        f"旧 {diff.old}，新 {diff.new}，依据各次运行的事实与日期；未发放任何额度。",
    )
    notices = [*([SIMULATED] if diff.simulated else []), *((note, "") for note in diff.notes)]
    return Page(title, under, comparison_cards(diff.comparison), comparison_sections(diff.comparison), notices)


def comparison_cards(found: Comparison) -> list[tuple[str, Words]]:
    """The main numbers of all farms."""
    whole = found.groups.to_dict("records")[0]
    cards = [(str(whole["farms"]), ("farms", "农户"))]
    cards += [(str(whole[kind]), KIND_WORDS[kind]) for kind in KINDS]
    moved = whole["limit_new"] - whole["limit_old"]
    return [*cards, (f"{moved:+,.0f}", (f"limits, {found.currency}", f"额度变化，{found.currency}"))]


def comparison_sections(found: Comparison) -> list[Section]:
    """Charts by crop and by size, a table per dimension, and the farms that move most."""
    rows = found.groups.to_dict("records")
    out = []
    for name in ("crop", "size"):
        named = [row for row in rows if row["by"] == name]
        parts = [(row["group"], (float(row["limit_old"]), float(row["limit_new"]))) for row in named]
        words = (f"Limits {DIMENSION_WORDS[name][0]}, {found.currency}", f"额度，{DIMENSION_WORDS[name][1]}")
        if parts:
            out.append(Section(words, chart=bars(parts, [("old", "旧"), ("new", "新")])))
    for name in DIMENSIONS:
        words = (DIMENSION_WORDS[name][0].capitalize(), DIMENSION_WORDS[name][1])
        named = [row for row in rows if row["by"] in (name, "all")]
        named = [*named[1:], named[0]]  # the sum stands below
        table = [
            [row["group"], *(str(row[one]) for one in ("farms", *KINDS)),
             *(money(row[one]) for one in MONEY)]
            for row in named
        ]  # fmt: skip
        out.append(Section(words, [(name, DIMENSION_WORDS[name][1].removeprefix("按")), *HEAD], table))
    note = (
        "A referred farm has no limit: what a person will grant is not known, so it counts as no amount.",
        "转人工的农户没有额度：人工结果未知，不计金额。",
    )
    moved = [row for row in found.farms.to_dict("records") if row["kind"] != "same"]
    shown = [
        [row["farm_id"], row["region"], row["main_crop"], row["size"], row["outcome_old"], row["outcome_new"],
         money(row["limit_old"]), money(row["limit_new"]), _signed(row["change"]),
         row["reasons_new"].replace("|", ", ")]
        for row in moved[:MOST_FARMS]
    ]  # fmt: skip
    heads = [("farm", "农户"), ("region", "地区"), ("crop", "作物"), ("size", "规模"), ("old", "旧结果"),
             ("new", "新结果"), ("limit old", "旧额度"), ("limit new", "新额度"), ("change", "变化"),
             ("reasons new", "新理由")]  # fmt: skip
    notes = [note]
    if len(moved) > MOST_FARMS:
        notes.append((f"{len(moved)} farms move; the CSV holds them all.", f"共{len(moved)}户变动，详见CSV。"))
    out.append(Section(("Farms that move, the largest fall first", "变动的农户，降幅最大者在前"), heads, shown, notes))
    return out


def _signed(change: Decimal | None) -> str:
    return "–" if change is None or change != change else f"{change:+,.0f}"
