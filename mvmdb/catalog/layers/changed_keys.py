"""Which layers a change concerns: the keys (sky cell, instrument, detector, filter), staged where SQL can join them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from mvmdb.catalog.rows import chunks
from mvmdb.layers.members import LayerKey
from mvmdb.schema import tables as t
from mvmdb.schema.engine import replace_rows
from mvmdb.schema.types import CaselessText

touched = sa.Table(
    "touched",
    sa.MetaData(),
    sa.Column("skycell_id", sa.Integer, primary_key=True),
    sa.Column("instrument", CaselessText, primary_key=True),
    sa.Column("detector", CaselessText, primary_key=True),
    sa.Column("filter", CaselessText, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    prefixes=["TEMPORARY"],
)


def stage_keys(connection: sa.Connection, keys: Iterable[LayerKey]) -> None:
    """Hold these distinct keys, and no others, in the temporary table `touched`, numbered from 0 as they come."""
    connection.execute(CreateTable(touched, if_not_exists=True))
    rows = ((*key, number) for number, key in enumerate(keys))
    replace_rows(connection, touched, [column.name for column in touched.columns], rows)


def keys_of_exposures(connection: sa.Connection, exposures: Iterable[int]) -> set[LayerKey]:
    """The keys of every layer that these exposures (keys) are, or could be, members of."""
    e, m = t.exposure.c, t.membership.c
    found: set[LayerKey] = set()
    for part in chunks(exposures):
        query = sa.select(m.skycell_id, e.instrument, e.detector, e.filter).distinct()
        rows = connection.execute(query.select_from(t.membership.join(t.exposure)).where(m.exposure_id.in_(part)))
        found.update(tuple(row) for row in rows)
    return found


def all_keys(connection: sa.Connection) -> set[LayerKey]:
    """The keys of every layer that is or could be."""
    e, m, layer = t.exposure.c, t.membership.c, t.layer.c
    possible = sa.select(m.skycell_id, e.instrument, e.detector, e.filter).select_from(t.membership.join(t.exposure))
    recorded = sa.select(layer.skycell_id, layer.instrument, layer.detector, layer.filter)
    return {tuple(row) for row in connection.execute(possible.union(recorded))}
