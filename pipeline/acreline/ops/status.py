# SPDX-License-Identifier: Apache-2.0
"""How a region stands now: its last run, what is published, how fresh it is, what its folder takes. Nothing is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from acreline.config import Region
from acreline.errors import StoreError
from acreline.freshness import Freshness, alarm_of, freshness_lines, read_freshness
from acreline.ops.disk import Room, measure_room, spell_bytes
from acreline.ops.ledger import Night, holder_of, read_nights
from acreline.store import open_publication, read_manifest


@dataclass(frozen=True)
class Status:
    """A region as it stands."""

    root: Path
    manifest: Mapping[str, Any]
    """Of the current publication."""
    last: Night | None
    """The newest run in the log of runs."""
    holder: str | None
    """The run that works at this moment."""
    freshness: Freshness | None
    """As of today, not as of the last run; None where the publication is of an earlier version."""
    room: Room


def region_status(region: Region, root: Path, *, today: date | None = None) -> Status:
    """Look at a region's run folder.

    Args:
        region: the region file's settings.
        root: its run folder.
        today: the day of the question; None: today in UTC, or the season's end or the region's own day where that is
            earlier.

    Raises:
        StoreError: nothing was published there.
    """
    if not root.is_dir():
        raise StoreError(f"{root}: no such run folder", hint="run the region first, or give its folder with --out")
    manifest = read_manifest(open_publication(root))
    nights = read_nights(root)
    told = [found for night in reversed(nights) if (found := read_freshness(night.values)) is not None]
    known = told[0] if told else read_freshness(manifest)
    day = today or min(region.season.end, region.as_of or region.season.end, datetime.now(UTC).date())
    fresh = None if known is None else _on(region, known, day)
    return Status(
        root,
        manifest,
        nights[-1] if nights else None,
        holder_of(root),
        fresh,
        measure_room(root, region.disk_ceiling_gb),
    )


def _on(region: Region, known: Freshness, day: date) -> Freshness:
    """The same sight, some days older."""
    since = (day - (known.newest_arrived or region.season.start)).days
    within = region.fresh_within_days
    return replace(known, as_of=day, days_since=since, within_days=within, alarm=alarm_of(region, since, day))


def status_lines(found: Status) -> list[str]:
    """A region's standing in plain words."""
    manifest = found.manifest
    lines = [f"{manifest['region']}: {found.root}", run_line(found.last, found.holder)]
    counts = ", ".join(f"{count} {name}" for name, count in manifest["counts"]["farms"].items() if count)
    lines.append(f"published: {manifest['publication_id']}, as of {manifest['as_of']}; farms: {counts}")
    lines.append(room_line(found.room))
    if found.freshness is None:
        return [*lines, "freshness: not kept by the version that made this publication: run the region again"]
    lines += freshness_lines(found.freshness)
    if found.freshness.alarm is None:
        lines.append(f"no alarm: {_why_none(found.freshness, date.fromisoformat(manifest['season']['end']))}")
    return lines


def room_line(room: Room) -> str:
    """What a run folder takes and has left, in a line."""
    of = "" if room.ceiling_bytes is None else f" of {spell_bytes(room.ceiling_bytes)}"
    may = f", a run may add {spell_bytes(room.next_run_bytes)}" if room.next_run_bytes else ""
    alarm = f"; alarm {room.trouble}: the next run will not start" if room.trouble else ""
    return f"disk: {spell_bytes(room.taken_bytes)}{of}{may}; {spell_bytes(room.free_bytes)} free{alarm}"


def _why_none(fresh: Freshness, season_end: date) -> str:
    if fresh.as_of >= season_end:
        return "the season is over"
    if fresh.within_days is None:
        return f"the region sets no fresh_within_days; {fresh.days_since} days since the newest scene"
    return f"{fresh.days_since} days since the newest scene, the region allows {fresh.within_days}"


def run_line(night: Night | None, holder: str | None) -> str:
    """One run in a line."""
    if night is None:
        return "last run: not in the log of runs (an earlier version, or none yet)"
    begun = f"{night.started:%Y-%m-%d %H:%M} UTC"
    if night.ended is None:
        how = "is at work" if holder == night.run else "broke off: it was killed before it could say why"
        return f"last run: {night.run}, started {begun}, {how}"
    took = "" if night.seconds is None else f" after {spell_seconds(night.seconds)}"
    news = {True: "; published", False: "; no news"}.get(night.values.get("published"), "")  # type: ignore[arg-type]
    why = f": {night.values['why']}" if night.values.get("why") else ""
    return f"last run: {night.run}, started {begun}, exit {night.exit}{took}{news}{why}"


def spell_seconds(seconds: float, *, zh: bool = False) -> str:
    """A length of time as people say it: 1 min 12 s, 1分12秒."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if zh:
        return f"{hours}小时{minutes}分" if hours else f"{minutes}分{whole % 60}秒" if minutes else f"{whole}秒"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
