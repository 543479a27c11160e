# SPDX-License-Identifier: Apache-2.0
"""Commands for whoever runs regions every night: how a region stands, what may go, how the night went."""

from __future__ import annotations

from pathlib import Path

import typer

from acreline.cli.app import Out, RegionFile, app
from acreline.errors import EXIT_STALE


@app.command()
def status(region: RegionFile, out: Out = None) -> None:
    """Tell how a region stands: last run, publication, newest scene and last clear looks, disk; exit 9 when stale."""
    from acreline.config import read_region
    from acreline.ops.status import region_status, status_lines

    settings = read_region(region)
    found = region_status(settings, out or Path("runs") / settings.name)
    typer.echo("\n".join(status_lines(found)))
    if found.freshness is not None and found.freshness.alarm is not None:
        raise typer.Exit(EXIT_STALE)
