# SPDX-License-Identifier: Apache-2.0
"""A region as it was known month by month: the dates, the figures of each by hand, the page and the command."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from acreline.config import SeasonSettings, packaged_configs, read_region
from acreline.errors import InputError
from acreline.run import RunResult
from acreline.trial import season_curve
from acreline.trial.season_curve import curve_lines, draw_curve, month_ends, own_word, read_truth, render_curve, row_of
from tests.made_publication import make_publication

DAYS = [date(2018, 6, 30), date(2018, 12, 15)]


def tables() -> dict[str, pd.DataFrame]:
    """Two judged parcels of one farm, of which one crop is sure; one parcel that cannot be judged."""
    return {
        "parcels": pd.DataFrame({
            "id": ["a", "b", "c"], "farm_id": ["f", "f", "g"], "status": ["ok", "degraded", "insufficient"],
            "metrics:area": [12_000.0, 8_000.0, 900.0],
        }),
        "stands": pd.DataFrame({
            "farm_id": ["f", "f"], "parcel_id": ["a", "b"], "slot": ["B", "B"], "crop": ["maize", "potato"],
            "crop_set": ["maize", "potato|beet"], "area_m2_mid": [12_000.0, 8_000.0],
            **{f"yield_kg_per_ha_{end}": [value, None] for end, value in (("low", 5e3), ("mid", 6e3), ("high", 7e3))},
        }),
        "farms": pd.DataFrame({
            "farm_id": ["f", "g"], "planted_mu": [30.0, None], "planted_mu_low": [29.0, None],
            "planted_mu_high": [31.0, None],
        }),
        "decisions": pd.DataFrame({"farm_id": ["f", "g"], "outcome": ["approve", "refer"]}),
        "scenes": pd.DataFrame({"status": ["used", "used", "outside"]}),
    }  # fmt: skip


def truth() -> dict[str, pd.DataFrame]:
    parcels = pd.DataFrame({
        "parcel_id": ["a", "b", "c"], "farm_id": ["f", "f", "g"], "slot": ["B"] * 3,
        "crop": ["summer_maize", "potato", "tea"], "class": ["maize", "potato", "tea"],
        "planted_m2": [11_000.0, 5_000.0, 900.0],
    })  # fmt: skip
    yields = pd.DataFrame({
        "parcel_id": ["a"], "slot": ["B"], "crop": ["summer_maize"], "class": ["maize"], "yield_kg_per_ha": [8_000.0],
    })  # fmt: skip
    land = pd.DataFrame({"farm_id": ["f", "g"], "planted_m2": [16_000.0, 900.0]})
    return {"parcels": parcels, "yields": yields, "land": land}


def test_a_date_is_laid_beside_the_truth() -> None:
    row = row_of(DAYS[0], tables(), truth())
    assert row["as_of"] == "2018-06-30"
    assert (row["scenes"], row["parcels"], row["farms"]) == (2, 3, 2)
    assert row["judged_share"] == pytest.approx(2 / 3, abs=1e-4)
    assert row["told_share"] == pytest.approx(1 / 3, abs=1e-4)  # potato or beet is no answer
    assert (row["crop_accuracy"], row["crop_n"]) == (1.0, 1)
    assert (row["area_error"], row["area_n"]) == (0.25, 1)  # 20,000 of 16,000 m2
    assert (row["yield_error"], row["yield_n"]) == (0.25, 1)
    assert row["decided_share"] == 0.5


def test_without_truth_the_last_word_is_the_measure() -> None:
    row = row_of(DAYS[1], tables(), own_word(tables()))
    assert (row["crop_accuracy"], row["crop_n"]) == (1.0, 1)
    assert row["yield_error"] == 0.0
    # The whole farm beside the whole farm: what bears one crop or another is planted all the same.
    assert (row["area_error"], row["area_n"]) == (0.0, 1)


def test_a_date_is_laid_beside_the_farms_of_the_last_one() -> None:
    last = tables()
    last["farms"]["planted_mu"] = [24.0, 3.0]
    row = row_of(DAYS[0], tables(), own_word(last))
    assert (row["area_error"], row["area_n"]) == (0.25, 1)  # 30 mu said, 24 at last; 3 mu are under a hectare


def test_where_nothing_can_be_compared_there_is_no_figure() -> None:
    early = tables()
    early["stands"] = early["stands"].iloc[:0]
    row = row_of(DAYS[0], early, truth())
    assert (row["crop_accuracy"], row["crop_n"], row["yield_error"]) == (None, 0, None)
    assert "–" in curve_lines([row], truth=True)[1]
    assert "not whether it is right" in curve_lines([row], truth=False)[0], "100 % of one's own word is no accuracy"
    assert "told right" in render_curve("made", [row], simulated=False, truth=True)


def test_months_begin_when_something_can_be_told() -> None:
    season = SeasonSettings(start=date(2017, 10, 1), end=date(2018, 5, 15))
    days = month_ends(season, date(2018, 5, 15))
    assert days == [date(2018, 1, 31), date(2018, 2, 28), date(2018, 3, 31), date(2018, 4, 30), date(2018, 5, 15)]
    assert month_ends(season, date(2020, 1, 1)) == days
    short = SeasonSettings(start=date(2017, 10, 1), end=date(2017, 12, 31))
    assert month_ends(short, date(2017, 12, 31)) == [date(2017, 12, 31)]


def test_no_month_lies_after_the_day_of_decision() -> None:
    season = SeasonSettings(start=date(2017, 10, 1), end=date(2018, 12, 15))
    assert month_ends(season, date(2018, 3, 10)) == [date(2018, 1, 31), date(2018, 2, 28), date(2018, 3, 10)]
    assert month_ends(season, date(2018, 2, 28)) == [date(2018, 1, 31), date(2018, 2, 28)]
    assert month_ends(season, date(2017, 11, 5)) == [date(2017, 11, 5)]
    with pytest.raises(InputError, match="2017-09-30 lies before the season, which starts on 2017-10-01"):
        month_ends(season, date(2017, 9, 30))


def test_a_truth_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"parcels.parquet: no such table"):
        read_truth(tmp_path)


def test_a_truth_without_a_column_is_refused(tmp_path: Path) -> None:
    truth()["parcels"].drop(columns="class").to_parquet(tmp_path / "parcels.parquet")
    with pytest.raises(InputError, match=r"parcels.parquet: columns \['class'\] are missing"):
        read_truth(tmp_path)


def test_a_truth_is_read(tmp_path: Path) -> None:
    truth()["parcels"].to_parquet(tmp_path / "parcels.parquet")
    truth()["yields"].drop(columns="class").to_parquet(tmp_path / "yields.parquet")
    read = read_truth(tmp_path)
    assert read["yields"]["class"].tolist() == ["maize"]
    assert read["land"].to_dict("list") == {"farm_id": ["f", "g"], "planted_m2": [16_000.0, 900.0]}


def test_a_season_that_goes_on_is_told_until_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[date] = []

    def run(region: Any, store: Any, *, as_of: date) -> RunResult:
        asked.append(as_of)
        return RunResult(make_publication(store.root / "made"), True, (), (), None, (), ())  # type: ignore[arg-type]

    monkeypatch.setattr(season_curve, "run_region", run)
    region = read_region(packaged_configs() / "regions" / "flanders-2018.yaml", {"as_of": "2018-03-15"})
    draw_curve(region, tmp_path)
    assert asked == [date(2018, 1, 31), date(2018, 2, 28), date(2018, 3, 15)]


def test_each_date_is_a_run_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[date] = []

    def run(region: Any, store: Any, *, as_of: date) -> RunResult:
        asked.append(as_of)
        assert region.farm_pages == 0
        publication = make_publication(store.root / "made")
        return RunResult(publication, True, (), (), None, (), ())  # type: ignore[arg-type]

    monkeypatch.setattr(season_curve, "run_region", run)
    region = read_region(packaged_configs() / "regions" / "flanders-2018.yaml")
    told: list[tuple[int, int, str]] = []
    drawn = draw_curve(region, tmp_path, days=DAYS, progress=lambda *step: told.append(step))
    assert asked == DAYS
    assert told == [(0, 2, "2018-06-30"), (1, 2, "2018-12-15")]
    assert [row["as_of"] for row in drawn.rows] == ["2018-06-30", "2018-12-15"]
    assert drawn.rows[0]["crop_accuracy"] == 1.0
    assert pd.read_csv(drawn.table)["crop_n"].min() > 0
    page = drawn.page.read_text(encoding="utf-8")
    assert "last date's own word" in page
    assert "simulated" not in page
