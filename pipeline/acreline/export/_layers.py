# SPDX-License-Identifier: Apache-2.0
"""The four layers that tables and maps of a bank are given: farms with their limits, parcels, stands and events.

Columns are named here one by one: what is not named does not leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from acreline.export._source import Source

Kind = Literal["text", "number", "whole", "money", "day", "yes"]
COLUMNS: dict[str, dict[str, Kind]] = {
    "farms": {
        "farm_id": "text",
        "outcome": "text",
        "credit_limit": "money",
        "limit_currency": "text",
        "binding_rule": "text",
        "reasons": "text",
        "policy_id": "text",
        "decided_as_of": "day",
        "status": "text",
        "reason": "text",
        "parcels": "whole",
        "area_m2": "number",
        "area_mu": "number",
        "planted_mu": "number",
        "planted_mu_low": "number",
        "planted_mu_high": "number",
        "sown_mu": "number",
        "main_crop": "text",
        "health": "text",
        "vigour": "number",
        "clear_looks": "whole",
        "last_clear": "day",
        "value_low": "number",
        "value_mid": "number",
        "value_high": "number",
        "cash_cost": "number",
        "currency": "text",
        "flags": "text",
        "events": "text",
    },
    "parcels": {
        "parcel_id": "text",
        "farm_id": "text",
        "area_m2": "number",
        "status": "text",
        "reason": "text",
        "detail": "text",
        "crop": "text",
        "crop_confidence": "number",
        "crop_set": "text",
        "health": "text",
        "health_confirmed": "yes",
        "vigour": "number",
        "planted_fraction": "number",
        "planted_m2_low": "number",
        "planted_m2_mid": "number",
        "planted_m2_high": "number",
        "clear_looks": "whole",
        "last_clear": "day",
        "events": "text",
        "declared_crop": "text",
        "declared_area_m2": "number",
        "code": "text",
    },
    "stands": {
        "farm_id": "text",
        "parcel_id": "text",
        "slot": "text",
        "crop": "text",
        "crop_confidence": "number",
        "crop_set": "text",
        "area_m2_low": "number",
        "area_m2_mid": "number",
        "area_m2_high": "number",
        "yield_kg_per_ha_low": "number",
        "yield_kg_per_ha_mid": "number",
        "yield_kg_per_ha_high": "number",
        "value_low": "number",
        "value_mid": "number",
        "value_high": "number",
        "cash_cost_low": "number",
        "cash_cost_mid": "number",
        "cash_cost_high": "number",
        "currency": "text",
        "code": "text",
    },
    "events": {
        "farm_id": "text",
        "parcel_id": "text",
        "event": "text",
        "not_before": "day",
        "first_seen": "day",
        "last_seen": "day",
        "share": "number",
        "severity": "number",
        "confirmed": "yes",
        "could_be": "text",
        "evidence": "text",
        "code": "text",
    },
}
"""Layer -> column -> kind. `reasons`, `flags`, `events`, `crop_set`, `could_be` and `code` are `a|b` text."""
PERSON = "person_id"
"""Column of the layer of farms where persons may leave."""
TITLES = {
    "farms": "Farms with their limits: land, crop, harvest as 5, 50 and 95 % quantiles, decision",
    "parcels": "Parcels as drawn, with what was found on them; rejected ones too",
    "stands": "One crop on one parcel in one season slot, with area, yield and value",
    "events": "What struck a parcel, when, and how sure",
}
_RENAMED = {
    "parcels": {"id": "parcel_id", "metrics:area": "area_m2"},
    "events": {"start": "first_seen", "end": "last_seen"},
}


@dataclass(frozen=True)
class Layer:
    """One layer: rows in the publication's order, each with the outline it is drawn with."""

    name: str
    columns: dict[str, Kind]
    table: pa.Table
    """The columns in that order, of the type of their kind."""
    outlines: npt.NDArray[Any]
    """Shapely multipolygons in lon/lat (OGC:CRS84), one per row; None where there is no outline."""


