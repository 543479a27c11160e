# SPDX-License-Identifier: Apache-2.0
"""Commands over all farms of finished runs: what an event touches, and what is usual."""

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


@app.command()
def normals(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="OUT folders of runs, one for each year")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV or Parquet to write")],
) -> None:
    """Make the usual greenness of each crop by week from runs of earlier years, for `normals:` of a region file."""
    from acreline.normals import make_normals
    from acreline.store import open_publication

    table = make_normals([open_publication(run) for run in runs])
    if out.suffix == ".parquet":
        table.to_parquet(out, index=False)
    else:
        table.to_csv(out, index=False, lineterminator="\n")
    years = sorted({year for text in table["years"] for year in text.split("|")})
    typer.echo(f"{out}: {table['crop'].nunique()} crops, {len(table)} weeks, years {', '.join(years)}")
    typer.echo(f"next: name it under `normals:` of the region file of another year than {', '.join(years)}")
