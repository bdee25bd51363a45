"""Reads many exposure files with an executor. ingest.py decides which files, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from typing import TypeVar

from mvmdb.errors import ExposureError, WorkersError
from mvmdb.exposures.read_tasks import digest_file, read_chunk, read_task
from mvmdb.exposures.reading import ReadDataset, Task
from mvmdb.monitor import SILENT, Monitor
from mvmdb.workers.background import BackgroundThread
from mvmdb.workers.executor import Executor
from mvmdb.workers.serial import SerialExecutor

T = TypeVar("T", Task, str)
R = TypeVar("R")

Results = list[ReadDataset | ExposureError]
Pending = Callable[[], Results]

_CHUNK = 16  # files per item: headers take 1 to 2 ms, and submitting an item may take as long


@contextmanager
def read_in_background(executor: Executor, monitor: Monitor) -> Iterator[Callable[[Sequence[Task]], Pending]]:
    """A function that starts reading files, and returns a function that waits for the result of `read_datasets`.

    The executor reads while the caller does other work; the caller may use it again after waiting. After an error in
    the block no more files are read.
    """
    if isinstance(executor, SerialExecutor):  # a thread would only take turns with the caller
        yield lambda tasks: partial(read_datasets, tasks, executor, monitor)
        return
    with BackgroundThread() as thread:
        yield lambda tasks: thread.submit(read_datasets, tasks, executor, monitor, lambda: not thread.abandoned).result


def read_datasets(
    tasks: Sequence[Task],
    executor: Executor,
    monitor: Monitor = SILENT,
    goes_on: Callable[[], bool] = lambda: True,
) -> Results:
    """The headers of each file, with the pixel digest if a known file has changed, in the order of `tasks`.

    For a file that cannot be read, the ExposureError is returned in its place. Once `goes_on` returns False, no more
    files are read and the result is empty.
    """
    return _read_each(read_task, tasks, executor, _CHUNK, monitor, goes_on)


def digest_files(paths: Sequence[str], executor: Executor) -> list[str | ExposureError]:
    """The pixel digest of each file, or the ExposureError of reading it, in the order of `paths`."""
    return _read_each(digest_file, paths, executor, 1, SILENT, lambda: True)


def _read_each(
    read: Callable[[T], R | ExposureError],
    tasks: Sequence[T],
    executor: Executor,
    chunk_size: int,
    monitor: Monitor,
    goes_on: Callable[[], bool],
) -> list[R | ExposureError]:
    results: dict[int, R | ExposureError] = {}
    numbered = list(enumerate(tasks))
    chunks = [tuple(numbered[start : start + chunk_size]) for start in range(0, len(tasks), chunk_size)]
    for read_now in _read_chunks(read, takewhile(lambda _: goes_on(), chunks), len(chunks), executor):
        results.update(read_now)
        monitor.files_read(len(read_now))
    return [results[number] for number in range(len(tasks))] if goes_on() else []


def _name_chunk(chunk: tuple[tuple[int, Task | str], ...]) -> str:
    (_, first), *others = chunk
    path = first.path if isinstance(first, Task) else first
    return f"{path} and {len(others)} more files" if others else path


def _read_chunks(
    read: Callable[[T], R | ExposureError],
    chunks: Iterable[tuple[tuple[int, T], ...]],
    expected: int,
    executor: Executor,
) -> Iterator[dict[int, R | ExposureError]]:
    """The results of each chunk; if a worker died while reading a chunk, its files are read again one by one."""
    for done in executor.each(partial(read_chunk, read), chunks, expected=expected, name=_name_chunk):
        if not isinstance(done.result, WorkersError):
            yield done.result
        elif len(done.item) > 1:
            yield from _read_chunks(read, [(pair,) for pair in done.item], len(done.item), executor)
        else:
            yield {done.item[0][0]: ExposureError("unreadable", f"no worker could read it: {done.result}")}
