"""Mends where the active file of an exposure is recorded: by the files that are there."""

from __future__ import annotations

from mvmdb.catalog.check.exposures import load_exposure_rows
from mvmdb.catalog.check.files import RecordedFile, add_file, load_files, move_exposure, move_file
from mvmdb.catalog.open import Engine
from mvmdb.remote.files import stamp_of
from mvmdb.remote.state import is_unchanged
from mvmdb.verify.deep_reads import FileToRead, read_files
from mvmdb.verify.exposure_files import compare_exposure


def mend_path(engine: Engine, name: str) -> bool:
    """Make the active file of an exposure (ipppssoo) one of its recorded files, if it is none; whether it is one then.

    If a file of the recorded size and time is where the exposure says, the file's row is wrong. If one is where the
    row of the active file says, or the exposure names none, the exposure is. If there is no such row, and the file
    is what the exposure's row says, it is recorded again. Anything else has no right answer.
    """
    with engine.begin() as connection:
        rows = load_exposure_rows(connection, [name])
        files = load_files(connection, rows[0].id) if rows else []
    if not rows or rows[0].path in {file.path for file in files}:
        return bool(rows)
    row, here = rows[0], read_stamp(rows[0].path)
    active = [file for file in files if file.active]
    moved = [file for file in files if here == file.stamp and read_stamp(file.path) != here]
    if len(moved) == 1:
        with engine.begin() as connection:
            move_file(connection, moved[0].id, row.path)
    elif len(active) == 1 and (not row.path or (here is None and _is_there(active[0]))):
        with engine.begin() as connection:
            move_exposure(connection, row.id, active[0].path)
    elif here is not None:
        (read,) = read_files([FileToRead(row.path, False, True)])
        if read.dataset is not None and not list(compare_exposure(row, read)):
            with engine.begin() as connection:
                add_file(connection, row.id, read.dataset)
    with engine.begin() as connection:
        now = load_exposure_rows(connection, [name])[0].path
        return now in {file.path for file in load_files(connection, row.id)}


def _is_there(file: RecordedFile) -> bool:
    here = read_stamp(file.path)
    return here is not None and is_unchanged(file.path, file.stamp, here)


def read_stamp(path: str) -> tuple[int, int] | None:
    """The size (bytes) and time (ns since 1970) of a file, here or elsewhere; None if it cannot be looked at."""
    try:
        return stamp_of(path) if path else None
    except (OSError, ValueError):
        return None
