"""Turns a line of a plan into a job, which holds everything that a worker needs, from the catalog as it is now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mvmdb.catalog.layers.available import load_available
from mvmdb.catalog.narrow import EVERYTHING, Narrowing
from mvmdb.catalog.open import Connection
from mvmdb.catalog.products.load import load_kept_skies, load_layer, load_member_inputs
from mvmdb.catalog.products.sky_pairs import load_pairs
from mvmdb.layers.diff import diff_layers, groups_merge
from mvmdb.names import format_product_name, product_place
from mvmdb.records import (
    Action,
    ExpectedLayer,
    LayerJob,
    MemberInput,
    ObservedProduct,
    PlannedLayer,
    Policy,
    Proof,
    SkyPair,
)


@dataclass(frozen=True, slots=True)
class Options:
    """How to reconcile.

    `cells`: the keys of the sky cells (None: all). `full`: drizzle every layer from all its members, fresh layers too,
    with the kept skies. `resky`: as `full`, with new skies. `available`: make layers that wait for files from the
    members that have one. `move`: the recorded products have moved to this run's folder. `patient`: leave layers that
    failed again and again until they are due. `narrowing`: only layers of these programs and filters. `wait`: for how
    many seconds to wait for other runs, until the folder is free and for layers that they make. `beside`: the kinds of
    files that stand beside products.
    """

    cells: Sequence[int] | None = None
    full: bool = False
    resky: bool = False
    available: bool = False
    move: bool = False
    patient: bool = False
    narrowing: Narrowing = EVERYTHING
    wait: float = 0.0
    beside: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether fresh layers are made again as well."""
        return self.full or self.resky


@dataclass(frozen=True, slots=True)
class LayerWork:
    """What a layer of a plan needs now: the `job` that makes it, or None if its `product` is to be removed."""

    line: PlannedLayer
    job: LayerJob | None
    product: ObservedProduct | None


def find_work(
    connection: Connection, products: Path, line: PlannedLayer, policy: Policy, options: Options
) -> LayerWork | None:
    """What the layer of this line of a plan needs now; None if nothing.

    The plan may be out of date by then, as other commands may have registered exposures, or other runs made the layer.
    Nothing is needed if a layer to be made is no longer expected, waits for files, or is fresh (unless
    `options.everything`), and if a product to be removed is gone or expected again. `products` is the absolute path of
    the products folder.
    """
    layer, product = load_layer(connection, line.name)
    if line.action is Action.REMOVE:
        return LayerWork(line, None, product) if layer is None and product is not None else None
    if layer is None:
        return None
    if layer.waits_for and options.available:
        layer = load_available(connection, [line.name], policy).get(line.name, layer)
    planned = diff_layers([layer], [product] if product is not None else []).layers
    if not (planned or options.everything) or (layer.waits_for and (options.everything or planned[0].n_waiting)):
        return None
    action = Action.DRIZZLE if options.everything else planned[0].action
    kept = load_kept_skies(connection, line.name)
    if layer.recipe.takes_solved_skies:
        kept |= {(member.ipppssoo, member.pixels): member.sky for member in layer.members if member.sky is not None}
    elif options.resky or not layer.recipe.sky_match or (product is not None and not _keeps_skies(layer, product)):
        kept = {}
    members = load_member_inputs(connection, layer)
    pairs = load_pairs(connection, line.name, layer.recipe) if layer.recipe.sky_match else ()
    return LayerWork(line, _build_job(products, action, layer, product, members, kept, pairs), product)


def _keeps_skies(layer: ExpectedLayer, product: ObservedProduct) -> bool:
    """Whether the skies of a product's members can be kept: same sky settings, method and algorithm, no groups merge.

    Those of another program's product are not: it measured them in another way.
    """
    if product.proof is not Proof.PROVEN:
        return False
    now, then = (json.loads(text) for text in (layer.recipe.to_json(), product.recipe))
    names = {name for name in now | then if name.startswith("sky_") or name in ("algorithm", "method")}
    return all(now.get(name) == then.get(name) for name in names) and not groups_merge(layer, product)


def _build_job(
    products: Path,
    action: Action,
    layer: ExpectedLayer,
    product: ObservedProduct | None,
    members: Iterable[MemberInput],
    kept: dict[tuple[str, str], float | None],
    pairs: tuple[SkyPair, ...],
) -> LayerJob:
    drizzled = (
        {member.ipppssoo for member in product.members} if product is not None and action is Action.ADD else set()
    )
    return LayerJob(
        layer=layer.name,
        action=action,
        kind=layer.kind,
        canvas=layer.canvas,
        recipe=layer.recipe,
        recipe_digest=layer.recipe_digest,
        members=tuple(
            replace(member, sky=kept.get((member.ipppssoo, member.pixels)), drizzled=member.ipppssoo in drizzled)
            for member in members
        ),
        target=str(products / product_place(layer.skycell, format_product_name(layer.name, layer.kind))),
        pairs=pairs,
    )
