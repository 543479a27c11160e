# SPDX-License-Identifier: Apache-2.0
"""Commands for whoever must prove a decision: make it again, find later edits, give out or delete a person's data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RunFolder, app, day_of

person = typer.Typer(help="Give out one person's data, or take the person out of finished runs.", no_args_is_help=True)
app.add_typer(person, name="person")
RunFolders = Annotated[list[Path], typer.Argument(metavar="RUN...", help="OUT folders of runs")]
PersonId = Annotated[str, typer.Option("--person", metavar="ID", help="person_id of the applicants table")]


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


@person.command()
def export(
    runs: RunFolders,
    person_id: PersonId,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="JSON file to write")],
) -> None:
    """Write all that runs hold of one person: applicants' rows, farms, parcels, decisions, acts, pages and letters."""
    from acreline.person import export_person, write_export

    found = export_person(runs, person_id)
    write_export(found, out)
    farms = sum(len(one["farms"]) for one in found["publications"])
    typer.echo(f"{out}: {farms} decisions of {len(found['publications'])} publications")
    if found["acts"]:
        files = sum(len(act["evidence"]) for act in found["acts"])
        typer.echo(
            f"and {len(found['acts'])} acts of people with {files} kept files; beside each file, by its hash, stands "
            "what becomes of it on deletion"
        )


@person.command()
def delete(
    runs: RunFolders,
    person_id: PersonId,
    term_check: Annotated[
        str, typer.Option("--term-check", metavar="DATE", help="day on which every legal term must be over")
    ],
    receipt: Annotated[Path, typer.Option("--receipt", metavar="FILE", help="JSON file to write: counts and hashes")],
) -> None:
    """Put a pseudonym that nobody can turn back in a person's place; the decisions and their evidence stay."""
    from acreline.person import delete_person

    day = day_of(term_check, "--term-check")
    assert day is not None
    done = delete_person(runs, person_id, day, receipt=receipt)
    for one in done["publications"]:
        typer.echo(f"{one['instead_of']} -> {one['publication_id']}: {one['decisions']} decisions under pseudonym")
    if done["evidence_removed"]:
        typer.echo(
            f"taken away: {len(done['evidence_removed'])} files that the person handed in; the acts and the files' "
            "hashes stay in the log"
        )
    if done["evidence_stays"]:
        kinds = ", ".join(sorted({one["kind"] for one in done["evidence_stays"]}))
        typer.echo(f"stays: {len(done['evidence_stays'])} files ({kinds}): the receipt says of each why")
    for path in done["left"]:
        typer.echo(f"left, look at it: {path}")
    if not done["pages_searched"]:
        typer.echo("the id is too short to be told from other words: pages and letters were not searched")
    typer.echo(f"{receipt}: receipt; next: take the person out of your own applicants table too")


@app.command()
def letter(
    run: RunFolder,
    farm: Annotated[str, typer.Argument(metavar="FARM", help="farm id")],
    lang: Annotated[str, typer.Option("--lang", help="en or zh")] = "en",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="HTML file; default RUN/letters/FARM_LANG.html")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="the same as PDF beside it (extra `pdf`)")] = False,
) -> None:
    """Write the letter that a farmer is handed: what was decided, why, what people changed, what can be done."""
    from acreline.credit.actions import advise
    from acreline.desk import find_standing
    from acreline.report.letter import letter_files, write_letter
    from acreline.store import open_publication

    publication = open_publication(run)
    place = out or run / "letters" / letter_files([farm], lang)[farm]
    stands = find_standing(publication, farm)
    for path in write_letter(publication, farm, lang, place, advise, pdf=pdf, stands=stands):
        typer.echo(path)
