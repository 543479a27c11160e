# SPDX-License-Identifier: Apache-2.0
"""Rows of segments: what is too small is counted and never passed; slopes are those of the drawn ground."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acreline.tables import farms_table, stands_table
from tests.made_evidence import DAY, evidence_farm

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("credit_segments")


def made_county(bench: ModuleType, looks: tuple[int, ...]) -> Any:
    """A county of farms alike in all but how often they were seen: 40 of each count of looks, truth as it was told."""
    first = evidence_farm(0)
    farms = [
        replace(first, farm_id=f"F{number:03d}", clear_looks=looks[number // 40], flags=(), status="ok", reason=None)
        for number in range(40 * len(looks))
    ]
    ids = [farm.farm_id for farm in farms]
    planted = first.planted_m2.mid
    parcels = pd.DataFrame({"parcel_id": ids, "farm_id": ids, "slot": "B", "class": "maize", "planted_m2": planted})
    yields = pd.DataFrame({"parcel_id": ids, "value": 10_000.0})
    told = {"farms": farms_table(farms), "stands": stands_table(farms)}
    truth = {"parcels": parcels, "yields": yields}
    return bench.RunCounty("made", "made", farms, DAY, told, truth, pd.Series(1.0, index=ids))


def test_rows_tell_the_lowest_ratio_what_is_too_small_and_who_is_referred(bench: ModuleType) -> None:
    county = made_county(bench, (60, 30, 3))
    table = bench.segments_of("demo", [county])
    views = table[table["kind"] == "clear views"].set_index("segment")
    assert views["approved"].to_dict() == {"0-5": 0.0, "24-47": 1.0, "48 or more": 1.0}
    rows = {row["quantity"]: row for row in bench.ratio_rows("demo", "made; on simulated data", table)}
    lowest = rows["lowest approval over the reference group's at equal true value, by clear views"]
    assert (lowest["value"], lowest["met"], lowest["n"]) == (0.0, False, 40)
    assert lowest["baseline"] == "0-5, beside 48 or more: 100% of 40 approved"
    limits = rows["lowest limit over the reference group's at equal true value, by clear views"]
    assert (limits["value"], limits["met"]) == (1.0, True)
    assert rows["segments too small to judge at equal true value"]["baseline"].endswith("clear views 0-5 (limit)")
    assert rows["farms referred to a person"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    bias = {row["quantity"]: row for row in bench.bias_rows("made; on simulated data", table)}
    assert bias["largest bias of planted land, by slope"]["met"] is True
    assert all(row["baseline"] and "on simulated data" in row["setting"] for row in (*rows.values(), *bias.values()))


def test_applicants_differ_in_nothing(bench: ModuleType) -> None:
    farms = bench.asked_alike([evidence_farm(number) for number in range(5)])
    assert len({replace(farm.applicant, farm_id="", person_id=None) for farm in farms}) == 1
    assert len({farm.applicant.person_id for farm in farms}) == 5


def test_hills_are_steeper_than_a_plain(bench: ModuleType) -> None:
    plain, hills = (bench.farm_slopes(zone, 12, 1) for zone in ("sim-county", "south-china"))
    assert plain.between(0, 2).all()
    assert hills.max() > plain.max()
    assert np.isfinite(hills).all()
