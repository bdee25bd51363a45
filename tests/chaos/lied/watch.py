"""Watches how long each file takes to read, and how much memory: hooks for runs, and the notes that they leave."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_SECONDS = 10.0
MOST_MEMORY = 1000
"""MB, by which the address space of a run may grow, and of which its largest size must be less."""


@dataclass(frozen=True)
class Note:
    """One file that was read: its path, seconds, and the largest size of the process by then, in MB."""

    path: str
    seconds: float
    memory: float


def watch_reading(notes: str) -> None:
    """Hook: note each exposure that is read, in a run whose memory is limited."""
    from mvmdb.catalog.exposures import read_files

    limit_memory()
    watch(read_files, "read_task", Path(notes))


def watch(module: Any, name: str, notes: Path) -> None:
    """Note each call of a function in a module; what it is called with is a path, or has one."""
    real: Callable[[Any], Any] = getattr(module, name)

    def watched(task: Any) -> Any:
        began = time.monotonic()
        with notes.open("a") as file:
            file.write(json.dumps(str(getattr(task, "path", task))) + " ")
            file.flush()
            result = real(task)
            file.write(f"{time.monotonic() - began:.4f} {peak_memory():.0f}\n")
        return result

    setattr(module, name, watched)


def limit_memory() -> None:
    """Let the address space of this process grow by MOST_MEMORY at most."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def peak_memory() -> float:
    """The largest size of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def read_notes(notes: Path) -> list[Note]:
    """What a run noted; a file that it has not come to the end of took for ever."""
    read = []
    for line in notes.read_text().splitlines() if notes.exists() else ():
        path, _, rest = line.rpartition('" ')
        seconds, memory = rest.split() if rest else ("inf", "inf")
        read.append(Note(json.loads(path + '"' if path else line), float(seconds), float(memory)))
    return read
