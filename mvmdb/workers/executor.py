"""What an executor is: it does one function on many items, and says what became of each. Where is not decided here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from mvmdb.errors import WorkersError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """What became of one item: the function's result, or the death of the worker that had it."""

    item: T
    result: R | WorkersError


class Executor(Protocol):
    """Does one function on each of many items, here or elsewhere.

    Function, items and results cross process borders: they are picklable, and small. Paths in them are those of storage
    that every worker sees.
    """

    def each(self, function: Callable[[T], R], items: Iterable[T], *, expected: int) -> Iterator[Done[T, R]]:
        """Do every item and yield each as it is done, in any order; `expected` is about how many there are.

        Items are taken from the iterable as workers get free, so that a long list is never in memory whole. An item
        is done again when its worker dies, and its result is a WorkersError when that does not help: so the function
        must bear being done twice, the first time perhaps in part. What the function raises is raised here. Raises
        WorkersError when there are no workers to be had.
        """
        ...


@dataclass(frozen=True, slots=True)
class Workers:
    """Who does the work of a call, and the most memory that each of them may take, MB (None: no bound)."""

    executor: Executor
    memory_mb: int | None = None


def feed(
    submit: Callable[[T], Future[R]],
    items: Iterator[T],
    *,
    room: Callable[[], int],
    deaths: tuple[type[BaseException], ...],
    patience: float | None = None,
) -> Iterator[tuple[T, R | BaseException]]:
    """Keep `room()` items under way until there are no more; yield each with its result, or the death that it met.

    `submit` is that of a `concurrent.futures.Executor`, with its function. `room` is asked again after each item, and
    each `patience` seconds where that is given; with room for none, what is under way is waited for, and no more is
    taken.
    """
    running: dict[Future[R], T] = {}
    finished: SimpleQueue[Future[R]] = SimpleQueue()  # concurrent.futures.wait would look at all of them each time
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
