# SPDX-License-Identifier: Apache-2.0
"""How fresh a region's sight is: days counted by hand, an alarm in season alone, the same in every place it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acreline.config import Region
from acreline.freshness import Freshness, freshness_lines, measure_freshness, read_freshness, stale_words
from acreline.notices import notices_of

END = date(2018, 12, 15)


def made_region(within: int | None = 10) -> Region:
    return Region.model_validate(
        {
            "name": "made",
            "season": {"start": "2018-03-01", "end": str(END)},
            "provider": "folder",
            "parcels": {"path": "p.geojson", "datum": "wgs84"},
            "crops": ["maize"],
            "policy": "demo",
            "fresh_within_days": within,
        }
    )


def made_scenes(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    """Rows (day, status, reason)."""
    table = pd.DataFrame(list(rows), columns=["time", "status", "reason"])
    return table.assign(time=pd.to_datetime(table["time"], utc=True))


def made_sight(*days: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Parcels p0, p1 ... with the day of their last clear look; two stands each."""
    names = [f"p{k}" for k in range(len(days))]
    parcels = pd.DataFrame({"parcel_id": [*names, "refused"], "status": ["ok"] * len(days) + ["rejected"]})
    seasons = pd.DataFrame({"parcel_id": [*names, *names, "refused"], "last_clear": [*days, *days, "2018-12-31"]})
    return parcels, seasons.assign(last_clear=pd.to_datetime(seasons["last_clear"]))


def measure(region: Region, scenes: pd.DataFrame, as_of: date, *days: str | None) -> Freshness:
    return measure_freshness(region, scenes, *made_sight(*days), as_of=as_of)


def test_newest_scene_and_last_clear_looks_are_counted_by_hand() -> None:
    scenes = made_scenes(
        ("2018-06-01", "used", None),
        ("2018-06-08", "used", "unreadable"),
        ("2018-06-11", "set_aside", "too_cloudy"),
        ("2018-06-13", "set_aside", "outside_area"),
        ("2018-06-14", "unreadable", "unreadable"),
    )
    found = measure(made_region(), scenes, date(2018, 6, 20), "2018-06-08", "2018-05-01", "2018-06-01", None)
    assert (found.newest_scene, found.newest_arrived) == (date(2018, 6, 8), date(2018, 6, 11))
    assert (found.median_clear, found.oldest_clear) == (date(2018, 6, 1), date(2018, 5, 1))
    assert (found.parcels, found.never_clear, found.days_since, found.alarm) == (4, 1, 9, None)
    assert freshness_lines(found) == [
        "newest scene used: 2018-06-08; last clear look of 4 parcels: median 2018-06-01, oldest 2018-05-01, 1 never"
    ]


@pytest.mark.parametrize(
    ("within", "as_of", "alarm"),
    [
        (10, date(2018, 6, 11), None),
        (10, date(2018, 6, 12), "no_new_scene"),
        (None, date(2018, 9, 1), None),
        (10, date(2018, 12, 14), "no_new_scene"),
        (10, END, None),
        (10, date(2019, 2, 1), None),
    ],
)
def test_the_alarm_goes_after_the_days_allowed_and_never_once_the_season_is_over(
    within: int | None, as_of: date, alarm: str | None
) -> None:
    found = measure(made_region(within), made_scenes(("2018-06-01", "used", None)), as_of, "2018-06-01")
    assert found.alarm == alarm


def test_without_a_scene_that_could_be_read_days_count_from_the_seasons_start() -> None:
    found = measure(made_region(), made_scenes(("2018-03-30", "unreadable", "unreadable")), date(2018, 3, 31), None)
    assert (found.newest_scene, found.median_clear, found.days_since) == (None, None, 30)
    assert freshness_lines(found)[0] == "newest scene used: none; last clear look of 1 parcels: none, 1 never"
    assert stale_words(found) == (
        "no new scene since the season began: 30 days on 2018-03-31, the region allows 10",
        "自生长季开始以来没有新影像：截至2018-03-31已30天，设定上限为10天",
    )


@given(days=st.lists(st.one_of(st.none(), st.dates(date(2018, 3, 1), date(2018, 6, 1))), min_size=1, max_size=9))
def test_half_of_the_parcels_seen_were_seen_on_the_median_day_or_later(days: list[date | None]) -> None:
    found = measure(made_region(), made_scenes(), date(2018, 6, 1), *(None if d is None else str(d) for d in days))
    seen = [day for day in days if day is not None]
    assert found.never_clear == len(days) - len(seen)
    assert (found.median_clear is None) == (not seen)
    if seen:
        assert found.median_clear in seen
        assert 2 * sum(day >= found.median_clear for day in seen) >= len(seen)
        assert 2 * sum(day > found.median_clear for day in seen) < len(seen)
        assert found.oldest_clear == min(seen)


def test_what_a_manifest_keeps_is_read_as_it_was() -> None:
    found = measure(made_region(), made_scenes(("2018-06-01", "used", None)), date(2018, 7, 1), "2018-06-01", None)
    assert read_freshness(json.loads(json.dumps({"freshness": found.facts()}))) == found


@pytest.mark.parametrize("told", [None, "x", {"newest_scene": "x"}, {"as_of": "soon"}])
def test_a_manifest_of_another_version_tells_nothing(told: Any) -> None:
    assert read_freshness({} if told is None else {"freshness": told}) is None


def test_the_alarm_stands_above_a_publication_in_both_languages(repo: Path) -> None:
    from acreline.config import read_region
    from acreline.plan import plan_run

    plan = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"))
    stale = measure(made_region(), made_scenes(("2018-06-01", "used", None)), date(2018, 7, 1), "2018-06-01")
    told = notices_of(plan, (), (), simulated=False, freshness=stale)
    assert told[0]["en"].startswith("no new scene since 2018-06-01: 30 days")
    assert "没有新影像" in told[0]["zh"]
    assert notices_of(plan, (), (), simulated=False, freshness=replace(stale, alarm=None)) == told[1:]
