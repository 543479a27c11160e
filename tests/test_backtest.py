# SPDX-License-Identifier: Apache-2.0
"""Past seasons as known then: outcomes by hand, days and seasons that move, and leaks that end the command."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from acreline import cli
from acreline.cli.release import OUTCOMES
from acreline.config import Region, read_region
from acreline.errors import ConfigError, InputError, SourceError, StoreError
from acreline.review.backtest import (
    Backtest,
    backtest_figures,
    backtest_lines,
    backtest_page,
    day_of_season,
    leak_table,
    run_backtest,
    season_of,
)
from acreline.review.book import read_book
from acreline.review.compare import records
from acreline.review.known_then import gather_evidence
from acreline.review.leaks import find_leaks
from acreline.review.outcomes import (
    HARVEST_COLUMNS,
    LOAN_COLUMNS,
    band_of,
    interval,
    read_outcomes,
    score_harvests,
    score_loans,
)
from acreline.review.page import render_page
from tests.made_book import make_book
from tests.test_river import own_region

ALLOWED = ("model_learned_later",)  # the packaged network learned from fields of 2019 and 2023


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_book(tmp_path_factory.mktemp("backtest") / "2018")


@pytest.fixture
def region(repo: Path, tmp_path: Path) -> Region:
    return read_region(own_region(repo, tmp_path))


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def loans(path: Path, publication: Path, year: int = 2018) -> Path:
    """Every second of the farms with a limit did not pay back; of the others nobody did."""
    rows, limits = [], 0
    for one in read_book([publication]).regions[0].published:
        limits += bool(one.limit)
        bad = int(not one.limit or limits % 2 == 0)
        if "," not in one.farm_id and '"' not in one.farm_id:
            rows.append(f"{year},{one.farm_id},{year + 1}-06-30,{bad}")
    return write(path, "season,farm_id,known_on,defaulted", *rows)


def rows_of(table: pd.DataFrame, **wanted: Any) -> list[dict[str, Any]]:
    return [row for row in records(table) if all(row[name] == value for name, value in wanted.items())]


# --- outcomes -------------------------------------------------------------------------------------------------------
def test_loans_are_scored_by_hand(publication: Path, tmp_path: Path) -> None:
    kind, ended = read_outcomes(loans(tmp_path / "loans.csv", publication))
    place = read_book([publication]).regions[0]
    table = score_loans([(2018, place)], ended)
    assert kind == "loans"
    bad = {str(row["farm_id"]) for row in records(ended) if row["defaulted"]}
    approved = [one for one in place.published if one.outcome == "approve"]
    row = rows_of(table, season=2018, by="outcome", group="approve")[0]
    assert row["n"] == len(approved) == 6
    assert row["defaults"] == 3
    assert row["rate"] == 0.5
    assert (row["rate_low"], row["rate_high"]) == pytest.approx((0.18761, 0.81239), abs=1e-4)
    assert row["limit_sum"] == float(sum(one.limit for one in approved if one.limit is not None))
    lost = float(sum(one.limit for one in approved if one.limit is not None and one.farm_id in bad))
    assert row["limit_defaulted"] == lost
    assert row["limit_share_defaulted"] == pytest.approx(lost / row["limit_sum"])
    whole = rows_of(table, season=2018, by="all")[0]
    for by in ("outcome", "limit", "crop", "county", "size"):
        assert sum(one["n"] for one in rows_of(table, season=2018, by=by)) == whole["n"]
    assert rows_of(table, season="all", by="all")[0]["n"] == whole["n"]


def test_harvests_are_scored_by_hand(publication: Path, tmp_path: Path) -> None:
    place = read_book([publication]).regions[0]
    lines = []
    for farm in place.farms:
        for stand in farm.stands:
            assert stand.yield_kg_per_ha is not None
            share = 0.25 if farm.farm_id == "F-004" else 0.8  # a lost harvest, and a tenth too high a guess
            lines.append(f"2018,{stand.parcel_id},{stand.slot},2018-12-20,{share * stand.yield_kg_per_ha.mid}")
    path = write(tmp_path / "harvests.csv", "season,parcel_id,slot,known_on,yield_kg_per_ha", *lines)
    kind, ended = read_outcomes(path)
    table = score_harvests([(2018, place)], ended)
    assert kind == "harvests"
    row = rows_of(table, season=2018, by="all")[0]
    n = sum(len(farm.stands) for farm in place.farms)
    lost = len(next(farm for farm in place.farms if farm.farm_id == "F-004").stands)
    assert row["n"] == n
    assert row["bias"] == row["mean_error"] == pytest.approx((0.25 * (n - lost) + 3.0 * lost) / n)
    assert row["inside_share"] == pytest.approx((n - lost) / n), "0.8 of the middle lies inside 22 %"
    assert row["farms_uncovered"] == 1
    four = next(one for one in place.published if one.farm_id == "F-004")
    worth = next(farm.value for farm in place.farms if farm.farm_id == "F-004")
    assert four.limit is not None
    assert worth is not None
    assert row["limit_uncovered"] == pytest.approx(float(four.limit) - 0.25 * worth.mid)
    part = [line for line in lines if ",P04," not in line]
    told = read_outcomes(write(path, "season,parcel_id,slot,known_on,yield_kg_per_ha", *part))[1]
    assert rows_of(score_harvests([(2018, place)], told), season=2018, by="all")[0]["farms_uncovered"] == 0, (
        "a farm one of whose stands is not known is not judged"
    )


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["season,farm_id,known_on", "2018,F-001,2019-01-01"], "neither defaulted nor yield_kg_per_ha"),
        (["farm,bad", "F-001,1"], "neither defaulted nor yield_kg_per_ha"),
        (["farm_id,defaulted", "F-001,1"], r"columns \['season', 'known_on'\] are missing"),
        (["season,farm_id,known_on,defaulted", "2018,F-001,2019-01-01,maybe"], "defaulted is 'maybe'"),
        (["season,farm_id,known_on,defaulted", "2018,F-001,03/04/2019,1"], "known_on is '03/04/2019'"),
        (["season,farm_id,known_on,defaulted", "last,F-001,2019-01-01,1"], "season is 'last'"),
        (["season,farm_id,known_on,defaulted", *["2018,F-001,2019-01-01,1"] * 2], "row 3: farm_id is 'F-001'"),
        (["season,parcel_id,slot,known_on,yield_kg_per_ha", "2018,P1,A,2019-01-01,-5"], "yield_kg_per_ha is '-5'"),
    ],
)
def test_outcomes_that_cannot_be_are_refused(tmp_path: Path, lines: list[str], found: str) -> None:
    with pytest.raises(InputError, match=found) as caught:
        read_outcomes(write(tmp_path / "outcomes.csv", *lines))
    assert caught.value.hint


def test_whoever_has_no_file_yet_learns_its_columns_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file") as gone:
        read_outcomes(tmp_path / "none.csv")
    assert gone.value.hint == "check --outcomes"
    with pytest.raises(InputError) as other:
        read_outcomes(write(tmp_path / "own.csv", "farm,bad", "F-001,1"))
    for name in (*LOAN_COLUMNS, *HARVEST_COLUMNS):
        assert name in other.value.hint
        assert name in OUTCOMES, "and `acreline backtest --help` says them"


@pytest.mark.parametrize(
    ("limit", "worth", "band"),
    [
        (None, 100.0, "no limit"),
        (0.0, 100.0, "no limit"),
        (10.0, None, "unknown"),
        (10.0, 100.0, "0% to 10% of the harvest"),
        (10.1, 100.0, "10% to 20% of the harvest"),
        (31.0, 100.0, "over 30% of the harvest"),
    ],
)
def test_bands_of_limits(limit: float | None, worth: float | None, band: str) -> None:
    assert band_of(limit, worth) == band


def test_an_interval_of_nothing_is_everything() -> None:
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-4)


# --- seasons and days -----------------------------------------------------------------------------------------------
def test_a_season_moves_by_whole_years(region: Region) -> None:
    leap = region.model_copy(
        update={"season": region.season.model_copy(update={"start": date(2016, 2, 29), "end": date(2016, 12, 1)})}
    )
    moved = season_of(leap, 2015).season
    assert (moved.start, moved.end) == (date(2015, 2, 28), date(2015, 12, 1))
    moved = season_of(region, 2016)
    assert (moved.season.start.year, moved.season.end.year) == (2015, 2016)
    assert (moved.as_of, moved.shadow, moved.file) == (None, None, region.file)


def test_a_day_of_the_season(region: Region) -> None:
    season = region.season
    assert day_of_season(season, None) == season.end
    assert day_of_season(season, "06-30") == date(2018, 6, 30)
    assert day_of_season(season, "12-31") == date(2017, 12, 31)
    assert day_of_season(season, "11-01") == date(2018, 11, 1), "the last of two"
    for text, found in (("30.6.", "no month and day"), ("02-30", "no month and day")):
        with pytest.raises(ConfigError, match=found):
            day_of_season(season, text)
    short = season.model_copy(update={"start": date(2018, 3, 1)})
    with pytest.raises(ConfigError, match="02-01 is no day of the season"):
        day_of_season(short, "02-01")


# --- the whole ------------------------------------------------------------------------------------------------------
def backtest(region: Region, publication: Path, folder: Path, **more: Any) -> Backtest:
    def run(moved: Region, out: Path, day: date) -> Path:
        if moved.season.end.year == 2017:
            raise SourceError("no usable scene", hint="try later")
        assert day == date(2018, 12, 15)
        return publication

    return run_backtest(region, [2018, 2017], loans(folder / "loans.csv", publication), folder / "out", run=run, **more)


def test_a_backtest_scores_what_could_be_decided_and_names_the_rest(
    region: Region, publication: Path, tmp_path: Path
) -> None:
    test = backtest(region, publication, tmp_path, allowed=ALLOWED)
    assert [season.year for season in test.seasons] == [2018]
    assert test.failed == ((2017, "no usable scene"),)
    assert test.as_known_then
    assert {leak.kind for leak in test.seasons[0].leaks} == set(ALLOWED)
    lines = backtest_lines(test)
    assert lines[0] == "on simulated data"
    assert "as known then" in lines
    assert "2017: not decided: no usable scene" in lines
    assert backtest_figures(test)["as_known_then"] is True
    page = render_page(backtest_page(test))
    assert "按当时所知回测" in page
    assert "Not as known then" not in page


def test_a_leak_that_nobody_allowed_is_told_everywhere(region: Region, publication: Path, tmp_path: Path) -> None:
    test = backtest(region, publication, tmp_path)
    assert not test.as_known_then
    assert "NOT as known then: the figures below say too much" in backtest_lines(test)
    assert "Not as known then" in render_page(backtest_page(test))
    assert set(leak_table(test)["kind"]) == set(ALLOWED)


def test_many_leaks_are_counted_in_the_terminal(region: Region, publication: Path, tmp_path: Path) -> None:
    test = backtest(region, publication, tmp_path)
    season = test.seasons[0]
    many = replace(test, seasons=(replace(season, leaks=season.leaks[:1] * 25),))
    assert "and 5 leaks more: see --out" in backtest_lines(many)
    notices = backtest_page(replace(test, failed=((2017, "no scenes"),))).notices
    assert all(zh for _, zh in notices), "a Chinese page says which season is missing"
    assert ("2017 was not decided: no scenes", "2017年未作决定：no scenes") in notices
    assert len(leak_table(many)) == 25


def test_rows_of_the_outcomes_are_counted_and_add_up(region: Region, publication: Path, tmp_path: Path) -> None:
    """An id that is written another way drops out of every figure; nobody would see it without this line."""
    head = "season,farm_id,known_on,defaulted"
    path = write(
        tmp_path / "l.csv", head, "2018,F-004,2019-06-30,0", "2018,F004,2019-06-30,1", "2016,F-004,2017-06-30,0"
    )
    test = run_backtest(region, [2018], path, tmp_path, run=lambda *_: publication, allowed=ALLOWED)
    assert test.rows == {"in": 3, "matched": 1, "unknown": 1, "other_season": 1}
    said = "outcomes: 3 rows = 1 of a farm that was decided + 1 of no such farm + 1 of other seasons"
    assert said in backtest_lines(test)
    assert said in [en for en, _ in backtest_page(test).notices]
    assert backtest_figures(test)["outcome_rows"] == test.rows
    none = run_backtest(region, [2018], write(path, head), tmp_path, run=lambda *_: publication, allowed=ALLOWED)
    assert any(line.endswith("; none of 2018") for line in backtest_lines(none))
    stand = next(stand for farm in read_book([publication]).regions[0].farms for stand in farm.stands)
    row = f"2018,{stand.parcel_id},{stand.slot},2019-01-20,5000"
    write(path, "season,parcel_id,slot,known_on,yield_kg_per_ha", row, "2018,nowhere,A,2019-01-20,5000")
    fields = run_backtest(region, [2018], path, tmp_path, run=lambda *_: publication, allowed=ALLOWED)
    assert fields.rows == {"in": 2, "matched": 1, "unknown": 1, "other_season": 0}


def test_no_season_that_can_be_decided_is_the_first_ones_error(
    region: Region, publication: Path, tmp_path: Path
) -> None:
    def run(moved: Region, out: Path, day: date) -> Path:
        raise SourceError(f"nothing of {day.year}", hint="try later")

    outcomes = loans(tmp_path / "loans.csv", publication)
    with pytest.raises(SourceError, match="nothing of 2016"):
        run_backtest(region, [2017, 2016], outcomes, tmp_path, run=run)


@pytest.mark.parametrize("years", [[], [2018, 2018]])
def test_seasons_are_named_once(region: Region, tmp_path: Path, years: list[int]) -> None:
    with pytest.raises(ConfigError, match="--seasons"):
        run_backtest(region, years, tmp_path / "none.csv", tmp_path)


def test_a_kind_of_leak_must_be_known(region: Region, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'all' is no kind of leak"):
        run_backtest(region, [2018], tmp_path / "none.csv", tmp_path, allowed=("all",))


def test_outcomes_of_harvests_carry_their_farm_into_the_check(
    region: Region, publication: Path, tmp_path: Path
) -> None:
    early = write(tmp_path / "h.csv", "season,parcel_id,slot,known_on,yield_kg_per_ha", "2018,P03,AB,2018-06-01,5000")
    test = run_backtest(region, [2018], early, tmp_path, allowed=ALLOWED, run=lambda *_: publication)
    assert [(leak.kind, leak.where) for leak in test.seasons[0].leaks if leak.kind not in ALLOWED] == [
        ("known_outcome", "F-003")
    ]


# --- leaks planted into files ---------------------------------------------------------------------------------------
def test_a_run_that_saw_later_scenes_is_found_out(region: Region, tmp_path: Path) -> None:
    """Decided as of June, from tables that hold the whole year."""
    june = make_book(tmp_path / "june", day=date(2018, 6, 30))
    kinds = {leak.kind for leak in find_leaks(gather_evidence(region, june))}
    assert kinds == {"future_scene", "future_look", *ALLOWED}


def test_dated_tables_are_read_again(repo: Path, publication: Path, tmp_path: Path) -> None:
    statistics = write(
        tmp_path / "s.csv",
        "crop,year,yield_kg_per_ha,relative_error,source,valid_from",
        "maize,2017,9000,0.1,an office,2018-01-15",
        "maize,2018,9500,0.1,an office,2019-01-15",
    )
    events = write(
        tmp_path / "e.csv",
        "event,start,end,parcel_id,valid_from",
        "flood,2018-05-01,2018-05-03,,2018-05-10",
        "flood,2018-12-01,2018-12-20,,2018-12-18",
    )
    normals = write(tmp_path / "n.csv", "crop,week,ndvi,ndvi_sd,years", "maize,30,0.8,0.1,2016|2017")
    copy = Path(shutil.copytree(publication, tmp_path / "run"))
    lineage = json.loads((copy / "lineage.json").read_text(encoding="utf-8"))
    price = {"value": 1.0, "cv": 0.1, "source": "a market; from 2018-12-01"}
    cost = {"per_ha": {"value": 1.0, "cv": 0.1, "source": "an office; from 2019-02-01"}, "cash_share": 0.5}
    plain = {"price_per_kg": {"value": 1.0, "cv": 0.1, "source": "order of magnitude"}, "cost": None}
    lineage["crops"] = {"maize": {"price_per_kg": price, "cost": cost}, "potato": plain}
    (copy / "lineage.json").write_text(json.dumps(lineage), encoding="utf-8")
    own = own_region(repo, tmp_path, statistics=str(statistics), known_events=str(events), normals=str(normals))
    known = gather_evidence(read_region(own), copy)
    assert known.statistics is not None
    assert records(known.statistics) == [{"crop": "maize", "year": 2017, "valid_from": "2018-01-15"}]
    assert known.known_events is not None
    assert list(known.known_events["valid_from"]) == ["2018-05-10"]
    assert known.prices is not None
    assert records(known.prices) == [{"crop": "maize", "valid_from": "2018-12-01"}]
    kinds = [(leak.kind, leak.where) for leak in find_leaks(known) if leak.kind not in ALLOWED]
    assert kinds == [("later_cost", "maize")]


def test_an_earlier_run_is_held_against_the_day(repo: Path, publication: Path, tmp_path: Path) -> None:
    own = read_region(own_region(repo, tmp_path, previous_run=str(publication)))
    kinds = [leak.kind for leak in find_leaks(gather_evidence(own, publication)) if leak.kind not in ALLOWED]
    assert kinds == ["later_run"]


def test_a_lost_table_is_a_storage_error(region: Region, publication: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(publication, tmp_path / "run"))
    (copy / "events.parquet").unlink()
    with pytest.raises(StoreError, match="events cannot be read"):
        gather_evidence(region, copy)


# --- the command ----------------------------------------------------------------------------------------------------
@pytest.mark.xdist_group("river")
def test_the_command_runs_a_season_of_the_demo_and_writes_it(repo: Path, demo_run: Path, tmp_path: Path) -> None:
    own = own_region(repo, tmp_path / "region")
    out = tmp_path / "out"
    for name in ("parts", "coverage"):
        shutil.copytree(demo_run / name, out / "runs" / "2018" / name)
    outcomes = loans(tmp_path / "loans.csv", (demo_run / "latest").resolve())
    asked = ["backtest", str(own), "--seasons", "2018", "--outcomes", str(outcomes), "--out", str(out)]
    done = CliRunner().invoke(cli.app, [*asked, "--allow", "model_learned_later"])
    assert done.exit_code == 0, done.output
    figures = json.loads((out / "backtest.json").read_text(encoding="utf-8"))
    assert figures["seasons"][0]["as_of"] == "2018-12-15"
    assert rows_of(pd.read_csv(out / "backtest.csv"), season="2018", by="all", group="all")[0]["n"] == 7
    assert {leak["kind"] for leak in figures["leaks"]} == {"model_learned_later"}
    refused = CliRunner().invoke(cli.app, asked)
    assert isinstance(refused.exception, ConfigError)
    assert "not as known then" in refused.exception.message
    assert (out / "backtest-leaks.csv").is_file(), "the report is there all the same"


def test_years_are_years(repo: Path, tmp_path: Path) -> None:
    asked = ["backtest", str(own_region(repo, tmp_path)), "--seasons", "last", "--outcomes", "x", "--out", "y"]
    done = CliRunner().invoke(cli.app, asked)
    assert isinstance(done.exception, ConfigError)
    assert "'last' are no years" in done.exception.message
