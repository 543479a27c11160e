# SPDX-License-Identifier: Apache-2.0
"""A machine speaks only where enough was seen and nothing asks for a person; else it refers, and lowers nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from string import Formatter

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import Shown, doubt_of, show, show_doubt
from acreline.credit.words import measured_words, rank_codes
from acreline.records import Farm, Interval, Stand, Step

NAME = "evidence_bar"
IMAGERY_CODES = frozenset({"few_clear_looks", "stale_look"})
"""Reasons that all mean: not seen well enough."""

MOST_SETS = 3
"""Of crops that cannot be told apart, so many are named."""
STATUS_ZH = {
    "ok": "已测定",
    "degraded": "已测定，存疑",
    "insufficient": "未判定",
    "failed": "未能测定",
    "rejected": "地块被退回",
}

MET: Words = (
    "Your land was seen clearly {clear_looks} (needed: {min_clear_looks}), last on {last_clear}; nothing asks for a"
    " person to look.",
    "您的地块在本季清晰观测到{clear_looks}（需要{min_clear_looks}），最近一次为{last_clear}；没有需要人工核实的情况。",
)
AGREED: Words = (
    " {crop} was taken because you declared it and the satellite's first answer agrees ({confidence}).",
    "按{crop}计算，因为您申报的作物与卫星的首要判断一致（{confidence}）。",
)
FIGURES: dict[str, Words] = {
    "few_clear_looks": (
        " Seen clearly {clear_looks}; needed: {min_clear_looks}.",
        "清晰观测{clear_looks}，需要{min_clear_looks}。",
    ),
    "stale_look": (
        " Last seen clearly on {last_clear}; it may be at most {max_days_since_clear} ago.",
        "最近一次清晰观测为{last_clear}，距今不得超过{max_days_since_clear}。",
    ),
    "area_doubtful": (
        " In doubt by {area_doubt}; allowed: {max_area_doubt}.",
        "面积不确定度{area_doubt}，允许{max_area_doubt}。",
    ),
    "value_doubtful": (
        " In doubt by {value_doubt}; allowed: {max_value_doubt}.",
        "估值不确定度{value_doubt}，允许{max_value_doubt}。",
    ),
    "declared_crop_differs": (" {declared_but_seen}.", "{declared_but_seen}。"),
    "crop_doubtful": (" It may be {could_be}.", "可能是{could_be}。"),
}
"""Code -> the figures of this farm behind its sentence, where all of them are known."""
NEEDED = {code: tuple(name for _, name, *_ in Formatter().parse(en) if name) for code, (en, _) in FIGURES.items()}


class EvidenceBarSettings(Settings):
    """How much must have been seen, and which notes do not ask for a person."""

    min_clear_looks: int = Field(ge=1, description="clear looks the worst parcel needs in the season")
    max_days_since_clear: int = Field(ge=1, description="age of the oldest parcel's newest clear look, days")
    agreed_confidence: float | None = Field(
        None,
        ge=0,
        le=1,
        description="a crop that others cannot be told from passes where the farmer declared it and it is the first "
        "answer with at least this probability; left out: it never passes",
    )
    max_area_doubt: float | None = Field(
        None,
        gt=0,
        le=1,
        description="how far the cautious planted area may lie below the middle one, as a share of it; left out: any. "
        "At 0.05 farms that are decided get the same limit a hectare within 5 %, whatever their size",
    )
    max_value_doubt: float | None = Field(
        None, gt=0, le=1, description="the same of the harvest's value, where one is known; left out: any"
    )
    note_only: tuple[str, ...] = Field((), description="codes kept in the trail that do not refer, geometry_repaired")


def apply(farm: Farm, limit: Decimal | None, settings: EvidenceBarSettings, context: RuleContext) -> tuple[Step, ...]:
    """Refer, with one step per reason, strongest first; or one step that says the bar is met.

    Whatever flag or event is not named in `note_only` asks for a person, also one that this rule has never heard of.
    """
    facts = {
        "status": Shown(farm.status, STATUS_ZH.get(farm.status, farm.status)),
        "clear_looks": show(farm.clear_looks, "times", "次"),
        "min_clear_looks": show(settings.min_clear_looks, "times", "次"),
        "last_clear": Shown("never", "从未") if farm.last_clear is None else show(farm.last_clear),
        "max_days_since_clear": show(settings.max_days_since_clear, "days", "天"),
    }
    if settings.max_area_doubt is not None:
        facts["area_doubt"] = show_doubt(doubt_of(farm.planted_m2))
        facts["max_area_doubt"] = show_doubt(settings.max_area_doubt)
    if settings.max_value_doubt is not None and farm.value is not None:
        facts["value_doubt"] = show_doubt(doubt_of(farm.value))
        facts["max_value_doubt"] = show_doubt(settings.max_value_doubt)
    raised = _raised(farm)
    codes = _find_codes(farm, raised, settings, context)
    notes = sorted(raised.intersection(settings.note_only))
    agreed = _find_agreed(farm, settings)
    words = MET
    if agreed:
        names = [context.name_crop(crop) for crop in agreed]
        facts["declared_and_seen"] = Shown(", ".join(n.en for n in names), "、".join(n.zh for n in names))
        words = _say_agreed(agreed, context)
    if notes:
        said = [measured_words(code)[1].rstrip("。") for code in notes]
        facts["notes"] = Shown(", ".join(notes), "；".join(said))
    if not codes:
        return (make_step(NAME, "evidence_met", limit, limit, words, facts),)
    facts |= _crops_in_doubt(farm, settings, context)
    return tuple(_refer(code, limit, facts) for code in codes)


def _refer(code: str, limit: Decimal | None, facts: dict[str, Shown]) -> Step:
    said_en, said_zh = measured_words(code)
    figures = FIGURES.get(code)
    if figures is not None and all(name in facts for name in NEEDED[code]):
        said_en += figures[0].format_map({name: facts[name].en for name in NEEDED[code]})
        said_zh += figures[1].format_map({name: facts[name].zh for name in NEEDED[code]})
    return make_step(NAME, code, limit, limit, (said_en, said_zh), facts, outcome="refer", fill=False)


def _crops_in_doubt(farm: Farm, settings: EvidenceBarSettings, context: RuleContext) -> dict[str, Shown]:
    """What was declared and seen where the two differ, and what a crop in doubt may be; each stand's once."""
    unsure = [s for s in farm.stands if s.crop_doubtful and not _agrees(s, settings)]
    seen: dict[tuple[str, str], dict[str, None]] = {}
    for s in farm.stands:
        if s.declared_crop is not None and s.declared_crop not in (s.crop, *s.crop_set):
            seen.setdefault((s.parcel_id, s.declared_crop), {})[s.crop] = None
    facts: dict[str, Shown] = {}
    if seen:
        pairs = list(dict.fromkeys((declared, tuple(crops)) for (_, declared), crops in seen.items()))[:MOST_SETS]
        told = [(context.name_crop(one), _name_all(crops, context, ("and", "和"))) for one, crops in pairs]
        facts["declared_but_seen"] = Shown(
            "; ".join(f"{one.en} declared, {crops.en} seen" for one, crops in told),
            "；".join(f"申报{one.zh}，看到{crops.zh}" for one, crops in told),
        )
    if unsure:
        sets = [_name_all((s.crop, *sorted(set(s.crop_set) - {s.crop})), context, ("or", "或")) for s in unsure]
        shown = list(dict.fromkeys(sets))[:MOST_SETS]
        facts["could_be"] = Shown("; ".join(one.en for one in shown), "；".join(one.zh for one in shown))
    return facts


