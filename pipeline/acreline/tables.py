# SPDX-License-Identifier: Apache-2.0
"""Facts and decisions as Parquet files, and back: the same rows give the same bytes.

Text is plain `string`, times are milliseconds in UTC, money is a decimal with two places; lists of codes are
`a|b` text, the reasons of a decision a list column.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import CreditError
from acreline.records import Applicant, Decision, Farm, Interval, Stand, Struck
from acreline.units import m2_to_mu

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import pyarrow as pa

    from acreline.credit import ScheduleRow

VECOREL_SCHEMAS = (
    "https://vecorel.org/specification/v0.1.0/schema.yaml",
    "https://fiboa.org/specification/v0.3.0/schema.yaml",
)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a DataFrame as Parquet, byte-equal for equal rows."""
    import pyarrow as pa

    write_arrow(
        pa.Table.from_pandas(table.reset_index(drop=True), preserve_index=False).replace_schema_metadata(None), path
    )


def write_parcels(table: gpd.GeoDataFrame, path: Path, *, collection: str) -> None:
    """Write parcels as fiboa 0.3 / Vecorel 0.1 GeoParquet (OGC:CRS84); a row without a geometry gets an empty one."""
    import pandas as pd
    import pyarrow as pa
    import shapely

    shapes = shapely.to_wkb(
        [shape if shape is not None and not pd.isna(shape) else shapely.Polygon() for shape in table.geometry]
    )
    plain = pd.DataFrame(table.drop(columns=table.geometry.name)).reset_index(drop=True)
    plain.insert(1, "collection", collection)
    plain["metrics:area"] = plain["metrics:area"].astype("float32")  # fiboa's `float` has 32 bits
    arrow = pa.Table.from_pandas(plain, preserve_index=False)
    arrow = arrow.append_column(pa.field("geometry", pa.binary(), nullable=False), pa.array(shapes, pa.binary()))
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}},
    }
    schemas = {"schemas": {collection: list(VECOREL_SCHEMAS)}}
    meta = {b"geo": json.dumps(geo).encode(), b"collection": json.dumps(schemas).encode()}
    write_arrow(arrow.replace_schema_metadata(meta), path, required=("id", "collection", "geometry"))


