"""What the catalog records of product files, and of the exposures that they name, for comparison with the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.layers.digests import digest_member
from mvmdb.records import Policy, ProductMember, ProductState, Proof
from mvmdb.schema import tables as t


class RecordedProduct(NamedTuple):
    """A product's file as the catalog records it: `size` in bytes, `mtime_ns` in nanoseconds since 1970."""

    layer: str
    skycell: str
    filename: str
    size: int
    mtime_ns: int
    data_digest: str
    recipe_digest: str
    state: ProductState
    proof: Proof


class KnownPixels(NamedTuple):
    """An exposure's pixel identity, the pixel digest (None if not known yet), and the path of its active file.

    `photometry` is None while it is not known.
    """

    pixels: str
    pixel_digest: str | None
    path: str
    photometry: str | None


def load_recorded_products(
    connection: sa.Connection, cells: Sequence[int] | None
) -> tuple[dict[str, RecordedProduct], set[str]]:
    """The recorded products in these sky cells (keys) or in all, by layer; and the names of these sky cells."""
    query, names = sa.select(*(t.product.c[name] for name in RecordedProduct._fields)), sa.select(t.skycell.c.name)
    if cells is not None:
        names = names.where(t.skycell.c.id.in_(cells))
        query = query.where(t.product.c.skycell.in_(names))
    rows = connection.execute(query.order_by(t.product.c.layer))
    return {row.layer: RecordedProduct(*row) for row in rows}, set(connection.scalars(names))


def load_products_of(connection: sa.Connection, skycells: Iterable[str]) -> dict[str, list[RecordedProduct]]:
    """The recorded products of these sky cells (names), by sky cell; cells that have none are left out."""
    p = t.product.c
    found: dict[str, list[RecordedProduct]] = {}
    for chunk in chunks(skycells):
        query = sa.select(*(p[name] for name in RecordedProduct._fields)).where(p.skycell.in_(chunk))
        for row in connection.execute(query.order_by(p.layer)):
            found.setdefault(row.skycell, []).append(RecordedProduct(*row))
    return found


def load_recorded(connection: sa.Connection, layers: Iterable[str]) -> dict[str, RecordedProduct]:
    """The recorded products of these layers (names), by layer."""
    product = t.product.c
    recorded: dict[str, RecordedProduct] = {}
    for chunk in chunks(layers):
        query = sa.select(*(product[name] for name in RecordedProduct._fields)).where(product.layer.in_(chunk))
        recorded.update((row.layer, RecordedProduct(*row)) for row in connection.execute(query))
    return recorded


def load_known_pixels(connection: sa.Connection, names: Iterable[str]) -> dict[str, KnownPixels]:
    """What is known of the pixels of these exposures, by ipppssoo; those that the catalog lacks are left out."""
    e = t.exposure.c
    known: dict[str, KnownPixels] = {}
    for chunk in chunks(names):
        query = sa.select(e.ipppssoo, e.pixels, e.pixel_digest, e.path, e.photometry).where(e.ipppssoo.in_(chunk))
        known.update((name, KnownPixels(*values)) for name, *values in connection.execute(query))
    return known


def rename_pixels(connection: sa.Connection, members: Iterable[ProductMember], policy: Policy) -> None:
    """Replace the pixel identities of exposures by those that products record, and update their layers."""
    by_name = {member.ipppssoo: member for member in members}
    changed = []
    for chunk in chunks(by_name):
        for row in connection.execute(sa.select(t.exposure).where(t.exposure.c.ipppssoo.in_(chunk))).all():
            member = by_name[row.ipppssoo]
            digest = digest_member(row.ipppssoo, row.kind, member.pixels, row.member_wcs or "")
            change = {"pixels": member.pixels, "pixel_digest": member.pixel_digest, "member_digest": digest}
            connection.execute(sa.update(t.exposure).where(t.exposure.c.id == row.id).values(**change))
            changed.append(row.id)
    if changed:
        refresh_layers(connection, keys_of_exposures(connection, changed), policy)


def is_expected(connection: sa.Connection, layer: str, recipe_digest: str) -> bool:
    """Whether this layer is expected, with this recipe digest."""
    return connection.scalar(sa.select(t.layer.c.recipe_digest).where(t.layer.c.name == layer)) == recipe_digest
