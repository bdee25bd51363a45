"""What `mvmdb query` runs on: no statement, and no trick with several, changes the catalog."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from archive import Archive
from databases import Databases

from mvmdb.catalog.ask.query import run_query
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.schema import tables as t

EVERYWHERE = (
    "DELETE FROM exposure",
    "DELETE FROM exposure RETURNING id",
    "UPDATE exposure SET exptime = 0",
    "INSERT INTO archive (key, value) VALUES ('a', 'b') RETURNING key",
    "DROP TABLE layer",
    "SELECT 1; DELETE FROM exposure",
    "COMMIT; DELETE FROM exposure",
    "ROLLBACK",
)
POSTGRESQL = (
    "WITH gone AS (DELETE FROM exposure RETURNING id) SELECT * FROM gone",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT 1; COMMIT; SET default_transaction_read_only = off; DELETE FROM exposure; SELECT 2",
    "SET TRANSACTION READ WRITE; DELETE FROM exposure RETURNING id",
    "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM exposure; END $$",
    "SELECT nextval('exposure_id_seq')",
    "SELECT setval('exposure_id_seq', 1)",
    "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'DELETE FROM exposure; SELECT 1'",
    "COPY exposure FROM '/dev/null'",
    "EXPLAIN ANALYZE DELETE FROM exposure",
)
SQLITE = (
    "ATTACH DATABASE 'new.db' AS other", "VACUUM INTO 'new.db'", "VACUUM", "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = wal",
)  # fmt: skip


@pytest.fixture
def one(archive: Archive) -> Archive:
    archive.expose()
    archive.ingest()
    return archive


def content(archive: Archive) -> list[object]:
    return [archive.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("archive", "exposure", "layer")]


def test_no_statement_changes_the_catalog(one: Archive, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(one.folder)
    before, files = content(one), sorted(one.folder.iterdir())
    for sql in EVERYWHERE + (POSTGRESQL if databases.kind == "postgresql" else SQLITE):
        refused = False
        try:
            with run_query(one.address, sql) as (_, rows):
                list(rows)
        except UsageError:
            refused = True
        assert refused or sql.startswith("PRAGMA journal_mode"), sql  # which says its present mode
        assert content(one) == before, sql
        assert sorted(one.folder.iterdir()) == files, sql


def test_a_read_only_engine_refuses_to_write_whatever_is_asked_first(one: Archive) -> None:
    before = content(one)
    with open_catalog(one.address, read_only=True) as engine:
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.delete(t.exposure))
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
            connection.exec_driver_sql("SET TRANSACTION READ WRITE")
    assert content(one) == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ipppssoo FROM exposure WHERE filter LIKE 'F12%'",
        "SELECT ipppssoo FROM exposure WHERE filter IN ('F125W', 'nothing') AND instrument = 'WFC3'",
        "WITH e AS (SELECT * FROM exposure) SELECT ipppssoo FROM e WHERE detector = 'ir'",
    ],
)
def test_questions_are_asked_without_regard_to_case_and_percent_signs_are_plain(one: Archive, sql: str) -> None:
    with run_query(one.address, sql) as (names, rows):
        assert names == ["ipppssoo"]
        assert list(rows) == [("ib6o04tu",)]


def test_a_question_without_answers_still_has_its_columns(one: Archive) -> None:
    with run_query(one.address, "SELECT ipppssoo, exptime FROM exposure WHERE exptime < 0") as (names, rows):
        assert names == ["ipppssoo", "exptime"]
        assert list(rows) == []


def test_a_plan_can_be_asked_for(one: Archive, databases: Databases) -> None:
    word = "EXPLAIN QUERY PLAN" if databases.kind == "sqlite" else "EXPLAIN"
    with run_query(one.address, f"{word} SELECT * FROM exposure") as (_, rows):
        assert len(list(rows)) == 1
