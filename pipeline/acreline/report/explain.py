# SPDX-License-Identifier: Apache-2.0
"""The parts of an explanation in plain text that hang on more than the decision: what was seen, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acreline.codes import all_codes
from acreline.records import NO_CROP, Decision, Farm
from acreline.report.advice import Advise, advice_line, advise_reasons
from acreline.report.areas import areas_line, parcel_areas
from acreline.report.detail_words import detail_said
from acreline.report.doubts import (
    JUDGED,
    Doubt,
    Frame,
    farm_doubts,
    open_farm,
    parcel_doubts,
    read_codes,
    read_frame,
    read_parcels,
    settle,
)
from acreline.report.event_words import event_line, not_looked_for
from acreline.report.read import Row, legends, read_manifest, read_rows, read_schedule
from acreline.report.stages import season_line
from acreline.report.waterfall import waterfall_bars, waterfall_lines
from acreline.report.words import word
from acreline.units import m2_to_ha, m2_to_mu

MOST_NAMED = 4
"""Parcels that a line names, of those that share a doubt."""


@dataclass(frozen=True)
class Case:
    """One farm's decision, and all that its publication holds about it."""

    decision: Decision
    manifest: Row
    frame: Frame | None
    parcels: list[Row]
    seasons: list[Row]
    events: list[Row]
    schedule: list[Row]
    doubts: list[Doubt]
    """Of its parcels."""
    settled: list[Row]
    """What settles all that is open, cheapest first (`doubts.settle`)."""


def read_case(publication: Path, farm: Farm, decision: Decision) -> Case:
    """Read what a publication holds about a farm, each table once.

    Raises:
        StoreError: a table is missing or damaged.
    """
    manifest = read_manifest(publication)
    frame = read_frame(manifest)
    steps = ((step.code, step.outcome, step.evidence) for step in decision.trail)
    said = open_farm(farm.reason, farm.flags, farm.clear_looks, steps)
    parcels = read_parcels(publication, farm.farm_id)
    mine = {row["id"] for row in parcels}
    codes = read_codes(publication, sorted(mine))
    doubts = [one for row in parcels for one in parcel_doubts(row, codes.get(row["id"], []), said, frame)]
    seasons, events = (
        [row for row in read_rows(publication, name) if row["parcel_id"] in mine] for name in ("seasons", "events")
    )
    schedule = read_schedule(publication).get(farm.farm_id, [])
    settled = settle(farm_doubts(said, doubts, frame))
    return Case(decision, manifest, frame, parcels, seasons, events, schedule, doubts, settled)


def told_lines(case: Case, *, zh: bool) -> list[str]:
    """What stands below a decision: money, land, stages, events, notes, and what would settle what is open."""
    parts = (_schedule, _land, _stages, _events, _noted, _settled)
    return [line for part in parts for line in part(case, zh)]


def _headed(head: str, lines: Sequence[str], zh: bool) -> list[str]:
    """Lines below their head; nothing without lines."""
    return [head + ("：" if zh else ":"), *(f"- {line}" for line in lines)] if lines else []


def _schedule(case: Case, zh: bool) -> list[str]:
    head = ("Paying out and paying back", "放款与还款")[zh]
    return _headed(head, [row[f"text_{'zh' if zh else 'en'}"] for row in case.schedule], zh)


def _land(case: Case, zh: bool) -> list[str]:
    """Declared, drawn, registered and planted land of each parcel."""
    rows = [row for row in case.parcels if row["status"] != "rejected"]
    lines = [f"{row['id']} {said[zh]}" for row in rows if (said := areas_line(parcel_areas(row)))]
    return _headed(word("ui", "areas")[zh], lines, zh)


def _stages(case: Case, zh: bool) -> list[str]:
    """Stage and dates of each stand; the number of crops a year once a parcel, with its first stand."""
    judged = {row["id"] for row in case.parcels if row["status"] in JUDGED}
    rows = [row for row in case.seasons if row["parcel_id"] in judged and row["crop"] != NO_CROP]
    gap, colon = ("；", "：") if zh else ("; ", ": ")
    counts = {row["parcel_id"]: row["seasons"] for row in reversed(rows) if row["seasons"]}
    names = {row["slug"]: (row["en"], row["zh"]) for row in legends(case.manifest)["crop"]}
    lines = []
    for row in rows:
        count = counts.pop(row["parcel_id"], None)
        name = names.get(row["crop"], word("crop", row["crop"]))[zh]
        said = "" if count is None else f"{gap}{word('ui', 'crops_a_year')[zh]}{colon}{count}"
        lines.append(f"{row['parcel_id']} {name}{colon}{season_line(row)[zh]}{said}")
    head = word("ui", "stage")[zh]
    return _headed(head[:1].upper() + head[1:], lines, zh)


def _events(case: Case, zh: bool) -> list[str]:
    """What struck the parcels, and the kinds that were not looked for."""
    lines = [f"{row['parcel_id']} {event_line(row)[zh]}" for row in case.events]
    left_out = case.manifest.get("not_looked_for") or []
    unseen = [not_looked_for(left_out)[zh]] if left_out else []
    return [*_headed(word("ui", "events")[zh], lines, zh), *unseen]


