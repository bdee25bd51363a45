"""What layers know of their products, so that the stale ones are found by an index and not by looking at all."""

from __future__ import annotations

import sqlalchemy as sa

from mvmdb.records import ProductState
from mvmdb.schema import tables as t


def note_made(connection: sa.Connection, layer: str) -> None:
    """Let a layer know the recipe digest of its intact product."""
    product = t.product.c
    made = sa.select(product.recipe_digest).where(
        product.layer == t.layer.c.name, product.state == ProductState.INTACT.value
    )
    change = sa.update(t.layer).where(t.layer.c.name == layer)
    connection.execute(change.values(made_digest=made.scalar_subquery()))


def link_products(connection: sa.Connection) -> None:
    """Give orphaned products whose layers are expected again back to them."""
    layer, product = t.layer.c, t.product.c
    query = sa.select(product.layer, layer.id).join(t.layer, layer.name == product.layer)
    for name, id_ in connection.execute(query.where(product.layer_id.is_(None))).all():
        connection.execute(sa.update(t.product).where(product.layer == name).values(layer_id=id_))
        note_made(connection, name)
