# SPDX-License-Identifier: Apache-2.0
"""Validators that are not ours take what was exported, and refuse it once it is spoilt."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acreline.export import Wanted, export_run
from tests.made_export import publish_made
from tests.services import readers

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("readers")]


@pytest.fixture(scope="module", autouse=True)
def _readers() -> None:
    reason = readers.missing()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_made(tmp_path_factory.mktemp("readers") / "out")


def test_the_validator_of_fiboa_takes_every_row(run: Path, tmp_path: Path) -> None:
    export_run(run, "fiboa", Wanted(tmp_path / "a.parquet"))
    assert readers.ask("fiboa_check.py", tmp_path / "a.parquet") == {"errors": [], "warnings": []}


def test_the_validator_of_fiboa_would_find_a_fault(run: Path, tmp_path: Path) -> None:
    export_run(run, "fiboa", Wanted(tmp_path / "a.parquet"))
    table = pq.read_table(tmp_path / "a.parquet")
    k = table.column_names.index("metrics:area")
    spoilt = table.set_column(k, "metrics:area", pa.array([-1.0] * len(table), pa.float32()))
    pq.write_table(spoilt, tmp_path / "b.parquet")
    [error] = readers.ask("fiboa_check.py", tmp_path / "b.parquet")["errors"]
    assert error.startswith("metrics:area: Value -1.0 is")


def test_the_client_of_openlineage_reads_both_events_facet_by_facet(run: Path, tmp_path: Path) -> None:
    export_run(run, "openlineage", Wanted(tmp_path / "a.ndjson"))
    told = readers.ask("openlineage_check.py", tmp_path / "a.ndjson")
    assert told == {"states": ["START", "COMPLETE"], "faults": []}
    text = (tmp_path / "a.ndjson").read_text(encoding="utf-8")
    (tmp_path / "b.ndjson").write_text(text.replace('"eventType":"START"', '"eventType":"BEGUN"'), encoding="utf-8")
    assert readers.ask("openlineage_check.py", tmp_path / "b.ndjson")["faults"] == ["KeyError: 'BEGUN'"]
