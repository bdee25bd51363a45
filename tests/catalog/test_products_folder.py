"""A folder that does not look like that of the recorded products stops the run before it has done anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive import CELL, Archive
from click.testing import CliRunner

from mvmdb.catalog.configure import initialise
from mvmdb.cli import commands
from mvmdb.errors import UsageError


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
