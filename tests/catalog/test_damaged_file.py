"""A catalog's file with damaged pages: a night does not begin on it, status --deep finds it, and the remedy works."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from archive import Archive

from mvmdb.catalog.open import check_file, open_catalog
from mvmdb.errors import CatalogError

HEADER = 8
"""Bytes of a page that say what it is, and how many cells it has."""


@pytest.fixture
def one(tmp_path: Path) -> Archive:
    """A catalog with a mosaic at two scales, and nothing stale."""
    (tmp_path / "inbox").mkdir()
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.night()
    return archive


def run(archive: Archive, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mvmdb.cli", "--db", archive.address, *words],
        cwd=archive.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def place(archive: Archive, name: str) -> tuple[int, int]:
    """Where the first page of a table or an index begins in the file, and its size."""
    with closing(sqlite3.connect(archive.address)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    return (page - 1) * size, size


def damage(archive: Archive, name: str) -> None:
    """Overwrite the first page of a table or an index, as a failing disk might."""
    start, size = place(archive, name)
    with open(archive.address, "r+b") as file:
        file.seek(start + HEADER)
        file.write(b"\xa5" * (size - HEADER))


def misname(archive: Archive, index: str, name: bytes, other: bytes) -> None:
    """Change a name in an index, and not in its table, as bits that flip would."""
    start, size = place(archive, index)
    with open(archive.address, "r+b") as file:
        file.seek(start)
        page = file.read(size)
        assert name in page
        file.seek(start)
        file.write(page.replace(name, other))


def check_words(done: subprocess.CompletedProcess[str], archive: Archive) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mvmdb: database {archive.address} is damaged (")
    assert "restore a copy of it, or move it away and build it again" in line


def test_a_damaged_page_ends_a_night_before_it_begins_and_is_found_by_status_deep(one: Archive) -> None:
    damage(one, "sky_pair")
    products = one.product_files()
    one.expose("ib6o05tuq", filters="F140W")
    assert run(one, "status").returncode == 0, "what is damaged is not read by it"
    check_words(run(one, "nightly", "inbox", "-o", "products"), one)
    check_words(run(one, "status", "--deep"), one)
    assert one.product_files() == products


def test_the_remedy_finds_the_mosaics_fresh(one: Archive) -> None:
    damage(one, "membership")
    assert run(one, "nightly", "inbox", "-o", "products").returncode == 2
    Path(one.address).rename(one.folder / "damaged.db")
    assert run(one, "init", "--products", "products").returncode == 0
    assert run(one, "ingest", "inbox").returncode == 0
    done = run(one, "status", "--json")
    assert (done.returncode, json.loads(done.stdout)["fresh"]) == (0, 2)


def test_a_whole_catalog_passes_both_checks(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    with open_catalog(archive.address) as engine:
        check_file(engine)
        check_file(engine, thorough=True)


def test_an_index_that_contradicts_its_table_is_found_by_status_deep_alone(one: Archive) -> None:
    misname(one, "ix_product_member_ipppssoo", b"ib6o04tw", b"ib6o04tx")
    assert run(one, "nightly", "inbox", "-o", "products").returncode == 0
    check_words(run(one, "status", "--deep"), one)


def test_damage_that_is_met_elsewhere_has_the_same_remedy(one: Archive) -> None:
    damage(one, "membership")
    with pytest.raises(CatalogError, match="malformed; expected a whole file: restore a copy of it"):
        one.rows("SELECT count(area_arcmin2) FROM membership")
