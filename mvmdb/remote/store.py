"""What every kind of storage elsewhere does for mvmdb, and which one serves an address."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from mvmdb.errors import InputError
from mvmdb.remote.address import is_web, protocol_of
from mvmdb.remote.state import State

TIMEOUT_VARIABLE = "MVMDB_REMOTE_TIMEOUT"
_TIMEOUT = 60.0
_WRAPPERS = frozenset(
    {"asynclocal", "async_wrapper", "blockcache", "cached", "data", "dir", "file", "filecache", "generic", "git",
     "libarchive", "local", "reference", "simplecache", "tar", "zip"}
)  # fmt: skip
"""Protocols of fsspec that lead to files of this machine, or to those of another protocol."""
_REMEDY = "install what is missing: pip install 'mvmdb[remote]'"


class Entry(NamedTuple):
    """One line of a folder's listing: a file with its state, if the listing tells it, or a folder."""

    url: str
    is_folder: bool
    state: State | None = None


class Parts(ABC):
    """A file whose parts are read one by one, all of the same state."""

    @property
    @abstractmethod
    def state(self) -> State:
        """The state of the file. Raises OSError."""

    @abstractmethod
    def read(self, start: int, length: int) -> bytes:
        """So many bytes from `start`, fewer where the file ends. Raises OSError, also if the file has changed."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of what is held."""


class Store(ABC):
    """Storage elsewhere. All methods raise OSError; FileNotFoundError says that a file is gone for sure."""

    @abstractmethod
    def state(self, url: str) -> State:
        """The state of a file now."""

    @abstractmethod
    def open(self, url: str) -> Parts:
        """Read parts of a file."""

    @abstractmethod
    def fetch(self, url: str, state: State, target: BinaryIO) -> None:
        """Write a whole file of this state to `target`, from its beginning."""

    @abstractmethod
    def entries(self, folder: str) -> Iterator[Entry]:
        """What is in a folder, in any order; where that is as cheap, all that is below it."""


def timeout() -> float:
    """Seconds for which a server may be silent."""
    try:
        seconds = float(os.environ.get(TIMEOUT_VARIABLE) or _TIMEOUT)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InputError(f"{TIMEOUT_VARIABLE} is {os.environ[TIMEOUT_VARIABLE]!r}; expected seconds above 0")
    return seconds


_stores: dict[tuple[int, str], Store] = {}
_making = threading.Lock()


def store_of(url: str) -> Store:
    """What serves a canonical address. Raises InputError if fsspec does not know its protocol, or is not installed."""
    key = (os.getpid(), "http" if is_web(url) else protocol_of(url))
    with _making:
        if key not in _stores:
            _stores[key] = _make(key[1])
        return _stores[key]


def _make(protocol: str) -> Store:
    if protocol in _WRAPPERS:
        raise InputError(f"{protocol}:// cannot be read, as it stands for other files; expected https, s3 or the like")
    try:
        if protocol == "http":
            from mvmdb.remote.web import Web

            return Web()
        from mvmdb.remote.buckets import Bucket

        return Bucket(protocol)
    except ImportError as error:
        raise InputError(f"{protocol}:// cannot be read ({error}); {_REMEDY}") from error
    except InputError:
        raise
    except Exception as error:  # a protocol that fsspec does not know, or that needs more than an address
        raise InputError(f"{protocol}:// cannot be read ({error}); expected https, s3 or one of fsspec's") from error
