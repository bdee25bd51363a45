"""One run at a time on a products folder: a lock that the operating system drops with the process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvmdb.errors import BusyError, InputError

LOCK_NAME = ".mvmdb.lock"


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Make the folder where it is missing and hold its lock.

    Raises InputError when it cannot be made or written, BusyError when another run holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(
            f"cannot write to {folder} ({error.strerror}); expected a folder that can be written: give another with -o"
        ) from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        raise BusyError(f"another run (process {holder}) works on {folder}; wait until it ends, or stop it") from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
