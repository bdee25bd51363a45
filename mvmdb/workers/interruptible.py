"""Work that would not hear a signal, as inside a database's library: a thread does it, while the caller listens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from time import monotonic
from typing import TypeVar

R = TypeVar("R")

_LOOK_SECONDS = 0.2
_HEEDS_WITHIN = 10.0  # seconds


def run_interruptibly(
    work: Callable[[], R],
    *,
    interrupt: Callable[[], object],
    watch: Callable[[], object],
    end_stuck: Callable[[BaseException], object] | None = None,
) -> R:
    """What `work` returns or raises; Ctrl-C and SIGTERM end it at once, though it never returns to Python.

    Python delivers signals to its main thread, when that runs Python code; so this function waits in it for a thread
    that works. `watch` is called a few times a second, and may raise to end the work. `interrupt` must make the
    work end; it is called again until the work has ended, because it may come before the work has begun. Work that
    does not end for it within 10 s is waited for all the same, or `end_stuck` ends the process, which is told why.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="mvmdb") as pool:
        future = pool.submit(work)
        try:
            while not _has_ended(future):
                watch()
        except BaseException as reason:
            until = monotonic() + _HEEDS_WITHIN
            while not future.done():
                interrupt()
                if not _has_ended(future) and end_stuck is not None and monotonic() > until:
                    end_stuck(reason)
            raise
        return future.result()


def _has_ended(future: Future[R]) -> bool:
    """Whether the work ended within a fraction of a second."""
    return bool(wait([future], timeout=_LOOK_SECONDS).done)
