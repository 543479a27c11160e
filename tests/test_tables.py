# SPDX-License-Identifier: Apache-2.0
"""Records and tables to files and back: nothing changed, nothing lost, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from acreline import tables
from acreline.errors import CreditError
from acreline.hashing import canonical_json
from acreline.records import ZERO, Applicant, Decision, Farm, Interval, Stand
from acreline.tables import farm_from_json, farm_to_json, farms_table, stands_table, write_decisions

EMPTY = Farm("", "failed", None, (), 0.0, ZERO, 0.0, (), None, "unknown", None, 0, None)
ODD = "张三\u2028农场 \"'<b>\\\x85"


def stand(**values: Any) -> Stand:
    known: dict[str, Any] = {"farm_id": ODD, "parcel_id": "p", "slot": "AB", "crop": "unknown", "crop_confidence": 0.0}
    return Stand(**{**known, "crop_set": (), "area_m2": ZERO, **values})


FULL = Farm(
    farm_id=ODD,
    status="degraded",
    reason="overlapping_claim",
    parcel_ids=("p", "土 1"),
    area_m2=6666.6,
    planted_m2=Interval(0.1, 0.2, 0.30000000000000004),
    sown_m2=1e-9,
    stands=(stand(), stand(crop="maize", crop_set=("maize", "potato"), value=Interval(-1.0, 0.0, 1e12), code="x")),
    main_crop="maize",
    health="normal",
    vigour=-3.5,
    clear_looks=12,
    last_clear=date(2018, 2, 28),
    flags=("a", "b"),
    events=("event_flood",),
    value=Interval(1.0, 2.0, 3.0),
    currency="CNY",
    applicant=Applicant(ODD, None, Decimal("1E+3"), Decimal("0.10"), 3, Decimal("-0"), Decimal("12.345"), None),
)


# --- JSON ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("farm", [EMPTY, FULL])
def test_a_farm_comes_back_from_json_as_it_was(farm: Farm) -> None:
    text = canonical_json(farm_to_json(farm))
    assert "\n" not in text
    back = farm_from_json(json.loads(text))
    assert back == farm
    assert canonical_json(farm_to_json(back)) == text  # 1E+3 and 1000 are equal numbers: the text must be equal too


numbers = st.floats(allow_nan=False, allow_infinity=False)
intervals = st.tuples(numbers, numbers, numbers).map(lambda ends: Interval(*sorted(ends)))
money = st.decimals(allow_nan=False, allow_infinity=False)
stands = st.builds(
    Stand,
    crop_set=st.lists(st.text()).map(tuple),
    crop_confidence=numbers,
    area_m2=intervals,
    index_ratio=st.none() | numbers,
    index_error=st.none() | numbers,
    yield_kg_per_ha=st.none() | intervals,
    value=st.none() | intervals,
)
farms = st.builds(
    Farm,
    parcel_ids=st.lists(st.text()).map(tuple),
    area_m2=numbers,
    planted_m2=intervals,
    sown_m2=numbers,
    stands=st.lists(stands, max_size=2).map(tuple),
    vigour=st.none() | numbers,
    flags=st.lists(st.text(), max_size=2).map(tuple),
    events=st.lists(st.text(), max_size=2).map(tuple),
    value=st.none() | intervals,
    applicant=st.none()
    | st.builds(
        Applicant,
        requested=st.none() | money,
        existing_debt=money,
        insured_sum=money,
        household_need=money,
        previous_limit=st.none() | money,
    ),
)


@settings(max_examples=60, deadline=None)
@given(farms)
def test_any_farm_comes_back_from_json(farm: Farm) -> None:
    assert farm_from_json(json.loads(canonical_json(farm_to_json(farm)))) == farm


# --- plain tables ----------------------------------------------------------------------------------------------------
def test_a_table_is_written_byte_for_byte_the_same(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": ["x", None], "n": [1, 2], "t": pd.to_datetime(["2018-01-01", None], utc=True)})
    tables.write_table(table, tmp_path / "a.parquet")
    tables.write_table(table.set_axis([7, 3]), tmp_path / "b.parquet")  # row labels are no facts
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    tables.write_table(pd.read_parquet(tmp_path / "a.parquet"), tmp_path / "c.parquet")
    assert (tmp_path / "c.parquet").read_bytes() == (tmp_path / "a.parquet").read_bytes()


def test_kinds_of_columns(tmp_path: Path) -> None:
    day = pd.Timestamp("2018-05-05T10:50:31.024567891Z")
    columns = {
        "text": pd.Series(["a"], dtype="string"),
        "object": pd.Series(["a"], dtype="object"),
        "nothing": [None],
        "utc": [day],
        "naive": [day.tz_localize(None)],
        "east": [day.tz_convert("Asia/Shanghai")],
        "number": pd.array([None], dtype="Int32"),
        "share": pd.array([0.5], dtype="Float64"),
    }
    tables.write_table(pd.DataFrame(columns), tmp_path / "a.parquet")
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert [str(schema.field(name).type) for name in columns] == [
        *["string"] * 3,
        *["timestamp[ms, tz=UTC]"] * 3,
        "int32",
        "double",
    ]
    assert schema.metadata is None
    row = pq.read_table(tmp_path / "a.parquet").to_pylist()[0]
    assert row["utc"] == row["naive"] == row["east"] == pd.Timestamp("2018-05-05T10:50:31.024Z")


def test_farms_and_stands_of_nobody(tmp_path: Path) -> None:
    for name, table in (("farms", farms_table), ("stands", stands_table)):
        tables.write_table(table([FULL, EMPTY]), tmp_path / f"{name}.parquet")
        tables.write_table(table([EMPTY]), tmp_path / f"{name}-empty.parquet")
        kinds = [pq.read_schema(tmp_path / f"{name}{end}.parquet").types for end in ("", "-empty")]
        assert kinds[0] == kinds[1], name
    row = pq.read_table(tmp_path / "farms.parquet").to_pylist()[0]
    assert (row["farm_id"], row["flags"], row["area_mu"]) == (ODD, "a|b", pytest.approx(9.9999))
    assert row["last_clear"] == pd.Timestamp("2018-02-28", tz="UTC")
    assert pq.read_table(tmp_path / "farms.parquet").to_pylist()[1]["value_low"] is None
    assert stands_table([FULL])["crop_set"].tolist() == ["", "maize|potato"]
    assert stands_table([FULL])["value_high"].tolist() == [pd.NA, 1e12]


# --- parcels ---------------------------------------------------------------------------------------------------------
def made_parcels(**columns: Any) -> gpd.GeoDataFrame:
    table: dict[str, Any] = {"id": ["a", "b", "c"], "metrics:area": [1.5, float("nan"), 3.0]}
    shapes = [shapely.box(3, 50, 3.01, 50.01), None, shapely.MultiPolygon([shapely.box(4, 50, 5, 51)])]
    return gpd.GeoDataFrame({**table, **columns}, geometry=shapes, crs="EPSG:4326")


def test_parcels_are_geoparquet_that_others_can_read(tmp_path: Path) -> None:
    for name in ("p", "q"):
        tables.write_parcels(made_parcels(), tmp_path / f"{name}.parquet", collection="county")
    assert (tmp_path / "p.parquet").read_bytes() == (tmp_path / "q.parquet").read_bytes()
    schema = pq.read_schema(tmp_path / "p.parquet")
    assert schema.field("metrics:area").type == pa.float32()
    assert {field.name for field in schema if not field.nullable} == {"id", "collection", "geometry"}
    assert json.loads(schema.metadata[b"collection"])["schemas"]["county"] == list(tables.VECOREL_SCHEMAS)
    assert json.loads(schema.metadata[b"geo"])["version"] == "1.1.0"
    back = gpd.read_parquet(tmp_path / "p.parquet")
    assert back.crs.to_string() == "OGC:CRS84"
    assert back["collection"].tolist() == ["county"] * 3
    assert back.geometry.is_empty.tolist() == [False, True, False]
    assert back.geometry.iloc[1].geom_type == "Polygon"
    assert back.geometry.iloc[0].bounds == (3, 50, 3.01, 50.01)


def test_a_parcel_without_an_id_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="id"):
        tables.write_parcels(made_parcels(id=["a", None, "c"]), tmp_path / "p.parquet", collection="county")
    assert not (tmp_path / "p.parquet").exists()


# --- decisions -------------------------------------------------------------------------------------------------------
def decision(limit: str | None, *reasons: str) -> Decision:
    outcome = "refer" if limit is None else "approve" if Decimal(limit) else "decline"
    amount = None if limit is None else Decimal(limit)
    return Decision(ODD, outcome, amount, "CNY", None, reasons, "demo@1", date(2018, 12, 15), ())


def test_decisions_keep_money_exact(tmp_path: Path) -> None:
    write_decisions([decision("1200.10", "a", "b"), decision(None), decision("0")], tmp_path / "d.parquet")
    table = pq.read_table(tmp_path / "d.parquet")
    assert str(table.schema.field("limit").type) == "decimal128(18, 2)"
    assert str(table.schema.field("as_of").type) == "date32[day]"
    assert table["limit"].to_pylist() == [Decimal("1200.10"), None, Decimal("0.00")]
    assert table["reasons"].to_pylist() == [["a", "b"], [], []]
    write_decisions([], tmp_path / "none.parquet")
    assert pq.read_schema(tmp_path / "none.parquet") == table.schema


@pytest.mark.parametrize(
    ("limit", "written"),
    [("1E+3", "1000.00"), ("10.019", "10.01"), ("9999999999999999.99", "9999999999999999.99"), ("0.009", "0.00")],
)
def test_odd_money_is_cut_never_raised(tmp_path: Path, limit: str, written: str) -> None:
    write_decisions([decision(limit)], tmp_path / "d.parquet")
    assert pq.read_table(tmp_path / "d.parquet")["limit"].to_pylist() == [Decimal(written)]


@pytest.mark.parametrize("limit", ["1E+16", "1E+40"])
def test_money_beyond_the_table_names_the_farm(tmp_path: Path, limit: str) -> None:
    with pytest.raises(CreditError, match="more than a table can hold") as caught:
        write_decisions([decision("1"), decision(limit)], tmp_path / "d.parquet")
    assert ODD in caught.value.message
    assert "policy" in caught.value.hint


@pytest.mark.parametrize("write", [tables.write_table, tables.write_parcels])
def test_an_empty_table_can_be_written(tmp_path: Path, write: Callable[..., None]) -> None:
    extra = {"collection": "county"} if write is tables.write_parcels else {}
    table = made_parcels().iloc[:0]
    write(table if extra else pd.DataFrame(table.drop(columns="geometry")), tmp_path / "e.parquet", **extra)
    assert pq.read_table(tmp_path / "e.parquet").num_rows == 0
