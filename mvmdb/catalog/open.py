"""Opening the catalog, and transactions that keep nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine

from mvmdb.schema import create_schema, open_engine, require_schema
from mvmdb.schema.engine import clear_errors

__all__ = ["Begin", "Connection", "Engine", "open_catalog", "trial"]

Begin = Callable[[], AbstractContextManager[Connection]]
"""Begins a transaction: an engine's `begin`, or a trial's, which keeps nothing."""


@contextmanager
def open_catalog(address: str, *, create: bool = False, read_only: bool = False) -> Iterator[Engine]:
    """An engine on the catalog at a path or URL, its schema checked; disposed of at the end.

    With `create`, a missing catalog is made with the default configuration. Raises CatalogError.
    """
    engine = open_engine(address, create=create, read_only=read_only)
    try:
        with clear_errors(address):
            with engine.begin() as connection:
                if create:
                    create_schema(connection)
                else:
                    require_schema(connection)
            yield engine
    finally:
        engine.dispose()


@contextmanager
def trial(engine: Engine) -> Iterator[Callable[[], AbstractContextManager[Connection]]]:
    """Transactions that see each other's changes, none of which is kept: for asking what would be."""
    with engine.connect() as connection, connection.begin() as transaction:

        @contextmanager
        def begin() -> Iterator[Connection]:
            yield connection

        yield begin
        transaction.rollback()
