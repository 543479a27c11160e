# SPDX-License-Identifier: Apache-2.0
"""Parcels as fiboa GeoParquet: which leave, under which names, and the same bytes; validators stand in services/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acreline.errors import ConfigError, StoreError
from acreline.export import Wanted, export_run
from tests.made_export import DROP, PERSON, all_bytes, publish_made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_made(tmp_path_factory.mktemp("export") / "out")


@pytest.fixture(scope="module")
def path(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fiboa") / "a.parquet"
    lines = export_run(run, "fiboa", Wanted(out))
    assert "fiboa GeoParquet of 19 parcels; 2 rejected or without a valid outline are left out" in lines[0]
    return out


def test_field_boundaries_leave_and_rejected_parcels_do_not(run: Path, path: Path) -> None:
    fields = gpd.read_parquet(path)
    drawn = gpd.read_parquet((run / "latest").resolve() / "parcels.parquet")
    drawn = drawn[drawn["status"] != "rejected"].set_index("id")
    assert fields["id"].is_unique
    assert fields["id"].tolist() == sorted(drawn.index)
    assert DROP in set(fields["id"])
    assert fields.crs.to_authority() == ("OGC", "CRS84")
    assert fields.geometry.is_valid.all()
    for row in fields.itertuples():
        assert row.geometry.equals(drawn.loc[row.id].geometry)
    areas = fields.set_index("id")["metrics:area"]
    assert areas.to_dict() == pytest.approx(drawn["metrics:area"].to_dict())  # square metres on both sides
    near = gpd.read_parquet(path, bbox=tuple(fields.geometry.iloc[0].bounds))  # by the boxes of the rows
    assert 0 < len(near) < len(fields)


def test_columns_are_of_the_types_the_file_states(path: Path) -> None:
    schema = pq.read_schema(path)
    collection = json.loads(schema.metadata[b"collection"])
    assert collection["schemas"]["made-square"] == [
        "https://vecorel.org/specification/v0.1.0/schema.yaml",
        "https://fiboa.org/specification/v0.3.0/schema.yaml",
    ]
    ours = collection["schemas:custom"]["properties"]
    assert set(ours) == {name for name in schema.names if name.startswith("acreline:")}
    types = {
        "string": pa.string(),
        "double": pa.float64(),
        "int32": pa.int32(),
        "date": pa.date32(),
        "boolean": pa.bool_(),
    }
    for name, told in ours.items():
        assert schema.field(name).type == types[told["type"]], name
    assert [name for name in schema.names if not schema.field(name).nullable] == ["id", "collection", "geometry"]
    assert "health: not validated" in collection["description"]


def test_the_same_publication_is_the_same_bytes_and_names_no_person(run: Path, path: Path, tmp_path: Path) -> None:
    export_run(run, "fiboa", Wanted(tmp_path / "b.parquet"))
    assert (tmp_path / "b.parquet").read_bytes() == path.read_bytes()
    assert PERSON.encode() not in all_bytes(path)
    with pytest.raises(ConfigError, match="--to fiboa carries no persons"):
        export_run(run, "fiboa", Wanted(tmp_path / "c.parquet", persons=True))


def test_a_region_without_outlines_is_told(tmp_path: Path) -> None:
    def reject_all(folder: Path, _: dict[str, Any]) -> None:
        table = pq.read_table(folder / "parcels.parquet")
        k = table.column_names.index("status")
        table = table.set_column(k, table.schema.field(k), pa.array(["rejected"] * len(table)))
        pq.write_table(table, folder / "parcels.parquet")

    run = publish_made(tmp_path / "out", reject_all)
    with pytest.raises(StoreError, match="made-square: no parcel has a valid outline"):
        export_run(run, "fiboa", Wanted(tmp_path / "a.parquet"))
    assert not (tmp_path / "a.parquet").exists()
