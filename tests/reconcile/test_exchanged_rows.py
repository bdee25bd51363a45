"""Rows of products that were changed by hand and name one another's files: no run removes a mosaic for it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from archive import Archive, call

from mvmdb.mosaic.product.read import read_product

pytestmark = pytest.mark.slow

NIGHT = ("nightly", "INBOX", "--jobs", "1")
COMMANDS = [NIGHT, ("verify", "--repair"), ("verify", "--deep", "--repair"), ("adopt", "PRODUCTS")]
SWAP = """
UPDATE product SET {column} = (SELECT {column} FROM product o WHERE o.id = :second) || '#' WHERE id = :first;
UPDATE product SET {column} = (SELECT {column} FROM was WHERE was.id = :first) WHERE id = :second;
UPDATE product SET {column} = replace({column}, '#', '') WHERE id = :first;
"""
EXCHANGES = {
    "the layers of two rows": (("layer",), 2),
    "the files of two rows": (("filename",), 2),
    "the layers of rows in two cells": (("layer",), 3),
    "the files and cells of two rows": (("filename", "skycell"), 3),
}
"""The columns that are exchanged between the first row and the one of this key."""


def exchange(archive: Archive, columns: tuple[str, ...], first: int, second: int) -> None:
    with closing(connect(archive.address)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = off")
        connection.execute("CREATE TEMP TABLE was AS SELECT * FROM product")
        for column in columns:
            for statement in SWAP.format(column=column).strip().split("\n"):
                connection.execute(statement, {"first": first, "second": second})


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("columns", "second"), EXCHANGES.values(), ids=EXCHANGES)
def test_no_mosaic_is_lost(tmp_path: Path, columns: tuple[str, ...], second: int, command: tuple[str, ...]) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(16, 16))
    archive.expose("ib6o09tuq", shape=(16, 16), north=1400)
    archive.night()
    before = {path: path.read_bytes() for path in archive.products.glob("*/*.fits")}
    assert len(before) == 4
    exchange(archive, columns, 1, second)
    words = [{"INBOX": str(archive.inbox), "PRODUCTS": str(archive.products)}.get(word, word) for word in command]
    call(archive, *words)
    assert {path: path.read_bytes() for path in archive.products.glob("*/*.fits")} == before
    call(archive, *(word.replace("INBOX", str(archive.inbox)) for word in NIGHT))
    assert {read_product(path, deep=True).layer for path in before} == {path.stem.rpartition("_")[0] for path in before}
    assert call(archive, "status").exit_code == 0
    assert call(archive, "verify", "--deep", "--jobs", "1").exit_code == 0


def test_an_orphan_that_names_the_mosaic_of_another_layer_is_forgotten_alone(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(16, 16))
    archive.expose("ib6o04tvq", shape=(16, 16), filters="F160W")
    archive.night()
    with closing(connect(archive.address)) as connection, connection:
        connection.execute("UPDATE product SET filename = replace(filename, 'f160w', 'f125w')")
    kept = {path: path.read_bytes() for path in archive.products.glob("*/*f125w*.fits")}
    assert call(archive, "withdraw", "ib6o04tv").exit_code == 0
    call(archive, *(word.replace("INBOX", str(archive.inbox)) for word in NIGHT))
    assert {path: path.read_bytes() for path in archive.products.glob("*/*f125w*.fits")} == kept
