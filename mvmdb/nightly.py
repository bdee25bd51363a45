"""The night's work in one run: ingest, plan, pollers, reconcile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.ingest import IngestReport, ingest_files
from mvmdb.catalog.pollers import poller_rows
from mvmdb.names import parse_cell_name
from mvmdb.poller import format_poller_name, write_poller
from mvmdb.reconcile.planning import Outlook, missing_members
from mvmdb.reconcile.run import Options, Progress, ReconcileReport, reconcile
from mvmdb.records import Action, Mark, Policy


@dataclass(slots=True)
class NightReport:
    """What a night brought: files, the plan's size, the pollers that were written, the mosaics."""

    ingest: IngestReport
    stale: int = 0
    fresh: int = 0
    orphaned: int = 0
    pollers: list[str] = field(default_factory=list)
    reconcile: ReconcileReport = field(default_factory=ReconcileReport)


def run_night(
    engine: sa.Engine,
    paths: Sequence[str],
    products: Path,
    policy: Policy,
    *,
    options: Options | None = None,
    mark: Mark = "layer",
    announce: Callable[[Outlook], None] | None = None,
    reading: Callable[[int], None] | None = None,
    making: Progress | None = None,
) -> NightReport:
    """Register these files (absolute paths), write the pollers of every stale sky cell, and make stale layers fresh.

    The pollers say what this run is about to do; when nothing is stale, nothing is written.
    """
    options = options or Options()
    report = NightReport(ingest_files(engine, paths, jobs=options.jobs, progress=reading))

    def before_making(outlook: Outlook) -> None:
        report.stale, report.fresh, report.orphaned = outlook.stale, outlook.plan.fresh, outlook.orphaned
        report.pollers = write_pollers(engine, outlook, products, mark)
        if announce is not None:
            announce(outlook)

    report.reconcile = reconcile(engine, products, policy, options, announce=before_making, progress=making)
    return report


def write_pollers(
    engine: sa.Engine, outlook: Outlook, folder: Path, mark: Mark, cells: Sequence[int] | None = None
) -> list[str]:
    """Write `<folder>/<skycell>/<skycell>_input.out` for the sky cells given, or for every cell with a stale layer.

    Returns the paths of all of them, sorted; one whose bytes would be the same is left alone.
    """
    stale = [line for line in outlook.plan.layers if line.action is not Action.REMOVE]
    if cells is None:
        cells = sorted({parse_cell_name(line.skycell).index for line in stale})
    new = {
        line.name: None if mark == "layer" else missing_members(line, outlook.expected.get(line.name)) for line in stale
    }
    with engine.begin() as connection:
        rows = poller_rows(connection, cells, new)
    paths = []
    for skycell, own in sorted(rows.items()):
        path = folder / skycell / format_poller_name(skycell)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_poller(path, own)
        paths.append(str(path))
    return paths
