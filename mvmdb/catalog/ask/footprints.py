"""The exposures that cover the sky, with their footprints as numbers: for questions to millions of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from sys import intern

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.ask.covering import covering_query
from mvmdb.catalog.ask.search.question import Question
from mvmdb.coverage.values import CoveringExposures, columns_of
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among
from mvmdb.sky.footprints import Footprints, join_footprints

_ROWS_AT_ONCE = 20_000
_REPEATED = ("instrument", "detector", "filter", "target", "fit", "astrometric_catalog")


def load_footprints(
    connection: sa.Connection, question: Question, cells: Collection[int] | None = None
) -> tuple[CoveringExposures, Footprints]:
    """As `load_covering`, with the footprints read and their texts let go; `cells`: only what overlaps these sky cells.

    A million exposures take a few hundred MB. Raises as a search for exposures.
    """
    query = covering_query(connection, question)
    if cells is not None:
        members = sa.select(t.membership.c.exposure_id).where(among(connection, t.membership.c.skycell_id, cells))
        query = query.where(t.exposure.c.id.in_(members))
    parts: list[CoveringExposures] = [columns_of([])]
    footprints = [Footprints.from_regions([])]
    result = connection.execute(query.execution_options(stream_results=True))
    for rows in result.partitions(_ROWS_AT_ONCE):
        part = columns_of(rows)
        footprints.append(Footprints.from_regions(part.s_region.tolist()))
        shared = {name: _share(getattr(part, name)) for name in _REPEATED}
        parts.append(replace(part, s_region=np.full(len(part), "", object), **shared))
    columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(CoveringExposures)]
    return CoveringExposures(*columns), join_footprints(footprints)


def load_cells_of(connection: sa.Connection, exposures: Collection[int]) -> list[int]:
    """The keys of the sky cells that any of these exposures (keys) overlaps."""
    m = t.membership.c
    return list(
        connection.scalars(sa.select(m.skycell_id).where(among(connection, m.exposure_id, exposures)).distinct())
    )


def _share(column: np.ndarray) -> np.ndarray:
    """The column with one text for all that are equal."""
    shared = np.empty(len(column), object)
    shared[:] = [None if text is None else intern(str(text)) for text in column.tolist()]
    return shared
