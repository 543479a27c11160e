# SPDX-License-Identifier: Apache-2.0
"""What has become worse between two runs: each signal by hand, money first, and pairs that are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acreline import cli, tables
from acreline.config import ScheduleSettings
from acreline.credit import FarmSeason, make_schedule
from acreline.errors import ConfigError, StoreError
from acreline.watch import COLUMNS, watch_farms, watch_lines
from tests.made_publication import OWNERS, farm_name, make_publication

FIRST = "F-001"  # parcels P00 and P01
LIMIT = "limit"


@pytest.fixture(scope="module")
def since(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_publication(tmp_path_factory.mktemp("watch") / "since")
    set_head(folder, as_of="2018-08-01")
    seasons = pd.read_parquet(folder / "seasons.parquet")
    seasons["stage"] = "growing"
    tables.write_table(seasons, folder / "seasons.parquet")
    return folder


def set_head(folder: Path, **values: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def later(since: Path, folder: Path, as_of: str = "2018-08-20") -> Path:
    shutil.copytree(since, folder)
    set_head(folder, as_of=as_of)
    return folder


def change(folder: Path, name: str, row: Callable[[pd.DataFrame], Any], **values: Any) -> None:
    """Set some columns of some rows of a table, its types as they were."""
    path = folder / f"{name}.parquet"
    table = pq.read_table(path)
    frame = table.to_pandas()
    for column, value in values.items():
        for index in frame.index[row(frame)]:
            frame.at[index, column] = value
    pq.write_table(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False), path)


def farm(name: str) -> Callable[[pd.DataFrame], Any]:
    return lambda frame: frame["farm_id"] == name


def parcel(name: str) -> Callable[[pd.DataFrame], Any]:
    return lambda frame: frame["id" if "id" in frame else "parcel_id"] == name


def only(watched: pd.DataFrame) -> dict[str, Any]:
    assert len(watched) == 1
    row: dict[str, Any] = watched.to_dict("records")[0]
    return row


def test_nothing_new_is_nothing_to_watch(since: Path, tmp_path: Path) -> None:
    watch = watch_farms(later(since, tmp_path / "now"), since)
    assert watch.table.empty
    assert tuple(watch.table.columns) == COLUMNS
    assert (watch.farms, watch.new) == (13, 0)
    assert watch.unmeasured == 3  # one insufficient, two with a rejected parcel; degraded is measured
    lines = watch_lines(watch)
    assert lines[:2] == ["made-square: 2018-08-01 -> 2018-08-20", "nothing to watch: no farm has become worse"]
    assert "无需关注：没有农户情况变差" in watch_lines(watch, "zh")


def test_vigour_that_fell_by_enough(since: Path, tmp_path: Path) -> None:
    now = later(since, tmp_path / "now")
    change(now, "parcels", parcel("P00"), vigour=0.9 - 1.01)
    change(now, "parcels", parcel("P02"), vigour=0.9 - 0.11 * 2 - 0.99, vigour_normal=-2.4 + 0.22 - 1.5)
    watch = watch_farms(now, since)
    told = watch.table.set_index("farm_id")
    assert set(told.index) == {FIRST, farm_name(1)}
    assert told["signals"].unique().tolist() == ["vigour_fell"]
    assert (
        told.loc[FIRST, "words_en"] == "P00 vigour beside the same crop nearby fell from +0.9 (usual) to -0.1 (usual)"
    )
    assert told.loc[FIRST, "words_zh"] == "P00 长势（与周边同种作物相比）由+0.9（正常）降至-0.1（正常）"
    assert told.loc[farm_name(1), "words_en"] == (
        "P02 vigour beside earlier years fell from -2.2 (very weak) to -3.7 (very weak)"
    )
    assert set(watch_farms(now, since, vigour_fall=1.2).table["farm_id"]) == {farm_name(1)}
    assert len(watch_farms(now, since, vigour_fall=0.5).table) == 2


def test_land_that_shrank_and_a_farm_that_was_measured(since: Path, tmp_path: Path) -> None:
    now = later(since, tmp_path / "now")
    before = pd.read_parquet(since / "farms.parquet").set_index("farm_id")["planted_mu"]
    change(now, "farms", farm(FIRST), planted_mu=float(before[FIRST]) * 0.89)
    change(now, "farms", farm("F-003"), planted_mu=float(before["F-003"]) * 0.91)
    change(now, "farms", farm("F-004"), status="insufficient", reason="few_clear_looks")
    told = watch_farms(now, since).table.set_index("farm_id")
    assert told["signals"].to_dict() == {FIRST: "area_fell", "F-004": "unmeasured|new_code"}
    assert told.loc[FIRST, "words_en"].startswith(f"planted land fell from {before[FIRST]:,.1f} to ")
    assert told.loc["F-004", "words_en"].startswith("not measured any more: ")
    assert set(watch_farms(now, since, area_fall=0.05).table["farm_id"]) == {FIRST, "F-003", "F-004"}


def test_new_events_and_new_codes_but_no_old_ones(since: Path, tmp_path: Path) -> None:
    now = later(since, tmp_path / "now")
    events = pd.read_parquet(now / "events.parquet")
    struck = set(events["parcel_id"])
    assert "P03" not in struck
    flood = events.iloc[[0]].assign(parcel_id="P03", event="flood")
    tables.write_table(pd.concat([events, flood], ignore_index=True), now / "events.parquet")
    change(now, "farms", farm(FIRST), flags="overlapping_claim|no_crop")  # the second is a note
    told = watch_farms(now, since).table.set_index("farm_id")
    assert told["signals"].to_dict() == {farm_name(OWNERS[3]): "new_event", FIRST: "new_code"}
    assert told.loc[farm_name(OWNERS[3]), "words_en"].startswith(
        "P03 Flood (suspected, nothing else says so): between 2018-06-16"
    )
    assert told.loc[farm_name(OWNERS[3]), "words_zh"].startswith("P03 水淹")
    assert "grown" not in told.loc[FIRST, "words_en"]


@pytest.mark.parametrize(
    ("stage", "as_of", "late"),
    [
        ("growing", "2018-10-15", ""),
        ("growing", "2018-10-16", "P00 maize still stands, usually cut until 2018-10-15"),
        ("harvested", "2018-10-16", ""),
        ("unknown", "2018-10-16", ""),
        ("bare", "2018-07-25", ""),
        ("bare", "2018-07-26", "P00 maize is not up, usually sown until 2018-06-25"),
    ],
)
def test_a_stand_becomes_late_by_its_crops_calendar(
    since: Path, tmp_path: Path, stage: str, as_of: str, late: str
) -> None:
    earlier, now = tmp_path / "earlier", later(since, tmp_path / "now", as_of)
    for folder in (later(since, earlier, "2018-07-01"), now):
        change(folder, "seasons", lambda frame: frame["parcel_id"] != "", stage="harvested", crop="maize")
    change(now, "seasons", parcel("P00"), stage=stage)
    told = watch_farms(now, earlier).table
    assert ([] if not late else [late]) == told["words_en"].tolist()
    if late:
        assert only(told)["signals"] == "stage_late"
        again = later(now, tmp_path / "again", as_of)
        assert watch_farms(again, now).table.empty  # it was late already


def test_a_farm_that_vanished_is_told_and_a_new_one_counted(since: Path, tmp_path: Path) -> None:
    now = later(since, tmp_path / "now")
    for name in ("farms", "decisions"):
        table = pq.read_table(now / f"{name}.parquet")
        pq.write_table(
            table.filter([owner != FIRST for owner in table["farm_id"].to_pylist()]), now / f"{name}.parquet"
        )
    row = only(watch_farms(now, since).table)
    assert (row["farm_id"], row["signals"], row["outcome_then"]) == (FIRST, "vanished", "approve")
    assert row["exposed"] == row["limit_then"] > 0
    assert row["words_zh"] == "已不在农户文件中"
    back = later(since, tmp_path / "back", "2018-08-25")
    watch = watch_farms(back, now)
    assert (watch.table.empty, watch.new) == (True, 1)
    assert "new, nothing to compare with: 1 farms" in watch_lines(watch)
    said = f"(approve {row['limit_then']:,.0f} -> no decision): no longer in the farm file"
    assert said in watch_lines(watch_farms(now, since))[1]


def test_the_most_money_first_and_what_was_paid_out_before_what_was_promised(since: Path, tmp_path: Path) -> None:
    now = later(since, tmp_path / "now")
    limits = pd.read_parquet(since / "decisions.parquet").set_index("farm_id")[LIMIT].dropna()
    limits = limits[limits > 0]
    names = sorted(limits.index)[:3]
    for name, owner in ((f"P{index:02d}", farm_name(owner)) for index, owner in enumerate(OWNERS)):
        if owner in names:
            change(now, "parcels", parcel(name), vigour=-5.0)
    change(now, "decisions", farm(names[0]), limit=None, outcome="refer")
    table = watch_farms(now, since).table
    assert set(table["farm_id"]) == set(names)
    assert table["exposed"].tolist() == sorted((limits[name] for name in names), reverse=True)
    settings = {"tranches": [{"share": "0.25", "when": "approval"}, {"share": "0.75", "when": "peak"}]}
    plan = ScheduleSettings.model_validate({**settings, "due_days": 30, "remind_days": 7})
    rows = [
        row
        for name in names
        for row in make_schedule(FarmSeason(name, ()), limits[name], "CNY", plan, as_of=date(2018, 8, 1))
    ]
    paid = tmp_path / "paid"
    shutil.copytree(since, paid)
    tables.write_schedule(rows, paid / "schedule.parquet")
    told = watch_farms(now, paid).table.set_index("farm_id")["exposed"]
    assert told.to_dict() == {name: (limits[name] * Decimal("0.25")).quantize(Decimal("0.01")) for name in names}


def test_two_regions_seasons_orders_or_currencies_are_refused(since: Path, tmp_path: Path) -> None:
    now = later(since, tmp_path / "now")
    with pytest.raises(ConfigError, match="--since is the later run: as of 2018-08-20, the other as of 2018-08-01"):
        watch_farms(since, now)
    for head, words in (
        ({"region": "elsewhere"}, "the runs are of two regions: made-square and elsewhere"),
        ({"season": {"start": "2018-10-01", "end": "2019-12-15"}}, "two seasons: 2017-10-01 to 2018-12-15 and"),
    ):
        kept = json.loads((now / "manifest.json").read_text(encoding="utf-8"))
        set_head(now, **head)
        with pytest.raises(ConfigError, match=words):
            watch_farms(now, since)
        set_head(now, **kept)
    change(now, "decisions", farm(FIRST), currency="EUR")
    with pytest.raises(ConfigError, match="limits are in CNY and EUR"):
        watch_farms(now, since)
    (now / "farms.parquet").unlink()
    with pytest.raises(StoreError, match="farms cannot be read"):
        watch_farms(now, since)
    with pytest.raises(ConfigError, match="language 'fr' is not spoken"):
        watch_lines(watch_farms(since, since), "fr")


def test_the_command_prints_the_list_and_writes_the_table(
    since: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = later(since, tmp_path / "now")
    set_head(now, simulated=True)
    change(now, "parcels", parcel("P00"), vigour=-5.0)
    out = tmp_path / "watch.csv"
    command = ["acreline", "watch", str(now), "--since", str(since), "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "on simulated data"
    assert lines[2].startswith(f"{FIRST} ")
    assert "at stake (approve" in lines[2]
    assert lines[3].startswith("1 of 13 farms to watch, ")
    table = pd.read_csv(out)
    assert tuple(table.columns) == COLUMNS
    assert table["farm_id"].tolist() == [FIRST]
    monkeypatch.setattr("sys.argv", [*command[:-1], str(tmp_path / "none" / "x.csv")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 6
