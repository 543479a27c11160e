# SPDX-License-Identifier: Apache-2.0
"""How fresh the sight of a region is: its newest scene, the last clear look at its parcels, and an alarm in between.

A catalogue that has stopped giving scenes looks like a quiet week: every run ends well and publishes no news. A region
file says after how many days that is no quiet week any more (`fresh_within_days`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from acreline.config import Region

if TYPE_CHECKING:
    import pandas as pd

NO_NEW_SCENE = "no_new_scene"
"""The code of the alarm, in manifest, log and pages."""


@dataclass(frozen=True)
class Freshness:
    """How old what was seen of a region is on the day of its run."""

    as_of: date
    newest_scene: date | None
    """Day (UTC) of the newest scene whose pixels were used."""
    newest_arrived: date | None
    """The same, or of a newer one set aside for its clouds alone: it shows that scenes still arrive."""
    days_since: int
    """From `newest_arrived`, or the season's start where nothing arrived, to `as_of`."""
    median_clear: date | None
    """Half of the parcels that were seen clear at all were so on this day or later."""
    oldest_clear: date | None
    """Last clear look at the parcel that fares worst."""
    parcels: int
    """Parcels that were not refused."""
    never_clear: int
    """Of them those without one clear look."""
    within_days: int | None
    """`fresh_within_days` of the region; None: no alarm is wanted."""
    alarm: str | None
    """`no_new_scene`, or None."""

    def facts(self) -> dict[str, Any]:
        """Plain JSON values for manifest and log."""
        told = asdict(self)
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in told.items()}


def measure_freshness(
    region: Region, scenes: pd.DataFrame, parcels: pd.DataFrame, seasons: pd.DataFrame, *, as_of: date
) -> Freshness:
    """Tell how fresh a run's sight is, and whether the region's alarm goes.

    Args:
        region: season and `fresh_within_days`.
        scenes: the publication's table of scenes: time, status, reason.
        parcels: parcel_id, status.
        seasons: parcel_id, last_clear (day or missing), a row per stand.
        as_of: day of the decision; from the season's end on there is no alarm.
    """
    import pandas as pd

    used = scenes[scenes["status"] == "used"]
    arrived = scenes[(scenes["status"] == "used") | (scenes["reason"] == "too_cloudy")]
    newest, last = (None if rows.empty else rows["time"].max().date() for rows in (used, arrived))
    there = parcels.loc[parcels["status"] != "rejected", "parcel_id"]
    clear = pd.to_datetime(seasons.groupby("parcel_id")["last_clear"].max().reindex(there.unique())).dropna()
    days = sorted(clear.dt.date)
    since = (as_of - (last or region.season.start)).days
    return Freshness(
        as_of=as_of,
        newest_scene=newest,
        newest_arrived=last,
        days_since=since,
        median_clear=days[len(days) // 2] if days else None,
        oldest_clear=days[0] if days else None,
        parcels=len(there),
        never_clear=len(there) - len(days),
        within_days=region.fresh_within_days,
        alarm=alarm_of(region, since, as_of),
    )


def alarm_of(region: Region, days_since: int, as_of: date) -> str | None:
    """Whether scenes have stayed away for longer than the region allows; never once its season is over."""
    within = region.fresh_within_days
    stale = within is not None and days_since > within and as_of < region.season.end
    return NO_NEW_SCENE if stale else None


def read_freshness(manifest: Mapping[str, Any]) -> Freshness | None:
    """What a manifest, or a line of the log of runs, says of freshness; None where it is of an earlier version."""
    told = manifest.get("freshness")
    if not isinstance(told, Mapping):
        return None
    days = {"as_of", "newest_scene", "newest_arrived", "median_clear", "oldest_clear"}
    try:
        values: dict[str, Any] = {
            n: date.fromisoformat(v) if n in days and v is not None else v for n, v in told.items()
        }
        return Freshness(**values)
    except (TypeError, ValueError):
        return None


def freshness_lines(found: Freshness) -> list[str]:
    """Freshness in plain words, the alarm last."""
    never = f", {found.never_clear} never" if found.never_clear else ""
    clear = f"median {found.median_clear}, oldest {found.oldest_clear}" if found.median_clear else "none"
    lines = [
        f"newest scene used: {found.newest_scene or 'none'}; last clear look of {found.parcels} parcels: {clear}{never}"
    ]
    return lines if found.alarm is None else [*lines, f"alarm {found.alarm}: {stale_words(found)[0]}"]


def stale_words(found: Freshness) -> tuple[str, str]:
    """The alarm in English and Chinese."""
    last = found.newest_arrived
    return (
        f"no new scene since {last or 'the season began'}: {found.days_since} days on {found.as_of}, "
        f"the region allows {found.within_days}",
        f"自{last or '生长季开始'}以来没有新影像：截至{found.as_of}已{found.days_since}天，"
        f"设定上限为{found.within_days}天",
    )
