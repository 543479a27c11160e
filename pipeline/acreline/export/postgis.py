# SPDX-License-Identifier: Apache-2.0
"""Into PostgreSQL with PostGIS: rows by region and run, and views of each region's current run that only read.

    acreline            runs, current_runs, farms, parcels, stands, events: every run that was ever exported
    acreline_reporting  runs, farms, parcels, stands, events: of each region the current run, without persons
    acreline_reader     a role without login that may read acreline_reporting and nothing else

A run is named by its publication, so the same run again finds its rows as they are; only what differs is written. The
newest run of a region, by the day of its decisions, is the current one; of one day the one exported last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acreline.errors import ConfigError
from acreline.export._database import connected
from acreline.export._layers import COLUMNS, PERSON, TITLES, Kind, Layer, read_layers
from acreline.hashing import digest

if TYPE_CHECKING:
    from acreline.export import Wanted
    from acreline.export._source import Source

TITLE = "PostgreSQL with PostGIS: rows by region and run, views to report from (extra `postgis`)"
PLACE = "database"
ENDING = ""
PERSONS = True
TABLES, VIEWS, READER = "acreline", "acreline_reporting", "acreline_reader"
KEY = ("region", "publication_id", "row_number")
TYPES: dict[Kind, str] = {
    "text": "text",
    "number": "double precision",
    "whole": "integer",
    "money": "numeric(18, 2)",
    "day": "date",
    "yes": "boolean",
}
RUNS: dict[str, Kind] = {
    "region": "text",
    "publication_id": "text",
    "as_of": "day",
    "simulated": "yes",
    "policy": "text",
    "model": "text",
    "notices": "text",
}
LOCK = 7_220_771
"""Two exports into one database take turns."""


def write(source: Source, wanted: Wanted) -> list[str]:
    """Write a run's rows in one transaction: all of them, or none.

    Raises:
        ConfigError: psycopg is not installed, no or an unreadable connection string, a database without PostGIS.
        SourceError: the database cannot be reached, or does not allow it.
        StoreError: a table of the publication is missing or damaged.
    """
    layers = read_layers(source)
    with connected(wanted.dsn) as (connection, where), connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (LOCK,))
        postgis = _postgis_schema(cursor, where)
        _search_only(cursor, postgis)
        made = _make_schema(cursor, postgis)
        changed = _upsert(cursor, "runs", RUNS, ("region", "publication_id"), [_run(source)])
        for layer in layers:
            changed += _write_layer(cursor, postgis, layer, source)
        current = _set_current(cursor, source)
    rows = ", ".join(f"{len(layer.table)} {layer.name}" for layer in layers)
    told = [f"{where}: {source.region}, run {source.publication_id}: {rows}; {changed} rows written or changed"]
    told += [f"schemas {TABLES} and {VIEWS} and role {READER} are there"] if made else []
    is_it = "this run is the region's current one" if current == source.publication_id else f"current stays {current}"
    return [*told, f"{is_it}; next: grant {READER} to whoever reports from {VIEWS}"]


# --- what is there ----------------------------------------------------------------------------------------------------
def _postgis_schema(cursor: Any, where: str) -> str:
    """The schema PostGIS lives in; made in `public` where it is not there and we may."""
    import psycopg

    found = "SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace"
    found += " WHERE e.extname = 'postgis'"
    row = cursor.execute(found).fetchone()
    if row is None:
        why = ""
        try:
            with cursor.connection.transaction():
                cursor.execute("CREATE EXTENSION postgis")
        except psycopg.Error as error:
            why = str(error.diag.message_primary)
        if why:
            raise ConfigError(
                f"database {where}: has no PostGIS, and it could not be put there: {why}",
                hint="let who runs the database say: CREATE EXTENSION postgis",
            )
        row = cursor.execute(found).fetchone()
    return str(row[0])


def _search_only(cursor: Any, postgis: str) -> None:
    """Names without a schema mean PostgreSQL's own or PostGIS's, whatever else lies in the database."""
    from psycopg import sql

    cursor.execute(sql.SQL("SET LOCAL search_path TO pg_catalog, {}").format(sql.Identifier(postgis)))


def _make_schema(cursor: Any, postgis: str) -> bool:
    """Make tables, views and role, or leave them as they are where this version of them is there.

    So a nightly export locks no view that somebody reads, and needs no right to make anything.
    """
    from psycopg import sql

    statements = [sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)) for name in (TABLES, VIEWS)]
    statements += _tables(postgis)
    statements += _views()
    version = f"acreline {digest([one.as_string(None) for one in statements])}"
    told = "SELECT pg_catalog.obj_description(pg_catalog.to_regnamespace(%s), 'pg_namespace')"
    if cursor.execute(told, (TABLES,)).fetchone()[0] == version:
        return False
    if cursor.execute("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", (READER,)).fetchone() is None:
        cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(READER)))
    for one in statements:
        cursor.execute(one)
    cursor.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(TABLES), sql.Literal(version)))
    return True


def _tables(postgis: str) -> list[Any]:
    from psycopg import sql

    def column(name: str, kind: Kind, none: str = "") -> Any:
        return sql.SQL("{} " + TYPES[kind] + none).format(sql.Identifier(name))

    def table(name: str, columns: list[Any], key: tuple[str, ...], more: str = "") -> Any:
        keys = sql.SQL(", ").join(map(sql.Identifier, key))
        body = sql.SQL(", ").join([*columns, sql.SQL("PRIMARY KEY ({})").format(keys)])
        tail = sql.SQL(more).format(runs=sql.Identifier(TABLES, "runs"))
        return sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}{})").format(sql.Identifier(TABLES, name), body, tail)

    named = [column("region", "text", " NOT NULL"), column("publication_id", "text", " NOT NULL")]
    others = [column(name, kind) for name, kind in RUNS.items() if name not in KEY]
    of_a_run = ", FOREIGN KEY (region, publication_id) REFERENCES {runs} ON DELETE CASCADE"
    made = [
        table("runs", [*named, *others], ("region", "publication_id")),
        table("current_runs", named, ("region",), of_a_run),
    ]
    outline = sql.SQL("geometry {}.geometry(MultiPolygon, 4326)").format(sql.Identifier(postgis))
    for name in COLUMNS:
        own = _columns(name)
        row = column("row_number", "whole", " NOT NULL")
        columns = [*named, row, *(column(one, kind) for one, kind in own.items()), outline]
        place = sql.Identifier(TABLES, name)
        made.append(table(name, columns, KEY, of_a_run))
        made += [  # a table of an earlier version lacks some
            sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {}").format(place, column(one, kind))
            for one, kind in own.items()
        ]
        index = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING gist (geometry)")
        made.append(index.format(sql.Identifier(f"{name}_geometry"), place))
        made.append(sql.SQL("COMMENT ON TABLE {} IS {}").format(place, sql.Literal(TITLES[name])))
    return made


def _views() -> list[Any]:
    """Joins, which PostgreSQL writes through for nobody; the reader may select from them and from nothing else."""
    from psycopg import sql

    reader, schema = sql.Identifier(READER), sql.Identifier(VIEWS)
    current = sql.Identifier(TABLES, "current_runs")
    made = [sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, reader)]

    def view(name: str, body: Any) -> None:
        place = sql.Identifier(VIEWS, name)
        made.append(sql.SQL("CREATE OR REPLACE VIEW {} AS {}").format(place, body))
        made.append(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(place))
        made.append(sql.SQL("GRANT SELECT ON {} TO {}").format(place, reader))

    told = sql.SQL(", ").join(sql.Identifier("t", name) for name in RUNS)
    is_it = "SELECT {}, c.region IS NOT NULL AS current FROM {} t LEFT JOIN {} c USING (region, publication_id)"
    view("runs", sql.SQL(is_it).format(told, sql.Identifier(TABLES, "runs"), current))
    for name, columns in COLUMNS.items():
        shown = sql.SQL(", ").join(sql.Identifier("t", one) for one in (*KEY, "geometry", *columns))
        body = sql.SQL("SELECT {} FROM {} t JOIN {} c USING (region, publication_id)")
        view(name, body.format(shown, sql.Identifier(TABLES, name), current))
    return made


# --- rows -------------------------------------------------------------------------------------------------------------
def _columns(layer: str) -> dict[str, Kind]:
    return {**COLUMNS[layer], **({PERSON: "text"} if layer == "farms" else {})}


def _run(source: Source) -> tuple[Any, ...]:
    policy, model = source.manifest.get("policy") or {}, source.manifest.get("model") or {}
    return (
        source.region,
        source.publication_id,
        source.as_of,
        source.simulated,
        f"{policy.get('id')}@{policy.get('version')}",
        f"{model.get('name')} {model.get('version')}",
        source.words,
    )


def _write_layer(cursor: Any, postgis: str, layer: Layer, source: Source) -> int:
    """Upsert a layer's rows by their number in the publication, take away rows beyond the last, count the changes."""
    import shapely
    from psycopg import sql

    named = (source.region, source.publication_id)
    own = _columns(layer.name)
    known = layer.table.column_names
    values = [layer.table[name].to_pylist() if name in known else [None] * len(layer.table) for name in own]
    outlines = shapely.to_wkb(layer.outlines)
    rows = [(*named, k, *row) for k, row in enumerate(zip(*values, outlines, strict=True))]
    kinds: dict[str, Kind] = {"region": "text", "publication_id": "text", "row_number": "whole", **own}
    extra = "DELETE FROM {} WHERE region = %s AND publication_id = %s AND row_number >= %s"
    place = sql.Identifier(TABLES, layer.name)
    cursor.execute(sql.SQL(extra).format(place), (*named, len(rows)))
    gone: int = cursor.rowcount
    return gone + _upsert(cursor, layer.name, kinds, KEY, rows, postgis)


