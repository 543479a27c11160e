# SPDX-License-Identifier: Apache-2.0
"""`acreline segments`: what a run's farms get by segment, with and without a truth, and the gate."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from acreline.cli import app
from acreline.config import read_region
from acreline.errors import InputError, NotPublishedError, StoreError
from acreline.plan import plan_run
from acreline.trial import report_segments, segment_lines, write_segments
from tests.made_evidence import DAY, FARMS, evidence_farm, publish_evidence

pytestmark = pytest.mark.xdist_group("publish")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, repo: Path) -> Path:
    """A run of a hundred farms; one in seven was seen twice, the others twelve times."""
    plan = plan_run(read_region(repo / "configs" / "regions" / "flanders-2018.yaml"), as_of=DAY)
    out = tmp_path_factory.mktemp("segments") / "run"
    publish_evidence(plan, out)
    return out


def write_truth(folder: Path, **changes: Any) -> Path:
    """The truth of the same farms: planted as told, each harvest of one value."""
    folder.mkdir(parents=True)
    stands = [stand for number in range(FARMS) for stand in evidence_farm(number).stands]
    parcels = pd.DataFrame({
        "parcel_id": [stand.parcel_id for stand in stands], "farm_id": [stand.farm_id for stand in stands], "slot": "B",
        "crop": "corn", "class": "maize", "planted_m2": [stand.area_m2.mid for stand in stands],
    })  # fmt: skip
    yields = pd.DataFrame({
        "parcel_id": parcels["parcel_id"], "slot": "B", "crop": "corn", "yield_kg_per_ha": 9_000.0, "value": 10_000.0,
    })  # fmt: skip
    parcels.assign(**changes).to_parquet(folder / "parcels.parquet")
    yields.to_parquet(folder / "yields.parquet")
    return folder


def told(*words: str | Path) -> Any:
    return CliRunner().invoke(app, ["segments", *(str(word) for word in words)])


def test_without_truth_rates_are_told(run: Path, tmp_path: Path) -> None:
    done = told(run, "--out", tmp_path, "--gate")
    assert done.exit_code == 0, done.output
    assert "true value not known: nothing is compared" in done.output
    rows = json.loads((tmp_path / "segments.json").read_text(encoding="utf-8"))
    views = {row["segment"]: row for row in rows["segments"] if row["kind"] == "clear views"}
    assert {name: row["n"] for name, row in views.items()} == {"0-5": 15, "12-23": 85}
    assert views["0-5"]["referred"] == 1.0
    assert views["12-23"]["approved"] > 0.2
    assert views["12-23"]["limit_per_ha"] > 0
    assert views["12-23"]["approval_ratio"] is None
    assert {row["verdict"] for row in rows["segments"]} == {"true value not known", "not known"}
    assert (rows["policy"], rows["currency"], rows["truth_known"]) == ("demo-1", "CNY", False)
    table = pd.read_csv(tmp_path / "segments.csv")
    assert table["segment"].tolist() == [row["segment"] for row in rows["segments"]]


def test_without_a_folder_nothing_is_written(run: Path) -> None:
    done = told(run)
    assert done.exit_code == 0, done.output
    assert "clear views 0-5" in done.output
    assert "written" not in done.output


def test_the_gate_names_what_needs_an_exception(run: Path, tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth", planted_m2=1_000.0)
    done = told(run, "--truth", truth, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    done = told(run, "--truth", truth, "--out", tmp_path / "out", "--gate")
    assert isinstance(done.exception, NotPublishedError)
    assert "clear views 12-23 (acreage)" in done.exception.message
    assert "configs/exceptions.yaml" in done.exception.hint


def test_an_exception_that_holds_opens_the_gate(run: Path, tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth", planted_m2=1_000.0)
    rows = report_segments(run / "latest", truth=truth).table.to_dict("records")
    entries = [
        {
            "kind": row["kind"], "segment": row["segment"], "policy": "demo", "measures": row["failing"].split("|"),
            "reason": "made up", "control": "looked at", "valid_from": "2020-01-01T00:00:00Z",
            "valid_to": "2020-12-31T00:00:00Z", "author": "A", "approver": "B",
        }
        for row in rows if row["verdict"] == "needs an exception"
    ]  # fmt: skip
    signed = tmp_path / "signed.yaml"
    signed.write_text(yaml.safe_dump({"exceptions": entries}), encoding="utf-8")
    held = report_segments(run / "latest", truth=truth, exceptions=signed, now=datetime(2020, 6, 1, tzinfo=UTC))
    assert entries
    assert held.needs == []
    assert any("exception until 2020-12-31" in line for line in segment_lines(held))
    over = report_segments(run / "latest", truth=truth, exceptions=signed, now=datetime(2021, 1, 1, tzinfo=UTC))
    assert len(over.needs) == len(entries)


def test_another_policy_and_a_slope_change_what_is_told(run: Path, tmp_path: Path) -> None:
    slope = tmp_path / "slope.csv"
    slope.write_text("farm_id,slope_deg\nF-000,1\nF-001,9\nF-002,\n", encoding="utf-8")
    report = report_segments(run / "latest", policy="kcc", rate=Decimal("11.7"), slope=slope)
    assert (report.policy_id, report.currency) == ("kcc-2017", "INR")
    found = report.table[report.table["kind"] == "slope"].set_index("segment")["n"].to_dict()
    assert found == {"under 2 deg": 1, "6-15 deg": 1, "not known": 98}


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth")
    bytes_of = [
        [path.read_bytes() for path in write_segments(report_segments(run / "latest", truth=truth), tmp_path / name)]
        for name in ("a", "b")
    ]
    assert bytes_of[0] == bytes_of[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("farm_id\nF-000\n", "needs the columns farm_id and slope_deg"),
        ("farm_id,slope_deg\nF-000,1\nF-001,steep\n", "line 3: slope_deg 'steep' is no slope"),
        ("farm_id,slope_deg\nF-000,91\n", "line 2: slope_deg .*91.* is no slope"),
        ("", "cannot be read"),
    ],
)
def test_wrong_slopes_are_refused(run: Path, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "slope.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        report_segments(run / "latest", slope=path)


def test_a_truth_of_other_land_or_without_values_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tells of none of the run's 100 farms"):
        report_segments(run / "latest", truth=write_truth(tmp_path / "other", farm_id="elsewhere"))
    truth = write_truth(tmp_path / "truth")
    pd.read_parquet(truth / "yields.parquet").drop(columns="value").to_parquet(truth / "yields.parquet")
    with pytest.raises(InputError, match=r"column \['value'\] is missing"):
        report_segments(run / "latest", truth=truth)


def test_a_folder_that_cannot_be_written_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_segments(report_segments(run / "latest"), tmp_path / "out")
