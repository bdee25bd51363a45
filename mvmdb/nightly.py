"""The night's work in one run: ingest, plan, pollers, reconcile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.open import Engine
from mvmdb.jobs.lock import claim_folder
from mvmdb.jobs.report import ReconcileReport
from mvmdb.monitor import SILENT, Monitor
from mvmdb.pollers.write import write_pollers
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.run import ReconcileRun
from mvmdb.records import Mark, Policy
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers


@dataclass(slots=True)
class NightReport:
    """What a night brought: files, the plan's size, the pollers that were written or could not be, the mosaics."""

    ingest: IngestReport
    stale: int = 0
    fresh: int = 0
    orphaned: int = 0
    waiting: int = 0
    pollers: list[str] = field(default_factory=list)
    poller_problems: list[str] = field(default_factory=list)
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
    """Register these files (absolute paths), write the pollers of every stale sky cell, and make stale layers fresh.

    The pollers say what this run is about to do; when nothing is stale, nothing is written. Files are read and layers
    made by the workers (None: processes, one per core).
    """
    with claim_folder(products), open_workers(workers) as opened:
        report = NightReport(ingest_files(engine, paths, workers=opened, monitor=monitor))
        run = ReconcileRun(engine, products, policy, options or Options(), opened, monitor)
        outlook = run.plan()
        report.stale, report.fresh, report.orphaned = outlook.stale, outlook.plan.fresh, outlook.orphaned
        report.waiting = outlook.waiting
        written = write_pollers(engine.begin, outlook.plan, products, mark)
        report.pollers, report.poller_problems = written.paths, written.problems
        report.reconcile = run.make_fresh(outlook)
    return report
