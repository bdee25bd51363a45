"""Reading many exposure files with a crew. Which files are read, and what is made of them, is decided in ingest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from threading import Event
from typing import TypeVar

from mvmdb.errors import ExposureError, WorkersError
from mvmdb.exposures.read_tasks import ReadDataset, Task, digest_file, read_lot, read_task
from mvmdb.workers.executor import Crew
from mvmdb.workers.processes import SerialCrew

T = TypeVar("T")
R = TypeVar("R")

Results = list[ReadDataset | ExposureError]
Pending = Callable[[], Results]
Progress = Callable[[int], None]

_TOGETHER = 16  # files an item: headers take 1 to 2 ms, and handing out an item may cost as much


@contextmanager
def reading_beside(crew: Crew, progress: Progress | None) -> Iterator[Callable[[Sequence[Task]], Pending]]:
    """A function that begins to read files, and returns one that waits for what `read_datasets` gives for them.

    The crew reads while the caller does other work, and is the caller's again once it has waited. What is not waited
    for when the block ends, as after an error, is given up.
    """
    stopped = Event()

    def read(tasks: Sequence[Task]) -> Results:
        return read_datasets(tasks, crew, progress, stopped)

    if isinstance(crew, SerialCrew):  # a thread would but take turns with the caller
        yield lambda tasks: partial(read, tasks)
        return
    with ThreadPoolExecutor(1) as beside:
        try:
            yield lambda tasks: beside.submit(read, tasks).result
        finally:
            stopped.set()


def read_datasets(
    tasks: Sequence[Task], crew: Crew, progress: Progress | None = None, stopped: Event | None = None
) -> Results:
    """The headers of each file, and its pixels' digest too where a known file has changed; in the order of `tasks`.

    A file that cannot be read has its error in its place. `progress` is called with the number of files done since.
    Once `stopped` is set, no more files are read, and nothing is returned.
    """
    return _read_each(read_task, tasks, crew, _TOGETHER, progress, stopped)


def digest_files(paths: Sequence[str], crew: Crew) -> list[str | ExposureError]:
    """The digest of each file's pixels, or why it cannot be had, in the order of `paths`."""
    return _read_each(digest_file, paths, crew, 1)


def _read_each(
    read: Callable[[T], R | ExposureError],
    tasks: Sequence[T],
    crew: Crew,
    together: int,
    progress: Progress | None = None,
    stopped: Event | None = None,
) -> list[R | ExposureError]:
    results: dict[int, R | ExposureError] = {}
    numbered = list(enumerate(tasks))
    lots = [tuple(numbered[start : start + together]) for start in range(0, len(tasks), together)]
    wanted = takewhile(lambda _: stopped is None or not stopped.is_set(), lots)
    for found in _read_lots(read, wanted, len(lots), crew):
        results.update(found)
        if progress is not None:
            progress(len(found))
    if stopped is not None and stopped.is_set():
        return []
    return [results[number] for number in range(len(tasks))]


def _read_lots(
    read: Callable[[T], R | ExposureError], lots: Iterable[tuple[tuple[int, T], ...]], expected: int, crew: Crew
) -> Iterator[dict[int, R | ExposureError]]:
    """The results of each lot; where a worker died of one, those of its files one by one."""
    for done in crew.each(partial(read_lot, read), lots, expected=expected):
        if not isinstance(done.result, WorkersError):
            yield done.result
        elif len(done.item) > 1:
            yield from _read_lots(read, [(pair,) for pair in done.item], len(done.item), crew)
        else:
            yield {done.item[0][0]: ExposureError("unreadable", f"nobody could read it: {done.result}")}
