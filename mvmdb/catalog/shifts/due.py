"""Which exposures have shifts to be measured: those of layers that are to be made, or all that nobody has looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.layers.changed_keys import changed_key, write_changed_keys
from mvmdb.catalog.rows import chunks
from mvmdb.layers.members import LayerKey
from mvmdb.records import ShiftExposure
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, bulk_select

_OBSMODE = ("instrument", "detector", "filter")


def is_usable(exposure: Any) -> sa.ColumnElement[bool]:
    """Whether an exposure (columns of the table or of an alias) has a file that layers may be made of."""
    return sa.and_(
        exposure.eligible, exposure.withdrawn_at.is_(None), exposure.wcs_digest.is_not(None), exposure.path != ""
    )


def keys_of_layers(connection: sa.Connection, names: Iterable[str]) -> set[LayerKey]:
    """The keys of layers with these names."""
    layer = t.layer.c
    query = sa.select(layer.skycell_id, *(layer[name] for name in _OBSMODE)).distinct()
    return {tuple(row) for chunk in chunks(names) for row in connection.execute(query.where(layer.name.in_(chunk)))}


def keys_not_looked_at(connection: sa.Connection, cells: Sequence[int] | None) -> set[LayerKey]:
    """The keys of layers, in these sky cells (keys) or in all, of which an exposure's shifts were never looked for.

    Its placement, if it has one, is that of other pixels or of another WCS, or came without the pairs that it was
    solved from, as the decisions of a lost catalog have it.
    """
    e, m, p = t.exposure.c, t.membership.c, t.placement.c
    same = sa.and_(p.ipppssoo == e.ipppssoo, p.pixels == e.pixels, p.wcs_digest == e.wcs_digest)
    pair = t.shift_pair.c
    sides = (sa.exists(sa.select(sa.literal(1)).where(side == e.id)) for side in (pair.first_id, pair.second_id))
    of_pairs = sa.or_(*sides)
    query = (
        sa.select(m.skycell_id, *(e[name] for name in _OBSMODE))
        .distinct()
        .select_from(t.exposure.join(t.membership, m.exposure_id == e.id).outerjoin(t.placement, same))
        .where(is_usable(e), sa.or_(p.ipppssoo.is_(None), sa.and_(p.n_pairs > 0, ~of_pairs)))
    )
    if cells is not None:
        query = query.where(among(connection, m.skycell_id, cells))
    return {tuple(row) for row in connection.execute(query)}


def load_fields(connection: sa.Connection, keys: Sequence[LayerKey]) -> Iterator[list[ShiftExposure]]:
    """For each of these keys, the exposures whose shifts are compared there."""
    write_changed_keys(connection, keys)
    e, m = t.exposure.c, t.membership.c
    same_obsmode = sa.and_(*(changed_key.c[name] == e[name] for name in _OBSMODE))
    cells = sa.select(changed_key.c.skycell_id).distinct().subquery()
    query = (
        sa.select(changed_key.c.number, e.id, e.ipppssoo, e.path, e.pixels, e.wcs_digest, e.s_region)
        .select_from(
            cells.join(t.membership, m.skycell_id == cells.c.skycell_id)
            .join(t.exposure, e.id == m.exposure_id)
            .join(changed_key, sa.and_(changed_key.c.skycell_id == m.skycell_id, same_obsmode))
        )
        .where(is_usable(e))
        .order_by(changed_key.c.number, e.ipppssoo)
    )
    number, field = None, list[ShiftExposure]()
    for row in bulk_select(connection, query):
        if row[0] != number and field:
            yield field
            field = []
        number = row[0]
        field.append(ShiftExposure(*row[1:]))
    if field:
        yield field
