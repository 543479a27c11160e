# SPDX-License-Identifier: Apache-2.0
"""A run as OpenLineage events: of the specification's form, by the publication's hashes, without names and paths."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest

from acreline.errors import StoreError
from acreline.export import Wanted, export_run
from tests.made_export import LINEAGE, PERSON, publish_made

URI = {"type": "string", "pattern": r"^(https?://|urn:)\S+$"}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"_producer": URI, "_schemaURL": URI},
        "required": ["_producer", "_schemaURL"],
    },
}
NAMED = {
    "type": "object",
    "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS},
    "required": ["namespace", "name"],
}
RUN_EVENT = {  # what version 2-0-2 of the specification asks of an event, in our own words
    "type": "object",
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": TIME,
        "producer": URI,
        "schemaURL": URI,
        "run": {
            "type": "object",
            "properties": {"runId": {"type": "string", "pattern": "^[0-9a-f-]{36}$"}, "facets": FACETS},
            "required": ["runId"],
        },
        "job": NAMED,
        "inputs": {"type": "array", "items": {**NAMED, "properties": {**NAMED["properties"], "inputFacets": FACETS}}},
        "outputs": {"type": "array", "items": {**NAMED, "properties": {**NAMED["properties"], "outputFacets": FACETS}}},
    },
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_made(tmp_path_factory.mktemp("export") / "out")


def events(run: Path, out: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    export_run(run, "openlineage", Wanted(out))
    start, complete = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    return start, complete


def test_both_events_are_of_the_specifications_form(run: Path, tmp_path: Path) -> None:
    start, complete = events(run, tmp_path / "a.ndjson")
    for event in (start, complete):
        jsonschema.validate(event, RUN_EVENT)
        assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"] == complete["run"]
    assert start["job"]["name"] == complete["job"]["name"] == "run/made-square"
    assert uuid.UUID(start["run"]["runId"]).version == 5
    assert len({(one["namespace"], one["name"]) for one in complete["inputs"] + complete["outputs"]}) == len(
        complete["inputs"] + complete["outputs"]
    )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**start, "eventTime": "yesterday"}, RUN_EVENT)


def test_inputs_and_outputs_bear_the_hashes_of_the_publication(run: Path, tmp_path: Path) -> None:
    publication = (run / "latest").resolve()
    manifest = json.loads((publication / "manifest.json").read_text(encoding="utf-8"))
    _, complete = events(run, tmp_path / "a.ndjson")
    inputs = {f"{one['namespace']} {one['name']}": one["facets"] for one in complete["inputs"]}
    assert inputs["acreline made-square/inputs/parcels"]["version"]["datasetVersion"] == LINEAGE["inputs"]["parcels"]
    assert inputs["acreline/models acrenet-s"]["version"]["datasetVersion"] == "1 5ab1c0ffee"
    assert inputs["acreline/policies demo"]["version"]["datasetVersion"] == "0f3c"
    scene = inputs["acreline/scenes/folder S2A_31UDS_20180620_0_L2A"]
    assert (scene["acreline_scene"]["tile"], scene["acreline_scene"]["dn_offset"]) == ("31UDS", 0)
    outputs = {one["name"].removeprefix("made-square/"): one for one in complete["outputs"]}
    tables = {path.stem for path in publication.glob("*.parquet")}
    assert set(outputs) == tables | {"trail", "maps"}
    for name in tables:
        file = pq.ParquetFile(publication / f"{name}.parquet")
        assert outputs[name]["facets"]["version"]["datasetVersion"] == manifest["files"][f"{name}.parquet"]
        assert outputs[name]["outputFacets"]["outputStatistics"]["rowCount"] == file.metadata.num_rows
        assert [one["name"] for one in outputs[name]["facets"]["schema"]["fields"]] == file.schema_arrow.names
    assert outputs["trail"]["outputFacets"]["outputStatistics"]["rowCount"] == 13
    assert outputs["maps"]["outputFacets"]["outputStatistics"]["fileCount"] == 2
    told = complete["run"]["facets"]["acreline_publication"]
    assert (told["publicationId"], told["asOf"], told["simulated"]) == (publication.name, "2018-12-15", False)


def test_the_moment_is_that_of_the_log_or_the_day_of_the_decisions(run: Path, tmp_path: Path) -> None:
    log = json.loads((run / "log" / "decisions.jsonl").read_text(encoding="utf-8").splitlines()[0])
    start, _ = events(run, tmp_path / "a.ndjson")
    assert start["eventTime"] == log["at"]
    assert start["run"]["facets"]["acreline_publication"]["eventTimeIs"] == "published"
    copy = Path(shutil.copytree((run / "latest").resolve(), tmp_path / "copy"))
    alone, _ = events(copy, tmp_path / "b.ndjson")
    assert alone["eventTime"] == "2018-12-15T00:00:00Z"
    assert alone["run"]["facets"]["acreline_publication"]["eventTimeIs"] == "as_of"
    assert alone["run"]["runId"] == start["run"]["runId"]  # the run stays itself wherever it lies


def test_the_same_run_is_the_same_bytes_and_names_nobody(run: Path, tmp_path: Path) -> None:
    events(run, tmp_path / "a.ndjson")
    events(run, tmp_path / "b.ndjson")
    text = (tmp_path / "a.ndjson").read_text(encoding="utf-8")
    assert (tmp_path / "b.ndjson").read_text(encoding="utf-8") == text
    assert text.endswith("}\n")
    for word in (PERSON, "F-001", str(run), str(tmp_path)):
        assert word not in text


def test_a_run_without_lineage_is_told(tmp_path: Path) -> None:
    run = publish_made(tmp_path / "old", lambda folder, _: (folder / "lineage.json").unlink())
    with pytest.raises(StoreError, match=r"lineage\.json: not there; runs of an earlier version keep no lineage"):
        events(run, tmp_path / "a.ndjson")
    damaged = publish_made(tmp_path / "damaged", lambda folder, _: (folder / "lineage.json").write_text("{"))
    with pytest.raises(StoreError, match=r"lineage\.json: damaged"):
        events(damaged, tmp_path / "a.ndjson")
    assert not (tmp_path / "a.ndjson").exists()
