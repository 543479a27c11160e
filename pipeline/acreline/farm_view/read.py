# SPDX-License-Identifier: Apache-2.0
"""The rows of one farm out of a publication's files: no more is held than belongs to it, however large the run."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.credit import decision_from_json
from acreline.errors import ConfigError, StoreError
from acreline.hashing import canonical_json
from acreline.records import Decision, Farm
from acreline.tables import farm_from_json

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

BATCH_ROWS = 65_536
"""Rows looked through at once: memory stays small however large the run."""
_AGAIN = "see what was changed with `acreline verify`, then run the region again"


def read_farm(publication: Path, farm_id: str) -> tuple[Farm, Decision]:
    """One farm's facts and decision, from its line of the trail.

    Raises:
        ConfigError: no such farm; the hint lists some that are there.
        StoreError: the trail is missing or damaged.
    """
    path = publication / "trail.jsonl"
    sought = canonical_json({"farm_id": farm_id})[1:-1]
    try:
        with path.open(encoding="utf-8") as stream:
            for line in stream:  # other farms' lines are passed over unread
                if sought not in line:
                    continue
                found = json.loads(line)
                if found["farm_id"] == farm_id:
                    return farm_from_json(found["farm"]), decision_from_json(found)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}", hint="run the region again") from error
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise StoreError(
            f"{path}: the line of farm {farm_id!r} is damaged: {type(error).__name__}: {error}", hint=_AGAIN
        ) from error
    raise _no_farm(publication, farm_id)


def _no_farm(publication: Path, farm_id: str) -> ConfigError:
    known = read_rows(publication, "farms", "farm_id", None, ["farm_id"])["farm_id"].astype(str).tolist()
    near = difflib.get_close_matches(farm_id, known, n=3, cutoff=0.5)
    some = [*near, *(name for name in known if name not in near)][:12]
    more = f" and {len(known) - len(some)} more" if len(known) > len(some) else ""
    return ConfigError(f"{publication}: no farm {farm_id!r}", hint=f"this run has {', '.join(some)}{more}")


def read_rows(
    publication: Path, name: str, column: str, values: Sequence[str] | None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The rows of one table whose `column` is one of `values`, in the table's order.

    Args:
        publication: its folder.
        name: of the table, such as `looks`.
        column: of text.
        values: those wanted; None: every row.
        columns: those wanted; None: all.

    Raises:
        StoreError: the table is missing or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = publication / f"{name}.parquet"
    wanted = None if values is None else pa.array(sorted(values), pa.string())
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow if columns is None else pa.schema([file.schema_arrow.field(c) for c in columns])
            groups = [g for g in range(file.num_row_groups) if _may_hold(file.metadata.row_group(g), column, values)]
            batches = file.iter_batches(BATCH_ROWS, row_groups=groups, columns=schema.names)
            kept = [_chosen(batch, column, wanted) for batch in batches]
            table: pd.DataFrame = pa.Table.from_batches([b for b in kept if b.num_rows], schema).to_pandas()
    except (OSError, pa.ArrowException, KeyError) as error:
        raise _unreadable(path, error) from error
    return table


def _may_hold(group: Any, column: str, values: Sequence[str] | None) -> bool:
    """Whether rows with one of the values may lie in a part of a file, by what the part says of itself."""
    if values is None:
        return True
    at = next((k for k in range(group.num_columns) if group.column(k).path_in_schema == column), None)
    told = None if at is None else group.column(at).statistics
    if told is None or not told.has_min_max:
        return bool(values)
    return any(told.min <= value <= told.max for value in values)


def _chosen(batch: Any, column: str, wanted: Any) -> Any:
    import pyarrow.compute as pc

    return batch if wanted is None else batch.filter(pc.is_in(batch[column].cast("string"), wanted))


def read_parcels_of(publication: Path, farm_id: str) -> gpd.GeoDataFrame:
    """The parcels of one farm in lon/lat, `parcel_id` and `area_m2` named as everywhere in acreline.

    Raises:
        StoreError: the table is missing or cannot be read.
    """
    import geopandas as gpd

    rows = read_rows(publication, "parcels", "farm_id", [farm_id])
    rows = rows.rename(columns={"id": "parcel_id", "metrics:area": "area_m2"})
    shapes = gpd.GeoSeries.from_wkb(rows.pop("geometry"), crs="EPSG:4326")
    return gpd.GeoDataFrame(rows, geometry=shapes)


def _unreadable(path: Path, error: Exception) -> StoreError:
    if isinstance(error, FileNotFoundError):
        return StoreError(f"{path}: no such file", hint="run the region again")
    return StoreError(f"{path}: not readable as Parquet: {error}", hint=_AGAIN)
