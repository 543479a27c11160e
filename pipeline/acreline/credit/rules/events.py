# SPDX-License-Identifier: Apache-2.0
"""A flood, a frost or the like that struck much of the land, or hard, goes to a person; a small one is noted."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from acreline.config import Settings
from acreline.credit.contract import Rule, RuleContext, Words, make_step
from acreline.credit.facts import Shown, show_doubt
from acreline.credit.words import measured_words, rank_codes
from acreline.records import Farm, Step

NAME = "events"
REASONS: dict[str, Words] = {
    "no_event": ("Nothing that was looked for struck your crops.", "未发现您的作物受灾。"),
    "small_event": (
        "What struck your crops was small, is noted, and changes nothing.",
        "您的作物受灾较轻，已记录，不影响额度。",
    ),
}


class EventBar(Settings):
    """Up to where one kind of event is only noted."""

    max_share: float = Field(ge=0, le=1, description="share of the farm's land that was struck, 0 to 1")
    max_severity: float = Field(1.0, ge=0, le=1, description="severity on the parcel struck worst, 0 to 1")


class EventsSettings(Settings):
    """Which events a person looks at."""

    note_up_to: dict[str, EventBar] = Field(
        description="event (flood, drought ...) -> up to where it is noted; an event not named here always refers. "
        "Name its code (event_flood) under `note_only` of evidence_bar too, or it refers there"
    )


def apply(farm: Farm, limit: Decimal | None, settings: EventsSettings, context: RuleContext) -> tuple[Step, ...]:
    """Refer, one step per kind of event over its bar, gravest first; the limit itself is never touched.

    An event whose struck share nobody measured refers: an unknown part may be all of it.
    """
    names = {*farm.events, *(code.removeprefix("event_") for code in farm.flags if code.startswith("event_"))}
    if not names:
        return (make_step(NAME, "no_event", limit, limit, REASONS["no_event"]),)
    struck = {one.event: one for one in farm.struck}
    over, shown = [], []
    for name in sorted(names):
        one, bar = struck.get(name), settings.note_up_to.get(name)
        if one is None or bar is None or one.share > bar.max_share or one.severity > bar.max_severity:
            over.append(f"event_{name}")
        share = Shown("not known", "未知") if one is None else show_doubt(one.share)
        words = measured_words(f"event_{name}")
        shown.append(Shown(f"{name} {share.en}", f"{words[1].rstrip('。')} {share.zh}"))
    facts = {"struck": Shown("; ".join(one.en for one in shown), "；".join(one.zh for one in shown))}
    if not over:
        return (make_step(NAME, "small_event", limit, limit, REASONS["small_event"], facts),)
    return tuple(
        make_step(NAME, code, limit, limit, measured_words(code), facts, outcome="refer", fill=False)
        for code in rank_codes(over)
    )


RULE = Rule(
    name=NAME,
    title=("What struck the crops", "受灾情况"),
    settings=EventsSettings,
    apply=apply,
    reasons=REASONS,
    judges=True,
)
