# SPDX-License-Identifier: Apache-2.0
"""What every command shares: the app, words of options, the way out. Heavy libraries load inside the commands."""

from __future__ import annotations

import sys
import traceback
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from acreline.errors import EXIT_BUG, EXIT_INCOMPLETE, AcrelineError, ConfigError, SeveralErrors

USAGE: Any = typer.BadParameter.__mro__[1]
"""typer's error for a call that is not understood; it has no public name."""


GROUPS: dict[str, tuple[str, ...]] = {
    "Run a region": ("demo", "init", "check", "search", "run", "list"),
    "Every night": ("status", "morning", "backfill", "prune"),
    "Look at a run": ("report", "explain", "watch", "exposure"),
    "Decide": ("credit", "override", "confirm", "ask", "visit", "answer", "asks"),
    "For the farmer": ("letter", "appeal", "person"),
    "Risk and proof": (
        "policy", "shadow", "stress", "backtest", "drift", "segments", "concentration", "proxies", "papers",
        "overrides", "vintage", "verify", "replay",
    ),
    "For analysts": ("area", "normals", "curve", "export", "simulate", "train", "evaluate"),
}  # fmt: skip
"""Commands by who uses them, in the order of `acreline --help`; a new one gets its place here."""
UNPLACED = "Others"
LONGEST_HELP = 200
"""Letters of a command's first sentence that `acreline --help` shows, over as many lines as it takes."""


class Stopped(Exception):  # noqa: N818 - the user, or cron, asked for it
    """Ctrl-C or SIGTERM on its way past typer, which has an exit code of its own for it; its text says what is left."""


class Commands(TyperGroup):
    """The commands; an interruption of any of them reaches `main`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands of `--help`, by who uses them."""
        placed = {name for names in GROUPS.values() for name in names}
        others = tuple(name for name in self.list_commands(ctx) if name not in placed)
        for title, names in {**GROUPS, UNPLACED: others}.items():
            known = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, one.get_short_help_str(LONGEST_HELP)) for name, one in known if one is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=12)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Stopped from error
        except USAGE as error:  # it repeats what was typed: a connection string out of its place has a password in it
            from acreline.logs import redact

            error.message = redact(error.message)
            raise


app = typer.Typer(
    cls=Commands,
    help="Satellite scenes in, a farm's credit line out: each step open, measured and replayable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 our bug, 2 configuration or usage, 3 input file refused, 4 source unavailable (run "
    "again), 5 some blocks were not measured (run again), 6 storage, 7 another run holds the region, 8 not published, "
    "9 (with --scheduled, and of status) done, and no new scene for longer than the region's fresh_within_days.",
)

RegionFile = Annotated[Path, typer.Argument(metavar="REGION", help="region file (YAML)")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="OUT folder of a run, or a publication in it")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="decide as if on this day (YYYY-MM-DD)")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="run folder; default runs/<region name>")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="processes that measure blocks")]
Scheduler = Annotated[str | None, typer.Option("--scheduler", metavar="ADDRESS", help="a Dask scheduler, instead")]
Scheduled = Annotated[bool, typer.Option("--scheduled", help="under cron: plain log lines, no progress bar, no table")]
Lang = Annotated[str, typer.Option("--lang", help="en or zh")]


@app.callback()
def options(
    context: typer.Context,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="show tracebacks and debug lines")] = False,
) -> None:
    """Options of every command."""
    context.obj = {"verbose": verbose}


def day_of(text: str | None, option: str = "--as-of") -> date | None:
    """The day that an option names; None where it was left out.

    Raises:
        ConfigError: it is no date.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {text!r} is not a date", hint="write it as 2018-12-15") from error


def main() -> None:
    """Entry point: errors become a message, a hint and an exit code; a traceback only with -v."""
    verbose = any(argument in ("-v", "--verbose") for argument in sys.argv[1:])
    try:
        app(prog_name="acreline")
    except AcrelineError as error:
        for one in error.errors if isinstance(error, SeveralErrors) else (error,):
            _complain(one, one.message, one.hint, verbose=verbose)
        sys.exit(error.exit_code)
    except (Stopped, KeyboardInterrupt) as error:
        typer.echo(str(error) or "stopped; what is done is kept: run the same command again to go on", err=True)
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
