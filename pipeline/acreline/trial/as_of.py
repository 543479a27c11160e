# SPDX-License-Identifier: Apache-2.0
"""What could be told at the end of each month: the county painted again with the looks until then and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from acreline.layers import TimeAxis
from acreline.model.banks import Bank
from acreline.model.classes import HEADS
from acreline.model.painting import Painted
from acreline.thermal import Temperatures
from acreline.trial.county_counts import parcel_tables
from acreline.trial.county_scores import f1_of, share_of
from acreline.trial.drawn_blocks import macro_f1_of
from acreline.trial.parcels_told import tell_parcels
from acreline.trial.times import month_ends

AxisOf = Callable[[int, Temperatures | None], TimeAxis]
"""Harvest year and temperatures -> bins, `card.SeasonAxis.of`."""
Load = Callable[[AxisOf], Bank]
"""A county on the bins of the one that asks, e.g. `county_bank` of a path."""
Paint = Callable[[Bank], Painted]
Tables = dict[str, dict[str, npt.NDArray[np.int64]]]
"""Month (01 to 12) -> slot -> confusion counts of parcels."""
EARLY_F1 = 0.8


def month_tables(paint: Paint, load: Load, axis_of: AxisOf) -> Tables:
    """Paint a county as of the end of each month of the harvest year that has looks.

    Neither looks nor temperatures after the month's end are used. The clear mask of a look is that of its own pass.
    """
    whole = load(axis_of)
    out: Tables = {}
    for day in month_ends(look_times(whole), whole.axis.end.year):
        early = until(load(_known_until(axis_of, day)), day)
        if early.clear.any():
            parcels = tell_parcels(paint(early), early)
            out[f"{day.month:02d}"] = parcel_tables(parcels)
    return out


def look_times(bank: Bank) -> npt.NDArray[np.datetime64]:
    """(time,): when each look was taken."""
    seconds = np.rint(bank.axis.on_calendar(bank.days) * 86_400).astype("timedelta64[s]")
    times: npt.NDArray[np.datetime64] = np.datetime64(bank.axis.start, "s") + seconds
    return times


def until(bank: Bank, day: date) -> Bank:
    """Only the looks up to and including a day."""
    count = int((look_times(bank) < np.datetime64(day) + np.timedelta64(1, "D")).sum())
    coarse = None if bank.coarse is None else bank.coarse[:count]
    return replace(bank, days=bank.days[:count], fine=bank.fine[:count], coarse=coarse, clear=bank.clear[:count])


def _known_until(axis_of: AxisOf, day: date) -> AxisOf:
    def known(year: int, temperatures: Temperatures | None) -> TimeAxis:
        return axis_of(year, None if temperatures is None else temperatures.until(day))

    return known


def as_of_figures(counties: Sequence[Tables]) -> dict[str, Any]:
    """The curve of each slot over several counties, and from when on each crop is told.

    Returns:
        A and B: months (month, n, oa, macro_f1) and early (crop -> first month from whose end on its F1 stays at 0.8 or
        more; None: never).
    """
    months = sorted({month for tables in counties for month in tables})
    out: dict[str, Any] = {}
    if not months:
        return {slot: {"months": [], "early": {}} for slot in HEADS}
    for slot, names in HEADS.items():
        parts = [[tables[month][slot] for tables in counties if month in tables] for month in months]
        summed = [np.sum(part, axis=0) for part in parts]
        f1 = np.array([f1_of(table) for table in summed]).reshape(len(months), len(names))
        occurs = np.logical_or.reduce([table.sum(axis=1) > 0 for table in summed], axis=0)
        # From the last month backwards: good as long as every later month is good too.
        stays: npt.NDArray[np.bool_] = np.logical_and.accumulate((f1 >= EARLY_F1)[::-1], axis=0)[::-1]
        out[slot] = {
            "months": [
                {
                    "month": month,
                    "n": int(table.sum()),
                    "oa": share_of(np.trace(table), table.sum()),
                    "macro_f1": round(float(macro_f1_of(table)), 4),
                }
                for month, table in zip(months, summed, strict=True)
            ],
            "early": {
                name: months[int(stays[:, k].argmax())] if stays[:, k].any() else None
                for k, name in enumerate(names)
                if occurs[k]
            },
        }
    return out
