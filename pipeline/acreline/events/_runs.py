# SPDX-License-Identifier: Apache-2.0
"""Common ground of the detectors: the land they look at, and from flagged looks to events."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from acreline.curves import UTC_MS, clear_looks, dates_of, end_of_day, join_codes, known_days, turn_day
from acreline.layers import Looks, Seasons, Weather
from acreline.records import NO_CROP

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Land:
    """What a detector looks at."""

    looks: Looks
    seasons: Seasons
    """Crop and dates of each stand."""
    weather: Weather | None = None

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """See `looks_with_seasons`; not to be changed, since all detectors share it."""
        return looks_with_seasons(self.looks, self.seasons)

    @functools.cached_property
    def stands(self) -> pd.DataFrame:
        """Seasons of one slot each: of land that may be either nothing whole can be told."""
        return self.seasons[self.seasons["slot"] != "AB"].reset_index(drop=True)


def looks_with_seasons(looks: Looks, seasons: Seasons) -> pd.DataFrame:
    """The clear looks of every parcel with crop, slot, dates (days since 1970-01-01, NaN: not known) and doubts (days).

    On land of two crops a look belongs to the early one until its harvest; without that date until the late one comes
    up, without either until the turn of the slots.
    """
    import pandas as pd

    table = clear_looks(looks, end_of_day(seasons["last_clear"].max()))
    rows = seasons.sort_values(["parcel_id", "slot"], kind="stable").reset_index(drop=True)
    dates = {name: known_days(rows[name]) for name in ("emergence", "peak", "harvest")}
    for name in ("emergence_doubt", "harvest_doubt"):
        dates[name] = np.nan_to_num(rows[f"{name}_days"].to_numpy(dtype="float64", na_value=np.nan))
    ids = rows["parcel_id"].astype("string")
    first = pd.Index(ids.drop_duplicates())
    start = np.flatnonzero(~ids.duplicated().to_numpy())
    place = first.get_indexer(pd.Index(table["parcel_id"]))
    table, place = table[place >= 0].reset_index(drop=True), place[place >= 0]
    day = table["day"].to_numpy()
    turn = turn_day(int(day.min()), int(day.max())) if len(day) else None
    size = np.diff(np.append(start, len(rows)))
    change = np.full(len(start), np.inf)  # the day on which a parcel's second stand takes over
    two = np.flatnonzero(size > 1)
    sown, cut = dates["emergence"][start[two] + 1], dates["harvest"][start[two]]
    last_resort = np.nan if turn is None else float(turn)
    change[two] = np.where(~np.isnan(cut), cut, np.where(~np.isnan(sown), sown, last_resort))
    at = start[place] + (day > change[place])
    for name in ("crop", "slot"):
        table[name] = rows[name].to_numpy(dtype=object)[at]
    for name, values in dates.items():
        table[name] = values[at]
    return table


def make_events(
    table: pd.DataFrame,
    flagged: npt.NDArray[np.bool_],
    *,
    event: str,
    min_looks: int,
    min_days: int = 0,
    share: npt.NDArray[np.float64],
    severity: npt.NDArray[np.float64],
) -> pd.DataFrame:
    """Join consecutive flagged looks of one stand into events.

    Args:
        table: clear looks, sorted by parcel and day.
        flagged: looks that show the event.
        event: its name.
        min_looks: runs of fewer looks are no event.
        min_days: nor are runs of fewer days from first to last look.
        share: of each look, 0 to 1; an event has its largest.
        severity: of each look, 0 to 1; an event has its largest.

    Returns:
        the columns of `EVENT_COLUMNS` but could_be, `confirmed` False everywhere.
    """
    import pandas as pd

    parcel, slot = table["parcel"].to_numpy(), table["slot"].to_numpy(dtype=object)
    same = (parcel[1:] == parcel[:-1]) & (slot[1:] == slot[:-1])
    before = np.concatenate([[False], flagged[:-1] & same]) if len(table) else flagged
    run = np.cumsum(flagged & ~before)
    look_before = table["day"].groupby(table["parcel"]).shift(1)
    rows = table[flagged].assign(
        run=run[flagged], share=share[flagged], severity=severity[flagged], not_before=look_before[flagged]
    )
    grouped = rows.groupby("run")
    events = grouped.agg(
        parcel_id=("parcel_id", "first"),
        not_before=("not_before", "first"),
        start=("day", "min"),
        end=("day", "max"),
        share=("share", "max"),
        severity=("severity", "max"),
        looks=("day", "size"),
        emergence=("emergence", "first"),
        harvest=("harvest", "first"),
        emergence_doubt=("emergence_doubt", "first"),
        harvest_doubt=("harvest_doubt", "first"),
        slot=("slot", "first"),
        crop=("crop", "first"),
    )
    events["evidence"] = grouped["pass_id"].agg(lambda names: json.dumps(list(names))).astype("string")
    lasting = (events["looks"] >= min_looks) & (events["end"] - events["start"] >= min_days)
    events = events[lasting].reset_index(drop=True)
    start, end = events["start"].to_numpy(dtype="float64"), events["end"].to_numpy(dtype="float64")
    with np.errstate(invalid="ignore"):
        # What strips a field is read as its harvest, what drowns a sown one delays it: only what surely lies outside.
        early = end < (events["emergence"] - events["emergence_doubt"]).to_numpy(dtype="float64")
        late = start > (events["harvest"] + events["harvest_doubt"]).to_numpy(dtype="float64")
    unsown = events["emergence"].isna().to_numpy() & (events["slot"] != "AB").to_numpy(dtype=bool)
    unsown |= (events["crop"] == NO_CROP).to_numpy(dtype=bool)
    return pd.DataFrame(
        {
            "parcel_id": events["parcel_id"].astype("string"),
            "event": pd.array([event] * len(events), dtype="string"),
            "not_before": dates_of(events["not_before"].to_numpy(dtype="float64")),
            "start": dates_of(start),
            "end": dates_of(end),
            "share": events["share"].to_numpy(dtype="float64").clip(0, 1).round(4),
            "severity": events["severity"].to_numpy(dtype="float64").clip(0, 1).round(4),
            "confirmed": np.zeros(len(events), dtype=bool),
            "evidence": events["evidence"],
            "code": join_codes({"outside_growth": early | late | unsown}, len(events)),
        }
    )


def reported(events: pd.DataFrame, known: pd.DataFrame | None) -> npt.NDArray[np.bool_]:
    """Events that a report of the same kind agrees with: the same parcel (or the whole region) at the same time."""
    agreed = np.zeros(len(events), dtype=bool)
    if known is None:
        return agreed
    reports = as_events(known)
    told = events[["parcel_id", "event", "start", "end"]].assign(row=np.arange(len(events)))
    wide = reports["parcel_id"].isna()
    for mine, key in ((reports[~wide], ["parcel_id", "event"]), (reports[wide].drop(columns="parcel_id"), ["event"])):
        pairs = told.merge(mine, on=key, suffixes=("", "_told"))
        agreed[pairs["row"][(pairs["start"] <= pairs["end_told"]) & (pairs["end"] >= pairs["start_told"])]] = True
    return agreed


def as_events(known: pd.DataFrame) -> pd.DataFrame:
    """Reports with the types of events: parcel_id (missing: the whole region), event, start and end in UTC."""
    import pandas as pd

    days = {name: pd.to_datetime(known[name], utc=True).astype(UTC_MS) for name in ("start", "end")}
    reports = known[["parcel_id", "event"]].astype({"parcel_id": "string", "event": "string"})
    return reports.assign(**days).reset_index(drop=True)
