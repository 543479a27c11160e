# SPDX-License-Identifier: Apache-2.0
"""Commands of people around a limit: change it, object to it, and see who changed what how often."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RunFolder, app

Farm = Annotated[str, typer.Argument(metavar="FARM", help="farm id")]
PeopleFile = Annotated[
    Path | None,
    typer.Option("--people", metavar="FILE", help="who may do what; default ACRELINE_PEOPLE, else configs/people.yaml"),
]


@app.command()
def override(
    run: RunFolder,
    farm: Farm,
    to: Annotated[str, typer.Option("--to", metavar="AMOUNT", help="an amount, refuse, or refer (to a person)")],
    reason: Annotated[str, typer.Option("--reason", metavar="CODE", help="see acreline list reasons")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="what was found; no names or numbers of people")],
    evidence: Annotated[
        list[Path] | None, typer.Option("--evidence", metavar="FILE", help="JPEG, PNG, PDF or text; may be repeated")
    ] = None,
    people: PeopleFile = None,
) -> None:
    """Change what stands for a farm, within your authority; it stays in the log, and so does the machine's decision."""
    from acreline.people.override import Change, override_farm
    from acreline.people.tell import act_lines
    from acreline.store import open_publication

    act = override_farm(open_publication(run), farm, Change(to, reason, why, tuple(evidence or ())), people=people)
    typer.echo("\n".join(act_lines(act)))
