"""The night's work in one run: ingest, plan, pollers, reconcile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from mvmdb.catalog.ingest import IngestReport, ingest_files
from mvmdb.catalog.pollers import poller_rows
from mvmdb.errors import InputError
from mvmdb.names import CellId, format_cell_name, parse_cell_name
from mvmdb.poller import format_poller_name, write_basic_poller, write_poller
from mvmdb.reconcile.lock import claim_folder
from mvmdb.reconcile.observe import Begin
from mvmdb.reconcile.planning import Outlook, missing_members
from mvmdb.reconcile.run import Options, Progress, ReconcileReport, make_fresh
from mvmdb.records import Action, Mark, Policy
from mvmdb.workers.choice import staffed
from mvmdb.workers.crew import Crew


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
    engine: sa.Engine,
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
            written = write_pollers(engine.begin, outlook, products, mark)
            report.pollers, report.poller_problems = written.paths, written.problems
            if announce is not None:
                announce(outlook)

        report.reconcile = make_fresh(
            engine, products, policy, options, crew=own, announce=before_making, progress=making
        )
    return report


@dataclass(slots=True)
class WrittenPollers:
    """The paths of poller files, and why others could not be written."""

    paths: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def write_pollers(
    begin: Begin,
    outlook: Outlook,
    folder: Path,
    mark: Mark,
    *,
    cells: Sequence[int] | None = None,
    basic: bool = False,
) -> WrittenPollers:
    """Write `<folder>/<skycell>/<skycell>_input.out` for the sky cells given, or for every cell with a stale layer.

    `basic` writes just the paths of the exposures, one a line. A file whose bytes would be the same is left
    alone; the file of a cell that has no layers any more is removed. What no poller can hold (a comma in a path) is its
    own cell's problem only.
    """
    stale = [line for line in outlook.plan.layers if line.action is not Action.REMOVE]
    if cells is None:
        cells = sorted({parse_cell_name(line.skycell).index for line in outlook.plan.layers})
    new = {line.name: None if mark == "layer" else missing_members(line) for line in stale}
    with begin() as connection:
        rows = poller_rows(connection, cells, new)
    written = WrittenPollers()
    for skycell in {format_cell_name(CellId.from_index(cell)) for cell in cells} - rows.keys():
        (folder / skycell / format_poller_name(skycell)).unlink(missing_ok=True)
    for skycell, own in sorted(rows.items()):
        path = folder / skycell / format_poller_name(skycell)
        try:
            if basic:
                write_basic_poller(
                    path, [row.pathname for row in own if row.flag == "NEW"] or [r.pathname for r in own]
                )
            else:
                write_poller(path, own)
        except InputError as error:
            written.problems.append(f"{skycell}: {error}")
        else:
            written.paths.append(str(path))
    return written
