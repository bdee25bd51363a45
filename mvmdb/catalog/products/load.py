"""Reads expected layers and their products from the catalog; layers/diff.py compares them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.names import parse_cell_name
from mvmdb.recipe import Recipe
from mvmdb.records import (
    Canvas,
    ExpectedLayer,
    Member,
    MemberInput,
    ObservedProduct,
    ProductState,
    Proof,
    UnmadeLayer,
)
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, bulk_select
from mvmdb.schema.views import own_sky
from mvmdb.sky.layer import find_groups


def count_layers(
    connection: sa.Connection, cells: Sequence[int] | None = None, names: Collection[str] | None = None
) -> int:
    """The number of expected layers in these sky cells (keys) or in all, and with these names or any."""
    query = sa.select(sa.func.count()).select_from(t.layer)
    if names is not None:
        query = query.where(among(connection, t.layer.c.name, names))
    return int(connection.scalar(query if cells is None else query.where(t.layer.c.skycell_id.in_(cells))) or 0)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be stale: expected layers with a product, the observed products, and layers without a product.

    There may be a million layers without a product: read them from the iterator within the transaction.
    """

    expected: list[ExpectedLayer]
    observed: list[ObservedProduct]
    unmade: Iterator[UnmadeLayer]


def load_candidates(connection: sa.Connection, cells: Sequence[int] | None, *, everything: bool = False) -> Candidates:
    """Every layer that its column `stale` marks, and every orphaned product, in these sky cells (keys) or in all.

    A partial index holds the stale layers. Members are loaded only for layers that have a product to compare them with.
    With `everything`, fresh layers that have a product are included.
    """
    layer, product = t.layer.c, t.product.c
    source = t.layer.outerjoin(t.product, product.layer_id == layer.id)
    query = sa.select(layer.id, product.id).select_from(source).where(product.id.is_not(None))
    unmade = sa.select(layer.name, t.skycell.c.name, sa.func.coalesce(layer.failure, ""), layer.n_waiting)
    unmade = unmade.select_from(source.join(t.skycell))
    unmade = unmade.where(t.layer.c.stale, product.id.is_(None))
    orphans = sa.select(product.id).where(product.layer_id.is_(None))
    if not everything:
        query = query.where(t.layer.c.stale)
    if cells is not None:
        query, unmade = (q.where(layer.skycell_id.in_(cells)) for q in (query, unmade))
        orphans = orphans.where(product.skycell.in_(sa.select(t.skycell.c.name).where(t.skycell.c.id.in_(cells))))
    pairs = connection.execute(query).all()
    products = [id_ for _, id_ in pairs] + list(connection.scalars(orphans))
    made = [id_ for id_, _ in pairs]
    return Candidates(
        _load_expected(connection, made, set(made)),
        _load_observed(connection, products),
        map(UnmadeLayer._make, bulk_select(connection, unmade)),
    )


def load_digests(connection: sa.Connection, names: Iterable[str]) -> dict[str, str]:
    """The expected recipe digest of each of these layers, by name; layers that are not expected are left out."""
    digests: dict[str, str] = {}
    for chunk in chunks(names):
        query = sa.select(t.layer.c.name, t.layer.c.recipe_digest).where(t.layer.c.name.in_(chunk))
        digests.update((name, digest) for name, digest in connection.execute(query))
    return digests


def _grouped(connection: sa.Connection, row: Any, members: Sequence[Member]) -> tuple[Member, ...]:
    """The members, with their sky groups if the recipe matches skies; groups need geometry, so others have none."""
    if not Recipe.from_json(row.recipe).sky_match:
        return tuple(members)
    e, m = t.exposure.c, t.layer_member.c
    query = sa.select(e.ipppssoo, e.s_region).select_from(t.layer_member.join(t.exposure)).where(m.layer_id == row.id)
    regions = {name: region for name, region in connection.execute(query)}
    groups = find_groups(parse_cell_name(row.skycell).projection_cell, regions)
    return tuple(replace(member, sky_group=groups[member.ipppssoo]) for member in members)


