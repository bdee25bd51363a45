"""Locks a products folder, so that runs do not undo each other's work; the lock goes with the process that holds it.

A lock of the file system excludes the other runs of this host. It may mean nothing to another host, as on NFS with
`local_lock`, so each run also keeps a file there while it works, of which the others see that it is touched again and
again. Times are those of the folder's file system, so the hosts' clocks do not matter.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from mvmdb.atomic import make_folder
from mvmdb.errors import BusyError, InputError
from mvmdb.workers.periodic import repeat

LOCK_NAME = ".mvmdb.lock"
SIGN_SECONDS = 20.0
"""How often a run touches its file."""
DEAD_SECONDS = 180.0
"""A run of another host that has not touched its file for so long has ended. An NFS client may see a time a minute
late."""
_LOOK_SECONDS = 0.5
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_SIGN = re.compile(re.escape(LOCK_NAME) + r"\.(?P<host>.+)\.(?P<pid>\d+)-\d+\.(?P<how>alone|shared)")

log = logging.getLogger(__name__)


class FolderLock:
    """The lock of a folder, as its holder has it; `taken_ns` is when, in ns since 1970 by the folder's file system."""

    def __init__(self, sign: Path) -> None:
        self._sign = sign
        self.taken_ns = sign.stat().st_mtime_ns

    def require_held(self) -> None:
        """Raise BusyError if another host has taken this run for dead, as it was paused for minutes."""
        if not self._sign.exists():
            raise BusyError(
                f"this run was taken for dead, and {self._sign.parent} left to another, as it gave no sign for "
                f"{DEAD_SECONDS:.0f} s (was it paused, or the file system away?); what was finished is recorded: run "
                "it again"
            )

    def touch(self) -> None:
        """Give a sign of life. Raises OSError if the folder is away, or this run was taken for dead."""
        os.utime(self._sign)


@contextmanager
def claim_folder(folder: Path, *, shared: bool = False, wait: float = 0.0) -> Iterator[FolderLock]:
    """Create the folder if it is missing, and hold its lock until the end of the block.

    Runs that hold it `shared` exclude only those that do not. A lock that another run holds is waited for, for so many
    seconds. Raises InputError if the folder cannot be created, written to or locked, and BusyError if another run still
    holds the lock.
    """
    try:
        make_folder(folder)
        descriptor = _open_lock(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    how = "shared" if shared else "alone"
    sign = folder / f"{LOCK_NAME}.{socket.gethostname()}.{os.getpid()}-{descriptor}.{how}"
    try:
        lock = _wait_for(descriptor, folder, sign, shared, wait)
        log.info("works on %s, %s", folder, how)
        with repeat(lock.touch, every=SIGN_SECONDS, what=f"{folder} is not kept locked for other hosts"):
            yield lock
    finally:
        with suppress(OSError):
            sign.unlink()
        os.close(descriptor)


def require_free(folder: Path) -> None:
    """Raise BusyError if another run works on the folder; a folder that is missing, or has no lock file, is free."""
    try:
        descriptor = _open_lock(folder / LOCK_NAME, os.O_RDWR)
    except OSError:
        return
    try:
        _take(descriptor, folder, shared=False)
    finally:
        os.close(descriptor)


def _open_lock(path: Path, flags: int) -> int:
    """Open a lock file, which gets text: where a link or a pipe is in its place, nothing behind it is touched.

    Raises InputError in that case, and OSError.
    """
    with suppress(FileNotFoundError):
        kind = path.lstat().st_mode
        if not stat.S_ISREG(kind):
            raise InputError(f"{path} is no plain file; expected the lock that mvmdb keeps there: remove it")
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)


def _wait_for(descriptor: int, folder: Path, sign: Path, shared: bool, wait: float) -> FolderLock:
    until, told = monotonic() + wait, False
    while True:
        try:
            _take(descriptor, folder, shared)
            try:
                return _give_sign(descriptor, folder, sign, shared)
            except BusyError:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                raise
        except BusyError as error:
            if monotonic() >= until:
                raise
            if not told:
                log.info("waiting for %.0f s at most: %s", wait, error)
                told = True
            sleep(min(_LOOK_SECONDS, max(0.0, until - monotonic())))


def _give_sign(descriptor: int, folder: Path, sign: Path, shared: bool) -> FolderLock:
    """Write the file that other hosts see, unless one of theirs is alive and either of the two would be alone."""
    try:
        os.close(_open_lock(sign, os.O_WRONLY | os.O_CREAT))
        os.utime(sign)
        lock = FolderLock(sign)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    for entry in list(os.scandir(folder)):
        match = _SIGN.fullmatch(entry.name)
        if match is None or entry.path == str(sign):
            continue
        try:
            touched = _last_touched(entry.path)
        except (OSError, InputError):
            continue  # it has ended, or is no run's file
        here = match["host"] == socket.gethostname()
        over = here and (not shared or not _exists(int(match["pid"])))
        if over or lock.taken_ns - touched > DEAD_SECONDS * 1e9:
            Path(entry.path).unlink(missing_ok=True)
        elif not here and not (shared and match["how"] == "shared"):
            sign.unlink()
            raise BusyError(
                f"another run (process {match['pid']} on {match['host']}) works on {folder}; wait until it ends, or "
                f"stop it; if its machine is down, its lock ends after {DEAD_SECONDS:.0f} s"
            )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return lock


def _last_touched(path: str) -> int:
    """When a run of another host has touched its file: opened, as an NFS client then asks the server for its time."""
    descriptor = _open_lock(Path(path), os.O_RDONLY)
    try:
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write to {folder} ({error.strerror}); expected a folder that can be written: give another with -o"
    )


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _take(descriptor: int, folder: Path, shared: bool) -> None:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 300, 0).decode(errors="replace").strip() or "unknown"
        raise BusyError(
            f"another run (process {holder}) works on {folder}; wait until it ends (--wait SECONDS), or stop it"
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise InputError(
            f"the file system of {folder} gives no locks ({error.strerror}), without which two runs could damage each "
            "other's work; mount it with locks (for NFS: a running lock daemon, or the option local_lock=flock if "
            "only one machine runs mvmdb), or put the products elsewhere"
        ) from error
