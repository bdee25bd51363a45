"""Reading chunks of files for somebody who waits elsewhere; which files, and what is made of them, is not decided here.

Worker processes import this module and what it needs, and no database: that would double the time until they work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from mvmdb.errors import ExposureError, InputError
from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.exposures.read import read_exposure
from mvmdb.exposures.reading import ReadDataset, Task
from mvmdb.remote.address import is_url
from mvmdb.remote.files import AT_ONCE
from mvmdb.workers.background import map_in_threads

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


def read_chunk(read: Callable[[T], R | ExposureError], chunk: Sequence[tuple[int, T]]) -> dict[int, R | ExposureError]:
    """What `read` makes of each numbered file, by its number. Files elsewhere are waited for together."""
    n_threads = 1 if all(_is_here(task) for _, task in chunk) else AT_ONCE
    return dict(
        zip((number for number, _ in chunk), map_in_threads(read, (task for _, task in chunk), n_threads), strict=True)
    )


def _is_here(task: object) -> bool:
    return not is_url(task.path if isinstance(task, Task) else str(task))


def read_task(task: Task) -> ReadDataset | ExposureError:
    """The headers of one file, and its pixels' digest too where a known file has changed; or why they cannot be had.

    Pixels elsewhere are left for `digest_file`, as fetching them is worth while only where they were drizzled.
    """
    try:
        dataset = read_exposure(task.path)
        return ReadDataset(dataset, digest_pixels(task.path) if task.known and not is_url(task.path) else None)
    except ExposureError as error:
        return error
    except InputError as error:  # this worker lacks a library, or its cache is set to what is none
        return ExposureError("unreadable", f"{task.path}: {error}")
    except Exception as error:  # one file's surprise must not take the other files with it
        return _surprise(task.path, error)


def digest_file(path: str) -> str | ExposureError:
    """The digest of one file's pixels, or why it cannot be had."""
    try:
        return digest_pixels(path)
    except ExposureError as error:
        return error
    except InputError as error:
        return ExposureError("unreadable", f"{path}: {error}")
    except Exception as error:
        return _surprise(path, error)


def _surprise(path: str, error: Exception) -> ExposureError:
    log.exception("%s", path)
    return ExposureError(
        "contradictory", f"{path}: its headers make no sense ({type(error).__name__}: {error}); fetch the file again"
    )
