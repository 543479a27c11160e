# SPDX-License-Identifier: Apache-2.0
"""Common ground of the detectors: a field beside those of its crop on the same pass, and while it grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acreline.curves import growing_window, turn_day
from acreline.layers import UNKNOWN
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import pandas as pd

COHORT_DAYS = 20
"""Fields that came up within so many days are held beside each other: a late field looks ill beside early ones, and
spring and summer sowings of one crop grow against each other (science 3.1)."""

CUT_ANY_DAY = ("vegetables", "greenhouse", "grassland", "tea")
"""Crops that are cut on any day, field by field: neither a sudden fall nor an early harvest means damage."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Departure:
    """How far each look of a field lies from its crop's, (look,) each."""

    off: Floats
    """Index less the median of its kin on that pass, less the field's own usual distance from it."""
    spread: Floats
    """1.4826 MAD of `off` over the fields of that pass, at least the least spread given."""
    others: npt.NDArray[np.int64]
    """Other fields of its kin on that pass."""


def depart(table: pd.DataFrame, column: str, min_spread: float) -> Departure:
    """Hold each look beside those of its kin on the same pass: fields of the crop and slot that came up at its time.

    A field's usual distance (median over its looks) is taken off first, so that one that is always poorer is not called
    struck. What strikes all fields alike moves their median and stays unseen.

    Args:
        table: what `looks_with_seasons` gives.
        column: of it.
        min_spread: fields alike to better than this are not ranked any finer.
    """
    key = [table["crop"], table["slot"], _cohort(table), table["pass_id"]]
    value = table[column]
    off = value - value.groupby(key).transform("median")
    off -= off.groupby([table["parcel"], table["slot"]]).transform("median")
    spread = np.maximum(1.4826 * off.abs().groupby(key).transform("median").to_numpy(), min_spread)
    others = value.groupby(key).transform("size").to_numpy(dtype="int64") - 1
    return Departure(off.to_numpy(dtype="float64"), spread, others)


def _cohort(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Number of the sowing each look's stand belongs to; 0: the middle one, or of unknown emergence."""
    up = table["emergence"]
    middle = up.groupby([table["crop"], table["slot"]]).transform("median")
    return np.nan_to_num(np.round((up - middle).to_numpy(dtype="float64") / COHORT_DAYS)).astype(np.int64)


def growing(table: pd.DataFrame, after_peak_days: int) -> Mask:
    """Looks at a known crop while it grows: from emergence to so many days after its peak, and before its harvest."""
    day = table["day"].to_numpy(dtype="float64")
    slots = table["slot"].to_numpy(dtype=object)
    crop = table["crop"].to_numpy(dtype=object)
    turn = turn_day(int(day.min()), int(day.max())) if len(day) else None
    opens, closes = growing_window(slots, turn)
    with np.errstate(invalid="ignore"):
        inside = np.where(
            slots == "AB",
            (day >= opens) & (day <= closes),
            ~(day < table["emergence"].to_numpy())
            & (day <= table["peak"].to_numpy() + after_peak_days)
            & ~(day >= table["harvest"].to_numpy()),
        )
    mask: Mask = inside & (crop != UNKNOWN) & (crop != NO_CROP)
    return mask


def steps(table: pd.DataFrame, values: Floats, longest_days: int) -> Floats:
    """Change of a value since the look before of the same stand; NaN where there is none within so many days."""
    parcel, slot = table["parcel"].to_numpy(), table["slot"].to_numpy(dtype=object)
    day = table["day"].to_numpy(dtype="float64")
    change = np.full(len(table), np.nan)
    same = (parcel[1:] == parcel[:-1]) & (slot[1:] == slot[:-1]) & (day[1:] - day[:-1] <= longest_days)
    change[1:][same] = (values[1:] - values[:-1])[same]
    return change


def next_of_stand(table: pd.DataFrame, values: Floats) -> Floats:
    """The value of the next look of the same stand; NaN at its last."""
    parcel, slot = table["parcel"].to_numpy(), table["slot"].to_numpy(dtype=object)
    after = np.full(len(table), np.nan)
    same = (parcel[1:] == parcel[:-1]) & (slot[1:] == slot[:-1])
    after[:-1][same] = values[1:][same]
    return after


def share_below(table: pd.DataFrame, column: str, line: Floats) -> Floats:
    """Share of a field's pixels below a line, if they are spread normally around its mean."""
    within = np.maximum(table[f"sd_{column}"].to_numpy(dtype="float64"), 1e-3)
    below = np.clip((line - table[column].to_numpy(dtype="float64")) / within, -10, 10)
    share: Floats = 1 / (1 + np.exp(-1.702 * below))  # the logistic curve stands in for the normal one
    return share
