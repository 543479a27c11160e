# SPDX-License-Identifier: Apache-2.0
"""Commands over all farms of a finished run: what an event touches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RunFolder, app


@app.command()
def exposure(
    run: RunFolder,
    event: Annotated[Path, typer.Option("--event", metavar="FILE", help="polygons of a flood, a hail swath ...")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="the table as CSV")] = None,
) -> None:
    """List the farms, land, harvest and limits that the outline of an event touches."""
    from acreline.exposure import exposure_lines, measure_exposure
    from acreline.store import open_publication, read_manifest

    publication = open_publication(run)
    table = measure_exposure(publication, event)
    typer.echo("\n".join(exposure_lines(table, simulated=bool(read_manifest(publication).get("simulated")))))
    if out is not None:
        table.to_csv(out, index=False, lineterminator="\n")
        typer.echo(f"table: {out}")
