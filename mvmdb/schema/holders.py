"""Who holds a database that a command waits for, as far as the operating system or the server tells."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.schema.addresses import database_url, hide_password

LOCKS = Path("/proc/locks")
"""Where Linux lists the locks of this machine; other systems have no such file."""
_PENDING, _LAST = 0x40000000, 0x400001FF
"""The first and last byte of an SQLite file that its locks cover; the first is that of a writer who waits for readers
(https://sqlite.org/src/file/src/os.h)."""
_LONGEST_COMMAND = 80
_MOST_NAMED = 3
_POSTGRES = """
SELECT DISTINCT lock.locktype <> 'advisory' AS other, activity.pid, activity.application_name, activity.usename,
       host(activity.client_addr), activity.xact_start
FROM pg_locks AS lock JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
WHERE lock.granted AND lock.pid <> pg_backend_pid()
  AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((lock.locktype = 'advisory' AND lock.classid::bigint = %s AND lock.objid::bigint = %s)
       OR (lock.locktype = 'relation' AND lock.mode LIKE '%%Exclusive%%'))
ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class _Lock:
    """One lock on an SQLite file: the process, whether it excludes others, as writers' do, and the bytes it covers."""

    pid: int
    excludes: bool
    first: int
    last: int

    def covers(self, byte: int) -> bool:
        return self.first <= byte <= self.last


def name_holders(engine: sa.Engine, address: str, writers_lock: int) -> list[str]:
    """Other processes that read or write this database now, in words; empty if none is known.

    `writers_lock` is the number of the lock that writers take on PostgreSQL. Raises the driver's errors.
    """
    if engine.dialect.name != "sqlite":
        return list(_name_sessions(engine, writers_lock))
    locks: dict[int, list[_Lock]] = {}
    for lock in _list_locks(Path(database_url(address).database or "")):
        locks.setdefault(lock.pid, []).append(lock)
    return [
        f"{_name_process(pid)}, which {'writes to' if any(lock.excludes for lock in of_process) else 'reads'} it"
        for pid, of_process in sorted(locks.items())
    ][:_MOST_NAMED]


def waiting_writer(path: Path) -> str | None:
    """The process that waits for readers of this SQLite file to end before it writes; None if none is known."""
    pids = [lock.pid for lock in _list_locks(path) if lock.excludes and lock.covers(_PENDING)]
    return _name_process(pids[0]) if pids else None


def _list_locks(path: Path) -> Iterator[_Lock]:
    """The locks that other processes of this machine hold on an SQLite file."""
    try:
        file, lines = path.stat(), LOCKS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        lock = _parse(line, file.st_dev, file.st_ino)
        if lock is not None and lock.pid != os.getpid():
            yield lock


def _parse(line: str, device: int, inode: int) -> _Lock | None:
    """A line of /proc/locks, if it is a lock of SQLite on this file: `1: POSIX ADVISORY READ 42 fe:00:7 0 EOF`."""
    words = line.split()
    if len(words) != 8 or words[1] == "->":  # such a process waits for the lock
        return None
    major, minor, number = words[5].split(":")
    if (int(major, 16), int(minor, 16), int(number)) != (os.major(device), os.minor(device), inode):
        return None
    last = _LAST if words[7] == "EOF" else int(words[7])
    lock = _Lock(int(words[4]), words[3] == "WRITE", int(words[6]), last)
    return lock if lock.first <= _LAST and lock.last >= _PENDING else None


def _name_process(pid: int) -> str:
    host = socket.gethostname()
    if pid <= 0:  # of another namespace of processes
        return f"a process outside of this container, on {host}"
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        words = []
    command = " ".join(" ".join(hide_password(word) for word in words).split())
    if len(command) > _LONGEST_COMMAND:
        command = f"{command[:_LONGEST_COMMAND]}..."
    return f"process {pid} ({command}) on {host}" if command else f"process {pid} on {host}"


def _name_sessions(engine: sa.Engine, writers_lock: int) -> Iterator[str]:
    connection: Any = engine.raw_connection()  # of the pool: it begins no transaction that would wait too
    try:
        cursor = connection.cursor()
        cursor.execute(_POSTGRES, (writers_lock >> 32, writers_lock & 0xFFFFFFFF))
        rows = cursor.fetchall()
    finally:
        connection.close()
    first = [row for row in rows if not row[0]] or rows  # who has the writers' lock is waited for, nobody else
    for _, pid, program, user, client, since in first[:_MOST_NAMED]:
        where = f"from {client}" if client else "on the server's machine"
        yield f"the server's process {pid} ({program or 'a program'} of {user} {where}{_since(since)})"


def _since(time: dt.datetime | None) -> str:
    return "" if time is None else f", since {time.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
