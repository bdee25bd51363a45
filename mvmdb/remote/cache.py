"""Copies of files elsewhere in a folder of bounded size, which all runs on a machine may share.

A copy is named by the address and the state of its file, so that a file that changed has another copy. The least
recently used go first. A copy that some process has open is locked by it, and stays: whoever finds no room waits, and
holds nothing meanwhile, unless it is the one whose turn it is. So no two wait for each other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from mvmdb.errors import InputError
from mvmdb.remote.state import State
from mvmdb.remote.store import Store

FOLDER_VARIABLE = "MVMDB_CACHE"
SIZE_VARIABLE = "MVMDB_CACHE_SIZE"
WAIT_VARIABLE = "MVMDB_CACHE_WAIT"
DEFAULT_SIZE = "50GB"
_WAIT = 600.0
"""Seconds; less than those after which a worker without a sign of progress is given up."""
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?B?)", re.ASCII | re.IGNORECASE)
_COPY = re.compile(r"[0-9a-f]{64}\.(fits|part)")
_LOCK = ".lock"
_TURN = ".turn"
_PAUSE = 0.1
_REMEDY = "give a larger --cache-size, or fewer --jobs"


class NoRoomError(OSError):
    """Copies that others use leave no room now."""


class Cache:
    """The copies in `folder`, of at most `size` bytes together. Room is waited for as long as `wait` seconds."""

    def __init__(self, folder: Path, size: int, wait: float = _WAIT) -> None:
        self.folder = folder
        self.size = size
        self.wait = wait

    def open(
        self,
        url: str,
        state: State,
        store: Store,
        *,
        mine: Callable[[], int] = lambda: 0,
        in_turn: bool = False,
    ) -> BinaryIO:
        """Open the copy of a file in this state, fetched if it is not there; it stays while it is open.

        `mine` tells how many bytes of copies the caller has open. Where copies of others leave no room, a caller that
        has none, or whose turn it is, waits. Raises OSError: NoRoomError at once for any other caller; ENOSPC where
        there would be no room without the others either, or they still have it at the end; as the store does where the
        file cannot be fetched.
        """
        path = self._place(url, state)
        self._require_writable(url)
        end = monotonic() + self.wait
        while True:
            copy = _open_shared(path, state.size)
            if copy is not None:
                return copy
            try:
                self._try_fetch(url, state, store, path)
            except NoRoomError as error:
                held = mine()
                if held + state.size > self.size or monotonic() >= end:
                    raise OSError(errno.ENOSPC, error.strerror, url) from None
                if held and not in_turn:
                    raise
                time.sleep(_PAUSE)

    def _try_fetch(self, url: str, state: State, store: Store, path: Path) -> None:
        """Fetch a file to its place, or wait for another process that does."""
        part = path.with_suffix(".part")
        with _locked(part) as file:
            if file is not None and not path.exists():
                self._fetch(url, state, store, file, part)
                os.replace(part, path)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only one who waits for room with copies of its own. Raises NoRoomError if others are all the time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / _TURN, wait=True, most=self.wait) as file:
            if file is None:
                words = f"other jobs have waited for room in the cache {self.folder} for {self.wait:g} s; {_REMEDY}"
                raise NoRoomError(errno.ENOSPC, words)
            yield

    def find(self, url: str, state: State) -> BinaryIO | None:
        """Open the copy of a file in this state, if there is one; it stays while it is open. Raises OSError."""
        return _open_shared(self._place(url, state), state.size)

    def _place(self, url: str, state: State) -> Path:
        name = hashlib.sha256(repr((url, state.size, state.etag, state.modified)).encode()).hexdigest()
        return self.folder / f"{name}.fits"

    def _require_writable(self, url: str) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with _locked(self.folder / _LOCK, wait=True):
                pass
        except OSError as error:
            words = (
                f"the cache {self.folder} cannot be written ({error.strerror}); expected a folder that can: --cache DIR"
            )
            raise OSError(error.errno, words, url) from error

    def _fetch(self, url: str, state: State, store: Store, file: BinaryIO, part: Path) -> None:
        try:
            file.truncate(0)
            self._make_room(url, state.size, file)
            store.fetch(url, state, file)
            file.flush()
            os.fsync(file.fileno())
            if os.fstat(file.fileno()).st_size != state.size:
                raise OSError(errno.EIO, f"its copy in {self.folder} has another size; look at that disk", url)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def _make_room(self, url: str, size: int, file: BinaryIO) -> None:
        """Reserve the room in the file itself, so that other processes count it; remove what was not used for longest.

        Raises NoRoomError.
        """
        with _locked(self.folder / _LOCK, wait=True):
            copies = sorted(self._copies())
            held = sum(room for _, room, _ in copies)
            for _, room, path in copies:
                if held + size <= self.size:
                    break
                if _remove_unused(path):
                    held -= room
            if held + size > self.size:
                raise NoRoomError(
                    errno.ENOSPC,
                    f"the cache {self.folder} has no room for its {size} bytes: files in use have {held} of "
                    f"{self.size}; {_REMEDY}",
                    url,
                )
            file.truncate(size)

    def _copies(self) -> Iterator[tuple[int, int, Path]]:
        """(time of last use in ns, bytes, path) of each file in the folder that is the cache's own."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if _COPY.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield status.st_mtime_ns, status.st_size, Path(entry.path)


