"""The executor of worker processes on this machine."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic, sleep

from mvmdb.errors import WorkersError
from mvmdb.workers.child import ChildProcess
from mvmdb.workers.executor import Done, Executor, R, T, feed
from mvmdb.workers.patience import Patience, Rounds, WorkerHungError
from mvmdb.workers.serial import IN_THIS_PROCESS, SerialExecutor, Stuck

__all__ = ["IN_THIS_PROCESS", "ProcessExecutor", "SerialExecutor", "spare_processors"]

_CLEARING_SECONDS = 5.0
"""Time in which a worker that is interrupted may remove its temporary files."""


class _WorkerDiedError(WorkersError):
    """A worker process died of its item, or of what else took the memory."""


class ProcessExecutor:
    """Up to `n` worker processes, started when there is work for them, and kept from one call to the next.

    If a worker dies (out of memory, say), its item is done once more while no other item is in progress. If a worker
    gives no sign of progress for as long as `patience` allows, its item is given up, and the worker is killed with all
    processes that it started. A thread of this process waits for each worker. A single item is done in this process;
    `stuck` is used as in SerialExecutor.
    """

    def __init__(self, n: int, patience: Patience | None = None, stuck: Stuck = lambda words: None) -> None:
        self._n = n
        self.patience = patience or Patience()
        self.here = SerialExecutor(self.patience, stuck)
        """For what is too little for other processes."""
        self._threads: ThreadPoolExecutor | None = None
        self._idle: SimpleQueue[ChildProcess] = SimpleQueue()
        self._busy: set[ChildProcess] = set()

    @property
    def size(self) -> int:
        """The greatest number of processes that work at the same time."""
        return self._n

    def each(
        self, function: Callable[[T], R], items: Iterable[T], *, expected: int, name: Callable[[T], str] = str
    ) -> Iterator[Done[T, R]]:
        """As `Executor.each`. If `n` or the number of items is 1, the work is done in this process."""
        n = min(self._n, expected)
        if n <= 1:
            yield from self.here.each(function, items, expected=expected, name=name)
            return
        threads = self._threads = self._threads or ThreadPoolExecutor(self._n, thread_name_prefix="mvmdb")

        def submit(item: T) -> Future[R]:
            return threads.submit(self._do, function, name, item)

        source = iter(items)
        suspects: list[T] = []
        rounds = Rounds(self.patience)
        while True:
            for done in _do_until_death(submit, source, n, suspects):
                yield done
                rounds.note(done.result, n)
            if not suspects:
                return
            for item in suspects:  # nothing else takes memory now
                yield _do_again(submit, item)
            suspects.clear()

    def close(self) -> None:
        """End the workers. Those at work are interrupted, so that they can clean up, and killed if they do not end."""
        for child in list(self._busy):
            child.interrupt()
        deadline = monotonic() + _CLEARING_SECONDS
        while self._busy and monotonic() < deadline:
            sleep(0.01)
        for child in list(self._busy):
            child.kill()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()

    def _do(self, function: Callable[[T], R], name: Callable[[T], str], item: T) -> R:
        """In a thread: have a worker do an item, and wait."""
        child = self._take()
        child.what = name(item)
        try:
            result: R = child.submit(_do_interruptibly, function, item)()
            return result
        finally:
            self._busy.discard(child)
            if child.lost:
                child.close()
            else:
                self._idle.put(child)

    def _take(self) -> ChildProcess:
        """A worker without work."""
        try:
            child = self._idle.get_nowait()
        except Empty:
            try:
                child = ChildProcess(_died, patience=self.patience, leads=True)
            except OSError as error:
                raise WorkersError(
                    f"cannot start a worker process ({error.strerror}); expected up to {self._n}: fewer --jobs, or "
                    "raise the limit of processes (ulimit -u)"
                ) from error
        self._busy.add(child)
        return child


def _do_until_death(
    submit: Callable[[T], Future[R]], source: Iterator[T], n: int, suspects: list[T]
) -> Iterator[Done[T, R]]:
    """Do items until there are no more, or one has killed its worker: that one is a suspect, the others are done."""
    deaths = (_WorkerDiedError, WorkerHungError)
    for item, result in feed(submit, source, room=lambda: 0 if suspects else n, deaths=deaths):
        if isinstance(result, _WorkerDiedError):
            suspects.append(item)
        else:
            yield Done(item, result)  # type: ignore[arg-type]  # the other death is a WorkersError too


def _do_again(submit: Callable[[T], Future[R]], item: T) -> Done[T, R]:
    try:
        return Done(item, submit(item).result())
    except (_WorkerDiedError, WorkerHungError) as error:
        return Done(item, error)


def _died(status: int) -> WorkersError:
    return _WorkerDiedError(f"the worker process died (out of memory?) and left {status}; try again with fewer --jobs")


def _do_interruptibly(function: Callable[[T], R], item: T) -> R:
    """Runs in a worker: an interrupt stops the function, which may take minutes, but nothing else in the worker."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return function(item)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def spare_processors(executor: Executor, expected: int) -> int:
    """How many idle processors of a ProcessExecutor each of `expected` items may use besides its own; else 0."""
    return max(0, executor.size // max(expected, 1) - 1) if isinstance(executor, ProcessExecutor) else 0
