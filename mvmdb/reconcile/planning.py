"""Makes a plan: compares the product files with the catalog, loads what may be stale, and diffs it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mvmdb.catalog.layers.available import expect_available
from mvmdb.catalog.narrow import EVERYTHING, ChosenLayers, Narrowing, choose_layers
from mvmdb.catalog.open import Begin
from mvmdb.catalog.products.load import count_layers, load_candidates
from mvmdb.garbage import gc_paused
from mvmdb.layers.diff import diff_layers
from mvmdb.reconcile.observe import observe_products
from mvmdb.reconcile.remarks import Remarks
from mvmdb.records import Action, ExpectedLayer, ObservedProduct, Plan, PlannedLayer, Policy, UnmadeLayer


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan, with the expected layers and the observed products that it compares, by layer name.

    `layers` is the number of expected layers in the sky cells that were asked for, and `orphaned` the number of
    products in them whose layers are no longer expected. `seen_in` names the sky cells in which product files differed
    from their records.
    """

    plan: Plan
    layers: int
    orphaned: int
    expected: dict[str, ExpectedLayer]
    observed: dict[str, ObservedProduct]
    seen_in: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        """The number of layers in the plan that wait for files of their members."""
        return sum(line.n_waiting > 0 for line in self.plan.layers)

    @property
    def stale(self) -> int:
        """The number of expected layers that need work and do not wait for files."""
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
    narrowing: Narrowing = EVERYTHING,
    remarks: Remarks | None = None,
) -> Outlook:
    """What is stale, and why, in these sky cells (keys) or in all, of the layers that the `narrowing` leaves.

    `products` is None while no folder is recorded: no file is looked at then. `deep`: as in `observe_products`. `full`
    plans a drizzle of every layer, fresh ones too. With `available`, a layer that waits for files is expected from the
    members that have one, if there are any. `begin` begins a transaction; differences between files and records are
    recorded, unless it is a `Trial`, whose transactions are rolled back.
    """
    seen = (
        set()
        if products is None
        else observe_products(begin, products, policy, deep=deep, cells=cells, remarks=remarks)
    )
    with gc_paused(), begin() as connection:
        candidates = load_candidates(connection, cells, everything=full)
        total = count_layers(connection, cells)
        chosen = choose_layers(connection, narrowing)
        n_chosen = 0 if chosen is None else count_layers(connection, cells, chosen.expected)
        expected: Sequence[ExpectedLayer] = candidates.expected
        unmade: Iterable[UnmadeLayer] = candidates.unmade
        if available:
            expected, unmade = expect_available(connection, expected, list(unmade), policy)
        plan = diff_layers(expected, candidates.observed, unmade, policy)
    if full:
        plan = _plan_everything(plan, expected)
    orphaned = sum(line.action is Action.REMOVE for line in plan.layers)
    outlook = Outlook(
        Plan(plan.layers, total - (len(plan.layers) - orphaned)),
        total,
        orphaned,
        {layer.name: layer for layer in expected},
        {product.name: product for product in candidates.observed},
        seen,
    )
    return outlook if chosen is None else _narrow(outlook, chosen, n_chosen)


def _narrow(outlook: Outlook, chosen: ChosenLayers, n_expected: int) -> Outlook:
    """The outlook on the chosen layers, of which so many are expected in the sky cells that were asked for."""
    lines = tuple(line for line in outlook.plan.layers if line.name in chosen)
    orphaned = sum(line.action is Action.REMOVE for line in lines)
    plan = Plan(lines, n_expected - (len(lines) - orphaned))
    return replace(outlook, plan=plan, layers=n_expected, orphaned=orphaned)


def join_outlooks(outlooks: Iterable[Outlook]) -> Outlook:
    """The outlook on all of these sky cells, of which each is in one of the outlooks."""
    joined = Outlook(Plan((), 0), 0, 0, {}, {}, set())
    for outlook in outlooks:
        joined = Outlook(
            Plan(joined.plan.layers + outlook.plan.layers, joined.plan.fresh + outlook.plan.fresh),
            joined.layers + outlook.layers,
            joined.orphaned + outlook.orphaned,
            joined.expected | outlook.expected,
            joined.observed | outlook.observed,
            joined.seen_in | outlook.seen_in,
        )
    lines = tuple(sorted(joined.plan.layers, key=lambda line: line.name))
    return replace(joined, plan=Plan(lines, joined.plan.fresh))


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
