"""The rows of an answer, kept in a temporary file: the database is let go before anyone takes time to read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from mvmdb.catalog.spool import Spool

_ROWS_AT_ONCE = 1000

Row = tuple[Any, ...]


class SpooledRows:
    """Rows that can be read any number of times, one reading after the other. Use it as a context."""

    def __init__(self) -> None:
        self._batches: Spool[list[Row]] = Spool("the answer", "ask for fewer rows (LIMIT)")

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows. Raises UsageError if they find no room."""
        source = iter(rows)
        while batch := list(islice(source, _ROWS_AT_ONCE)):
            self._batches.add(batch)

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._batches)

    def __enter__(self) -> SpooledRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._batches.close()
