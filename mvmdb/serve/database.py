"""A catalog's file as Datasette's database, on connections that can only find rows; imported by who needs Datasette."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasette.database import Database
from datasette.views.base import DatasetteError

from mvmdb.catalog.ask.browse import open_reader
from mvmdb.serve import plugin


class CatalogUnavailableError(DatasetteError, sqlite3.OperationalError):  # type: ignore[misc]
    """Nobody can read the catalog now. Of other errors of SQLite's Datasette prints a traceback."""

    def __init__(self, message: str) -> None:
        DatasetteError.__init__(self, message, status=503)


class CatalogDatabase(Database):  # type: ignore[misc]
    """A catalog's file on connections that can only find rows.

    Datasette's own put the path into a URI as it is, so that `a?b.db` would be another file, give up after 5 s
    while a run writes, and stay at a file that was replaced.
    """

    def __init__(self, datasette: Any, file: Path) -> None:
        super().__init__(datasette, str(file), is_mutable=True)
        self.readers: list[sqlite3.Connection] = []
        self._mine = threading.local()

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, lambda: fn(self._reader()))

    def _reader(self) -> sqlite3.Connection:
        """This thread's connection to the file that is there now: a catalog may be restored in its place."""
        try:
            state = os.stat(self.path)
        except OSError as error:
            raise CatalogUnavailableError(
                f"there is no catalog at {self.path}; expected it to be put back soon, else end this server"
            ) from error
        identity = (state.st_dev, state.st_ino)
        if getattr(self._mine, "identity", None) != identity:
            self._mine.identity = None
            if old := getattr(self._mine, "connection", None):
                self.readers.remove(old)
                old.close()
            self._mine.connection = None
            self._mine.connection = self.connect()
            self.ds._prepare_connection(self._mine.connection, self.name)
            self._mine.identity = identity
        return self._mine.connection  # type: ignore[no-any-return]

    async def execute(self, sql: str, *args: Any, **named: Any) -> Any:
        named["log_sql_errors"] = False  # who asked is told; strangers' SQL, of any length, is nothing for the log
        try:
            return await super().execute(sql, *args, **named)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise CatalogUnavailableError(plugin.LOCKED) from error
            raise

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        connection = open_reader(Path(self.path))
        self.readers.append(connection)
        return connection

    def close(self) -> None:
        while self.readers:
            self.readers.pop().close()
