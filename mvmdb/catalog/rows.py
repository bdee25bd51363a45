"""Small helpers for statements over many rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

CHUNK = 5000  # bound parameters in one IN (...), below every database's limit

Key = TypeVar("Key", int, str)


def chunks(values: Iterable[Key]) -> Iterable[list[Key]]:
    """Distinct values, sorted, in lists that fit one IN (...)."""
    distinct = sorted(set(values))
    for start in range(0, len(distinct), CHUNK):
        yield distinct[start : start + CHUNK]
