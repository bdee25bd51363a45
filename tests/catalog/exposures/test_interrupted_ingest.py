"""An ingest that is cut off, by a lost connection or by the kill of its process, or that meets another one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from archive import Archive
from databases import Databases
from postgres import Server

from mvmdb.catalog.configure import initialise
from mvmdb.catalog.exposures import ingest, register
from mvmdb.catalog.exposures import read_files as reading
from mvmdb.catalog.layers import refresh as layers
from mvmdb.catalog.open import open_catalog
from mvmdb.cli import main
from mvmdb.errors import CatalogError
from mvmdb.schema import open_engine

TABLES = ("exposure", "dataset", "membership", "skycell", "layer", "layer_member", "quarantine")

KILLED = """
import os, signal, sys
from mvmdb.catalog.{package} import {module}
real = {module}.{name}
def kill(*given, **named):
    real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
{module}.{name} = kill
from mvmdb.cli import main
sys.argv = ["mvmdb", "--db", {address!r}, "ingest", {inbox!r}]
main()
"""


@pytest.fixture
def begun(archive: Archive) -> Archive:
    """One exposure is in the catalog, two more are about to come, and a file that is none."""
    archive.expose()
    archive.ingest()
    archive.expose("ib6o04twq", east=2)
    archive.expose("ib6o04txq", east=4, filters="F140W")
    (archive.inbox / "broken_flt.fits").write_bytes(b"no exposure")
    return archive


def content(archive: Archive) -> dict[str, list[tuple[Any, ...]]]:
    return {table: sorted(archive.rows(f"SELECT * FROM {table}"), key=str) for table in TABLES}


def is_complete(archive: Archive) -> bool:
    names = [name for (name,) in archive.rows("SELECT ipppssoo FROM exposure ORDER BY ipppssoo")]
    members = archive.rows("SELECT n_exposures FROM layer ORDER BY n_exposures")
    bad = archive.rows("SELECT kind FROM quarantine")
    return (names, members, bad) == (["ib6o04tu", "ib6o04tw", "ib6o04tx"], [(1,), (1,), (2,), (2,)], [("not-fits",)])


def after(real: Callable[..., Any], deed: Callable[[], object]) -> Callable[..., Any]:
    def wrapped(*given: Any, **named: Any) -> Any:
        result = real(*given, **named)
        deed()
        return result

    return wrapped


def amid_rows(real: Callable[..., Any], deed: Callable[[], object]) -> Callable[..., Any]:
    """`bulk_insert` with a deed between its first row and the others."""

    def wrapped(connection: Any, table: Any, columns: Any, rows: Any) -> None:
        def broken() -> Iterator[Any]:
            for number, row in enumerate(rows):
                yield row
                if number == 0:
                    deed()

        real(connection, table, columns, broken())

    return wrapped


POINTS = [
    (register, "_write_datasets", after),
    (register, "replace_memberships", after),
    (layers, "write_changed_keys", after),
    (layers, "bulk_insert", amid_rows),
    (ingest, "write_quarantine", after),
]


@pytest.mark.parametrize(("module", "name", "wrap"), POINTS, ids=[name for _, name, _ in POINTS])
def test_a_lost_connection_undoes_the_whole_transaction_and_the_next_run_completes_it(
    begun: Archive, databases: Databases, postgres: Server, module: Any, name: str, wrap: Any, capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if databases.kind == "sqlite":
        lose: Callable[[], object] = fail_as_a_full_disk_does
        said = "database or disk is full"
    else:
        database = str(open_engine(begun.address).url.database)
        lose = lambda: postgres.drop_connections(database)  # noqa: E731
        said = "the connection was lost"
    before = content(begun)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, wrap(getattr(module, name), lose))
        patch.setattr(sys, "argv", ["mvmdb", "--db", begun.address, "ingest", "--jobs", "1", str(begun.inbox)])
        with pytest.raises(SystemExit) as ending:
            main()
    assert ending.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert content(begun) == before
    begun.ingest()
    assert is_complete(begun)


def fail_as_a_full_disk_does() -> None:
    import sqlite3

    import sqlalchemy as sa

    raise sa.exc.OperationalError("INSERT", None, sqlite3.OperationalError("database or disk is full"))


@pytest.mark.parametrize(("module", "name"), [("register", "replace_memberships"), ("ingest", "write_quarantine")])
def test_the_run_after_a_killed_one_completes_it(begun: Archive, module: str, name: str) -> None:
    before = content(begun)
    script = KILLED.format(package="exposures", module=module, name=name, address=begun.address, inbox=str(begun.inbox))
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert content(begun) == before
    begun.ingest()
    assert is_complete(begun)


def test_two_ingests_at_once_take_turns_and_count_once(begun: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    met = Barrier(2, timeout=60)
    monkeypatch.setattr(
        reading, "read_datasets", after(reading.read_datasets, met.wait)
    )  # both have seen the files as new
    with ThreadPoolExecutor(2) as pool:
        reports = [future.result() for future in [pool.submit(begun.ingest) for _ in range(2)]]
    assert sorted((report.new, report.unchanged) for report in reports) == [(0, 3), (2, 1)]
    assert is_complete(begun)


def test_two_runs_may_make_one_catalog_at_once(databases: Databases) -> None:
    address, met = databases.empty(), Barrier(2, timeout=60)

    def make() -> None:
        met.wait()
        initialise(address, rule=None, products=None)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(make) for _ in range(2)]:
            future.result()
    with open_catalog(address) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar() == 1


def test_a_lost_connection_is_a_catalog_error_for_the_library_too(
    begun: Archive, databases: Databases, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    if databases.kind == "sqlite":
        lose: Callable[[], object] = fail_as_a_full_disk_does
    else:
        database = str(open_engine(begun.address).url.database)
        lose = lambda: postgres.drop_connections(database)  # noqa: E731
    monkeypatch.setattr(register, "refresh_layers", after(register.refresh_layers, lose))
    with pytest.raises(CatalogError):
        begun.ingest()
