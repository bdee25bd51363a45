"""Whether a process runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep


def is_alive(pid: int) -> bool:
    """Whether a process runs still; one that ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self/stat").exists()


def wait_for_end(pid: int) -> None:
    """Give a process half a minute to end: another process ends when it gets to it."""
    for _ in range(300):
        if not is_alive(pid):
            return
        sleep(0.1)
    raise AssertionError(f"process {pid} lives on")


def wait_until(is_so: Callable[[], object], seconds: float = 60) -> None:
    """Give something that another process does a minute to be so."""
    until = monotonic() + seconds
    while not is_so():
        assert monotonic() < until, "it did not come about"
        sleep(0.01)
