"""Makes stale layers fresh: plans, hands out jobs, records each product as it is finished, and tidies the folders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep

from mvmdb.atomic import remove_file
from mvmdb.catalog.claims.alive import Holder, load_claimed
from mvmdb.catalog.exposures.standing import refuse_exposure
from mvmdb.catalog.open import Engine
from mvmdb.catalog.products.attempts import FailingLayer, load_resting
from mvmdb.catalog.products.folder import Consent, require_products_folder
from mvmdb.catalog.products.load import load_digests
from mvmdb.catalog.products.record import forget_product, record_failure, record_product, record_warnings
from mvmdb.catalog.products.sky_pairs import save_pairs
from mvmdb.catalog.settings import recorded_products_folder, set_products_folder
from mvmdb.errors import MemberUnusableError, MvmdbError, ProductError
from mvmdb.jobs.carry_out import Outcome, carry_out
from mvmdb.jobs.lock import require_free
from mvmdb.jobs.report import ReconcileReport
from mvmdb.monitor import SILENT, LayerOutcome, Monitor
from mvmdb.mosaic.idempotent import make_idempotently
from mvmdb.mosaic.product.findings import drop_findings
from mvmdb.mosaic.product.leftovers import sweep_leftovers
from mvmdb.mosaic.product.manifest import write_manifest
from mvmdb.mosaic.product.read import holds_nothing, read_product
from mvmdb.mosaic.product.write import sweep_temporaries
from mvmdb.names import is_product_of, product_place
from mvmdb.reconcile.beside import keep_beside
from mvmdb.reconcile.growth import warn_of_growth
from mvmdb.reconcile.layer_jobs import LayerWork, Options, find_work
from mvmdb.reconcile.missing_files import replace_missing_files
from mvmdb.reconcile.place import Place, join_work
from mvmdb.reconcile.planning import Outlook, look_ahead
from mvmdb.reconcile.poller_files import RunPollers
from mvmdb.reconcile.shifts import ShiftSurvey
from mvmdb.reconcile.skies import solve_for_plan
from mvmdb.records import Action, LayerJob, Plan, PlannedLayer, Policy
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers

log = logging.getLogger(__name__)

Replanned = Callable[[Plan, set[int]], object]
"""Told of a new plan, and of the sky cells (keys) of the exposures that turned out to be unusable."""

_LOOK_SECONDS = 1.0


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

    Workers make the layers (None: processes, one per core). The monitor receives the plan before anything is made. On
    PostgreSQL several runs share the work: each layer is made by one of them. Each product is recorded in its own
    transaction as soon as it is in place, so that a killed run loses nothing that it finished. An exposure that turns
    out to be empty becomes ineligible, and its layers are planned again. At the end, existing poller files are updated
    to the state after the run. A layer that cannot be made is reported as failed, and the others are made nevertheless.

    Raises BusyError if another run still works on the folder after `options.wait`, or on the one recorded before, and
    the two cannot share the work; InputError if the folder cannot be made, written or locked; WorkersError if the
    workers are lost.
    """
    with open_workers(workers) as opened, join_work(engine, products, options.wait) as place:
        pollers = RunPollers(place.coordinator, products, policy, options.cells, remarks=place.remarks)
        run = ReconcileRun(place, policy, options, opened, monitor)
        outlook = run.plan()
        run.seen_in |= pollers.announce(outlook.plan)
        report = run.make_fresh(outlook, pollers.announce_again)
        written = pollers.settle(run.worked_in, run.seen_in, run.unlisted)
        report.problems += [f"poller not written: {problem}" for problem in written.problems]
        report.problems += map(str, written.gone)
    return report


