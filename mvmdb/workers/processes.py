"""Executors on this machine: in this process, or in worker processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from mvmdb.errors import WorkersError
from mvmdb.workers.executor import Done, Executor, R, T, Workers, feed


class SerialExecutor:
    """Does the work in this process, one item after the other."""

    def each(self, function: Callable[[T], R], items: Iterable[T], *, expected: int) -> Iterator[Done[T, R]]:
        """As `Executor.each`."""
        for item in items:
            yield Done(item, function(item))


IN_THIS_PROCESS = Workers(SerialExecutor())
"""For callers that want no other process."""


class ProcessExecutor:
    """Up to `n` worker processes, started when there is work for them, and kept from one call to the next.

    If a worker dies (out of memory, say), its pool breaks and cannot tell which item was the cause, so each item in
    progress is done once more, in a process of its own.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._pool: ProcessPoolExecutor | None = None

    @property
    def size(self) -> int:
        """The greatest number of processes that work at the same time."""
        return self._n

    def each(self, function: Callable[[T], R], items: Iterable[T], *, expected: int) -> Iterator[Done[T, R]]:
        """As `Executor.each`. If `n` or the number of items is 1, the work is done in this process."""
        n = min(self._n, expected)
        if n <= 1:
            yield from SerialExecutor().each(function, items, expected=expected)
            return
        source = iter(items)
        suspects: list[T] = []
        while True:
            yield from self._do_until_death(function, source, n, suspects)
            if not suspects:
                return
            self.close()
            for item in suspects:
                yield Done(item, _do_alone(function, item))
            suspects.clear()

    def _do_until_death(
        self, function: Callable[[T], R], source: Iterator[T], n: int, suspects: list[T]
    ) -> Iterator[Done[T, R]]:
        """Do items until there are no more or the pool breaks; the items in progress then become suspects."""
        pool = self._open()

        def submit(item: T) -> Future[R]:
            return pool.submit(_do_interruptibly, function, item)

        for item, result in feed(submit, source, room=lambda: 0 if suspects else n, deaths=(BrokenProcessPool,)):
            if isinstance(result, BaseException):
                suspects.append(item)
            else:
                yield Done(item, result)

    def close(self) -> None:
        """Let the workers finish their items, and end them."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._n, mp_context=get_context("spawn"), initializer=leave_interrupts)
        return self._pool


def leave_interrupts() -> None:
    """Make a worker process ignore Ctrl-C, which its parent handles.

    If Ctrl-C stopped a worker while it returned a result, it would keep the pool's lock, and the parent would wait for
    ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _do_interruptibly(function: Callable[[T], R], item: T) -> R:
    """Runs in a worker: Ctrl-C stops the function, which may take minutes, but nothing else in the worker."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return function(item)
    finally:
        leave_interrupts()


def spare_processors(executor: Executor, expected: int) -> int:
    """How many idle processors of a ProcessExecutor each of `expected` items may use besides its own; else 0."""
    return max(0, executor.size // max(expected, 1) - 1) if isinstance(executor, ProcessExecutor) else 0


def _do_alone(function: Callable[[T], R], item: T) -> R | WorkersError:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=leave_interrupts) as pool:
        try:
            return pool.submit(_do_interruptibly, function, item).result()
        except BrokenProcessPool:
            return WorkersError("the worker process died (out of memory?); try again with fewer --jobs")
