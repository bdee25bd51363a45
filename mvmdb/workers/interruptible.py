"""Work that would not hear a signal, as inside a database's library: a thread does it, while the caller listens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

R = TypeVar("R")

_LOOK_SECONDS = 0.2


def run_interruptibly(work: Callable[[], R], *, interrupt: Callable[[], object], watch: Callable[[], object]) -> R:
    """What `work` returns or raises; Ctrl-C and SIGTERM end it at once, though it never returns to Python.

    Python delivers signals to its main thread, when that runs Python code; so this function waits in it for a thread
    that works. `watch` is called a few times a second, and may raise to end the work. `interrupt` must make the
    work end; it is called again until the work has ended, because it may come before the work has begun.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="mvmdb") as pool:
        future = pool.submit(work)
        try:
            while not _has_ended(future):
                watch()
        except BaseException:
            while not future.done():
                interrupt()
                _has_ended(future)
            raise
        return future.result()


def _has_ended(future: Future[R]) -> bool:
    """Whether the work ended within a fraction of a second."""
    return bool(wait([future], timeout=_LOOK_SECONDS).done)
