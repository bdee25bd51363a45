"""Which sky cells the catalog has, and the file names of their eligible exposures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.open import open_catalog
from mvmdb.errors import UsageError
from mvmdb.names import CellId, parse_cell_name
from mvmdb.schema import tables as t
from mvmdb.schema.addresses import database_url


def all_cells(connection: sa.Connection) -> list[int]:
    """The keys of all sky cells that have a layer, sorted."""
    return list(connection.scalars(sa.select(t.layer.c.skycell_id).distinct().order_by(t.layer.c.skycell_id)))


def known_cells(connection: sa.Connection) -> list[int]:
    """The keys of all sky cells that an exposure overlaps, or has overlapped, sorted."""
    return list(connection.scalars(sa.select(t.skycell.c.id).order_by(t.skycell.c.id)))


def near(name: str, known: Iterable[str]) -> str:
    """`; near it are: a, b` for up to three known names that resemble this one; empty if none does."""
    alike = get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; near it are: {', '.join(alike)}" if alike else ""


def resolve_cells(connection: sa.Connection, names: list[str]) -> list[int]:
    """The keys of these sky cells (names), in the given order.

    Raises NameFormatError for a text that names no sky cell, and UsageError for a cell that no exposure overlaps.
    """
    cells = [parse_cell_name(name) for name in names]
    query = sa.select(t.skycell.c.id).where(t.skycell.c.id.in_([cell.index for cell in cells]))
    known = set(connection.scalars(query))
    for cell in cells:
        if cell.index not in known:
            c = t.skycell.c  # those of one projection cell, as comparing with all takes seconds
            there = connection.scalars(sa.select(c.name).where(c.projection_cell == cell.projection_cell)).all()
            raise UsageError(
                f"{cell} holds no exposure of this catalog{near(str(cell), there)}; "
                "see `mvmdb query 'SELECT name FROM skycell'`"
            )
    return [cell.index for cell in cells]


def load_cell_members(address: str, cells: Sequence[CellId]) -> dict[CellId, set[str]]:
    """The file names of the eligible exposures of sky cells, without withdrawn ones; cells that have none are left out.

    Empty if there is no SQLite catalog at this address.
    """
    url = database_url(address)
    if not cells or (url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()):
        return {}
    query = (
        sa.select(t.membership.c.skycell_id, t.exposure.c.filename)
        .select_from(t.membership.join(t.exposure))
        .where(
            t.membership.c.skycell_id.in_([cell.index for cell in cells]),
            t.exposure.c.eligible,
            t.exposure.c.withdrawn_at.is_(None),
        )
    )
    members: dict[CellId, set[str]] = defaultdict(set)
    with open_catalog(address, read_only=True) as engine, engine.connect() as connection:
        for cell, filename in connection.execute(query):
            members[CellId.from_index(cell)].add(filename)
    return members
