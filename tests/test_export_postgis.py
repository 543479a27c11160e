# SPDX-License-Identifier: Apache-2.0
"""What goes wrong before a database answers, and that no message, hint, traceback or record shows a password."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

from acreline.errors import AcrelineError, ConfigError, SourceError
from acreline.export import Wanted, export_run
from acreline.export._database import NAMES_A_DATABASE
from tests.made_export import publish_made
from tests.services.stac_server import free_port

SECRET = "Tr0ub4dor"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_made(tmp_path_factory.mktemp("export") / "out")


@pytest.fixture(autouse=True)
def _no_database_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES_A_DATABASE, "PGPASSWORD", "PGPORT"):
        monkeypatch.delenv(name, raising=False)


def everything(error: AcrelineError) -> str:
    """All that a log, a crash report or a debugger's traceback could print of an error."""
    return "".join(traceback.format_exception(error)) + error.message + error.hint + repr(error.context) + repr(error)


def test_without_psycopg_the_extra_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match="needs psycopg, which is not installed") as caught:
        export_run(run, "postgis", Wanted(dsn="dbname=x"))
    assert "acreline[postgis]" in caught.value.hint


def test_a_database_must_be_named(run: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ConfigError, match="--to postgis needs a database"):
        export_run(run, "postgis", Wanted())
    with pytest.raises(ConfigError, match="--to postgis writes to a database, not to --out"):
        export_run(run, "postgis", Wanted(out=Path("x")))


@pytest.mark.parametrize(
    "dsn",
    [
        f"host=127.0.0.1 password=my {SECRET} dbname=x",
        f"postgresql://me:{SECRET}/x@127.0.0.1/x",
        f"postgresql://me:{SECRET}?x@127.0.0.1/x",
        f"postgresql://me:my@{SECRET}@127.0.0.1/x",
        f"postgresql://me:my#{SECRET}@127.0.0.1/x",
        "postgresql://me:1234/Tr0ub4dor@127.0.0.1/x",
        f"host=127.0.0.1 password='{SECRET}",
    ],
)
def test_a_string_that_cannot_be_understood_is_not_shown(run: Path, dsn: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ConfigError, match="--dsn cannot be understood") as caught:
        export_run(run, "postgis", Wanted(dsn=dsn))
    assert SECRET not in everything(caught.value)


@pytest.mark.parametrize(
    "shape", ["host=127.0.0.1 port={} user=me dbname=x password={}", "postgresql://me:{1}@127.0.0.1:{0}/x"]
)
def test_a_server_that_does_not_answer_is_named_without_the_password(run: Path, shape: str) -> None:
    pytest.importorskip("psycopg")
    port = free_port()
    with pytest.raises(SourceError, match=rf"database 127\.0\.0\.1:{port}/x: cannot be reached: ") as caught:
        export_run(run, "postgis", Wanted(dsn=shape.format(port, SECRET)))
    assert SECRET not in everything(caught.value)
    assert caught.value.retryable
    assert caught.value.__context__ is None  # nothing of the library's own error hangs on it


def test_what_is_wanted_can_be_printed(run: Path) -> None:
    assert SECRET not in repr(Wanted(dsn=f"password={SECRET}"))
