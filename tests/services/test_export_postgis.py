# SPDX-License-Identifier: Apache-2.0
"""A run in a real PostgreSQL with PostGIS: the same run changes nothing, a newer one is current, reports only read."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import shapely

from acreline.errors import ConfigError, SourceError
from acreline.export import Wanted, export_run
from acreline.report.read import read_manifest
from tests.made_export import DROP, FORMULA, PERSON, publish_made, rename
from tests.services import postgres
from tests.services.postgres import SECRET, Server

if os.environ.get("ACRELINE_REQUIRE_SERVICES") == "1":
    import psycopg
else:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (extra `postgis`)")
pytestmark = [pytest.mark.service, pytest.mark.xdist_group("postgis")]
NUMBER = itertools.count()
LAYERS = ("farms", "parcels", "stands", "events")
QUOTED = 'O\'Brien "county"; --'


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    reason = postgres.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres.postgres() as started:
        yield started


@pytest.fixture
def bank(server: Server) -> Iterator[str]:
    """An empty database of its own; the roles of a cluster are everybody's."""
    name = f"bank{next(NUMBER)}"
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as base:
        base.execute(f"CREATE DATABASE {name}")
        base.execute("DROP ROLE IF EXISTS acreline_reader")
    yield server.dsn(name)
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as base:
        base.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish_made(tmp_path_factory.mktemp("postgis") / "out")


def later(root: Path, days: int, region: str = "made-square") -> Path:
    """The made run, decided some days later, with one farm declined more."""

    def change(folder: Path, manifest: dict[str, Any]) -> None:
        manifest["as_of"] = (date.fromisoformat(manifest["as_of"]) + timedelta(days)).isoformat()
        manifest["region"] = region
        rename(folder, "decisions", "outcome", "approve", "decline")

    return publish_made(root, change)


def put(run: Path, dsn: str, *, persons: bool = False) -> list[str]:
    return export_run(run, "postgis", Wanted(dsn=dsn, persons=persons))


