# SPDX-License-Identifier: Apache-2.0
"""Weeks of a growing crop that nobody saw: a date in them is a guess, and what struck and healed in them is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acreline.curves import growing_window, turn_day

if TYPE_CHECKING:
    import pandas as pd

LONG_GAP_DAYS = 40
"""Longer than a drought lasts at least (20 days) and than a loss of pigment is followed back (40 days)."""
Floats = npt.NDArray[np.float64]


def long_gaps(
    table: pd.DataFrame,
    parcel: npt.NDArray[np.int64],
    slots: npt.NDArray[np.object_],
    emergence: Floats,
    harvest: Floats,
) -> npt.NDArray[np.bool_]:
    """Stands that were not seen clear for more than 40 days between two looks while they grew.

    A gap counts when any of it lies between emergence and harvest; where a date is not known, the first or last day on
    which a crop of the slot may peak stands for it. What is not yet over is no gap: the newest look is then old.

    Args:
        table: clear looks, as `curves.clear_looks` gives them.
        parcel: of each stand, (stand,), as in the table.
        slots: of each stand, (stand,).
        emergence: days since 1970-01-01, (stand,); NaN: not known.
        harvest: the same.

    Returns:
        (stand,).
    """
    import pandas as pd

    told = np.zeros(len(parcel), dtype=bool)
    if not len(table):
        return told
    day = table["day"].to_numpy(dtype="float64")
    before = table["day"].groupby(table["parcel"]).shift(1).to_numpy(dtype="float64")
    with np.errstate(invalid="ignore"):
        long = day - before > LONG_GAP_DAYS
    gaps = pd.DataFrame({"parcel": table["parcel"].to_numpy()[long], "opens": before[long], "closes": day[long]})
    first, last = growing_window(slots, turn_day(int(day.min()), int(day.max())))
    stands = pd.DataFrame({
        "parcel": parcel, "stand": np.arange(len(parcel)),
        "first": np.where(np.isnan(emergence), first, emergence), "last": np.where(np.isnan(harvest), last, harvest),
    })  # fmt: skip
    pairs = stands.merge(gaps, on="parcel")
    hit = pairs[(pairs["closes"] > pairs["first"]) & (pairs["opens"] < pairs["last"])]
    told[hit["stand"].to_numpy(dtype="int64")] = True
    return told
