"""The poller files of sky cells, written from a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mvmdb.catalog.open import Begin
from mvmdb.errors import InputError
from mvmdb.names import CellId, format_cell_name, parse_cell_name
from mvmdb.pollers.files import format_poller_name, write_basic_poller, write_poller
from mvmdb.pollers.rows import poller_rows
from mvmdb.reconcile.planning import Outlook
from mvmdb.records import Action, Mark, PlannedLayer, ReasonCode


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


def missing_members(line: PlannedLayer) -> set[str] | None:
    """The members that a stale layer's product does not hold as they are now, which `--mark exposure` marks NEW.

    None stands for all of them: there is no product, or no sound one.
    """
    codes = {ReasonCode.MEMBER_ADDED, ReasonCode.MEMBER_RECALIBRATED, ReasonCode.MEMBER_REALIGNED}
    whole = {ReasonCode.PRODUCT_MISSING, ReasonCode.PRODUCT_DAMAGED}
    if any(reason.code in whole for reason in line.reasons):
        return None
    return {reason.exposure for reason in line.reasons if reason.code in codes and reason.exposure}