def ask(dsn: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as base:
        found: list[tuple[Any, ...]] = base.execute(statement, values).fetchall()
        return found


def stored(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table with the transaction that wrote it last."""
    tables = (*LAYERS, "runs", "current_runs")
    return {name: sorted(ask(dsn, f"SELECT xmin::text, t::text FROM acreline.{name} t")) for name in tables}


def decided(run: Path) -> dict[str, tuple[str, Decimal | None]]:
    rows = pq.read_table((run / "latest").resolve() / "decisions.parquet").to_pylist()
    return {row["farm_id"]: (row["outcome"], row["limit"]) for row in rows}


def test_rows_money_days_and_outlines_are_those_of_the_publication(run: Path, bank: str) -> None:
    lines = put(run, bank)
    assert "13 farms, 21 parcels, 19 stands, 3 events; 57 rows written or changed" in lines[0]
    farms = ask(bank, "SELECT farm_id, outcome, credit_limit FROM acreline_reporting.farms")
    assert {name: (outcome, limit) for name, outcome, limit in farms} == decided(run)
    assert all(isinstance(limit, Decimal) for _, _, limit in farms if limit is not None)  # cents stay cents
    publication = (run / "latest").resolve()
    drawn = {
        row["id"]: shapely.from_wkb(row["geometry"])
        for row in pq.read_table(publication / "parcels.parquet").to_pylist()
        if row["status"] == "ok"
    }
    found = ask(
        bank,
        "SELECT parcel_id, ST_AsBinary(geometry), ST_SRID(geometry) FROM acreline_reporting.parcels WHERE status='ok'",
    )
    assert {name for name, _, _ in found} == set(drawn)
    for name, wkb, srid in found:
        assert shapely.from_wkb(bytes(wkb)).equals(drawn[name])
        assert srid == 4326
    assert ask(bank, "SELECT count(*) FROM acreline.parcels WHERE geometry IS NULL") == [(1,)]
    days = ask(bank, "SELECT DISTINCT event, first_seen, last_seen, confirmed FROM acreline_reporting.events")
    assert days == [("drought", date(2018, 6, 20), date(2018, 7, 25), False)]
    [told] = ask(bank, "SELECT as_of, simulated, notices FROM acreline_reporting.runs")
    assert told[:2] == (date(2018, 12, 15), False)
    assert "health: not validated" in told[2]


def test_the_same_run_again_changes_nothing(run: Path, bank: str) -> None:
    put(run, bank)
    before = stored(bank)
    lines = put(run, bank)
    assert "; 0 rows written or changed" in lines[0]
    assert "this run is the region's current one" in lines[-1]
    assert stored(bank) == before  # the very rows, not written anew


def test_rows_that_were_edited_come_back(run: Path, bank: str) -> None:
    put(run, bank)
    rows = {name: [text for _, text in held] for name, held in stored(bank).items()}
    with psycopg.connect(bank) as base:
        base.execute("UPDATE acreline.farms SET credit_limit = 1000000 WHERE farm_id = 'F-004'")
        base.execute("DELETE FROM acreline.stands WHERE row_number = 3")
        base.execute(
            "INSERT INTO acreline.events (region, publication_id, row_number) "
            "SELECT region, publication_id, 99 FROM acreline.runs"
        )
    assert "; 3 rows written or changed" in put(run, bank)[0]
    assert {name: sorted(text for _, text in held) for name, held in stored(bank).items()} == {
        name: sorted(held) for name, held in rows.items()
    }


def test_a_newer_run_is_current_and_the_old_rows_stay(run: Path, bank: str, tmp_path: Path) -> None:
    newer = later(tmp_path / "newer", 5)
    put(run, bank)
    old = stored(bank)
    put(newer, bank)
    farms = ask(bank, "SELECT farm_id, outcome, credit_limit FROM acreline_reporting.farms")
    assert {name: (outcome, limit) for name, outcome, limit in farms} == decided(newer) != decided(run)
    assert ask(bank, "SELECT count(*) FROM acreline.farms") == [(26,)]
    for name in LAYERS:
        assert set(old[name]) <= set(stored(bank)[name])
    assert ask(bank, "SELECT as_of, current FROM acreline_reporting.runs ORDER BY as_of") == [
        (date(2018, 12, 15), False),
        (date(2018, 12, 20), True),
    ]
    name = read_manifest((newer / "latest").resolve())["publication_id"]
    assert f"current stays {name}" in put(run, bank)[-1]  # the older one, exported late, does not take its place
    assert {row[0] for row in ask(bank, "SELECT DISTINCT publication_id FROM acreline_reporting.farms")} == {name}


def test_a_run_is_taken_out_in_one_line(run: Path, bank: str, tmp_path: Path) -> None:
    """As a person's data must be, when its term is over: the rows of every table go with the run."""
    newer = later(tmp_path / "newer", 5)
    put(run, bank)
    put(newer, bank)
    with psycopg.connect(bank) as base:
        base.execute("DELETE FROM acreline.runs WHERE publication_id = %s", ((run / "latest").resolve().name,))
    for name in LAYERS:
        [(one,)] = ask(bank, f"SELECT DISTINCT publication_id FROM acreline.{name}")
        assert one == (newer / "latest").resolve().name


def test_of_one_day_the_last_is_current_and_regions_stand_side_by_side(run: Path, bank: str, tmp_path: Path) -> None:
    same_day, elsewhere = later(tmp_path / "same", 0), later(tmp_path / "other", -40, region=QUOTED)
    for one in (run, same_day, run, elsewhere):
        put(one, bank)
    current = dict(ask(bank, "SELECT DISTINCT region, publication_id FROM acreline_reporting.farms"))
    assert current == {
        "made-square": (run / "latest").resolve().name,
        QUOTED: (elsewhere / "latest").resolve().name,
    }


def test_two_exports_at_once_take_turns(run: Path, bank: str, tmp_path: Path) -> None:
    """Both find an empty database and want to make everything."""
    elsewhere = later(tmp_path / "other", 0, region=QUOTED)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: put(one, bank), (run, elsewhere)))
    assert sorted(len(lines) for lines in done) == [2, 3]  # one made the tables, the other found them
    assert ask(bank, "SELECT count(DISTINCT region), count(*) FROM acreline_reporting.farms") == [(2, 26)]