def cache_here() -> Cache:
    """The cache of this process, as the environment says. Raises InputError for a size or a time that is none."""
    given = os.environ.get(FOLDER_VARIABLE)
    folder = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mvmdb"
    size = parse_size(os.environ.get(SIZE_VARIABLE) or DEFAULT_SIZE)
    return Cache(folder.expanduser().absolute(), size, _read_wait(os.environ.get(WAIT_VARIABLE)))


@contextmanager
def use_cache(folder: Path | None, size: str | None) -> Iterator[None]:
    """Make this the cache of this process and of those that it starts; None leaves what the environment says.

    Workers of a Dask cluster have disks of their own, and follow their own environment. Raises InputError for a size
    that is none.
    """
    given = {FOLDER_VARIABLE: None if folder is None else str(folder.expanduser().absolute()), SIZE_VARIABLE: size}
    if size is not None:
        parse_size(size)
    set_here = {name: value for name, value in given.items() if value is not None}
    before = {name: os.environ.get(name) for name in set_here}
    os.environ.update(set_here)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _read_wait(text: str | None) -> float:
    try:
        seconds = float(text or _WAIT)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{WAIT_VARIABLE} is {text!r}; expected seconds, 0 or more")
    return seconds


def parse_size(text: str) -> int:
    """Bytes of a text like 50GB or 500 MB, with units of powers of ten. Raises InputError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or not (size := round(float(match[1]) * _UNITS[_unit(match[2])])):
        raise InputError(f"the size of the cache is {text!r}; expected a number and a unit, as 50GB or 500MB")
    return size


def _unit(text: str) -> str:
    capital = text.upper()
    return capital if capital.endswith("B") or not capital else f"{capital}B"


def _open_shared(path: Path, size: int) -> BinaryIO | None:
    """The copy, locked against removal while it is open; None if there is none of this size."""
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return None
    fcntl.flock(file, fcntl.LOCK_SH)
    if _is_at(path, file) and os.fstat(file.fileno()).st_size == size:
        with contextlib.suppress(OSError):
            now = time.time_ns()  # the kernel's own time of a change is some milliseconds old
            os.utime(path, ns=(now, now))
        return file
    file.close()
    if size != _size_of(path):
        _remove_unused(path)
    return None


@contextmanager
def _locked(path: Path, *, wait: bool = False, most: float = float("inf")) -> Iterator[BinaryIO | None]:
    """A file that only this process has open for writing; None after waiting for another that had it, unless `wait`.

    None too where another has it for more than `most` seconds.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")
    try:
        waited, end = False, monotonic() + most
        while not (mine := _lock(file)) and monotonic() < end:
            waited = True
            time.sleep(_PAUSE)
        yield file if mine and (wait or (not waited and _is_at(path, file))) else None
    finally:
        file.close()


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_unused(path: Path) -> bool:
    """Remove a file unless a process has it open; return whether it was removed."""
    try:
        with path.open("rb") as file:
            if not _lock(file):
                return False
            if _is_at(path, file):
                path.unlink()
            return True
    except FileNotFoundError:
        return True


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