def _load_expected(connection: sa.Connection, ids: Iterable[int], grouped: set[int]) -> list[ExpectedLayer]:
    """The layers with these keys, sorted by name within each chunk; those in `grouped` get sky groups."""
    cell, layer = t.skycell.c, t.layer.c
    e, m = t.exposure.c, t.layer_member.c
    layers = []
    for layer_ids in chunks(ids):
        members: dict[int, list[Member]] = {id_: [] for id_ in layer_ids}
        waits_for: dict[int, list[str]] = {}
        columns = (e.ipppssoo, e.pixels, e.member_wcs, e.pixel_digest, e.photometry, t.sky.c.value)
        query = sa.select(m.layer_id, e.path, *columns)
        query = query.select_from(t.layer_member.join(t.exposure).outerjoin(t.sky))
        query = query.where(m.layer_id.in_(layer_ids)).order_by(e.ipppssoo)
        for id_, path, name, pixels, wcs, digest, photometry, sky in connection.execute(query):
            members[id_].append(Member(name, pixels, wcs, "", digest or "", photometry or "", sky))
            if not path:
                waits_for.setdefault(id_, []).append(name)
        rows = connection.execute(
            sa.select(
                *(layer[name] for name in ("id", "name", "kind", "recipe_digest", "failure")),
                t.recipe.c.parameters.label("recipe"),
                cell.name.label("skycell"),
                *(cell[name] for name in ("x_min", "x_max", "y_min", "y_max")),
            )
            .select_from(t.layer.join(t.skycell).join(t.recipe))
            .where(t.layer.c.id.in_(layer_ids))
            .order_by(t.layer.c.name)
        )
        layers += [
            ExpectedLayer(
                name=row.name,
                skycell=row.skycell,
                kind=row.kind,
                members=_grouped(connection, row, members[row.id]) if row.id in grouped else tuple(members[row.id]),
                canvas=Canvas(row.x_min, row.x_max, row.y_min, row.y_max),
                recipe=Recipe.from_json(row.recipe),
                recipe_digest=row.recipe_digest,
                failure=row.failure or "",
                waits_for=tuple(waits_for.get(row.id, ())),
            )
            for row in rows
        ]
    return layers


def _load_observed(connection: sa.Connection, ids: Iterable[int]) -> list[ObservedProduct]:
    m = t.product_member.c
    products = []
    for product_ids in chunks(ids):
        members: dict[int, list[Member]] = {id_: [] for id_ in product_ids}
        columns = (m.ipppssoo, m.pixels, m.wcs_digest, m.sky_group, m.pixel_digest, m.photometry, m.photscale)
        query = sa.select(m.product_id, own_sky().label("own_sky"), *columns)
        for row in connection.execute(query.where(m.product_id.in_(product_ids)).order_by(m.ipppssoo)):
            member = Member(row.ipppssoo, row.pixels, row.wcs_digest, row.sky_group, row.pixel_digest or "")
            scale = 1.0 if row.photscale is None else row.photscale
            members[row.product_id].append(
                replace(member, photometry=row.photometry or "", sky=row.own_sky, photscale=scale)
            )
        for row in connection.execute(
            sa.select(t.product).where(t.product.c.id.in_(product_ids)).order_by(t.product.c.layer)
        ):
            products.append(
                ObservedProduct(
                    name=row.layer,
                    skycell=row.skycell,
                    filename=row.filename,
                    members=tuple(members[row.id]),
                    canvas=Canvas(row.x_min, row.x_max, row.y_min, row.y_max),
                    recipe=row.recipe,
                    recipe_digest=row.recipe_digest,
                    state=ProductState(row.state),
                    proof=Proof(row.proof),
                )
            )
    return products


def load_layer(connection: sa.Connection, name: str) -> tuple[ExpectedLayer | None, ObservedProduct | None]:
    """(the expected layer, its recorded product) of this name; None for one that does not exist."""
    layers = connection.scalars(sa.select(t.layer.c.id).where(t.layer.c.name == name)).all()
    products = connection.scalars(sa.select(t.product.c.id).where(t.product.c.layer == name)).all()
    expected, observed = _load_expected(connection, layers, set(layers)), _load_observed(connection, products)
    return expected[0] if expected else None, observed[0] if observed else None


def load_member_inputs(connection: sa.Connection, layer: ExpectedLayer) -> list[MemberInput]:
    """The members of a layer as a job needs them, without kept skies, sorted by ipppssoo."""
    groups = {member.ipppssoo: member.sky_group for member in layer.members}
    e = t.exposure.c
    query = (
        sa.select(e.ipppssoo, e.path, e.pixels, e.pixel_digest, e.member_wcs, e.alternate, e.photometry)
        .select_from(t.layer_member.join(t.exposure).join(t.layer))
        .where(t.layer.c.name == layer.name)
        .order_by(e.ipppssoo)
    )
    return [
        MemberInput(
            row.ipppssoo, row.path, row.pixels, row.pixel_digest, row.member_wcs, groups[row.ipppssoo],
            alternate=row.alternate, photometry=row.photometry or "",
        )
        for row in connection.execute(query)
        if row.ipppssoo in groups
    ]  # fmt: skip


def load_kept_skies(connection: sa.Connection, layer: str) -> dict[tuple[str, str], float | None]:
    """The sky (electrons/s/arcsec^2) of each member of a layer's product, None if unknown, by (ipppssoo, pixels).

    In the exposure's own electrons, as `MemberInput` has it.
    """
    m = t.product_member.c
    query = sa.select(m.ipppssoo, m.pixels, own_sky()).select_from(t.product_member.join(t.product))
    rows = connection.execute(query.where(t.product.c.layer == layer))
    return {(name, pixels): sky for name, pixels, sky in rows}
