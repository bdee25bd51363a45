"""What a user's SQL may do: find rows. The rest is refused before it runs, whatever rights the user has.

A read-only connection is not enough. On SQLite, settings and temporary tables can still be made, and a single value may
take a gigabyte. On PostgreSQL, a function may write a file, end another session or take a lock in a transaction that is
READ ONLY.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from mvmdb.errors import UsageError

LARGEST_VALUE = 64_000_000
"""Bytes of one value, and of one row that is sorted, on SQLite."""
MOST_MEMORY = 2**30
"""Bytes that SQLite may take in a process that does nothing but ask."""
_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE),
    (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 1_000_000),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 1000),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 500),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
)
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_OUTSIDE = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zipfile"}
"""Functions of SQLite that reach beyond the database; most are not in Python's SQLite, but may be in another's."""
_DESCRIBING = {
    "collation_list", "compile_options", "database_list", "foreign_key_check", "foreign_key_list", "function_list",
    "index_info", "index_list", "index_xinfo", "integrity_check", "pragma_list", "quick_check", "table_info",
    "table_list", "table_xinfo",
}  # fmt: skip
"""Pragmas whose argument is a name, or how many faults are listed."""
_ASKING = {"application_id", "encoding", "freelist_count", "page_count", "page_size", "schema_version", "user_version"}
"""Pragmas that change something if they have an argument."""
_HARMLESS = {
    "bernoulli", "clock_timestamp", "gen_random_uuid", "random", "random_normal", "system", "timeofday",
    "pg_column_compression", "pg_column_size", "pg_database_size", "pg_indexes_size", "pg_relation_size",
    "pg_table_size", "pg_tablespace_size", "pg_total_relation_size",
}  # fmt: skip
"""Functions that PostgreSQL calls volatile and that only tell something."""
_RUNNING = {"connectby", "crosstab", "crosstab2", "crosstab3", "crosstab4", "xpath_table"}
"""Functions of extensions that run SQL given as a text, though PostgreSQL does not call them volatile."""
_VOLATILE = "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v' OR prokind = 'p'"
_WORD = re.compile(r"[\w$]+")


@contextmanager
def only_questions(connection: sa.Connection, sql: str) -> Iterator[None]:
    """Let a statement of a user's, run in this block, do nothing but find rows. Raises UsageError if it would."""
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        _refuse_effects(connection, sql)
        yield
        return
    before = [(limit, driver.setlimit(limit, value)) for limit, value in _LIMITS]
    driver.set_authorizer(_authorize)
    try:
        yield
    finally:
        driver.set_authorizer(deny_attach)
        for limit, value in before:
            driver.setlimit(limit, value)


def confine_sqlite(driver: sqlite3.Connection, largest_value: int = LARGEST_VALUE) -> None:
    """Let a connection to SQLite do nothing but find rows, for its whole life; values of more bytes are errors."""
    for limit, value in _LIMITS:
        driver.setlimit(limit, min(value, largest_value) if limit == sqlite3.SQLITE_LIMIT_LENGTH else value)
    driver.set_authorizer(_authorize)


def deny_attach(action: int, *_: str | None) -> int:
    """The authorizer of every read-only connection to SQLite.

    `mode=ro` protects the catalog's file alone: ATTACH, and VACUUM INTO through it, could create other files.
    """
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def limit_memory(connection: sa.Connection) -> None:
    """Bound the memory that SQLite takes in this whole process, for good: SQLite lets no pragma raise it again."""
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA hard_heap_limit = {MOST_MEMORY}")


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = str(second).lower() not in _OUTSIDE
    elif action == sqlite3.SQLITE_PRAGMA:
        name = str(first).lower()
        allowed = name in _DESCRIBING or (name in _ASKING and second is None)
    elif action == sqlite3.SQLITE_UPDATE:  # so SQLite declares json_each and the like; SQL cannot change this table
        allowed = first == "sqlite_master"
    else:
        allowed = action in _READING
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _refuse_effects(connection: sa.Connection, sql: str) -> None:
    """Refuse SQL for PostgreSQL with the name of a function that may do more than tell.

    Which these are the server knows: it calls functions volatile that may change something, also those of extensions
    and of users, and keeps all others from writing. Names are looked for in the whole text, also in its strings and
    comments: whoever tells apart what is a name and what is not can be deceived.
    """
    if re.search(r"u&\s*\"", sql, re.IGNORECASE):
        raise UsageError('this SQL has a name in the form U&"..."; expected a plain name')
    words = {word.lower() for word in _WORD.findall(sql)}
    volatile = set(connection.exec_driver_sql(_VOLATILE).scalars())
    for name in sorted(volatile - _HARMLESS | _RUNNING):
        if name.lower() in words or (_WORD.fullmatch(name) is None and name in sql):
            raise UsageError(
                f"this SQL names {name}, a function that may do more than find rows; expected functions that the "
                "database calls immutable or stable (pg_proc.provolatile)"
            )
