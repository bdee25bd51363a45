"""The interface of executors, which call one function on many items, and `feed`, which keeps their workers busy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from mvmdb.errors import WorkersError
from mvmdb.workers.patience import Patience

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """The result of one item: what the function returned, or a WorkersError if its worker died."""

    item: T
    result: R | WorkersError


class Executor(Protocol):
    """Calls one function on each of many items, in this process or elsewhere.

    The function, items and results are sent between processes, so they must be small and picklable. Paths in them must
    be valid for every worker. `patience` says how long a worker may give no sign of progress.
    """

    patience: Patience

    def each(
        self, function: Callable[[T], R], items: Iterable[T], *, expected: int, name: Callable[[T], str] = str
    ) -> Iterator[Done[T, R]]:
        """Call the function on every item and yield each result when it is ready, in any order.

        `expected` is the approximate number of items. They are taken from the iterable as workers become free, so that
        a long list is never in memory as a whole. If a worker dies, its item is tried again; if a worker dies again,
        the item's result is a WorkersError. So it must be safe to call the function twice for an item, even if the
        first call stopped halfway. If a worker hangs, the log says that the item is waited for, by its `name`; at the
        limit its result is a WorkerHungError. What the function raises is raised here. Raises WorkersError if the
        workers are lost.
        """
        ...


class Call(Protocol[R_co]):
    """An item under way, as a future has it."""

    def add_done_callback(self, tell: Callable[[Any], object], /) -> None:
        """Have `tell` called with this when the item is done."""
        ...

    def result(self) -> R_co:
        """What came of it, or raise what was raised."""
        ...


@dataclass(frozen=True, slots=True)
class Workers:
    """The executor that does the work of a call, and the memory limit of each of its workers in MB (None: no limit)."""

    executor: Executor
    memory_mb: int | None = None


def feed(
    submit: Callable[[T], Call[R]],
    items: Iterator[T],
    *,
    room: Callable[[], int],
    deaths: tuple[type[BaseException], ...],
    patience: float | None = None,
) -> Iterator[tuple[T, R | BaseException]]:
    """Keep `room()` items in progress until there are no more; yield each with its result, or the death of its worker.

    `submit` starts one item, like that of a `concurrent.futures.Executor`. `deaths`: the exceptions that mean that a
    worker died or hung; any other exception is raised. `room` is called again after each item, and every `patience`
    seconds (None: never). While it returns 0, no item is started, and those in progress are finished.
    """
    running: dict[Call[R], T] = {}
    finished: SimpleQueue[Call[R]] = SimpleQueue()  # concurrent.futures.wait would look at all futures each time
    while True:
        for item in islice(items, max(0, room() - len(running))):
            try:
                future = submit(item)
            except deaths as death:
                yield item, death
                continue
            running[future] = item
            future.add_done_callback(finished.put)
        if not running:
            return
        try:
            future = finished.get(timeout=patience)
        except Empty:
            continue
        item = running.pop(future)
        try:
            result: R | BaseException = future.result()
        except deaths as death:
            result = death
        yield item, result
