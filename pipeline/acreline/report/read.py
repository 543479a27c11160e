# SPDX-License-Identifier: Apache-2.0
"""The files of a publication folder as plain values: nothing here decides, it only opens and says what is wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from acreline.errors import StoreError
from acreline.hashing import digest

Row = dict[str, Any]
MAP_LAYERS = ("crop", "health")
_AGAIN = "publish the run again"


def read_manifest(publication: Path) -> Row:
    """The manifest of a publication, finished or still being staged.

    Raises:
        StoreError: it is missing or not a JSON mapping.
    """
    path = publication / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such file", hint="give the folder of one publication") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: not readable as JSON: {error}", hint=_AGAIN) from error
    if not isinstance(manifest, dict):
        raise StoreError(f"{path}: expected a mapping, found {type(manifest).__name__}", hint=_AGAIN)
    return manifest


def read_rows(publication: Path, name: str) -> list[Row]:
    """Every row of one of a publication's tables as plain values: NaN is None, days and decimals are text.

    Raises:
        StoreError: the table is missing or is not Parquet.
    """
    return [{key: _plain(value) for key, value in row.items()} for row in read_table(publication, name).to_pylist()]


def read_schedule(publication: Path) -> dict[str, list[Row]]:
    """Tranches, reminder and due day by farm, in order; of a publication made before there were any, none.

    Raises:
        StoreError: the table is not Parquet.
    """
    rows = read_rows(publication, "schedule") if (publication / "schedule.parquet").is_file() else []
    told: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["farm_id"], row["number"])):
        told.setdefault(row["farm_id"], []).append(row)
    return told


def legends(manifest: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The class tables of the maps in order of code: code, slug, colour, English and Chinese name."""
    tables = manifest.get("classes") or {}
    return {
        layer: [
            {"code": int(code), "slug": slug, "colour": colour, "en": en, "zh": zh}
            for code, (slug, colour, zh, en) in sorted(tables.get(layer, {}).items(), key=lambda item: int(item[0]))
        ]
        for layer in MAP_LAYERS
    }


def read_lines(publication: Path) -> list[Row]:
    """The lines of the trail, one per decision, as they were written.

    Raises:
        StoreError: trail.jsonl is missing or a line of it is not JSON.
    """
    path = publication / "trail.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such file", hint=_AGAIN) from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: not readable as JSON lines: {error}", hint=_AGAIN) from error


def read_trails(publication: Path) -> dict[str, list[Row]]:
    """The steps of every decision by farm, in the policy's order.

    Raises:
        StoreError: trail.jsonl is missing or a line of it is not JSON.
    """
    return {line["farm_id"]: line["trail"] for line in read_lines(publication)}


def read_table(publication: Path, name: str, columns: list[str] | None = None) -> Any:
    """One of a publication's tables as an Arrow table, whole or some columns of it.

    Raises:
        StoreError: the table is missing or is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = publication / f"{name}.parquet"
    try:
        return pq.read_table(path, columns=columns)
    except FileNotFoundError as error:
        raise StoreError(f"{path}: no such file", hint=_AGAIN) from error
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{path}: not readable as Parquet: {error}", hint=_AGAIN) from error


def farm_files(farm_ids: Sequence[str]) -> dict[str, str]:
    """The file name of each farm's page; a farm id is somebody's text and never a path as it stands.

    A plain id names its own file. One that is not plain, that is a device's name on some systems, or that differs from
    another only in upper and lower case, is named by its hash, behind an `x-` that no plain name begins with.
    """
    folded = Counter(farm_id.lower() for farm_id in farm_ids)

    def plain(farm_id: str) -> bool:
        taken = re.fullmatch(r"x-.*|con|prn|aux|nul|com\d|lpt\d", farm_id.lower())
        return bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", farm_id)) and not taken and folded[farm_id.lower()] == 1

    return {farm_id: f"{farm_id if plain(farm_id) else f'x-{digest(farm_id)}'}.html" for farm_id in farm_ids}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date | Decimal):
        return str(value)
    return value
