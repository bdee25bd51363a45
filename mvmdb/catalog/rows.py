"""Statements over many rows: keys in parts, and columns looked up by key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import sqlalchemy as sa

from mvmdb.schema import tables as t

CHUNK = 5000  # bound parameters in one IN (...), below every database's limit

Key = TypeVar("Key", int, str)


def chunks(values: Iterable[Key]) -> Iterable[list[Key]]:
    """Distinct values, sorted, in lists that fit one IN (...)."""
    distinct = sorted(set(values))
    for start in range(0, len(distinct), CHUNK):
        yield distinct[start : start + CHUNK]


def load_regions(connection: sa.Connection, exposures: Iterable[int]) -> dict[str, str]:
    """The `s_region` of exposures given by key, by ipppssoo."""
    regions: dict[str, str] = {}
    for part in chunks(exposures):
        query = sa.select(t.exposure.c.ipppssoo, t.exposure.c.s_region).where(t.exposure.c.id.in_(part))
        regions.update((name, region) for name, region in connection.execute(query))
    return regions
