"""Signs of progress: given by a thread for as long as others of the process use the processor, and not when all hang.

A thread that gave signs without looking would do so also while the work waits for dead storage. Counting what is done
would need counts everywhere, also in libraries. Processor time is used by whatever makes progress: reading costs some.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Event, Thread, enumerate, get_native_id
from time import process_time, thread_time
from types import TracebackType
from typing import Self

WORTH_A_SIGN = 0.0002
"""Seconds of processor time: reading a megabyte takes more; a process that hangs uses none, so it never adds up."""


class Signs:
    """A thread that calls `sign` every so many seconds, if the process, but for this thread, has worked since then.

    `spent` gives the processor time of what is watched, seconds; None: of all other threads. `idle` is called instead
    where there was no work. As a context manager it ends with the block.
    """

    def __init__(
        self,
        sign: Callable[[], object],
        every: float,
        *,
        spent: Callable[[], float] | None = None,
        idle: Callable[[], object] = lambda: None,
    ) -> None:
        self._sign, self._idle, self._every = sign, idle, every
        self._spent = spent or spent_by_others
        self._end = Event()
        self._thread = Thread(target=self._watch, name="signs", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        before = self._spent()
        while not self._end.wait(self._every):
            spent = self._spent()
            if abs(spent - before) >= WORTH_A_SIGN:  # what a thread used is gone with it
                before = spent
                self._sign()
            else:
                self._idle()


def spent_by_this_thread() -> Callable[[], float]:
    """A function for the processor time, s, of the thread that is here, and of threads that mvmdb started.

    For processes where others work too, as a Dask worker, whose event loop never rests. Where the system does not tell
    the time of one thread, it is that of all: what hangs is then not noticed.
    """
    here = get_native_id()
    if _ticks(here) is None:
        return spent_by_others

    def spent() -> float:
        ours = [thread.native_id for thread in enumerate() if thread.name.startswith("mvmdb")]
        return sum(_ticks(thread) or 0 for thread in (here, *ours)) / os.sysconf("SC_CLK_TCK")

    return spent


def _ticks(thread: int | None) -> int | None:
    """What a thread has used: user and system time, fields 14 and 15 of proc(5). None where the system does not say."""
    try:
        with open(f"/proc/self/task/{thread}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[11]) + int(fields[12])


def spent_by_others() -> float:
    """Seconds of processor time that the other threads of this process have used."""
    return process_time() - thread_time()
