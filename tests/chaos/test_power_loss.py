"""When the power goes: what is recorded is on the disk, and a mosaic that is not whole is found and made again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from archive import CELL, FINE, Archive
from chaos.syncing import find_unsynced
from chaos.taps import COMMIT, Call

from mvmdb.catalog.open import open_catalog
from mvmdb.errors import ProductError
from mvmdb.mosaic.product.read import read_product

BLOCK = 2880


@pytest.mark.parametrize("left_out", ["sync", "folder", "made", "removed", "order"])
def test_the_judge_sees_what_is_not_synced(left_out: str) -> None:
    folder = [Call("mkdir", "/p/cell"), Call("sync", "/p")]
    file = [Call("create", "/p/cell/.a.tmp"), Call("write", "/p/cell/.a.tmp"), Call("sync", "/p/cell/.a.tmp")]
    rename = [Call("rename", "/p/cell/.a.tmp", "/p/cell/a"), Call("sync", "/p/cell")]
    removal = [Call("unlink", "/p/cell/b"), Call("sync", "/p/cell")]
    good = [*folder, *file, *rename, COMMIT, *removal, COMMIT]
    assert find_unsynced(good) == []
    bad = {
        "sync": [*folder, *file[:-1], *rename, COMMIT],
        "folder": [*folder, *file, rename[0], COMMIT],
        "made": [folder[0], *file, *rename, COMMIT],
        "removed": [*folder, *file, *rename, COMMIT, removal[0], COMMIT],
        "order": [*folder, file[0], file[2], file[1], *rename, COMMIT],
    }
    assert len(find_unsynced(bad[left_out])) == 1


def test_sqlite_syncs_what_it_commits(tmp_path: Path) -> None:
    with open_catalog(str(tmp_path / "mvm.db"), create=True) as engine, engine.connect() as connection:
        full = 2
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() >= full


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("made")
    archive = Archive(folder, str(folder / "mvm.db"))
    archive.expose(shape=(20, 20))
    archive.night()
    return archive


def damages(whole: bytes) -> Iterator[bytes]:
    """A mosaic that is empty, cut at any block or within one, or zeros, all of it or from some block on."""
    yield b""
    yield bytes(len(whole))
    for end in range(0, len(whole), BLOCK):
        yield whole[: end + 100]
        if end:
            yield whole[:end]
        if whole[end:].strip(b"\0"):
            yield whole[:end] + bytes(len(whole) - end)


def test_a_mosaic_that_is_empty_short_or_zeros_is_damaged(made: Archive) -> None:
    path = made.products / CELL / f"{FINE}_drz.fits"
    whole = path.read_bytes()
    n = 0
    for content in damages(whole):
        path.write_bytes(content)
        with pytest.raises(ProductError, match="make the layer again"):
            read_product(path, deep=True)
        n += 1
    assert n > 2 * len(whole) // BLOCK
    for content in (b"", whole[:BLOCK], whole[: len(whole) // 2], bytes(len(whole))):
        path.write_bytes(content)
        assert made.reasons()[FINE] == [("product-damaged", None)]
        path.write_bytes(whole)
        assert made.reasons() == {}
    path.write_bytes(whole[:-BLOCK])
    assert made.night().reconcile.drizzled == 1
    assert made.reasons(deep=True) == {}


@pytest.mark.parametrize("content", [b"", bytes(5000)], ids=["empty", "zeros"])
def test_a_file_with_nothing_in_it_is_not_in_the_way_of_a_new_layer(archive: Archive, content: bytes) -> None:
    archive.expose(shape=(20, 20))
    path = archive.products / CELL / f"{FINE}_drz.fits"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    report = archive.night().reconcile
    assert (report.drizzled, report.failed) == (2, 0)
    assert archive.reasons(deep=True) == {}
