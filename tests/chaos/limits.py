"""Hooks for runs: real limits of databases and files, connections that break, servers that stop."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chaos.taps import COMMIT, Call, tap


def limit_pages(extra: int) -> None:
    """Hook: the catalog's file may grow by so many pages, and then SQLite finds it full."""
    real = sqlite3.connect

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = real(*given, **named)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {_allowed.setdefault('pages', pages + extra)}")
        return connection

    sqlite3.connect = connect  # type: ignore[assignment]


_allowed: dict[str, int] = {}


def wait_briefly() -> None:
    """Hook: others who hold the catalog are waited for a fraction of a second, not for a minute."""
    from mvmdb.schema import engine

    engine._WAIT_SECONDS = 0.3


def break_connection(number: int, server: str) -> None:
    """Hook: the server ends its connections to the catalog just before the commit of this number."""
    import psycopg

    def end_all() -> None:
        with psycopg.connect(server, autocommit=True) as other:
            end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'mvmdb'"
            other.execute(end)

    _at_commit(number, end_all)


def stop_server(number: int, control: Sequence[str], user: Mapping[str, Any]) -> None:
    """Hook: the server stops as in a crash just before the commit of this number, and does not come back."""
    command = [*control, "-m", "immediate", "stop"]
    _at_commit(number, lambda: subprocess.run(command, check=True, cwd="/", **user))


def _at_commit(number: int, act: Callable[[], object]) -> None:
    numbers: Iterator[int] = iter(range(1 << 30))

    def watch(call: Call) -> None:
        if call == COMMIT and next(numbers) == number:
            act()

    tap(("/nowhere",), watch)
