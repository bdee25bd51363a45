"""New databases for a test: the same asked of SQLite and of PostgreSQL."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Protocol

import pytest
from archive import empty_catalog
from postgres import Server

ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
"""For a test of what is done with rows that other tests, on both databases, see written and read."""


class Databases(Protocol):
    """Where a test gets databases of its own; all are gone after it."""

    kind: str

    def empty(self) -> str:
        """The address of a database without tables; on SQLite, of a file that is not there yet."""
        ...

    def catalog(self) -> str:
        """The address of an empty catalog, a copy of one that was made once."""
        ...

    def drop(self) -> None:
        """Remove them all."""
        ...


class SqliteDatabases:
    """Files in a folder that pytest removes."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._paths = (folder / ("mvm.db" if n == 0 else f"mvm{n}.db") for n in count())

    def empty(self) -> str:
        return str(next(self._paths))

    def catalog(self) -> str:
        address = self.empty()
        Path(address).write_bytes(empty_catalog())
        return address

    def drop(self) -> None:
        pass


class PostgresDatabases:
    """Databases of the session's server."""

    kind = "postgresql"

    def __init__(self, server: Server) -> None:
        self.server = server
        self._names: list[str] = []

    def _add(self, name: str) -> str:
        self._names.append(name)
        return self.server.address(name)

    def empty(self) -> str:
        return self._add(self.server.make_database())

    def catalog(self) -> str:
        return self._add(self.server.make_catalog())

    def drop(self) -> None:
        for name in self._names:
            self.server.drop_database(name)
