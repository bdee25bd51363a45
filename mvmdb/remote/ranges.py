"""A file elsewhere as a stream: reading moves little more than what is asked for, and seeking moves nothing."""

from __future__ import annotations

import io
from bisect import bisect_right
from typing import Any

from mvmdb.remote.store import Parts

FIRST = 64 << 10
"""Bytes of the first request: the primary header and that of the first chip."""
AHEAD = 24 << 10
"""Bytes of any other request, at least: the longest header of a chip."""
LEAP = 128 << 10
"""Bytes after a request that are rather fetched than passed over: a headerlet has 115 kB."""
LONG = 600 << 10
"""Bytes of the one request of a file that does so: most of its headerlets, and the lookup tables between them.

Measured with eight headerlets: 12 requests of 0.9 MB instead of 18 of 0.6 MB, and a tenth less processor time.
"""
MOST_KEPT = 4 << 20
"""Bytes that are kept of one file: many are read at once, and a file may have more headers than it should."""


class PartsStream(io.RawIOBase):
    """Reads a file by parts. What was read is kept, within limits, as the beginnings of tables are read twice."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts
        self._position = 0
        self._end = 0
        self._has_leapt = False
        self._starts: list[int] = []
        self._kept: list[bytes] = []
        self._keep(0, parts.read(0, FIRST))
        self._size = parts.state.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence])
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self._size:
            data = self._at(self._position, len(view) - done)
            view[done : done + len(data)] = data
            done += len(data)
            self._position += len(data)
        return done

    def close(self) -> None:
        if not self.closed:
            self._parts.close()
        super().close()

    def _at(self, start: int, length: int) -> bytes:
        """Bytes from `start`, some or all of them."""
        place = bisect_right(self._starts, start) - 1
        if place >= 0 and start < self._starts[place] + len(self._kept[place]):
            begin = start - self._starts[place]
            return self._kept[place][begin : begin + length]
        limit = self._starts[place + 1] if place + 1 < len(self._starts) else self._size
        wanted = min(max(length, self._ahead(start)), limit - start)
        data = self._parts.read(start, wanted)
        if len(data) != wanted:
            raise OSError(f"it ends after {len(data)} of {wanted} bytes")
        if length <= AHEAD:
            self._keep(start, data)
            self._end = start + wanted
        return data[:length]

    def _ahead(self, start: int) -> int:
        """How many bytes to fetch from `start`, at least: many where little was passed over, but only once."""
        if self._has_leapt or not 0 < self._end <= start <= self._end + LEAP:
            return AHEAD
        self._has_leapt = True
        return LONG

    def _keep(self, start: int, data: bytes) -> None:
        if sum(map(len, self._kept)) + len(data) > MOST_KEPT:
            self._starts.clear()
            self._kept.clear()
        place = bisect_right(self._starts, start)
        self._starts.insert(place, start)
        self._kept.insert(place, data)
