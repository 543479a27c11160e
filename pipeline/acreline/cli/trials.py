# SPDX-License-Identifier: Apache-2.0
"""Commands of the network and its trial land: train, evaluate, simulate, curve."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RegionFile, Stopped, app
from acreline.errors import ConfigError
from acreline.terminal import stop_on_term

PLAIN_EVERY_S = 5.0
"""Without a terminal, a command tells of itself no oftener than this."""
MOST_PARCELS = 20_000


@contextmanager
def whole_or_nothing() -> Iterator[None]:
    """A command that keeps nothing on the way says so where it is stopped."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Stopped("stopped; nothing was written: run the same command again") from error


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


class Task(StrEnum):
    """What `evaluate` tells of data."""

    crop = "crop"
    health = "health"
    yields = "yield"


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
    task: Annotated[Task, typer.Option("--task", help="what is told of --data")] = Task.crop,
) -> None:
    """Report the network on the demo square, which no training reads, or on labelled data of your own.

    Majority and a random forest stand beside it. With --data the report is a page and a file of figures in DIR; health
    and yield write each field's numbers with their doubt as predictions.csv.
    """
    from acreline.logs import configure_logs, progress_bar

    if (data is None) != (out is None) or (labels is not None and data is None):
        raise ConfigError(
            "--data and --out go together, and --labels with them", hint="acreline evaluate --data PATH --out DIR"
        )
    name = named or model
    if task is not Task.crop:
        if data is None or out is None or name or labels:
            raise ConfigError(
                f"--task {task} takes --data and --out, no model and no --labels",
                hint=f"acreline evaluate --task {task} --data PATH --out DIR",
            )
        typer.echo("\n".join(_evaluate_fields(task, data, out)))
        return
    if data is None or out is None:
        from acreline.trial import evaluate_on_demo

        for line in evaluate_on_demo(name or "acrenet-s"):
            typer.echo(line)
        return
    from acreline.trial import evaluate_data, report_table

    configure_logs(plain=not sys.stderr.isatty())
    shown = sys.stderr.isatty()
    with whole_or_nothing(), progress_bar(shown=shown, every_s=PLAIN_EVERY_S) as progress:
        report = evaluate_data(data, out, model=name, labels=labels, progress=progress)
    for line in report_table(report.metrics):
        typer.echo(line)
    typer.echo(f"report: {report.page}")


@app.command()
def simulate(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="a name of configs/simulate/, or a YAML file")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to make")],
    parcels: Annotated[
        int | None, typer.Option("--parcels", min=1, max=MOST_PARCELS, help="instead of the settings' own")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="instead of the settings' own")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes that draw passes")] = 2,
    force: Annotated[bool, typer.Option("--force", help="replace another simulated county in DIR")] = False,
) -> None:
    """Draw a county with known truth: scenes, parcels and tables for a run, and the truth beside them."""
    from acreline.logs import configure_logs, progress_bar
    from acreline.simulate.make import read_county, simulate_county

    shown = sys.stderr.isatty()
    configure_logs(plain=not shown)
    settings = read_county(config)
    with whole_or_nothing(), progress_bar(shown=shown, every_s=PLAIN_EVERY_S) as told, stop_on_term(told) as step:
        done = simulate_county(settings, out, parcels=parcels, seed=seed, workers=workers, force=force, progress=step)
    typer.echo("\n".join(done.lines()))


@app.command()
def curve(
    region: RegionFile,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="where runs, table and page go")],
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="DIR", help="truth/ of a simulated county, or tables like it")
    ] = None,
) -> None:
    """Tell a region again as of the end of each month: accuracy, acreage, harvest and farms decided, by date.

    Without --truth each date is held against the last one's own word.
    """
    from acreline.config import read_region
    from acreline.logs import configure_logs, progress_bar
    from acreline.trial import curve_lines, draw_curve

    shown = sys.stderr.isatty()
    configure_logs(plain=not shown)
    settings = read_region(region)
    with progress_bar(shown=shown, every_s=PLAIN_EVERY_S) as told, stop_on_term(told) as step:
        drawn = draw_curve(settings, out, truth=truth, progress=step)
    typer.echo("\n".join(curve_lines(drawn.rows, truth=truth is not None)))
    typer.echo(f"table: {drawn.table}")
    typer.echo(f"page: {drawn.page}")


def _evaluate_fields(task: Task, data: Path, out: Path) -> list[str]:
    from acreline.trial import evaluate_health, evaluate_yield, health_lines, yield_lines

    if task is Task.health:
        return health_lines(evaluate_health(data, out), out)
    return yield_lines(evaluate_yield(data, out), out)
