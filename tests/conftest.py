"""Fixtures that every room's tests may use: where the shared data are, and what happens when they are not there.

A test that reads the shared data wears the marker `shared` and takes the fixture `shared` (or one built on it). Without
the data it is skipped, unless MVMDB_REQUIRE_SHARED=1 is set: then a test that cannot run is a failure. The same holds
for the PostgreSQL server, with MVMDB_REQUIRE_POSTGRES=1, for its extension pg_sphere, with MVMDB_REQUIRE_PGSPHERE=1,
and for fitsverify, with MVMDB_REQUIRE_FITSVERIFY=1.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from archive import Archive
from databases import Databases, PostgresDatabases, SqliteDatabases
from demonstration import Demo
from once import compile_once, configure_once, made_once
from postgres import NoServerError, Server, roomy_memory, run_server

from mvmdb.demo.run import run_demo

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_FIXTURES = {"shared", "ers_folder"}


def pytest_configure(config: pytest.Config) -> None:
    """Have temporary folders in memory, where there is room for ten times their files and no place is given.

    What is the same for every test is done once, and there is nothing to gain from looking for garbage until then.
    """
    memory = roomy_memory(8 * 2**30)
    if memory is not None and config.option.basetemp is None and "TMPDIR" not in os.environ:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    compile_once(patch)
    configure_once(patch)
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave out what outlives every test when garbage is looked for: 5,000 tests, and all modules that they import.

    To look through them again and again would be a sixth of the time that tests take.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow files first, and refuse a test that reads the shared data without saying so."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        reads_shared = SHARED_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if reads_shared and item.get_closest_marker("shared") is None:
            raise pytest.UsageError(f"{item.nodeid} reads ../shared; mark it with @pytest.mark.shared")


def _skip_unless_required(message: str, variable: str) -> NoReturn:
    """End a test that lacks what it needs: as a failure where the environment sets `variable` to 1, else skipped."""
    if os.environ.get(variable) == "1":
        pytest.fail(f"{message}; {variable}=1 asks for it")
    pytest.skip(message)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data beside the repository; the environment's MVMDB_SHARED names another place."""
    folder = Path(os.environ.get("MVMDB_SHARED") or REPOSITORY.parent / "shared")
    if folder.is_dir():
        return folder
    message = f"there is no folder {folder}; put the shared data beside the repository or name it in MVMDB_SHARED"
    _skip_unless_required(message, "MVMDB_REQUIRE_SHARED")


@pytest.fixture(scope="session")
def ers_folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 WFC3/IR exposures of the ERS field as FLT files. Tests read them here, and copy what they change."""

    def make(folder: Path) -> None:
        program = shared / "tools" / "make_ers_flts.py"
        subprocess.run([sys.executable, str(program), str(folder)], check=True, capture_output=True)

    return made_once(tmp_path_factory, "ers", make)[0]


@pytest.fixture(scope="session")
def fitsverify() -> str:
    """The program fitsverify; the environment's MVMDB_FITSVERIFY names another one than that of the system."""
    name = os.environ.get("MVMDB_FITSVERIFY") or "fitsverify"
    program = shutil.which(name)
    if program is not None:
        return program
    message = f"there is no program {name}; install it (apt-get install fitsverify) or name it in MVMDB_FITSVERIFY"
    _skip_unless_required(message, "MVMDB_REQUIRE_FITSVERIFY")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demonstration, run once. Tests read it, and copy what they change."""

    def run(folder: Path) -> tuple[int, list[str]]:
        story: list[str] = []
        return run_demo(folder, story.append), story

    folder, (code, story) = made_once(tmp_path_factory, "demo", run)
    return Demo(folder, code, tuple(story))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of this session's own."""
    try:
        with run_server() as server:
            yield server
    except NoServerError as error:
        message = f"no PostgreSQL server can be started: {error}"
        _skip_unless_required(message, "MVMDB_REQUIRE_POSTGRES")


@pytest.fixture(scope="session")
def pgsphere() -> Iterator[Server]:
    """A PostgreSQL server of the system's, with its extension pg_sphere in the database postgres."""
    found = sorted(Path("/usr/share/postgresql").glob("*/extension/pg_sphere.control"))
    if not found:
        _skip_unless_required(
            "PostgreSQL has no pg_sphere; install it (apt-get install postgresql-15-pgsphere)", "MVMDB_REQUIRE_PGSPHERE"
        )
    programs = Path("/usr/lib/postgresql") / found[-1].parts[-3] / "bin"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MVMDB_POSTGRES", str(programs))
            with run_server() as server:
                server.run("CREATE EXTENSION pg_sphere")
                yield server
    except NoServerError as error:
        _skip_unless_required(f"no PostgreSQL server can be started: {error}", "MVMDB_REQUIRE_PGSPHERE")


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """New databases for the test, of one kind and then of the other; a test that takes this runs on both."""
    made: Databases
    if request.param == "sqlite":
        made = SqliteDatabases(tmp_path)
    else:
        made = PostgresDatabases(request.getfixturevalue("postgres"))
    yield made
    made.drop()


@pytest.fixture
def archive(tmp_path: Path, databases: Databases) -> Archive:
    """An empty archive, on SQLite and then on PostgreSQL."""
    (tmp_path / "inbox").mkdir()
    return Archive(tmp_path, databases.catalog())


@pytest.fixture
def two(archive: Archive) -> Archive:
    """An archive of two overlapping exposures of one filter, after its first night."""
    archive.expose()
    archive.expose("ib6o04twq", east=2)
    assert archive.night().reconcile.failed == 0
    return archive
