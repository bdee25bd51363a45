"""The column `layer.made_digest`: the recipe digest of a layer's product, so that an index finds stale layers.

A product that subtracted other skies than the archive's solution has none there.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.records import ProductState
from mvmdb.schema import tables as t
from mvmdb.schema.views import has_moved


def update_made_digest(connection: sa.Connection, layer: str) -> None:
    """Copy the recipe digest of a layer's intact product with the solved skies to the layer; null if there is none."""
    product = t.product.c
    digest = sa.select(product.recipe_digest).where(
        product.layer == t.layer.c.name, product.state == ProductState.INTACT.value, sa.not_(holds_other_skies())
    )
    change = sa.update(t.layer).where(t.layer.c.name == layer)
    connection.execute(change.values(made_digest=digest.scalar_subquery()))


def holds_other_skies() -> sa.ColumnElement[bool]:
    """Whether a product (of the enclosing query) subtracted other skies than the archive's solution has now."""
    member = t.product_member
    source = member.join(t.exposure, t.exposure.c.ipppssoo == member.c.ipppssoo).join(t.sky)
    query = sa.select(member.c.ipppssoo).select_from(source)
    return query.where(member.c.product_id == t.product.c.id, has_moved()).correlate(t.product).exists()


def update_layers_of(connection: sa.Connection, exposures: Iterable[str]) -> None:
    """Update the layers whose products hold any of these exposures (ipppssoo), whose skies have changed."""
    source = t.product.join(t.product_member)
    layers: set[str] = set()
    for chunk in chunks(exposures):
        query = sa.select(t.product.c.layer).select_from(source).where(t.product_member.c.ipppssoo.in_(chunk))
        layers.update(connection.scalars(query.distinct()))
    for layer in sorted(layers):
        update_made_digest(connection, layer)


def relink_products(connection: sa.Connection) -> None:
    """Relink orphaned products to their layers, if these are expected again."""
    layer, product = t.layer.c, t.product.c
    query = sa.select(product.layer, layer.id).join(t.layer, layer.name == product.layer)
    for name, id_ in connection.execute(query.where(product.layer_id.is_(None))).all():
        connection.execute(sa.update(t.product).where(product.layer == name).values(layer_id=id_))
        update_made_digest(connection, name)
