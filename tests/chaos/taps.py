"""Watches what a process does to files: each call that changes one is reported before and after it is made.

Reported are the calls of Python below some folders, and the commits of the catalog. What SQLite does to its own file
between is not seen.
"""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa


class Call(NamedTuple):
    """One call: what it does (`create`, `write`, `sync`, `rename`, ...), to which path, and where a rename leads."""

    deed: str
    path: str
    target: str = ""


COMMIT = Call("commit", "the catalog")

Watch = Callable[[Call], object]
"""Told of a call before it is made; what it raises is raised instead of the call."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def tap(folders: tuple[str, ...], before: Watch, after: Watch = lambda call: None) -> None:
    """Watch all calls of this process from now on, for the rest of its life."""
    taps = _Taps(tuple(os.path.abspath(folder) for folder in folders), before, after)
    for name in ("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "utime", "truncate"):
        setattr(os, name, taps.of_paths(name, getattr(os, name)))
    for name in ("write", "pwrite", "fsync", "fdatasync", "ftruncate"):
        setattr(os, name, taps.of_descriptors(name, getattr(os, name)))
    os.open = taps.opener(os.open)
    builtins.open = io.open = taps.file_opener(io.open)  # type: ignore[assignment]
    taps.listen_to_commits()


_NAMES = {"replace": "rename", "remove": "unlink", "fsync": "sync", "fdatasync": "sync", "pwrite": "write",
          "ftruncate": "truncate"}  # fmt: skip


class _Taps:
    """The wrappers of one process."""

    def __init__(self, folders: tuple[str, ...], before: Watch, after: Watch) -> None:
        self.folders, self.before, self.after = folders, before, after

    def covers(self, path: str) -> bool:
        return path.startswith(self.folders)

    def report(self, call: Call, real: Callable[[], Any]) -> Any:
        if not self.covers(call.path):
            return real()
        self.before(call)
        result = real()
        self.after(call)
        return result

    def of_paths(self, name: str, real: Any) -> Any:
        def wrapped(path: Any, *rest: Any, **named: Any) -> Any:
            target = os.path.abspath(os.fspath(rest[0])) if name in ("rename", "replace") else ""
            call = Call(_NAMES.get(name, name), os.path.abspath(os.fsdecode(path)), target)
            return self.report(call, lambda: real(path, *rest, **named))

        return wrapped

    def of_descriptors(self, name: str, real: Any) -> Any:
        def wrapped(descriptor: int, *rest: Any) -> Any:
            call = Call(_NAMES.get(name, name), _path_of(descriptor))
            return self.report(call, lambda: real(descriptor, *rest))

        return wrapped

    def opener(self, real: Any) -> Any:
        def wrapped(path: Any, flags: int, *rest: Any, **named: Any) -> Any:
            if not flags & _WRITING:
                return real(path, flags, *rest, **named)
            call = Call("create", os.path.abspath(os.fsdecode(path)))
            return self.report(call, lambda: real(path, flags, *rest, **named))

        return wrapped

    def file_opener(self, real: Any) -> Any:
        def wrapped(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            if isinstance(file, int) or not set(mode) & set("wax+"):
                return real(file, mode, *rest, **named)
            path = os.path.abspath(os.fsdecode(file))
            if not self.covers(path):
                return real(file, mode, *rest, **named)
            self.before(Call("create", path))
            raw = _TappedFile(path, mode.replace("b", "").replace("t", ""))
            raw.taps = self
            self.after(Call("create", path))
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, **named)

        return wrapped

    def listen_to_commits(self) -> None:
        """A commit is reported as the driver makes it."""
        real = sa.engine.default.DefaultDialect.do_commit

        def commit(dialect: Any, connection: Any) -> None:
            self.before(COMMIT)
            real(dialect, connection)
            self.after(COMMIT)

        sa.engine.default.DefaultDialect.do_commit = commit  # type: ignore[method-assign]


class _TappedFile(io.FileIO):
    """A file whose writes are reported as they reach the system, after Python's buffer."""

    taps: _Taps

    def write(self, data: Any, /) -> int:
        return int(self.taps.report(Call("write", str(self.name)), lambda: super(_TappedFile, self).write(data)))


def _path_of(descriptor: int) -> str:
    """The path of an open file, as Linux tells it."""
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""