def _name_all(crops: Iterable[str], context: RuleContext, between: Words) -> Shown:
    """Maize or wheat."""
    names = [context.name_crop(crop) for crop in crops]
    return Shown(f" {between[0]} ".join(name.en for name in names), between[1].join(name.zh for name in names))


def _raised(farm: Farm) -> set[str]:
    events = {name if name.startswith("event_") else f"event_{name}" for name in farm.events}
    return set(farm.flags) | events


def _agrees(stand: Stand, settings: EvidenceBarSettings) -> bool:
    """Two sources say the same: the satellite's first answer is what the farmer declared."""
    bar = settings.agreed_confidence
    return bar is not None and stand.declared_crop == stand.crop and stand.crop_confidence >= bar


def _find_agreed(farm: Farm, settings: EvidenceBarSettings) -> dict[str, float]:
    """Crops that were taken though in doubt, with the least probability any stand of them has."""
    agreed: dict[str, float] = {}
    for stand in farm.stands:
        if stand.crop_doubtful and _agrees(stand, settings):
            agreed[stand.crop] = min(stand.crop_confidence, agreed.get(stand.crop, 1.0))
    return dict(sorted(agreed.items()))


def _say_agreed(agreed: dict[str, float], context: RuleContext) -> Words:
    en, zh = MET
    for crop, confidence in agreed.items():
        name, percent = context.name_crop(crop), math.floor(100 * confidence + 1e-9)
        said = name.en[:1].upper() + name.en[1:]
        en += _plain(AGREED[0].format(crop=said, confidence=f"{percent} %"))
        zh += _plain(AGREED[1].format(crop=name.zh, confidence=f"{percent}%"))
    return en, zh


