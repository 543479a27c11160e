# SPDX-License-Identifier: Apache-2.0
"""Which harvest a series belongs to, and the months it ran through."""

from __future__ import annotations

import calendar
from datetime import date

import numpy as np
import numpy.typing as npt


def harvest_year_of(times: npt.NDArray[np.datetime64]) -> int:
    """The year in which the last season of a series ends: that of the day 60 days before the last look.

    Looks of January and February after a harvest belong to no season of their own yet.
    """
    day = times.max().astype("datetime64[D]") - np.timedelta64(60, "D")
    return int(day.astype("datetime64[Y]").astype(int)) + 1970


def month_ends(times: npt.NDArray[np.datetime64], harvest_year: int) -> list[date]:
    """Last days of the months of the harvest year from the first look to the last."""
    if not len(times):
        return []
    days = [date.fromisoformat(str(day)) for day in np.unique(times.astype("datetime64[D]"))]
    year = [day for day in days if day.year == harvest_year]
    if not year:
        return []
    first = 1 if days[0].year < harvest_year else year[0].month
    return [
        date(harvest_year, month, calendar.monthrange(harvest_year, month)[1])
        for month in range(first, year[-1].month + 1)
    ]
