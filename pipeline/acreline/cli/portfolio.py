# SPDX-License-Identifier: Apache-2.0
"""Commands over all farms of finished runs: what an event touches, what is usual, who gets less than others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import Lang, RunFolder, app


@app.command()
def exposure(
    run: RunFolder,
    event: Annotated[Path, typer.Option("--event", metavar="FILE", help="polygons of a flood, a hail swath ...")],
    name: Annotated[
        str | None, typer.Option("--name", help="all polygons are this one event; default the column `event`, if any")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="the table as CSV")] = None,
) -> None:
    """List the farms, land, harvest and limits that the outline of an event touches."""
    from acreline.errors import StoreError
    from acreline.exposure import exposure_lines, measure_exposure, read_outlines
    from acreline.store import open_publication, read_manifest

    publication = open_publication(run)
    outlines = read_outlines(event, name)
    table = measure_exposure(publication, outlines)
    simulated = bool(read_manifest(publication).get("simulated"))
    typer.echo("\n".join(exposure_lines(table, outlines, simulated=simulated)))
    if out is not None:
        try:
            table.to_csv(out, index=False, lineterminator="\n", float_format="%.4f")
        except OSError as error:
            raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
        typer.echo(f"table: {out}")


@app.command()
def normals(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="OUT folders of runs, one for each year")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="CSV or Parquet to write")],
) -> None:
    """Make the usual greenness of each crop by week from runs of earlier years, for `normals:` of a region file."""
    from acreline.normals import check_ending, make_normals, normals_lines, write_normals
    from acreline.store import open_publication

    check_ending(out)
    made = make_normals([open_publication(run) for run in runs])
    write_normals(made.table, out)
    typer.echo("\n".join(normals_lines(made, out)))


@app.command()
def watch(
    run: RunFolder,
    since: Annotated[Path, typer.Option("--since", metavar="RUN", help="an earlier run of the same region and season")],
    vigour_fall: Annotated[
        float, typer.Option("--vigour-fall", min=0.1, help="robust z by which a parcel's vigour must have fallen")
    ] = 1.0,
    area_fall: Annotated[
        float, typer.Option("--area-fall", min=0.01, max=1, help="share by which planted land must have fallen")
    ] = 0.1,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="the table as CSV")] = None,
    lang: Lang = "en",
) -> None:
    """List the farms that have become worse since an earlier run, with the money at stake, the most first."""
    from acreline.errors import StoreError
    from acreline.store import open_publication
    from acreline.watch import watch_farms, watch_lines

    found = watch_farms(open_publication(run), open_publication(since), vigour_fall=vigour_fall, area_fall=area_fall)
    typer.echo("\n".join(watch_lines(found, lang)))
    if out is not None:
        try:
            found.table.to_csv(out, index=False, lineterminator="\n", float_format="%.2f")
        except OSError as error:
            raise StoreError(f"{out}: cannot be written: {error}", hint="check the folder of --out") from error
        typer.echo(f"table: {out}")


@app.command()
def concentration(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="OUT folders of runs, one of each region")],
    groups: Annotated[
        Path | None, typer.Option("--groups", metavar="FILE", help="CSV with farm_id and a column a kind: buyer ...")
    ] = None,
    places: Annotated[
        Path | None, typer.Option("--places", metavar="FILE", help="polygons that do not overlap: watersheds ...")
    ] = None,
    place: Annotated[
        str, typer.Option("--place", metavar="COLUMN", help="the polygons' column of names, and what they are")
    ] = "place",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for CSV, JSON and a page")] = None,
) -> None:
    """Tell how much of the harvests and limits stands on one crop, person, county, size of farm, buyer or watershed."""
    from acreline.review.book import read_book
    from acreline.review.concentration import measure_concentration, read_columns, read_places
    from acreline.review.concentration_page import concentration_figures, concentration_lines, concentration_page
    from acreline.review.files import write_review
    from acreline.store import open_publication

    book = read_book([open_publication(run) for run in runs])
    told = None if groups is None else read_columns(groups, book)
    drawn = None if places is None else read_places(places, place, book)
    found = measure_concentration(book, told, drawn, place)
    typer.echo("\n".join(concentration_lines(found)))
    if out is not None:
        tables = {"concentration": found.table}
        for path in write_review(out, "concentration", tables, concentration_figures(found), concentration_page(found)):
            typer.echo(f"written: {path}")


@app.command()
def segments(
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="where segments.csv and segments.json go")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="DIR", help="truth/ of a simulated county, or tables like it")
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="decide by this one instead of the run's own")] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="RATE", help="units of its currency for one of the run's: 11.7")
    ] = None,
    slope: Annotated[
        Path | None, typer.Option("--slope", metavar="FILE", help="CSV with farm_id and slope_deg")
    ] = None,
    exceptions: Annotated[
        Path | None, typer.Option("--exceptions", metavar="FILE", help="the bank's own list of signed exceptions")
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="exit 8 where a segment needs an exception and has none")
    ] = False,
) -> None:
    """Tell who is approved, referred and lent how much by clear views, slope, crop share and size of farm.

    With --truth each segment is held against its reference group at equal true value: approval and limit 0.8 of it or
    more, acreage within 3 %. Segments of few farms are said to be too small to judge.
    """
    from acreline.errors import NotPublishedError
    from acreline.money import read_rate
    from acreline.store import open_publication
    from acreline.trial import report_segments, segment_lines, write_segments

    factor = None if rate is None else read_rate(rate)
    report = report_segments(
        open_publication(run), truth=truth, policy=policy, rate=factor, slope=slope, exceptions=exceptions
    )
    typer.echo("\n".join(segment_lines(report)))
    for path in [] if out is None else write_segments(report, out):
        typer.echo(f"written: {path}")
    if gate and report.needs:
        raise NotPublishedError(
            f"{len(report.needs)} segments need an exception and have none: {'; '.join(report.needs)}",
            hint="mend the policy, or sign a dated exception for each: configs/exceptions.yaml says how",
        )


@app.command()
def proxies(
    run: RunFolder,
    groups: Annotated[
        Path, typer.Option("--groups", metavar="FILE", help="CSV with farm_id and group, which no run ever reads")
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="the figures as JSON")] = None,
) -> None:
    """Tell how well a group of people can be guessed from the facts that a limit may see (extra `evaluate`).

    The groups stay outside: nothing of them is kept with the run, and nothing of one farm is written.
    """
    from acreline.desk import read_farms
    from acreline.store import open_publication, read_manifest
    from acreline.trial import measure_proxies, proxy_lines, read_groups, write_proxies

    publication = open_publication(run)
    farms, as_of = read_farms(publication)
    told = read_groups(groups, [farm.farm_id for farm in farms])
    report = measure_proxies(farms, told, as_of, simulated=bool(read_manifest(publication).get("simulated")))
    typer.echo("\n".join(proxy_lines(report)))
    if out is not None:
        write_proxies(report, out)
        typer.echo(f"written: {out}")
