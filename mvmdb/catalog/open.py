"""Opens the catalog, and offers transactions that are rolled back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

from sqlalchemy import Connection, Engine

from mvmdb.catalog.settings import record_defaults
from mvmdb.schema import create_schema, open_engine, require_schema
from mvmdb.schema.engine import clear_errors
from mvmdb.schema.integrity import require_whole

__all__ = ["Begin", "Connection", "Engine", "Trial", "as_recorded", "check_file", "make_change", "open_catalog"]

Begin = Callable[[], AbstractContextManager[Connection]]
"""Begins a transaction: `Engine.begin`, or a `Trial`, whose transactions are rolled back."""

_users: Counter[Engine] = Counter()
"""How many blocks of `open_catalog` use an engine: all of a process that open one catalog alike have the same."""
_counting = Lock()

Change = Callable[[Connection], object]


@contextmanager
def open_catalog(address: str, *, create: bool = False, read_only: bool = False) -> Iterator[Engine]:
    """An engine for the catalog at a path or URL, with its schema checked; its connections are closed after the block.

    With `create`, a missing catalog is created with the default configuration. Raises CatalogError if the catalog
    cannot be opened or has another schema version, and for the database's errors within the block.
    """
    engine = open_engine(address, create=create, read_only=read_only)
    with _used(engine), clear_errors(address, engine):
        with engine.begin() as connection:
            if not create:
                require_schema(connection)
            elif create_schema(connection):
                record_defaults(connection)
        yield engine


@contextmanager
def _used(engine: Engine) -> Iterator[None]:
    """Dispose of an engine after the last block that uses it.

    Where it was disposed of earlier, connections of the others would go back to its former pool, and stay open.
    """
    with _counting:
        _users[engine] += 1
    try:
        yield
    finally:
        with _counting:
            _users[engine] -= 1
            if not _users[engine]:
                del _users[engine]
                engine.dispose()


def check_file(engine: Engine, *, thorough: bool = False) -> None:
    """Raise CatalogError, with the remedy, if the catalog's file is damaged."""
    with engine.begin() as connection:
        require_whole(connection, thorough=thorough)


class Trial:
    """A `begin` whose transactions are rolled back: what would be so, had some changes been made.

    Every transaction makes these changes again. So none of them stays open while files are read or lines are printed,
    which would keep others from writing for as long.
    """

    def __init__(self, engine: Engine, *changes: Change) -> None:
        self.engine = engine
        self._changes = list(changes)

    def add(self, change: Change) -> None:
        """Make one more change in each transaction from now on."""
        self._changes.append(change)

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        """Begin a transaction, for the time of a `with` block."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            for change in self._changes:
                change(connection)
            yield connection
            transaction.rollback()


def make_change(begin: Begin, change: Change) -> bool:
    """Make a change that all later transactions of `begin` see; whether it is recorded, which it is not in a trial."""
    if isinstance(begin, Trial):
        begin.add(change)
        return False
    with begin() as connection:
        change(connection)
    return True


def as_recorded(begin: Begin) -> Begin:
    """A `begin` for reading what is recorded, whatever a trial changes: for what its changes do not concern."""
    return begin.engine.begin if isinstance(begin, Trial) else begin
