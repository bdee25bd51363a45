"""Statements over many rows: keys in chunks, and columns looked up by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import sqlalchemy as sa

from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, bulk_select, upsert

CHUNK = 5000  # bound parameters in one IN (...): fewer than any of the databases allows

Key = TypeVar("Key", int, str)


def chunks(values: Iterable[Key]) -> Iterable[list[Key]]:
    """Distinct values, sorted, in lists that fit one IN (...)."""
    distinct = sorted(set(values))
    for start in range(0, len(distinct), CHUNK):
        yield distinct[start : start + CHUNK]


def keys_of_recipes(connection: sa.Connection, texts: Iterable[str]) -> dict[str, int]:
    """Maps recipes, as JSON, to their keys; recipes that are not in the catalog yet are inserted."""
    recipe, wanted = t.recipe.c, set(texts)
    query = sa.select(recipe.parameters, recipe.id).where(recipe.parameters.in_(wanted))

    def look() -> dict[str, int]:
        return {text: id_ for text, id_ in connection.execute(query)}

    known = look()
    if wanted - known.keys():
        upsert(connection, t.recipe, ("parameters",), [{"parameters": text} for text in sorted(wanted - known.keys())])
        known = look()
    return known


def load_regions(connection: sa.Connection, exposures: Sequence[int]) -> list[str]:
    """The `s_region` of each of these exposures (keys), in the given order."""
    query = sa.select(t.exposure.c.id, t.exposure.c.s_region).where(among(connection, t.exposure.c.id, exposures))
    regions: dict[int, str] = {id_: region for id_, region in bulk_select(connection, query)}
    return [regions[id_] for id_ in exposures]
