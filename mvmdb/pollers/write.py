"""Writes the poller files of sky cells from a plan."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mvmdb.atomic import remove_file
from mvmdb.catalog.ask.members import LayerExposure, load_layer_exposures
from mvmdb.catalog.open import Begin
from mvmdb.errors import InputError
from mvmdb.names import CellId, format_cell_name, parse_cell_name
from mvmdb.pollers.files import (
    PollerRow,
    format_planned_name,
    format_poller_name,
    read_poller,
    write_basic_poller,
    write_poller,
)
from mvmdb.pollers.rows import missing_members, poller_rows
from mvmdb.records import Action, Mark, Plan
from mvmdb.remote.address import is_url


@dataclass(frozen=True, slots=True)
class GoneFile:
    """A file that does not exist, and the sky cell (name) whose poller file names it; as text, a line that says so."""

    skycell: str
    path: str

    def __str__(self) -> str:
        return (
            f"the poller of {self.skycell} names {self.path}, which is gone; put the file back, or "
            "ingest it where it is now"
        )


@dataclass(slots=True)
class WrittenPollers:
    """What was written.

    `paths`: all poller files. `changed`: those with new bytes. `unwritten`: by sky cell (name), why its file could not
    be written. `gone`: the files that poller files name and that do not exist.
    """

    paths: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unwritten: dict[str, str] = field(default_factory=dict)
    gone: list[GoneFile] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Why poller files could not be written, one line per file."""
        return [f"{skycell}: {why}" for skycell, why in self.unwritten.items()]


def write_pollers(
    begin: Begin,
    plan: Plan,
    folder: Path,
    mark: Mark,
    *,
    cells: Sequence[int] | None = None,
    basic: bool = False,
) -> WrittenPollers:
    """Write `<folder>/<skycell>/<skycell>_input.out` for these sky cells (keys), or for those of `planned_cells`.

    `basic` writes only paths, one per line: those of NEW exposures, or of all if none is NEW. A file whose bytes would
    be the same is left alone. If no layer of a cell has a member with a file, its poller file is removed. If a file
    cannot be written (say, for a comma in a path) or removed, the files of other cells are written nevertheless.
    """
    if cells is None:
        cells = planned_cells(plan)
    rows = _load_rows(begin, plan, mark, cells)
    written = WrittenPollers(gone=[file for cell_rows in rows.values() for file in _find_gone(cell_rows)])
    for skycell in sorted({format_cell_name(CellId.from_index(cell)) for cell in cells} - rows.keys()):
        _remove_both(folder / skycell, skycell, written)
    for skycell, cell_rows in sorted(rows.items()):
        _write_one(folder / skycell / format_poller_name(skycell), skycell, cell_rows, written, basic=basic)
    return written


def write_planned(
    begin: Begin, plan: Plan, folder: Path, mark: Mark, *, cells: Sequence[int], unfinished: Collection[int]
) -> WrittenPollers:
    """Write what a run is going to do in these sky cells (keys): `<folder>/<skycell>/<skycell>_input.planned`.

    In `unfinished` cells, whose run was killed, rows that were NEW in that run's file stay NEW.
    """
    again = {format_cell_name(CellId.from_index(cell)) for cell in unfinished}
    written = WrittenPollers()
    for skycell, cell_rows in sorted(_load_rows(begin, plan, mark, cells).items()):
        path = folder / skycell / format_planned_name(skycell)
        rows = _keep_new(cell_rows, path) if skycell in again else cell_rows
        _write_one(path, skycell, rows, written)
    return written


def planned_cells(plan: Plan) -> list[int]:
    """The sky cells (keys) of a plan's layers, sorted, without layers that wait for files."""
    return sorted({parse_cell_name(line.skycell).index for line in plan.layers if not line.n_waiting})


def _load_rows(begin: Begin, plan: Plan, mark: Mark, cells: Sequence[int]) -> Mapping[str, list[PollerRow]]:
    with begin() as connection:
        return rows_of_plan(load_layer_exposures(connection, cells), plan, mark)


def rows_of_plan(exposures: Iterable[LayerExposure], plan: Plan, mark: Mark) -> dict[str, list[PollerRow]]:
    """The rows of the poller file of each sky cell (name) of these exposures, as a plan marks them NEW or OLD."""
    stale = [line for line in plan.layers if line.action is not Action.REMOVE and not line.n_waiting]
    new = {line.name: None if mark == "layer" else missing_members(line) for line in stale}
    return poller_rows(exposures, new)


def _write_one(
    path: Path, skycell: str, rows: Sequence[PollerRow], written: WrittenPollers, *, basic: bool = False
) -> None:
    try:
        is_new = write_basic_poller(path, basic_names(rows)) if basic else write_poller(path, rows)
    except InputError as error:
        written.unwritten[skycell] = str(error)
    else:
        written.paths.append(str(path))
        written.changed += [str(path)] if is_new else []


def _remove_both(folder: Path, skycell: str, written: WrittenPollers) -> None:
    # The poller file last: where there is one, the run after a killed one looks.
    for name in (format_planned_name(skycell), format_poller_name(skycell)):
        try:
            remove_file(folder / name)
        except OSError as error:
            written.unwritten[skycell] = (
                f"cannot remove {folder / name}, as no layer is left: {error.strerror}; make its folder writable"
            )


def _find_gone(rows: Sequence[PollerRow]) -> list[GoneFile]:
    """The files of these rows that do not exist; those elsewhere are not asked for, as that takes time."""
    here = (row for row in rows if not is_url(row.pathname))
    return [GoneFile(row.skycell, row.pathname) for row in here if not os.path.lexists(row.pathname)]


def _keep_new(rows: Sequence[PollerRow], path: Path) -> list[PollerRow]:
    """The rows, with those marked NEW that are NEW in the file at this path."""
    try:
        new = {row.pathname for row in read_poller(path).rows if row.flag == "NEW"}
    except InputError:  # no such file: the run was killed before it wrote one
        new = set()
    return [replace(row, flag="NEW") if row.pathname in new else row for row in rows]


def basic_names(rows: Sequence[PollerRow]) -> list[str]:
    """The paths of the NEW rows, or of all rows if none is NEW."""
    return [row.pathname for row in rows if row.flag == "NEW"] or [row.pathname for row in rows]
