# SPDX-License-Identifier: Apache-2.0
"""Commands of people around a limit: change it, object to it, and see who changed what how often."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RunFolder, Workers, app, day_of

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


@app.command()
def confirm(
    run: RunFolder,
    farm: Farm,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="what was looked at; no names of people")],
    people: PeopleFile = None,
) -> None:
    """Say that you looked at a decision and leave it as it stands; it stays in the log."""
    from acreline.people.override import confirm_farm
    from acreline.people.tell import act_lines
    from acreline.store import open_publication

    typer.echo("\n".join(act_lines(confirm_farm(open_publication(run), farm, why, people=people))))


@app.command()
def overrides(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="OUT folders of runs")],
    since: Annotated[str | None, typer.Option("--since", metavar="DAY", help="first day (UTC) of acts")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DAY", help="last day of acts")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for CSV, JSON and a page")] = None,
    people: PeopleFile = None,
    exceptions: Annotated[
        Path | None, typer.Option("--exceptions", metavar="FILE", help="the bank's own list of signed exceptions")
    ] = None,
    gate: Annotated[bool, typer.Option("--gate", help="exit 8 where there is an alert")] = False,
) -> None:
    """Tell approval, override and exception rates by officer and role, how long referrals wait, and what is unusual.

    Exit code 0 with or without alerts; with --gate an alert ends with 8, after everything is written.
    """
    from acreline.errors import NotPublishedError
    from acreline.review.files import write_review
    from acreline.review.overrides import measure_overrides, overrides_figures
    from acreline.review.overrides_page import overrides_lines, overrides_page
    from acreline.store import open_publication

    found = measure_overrides(
        [open_publication(run) for run in runs], since=day_of(since, "--since"), until=day_of(until, "--until"),
        people=people, exceptions=exceptions,
    )  # fmt: skip
    typer.echo("\n".join(overrides_lines(found)))
    if out is not None:
        tables = {"overrides": found.table, "overrides-cases": found.cases}
        for path in write_review(out, "overrides", tables, overrides_figures(found), overrides_page(found)):
            typer.echo(f"written: {path}")
    alerts = len(found.alerts) + found.whole_alert
    if gate and alerts:
        raise NotPublishedError(f"{alerts} alerts, told above", hint="ask the officers, and note what they say")


appeal = typer.Typer(help="A farmer objects: a case, a clock, and another person's decision.", no_args_is_help=True)
app.add_typer(appeal, name="appeal")
CaseName = Annotated[str, typer.Argument(metavar="CASE", help="A-0001 ...")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="no names or numbers of people")]


@appeal.command("open")
def appeal_open(
    run: RunFolder,
    farm: Farm,
    why: Why,
    boundary: Annotated[
        Path | None, typer.Option("--boundary", metavar="GEOJSON", help="corrected outlines, WGS 84, with parcel_id")
    ] = None,
    photo: Annotated[Path | None, typer.Option("--photo", metavar="FILE", help="JPEG or PNG")] = None,
    place: Annotated[str | None, typer.Option("--place", metavar="LON,LAT", help="where the photo was taken")] = None,
    time: Annotated[str | None, typer.Option("--time", metavar="T", help="when: 2026-03-01T09:30+08:00")] = None,
    document: Annotated[
        list[Path] | None, typer.Option("--document", metavar="FILE", help="PDF or text; may be repeated")
    ] = None,
    people: PeopleFile = None,
) -> None:
    """Open a case for a farmer who objects: the farm is shown as referred until a person has decided."""
    from acreline.desk import explain_farm
    from acreline.errors import ConfigError
    from acreline.people.appeals import Shown, open_appeal
    from acreline.people.ground import PhotoClaim
    from acreline.people.tell import act_lines
    from acreline.store import open_publication

    publication = open_publication(run)
    if (photo is None) != (place is None) or (photo is None) != (time is None):
        raise ConfigError("--photo, --place and --time belong together", hint="give all three, or none of them")
    claim = None if photo is None else PhotoClaim(photo, place or "", time or "")
    told = "\n\n".join("\n".join(explain_farm(publication, farm, lang)) for lang in ("en", "zh")) + "\n"
    shown = Shown(boundary, claim, tuple(document or ()))
    typer.echo("\n".join(act_lines(open_appeal(publication, farm, why, told, shown, people=people))))


@appeal.command("list")
def appeal_list(
    run: RunFolder,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="JSON for acreline report --cases")] = None,
) -> None:
    """List the cases, those due first in front."""
    import json

    from acreline.errors import StoreError
    from acreline.people.acts import acting_root, read_acts
    from acreline.people.appeals import read_appeals
    from acreline.people.tell import case_lines, case_rows
    from acreline.retired import utc_now
    from acreline.store import open_publication
    from acreline.store_files import write_text

    rows = case_rows(read_appeals(read_acts(acting_root(open_publication(run)))), utc_now().date())
    typer.echo("\n".join(case_lines(rows)))
    if out is not None:
        try:
            write_text(out, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        except OSError as error:
            raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
        typer.echo(f"written: {out}")


@appeal.command("recompute")
def appeal_recompute(
    run: RunFolder,
    case: CaseName,
    region: Annotated[
        Path | None, typer.Option("--region", metavar="REGION", help="region file, to measure a corrected outline")
    ] = None,
    workers: Workers = 1,
) -> None:
    """Judge the farm again, with its corrected outline if the region file is given; both results are kept."""
    from acreline.people.recompute import difference_lines, recompute_case
    from acreline.store import open_publication
    from acreline.terminal import executor

    with executor(workers, None) as pool:
        found = recompute_case(open_publication(run), case, region=region, executor=pool)
    typer.echo("\n".join(difference_lines(found)))


@appeal.command("close")
def appeal_close(
    run: RunFolder,
    case: CaseName,
    decision: Annotated[str, typer.Option("--decision", help="uphold or change")],
    why: Why,
    to: Annotated[str | None, typer.Option("--to", metavar="AMOUNT", help="what stands from now on")] = None,
    people: PeopleFile = None,
) -> None:
    """Decide a case; somebody else than who decided or opened it before."""
    from acreline.people.appeals import close_appeal
    from acreline.people.tell import act_lines
    from acreline.store import open_publication

    act = close_appeal(open_publication(run), case, decision, why, to=to, people=people)
    typer.echo("\n".join(act_lines(act)))


@appeal.command("report")
def appeal_report(run: RunFolder) -> None:
    """Tell how long cases took and how often they changed something."""
    from acreline.people.acts import acting_root, read_acts
    from acreline.people.appeals import read_appeals
    from acreline.people.tell import report_lines
    from acreline.retired import utc_now
    from acreline.store import open_publication, read_manifest

    publication = open_publication(run)
    cases = read_appeals(read_acts(acting_root(publication)))
    simulated = bool(read_manifest(publication).get("simulated"))
    typer.echo("\n".join(report_lines(cases, utc_now().date(), simulated=simulated)))
