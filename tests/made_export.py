# SPDX-License-Identifier: Apache-2.0
"""A published run of made fields to take out: hostile ids, a person in the trail, two parcels of one id."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from acreline.report import write_catalog
from acreline.store import Store
from tests.made_publication import make_publication

PERSON = "P-48151623-CN"
FORMULA = '=HYPERLINK("http://example.invalid","x")'
DROP = "'; DROP TABLE parcels; --"
LINEAGE = {
    "code": {"acreline": "0.1.0", "decides": "0f" * 8, "measures": "1e" * 8},
    "model": {"name": "acrenet-s", "version": "1", "weights_sha256": "ab" * 32, "digest": "5ab1c0ffee"},
    "policy": {"name": "demo", "version": "0f3c", "text": {}},
    "scenes": [{"scene_id": "S2A_31UDS_20180620_0_L2A", "tile": "31UDS", "baseline": "02.06", "dn_offset": 0}],
    "inputs": {"parcels": "ab" * 32, "region": "cd" * 32},
}


def rename(folder: Path, name: str, column: str, old: str, new: str) -> None:
    """Write another text in the place of one, in one column of a table; schema and metadata stay."""
    path = folder / f"{name}.parquet"
    table = pq.read_table(path)
    k = table.column_names.index(column)
    values = pc.if_else(pc.equal(table[column], old), pa.scalar(new), table[column])
    pq.write_table(table.set_column(k, table.schema.field(k), values), path)


def publish_made(root: Path, change: Callable[[Path, dict[str, Any]], None] | None = None) -> Path:
    """Publish the made fields into a run folder; `change` may edit folder and manifest before."""
    draft = make_publication(root.parent / f"{root.name}-draft")
    (draft / "lineage.json").write_text(json.dumps(LINEAGE), encoding="utf-8")
    for name in ("farms", "decisions", "stands", "parcels"):
        rename(draft, name, "farm_id", "F-003", FORMULA)
    for name, column in (("parcels", "id"), ("stands", "parcel_id"), ("events", "parcel_id")):
        rename(draft, name, column, "P10", DROP)
    lines = [json.loads(line) for line in (draft / "trail.jsonl").read_text(encoding="utf-8").splitlines()]
    lines[4]["farm"]["applicant"] = {"farm_id": "F-005", "person_id": PERSON}
    (draft / "trail.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    manifest = json.loads((draft / "manifest.json").read_text(encoding="utf-8"))
    if change is not None:
        change(draft, manifest)
    (draft / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    write_catalog(draft)
    (draft / "manifest.json").unlink()
    store = Store(root)
    with store.staging() as staging:
        shutil.copytree(draft, staging, dirs_exist_ok=True)
        store.publish(staging, manifest)
    shutil.rmtree(draft)
    return root


def all_bytes(place: Path) -> bytes:
    """All that a file or folder holds: as it is, and Parquet and SQLite unpacked."""
    parts = [path.as_posix().encode() for path in (place, *place.rglob("*"))]
    for path in (place, *place.rglob("*")):
        if path.is_file():
            parts.append(path.read_bytes())
        if path.suffix == ".parquet":
            parts.append(str(pq.read_table(path).to_pylist()).encode())
        if path.suffix == ".gpkg":
            with sqlite3.connect(path) as base:
                parts += [line.encode(errors="replace") for line in base.iterdump() if "GPKG" not in line]
    return b"\n".join(parts)
