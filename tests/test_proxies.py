# SPDX-License-Identifier: Apache-2.0
"""What a limit's facts tell of a group of people is measured, and the groups stay outside."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from acreline.cli import app
from acreline.config import read_region
from acreline.errors import ConfigError, InputError, StoreError
from acreline.plan import plan_run
from acreline.privacy import read_purposes
from acreline.records import Farm, Struck
from acreline.trial import measure_proxies, proxies, proxy_lines, read_groups, write_proxies
from acreline.trial.proxies import ALL, engine_columns
from tests.made_evidence import DAY, FARMS, evidence_farm, publish_evidence

pytestmark = pytest.mark.xdist_group("publish")


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "TREES", 8)


@pytest.fixture(scope="module")
def farms() -> list[Farm]:
    return [evidence_farm(number) for number in range(FARMS)]


def aucs(farms: list[Farm], groups: dict[str, str]) -> pd.DataFrame:
    return measure_proxies(farms, groups, DAY).table.set_index("feature")


# --- the measure ------------------------------------------------------------------------------------------------------
def test_a_group_with_larger_land_is_told_by_what_land_decides(farms: list[Farm]) -> None:
    report = measure_proxies(
        farms, {farm.farm_id: "hill" if at < 50 else "plain" for at, farm in enumerate(farms)}, DAY
    )
    told = report.table.set_index("feature")
    assert told.loc["farm.area_m2", "auc"] > 0.95
    assert told.loc["farm.area_m2", "tells"]
    assert told.loc[ALL, "tells"]
    assert not told.loc["farm.clear_looks", "tells"]
    assert told["n"].unique().tolist() == [FARMS]
    assert report.groups == {"hill": 50, "plain": 50}
    assert report.table["feature"].iloc[-1] == ALL


def test_groups_by_lot_are_told_by_nothing(farms: list[Farm]) -> None:
    lot = random.Random(1)
    told = aucs(farms, {farm.farm_id: lot.choice("AB") for farm in farms})
    assert not told["tells"].any()
    assert told.loc[ALL, "auc"] < told.loc[ALL, "chance_high"] < 0.7


def test_several_groups_are_told_one_against_the_rest(farms: list[Farm]) -> None:
    told = aucs(farms, {farm.farm_id: "abc"[min(at // 34, 2)] for at, farm in enumerate(farms)})
    assert told.loc["farm.area_m2", "auc"] > 0.9


def test_farms_without_a_group_and_small_groups_are_left_out(farms: list[Farm]) -> None:
    names = ["a"] * 40 + ["b"] * 40 + ["few"] * 10
    report = measure_proxies(farms, dict(zip((farm.farm_id for farm in farms), names, strict=False)), DAY)
    assert report.groups == {"a": 40, "b": 40}
    assert report.left_out == 20
    assert report.table["n"].unique().tolist() == [80]


def test_one_group_alone_is_refused(farms: list[Farm]) -> None:
    with pytest.raises(InputError, match="1 groups have 20 farms or more of the 100 of the run; two are needed"):
        measure_proxies(farms, {farm.farm_id: "a" for farm in farms}, DAY)


def test_without_scikit_learn_it_says_what_to_install(farms: list[Farm], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ConfigError, match="needs scikit-learn") as caught:
        aucs(farms, {farm.farm_id: "ab"[at % 2] for at, farm in enumerate(farms)})
    assert "acreline[evaluate]" in caught.value.hint


# --- the facts --------------------------------------------------------------------------------------------------------
def test_every_feature_that_a_limit_may_see_is_tried(farms: list[Farm]) -> None:
    features = read_purposes().features
    wanted = {f"farm.{name}" for name in features.farm if name not in ("stands", "applicant")}
    wanted |= {f"stand.{name}" for name in features.stand} | {f"applicant.{name}" for name in features.applicant}
    assert set(engine_columns(farms, DAY)) == wanted


def test_facts_become_numbers_and_names_of_land_are_counted(farms: list[Farm]) -> None:
    struck = (Struck("flood", 0.25, 1.0),)
    first = replace(farms[0], flags=("small_parcel",), struck=struck, last_clear=date(2018, 12, 5), applicant=None)
    columns = engine_columns([first, farms[1]], DAY)
    assert columns["farm.flags"]["is small_parcel"].tolist() == [1, 0]
    assert columns["farm.struck"]["is flood"].tolist() == [0.25, 0]
    assert columns["farm.last_clear"]["days"].tolist() == [10, 14]
    assert columns["farm.area_m2"][""].tolist() == [first.area_m2, farms[1].area_m2]
    assert columns["farm.parcel_ids"][""].tolist() == [len(first.parcel_ids), len(farms[1].parcel_ids)]
    assert columns["applicant.requested"][""].fillna(-1).tolist() == [-1, 3000]
    values = [stand.value.mid for stand in first.stands if stand.value is not None]
    assert columns["stand.value"]["most mid"].iloc[0] == max(values)
    ids = {farm.farm_id for farm in farms} | {name for farm in farms for name in farm.parcel_ids}
    assert not any(name in column for table in columns.values() for column in table for name in ids)


def test_a_feature_of_an_unknown_kind_is_told(farms: list[Farm]) -> None:
    with pytest.raises(ConfigError, match="a feature of type dict cannot be tried as a proxy"):
        engine_columns([replace(farms[0], vigour={})], DAY)  # type: ignore[arg-type]


# --- the table of groups ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("farm_id,village\nF-000,a\n", "needs the columns farm_id and group"),
        ("farm_id,group\nF-000,a\nF-001,\n", "line 3: an empty cell"),
        ("farm_id,group\nF-000,a\nF-000,b\n", "line 3: a farm stands twice"),
        ("farm_id,group\nX,a\n", "none of the run's 1 farms is in it"),
        ("", "cannot be read"),
    ],
)
def test_a_wrong_table_of_groups_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_groups(path, ["F-000"])


def test_the_command_tells_sums_and_writes_nothing_of_one_farm(tmp_path: Path, repo: Path, farms: list[Farm]) -> None:
    plan = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"), as_of=DAY)
    publication = publish_evidence(plan, tmp_path / "run")
    before = sorted((path, path.read_bytes()) for path in publication.rglob("*") if path.is_file())
    groups = tmp_path / "groups.csv"
    lines = [f"{farm.farm_id},{'hill' if at < 50 else 'plain'}" for at, farm in enumerate(farms)]
    groups.write_text("\n".join(["farm_id,group", *lines]) + "\n", encoding="utf-8")
    out = tmp_path / "proxies.json"
    done = CliRunner().invoke(app, ["proxies", str(tmp_path / "run"), "--groups", str(groups), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "farm.area_m2                  1.00" in done.output
    assert "tells of the group" in done.output
    written = out.read_text(encoding="utf-8")
    assert json.loads(written)["groups"] == {"hill": 50, "plain": 50}
    assert "F-0" not in written + done.output
    assert sorted((path, path.read_bytes()) for path in publication.rglob("*") if path.is_file()) == before


def test_simulated_farms_are_said_to_be(farms: list[Farm], tmp_path: Path) -> None:
    groups = {farm.farm_id: "ab"[at % 2] for at, farm in enumerate(farms[:60])}
    report = measure_proxies(farms, groups, DAY, simulated=True)
    assert "SIMULATED DATA: these are no people" in proxy_lines(report)
    with pytest.raises(StoreError, match="cannot be written"):
        write_proxies(report, tmp_path / "nowhere" / "proxies.json")
