"""A table's file as a stream of bytes, decompressed on the fly, that knows how much of the file was read."""

from __future__ import annotations

import gzip
import os
from typing import IO, Any

from mvmdb.errors import InputError

ALWAYS_UNPACKED = 256_000_000
MOST_TIMES = 100
"""A gzipped table of more bytes than the first, and of more times its size than the second, is a bomb."""


def most_unpacked(path: str) -> int:
    """The most bytes that a gzipped table may have when it is unpacked."""
    return max(ALWAYS_UNPACKED, MOST_TIMES * os.path.getsize(path))


def bomb(path: str) -> InputError:
    """The error for a gzipped table that is a bomb."""
    return InputError(f"{path} has more than {MOST_TIMES} times its size in it; expected a table")


class _Unzipped(gzip.GzipFile):
    """A gzipped file that refuses to go on where it turns out to be a bomb."""

    def __init__(self, path: str, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._path, self._most = path, most_unpacked(path)

    def read(self, size: int | None = -1) -> bytes:
        return self._bounded(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._bounded(super().read1(size))

    def _bounded(self, content: bytes) -> bytes:
        if self.tell() > self._most:
            raise bomb(self._path)
        return content


class ByteSource:
    """The open file of a table that is read once, from beginning to end."""

    def __init__(self, path: str, zipped: bool):
        self.length = os.path.getsize(path)
        self._raw = open(path, "rb")  # noqa: SIM115 - closed by close()
        unzipped: Any = _Unzipped(path, self._raw) if zipped else self._raw
        self.stream: IO[bytes] = unzipped

    def done(self) -> int:
        """Bytes of the file that were read."""
        return self._raw.tell()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()
