# SPDX-License-Identifier: Apache-2.0
"""The schedule of every approved limit of a run, from the season of the farm's main crop."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from acreline.codes import harvest_window
from acreline.config import packaged_crops
from acreline.credit import FarmSeason, ScheduleRow, StandSeason, make_schedule

if TYPE_CHECKING:
    from acreline.layers import Seasons
    from acreline.plan import Plan
    from acreline.publish import Facts
    from acreline.records import Farm

BACK_DAYS = 330
"""Before the season's end: the harvest that ends next from there on is this season's, where no date tells it."""
DATES = ("emergence", "peak", "harvest")


def schedule_farms(plan: Plan, facts: Facts) -> list[ScheduleRow]:
    """Tranches, reminder and due day of every farm that was approved, in the farms' order; none without a schedule.

    The main crop of a farm is what its tranches wait for: all its stands, each with the land planted of it.
    """
    settings = plan.policy.schedule
    if settings is None:
        return []
    calendar = {slug: crop.harvest for slug, crop in (packaged_crops() | dict(plan.crops)).items()}
    approved = [
        (farm, decision)
        for farm, decision in zip(facts.farms, facts.decisions, strict=True)
        if decision.outcome == "approve"
    ]
    seen = _index_seasons(facts.seasons, [farm for farm, _ in approved])
    rows: list[ScheduleRow] = []
    for farm, decision in approved:
        assert decision.limit is not None  # an approval has one
        season = _season_of(farm, seen, calendar, plan.region.season.end)
        rows += make_schedule(season, decision.limit, decision.currency, settings, as_of=plan.as_of)
    return rows


def _index_seasons(seasons: Seasons, farms: list[Farm]) -> dict[tuple[str, str], dict[str, Any]]:
    """Season rows of the farms' main crops by parcel and slot, dates and doubts as plain values, None where unknown."""
    import pandas as pd

    wanted = {parcel: farm.main_crop for farm in farms for parcel in farm.parcel_ids}
    mine = seasons[seasons["crop"] == seasons["parcel_id"].map(wanted)]
    names = ["parcel_id", "slot", "stage", *DATES, "harvest_doubt_days"]
    plain = mine[names].astype(object).where(mine[names].notna(), None)
    for name in DATES:
        plain[name] = [None if pd.isna(day) else pd.Timestamp(day).date() for day in mine[name]]
    rows: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
    return {(row["parcel_id"], row["slot"]): row for row in rows}


def _season_of(
    farm: Farm, seen: dict[tuple[str, str], dict[str, Any]], calendar: dict[str, str], season_end: date
) -> FarmSeason:
    stands = []
    for stand in farm.stands:
        row = seen.get((stand.parcel_id, stand.slot))
        if stand.crop == farm.main_crop and row is not None:
            days = {name: row[name] for name in DATES}
            doubt = float(row["harvest_doubt_days"] or 0.0)
            stage = row["stage"] or "unknown"
            stands.append(StandSeason(stand.parcel_id, stand.area_m2.mid, stage, **days, harvest_doubt_days=doubt))
    begun = [day for stand in stands for day in (stand.emergence or stand.peak,) if day is not None]
    window = harvest_window(
        calendar.get(farm.main_crop or "", ""), min(begun, default=season_end - timedelta(days=BACK_DAYS))
    )
    return FarmSeason(farm.farm_id, tuple(stands), None if window is None else window[1])
