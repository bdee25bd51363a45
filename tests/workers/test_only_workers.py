"""Threads and processes are started by the room workers alone: others ask it for work in the background."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mvmdb

PACKAGE = Path(mvmdb.__file__).parent
CONCURRENCY = {"threading", "_thread", "concurrent", "multiprocessing", "subprocess", "queue", "asyncio", "signal"}
FORKS = {"fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen"}
NAMES_OF_TEMPORARIES = "atomic.py"
"""Asks for the number of its thread, and starts none."""
SIGNALS_OF_THE_COMMAND = "console/streams.py"
"""Says what SIGTERM does to the command, and starts nothing."""
FILES_ELSEWHERE = {
    "catalog/open.py": ["threading"],
    "mosaic/seen.py": ["threading"],
    "remote/files.py": ["threading"],
    "remote/store.py": ["threading"],
    "remote/web.py": ["asyncio"],
    "serve/database.py": ["asyncio", "threading"],
    "serve/routes.py": ["asyncio"],
}
"""Take locks, as threads of workers/ read at once; have a connection for each thread of Datasette's; are coroutines
that run in the threads which fsspec and Datasette themselves start."""


def concurrent_names(source: str) -> Iterator[str]:
    """Modules of concurrency that a source imports, and functions of `os` that start processes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in CONCURRENCY)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in CONCURRENCY:
            yield node.module or ""
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os" and node.attr in FORKS:
            yield f"os.{node.attr}"


def test_no_other_room_starts_threads_or_processes() -> None:
    users = {
        str(path.relative_to(PACKAGE)): names
        for path in sorted(PACKAGE.rglob("*.py"))
        if (names := sorted(set(concurrent_names(path.read_text()))))
    }
    assert users.pop(NAMES_OF_TEMPORARIES) == ["threading"]
    assert users.pop(SIGNALS_OF_THE_COMMAND) == ["signal"]
    assert {path: users.pop(path) for path in FILES_ELSEWHERE} == FILES_ELSEWHERE
    assert {path for path in users if not path.startswith("workers/")} == set()
    assert {"workers/background.py", "workers/child.py", "workers/processes.py"} <= users.keys()


def test_what_is_looked_for_is_seen() -> None:
    source = "import os, queue\nfrom concurrent.futures import Future\nimport concurrent.futures\nos.fork()\n"
    assert sorted(concurrent_names(source)) == ["concurrent.futures", "concurrent.futures", "os.fork", "queue"]
