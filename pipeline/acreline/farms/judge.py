# SPDX-License-Identifier: Apache-2.0
"""Which parcels may be judged: seen well enough, large enough, measured at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from acreline.config import EvidenceBar
from acreline.doors import check_parcels
from acreline.geo import shrunk_share
from acreline.layers import MIN_FULL_PX, MIN_SHRUNK_SHARE, Looks, Parcels, Seasons

if TYPE_CHECKING:
    import pandas as pd


def judge_parcels(
    parcels: Parcels,
    looks: Looks,
    seasons: Seasons,
    failed_parcels: Mapping[str, str],
    bar: EvidenceBar,
    *,
    as_of: date,
) -> Parcels:
    """Give every parcel its status: a parcel seen too little is not judged, it goes to a person.

    Args:
        parcels: all rows, those rejected keep their status.
        looks: what was seen.
        seasons: clear looks of each parcel.
        failed_parcels: parcels that could not be measured, with the reason.
        bar: how much must have been seen.
        as_of: day of the decision.

    Returns:
        the same rows with status, reason and detail: `failed` (the reason given, or not_measured), `insufficient`
        (small_parcel, few_clear_looks, stale_look), else what they were. `detail` tells the numbers; an earlier reason
        stays in it as `was <reason>`.
    """
    import pandas as pd

    table = parcels.copy()
    ids = table["parcel_id"].astype("string")
    alive = (table["status"] != "rejected").to_numpy(dtype=bool)
    n_full = by_parcel(looks.land, "n_full", ids)
    count = by_parcel(seasons, "clear_looks", ids).fillna(0).to_numpy(dtype="int64")
    last = by_parcel(seasons, "last_clear", ids)
    age = _days_until(last, as_of)
    left = np.ones(len(table))
    if alive.any():
        left[alive] = shrunk_share(table.geometry[alive])

    failure = ids.map(lambda name: failed_parcels.get(name)).to_numpy(dtype=object)
    lost = np.asarray([isinstance(reason, str) for reason in failure], dtype=bool)
    unmeasured = n_full.isna().to_numpy(dtype=bool)
    pixels = n_full.fillna(0).to_numpy(dtype="int64")
    verdicts: list[tuple[Any, str, Callable[[int], str], Callable[[int], str]]] = [
        (lost, "failed", lambda i: str(failure[i]), lambda i: "a block under it could not be measured"),
        (unmeasured, "failed", lambda i: "not_measured", lambda i: "no block measured it"),
        (
            (pixels < MIN_FULL_PX) | (left < MIN_SHRUNK_SHARE),
            "insufficient",
            lambda i: "small_parcel",
            lambda i: (
                f"{pixels[i]} full pixels (needs {MIN_FULL_PX}), {left[i]:.0%} left 5 m inside "
                f"(needs {MIN_SHRUNK_SHARE:.0%})"
            ),
        ),
        (
            count < bar.min_clear_looks,
            "insufficient",
            lambda i: "few_clear_looks",
            lambda i: f"{count[i]} clear looks (needs {bar.min_clear_looks})",
        ),
        (
            ~(age <= bar.max_days_since_clear),
            "insufficient",
            lambda i: "stale_look",
            # Not the age: it grows by a day each night, and nothing new was seen.
            lambda i: f"newest clear look on {last[i]:%Y-%m-%d}, older than {bar.max_days_since_clear} days",
        ),
    ]
    status, reason, detail = (table[name].to_numpy(dtype=object).copy() for name in ("status", "reason", "detail"))
    open_rows = alive.copy()
    for holds, name, why, words in verdicts:
        for i in map(int, np.flatnonzero(open_rows & holds)):
            before = [f"was {reason[i]}"] if isinstance(reason[i], str) and reason[i] else []
            before += [detail[i]] if isinstance(detail[i], str) and detail[i] else []
            status[i], reason[i], detail[i] = name, why(i), "; ".join([words(i), *before])
        open_rows &= ~holds
    for name, values in (("status", status), ("reason", reason), ("detail", detail)):
        table[name] = pd.Series(values, index=table.index, dtype=object)  # None must stay None
    return check_parcels(table)


def _days_until(moments: pd.Series[Any], as_of: date) -> Any:
    import pandas as pd

    return ((pd.Timestamp(as_of, tz="UTC") - moments.dt.normalize()) / pd.Timedelta(days=1)).to_numpy(dtype="float64")


def by_parcel(table: pd.DataFrame, column: str, ids: pd.Series[Any]) -> pd.Series[Any]:
    """A column looked up by parcel; a parcel of several rows gives its first."""
    first = table.drop_duplicates("parcel_id")
    values = first.set_index(first["parcel_id"].astype("string"))[column].reindex(ids)
    return values.reset_index(drop=True)
