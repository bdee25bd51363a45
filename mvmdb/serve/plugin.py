"""What a Datasette shows of each database that is a catalog, wherever it runs with this package beside it.

Datasette finds these functions by an entry point; the SQL functions are those of `mvmdb.schema.plugin`. Databases that
are no catalogs are left alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from pluggy import HookimplMarker

from mvmdb.catalog.ask.browse import are_of_catalog
from mvmdb.serve.metadata import EXAMPLES, describe_catalog, describe_queries

LOCKED = "a run is writing to the catalog; please try again in a moment"
_hook = HookimplMarker("datasette")


@_hook
def startup(datasette: Any) -> Callable[[], Awaitable[None]]:
    """Find out which databases are catalogs."""

    async def look() -> None:
        catalogs = {name for name, database in datasette.databases.items() if await _is_catalog(database)}
        datasette.mvmdb_catalogs = frozenset(catalogs)

    return look


@_hook
def get_metadata(datasette: Any) -> dict[str, Any]:
    """The titles, meanings and units of catalogs; what the user's own metadata say goes before."""
    return {"databases": {name: describe_catalog() for name in _catalogs(datasette)}}


@_hook
def canned_queries(datasette: Any, database: str) -> Callable[[], Awaitable[dict[str, Any]]]:
    """The canned queries of a catalog."""

    async def describe() -> dict[str, Any]:
        if database not in _catalogs(datasette):
            return {}
        return describe_queries(await load_examples(datasette.get_database(database)))

    return describe


@_hook
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Any:
    """Say in words what a user can mend; Datasette itself would print a traceback too.

    That a run is writing is said everywhere; the rest in `mvmdb serve`, whose time limit it is.
    """
    if isinstance(exception, sqlite3.OperationalError) and "locked" in str(exception):
        return _refuse(request, 503, LOCKED)
    timeout = getattr(datasette, "mvmdb_timeout", None)
    status = getattr(exception, "status", None)
    if timeout is None or status is None:
        return None
    if getattr(exception, "title", None) == "SQL Interrupted":
        return _refuse(
            request, status, f"the query took longer than {timeout:g} s and was stopped; ask for less, start "
            "mvmdb serve with a longer --timeout, or use mvmdb query"
        )  # fmt: skip
    # Datasette's own refusals have the status 500 where it names none, but it is the address that is wrong
    wrong = type(exception).__name__ == "DatasetteError" and status == 500
    return _refuse(request, 400 if wrong else status, str(getattr(exception, "message", None) or exception))


def _refuse(request: Any, status: int, words: str) -> Any:
    """An answer in the form of Datasette's own errors: JSON for programs, text for people."""
    from datasette.utils.asgi import Response

    headers = {"retry-after": "10"} if status == 503 else {}
    if request.path.endswith(".json"):
        return Response.json({"ok": False, "error": words, "status": status, "title": None}, status, headers)
    return Response.text(f"{status}: {words}\n", status=status, headers=headers)


async def load_examples(database: Any) -> dict[str, Any]:
    """Values that parameters of canned queries may have in this catalog; none where it is empty, or cannot be read."""
    try:
        row = (await database.execute(EXAMPLES)).first()
    except sqlite3.Error:
        return {}
    return {} if row is None else {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row is no dict


def _catalogs(datasette: Any) -> frozenset[str]:
    found: frozenset[str] = getattr(datasette, "mvmdb_catalogs", frozenset())
    return found


async def _is_catalog(database: Any) -> bool:
    try:
        return are_of_catalog(await database.table_names())
    except sqlite3.Error:  # no database, or one that nobody can read now
        return False
