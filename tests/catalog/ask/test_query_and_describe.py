"""Read-only SQL, descriptions in words, and the rows of pollers."""

from __future__ import annotations

import pytest
from archive import CELL, COARSE, FINE, Archive

from mvmdb.catalog.ask.cells import resolve_cells
from mvmdb.catalog.ask.describe import Description, describe
from mvmdb.catalog.ask.members import load_layer_exposures
from mvmdb.catalog.ask.query import run_query
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.pollers.rows import poller_rows
from mvmdb.records import Policy


@pytest.fixture
def one(archive: Archive) -> Archive:
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    archive.ingest()
    return archive


def told(archive: Archive, name: str) -> Description:
    with open_catalog(archive.address) as engine, engine.begin() as connection:
        return describe(connection, name, Policy())


def test_query_gives_names_and_rows(one: Archive) -> None:
    with run_query(one.address, "SELECT ipppssoo, exptime FROM exposure ORDER BY ipppssoo") as (names, rows):
        assert names == ["ipppssoo", "exptime"]
        assert [row[0] for row in rows] == ["ib6o04tu", "ib6o04tw"]


@pytest.mark.parametrize("sql", ["DELETE FROM exposure", "DROP TABLE layer", "UPDATE exposure SET exptime = 0"])
def test_query_cannot_write(one: Archive, sql: str) -> None:
    with pytest.raises(UsageError), run_query(one.address, sql):
        pass
    assert one.rows("SELECT count(*) FROM exposure") == [(2,)]
    assert one.rows("SELECT count(*) FROM layer") == [(2,)]


def test_wrong_sql_is_refused_in_the_databases_words(one: Archive) -> None:
    with (
        pytest.raises(UsageError, match=r"(no such column: |column \")nonsense"),
        run_query(one.address, "SELECT nonsense FROM layer"),
    ):
        pass


def test_a_layer_is_described_with_members_and_state(one: Archive) -> None:
    found = told(one, FINE)
    text = "\n".join(found.lines)
    assert (found.kind, found.name) == ("layer", FINE)
    assert "2 FLT exposures" in text
    assert "ib6o04tu, ib6o04tw" in text
    assert "no product yet" in text
    assert told(one, f"{FINE}_drz.fits") == found


def test_a_cell_and_an_exposure_are_described(one: Archive) -> None:
    cell = told(one, CELL.removeprefix("skycell-"))
    assert (cell.kind, cell.layers) == ("sky cell", (FINE, COARSE))
    for name in ("ib6o04tu", "IB6O04TUQ", "ib6o04tuq_flt.fits", "/somewhere/ib6o04tuq_flt.fits"):
        exposure = told(one, name)
        assert (exposure.kind, exposure.name, exposure.skycells) == ("exposure", "ib6o04tu", (CELL,))
        assert "Eligible for layers." in exposure.lines


@pytest.mark.parametrize(
    "name", ["nonsense", "ib6o99tuq", "skycell-p0001x01y01", "hst_skycell-p0001x01y01_acs_wfc_f606w_all"]
)
def test_unknown_names_are_refused(one: Archive, name: str) -> None:
    with pytest.raises(UsageError):
        told(one, name)


def test_poller_rows_are_new_where_any_layer_says_so(one: Archive) -> None:
    with open_catalog(one.address) as engine, engine.begin() as connection:
        cells = resolve_cells(connection, [CELL])
        everything = poller_rows(load_layer_exposures(connection, cells), {FINE: None})[CELL]
        some = poller_rows(load_layer_exposures(connection, cells), {COARSE: ["ib6o04tw"]})[CELL]
        nothing = poller_rows(load_layer_exposures(connection, cells), {})[CELL]
    assert [row.flag for row in everything] == ["NEW", "NEW"]
    assert [row.flag for row in some] == ["OLD", "NEW"]
    assert [row.flag for row in nothing] == ["OLD", "OLD"]
    assert [row.filename for row in some] == ["ib6o04tuq_flt.fits", "ib6o04twq_flt.fits"]
    assert (some[0].program_id, some[0].obset_id, some[0].detector, some[0].filters) == ("B6O", "04", "IR", "F125W")


@pytest.mark.parametrize("sql", ["SELECT '\udcff'", "SELECT 1 -- \0"])
def test_sql_that_is_no_text_is_refused_before_the_database_sees_it(one: Archive, sql: str) -> None:
    with pytest.raises(UsageError, match="this SQL"), run_query(one.address, sql):
        pass
