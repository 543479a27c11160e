# SPDX-License-Identifier: Apache-2.0
"""Nights that were missed, made up for: a region as it was known on each of some days, each in a run folder of its own.

The nightly run folder is not touched: its `latest` would point at a past day. Days share what was measured for the day
before, so a day without a new scene costs little; a day that is done is not done again.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from acreline.config import Region
from acreline.errors import EXIT_DONE, EXIT_INCOMPLETE, ConfigError, SourceError
from acreline.ops.ledger import logged_run, run_facts
from acreline.run import run_region
from acreline.store import Store

MOST_DAYS = 400


@dataclass(frozen=True)
class Day:
    """What became of one day."""

    day: date
    root: Path
    exit: int
    """As of a run of that day alone."""
    words: str


def days_between(start: date, end: date, every_days: int = 1) -> list[date]:
    """Days from the first to the last, both included where the step meets it.

    Raises:
        ConfigError: the last lies before the first, or there are more than 400.
    """
    if end < start:
        raise ConfigError(f"--from {start} lies after --to {end}", hint="swap them")
    days = [start + timedelta(days=k) for k in range(0, (end - start).days + 1, every_days)]
    if len(days) > MOST_DAYS:
        raise ConfigError(f"{len(days)} days are more than {MOST_DAYS}", hint="name fewer, or a larger --every-days")
    return days


def backfill(
    region: Region,
    days: Sequence[date],
    out: Path,
    *,
    executor: Executor | None = None,
    tell: Callable[[Day], None] = lambda _: None,
) -> list[Day]:
    """Run a region as of each of some days, into `out/<day>`.

    Args:
        region: the region file's settings.
        days: of decision; what was not known on one takes no part in it (`acreline run --as-of`).
        out: folder of the days' run folders.
        executor: where blocks are measured.
        tell: called with each day that is done.

    Returns:
        every day with its exit code: one whose source does not answer stops no other.

    Raises:
        AcrelineError: what would be the same on every day: configuration, an input file, the disk.
    """
    done: list[Day] = []
    for day in days:
        root = out / str(day)
        store = Store(root)
        if done:
            share_parts(done[-1].root, store.root)
        name, now = uuid.uuid4().hex[:12], datetime.now().astimezone().isoformat(timespec="seconds")
        try:
            with store.locked(name, now), logged_run(store.root, name, region.name) as end:
                result = run_region(region, store, as_of=day, executor=executor)
                code = EXIT_INCOMPLETE if result.failed_blocks else EXIT_DONE
                end |= {**run_facts(result), "exit": code, "disk_ceiling_gb": region.disk_ceiling_gb}
        except SourceError as error:
            done.append(Day(day, root, error.exit_code, error.message))
        else:
            blocks = (
                f"{len(result.made_blocks)} blocks made, {len(result.kept_blocks)} kept, {len(result.failed_blocks)}"
            )
            news = "published" if result.published else "was there already"
            done.append(Day(day, root, code, f"{news}; {blocks} failed"))
        tell(done[-1])
    return done


def share_parts(root: Path, other: Path) -> None:
    """Let a run folder use the blocks that another has measured: the same files under another name."""
    for part in sorted((root / "parts").glob("[!.]*")):
        place = other / "parts" / part.name
        if place.exists() or not part.is_dir():
            continue
        with _whole(place) as staging:
            for file in part.iterdir():
                os.link(file, staging / file.name)


@contextlib.contextmanager
def _whole(place: Path) -> Iterator[Path]:
    staging = place.with_name(f".{place.name}-{uuid.uuid4().hex[:8]}")
    staging.mkdir()
    yield staging
    staging.rename(place)


def worst(done: Sequence[Day]) -> int:
    """The exit code of all days: that of the first that did not end well."""
    return next((one.exit for one in done if one.exit != EXIT_DONE), EXIT_DONE)
