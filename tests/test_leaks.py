# SPDX-License-Identifier: Apache-2.0
"""Leaks planted one by one into clean evidence of a past day: each is caught, by its own name, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest

from acreline.review.leaks import KINDS, Evidence, find_leaks

DAY = date(2017, 6, 30)
N = 24


def clean() -> Evidence:
    """A decision of 30 June 2017 that rests on nothing later."""
    ids = [f"F-{k:03d}" for k in range(N)]
    return Evidence(
        day=DAY,
        season=(date(2016, 10, 1), date(2017, 12, 15)),
        lag_days=2,
        policy={"id": "demo-1", "version": "abc", "valid_from": date(2017, 1, 1), "valid_to": date(2017, 12, 31)},
        scenes=pd.DataFrame(
            {
                "scene_id": ["S1", "S2", "S3"],
                "time": pd.to_datetime(["2017-05-01T10:50Z", "2017-06-28T10:50Z", "2017-08-01T10:50Z"], utc=True),
                "status": ["used", "used", "set_aside"],
            }
        ),
        looks=pd.DataFrame({"parcel_id": ["P1"], "time": pd.to_datetime(["2017-06-28T10:50Z"], utc=True)}),
        farms=pd.DataFrame({"farm_id": ids, "last_clear": pd.Timestamp("2017-06-28", tz="UTC")}),
        decisions=pd.DataFrame({"farm_id": ids, "as_of": DAY, "policy_id": "demo-1@abc"}),
        events=pd.DataFrame({"event": ["flood"], "parcel_id": ["P1"], "start": ["2017-06-01"]}),
        weather=pd.DataFrame({"date": ["2017-06-29", "2017-06-30"]}),
        prices=pd.DataFrame({"crop": ["maize"], "valid_from": ["2017-06-30"]}),
        costs=pd.DataFrame({"crop": ["maize"], "valid_from": ["2017-01-01"]}),
        statistics=pd.DataFrame({"crop": ["maize"], "year": [2016], "valid_from": ["2016-12-13"]}),
        known_events=pd.DataFrame(
            {
                "event": ["flood", "frost"],
                "start": ["2017-06-01", "2017-04-01"],
                "end": ["2017-07-05", "2017-04-03"],
                "valid_from": ["2017-06-02", None],
            }
        ),
        normals=pd.DataFrame({"crop": ["maize", "maize"], "week": [1, 2], "years": ["2015|2016"] * 2}),
        parcels=pd.DataFrame({"parcel_id": ["P1", "P2"], "drawn_on": ["2017-03-01", None]}),
        applicants=pd.DataFrame({"farm_id": ids, "requested": "1000", "signed": "2017-06-01"}),
        features=pd.DataFrame({"farm_id": ids, "requested": range(N), "value_mid": [k % 7 for k in range(N)]}),
        outcomes=pd.DataFrame({"farm_id": ids, "known_on": "2018-03-01", "defaulted": [k % 2 for k in range(N)]}),
        earlier={"as_of": date(2016, 12, 15), "season_end": date(2016, 12, 15)},
        learned=(("france-2015", 2015),),
        model="acrenet-x",
    )


def row(table: pd.DataFrame | None, **values: Any) -> pd.DataFrame:
    """The table with other values in its first row."""
    assert table is not None
    changed = table.astype(object)
    for name, value in values.items():
        changed.loc[changed.index[0], name] = value
    return changed


C = clean()
PLANTED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a used scene of the next day": (
        "future_scene",
        {"scenes": row(C.scenes, time=pd.Timestamp("2017-07-01T00:00:01Z"))},
        "S1",
    ),
    "a used scene that was not listed yet": (
        "unlisted_scene",
        {"scenes": row(C.scenes, time=pd.Timestamp("2017-06-29T10:50Z"))},
        "S1",
    ),
    "a used scene that was published later": (
        "unlisted_scene",
        {"scenes": C.scenes.assign(published=["2017-09-01", "2017-06-29", None])},
        "S1",
    ),
    "a look of a later pass": (
        "future_look",
        {"looks": row(C.looks, time=pd.Timestamp("2017-07-03T10:50Z"))},
        "P1",
    ),
    "a last clear day after the decision": (
        "future_last_clear",
        {"farms": row(C.farms, last_clear=pd.Timestamp("2017-07-10", tz="UTC"))},
        "F-000",
    ),
    "an event that begins later": ("future_event", {"events": row(C.events, start="2017-07-02")}, "P1"),
    "weather of days to come": ("future_weather", {"weather": row(C.weather, date="2017-07-04")}, "2017-07-04"),
    "a price dated later": ("later_price", {"prices": row(C.prices, valid_from="2017-07-01")}, "maize"),
    "a cost dated later": ("later_cost", {"costs": row(C.costs, valid_from="2018-01-01")}, "maize"),
    "a statistic published later": (
        "later_statistic",
        {"statistics": row(C.statistics, valid_from="2017-12-13")},
        "maize",
    ),
    "a statistic of a harvest that was not": (
        "statistic_of_no_harvest",
        {"statistics": row(C.statistics, year=2018)},
        "maize",
    ),
    "a report that was known later": (
        "later_report",
        {"known_events": row(C.known_events, valid_from="2017-07-09")},
        "flood",
    ),
    "a report of an event that was not over and is known since its end": (
        "later_report",
        {"known_events": row(C.known_events, valid_from=None)},
        "flood",
    ),
    "normals made of this season": ("later_normals", {"normals": row(C.normals, years="2016|2017")}, "maize"),
    "a policy that holds later": (
        "later_policy",
        {"policy": {**C.policy, "valid_from": date(2017, 7, 1)}},
        "demo-1",
    ),
    "a policy that had ended": ("ended_policy", {"policy": {**C.policy, "valid_to": date(2017, 6, 29)}}, "demo-1"),
    "a decision by another policy": ("other_policy", {"decisions": row(C.decisions, policy_id="demo-2@x")}, "F-000"),
    "a decision of another day": ("decided_later", {"decisions": row(C.decisions, as_of=date(2017, 12, 15))}, "F-000"),
    "an earlier run that was made later": (
        "later_run",
        {"earlier": {"as_of": date(2017, 9, 1), "season_end": date(2016, 12, 15)}},
        "previous_run",
    ),
    "an earlier run of this season": (
        "later_run",
        {"earlier": {"as_of": date(2017, 5, 1), "season_end": date(2017, 12, 15)}},
        "previous_run",
    ),
    "a model that learned from this harvest": (
        "model_learned_later",
        {"learned": (("flanders-2017", 2017),)},
        "acrenet-x",
    ),
    "an outline drawn later": ("drawn_later", {"parcels": row(C.parcels, drawn_on="2017-10-01")}, "P1"),
    "an outcome among the applicants' columns": (
        "outcome_column",
        {"applicants": row(C.applicants, days_overdue="3")},
        "applicants.days_overdue",
    ),
    "an outcome among the features, in Chinese": (
        "outcome_column",
        {"features": row(C.features, 是否逾期=1)},
        "features.是否逾期",
    ),
    "the outcome under another name": (
        "outcome_copy",
        {"features": pd.DataFrame({"farm_id": [f"F-{k:03d}" for k in range(N)], "score_b": [k % 2 for k in range(N)]})},
        "features.score_b",
    ),
    "an applicants' column of later days": (
        "later_column",
        {"applicants": row(C.applicants, signed="2017-09-01")},
        "applicants.signed",
    ),
    "an outcome that was known already": (
        "known_outcome",
        {"outcomes": row(C.outcomes, known_on="2017-06-30")},
        "F-000",
    ),
}


def test_clean_evidence_has_no_leak() -> None:
    assert find_leaks(clean()) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_leak_is_caught_by_its_name(name: str) -> None:
    kind, changes, where = PLANTED[name]
    leaks = find_leaks(replace(clean(), **changes))
    assert [(leak.kind, leak.where) for leak in leaks] == [(kind, where)]
    assert leaks[0].found


def test_twenty_and_more_are_planted_and_every_kind_has_one() -> None:
    assert len(PLANTED) >= 20
    assert {kind for kind, _, _ in PLANTED.values()} == set(KINDS)


def test_leaks_together_are_all_told() -> None:
    """Planted into one piece of evidence wherever two of them do not share a table."""
    together: dict[str, Any] = {}
    kinds = set()
    for kind, changes, _ in PLANTED.values():
        if not set(changes) & set(together):
            together |= changes
            kinds.add(kind)
    assert len(together) == 18
    assert {leak.kind for leak in find_leaks(replace(clean(), **together))} == kinds


def test_what_a_region_does_not_name_leaks_nothing() -> None:
    names = ("events", "weather", "prices", "costs", "statistics", "known_events", "normals", "parcels", "applicants")
    bare: dict[str, Any] = dict.fromkeys((*names, "features", "outcomes", "earlier"))
    assert find_leaks(replace(clean(), **bare, learned=())) == []


def test_few_cases_that_a_column_parts_are_chance() -> None:
    known = clean()
    assert known.outcomes is not None
    few = replace(
        known, outcomes=known.outcomes.iloc[:15], features=PLANTED["the outcome under another name"][1]["features"]
    )
    assert find_leaks(few) == []
