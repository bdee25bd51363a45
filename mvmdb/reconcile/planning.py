"""From catalog and files to a plan: look at the products, load what differs, diff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.load import count_layers, load_candidates
from mvmdb.garbage import gc_paused
from mvmdb.layers.diff import diff_layers
from mvmdb.reconcile.observe import observe_products
from mvmdb.records import Action, ExpectedLayer, ObservedProduct, Plan, PlannedLayer, Policy


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan with what it was made from: the number of layers in scope, and both sides of each layer with a product.

    `orphaned` is how many products no layer expects any more. `seen_in` names the sky cells whose files were not as
    recorded.
    """

    plan: Plan
    layers: int
    orphaned: int
    expected: dict[str, ExpectedLayer]
    observed: dict[str, ObservedProduct]
    seen_in: set[str] = field(default_factory=set)

    @property
    def stale(self) -> int:
        """How many expected layers need work."""
        return len(self.plan.layers) - self.orphaned


def look_ahead(
    begin: Begin,
    products: Path | None,
    policy: Policy,
    *,
    cells: Sequence[int] | None = None,
    deep: bool = False,
    full: bool = False,
) -> Outlook:
    """What is stale, and why, in these sky cells (keys) or everywhere.

    With no products folder there is nothing to look at, and every layer is missing. `full` plans a drizzle of every
    layer, fresh ones too. `begin` begins a transaction; what the look shows of the files is recorded in such.
    """
    seen = set() if products is None else observe_products(begin, products, policy, deep=deep, cells=cells)
    with gc_paused(), begin() as connection:
        candidates = load_candidates(connection, cells, everything=full)
        total = count_layers(connection, cells)
        plan = diff_layers(candidates.expected, candidates.observed, candidates.unmade, policy)
    if full:
        plan = _plan_everything(plan, candidates.expected)
    orphaned = sum(line.action is Action.REMOVE for line in plan.layers)
    return Outlook(
        Plan(plan.layers, total - (len(plan.layers) - orphaned)),
        total,
        orphaned,
        {layer.name: layer for layer in candidates.expected},
        {product.name: product for product in candidates.observed},
        seen,
    )


def _plan_everything(plan: Plan, expected: Sequence[ExpectedLayer]) -> Plan:
    because = "a full rebuild was asked for"
    planned = {line.name: line for line in plan.layers}
    for layer in expected:
        line = planned.get(layer.name, PlannedLayer(layer.name, layer.skycell, Action.DRIZZLE, ()))
        planned[layer.name] = line._replace(action=Action.DRIZZLE, drizzle_because=line.drizzle_because or because)
    return Plan(tuple(planned[name] for name in sorted(planned)), 0)
