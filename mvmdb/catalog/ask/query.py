"""Read-only SQL for users: the database itself refuses writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy.exc import DBAPIError

from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.schema.engine import Rows, stream_rows
from mvmdb.schema.faults import plain_words


@contextmanager
def run_query(address: str, sql: str) -> Iterator[tuple[list[str], Rows]]:
    """The column names and a stream of rows of one SQL statement, run on a read-only connection.

    Raises UsageError with the database's message for SQL that it refuses, including writes, and for SQL that returns no
    rows. The rows raise it too, for an error that the database finds only while it produces them.
    """
    _require_text(sql)
    with open_catalog(address, read_only=True) as engine, engine.connect() as connection:
        with _refusals():
            names, rows = stream_rows(connection, sql)
        if not names:
            raise UsageError("this SQL returns no rows; expected a SELECT")
        with closing(_guarded(rows)) as guarded:  # an unfinished result would stay open on the server
            yield names, guarded


def _require_text(sql: str) -> None:
    """Refuse bytes that are not UTF-8, which arrive as lone surrogates, and NUL, which ends a statement."""
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"this SQL is not UTF-8: found {sql[error.start]!a} at character {error.start + 1}; expected text"
        ) from error
    if "\0" in sql:
        raise UsageError("this SQL has a NUL character; expected text")


def _guarded(rows: Rows) -> Rows:
    with _refusals():
        yield from rows


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        raise UsageError(f"the database refuses this SQL: {plain_words(error.orig)}") from error
