# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL with PostGIS of its own for tests: on loopback, on a free port, with passwords, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services.stac_server import free_port, postgres_bin

SECRET = "S3cr-et pass'word"
"""Of every role: with signs that a connection string must quote."""


@dataclass(frozen=True)
class Server:
    """Where it listens."""

    port: int

    def dsn(self, database: str, user: str = "postgres") -> str:
        """A connection string with the password in it."""
        quoted = SECRET.replace("'", "\\'")
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user} password='{quoted}'"


def missing() -> str | None:
    """Why the server cannot be started here, or None."""
    if postgres_bin() is None:
        return "PostgreSQL with PostGIS is not installed (Debian: postgresql postgresql-15-postgis-3)"
    return None


@contextlib.contextmanager
def postgres() -> Iterator[Server]:
    """Start a server that asks everybody for a password; stop it and take its files away at the end."""
    bin_folder = postgres_bin()
    assert bin_folder is not None
    folder = Path(tempfile.mkdtemp(prefix="acreline-pg-"))
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    (folder / "password").write_text(SECRET, encoding="utf-8")
    if as_postgres:  # the server refuses to run as root
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
        folder.chmod(0o755)
    port = free_port()

    def call(*command: str) -> None:
        subprocess.run([*as_postgres, *command], check=True, capture_output=True, cwd=folder, timeout=120)

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    data, control = ["-D", f"{folder}/data"], str(bin_folder / "pg_ctl")
    auth = ["-A", "scram-sha-256", "-U", "postgres", f"--pwfile={folder}/password", "-E", "UTF8", "--no-sync"]
    started = False
    try:
        call(str(bin_folder / "initdb"), *data, *auth)
        call(control, *data, "-w", "-l", f"{folder}/log", "-o", options, "start")
        started = True
        yield Server(port)
    finally:
        if started:
            call(control, *data, "-m", "fast", "stop")
        shutil.rmtree(folder, ignore_errors=True)
