# SPDX-License-Identifier: Apache-2.0
"""A run as two OpenLineage events, START and COMPLETE, for Marquez, DataHub and what else draws where data came from.

What went in (scenes, tables, model, policy) and what came out stand with their hashes, as `lineage.json` and the
manifest have them; no path of a machine, nobody's name. The same publication in the same run folder is the same bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.decision_log import read_log
from acreline.export._places import new_file
from acreline.hashing import canonical_json
from acreline.lineage import read_lineage

if TYPE_CHECKING:
    from acreline.export import Wanted
    from acreline.export._source import Source

TITLE = "OpenLineage events: what went into a run and what came out, by hash"
PLACE = "file"
ENDING = ".ndjson"
PERSONS = False
NAMESPACE = "acreline"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs"
FACETS = {
    "jobType": "2-0-4/JobTypeJobFacet",
    "documentation": "1-1-0/DocumentationJobFacet",
    "nominalTime": "1-0-1/NominalTimeRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "schema": "1-2-0/SchemaDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
}
"""Facets of the specification, with their versions."""
OURS = {"acreline_publication": "RunFacet", "acreline_scene": "DatasetFacet"}
"""Facets of our own and the base that each follows."""


def write(source: Source, wanted: Wanted) -> list[str]:
    """Write the two events, a line each.

    Raises:
        ConfigError: the file is there already.
        StoreError: it cannot be written; the publication keeps no lineage (of an earlier version) or it is damaged.
    """
    assert wanted.out is not None
    start, complete = make_events(source)
    with new_file(wanted.out, replace=wanted.replace) as path:
        path.write_text(f"{canonical_json(start)}\n{canonical_json(complete)}\n", encoding="utf-8", newline="\n")
    told = f"{len(complete['inputs'])} inputs, {len(complete['outputs'])} outputs"
    return [f"{wanted.out}: OpenLineage START and COMPLETE of run {complete['run']['runId']}: {told}"]


def make_events(source: Source) -> tuple[dict[str, Any], dict[str, Any]]:
    """START and COMPLETE of one publication, as plain JSON values.

    A publication knows no clock, so both events bear the moment at which it was published, from the log of decisions;
    a copy without that log bears the day of its decisions. `acreline_publication` says which.

    Raises:
        StoreError: see `write`.
    """
    lineage = read_lineage(source.publication)
    code = str((source.manifest.get("code") or {}).get("acreline"))
    maker = _Maker(f"urn:acreline:{code}")
    moment, clock = _moment(source)
    publication = {
        "publicationId": source.publication_id,
        "region": source.region,
        "asOf": source.as_of,
        "simulated": source.simulated,
        "eventTimeIs": clock,
        "counts": source.manifest.get("counts") or {},
        "notices": source.words,
    }
    run = {
        "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:acreline:publication:{source.publication_id}")),
        "facets": maker.facets(
            nominalTime={"nominalStartTime": f"{source.as_of}T00:00:00Z"},
            processing_engine={"name": "acreline", "version": code},
            acreline_publication=publication,
        ),
    }
    job = {
        "namespace": NAMESPACE,
        "name": f"run/{source.region}",
        "facets": maker.facets(
            jobType={"processingType": "BATCH", "integration": "ACRELINE", "jobType": "RUN"},
            documentation={"description": "Satellite scenes and parcels to acreage and credit limits with reasons."},
        ),
    }
    event = {
        "eventTime": moment,
        "producer": maker.producer,
        "schemaURL": f"{SPEC}/RunEvent",
        "run": run,
        "job": job,
        "inputs": _inputs(source, lineage, maker),
    }
    outputs = _outputs(source, maker)
    return {**event, "eventType": "START", "outputs": []}, {**event, "eventType": "COMPLETE", "outputs": outputs}


class _Maker:
    """Facets with who made them and which schema they follow."""

    def __init__(self, producer: str) -> None:
        self.producer = producer

    def facets(self, **facets: Mapping[str, Any]) -> dict[str, Any]:
        return {name: {"_producer": self.producer, "_schemaURL": _schema(name), **f} for name, f in facets.items()}

    def dataset(self, namespace: str, name: str, version: object, **facets: Mapping[str, Any]) -> dict[str, Any]:
        known = {} if version is None else {"version": {"datasetVersion": str(version)}}
        return {"namespace": namespace, "name": name, "facets": self.facets(**known, **facets)}


def _schema(name: str) -> str:
    if name in OURS:
        return f"{SPEC}/{OURS[name]}"
    return f"https://openlineage.io/spec/facets/{FACETS[name]}.json#/$defs/{FACETS[name].split('/')[1]}"


def _moment(source: Source) -> tuple[str, str]:
    """When the events were, and what that moment is: `published` or `as_of`."""
    if source.publication.parent.name == "publications":
        for entry in read_log(source.publication.parent.parent):
            if entry.get("publication_id") == source.publication_id and isinstance(entry.get("at"), str):
                return entry["at"], "published"
    return f"{source.as_of}T00:00:00Z", "as_of"


def _inputs(source: Source, lineage: Mapping[str, Any], maker: _Maker) -> list[dict[str, Any]]:
    """Tables given, model, policy and scenes that were used."""
    model, policy = lineage["model"], lineage["policy"]
    signed = source.manifest.get("policy") or {}
    provider = str(source.manifest.get("provider"))
    made = [
        maker.dataset(NAMESPACE, f"{source.region}/inputs/{role}", sha)
        for role, sha in sorted(lineage["inputs"].items())
    ]
    made.append(maker.dataset(f"{NAMESPACE}/models", str(model["name"]), f"{model['version']} {model['digest']}"))
    made.append(maker.dataset(f"{NAMESPACE}/policies", str(signed.get("id")), policy["version"]))
    for scene in lineage["scenes"]:
        facts = {name: value for name, value in scene.items() if name != "scene_id"}
        name = str(scene["scene_id"])
        made.append(maker.dataset(f"{NAMESPACE}/scenes/{provider}", name, scene.get("baseline"), acreline_scene=facts))
    return made


def _outputs(source: Source, maker: _Maker) -> list[dict[str, Any]]:
    """The publication's tables with columns and rows, its trail of decisions, and its maps as one."""
    import pyarrow.parquet as pq

    files: dict[str, str] = source.manifest["files"]
    made = []
    for name in sorted(files):
        path = source.publication / name
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            fields = [{"name": one.name, "type": str(one.type)} for one in file.schema_arrow]
            told = maker.dataset(NAMESPACE, f"{source.region}/{path.stem}", files[name], schema={"fields": fields})
            made.append(_counted(told, maker, path.stat().st_size, rows=file.metadata.num_rows))
        elif name == "trail.jsonl":
            told = maker.dataset(NAMESPACE, f"{source.region}/trail", files[name])
            made.append(_counted(told, maker, path.stat().st_size, rows=_lines(path)))
    maps = [name for name in files if name.startswith("maps/") and name.endswith(".tif")]
    if maps:
        size = sum((source.publication / name).stat().st_size for name in maps)
        told = maker.dataset(NAMESPACE, f"{source.region}/maps", source.publication_id)
        made.append(_counted(told, maker, size, files=len(maps)))
    return made


def _counted(
    dataset: dict[str, Any], maker: _Maker, size: int, *, rows: int | None = None, files: int | None = None
) -> dict[str, Any]:
    counts = {"size": size, "rowCount": rows, "fileCount": files}
    known = {name: count for name, count in counts.items() if count is not None}
    return {**dataset, "outputFacets": maker.facets(outputStatistics=known)}


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(1 for _ in stream)
