"""Files that lie: a few hundred of those that `make chaos-lied` makes by the ten thousand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chaos.lied.judge import find_lies
from chaos.lied.oddities import ODDITIES
from chaos.lied.originals import Original, make_originals, number_root
from chaos.lied.products import make_stock, read_mutants, replace_products
from chaos.lied.trial import ingest_mutants
from chaos.nest import Nest, Order


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    with Nest() as process:
        yield process


@pytest.fixture(scope="module")
def originals() -> list[Original]:
    return make_originals()


def test_mutated_exposures_are_registered_rightly_or_quarantined(
    nest: Nest, originals: list[Original], tmp_path: Path
) -> None:
    figures = ingest_mutants(nest, tmp_path / "archive", originals, "12", 300, ODDITIES)
    assert figures.files == 300 + len(ODDITIES)
    assert figures.registered > 100
    assert {"truncated", "contradictory", "not-fits", "unreadable"} <= figures.quarantined.keys()


def test_originals_are_true_and_the_judge_sees_a_lie(nest: Nest, originals: list[Original], tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    for number, original in enumerate(originals):
        renamed = original.renamed(number_root(original.root, number))
        (tmp_path / "inbox" / renamed.filename).write_bytes(renamed.content)
    assert nest.run(Order(["--db", "mvm.db", "ingest", "inbox"], str(tmp_path))).code == 0
    with closing(sqlite3.connect(tmp_path / "mvm.db")) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT exposure.*, processed FROM exposure JOIN dataset ON exposure_id = exposure.id ORDER BY rootname"
        rows = [dict(row) for row in connection.execute(query)]
    assert [row["eligible"] for row in rows] == [1] * len(originals)
    assert [find_lies(row["path"], row) for row in rows] == [[]] * len(rows)
    row, other = rows[:2]
    assert find_lies(row["path"], row | {"exptime": 5.0}) == ["exptime is 5.0; astropy reads 802.934753"]
    assert ["from the outline" in lie for lie in find_lies(row["path"], row | {"s_region": other["s_region"]})] == [
        True
    ]
    assert ["no footprint" in lie for lie in find_lies(row["path"], row | {"s_region": ""})] == [True]
    assert find_lies(str(tmp_path / "mvm.db"), row)[0].startswith("astropy cannot read it")


def test_mutated_products_are_found_out_and_whole_ones_are_not(nest: Nest, tmp_path: Path) -> None:
    stock = make_stock(tmp_path / "stock")
    assert read_mutants(nest, tmp_path / "mutants", stock, "12", 50).products["refused"] > 30
    assert replace_products(nest, stock, "12", 3).products["found by verify --deep"] > 5
