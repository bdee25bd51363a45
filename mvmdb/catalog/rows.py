"""Statements over many rows: keys in parts, and columns looked up by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import sqlalchemy as sa

from mvmdb.schema import tables as t
from mvmdb.schema.engine import among

CHUNK = 5000  # bound parameters in one IN (...), below every database's limit

Key = TypeVar("Key", int, str)


def chunks(values: Iterable[Key]) -> Iterable[list[Key]]:
    """Distinct values, sorted, in lists that fit one IN (...)."""
    distinct = sorted(set(values))
    for start in range(0, len(distinct), CHUNK):
        yield distinct[start : start + CHUNK]


def load_regions(connection: sa.Connection, exposures: Sequence[int]) -> list[str]:
    """The `s_region` of exposures given by key, in their order."""
    query = sa.select(t.exposure.c.id, t.exposure.c.s_region).where(among(connection, t.exposure.c.id, exposures))
    regions: dict[int, str] = {id_: region for id_, region in connection.execute(query).all()}
    return [regions[id_] for id_ in exposures]
