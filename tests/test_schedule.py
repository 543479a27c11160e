# SPDX-License-Identifier: Apache-2.0
"""Tranches, reminders and due days by hand; their sums by any numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from acreline import tables
from acreline.config import ScheduleSettings, read_policy, read_region
from acreline.credit import FarmSeason, ScheduleRow, StandSeason, compile_policy, make_schedule
from acreline.credit.policy import _settle
from acreline.desk import explain_farm
from acreline.hashing import digest
from acreline.plan import plan_run
from acreline.report import write_farm_pages
from acreline.schedules import schedule_farms
from acreline.settings import DATED, When
from tests.made_publication import farm_name, make_pictures, make_publication
from tests.test_publish import decide, empty, made_facts, made_farm, made_stand

UNTIL = date(2018, 10, 15)
LIMIT = Decimal("1000.01")
SETTINGS: dict[str, Any] = {
    "tranches": [
        {"share": "0.5", "when": "approval"},
        {"share": "0.3", "when": "sowing_seen", "latest": "2018-06-30"},
        {"share": "0.2", "when": "peak"},
    ],
    "due_days": 60,
    "remind_days": 14,
    "move_days": 30,
}
UP, CUT = date(2018, 5, 20), date(2018, 10, 1)


def made(*stands: StandSeason, until: date | None = UNTIL) -> FarmSeason:
    return FarmSeason("F", stands, until)


def stand(stage: str, area: float = 100.0, name: str = "P", **values: Any) -> StandSeason:
    return StandSeason(name, area, stage, **values)


def plan_of(season: FarmSeason, as_of: str, **changes: Any) -> list[ScheduleRow]:
    settings = ScheduleSettings.model_validate({**SETTINGS, **changes})
    return list(make_schedule(season, LIMIT, "CNY", settings, as_of=date.fromisoformat(as_of)))


def states(rows: list[ScheduleRow]) -> list[str]:
    return [row.state for row in rows]


def days(rows: list[ScheduleRow]) -> list[str | None]:
    return [None if row.date is None else row.date.isoformat() for row in rows]


def test_parts_of_a_limit_through_a_season() -> None:
    early = plan_of(made(stand("bare")), "2018-05-01")
    assert [row.kind for row in early] == ["tranche"] * 3 + ["remind", "due"]
    assert [row.amount for row in early] == [Decimal(d) for d in ("500.00", "300.00", "200.01", "1000.01", "1000.01")]
    assert states(early) == ["released", "waiting", "waiting", "waiting", "waiting"]
    assert days(early) == [None, None, None, "2018-11-30", "2018-12-14"]  # 15 Oct + 60, 14 before
    up = plan_of(made(stand("emerging", emergence=UP)), "2018-06-01")
    assert states(up)[:3] == ["released", "released", "waiting"]
    assert days(up)[:3] == [None, "2018-05-20", None]
    full = plan_of(made(stand("senescing", emergence=UP, peak=date(2018, 7, 30))), "2018-09-01")
    assert states(full) == ["released"] * 3 + ["waiting"] * 2
    assert [row.number for row in full] == [1, 2, 3, 4, 5]


def test_words_say_what_is_paid_when_and_why_not() -> None:
    rows = plan_of(made(stand("bare")), "2018-07-15")
    assert rows[1].state == "lapsed"
    assert rows[1].text_en == (
        "300 CNY (30 %) when the sown crop is seen to have come up, at the latest on 2018-06-30: not seen by then; "
        "a person decides."
    )
    assert rows[1].text_zh == "观测到播种出苗时发放300元（30%），最迟2018-06-30：届时未观测到，由工作人员决定。"
    assert rows[0].text_en == "500 CNY (50 %) on approval: met."
    assert rows[3].text_en == "Reminder 14 days before the due day: 2018-11-30."
    assert rows[4].text_zh == "1,000.01元于2018-12-14到期，即收获后60天。"


def test_a_sowing_that_is_seen_too_late_is_for_a_person() -> None:
    late = made(stand("growing", emergence=date(2018, 7, 1)))
    assert states(plan_of(late, "2018-07-20"))[1] == "lapsed"
    in_time = made(stand("growing", emergence=date(2018, 6, 30)))
    assert states(plan_of(in_time, "2018-07-20"))[1] == "released"  # seen later, but it was up in time


def test_half_of_the_land_decides() -> None:
    up, other = stand("growing", 60.0, "P1", emergence=UP), stand("bare", 60.0, "P2")
    later = replace(other, stage="growing", emergence=date(2018, 6, 10))
    assert days(plan_of(made(up, other), "2018-06-20"))[1] == "2018-05-20"
    assert states(plan_of(made(up, other), "2018-06-20", land_share=0.6))[1] == "waiting"
    assert days(plan_of(made(up, later), "2018-06-20", land_share=0.6))[1] == "2018-06-10"
    assert states(plan_of(made(), "2018-06-20"))[:2] == ["released", "waiting"]


def test_what_stands_all_year_has_no_sowing_and_no_peak_to_wait_for() -> None:
    for as_of in ("2018-06-01", "2018-09-30"):  # the second is behind the latest day of the sowing
        assert states(plan_of(made(stand("permanent")), as_of))[:3] == ["released"] * 3
    mixed = made(stand("permanent", 10.0), stand("bare", 90.0, "P2"))
    assert states(plan_of(mixed, "2018-06-01"))[:3] == ["released", "waiting", "waiting"]
    unknown = plan_of(made(stand("unknown")), "2018-06-01")
    assert states(unknown)[:3] == ["released", "waiting", "waiting"]


@pytest.mark.parametrize(
    ("season", "as_of", "due", "state"),
    [
        (made(stand("harvested", harvest=CUT)), "2018-10-20", "2018-12-14", "waiting"),  # early: not called in earlier
        (made(stand("harvested", harvest=date(2018, 10, 20))), "2018-10-25", "2018-12-19", "moved"),  # 5 days late
        (made(stand("harvested", harvest=CUT, harvest_doubt_days=20)), "2018-10-25", "2018-12-20", "moved"),  # 1 + 20
        (made(stand("senescing")), "2018-10-15", "2018-12-14", "waiting"),
        (made(stand("senescing")), "2018-10-16", "2018-12-21", "moved"),  # stands still: by whole weeks
        (made(stand("senescing")), "2018-10-22", "2018-12-21", "moved"),
        (made(stand("senescing")), "2018-10-23", "2018-12-28", "moved"),
        (made(stand("senescing")), "2018-12-31", "2019-01-13", "moved"),  # the cap, 30 days
        (made(stand("harvested", harvest=CUT), until=None), "2018-10-20", "2018-11-30", "waiting"),  # no calendar
        (made(stand("growing"), until=None), "2018-08-20", None, "waiting"),
        (made(stand("permanent")), "2018-12-20", "2018-12-14", "waiting"),  # late cannot be told of it
        (made(stand("harvested")), "2018-12-20", "2018-12-14", "waiting"),
    ],
)
def test_the_due_day_follows_a_late_season(season: FarmSeason, as_of: str, due: str | None, state: str) -> None:
    remind, last = plan_of(season, as_of)[-2:]
    assert (None if last.date is None else last.date.isoformat(), last.state) == (due, state)
    assert remind.state == state
    assert (remind.date is None) == (due is None)
    assert ("late" in last.text_en) == (state == "moved")
    assert due or last.text_en == "1,000.01 CNY falls due 60 days after the harvest is seen."


def test_without_moving_a_late_season_moves_nothing() -> None:
    assert days(plan_of(made(stand("senescing")), "2018-12-31", move_days=0))[-1] == "2018-12-14"
    assert make_schedule(made(), Decimal(0), "CNY", ScheduleSettings.model_validate(SETTINGS), as_of=UP) == ()


@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=5),
    st.decimals(Decimal("0.01"), Decimal(10) ** 13, places=2, allow_nan=False),
)
def test_tranches_are_the_limit_to_the_last_cent(weights: list[int], limit: Decimal) -> None:
    names = ("approval", "sowing_seen", "growing", "peak", "senescing")
    shares = [Decimal(weight) / sum(weights) for weight in weights[:-1]]
    shares = [share.quantize(Decimal("1E-12")) or Decimal("1E-12") for share in shares]
    if sum(shares) >= 1:
        return
    tranches = [{"share": s, "when": w} for s, w in zip([*shares, 1 - sum(shares)], names, strict=False)]
    settings = ScheduleSettings.model_validate({"tranches": tranches, "due_days": 1, "remind_days": 1})
    parts = [r.amount for r in make_schedule(made(), limit, "CNY", settings, as_of=UP) if r.kind == "tranche"]
    assert sum(parts) == limit
    assert all(part >= 0 and part % Decimal("0.01") == 0 for part in parts)
    assert all(part <= limit * tranche["share"] for part, tranche in zip(parts[:-1], tranches, strict=False))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tranches": [{"share": "0.5", "when": "approval"}]}, "must be 1 in sum, not 0.5"),
        (
            {"tranches": [{"share": "0.5", "when": "peak"}, {"share": "0.5", "when": "approval"}]},
            "in the season's order",
        ),
        ({"tranches": [{"share": "0.5", "when": "peak"}, {"share": "0.5", "when": "peak"}]}, "each condition once"),
        ({"tranches": [{"share": 1, "when": "growing", "latest": "2018-06-30"}]}, "latest needs a condition"),
        ({"tranches": [{"share": 1, "when": "sown"}]}, "Input should be 'approval', 'sowing_seen'"),
        ({"due_dayz": 3}, "Extra inputs are not permitted"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ScheduleSettings.model_validate({**SETTINGS, **change})


def test_a_policy_without_a_schedule_is_the_version_it_was() -> None:
    policy = read_policy("demo")
    bare, timed = (policy.model_copy(update={"schedule": s}) for s in (None, ScheduleSettings.model_validate(SETTINGS)))
    compiled = compile_policy(bare)
    content = bare.model_dump(exclude={"rules", "schedule", "contact"})
    content["rules"] = [[one.rule.name, one.source, one.settings.model_dump()] for one in compiled.rules]
    assert compiled.version == digest(_settle(content))
    assert compile_policy(timed).version != compiled.version
    assert set(DATED) < set(When.__args__)  # type: ignore[attr-defined]


# --- in a run ---------------------------------------------------------------------------------------------------------
def test_each_approved_farm_of_a_run_is_scheduled_by_its_main_crop(repo: Path) -> None:
    plan = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))
    seasons = empty(tuple(made_facts().seasons.columns))
    known = {"crop_confidence": 0.9, "crop_set": "x", "stage": "harvested"}
    for parcel, slot, crop, day in (
        ("p1", "B", "maize", "2018-05-20"),
        ("p1", "A", "winter_cereal", "2018-02-01"),
        ("p2", "B", "potato", "2018-04-01"),
    ):
        row = {**known, "parcel_id": parcel, "slot": slot, "crop": crop, "emergence": day, "harvest": "2018-10-20"}
        seasons.loc[len(seasons)] = {name: row.get(name) for name in seasons.columns}
    farm = replace(made_farm("f1", made_stand("p1"), made_stand("p2", crop="potato")), main_crop="maize")
    refer = replace(decide("f2"), outcome="refer", limit=None)
    facts = made_facts(farms=(farm, made_farm("f2")), decisions=(decide("f1"), refer), seasons=seasons)
    assert schedule_farms(plan, facts) == []  # the demo policy leaves it to the bank
    timed = plan.policy.model_copy(update={"schedule": ScheduleSettings.model_validate(SETTINGS)})
    rows = schedule_farms(replace(plan, policy=timed), facts)
    assert {row.farm_id for row in rows} == {"f1"}
    assert days(rows) == [None, "2018-05-20", None, "2018-12-05", "2018-12-19"]  # maize until 15 Oct, cut 5 days after
    assert rows[-1].state == "moved"


def test_the_schedule_is_told_on_the_page_and_in_words(tmp_path: Path) -> None:
    folder = make_publication(tmp_path / "made")
    farm = farm_name(0)
    before = explain_farm(folder, farm, "en")
    assert not any("Paying out" in line for line in before)  # runs of earlier versions have no such table
    season = FarmSeason(farm, (stand("growing", emergence=UP),), UNTIL)
    rows = make_schedule(season, LIMIT, "CNY", ScheduleSettings.model_validate(SETTINGS), as_of=date(2018, 8, 1))
    tables.write_schedule(rows, folder / "schedule.parquet")
    written = pq.read_table(folder / "schedule.parquet")
    assert str(written.schema.field("amount").type) == "decimal128(18, 2)"
    assert sum(written["amount"].to_pylist()[:3]) == LIMIT
    for lang, head in (("en", "Paying out and paying back:"), ("zh", "放款与还款：")):
        lines = explain_farm(folder, farm, lang)
        at = lines.index(head)
        assert lines[at + 1 : at + 6] == [f"- {row.text_zh if lang == 'zh' else row.text_en}" for row in rows]
    page, other = (path.read_text(encoding="utf-8") for path in write_farm_pages(folder, make_pictures())[:2])
    pages = sorted((page, other), key=lambda text: "Paying out" not in text)
    assert rows[1].text_en in pages[0]
    assert rows[4].text_zh in pages[0]
    assert "Paying out" not in pages[1]
    tables.write_schedule([], folder / "schedule.parquet")
    assert pq.read_table(folder / "schedule.parquet").schema == written.schema
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["region"] == "made-square"
