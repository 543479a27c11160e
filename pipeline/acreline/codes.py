# SPDX-License-Identifier: Apache-2.0
"""One language of abstention for every layer: each code in words, and the cheapest thing that would settle it.

A code says what is not known; its action says what would make it known, so that a referral is a task and not a dead
end. The codes stand in `configs/codes.yaml`; this room reads them and works out how long waiting would take.
"""

from __future__ import annotations

import calendar
import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Literal

from pydantic import Field, model_validator

from acreline.config import Settings, packaged_configs, read_settings
from acreline.errors import ConfigError

Words = tuple[str, str]
"""English and Chinese."""
LANGUAGES = ("en", "zh")
CURVE_LOOKS = 4
"""Clear looks without which no curve is drawn."""
LATE_OPENS = (6, 20)
"""Month and day from which on the second crop of a year is told (`curves.GROWING_DAYS`)."""
LOOK_ON_DAYS = 30
"""How long to wait for a crop that should be up by now."""
FOLLOWING = frozenset({"not_measured", "incomplete"})
"""Codes that only follow from the one that says why land was not measured; by themselves they promise another try."""
LEAST_LOOKS = 2
"""Fewer clear looks than this tell no rate at which more will come."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done about a code; the lower its rank, the cheaper."""

    slug: str
    rank: int
    en: str
    zh: str


ACTIONS = {
    one.slug: one
    for one in (
        Action("rerun", 0, "run the region again when its source answers", "数据源恢复后重新运行"),
        Action("wait", 1, "wait for more clear pictures", "等待更多清晰影像"),
        Action("photo", 2, "a photo of the field with date and place", "提供带日期和位置的田间照片"),
        Action("boundary", 3, "a corrected outline of the parcel", "更正地块边界"),
        Action("documents", 4, "the figure or paper that is missing", "补充缺少的数字或证明材料"),
        Action("visit", 5, "a visit to the field", "实地查看"),
        Action("none", 6, "no more is needed, a person decides", "无需补充材料，由工作人员决定"),
    )
}
"""By slug, cheapest first."""


class Code(Settings):
    """One code: who raises it, how grave it is, what settles it, and its words."""

    slug: str
    layers: tuple[str, ...] = Field(min_length=1, description="rooms that raise it")
    kind: Literal["missing", "doubtful", "refused", "note"]
    action: Literal["rerun", "wait", "photo", "boundary", "documents", "visit", "none"]
    waits_for: Literal["bar", "curve", "look", "opening", "harvest"] | None = Field(
        None, description="with `wait`: what for"
    )
    otherwise: Literal["photo", "visit", "none"] | None = Field(
        None, description="with `wait`: what settles it where waiting cannot"
    )
    asks: Words | None = Field(
        None, description="what is asked of the farmer, English and Chinese, where the action alone says too little"
    )
    of_others: bool = Field(False, description="its figures name another farm: not for a page that is handed out")
    short: Words = Field(description="a few words for tables, English and Chinese")
    said: Words = Field(description="a sentence without numbers for the farmer, English and Chinese")

    @model_validator(mode="after")
    def _fits(self) -> Code:
        waits = self.action == "wait"
        if waits != (self.waits_for is not None) or waits != (self.otherwise is not None):
            raise ValueError(f"{self.slug}: waits_for and otherwise come with action wait, and only with it")
        if self.kind == "note" and self.action != "none":
            raise ValueError(f"{self.slug}: a note asks for nothing: action none")
        return self


