# SPDX-License-Identifier: Apache-2.0
"""How a limit is paid out and falls due: tranches released by what is seen of the crop, a due day behind its harvest.

A schedule is data for the bank's own system: nothing is paid here. Money is exact; the tranches are the limit to the
last cent. A day never depends on the day of the decision alone, so a run that saw nothing new says nothing new.
"""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from acreline.config import ScheduleSettings, TrancheSettings
from acreline.credit.contract import Words
from acreline.credit.facts import MONEY, floor_to, show_money, show_share

CENT = Decimal("0.01")
STAGES = ("bare", "emerging", "growing", "peak", "senescing", "harvested")
"""In the order of a season; a stand of another stage (permanent, unknown) is looked at by its dates alone."""
PERMANENT = "permanent"
"""It stands all year and is seen to: what asks for a sown, growing or full crop is met, and was so from the first."""
WEEK = 7

WHEN_WORDS: dict[str, Words] = {
    "approval": ("on approval", "批准时"),
    "sowing_seen": ("when the sown crop is seen to have come up", "观测到播种出苗时"),
    "growing": ("when the crop covers the ground", "作物进入生长期时"),
    "peak": ("when the crop is at its fullest", "作物生长最旺盛时"),
    "senescing": ("when the crop ripens", "作物成熟时"),
    "harvested": ("when the harvest is seen", "观测到收获时"),
}


@dataclass(frozen=True, slots=True)
class StandSeason:
    """What was seen of one stand of the main crop."""

    parcel_id: str
    area_m2: float
    """Planted land, the middle estimate."""
    stage: str
    emergence: date | None = None
    peak: date | None = None
    harvest: date | None = None
    harvest_doubt_days: float = 0.0
    """The harvest may have been so much later."""


