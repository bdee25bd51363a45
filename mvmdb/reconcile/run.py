"""Making stale layers fresh: plan, hand out jobs, record each product as it comes, keep the folders tidy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from mvmdb.catalog.exposures.standing import refuse_exposure
from mvmdb.catalog.open import Engine
from mvmdb.catalog.products.load import load_digests, load_layer
from mvmdb.catalog.products.record import forget_product, record_failure, record_product
from mvmdb.catalog.products.sky_pairs import save_pairs
from mvmdb.catalog.settings import recorded_products_folder, set_products_folder
from mvmdb.errors import MemberUnusableError, MvmdbError, ProductError
from mvmdb.jobs.carry_out import Outcome, carry_out
from mvmdb.jobs.lock import claim_folder, claimed_at, require_free
from mvmdb.jobs.report import ReconcileReport
from mvmdb.monitor import SILENT, LayerOutcome, Monitor
from mvmdb.mosaic.idempotent import make_idempotently
from mvmdb.mosaic.product.leftovers import sweep_leftovers
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.read import read_product
from mvmdb.mosaic.product.write import sweep_temporaries
from mvmdb.names import Kind, format_product_name
from mvmdb.reconcile.layer_jobs import Options, build_jobs
from mvmdb.reconcile.missing_files import replace_missing_files
from mvmdb.reconcile.planning import Outlook, look_ahead
from mvmdb.reconcile.poller_files import RunPollers
from mvmdb.records import Action, ExpectedLayer, PlannedLayer, Policy
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers

log = logging.getLogger(__name__)


def reconcile(
    engine: Engine,
    products: Path,
    policy: Policy,
    options: Options,
    *,
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
) -> ReconcileReport:
    """Make every stale layer fresh, and remove orphaned products.

    The layers are made by the workers (None: processes, one per core). The monitor receives the plan before anything is
    made. Each product is recorded in its own transaction as soon as it is in place, so that a killed run loses
    nothing that it finished. An exposure whose pixels turn out empty becomes ineligible, and its layers are planned
    again. At the end the poller files that are there say the state after the run. Raises BusyError when another run
    works on the folder, WorkersError when the workers are lost.
    """
    with claim_folder(products), open_workers(workers) as opened:
        pollers = RunPollers(engine, products, policy, options.cells)
        run = ReconcileRun(engine, products, policy, options, opened, monitor)
        outlook = run.plan()
        run.seen_in |= pollers.announce(outlook.plan)
        report = run.make_fresh(outlook)
        written = pollers.settle(run.worked_in, run.seen_in)
        report.problems += [f"poller not written: {problem}" for problem in written.problems] + written.gone
    return report


class ReconcileRun:
    """One reconcile under way: what it works on, and what it has done. The caller holds the folder's lock."""

    def __init__(
        self,
        engine: Engine,
        products: Path,
        policy: Policy,
        options: Options,
        workers: Workers,
        monitor: Monitor,
    ) -> None:
        self.engine, self.products, self.policy, self.options = engine, products, policy, options
        self.workers, self.monitor = workers, monitor
        self.report = ReconcileReport()
        self.started = monotonic()
        self.settled: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.worked_in: set[str] = set()
        self.seen_in: set[str] = (
            set()
        )  # cells whose files were not as recorded, in any look: a look records what it sees

    def plan(self) -> Outlook:
        """Record the folder of products, and look at what is stale; nothing is made.

        Raises BusyError when another run works on the folder that was recorded before.
        """
        with self.engine.begin() as connection:
            before = recorded_products_folder(connection)
            if before is not None and before.resolve() != self.products.resolve():
                require_free(before)  # two runs of one catalog would undo each other's records
            set_products_folder(connection, self.products)
        if self.options.cells is None:
            sweep_leftovers(self.products, claimed_at(self.products))
        outlook = self.look()
        if replace_missing_files(
            self.engine, self.policy, cells=self.options.cells, everything=self.options.everything
        ):
            outlook = self.look()
        return outlook

    def make_fresh(self, outlook: Outlook) -> ReconcileReport:
        """Do what is planned, and what has to be planned anew where members prove unusable; the last call."""
        self.monitor.plan_known(len(outlook.plan.layers) - outlook.waiting, outlook.plan)
        while lines := [line for line in outlook.plan.layers if not line.n_waiting and self.is_open(line)]:
            refused = self.carry_out(lines, outlook)
            for error in refused:
                with self.engine.begin() as connection:
                    refuse_exposure(connection, error.ipppssoo, error.rule, str(error), self.policy)
                self.report.refused[error.ipppssoo] = str(error)
            if not refused:
                break
            outlook = self.look()
        for skycell in sorted(self.worked_in):
            sweep_temporaries(self.products / skycell)  # of workers that died, whose layers others made
        for skycell in sorted(self.seen_in | self.worked_in):  # shared storage may show a new file late
            self.list_products(skycell)
        self.report.waiting = outlook.waiting
        self.report.seconds = round(monotonic() - self.started, 3)
        return self.report

    def look(self) -> Outlook:
        """The outlook as it is now."""
        outlook = look_ahead(
            self.engine.begin,
            self.products,
            self.policy,
            cells=self.options.cells,
            full=self.options.everything,
            available=self.options.available,
        )
        self.seen_in |= outlook.seen_in
        with self.engine.begin() as connection:
            self.digests = load_digests(connection, self.settled)
        return outlook

    def is_open(self, line: PlannedLayer) -> bool:
        """Whether a planned layer was not done yet: not in the form that is expected now."""
        return line.name not in self.settled or self.settled[line.name] != self.digests.get(line.name, "")

    def carry_out(self, lines: Sequence[PlannedLayer], outlook: Outlook) -> list[MemberUnusableError]:
        """Do what the plan says; return the members that proved unusable, whose layers are left for the next round."""
        cells = {line.skycell for line in lines}
        self.worked_in |= cells
        for skycell in sorted(cells):
            sweep_temporaries(self.products / skycell)
        made = []
        for line in lines:
            if line.action is Action.REMOVE:
                self._remove(line, outlook)
            elif not self._is_blocked(line, outlook):
                made.append(line)
        planned = {line.name: line for line in made}
        jobs = build_jobs(self.engine, self.products, made, self.policy, self.options)
        refused = []
        for outcome in carry_out(jobs, make_idempotently, self.workers, expected=len(made)):
            if isinstance(outcome.result, MemberUnusableError):
                refused.append(outcome.result)
            else:
                self.settled[outcome.job.layer] = outcome.job.recipe_digest
                self._record(outcome, planned[outcome.job.layer], outlook)
        return refused

    def list_products(self, skycell: str) -> None:
        """Write a cell's manifest; a folder that refuses it is a problem to tell, not a reason to stop."""
        try:
            write_manifest(self.products / skycell, skycell)
        except ProductError as error:
            self.report.problems.append(str(error))

    def _note(self, outcome: LayerOutcome) -> None:
        self.report.note(outcome)
        self.monitor.layer_done(outcome)

    def _is_blocked(self, line: PlannedLayer, outlook: Outlook) -> bool:
        """Refuse to write over a file that the catalog does not know: somebody's mosaic may be lost."""
        if line.name in outlook.observed:
            return False
        kinds: tuple[Kind, Kind] = ("flt", "flc")
        targets = {kind: self.products / line.skycell / format_product_name(line.name, kind) for kind in kinds}
        if not any(target.exists() for target in targets.values()):
            return False
        with self.engine.begin() as connection:
            layer, _ = load_layer(connection, line.name)
        if layer is None or not targets[layer.kind].exists() or _holds(targets[layer.kind], layer):
            return False
        target = targets[layer.kind]
        message = (
            f"{target} already exists and was not made from exposures in this catalog; "
            "ingest the exposures that it holds, or move it away"
        )
        self._fail(line, str(target), message, 0.0)
        self.settled[line.name] = layer.recipe_digest
        return True

    def _fail(self, line: PlannedLayer, target: str, message: str, seconds: float) -> None:
        log.info("%s: %s", line.name, message)
        with self.engine.begin() as connection:
            record_failure(connection, line.name, message)
        self._note(LayerOutcome(line.name, line.action, target, seconds, message))

    def _record(self, outcome: Outcome, line: PlannedLayer, outlook: Outlook) -> None:
        job, result, seconds = outcome.job, outcome.result, round(outcome.seconds, 3)
        if isinstance(result, MvmdbError):
            self._fail(line, job.target, str(result), seconds)
            return
        product = outlook.observed.get(line.name)
        if product is not None and product.filename != Path(job.target).name:
            Path(job.target).with_name(product.filename).unlink(missing_ok=True)  # drz gives way to drc, or back
        self.list_products(line.skycell)
        with self.engine.begin() as connection:
            record_product(connection, result, action=str(job.action), reasons=line.reasons, seconds=seconds)
            save_pairs(connection, job, result.pairs)
        self._note(LayerOutcome(job.layer, job.action, job.target, seconds))

    def _remove(self, line: PlannedLayer, outlook: Outlook) -> None:
        product = outlook.observed[line.name]
        path = self.products / product.skycell / product.filename
        self.settled[line.name] = ""
        started = monotonic()
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            message = f"cannot remove {path}: {error.strerror}; make its folder writable"
            self._note(LayerOutcome(line.name, line.action, str(path), 0.0, message))
            return
        self.list_products(line.skycell)
        with self.engine.begin() as connection:
            forget_product(connection, line.name)
        self._note(LayerOutcome(line.name, line.action, str(path), round(monotonic() - started, 3)))


def _holds(target: Path, layer: ExpectedLayer) -> bool:
    """Whether a file is the layer's product as expected, come since the look: by a worker of a run that was killed."""
    try:
        record = read_product(target)
    except ProductError:
        return False
    return (record.layer, record.recipe_digest) == (layer.name, layer.recipe_digest)
