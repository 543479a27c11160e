# SPDX-License-Identifier: Apache-2.0
"""Declared, drawn, registered and planted land beside each other, in mu, hectares and acres, in both languages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from acreline.report.words import word
from acreline.units import m2_to_acres, m2_to_ha, m2_to_mu

Pair = tuple[str, str]
"""English and Chinese."""
COLUMNS = {
    "declared": ("declared_area_m2",),
    "drawn": ("metrics:area",),
    "registered": ("registry_area_m2",),
    "planted": ("planted_m2_low", "planted_m2_mid", "planted_m2_high"),
}
"""What is told of a parcel -> columns of its row; of planted land low, middle and high end."""
Areas = dict[str, tuple[float, ...]]
"""Kind of `COLUMNS` -> m2; a kind that is not known is left out."""


def parcel_areas(row: Mapping[str, Any]) -> Areas:
    """What is known of a parcel's area, from its row in `parcels.parquet`; runs of an earlier version lack some."""
    found: Areas = {}
    for kind, columns in COLUMNS.items():
        values = tuple(row.get(name) for name in columns)
        if all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            found[kind] = tuple(float(value) for value in values if value is not None)
    return found


def farm_areas(parcels: Sequence[Areas], planted_m2: tuple[float, ...] | None) -> Areas:
    """The same of a farm: a kind is told where every parcel has it; planted land is the farm's own, if it is known."""
    found: Areas = {}
    for kind in ("declared", "drawn", "registered"):
        if parcels and all(kind in one for one in parcels):
            found[kind] = (math.fsum(one[kind][0] for one in parcels),)
    return found if planted_m2 is None else {**found, "planted": planted_m2}


def three_units(area_m2: float) -> Pair:
    """An area as `12.0 mu (0.800 ha, 1.98 acres)`, in both languages."""
    mu, ha, acres = f"{m2_to_mu(area_m2):,.1f}", f"{m2_to_ha(area_m2):,.2f}", f"{m2_to_acres(area_m2):,.2f}"
    return f"{mu} mu ({ha} ha, {acres} acres)", f"{mu} 亩（{ha} 公顷，{acres} 英亩）"


def areas_line(areas: Areas) -> Pair | None:
    """All that is known of an area in one line; None where nothing is."""
    parts = []
    for kind, values in areas.items():
        name, told = word("area", kind), three_units(values[len(values) // 2])
        en, zh = f"{name[0]} {told[0]}", f"{name[1]} {told[1]}"
        if len(values) > 1:
            low, high = f"{m2_to_mu(values[0]):,.1f}", f"{m2_to_mu(values[-1]):,.1f}"
            en, zh = f"{en}, {low} to {high} mu", f"{zh}，{low} 至 {high} 亩"
        parts.append((en, zh))
    if not parts:
        return None
    return "; ".join(en for en, _ in parts), "；".join(zh for _, zh in parts)
