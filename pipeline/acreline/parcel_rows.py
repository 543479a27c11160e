# SPDX-License-Identifier: Apache-2.0
"""A publication's table of parcels: what was drawn, what was found on it, and what was declared beside both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from acreline.curves import has_code
from acreline.farms.land import area_codes, split_names
from acreline.layers import UNKNOWN
from acreline.records import NO_CROP, ZERO, Interval, Stand

if TYPE_CHECKING:
    import geopandas as gpd

    from acreline.publish import Facts


def parcels_table(facts: Facts) -> gpd.GeoDataFrame:
    """One row per input parcel: what was drawn, its status, and what was found on it.

    planted_m2_low, _mid and _high are its planted land, missing where it is not known; `code` is `a|b` text of what its
    declared area says (`farms.land.area_codes`).
    """
    best: dict[str, Stand] = {}
    for farm in facts.farms:
        for stand in farm.stands:
            rival = best.get(stand.parcel_id)
            if rival is None or _weight(stand) > _weight(rival):
                best[stand.parcel_id] = stand
    idle = facts.seasons[facts.seasons["crop"] == NO_CROP].set_index("parcel_id")
    health = facts.health.set_index(["parcel_id", "slot"]).sort_index()
    seasons = facts.seasons.drop_duplicates("parcel_id").set_index("parcel_id")
    found = facts.events[~has_code(facts.events, "outside_growth")].groupby("parcel_id")["event"]
    events = found.agg(lambda names: "|".join(sorted(set(names)))).astype("string")

    table = facts.parcels.rename(columns={"parcel_id": "id", "area_m2": "metrics:area"})
    measured = table["status"] != "rejected"
    stands = [best.get(pid) if ok else None for pid, ok in zip(table["id"], measured, strict=True)]
    keys = pd.MultiIndex.from_tuples([(s.parcel_id, s.slot) if s else ("", "") for s in stands])
    graded = health.reindex(keys)
    table["crop"] = pd.array([stand.crop if stand else UNKNOWN for stand in stands], dtype="string")
    table["crop_confidence"] = pd.array([s.crop_confidence if s else None for s in stands], dtype="Float64")
    table["crop_set"] = pd.array(["|".join(s.crop_set) if s else "" for s in stands], dtype="string")
    bare = (measured & table["id"].isin(idle.index)).to_numpy(dtype=bool)
    for name in ("crop", "crop_confidence", "crop_set"):
        table.loc[bare, name] = idle.loc[table["id"][bare], name].to_numpy()
    table.loc[bare & (table["status"] == "ok"), "reason"] = "no_crop"  # nothing is wrong, and nothing grew
    table["health"] = graded["health"].astype("string").fillna(UNKNOWN).array
    table["health_confirmed"] = graded["confirmed"].astype("boolean").array
    for name in ("vigour", "vigour_normal"):
        table[name] = pd.to_numeric(graded[name]).astype("Float64").array
    fractions = [
        0.0 if empty else None if stand is None or not area else stand.area_m2.mid / area
        for stand, area, empty in zip(stands, table["metrics:area"], bare, strict=True)
    ]
    table["planted_fraction"] = pd.array(fractions, dtype="Float64")
    sure = bare & (table["crop_set"] == NO_CROP).to_numpy(dtype=bool)  # else it may bear a crop all the same: not known
    spans = [ZERO if none else stand.area_m2 if stand else None for stand, none in zip(stands, sure, strict=True)]
    for end in ("low", "mid", "high"):
        ends = [None if span is None else getattr(span, end) for span in spans]
        table[f"planted_m2_{end}"] = pd.array(ends, dtype="Float64")
    grown = [None if stand is None else stand.area_m2 for stand in stands]
    table["code"] = pd.array(_declared_codes(table, grown, facts), dtype="string")
    ids = table["id"].where(measured)
    looked = seasons.reindex(ids)
    table["clear_looks"] = looked["clear_looks"].astype("Int32").array
    table["last_clear"] = pd.to_datetime(looked["last_clear"], utc=True).astype("datetime64[ms, UTC]").array
    table["events"] = ids.map(events).astype("string").fillna("")
    first = ["id", "farm_id", "metrics:area", "status", "reason", "detail", "crop", "crop_confidence", "crop_set"]
    first += [
        "health",
        "health_confirmed",
        "vigour",
        "vigour_normal",
        "planted_fraction",
        "planted_m2_low",
        "planted_m2_mid",
        "planted_m2_high",
        "clear_looks",
        "last_clear",
        "events",
        "code",
    ]
    rest = sorted(set(table.columns) - set(first) - {"geometry"})
    ordered: gpd.GeoDataFrame = table[[*first, *rest, "geometry"]]
    return ordered


def _declared_codes(table: gpd.GeoDataFrame, grown: Sequence[Interval | None], facts: Facts) -> list[str]:
    """What each parcel's declared area says beside the rest, `a|b` text; of a refused parcel nothing."""
    codes = facts.seasons["code"].fillna("").groupby(facts.seasons["parcel_id"]).agg("|".join)
    rows = zip(table["id"], table["status"], table["declared_area_m2"], table["metrics:area"], grown, strict=True)
    return [
        ""
        if status == "rejected" or pd.isna(declared) or pd.isna(drawn)
        else "|".join(area_codes(float(declared), float(drawn), planted, split_names(codes.get(name, ""))))
        for name, status, declared, drawn, planted in rows
    ]


def _weight(stand: Stand) -> tuple[float, float]:
    return (stand.value.mid if stand.value else 0.0, stand.area_m2.mid)
