# SPDX-License-Identifier: Apache-2.0
"""Rows of the land benchmark on made tables: each figure by hand."""

from __future__ import annotations

import importlib
import json
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from acreline.datum import to_wgs84

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def totals() -> ModuleType:
    return importlib.import_module("land_totals")


@pytest.fixture
def season() -> ModuleType:
    return importlib.import_module("land_season")


@pytest.fixture
def claims() -> ModuleType:
    return importlib.import_module("land_claims")


def by_quantity(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    keys = importlib.import_module("rows").KEYS
    for row in rows:
        json.dumps(row)  # as it is written
        assert tuple(row) == keys
        assert type(row["value"]) in (int, float)
        assert row["n"] > 0
        assert row["baseline"]
    return {row["quantity"]: row for row in rows}


# --- totals -------------------------------------------------------------------------------------------------------
def test_a_visitor_sees_the_largest_crop_of_the_slot(totals: ModuleType) -> None:
    truth = pd.DataFrame({
        "parcel_id": ["a", "b", "b", "c"], "slot": ["A", "B", "B", "AB"], "class": ["maize", "maize", "potato", "tea"],
        "planted_m2": [10.0, 4.0, 6.0, 9.0],
    })  # fmt: skip
    land = pd.DataFrame({"parcel_id": ["a", "a", "b", "c", "c", "a"], "slot": ["A", "B", "B", "AB", "A", "AB"]})
    assert totals.true_crops(land, truth).tolist() == ["maize", "none", "potato", "tea", "other", "other"]


def test_coverage_and_bias_of_samples(totals: ModuleType) -> None:
    drawn = pd.DataFrame({
        "county": "x", "slot": "A", "class": "maize", "true_m2": 100.0, "counted_m2": 120.0, "draw": range(4),
        "corrected_m2": [90.0, 100.0, 110.0, 108.0], "low_m2": [80.0, 90.0, 101.0, 98.0], "high_m2": 130.0,
    })  # fmt: skip
    rows = by_quantity(totals.total_rows("here", drawn))
    held = rows["95 % intervals of totals corrected by a sample that hold the truth"]
    assert (held["value"], held["n"], held["met"]) == (0.75, 4, False)
    bias = rows["total of main crops, corrected by a sample, mean absolute bias"]
    assert bias["value"] == pytest.approx(0.02)
    assert bias["baseline"].startswith("counted: 0.200")
    assert totals.total_rows("here", pd.DataFrame()) == []


def test_a_sample_of_all_land_finds_what_was_misnamed(
    totals: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten parcels of 100 m2, eight of them maize, two told as maize and truly potato."""
    ids = [f"p{k}" for k in range(10)]
    land = pd.DataFrame({"parcel_id": ids, "slot": "B", "crop": "maize", "area_m2": 100.0})
    truth = pd.DataFrame({"parcel_id": ids, "slot": "B", "class": ["maize"] * 8 + ["potato"] * 2, "planted_m2": 100.0})
    main = pd.DataFrame({"slot": ["B"], "class": ["maize"], "true_m2": [800.0], "told_m2": [1000.0]})
    monkeypatch.setattr(totals, "land_told", lambda _: land)
    drawn = totals.sampled_totals(tmp_path, truth, main)
    assert len(drawn) == totals.DRAWS
    assert drawn["corrected_m2"].to_numpy() == pytest.approx(np.full(len(drawn), 800.0))
    assert (drawn["low_m2"] < 800).all()


def test_vigour_ranks_with_harvest_and_against_damage(totals: ModuleType) -> None:
    health = pd.DataFrame({"parcel_id": list("abcde"), "slot": "A", "vigour": [-2.0, -1.0, 0.0, 1.0, None]})
    yields = pd.DataFrame(
        {"parcel_id": list("abcde"), "slot": "A", "class": "maize", "yield_kg_per_ha": [2.0, 4.0, 6.0, 8.0, 5.0]}
    )
    events = pd.DataFrame({"parcel_id": ["a", "b", "b", "c"], "slot": "A", "damage": [0.9, 0.2, 0.3, 0.1]})
    table = totals.vigour_table(health, yields, events)
    assert table["harvest"].tolist() == [0.4, 0.8, 1.2, 1.6]
    assert table["damage"].tolist() == [0.9, 0.5, 0.1, 0.0]
    rows = by_quantity(totals.vigour_rows("here", table))
    assert [(row["value"], row["n"]) for row in rows.values()] == [(1.0, 4), (1.0, 3)]
    assert totals.vigour_rows("here", table.iloc[:1]) == []


def test_worth_of_what_is_not_modelled(totals: ModuleType) -> None:
    stands = pd.DataFrame({
        "parcel_id": list("abcd"), "slot": "AB", "crop": ["tea", "tea", "perennial", "maize"], "currency": "CNY",
        "value_low": 50.0, "value_mid": [100.0, 100.0, None, 100.0], "value_high": 200.0,
    })  # fmt: skip
    yields = pd.DataFrame({
        "parcel_id": list("abcd"), "slot": "AB", "class": ["tea", "tea", "perennial", "maize"], "value": [80.0, 500.0,
        90.0, 90.0], "currency": "CNY",
    })  # fmt: skip
    table = totals.worth_table(stands, yields)
    assert table["true"].tolist() == [80.0, 500.0]  # one has no worth, one is modelled
    (row,) = by_quantity(totals.worth_rows("here", table)).values()
    assert (row["value"], row["n"], row["met"]) == (0.5, 2, False)
    assert totals.worth_rows("here", table.iloc[:0]) == []


# --- the season ---------------------------------------------------------------------------------------------------
def course(season: ModuleType) -> pd.DataFrame:
    """One stand that is up on day 10 and cut on day 90; light rises to day 40, stays, and falls from day 60."""
    days = pd.date_range("2025-01-01", periods=26, freq="4D")
    at = np.arange(0, 104, 4)
    caught = np.interp(at, [10, 40, 60, 90], [0.0, 0.8, 0.8, 0.0])[:, None]
    start = pd.Timestamp("2025-01-01")
    stands = pd.DataFrame({
        "parcel_id": ["a"], "slot": ["A"], "crop": ["wheat"], "class": ["winter_cereal"],
        "emerged": [start + pd.Timedelta(days=10)], "harvested": [start + pd.Timedelta(days=90)],
    })  # fmt: skip
    told: pd.DataFrame = season.with_course(stands, days, caught)
    return told


def test_a_course_has_its_days(season: ModuleType) -> None:
    row = course(season).iloc[0]
    days = [(row[name] - pd.Timestamp("2025-01-01")).days for name in ("rises", "peak", "ripens")]
    assert days == [40, 50, 60]  # nine tenths from day 37 to 63, seen every fourth day


def test_peak_and_ripening_are_held_against_it(season: ModuleType) -> None:
    told = pd.DataFrame({
        "parcel_id": ["a"], "slot": ["A"], "crop": ["winter_cereal"],
        "peak": [pd.Timestamp("2025-02-16", tz="UTC")], "senescence": [pd.Timestamp("2025-03-12", tz="UTC")],
    })  # fmt: skip
    errors = season.course_errors(course(season), told)
    assert (errors["peak"].tolist(), errors["ripens"].tolist()) == ([-4.0], [10.0])
    rows = by_quantity(season.course_rows("here", [errors, errors]))
    assert [(row["value"], row["n"]) for row in rows.values()] == [(4.0, 2), (10.0, 2)]
    unripe = told.assign(senescence=pd.Series([pd.NaT], dtype="datetime64[ns, UTC]"))
    assert len(season.course_rows("here", [season.course_errors(course(season), unripe)])) == 1


@pytest.mark.parametrize(
    ("day", "true", "right"),
    [
        (5, "not_up", "bare"),
        (20, "growing", "growing"),
        (45, "nearly_top", "growing"),
        (55, "peak", "peak"),
        (80, "ripening", "senescing"),
        (95, "cut", "harvested"),
    ],
)
def test_a_stage_is_right_on_its_days(season: ModuleType, day: int, true: str, right: str) -> None:
    seen = pd.Timestamp("2025-01-01 03:00", tz="UTC") + pd.Timedelta(days=day)
    told = pd.DataFrame({"parcel_id": "a", "slot": "A", "stage": [right, "permanent", None], "last_clear": seen})
    table = season.stage_table(course(season), told)
    assert table["true"].tolist() == [true] * 3
    assert table["right"].tolist() == [True, False, False]
    (row,) = by_quantity(season.stage_rows("here", table)).values()
    assert row["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert row["baseline"].startswith("one word for all: 1.00")


def test_months_of_a_season(season: ModuleType, tmp_path: Path) -> None:
    months = [
        {"as_of": day, "parcels": 10, "told_share": share, "crop_n": n, "crop_accuracy": right, "area_n": n,
         "area_error": right, "yield_n": 0, "yield_error": None, "farms": 4, "decided_share": 0.5}
        for day, share, n, right in (("2025-05-31", 0.1, 0, None), ("2025-06-30", 0.4, 4, 0.75),
                                     ("2025-12-15", 0.9, 9, 1.0))
    ]  # fmt: skip
    for row in months:
        folder = tmp_path / "runs" / str(row["as_of"]) / "latest"
        folder.mkdir(parents=True)
        seen = pd.Timestamp(str(row["as_of"]), tz="UTC")
        seasons = pd.DataFrame({"parcel_id": ["a"], "slot": ["A"], "stage": ["harvested"], "last_clear": [seen]})
        seasons.to_parquet(folder / "seasons.parquet")

    def draw(region: Any, out: Path, *, truth: Path) -> Any:
        assert (out, truth) == (tmp_path, tmp_path / "truth")
        return SimpleNamespace(rows=months)

    rows, stages = season.curve_of(None, tmp_path / "truth", tmp_path, course(season), draw)
    assert stages["right"].tolist() == [True] * 3
    told = by_quantity(season.curve_rows("here", rows))
    assert list(told)[1] == "as of 2025-06-30: crops of them told right"
    assert told[list(told)[1]]["value"] == 0.75
    assert told[list(told)[1]]["baseline"] == "by month: 25-06 0.75, 25-12 1.00"
    assert len(told) == 4  # no harvest could be compared


# --- claims and datum ---------------------------------------------------------------------------------------------
def farm_file(count: int = 30) -> gpd.GeoDataFrame:
    shapes = [shapely.box(110 + 0.01 * k, 34, 110.002 + 0.01 * k, 34.002) for k in range(count)]
    ids = [f"p{k:02d}" for k in range(count)]
    return gpd.GeoDataFrame({"id": ids, "farm_id": [f"f{k % 7}" for k in range(count)]}, geometry=shapes, crs=4326)


def true_parcels(count: int = 30) -> pd.DataFrame:
    cut = [pd.Timestamp("2025-06-10")] * (count - 1) + [pd.NaT]  # the last one still stands
    return pd.DataFrame({"parcel_id": [f"p{k:02d}" for k in range(count)], "harvested": cut})


def test_wrong_claims_are_planted_among_right_ones(claims: ModuleType) -> None:
    start = pd.Timestamp("2024-10-01")
    file, before, planted = claims.plant_claims(farm_file(), true_parcels(), start)
    assert {code: len(ids) for code, ids in planted.items()} == {
        "drawn_after_harvest": 3, "beyond_registry": 3, "claimed_before_by_other": 6, "overlapping_claim": 6,
    }  # fmt: skip
    by_id = file.set_index("id")
    late = planted["drawn_after_harvest"]
    assert set(by_id.loc[sorted(late), "drawn_on"]) == {"2025-07-25"}
    assert (by_id.drop(index=sorted(late))["drawn_on"] == "2024-10-01").all()
    assert "p29" not in late
    owners = by_id["farm_id"]
    second = sorted(name for name in by_id.index if name.startswith("second-"))
    assert len(second) == 3
    for name in second:
        first = name.removeprefix("second-")
        assert owners[name] != owners[first]
        assert by_id.geometry[name].equals(by_id.geometry[first])
    held = before.set_index("id")["farm_id"]
    changed = {name for name in held.index if held[name] != owners[name]}
    assert changed == planted["claimed_before_by_other"] - set(second)


def test_claims_found_and_false_are_counted(claims: ModuleType) -> None:
    planted = {code: {"a", "b"} for code in claims.CODES}
    parcels = pd.DataFrame({
        "id": list("abcde"), "status": ["degraded", "ok", "degraded", "degraded", "rejected"],
        "reason": ["beyond_registry", None, "few_looks", "beyond_registry", "beyond_registry"],
        "detail": ["was drawn_after_harvest; 3 days", None, "was overlapping_claim", None, None],
    })  # fmt: skip
    counts = claims.claim_counts(parcels, planted, {"c"}).set_index("code")
    assert counts.loc["beyond_registry"].tolist() == [1, 2, 1, 1]
    assert counts.loc["drawn_after_harvest"].tolist() == [1, 2, 0, 1]
    assert counts.loc["overlapping_claim"].tolist() == [0, 2, 0, 1]  # the outline of c is crooked
    rows = by_quantity(claims.claim_rows("here", counts.reset_index()))
    assert [(row["value"], row["n"]) for row in rows.values()] == [(0.25, 8), (0.25, 4)]


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
def test_outlines_of_another_datum_come_back(claims: ModuleType, datum: Any) -> None:
    shapes = farm_file(2).geometry.to_numpy()
    lon, lat = shapely.get_coordinates(claims.in_datum(shapes, datum)).T
    back = np.column_stack(to_wgs84(lon, lat, datum))
    assert np.abs(back - shapely.get_coordinates(shapes)).max() < 1e-8


def test_a_datum_is_found_or_cannot_be_told(claims: ModuleType) -> None:
    table = pd.DataFrame({
        "true": ["gcj02"] * 3, "stated": ["wgs84", "gcj02", "bd09"], "verdict": "", "said": ["gcj02", "", "bd09"],
        "right": [True, False, False],
    })  # fmt: skip
    (row,) = by_quantity(claims.datum_rows("here", table)).values()
    assert row["value"] == pytest.approx(1 / 3, abs=1e-4)
    assert row["baseline"] == "cannot be told: 1, told wrong: 1; one of three by chance"
    off = pd.DataFrame({"true": ["bd09"], "stated": ["wgs84"], "verdict": "no_picture", "said": "", "right": False})
    table["verdict"] = ["fits_better_after", "cannot_be_told", "fits"]
    (row,) = by_quantity(claims.datum_rows("here", pd.concat([table, off]))).values()
    assert row["n"] == 3
    assert row["baseline"].endswith("left out, no picture where it was put: 1")
    assert claims.datum_rows("here", off) == []


def test_the_earlier_run_that_is_planted_is_one_that_a_region_reads(claims: ModuleType, tmp_path: Path) -> None:
    from acreline.claims import read_earlier
    from acreline.config import packaged_configs, read_region

    path = tmp_path / "file.parquet"
    farm_file().to_parquet(path)
    region = read_region(packaged_configs() / "regions" / "flanders-2018.yaml")
    region = region.model_copy(update={"parcels": region.parcels.model_copy(update={"path": path})})
    changed, planted = claims.write_planted(region, true_parcels(), tmp_path / "claims")
    earlier = read_earlier(changed.previous_run, changed.season)
    assert earlier is not None
    assert (earlier.season_end, len(earlier.parcels)) == (date(2017, 12, 15), 30)
    assert changed.parcels.path == tmp_path / "claims" / "parcels.parquet"
    assert len(planted) == len(claims.CODES)


# --- speed --------------------------------------------------------------------------------------------------------
def test_speed_is_that_of_all_counties_together() -> None:
    speed_row = importlib.import_module("land_rows").speed_row
    row = speed_row([("x", 700, {"facts": 1.0, "network": 4.0}), ("y", 300, {"facts": 1.0, "network": 6.0})])
    assert (row["value"], row["n"], row["met"]) == (0.2, 1000, True)
    assert row["setting"] == "same climate: x, y; on simulated data"
