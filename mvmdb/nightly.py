"""Does the night's work in one run: ingests, plans, reconciles and writes poller files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mvmdb.catalog.ask.night import load_left_alone
from mvmdb.catalog.exposures.ingest import NO_STAMPS, IngestReport, ingest_files
from mvmdb.catalog.exposures.prune import PruneReport, Watched, prune_exposures
from mvmdb.catalog.exposures.quarantine import QuarantinedFile
from mvmdb.catalog.exposures.vanished import note_vanished
from mvmdb.catalog.history.prune import prune_history
from mvmdb.catalog.open import Engine
from mvmdb.jobs.report import ReconcileReport
from mvmdb.monitor import SILENT, Monitor
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.reconcile.place import join_work
from mvmdb.reconcile.poller_files import RunPollers
from mvmdb.reconcile.run import ReconcileRun
from mvmdb.records import Mark, Policy
from mvmdb.remote.state import Stamp
from mvmdb.workers.choice import open_workers
from mvmdb.workers.executor import Workers


@dataclass(slots=True)
class NightReport:
    """What a night did: `ingest` of files, the counts of layers in the plan, poller files, and `reconcile`.

    `pollers`: the paths of the poller files that changed; they show the state after the night. `planned`: the paths of
    the files that show what it was going to do. `poller_problems`: why poller files could not be written. `gone`: a
    line for each missing file that a poller names and that earlier nights did not report. `vanished`: missing files of
    known exposures. `left_alone`: what is said of product files that are damaged, or not of this catalog. `prune`: what
    pruning did, where it was asked for.
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
    prune: PruneReport | None = None
    left_alone: list[str] = field(default_factory=list)
    reconcile: ReconcileReport = field(default_factory=ReconcileReport)


def run_night(
    engine: Engine,
    paths: Sequence[str],
    products: Path,
    policy: Policy,
    *,
    options: Options | None = None,
    mark: Mark = "layer",
    watched: Watched | None = None,
    folders: Sequence[str] = (),
    stamps: Mapping[str, Stamp] = NO_STAMPS,
    workers: Workers | None = None,
    monitor: Monitor = SILENT,
) -> NightReport:
    """Register these files (absolute paths), make stale layers fresh, and write the poller files of their sky cells.

    The poller files show the state after this run; files beside them show what it was going to do. If nothing is stale,
    only poller files that are out of date are written. Exposures whose files are gone from `watched` folders leave.
    `folders` elsewhere are those that were listed for the paths: what is not there any more has vanished.
    `stamps` are as in `ingest_files`.
    Workers read files and make layers (None: processes, one per core). Raises as `mvmdb.reconcile.run.reconcile`.
    """
    chosen = options or Options()
    with open_workers(workers) as opened, join_work(engine, products, chosen.wait, load_left_alone(engine)) as place:
        narrowing = replace(chosen.narrowing, cells=None if chosen.cells is None else tuple(chosen.cells))
        ingest = ingest_files(engine, paths, narrowing=narrowing, stamps=stamps, workers=opened, monitor=monitor)
        report = NightReport(ingest)
        if watched is not None:
            report.prune = prune_exposures(engine, watched, frozenset(paths), narrowing=narrowing)
        report.vanished = note_vanished(engine, frozenset(paths), folders)
        pollers = RunPollers(
            place.coordinator, products, policy, chosen.cells, mark=mark, everywhere=True, remarks=place.remarks
        )
        run = ReconcileRun(place, policy, chosen, opened, monitor)
        outlook = run.plan()
        report.stale, report.fresh, report.orphaned = outlook.stale, outlook.plan.fresh, outlook.orphaned
        report.waiting = outlook.waiting
        run.seen_in |= pollers.announce(outlook.plan)
        report.reconcile = run.make_fresh(outlook, pollers.announce_again)
        written = pollers.settle(run.worked_in, run.seen_in, run.unlisted)
        report.planned, report.pollers = pollers.planned.paths, written.changed
        report.poller_problems = written.problems
        known = {file.path for file in report.vanished if not file.new}
        report.gone = [str(file) for file in written.gone if file.path not in known]
        report.left_alone = sorted(place.remarks.made)
        with engine.begin() as connection:
            prune_history(connection)
    return report
