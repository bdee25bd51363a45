"""Reading many exposure files with a crew. Which files are read, and what is made of them, is decided in ingest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mvmdb.catalog.register import ReadDataset
from mvmdb.errors import ExposureError, WorkersError
from mvmdb.exposures.digest import digest_pixels
from mvmdb.exposures.read import read_exposure
from mvmdb.workers.crew import Crew

T = TypeVar("T")
R = TypeVar("R")

_TOGETHER = 16  # files an item: headers take 3 ms, and handing out an item may cost as much


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read; `known` says that the catalog has an older state of it."""

    path: str
    known: bool


def read_datasets(
    tasks: Sequence[Task], crew: Crew, progress: Callable[[int], None] | None = None
) -> list[ReadDataset | ExposureError]:
    """The headers of each file, and its pixels' digest too where a known file has changed; in the order of `tasks`.

    A file that cannot be read has its error in its place. `progress` is called with the number of files done since.
    """
    return _read_each(_read_one, tasks, crew, _TOGETHER, progress)


def digest_files(paths: Sequence[str], crew: Crew) -> list[str | ExposureError]:
    """The digest of each file's pixels, or why it cannot be had, in the order of `paths`."""
    return _read_each(_digest_one, paths, crew, 1)


def _read_each(
    read: Callable[[T], R | ExposureError],
    tasks: Sequence[T],
    crew: Crew,
    together: int,
    progress: Callable[[int], None] | None = None,
) -> list[R | ExposureError]:
    results: dict[int, R | ExposureError] = {}
    numbered = list(enumerate(tasks))
    lots = [tuple(numbered[start : start + together]) for start in range(0, len(tasks), together)]
    for found in _read_lots(read, lots, crew):
        results.update(found)
        if progress is not None:
            progress(len(found))
    return [results[number] for number in range(len(tasks))]


def _read_lots(
    read: Callable[[T], R | ExposureError], lots: Sequence[tuple[tuple[int, T], ...]], crew: Crew
) -> Iterator[dict[int, R | ExposureError]]:
    """The results of each lot; where a worker died of one, those of its files one by one."""
    for done in crew.each(partial(_read_lot, read), lots, expected=len(lots)):
        if not isinstance(done.result, WorkersError):
            yield done.result
        elif len(done.item) > 1:
            yield from _read_lots(read, [(pair,) for pair in done.item], crew)
        else:
            yield {done.item[0][0]: ExposureError("unreadable", f"nobody could read it: {done.result}")}


def _read_lot(read: Callable[[T], R | ExposureError], lot: Sequence[tuple[int, T]]) -> dict[int, R | ExposureError]:
    return {number: read(task) for number, task in lot}


def _read_one(task: Task) -> ReadDataset | ExposureError:
    try:
        dataset = read_exposure(task.path)
        return ReadDataset(dataset, digest_pixels(task.path) if task.known else None)
    except ExposureError as error:
        return error


def _digest_one(path: str) -> str | ExposureError:
    try:
        return digest_pixels(path)
    except ExposureError as error:
        return error
