"""The rows of an answer, kept in a temporary file: the database is let go before anyone takes time to read them."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

from mvmdb.errors import UsageError

IN_MEMORY = 2**23
"""Bytes of rows that are kept in memory; more go to a file in the system's folder for temporary files (TMPDIR)."""
_ROWS_AT_ONCE = 1000
_PART_OF_FREE = 0.5  # of a disk that others need too: an answer may be endless

Row = tuple[Any, ...]


class SpooledRows:
    """Rows that can be read any number of times, one reading after the other. Close it, or use it as a context."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by close
        self._most: int | None = None

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows. Raises UsageError if they do not fit into the folder for temporary files, or into half of it."""
        source = iter(rows)
        try:
            while batch := list(islice(source, _ROWS_AT_ONCE)):
                pickle.dump(batch, self._file, protocol=5)
                self._require_room()
        except OSError as error:
            raise UsageError(
                f"cannot keep the answer in {tempfile.gettempdir()} ({error.strerror}); "
                "set TMPDIR to a folder with more room, or ask for fewer rows"
            ) from error

    def __iter__(self) -> Iterator[Row]:
        self._file.seek(0)
        while True:
            try:
                batch = pickle.load(self._file)
            except EOFError:
                return
            yield from batch

    def close(self) -> None:
        """Delete the rows."""
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
                f"the answer takes more than {self._most / 1e9:.1f} GB, half of what is free in "
                f"{tempfile.gettempdir()}; set TMPDIR to a folder with more room, or ask for fewer rows (LIMIT)"
            )
