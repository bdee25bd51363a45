"""Changes files so that a power cut leaves the old state or the new one: each is synced, and its folder after it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write `.<name>.<host>.<thread>.tmp` next to `target`, sync it and rename it; after a failure, remove it.

    `write` writes the content to the open file. A missing folder is created. What killed processes of this host have
    left of the same target is removed. Raises OSError, and whatever `write` raises.
    """
    make_folder(target.parent)
    # Two machines may write the same target if one was presumed dead but still runs: their names must differ.
    before = f".{target.name}.{socket.gethostname()}."
    _remove_leftovers(target.parent, re.compile(rf"{re.escape(before)}\d+\.tmp"))
    temporary = target.with_name(f"{before}{threading.get_native_id()}.tmp")
    try:
        with _open_locked(temporary) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)  # the rename itself must survive a power cut
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _open_locked(path: Path) -> BinaryIO:
    """A new file, locked while it is open, so that it is known to have a writer."""
    while True:
        file = open(path, "wb", opener=_open_no_link)  # noqa: SIM115 - returned
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if _is_at(path, file):
            return file
        file.close()  # it was taken for a leftover before it was locked


def _open_no_link(name: str, flags: int) -> int:
    """Open a file, unless a link is in its place: what it leads to is not ours to write."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def _remove_leftovers(folder: Path, name: re.Pattern[str]) -> None:
    """Remove the files of such names that nobody holds locked: their writers were killed."""
    with contextlib.suppress(OSError):
        for entry in os.listdir(folder):
            if name.fullmatch(entry):
                _remove_if_left(folder / entry)


def _remove_if_left(path: Path) -> None:
    """Remove a file that nobody holds locked, or what is no plain file: a link, say, not what it leads to."""
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(path.lstat().st_mode):
            path.unlink()
            return
    with contextlib.suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(path, file):
            path.unlink()


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether an open file still has this path."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def remove_file(path: Path) -> None:
    """Remove a file, for good; nothing happens if there is none. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        _sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Create a folder, and those above it, where they are missing. Raises OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _sync_folder(new.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
