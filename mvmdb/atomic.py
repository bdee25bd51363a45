"""Changes files so that a power cut leaves the old state or the new one: each is synced, and its folder after it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def replace_file(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write `.<name>.<host>.<thread>.tmp` next to `target`, sync it and rename it; after a failure, remove it.

    `write` writes the content to the open file. A missing folder is created. Raises OSError, and whatever `write`
    raises.
    """
    make_folder(target.parent)
    # Two machines may write the same target if one was presumed dead but still runs: their names must differ.
    temporary = target.with_name(f".{target.name}.{socket.gethostname()}.{threading.get_native_id()}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)  # the rename itself must survive a power cut
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


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
