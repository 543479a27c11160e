# SPDX-License-Identifier: Apache-2.0
"""Commands of a region and its runs: from a parcel file to limits, and what officers ask of them."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acreline.cli.app import AsOf, Lang, Out, RegionFile, RunFolder, Scheduled, Scheduler, Workers, app, day_of
from acreline.errors import EXIT_INCOMPLETE, EXIT_STALE
from acreline.terminal import executor, stop_on_term

if TYPE_CHECKING:
    from acreline.config import Region
    from acreline.run import RunResult


@app.command()
def demo(context: typer.Context, out: Out = None) -> None:
    """Run the packaged real demo region from scenes to limits and open the door to the report."""
    from acreline.config import packaged_configs

    _run(context, packaged_configs() / "regions" / "flanders-2018.yaml", out=out)


@app.command()
def init(
    parcels: Annotated[Path, typer.Argument(metavar="PARCELS", help="your parcel file")],
    datum: Annotated[str, typer.Option("--datum", help="wgs84, cgcs2000, gcj02 or bd09: ask who drew the parcels")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="region file to write")] = Path("region.yaml"),
    provider: Annotated[str, typer.Option("--provider", help="see acreline list providers")] = "earth-search",
    layer: Annotated[str | None, typer.Option("--layer", help="layer of a GeoPackage with several")] = None,
    season_start: Annotated[str | None, typer.Option("--season-start", metavar="DATE")] = None,
    season_end: Annotated[str | None, typer.Option("--season-end", metavar="DATE")] = None,
    declared_area_unit: Annotated[
        str | None, typer.Option("--declared-area-unit", help="m2, mu, ha or acre, where your file declares areas")
    ] = None,
) -> None:
    """Write a commented region file for your own parcels."""
    from acreline.init import write_region_file

    start, end = day_of(season_start, "--season-start"), day_of(season_end, "--season-end")
    path = write_region_file(
        parcels, out=out, datum=datum, provider=provider, layer=layer, season_start=start, season_end=end,
        declared_area_unit=declared_area_unit,
    )  # fmt: skip
    typer.echo(f"{path}: written; next: read it, then acreline check {path}")


@app.command()
def check(
    region: RegionFile,
    datum: Annotated[
        bool, typer.Option("--datum", help="look at a few clear scenes: do the parcels fit as their datum is stated?")
    ] = False,
) -> None:
    """Compile a region and read every file it names, before one scene is; --datum reads a few scenes as well."""
    from acreline.config import read_region
    from acreline.inputs import check_region

    plan, inputs = check_region(read_region(region))
    typer.echo(
        f"{plan.region.name}: season {plan.region.season.start} to {plan.region.season.end}, as of {plan.as_of}, "
        f"provider {plan.provider.name}, {len(plan.crops)} crops, model {plan.model.card.name} "
        f"{plan.model.card.version}, policy {plan.policy.id} ({len(plan.policy.rules)} rules): all of it fits"
    )
    if plan.fallbacks:
        typer.echo(f"where {plan.provider.name} does not answer: {', '.join(one.name for one in plan.fallbacks)}")
    if inputs.not_yet_published:
        typer.echo(f"not yet published on {plan.as_of}, so not used: {', '.join(inputs.not_yet_published)}")
    if plan.model_retired is not None:
        typer.echo(f"{plan.model_retired.words()}; every farm will be referred")
    nameless = sorted(set(plan.crops) - set(plan.model.card.crop_codes))
    if nameless:
        typer.echo(f"the model has no class for {', '.join(nameless)}: it will never name them")
    if datum:
        from acreline.datum_fit import check_datum, datum_lines

        typer.echo("\n".join(datum_lines(check_datum(plan))))


@app.command()
def search(region: RegionFile, as_of: AsOf = None) -> None:
    """List the scenes of a region, the completeness of the search, and what was set aside and why."""
    from acreline.config import read_providers, read_region
    from acreline.parcels import read_parcels
    from acreline.search import search_catalogues

    settings = read_region(region)
    day = day_of(as_of) or settings.as_of or min(settings.season.end, datetime.now(UTC).date())
    parcels = read_parcels(settings.parcels)
    found = search_catalogues(parcels, settings.season, read_providers(settings), as_of=day)
    scenes = found.scenes
    for name in found.fell_over:
        typer.echo(f"{name} did not answer; the scenes are those of {scenes.provider}")
    for scene in scenes.items:
        cloud = "cloud not stated" if scene.cloud_percent is None else f"cloud {scene.cloud_percent:5.1f} %"
        typer.echo(f"{scene.time:%Y-%m-%d %H:%M}  {scene.tile}  {cloud}  offset {scene.dn_offset:4d}  {scene.scene_id}")
    for aside in scenes.set_aside:
        typer.echo(f"set aside  {aside.scene_id}: {aside.reason}: {aside.detail}")
    typer.echo("  ".join(f"{name} {value}" for name, value in scenes.completeness.items()))


@app.command()
def run(
    context: typer.Context,
    region: RegionFile,
    as_of: AsOf = None,
    out: Out = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    scheduled: Scheduled = False,
    shadow: Annotated[
        str | None, typer.Option("--shadow", metavar="POLICY", help="decide by a second policy too, into RUN/shadow")
    ] = None,
    again: Annotated[
        list[str] | None,
        typer.Option("--again", metavar="PARCEL", help="measure this parcel's blocks anew (repeat it for several)"),
    ] = None,
) -> None:
    """Take a region from scenes to limits; resumes by itself, publishes only what is new."""
    _run(
        context, region, as_of=as_of, out=out, workers=workers, scheduler=scheduler, scheduled=scheduled, shadow=shadow,
        again=again or (),
    )  # fmt: skip


def _run(
    context: typer.Context,
    path: Path,
    *,
    as_of: str | None = None,
    out: Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    scheduled: bool = False,
    shadow: str | None = None,
    again: Sequence[str] = (),
) -> None:
    import structlog

    from acreline.config import read_region
    from acreline.logs import configure_logs, progress_bar
    from acreline.store import Store

    plain, verbose = scheduled or not sys.stderr.isatty(), context.obj["verbose"]
    configure_logs(plain=plain, verbose=verbose)
    if shadow is not None and ("/" in shadow or Path(shadow).suffix):  # typed: a path counts from here
        shadow = str(Path(shadow).resolve())
    region = read_region(path, None if shadow is None else {"shadow": shadow})
    day = day_of(as_of)
    store = Store(out or Path("runs") / region.name)
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    run_id = uuid.uuid4().hex[:12]
    with store.locked(run_id, started):
        file = store.root / "log" / f"{started[:10]}_{run_id}.jsonl"
        configure_logs(plain=plain, verbose=verbose, file=file)
        structlog.contextvars.bind_contextvars(region=region.name, run=run_id)
        from acreline.ops.ledger import logged_run, run_facts
        from acreline.run import run_region

        with logged_run(store.root, run_id, region.name) as end:
            end["disk_ceiling_gb"] = region.disk_ceiling_gb  # also of a night that it stopped
            with (
                executor(workers, scheduler) as pool,
                progress_bar(shown=not plain) as told,
                stop_on_term(told) as step,
            ):
                result = run_region(region, store, as_of=day, executor=pool, progress=step, again=again)
            challenger = _challenge(region, store.root, result.publication)
            stale = scheduled and result.freshness is not None and result.freshness.alarm is not None
            code = EXIT_INCOMPLETE if result.failed_blocks else EXIT_STALE if stale else 0
            end |= {**run_facts(result), "exit": code}
    _tell(result, region, table=not scheduled)
    for line in challenger:
        typer.echo(line)
    if code:
        raise typer.Exit(code)


def _challenge(region: Region, root: Path, publication: Path) -> list[str]:
    """What a region's challenger would have decided, in one line and a folder of its own.

    Its trouble is told and stops nothing: what was published stands.
    """
    if region.shadow is None:
        return []
    import structlog

    from acreline.errors import AcrelineError
    from acreline.review.shadow import challenge_policy, summary_line, write_challenge

    base = region.file.parent if region.file else None
    try:
        found = challenge_policy(publication, region.shadow, base)
        return [summary_line(found), f"shadow: {write_challenge(found, root)[0]}"]
    except AcrelineError as error:
        structlog.get_logger(__name__).warning("challenger not decided", policy=region.shadow, why=error.message)
        return [f"shadow: not decided, what was published stands: {error.message}"]


@app.command()
def credit(
    run: RunFolder,
    policy: Annotated[str, typer.Option("--policy", help="policy name, or path of a policy file")],
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="RATE", help="units of its currency for one of the run's: 11.7"),
    ] = None,
    retired: Annotated[
        Path | None,
        typer.Option("--retired", metavar="FILE", help="a list of retired policies and models more"),
    ] = None,
) -> None:
    """Decide again from the measured farms of a run, under another policy; the run itself is not changed."""
    from acreline.desk import decide_again, decision_rows
    from acreline.money import read_rate
    from acreline.store import open_publication

    factor = None if rate is None else read_rate(rate)
    before, after = decide_again(open_publication(run), policy, rate=factor, retired=retired)
    for old, new in zip(decision_rows(before), decision_rows(after), strict=True):
        typer.echo(f"{old['farm_id']:<12} {old['words']:<36} -> {new['words']}")


@app.command()
def explain(
    run: RunFolder,
    farm: Annotated[str, typer.Argument(metavar="FARM", help="farm id")],
    lang: Lang = "en",
) -> None:
    """Tell the trail of one decision in words."""
    from acreline.desk import explain_farm
    from acreline.store import open_publication

    for line in explain_farm(open_publication(run), farm, lang):
        typer.echo(line)


@app.command()
def area(
    run: RunFolder,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="CSV of visited parcels: parcel_id, slot, crop")
    ] = None,
    sampled_in: Annotated[
        Path | None, typer.Option("--sampled-in", metavar="RUN", help="run whose parcels were visited, if not this one")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="the table as CSV")] = None,
) -> None:
    """Add up the land of each crop: counted, expected, and corrected by a sample with its standard error."""
    from acreline.area import area_lines, region_areas, write_areas
    from acreline.errors import ConfigError
    from acreline.store import open_publication, read_manifest

    if sampled_in is not None and reference is None:
        raise ConfigError("--sampled-in says where a sample was drawn; none is given", hint="add --reference FILE")
    publication = open_publication(run)
    table = region_areas(publication, reference, None if sampled_in is None else open_publication(sampled_in))
    typer.echo("\n".join(area_lines(table, simulated=bool(read_manifest(publication).get("simulated")))))
    if out is not None:
        write_areas(table, out)
        typer.echo(f"table: {out}")


@app.command()
def report(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="the page; a farm's is RUN/pages/FARM.html")
    ] = None,
    watch: Annotated[Path | None, typer.Option("--watch", metavar="FILE", help="list of `watch --out`")] = None,
    cases: Annotated[Path | None, typer.Option("--cases", metavar="FILE", help="open appeals (JSON list)")] = None,
    asks: Annotated[Path | None, typer.Option("--asks", metavar="FILE", help="list of `asks --out`")] = None,
    farm: Annotated[str | None, typer.Option("--farm", metavar="FARM", help="the page of this farm")] = None,
    pdf: Annotated[Path | None, typer.Option("--pdf", metavar="FILE", help="as PDF (extra `pdf`)")] = None,
    earlier: Annotated[
        list[Path] | None,
        typer.Option("--earlier", metavar="RUN", help="run of an earlier season (repeat it, six at most are told)"),
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="of a PDF: en or zh")] = "en",
    pictures: Annotated[bool, typer.Option("--pictures", help="of a farm's page, read again from the scenes")] = False,
    region: Annotated[
        Path | None, typer.Option("--region", metavar="FILE", help="the run's region file, for --pictures")
    ] = None,
) -> None:
    """Say where the portfolio of a run and its farms' pages are; or write it with its queues, or one farm's page."""
    from acreline.desk import find_people, find_standing, report_pages
    from acreline.errors import ConfigError
    from acreline.farm_view import farm as read_farm
    from acreline.report.history import refuse_later
    from acreline.report.page import write_portfolio
    from acreline.report.pdf import write_farm_page, write_farm_pdf
    from acreline.report.read import farm_files
    from acreline.store import open_publication

    publication = open_publication(run)
    if farm is None and (pdf is not None or earlier or pictures):
        raise ConfigError("--pdf, --earlier and --pictures are for the page of one farm", hint="add --farm FARM")
    queues = [one for one in (watch, cases, asks) if one is not None]
    if farm is not None and queues:
        raise ConfigError("--watch, --cases and --asks are for the portfolio, not for a farm", hint="leave out --farm")
    if out is None and queues:
        raise ConfigError("no place is given for the page", hint="add --out FILE")
    if farm is not None:
        before = [open_publication(one) for one in earlier or []]
        refuse_later(publication, before)
        stands = find_standing(publication, farm)
        seen = read_farm(publication, farm, region=region).pictures() if pictures else None
        if out is not None or pdf is None:
            place = out or run / "pages" / farm_files([farm])[farm]
            typer.echo(write_farm_page(publication, farm, place, before, stands, seen))
        if pdf is not None:
            typer.echo(write_farm_pdf(publication, farm, lang, pdf, before, stands, seen))
    elif out is not None:
        people = find_people(publication)
        typer.echo(write_portfolio(publication, out, watch=watch, cases=cases, asks=asks, people=people))
    else:
        for line in report_pages(publication):
            typer.echo(line)
        acted = find_people(publication)
        if acted is not None and acted.stands:
            told = f"people acted on {len(acted.stands)} farms since: acreline report RUN --out FILE tells what stands"
            typer.echo(told, err=True)


@app.command("list")
def list_kinds(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="crops, providers, rules, events, policies, models, regions, counties (simulated), exports, reasons",
        ),
    ],
) -> None:
    """Show what is known of one kind, and what to type next."""
    from acreline.desk import list_kind

    for line in list_kind(kind):
        typer.echo(line)


def _tell(result: RunResult, region: Region, *, table: bool) -> None:
    from acreline.desk import count_lines, farm_rows
    from acreline.people.acts import read_acts, run_root
    from acreline.store import read_manifest

    acts = read_acts(run_root(result.publication)) if table else {}
    if table:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        console = Console(width=None if sys.stdout.isatty() else 150)
        columns = ("farm", "parcels", "mu", "ha", "crop", "health", "limit", "outcome", "first reason")
        grid = Table(title=f"{region.name}", title_justify="left")
        for name in columns:
            grid.add_column(name, justify="right" if name in ("parcels", "mu", "ha", "limit") else "left")
        for row in farm_rows(result.farms, result.decisions, acts=acts):
            grid.add_row(*(escape(word) for word in row))
        console.print(grid)
    typer.echo("\n".join(count_lines(read_manifest(result.publication)["counts"], acted=bool(acts))))
    typer.echo(
        f"blocks: {len(result.made_blocks)} made, {len(result.kept_blocks)} kept, {len(result.failed_blocks)} failed"
    )
    for block, why in sorted(result.failed_blocks.items()):
        typer.echo(f"block {block} was not measured: {why}")
    for name in result.fell_over:
        typer.echo(f"alarm fell_over: {name} did not answer; the scenes are those of {result.scenes.provider}")
    if result.freshness is not None:
        from acreline.freshness import freshness_lines

        typer.echo("\n".join(freshness_lines(result.freshness)))
    typer.echo("published" if result.published else "no news: the publication that is there stays")
    typer.echo(f"map page: {result.publication / 'report' / 'index.html'}")
