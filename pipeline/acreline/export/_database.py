# SPDX-License-Identifier: Apache-2.0
"""A connection to a bank's PostgreSQL whose password is never told: not in a message, a hint or a traceback."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from acreline.errors import AcrelineError, ConfigError, SourceError

WAIT_S = 10
"""Seconds to wait for the server's answer, where the connection string says nothing."""
_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s/?#@:,\[\]]*)(?::[0-9]+)?"
_ADDRESS = re.compile(rf"postgres(?:ql)?://(?:[^\s/?#@]*@)?{_HOST}(?:,{_HOST})*(?:/[^?#@]*)?(?:\?[^#@]*)?")
"""An address in which no sign of a password can be taken for a host, a port or a name: those of it stand as %40."""
NAMES_A_DATABASE = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")


@contextlib.contextmanager
def connected(dsn: str | None) -> Iterator[tuple[Any, str]]:
    """One transaction: committed when the block ends well, else nothing of it stays.

    Args:
        dsn: connection string of libpq or a `postgresql://` address; None: libpq's variables (PGHOST ...).

    Yields:
        the connection of psycopg, and the database in words without the password.

    Raises:
        ConfigError: psycopg is not installed; no database is named; the string cannot be understood.
        SourceError: the server cannot be reached, refuses, or fails on the way.
    """
    psycopg = _load()
    settings = _settings(psycopg, dsn)
    where = _words(settings)
    secrets = [str(one) for one in (settings.get("password"), os.environ.get("PGPASSWORD"), dsn) if one]
    trouble: AcrelineError | None = None
    try:
        with psycopg.connect(**settings) as connection:
            yield connection, where
    except psycopg.Error as error:
        trouble = _told(error, where, secrets)
    if trouble is not None:  # out of the except block, so that no traceback leads back to the server's own words
        raise trouble


def _load() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError(
            "--to postgis needs psycopg, which is not installed", hint="pip install 'acreline[postgis]'"
        ) from error
    return psycopg


def _settings(psycopg: Any, dsn: str | None) -> dict[str, Any]:
    if not dsn and not any(os.environ.get(name) for name in NAMES_A_DATABASE):
        raise ConfigError("--to postgis needs a database", hint="name it with --dsn, ACRELINE_DSN or PGHOST")
    settings: dict[str, Any] | None = None
    if "://" not in (dsn or "") or _ADDRESS.fullmatch(dsn or ""):
        with contextlib.suppress(psycopg.Error):
            settings = psycopg.conninfo.conninfo_to_dict(dsn or "")
    if settings is None:
        raise ConfigError(
            "--dsn cannot be understood (it is not shown: a password may stand in it)",
            hint="write host=... dbname=... user=..., or postgresql://user@host/db with signs of the password as %40; "
            "better: put the password into ~/.pgpass or PGPASSWORD",
        )
    return {"connect_timeout": WAIT_S, "application_name": "acreline", **settings}


def _words(settings: Mapping[str, Any]) -> str:
    """Host, port and name of a database: nothing else of a connection string is told."""
    host = settings.get("host") or settings.get("hostaddr") or os.environ.get("PGHOST") or "local"
    port = settings.get("port") or os.environ.get("PGPORT") or "5432"
    name = settings.get("dbname") or os.environ.get("PGDATABASE") or settings.get("service") or "default"
    return f"{host}:{port}/{name}"


def _told(error: Any, where: str, secrets: list[str]) -> AcrelineError:
    """An error of the server in our words: its message without the detail, in which a row may stand."""
    words = error.diag.message_primary or " ".join(str(error).split())
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, "...")
    reached = error.sqlstate is not None and not error.sqlstate.startswith(("08", "28", "57", "3D"))
    if error.sqlstate == "42501":
        return SourceError(
            f"database {where}: not allowed: {words}; nothing was written",
            hint="ask who runs the database for the right, or give another user",
            retryable=False,
        )
    if reached:
        return SourceError(
            f"database {where}: {type(error).__name__}: {words}; nothing was written",
            hint="nothing of this export stands in the database; mend it and run again",
            retryable=False,
        )
    return SourceError(f"database {where}: cannot be reached: {words}", hint="check host, port, user and password")
