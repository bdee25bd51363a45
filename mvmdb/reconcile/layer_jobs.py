"""Turns lines of a plan into jobs, which hold everything that a worker needs, from the current state of the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mvmdb.catalog.layers.available import load_available
from mvmdb.catalog.narrow import EVERYTHING, Narrowing
from mvmdb.catalog.open import Engine
from mvmdb.catalog.products.load import load_kept_skies, load_layer, load_member_inputs
from mvmdb.catalog.products.sky_pairs import load_pairs
from mvmdb.layers.diff import diff_layers, groups_merge
from mvmdb.names import format_product_name
from mvmdb.records import Action, ExpectedLayer, LayerJob, MemberInput, ObservedProduct, PlannedLayer, Policy, SkyPair


@dataclass(frozen=True, slots=True)
class Options:
    """How to reconcile.

    `cells`: the keys of the sky cells (None: all). `full`: drizzle every layer from all its members, fresh layers too,
    with the kept skies. `resky`: as `full`, with new skies. `available`: make layers that wait for files from the
    members that have one. `move`: the recorded products have moved to this run's folder. `patient`: leave layers that
    failed again and again until they are due. `narrowing`: only layers of these programs and filters.
    """

    cells: Sequence[int] | None = None
    full: bool = False
    resky: bool = False
    available: bool = False
    move: bool = False
    patient: bool = False
    narrowing: Narrowing = EVERYTHING

    @property
    def everything(self) -> bool:
        """Whether fresh layers are made again as well."""
        return self.full or self.resky


def build_jobs(
    engine: Engine, products: Path, lines: Iterable[PlannedLayer], policy: Policy, options: Options
) -> Iterator[LayerJob]:
    """The jobs of these lines of a plan, each built in one transaction when its turn comes.

    The plan may be out of date by then, as other commands may have registered exposures. A line gives no job if its
    layer is no longer expected, waits for files, or is fresh (unless `options.everything`). `products` is the absolute
    path of the products folder.
    """
    for line in lines:
        with engine.begin() as connection:
            layer, product = load_layer(connection, line.name)
            if layer is None:
                continue
            if layer.waits_for and options.available:
                layer = load_available(connection, [line.name], policy).get(line.name, layer)
            members = load_member_inputs(connection, layer)
            kept = load_kept_skies(connection, line.name)
            pairs = load_pairs(connection, line.name, layer.recipe) if layer.recipe.sky_match else ()
        planned = diff_layers([layer], [product] if product is not None else []).layers
        if not (planned or options.everything) or (layer.waits_for and (options.everything or planned[0].n_waiting)):
            continue
        action = Action.DRIZZLE if options.everything else planned[0].action
        if options.resky or not layer.recipe.sky_match or (product is not None and not _keeps_skies(layer, product)):
            kept = {}
        yield _build_job(products, action, layer, product, members, kept, pairs)


def _keeps_skies(layer: ExpectedLayer, product: ObservedProduct) -> bool:
    """Whether the skies of a product's members can be kept: same sky settings and algorithm, and no groups merge."""
    now, then = (json.loads(text) for text in (layer.recipe.to_json(), product.recipe))
    names = [name for name in now if name.startswith("sky_") or name == "algorithm"]
    return all(now[name] == then.get(name) for name in names) and not groups_merge(layer, product)


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
        target=str(products / layer.skycell / format_product_name(layer.name, layer.kind)),
        pairs=pairs,
    )
