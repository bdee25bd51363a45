"""Which files beside products a run looks after: all where they are wanted, else those that its own work made stale."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mvmdb.catalog.open import Begin
from mvmdb.companions.keep import keep_companions
from mvmdb.jobs.report import ReconcileReport
from mvmdb.names import CellId, format_cell_name
from mvmdb.reconcile.layer_jobs import Options
from mvmdb.workers.executor import Workers


def keep_beside(
    begin: Begin,
    products: Path,
    options: Options,
    workers: Workers,
    report: ReconcileReport,
    *,
    worked_in: Collection[str],
    seen_in: Collection[str],
) -> None:
    """Make the files beside products that are due, and note them in the report; none of them can fail the run.

    `worked_in` and `seen_in` are names of sky cells: those with planned work, and those in which a product file
    differed from its record.
    """
    cells: set[str] | None = {*worked_in, *seen_in}
    if options.beside:
        cells = None if options.cells is None else {format_cell_name(CellId.from_index(cell)) for cell in options.cells}
    kept = keep_companions(begin, products, options.beside, workers, cells=cells, doubted=seen_in)
    report.companions, report.companion_problems = len(kept.made), kept.problems
