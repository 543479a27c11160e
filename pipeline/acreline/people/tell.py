# SPDX-License-Identifier: Apache-2.0
"""Acts of people in words, for explanations, tables and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from acreline.people.acts import (
    ANSWERED,
    ASK_CLOSED,
    ASKED,
    CLOSED,
    CONFIRMED,
    OPENED,
    OVERRIDE,
    RECOMPUTED,
    Act,
    Amount,
    Standing,
    amount_from,
)
from acreline.people.appeals import Case, opened_from
from acreline.people.asks import KINDS, VISIT, Ask
from acreline.people.authority import read_reasons
from acreline.report import standing as told_as
from acreline.report.standing import NowStands
from acreline.report.waterfall import print_amount

ABOUT = {
    OVERRIDE: "changed",
    CONFIRMED: "left as it stands",
    OPENED: "appeal opened",
    RECOMPUTED: "judged again",
    CLOSED: "appeal closed",
    ASKED: "asked for evidence",
    ANSWERED: "evidence handed in",
    ASK_CLOSED: "asked for no more",
}
"""What each act did, for whoever did it."""
VISITS = {ASKED: "sent to the field", ANSWERED: "field visited", ASK_CLOSED: "visit called off"}
"""The same of a visit, which nobody hands in."""
UNNAMED_ROLE = ("an officer", "工作人员")
_CHANGES: dict[tuple[str, str], tuple[str, str]] = {
    ("approve", "approve"): (
        "{role} {moved} your limit from {before} to {to} {when}",
        "{when}，{role}将您的额度由{before}{moved}至{to}",
    ),
    ("approve", "decline"): ("{role} withdrew your limit of {before} {when}", "{when}，{role}取消了您{before}的额度"),
    ("approve", "refer"): (
        "{role} put your limit of {before} on hold {when}, and a person decides again",
        "{when}，{role}暂停了您{before}的额度，转由工作人员重新决定",
    ),
    ("refer", "approve"): ("{role} gave you a limit of {to} {when}", "{when}，{role}给予您{to}的额度"),
    ("refer", "decline"): ("{role} decided {when} that no limit is given", "{when}，{role}决定不给予额度"),
    ("decline", "approve"): (
        "{role} gave you a limit of {to} {when}, where none was given before",
        "{when}，{role}将原“不给予额度”改为给予您{to}的额度",
    ),
    ("decline", "refer"): (
        "{role} took the refusal back {when}, and a person decides again",
        "{when}，{role}撤回了不给予额度的结果，转由工作人员重新决定",
    ),
}
"""What a person did, from the outcome before to the one after, as a sentence that a farmer reads."""


def amount_words(amount: Amount, currency: str, lang: str) -> str:
    """An amount in a few words that fit into a sentence: `a limit of 8,000 CNY`, `额度8,000元`."""
    if lang != "zh":
        return amount.words(currency)
    if amount.outcome == "approve" and amount.limit:
        return f"额度{print_amount(amount.limit, currency, True)}"
    return "由工作人员决定" if amount.outcome == "refer" else "不给予额度"


def stand_lines(standing: Standing, currency: str, lang: str = "en", *, letter: bool = False) -> list[str]:
    """What people did to a decision, the last act first; nothing where nobody did anything.

    Args:
        standing: from `stand`.
        currency: of the decision.
        lang: `en` or `zh`.
        letter: for a letter, which says what stands in its first line and needs it no second time.
    """
    zh, lines = lang == "zh", []
    if standing.review is not None:
        case, day, due = standing.review.values["case"], standing.review.day, standing.review.values["due"]
        lines.append(
            (
                f"Under review since {day}: appeal {case}, a person answers by {due}.",
                f"{day}起复核中：申诉{case}，工作人员于{due}前答复。",
            )[zh]
        )
    elif standing.last is not None and standing.last.event == CLOSED and standing.last.to is None:
        case, day, role = standing.last.values["case"], standing.last.day, role_words(standing.last)[zh]
        lines.append(
            (
                f"Appeal {case} was looked at by {role} on {day}: upheld.",
                f"申诉{case}已由{role}于{day}复核：维持原结果。",
            )[zh]
        )
    elif standing.last is not None and standing.last.event == CONFIRMED:
        day, role = standing.last.day, role_words(standing.last)[zh]
        lines.append((f"Looked at by {role} on {day}: left as it stands.", f"{role}于{day}查看：维持不变。")[zh])
    if standing.act is not None:
        lines.append(_changed(standing.act, currency, lang))
        if standing.amount != standing.machine and standing.review is None and not standing.overtaken:
            lines.append(_stays(standing, currency, lang, letter=letter))
    if standing.overtaken and standing.act is not None:
        before, now = (amount_words(one, currency, lang) for one in (standing.act.machine, standing.machine))
        lines.append(
            (
                f"Since then the machine's decision has changed from {before} to {now}: a person looks again.",
                f"此后系统结果由“{before}”变为“{now}”，将由工作人员重新确认。",
            )[zh]
        )
    return lines


def now_stands(standing: Standing, currency: str) -> NowStands | None:
    """What stands as plain values for letters and pages; None where nobody did anything.

    Args:
        standing: from `stand`.
        currency: of the decision.
    """
    said = tuple(zip(stand_lines(standing, currency, "en"), stand_lines(standing, currency, "zh"), strict=True))
    asked = tuple(zip(ask_lines(standing, "en"), ask_lines(standing, "zh"), strict=True))
    if not said and not asked:
        return None
    letter = tuple(zip(*(stand_lines(standing, currency, lang, letter=True) for lang in ("en", "zh")), strict=True))
    amount, machine = standing.amount, standing.machine
    state, act = _state(standing)
    by = (f"appeal {act.values['case']}", f"申诉{act.values['case']}") if state == told_as.APPEALED else role_words(act)
    return NowStands(
        amount.outcome, amount.limit, amount != machine, machine.outcome == "refer", said, asked, letter,
        state, by, act.day,
    )  # fmt: skip


def _state(standing: Standing) -> tuple[str, Act]:
    """What the acts made of a decision, and the act that did it."""
    if standing.review is not None:
        return told_as.APPEALED, standing.review
    if standing.overtaken and standing.act is not None:
        return told_as.OVERTAKEN, standing.act
    if standing.act is not None and standing.amount != standing.machine:
        return told_as.CHANGED, standing.act
    if standing.last is not None:
        return told_as.LEFT, standing.last
    if standing.asks:
        return told_as.WAITS, standing.asks[-1]
    return told_as.ANSWERED, standing.handed_in[-1]


def ask_lines(standing: Standing, lang: str = "en") -> list[str]:
    """What the farmer is asked for and by when, then what was handed in and waits for a person's look.

    Args:
        standing: from `stand`.
        lang: `en` or `zh`.
    """
    zh, lines = lang == "zh", []
    for act in standing.asks:
        what, until, why, name = KINDS[act.values["kind"]], act.values["until"], act.values["why"], act.values["ask"]
        if act.values["kind"] == VISIT:
            en = f"Somebody of the bank comes to see the field by {until}: {why} ({name})."
            lines.append((en, f"银行人员将于{until}前实地查看：{why}（{name}）。")[zh])
        else:
            en = f"Please bring {what[0]} by {until}: {why} ({name})."
            lines.append((en, f"请于{until}前提供{what[1]}：{why}（{name}）。")[zh])
    for act in standing.handed_in:
        what, name = KINDS[act.values["kind"]], act.values["ask"]
        if act.values["kind"] == VISIT:
            en = f"The field was visited on {act.day} ({name}); a person looks at what was seen."
            lines.append((en, f"已于{act.day}实地查看（{name}），工作人员将予处理。")[zh])
        else:
            en = f"Handed in on {act.day}: {what[0]} ({name}); a person looks at it."
            lines.append((en, f"{act.day}已收到{what[1]}（{name}），工作人员将予查看。")[zh])
    return lines


def _stays(standing: Standing, currency: str, lang: str, *, letter: bool) -> str:
    zh = lang == "zh"
    now, machine = (amount_words(one, currency, lang) for one in (standing.amount, standing.machine))
    stays = (f"The machine's own decision ({machine}) stays on file.", f"系统原结果（{machine}）仍予保存。")[zh]
    return stays if letter else f"Stands now: {now}. {stays}" if not zh else f"现行结果：{now}。{stays}"


def role_words(act: Act) -> tuple[str, str]:
    """Who acted, by the words for the role that the act itself keeps, in English and Chinese; never by name."""
    en, zh = act.values.get("role_said") or UNNAMED_ROLE
    return en, zh


def _changed(act: Act, currency: str, lang: str) -> str:
    zh = lang == "zh"
    before, to = (amount_from(act.values[key]) for key in ("from", "to"))
    raised = (to.limit or 0) > (before.limit or 0)
    when = (f"on {act.day}", act.day)[zh]
    if act.event == CLOSED:
        when = (f"{when}, after appeal {act.values['case']}", f"{act.day}申诉{act.values['case']}复核后")[zh]
    said = _CHANGES[before.outcome, to.outcome][zh].format(
        role=role_words(act)[zh],
        moved=(("raised", "上调") if raised else ("lowered", "下调"))[zh],
        before=print_amount(before.limit or Decimal(0), currency, zh),
        to=print_amount(to.limit or Decimal(0), currency, zh),
        when=when,
    )
    said = said[0].upper() + said[1:]
    if act.event == CLOSED:
        return said + (".", "。")[zh]
    reason = read_reasons().get(act.values["reason"])
    why = act.values["reason"] if reason is None else reason.said[zh]
    return (f"{said}: {why}.", f"{said}：{why}。")[zh]


def act_lines(act: Act) -> list[str]:
    """An act as it stands in the log, for whoever did it."""
    values, currency = act.values, act.values.get("currency", "")
    about = VISITS.get(act.event, ABOUT[act.event]) if values.get("kind") == VISIT else ABOUT[act.event]
    name = values.get("case") or values.get("ask")
    case = "" if name is None else f" {name}"
    lines = [f"{act.farm_id}: {about}{case} by {act.by} at {act.at}"]
    if act.to is not None:
        before = amount_from(values["from"]).words(currency)
        lines.append(f"stood before: {before}; stands now: {act.to.words(currency)}")
    if "due" in values:
        lines.append(f"a person answers by {values['due']}; until then the farm is shown as referred")
    if act.event == ASKED:
        lines.append(f"{KINDS[values['kind']][0]} by {values['until']}; no amount moves")
    lines += [f"kept: {one['kind']} evidence/{one['file']}" for one in values.get("evidence", ())]
    lines.append(f"chain {values['chain']}")
    return lines


def case_rows(cases: Mapping[str, Case], today: date) -> list[dict[str, str]]:
    """A row for each case, open ones first and those due first in front, as `acreline report --cases` reads them."""
    rows = []
    for one in cases.values():
        state = "open" if one.closed is None else one.closed.values["decision"]
        left = (one.due - today).days
        late = "" if one.closed is not None else f"{-left} days late" if left < 0 else f"{left} days left"
        against, currency = opened_from(one), one.opened.values["currency"]
        rows.append(
            {
                "case": one.name,
                "farm": one.farm_id,
                "opened": one.opened.day,
                "due": one.due.isoformat(),
                "state": state,
                "left": late,
                "about_en": f"appeal against {amount_words(against, currency, 'en')}",
                "about_zh": f"对原结果（{amount_words(against, currency, 'zh')}）提出申诉",
            }
        )
    return sorted(rows, key=lambda row: (row["state"] != "open", row["due"], row["case"]))


def case_lines(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The cases for a terminal."""
    lines = []
    for row in rows:
        state = ", ".join(word for word in (row["state"], row["left"]) if word)
        dates = f"opened {row['opened']}  due {row['due']}"
        lines.append(f"{row['case']}  {row['farm']:<12} {dates}  {state}  {row['about_en']}")
    return lines or ["no appeal was opened"]


