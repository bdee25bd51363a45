"""The poller files of sky cells, written from a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.catalog.ask.members import load_layer_exposures
from mvmdb.catalog.open import Begin
from mvmdb.errors import InputError
from mvmdb.names import CellId, format_cell_name, parse_cell_name
from mvmdb.pollers.files import PollerRow, format_poller_name, write_basic_poller, write_poller
from mvmdb.pollers.rows import missing_members, poller_rows
from mvmdb.records import Action, Mark, Plan


@dataclass(slots=True)
class WrittenPollers:
    """The paths of poller files, and why others could not be written."""

    paths: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def write_pollers(
    begin: Begin,
    plan: Plan,
    folder: Path,
    mark: Mark,
    *,
    cells: Sequence[int] | None = None,
    basic: bool = False,
) -> WrittenPollers:
    """Write `<folder>/<skycell>/<skycell>_input.out` for the sky cells given, or for every cell that the plan names.

    `basic` writes just the paths of the exposures, one per line. A file whose bytes would be the same is left
    alone; the file of a cell that has no layers any more is removed. What no poller can hold (a comma in a path) is its
    own cell's problem only.
    """
    if cells is None:
        cells = sorted({parse_cell_name(line.skycell).index for line in plan.layers if not line.n_waiting})
    stale = [line for line in plan.layers if line.action is not Action.REMOVE and not line.n_waiting]
    new = {line.name: None if mark == "layer" else missing_members(line) for line in stale}
    with begin() as connection:
        rows = poller_rows(load_layer_exposures(connection, cells), new)
    written = WrittenPollers()
    for skycell in {format_cell_name(CellId.from_index(cell)) for cell in cells} - rows.keys():
        (folder / skycell / format_poller_name(skycell)).unlink(missing_ok=True)
    for skycell, cell_rows in sorted(rows.items()):
        path = folder / skycell / format_poller_name(skycell)
        try:
            if basic:
                write_basic_poller(path, _basic_names(cell_rows))
            else:
                write_poller(path, cell_rows)
        except InputError as error:
            written.problems.append(f"{skycell}: {error}")
        else:
            written.paths.append(str(path))
    return written


def _basic_names(rows: Sequence[PollerRow]) -> list[str]:
    """The paths of the NEW rows, or of all where none is NEW."""
    return [row.pathname for row in rows if row.flag == "NEW"] or [row.pathname for row in rows]