def _noted(case: Case, zh: bool) -> list[str]:
    """Why each parcel has its status, with the figures, and the notes, which ask for nothing, with their parcels."""
    lines = []
    for row in case.parcels:
        figures = detail_said(row["detail"])
        why = [word("flag", row["reason"])[zh]] if row["reason"] else []
        why += [figures[zh]] if figures else []
        lines += [f"{row['id']} {('：' if zh else ': ').join(why)}"] if why else []
    notes: dict[str, list[str]] = {}
    told = {(row["id"], row["reason"]) for row in case.parcels}
    for doubt in case.doubts:
        note = doubt.code in all_codes() and all_codes()[doubt.code].kind == "note"
        if note and (doubt.parcel_id, doubt.code) not in told:
            notes.setdefault(doubt.code, []).append(doubt.parcel_id)
    lines += [f"{word('flag', code)[zh]}{_where(places, zh)}" for code, places in notes.items()]
    return _headed(word("ui", "noted")[zh], lines, zh)


def _settled(case: Case, zh: bool) -> list[str]:
    """The cheapest that settles all that is open, a line per action with its codes and their parcels."""
    lines = []
    for one in case.settled:
        done = word("action", one["action"])[zh]
        if one["until"]:
            done += word("ui", "until_about")[zh] + one["until"]
        doubts = [word("flag", code)[zh] + _where(places, zh) for code, places in one["codes"]]
        lines.append(f"{done}：{'；'.join(doubts)}" if zh else f"{done}: {'; '.join(doubts)}")
    head = word("ui", "would_settle" if case.decision.limit is None else "would_sharpen")[zh]
    return _headed(head + ("，花费最少的在前" if zh else ", cheapest first"), lines, zh)


def _where(parcels: Sequence[str], zh: bool) -> str:
    """Parcels in brackets, the first few by name."""
    names = ("、" if zh else ", ").join(parcels[:MOST_NAMED])
    more = len(parcels) - MOST_NAMED
    if more > 0:
        names += f"等{len(parcels)}块" if zh else f" and {more} more"
    return "" if not parcels else f"（{names}）" if zh else f" ({names})"


def seen_lines(farm: Farm, manifest: Mapping[str, Any], lang: str) -> list[str]:
    """Land, planted land, crop, health and looks of a farm, in one line.

    Args:
        farm: as it was measured.
        manifest: of the publication: its legends name crops and classes.
        lang: `en` or `zh`.
    """
    zh = lang == "zh"
    names = {
        layer: {row["slug"]: row["zh" if zh else "en"] for row in rows} for layer, rows in legends(manifest).items()
    }
    crop = farm.main_crop or "unknown"
    crop = names["crop"].get(crop, word("crop", crop)[zh])
    health = names["health"].get(farm.health, word("health", farm.health)[zh])
    parts = list(_seen_parts(farm, crop, health, zh))
    return [f"观测到：{'；'.join(parts)}。" if zh else f"Seen: {'; '.join(parts)}."]


def _seen_parts(farm: Farm, crop: str, health: str, zh: bool) -> Iterator[str]:
    low, mid, high = (m2_to_mu(area) for area in (farm.planted_m2.low, farm.planted_m2.mid, farm.planted_m2.high))
    if farm.area_m2 is not None:
        mu, ha = m2_to_mu(farm.area_m2), m2_to_ha(farm.area_m2)
        yield (f"{mu:,.1f} mu of land ({ha:,.2f} ha)", f"土地{mu:,.1f}亩（{ha:,.2f}公顷）")[zh]
    yield (
        f"{mid:,.1f} mu planted ({low:,.1f} to {high:,.1f})",
        f"种植{mid:,.1f}亩（{low:,.1f}至{high:,.1f}亩）",
    )[zh]
    yield (f"main crop: {crop}", f"主要作物：{crop}")[zh]
    yield (f"health: {health}", f"长势：{health}")[zh]
    last = "" if farm.last_clear is None else (f", the last on {farm.last_clear}", f"，最近一次{farm.last_clear}")[zh]
    yield (f"{farm.clear_looks} clear looks{last}", f"清晰观测{farm.clear_looks}次{last}")[zh]


def amount_lines(decision: Decision, lang: str) -> list[str]:
    """The amounts after each rule that set or moved them, below each other; none where no amount was told."""
    zh = lang == "zh"
    trail = [
        {
            "rule": step.rule,
            "code": step.code,
            "before": None if step.before is None else str(step.before),
            "after": None if step.after is None else str(step.after),
            "evidence": [[name, value] for name, value in step.evidence.items()],
        }
        for step in decision.trail
    ]
    bars = waterfall_bars({"outcome": decision.outcome, "trail": trail})
    if not bars:
        return []
    if decision.limit is None:
        head = ("What the amount would be; no limit stands yet:", "参考金额，尚未核定额度：")[zh]
    else:
        head = ("From the first amount to the limit:", "从初始金额到额度：")[zh]
    return [head, *(f"  {line}" for line in waterfall_lines(bars, decision.currency, zh))]


def advice_lines(case: Case, lang: str, advise: Advise) -> dict[str, str]:
    """Reason code -> what can be done about it and by when, as a sentence.

    Args:
        case: from `read_case`.
        lang: `en` or `zh`.
        advise: what can be done about a reason.
    """
    end = None if case.frame is None else case.frame.end
    told = advise_reasons(case.decision.reasons, case.settled, case.decision.as_of, end, lang, advise)
    return {code: advice_line(text, by, lang) for code, (text, by) in told.items()}
