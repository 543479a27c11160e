# SPDX-License-Identifier: Apache-2.0
"""Commands that ask: for evidence, for a visit to the field, and what was answered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RunFolder, app, day_of
from acreline.cli.people import Farm, PeopleFile

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="the farmer reads it; no names or numbers of people")]
Until = Annotated[str | None, typer.Option("--until", metavar="DAY", help="last day; default by the file of people")]


@app.command()
def ask(
    run: RunFolder,
    farm: Farm,
    kind: Annotated[
        str,
        typer.Option(
            "--for", metavar="KIND", help="photo, boundary, land_paper, contract, receipt, insurance or document"
        ),
    ],
    why: Why,
    until: Until = None,
    people: PeopleFile = None,
) -> None:
    """Ask a farmer for evidence by a day; it stays in the log, stands in the queue, and moves no amount."""
    from acreline.errors import ConfigError
    from acreline.people.asks import VISIT

    if kind == VISIT:
        raise ConfigError("--for visit: nobody brings a visit", hint="acreline visit RUN FARM --why TEXT")
    _ask(run, farm, kind, why, until, people)


@app.command()
def visit(run: RunFolder, farm: Farm, why: Why, until: Until = None, people: PeopleFile = None) -> None:
    """Send somebody to the field by a day; it stays in the log, stands in the queue, and moves no amount."""
    from acreline.people.asks import VISIT

    _ask(run, farm, VISIT, why, until, people)


def _ask(run: Path, farm: str, kind: str, why: str, until: str | None, people: Path | None) -> None:
    from acreline.people.asks import ask_farm
    from acreline.people.tell import act_lines
    from acreline.store import open_publication

    act = ask_farm(open_publication(run), farm, kind, why, day_of(until, "--until"), people=people)
    typer.echo("\n".join(act_lines(act)))


@app.command()
def answer(
    run: RunFolder,
    farm: Farm,
    evidence: Annotated[
        list[Path] | None, typer.Option("--evidence", metavar="FILE", help="what is handed in; may be repeated")
    ] = None,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="what was seen; or why no more")] = None,
    name: Annotated[
        str | None, typer.Option("--ask", metavar="NAME", help="E-0001 ..., where several are open")
    ] = None,
    close: Annotated[bool, typer.Option("--close", help="ask no more: not needed, or it does not come")] = False,
    people: PeopleFile = None,
) -> None:
    """Keep what was handed in, or seen on a visit, as the answer to what was asked for; or --close the question."""
    from acreline.errors import ConfigError
    from acreline.people.asks import answer_ask, close_ask
    from acreline.people.tell import act_lines
    from acreline.store import open_publication

    publication = open_publication(run)
    if close:
        if evidence or why is None:
            raise ConfigError("--close takes --why and no --evidence", hint="say why it is asked for no more")
        act = close_ask(publication, farm, why, name=name, people=people)
    else:
        act = answer_ask(publication, farm, evidence or (), why=why, name=name, people=people)
    typer.echo("\n".join(act_lines(act)))


@app.command()
def asks(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="JSON for acreline report --asks")] = None,
) -> None:
    """List what was asked for, what is overdue in front."""
    import json

    from acreline.errors import StoreError
    from acreline.people.acts import acting_root, read_acts
    from acreline.people.asks import read_asks
    from acreline.people.tell import ask_report, ask_rows
    from acreline.retired import utc_now
    from acreline.store import open_publication
    from acreline.store_files import write_text

    rows = ask_rows(read_asks(read_acts(acting_root(open_publication(run)))), utc_now().date())
    typer.echo("\n".join(ask_report(rows)))
    if out is not None:
        try:
            write_text(out, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        except OSError as error:
            raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
        typer.echo(f"written: {out}")
