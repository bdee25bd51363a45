"""The night's work in one run: ingest, plan, pollers, reconcile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.exposures.quarantine import QuarantinedFile
from mvmdb.catalog.exposures.vanished import note_vanished
from mvmdb.catalog.open import Engine
from mvmdb.jobs.lock import claim_folder
from mvmdb.jobs.report import ReconcileReport
from mvmdb.monitor import SILENT, Monitor
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.poller_files import RunPollers
from mvmdb.reconcile.run import ReconcileRun
from mvmdb.records import Mark, Policy
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers


@dataclass(slots=True)
class NightReport:
    """What a night brought: files, the plan's size, the pollers that were written or could not be, the mosaics.

    `pollers` are those whose bytes are new: they say the state after the night. `planned` says what it was going to
    do. `gone` has lines about files that pollers name and that are not there. `vanished` are files of known exposures
    that are gone.
    """

    ingest: IngestReport
    stale: int = 0
    fresh: int = 0
    orphaned: int = 0
    waiting: int = 0
    pollers: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    poller_problems: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    vanished: list[QuarantinedFile] = field(default_factory=list)
    reconcile: ReconcileReport = field(default_factory=ReconcileReport)


def run_night(
    engine: Engine,
    paths: Sequence[str],
    products: Path,
    policy: Policy,
    *,
    options: Options | None = None,
    mark: Mark = "layer",
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
) -> NightReport:
    """Register these files (absolute paths), make stale layers fresh, and write the pollers of their sky cells.

    The pollers say the state after this run; what it is about to do is kept beside them. When nothing is stale, nothing
    is written. Files are read and layers made by the workers (None: processes, one per core).
    """
    with claim_folder(products), open_workers(workers) as opened:
        report = NightReport(ingest_files(engine, paths, workers=opened, monitor=monitor))
        report.vanished = note_vanished(engine, frozenset(paths))
        chosen = options or Options()
        pollers = RunPollers(engine, products, policy, chosen.cells, mark=mark, everywhere=True)
        run = ReconcileRun(engine, products, policy, chosen, opened, monitor)
        outlook = run.plan()
        report.stale, report.fresh, report.orphaned = outlook.stale, outlook.plan.fresh, outlook.orphaned
        report.waiting = outlook.waiting
        run.seen_in |= pollers.announce(outlook.plan)
        report.reconcile = run.make_fresh(outlook)
        written = pollers.settle(run.worked_in, run.seen_in)
        report.planned, report.pollers = pollers.planned.paths, written.changed
        report.poller_problems, report.gone = written.problems, written.gone
    return report
