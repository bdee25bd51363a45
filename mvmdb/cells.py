"""Lists sky cells by name, by the files that overlap them, or by position, with their members: `mvmdb cells`."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mvmdb.catalog.ask.cells import load_cell_members
from mvmdb.errors import NameFormatError, UsageError
from mvmdb.exposures.find import find_exposures
from mvmdb.exposures.place import find_places
from mvmdb.exposures.read import read_exposure
from mvmdb.names import CellId, parse_cell_name
from mvmdb.records import Rule
from mvmdb.remote.address import is_url
from mvmdb.sky.position import find_cells_at
from mvmdb.sky.tessellation import cell_centers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListedCell:
    """One sky cell: its centre in degrees (ICRS), and the file names of its members, sorted."""

    id: CellId
    ra: float
    dec: float
    members: tuple[str, ...]


def list_cells(
    names: Sequence[str], *, position: tuple[float, float] | None, radius: float, rule: Rule, address: str
) -> list[ListedCell]:
    """The sky cells with these names, those that the named files overlap, and those at a position, sorted, each once.

    `names`: sky cells, exposure files, folders and @LIST files. `position`: (ra, dec) in degrees (ICRS). `radius`:
    degrees. The members of a cell are the given files that overlap it (by `rule`) and, if the cell was asked for by
    name or position, the eligible exposures of the catalog at `address`, if there is one.

    Raises UsageError if nothing was asked for, or a name is neither a sky cell nor a file; InputError for a file that
    cannot be used.
    """
    if not names and position is None:
        raise UsageError("nothing to list; give sky cells, exposure files, or --at RA DEC")
    asked, files = _sort_names(names)
    if position is not None:
        asked += find_cells_at(*position, radius)
    members = _members_of_files(files, rule)
    for cell, filenames in load_cell_members(address, asked).items():
        members[cell] |= filenames
    cells = sorted(set(asked) | set(members))
    if not cells:
        return []
    ra, dec = cell_centers(cells)
    return [
        ListedCell(cell, float(ra_), float(dec_), tuple(sorted(members.get(cell, ()))))
        for cell, ra_, dec_ in zip(cells, ra, dec, strict=True)
    ]


def _sort_names(names: Sequence[str]) -> tuple[list[CellId], list[str]]:
    cells, files = [], []
    for name in names:
        if name.startswith("@") or is_url(name) or Path(name).exists():
            files.append(name)
            continue
        try:
            cells.append(parse_cell_name(name))
        except NameFormatError as error:
            raise UsageError(f"{error}, and there is no such file") from error
    return cells, files


def _members_of_files(files: Sequence[str], rule: Rule) -> defaultdict[CellId, set[str]]:
    members: defaultdict[CellId, set[str]] = defaultdict(set)
    paths = find_exposures(files).paths if files else ()
    places = find_places([read_exposure(path) for path in paths], rule)
    for index, why in places.unplaced.items():
        log.warning("%s is in no sky cell: %s", paths[index], why)
    for cell, indices in places.cells.items():
        members[cell].update(Path(paths[index]).name for index in indices)
    return members