class _CodeFile(Settings):
    codes: tuple[Code, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a parcel or farm so far, from which follows how long to wait."""

    as_of: date
    start: date
    """First day of the season."""
    end: date
    """Last day of it: nothing later is looked at."""
    looks: int
    """Clear looks from start to as_of."""
    wanted: int | None = None
    """Clear looks the evidence bar asks for; None: not known."""
    harvest: str = ""
    """When its crop is cut, as its crop file says: `5 Sep to 15 Oct`; empty: not known."""


@dataclass(frozen=True, slots=True)
class Settled:
    """An action, the codes it settles, and about until when to wait (None: no date can be told, or no waiting)."""

    action: Action
    codes: tuple[str, ...]
    until: date | None = None


@cache
def all_codes() -> Mapping[str, Code]:
    """Every code by its slug, in the order of their weight for a farmer, the gravest first.

    Raises:
        ConfigError: `configs/codes.yaml` is missing or wrong; the message names the entry.
    """
    found = read_settings(_CodeFile, packaged_configs() / "codes.yaml").codes
    by_slug = {code.slug: code for code in found}
    if len(by_slug) < len(found):
        names = [code.slug for code in found]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"codes.yaml: {twice} stands twice", hint="one entry a code")
    return by_slug


def find_code(slug: str) -> Code:
    """One code.

    Raises:
        ConfigError: it is not known; the hint has the nearest one.
    """
    code = all_codes().get(slug)
    if code is None:
        close = difflib.get_close_matches(slug, all_codes(), n=1, cutoff=0.5)
        raise ConfigError(
            f"code {slug!r} is not known", hint=f"did you mean {close[0]!r}?" if close else "see configs/codes.yaml"
        )
    return code


def split_codes(text: str | None) -> tuple[str, ...]:
    """`a|b` text, as the tables hold it, as single codes; each once."""
    return tuple(dict.fromkeys(name for name in (text or "").split("|") if name))


def explain_codes(text: str | None, lang: str = "en") -> list[str]:
    """`a|b` text as sentences for the farmer; a code that has none is shown as it is, never hidden.

    Raises:
        ConfigError: the language is neither `en` nor `zh`.
    """
    if lang not in LANGUAGES:
        raise ConfigError(f"language {lang!r} is not spoken", hint=f"one of {', '.join(LANGUAGES)}")
    return [said_words(slug)[lang == "zh"] for slug in split_codes(text)]


def said_words(slug: str) -> Words:
    """The sentence of a code; for one that nobody has put in words, the code itself."""
    code = all_codes().get(slug)
    if code is not None:
        return code.said
    return f"This was noted and a person looks: {slug}.", f"有一项记录需人工核查：{slug}。"


def cheapest_action(codes: Iterable[str], seen: Mapping[str, Seen] | None = None) -> list[Settled]:
    """The cheapest set of actions that settles all of some codes, cheapest first, each with the codes it settles.

    Notes ask for nothing and are left out, as are codes that are not known. Who visits brings a photo along, and a
    photo shows what clear looks would have shown: with either on the list, nothing is waited for or photographed apart.
    Only the harvest is waited for all the same.

    Args:
        codes: slugs, in any order.
        seen: what was seen of the land that each code speaks of, by code; where a code is not in it, waiting is taken
            to help and no date is told.
    """
    seen = seen or {}
    found: dict[str, list[str]] = {}
    for slug in dict.fromkeys(codes):
        code = all_codes().get(slug)
        if code is not None and code.kind != "note":
            helps = slug not in seen or can_wait(slug, seen[slug])
            found.setdefault(code.action if helps else code.otherwise or code.action, []).append(slug)
    heavier = next((name for name in ("visit", "photo") if name in found), None)
    if heavier is not None:
        found[heavier] += found.pop("photo", []) if heavier == "visit" else []
        waiting = found.pop("wait", [])
        for slug in waiting:
            code = all_codes()[slug]
            shown = code.waits_for != "harvest" and code.otherwise == "photo"
            found.setdefault(heavier if shown else "wait", []).append(slug)
    told = []
    for action in ACTIONS.values():
        if action.slug in found:
            slugs = tuple(found[action.slug])
            days = [wait_until(slug, seen[slug]) for slug in slugs if slug in seen] if action.slug == "wait" else []
            told.append(Settled(action, slugs, max((day for day in days if day is not None), default=None)))
    return told


def without_following(codes: Iterable[str], reason: str | None) -> list[str]:
    """Codes without those that follow from a reason which no new measuring mends: land too small stays too small.

    Args:
        codes: in any order.
        reason: code of the farm's status, if it has one.
    """
    told = list(codes)
    why = [code for code in told if code not in FOLLOWING and (code == reason or code.startswith("status_"))]
    if not why or any(code not in all_codes() or all_codes()[code].action == "rerun" for code in why):
        return told
    return [code for code in told if code not in FOLLOWING]


def can_wait(slug: str, seen: Seen) -> bool:
    """Whether waiting may settle a code: what is waited for may still come before the season's last day."""
    if find_code(slug).waits_for is None:
        return True
    until = wait_until(slug, seen)
    return seen.as_of < seen.end and (until is None or until <= seen.end)


def wait_until(slug: str, seen: Seen) -> date | None:
    """About the day by which waiting will have settled a code.

    Clear looks are taken to keep coming as they came this season: so many more as the evidence bar or a curve needs,
    and one more where a single look settles it. For the opening it is 20 June, from which on a late crop
    is told, or a month on. For the harvest it is the first day of the crop's window, or its last day once it has begun.

    Returns:
        None where the code is not settled by waiting, or too little is known to tell a day.

    Raises:
        ConfigError: the code is not known.
    """
    waits_for = find_code(slug).waits_for
    if waits_for is None:
        return None
    if waits_for == "opening":
        opens = date(seen.as_of.year, *LATE_OPENS)
        return max(opens, seen.as_of + timedelta(days=LOOK_ON_DAYS))
    if waits_for == "harvest":
        window = harvest_window(seen.harvest, seen.as_of)
        return None if window is None else window[0] if window[0] > seen.as_of else window[1]
    wanted = {"bar": seen.wanted, "curve": CURVE_LOOKS, "look": seen.looks + 1}[waits_for]
    days = (seen.as_of - seen.start).days
    if wanted is None or seen.looks < LEAST_LOOKS or days <= 0:
        return None
    more = max(wanted - seen.looks, 1)
    return seen.as_of + timedelta(days=math.ceil(more * days / seen.looks))


_MONTHS = {name[:3].lower(): number for number, name in enumerate(calendar.month_name) if number}
_DAY_OF_MONTH = re.compile(r"(?:(\d{1,2})\s+)?(?:to\s+(\d{1,2})\s+)?\b([A-Z][a-z]{2,8})\b")


def harvest_window(text: str, as_of: date) -> tuple[date, date] | None:
    """First and last day of the harvest that ends next, read from a crop's `harvest`: `5 to 25 Jul`, `May to October`.

    What stands in brackets is left out. None where the text names no month (`all year`).
    """
    plain = re.sub(r"\(.*?\)", "", text)
    found = [match for match in _DAY_OF_MONTH.findall(plain) if match[2][:3].lower() in _MONTHS]
    if not found:
        return None
    (first_day, early, first_month), (late, last_day, last_month) = found[0], found[-1]
    begins, ends = _MONTHS[first_month[:3].lower()], _MONTHS[last_month[:3].lower()]
    for year in (as_of.year - 1, as_of.year, as_of.year + 1):
        start = date(year, begins, int(first_day or early or 1))
        end_year = year + (ends < begins)
        last = calendar.monthrange(end_year, ends)[1]
        end = date(end_year, ends, min(int(last_day or late or last), last))
        if end >= as_of:
            return start, end
    return None
