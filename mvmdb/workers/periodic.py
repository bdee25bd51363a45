"""A call that is repeated in the background, such as a sign of life."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

log = logging.getLogger(__name__)


@contextmanager
def repeat(call: Callable[[], object], *, every: float, what: str) -> Iterator[None]:
    """Call a function every so many seconds until the end of the block, in a thread of its own.

    What it raises is logged as a warning, which begins with `what`, and it is called again when it is due.
    """

    def work() -> float:
        try:
            call()
        except Exception as error:  # the next call may succeed, and the work goes on meanwhile
            log.warning("%s: %s", what, error)
        return every

    with repeat_when_due(work, first=every):
        yield


@contextmanager
def repeat_when_due(call: Callable[[], float], *, first: float = 0.0) -> Iterator[None]:
    """Call a function until the end of the block, in a thread of its own: each call returns the seconds until the next.

    The first is due after `first` seconds. The block ends when the running call has returned, and no other begins.
    `call` handles its own errors: one that it raises ends the repetition.
    """
    ended = Event()

    def work() -> None:
        seconds = first
        while not ended.wait(seconds):
            seconds = call()

    thread = Thread(target=work, name="mvmdb-periodic", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