def test_hostile_ids_are_text(run: Path, bank: str) -> None:
    put(run, bank)
    assert ask(bank, "SELECT count(*) FROM acreline.parcels WHERE parcel_id = %s", DROP) == [(1,)]
    assert ask(bank, "SELECT count(*) FROM acreline.events WHERE parcel_id = %s", DROP) == [(1,)]
    assert ask(bank, "SELECT count(*) FROM acreline.farms WHERE farm_id = %s", FORMULA) == [(1,)]


def test_functions_of_others_are_not_called(run: Path, bank: str) -> None:
    """Somebody who may write to `public` could lay a trap there under a name that the export uses."""
    with psycopg.connect(bank) as base:
        base.execute("CREATE EXTENSION postgis")
        base.execute("CREATE TABLE public.trap (what text)")
        base.execute(
            "CREATE FUNCTION public.pg_advisory_xact_lock(integer) RETURNS void LANGUAGE sql AS "
            "$$ INSERT INTO public.trap VALUES ('called') $$"
        )
        base.execute("ALTER ROLE postgres SET search_path TO public, pg_catalog")
    try:
        put(run, bank)
        assert ask(bank, "SELECT count(*) FROM public.trap") == [(0,)]
    finally:
        with psycopg.connect(bank) as base:
            base.execute("ALTER ROLE postgres RESET search_path")


def test_the_person_stays_unless_asked_for_and_is_never_in_a_view(run: Path, bank: str) -> None:
    put(run, bank)
    assert ask(bank, "SELECT count(*) FROM acreline.farms WHERE person_id IS NOT NULL") == [(0,)]
    put(run, bank, persons=True)
    assert ask(bank, "SELECT farm_id, person_id FROM acreline.farms WHERE person_id IS NOT NULL") == [("F-005", PERSON)]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'acreline_reporting'"
    shown = {name for (name,) in ask(bank, columns)}
    assert {"farm_id", "credit_limit", "geometry"} <= shown
    assert "person_id" not in shown
    put(run, bank)  # asked without: taken out again
    assert ask(bank, "SELECT count(*) FROM acreline.farms WHERE person_id IS NOT NULL") == [(0,)]


def test_a_reporter_reads_the_views_and_can_do_nothing_else(run: Path, bank: str, server: Server) -> None:
    put(run, bank)
    with psycopg.connect(bank) as base:
        base.execute("DROP ROLE IF EXISTS rita")
        base.execute(psycopg.sql.SQL("CREATE ROLE rita LOGIN PASSWORD {} IN ROLE acreline_reader").format(SECRET))
    try:
        with psycopg.connect(bank, user="rita", autocommit=True) as rita:
            for name in (*LAYERS, "runs"):
                [(count,)] = rita.execute(f"SELECT count(*) FROM acreline_reporting.{name}").fetchall()
                assert count > 0
            for statement in (
                "UPDATE acreline_reporting.farms SET credit_limit = 1",
                "DELETE FROM acreline_reporting.farms",
                "INSERT INTO acreline_reporting.farms (farm_id) VALUES ('x')",
                "TRUNCATE acreline.farms",
                "SELECT person_id FROM acreline.farms",
                "UPDATE acreline.current_runs SET publication_id = 'x'",
                "CREATE TABLE acreline_reporting.mine (x int)",
                "CREATE TABLE acreline.mine (x int)",
                "DROP VIEW acreline_reporting.farms",
            ):
                with pytest.raises(psycopg.Error) as caught:
                    rita.execute(statement)
                assert caught.value.sqlstate in ("42501", "55000"), (
                    statement
                )  # not allowed, or a view that is read only
    finally:
        with psycopg.connect(bank) as base:
            base.execute("DROP ROLE rita")
    with psycopg.connect(bank, autocommit=True) as owner, pytest.raises(psycopg.Error, match="cannot update view"):
        owner.execute("UPDATE acreline_reporting.farms SET credit_limit = 1")  # not even who made it


