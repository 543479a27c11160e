# SPDX-License-Identifier: Apache-2.0
"""Commands for whoever runs regions every night: how a region stands, what may go, how the night went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import Lang, Out, RegionFile, Workers, app, day_of
from acreline.errors import EXIT_STALE


@app.command()
def status(region: RegionFile, out: Out = None) -> None:
    """Tell how a region stands: last run, publication, newest scene, last clear looks, disk.

    Exit 6 where the next run will not start for want of disk, 9 when no new scene came for too long.
    """
    from acreline.config import read_region
    from acreline.errors import StoreError
    from acreline.ops.status import region_status, status_lines

    settings = read_region(region)
    found = region_status(settings, out or Path("runs") / settings.name)
    typer.echo("\n".join(status_lines(found)))
    if found.room.trouble is not None:
        raise typer.Exit(StoreError.exit_code)
    if found.freshness is not None and found.freshness.alarm is not None:
        raise typer.Exit(EXIT_STALE)


@app.command()
def prune(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN|ROOT...", help="run folders, or a folder of several")],
    keep_days: Annotated[
        int, typer.Option("--keep-days", min=0, help="caches used and publications made current since stay whole")
    ] = 30,
    keep_last: Annotated[int, typer.Option("--keep-last", min=1, help="so many newest publications stay whole")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell what would go, and change nothing")] = False,
    evidence_before: Annotated[
        str | None,
        typer.Option(
            "--evidence-before", metavar="DATE", help="whole publications of before this day go too, evidence and all"
        ),
    ] = None,
) -> None:
    """Free the disk of caches, leftovers, pages and maps of old publications; what proves a decision stays.

    Decisions stay replayable and verifiable. Only --evidence-before takes whole publications, and never within the
    term that configs/privacy/purposes.yaml sets.
    """
    from acreline.ops.prune import Keep, find_run_folders, look, prune_all, prune_lines

    keep = Keep(keep_days, keep_last, day_of(evidence_before, "--evidence-before"))
    roots = find_run_folders(runs)
    if dry_run:
        for root in roots:
            typer.echo("\n".join(prune_lines(look(root, keep), done=False)))
        return
    done, busy = prune_all(roots, keep)
    for found in done:
        typer.echo("\n".join(prune_lines(found, done=True)))
    if busy:
        raise busy[0]


@app.command()
def morning(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN]...", help="run folders; none: those of --root")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="DIR", help="folder of run folders; default runs/ if no RUN is given"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="page (.html) or Markdown (.md)")] = None,
    lang: Lang = "en",
    hours: Annotated[int, typer.Option("--hours", min=1, help="that count as the night, back from now")] = 24,
) -> None:
    """Tell how the night went, region by region: ran or not, counts, what moved, what asks for somebody; one page."""
    from acreline.ops.morning import read_morning
    from acreline.ops.told import check_ending, morning_lines, write_morning

    if out is not None:
        check_ending(out)
    found = read_morning(runs or (), root if root is not None or runs else Path("runs"), hours=hours)
    typer.echo("\n".join(morning_lines(found, lang)))
    if out is not None:
        write_morning(found, out, lang)
        typer.echo(f"written: {out}")


@app.command()
def backfill(
    region: RegionFile,
    start: Annotated[str, typer.Option("--from", metavar="DATE", help="first day")],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="last day")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="each day gets a run folder of its own in it")],
    every_days: Annotated[int, typer.Option("--every-days", min=1, help="a day in so many")] = 1,
    workers: Workers = 1,
) -> None:
    """Make up for missed nights: the region as it was known on each day, beside the nightly run, never in it."""
    from acreline.config import read_region
    from acreline.logs import configure_logs
    from acreline.ops.backfill import Day, days_between, worst
    from acreline.ops.backfill import backfill as run_days
    from acreline.terminal import executor

    def tell(done: Day) -> None:
        typer.echo(f"{done.day}: exit {done.exit}: {done.words}")

    first, last = day_of(start, "--from"), day_of(end, "--to")
    assert first is not None
    assert last is not None
    days = days_between(first, last, every_days)
    configure_logs(plain=True)
    with executor(workers, None) as pool:
        done = run_days(read_region(region), days, out, executor=pool, tell=tell)
    if worst(done):
        raise typer.Exit(worst(done))
