"""SQLite catalogs for programs that show them to people: which file it is, and connections that can only find rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path

from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.schema.addresses import database_url
from mvmdb.schema.questions import MOST_MEMORY, confine_sqlite
from mvmdb.schema.sqlite import register_functions

WAIT_SECONDS = 20.0
"""How long a question waits while a run writes; after that whoever asked is told to try again."""
LARGEST_VALUE = 16_000_000
"""Bytes of one value. SQLite cannot be stopped within one step, such as LIKE on a long text: this bounds the step."""
_OWN = frozenset({"archive", "exposure", "membership", "skycell", "layer", "layer_member", "product"})


def catalog_file(address: str) -> Path:
    """The file of an SQLite catalog, whose schema is checked.

    Raises UsageError for a catalog on PostgreSQL, CatalogError as `open_catalog`.
    """
    url = database_url(address)
    if url.get_backend_name() != "sqlite":
        raise UsageError(
            "this catalog is on PostgreSQL, and Datasette shows SQLite files alone; publish it by TAP "
            "(docs/seeing/tap.md), or as static files (mvmdb page)"
        )
    with open_catalog(address, read_only=True):
        return Path(str(url.database)).absolute()


def are_of_catalog(tables: Collection[str]) -> bool:
    """Whether a database with tables of these names is a catalog."""
    return _OWN.issubset(tables)


def open_reader(file: Path) -> sqlite3.Connection:
    """A connection to a catalog's file, for any thread, that knows the sky functions and can do nothing but find rows.

    As for `mvmdb query`, an authorizer refuses everything else, and values, SQL texts and the memory that SQLite takes
    in this process are limited; see LARGEST_VALUE.
    """
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=WAIT_SECONDS
    )
    register_functions(connection)
    connection.execute(f"PRAGMA hard_heap_limit = {MOST_MEMORY}").close()
    confine_sqlite(connection, LARGEST_VALUE)
    return connection
