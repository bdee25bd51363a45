"""From catalog and files to a plan: look at the products, load what differs, diff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.catalog.layers.available import expect_available
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.load import count_layers, load_candidates
from mvmdb.garbage import gc_paused
from mvmdb.layers.diff import diff_layers
from mvmdb.reconcile.observe import observe_products
from mvmdb.records import Action, ExpectedLayer, ObservedProduct, Plan, PlannedLayer, Policy, UnmadeLayer


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan with what it was made from: the number of layers in scope, and both sides of each layer with a product.

    `orphaned` is how many products no layer expects any more, `waiting` how many layers of the plan wait for files of
    their members. `seen_in` names the sky cells whose files were not as recorded.
    """

    plan: Plan
    layers: int
    orphaned: int
    expected: dict[str, ExpectedLayer]
    observed: dict[str, ObservedProduct]
    seen_in: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        """How many stale layers wait for files of their members."""
        return sum(line.n_waiting > 0 for line in self.plan.layers)

    @property
    def stale(self) -> int:
        """How many expected layers need work that can be done."""
        return len(self.plan.layers) - self.orphaned - self.waiting


def look_ahead(
    begin: Begin,
    products: Path | None,
    policy: Policy,
    *,
    cells: Sequence[int] | None = None,
    deep: bool = False,
    full: bool = False,
    available: bool = False,
) -> Outlook:
    """What is stale, and why, in these sky cells (keys) or everywhere.

    With no products folder there is nothing to look at, and every layer is missing. `full` plans a drizzle of every
    layer, fresh ones too. `available` expects the layers that wait for files to be made of the members that have one,
    where there are any. `begin` begins a transaction; what the look shows of the files is recorded in such.
    """
    seen = set() if products is None else observe_products(begin, products, policy, deep=deep, cells=cells)
    with gc_paused(), begin() as connection:
        candidates = load_candidates(connection, cells, everything=full)
        total = count_layers(connection, cells)
        expected: Sequence[ExpectedLayer] = candidates.expected
        unmade: Iterable[UnmadeLayer] = candidates.unmade
        if available:
            expected, unmade = expect_available(connection, expected, list(unmade), policy)
        plan = diff_layers(expected, candidates.observed, unmade, policy)
    if full:
        plan = _plan_everything(plan, expected)
    orphaned = sum(line.action is Action.REMOVE for line in plan.layers)
    return Outlook(
        Plan(plan.layers, total - (len(plan.layers) - orphaned)),
        total,
        orphaned,
        {layer.name: layer for layer in expected},
        {product.name: product for product in candidates.observed},
        seen,
    )


def _plan_everything(plan: Plan, expected: Sequence[ExpectedLayer]) -> Plan:
    because = "a full rebuild was asked for"
    planned = {line.name: line for line in plan.layers}
    for layer in expected:
        line = planned.get(layer.name, PlannedLayer(layer.name, layer.skycell, Action.DRIZZLE, ()))
        planned[layer.name] = line._replace(
            action=Action.DRIZZLE,
            drizzle_because=line.drizzle_because or because,
            n_waiting=len(layer.waits_for),
        )
    return Plan(tuple(planned[name] for name in sorted(planned)), 0)
