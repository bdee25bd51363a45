"""Archives of the footprints of pointings.py, which tests do not change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from databases import PostgresDatabases, SqliteDatabases
from pointings import fill

import mvmdb


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> mvmdb.Archive:
    """The archive on SQLite, which tests do not change."""
    folder = tmp_path_factory.mktemp("places")
    return fill(str(folder / "mvm.db"), folder)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def placed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[mvmdb.Archive]:
    """The archive on both databases, which tests do not change."""
    folder = tmp_path_factory.mktemp("placed")
    sqlite = request.param == "sqlite"
    databases = SqliteDatabases(folder) if sqlite else PostgresDatabases(request.getfixturevalue("postgres"))
    yield fill(databases.catalog(), folder)
    databases.drop()
