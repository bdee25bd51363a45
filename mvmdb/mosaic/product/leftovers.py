"""Temporary files that killed runs left in a folder of products, in whichever sky cell.

Pairs of skies are among them (`findings.py`): the products beside them must have been recorded before.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from mvmdb.names import is_cell_name

log = logging.getLogger(__name__)

_MAY_LIVE_NS = 24 * 3600 * 10**9
"""How long another machine's file is left after its last change: a worker given up for dead may still be writing it."""


def sweep_leftovers(products: Path, before_ns: int) -> list[str]:
    """Remove temporary files of mvmdb from every sky cell's folder; return their names, sorted.

    Only those are removed that were last changed before this time (ns since 1970, by the clock of the folder's file
    system), and those that another machine writes only when they have not changed for a day.
    """
    removed = []
    for entry in _cell_folders(products):
        if os.access(entry.path, os.W_OK):
            for path in find_leftovers(Path(entry.path), before_ns):
                path.unlink(missing_ok=True)
                log.info("removed %s, which a killed run left in %s", path.name, entry.path)
                removed.append(path.name)
    return sorted(removed)


def find_leftovers(folder: Path, before_ns: int) -> Iterator[Path]:
    """The temporary files in the folder of one sky cell that `sweep_leftovers` removes."""
    pattern = re.compile(
        rf"\.(?:hst_)?{re.escape(folder.name)}_\w[\w-]*\."
        r"(?:(?:fits\.findings|fits|txt|out|planned|jpg|ecsv)\.(?:(.+)\.)?\d+\.tmp|fits\.findings)"
    )
    for name in os.listdir(folder):
        match = pattern.fullmatch(name)
        if match and _is_left(folder / name, match[1], before_ns):
            yield folder / name


def _is_left(path: Path, host: str | None, before_ns: int) -> bool:
    here = host is None or host == socket.gethostname()
    try:
        status = path.lstat()
    except OSError:  # its writer has renamed or removed it
        return False
    is_file = not stat.S_ISDIR(status.st_mode)  # a folder is nobody's temporary file
    return is_file and status.st_mtime_ns < (before_ns if here else before_ns - _MAY_LIVE_NS)


def _cell_folders(products: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(products) as entries:
        for entry in entries:
            is_cell = is_cell_name(entry.name) and entry.is_dir(follow_symlinks=True)
            if is_cell and os.access(entry.path, os.R_OK | os.X_OK):
                yield entry
