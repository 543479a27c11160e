# SPDX-License-Identifier: Apache-2.0
"""The command that takes a publication out to where a bank keeps its tables and maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RunFolder, app


@app.command()
def export(
    context: typer.Context,
    run: RunFolder,
    to: Annotated[str, typer.Option("--to", metavar="KIND", help="see acreline list exports")],
    out: Annotated[Path | None, typer.Option("--out", metavar="PLACE", help="file or folder to write")] = None,
    dsn: Annotated[
        str | None,
        typer.Option(
            "--dsn",
            metavar="DSN",
            envvar="ACRELINE_DSN",
            show_envvar=False,
            help="database; better in the variable ACRELINE_DSN, its password in ~/.pgpass or PGPASSWORD",
        ),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="put it in the place of an earlier export")] = False,
    persons: Annotated[
        bool, typer.Option("--with-persons", help="let the bank's pseudonym of the person leave with each farm")
    ] = False,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="stac: where the folder will be published")
    ] = None,
) -> None:
    """Write a finished run as a GeoPackage, into PostGIS, as fiboa GeoParquet, STAC or OpenLineage events."""
    from acreline.export import Wanted, export_run, find_export

    given = context.get_parameter_source("dsn")
    if find_export(to).PLACE != "database" and given is not None and given.name == "ENVIRONMENT":
        dsn = None  # the variable is there for other exports
    for line in export_run(run, to, Wanted(out, dsn, replace, persons, base_url)):
        typer.echo(line)
