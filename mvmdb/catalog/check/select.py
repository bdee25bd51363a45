"""Which rows there are to check: the keys of exposures, sky cells and products, of some sky cells or of all.

A look at everything goes through the keys in order, some thousands at a time, and holds no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.exposures.quarantine import VANISHED
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.observed import RecordedProduct
from mvmdb.catalog.rows import chunks
from mvmdb.records import ProductState
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among

_EXPOSURES, _CELLS, _PRODUCTS = 5000, 200, 2000


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a catalog: exposures (ipppssoo), sky cells (keys) and layers (names); None: all of them."""

    exposures: frozenset[str] | None = None
    cells: frozenset[int] | None = None
    layers: frozenset[str] | None = None


EVERYTHING = Part()


def part_of_cells(begin: Begin, cells: Collection[int]) -> Part:
    """These sky cells (keys), with the exposures and the products that are recorded in them."""
    exposures: set[str] = set()
    layers: set[str] = set()
    e, m, p = t.exposure.c, t.membership.c, t.product.c
    with begin() as connection:
        for chunk in chunks(cells):
            overlapping = sa.select(e.ipppssoo).select_from(t.membership.join(t.exposure))
            exposures.update(connection.scalars(overlapping.where(m.skycell_id.in_(chunk))))
            members = sa.select(e.ipppssoo).select_from(t.layer_member.join(t.layer).join(t.exposure))
            exposures.update(connection.scalars(members.where(t.layer.c.skycell_id.in_(chunk))))
            names = sa.select(t.skycell.c.name).where(t.skycell.c.id.in_(chunk))
            layers.update(connection.scalars(sa.select(p.layer).where(p.skycell.in_(names))))
    return Part(frozenset(exposures), frozenset(cells), frozenset(layers))


def cells_of_exposures(begin: Begin, names: Collection[str]) -> set[int]:
    """The sky cells (keys) in which these exposures (ipppssoo) are recorded."""
    cells: set[int] = set()
    with begin() as connection:
        for chunk in chunks(names):
            query = sa.select(t.membership.c.skycell_id).select_from(t.membership.join(t.exposure))
            cells.update(connection.scalars(query.where(t.exposure.c.ipppssoo.in_(chunk))))
    return cells


def names_in_cells(connection: sa.Connection, cells: Collection[int]) -> set[str]:
    """The exposures (ipppssoo) that are recorded in these sky cells (keys)."""
    query = sa.select(t.exposure.c.ipppssoo).select_from(t.membership.join(t.exposure))
    return set(connection.scalars(query.where(among(connection, t.membership.c.skycell_id, cells))))


def count_files(begin: Begin, part: Part) -> int:
    """How many files a deep look at a part reads, about."""
    e, p = t.exposure.c, t.product.c
    with begin() as connection:
        exposures = sa.select(sa.func.count()).where(e.path != "", e.withdrawn_at.is_(None))
        products = sa.select(sa.func.count()).where(p.state != ProductState.MISSING.value)
        if part.exposures is not None:
            exposures = exposures.where(among(connection, e.ipppssoo, part.exposures))
        if part.layers is not None:
            products = products.where(among(connection, p.layer, part.layers))
        counts = (connection.scalar(exposures), connection.scalar(products))
    return sum(count or 0 for count in counts)


def load_identities(connection: sa.Connection, name: str) -> tuple[str, ...]:
    """The pixel identities that the products of an exposure (ipppssoo) have recorded for it."""
    m = t.product_member.c
    return tuple(connection.scalars(sa.select(m.pixels).where(m.ipppssoo == name).distinct().order_by(m.pixels)))


def load_stamp(connection: sa.Connection, name: str) -> tuple[int, int] | None:
    """(size, time in ns) of the active file of an exposure (ipppssoo) as recorded; None if it has none."""
    e, d = t.exposure.c, t.dataset.c
    source = t.exposure.join(t.dataset, sa.and_(d.exposure_id == e.id, d.path == e.path))
    row = connection.execute(sa.select(d.size, d.mtime_ns).select_from(source).where(e.ipppssoo == name)).one_or_none()
    return None if row is None else (row.size, row.mtime_ns)


