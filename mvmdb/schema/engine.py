"""Opening a database by its address, and the statements that databases want said differently.

What opening means for one kind of database is in schema.sqlite and schema.postgres.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError

from mvmdb.errors import CatalogError
from mvmdb.schema.faults import describe_fault, shown_url
from mvmdb.schema.postgres import driver_error, open_postgres, stream_statement
from mvmdb.schema.sqlite import open_sqlite

_WAIT_SECONDS = 60.0
_ROWS_AT_ONCE = 10_000

Rows = Generator[tuple[Any, ...], None, None]
"""Rows as they come; close it when not all of them are wanted."""


def database_url(address: str) -> sa.URL:
    """The SQLAlchemy URL of a path or URL given by a user. Raises CatalogError, without showing a password."""
    if "://" not in address:
        return sa.URL.create("sqlite", database=str(Path(address).expanduser()))
    try:
        return sa.make_url(address)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise CatalogError(
            f"{show_address(address)} is not a database address ({error}); expected a path, "
            "sqlite:///PATH or postgresql+psycopg://USER@HOST:PORT/DATABASE"
        ) from error


def show_address(address: str) -> str:
    """A path or URL as messages may show it: without a password."""
    if "://" not in address:
        return address
    try:
        return shown_url(sa.make_url(address))
    except (ArgumentError, ValueError):
        return re.sub(r"(?<=://).*@", "***@", re.sub(r"(?<=password=)[^&]*", "***", address))


def open_engine(address: str, *, create: bool = False, read_only: bool = False) -> sa.Engine:
    """An engine on a catalog's database.

    With `create`, a missing SQLite file is made; else it is an error. A PostgreSQL database must be there. With
    `read_only`, the database itself refuses every write. Raises CatalogError when the address cannot be used.
    """
    url = database_url(address)
    kind = url.get_backend_name()
    if kind == "sqlite":
        return open_sqlite(url, create=create, read_only=read_only, wait_seconds=_WAIT_SECONDS)
    if kind not in ("postgresql", "postgres"):
        raise CatalogError(
            f"{shown_url(url)}: mvmdb has no driver for {kind}; expected a path, or postgresql+psycopg://..."
        )
    try:
        return open_postgres(url, read_only=read_only, wait_seconds=_WAIT_SECONDS)
    except ImportError as error:
        raise CatalogError(
            f"{shown_url(url)} needs the driver psycopg, which is not here ({error}); "
            "run: pip install 'mvmdb[postgres]', or use SQLite"
        ) from error


def upsert(connection: sa.Connection, table: sa.Table, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Insert rows; where `key` is there already, overwrite the columns that the rows name."""
    if not rows:
        return
    module: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = module.insert(table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in key}
    if changes:
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    connection.execute(statement, rows)


