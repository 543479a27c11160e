# SPDX-License-Identifier: Apache-2.0
"""How much of a parcel is planted, and what its declared area says beside the drawn one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from acreline.records import NO_CROP, ZERO, Interval

AREA_TOLERANCE = 0.10
"""Declared and drawn area may differ by this much."""
NOT_UP_YET = ("not_begun", "peak_not_reached")
"""Codes of a season in which more of a parcel may yet turn green."""
UNIT_FACTORS = (15.0, 2.4711, 10_000.0)
"""Slips of unit, either way: mu, acres or square metres for hectares."""
UNIT_TOLERANCE = 0.05
JUDGED = ("ok", "degraded")
"""Statuses of parcels of which it is said what stands on them."""


def green_land(row: Mapping[str, Any]) -> Interval:
    """Land of one parcel that was green, square metres."""
    area = float(row["area_m2"])
    planted, bare, unseen = float(row["planted"]), float(row["bare"]), float(row["unseen"])
    total = planted + bare + unseen
    if planted + bare == 0:  # nothing was seen: anything from none to all
        return Interval(0.0, 0.0, area)
    mid = area * (planted + unseen * planted / (planted + bare)) / total
    edge = float(row["edge_m2"])
    low = max(area * planted / total - edge, 0.0)
    high = min(area * (planted + unseen) / total + edge, area)
    mid = min(mid, area)
    return Interval(min(low, mid), mid, max(high, mid))


def idle_set(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Of a parcel on which nothing was grown, `none` and what cannot be ruled out; nothing for any other."""
    return split_names(row["idle_set"]) if row["status"] in JUDGED else ()


def planted_land(row: Mapping[str, Any]) -> Interval:
    """Planted land of one parcel, once however many crops it bears: what is green on idle land is not planted."""
    idle = idle_set(row)
    if idle == (NO_CROP,):
        return ZERO
    return Interval(0.0, 0.0, green_land(row).high) if idle else green_land(row)


def area_flag(declared_m2: float | None, drawn_m2: float) -> str | None:
    """What the declared area says beside the drawn one: None within 10 %, declared_area_unit for a likely slip of unit.

    The slips are mu (15), acres (2.47) or square metres (10000) for hectares, either way, within 5 %.
    """
    if declared_m2 is None or drawn_m2 <= 0:
        return None
    ratio = declared_m2 / drawn_m2
    if 1 - AREA_TOLERANCE <= ratio <= 1 + AREA_TOLERANCE:
        return None
    factors = [factor for slip in UNIT_FACTORS for factor in (slip, 1 / slip)]
    if any(abs(ratio / factor - 1) <= UNIT_TOLERANCE for factor in factors):
        return "declared_area_unit"
    return "declared_area_differs"


def area_codes(
    declared_m2: float | None, drawn_m2: float, planted: Interval | None, season_codes: Iterable[str] = ()
) -> tuple[str, ...]:
    """What the declared area of a parcel says beside what was drawn and what was seen planted.

    Args:
        declared_m2: as the farmer gave it; None: not given.
        drawn_m2: of the outline.
        planted: what was seen planted; None: not known, or nothing was grown, which is told by itself.
        season_codes: of its stands; while a crop is not up yet, what is planted is not seen.

    Returns:
        the code of `area_flag`, else planted_area_differs where the declared area lies more than 10 % outside what was
        seen planted, or none.
    """
    flag = area_flag(declared_m2, drawn_m2)
    if flag is not None:
        return (flag,)
    if declared_m2 is None or planted is None or drawn_m2 <= 0 or set(season_codes) & set(NOT_UP_YET):
        return ()
    low, high = planted.low * (1 - AREA_TOLERANCE), planted.high * (1 + AREA_TOLERANCE)
    return () if low <= declared_m2 <= high else ("planted_area_differs",)


def split_names(text: object) -> tuple[str, ...]:
    """`a|b` text as names."""
    return tuple(name for name in str(text).split("|") if name)