def ask_rows(asks: Mapping[str, Ask], today: date) -> list[dict[str, str]]:
    """A row for each question, open ones first and those due first in front, as `acreline report --asks` reads them."""
    rows = []
    for one in asks.values():
        left = (one.until - today).days
        state = "open" if one.open else "answered" if one.answered is not None else "closed"
        about = KINDS[one.kind]
        rows.append(
            {
                "case": one.name,
                "farm": one.farm_id,
                "opened": one.asked.day,
                "due": one.until.isoformat(),
                "state": state,
                "left": "" if not one.open else f"{-left} days late" if left < 0 else f"{left} days left",
                "about_en": f"{about[0]}: {one.asked.values['why']}",
                "about_zh": f"{about[1]}：{one.asked.values['why']}",
            }
        )
    return sorted(rows, key=lambda row: (row["state"] != "open", row["due"], row["case"]))


def ask_report(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The questions for a terminal, with how many are open and how many of them overdue."""
    if not rows:
        return ["nothing was asked for"]
    waits = [row for row in rows if row["state"] == "open"]
    late = sum(row["left"].endswith("late") for row in waits)
    return [*case_lines(rows), f"{len(rows)} asked, {len(waits)} open, {late} of them overdue"]


def report_lines(cases: Mapping[str, Case], today: date, *, simulated: bool = False) -> list[str]:
    """How many appeals, how long they took, and how often they changed something."""
    from statistics import median

    from acreline.review.outcomes import interval

    closed = [one.closed for one in cases.values() if one.closed is not None]
    late = sum(1 for one in cases.values() if one.closed is None and today > one.due)
    lines = ["on simulated data"] if simulated else []
    lines.append(f"appeals: {len(cases)} opened, {len(cases) - len(closed)} open, {late} of them late")
    if closed:
        days = [act.values["days"] for act in closed]
        in_time = sum(1 for act in closed if act.values["in_time"])
        lines.append(
            f"review: {median(days):g} days at the middle, {max(days)} at most; {in_time} of {len(closed)} in time"
        )
        changed = [act for act in closed if act.values["decision"] == "change"]
        low, high = interval(len(changed), len(closed))
        rate = f"{len(changed) / len(closed):.0%} (95 %: {low:.0%} to {high:.0%})"
        lines.append(f"changed: {len(changed)} of {len(closed)}, {rate}")
    return lines
