"""A temporary file for what is read from one side before the other side takes it: neither waits holding a lock."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from mvmdb.errors import UsageError

T = TypeVar("T")

IN_MEMORY = 2**23
"""Bytes that are kept in memory; more go to a file in the system's folder for temporary files (TMPDIR)."""
_PART_OF_FREE = 0.5  # of a disk that others need too: an answer may be endless


class Spool(Generic[T]):
    """Things that can be read any number of times, one reading after the other. Close it, or use it as a context.

    If there is no room for them, the error names `what` they are, and how there could be fewer of them (`remedy`).
    """

    def __init__(self, what: str, remedy: str) -> None:
        self._what, self._remedy = what, remedy
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by close
        self._most: int | None = None

    def add(self, thing: T) -> None:
        """Add one thing. Raises UsageError if it finds no room in half of what the folder for temporary files has."""
        try:
            pickle.dump(thing, self._file, protocol=5)
            self._require_room()
        except OSError as error:
            raise UsageError(
                f"cannot keep {self._what} in {tempfile.gettempdir()} ({error.strerror}); "
                f"set TMPDIR to a folder with more room, or {self._remedy}"
            ) from error

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        while True:
            try:
                thing: T = pickle.load(self._file)
            except EOFError:
                return
            yield thing

    def close(self) -> None:
        """Delete them."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _require_room(self) -> None:
        size = self._file.tell()
        if size <= IN_MEMORY:
            return
        if self._most is None:
            self._most = size + int(shutil.disk_usage(tempfile.gettempdir()).free * _PART_OF_FREE)
        if size > self._most:
            raise UsageError(
                f"{self._what} takes more than {self._most / 1e9:.1f} GB, half of what is free in "
                f"{tempfile.gettempdir()}; set TMPDIR to a folder with more room, or {self._remedy}"
            )
