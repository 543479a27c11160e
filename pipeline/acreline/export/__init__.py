# SPDX-License-Identifier: Apache-2.0
"""A publication out to where a bank keeps its tables and maps: one file per kind, found by its name.

A kind is a module of this folder with `TITLE` (a line for `acreline list exports`), `PLACE` (what it writes: `file`,
`folder` or `database`), `ENDING` (of the file; empty where any will do), `PERSONS` (whether it can carry the bank's
pseudonym of the person) and `write(source, wanted) -> lines`. What it needs beyond the core it loads when it writes.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acreline.errors import ConfigError

if TYPE_CHECKING:
    from acreline.export._source import Source


@dataclass(frozen=True)
class Wanted:
    """Where an export goes, and what may leave."""

    out: Path | None = None
    """File or folder to write; None for a database."""
    dsn: str | None = field(default=None, repr=False)
    """How a database is reached: a connection string of libpq or a `postgresql://` address. It may hold a password."""
    replace: bool = False
    """Put it in the place of an earlier export."""
    persons: bool = False
    """Let the bank's pseudonym of the person leave with each farm."""
    base_url: str | None = None
    """Address at which a folder will be published: its links become absolute."""


def list_exports() -> list[str]:
    """Names of the kinds of export there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find_export(kind: str) -> Any:
    """The module of one kind.

    Raises:
        ConfigError: no such kind; the hint names the nearest.
    """
    known = list_exports()
    if kind not in known:
        close = difflib.get_close_matches(kind, known, n=1, cutoff=0.5)
        nearest = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"--to: {kind!r} is no kind of export", hint=f"{nearest}known: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{kind}")


def export_run(run: Path, kind: str, wanted: Wanted) -> list[str]:
    """Write a publication as one kind of export.

    Args:
        run: OUT folder of a run, or one publication.
        kind: one of `list_exports()`.
        wanted: where to, and what may leave. Farms and parcels leave by the ids the bank gave them; who a person is
            stays, unless `persons` is set.

    Returns:
        what was written, in words with counts; no id of a farm or person, no secret.

    Raises:
        ConfigError: no such kind, an option that does not fit it, a place that is taken, or an extra that is missing.
        StoreError: not a run, a publication that was edited since, or a place that cannot be written.
        InputError: farm ids that say who somebody is.
        SourceError: a database that cannot be reached or does not allow it.
    """
    from acreline.export._source import open_source

    exporter = find_export(kind)
    _check_wanted(kind, exporter, wanted)
    source: Source = open_source(run, persons=wanted.persons)
    lines: list[str] = exporter.write(source, wanted)
    return [*(["on simulated data"] if source.simulated else []), *lines]


def _check_wanted(kind: str, exporter: Any, wanted: Wanted) -> None:
    """Refuse what does not fit the kind before anything is read."""
    database = exporter.PLACE == "database"
    if database and wanted.out is not None:
        raise ConfigError(f"--to {kind} writes to a database, not to --out", hint="name the database with --dsn")
    if not database and wanted.dsn:
        raise ConfigError(f"--to {kind} writes a {exporter.PLACE}, not to --dsn", hint="name the place with --out")
    if not database and wanted.out is None:
        raise ConfigError(f"--to {kind} needs a {exporter.PLACE}", hint="name it with --out")
    if exporter.ENDING and wanted.out is not None and wanted.out.suffix.lower() != exporter.ENDING:
        raise ConfigError(f"--out: {wanted.out.name} is no {exporter.ENDING} file", hint=f"end it in {exporter.ENDING}")
    if wanted.persons and not exporter.PERSONS:
        raise ConfigError(f"--to {kind} carries no persons", hint="leave --with-persons out")
    if wanted.base_url and exporter.PLACE != "folder":
        raise ConfigError(f"--to {kind} has no links: --base-url says nothing", hint="leave --base-url out")
