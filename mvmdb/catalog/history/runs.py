"""Runs of commands: their beginning and their end. Events name the run that they happened in."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.catalog.history.events import RUN_OPTION
from mvmdb.catalog.open import open_catalog
from mvmdb.schema import tables as t

_LONGEST_ARGUMENTS = 2000


@dataclass(frozen=True, slots=True)
class Invocation:
    """How a command was called: its name, its command line without passwords, and the version of mvmdb."""

    command: str
    arguments: str
    version: str


def begin_run(engine: sa.Engine, invocation: Invocation) -> tuple[int, sa.Engine]:
    """Record that a run begins; return its key, and an engine whose connections write their events as of this run."""
    values = {
        "command": invocation.command,
        "arguments": _storable(invocation.arguments)[:_LONGEST_ARGUMENTS],
        "username": _storable(_username()),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": invocation.version,
        "started_at": now(),
    }
    with engine.begin() as connection:
        result = connection.execute(sa.insert(t.run).values(**values))
    (key,) = result.inserted_primary_key or (0,)
    return int(key), engine.execution_options(**{RUN_OPTION: int(key)})


def end_run(address: str, key: int, exit_code: int, error: str | None = None) -> None:
    """Record that a run has ended, with its exit code and why it could not do its work.

    The catalog is opened anew, as commands close it before they print. Raises CatalogError if that cannot be done.
    """
    change = {"ended_at": now(), "exit_code": exit_code, "error": None if error is None else _storable(error)}
    with open_catalog(address) as engine, engine.begin() as connection:
        connection.execute(sa.update(t.run).where(t.run.c.id == key).values(**change))


def _username() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's number without a name
        return str(os.getuid())


def _storable(text: str) -> str:
    """A text as every database can store it: what is not UTF-8, and NUL, are spelled."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