def _upsert(
    cursor: Any,
    table: str,
    columns: dict[str, Kind],
    key: tuple[str, ...],
    rows: list[tuple[Any, ...]],
    postgis: str | None = None,
) -> int:
    """Insert rows or bring them up to date; a row that is as it should be is not touched.

    Args:
        cursor: inside the transaction.
        table: its name in the schema of tables.
        columns: column -> kind, in the order of a row's values.
        key: columns that name a row.
        rows: values; with `postgis` an outline as WKB comes last.
        postgis: schema of PostGIS, for a table with outlines.

    Returns:
        how many rows were written or changed.
    """
    from psycopg import sql

    names = [*columns, *(["geometry"] if postgis else [])]
    marks: list[Any] = [sql.SQL("%s::" + TYPES[kind]) for kind in columns.values()]
    if postgis:
        marks.append(sql.SQL("{}.ST_GeomFromWKB(%s::bytea, 4326)").format(sql.Identifier(postgis)))
    rest = [name for name in names if name not in key]
    listed = sql.SQL(", ")
    statement = sql.SQL(
        "INSERT INTO {table} AS t ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET ({rest}) = ROW({new}) "
        "WHERE ROW({old}) IS DISTINCT FROM ROW({new})"
    ).format(
        table=sql.Identifier(TABLES, table),
        names=listed.join(map(sql.Identifier, names)),
        marks=listed.join(marks),
        key=listed.join(map(sql.Identifier, key)),
        rest=listed.join(map(sql.Identifier, rest)),
        new=listed.join(sql.Identifier("excluded", name) for name in rest),
        old=listed.join(sql.Identifier("t", name) for name in rest),
    )
    cursor.executemany(statement, rows)
    changed: int = cursor.rowcount
    return max(changed, 0)


def _set_current(cursor: Any, source: Source) -> str:
    """Point the region at this run, unless a run of a later day is there; the run that is current then."""
    from psycopg import sql

    tables = {"current": sql.Identifier(TABLES, "current_runs"), "runs": sql.Identifier(TABLES, "runs")}
    cursor.execute(
        sql.SQL(
            "INSERT INTO {current} AS c (region, publication_id) VALUES (%s, %s) "
            "ON CONFLICT (region) DO UPDATE SET publication_id = excluded.publication_id "
            "WHERE c.publication_id IS DISTINCT FROM excluded.publication_id AND %s::date >= "
            "(SELECT r.as_of FROM {runs} r WHERE r.region = c.region AND r.publication_id = c.publication_id)"
        ).format(**tables),
        (source.region, source.publication_id, source.as_of),
    )
    found = sql.SQL("SELECT publication_id FROM {current} WHERE region = %s").format(**tables)
    return str(cursor.execute(found, (source.region,)).fetchone()[0])
