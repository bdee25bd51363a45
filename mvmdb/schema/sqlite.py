"""Opening SQLite: which file, in which mode, with which functions, and how transactions begin."""

from __future__ import annotations

import os
import sqlite3
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from mvmdb.errors import CatalogError
from mvmdb.schema.functions import SQLITE_FUNCTIONS
from mvmdb.schema.questions import deny_attach
from mvmdb.schema.values import holds_text, holds_time

_STEP_MS = 250


def open_sqlite(url: sa.URL, *, create: bool, read_only: bool, wait_seconds: float) -> sa.Engine:
    """An engine for a file; a writer waits `wait_seconds` for another writer's transaction. Raises CatalogError."""
    path = Path(str(url.database))
    if path.is_dir():
        raise CatalogError(f"{path} is a folder; expected a database file: give --db FILE")
    if not path.exists() and not create:
        raise CatalogError(f"there is no catalog at {path}; make one with `mvmdb init` or `mvmdb ingest`, or give --db")
    if create and not path.parent.is_dir():
        raise CatalogError(f"{path}: its folder does not exist; make it first, or give another --db")
    mode = "ro" if read_only else "rwc" if create else "rw"
    location = f"{path.absolute().as_uri()}?mode={mode}"
    return _engine(location, read_only, wait_seconds, os.getpid())


@lru_cache(maxsize=16)
def _engine(location: str, read_only: bool, wait_seconds: float, _pid: int) -> sa.Engine:
    """The engine of this file: one for all who read it or write it, so that a statement is compiled once in a process.

    A question that takes milliseconds would wait for its compilation twice as long. An engine that was disposed of
    holds no connection and may be used again. A forked process has engines of its own: no connection is shared.
    """

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(location, uri=True, check_same_thread=False, timeout=wait_seconds)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool, max_overflow=-1)
    event.listen(engine, "connect", _prepare)
    if read_only:
        event.listen(engine, "connect", _confine)
        event.listen(engine, "begin", _begin_reading)
    else:
        event.listen(engine, "begin", lambda connection: _begin_writing(connection, wait_seconds))
    return engine


def register_functions(connection: sqlite3.Connection) -> None:
    """Add the SQL functions of a catalog to a connection, and nothing else: no recursive triggers and no plugins."""
    import sqlite_utils  # 0.1 s of import that other databases need not pay

    database = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False)
    for name, function in SQLITE_FUNCTIONS:
        database.register_function(function, deterministic=True, name=name)


def temporary_folder() -> str:
    """Where SQLite sorts what does not fit into memory (https://sqlite.org/tempfiles.html, section 5)."""
    named = (os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), "/var/tmp", "/usr/tmp", "/tmp")
    usable = (folder for folder in named if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK))
    return next(usable, ".")


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # mvmdb begins transactions itself: see _begin_writing
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -262144")  # KiB, used as needed: indexes of a large catalog stay at hand
    register_functions(connection)
    for function in (holds_text, holds_time):  # for values.py, and no user's
        connection.create_function(function.__name__, 1, function, deterministic=True)


def _confine(connection: Any, _record: Any) -> None:
    connection.set_authorizer(deny_attach)


def _begin_writing(connection: sa.Connection, wait_seconds: float) -> None:
    # IMMEDIATE: a writer waits its turn instead of failing half-way. It waits in many short steps, as Python hears
    # Ctrl-C only between two calls of SQLite.
    driver: Any = connection.connection.driver_connection
    until = monotonic() + wait_seconds
    driver.execute(f"PRAGMA busy_timeout = {min(_STEP_MS, round(1000 * wait_seconds))}")
    try:
        while monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises its error as SQLAlchemy's
    finally:
        driver.execute(f"PRAGMA busy_timeout = {round(1000 * wait_seconds)}")


def _begin_reading(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