def read_layers(source: Source) -> list[Layer]:
    """The four layers of a publication.

    Farms are drawn as the union of their parcels that were not rejected, stands and events as their parcel.

    Raises:
        StoreError: a table is missing or damaged.
    """
    import numpy as np
    import shapely

    parcels = source.table("parcels")
    outlines = _multipolygons(shapely.from_wkb(parcels["geometry"].to_numpy(zero_copy_only=False)))
    status, owner, names = (parcels[name].to_pylist() for name in ("status", "farm_id", "id"))
    of_parcel: dict[str, Any] = {}
    of_farm: dict[str, list[Any]] = {}
    farm_of: dict[str, str] = {}
    for name, farm, state, outline in zip(names, owner, status, outlines, strict=True):
        farm_of.setdefault(name, farm)
        if outline is not None and state != "rejected":
            of_parcel[name] = outline
            of_farm.setdefault(farm, []).append(outline)
    whole = {farm: shapely.union_all(shapes) for farm, shapes in of_farm.items()}
    farms = _farms(source)
    stands, events = source.table("stands"), source.table("events")
    parcel_of_event = events["parcel_id"].to_pylist()
    events = events.append_column("farm_id", [[farm_of.get(name) for name in parcel_of_event]])

    def drawn(shapes: dict[str, Any], ids: list[str]) -> npt.NDArray[Any]:
        found = np.empty(len(ids), dtype=object)
        found[:] = [shapes.get(name) for name in ids]
        return _multipolygons(found)

    return [
        _layer("farms", farms, drawn(whole, farms["farm_id"].to_pylist()), persons=source.persons is not None),
        _layer("parcels", parcels, outlines),
        _layer("stands", stands, drawn(of_parcel, stands["parcel_id"].to_pylist())),
        _layer("events", events, drawn(of_parcel, parcel_of_event)),
    ]


def _farms(source: Source) -> Any:
    """Farms with their decisions beside them, in the publication's order (one decision per farm, checked there)."""
    farms, decided = source.table("farms"), source.table("decisions")
    assert farms["farm_id"].to_pylist() == decided["farm_id"].to_pylist()
    names = {"limit": "credit_limit", "currency": "limit_currency", "as_of": "decided_as_of"}
    for name in ("outcome", "limit", "currency", "binding_rule", "policy_id", "as_of"):
        farms = farms.append_column(names.get(name, name), decided[name])
    farms = farms.append_column("reasons", [["|".join(one or ()) for one in decided["reasons"].to_pylist()]])
    if source.persons is not None:
        farms = farms.append_column(PERSON, [[source.persons.get(name) for name in farms["farm_id"].to_pylist()]])
    return farms


def _layer(name: str, table: Any, outlines: npt.NDArray[Any], *, persons: bool = False) -> Layer:
    import pyarrow as pa

    columns: dict[str, Kind] = {**COLUMNS[name], **({PERSON: "text"} if persons else {})}
    renamed = table.rename_columns([_RENAMED.get(name, {}).get(one, one) for one in table.column_names])
    types = {
        "text": pa.string(),
        "number": pa.float64(),
        "whole": pa.int32(),
        "money": pa.decimal128(18, 2),
        "day": pa.date32(),
        "yes": pa.bool_(),
    }
    known = set(renamed.column_names)  # runs of an earlier version lack some
    values = [
        _cast(renamed[one], types[kind]) if one in known else pa.nulls(len(renamed), types[kind])
        for one, kind in columns.items()
    ]
    return Layer(name, columns, pa.table(dict(zip(columns, values, strict=True))), outlines)


def _cast(values: Any, kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_date32(kind) and pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("ms")).cast(kind, safe=False)  # the day in UTC
    return values.cast(kind)


def _multipolygons(shapes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Every outline as a multipolygon; None for what is empty or no area."""
    import numpy as np
    import shapely

    found = np.empty(len(shapes), dtype=object)
    for k, shape in enumerate(shapes):
        if shape is None or shape.is_empty:
            continue
        if shape.geom_type == "Polygon":
            found[k] = shapely.MultiPolygon([shape])
        elif shape.geom_type == "MultiPolygon":
            found[k] = shape
    return found
