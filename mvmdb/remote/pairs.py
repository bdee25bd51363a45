"""Exposures of two files, as WFPC2's in the archive: the pixels in `_c0m.fits`, their flags in `_c1m.fits` beside it.

The exposure goes by the address of its pixels. Its bytes are those of both files, one after the other, and its stamp
changes whenever either file does, comes or goes. The flags may be missing.
"""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO

from mvmdb.remote.state import Stamp

PIXELS, FLAGS = "_c0m.fits", "_c1m.fits"
_SECOND = 10**9


def flags_beside(address: str) -> str | None:
    """The address at which the flags of an exposure lie, if it is one of two files; None for any other.

    >>> flags_beside("/data/u2eq0201t_c0m.fits")
    '/data/u2eq0201t_c1m.fits'
    """
    if not address.lower().endswith(PIXELS):
        return None
    at = len(address) - len(PIXELS) + FLAGS.index("1")
    return f"{address[:at]}1{address[at + 1 :]}"


def join_stamps(pixels: Stamp, flags: Stamp | None) -> Stamp:
    """The stamp of both files together: their bytes, and the later time, whose fraction of a second tells the states.

    Files elsewhere have such a fraction already, which stands for their ETag (`State.stamp`); where both have one, the
    times have no part in it, as mirrors tell other times of the same file.
    """
    if flags is None:
        return pixels
    size, seconds = pixels[0] + flags[0], max(pixels[1], flags[1]) // _SECOND
    told = pixels[1] % _SECOND, flags[1] % _SECOND
    states = (pixels[0], told[0], flags[0], told[1]) if all(told) else (*pixels, *flags)
    digest = hashlib.blake2b(repr(states).encode(), digest_size=8).digest()
    return size, seconds * _SECOND + 1 + int.from_bytes(digest) % (_SECOND - 1)


class JoinedStream(io.RawIOBase):
    """Several streams as one, in their order, from byte 0 of the first; the streams are not closed with it."""

    def __init__(self, parts: Sequence[tuple[BinaryIO, int]]) -> None:
        """`parts` are streams with their sizes in bytes."""
        super().__init__()
        self._streams = [stream for stream, _ in parts]
        self._ends = list(accumulate(size for _, size in parts))
        self._place = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, as for any stream."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._ends[-1]}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def readinto(self, buffer: object) -> int:
        """Fill a buffer from one of the streams; 0 at the end of the last."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        number = bisect_right(self._ends, self._place)
        if number == len(self._ends):
            return 0
        begin = self._ends[number - 1] if number else 0
        stream, within = self._streams[number], self._place - begin
        stream.seek(within)
        wanted = min(len(view), self._ends[number] - self._place)
        data = stream.read(wanted)
        view[: len(data)] = data
        self._place += len(data)
        return len(data)
