"""The skies of pairs of overlapping exposures as rows: mvmdb/mosaic/ measures each once, and later jobs reuse them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from mvmdb.layers.digests import digest_member
from mvmdb.names import parse_product_name
from mvmdb.recipe import Recipe
from mvmdb.records import ProductRecord, SkyPair
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert

_VALUES = ("first_sky", "second_sky", "first_pixels", "second_pixels")


def load_pairs(connection: sa.Connection, layer: str, recipe: Recipe) -> tuple[SkyPair, ...]:
    """The pairs of members of this layer (name) that were measured with the recipe's settings and are still valid.

    A pair is valid while the member digests of both exposures are unchanged. Sorted by ipppssoo.
    """
    pair, first, second = t.sky_pair.c, t.exposure.alias("first"), t.exposure.alias("second")
    members = sa.select(t.layer_member.c.exposure_id).join(t.layer).where(t.layer.c.name == layer)
    query = (
        sa.select(first.c.ipppssoo, second.c.ipppssoo, *(pair[name] for name in _VALUES))
        .select_from(t.sky_pair.join(first, first.c.id == pair.first_id).join(second, second.c.id == pair.second_id))
        .where(
            pair.first_id.in_(members),
            pair.second_id.in_(members),
            pair.measure == _describe(recipe),
            pair.first_digest == first.c.member_digest,
            pair.second_digest == second.c.member_digest,
        )
        .order_by(first.c.ipppssoo, second.c.ipppssoo)
    )
    return tuple(SkyPair(*row) for row in connection.execute(query))


def save_pairs(connection: sa.Connection, record: ProductRecord) -> None:
    """Record a product's pairs, except those of exposures that the catalog no longer has."""
    if not record.pairs:
        return
    kind = parse_product_name(Path(record.path).name)[1]
    digests = {m.ipppssoo: digest_member(m.ipppssoo, kind, m.pixels, m.wcs_digest) for m in record.members}
    e = t.exposure.c
    ids: dict[str, int] = {}
    for name, id_ in connection.execute(sa.select(e.ipppssoo, e.id).where(e.ipppssoo.in_(digests))):
        ids[name] = id_
    measure = _describe(Recipe.from_json(record.recipe))
    rows = [
        {
            "first_id": ids[pair.first],
            "second_id": ids[pair.second],
            "measure": measure,
            "first_digest": digests[pair.first],
            "second_digest": digests[pair.second],
            **{name: getattr(pair, name) for name in _VALUES},
        }
        for pair in record.pairs
        if pair.first in ids and pair.second in ids
    ]
    upsert(connection, t.sky_pair, ("first_id", "second_id", "measure"), rows)


def _describe(recipe: Recipe) -> str:
    settings = f"{recipe.sky_good_bits}/{recipe.sky_clips}/{recipe.sky_sigma:g}/{recipe.sky_lower:g}"
    return settings if recipe.method == "hap" else f"{settings}/{recipe.method}"
