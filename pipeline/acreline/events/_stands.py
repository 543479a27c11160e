# SPDX-License-Identifier: Apache-2.0
"""Common ground of detectors that hold whole stands beside each other: dates and leaf area of a crop in a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from acreline.curves import clear_looks, dates_of, end_of_day, parcel_ids
from acreline.inversion import INPUT_BANDS, invert_canopy
from acreline.layers import UNKNOWN, Looks, Seasons
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Usual:
    """What is usual of a stand's crop and slot in the region, (stand,) each."""

    middle: Floats
    """Median; NaN for a stand of no known crop."""
    spread: Floats
    """1.4826 MAD, at least the least spread given."""
    others: npt.NDArray[np.int64]
    """Other stands of which the value is known."""


def surely_known(seasons: pd.DataFrame, min_confidence: float) -> npt.NDArray[np.bool_]:
    """Stands whose crop is told with at least so much confidence, (stand,): beside another crop's any field is odd."""
    told = seasons["crop_confidence"].to_numpy(dtype="float64", na_value=np.nan)
    sure: npt.NDArray[np.bool_] = np.nan_to_num(told) >= min_confidence
    return sure


def usual_of(seasons: pd.DataFrame, value: Floats, min_spread: float) -> Usual:
    """Median and spread of a value over the stands of each crop and slot; NaN values take no part."""
    import pandas as pd

    crop = seasons["crop"].to_numpy(dtype=object)
    told = (crop != UNKNOWN) & (crop != NO_CROP)
    group = (seasons["crop"] + "|" + seasons["slot"]).to_numpy(dtype=object)
    values = pd.Series(np.where(told, value, np.nan))
    middle = values.groupby(group).transform("median").to_numpy(dtype="float64")
    spread = 1.4826 * (values - middle).abs().groupby(group).transform("median").to_numpy(dtype="float64")
    count = values.groupby(group).transform("count").to_numpy(dtype="int64")
    return Usual(np.where(told, middle, np.nan), np.maximum(np.nan_to_num(spread), min_spread), count - 1)


def leaf_area_of(looks: Looks, seasons: pd.DataFrame) -> Floats:
    """Largest leaf area of each stand between its emergence and harvest (its season where one is not known), (stand,).

    NaN without a clear look in that time.
    """
    import pandas as pd

    table = clear_looks(looks, end_of_day(seasons["last_clear"].max()), bands=INPUT_BANDS)
    lai = invert_canopy(table[list(INPUT_BANDS)].to_numpy(dtype="float32"), INPUT_BANDS).lai.astype(np.float64)
    rows = seasons[["parcel_id", "emergence", "harvest"]].assign(stand=np.arange(len(seasons)))
    rows["parcel"] = parcel_ids(looks).get_indexer(pd.Index(rows["parcel_id"].astype("string")))
    joined = table[["parcel", "time"]].assign(lai=lai).merge(rows.drop(columns="parcel_id"), on="parcel", how="inner")
    inside = ~(joined["time"] < joined["emergence"]) & ~(joined["time"] > joined["harvest"])
    most = joined[inside].groupby("stand")["lai"].max().reindex(range(len(seasons)))
    leaf: Floats = most.to_numpy(dtype="float64")
    return leaf


def stand_events(
    seasons: Seasons | pd.DataFrame, struck: npt.NDArray[np.bool_], event: str, start: Any, end: Any, severity: Floats
) -> pd.DataFrame:
    """Events of whole stands, with the passes that date them as evidence; the whole parcel is struck."""
    import pandas as pd

    rows = seasons[struck].reset_index(drop=True)
    count = len(rows)
    return pd.DataFrame(
        {
            "parcel_id": rows["parcel_id"].astype("string"),
            "event": pd.array([event] * count, dtype="string"),
            "not_before": dates_of(np.full(count, np.nan)),
            "start": start[struck].reset_index(drop=True),
            "end": end[struck].reset_index(drop=True),
            "share": np.ones(count),
            "severity": severity[struck].clip(0, 1).round(4),
            "confirmed": np.zeros(count, dtype=bool),
            "evidence": rows["evidence"].astype("string"),
            "code": pd.array([None] * count, dtype="string"),
        }
    )
