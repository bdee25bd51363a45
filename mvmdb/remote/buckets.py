"""Files of every other storage that fsspec knows, S3 before all; credentials come from where fsspec takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, BinaryIO

import fsspec

from mvmdb.remote import faults
from mvmdb.remote.state import State
from mvmdb.remote.store import Entry, Parts, Store

_ETAGS = ("ETag", "etag", "content_md5", "md5Hash", "checksum")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
_CHUNK = 8 << 20


class Bucket(Store):
    """Files of one protocol of fsspec."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        self._fs: Any = fsspec.filesystem(protocol, use_listings_cache=False)

    def state(self, url: str) -> State:
        """What fsspec's `info` tells now."""
        with _in_words(url):
            self._fs.invalidate_cache()
            return _state_in(self._fs.info(url), url)

    def open(self, url: str) -> Parts:
        """Open fsspec's file; that of S3 refuses to go on where the ETag is another one."""
        with _in_words(url):
            return _BucketParts(self._fs, url, self.state(url))

    def fetch(self, url: str, state: State, target: BinaryIO) -> None:
        """Copy the whole, a few megabytes at once."""
        parts = self.open(url)
        try:
            if parts.state.stamp != state.stamp:
                raise faults.changed(url)
            while target.tell() < state.size:
                chunk = parts.read(target.tell(), _CHUNK)
                if not chunk:
                    raise faults.broken(url, f"it ends after {target.tell()} of {state.size} bytes")
                target.write(chunk)
        finally:
            parts.close()

    def entries(self, folder: str) -> Iterator[Entry]:
        """The files below a folder; its own folders are searched one by one, so that memory holds one of them."""
        with _in_words(folder):
            entries = self._fs.ls(folder, detail=True)
        for entry in entries:
            if entry["type"] == "directory":
                with _in_words(folder):
                    below = self._fs.find(self._url(entry["name"]), detail=True)
                yield from (self._entry(inside) for inside in below.values())
            elif entry.get("size") is not None:
                yield self._entry(entry)

    def _entry(self, entry: Mapping[str, Any]) -> Entry:
        url = self._url(entry["name"])
        return Entry(url, entry["type"] == "directory", _state_in(entry, url))

    def _url(self, name: str) -> str:
        return name if "://" in name else f"{self._protocol}://{name.lstrip('/')}"


class _BucketParts(Parts):
    def __init__(self, fs: Any, url: str, state: State) -> None:
        self._url, self._state = url, state
        self._file = fs.open(url, "rb", cache_type="none")

    @property
    def state(self) -> State:
        return self._state

    def read(self, start: int, length: int) -> bytes:
        with _in_words(self._url):
            self._file.seek(start)
            data: bytes = self._file.read(max(0, min(length, self._state.size - start)))
            return data

    def close(self) -> None:
        self._file.close()


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """Each library below fsspec has errors of its own; a file that cannot be read must not stop the others."""
    try:
        yield
    except Exception as error:
        raise faults.in_words(url, error) from error


def _state_in(entry: Mapping[str, Any], url: str) -> State:
    size = None if entry.get("type") == "directory" else entry.get("size")
    if not isinstance(size, int):
        raise faults.broken(url, "its length is not known; expected a file")
    etag = next((str(entry[key]) for key in _ETAGS if entry.get(key)), "")
    times = (_seconds(entry[key]) for key in _TIMES if entry.get(key))
    return State(size, etag, max(0, next((time for time in times if time is not None), 0)))


def _seconds(value: object) -> int | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
