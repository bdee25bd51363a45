"""Databases that cannot be used: one clear line each, with the remedy and without the password."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from archive import Archive, call
from databases import Databases
from postgres import GUARDED, PASSWORD, Server

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.cli import main
from mvmdb.errors import CatalogError
from mvmdb.schema import engine as engine_module
from mvmdb.schema import open_engine
from mvmdb.schema import postgres as postgres_module

Addressed = Callable[[Server], str]

FAULTS: list[tuple[str, Addressed, str]] = [
    ("server down", lambda s: f"postgresql+psycopg://u:{PASSWORD}@/db?host={s.folder}/nowhere", "server is running"),
    ("no such host", lambda s: f"postgresql://u:{PASSWORD}@nosuch.invalid/db", "server is running"),
    ("wrong password", lambda s: s.address("postgres", GUARDED, f"{PASSWORD}x"), "check the user and the password"),
    ("no password", lambda s: s.address("postgres", GUARDED), "check the user and the password"),
    ("no such role", lambda s: s.address("postgres", "nobody"), "check the user and the password"),
    ("no such database", lambda s: s.address("nosuch", password=PASSWORD), "make it with createdb"),
    ("port no number", lambda s: f"postgresql+psycopg://u:{PASSWORD}@host:port/db", "not a database address"),
    ("another driver", lambda s: f"postgresql+psycopg2://u:{PASSWORD}@host/db", "write postgresql"),
    ("another database", lambda s: f"mysql://u:{PASSWORD}@host/db?password={PASSWORD}", "no driver for mysql"),
    ("no catalog in it", lambda s: f"{s.address('postgres', password=PASSWORD)}&password={PASSWORD}", "mvmdb init"),
]


@pytest.mark.parametrize(("address", "remedy"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_each_fault_is_one_line_with_a_remedy_and_no_password(
    address: Addressed,
    remedy: str,
    postgres: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["mvmdb", "--db", address(postgres), "query", "SELECT 1"])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert remedy in line
    assert PASSWORD not in line


def test_the_right_password_opens(postgres: Server) -> None:
    with open_engine(postgres.address("postgres", GUARDED, PASSWORD)).connect() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == GUARDED


def test_a_role_without_rights_is_refused_with_the_remedy(postgres: Server) -> None:
    name = postgres.make_database()
    try:
        with pytest.raises(CatalogError, match=r"permission denied.*ask the owner"):
            initialise(postgres.address(name, GUARDED, PASSWORD), rule=None, products=None)
    finally:
        postgres.drop_database(name)


def test_a_missing_driver_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CatalogError, match=r"needs the driver psycopg.*pip install 'mvmdb\[postgres\]'"):
        open_engine("postgresql://host/db")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg(scheme: str) -> None:
    assert open_engine(f"{scheme}://host/db").dialect.driver == "psycopg"


def test_a_server_too_old_is_refused(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "_OLDEST", (99, 0))
    name = postgres.make_database()
    try:
        with pytest.raises(CatalogError, match=r"the server is PostgreSQL .*; mvmdb needs"):
            initialise(postgres.address(name), rule=None, products=None)
    finally:
        postgres.drop_database(name)


def test_a_writer_waits_in_vain_for_another_one_and_a_reader_does_not_wait(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = databases.catalog()
    initialise(address, rule=None, products=None)
    monkeypatch.setattr(engine_module, "_WAIT_SECONDS", 0.2)
    with open_catalog(address) as engine, engine.begin():
        with pytest.raises(CatalogError, match=r"waited 0\.2 s for"), open_catalog(address):
            pass
        with open_catalog(address, read_only=True) as reader, reader.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM exposure").scalar() == 0


def test_readers_and_writers_reconnect_after_the_server_dropped_idle_connections(
    databases: Databases, postgres: Server
) -> None:
    address = databases.catalog()
    with open_catalog(address, create=True) as engine:
        if databases.kind == "postgresql":
            assert postgres.drop_connections(str(engine.url.database)) > 0
        with engine.begin() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM exposure").scalar() == 0


@pytest.mark.parametrize("value", ["'not a date'", "x'00'", "7"])
def test_a_time_that_is_none_is_told_with_the_remedy(tmp_path: Path, value: str) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(16, 16))
    assert call(archive, "ingest", str(archive.inbox), "--jobs", "1").exit_code == 0
    with closing(sqlite3.connect(archive.address)) as connection, connection:
        connection.execute(f"UPDATE event SET at = {value}")
    for words in (("history", "--kind", "exposure-new"), ("explain", "ib6o04tuq")):
        refused = call(archive, *words)
        assert isinstance(refused.exception, CatalogError)
        assert "a time that is none" in str(refused.exception)
        assert "run mvmdb verify" in str(refused.exception)