def exposure_keys(begin: Begin, part: Part) -> Iterator[list[int]]:
    """The keys of the exposures of a part, some at a time, each read in a transaction of its own."""
    yield from _keys(begin, t.exposure.c.id, t.exposure.c.ipppssoo, part.exposures, _EXPOSURES)


def product_keys(begin: Begin, part: Part) -> Iterator[list[int]]:
    """The keys of the products of a part, some at a time."""
    yield from _keys(begin, t.product.c.id, t.product.c.layer, part.layers, _PRODUCTS)


def cell_keys(begin: Begin, part: Part) -> Iterator[list[int]]:
    """The keys of the sky cells of a part, some at a time."""
    yield from _keys(begin, t.skycell.c.id, t.skycell.c.id, part.cells, _CELLS)


def _keys(
    begin: Begin, key: sa.Column[int], name: sa.Column[object], wanted: Collection[object] | None, size: int
) -> Iterator[list[int]]:
    last = None
    while wanted is None or wanted:
        query = sa.select(key).order_by(key).limit(size)
        query = query if last is None else query.where(key > last)
        with begin() as connection:
            chosen = query if wanted is None else query.where(among(connection, name, wanted))
            ids = list(connection.scalars(chosen))
        if not ids:
            return
        yield ids
        last = ids[-1]


class ActiveFile(NamedTuple):
    """The active file of an exposure as recorded; its pixel digest is None if it was never computed.

    Size and time are None if the file has no row.
    """

    ipppssoo: str
    path: str
    size: int | None
    mtime_ns: int | None
    pixel_digest: str | None


def load_active_files(connection: sa.Connection, ids: Sequence[int]) -> list[ActiveFile]:
    """The active files of these exposures (keys), of those that are not withdrawn.

    Without those that are gone and that the user has accepted as gone.
    """
    e, d, q = t.exposure.c, t.dataset.c, t.quarantine.c
    accepted = sa.select(q.path).where(q.kind == VANISHED, q.accepted)
    query = sa.select(e.ipppssoo, e.path, d.size, d.mtime_ns, e.pixel_digest)
    query = query.select_from(t.exposure.outerjoin(t.dataset, sa.and_(d.exposure_id == e.id, d.path == e.path)))
    query = query.where(among(connection, e.id, ids), e.withdrawn_at.is_(None), e.path != "", e.path.not_in(accepted))
    return [ActiveFile(*row) for row in connection.execute(query.order_by(e.ipppssoo))]


def load_products(connection: sa.Connection, ids: Sequence[int]) -> list[RecordedProduct]:
    """These products (keys) as recorded, by layer."""
    query = sa.select(*(t.product.c[name] for name in RecordedProduct._fields))
    rows = connection.execute(query.where(among(connection, t.product.c.id, ids)).order_by(t.product.c.layer))
    return [RecordedProduct(*row) for row in rows]


def load_product_names(connection: sa.Connection, cells: Sequence[int]) -> dict[str, dict[str, str]]:
    """The file names of recorded products, with their layers, by sky cell (name), of each of these cells (keys)."""
    names = connection.scalars(sa.select(t.skycell.c.name).where(among(connection, t.skycell.c.id, cells)))
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    p = t.product.c
    for cell, filename, layer in connection.execute(
        sa.select(p.skycell, p.filename, p.layer).where(among(connection, p.skycell, list(found)))
    ):
        found[cell][filename] = layer
    return found


def count_known_losses(connection: sa.Connection) -> int:
    """How many products are recorded as missing or damaged: the next reconcile makes them again."""
    query = sa.select(sa.func.count()).where(t.product.c.state != ProductState.INTACT.value)
    return int(connection.scalar(query.select_from(t.product)) or 0)
