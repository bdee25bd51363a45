"""Whether a server answers at all: where it does not, each of many files would wait for it in vain."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from mvmdb.remote import faults

MOST_IN_A_ROW = 32
"""Requests, all tries of which failed, after which a server is left alone: two for each that is under way at once."""
REST = 30.0
"""Seconds for which it is left alone; then it is asked again."""


class Health:
    """How often in a row a server did not answer; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._in_a_row = 0
        self._until = 0.0

    def check(self, url: str) -> None:
        """Raises OSError while the server is left alone."""
        if self._in_a_row >= MOST_IN_A_ROW and self._clock() < self._until:
            raise faults.broken(url, f"its server did not answer {self._in_a_row} requests in a row; try again later")

    def fail(self) -> None:
        """It did not answer."""
        self._in_a_row += 1
        self._until = self._clock() + REST

    def succeed(self) -> None:
        """It answered."""
        self._in_a_row = 0
