"""The column `layer.made_digest`: the recipe digest of a layer's product, so that an index finds stale layers."""

from __future__ import annotations

import sqlalchemy as sa

from mvmdb.records import ProductState
from mvmdb.schema import tables as t


def update_made_digest(connection: sa.Connection, layer: str) -> None:
    """Copy the recipe digest of a layer's intact product to the layer, or null if there is no such product."""
    product = t.product.c
    digest = sa.select(product.recipe_digest).where(
        product.layer == t.layer.c.name, product.state == ProductState.INTACT.value
    )
    change = sa.update(t.layer).where(t.layer.c.name == layer)
    connection.execute(change.values(made_digest=digest.scalar_subquery()))


def relink_products(connection: sa.Connection) -> None:
    """Relink orphaned products to their layers, if these are expected again."""
    layer, product = t.layer.c, t.product.c
    query = sa.select(product.layer, layer.id).join(t.layer, layer.name == product.layer)
    for name, id_ in connection.execute(query.where(product.layer_id.is_(None))).all():
        connection.execute(sa.update(t.product).where(product.layer == name).values(layer_id=id_))
        update_made_digest(connection, name)
