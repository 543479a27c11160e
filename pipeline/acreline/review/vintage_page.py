# SPDX-License-Identifier: Apache-2.0
"""Vintage curves for a terminal and as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acreline.review.compare import records
from acreline.review.files import SIMULATED
from acreline.review.page import LineSeries, Page, Section, Words, line_chart, money
from acreline.review.policy_page import aligned
from acreline.review.vintage import ALL, PAST_DUE_DAYS, Vintages

NOT_OURS: Words = (
    "Figures of the file that was given; acreline itself has no loans and no repayments.",
    "数字来自所提供的文件；acreline自身没有贷款和还款数据。",
)
BLANK: Words = (
    "Blank: not every loan of the vintage has reached that month. A loan that was paid back stays counted; one that "
    "was written off counts as past due from that month on. Intervals: Wilson, 95 %, of counts.",
    "空白：该批次尚有贷款未到该月份。已结清的贷款仍计入；已核销的贷款自该月起计为逾期。区间：按笔数的威尔逊95%区间。",
)
BY_WORDS: Mapping[str, Words] = {
    "quarter": ("quarter of granting", "按发放季度"),
    "year": ("year of granting", "按发放年份"),
    "season": ("season", "按生长季"),
}


def vintage_lines(found: Vintages) -> list[str]:
    """The latest month that is known of each vintage, for a terminal."""
    lines = ["on simulated data"] if found.simulated else []
    lines.append(f"{found.loans} loans by {BY_WORDS[found.by][0]}, known until {found.as_of}; policies: "
                 f"{', '.join(found.policies)}")  # fmt: skip
    titles = ["vintage", "policy", "loans", "granted", "month", *(f"ever {d}+" for d in PAST_DUE_DAYS),
              *(f"money {d}+" for d in PAST_DUE_DAYS)]  # fmt: skip
    rows = [titles]
    for (vintage, policy), curve in _curves(found).items():
        known = [row["month"] for row in curve[PAST_DUE_DAYS[0]] if row["rate"] == row["rate"]]
        if not known:
            some = curve[PAST_DUE_DAYS[0]][0]
            rows.append([vintage, policy, str(some["loans"]), money(some["amount"]), "-", *["-"] * 6])
            continue
        last = {limit: curve[limit][known[-1] - 1] for limit in PAST_DUE_DAYS}
        one = last[PAST_DUE_DAYS[0]]
        rows.append([vintage, policy, str(one["loans"]), money(one["amount"]), str(known[-1]),
                     *(_interval(last[d]) for d in PAST_DUE_DAYS),
                     *(f"{last[d]['amount_rate']:.1%}" for d in PAST_DUE_DAYS)])  # fmt: skip
    if len(rows) == 1:
        return [*lines, "no loan has reached its first month on book", NOT_OURS[0]]
    return [*lines, *aligned(rows), NOT_OURS[0]]


def _interval(row: Mapping[str, Any]) -> str:
    return f"{row['rate']:.1%} ({row['rate_low']:.1%} to {row['rate_high']:.1%})"


def _curves(found: Vintages) -> dict[tuple[str, str], dict[int, list[dict[str, Any]]]]:
    """Rows by vintage and policy, then by days past due, in order of months."""
    told: dict[tuple[str, str], dict[int, list[dict[str, Any]]]] = {}
    for row in records(found.table):
        told.setdefault((row["vintage"], row["policy"]), {}).setdefault(row["days_past_due"], []).append(row)
    return told


def vintage_page(found: Vintages) -> Page:
    """Curves of each vintage by count and by money, and the rows behind them."""
    title = ("Vintage curves", "贷款批次逾期曲线")
    by = BY_WORDS[found.by]
    under = (
        f"{found.loans} loans by {by[0]}, known until {found.as_of}; policies: {', '.join(found.policies)}.",
        f"{found.loans}笔贷款，{by[1]}，数据截至{found.as_of}；政策：{'、'.join(found.policies)}。",
    )
    sections = []
    for limit in PAST_DUE_DAYS:
        for column, said in (("rate", ("by count", "按笔数")), ("amount_rate", ("by money", "按金额"))):
            series = [
                LineSeries(vintage, [(row["month"], 100 * row[column]) for row in curve[limit]
                                     if row[column] == row[column]])
                for (vintage, policy), curve in _curves(found).items() if policy == ALL
            ]  # fmt: skip
            sections.append(
                Section((f"Ever {limit} days past due, {said[0]}", f"曾逾期{limit}天，{said[1]}"),
                        lines=line_chart([one for one in series if one.points], x=("months on book", "账龄（月）"),
                                         unit=" %"))
            )  # fmt: skip
    head: list[Words] = [
        ("vintage", "批次"), ("policy", "政策"), ("days past due", "逾期天数"), ("month", "账龄（月）"),
        ("loans", "笔数"), ("at risk", "已到该月笔数"), ("ever", "曾逾期笔数"), ("share", "占比"),
        ("share of money", "金额占比"),
    ]  # fmt: skip
    rows = [
        [row["vintage"], row["policy"], str(row["days_past_due"]), str(row["month"]), str(row["loans"]),
         str(row["at_risk"]), *(["", "", ""] if row["rate"] != row["rate"] else
                                [f"{row['ever']:.0f}", _interval(row), f"{row['amount_rate']:.1%}"])]
        for row in records(found.table)
    ]  # fmt: skip
    sections.append(Section(("Every month", "逐月数据"), head, rows, [BLANK]))
    notices = [*([SIMULATED] if found.simulated else []), NOT_OURS]
    return Page(title, under, (), sections, notices)