@dataclass(frozen=True, slots=True)
class FarmSeason:
    """The season of a farm's main crop."""

    farm_id: str
    stands: tuple[StandSeason, ...]
    harvest_until: date | None = None
    """Last day on which the crop is usually cut in this season; None: its calendar tells none."""


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One tranche, reminder or due day."""

    farm_id: str
    number: int
    """From 1, within the farm."""
    kind: str
    """tranche, remind or due."""
    when: str
    """What it hangs on: a `settings.When`; `due` for a reminder, `harvested` for the due day."""
    date: date | None
    """When the condition was met, or the day of the reminder or due day; None: the day of the decision itself, or not
    known yet."""
    amount: Decimal
    currency: str
    state: str
    """tranche: released, waiting, or lapsed (not seen by its latest day); remind and due: waiting, or moved by a late
    season."""
    text_en: str
    text_zh: str


def make_schedule(
    season: FarmSeason, limit: Decimal, currency: str, settings: ScheduleSettings, *, as_of: date
) -> tuple[ScheduleRow, ...]:
    """The tranches, the reminder and the due day of one approved limit.

    Each tranche is its share of the limit, rounded down to a cent, the last takes the rest. A condition is met on the
    day by which `land_share` of the main crop's planted land had met it. The loan falls due `due_days` after the usual
    end of the harvest; where the harvest was seen later (its date plus its doubt), or is still standing after that end,
    the day moves by so much, in whole weeks while it stands, at most `move_days`. An early harvest calls in no loan
    earlier. Without a calendar the day is counted from the harvest that was seen.

    Args:
        season: what was seen of the farm's main crop.
        limit: approved, 0 or more, in whole cents; none is paid out of 0.
        currency: of the limit.
        settings: of the policy.
        as_of: day of the decision.
    """
    if limit <= 0:
        return ()
    rows: list[ScheduleRow] = []
    left = limit
    for number, tranche in enumerate(settings.tranches, start=1):
        last = number == len(settings.tranches)
        with decimal.localcontext(MONEY):
            amount = left if last else floor_to(limit * tranche.share, CENT)
            left -= amount
        rows.append(_make_tranche(number, tranche, amount, season, currency, settings, as_of))
    return (*rows, *_make_due(len(rows) + 1, season, limit, currency, settings, as_of))


def _make_tranche(
    number: int,
    tranche: TrancheSettings,
    amount: Decimal,
    season: FarmSeason,
    currency: str,
    settings: ScheduleSettings,
    as_of: date,
) -> ScheduleRow:
    met, day = _is_met(tranche.when, season.stands, settings.land_share)
    always = bool(season.stands) and all(stand.stage == PERMANENT for stand in season.stands)
    in_time = tranche.latest is None or always or (day or as_of) <= tranche.latest
    state = "released" if met and in_time else "lapsed" if tranche.latest and as_of > tranche.latest else "waiting"
    words = WHEN_WORDS[tranche.when]
    shown, share = show_money(amount, currency), show_share(tranche.share)
    en, zh = f"{shown.en} ({share.en}) {words[0]}", f"{words[1]}发放{shown.zh}（{share.zh}）"
    if tranche.latest is not None:
        en, zh = f"{en}, at the latest on {tranche.latest}", f"{zh}，最迟{tranche.latest}"
    if state == "released":
        seen = ("", "") if day is None else (f" on {day}", f"（{day}）")
        en, zh = f"{en}: met{seen[0]}.", f"{zh}：条件已满足{seen[1]}。"
    elif state == "lapsed":
        en, zh = f"{en}: not seen by then; a person decides.", f"{zh}：届时未观测到，由工作人员决定。"
    else:
        en, zh = f"{en}: not seen yet.", f"{zh}：尚未观测到。"
    shown_day = day if state == "released" else None
    return ScheduleRow(season.farm_id, number, "tranche", tranche.when, shown_day, amount, currency, state, en, zh)


def _is_met(when: str, stands: Sequence[StandSeason], land_share: float) -> tuple[bool, date | None]:
    """Whether enough land has met a condition, and the day by which it had; None where no date tells it."""
    if when == "approval":
        return True, None
    days = [(_met_on(when, stand), stand) for stand in stands if _stand_meets(when, stand)]
    wanted = land_share * sum(stand.area_m2 for stand in stands)
    dated = sorted((day, stand.area_m2) for day, stand in days if day is not None)
    undated = sum(stand.area_m2 for day, stand in days if day is None)
    got = undated
    if wanted > 0 and got >= wanted:
        return True, None
    for day, area in dated:
        got += area
        if wanted > 0 and got >= wanted:
            return True, day
    return False, None


def _stand_meets(when: str, stand: StandSeason) -> bool:
    if stand.stage == PERMANENT:
        return when in ("sowing_seen", "growing", "peak")
    if when == "sowing_seen":
        return stand.emergence is not None
    return stand.stage in STAGES and STAGES.index(stand.stage) >= STAGES.index(when)


def _met_on(when: str, stand: StandSeason) -> date | None:
    """The day a stand met a condition; growth between two dates has none of its own."""
    return {"sowing_seen": stand.emergence, "peak": stand.peak, "harvested": stand.harvest}.get(when)


def _find_due(season: FarmSeason, settings: ScheduleSettings, as_of: date) -> tuple[date | None, int]:
    """The due day, None where no harvest can be told, and by how many days a late season moved it."""
    cut, seen = _is_met("harvested", season.stands, settings.land_share)
    if seen is not None:
        doubts = [stand.harvest_doubt_days for stand in season.stands if stand.harvest is not None]
        seen += timedelta(days=round(max(doubts)))
    after = timedelta(days=settings.due_days)
    if season.harvest_until is None:
        return (None if seen is None else seen + after), 0
    late = 0
    if seen is not None:
        late = (seen - season.harvest_until).days
    elif not cut and any(stand.stage in STAGES for stand in season.stands):
        late = -(-(as_of - season.harvest_until).days // WEEK) * WEEK
    moved = min(max(late, 0), settings.move_days)
    return season.harvest_until + timedelta(days=moved) + after, moved


def _make_due(
    number: int, season: FarmSeason, amount: Decimal, currency: str, settings: ScheduleSettings, as_of: date
) -> tuple[ScheduleRow, ScheduleRow]:
    """The reminder and the due day."""
    due, moved = _find_due(season, settings, as_of)
    reminder = None if due is None else due - timedelta(days=settings.remind_days)
    shown, state = show_money(amount, currency), "moved" if moved else "waiting"
    en = f"Reminder {settings.remind_days} days before the due day" + ("." if due is None else f": {reminder}.")
    zh = f"到期前{settings.remind_days}天提醒" + ("。" if due is None else f"：{reminder}。")
    remind = ScheduleRow(season.farm_id, number, "remind", "due", reminder, amount, currency, state, en, zh)
    if due is None:
        en = f"{shown.en} falls due {settings.due_days} days after the harvest is seen."
        zh = f"{shown.zh}在观测到收获后{settings.due_days}天到期。"
    else:
        en = f"{shown.en} falls due on {due}, {settings.due_days} days after the harvest"
        zh = f"{shown.zh}于{due}到期，即收获后{settings.due_days}天"
        en += f", moved by {moved} days because the season is late." if moved else "."
        zh += f"，因季节偏晚顺延{moved}天。" if moved else "。"
    row = ScheduleRow(season.farm_id, number + 1, "due", "harvested", due, amount, currency, state, en, zh)
    return remind, row
