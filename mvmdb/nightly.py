"""The night's work in one run: ingest, plan, pollers, reconcile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.catalog.exposures.ingest import IngestReport, ingest_files
from mvmdb.catalog.open import Engine
from mvmdb.jobs.lock import claim_folder
from mvmdb.jobs.report import Progress, ReconcileReport
from mvmdb.pollers.write import write_pollers
from mvmdb.reconcile.planning import Outlook
from mvmdb.reconcile.run import Options, make_fresh
from mvmdb.records import Mark, Policy
from mvmdb.workers.choice import staffed
from mvmdb.workers.executor import Crew


@dataclass(slots=True)
class NightReport:
    """What a night brought: files, the plan's size, the pollers that were written or could not be, the mosaics."""

    ingest: IngestReport
    stale: int = 0
    fresh: int = 0
    orphaned: int = 0
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
    crew: Crew | None = None,
    announce: Callable[[Outlook], None] | None = None,
    reading: Callable[[int], None] | None = None,
    making: Progress | None = None,
) -> NightReport:
    """Register these files (absolute paths), write the pollers of every stale sky cell, and make stale layers fresh.

    The pollers say what this run is about to do; when nothing is stale, nothing is written. Files are read and layers
    made by the crew, or where none is given by `options.jobs` processes (None: one a core).
    """
    options = options or Options()
    with claim_folder(products), staffed(crew, options.jobs) as own:
        report = NightReport(ingest_files(engine, paths, crew=own, progress=reading))

        def before_making(outlook: Outlook) -> None:
            report.stale, report.fresh, report.orphaned = outlook.stale, outlook.plan.fresh, outlook.orphaned
            written = write_pollers(engine.begin, outlook.plan, products, mark)
            report.pollers, report.poller_problems = written.paths, written.problems
            if announce is not None:
                announce(outlook)

        report.reconcile = make_fresh(
            engine, products, policy, options, crew=own, announce=before_making, progress=making
        )
    return report
