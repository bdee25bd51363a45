"""Answers to queries: each column has a name of its own, long ones need no memory, endless ones can be ended."""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from archive import Archive
from databases import Databases
from hypothesis import given
from hypothesis import strategies as st
from postgres import Server

from mvmdb.catalog import spool
from mvmdb.catalog.ask.query import TIMEOUT, run_query, unique_names
from mvmdb.catalog.ask.spool import SpooledRows
from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.console.commands.query import query
from mvmdb.errors import UsageError
from mvmdb.schema.engine import limit_statements, open_engine

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT count(*) FROM c"
ENDLESS_ROWS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, 'some text' FROM c"


@pytest.fixture
def address(databases: Databases) -> str:
    made = databases.catalog()
    initialise(made)
    return made


@given(st.lists(st.sampled_from(["id", "id_2", "id_3", "id_2_2", "ra", ""])))
def test_each_column_gets_a_name_of_its_own_and_real_names_stay(names: list[str]) -> None:
    unique = unique_names(names)
    assert len(set(unique)) == len(unique) == len(names)
    for place, name in enumerate(names):
        if name not in names[:place]:
            assert unique[place] == name
        else:
            assert unique[place].startswith(f"{name}_")


def test_two_columns_of_one_name_are_both_answered(address: str) -> None:
    sql = "SELECT a.n AS id, b.n AS id, 7 AS id_2 FROM (SELECT 1 AS n) AS a, (SELECT 2 AS n) AS b"
    with run_query(address, sql) as (names, rows):
        assert (names, list(rows)) == (["id", "id_3", "id_2"], [(1, 2, 7)])


def test_rows_can_be_read_again(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY", 10_000)
    sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5000) SELECT x FROM c"
    with run_query(address, sql) as (_, rows):
        assert list(rows) == list(rows) == [(x,) for x in range(1, 5001)]


def test_a_query_ends_at_its_time_limit(address: str) -> None:
    started = time.monotonic()
    with pytest.raises(UsageError, match=r"longer than 0\.3 s.*--timeout"), run_query(address, ENDLESS, timeout=0.3):
        pass
    assert time.monotonic() - started < 20
    with run_query(address, "SELECT 1", timeout=60) as (_, rows):
        assert list(rows) == [(1,)]


@pytest.fixture
def on_server(postgres: Server) -> Iterator[str]:
    """The address of a catalog on PostgreSQL."""
    name = postgres.make_catalog()
    yield postgres.address(name)
    postgres.drop_database(name)


def test_the_server_ends_a_query_at_its_time_limit_by_itself(on_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.catalog.ask.query._Watch", lambda address, timeout: lambda: None)
    with pytest.raises(UsageError, match=r"longer than 0\.3 s"), run_query(on_server, ENDLESS, timeout=0.3):
        pass


def test_a_server_that_cannot_be_asked_to_stop_is_left(on_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, *, timeout: float = 30.0) -> None:
        raise psycopg.OperationalError("no connection")

    monkeypatch.setattr(psycopg.Connection, "cancel_safe", refuse)
    monkeypatch.setattr("mvmdb.catalog.ask.query.limit_statements", lambda connection, seconds: None)
    started = time.monotonic()
    with pytest.raises(UsageError, match=r"longer than 0\.3 s"), run_query(on_server, ENDLESS, timeout=0.3):
        pass
    assert time.monotonic() - started < 20


def test_an_answer_never_fills_the_disk(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(spool.shutil, "disk_usage", lambda path: usage(20_000_000))
    with pytest.raises(UsageError, match=r"half of what is free.*TMPDIR"), run_query(address, ENDLESS_ROWS):
        pass


def test_a_sort_never_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = str(tmp_path / "mvm.db")
    initialise(made)
    free = iter([100.0, 51.0])
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("mvmdb.catalog.ask.query.disk_usage", lambda folder: usage(next(free, 49.0)))
    with pytest.raises(UsageError, match=r"half of what was free.*SQLITE_TMPDIR"), run_query(made, ENDLESS):
        pass


def test_a_row_that_would_fill_the_memory_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.catalog.ask.spool.LARGEST_ROW", 30)
    with run_query(address, "SELECT '12345678901234567890'") as (_, rows):
        assert len(list(rows)) == 1
    with (
        pytest.raises(UsageError, match="a row of 40 bytes"),
        run_query(address, "SELECT 'a2345678901234567890' AS a, 'b2345678901234567890' AS b"),
    ):
        pass


def test_large_rows_are_held_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.catalog.ask.spool._BYTES_AT_ONCE", 100)
    sizes: list[int] = []
    monkeypatch.setattr(spool.Spool, "add", lambda self, batch: sizes.append(len(batch)))
    with SpooledRows() as rows:
        rows.extend([("x" * 60, None)] * 5 + [(1, 2.0)] * 2500)
    assert sizes == [2, 2, 1000, 1000, 501]


def test_a_query_has_five_minutes_unless_somebody_says_otherwise(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    option = next(parameter for parameter in query.params if parameter.name == "timeout")
    assert TIMEOUT == option.default == 300
    limits: list[float] = []
    monkeypatch.setattr("mvmdb.catalog.ask.query.limit_statements", lambda connection, seconds: limits.append(seconds))
    for timeout in (None, 0, 1e300):
        with run_query(address, "SELECT 1", **({} if timeout is None else {"timeout": timeout})) as (_, rows):
            assert list(rows) == [(1,)]
    assert limits == [300, 1e300]
    with pytest.raises(UsageError, match="the time limit is nan"), run_query(address, "SELECT 1", timeout=float("nan")):
        pass


@pytest.mark.parametrize("seconds", [1e-9, 1e300, float("inf")])
def test_a_time_limit_of_any_length_is_understood_by_the_server(address: str, seconds: float) -> None:
    with open_catalog(address, read_only=True) as engine, engine.connect() as connection:
        limit_statements(connection, seconds)


def test_a_full_disk_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(rows: object, file: object, protocol: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.pickle, "dump", full)
    with (
        pytest.raises(UsageError, match=r"cannot keep the answer.*No space left.*TMPDIR"),
        run_query(address, "SELECT 1"),
    ):
        pass


def test_the_database_is_let_go_before_the_first_row_is_read(archive: Archive, databases: Databases) -> None:
    archive.expose()
    archive.ingest()
    with run_query(archive.address, "SELECT ipppssoo FROM exposure") as (_, rows):
        if databases.kind == "postgresql":
            sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mvmdb'"
            assert archive.rows(sql) == [(1,)], "that of this very question"
        engine = open_engine(archive.address)
        with engine.connect() as connection:  # SQLite: an exclusive lock, which no reader allows
            connection.exec_driver_sql("DELETE FROM membership")
            connection.commit()
        engine.dispose()
        assert list(rows) == [("ib6o04tu",)]
