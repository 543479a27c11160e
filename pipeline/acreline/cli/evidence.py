# SPDX-License-Identifier: Apache-2.0
"""Commands for whoever must prove a decision: make it again, find later edits, give out or delete a person's data."""

from __future__ import annotations

from typing import Annotated

import typer

from acreline.cli.app import RunFolder, app


@app.command()
def verify(run: RunFolder) -> None:
    """Find what was edited, added, removed or moved since: files, decisions of the trail, lines of the log."""
    from acreline.errors import StoreError
    from acreline.store import open_publication
    from acreline.verify import verify_run

    publication = open_publication(run)
    found = verify_run(publication)
    for line in (*found.faults, *found.lines):
        typer.echo(line)
    if found.faults:
        raise StoreError(
            f"{publication}: {len(found.faults)} faults: files are not as published", hint="run the region again"
        )


@app.command()
def replay(
    run: RunFolder,
    farms: Annotated[
        list[str] | None, typer.Argument(metavar="[FARM]...", help="farm ids; none: a hundred of them, spread evenly")
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="every decision of the run")] = False,
) -> None:
    """Make past decisions again from what their publication kept, and compare the bytes; else say what changed."""
    from acreline.errors import StoreError
    from acreline.replay import replay_lines, replay_run
    from acreline.store import open_publication

    publication = open_publication(run)
    done = replay_run(publication, farms or (), whole=whole)
    typer.echo("\n".join(replay_lines(done)))
    changed = sum(1 for one in done.decisions if not one.same)
    if changed:
        raise StoreError(
            f"{publication}: {changed} of {len(done.decisions)} decisions are not made again as published",
            hint="what changed is told above; `acreline verify` says which lines and files were edited since",
        )
