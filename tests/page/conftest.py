"""A known archive, its map, and a browser, once for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from archive import Archive
from browsers import open_browser, serve_folder
from playwright.sync_api import Browser
from skymap import make_known_archive

import mvmdb


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive of skymap.py; its folder `map` is the page. Tests read both."""
    archive = make_known_archive(tmp_path_factory.mktemp("known") / "archive")
    mvmdb.open(archive.address).page(archive.folder / "map", pictures=True)
    return archive


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def web(known: Archive) -> Iterator[str]:
    """The address of the archive's folder on the web; the page is at `/map/`."""
    with serve_folder(known.folder) as address:
        yield address


@pytest.fixture
def page_folder(known: Archive) -> Path:
    """The folder of the page."""
    return known.folder / "map"
