"""What the catalog records of product files, and of exposures that products name: for looking at the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.layers.digests import digest_member
from mvmdb.records import Policy, ProductMember, ProductState
from mvmdb.schema import tables as t


class RecordedProduct(NamedTuple):
    """A product's file as the catalog records it."""

    layer: str
    skycell: str
    filename: str
    size: int
    mtime_ns: int
    data_digest: str
    recipe_digest: str
    state: ProductState


class KnownPixels(NamedTuple):
    """An exposure's identity of pixels, their digest once it is known, and its active file."""

    pixels: str
    pixel_digest: str | None
    path: str


def load_recorded_products(
    connection: sa.Connection, cells: Sequence[int] | None
) -> tuple[dict[str, RecordedProduct], set[str]]:
    """The recorded products of sky cells (keys), or all, by layer; and the names of the sky cells that there are."""
    query, names = sa.select(*(t.product.c[name] for name in RecordedProduct._fields)), sa.select(t.skycell.c.name)
    if cells is not None:
        names = names.where(t.skycell.c.id.in_(cells))
        query = query.where(t.product.c.skycell.in_(names))
    rows = connection.execute(query.order_by(t.product.c.layer))
    return {row.layer: RecordedProduct(*row) for row in rows}, set(connection.scalars(names))


def load_known_pixels(connection: sa.Connection, names: Iterable[str]) -> dict[str, KnownPixels]:
    """What is known of the pixels of exposures (ipppssoo); those that the catalog lacks are not among them."""
    e = t.exposure.c
    known: dict[str, KnownPixels] = {}
    for chunk in chunks(names):
        query = sa.select(e.ipppssoo, e.pixels, e.pixel_digest, e.path).where(e.ipppssoo.in_(chunk))
        known.update((name, KnownPixels(*values)) for name, *values in connection.execute(query))
    return known


def rename_pixels(connection: sa.Connection, members: Iterable[ProductMember], policy: Policy) -> None:
    """Give exposures the identity of pixels by which products know them; their layers are expected anew."""
    by_name = {member.ipppssoo: member for member in members}
    changed = []
    for chunk in chunks(by_name):
        for row in connection.execute(sa.select(t.exposure).where(t.exposure.c.ipppssoo.in_(chunk))).all():
            member = by_name[row.ipppssoo]
            digest = digest_member(row.ipppssoo, row.kind, member.pixels, row.wcs_digest or "")
            change = {"pixels": member.pixels, "pixel_digest": member.pixel_digest, "member_digest": digest}
            connection.execute(sa.update(t.exposure).where(t.exposure.c.id == row.id).values(**change))
            changed.append(row.id)
    if changed:
        refresh_layers(connection, keys_of_exposures(connection, changed), policy)


def is_expected(connection: sa.Connection, layer: str, recipe_digest: str) -> bool:
    """Whether a layer is expected to be made in just this way."""
    return connection.scalar(sa.select(t.layer.c.recipe_digest).where(t.layer.c.name == layer)) == recipe_digest
