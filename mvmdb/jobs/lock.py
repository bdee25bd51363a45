"""Locks a products folder, so that one run at a time works on it; the lock is released when the process ends."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvmdb.errors import BusyError, InputError

LOCK_NAME = ".mvmdb.lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Create the folder if it is missing, and hold its lock until the end of the block.

    Raises InputError if the folder cannot be created, written to or locked, and BusyError if another run holds the
    lock.
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


def claimed_at(folder: Path) -> int:
    """When the folder's lock was last taken: ns since 1970, by the clock of the folder's file system."""
    return (folder / LOCK_NAME).stat().st_mtime_ns


def require_free(folder: Path) -> None:
    """Raise BusyError if another run works on the folder; a folder that is missing, or has no lock file, is free."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR)
    except OSError:
        return
    try:
        _take(descriptor, folder)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    _take(descriptor, folder)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()} on {socket.gethostname()}\n".encode())


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 300).decode(errors="replace").strip() or "unknown"
        raise BusyError(f"another run (process {holder}) works on {folder}; wait until it ends, or stop it") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise InputError(
            f"the file system of {folder} gives no locks ({error.strerror}), without which two runs could damage each "
            "other's work; mount it with locks (for NFS: a running lock daemon, or the option local_lock=flock if "
            "only one machine runs mvmdb), or put the products elsewhere"
        ) from error
