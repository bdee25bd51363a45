"""Opening a database by its address, and the statements that differ between databases.

schema.sqlite and schema.postgres hold what opening means for each of the two.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from mvmdb.errors import CatalogError
from mvmdb.passwords import secrets_of, without_secrets
from mvmdb.schema.addresses import database_url, hide_password
from mvmdb.schema.faults import describe_fault, describe_wait, is_busy, shown_url
from mvmdb.schema.holders import name_holders
from mvmdb.schema.postgres import (
    OUT_OF_TURN,
    WRITERS_LOCK,
    cancel_statement,
    driver_error,
    held_lock,
    open_postgres,
    stream_statement,
)
from mvmdb.schema.sqlite import open_sqlite

_WAIT_SECONDS = 60.0
_ROWS_AT_ONCE = 10_000
_LONGEST_TIMEOUT = 2**31 - 1  # milliseconds, of PostgreSQL's

Rows = Generator[tuple[Any, ...], None, None]
"""A stream of rows; close it unless all of them are read."""


def open_engine(address: str, *, create: bool = False, read_only: bool = False) -> sa.Engine:
    """An engine for a catalog's database.

    With `create`, a missing SQLite file is created; without, it is an error. A PostgreSQL database must exist. With
    `read_only`, the database itself refuses every write. Raises CatalogError if the address cannot be used.
    """
    url = database_url(address)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return open_sqlite(url, create=create, read_only=read_only, wait_seconds=_WAIT_SECONDS)
    if backend not in ("postgresql", "postgres"):
        raise CatalogError(
            f"{shown_url(url)}: mvmdb has no driver for {backend}; expected a path, or postgresql+psycopg://..."
        )
    try:
        return open_postgres(url, read_only=read_only, wait_seconds=_WAIT_SECONDS)
    except ImportError as error:
        raise CatalogError(
            f"{shown_url(url)} needs the driver psycopg, which is not installed ({error}); "
            "run: pip install 'mvmdb[postgres]', or use SQLite"
        ) from error


def without_turn(engine: sa.Engine) -> sa.Engine:
    """An engine whose transactions on PostgreSQL do not wait for the turn of a writer.

    They may change only rows that no other transaction decides from.
    """
    return engine.execution_options(**{OUT_OF_TURN: True})


@contextmanager
def hold_turn(engine: sa.Engine) -> Iterator[None]:
    """Hold a lock of the database's for a block in which several transactions may begin; one process at a time has it.

    It goes with the connection, so with the process. SQLite has no such lock, and one run at a time. Raises DBAPIError
    if another holds it for too long.
    """
    if engine.dialect.name == "sqlite":
        yield
        return
    unbound = without_turn(engine).execution_options(isolation_level="AUTOCOMMIT")
    with unbound.connect() as connection, held_lock(connection, _WAIT_SECONDS):
        yield


def upsert(connection: sa.Connection, table: sa.Table, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Insert rows; if a row with the same `key` exists, overwrite the columns that the rows name."""
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
    """Insert many rows, given as plain values in the order of `columns`, in the database's fastest way.

    That is the driver's executemany for SQLite and COPY for PostgreSQL; types are not converted.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        source = iter(rows)
        while batch := list(islice(source, _ROWS_AT_ONCE)):
            connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", batch)
        return
    statement = f"COPY {table.name} ({names}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    with _wrapped_errors(connection, statement), driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def bulk_select(connection: sa.Connection, query: sa.Select[*tuple[Any, ...]]) -> Rows:
    """The rows of a large result, as the driver makes them: this takes a quarter less time than SQLAlchemy's rows.

    Rows are made as they are read (the server has sent its whole answer before). Types are not converted.
    """
    result = connection.execute(query)
    context: Any = result.context
    try:
        with _wrapped_errors(connection, context.statement):
            while batch := context.cursor.fetchmany(_ROWS_AT_ONCE):
                yield from batch
    finally:
        result.close()


def among(connection: sa.Connection, column: Any, values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """`column IN (values)` for any number of integers or texts, as one bound parameter.

    One parameter for each value would take longer to bind than to look up.
    """
    array = list(values)
    if connection.dialect.name == "sqlite":
        elements = sa.func.json_each(json.dumps(array)).table_valued("value")
        return sa.and_(column.in_(sa.select(elements.c.value)))
    return sa.and_(column == sa.any_(sa.literal(array, postgresql.ARRAY(column.type))))


def reserve_keys(connection: sa.Connection, table: sa.Table, n: int) -> Sequence[int]:
    """`n` keys (column `id`) that no row of the table has and that no other transaction will get."""
    if connection.dialect.name == "sqlite":  # this transaction is the only one that may write
        last = connection.scalar(sa.select(sa.func.max(table.c.id))) or 0
        return range(last + 1, last + 1 + n)
    if n == 0:
        return range(0)
    keys = f"SELECT nextval(pg_get_serial_sequence('{table.name}', 'id')) AS key FROM generate_series(1, :n)"
    ends = connection.execute(sa.text(f"SELECT min(key), max(key) FROM ({keys}) AS keys"), {"n": n}).one()
    if ends[1] - ends[0] == n - 1:
        return range(ends[0], ends[1] + 1)
    # Other transactions took keys in between; the keys of this first attempt stay unused.
    return list(connection.execute(sa.text(keys), {"n": n}).scalars())


def plain_time(connection: sa.Connection, time: dt.datetime) -> Any:
    """A time as `bulk_insert` needs it: SQLite stores text, in the form that SQLAlchemy reads back."""
    return time.isoformat(" ", "microseconds") if connection.dialect.name == "sqlite" else time


def join_distinct(connection: sa.Connection, column: Any) -> Any:
    """Aggregate: the distinct values of a column as one comma-separated text."""
    if connection.dialect.name == "sqlite":
        return sa.func.group_concat(sa.distinct(column))  # SQLite allows DISTINCT only with the default comma
    return sa.func.string_agg(sa.distinct(sa.cast(column, sa.Text)), sa.literal_column("','"))


def iso_utc(connection: sa.Connection, mjd: Any) -> Any:
    """An MJD as `2009-09-19T15:12:46Z`, to the nearest second; null for what is no date from 1858-11-18 to 9000."""
    seconds = sa.func.round((mjd - 40587) * 86400)  # since 1970
    if connection.dialect.name == "sqlite":
        text = sa.func.strftime("%Y-%m-%dT%H:%M:%SZ", seconds, "unixepoch")
    else:
        text = iso_utc_time(connection, sa.func.timezone("UTC", sa.func.to_timestamp(seconds)))
    return sa.case((mjd.between(1, 2_600_000), text))


def iso_utc_time(connection: sa.Connection, time: Any) -> Any:
    """A column of times (UTC) as `2009-09-19T15:12:46Z`."""
    if connection.dialect.name == "sqlite":
        return sa.func.strftime("%Y-%m-%dT%H:%M:%SZ", time)
    return sa.func.to_char(time, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')


def replace_rows(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Replace the rows of a small temporary table, as `bulk_insert` does, and update the planner's statistics."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.delete(table))
        bulk_insert(connection, table, columns, rows)
        return
    connection.exec_driver_sql(f"TRUNCATE {table.name}")  # deleted rows would be read again until the transaction ends
    bulk_insert(connection, table, columns, rows)
    connection.exec_driver_sql(f"ANALYZE {table.name}")


def refresh_statistics(connection: sa.Connection, *tables: sa.Table) -> None:
    """Update PostgreSQL's statistics of tables that have doubled in size since the planner's last statistics.

    The server does so by itself, but only for committed rows: a first import would be joined row by row.
    """
    if connection.dialect.name == "sqlite":
        return
    query = "SELECT relname FROM pg_class WHERE pg_table_is_visible(oid) AND relname = ANY(%s)"
    query += " AND pg_relation_size(oid) > 2 * 8192 * relpages::bigint"
    grown = connection.exec_driver_sql(query, ([table.name for table in tables],)).scalars().all()
    for name in grown:
        connection.exec_driver_sql(f"ANALYZE {name}")


def stream_rows(connection: sa.Connection, sql: str) -> tuple[list[str], Rows]:
    """Column names, and a stream of rows, of one SQL statement; there are no names if it returns no rows.

    Raises DBAPIError for SQL that the database does not accept, including more than one statement.
    """
    if connection.dialect.name == "sqlite":
        result: sa.CursorResult[Any] = connection.exec_driver_sql(sql)
        if not result.returns_rows:
            no_rows: list[tuple[Any, ...]] = []
            return [], (row for row in no_rows)
        return list(result.keys()), (tuple(row) for row in result)
    if not connection.in_transaction():
        connection.begin()  # a statement on the driver itself does not begin one
    with _wrapped_errors(connection, sql):
        names, rows = stream_statement(connection, sql)
    return names, _wrapped_rows(connection, sql, rows)


def limit_statements(connection: sa.Connection, seconds: float) -> None:
    """Have the server end statements of this transaction that take longer, even if this process is gone by then.

    SQLite has no server: there, the caller interrupts the statement.
    """
    if connection.dialect.name == "postgresql":
        milliseconds = round(min(max(1.0, 1000 * seconds), _LONGEST_TIMEOUT))
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")


def interrupt_statement(connection: sa.Connection) -> None:
    """End the statement that another thread runs on this connection; without one, nothing happens."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        driver.interrupt()
    else:
        cancel_statement(driver)


