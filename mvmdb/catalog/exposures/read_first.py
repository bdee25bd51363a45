"""Reads files before the transaction that needs them: a slow disk must not keep others from writing to the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import sqlalchemy as sa

from mvmdb.errors import ExposureError
from mvmdb.exposures.reading import ReadDataset

T = TypeVar("T")

OtherFiles = Mapping[str, ReadDataset | ExposureError]
"""Files by path, as they were read; in place of a file that cannot be read, the reason."""


class UnreadFilesError(Exception):
    """A transaction needs files that were not read before it. `wanted` says by path whether to digest the pixels."""

    def __init__(self, wanted: Mapping[str, bool]) -> None:
        super().__init__(", ".join(wanted))
        self.wanted = dict(wanted)


def write_with_files(engine: sa.Engine, write: Callable[[sa.Connection, OtherFiles], T]) -> T:
    """What `write` returns, called in a transaction with files that were read before it began.

    Which files it needs shows in the transaction alone. It then raises UnreadFilesError, is rolled back, and is done
    again once the files are read.
    """
    others: dict[str, ReadDataset | ExposureError] = {}
    while True:
        try:
            with engine.begin() as connection:
                return write(connection, others)
        except UnreadFilesError as unread:
            others.update((path, _read(path, digest)) for path, digest in unread.wanted.items())


def _read(path: str, digest: bool) -> ReadDataset | ExposureError:
    from mvmdb.exposures.fits.digest import digest_pixels
    from mvmdb.exposures.read import read_exposure  # which loads astropy: most commands read no file

    try:
        return ReadDataset(read_exposure(path), digest_pixels(path) if digest else None)
    except ExposureError as error:
        return error
