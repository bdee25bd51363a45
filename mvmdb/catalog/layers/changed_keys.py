"""Which layers a change affects: the keys (sky cell, instrument, detector, filter), in a table that SQL can join."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from mvmdb.catalog.rows import chunks
from mvmdb.layers.members import LayerKey
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, replace_rows
from mvmdb.schema.types import CaselessText

changed_key = sa.Table(
    "changed_key",
    sa.MetaData(),
    sa.Column("skycell_id", sa.Integer, primary_key=True),
    sa.Column("instrument", CaselessText, primary_key=True),
    sa.Column("detector", CaselessText, primary_key=True),
    sa.Column("filter", CaselessText, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    prefixes=["TEMPORARY"],
)


def write_changed_keys(connection: sa.Connection, keys: Iterable[LayerKey]) -> None:
    """Replace the rows of the temporary table `changed_key` with these distinct keys, numbered from 0 in order."""
    connection.execute(CreateTable(changed_key, if_not_exists=True))
    rows = ((*key, number) for number, key in enumerate(keys))
    replace_rows(connection, changed_key, [column.name for column in changed_key.columns], rows)


def keys_of_exposures(connection: sa.Connection, exposures: Iterable[int]) -> set[LayerKey]:
    """The keys of all layers of which these exposures (keys) are, or could be, members."""
    e, m = t.exposure.c, t.membership.c
    query = sa.select(m.skycell_id, e.instrument, e.detector, e.filter).distinct()
    query = query.select_from(t.membership.join(t.exposure))
    keys: set[LayerKey] = set()
    for exposure_ids in chunks(exposures):
        keys.update(tuple(row) for row in connection.execute(query.where(m.exposure_id.in_(exposure_ids))))
    return keys


def all_keys(connection: sa.Connection, cells: Sequence[int] | None = None) -> set[LayerKey]:
    """The keys of all layers: those recorded, and those that memberships make possible; of these sky cells (keys)."""
    e, m, layer = t.exposure.c, t.membership.c, t.layer.c
    possible = sa.select(m.skycell_id, e.instrument, e.detector, e.filter).select_from(t.membership.join(t.exposure))
    recorded = sa.select(layer.skycell_id, layer.instrument, layer.detector, layer.filter)
    if cells is not None:
        possible = possible.where(among(connection, m.skycell_id, cells))
        recorded = recorded.where(among(connection, layer.skycell_id, cells))
    return {tuple(row) for row in connection.execute(possible.union(recorded))}
