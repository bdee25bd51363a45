"""What this process has found in exposure files, for as long as they stay as they are.

The layers of a run share members: two scales, several sky cells, and their skies. A file is known again by its device,
inode, size and the times of its last change of contents and of state, of which no program can set the last.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from mvmdb.remote.address import is_url
from mvmdb.remote.pairs import flags_beside

T = TypeVar("T")

MOST = 4096
"""Files of which is kept what was found: some kilobytes for each."""
SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it is read may change again within one tick of its clock: what is found in
it is not kept."""

_Marks = tuple[tuple[int, ...], ...]


class SeenFiles(Generic[T]):
    """What was found in files; threads may share it. Files elsewhere are read each time, from the cache."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[_Marks, T]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, path: str, read: Callable[[], T]) -> T:
        """What `read` finds in a file, or found when the file was as it is now. Raises what `read` raises."""
        started = time.time_ns()
        marks = None if is_url(path) else _mark(path)
        if marks is None:
            return read()
        with self._lock:
            kept = self._found.get(path)
            if kept is not None and kept[0] == marks:
                self._found.move_to_end(path)
                return kept[1]
        found = read()
        if _mark(path) == marks and all(mark[-1] < started - SETTLED_NS for mark in marks):
            with self._lock:
                self._found[path] = marks, found
                while len(self._found) > MOST:
                    self._found.popitem(last=False)
        return found


def _mark(path: str) -> _Marks | None:
    """How a file, and the one with its flags if there is one, is known again; None for one that cannot be looked at.

    The last number is the latest time of any change, ns.
    """
    marks = []
    for address in (path, flags_beside(path)):
        if address is None:
            continue
        try:
            status = os.stat(address)
        except FileNotFoundError:
            if address == path:
                return None
        except OSError:
            return None
        else:
            times = status.st_mtime_ns, max(status.st_ctime_ns, status.st_mtime_ns)
            marks.append((status.st_dev, status.st_ino, status.st_size, *times))
    return tuple(marks)
