"""Fills the folders of sky cells: what is there already stays, the poller comes last, and disk space is asked first."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mvmdb.atomic import make_folder
from mvmdb.errors import InputError
from mvmdb.monitor import SILENT, Monitor
from mvmdb.pollers.files import format_poller_name, read_poller, write_poller
from mvmdb.remote.address import is_url
from mvmdb.remote.files import stamp_of
from mvmdb.staging import merged
from mvmdb.staging.copies import Link, can_clone, is_current, put
from mvmdb.staging.fetches import AT_ONCE, Fetches
from mvmdb.staging.plan import StagedCell, StagedFile
from mvmdb.workers.background import map_in_threads

log = logging.getLogger(__name__)

_LEFT = re.compile(r"\.hst_.+_fl[ct]\.fits\..+\.\d+\.tmp|\.mvmdb-clone\..+\.tmp")
_MARGIN = 1 << 20
"""Bytes that folders and poller files may take."""

FreeSpace = Callable[[Path], int]


@dataclass(frozen=True, slots=True)
class StagedFolder:
    """What was done for one sky cell (name): its folder and poller, the number of files, and how many of them were put.

    `new`: how many rows of the poller are NEW; with none, drizzlepac makes nothing.
    `unneeded`: files of an earlier poller that are still there and that this one does not name. With a `problem` the
    poller was not written.
    """

    skycell: str
    folder: str
    poller: str
    files: int
    put: int
    new: int
    unneeded: tuple[str, ...] = ()
    problem: str = ""


@dataclass(slots=True)
class StageReport:
    """What was done for each sky cell, and the bytes of the files that were put."""

    cells: list[StagedFolder] = field(default_factory=list)
    bytes: int = 0

    @property
    def problems(self) -> list[str]:
        """`<sky cell>: <problem>` of each cell that is not complete."""
        return [f"{cell.skycell}: {cell.problem}" for cell in self.cells if cell.problem]


def free_space(folder: Path) -> int:
    """The bytes that may be written to the file system of a folder."""
    return shutil.disk_usage(folder).free


def stage(
    cells: Sequence[StagedCell],
    folder: Path,
    link: Link = "copy",
    *,
    monitor: Monitor = SILENT,
    free: FreeSpace = free_space,
) -> StageReport:
    """Put the files and the poller of each sky cell into `folder/<skycell>/`; the caller holds the folder's lock.

    An exposure of two files is put as one FLT (`merged.py`), also with `link`.
    A file that is there as it should be is not put again, so a killed run is taken up where it was. An input with
    another size or time, and a copy that was changed, are put anew. A file elsewhere is fetched, also with `link`; one
    that changed since it was registered is a problem. If a file of a cell is gone or cannot be put, its poller is not
    written, the problem is reported, and the other cells are staged. Raises InputError if the folder
    cannot be written to, or has not enough space for the copies.
    """
    report = StageReport()
    fetches = Fetches(file for cell in cells for file in cell.files if _is_fetched(file))
    try:
        make_folder(folder)
        _sweep(folder)
        for cell in cells:
            make_folder(folder / cell.skycell)
            _sweep(folder / cell.skycell)
        due = {cell.skycell: _find_due(cell, folder / cell.skycell, link, fetches) for cell in cells}
    except OSError as error:
        raise InputError(
            f"cannot write to {error.filename or folder}: {error.strerror}; expected a folder that can be: -o DIR"
        ) from error
    copies = [
        file
        for files in due.values()
        for file in files
        if link == "copy" or is_url(file.source) or merged.is_merged(file.source)
    ]
    _require_space(copies, fetches, folder, free)
    monitor.files_announced(sum(map(len, due.values())))
    for cell in cells:
        target = folder / cell.skycell
        report.cells.append(_stage_cell(cell, due[cell.skycell], target, link, fetches, monitor, report))
    return report


def _is_fetched(file: StagedFile) -> bool:
    return is_url(file.source) and not merged.is_merged(file.source)


def _find_due(cell: StagedCell, folder: Path, link: Link, fetches: Fetches) -> list[StagedFile]:
    """The files that are not there as they should be, and those whose input is gone."""
    due = []
    for file in cell.files:
        try:
            if merged.is_merged(file.source):
                current = merged.is_current(file.source, folder / file.name)
            elif is_url(file.source):
                current = fetches.is_current(file, folder / file.name)
            else:
                current = is_current(Path(file.source), folder / file.name, link)
        except OSError:
            current = False
        if not current:
            due.append(file)
    return due


def _require_space(files: Iterable[StagedFile], fetches: Fetches, folder: Path, free: FreeSpace) -> None:
    needed = 0
    by_device: dict[int, list[tuple[Path, int]]] = defaultdict(list)
    for file in files:
        if merged.is_merged(file.source):
            with suppress(OSError):  # told with its cell
                needed += 2 * stamp_of(file.source)[0]  # errors need as much as pixels
            continue
        if is_url(file.source):
            stamp = fetches.stamps[file.source]
            needed += 0 if isinstance(stamp, OSError) else stamp[0]
            continue
        try:
            status = os.stat(file.source)
        except OSError:
            continue  # told with its cell
        by_device[status.st_dev].append((Path(file.source), status.st_size))
    for sources in by_device.values():
        if not can_clone(sources[0][0], folder):
            needed += sum(size for _, size in sources)
    available = free(folder)
    if needed and needed + _MARGIN > available:
        raise InputError(
            f"{folder} has {available:,} bytes free; expected {needed + _MARGIN:,} for the copies; make room, give "
            "another folder (-o DIR), or fewer sky cells at a time"
        )


def _stage_cell(
    cell: StagedCell,
    due: Sequence[StagedFile],
    folder: Path,
    link: Link,
    fetches: Fetches,
    monitor: Monitor,
    report: StageReport,
) -> StagedFolder:
    poller = folder / format_poller_name(cell.skycell)
    n_put, problem = 0, ""
    threads = AT_ONCE if any(is_url(file.source) for file in due) else 1
    for file, error in zip(due, map_in_threads(partial(_try, folder, link, fetches), due, threads), strict=True):
        if error is not None:
            problem = problem or str(error)
        else:
            n_put += 1
            report.bytes += (folder / file.name).stat().st_size
            log.info("put %s at %s", file.source, folder / file.name)
        monitor.files_read(1)
    unneeded: tuple[str, ...] = ()
    if not problem:
        unneeded = _find_unneeded(poller, cell)
        write_poller(poller, cell.rows)
    new = sum(row.flag == "NEW" for row in cell.rows)
    return StagedFolder(cell.skycell, str(folder), str(poller), len(cell.files), n_put, new, unneeded, problem)


def _try(folder: Path, link: Link, fetches: Fetches, file: StagedFile) -> InputError | None:
    """Put one file, and return what is wrong where it cannot be put."""
    try:
        if merged.is_merged(file.source):
            merged.put(file.source, folder / file.name)
        elif is_url(file.source):
            fetches.put(file, folder / file.name)
        else:
            _put(Path(file.source), folder / file.name, link)
    except InputError as error:
        return error
    return None


def _put(source: Path, target: Path, link: Link) -> None:
    if not source.is_file():
        raise InputError(f"{source} is gone; put the file back, or ingest it where it is now")
    if source.absolute() == target.absolute() or source.resolve() == target.absolute():
        raise InputError(f"{source} lies in this folder, where drizzlepac writes; give another one: -o DIR")
    put(source, target, link)


def _find_unneeded(poller: Path, cell: StagedCell) -> tuple[str, ...]:
    """The files that the poller before this one names, and this one does not."""
    try:
        before = read_poller(poller)
    except InputError:  # there is none, or somebody else's
        return ()
    names = {row.filename for row in before.rows if row.filename == row.pathname} - {file.name for file in cell.files}
    return tuple(sorted(name for name in names if (poller.parent / name).is_file()))


def _sweep(folder: Path) -> None:
    """Remove what killed runs left half written: the caller's lock says that nobody else writes here."""
    for name in os.listdir(folder):
        if _LEFT.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