def _wrapped_rows(connection: sa.Connection, sql: str, rows: Iterator[tuple[Any, ...]]) -> Rows:
    with _wrapped_errors(connection, sql):
        yield from rows


@contextmanager
def _wrapped_errors(connection: sa.Connection, statement: str) -> Iterator[None]:
    """For statements on the driver itself: its errors become SQLAlchemy's, and a broken connection is invalidated."""
    driver: Any = connection.connection.driver_connection
    driver_errors = driver_error(connection.dialect)
    try:
        yield
    except driver_errors as error:
        broken = bool(getattr(driver, "closed", False) or getattr(driver, "broken", False))  # SQLite's has neither
        if broken:
            connection.invalidate(error)
        raise DBAPIError(statement, None, error, connection_invalidated=broken) from error


@contextmanager
def clear_errors(address: str, engine: sa.Engine) -> Iterator[None]:
    """Turn a driver's error into one line for the user: which database, its message, and the remedy.

    If the database was waited for in vain, the line says who holds it, as far as that is known.
    """
    try:
        yield
    except DBAPIError as error:
        if is_busy(error.orig):
            words = describe_wait(error.orig, _WAIT_SECONDS, _name_holders(engine, address))
        else:
            words = describe_fault(error.orig, disconnected=error.connection_invalidated)
        words = without_secrets(words, secrets_of(address))  # libpq quotes what it cannot use
        raise CatalogError(f"database {hide_password(address)}: {words}") from error
    except (ValueError, TypeError) as error:
        if "isoformat" not in str(error):  # SQLAlchemy reads times of SQLite by `datetime.fromisoformat`
            raise
        raise CatalogError(
            f"database {hide_password(address)}: a row has a time that is none ({error}); expected ISO 8601, as mvmdb "
            "writes it: run mvmdb verify to see which"
        ) from error


def _name_holders(engine: sa.Engine, address: str) -> list[str]:
    try:
        return name_holders(engine, address, WRITERS_LOCK)
    except (DBAPIError, driver_error(engine.dialect)):  # a server that refuses to tell
        return []
