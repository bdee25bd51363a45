"""Opening PostgreSQL: how transactions begin, what the schema needs of the server, and its own way of asking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from mvmdb.errors import CatalogError
from mvmdb.schema.faults import shown_url

DRIVER = "postgresql+psycopg"
_OLDEST = (14, 0)  # SQL functions with RETURN
_WRITERS_LOCK = 0x6D766D6462  # "mvmdb"; any number will do that other programs in the database do not use
_CONNECT_SECONDS = 10


def open_postgres(url: sa.URL, *, read_only: bool, wait_seconds: float) -> sa.Engine:
    """An engine on a database; nothing is connected yet. A writer waits `wait_seconds` for another one's transaction.

    Raises CatalogError for a driver other than psycopg 3, whose COPY `bulk_insert` needs.
    """
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername=DRIVER)
    if url.drivername != DRIVER:
        raise CatalogError(f"{shown_url(url)}: mvmdb works with the driver psycopg; write {DRIVER}://...")
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(_CONNECT_SECONDS)})
    if "application_name" not in url.query:
        url = url.update_query_dict({"application_name": "mvmdb"})
    # One connection at a time is used, with hours of drizzling between two transactions: ask whether it is still there.
    engine = sa.create_engine(
        url,
        pool_size=1,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
        execution_options={"postgresql_readonly": read_only},
    )
    event.listen(engine, "connect", _prepare)
    if read_only:
        event.listen(engine, "begin", _begin_reading)
    else:
        event.listen(engine, "begin", lambda connection: _begin_writing(connection, wait_seconds))
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    from psycopg.types.numeric import FloatLoader

    class NumberLoader(FloatLoader):
        """sum(n) and avg(n) as SQLite gives them, an integer and a float, instead of decimals."""

        def load(self, data: Any) -> Any:
            text = bytes(data)
            return int(text) if text.lstrip(b"-").isdigit() else float(text)

    connection.adapters.register_loader("numeric", NumberLoader)


def _begin_writing(connection: sa.Connection, wait_seconds: float) -> None:
    # Writers take turns, as SQLite's do: what one has read is still so when it writes. READ COMMITTED, so that what is
    # read after the wait is what the one before has left.
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{wait_seconds}s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")


def _begin_reading(connection: sa.Connection) -> None:
    # The transaction is READ ONLY, but its first statement might still change that; so the first one is ours.
    connection.exec_driver_sql("SELECT 1")


def prepare_database(connection: sa.Connection) -> None:
    """What the tables need of a database: a server that is new enough, and the type citext. Raises CatalogError."""
    version = connection.dialect.server_version_info or (0,)
    if version < _OLDEST:
        found = ".".join(str(part) for part in version)
        raise CatalogError(f"the server is PostgreSQL {found}; mvmdb needs 14 or newer")
    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS citext")


def stream_statement(connection: sa.Connection, sql: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Column names, and rows as they come, of one statement; one that gives no rows is not run, and has no names.

    The statement is parsed by itself first, which the server does for one alone: after `COMMIT; DELETE ...` the
    transaction would no longer be READ ONLY. Raises the driver's own errors.
    """
    from psycopg.errors import error_from_result
    from psycopg.pq import ExecStatus

    driver: Any = connection.connection.driver_connection
    parsed = driver.pgconn.prepare(b"", sql.encode())
    described = driver.pgconn.describe_prepared(b"") if parsed.status == ExecStatus.COMMAND_OK else parsed
    if described.status != ExecStatus.COMMAND_OK:
        raise error_from_result(described)
    names = [described.fname(column).decode() for column in range(described.nfields)]
    return names, driver.cursor().stream(sql) if names else iter(())


def driver_error(connection: sa.Connection) -> type[Exception]:
    """The root of the driver's errors."""
    error: type[Exception] = connection.dialect.loaded_dbapi.Error
    return error
