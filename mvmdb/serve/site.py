"""The site that `mvmdb serve` shows: one catalog in Datasette, read-only, a start page, and the map if there is one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvmdb.catalog.ask.canned import CANNED
from mvmdb.catalog.ask.relations import describe_schema
from mvmdb.errors import UsageError
from mvmdb.serve import plugin
from mvmdb.serve.drawing import MapDrawing
from mvmdb.serve.metadata import example_of
from mvmdb.serve.routes import MAP

_MOST_ROWS = 10_000
_COUNTS = """SELECT (SELECT count(*) FROM exposure) AS exposures, (SELECT count(*) FROM skycell) AS skycells,
(SELECT count(*) FROM layer) AS layers, (SELECT count(*) FROM layer WHERE stale) AS stale,
(SELECT count(*) FROM product WHERE state = 'intact') AS mosaics"""


@dataclass(frozen=True, slots=True)
class Site:
    """A Datasette with one catalog, `datasette`, and that database in it."""

    datasette: Any
    database: Any

    @property
    def database_path(self) -> str:
        """The path of Datasette's page about the catalog, which takes `?sql=`."""
        return str(self.datasette.urls.database(self.database.name))

    def interrupt(self) -> None:
        """End the questions that are being answered."""
        for connection in list(self.database.readers):
            connection.interrupt()


@contextmanager
def open_site(file: Path, timeout: float, drawing: MapDrawing | None) -> Iterator[Site]:
    """The site of a catalog's file; a question may take `timeout` seconds. `drawing` is the map, if there is to be one.

    Other plugins than this package's have no part in it while the block runs. Raises UsageError where Datasette is not
    installed.
    """
    require_datasette()
    from datasette.app import Datasette

    from mvmdb.serve.database import CatalogDatabase

    with _only_own_plugins():
        datasette = Datasette(
            [],
            settings={
                "sql_time_limit_ms": max(1, round(1000 * timeout)),
                "max_returned_rows": _MOST_ROWS,
                "allow_download": False,
                "default_cache_ttl": 0,
            },
            template_dir=str(Path(__file__).parent / "templates"),
        )
        datasette.remove_database("_memory")
        database = CatalogDatabase(datasette, file)
        datasette.add_database(database)
        datasette.mvmdb_timeout = timeout  # for plugin.py

        async def start() -> dict[str, Any]:
            return await _describe_start(datasette, database, drawing)

        datasette.jinja_env.globals["mvmdb_start"] = start
        try:
            yield Site(datasette, database)
        finally:
            if datasette.executor is not None:
                datasette.executor.shutdown(wait=True, cancel_futures=True)
            database.close()


def require_datasette() -> None:
    """Raise UsageError, with the remedy, where Datasette is not installed."""
    try:
        import datasette.app  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"serve needs Datasette, which is not installed ({error}); run: pip install 'mvmdb[serve]'"
        ) from error


@contextmanager
def _only_own_plugins() -> Iterator[None]:
    """Leave the plugins of Datasette that the user has installed out of the block: some write, upload or attach.

    Where `rich` is installed, Datasette also prints each error of a user's on standard output, with all local
    variables; that is left out too.
    """
    from datasette import handle_exception
    from datasette.plugins import pm

    rich, handle_exception.rich = handle_exception.rich, None

    others = [
        (found, pm.get_name(found)) for found, source in pm.list_plugin_distinfo() if source.project_name != "mvmdb"
    ]
    for found, _ in others:
        pm.unregister(found)
    missing = not pm.is_registered(plugin)
    if missing:  # the package is used without being installed
        pm.register(plugin)
    try:
        yield
    finally:
        handle_exception.rich = rich
        if missing:
            pm.unregister(plugin)
        for found, name in others:
            pm.register(found, name)


async def _describe_start(datasette: Any, database: Any, drawing: MapDrawing | None) -> dict[str, Any]:
    """What the start page shows."""
    values = await plugin.load_examples(database)
    try:
        row = (await database.execute(_COUNTS)).first()
        counts = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row is no dict
        problem = ""
    except sqlite3.Error as error:  # the links are right all the same
        counts = {}
        problem = str(error)
    address = datasette.urls.database(database.name)
    return {
        "file": str(database.path),
        "address": address,
        "counts": counts,
        "problem": problem,
        "map": None if drawing is None else f"/{MAP}/index.html",
        "map_waits": drawing.tell() if drawing is not None and not drawing.is_there else None,
        "queries": [
            {
                "title": query.title,
                "address": f"{address}/{query.name}" + (f"?{example_of(query, values)}" if query.examples else ""),
            }
            for query in CANNED
        ],
        "relations": describe_schema(),
    }
