# SPDX-License-Identifier: Apache-2.0
"""When a stand was cut: between the last look that shows it standing, green or dry, and the next at bare ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

LONGEST_DAYS = 75
"""A crop that is dry is cut within this many days, or the field is left."""
BARE_MOST = 0.40
"""NDVI + NDMI + NDTI of ground without a stand is below this; a dry stand, damp and shady, lies at 0.45 to 0.6."""
STEP = 0.12
"""What it falls by at least when a dry stand goes; drying soil and single weeds change it by less."""
REGROWN = 0.15
"""Ground that has risen by this from its barest look bears something again."""


def standing(table: pd.DataFrame) -> Floats:
    """NDVI + NDMI + NDTI of each look: greenness, water and dry matter, of which bare ground has least of all.

    A ripe crop loses its green weeks before it is cut, so NDVI alone says harvest too early. NDTI = (B11 - B12) /
    (B11 + B12), of dry plant matter (van Deventer et al. 1997, Photogrammetric Engineering 63, 87-93).
    """
    swir, swir2 = table["swir"].to_numpy(), table["swir2"].to_numpy()
    total = swir + swir2
    ndti = np.divide(swir - swir2, total, out=np.zeros_like(total), where=total > 0)
    summed: Floats = table["ndvi"].to_numpy() + table["ndmi"].to_numpy() + ndti
    return summed


def looks_around_cut(table: pd.DataFrame, parcel: Rows, ground: Floats, until: Floats) -> tuple[Rows, Rows]:
    """The looks between which each stand was cut: the last fall to bare ground once its green is gone.

    Args:
        table: what `clear_looks` gives, sorted by parcel and day.
        parcel: of each stand, (stand,).
        ground: day (since 1970-01-01) on which its NDVI came down to soil, NaN where it did not.
        until: last day that is looked at, where the next crop of the same land rises.

    Returns:
        rows of `table`, the look before and the look after; -1 each where no such fall was seen: straw and weeds may
        hide the ground, or the stand went little by little.
    """
    owner, day, stood = table["parcel"].to_numpy(), table["day"].to_numpy(), standing(table)
    before, after = np.full(len(parcel), -1, dtype=np.int64), np.full(len(parcel), -1, dtype=np.int64)
    some = np.flatnonzero(~np.isnan(ground))
    if not len(some) or not len(table):
        return before, after
    # The looks of each such stand one after another: (stand, its looks from the ground day on).
    first, last = (np.searchsorted(owner, parcel[some], side=side) for side in ("left", "right"))
    count = last - first
    stand = np.repeat(np.arange(len(some)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    late = np.minimum(until[some], ground[some] + LONGEST_DAYS)[stand]
    inside = (day[row] >= ground[some][stand]) & (day[row] <= late) & (row > first[stand])
    stand, row = stand[inside], row[inside]
    barest = _lowest_so_far(stood[row], stand)
    regrown = _any_so_far(stood[row] - barest >= REGROWN, stand)
    falls = (stood[row - 1] - stood[row] >= STEP) & (stood[row] <= BARE_MOST) & ~regrown
    stand, row = stand[falls], row[falls]
    newest = np.flatnonzero(np.append(stand[1:] != stand[:-1], True)) if len(stand) else np.zeros(0, dtype=np.int64)
    at = some[stand[newest]]
    before[at], after[at] = row[newest] - 1, row[newest]
    return before, after


def _lowest_so_far(value: Floats, stand: Rows) -> Floats:
    import pandas as pd

    return np.asarray(pd.Series(value).groupby(stand).cummin(), dtype=np.float64)


def _any_so_far(holds: npt.NDArray[np.bool_], stand: Rows) -> npt.NDArray[np.bool_]:
    import pandas as pd

    return pd.Series(holds.astype("int64")).groupby(stand).cummax().to_numpy() > 0
