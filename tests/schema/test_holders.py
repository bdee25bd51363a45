"""A wait in vain names who is waited for, and what that process does; one that waits for a writer gives way."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from databases import Databases, SqliteDatabases
from processes import wait_until

from mvmdb.catalog.ask import query
from mvmdb.catalog.configure import initialise
from mvmdb.catalog.open import open_catalog
from mvmdb.errors import CatalogError, UsageError
from mvmdb.schema import engine as engine_module
from mvmdb.schema import holders

HOST = socket.gethostname()


@pytest.fixture
def address(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(engine_module, "_WAIT_SECONDS", 0.5)
    made = databases.catalog()
    initialise(made)
    return made


@contextmanager
def another_process(source: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that has said that it is ready, until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", source, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def write(address: str) -> None:
    with open_catalog(address) as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE archive SET value = value")


WRITER = """
import sys, logging
from mvmdb.catalog.open import open_catalog
with open_catalog(sys.argv[1]) as engine, engine.begin() as connection:
    print("ready", flush=True)
    sys.stdin.read()
"""
READER = """
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT name FROM sqlite_master")
next(rows)
print("ready", flush=True)
sys.stdin.read()
"""


def test_another_writer_is_named(address: str, databases: Databases) -> None:
    with another_process(WRITER, address) as writer, pytest.raises(CatalogError) as refusal:
        write(address)
    text = str(refusal.value)
    assert "waited 0.5 s for" in text
    assert text.endswith("; wait until it ends, or stop it, and run this again")
    if databases.kind == "sqlite":
        assert f"process {writer.pid} ({sys.executable} -c" in text
        assert f"on {HOST}, which writes to it" in text
    else:
        assert "(mvmdb of mvmdb on the server's machine, since 2" in text
        assert " UTC)" in text


def test_who_keeps_a_reading_open_is_named_as_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_WAIT_SECONDS", 0.5)
    address = SqliteDatabases(tmp_path).catalog()
    initialise(address)
    with another_process(READER, address) as reader, pytest.raises(CatalogError) as refusal:
        write(address)
    assert f"process {reader.pid} ({sys.executable} -c import sqlite3" in str(refusal.value)
    assert f"on {HOST}, which reads it; wait until" in str(refusal.value)
    write(address)


def test_a_program_that_locks_a_table_is_named(databases: Databases, address: str) -> None:
    if isinstance(databases, SqliteDatabases):
        other = sqlite3.connect(address)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CatalogError, match="another program, which reads it or writes to it"):
            write(address)  # this process holds it: nobody else can be named
        other.close()
        return
    server = databases.server  # type: ignore[attr-defined]
    name = sa.make_url(address).database
    with psycopg.connect(host=str(server.folder), user="mvmdb", dbname=name, application_name="psql") as other_session:
        other_session.execute("LOCK TABLE archive")
        with pytest.raises(CatalogError, match=rf"process {other_session.info.backend_pid} \(psql of mvmdb"):
            write(address)


def test_a_system_without_a_list_of_locks_names_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_WAIT_SECONDS", 0.5)
    monkeypatch.setattr(holders, "LOCKS", tmp_path / "none")
    address = SqliteDatabases(tmp_path).catalog()
    initialise(address)
    with another_process(READER, address), pytest.raises(CatalogError, match="for another program, which reads"):
        write(address)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("1: POSIX  ADVISORY  READ  42 {file} 1073741826 1073742335", (42, False)),
        ("2: POSIX  ADVISORY  WRITE 43 {file} 1073741825 1073741825", (43, True)),
        ("3: OFDLCK ADVISORY  WRITE -1 {file} 0 EOF", (-1, True)),
        ("1: -> POSIX  ADVISORY  WRITE 44 {file} 1073741825 1073741825", None),
        ("4: FLOCK  ADVISORY  WRITE 45 {file} 0 100", None),
        ("5: POSIX  ADVISORY  READ  42 00:00:1 1073741826 1073742335", None),
    ],
)
def test_locks_of_sqlite_are_told_from_others(
    line: str, known: tuple[int, bool] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, listed = tmp_path / "mvm.db", tmp_path / "locks"
    database.touch()
    status = database.stat()
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    listed.write_text(line.format(file=file) + "\n")
    monkeypatch.setattr(holders, "LOCKS", listed)
    found = [(lock.pid, lock.excludes) for lock in holders._list_locks(database)]
    assert found == ([] if known is None else [known])


def test_a_process_of_another_container_is_told_as_such() -> None:
    assert holders._name_process(0) == f"a process outside of this container, on {HOST}"


WRITER_OFTEN = """
import sys, time
from mvmdb.catalog.open import open_catalog
print("ready", flush=True)
for number in range(100_000):
    with open_catalog(sys.argv[1]) as engine, engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO archive VALUES ('{number}', 'b')")
    time.sleep(0.01)
"""


def test_a_long_query_gives_way_to_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "GIVES_WAY_AFTER", 0.5)
    address = SqliteDatabases(tmp_path).catalog()
    initialise(address)
    endless = (
        "WITH RECURSIVE c(x) AS (SELECT 1 FROM alembic_version UNION ALL SELECT 1 FROM c) "
        "SELECT count(*) FROM c, alembic_version"
    )
    with another_process(WRITER_OFTEN, address) as writer:
        words = rf"stopped, as process {writer.pid} .* has waited for it for 0\.5 s to write"
        with pytest.raises(UsageError, match=words), query.run_query(address, endless, timeout=60):
            pass

        def n_written() -> int:
            with query.run_query(address, "SELECT count(*) FROM archive") as (_, rows):
                return int(next(iter(rows))[0])

        before = n_written()
        wait_until(lambda: n_written() > before)
