"""Opens the catalog, and offers transactions that are rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine

from mvmdb.schema import create_schema, open_engine, require_schema
from mvmdb.schema.engine import clear_errors
from mvmdb.schema.integrity import require_whole

__all__ = ["Begin", "Connection", "Engine", "check_file", "open_catalog", "trial"]

Begin = Callable[[], AbstractContextManager[Connection]]
"""Begins a transaction: `Engine.begin`, or that of a `trial`, which is rolled back."""


@contextmanager
def open_catalog(address: str, *, create: bool = False, read_only: bool = False) -> Iterator[Engine]:
    """An engine for the catalog at a path or URL, with its schema checked; it is disposed of after the block.

    With `create`, a missing catalog is created with the default configuration. Raises CatalogError if the catalog
    cannot be opened or has another schema version, and for the database's errors within the block.
    """
    engine = open_engine(address, create=create, read_only=read_only)
    try:
        with clear_errors(address, engine):
            with engine.begin() as connection:
                if create:
                    create_schema(connection)
                else:
                    require_schema(connection)
            yield engine
    finally:
        engine.dispose()


def check_file(engine: Engine, *, thorough: bool = False) -> None:
    """Raise CatalogError, with the remedy, if the catalog's file is damaged."""
    with engine.begin() as connection:
        require_whole(connection, thorough=thorough)


@contextmanager
def trial(engine: Engine) -> Iterator[Callable[[], AbstractContextManager[Connection]]]:
    """A `begin` whose transactions see each other's changes and are rolled back after the block: for dry runs."""
    with engine.connect() as connection, connection.begin() as transaction:

        @contextmanager
        def begin() -> Iterator[Connection]:
            yield connection

        yield begin
        transaction.rollback()
