# SPDX-License-Identifier: Apache-2.0
"""Rates of approvals, changes and exceptions by officer, for a terminal and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from acreline.report.words import word
from acreline.review.compare import records
from acreline.review.files import SIMULATED
from acreline.review.overrides import ALL, RATES, ROLE, USER, Alert, Overrides
from acreline.review.page import Page, Section, Words, bars, money
from acreline.review.policy_page import aligned
from acreline.review.review_times import GRANTED_AS_NAMED, GRANTED_OTHER, REFUSED, Times
from acreline.review.reviewed import WAYS
from acreline.units import CURRENCIES_ZH

if TYPE_CHECKING:
    from acreline.trial.exceptions import SegmentException

WAY_WORDS: Mapping[str, Words] = {
    "raised": ("raised", "上调"),
    "lowered": ("lowered", "下调"),
    "granted": ("granted", "核定"),
    "refused": ("refused", "拒绝"),
    "referred": ("sent back", "转人工"),
    "upheld": ("left as is", "维持"),
}
RATE_WORDS = {rate.slug: rate.said for rate in RATES}
QUESTION: Words = (
    "An alert is a question, not a finding: officers see different farms.",
    "提示仅为需要了解的问题，并非结论：各人员经办的农户不同。",
)


def overrides_lines(found: Overrides) -> list[str]:
    """What people did, for a terminal: officers, roles, the whole, waits, exceptions and alerts."""
    lines = ["on simulated data"] if found.simulated else []
    lines.append(f"runs: {', '.join(found.runs)}; acts {_time(found)[0]}")
    if not len(found.cases):
        lines.append("no decision was reviewed by a person in this time")
    else:
        counts = [["", "reviewed", *(WAY_WORDS[way][0] for way in WAYS), "of all"]]
        rates = [["rates, k/n", *(RATE_WORDS[rate.slug][0] for rate in RATES)]]
        sums = [[f"money, {found.currency}", "raised by", "lowered by", "granted", "withdrawn"]]
        for row in records(found.table):
            name = {ALL: "everybody", ROLE: f"role {row['name']}", USER: f"{row['name']} ({row['role']})"}[row["by"]]
            share = f"{row['share_of_decisions']:.0%}"
            counts.append([name, str(row["reviewed"]), *(str(row[way]) for way in WAYS), share])
            rates.append([name, *(_share(row, rate.slug) for rate in RATES)])
            sums.append([name, *_sums(row)])
        for table in (counts, rates, sums):
            lines += ["", *aligned(table)]
        lines += ["", "the middle two rates are of the machine's own decisions"]
    lines += [words[0] for words in _whole(found)]
    lines += time_lines(found.times)
    lines += [f"exception in force: {one.kind} {one.segment}, {one.words()}" for one in found.exceptions]
    lines += [f"ALERT {alert_words(one)[0]}" for one in found.alerts]
    if found.whole_alert:
        lines.append(f"ALERT more is changed than the {found.limits.most_overridden:.0%} that the settings allow")
    if found.alerts:
        lines.append(QUESTION[0])
    elif len(found.cases):
        lines.append(f"no officer's rate is unusual for his n (least {found.limits.least} decisions)")
    return lines


def _time(found: Overrides) -> Words:
    since, until = (None if day is None else day.isoformat() for day in (found.since, found.until))
    if since is None and until is None:
        return "of all time", "全部时间"
    return f"{since or '...'} to {until or 'today'} (UTC)", f"{since or '…'}至{until or '今日'}（UTC）"


def _share(row: Mapping[str, Any], slug: str) -> str:
    return f"{row[f'{slug}_count']}/{row[f'{slug}_n']}"


def _sums(row: Mapping[str, Any]) -> list[str]:
    return [money(row[f"sum_{name}"]) for name in ("raised", "lowered", "granted", "withdrawn")]


def _whole(found: Overrides) -> list[Words]:
    """How much of what the machine decided was changed, and what is left out."""
    n, k, gone = found.machine_decided, found.overridden, found.gone
    share, most = f"{k / n:.1%}" if n else "–", f"{found.limits.most_overridden:.0%}"
    few = (", too few to judge", "，数量过少不作判断") if n < found.limits.least else ("", "")
    said = [
        (
            f"Of {found.decisions} decisions the machine made {n} itself; people changed {k} of them ({share}, limit "
            f"{most}{few[0]}).",
            f"共{found.decisions}个决定，其中系统自行作出{n}个，人工变更{k}个（{share}，上限{most}{few[1]}）。",
        )
    ]
    if gone:
        said.append(
            (
                f"{gone} reviewed decisions are on farms that are in no run any more: their caps are not checked.",
                f"{gone}个经人工处理的决定所涉农户已不在运行结果中，未核对上限。",
            )
        )
    return said


def alert_words(alert: Alert) -> Words:
    """An alert in words."""
    rate, zh = RATE_WORDS[alert.rate]
    mine, others = alert.count / alert.n, alert.others_count / alert.others_n
    beside = ("others of the role", "同角色其他人员") if alert.same_role else ("everybody else", "其他所有人员")
    return (
        f"{alert.user}: {rate} {mine:.0%} ({alert.count} of {alert.n}), {beside[0]} {others:.0%} "
        f"({alert.others_count} of {alert.others_n}), adjusted p {alert.p:.2g}",
        f"{alert.user}：{zh}{mine:.0%}（{alert.n}个中{alert.count}个），{beside[1]}{others:.0%}"
        f"（{alert.others_n}个中{alert.others_count}个），校正后p值{alert.p:.2g}",
    )


def time_lines(times: Times) -> list[str]:
    """Waits of referred farms, for a terminal."""
    return [words[0] for words in time_words(times)]


def time_words(times: Times) -> list[Words]:
    """Waits of referred farms, and how often a look changed something."""
    told = times.figures()
    said = [(f"Referred to a person: {times.referred}.", f"转人工：{times.referred}个。")]
    for name, en, zh in (
        ("looked", "first act of a person", "首次人工处理"),
        ("decided", "decided", "人工决定"),
        ("waiting", "nobody decided yet, waiting so far", "尚未决定，已等待"),
    ):
        days = told[name]
        if days["n"]:
            said.append(
                (
                    f"{en}: {days['n']}; days: median {days['days_median']:g}, p90 {days['days_p90']:g}, most "
                    f"{days['days_most']:g}",
                    f"{zh}：{days['n']}个；天数：中位数{days['days_median']:g}，90%分位数{days['days_p90']:g}，最长"
                    f"{days['days_most']:g}",
                )
            )
    if times.decided_days:
        ended = times.ended
        said.append(
            (
                f"of these granted as the machine named it: {ended[GRANTED_AS_NAMED]}, another amount: "
                f"{ended[GRANTED_OTHER]}, refused: {ended[REFUSED]}",
                f"其中按系统参考金额核定{ended[GRANTED_AS_NAMED]}个，其他金额{ended[GRANTED_OTHER]}个，拒绝{ended[REFUSED]}个",
            )
        )
    if times.reviewed:
        rate, low, high = (f"{told[f'changed_{end}']:.0%}" for end in ("rate", "low", "high"))
        said.append(
            (
                f"acts that changed something: {times.changed} of {times.reviewed}, {rate} (95 %: {low} to {high})",
                f"产生变更的处理：{times.reviewed}次中{times.changed}次，{rate}（95%区间：{low}至{high}）",
            )
        )
    return said


def overrides_page(found: Overrides) -> Page:
    """What people did, as a page."""
    title = (f"{', '.join(found.runs)}: what people changed", f"{', '.join(found.runs)}：人工变更情况")
    en, zh = _time(found)
    under = (
        f"Acts {en}. User names stand here: for those who review officers, and for nobody else.",
        f"人工处理时间：{zh}。本页含人员用户名，仅供复核人员使用。",
    )
    notices = [SIMULATED] if found.simulated else []
    notices += [alert_words(one) for one in found.alerts]
    if found.whole_alert:
        most = f"{found.limits.most_overridden:.0%}"
        notices.append((f"More is changed than the {most} that the settings allow.", f"变更比例超过设定上限{most}。"))
    notices += [QUESTION] if found.alerts else []
    share = f"{found.overridden / found.machine_decided:.1%}" if found.machine_decided else "–"
    cards: list[tuple[str, Words]] = [
        (str(found.decisions), ("decisions", "决定")),
        (str(len(found.cases)), ("reviewed by a person", "经人工处理")),
        (share, ("of the machine's own decisions changed", "系统决定被变更")),
        (str(len(found.alerts) + found.whole_alert), ("alerts", "提示")),
    ]
    return Page(title, under, cards, _sections(found), notices)


def _sections(found: Overrides) -> list[Section]:
    rows = records(found.table)
    officers = [row for row in rows if row["by"] == USER]
    counts: list[Words] = [("", ""), ("reviewed", "处理"), *WAY_WORDS.values(), ("of all decisions", "占全部决定")]
    rates: list[Words] = [("", ""), *(rate.said for rate in RATES),
                          *(_in_money(found, *words) for words in MONEY_WORDS)]  # fmt: skip
    chart = bars([(row["name"], [100 * (row["overridden_rate"] or 0.0)]) for row in officers],
                 [RATE_WORDS["overridden"]], unit=" %") if officers else None  # fmt: skip
    limits = found.limits
    rule = (
        f"Alerted: p of Fisher's exact test against the others of the role (against everybody else where those have "
        f"fewer than {limits.least}), adjusted by Benjamini and Hochberg, at most {limits.false_alerts:g}; a gap of "
        f"{limits.least_gap:.0%} or more; {limits.least} decisions or more on either side.",
        f"提示条件：与同角色其他人员比较（其不足{limits.least}个时与其他所有人员比较），费舍尔精确检验p值经BH校正后不超过"
        f"{limits.false_alerts:g}；差距不小于{limits.least_gap:.0%}；双方均不少于{limits.least}个决定。",
    )
    return [
        Section(("By officer and role", "按人员与角色"), counts, [_count_cells(found, row) for row in rows],
                _whole(found), chart),
        Section(("Rates and money", "比率与金额"), rates, [_rate_cells(found, row) for row in rows], [rule]),
        Section(("Time until a person looked and decided", "等待人工处理的时间"), notes=time_words(found.times)),
        Section(("Amounts above a cap of the policy", "超过政策上限的金额"), _case_head(found), _case_rows(found), [
            (f"Caps: {_caps(limits.caps)[0]}.", f"上限规则：{_caps(limits.caps)[1]}。"),
            *(_exception(one) for one in found.exceptions),
            *([] if found.exceptions else [("No signed exception was in force.", "无生效的书面例外。")]),
        ]),
    ]  # fmt: skip


MONEY_WORDS: Sequence[Words] = (("raised by", "上调金额"), ("lowered by", "下调金额"), ("granted", "核定金额"),
                                ("withdrawn", "撤回金额"))  # fmt: skip


def _in_money(found: Overrides, en: str, zh: str) -> Words:
    """The head of a column of money, with its unit."""
    return f"{en}, {found.currency}", f"{zh}（{CURRENCIES_ZH.get(found.currency, found.currency)}）"


def _exception(one: SegmentException) -> Words:
    until = f"{one.valid_to.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return (
        f"{one.kind} {one.segment}: {one.words()}",
        f"书面例外（{one.kind} {one.segment}）：有效至{until}，申请人{one.author}，批准人{one.approver}；理由与控制措施"
        "以左侧原文为准。",
    )


def _caps(slugs: Sequence[str]) -> Words:
    """Rules with a cap by their names."""
    told = [word("rule", slug) for slug in slugs]
    return ", ".join(en for en, _ in told), "、".join(zh for _, zh in told)


def _user(found: Overrides, user: str, role: str) -> Words:
    return f"{user} ({role})", f"{user}（{found.role_words.get(role, (role, role))[1]}）"


def _who(found: Overrides, row: Mapping[str, Any]) -> Words:
    role = found.role_words.get(row["name"], (row["name"],) * 2)[1]
    if row["by"] == USER:
        return _user(found, row["name"], row["role"])
    return ("everybody", "全部人员") if row["by"] == ALL else (f"role {row['name']}", f"角色：{role}")


def _count_cells(found: Overrides, row: Mapping[str, Any]) -> list[str | Words]:
    counts = [str(row["reviewed"]), *(str(row[way]) for way in WAYS)]
    return [_who(found, row), *counts, f"{row['share_of_decisions']:.1%}"]


def _rate_cells(found: Overrides, row: Mapping[str, Any]) -> list[str | Words]:
    shares = []
    for rate in RATES:
        share = row[f"{rate.slug}_rate"]
        shares.append("–" if share is None or share != share else f"{share:.0%} ({_share(row, rate.slug)})")
    return [_who(found, row), *shares, *_sums(row)]


def _case_head(found: Overrides) -> list[Words]:
    return [("farm", "农户"), ("officer", "人员"), ("day", "日期"), _in_money(found, "before", "变更前"),
            _in_money(found, "after", "变更后"), ("caps passed", "超过的上限")]  # fmt: skip


def _case_rows(found: Overrides) -> list[list[str | Words]]:
    return [
        [row["farm_id"], _user(found, row["user"], row["role"]), row["day"],
         *(_amount(row[end], row[f"{end}_limit"]) for end in ("before", "after")), _caps(row["over_caps"].split("|"))]
        for row in records(found.cases) if row["over_caps"]
    ]  # fmt: skip


def _amount(outcome: str, limit: Any) -> str | Words:
    """An amount under a head that has its unit; of a referral or a refusal what it is."""
    return money(limit) if outcome == "approve" else word("outcome", outcome)
