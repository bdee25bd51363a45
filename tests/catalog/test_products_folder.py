"""A folder that does not look like that of the recorded products stops the run before it has done anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from archive import CELL, Archive
from click.testing import CliRunner
from databases import ON_SQLITE

from mvmdb.archive.access import agreed_products
from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.cli import commands
from mvmdb.errors import UsageError
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.run import reconcile
from mvmdb.records import Policy
from mvmdb.workers.processes import IN_THIS_PROCESS


@pytest.fixture
def made(archive: Archive) -> Archive:
    """An archive with four products."""
    archive.expose()
    archive.expose("ib6o05tuq", filters="F140W", east=5)
    assert archive.night().reconcile.drizzled == 4
    return archive


def call(archive: Archive, *words: object) -> str:
    """The message of the error that a command ends with; empty where there is none."""
    done = CliRunner().invoke(commands, ["--db", archive.address, *map(str, words)])
    assert done.exception is None or isinstance(done.exception, UsageError), done.exception
    return str(done.exception or "")


def recorded(archive: Archive) -> Path:
    return Path(dict(archive.rows("SELECT key, value FROM archive"))["products"])


@ON_SQLITE
@pytest.mark.parametrize("command", ["reconcile", "nightly"])
def test_products_that_are_not_mounted_are_not_made_anew(made: Archive, command: str) -> None:
    words = [command, "--jobs", 1, *([made.inbox] if command == "nightly" else [])]
    away = made.folder / "away"
    made.products.rename(away)
    made.products.mkdir()  # the mount point
    made.look()  # a look, which records that they are missing, is no consent
    message = call(made, *words)
    assert "4 of 4 recorded products" in message
    assert "--yes" in message
    assert [path.name for path in made.products.iterdir()] == []
    made.products.rmdir()
    assert "mounted?" in call(made, *words)
    assert not made.products.exists()
    away.rename(made.products)
    before = made.product_files()
    assert call(made, *words) == ""
    assert made.product_files() == before


def test_most_products_missing_is_refused_and_yes_makes_them_anew(made: Archive) -> None:
    files = sorted(made.products.glob("*/*.fits"))
    for path in files[:2]:
        path.unlink()
    assert call(made, "reconcile", "--jobs", 1) == "", "half of them is no more than a loss"
    for path in files[:3]:
        path.unlink()
    assert "3 of 4" in call(made, "reconcile", "--jobs", 1)
    assert call(made, "reconcile", "--jobs", 1, "--yes") == ""
    assert sorted(made.products.glob("*/*.fits")) == files


def test_a_single_product_that_was_deleted_is_made_anew(archive: Archive) -> None:
    archive.expose("j8oz04kpq", detector="WFC", kind="flc")
    archive.night()
    (product,) = archive.products.glob("*/*.fits")
    product.unlink()
    assert call(archive, "reconcile", "--jobs", 1) == ""
    assert product.exists()
    archive.products.rename(archive.folder / "away")
    assert "1 of 1" in call(archive, "reconcile", "--jobs", 1)


def test_another_folder_is_refused_unless_the_products_have_moved(made: Archive) -> None:
    moved = made.folder / "moved"
    for words in (["reconcile"], ["nightly", made.inbox]):
        message = call(made, *words, "--jobs", 1, "-o", moved)
        assert str(made.products) in message
        assert "--move-products" in message
        assert not moved.exists()
    assert recorded(made) == made.products
    assert "missing" in call(made, "reconcile", "--jobs", 1, "-o", moved, "--move-products")
    assert recorded(made) == made.products
    made.products.rename(moved)
    before = {path.name: path.stat().st_mtime_ns for path in (moved / CELL).iterdir()}
    assert call(made, "reconcile", "--jobs", 1, "-o", moved, "--move-products") == ""
    assert {path.name: path.stat().st_mtime_ns for path in (moved / CELL).iterdir()} == before
    assert recorded(made) == moved


@ON_SQLITE
def test_the_same_folder_by_another_path_is_no_other(made: Archive) -> None:
    link = made.folder / "link"
    link.symlink_to(made.products)
    assert call(made, "reconcile", "--jobs", 1, "-o", link) == ""
    assert call(made, "reconcile", "--jobs", 1, "-o", made.folder / "inbox" / ".." / "products") == ""


def test_init_does_not_move_products_unasked(made: Archive) -> None:
    other = made.folder / "other"
    assert "--move-products" in call(made, "init", "--products", other)
    with pytest.raises(UsageError, match="are recorded in"):
        initialise(made.address, products=other)
    assert recorded(made) == made.products
    assert "mounted?" in call(made, "init", "--products", other, "--move-products")
    assert call(made, "init", "--products", other, "--move-products", "--yes") == ""
    assert recorded(made) == other


def test_a_folder_may_change_while_no_products_are_recorded(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    for name in ("first", "second"):
        assert call(archive, "init", "--products", archive.folder / name) == ""
    assert recorded(archive) == archive.folder / "second"


def test_a_run_that_was_overtaken_by_the_first_is_refused(archive: Archive) -> None:
    archive.expose()
    archive.ingest()
    other = archive.folder / "other"
    with open_catalog(archive.address) as engine:
        assert agreed_products(engine, other, rebuild=False, move=False) == other
        archive.night()
        before = archive.product_files()
        with pytest.raises(UsageError, match="are recorded in"):
            reconcile(engine, other, Policy(), Options(), workers=IN_THIS_PROCESS)
    assert recorded(archive) == archive.products
    assert archive.product_files() == before
    assert archive.reasons() == {}
    assert not list(other.glob("*/*.fits"))


def test_of_two_first_runs_at_once_with_different_folders_one_is_refused(archive: Archive) -> None:
    for number in range(4):
        archive.expose(f"ib6o0{number}tuq", east=number)
    archive.lose_catalog()
    folders = [archive.folder / "first", archive.folder / "second"]
    command = [sys.executable, "-m", "mvmdb", "--db", archive.address, "nightly", str(archive.inbox), "--jobs", "1"]
    runs = [
        subprocess.Popen([*command, "-o", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for folder in folders
    ]
    said = [run.communicate()[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 2], said
    (winner,) = (folder for folder, run in zip(folders, runs, strict=True) if run.returncode == 0)
    (loser,) = set(folders) - {winner}
    assert recorded(archive) == winner
    assert str(winner) in said[folders.index(loser)]
    assert not list(loser.glob("*/*.fits"))
    archive.folder.joinpath("products").symlink_to(winner)
    assert archive.reasons() == {}