def test_a_failure_half_way_leaves_nothing(run: Path, bank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from acreline.export import postgis

    whole = postgis._write_layer

    def fail(cursor: Any, schema: str, layer: Any, source: Any) -> int:
        if layer.name == "events":
            cursor.execute("SELECT 1/0")
        return whole(cursor, schema, layer, source)

    monkeypatch.setattr(postgis, "_write_layer", fail)
    with pytest.raises(SourceError, match="DivisionByZero: division by zero; nothing was written") as caught:
        put(run, bank)
    assert not caught.value.retryable
    assert ask(bank, "SELECT to_regnamespace('acreline')::text") == [(None,)]


def test_a_user_who_may_not_is_told_what_to_ask_for(run: Path, bank: str) -> None:
    with psycopg.connect(bank, autocommit=True) as base:
        base.execute(psycopg.sql.SQL("CREATE ROLE bob LOGIN PASSWORD {}").format(SECRET))
        try:
            as_bob = psycopg.conninfo.make_conninfo(bank, user="bob")
            with pytest.raises(ConfigError, match="has no PostGIS, and it could not be put there: permission denied"):
                put(run, as_bob)
            base.execute("CREATE EXTENSION postgis")
            with pytest.raises(SourceError, match="not allowed: permission denied to create role") as caught:
                put(run, as_bob)
            assert "for the right" in caught.value.hint
        finally:
            base.execute("DROP ROLE bob")


def test_who_was_given_the_rights_needs_no_more_than_rows(run: Path, bank: str, tmp_path: Path) -> None:
    """Once tables and views are there, a nightly user writes rows and makes nothing."""
    put(run, bank)
    newer = later(tmp_path / "newer", 5)
    with psycopg.connect(bank, autocommit=True) as base:
        base.execute(psycopg.sql.SQL("CREATE ROLE night LOGIN PASSWORD {}").format(SECRET))
        base.execute("GRANT USAGE ON SCHEMA acreline TO night")
        base.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA acreline TO night")
        try:
            assert "57 rows" in put(newer, psycopg.conninfo.make_conninfo(bank, user="night"))[0]
        finally:
            base.execute("DROP OWNED BY night")
            base.execute("DROP ROLE night")


@pytest.mark.parametrize("shape", ["string", "address", "variable"])
def test_the_password_is_told_nowhere(run: Path, bank: str, shape: str, tmp_path: Path) -> None:
    """A wrong password, with tracebacks and debug lines on: neither it nor the right one is printed or written."""
    wrong = "Wr0ng-Zebra 7"
    told = psycopg.conninfo.conninfo_to_dict(bank)
    where = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    if shape == "string":
        where["ACRELINE_DSN"] = psycopg.conninfo.make_conninfo(bank, password=wrong)
    elif shape == "address":
        quoted = wrong.replace(" ", "%20")
        where["ACRELINE_DSN"] = f"postgresql://postgres:{quoted}@127.0.0.1:{told['port']}/{told['dbname']}"
    else:
        where |= {"PGHOST": "127.0.0.1", "PGPORT": str(told["port"]), "PGUSER": "postgres", "PGPASSWORD": wrong}
        where["PGDATABASE"] = str(told["dbname"])
    command = [sys.executable, "-m", "acreline", "-v", "export", str(run), "--to", "postgis"]
    done = subprocess.run(command, capture_output=True, text=True, env=where, cwd=tmp_path)
    assert done.returncode == 4
    assert "cannot be reached" in done.stderr
    assert "password authentication failed" in done.stderr
    printed = done.stdout + done.stderr
    assert "Traceback" in printed
    assert "Zebra" not in printed
    assert not list(tmp_path.iterdir())
    if shape == "string":
        where["ACRELINE_DSN"] = bank
        done = subprocess.run(command, capture_output=True, text=True, env=where, cwd=tmp_path, check=True)
        assert "rows written" in done.stdout
        assert "S3cr" not in done.stdout + done.stderr
        held = json.dumps(stored(bank)) + "".join(p.read_text(errors="replace") for p in (run / "log").iterdir())
        assert "S3cr" not in held
