"""Files elsewhere that are put beside another program's poller: fetched there once, and copied to other sky cells."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError
from mvmdb.remote.files import fetch_whole, stamps_of
from mvmdb.remote.state import Stamp, is_unchanged
from mvmdb.staging.copies import put
from mvmdb.staging.plan import StagedFile

AT_ONCE = 4
"""Files that are fetched at the same time: one connection seldom takes all that a distant server can send."""


class Fetches:
    """The files elsewhere that are to be put, their states now, and where one of each lies already."""

    def __init__(self, files: Iterable[StagedFile]) -> None:
        self.stamps: Mapping[str, Stamp | OSError] = stamps_of(file.source for file in files)
        self._placed: dict[str, Path] = {}

    def is_current(self, file: StagedFile, target: Path) -> bool:
        """Whether the file is as it was registered, and `target` is what `put` would make of it."""
        stamp = self.stamps[file.source]
        if isinstance(stamp, OSError) or not _is_copy(file.source, target, stamp):
            return False
        self._placed[file.source] = target
        return file.recorded is None or is_unchanged(file.source, file.recorded, stamp)

    def put(self, file: StagedFile, target: Path) -> None:
        """Make `target` a copy of the file, with its time; whole or not at all. Raises InputError, naming both."""
        stamp = self.stamps[file.source]
        try:
            if isinstance(stamp, OSError):
                raise stamp
            if not self._copy_placed(file, target, stamp):
                replace_file(target, lambda stream: _fetch(file, stream))
        except FileNotFoundError as error:
            raise InputError(
                f"{file.source} is gone ({error.strerror}); put the file back, or ingest it where it is now"
            ) from error
        except OSError as error:
            raise InputError(f"cannot put {file.source} at {target}: {error.strerror or error}") from error
        self._placed[file.source] = target

    def _copy_placed(self, file: StagedFile, target: Path, stamp: Stamp) -> bool:
        """Copy what is in another sky cell's folder, unless it was changed there, or the file since it was registered.

        Return whether `target` is right then.
        """
        placed = self._placed.get(file.source)
        if placed is None or placed == target or not _is_copy(file.source, placed, stamp):
            return False
        if file.recorded is not None and not is_unchanged(file.source, file.recorded, stamp):
            return False
        put(placed, target, "copy")
        return _is_copy(file.source, target, stamp)


def _fetch(file: StagedFile, stream: BinaryIO) -> None:
    stamp = fetch_whole(file.source, file.recorded, stream)
    stream.flush()
    os.utime(stream.name, ns=(stamp[1], stamp[1]))


def _is_copy(source: str, path: Path, stamp: Stamp) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and is_unchanged(source, (found.st_size, found.st_mtime_ns), stamp)