def _plain(text: str) -> str:
    """A finished sentence among words that are still to be filled in."""
    return text.replace("{", "{{").replace("}", "}}")


def _exceeds(interval: Interval | None, most: float | None) -> bool:
    return interval is not None and most is not None and doubt_of(interval) > most


def _find_codes(farm: Farm, raised: set[str], settings: EvidenceBarSettings, context: RuleContext) -> list[str]:
    codes = set(raised)
    if any(stand.crop == "unknown" for stand in farm.stands):
        codes.add("crop_unknown")
    if any(stand.crop_doubtful and not _agrees(stand, settings) for stand in farm.stands):
        codes.add("crop_doubtful")
    status_code = None if farm.status == "ok" else (farm.reason or f"status_{farm.status}")
    if farm.status == "degraded" and status_code in settings.note_only:
        status_code = None  # the doubt is a mere note under this policy; whatever else was in doubt is in the flags
    codes.difference_update(settings.note_only)
    # What follows is never a mere note: a farm that was not measured whole has no place under a limit.
    if status_code is not None:
        codes.add(status_code)
    if _exceeds(farm.planted_m2, settings.max_area_doubt):
        codes.add("area_doubtful")
    if _exceeds(farm.value, settings.max_value_doubt):
        codes.add("value_doubtful")
    # A farm that was lost for another reason was not lost to clouds: its count of looks says nothing.
    if farm.status in ("ok", "degraded") or status_code in IMAGERY_CODES:
        if farm.clear_looks < settings.min_clear_looks or farm.last_clear is None:
            codes.add("few_clear_looks")
        if farm.last_clear is not None and (context.as_of - farm.last_clear).days > settings.max_days_since_clear:
            codes.add("stale_look")
    ranked = rank_codes(codes, first=status_code)
    if codes & IMAGERY_CODES and "insufficient_imagery" not in codes:
        at = max(ranked.index(code) for code in codes & IMAGERY_CODES)
        ranked.insert(at + 1, "insufficient_imagery")
    return ranked


RULE = Rule(
    name=NAME,
    title=("Enough evidence", "观测证据"),
    settings=EvidenceBarSettings,
    apply=apply,
    reasons={
        "evidence_met": (
            "Your land was seen clearly enough, and nothing asks for a person to look.",
            "您的地块观测清晰，没有需要人工核实的情况。",
        )
    },
    judges=True,
)
