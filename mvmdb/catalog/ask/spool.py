"""The rows of an answer, kept in a temporary file: the database is let go before anyone takes time to read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from mvmdb.catalog.spool import Spool
from mvmdb.errors import UsageError

_ROWS_AT_ONCE = 1000
_BYTES_AT_ONCE = 4_000_000
LARGEST_ROW = 256_000_000
"""The most characters and bytes that the texts and blobs of one row may have together."""

Row = tuple[Any, ...]


class SpooledRows:
    """Rows that can be read any number of times, one reading after the other. Use it as a context."""

    def __init__(self) -> None:
        self._batches: Spool[list[Row]] = Spool("the answer", "ask for fewer rows (LIMIT)")

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows. Raises UsageError if they find no room, or if one is too large to be held in memory."""
        batch: list[Row] = []
        size = 0
        for row in rows:
            n = sum(len(value) for value in row if isinstance(value, str | bytes))
            if n > LARGEST_ROW:
                raise UsageError(
                    f"the answer has a row of {n} bytes; expected {LARGEST_ROW} at most: ask for a part (substr)"
                )
            batch.append(row)
            size += n
            if len(batch) == _ROWS_AT_ONCE or size > _BYTES_AT_ONCE:
                self._batches.add(batch)
                batch, size = [], 0
        if batch:
            self._batches.add(batch)

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._batches)

    def __enter__(self) -> SpooledRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._batches.close()
