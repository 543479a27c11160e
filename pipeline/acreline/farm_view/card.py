# SPDX-License-Identifier: Apache-2.0
"""One farm in a few lines, in English and Chinese: the words that the card and the picture share."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from acreline.credit import reason_words
from acreline.layers import UNKNOWN
from acreline.records import NO_CROP, Decision
from acreline.report.farm_page import class_name, money
from acreline.report.page import two_languages
from acreline.report.read import legends
from acreline.report.words import word
from acreline.units import m2_to_ha, m2_to_mu

if TYPE_CHECKING:
    from acreline.farm_view.view import FarmView

Pair = tuple[str, str]
"""English and Chinese."""
GREY = "#9aa5ad"
OUTCOME_COLOURS = {"approve": "#2f7d4f", "refer": "#a96a12", "decline": "#a8323a"}


def name_of(view: FarmView, layer: str, slug: str | None) -> Pair:
    """A crop or a health class in words, as the publication's legends have it."""
    return class_name({"classes": legends(view.manifest)}, layer, slug)


def colour_of(view: FarmView, layer: str, slug: str | None) -> str:
    """Its colour, as on every map and page of the publication; grey where it has none."""
    rows = legends(view.manifest)[layer]
    return next((str(row["colour"]) for row in rows if row["slug"] == slug), GREY)


def event_name(view: FarmView, event: str) -> Pair:
    """What befell a field: the health class of that name, else the words of its detector."""
    known = any(row["slug"] == event for row in legends(view.manifest)["health"])
    return name_of(view, "health", event) if known else word("flag", f"event_{event}")


def land(area_m2: float | None) -> Pair:
    """An area in mu and hectares."""
    if area_m2 is None:
        return "area not known", "面积未知"
    mu, ha = f"{m2_to_mu(area_m2):,.1f}", f"{m2_to_ha(area_m2):,.2f}"
    return f"{mu} mu ({ha} ha)", f"{mu} 亩（{ha} 公顷）"


def crop_with_confidence(view: FarmView) -> Pair:
    """The main crop and how sure that is: mean confidence of its stands, by area."""
    crop, stands = view.facts.main_crop, view.facts.stands
    en, zh = name_of(view, "crop", crop or UNKNOWN)
    main = [(stand.crop_confidence, stand.area_m2.mid) for stand in stands if stand.crop == crop]
    total = sum(area for _, area in main)
    if not total or crop in (None, UNKNOWN, NO_CROP):
        return en, zh
    share = sum(confidence * area for confidence, area in main) / total
    return f"{en} {share:.0%}", f"{zh} {share:.0%}"


def outcome(decision: Decision) -> Pair:
    """What was decided, with the limit where there is one."""
    en, zh = word("outcome", decision.outcome)
    if decision.limit is None:
        return en, zh
    amount = money(str(decision.limit), decision.currency)
    return f"{en}: limit {amount[0]}", f"{zh}：额度 {amount[1]}"


def reasons(decision: Decision) -> list[Pair]:
    """Every reason as a sentence for the farmer, strongest first."""
    return [(reason_words(code), reason_words(code, "zh")) for code in decision.reasons]


def flags(view: FarmView) -> list[Pair]:
    """What asks for a person, and what happened on the farm, in words."""
    events = [word("flag", f"event_{event}") for event in view.facts.events if f"event_{event}" not in view.facts.flags]
    return [*(word("flag", flag) for flag in view.facts.flags), *events]


def notices(view: FarmView) -> list[Pair]:
    """What must be said wherever the publication is shown: what is not validated, demonstrated or simulated."""
    told = (two_languages(notice) for notice in view.manifest.get("notices") or [])
    return [(en, zh) for en, zh in told]


def one_line(view: FarmView) -> str:
    """The farm in one line of English."""
    facts, n = view.facts, len(view.parcels)
    parts = [land(facts.area_m2)[0], crop_with_confidence(view)[0], outcome(view.decision)[0]]
    return f"{facts.farm_id}: {', '.join(parts)}; {n} parcel{'' if n == 1 else 's'}, {facts.clear_looks} clear looks"


def farm_card(view: FarmView) -> str:
    """A card of HTML: nothing in it is loaded or run, and whatever somebody wrote into a farm file stays text."""
    facts, decision = view.facts, view.decision
    rows: list[tuple[Pair, Sequence[Pair]]] = [
        (word("ui", "land"), [land(facts.area_m2)]),
        (word("ui", "main_crop"), [crop_with_confidence(view)]),
        (word("ui", "health"), [name_of(view, "health", facts.health)]),
        (word("ui", "looks"), [(f"{facts.clear_looks}, last {facts.last_clear or '–'}",
                                f"{facts.clear_looks} 次，最近 {facts.last_clear or '–'}")]),
        (word("ui", "reasons"), reasons(decision)),
    ]  # fmt: skip
    if facts.value is not None:
        ends = f"{facts.currency or ''} {facts.value.low:,.0f} – {facts.value.high:,.0f}".strip()
        rows.insert(3, (word("ui", "value"), [(f"{ends} (5–95 %)", f"{ends}（5–95%）")]))
    raised = flags(view)
    if raised:
        rows.append((word("ui", "asks_person"), raised))
    colour, told = OUTCOME_COLOURS[decision.outcome], outcome(decision)
    body = "".join(_row(label, lines) for label, lines in rows)
    season = view.manifest["season"]
    foot = f"{view.manifest['region']} · {season['start']} – {season['end']} · {decision.as_of} · {decision.policy_id}"
    small = [foot, *(f"{en} · {zh}" for en, zh in notices(view))]
    return (
        '<div style="max-width:820px;border:1px solid #d9dee2;border-radius:6px;padding:12px 16px;background:#fff;'
        'color:#22303a;font:14px/1.45 system-ui,sans-serif">'
        f'<div style="font-size:17px;font-weight:600;margin-bottom:6px">{escape(facts.farm_id)}'
        f'<span style="float:right;color:#fff;background:{colour};border-radius:4px;padding:1px 10px;font-size:14px">'
        f"{escape(told[0])} · {escape(told[1])}</span></div>"
        f'<table style="width:100%;border-collapse:collapse">{body}</table>'
        f'<div style="color:#6b7780;font-size:12px;margin-top:6px">{"<br>".join(map(escape, small))}</div></div>'
    )


def _row(label: Pair, lines: Sequence[Pair]) -> str:
    cell = "padding:4px 12px 4px 0;text-align:left;vertical-align:top;border-top:1px solid #eef1f3;background:#fff;"
    cell += "white-space:normal;font:14px/1.45 system-ui,sans-serif;color:"
    mark = "· " if len(lines) > 1 else ""
    english, chinese = ("<br>".join(mark + escape(line[k]) for line in lines) or "–" for k in (0, 1))
    return (
        f'<tr style="background:#fff"><td style="{cell}#6b7780">{escape(label[0])} {escape(label[1])}</td>'
        f'<td style="{cell}#22303a;width:44%">{english}</td>'
        f'<td style="{cell}#22303a;width:38%" lang="zh">{chinese}</td></tr>'
    )