def write_arrow(table: pa.Table, path: Path, required: Sequence[str] = ()) -> None:
    """Write an Arrow table as Parquet, byte-equal for equal rows; the metadata of its schema stays.

    Args:
        table: its rows.
        path: file to write.
        required: columns that hold no null, and say so.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_large_string(kind) or pa.types.is_null(kind):
            kind = pa.string()
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp("ms", tz="UTC")
        fields.append(pa.field(field.name, kind, nullable=field.name not in required))
    cast = table.cast(pa.schema(fields, metadata=table.schema.metadata), safe=False)  # drops parts of a millisecond
    pq.write_table(cast, path, compression="zstd", version="2.6")


# --- farms --------------------------------------------------------------------------------------------------------
def farms_table(farms: Sequence[Farm]) -> pd.DataFrame:
    """One row per farm, in the order given.

    A farm that is failed or rejected has no planted and sown land, crop, vigour or value: what was measured of it is a
    part, and a part does not stand for the farm. Its land is that of all polygons, empty where one has no area.
    """
    import pandas as pd

    whole = [farm.status not in ("failed", "rejected") for farm in farms]

    def known(values: Any) -> Any:
        return [value if told else None for value, told in zip(values, whole, strict=True)]

    return pd.DataFrame(
        {
            "farm_id": [farm.farm_id for farm in farms],
            "status": [farm.status for farm in farms],
            "reason": _texts(farm.reason for farm in farms),
            "parcels": pd.array([len(farm.parcel_ids) for farm in farms], dtype="int32"),
            "area_m2": _numbers(farm.area_m2 for farm in farms),
            "area_mu": _numbers(None if farm.area_m2 is None else m2_to_mu(farm.area_m2) for farm in farms),
            "planted_mu": _numbers(known(m2_to_mu(farm.planted_m2.mid) for farm in farms)),
            "planted_mu_low": _numbers(known(m2_to_mu(farm.planted_m2.low) for farm in farms)),
            "planted_mu_high": _numbers(known(m2_to_mu(farm.planted_m2.high) for farm in farms)),
            "sown_mu": _numbers(known(m2_to_mu(farm.sown_m2) for farm in farms)),
            "main_crop": _texts(known(farm.main_crop for farm in farms)),
            "health": ["unknown" if value is None else value for value in known(farm.health for farm in farms)],
            "vigour": _numbers(known(farm.vigour for farm in farms)),
            "clear_looks": pd.array([farm.clear_looks for farm in farms], dtype="int32"),
            "last_clear": _days(farm.last_clear for farm in farms),
            "value_low": _numbers(known(None if farm.value is None else farm.value.low for farm in farms)),
            "value_mid": _numbers(known(None if farm.value is None else farm.value.mid for farm in farms)),
            "value_high": _numbers(known(None if farm.value is None else farm.value.high for farm in farms)),
            "currency": _texts(known(farm.currency for farm in farms)),
            "cash_cost": _numbers(known(None if farm.cash_cost is None else farm.cash_cost.mid for farm in farms)),
            "flags": ["|".join(farm.flags) for farm in farms],
            "events": ["|".join(farm.events) for farm in farms],
        }
    )


def stands_table(farms: Sequence[Farm]) -> pd.DataFrame:
    """One row per (farm, parcel, slot), in order."""
    import pandas as pd

    stands = [stand for farm in farms for stand in farm.stands]
    columns: dict[str, Any] = {
        "farm_id": _texts(stand.farm_id for stand in stands),
        "parcel_id": _texts(stand.parcel_id for stand in stands),
        "slot": _texts(stand.slot for stand in stands),
        "crop": _texts(stand.crop for stand in stands),
        "crop_confidence": pd.array([stand.crop_confidence for stand in stands], dtype="float64"),
        "crop_set": _texts("|".join(stand.crop_set) for stand in stands),
    }
    for end in ("low", "mid", "high"):
        columns[f"area_m2_{end}"] = pd.array([getattr(stand.area_m2, end) for stand in stands], dtype="float64")
    for name in ("yield_kg_per_ha", "value", "cash_cost"):
        for end in ("low", "mid", "high"):
            ends = [None if getattr(s, name) is None else getattr(getattr(s, name), end) for s in stands]
            columns[f"{name}_{end}"] = pd.array(ends, dtype="Float64")
    columns["currency"] = _texts(stand.currency for stand in stands)
    columns["code"] = _texts(stand.code for stand in stands)
    return pd.DataFrame(columns)


def write_decisions(decisions: Sequence[Decision], path: Path) -> None:
    """One row per decision; the limit is a decimal with two places, empty for a referral.

    Raises:
        CreditError: a limit has more than 16 digits before the point.
    """
    import pyarrow as pa

    table = pa.table(
        {
            "farm_id": pa.array([d.farm_id for d in decisions], pa.string()),
            "outcome": pa.array([d.outcome for d in decisions], pa.string()),
            "limit": pa.array(
                [_cents(d) for d in decisions],
                pa.decimal128(18, 2),
            ),
            "currency": pa.array([d.currency for d in decisions], pa.string()),
            "binding_rule": pa.array([d.binding_rule for d in decisions], pa.string()),
            "reasons": pa.array([list(d.reasons) for d in decisions], pa.list_(pa.string())),
            "policy_id": pa.array([d.policy_id for d in decisions], pa.string()),
            "as_of": pa.array([d.as_of for d in decisions], pa.date32()),
        }
    )
    write_arrow(table, path)


def write_schedule(rows: Sequence[ScheduleRow], path: Path) -> None:
    """One row per tranche, reminder and due day; the amount is a decimal with two places."""
    import pyarrow as pa

    kinds = {"number": pa.int32(), "date": pa.date32(), "amount": pa.decimal128(18, 2)}
    names = ("farm_id", "number", "kind", "when", "date", "amount", "currency", "state", "text_en", "text_zh")
    cent = Decimal("0.01")  # amounts are whole cents: their zeros are all that is written
    columns = {
        name: [row.amount.quantize(cent) for row in rows] if name == "amount" else [getattr(row, name) for row in rows]
        for name in names
    }
    write_arrow(pa.table({name: pa.array(columns[name], kinds.get(name, pa.string())) for name in names}), path)


def _cents(decision: Decision) -> Decimal | None:
    if decision.limit is None:
        return None
    if decision.limit >= Decimal(10) ** 16:
        raise CreditError(
            f"{decision.farm_id}: a limit of {decision.limit:.3E} {decision.currency} is more than a table can hold",
            hint="check the numbers of the policy: a limit must stay below 1E+16",
        )
    return decision.limit.quantize(Decimal("0.01"), rounding=ROUND_DOWN)


# --- farms as JSON, for the trail and for deciding again ---------------------------------------------------------
def farm_to_json(farm: Farm) -> dict[str, Any]:
    """A farm record as plain JSON values: decimals and dates as text."""
    return _plain(dataclasses.asdict(farm))  # type: ignore[no-any-return]


def farm_from_json(raw: Mapping[str, Any]) -> Farm:
    """The farm record behind `farm_to_json`'s values."""
    values = dict(raw)
    values["parcel_ids"] = tuple(values["parcel_ids"])
    values["planted_m2"] = Interval(**values["planted_m2"])
    values["value"] = _interval(values["value"])
    values["cash_cost"] = _interval(values.get("cash_cost"))  # runs of an earlier version did not know it
    values["last_clear"] = None if values["last_clear"] is None else date.fromisoformat(values["last_clear"])
    values["flags"] = tuple(values["flags"])
    values["events"] = tuple(values["events"])
    values["struck"] = tuple(Struck(**one) for one in values.get("struck", ()))  # nor this
    values["stands"] = tuple(_stand(stand) for stand in values["stands"])
    applicant = values["applicant"]
    if applicant is not None:
        money = ("requested", "existing_debt", "insured_sum", "household_need", "previous_limit")
        texts = {name: None if applicant[name] is None else Decimal(applicant[name]) for name in money}
        values["applicant"] = Applicant(**{**applicant, **texts})
    return Farm(**values)


def _stand(raw: Mapping[str, Any]) -> Stand:
    intervals = {
        name: _interval(raw[name]) for name in ("area_m2", "yield_kg_per_ha", "value", "cash_cost") if name in raw
    }
    return Stand(**{**raw, **intervals, "crop_set": tuple(raw["crop_set"])})


def _interval(raw: Mapping[str, float] | None) -> Interval | None:
    return None if raw is None else Interval(**raw)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Decimal | date) else value


def _texts(values: Any) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(list(values), dtype="string")


def _days(values: Any) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True)).astype("datetime64[ms, UTC]")


def _numbers(values: Any) -> Any:
    import pandas as pd

    return pd.array(list(values), dtype="Float64")
