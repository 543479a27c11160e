# SPDX-License-Identifier: Apache-2.0
"""The command line: parse, call one library function, print, choose the exit code. Heavy libraries load inside."""

from __future__ import annotations

import sys
import traceback
import uuid
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from acreline.errors import EXIT_BUG, EXIT_INCOMPLETE, AcrelineError, ConfigError
from acreline.terminal import executor, stop_on_term

if TYPE_CHECKING:
    from acreline.config import Region
    from acreline.run import RunResult


class Stopped(Exception):  # noqa: N818 - the user, or cron, asked for it
    """Ctrl-C or SIGTERM on its way past typer, which has an exit code of its own for it."""


class Commands(TyperGroup):
    """The commands; an interruption of any of them reaches `main`."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Stopped from error


app = typer.Typer(
    cls=Commands,
    help="Satellite scenes in, a farm's credit line out: each step open, measured and replayable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 our bug, 2 configuration or usage, 3 input file refused, 4 source unavailable (run "
    "again), 5 some blocks were not measured (run again), 6 storage, 7 another run holds the region, 8 not published.",
)

RegionFile = Annotated[Path, typer.Argument(metavar="REGION", help="region file (YAML)")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="OUT folder of a run, or a publication in it")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="decide as if on this day (YYYY-MM-DD)")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="run folder; default runs/<region name>")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="processes that measure blocks")]
Scheduler = Annotated[str | None, typer.Option("--scheduler", metavar="ADDRESS", help="a Dask scheduler, instead")]
Scheduled = Annotated[bool, typer.Option("--scheduled", help="under cron: plain log lines, no progress bar, no table")]
Lang = Annotated[str, typer.Option("--lang", help="en or zh")]
PLAIN_EVERY_S = 5.0
"""Without a terminal, a training tells of itself no oftener than this."""


@app.callback()
def options(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="show tracebacks and debug lines")] = False,
) -> None:
    """Options of every command."""
    context.obj = {"verbose": verbose}


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
) -> None:
    """Write a commented region file for your own parcels."""
    from acreline.init import write_region_file

    start, end = _day(season_start, "--season-start"), _day(season_end, "--season-end")
    path = write_region_file(
        parcels, out=out, datum=datum, provider=provider, layer=layer, season_start=start, season_end=end
    )
    typer.echo(f"{path}: written; next: read it, then acreline check {path}")


@app.command()
def check(region: RegionFile) -> None:
    """Compile everything a region names before one byte is read."""
    from acreline.config import read_region
    from acreline.plan import plan_run

    plan = plan_run(read_region(region))
    typer.echo(
        f"{plan.region.name}: season {plan.region.season.start} to {plan.region.season.end}, as of {plan.as_of}, "
        f"provider {plan.provider.name}, {len(plan.crops)} crops, model {plan.model.card.name} "
        f"{plan.model.card.version}, policy {plan.policy.id} ({len(plan.policy.rules)} rules): all of it fits"
    )


@app.command()
def search(region: RegionFile, as_of: AsOf = None) -> None:
    """List the scenes of a region, the completeness of the search, and what was set aside and why."""
    from acreline.config import read_provider, read_region
    from acreline.parcels import read_parcels
    from acreline.search import search_scenes

    settings = read_region(region)
    day = _day(as_of) or settings.as_of or min(settings.season.end, datetime.now(UTC).date())
    parcels = read_parcels(settings.parcels)
    scenes = search_scenes(parcels, settings.season, read_provider(settings), as_of=day)
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
) -> None:
    """Take a region from scenes to limits; resumes by itself, publishes only what is new."""
    _run(context, region, as_of=as_of, out=out, workers=workers, scheduler=scheduler, scheduled=scheduled)


def _run(
    context: typer.Context,
    path: Path,
    *,
    as_of: str | None = None,
    out: Path | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    scheduled: bool = False,
) -> None:
    import structlog

    from acreline.config import read_region
    from acreline.logs import configure_logs, progress_bar
    from acreline.store import Store

    plain, verbose = scheduled or not sys.stderr.isatty(), context.obj["verbose"]
    configure_logs(plain=plain, verbose=verbose)
    region = read_region(path)
    day = _day(as_of)
    store = Store(out or Path("runs") / region.name)
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    run_id = uuid.uuid4().hex[:12]
    with store.locked(run_id, started):
        file = store.root / "log" / f"{started[:10]}_{run_id}.jsonl"
        configure_logs(plain=plain, verbose=verbose, file=file)
        structlog.contextvars.bind_contextvars(region=region.name, run=run_id)
        from acreline.run import run_region

        with executor(workers, scheduler) as pool, progress_bar(shown=not plain) as told, stop_on_term(told) as step:
            result = run_region(region, store, as_of=day, executor=pool, progress=step)
    _tell(result, region, table=not scheduled)
    if result.failed_blocks:
        raise typer.Exit(EXIT_INCOMPLETE)


@app.command()
def credit(
    run: RunFolder,
    policy: Annotated[str, typer.Option("--policy", help="policy name, or path of a policy file")],
) -> None:
    """Decide again from the measured farms of a run, under another policy; the run itself is not changed."""
    from acreline.desk import decide_again, decision_rows
    from acreline.store import open_publication

    before, after = decide_again(open_publication(run), policy)
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
def report(run: RunFolder) -> None:
    """Say where the map page of a run and the pages of its farms are, and check that they are there."""
    from acreline.desk import report_pages
    from acreline.store import open_publication

    for line in report_pages(open_publication(run)):
        typer.echo(line)


@app.command()
def verify(run: RunFolder) -> None:
    """Find files of a publication that were edited, added or removed since it was published."""
    from acreline.errors import StoreError
    from acreline.store import open_publication, read_manifest, verify_publication

    publication = open_publication(run)
    faults = verify_publication(publication)
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise StoreError(f"{publication}: {len(faults)} files are not as published", hint="run the region again")
    typer.echo(f"{read_manifest(publication)['publication_id']}: every file is as it was published")


@app.command("list")
def list_kinds(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND", help="crops, providers, rules, events, policies, models, regions or counties (to simulate)"
        ),
    ],
) -> None:
    """Show what is known of one kind, and what to type next."""
    from acreline.desk import list_kind

    for line in list_kind(kind):
        typer.echo(line)


@app.command()
def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="model name, or path of its YAML file")] = "acrenet-s",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="where weights and card go")] = Path("runs/train"),
    seed: Annotated[int | None, typer.Option("--seed", help="instead of the recipe's own")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes; the weights do not depend on it")] = 2,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda, instead of the recipe's")] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="of each network, instead of the recipe's")
    ] = None,
) -> None:
    """Train the network on the packaged labels and drawn counties; write weights, their card and a page of curves.

    A training that was stopped goes on where it was when the same command is given again.
    """
    from acreline.logs import configure_logs, progress_bar
    from acreline.trial import train_packaged

    shown = sys.stderr.isatty()
    configure_logs(plain=not shown)
    with progress_bar(shown=shown, every_s=PLAIN_EVERY_S) as told, stop_on_term(told) as step:
        settings = train_packaged(model, out, seed=seed, workers=workers, device=device, steps=steps, progress=step)
    typer.echo(f"{settings}: written, weights and card beside it; a region file may name it under `model:`")
    typer.echo(f"curves: {settings.with_name(f'{settings.stem}-curves.html')}")
    typer.echo(f"next: acreline evaluate {settings}")


@app.command()
def evaluate(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="model name, or path of its YAML file; else what fits")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="your labelled data: data/README.md")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="where the report on --data goes")] = None,
    named: Annotated[str | None, typer.Option("--model", metavar="NAME", help="the same as MODEL")] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="GeoJSON with id and label of a parcel table")] = None,
) -> None:
    """Report the network on the demo square, which no training reads, or on labelled data of your own.

    Majority and a random forest stand beside it. With --data the report is a page and a file of figures in DIR.
    """
    from acreline.logs import configure_logs, progress_bar

    if (data is None) != (out is None) or (labels is not None and data is None):
        raise ConfigError(
            "--data and --out go together, and --labels with them", hint="acreline evaluate --data PATH --out DIR"
        )
    name = named or model
    if data is None or out is None:
        from acreline.trial import evaluate_on_demo

        for line in evaluate_on_demo(name or "acrenet-s"):
            typer.echo(line)
        return
    from acreline.trial import evaluate_data, report_table

    configure_logs(plain=not sys.stderr.isatty())
    with progress_bar(shown=sys.stderr.isatty()) as progress:
        report = evaluate_data(data, out, model=name, labels=labels, progress=progress)
    for line in report_table(report.metrics):
        typer.echo(line)
    typer.echo(f"report: {report.page}")


@app.command()
def simulate(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="a name of configs/simulate/, or a YAML file")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to make")],
    parcels: Annotated[int | None, typer.Option("--parcels", min=1, help="instead of the settings' own")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="instead of the settings' own")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes that draw passes")] = 2,
    force: Annotated[bool, typer.Option("--force", help="replace another simulated county in DIR")] = False,
) -> None:
    """Draw a county with known truth: scenes, parcels and tables for a run, and the truth beside them."""
    from acreline.logs import configure_logs, progress_bar
    from acreline.simulate.make import read_county, simulate_county

    configure_logs(plain=not sys.stderr.isatty())
    settings = read_county(config)
    with progress_bar(shown=sys.stderr.isatty()) as told, stop_on_term(told) as step:
        done = simulate_county(settings, out, parcels=parcels, seed=seed, workers=workers, force=force, progress=step)
    typer.echo("\n".join(done.lines()))


# --- helpers ------------------------------------------------------------------------------------------------------
def _day(text: str | None, option: str = "--as-of") -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {text!r} is not a date", hint="write it as 2018-12-15") from error


def _tell(result: RunResult, region: Region, *, table: bool) -> None:
    from acreline.desk import farm_rows
    from acreline.store import read_manifest

    if table:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        console = Console(width=None if sys.stdout.isatty() else 150)
        columns = ("farm", "parcels", "mu", "ha", "crop", "health", "limit", "outcome", "first reason")
        grid = Table(title=f"{region.name}", title_justify="left")
        for name in columns:
            grid.add_column(name, justify="right" if name in ("parcels", "mu", "ha", "limit") else "left")
        for row in farm_rows(result.farms, result.decisions):
            grid.add_row(*(escape(word) for word in row))
        console.print(grid)
    counts = read_manifest(result.publication)["counts"]
    for name in ("parcels", "farms", "scenes"):
        typer.echo(f"{name}: " + ", ".join(f"{value} {key}" for key, value in counts[name].items() if value))
    typer.echo(
        f"blocks: {len(result.made_blocks)} made, {len(result.kept_blocks)} kept, {len(result.failed_blocks)} failed"
    )
    for block, why in sorted(result.failed_blocks.items()):
        typer.echo(f"block {block} was not measured: {why}")
    typer.echo("published" if result.published else "no news: the publication that is there stays")
    typer.echo(f"map page: {result.publication / 'report' / 'index.html'}")


def main() -> None:
    """Entry point: errors become a message, a hint and an exit code; a traceback only with -v."""
    verbose = any(argument in ("-v", "--verbose") for argument in sys.argv[1:])
    try:
        app(prog_name="acreline")
    except AcrelineError as error:
        _complain(error, error.message, error.hint, verbose=verbose)
        sys.exit(error.exit_code)
    except (Stopped, KeyboardInterrupt):
        typer.echo("stopped; what is done is kept: run the same command again to go on", err=True)
        sys.exit(EXIT_INCOMPLETE)
    except Exception as error:  # noqa: BLE001 - the last door: whatever it is, say it in one line
        hint = "this is a fault of acreline: run again with -v and report what it prints"
        _complain(error, f"{type(error).__name__}: {error}", hint, verbose=verbose)
        sys.exit(EXIT_BUG)


def _complain(error: Exception, message: str, hint: str, *, verbose: bool) -> None:
    from acreline.logs import redact

    if verbose:
        typer.echo(redact("".join(traceback.format_exception(error))), err=True)
    typer.echo(f"error: {redact(' '.join(message.split()))}", err=True)
    typer.echo(f"hint: {redact(' '.join(hint.split()))}", err=True)
