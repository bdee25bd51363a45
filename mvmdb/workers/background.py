"""Work that goes on beside the work that asks for it, in order, in a thread; what it is, others say."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST_WAITING = 8
"""Pieces that may wait: hashing is as fast as a disk, and memory is for other things."""


class Behind:
    """One thread that does what it is given in turn: for work that lets go of Python's lock, as hashing does."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1)
        self._waiting: deque[Future[object]] = deque()

    def do(self, work: Callable[..., object], *arguments: object) -> None:
        """Have this done next; wait first where much is waiting. Raises what work before it raised."""
        if len(self._waiting) == MOST_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._worker.submit(work, *arguments))

    def finish(self) -> None:
        """Wait for all of it; the last call. Raises what it raised."""
        for each in self._waiting:
            each.result()
        self._worker.shutdown()


def each(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """What work makes of each item, in their order; where one thread is enough, it is the asker's own."""
    if threads == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, items)
