"""The skies of pairs of overlapping exposures as rows: mvmdb/mosaic/ measures each once, and later jobs reuse them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from mvmdb.layers.digests import digest_member
from mvmdb.names import parse_product_name
from mvmdb.recipe import Recipe
from mvmdb.records import ProductRecord, SkyPair
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, upsert

_VALUES = (
    "first_sky", "second_sky", "first_pixels", "second_pixels", "difference", "error", "gradient", "area",
)  # fmt: skip


def load_pairs(connection: sa.Connection, layer: str, recipe: Recipe) -> tuple[SkyPair, ...]:
    """The pairs of members of this layer (name) that were measured with the recipe's settings and are still valid.

    A pair is valid while the member digests of both exposures are unchanged. Sorted by ipppssoo.
    """
    members = sa.select(t.layer_member.c.exposure_id).join(t.layer).where(t.layer.c.name == layer)
    return _load(connection, recipe, t.sky_pair.c.first_id.in_(members), t.sky_pair.c.second_id.in_(members))


def load_pairs_of(connection: sa.Connection, exposures: Sequence[int], recipe: Recipe) -> tuple[SkyPair, ...]:
    """As `load_pairs`, the pairs of these exposures (keys)."""
    pair = t.sky_pair.c
    return _load(
        connection, recipe, among(connection, pair.first_id, exposures), among(connection, pair.second_id, exposures)
    )


def _load(connection: sa.Connection, recipe: Recipe, *both: sa.ColumnElement[bool]) -> tuple[SkyPair, ...]:
    pair, first, second = t.sky_pair.c, t.exposure.alias("first"), t.exposure.alias("second")
    query = (
        sa.select(first.c.ipppssoo, second.c.ipppssoo, *(pair[name] for name in _VALUES))
        .select_from(t.sky_pair.join(first, first.c.id == pair.first_id).join(second, second.c.id == pair.second_id))
        .where(
            *both,
            pair.measure == describe_measure(recipe),
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
    write_pairs(connection, record.pairs, ids, digests, Recipe.from_json(record.recipe))


def write_pairs(
    connection: sa.Connection,
    pairs: Iterable[SkyPair],
    ids: Mapping[str, int],
    digests: Mapping[str, str],
    recipe: Recipe,
) -> None:
    """Record pairs that were measured with the recipe's settings, of exposures with these member digests.

    `ids` are the keys of exposures; pairs of others are left out.
    """
    measure = describe_measure(recipe)
    rows = [
        {
            "first_id": ids[pair.first],
            "second_id": ids[pair.second],
            "measure": measure,
            "first_digest": digests[pair.first],
            "second_digest": digests[pair.second],
            **{name: getattr(pair, name) for name in _VALUES},
        }
        for pair in pairs
        if pair.first in ids and pair.second in ids
    ]
    upsert(connection, t.sky_pair, ("first_id", "second_id", "measure"), rows)


def describe_measure(recipe: Recipe) -> str:
    """How a recipe has the skies of pairs measured; `hap` says it as in catalogs made before there was a choice."""
    settings = f"{recipe.sky_good_bits}/{recipe.sky_clips}/{recipe.sky_sigma:g}/{recipe.sky_lower:g}"
    if recipe.method != "hap":
        return f"differences/{settings}"
    return settings if recipe.sky_units == "electrons" else f"{settings}/{recipe.sky_units}"
