"""Writes the poller files of a run: its plan before it begins, and the state that it leaves when it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from mvmdb.catalog import due_pollers
from mvmdb.catalog.claims.coordinator import Coordinator
from mvmdb.catalog.clock import now
from mvmdb.catalog.rows import chunks
from mvmdb.names import CellId, format_cell_name, parse_cell_name
from mvmdb.pollers.files import format_planned_name, format_poller_name
from mvmdb.pollers.write import WrittenPollers, planned_cells, write_planned, write_pollers
from mvmdb.reconcile.planning import look_ahead
from mvmdb.reconcile.remarks import Remarks
from mvmdb.records import Mark, Plan, Policy


class RunPollers:
    """The poller files of one run, in these sky cells (keys) or in all. Create it before the run looks at files.

    A poller file shows the state before the run until the run ends, and the state after it from then on, so that NEW
    marks only what is stale. With `everywhere`, every sky cell that the run works in gets a poller file; otherwise only
    existing poller files are updated. The caller holds the folder's lock.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        products: Path,
        policy: Policy,
        cells: Sequence[int] | None,
        *,
        mark: Mark = "layer",
        everywhere: bool = False,
        remarks: Remarks | None = None,
    ) -> None:
        self.coordinator, self.engine = coordinator, coordinator.engine
        self.products, self.policy, self.cells = products, policy, cells
        self.mark, self.everywhere, self.remarks = mark, everywhere, remarks
        self.since = now()
        self.wanted: set[int] = set()
        self.announced: set[int] = set()
        self.in_plan: set[int] = set()
        self.anew = False
        self.planned = WrittenPollers()

    def announce(self, plan: Plan) -> set[str]:
        """Write the run's plan beside the poller files, and record the sky cells in which it is going to work.

        Returns the names of the sky cells that an earlier run left unfinished when it was killed, or in which it could
        not write a poller file or a manifest.
        """
        work = planned_cells(plan)
        with self.engine.begin() as connection:
            due, unfinished = due_pollers.load_due(connection), due_pollers.load_unfinished(connection)
            behind = due_pollers.load_behind(connection)
        if self.cells is not None:
            behind = behind.intersection(self.cells)
        left = unfinished if self.cells is None else unfinished.intersection(self.cells)
        in_work = set(work) if self.everywhere else self._with_poller(work)
        self.wanted = in_work | self._with_poller(due if self.cells is None else due.intersection(self.cells))
        if self.everywhere:
            # Where a run was killed, or could not write, all layers may be made and the poller file be missing.
            self.wanted |= left | behind
        self.anew = self.cells is None and bool(due or in_work)
        self.in_plan = in_work | self._with_planned(left)
        self.planned = write_planned(
            self.engine.begin, plan, self.products, self.mark, cells=sorted(self.in_plan), unfinished=unfinished
        )
        self.announced = self.wanted | left | set(work)
        with self.engine.begin() as connection:
            self.coordinator.announce(connection, self.announced)
        return {format_cell_name(CellId.from_index(cell)) for cell in left | behind}

    def announce_again(self, plan: Plan, cells: Collection[int]) -> None:
        """Take exposures that turned out to be unusable out of the planned work of these sky cells (keys).

        What is NEW there stays NEW, though it may be made by now: so a run that is killed here leaves, with the one
        after it, the files of a run that is not killed.
        """
        shown = self.in_plan.intersection(cells)
        again = write_planned(self.engine.begin, plan, self.products, self.mark, cells=sorted(shown), unfinished=shown)
        self.planned.unwritten.update(again.unwritten)

    def settle(self, worked_in: Iterable[str], seen_in: Iterable[str], unlisted: Iterable[str]) -> WrittenPollers:
        """Write the poller files for the state after the run, and record that they are up to date.

        `worked_in`: the names of the sky cells that the run worked in, which may be more than were announced.
        `seen_in`: the names of those in which product files differed from their records. `unlisted`: the names of those
        whose manifests could not be written, which the next run is to look after.
        """
        with self.coordinator.in_turn():  # each run writes what is true when its turn comes
            return self._settle(worked_in, seen_in, unlisted)

    def _settle(self, worked_in: Iterable[str], seen_in: Iterable[str], unlisted: Iterable[str]) -> WrittenPollers:
        given = (worked_in, seen_in, unlisted)
        more, seen, unlisted_cells = ({parse_cell_name(name).index for name in names} for names in given)
        wanted = self.wanted | (more if self.everywhere else self._with_poller(more)) | self._with_poller(seen)
        written = WrittenPollers(unwritten=dict(self.planned.unwritten))
        for chunk in chunks(wanted):
            plan = look_ahead(self.engine.begin, self.products, self.policy, cells=chunk, remarks=self.remarks).plan
            now_written = write_pollers(self.engine.begin, plan, self.products, self.mark, cells=chunk)
            written.paths += now_written.paths
            written.changed += now_written.changed
            written.unwritten.update(now_written.unwritten)
            written.gone += now_written.gone
        not_written = {parse_cell_name(name).index for name in written.unwritten} | unlisted_cells
        done = (wanted | self.announced) - not_written
        with self.engine.begin() as connection:
            due_pollers.settle(connection, done, (wanted | unlisted_cells) - done, self.since if self.anew else None)
        return written

    def _with_poller(self, cells: Collection[int]) -> set[int]:
        """Those of these sky cells that have a poller file."""
        return self._with_file(cells, format_poller_name)

    def _with_planned(self, cells: Collection[int]) -> set[int]:
        """Those of these sky cells that have a file of planned work."""
        return self._with_file(cells, format_planned_name)

    def _with_file(self, cells: Collection[int], format_name: Callable[[str], str]) -> set[int]:
        names = {cell: format_cell_name(CellId.from_index(cell)) for cell in cells}
        return {cell for cell, name in names.items() if (self.products / name / format_name(name)).exists()}
