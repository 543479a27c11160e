# SPDX-License-Identifier: Apache-2.0
"""How much of a farm's land an event struck."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from acreline.records import Struck

if TYPE_CHECKING:
    import pandas as pd


def struck_parcels(events: pd.DataFrame) -> dict[str, list[Struck]]:
    """What struck each parcel: of each kind of event the largest share of it and the worst severity.

    Args:
        events: rows of the events table.
    """
    worst = events.groupby(["parcel_id", "event"], sort=True)[["share", "severity"]].max().reset_index()
    found: dict[str, list[Struck]] = {}
    for parcel_id, event, share, severity in worst.itertuples(index=False, name=None):
        found.setdefault(str(parcel_id), []).append(Struck(str(event), _part(share), _part(severity)))
    return found


def struck_land(parcels: Sequence[tuple[float, Sequence[Struck]]]) -> tuple[Struck, ...]:
    """What struck a farm, by kind: its share of the farm's land and the worst severity.

    Args:
        parcels: land of each parcel (m2; NaN where it has none) and what struck it.

    Returns:
        sorted by event; the share is 1 where the land is not known: an unknown part may be all of it.
    """
    land = math.fsum(area for area, _ in parcels)
    shares: dict[str, list[float]] = {}
    severity: dict[str, float] = {}
    for area, hits in parcels:
        for hit in hits:
            shares.setdefault(hit.event, []).append(hit.share * area)
            severity[hit.event] = max(hit.severity, severity.get(hit.event, 0.0))
    known = math.isfinite(land) and land > 0
    return tuple(
        Struck(event, round(min(math.fsum(shares[event]) / land, 1.0), 4) if known else 1.0, severity[event])
        for event in sorted(shares)
    )


def _part(value: float) -> float:
    """0 to 1; what was not told may be all of it."""
    return min(max(float(value), 0.0), 1.0) if math.isfinite(value) else 1.0
