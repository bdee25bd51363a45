"""One background thread, which does what it is given in order; and a map over a few threads that keeps the order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

MOST_WAITING = 8
"""Calls that may be unfinished: hashing is as fast as a disk, and memory is for other things."""


class BackgroundThread:
    """One thread for work that releases Python's lock, as hashing, reading and GEOS do; calls are done in order.

    An error is raised by the call's future, and also by the next `submit` or by `close`, so that it shows where nobody
    asks for the result. `close` waits for all calls. `abandon` drops the calls that have not begun, waits for the one
    that has, and raises nothing. As a context manager it is closed after the block, and abandoned after an error.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mvmdb")
        self._unfinished: deque[Future[Any]] = deque()
        self._abandoned = False

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for results any more: long work may look at this and stop."""
        return self._abandoned

    def submit(self, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Have `work(*arguments, **named)` done after the calls before; its future.

        Waits first while `most_waiting` calls are unfinished. Raises what an earlier call raised.
        """
        while self._unfinished and (len(self._unfinished) >= self._most_waiting or self._unfinished[0].done()):
            self._unfinished.popleft().result()
        future = self._pool.submit(work, *arguments, **named)
        self._unfinished.append(future)
        return future

    def close(self) -> None:
        """Wait for all calls and end the thread. Raises what the first that failed raised, and drops those after it."""
        try:
            while self._unfinished:
                self._unfinished.popleft().result()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Drop the calls that have not begun, wait for the one that has, and end the thread."""
        self._abandoned = True
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()


def map_in_threads(work: Callable[[T], R], items: Iterable[T], n_threads: int) -> Iterator[R]:
    """What `work` returns for each item, in their order; with one thread the caller's own does it.

    Raises what `work` raises.
    """
    if n_threads == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="mvmdb") as pool:
        yield from pool.map(work, items)