class ReconcileRun:
    """One reconcile in progress: its settings, and what it has done so far. The caller holds its place.

    `settled` maps each layer that was tried to the recipe digest of the job (empty if its product was removed), and
    `digests` maps the same layers to the digests expected now. `worked_in` and `seen_in` are names of sky cells: those
    with planned work, and those in which a product file differed from its record. `taken` is the work on the layers
    that it has claimed, and `elsewhere` who makes those that it could not claim.
    """

    def __init__(self, place: Place, policy: Policy, options: Options, workers: Workers, monitor: Monitor) -> None:
        self.lock, self.coordinator, self.products = place.lock, place.coordinator, place.products
        self.remarks = place.remarks
        self.engine, self.policy, self.options = self.coordinator.engine, policy, options
        self.workers, self.monitor = workers, monitor
        self.shifts = ShiftSurvey(self.engine, policy, workers, options)
        self.report = ReconcileReport()
        self.started = monotonic()
        self.settled: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.resting: dict[str, FailingLayer] = {}
        self.taken: dict[str, LayerWork] = {}
        self.elsewhere: dict[str, Holder] = {}
        self.worked_in: set[str] = set()
        self.unlisted: set[str] = set()  # sky cells whose manifests could not be written
        self.seen_in: set[str] = set()  # of all looks: each records what it sees, so the next sees no difference

    def plan(self) -> Outlook:
        """Record the products folder, replace member files that are gone, and make the plan; no product is made.

        A run of all sky cells also removes temporary files of killed runs. Raises BusyError if another run works on the
        folder that was recorded before, and UsageError if products are recorded in another folder and have not moved:
        a run that ended a moment ago may have made the first of them.
        """
        self._record_folder()
        outlook = self.look()
        if self.options.cells is None and self._is_alone():  # after the look, which records products with their pairs
            sweep_leftovers(self.products, self.lock.taken_ns)
        if replace_missing_files(
            self.engine, self.policy, cells=self.options.cells, everything=self.options.everything
        ):
            outlook = self.look()
        outlook = self._settle(outlook)
        warn_of_growth(self.engine, self.policy, outlook.plan)
        return outlook

    def _settle(self, outlook: Outlook) -> Outlook:
        """Measure shifts and solve skies for what is to be made, and plan again while other layers follow from them."""
        while True:
            while self.shifts.settle(outlook.plan.layers):  # each field once
                outlook = self.look()
            if self.policy.method != "mvmdb":
                return outlook
            outlook = solve_for_plan(self.engine, self.policy, self.workers, outlook, self.look, self.report,
                                     resting=self.resting, anew=self.options.resky)  # fmt: skip
            if not self.shifts.settle(outlook.plan.layers):
                return outlook
            outlook = self.look()

    def _record_folder(self) -> None:
        """Record the products folder; if another was recorded, once it is free and this one looks right."""
        checked = self.products
        while True:
            with self.engine.begin() as connection:
                recorded = recorded_products_folder(connection)
                if recorded is None or recorded in (self.products, checked):
                    set_products_folder(connection, self.products)
                    return
            checked = recorded
            if recorded.resolve() != self.products.resolve():
                require_free(recorded)  # two runs of one catalog would undo each other's records
                consent = Consent(rebuild=True, move=self.options.move)
                require_products_folder(self.engine.begin, self.products, consent)

    def make_fresh(self, outlook: Outlook, replanned: Replanned) -> ReconcileReport:
        """Make and remove what is planned, plan again while members turn out to be unusable, and return the report.

        Call it once, at the end. `replanned` is told of each such plan.
        """
        log.info(
            "%d layers: %d stale, %d to be removed, %d waiting for files",
            outlook.layers, outlook.stale, outlook.orphaned, outlook.waiting,
        )  # fmt: skip
        resting = [self.resting[line.name] for line in outlook.plan.layers if line.name in self.resting]
        self.report.resting = {layer.layer: layer for layer in resting}
        self.monitor.plan_known(len(outlook.plan.layers) - outlook.waiting - len(resting), outlook.plan)
        outlook = self._make_all(outlook, replanned)
        while self.elsewhere and self._others_are_done():
            self.elsewhere.clear()
            outlook = self._make_all(self._settle(self.look()), replanned)
        self.report.elsewhere = {layer: str(holder) for layer, holder in sorted(self.elsewhere.items())}
        self._sweep(self.worked_in, self.taken)  # left by workers that died; others made their layers
        for skycell in sorted(self.seen_in | self.worked_in):  # shared storage may show a new file late
            self.list_products(skycell)
        keep_beside(
            self.engine.begin, self.products, self.options, self.workers, self.report,
            worked_in=self.worked_in, seen_in=self.seen_in,
        )  # fmt: skip
        self.report.waiting = outlook.waiting
        self.report.seconds = round(monotonic() - self.started, 3)
        return self.report

    def _make_all(self, outlook: Outlook, replanned: Replanned) -> Outlook:
        """Make what is planned, and plan again while members turn out to be unusable; return the last plan."""
        while lines := [line for line in outlook.plan.layers if not line.n_waiting and self.is_open(line)]:
            refused = self.carry_out(lines)
            cells = set()
            for error in refused:
                cells |= refuse_exposure(self.engine, error.ipppssoo, error.rule, str(error), self.policy)
                self.report.refused[error.ipppssoo] = str(error)
            if not refused:
                break
            outlook = self._settle(self.look())
            replanned(outlook.plan, cells)
        return outlook

    def _others_are_done(self) -> bool:
        """Whether no other run makes the layers any more that this one could not claim, after waiting as asked."""
        until = monotonic() + self.options.wait
        while True:
            with self.engine.begin() as connection:
                claimed = load_claimed(connection)
            if not claimed.keys() & self.elsewhere.keys():
                return True
            if monotonic() >= until:
                return False
            sleep(min(_LOOK_SECONDS, max(0.0, until - monotonic())))

    def _is_alone(self) -> bool:
        return not self.coordinator.shares or self.coordinator.is_alone()

    def look(self) -> Outlook:
        """The current plan, with the expected digests of the layers that were tried."""
        outlook = look_ahead(
            self.engine.begin,
            self.products,
            self.policy,
            cells=self.options.cells,
            full=self.options.everything,
            available=self.options.available,
            narrowing=self.options.narrowing,
            remarks=self.remarks,
        )
        self.seen_in |= outlook.seen_in
        with self.engine.begin() as connection:
            self.digests = load_digests(connection, self.settled)
            if self.options.patient:
                self.resting = load_resting(connection)
        return outlook

    def is_open(self, line: PlannedLayer) -> bool:
        """Whether the layer is due, and this run has not yet tried it as it is expected now."""
        if line.name in self.resting or line.name in self.elsewhere:
            return False
        return line.name not in self.settled or self.settled[line.name] != self.digests.get(line.name, "")

    def carry_out(self, lines: Sequence[PlannedLayer]) -> list[MemberUnusableError]:
        """Make or remove these layers; return the unusable members, without which the next round makes their layers."""
        cells = {line.skycell for line in lines}
        self.worked_in |= cells
        self._sweep(cells, [])
        lines = sorted(lines, key=lambda line: line.action is not Action.REMOVE)  # which makes room on the disk
        expected = sum(line.action is not Action.REMOVE for line in lines)
        refused = []
        for outcome in carry_out(self._take_jobs(lines), make_idempotently, self.workers, expected=expected):
            layer = outcome.job.layer
            if isinstance(outcome.result, MemberUnusableError):
                refused.append(outcome.result)
                self._give_back(layer)
            else:
                self.settled[layer] = outcome.job.recipe_digest
                self._record(outcome, self.taken[layer])
        return refused

    def _take_jobs(self, lines: Iterable[PlannedLayer]) -> Iterator[LayerJob]:
        """Claim layer after layer, as workers become free; those to be removed are removed at once."""
        for line in lines:
            work = self._take(line)
            if work is None:
                continue
            self.taken[line.name] = work
            if work.job is None:
                self._remove(work)
            elif not self._is_blocked(work, work.job):
                yield work.job

    def _take(self, line: PlannedLayer) -> LayerWork | None:
        """Claim a layer, and find out what it needs now; None if nothing, or if another run makes it."""
        self.lock.require_held()
        with self.engine.begin() as connection:
            holder = self.coordinator.claim(connection, line.name)
            if holder is not None:
                self.elsewhere[line.name] = holder
                return None
            work = find_work(connection, self.products, line, self.policy, self.options)
            if work is None:
                self.coordinator.release(connection, line.name)
                return None
        log.info("%s: %s begins", line.name, line.action if work.job is None else work.job.action)
        if self.coordinator.shares:
            sweep_temporaries(self.products / line.skycell, line.name)
        return work

    def _give_back(self, layer: str) -> None:
        """Let others take a layer with which nothing was done."""
        with self.engine.begin() as connection:
            self.coordinator.release(connection, layer)

    def _sweep(self, cells: Iterable[str], layers: Iterable[str]) -> None:
        """Remove temporary files: of these cells (names) if no other run can be writing there, else of these layers."""
        if not self.coordinator.shares:
            for skycell in sorted(cells):
                sweep_temporaries(self.products / skycell)
            return
        with self.engine.begin() as connection:
            others = load_claimed(connection, but=self.coordinator.owner)
        for layer in sorted(layers):
            if layer not in others:
                sweep_temporaries(self.products / self.taken[layer].line.skycell, layer)

    def list_products(self, skycell: str) -> None:
        """Write the manifest of a sky cell (name); if its folder cannot be written, report it and go on."""
        try:
            write_manifest(self.products / skycell, skycell)
            self.unlisted.discard(skycell)
        except ProductError as error:
            self.report.problems.append(str(error))
            self.unlisted.add(skycell)

    def _note(self, outcome: LayerOutcome) -> None:
        self.report.note(outcome)
        self.monitor.layer_done(outcome)

    def _is_blocked(self, work: LayerWork, job: LayerJob) -> bool:
        """Whether a file that this catalog does not know is in the layer's place; then the layer has failed.

        Overwriting it could destroy a mosaic that was made from other exposures.
        """
        target = Path(job.target)
        if work.product is not None or not target.exists() or _holds(target, job) or holds_nothing(target):
            return False
        message = (
            f"{target} already exists and was not made from exposures in this catalog; "
            "ingest the exposures that it holds, adopt it (mvmdb adopt), or move it away"
        )
        self._fail(work.line, job.target, message, 0.0)
        self.settled[job.layer] = job.recipe_digest
        return True

    def _fail(self, line: PlannedLayer, target: str, message: str, seconds: float) -> None:
        with self.engine.begin() as connection:
            record_failure(connection, line.name, message)
            self.coordinator.release(connection, line.name)
        self._note(LayerOutcome(line.name, line.action, target, seconds, message))

    def _record(self, outcome: Outcome, work: LayerWork) -> None:
        job, result, seconds = outcome.job, outcome.result, round(outcome.seconds, 3)
        line = work.line
        if isinstance(result, MvmdbError):
            self._fail(line, job.target, str(result), seconds)
            return
        old = "" if work.product is None else work.product.filename
        if old != Path(job.target).name and is_product_of(line.name, line.skycell, old):
            remove_file(self.products / product_place(line.skycell, old))  # a drc replaces the drz, or back
        self.list_products(line.skycell)
        with self.engine.begin() as connection:
            if not self.coordinator.release(connection, job.layer):
                log.warning("%s was taken over while this run was paused; the other run records it", job.layer)
                return
            record_product(
                connection,
                result,
                action=str(job.action),
                reasons=line.reasons,
                seconds=seconds,
                memory_mb=outcome.memory_mb,
            )
            save_pairs(connection, result)
            record_warnings(connection, result)
        self.report.warnings.update(result.warnings)
        drop_findings(Path(job.target))
        self._note(LayerOutcome(job.layer, job.action, job.target, seconds))

    def _remove(self, work: LayerWork) -> None:
        line, product = work.line, work.product
        assert product is not None  # else there were nothing to remove
        path = self.products / product_place(product.skycell, product.filename)
        self.settled[line.name] = ""
        started = monotonic()
        try:
            if is_product_of(line.name, product.skycell, product.filename):  # else it is the mosaic of another layer
                remove_file(path)
        except OSError as error:
            message = f"cannot remove {path}: {error.strerror}; make its folder writable"
            self._give_back(line.name)
            self._note(LayerOutcome(line.name, line.action, str(path), 0.0, message))
            return
        self.list_products(line.skycell)
        with self.engine.begin() as connection:
            forget_product(connection, line.name, line.reasons)
            self.coordinator.release(connection, line.name)
        self._note(LayerOutcome(line.name, line.action, str(path), round(monotonic() - started, 3)))


def _holds(target: Path, job: LayerJob) -> bool:
    """Whether a file is the product of a job, which a worker of a killed run may have finished since the plan."""
    try:
        record = read_product(target)
    except ProductError:
        return False
    return (record.layer, record.recipe_digest) == (job.layer, job.recipe_digest)
