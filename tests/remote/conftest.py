"""A web server with an empty folder, and an archive whose cache is a folder of the test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from archive import Archive
from webserver import WebServer, serve


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    folder = tmp_path / "web"
    folder.mkdir()
    with serve(folder) as server:
        yield server


@pytest.fixture
def here(tmp_path: Path) -> Archive:
    """An archive on SQLite: what a file's address is makes no difference to the database."""
    (tmp_path / "inbox").mkdir()
    return Archive(tmp_path, str(tmp_path / "mvm.db"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MVMDB_CACHE", str(folder))
    monkeypatch.setenv("MVMDB_REMOTE_TIMEOUT", "5")
    return folder
