"""How much memory one worker may have at most; rectangles/estimate.py says how much a mosaic needs."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mvmdb.workers.executor import Executor
from mvmdb.workers.processes import ProcessExecutor
from mvmdb.workers.serial import SerialExecutor

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container's limit stands, in versions 2 and 1 of Linux's control groups."""


def memory_of_worker(executor: Executor) -> int | None:
    """Bytes that a worker of this machine may have if it is the only one; None where workers are on other machines."""
    if not isinstance(executor, SerialExecutor | ProcessExecutor):
        return None
    bounds = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_read_limits(_CGROUP_LIMITS)]
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if address_space != resource.RLIM_INFINITY:
        bounds.append(address_space)
    return min(bounds)


def _read_limits(paths: Iterable[Path]) -> list[int]:
    limits = []
    for path in paths:
        with suppress(OSError, ValueError):  # not there, or `max`
            limits.append(int(path.read_text()))
    return limits
