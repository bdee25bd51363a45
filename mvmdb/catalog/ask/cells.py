"""Which sky cells the catalog knows."""

from __future__ import annotations

import sqlalchemy as sa

from mvmdb.errors import UsageError
from mvmdb.names import parse_cell_name
from mvmdb.schema import tables as t


def all_cells(connection: sa.Connection) -> list[int]:
    """The keys of every sky cell that some layer is in."""
    return list(connection.scalars(sa.select(t.layer.c.skycell_id).distinct().order_by(t.layer.c.skycell_id)))


def resolve_cells(connection: sa.Connection, names: list[str]) -> list[int]:
    """The keys of sky cells given by name; raises UsageError for a cell that no exposure overlaps."""
    cells = [parse_cell_name(name) for name in names]
    query = sa.select(t.skycell.c.id).where(t.skycell.c.id.in_([cell.index for cell in cells]))
    known = set(connection.scalars(query))
    for cell in cells:
        if cell.index not in known:
            raise UsageError(f"{cell} holds no exposure of this catalog; see `mvmdb query 'SELECT name FROM skycell'`")
    return [cell.index for cell in cells]
