# SPDX-License-Identifier: Apache-2.0
"""An event in a sentence, English and Chinese: what, when, how much of the parcel, how sure, what else it could be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from acreline.codes import said_words
from acreline.confounders import CONFOUNDER_WORDS
from acreline.report.words import word

Pair = tuple[str, str]
MOST_LOOKS = 4
"""Days of looks that are named; of more the first and the last."""
NOUNS: dict[str, Pair] = {
    "flood": ("standing water", "积水"),
    "drought": ("drought", "干旱"),
    "early_harvest": ("an early harvest", "提早收割"),
    "frost": ("frost", "霜冻"),
    "late_failed": ("a late or failed stand", "出苗迟缓或失败"),
    "lodging_hail": ("lodging or hail", "倒伏或冰雹"),
    "pest_disease": (
        "a gradual loss of leaf pigment, whose cause a person must confirm,", "叶片色素逐渐流失（原因须由人工核实）"
    ),
}  # fmt: skip
"""What an event is called within a sentence."""
SENTENCES: dict[str, Pair] = {
    "confirmed": (
        "There are signs of {} on this plot, and weather, a report or our model agrees.",
        "该地块有{}迹象，并有天气、报告或模型佐证。",
    ),
    "suspected": (
        "There may have been {} on this plot: signs were seen, and nothing else confirms them yet.",
        "该地块可能曾有{}：观测到迹象，尚无其他佐证。",
    ),
    "reported_only": (
        "For this plot {} was reported, and the satellite saw no sign of it.",
        "该地块曾有{}的报告，卫星未观测到迹象。",
    ),
    "network_only": (
        "Only our model sees {} on this plot; no other sign of it was found.",
        "仅模型判断该地块有{}，未发现其他迹象。",
    ),
}
"""How sure an event is -> the sentence for the farmer."""


def event_said(row: Mapping[str, Any]) -> dict[str, Pair]:
    """The words of one row of `events`, days as text.

    Returns:
        name (with how sure it is), when, how_much, looks (days of the evidence), could_be, sentence (for the farmer:
        it claims no more than is known); a pair of empty texts where there is nothing to say.
    """
    codes = [code for code in str(row.get("code") or "").split("|") if code]
    sure = word("struck", "confirmed") if row["confirmed"] else _listed([word("flag", code) for code in codes])
    name = word("event", row["event"])
    return {
        "name": (f"{name[0]} ({sure[0]})", f"{name[1]}（{sure[1]}）") if sure[0] else name,
        "when": _when(row, codes),
        "how_much": _how_much(row),
        "looks": _looks(str(row.get("evidence") or "")),
        "could_be": _listed(
            [CONFOUNDER_WORDS.get(code, (code, code)) for code in str(row.get("could_be") or "").split("|") if code]
        ),
        "sentence": _sentence(row, codes),
    }


def event_line(row: Mapping[str, Any]) -> Pair:
    """The same in one line."""
    said = event_said(row)
    labels = {"looks": word("struck", "seen_on"), "could_be": word("struck", "could_be")}
    english, chinese = [said["when"][0]], [said["when"][1]]
    for part in ("how_much", "looks", "could_be"):
        if said[part][0]:
            label = labels.get(part)
            english.append(f"{label[0]}: {said[part][0]}" if label else said[part][0])
            chinese.append(f"{label[1]}：{said[part][1]}" if label else said[part][1])
    name, sentence = said["name"], said["sentence"]
    return (
        f"{name[0]}: {'; '.join(filter(None, english))}. {sentence[0]}",
        f"{name[1]}：{'；'.join(filter(None, chinese))}。{sentence[1]}",
    )


def not_looked_for(kinds: Sequence[str]) -> Pair:
    """The kinds of event that no detector was asked for: silence about them is not health."""
    names = [word("event", kind) for kind in kinds]
    return (
        f"not looked for: {', '.join(en.lower() for en, _ in names)}; that none is told is no sign of health",
        f"未查找的灾害：{'、'.join(zh for _, zh in names)}；未提及不等于未发生",
    )


def _sentence(row: Mapping[str, Any], codes: list[str]) -> Pair:
    if "outside_growth" in codes:
        return said_words("outside_growth")
    sure = next((code for code in ("reported_only", "network_only") if code in codes), "suspected")
    english, chinese = SENTENCES["confirmed" if row["confirmed"] else sure]
    name = word("event", row["event"])
    noun = NOUNS.get(row["event"], (name[0].lower(), name[1]))
    return english.format(noun[0]), chinese.format(noun[1])


def _when(row: Mapping[str, Any], codes: list[str]) -> Pair:
    before, start, end = (_day(row.get(name)) for name in ("not_before", "start", "end"))
    if start is None or "network_only" in codes:
        return word("struck", "day_not_known")
    lasted = f", until {end}" if end and end != start else "", f"，至 {end}" if end and end != start else ""
    if before is None:
        return f"{start}{lasted[0]}", f"{start}{lasted[1]}"
    return f"between {before} and {start}{lasted[0]}", f"{before} 至 {start} 之间{lasted[1]}"


def _how_much(row: Mapping[str, Any]) -> Pair:
    share, severity = row.get("share"), row.get("severity")
    english, chinese = [], []
    if share is not None:
        english.append(f"{share:.0%} of the parcel")
        chinese.append(f"占地块 {share:.0%}")
    if severity:
        english.append(f"severity {severity:.2f}")
        chinese.append(f"程度 {severity:.2f}")
    return ", ".join(english), "，".join(chinese)


def _looks(evidence: str) -> Pair:
    """Days of the passes that show it, from their names."""
    try:
        names = json.loads(evidence) if evidence else []
    except ValueError:
        return "", ""
    days = sorted({f"{found[0]}-{found[1]}-{found[2]}" for name in names for found in _days_in(str(name))})
    if len(days) > MOST_LOOKS:
        return f"{len(days)} days, {days[0]} to {days[-1]}", f"{len(days)} 天，{days[0]} 至 {days[-1]}"
    return ", ".join(days), "、".join(days)


def _days_in(name: str) -> list[tuple[str, str, str]]:
    return re.findall(r"(?<!\d)(20\d\d)(\d\d)(\d\d)(?!\d)", name)


def _listed(pairs: list[Pair]) -> Pair:
    return ", ".join(english for english, _ in pairs), "、".join(chinese for _, chinese in pairs)


def _day(value: Any) -> str | None:
    """A day as text, whether it came as text, a date or a time."""
    if value is None or value != value:
        return None
    return value.isoformat()[:10] if isinstance(value, date) else str(value)[:10]
