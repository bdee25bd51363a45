"""A background thread, which runs calls in order, and a map over several threads, which keeps the order of items."""

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
"""The most unfinished calls: hashing keeps up with a disk, so a longer queue would only use memory."""


class BackgroundThread:
    """One thread for work that releases the GIL, such as hashing, reading and GEOS; calls run in order.

    An error in a call is raised by its future, and also by a later `submit` or by `close`, so that it is seen even if
    nobody asks for the result. `close` waits for all calls. `abandon` drops the calls that have not begun, waits for
    the running one, and raises nothing. As a context manager, the thread is closed after the block, and abandoned after
    an error.
    """

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mvmdb")
        self._unfinished: deque[Future[Any]] = deque()
        self._abandoned = False

    @property
    def abandoned(self) -> bool:
        """Whether results are no longer wanted: long work may check this and stop."""
        return self._abandoned

    def submit(self, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Run `work(*arguments, **named)` after the earlier calls, and return its future.

        Waits first while `most_waiting` calls are unfinished. Raises what an earlier call raised.
        """
        while self._unfinished and (len(self._unfinished) >= self._most_waiting or self._unfinished[0].done()):
            self._unfinished.popleft().result()
        future = self._pool.submit(work, *arguments, **named)
        self._unfinished.append(future)
        return future

    def close(self) -> None:
        """Wait for all calls and end the thread. If one fails, drop the calls after it and raise its error."""
        try:
            while self._unfinished:
                self._unfinished.popleft().result()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Drop the calls that have not begun, wait for the running one, and end the thread."""
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
    """The results of `work` for each item, in the order of the items; `n_threads` of 1 means the caller's thread.

    Raises what `work` raises.
    """
    if n_threads == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(n_threads, thread_name_prefix="mvmdb") as pool:
        yield from pool.map(work, items)
