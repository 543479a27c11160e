# SPDX-License-Identifier: Apache-2.0
"""Commands of a risk team before a policy or a model is released: nothing here changes a publication."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from acreline.cli.app import RegionFile, RunFolder, app
from acreline.terminal import stop_on_term

policy = typer.Typer(help="What another policy would do to the farms of finished runs.", no_args_is_help=True)
app.add_typer(policy, name="policy")
OUTCOMES = (
    "how it ended, CSV or Parquet; of loans season, farm_id, known_on, defaulted (1 or 0); of harvests season, "
    "parcel_id, slot, known_on, yield_kg_per_ha"
)
OutDir = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for CSV, JSON and a page")]


def _written(paths: list[Path]) -> None:
    for path in paths:
        typer.echo(f"written: {path}")


@policy.callback()
def _policy() -> None:
    """What another policy would do to the farms of finished runs."""


@policy.command("diff")
def policy_diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="policy name, or path of a policy file")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="the policy under review")],
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="OUT folders of runs, one of each region")],
    out: OutDir = None,
) -> None:
    """Decide the farms of runs by two policies: who gains, who loses, how much, by outcome, crop, county and size."""
    from acreline.review.book import read_book
    from acreline.review.files import write_review
    from acreline.review.policy_diff import diff_policies
    from acreline.review.policy_page import diff_figures, diff_lines, diff_page
    from acreline.store import open_publication

    found = diff_policies(read_book([open_publication(run) for run in runs]), old, new)
    typer.echo("\n".join(diff_lines(found)))
    if out is not None:
        tables = {"policy-diff-groups": found.comparison.groups, "policy-diff-farms": found.comparison.farms}
        _written(write_review(out, "policy-diff", tables, diff_figures(found), diff_page(found)))


@app.command()
def drift(
    run: RunFolder,
    since: Annotated[Path, typer.Option("--since", metavar="RUN", help="a run to hold it against, of any season")],
    out: OutDir = None,
) -> None:
    """Tell what has drifted since an earlier run: an index by feature and class, and what so few give by chance."""
    from acreline.review.drift_runs import drift_figures, drift_lines, drift_page, drift_runs
    from acreline.review.files import write_review
    from acreline.store import open_publication

    found = drift_runs(open_publication(run), open_publication(since))
    typer.echo("\n".join(drift_lines(found)))
    if out is not None:
        _written(write_review(out, "drift", {"drift": found.table}, drift_figures(found), drift_page(found)))


@app.command()
def shadow(
    run: RunFolder,
    policy_name: Annotated[
        str | None, typer.Option("--policy", metavar="POLICY", help="a second policy, by name or path")
    ] = None,
    beside: Annotated[
        Path | None, typer.Option("--beside", metavar="RUN", help="another model's run of the same region and day")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="where DIR/shadow goes; default RUN")] = None,
) -> None:
    """Hold a challenger beside a run: what it would have decided, by segment; it writes shadow results alone."""
    from acreline.errors import ConfigError
    from acreline.review.shadow import challenge_lines, challenge_policy, challenge_run, root_of, write_challenge
    from acreline.store import open_publication

    if (policy_name is None) == (beside is None):
        raise ConfigError("a challenger is one policy or one other run", hint="--policy POLICY, or --beside RUN")
    publication = open_publication(run)
    root = out or root_of(publication)
    if beside is not None:
        found = challenge_run(publication, open_publication(beside))
    else:
        assert policy_name is not None
        found = challenge_policy(publication, policy_name)
    typer.echo("\n".join(challenge_lines(found)))
    _written(write_challenge(found, root))


@app.command()
def stress(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="OUT folders of runs, one of each region")],
    event: Annotated[Path | None, typer.Option("--event", metavar="FILE", help="outline of struck ground")] = None,
    damage: Annotated[float, typer.Option("--damage", help="share of the harvest lost on it")] = 0.4,
    name: Annotated[
        str | None, typer.Option("--name", help="what struck: flood, frost ...; default the file's")
    ] = None,
    unseen: Annotated[bool, typer.Option("--unseen", help="no farm says what struck it, only harvests fall")] = False,
    price: Annotated[
        list[str] | None, typer.Option("--price", metavar="CROP=SHARE", help="maize=-0.2, or -0.2 for every crop")
    ] = None,
    yields: Annotated[
        list[str] | None, typer.Option("--yield", metavar="[CROP=]SHARE", help="-0.3, or maize=-0.3")
    ] = None,
    policy_name: Annotated[
        str | None, typer.Option("--policy", metavar="POLICY", help="instead of the one the run was decided by")
    ] = None,
    out: OutDir = None,
) -> None:
    """Draw a flood, a price fall or a bad year into the facts and decide again: money at stake, before and after."""
    from acreline.review.book import read_book
    from acreline.review.files import write_review
    from acreline.review.stress import Shocks, stress_book, stress_figures, stress_lines, stress_page
    from acreline.store import open_publication

    shocks = Shocks(event, damage, name, unseen, tuple(price or ()), tuple(yields or ()))
    found = stress_book(read_book([open_publication(run) for run in runs]), shocks, policy_name)
    typer.echo("\n".join(stress_lines(found)))
    if out is not None:
        tables = {"stress-crops": found.crops, "stress-groups": found.comparison.groups,
                  "stress-farms": found.comparison.farms}  # fmt: skip
        _written(write_review(out, "stress", tables, stress_figures(found), stress_page(found)))


@app.command()
def papers(
    out: OutDir = None,
    check: Annotated[bool, typer.Option("--check", help="only say what is missing or empty")] = False,
    inventory: Annotated[
        Path | None, typer.Option("--inventory", metavar="FILE", help="your own, in place of configs/inventory.yaml")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="released ones; default all that come along")
    ] = None,
    policies: Annotated[
        list[str] | None, typer.Option("--policy", metavar="POLICY", help="released ones; default all that come along")
    ] = None,
) -> None:
    """Write the papers of a release: inventory, a card per model and policy, impact assessment, measures of oversight.

    A release whose papers are not whole is refused with exit code 2.
    """
    from acreline.errors import ConfigError
    from acreline.review.inventory import find_shipped, read_inventory
    from acreline.review.papers import make_papers, write_papers

    if check == (out is not None):
        raise ConfigError("papers are written or checked", hint="--out DIR, or --check")
    made = make_papers(find_shipped(models or (), policies or ()), read_inventory(inventory))
    for fault in made.faults:
        typer.echo(fault)
    if out is not None:
        _written(write_papers(made, out))
    if made.faults:
        raise ConfigError(
            f"release refused: {len(made.faults)} faults in its papers", hint="fill them in configs/inventory.yaml"
        )
    typer.echo(f"{len(made.papers)} papers, none missing, no section empty")


@app.command()
def backtest(
    region: RegionFile,
    seasons: Annotated[str, typer.Option("--seasons", metavar="YEARS", help="harvest years: 2016,2017,2018")],
    outcomes: Annotated[Path, typer.Option("--outcomes", metavar="FILE", help=OUTCOMES)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="where runs, tables and the page go")],
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="MM-DD", help="day of the decision in each; default its last day")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="KIND", help="a kind of leak that is told and let pass; may be repeated"),
    ] = None,
) -> None:
    """Decide past seasons as they were known then, look for leaks, and hold the limits beside how it ended.

    A leak that is not allowed by name leaves the report and ends with exit code 2.
    """
    from acreline.config import read_region
    from acreline.errors import ConfigError
    from acreline.logs import configure_logs, progress_bar
    from acreline.review.backtest import backtest_figures, backtest_lines, backtest_page, leak_table, run_backtest
    from acreline.review.files import write_review

    try:
        years = [int(year) for year in seasons.split(",")]
    except ValueError as error:
        raise ConfigError(f"--seasons: {seasons!r} are no years", hint="write them as 2016,2017,2018") from error
    shown = sys.stderr.isatty()
    configure_logs(plain=not shown)
    with progress_bar(shown=shown) as told, stop_on_term(told) as step:
        test = run_backtest(
            read_region(region), years, outcomes, out, as_of=as_of, allowed=allow or (), progress=step
        )  # fmt: skip
    typer.echo("\n".join(backtest_lines(test)))
    tables = {"backtest": test.table, "backtest-leaks": leak_table(test)}
    _written(write_review(out, "backtest", tables, backtest_figures(test), backtest_page(test)))
    if not test.as_known_then:
        raise ConfigError(
            "not as known then: the decisions rest on what their day could not have known",
            hint="mend the inputs; or --allow a kind that does no harm here, and say so where the figures are shown",
        )


@app.command()
def vintage(
    outcomes: Annotated[Path, typer.Option("--outcomes", metavar="FILE", help="repayment history, a row a month")],
    runs: Annotated[
        list[Path] | None, typer.Option("--run", metavar="RUN", help="run whose policy decided; may be repeated")
    ] = None,
    by: Annotated[str, typer.Option("--by", help="quarter or year of granting, or season (a column)")] = "quarter",
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="MONTH", help="rows until YYYY-MM count")] = None,
    out: OutDir = None,
) -> None:
    """Draw vintage curves from a repayment history: share of loans and of money ever 30, 60, 90 days past due.

    Months that not every loan of a vintage has reached are left blank.
    """
    from acreline.review.files import write_review
    from acreline.review.vintage import measure_vintages, vintage_figures
    from acreline.review.vintage_page import vintage_lines, vintage_page
    from acreline.store import open_publication

    found = measure_vintages(outcomes, [open_publication(run) for run in runs or ()], by=by, as_of=as_of)
    typer.echo("\n".join(vintage_lines(found)))
    if out is not None:
        _written(write_review(out, "vintage", {"vintage": found.table}, vintage_figures(found), vintage_page(found)))
