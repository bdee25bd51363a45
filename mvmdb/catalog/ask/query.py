"""Read-only SQL for users: the database itself refuses writes, and no answer keeps it longer than it takes to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import disk_usage
from time import monotonic

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from mvmdb.catalog.ask.spool import SpooledRows
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.schema.addresses import database_url
from mvmdb.schema.engine import interrupt_statement, limit_statements, stream_rows
from mvmdb.schema.faults import plain_words
from mvmdb.schema.holders import waiting_writer
from mvmdb.schema.questions import limit_memory, only_questions
from mvmdb.schema.sqlite import temporary_folder
from mvmdb.workers.interruptible import run_interruptibly

GIVES_WAY_AFTER = 30.0
"""Seconds that a writer waits for a query on SQLite until the query is stopped; the writer would give up after 60."""


TIMEOUT = 300.0
"""Seconds that a query may take, where nobody says otherwise."""
_LEAST_FREE = 0.5  # of what a disk had free: others need it too

EndStuck = Callable[[BaseException], object]
"""Ends this process, where the database does not stop for the reason given."""


@contextmanager
def run_query(
    address: str, sql: str, *, timeout: float = TIMEOUT, end_stuck: EndStuck | None = None
) -> Iterator[tuple[list[str], SpooledRows]]:
    """The column names and the rows of one SQL statement, run on a read-only connection.

    All rows are found, and the database is let go, before the block begins: whoever reads them slowly keeps nobody
    from writing. Names are made unique. Raises UsageError with the database's message for SQL that it refuses,
    including writes, for SQL that may do more than find rows or returns none, after `timeout` seconds (0: no limit), if
    a writer waits for the query on SQLite for too long, and if the answer needs too much memory or disk.

    A process that does nothing else gives `end_stuck`: within one step, such as LIKE on a long text, SQLite does not
    hear that it should stop. The memory that SQLite takes in this process is then limited too.
    """
    _require_text(sql)
    if not timeout >= 0:
        raise UsageError(f"the time limit is {timeout}; expected seconds, or 0 for no limit")
    with SpooledRows() as rows:
        yield unique_names(_find_rows(address, sql, timeout or None, rows, end_stuck)), rows


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, each once: a repeated one gets the first of `_2`, `_3`, ... that makes it a name of its own.

    >>> unique_names(["id", "id", "id_2", "id"])
    ['id', 'id_3', 'id_2', 'id_4']
    """
    taken, given = set(names), set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate in given or (number > 1 and candidate in taken):
            number += 1
            candidate = f"{name}_{number}"
        given.add(candidate)
        unique.append(candidate)
    return unique


def _find_rows(
    address: str, sql: str, timeout: float | None, answer: SpooledRows, end_stuck: EndStuck | None
) -> list[str]:
    """Put the rows of a statement into `answer`; returns the names of their columns."""
    with open_catalog(address, read_only=True) as engine, engine.connect() as connection:
        if end_stuck is not None:
            limit_memory(connection)
        names = run_interruptibly(
            lambda: _answer(connection, sql, timeout, answer),
            interrupt=lambda: interrupt_statement(connection),
            watch=_Watch(address, timeout),
            end_stuck=end_stuck,
        )
    if not names:
        raise UsageError("this SQL returns no rows; expected a SELECT")
    return names


def _answer(connection: sa.Connection, sql: str, timeout: float | None, answer: SpooledRows) -> list[str]:
    try:
        if timeout is not None:
            limit_statements(connection, timeout)
        with only_questions(connection, sql):
            names, rows = stream_rows(connection, sql)
            with closing(rows):
                answer.extend(rows)
    except MemoryError as error:
        raise UsageError("the query needs more memory than it may have; ask for less") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        if timeout is not None and getattr(error.orig, "sqlstate", None) == "57014":  # the server was faster
            raise _too_long(timeout) from error
        raise UsageError(f"the database refuses this SQL: {plain_words(error.orig)}") from error
    return names


class _Watch:
    """What ends a query that runs: its time limit, a writer who has waited for it, and a disk that it fills."""

    def __init__(self, address: str, timeout: float | None) -> None:
        url = database_url(address)
        self._file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        self._timeout, self._started = timeout, monotonic()
        self._next_look, self._waits_since = 0.0, 0.0
        if self._file is not None:
            self._folder = temporary_folder()
            self._least_free = _LEAST_FREE * disk_usage(self._folder).free

    def __call__(self) -> None:
        now = monotonic()
        if self._timeout is not None and now - self._started >= self._timeout:
            raise _too_long(self._timeout)
        if self._file is not None and disk_usage(self._folder).free < self._least_free:
            raise UsageError(
                f"the query was stopped, as half of what was free in {self._folder} is used up, where SQLite sorts; "
                "set SQLITE_TMPDIR to a folder with more room, or ask for less"
            )
        if self._file is not None and now >= self._next_look:
            self._next_look = now + min(1.0, GIVES_WAY_AFTER / 4)
            self._give_way(self._file, now)

    def _give_way(self, file: Path, now: float) -> None:
        writer = waiting_writer(file)
        if writer is None:
            self._waits_since = 0.0
        elif not self._waits_since:
            self._waits_since = now
        elif now - self._waits_since >= GIVES_WAY_AFTER:
            raise UsageError(
                f"the query was stopped, as {writer} has waited for it for {GIVES_WAY_AFTER:g} s to write to the "
                "catalog; run it again later, or on a copy of the catalog"
            )


def _too_long(timeout: float) -> UsageError:
    return UsageError(
        f"the query took longer than {timeout:g} s and was stopped; give it more with --timeout, or ask for less"
    )


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
