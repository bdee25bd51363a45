"""Opening PostgreSQL: how transactions begin, what the schema needs of the server, and how rows are streamed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from mvmdb.errors import CatalogError
from mvmdb.schema.faults import shown_url

DRIVER = "postgresql+psycopg"
_OLDEST = (14, 0)  # SQL functions with RETURN
WRITERS_LOCK = 0x6D766D6462  # "mvmdb"; any number that no other program in the database uses will do
_FILES_LOCK = WRITERS_LOCK + 1
OUT_OF_TURN = "mvmdb_out_of_turn"
"""The execution option of engines whose transactions do not wait for other writers."""
_CONNECT_SECONDS = 10
_CANCEL_SECONDS = 3.0


def open_postgres(url: sa.URL, *, read_only: bool, wait_seconds: float) -> sa.Engine:
    """An engine for a database, not connected yet. A writer waits `wait_seconds` for another writer's transaction.

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
    return _engine(url, read_only, wait_seconds, os.getpid())


@lru_cache(maxsize=16)
def _engine(url: sa.URL, read_only: bool, wait_seconds: float, _pid: int) -> sa.Engine:
    """The engine of this database, one for all of a process, as with SQLite (sqlite.py)."""
    # Two connections at most are in use for long, with hours of drizzling between two transactions: check that they are
    # still alive.
    engine = sa.create_engine(
        url,
        pool_size=2,
        max_overflow=-1,
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
        """Makes sum(n) an integer and avg(n) a float, as on SQLite, instead of decimals."""

        def load(self, data: Any) -> Any:
            text = bytes(data)
            return int(text) if text.lstrip(b"-").isdigit() else float(text)

    connection.adapters.register_loader("numeric", NumberLoader)


def _begin_writing(connection: sa.Connection, wait_seconds: float) -> None:
    # Writers take turns, as on SQLite: what a writer has read still holds when it writes. READ COMMITTED, so that a
    # writer that has waited reads what the writer before it committed.
    if connection.get_execution_options().get(OUT_OF_TURN):
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{wait_seconds}s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")


@contextmanager
def held_lock(connection: sa.Connection, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of those who write files by turns until the end of the block; no transaction is open meanwhile."""
    connection.exec_driver_sql(f"SET lock_timeout = '{wait_seconds}s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({_FILES_LOCK})")
    try:
        yield
    finally:
        with suppress(sa.exc.DBAPIError):  # a broken connection has lost it
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_FILES_LOCK})")
            connection.exec_driver_sql("RESET lock_timeout")


def _begin_reading(connection: sa.Connection) -> None:
    # The transaction is READ ONLY, but its first statement could still change that; so mvmdb runs the first one itself.
    connection.exec_driver_sql("SELECT 1")


def prepare_database(connection: sa.Connection) -> None:
    """Check that the server is new enough, and create the type citext, as the tables need. Raises CatalogError."""
    version = connection.dialect.server_version_info or (0,)
    if version < _OLDEST:
        raise CatalogError(f"the server is PostgreSQL {'.'.join(map(str, version))}; mvmdb needs 14 or newer")
    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS citext")


def stream_statement(connection: sa.Connection, sql: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Column names, and a stream of rows, of one statement; one that returns no rows is not run, and has no names.

    The statement is prepared first, because the server prepares a single statement only: after `COMMIT; DELETE ...`
    the transaction would no longer be READ ONLY. Raises the driver's errors.
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


def cancel_statement(driver: Any) -> None:
    """End the statement that a connection of the driver runs, or the connection, if the server cannot be asked to."""
    from psycopg import Error

    try:
        driver.cancel_safe(timeout=_CANCEL_SECONDS)
    except Error:
        with suppress(OSError), socket.socket(fileno=os.dup(driver.fileno())) as connected:
            connected.shutdown(socket.SHUT_RDWR)


def driver_error(dialect: sa.Dialect) -> type[Exception]:
    """The base class of the driver's errors."""
    error: type[Exception] = dialect.loaded_dbapi.Error
    return error
