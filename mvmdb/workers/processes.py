"""Executors on this machine: this process alone, or worker processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from mvmdb.errors import WorkersError
from mvmdb.workers.executor import Done, Executor, R, T, Workers, feed


class SerialExecutor:
    """This process, one item after the other."""

    def each(self, function: Callable[[T], R], items: Iterable[T], *, expected: int) -> Iterator[Done[T, R]]:
        """As `Executor.each`."""
        for item in items:
            yield Done(item, function(item))


IN_THIS_PROCESS = Workers(SerialExecutor())
"""For callers that want no other process."""


class ProcessExecutor:
    """Up to `n` worker processes, started when there is work for them, and kept from one call to the next.

    A worker that dies (out of memory, say) takes its pool with it, and the pool cannot tell which item did it: each
    item in progress is done once more, in a separate process.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._pool: ProcessPoolExecutor | None = None

    @property
    def size(self) -> int:
        """The most processes that are at work at a time."""
        return self._n

    def each(self, function: Callable[[T], R], items: Iterable[T], *, expected: int) -> Iterator[Done[T, R]]:
        """As `Executor.each`. One process, or one item, needs no other process."""
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
        """Do items until there are no more or the pool breaks; those that were under way then become suspects."""
        pool = self._open()

        def submit(item: T) -> Future[R]:
            return pool.submit(_do_interruptibly, function, item)

        for item, result in feed(submit, source, room=lambda: 0 if suspects else n, deaths=(BrokenProcessPool,)):
            if isinstance(result, BaseException):
                suspects.append(item)
            else:
                yield Done(item, result)

    def close(self) -> None:
        """Let the workers finish what they have, and end them."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._n, mp_context=get_context("spawn"), initializer=leave_interrupts)
        return self._pool


def leave_interrupts() -> None:
    """Let a process of a pool take no notice of Ctrl-C, which is for the one that asked.

    A process that met it while handing over a result would keep the pool's lock, and the one that asked would wait.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _do_interruptibly(function: Callable[[T], R], item: T) -> R:
    """In a worker: Ctrl-C ends what it is at, which may take minutes, but meets nothing else."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return function(item)
    finally:
        leave_interrupts()


def spare_processors(executor: Executor, expected: int) -> int:
    """How many processors each of `expected` items may use beside its own: the idle ones of a ProcessExecutor."""
    return max(0, executor.size // max(expected, 1) - 1) if isinstance(executor, ProcessExecutor) else 0


def _do_alone(function: Callable[[T], R], item: T) -> R | WorkersError:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=leave_interrupts) as pool:
        try:
            return pool.submit(_do_interruptibly, function, item).result()
        except BrokenProcessPool:
            return WorkersError("the worker process died (out of memory?); try again with fewer --jobs")