def bulk_insert(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert many rows, given as plain values in the order of `columns`, by the database's fastest way.

    That is the driver's executemany for SQLite and COPY for PostgreSQL; types are not converted on the way.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        source = iter(rows)
        while part := list(islice(source, _ROWS_AT_ONCE)):
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", part)
        return
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    with _wrapped_errors(connection, statement), driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def bulk_select(connection: sa.Connection, query: sa.Select[*tuple[Any, ...]]) -> Rows:
    """The rows of a query that gives many, as the driver makes them: a quarter less time than SQLAlchemy's own rows.

    They are made as they are asked for (the server's answer is whole before). Types are not converted on the way.
    """
    result = connection.execute(query)
    context: Any = result.context
    try:
        with _wrapped_errors(connection, context.statement):
            while part := context.cursor.fetchmany(_ROWS_AT_ONCE):
                yield from part
    finally:
        result.close()


def among(connection: sa.Connection, column: Any, values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """`column IN (values)` for any number of integers or texts, as one bound parameter.

    A parameter for each would take longer to bind than to look up.
    """
    held = list(values)
    if connection.dialect.name == "sqlite":
        found = sa.func.json_each(json.dumps(held)).table_valued("value")
        return sa.and_(column.in_(sa.select(found.c.value)))
    return sa.and_(column == sa.any_(sa.literal(held, postgresql.ARRAY(column.type))))


def reserve_keys(connection: sa.Connection, table: sa.Table, n: int) -> Sequence[int]:
    """`n` keys (column `id`) that no row of the table has and no other transaction will be given."""
    if connection.dialect.name == "sqlite":  # the transaction holds the only right to write
        last = connection.scalar(sa.select(sa.func.max(table.c.id))) or 0
        return range(last + 1, last + 1 + n)
    if n == 0:
        return range(0)
    keys = f"SELECT nextval(pg_get_serial_sequence('{table.name}', 'id')) AS key FROM generate_series(1, :n)"
    ends = connection.execute(sa.text(f"SELECT min(key), max(key) FROM ({keys}) AS keys"), {"n": n}).one()
    if ends[1] - ends[0] == n - 1:
        return range(ends[0], ends[1] + 1)
    # Others were given some in between; those that were had here stay unused.
    return list(connection.execute(sa.text(keys), {"n": n}).scalars())


def plain_time(connection: sa.Connection, time: dt.datetime) -> Any:
    """A time as `bulk_insert` wants it: SQLite keeps text, in the form in which SQLAlchemy reads it back."""
    return time.isoformat(" ", "microseconds") if connection.dialect.name == "sqlite" else time


def join_distinct(connection: sa.Connection, column: Any) -> Any:
    """Aggregate: the distinct values of a column as one comma-separated text."""
    if connection.dialect.name == "sqlite":
        return sa.func.group_concat(sa.distinct(column))  # SQLite allows DISTINCT only with the default comma
    return sa.func.string_agg(sa.distinct(sa.cast(column, sa.Text)), sa.literal_column("','"))


def replace_rows(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Fill a small, temporary table anew, as `bulk_insert` does, and tell the planner what it holds."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.delete(table))
        bulk_insert(connection, table, columns, rows)
        return
    connection.exec_driver_sql(f"TRUNCATE {table.name}")  # deleted rows would be read again until the transaction ends
    bulk_insert(connection, table, columns, rows)
    connection.exec_driver_sql(f"ANALYZE {table.name}")


def refresh_statistics(connection: sa.Connection, *tables: sa.Table) -> None:
    """Tell PostgreSQL's planner of tables that have doubled since it last knew; it plans for the size it knows.

    The server does so by itself, but only for what is committed: a first import would be joined row by row.
    """
    if connection.dialect.name == "sqlite":
        return
    query = "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relname = ANY(%s)"
    query += " AND pg_relation_size(oid) > 2 * 8192 * relpages::bigint"
    grown = connection.exec_driver_sql(query, ([table.name for table in tables],)).scalars().all()
    for name in grown:
        connection.exec_driver_sql(f"ANALYZE {name}")


def stream_rows(connection: sa.Connection, sql: str) -> tuple[list[str], Rows]:
    """Column names, and rows as they come, of one SQL statement; no names where it gives no rows.

    Raises DBAPIError for SQL that the database does not accept, more than one statement among it.
    """
    if connection.dialect.name == "sqlite":
        result: sa.CursorResult[Any] = connection.exec_driver_sql(sql)
        if not result.returns_rows:
            nothing: list[tuple[Any, ...]] = []
            return [], (row for row in nothing)
        return list(result.keys()), (tuple(row) for row in result)
    if not connection.in_transaction():
        connection.begin()  # work with the driver itself does not do that
    with _wrapped_errors(connection, sql):
        names, rows = stream_statement(connection, sql)
    return names, _wrapped_rows(connection, sql, rows)


def _wrapped_rows(connection: sa.Connection, sql: str, rows: Iterator[tuple[Any, ...]]) -> Rows:
    with _wrapped_errors(connection, sql):
        yield from rows


@contextmanager
def _wrapped_errors(connection: sa.Connection, statement: str) -> Iterator[None]:
    """Around work with the driver itself: its errors become SQLAlchemy's, and a broken connection is given up."""
    driver: Any = connection.connection.driver_connection
    kind = driver_error(connection)
    try:
        yield
    except kind as error:
        lost = bool(getattr(driver, "closed", False) or getattr(driver, "broken", False))  # SQLite's is neither
        if lost:
            connection.invalidate(error)
        raise DBAPIError(statement, None, error, connection_invalidated=lost) from error


@contextmanager
def clear_errors(address: str) -> Iterator[None]:
    """Turn a driver's error into one line for the user: which database, its own words, and what to do."""
    try:
        yield
    except DBAPIError as error:
        words = describe_fault(error.orig, lost=error.connection_invalidated)
        raise CatalogError(f"database {show_address(address)}: {words}") from error
