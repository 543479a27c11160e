# SPDX-License-Identifier: Apache-2.0
"""A real STAC API for tests: stac-fastapi-pgstac on a PostgreSQL cluster of its own, on loopback, gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).parents[2]
API = REPO / ".venv-stac" / "bin"
QUERYABLES = {
    "properties": {"eo:cloud_cover": {"type": "number", "minimum": 0, "maximum": 100, "title": "Cloud cover"}}
}


def postgres_bin() -> Path | None:
    """The folder of the newest PostgreSQL server that has PostGIS, or None."""
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    for initdb in servers:
        version = initdb.parts[-3]
        if Path(f"/usr/share/postgresql/{version}/extension/postgis.control").exists():
            return initdb.parent
    return None


def missing() -> str | None:
    """Why the server cannot be started here, or None."""
    if postgres_bin() is None:
        return "PostgreSQL with PostGIS is not installed (Debian: postgresql postgresql-15-postgis-3)"
    if not (API / "pypgstac").exists():
        return "the STAC API's own environment is not there (make services)"
    return None


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def stac_api(collections: Sequence[dict[str, Any]], items: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Start the server, load collections and items, yield its address, stop it."""
    folder = Path(tempfile.mkdtemp(prefix="acreline-pg-"))
    bin_folder = postgres_bin()
    assert bin_folder is not None
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_postgres:
        shutil.chown(folder, "postgres")
        folder.chmod(0o755)
    port, api_port = free_port(), free_port()

    def postgres(*command: str) -> None:
        subprocess.run([*as_postgres, *command], check=True, capture_output=True, cwd=folder, timeout=120)

    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    environment = {
        **os.environ,
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": "postgres",
        "PGDATABASE": "pgstac",
        "PGPASSWORD": "unused",
        "PATH": f"{API}:{bin_folder}:{os.environ['PATH']}",
    }

    def load(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=environment, timeout=120)

    server: subprocess.Popen[bytes] | None = None
    started = False
    try:
        postgres(str(bin_folder / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "postgres")
        postgres(
            str(bin_folder / "pg_ctl"), "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start"
        )
        started = True
        (folder / "queryables.json").write_text(json.dumps(QUERYABLES))
        (folder / "collections.ndjson").write_text("\n".join(json.dumps(entry) for entry in collections))
        (folder / "items.ndjson").write_text("\n".join(json.dumps(entry) for entry in items))
        load("createdb", "pgstac")
        load("pypgstac", "migrate")
        load("pypgstac", "load_queryables", "queryables.json", "--index_fields", '["eo:cloud_cover"]')
        load("pypgstac", "load", "collections", "collections.ndjson", "--method", "upsert")
        load("pypgstac", "load", "items", "items.ndjson", "--method", "upsert")
        command = [API / "uvicorn", "--factory", "stac_fastapi.pgstac.app:create_app", "--host", "127.0.0.1"]
        server = subprocess.Popen(
            [*command, "--port", str(api_port), "--log-level", "warning"],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = f"http://127.0.0.1:{api_port}"
        _wait(f"{address}/_mgmt/ping", server)
        yield address
    finally:
        if server is not None:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
        if started:
            postgres(str(bin_folder / "pg_ctl"), "-D", f"{folder}/data", "-m", "fast", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(120):
        assert server.poll() is None, "the STAC API ended at once"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError("the STAC API did not answer within a minute")
