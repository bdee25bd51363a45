"""`get_sky_cells` and `interpret_scells` with drizzlepac's arguments and return values; sky/ decides what overlaps."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mvmdb.compat.cells import ProjectionCell, SkyCell, refuse_other_grid
from mvmdb.exposures.place import find_places
from mvmdb.exposures.read import read_exposure
from mvmdb.names import format_cell_name
from mvmdb.pollers.files import read_poller
from mvmdb.remote.address import is_url, join, require_local

log = logging.getLogger(__name__)


class NamedFile(NamedTuple):
    """A file, here or elsewhere, and the text that the caller or the poller names it by."""

    name: str
    address: str


def get_sky_cells(
    visit_input: str | os.PathLike[str] | Sequence[str],
    input_path: str | os.PathLike[str] | None = None,
    scale: float | None = None,
    cell_size: float | None = None,
    diagnostic_mode: bool = False,
) -> dict[str, SkyCell]:
    """The sky cells that these exposures overlap, by name, sorted; an empty dict if they overlap none.

    `visit_input`: a poller file (basic or full), or a sequence of exposure file names, which `members` repeats.
    `input_path`: the folder that relative names are in (None: the current folder); nothing is copied from there. Names
    and the folder may be addresses, `https://` or `s3://`.
    `scale` and `cell_size` can only be those of the tessellation, 0.04 arcsec and 4.2 degrees. With `diagnostic_mode`
    the members of each cell are logged; no file is written.

    Raises InputError if a file is missing or cannot be read, and UsageError for another tessellation.
    """
    refuse_other_grid(scale=scale, cell_size=cell_size)
    files = list_files(visit_input, input_path)
    places = find_places([read_exposure(file.address) for file in files], "overlap")
    for index, why in places.unplaced.items():
        log.warning("%s is in no sky cell: %s", files[index].address, why)
    projection_cells: dict[int, ProjectionCell] = {}
    found = {}
    for cell, indices in places.cells.items():
        number = cell.projection_cell
        projection_cell = projection_cells.get(number) or ProjectionCell(number)
        projection_cells[number] = projection_cell
        skycell = SkyCell(projection_cell, cell.x, cell.y)
        skycell.members = [files[index].name for index in indices]
        found[format_cell_name(cell)] = skycell
        if diagnostic_mode:
            log.info("%s: %s", skycell.sky_cell_id, ", ".join(skycell.members))
    return found


def interpret_scells(sky_cells: Mapping[str, SkyCell]) -> dict[str, dict[str, Any]]:
    """The sky cells of each member: by file name, the `SkyCell` objects by name, and under `id` the names, with `;`."""
    files: dict[str, dict[str, Any]] = {}
    for skycell in sky_cells.values():
        for member in skycell.members:
            files.setdefault(member, {})[skycell.sky_cell_id] = skycell
    return {member: {**cells, "id": ";".join(cells)} for member, cells in files.items()}


def list_files(
    visit_input: str | os.PathLike[str] | Sequence[str], input_path: str | os.PathLike[str] | None = None
) -> list[NamedFile]:
    """The files that a poller or a sequence names, in the folder `input_path`.

    A poller's path that is not there stands for the file of its name in `input_path`, or beside the poller.
    """
    folder = os.fspath(input_path or "")
    if not isinstance(visit_input, (str, os.PathLike)):
        return [NamedFile(str(name), _join(folder, str(name))) for name in visit_input]
    poller = read_poller(require_local(visit_input))
    paths = [row.pathname for row in poller.rows] if poller.form == "full" else poller.filenames
    beside = Path(visit_input).parent
    pairs = dict.fromkeys(zip(poller.filenames, paths, strict=True))  # a poller of several sky cells names files again
    return [NamedFile(name, _find(path, folder, beside)) for name, path in pairs]


def _join(folder: str, name: str) -> str:
    """Where a file of this name is; one with an address or an absolute path is in no folder."""
    if is_url(name) or os.path.isabs(name):
        return name
    return join(folder, name) if is_url(folder) else os.path.join(folder, name)


def _find(path: str, folder: str, beside: Path) -> str:
    """Where the file is that a poller names."""
    if is_url(path):
        return path
    if is_url(folder):
        return path if os.path.isfile(path) else join(folder, os.path.basename(path))
    return str(find_file(Path(folder, path), Path(folder), beside))


def find_file(path: Path, *folders: Path) -> Path:
    """This path if a file is there, else the file of its name in the first of these folders that has one."""
    if path.is_file():
        return path
    for folder in folders:
        if (folder / path.name).is_file():
            log.warning("%s is not there; %s is taken", path, folder / path.name)
            return folder / path.name
    return path
