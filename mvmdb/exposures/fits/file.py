"""Where each header and array of a FITS file lies, and how an array is read; `layout` and `pixels` use them.

Only headers are read: data are skipped by the size that their header states, and the whole is checked against the
file's size. The headerlets and tables of archive files (often a megabyte) thus cost one small read each.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any, BinaryIO

import numpy as np

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.cards import CARD, Cards, Value
from mvmdb.remote.files import OpenFile, open_headers, open_pixels
from mvmdb.remote.pairs import flags_beside

BLOCK = 2880
_READ_AHEAD = 4 * BLOCK
_LONGEST_HEADER = 4000 * BLOCK
"""Bytes: 144,000 cards, a hundred times as many as the longest headers of Hubble's files have."""
_MOST_HEADERS = 1000
"""Files with a whole history of solutions have some dozens."""
_LONGEST_HEADERS = 20000 * BLOCK
"""Bytes of all headers together; they are kept in memory."""
_MOST_FILL = 64 << 20
"""Bytes of padding after the last HDU. A hole has no end within reason."""
_CHUNK = 1 << 20
_KEYWORD = 8
_STRUCTURE = ("XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "EXTNAME", "EXTVER")
_END = b"END".ljust(CARD)
_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


@dataclass(frozen=True, slots=True)
class Hdu:
    """One header and where it and its data are.

    `shape` is in numpy's order. `start` is where the header begins, `offset` where the data do, and `size` that of the
    data without padding, all in bytes.
    """

    name: str
    ver: int
    xtension: str
    bitpix: int
    shape: tuple[int, ...]
    header: Cards
    start: int
    offset: int
    size: int

    @property
    def pixel_shape(self) -> tuple[int, ...]:
        """The array's shape, also for a constant array in Hubble's convention (NAXIS 0, NPIX1, NPIX2)."""
        if self.shape:
            return self.shape
        sides = (self.header.find("NPIX2"), self.header.find("NPIX1"))
        return tuple(side for side in sides if isinstance(side, int) and side > 0) if None not in sides else ()

    @property
    def array_size(self) -> int:
        """Bytes of the array alone; `size` has those of a heap and of further groups too."""
        return abs(self.bitpix) // 8 * prod(self.shape)

    def __str__(self) -> str:
        return f"({self.name},{self.ver})"


@dataclass(frozen=True, slots=True)
class FitsFile:
    """The headers of one file, with the size in bytes and the modification time that it had when they were read.

    Of an exposure of two files (`remote/pairs.py`), `flags` has the headers of the file with its flags, whose images
    are also among `hdus`, as DQ.
    """

    path: str
    size: int
    mtime_ns: int
    hdus: tuple[Hdu, ...]
    flags: FitsFile | None = None

    @property
    def primary(self) -> Cards:
        """The primary header."""
        return self.hdus[0].header

    @property
    def n_extensions(self) -> int:
        """How many extensions the file itself has, without the images of the flags beside it."""
        return len(self.hdus) - 1 - (0 if self.flags is None else len(_list_images(self.flags.hdus)))

    def images(self, name: str) -> tuple[Hdu, ...]:
        """The extensions of one EXTNAME, in the order of EXTVER."""
        return tuple(sorted((hdu for hdu in self.hdus[1:] if hdu.name == name), key=lambda hdu: hdu.ver))


def scan_file(path: str | os.PathLike[str]) -> FitsFile:
    """Read every header of an uncompressed FITS file.

    Time and memory have limits, whatever is in the file. Raises ExposureError: `unreadable` (no such file, no
    permission, not a plain file), `not-fits`, `truncated` (shorter than its headers say), `contradictory` (impossible
    headers).
    """
    name = os.fspath(path)
    with open_or_blame(name, open_headers) as opened:
        return scan_open(opened, name)


def scan_open(opened: OpenFile, name: str) -> FitsFile:
    """As `scan_file`, of an open file, which is read from its beginning. Raises OSError too."""
    pixels, beside = opened.pixels, flags_beside(name)
    if pixels is None or beside is None:
        hdus = tuple(_walk(opened.stream, (0, opened.size), name))
        return FitsFile(name, opened.size, opened.mtime_ns, hdus)
    hdus = tuple(_walk(opened.stream, (0, pixels), name))
    flags = tuple(_walk(opened.stream, (pixels, opened.size), beside))
    arrays = tuple(replace(hdu, name="DQ") for hdu in _list_images(flags))
    beside_it = FitsFile(beside, opened.size - pixels, opened.mtime_ns, flags)
    return FitsFile(name, opened.size, opened.mtime_ns, hdus + arrays, beside_it)


def _list_images(hdus: tuple[Hdu, ...]) -> list[Hdu]:
    """The images of a file with flags, whatever they are called: SCI, SDQ or DQ."""
    return [hdu for hdu in hdus[1:] if hdu.xtension == "IMAGE"]


@contextmanager
def open_or_blame(
    name: str, open_file: Callable[[str], AbstractContextManager[OpenFile]] = open_pixels
) -> Iterator[OpenFile]:
    """An open file; an OSError, in the block too, becomes ExposureError `unreadable`."""
    try:
        with open_file(name) as opened:
            yield opened
    except OSError as error:
        raise ExposureError("unreadable", f"{name} cannot be read: {error.strerror or error}") from error


def read_array(stream: BinaryIO, hdu: Hdu) -> np.ndarray[Any, np.dtype[Any]]:
    """The pixels of one image as stored (big-endian, unscaled); a constant array is filled with its PIXVALUE."""
    if not hdu.shape:
        return np.full(hdu.pixel_shape, constant_value(hdu), _DTYPES[hdu.bitpix])
    stream.seek(hdu.offset)
    data = stream.read(hdu.array_size)
    while len(data) < hdu.array_size and (more := stream.read(hdu.array_size - len(data))):
        data += more
    if len(data) != hdu.array_size:
        raise ExposureError("truncated", f"{hdu}: found {len(data)} bytes of pixels; expected {hdu.array_size}")
    return np.frombuffer(data, _DTYPES[hdu.bitpix]).reshape(hdu.shape)


def constant_value(hdu: Hdu) -> float:
    """PIXVALUE of an array that Hubble stores as one number; 0 where the keyword is absent, as in calibration files."""
    value = hdu.header.get("PIXVALUE", 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExposureError("contradictory", f"{hdu}: PIXVALUE is {value!r}; expected a number")
    return value


def read_scaling(hdu: Hdu) -> tuple[float, float]:
    """BSCALE and BZERO. Raises ExposureError `contradictory` where they, or BLANK, are no finite numbers."""
    numbers = []
    for keyword, unset in (("BSCALE", 1), ("BZERO", 0), ("BLANK", 0)):
        value = hdu.header.find(keyword)
        if value is None and hdu.header.lacks(keyword):
            value = unset
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ExposureError(
                "contradictory", f"{hdu.header.path}: {keyword} of {hdu} is {value!r}; expected a number"
            )
        numbers.append(float(value))
    return numbers[0], numbers[1]


def _walk(stream: BinaryIO, span: tuple[int, int], path: str) -> Iterator[Hdu]:
    """The HDUs of a file, whose bytes are those of the stream from `span[0]` to `span[1]`."""
    (first, size), count, length = span, 0, 0
    offset = stream.seek(first)
    while offset < size:
        start = stream.read(_READ_AHEAD)
        if offset > first and _is_fill(start, stream, path):
            return
        _check_start(start, offset - first, path)
        raw, data_offset = _read_header(start, stream, offset, size, path)
        count, length = count + 1, length + len(raw)
        if count > _MOST_HEADERS or length > _LONGEST_HEADERS:
            raise ExposureError(
                "contradictory",
                f"{path} has {count} headers or more, of {length} bytes together; expected some dozens",
            )
        hdu = _describe(Cards(raw, path), offset, data_offset, path, is_first=offset == first)
        if data_offset > size:
            raise ExposureError("truncated", f"{path} is cut short: it ends within the header of {hdu}")
        if data_offset + hdu.size > size:
            present, expected = size - data_offset, hdu.size
            raise ExposureError(
                "truncated", f"{path} is cut short: {present} of {expected} data bytes of {hdu} are there"
            )
        yield hdu
        offset = data_offset + -(-hdu.size // BLOCK) * BLOCK
        stream.seek(offset)
    if size == first:
        raise ExposureError("truncated", f"{path} is empty")


def _is_fill(start: bytes, stream: BinaryIO, path: str) -> bool:
    """Whether the rest of a file, of which `start` was read, is NUL bytes or blanks: padding beyond the last HDU."""
    if start[:1] not in (b"\0", b" "):  # nearly always: stripping would walk through the pixels that follow
        return False
    length = 0
    while start and not start.strip(b"\0 "):
        length += len(start)
        if length > _MOST_FILL:
            raise ExposureError(
                "contradictory",
                f"{path}: after the last HDU, found {length} NUL bytes or blanks or more; expected none",
            )
        start = stream.read(_CHUNK)
    return not start


def _read_header(start: bytes, stream: BinaryIO, offset: int, size: int, path: str) -> tuple[bytes, int]:
    """The header at `offset`, without END, and where its data begin; `start` is what was read of it already."""
    raw = bytearray(start)
    searched = 0
    while True:
        end = raw.find(_END, searched)
        while end >= 0 and end % CARD:
            end = raw.find(_END, end + 1)
        if end >= 0:
            return _with_capitals(bytes(raw[:end])), offset + -(-(end + CARD) // BLOCK) * BLOCK
        searched = len(raw) - len(raw) % CARD
        more = stream.read(_READ_AHEAD)
        if not more:
            raise ExposureError("truncated", f"{path} is cut short: the header at byte {offset} of {size} has no END")
        if len(raw) > _LONGEST_HEADER:
            raise ExposureError(
                "contradictory",
                f"{path}: the header at byte {offset} has no END within {len(raw)} bytes; fetch the file again",
            )
        raw += more


def _with_capitals(raw: bytes) -> bytes:
    """A header with its keywords in capitals, as other readers take them too."""
    cards = np.frombuffer(raw, np.uint8).reshape(-1, CARD)
    if not (cards[:, :_KEYWORD] >= ord("a")).any():
        return raw
    return b"".join(card[:_KEYWORD].upper() + card[_KEYWORD:] for (card,) in struct.iter_unpack(f"{CARD}s", raw))


def _check_start(raw: bytes, offset: int, path: str) -> None:
    if offset == 0:
        if raw.startswith(b"\x1f\x8b"):
            raise ExposureError("not-fits", f"{path} is gzip-compressed; uncompress it first: gunzip")
        if not (raw.startswith(b"SIMPLE  =") and Cards(raw[:CARD].ljust(CARD)).find("SIMPLE") is True):
            raise ExposureError("not-fits", f"{path} is not FITS: it begins with {raw[:16]!r}, expected SIMPLE = T")
    elif not raw.startswith(b"XTENSION"):
        raise ExposureError(
            "contradictory", f"{path}: no extension begins at byte {offset}, where the previous one should end"
        )


def _describe(header: Cards, start: int, offset: int, path: str, *, is_first: bool) -> Hdu:
    """The structure that a header states, by section 4.4.1 of the FITS standard."""
    find = header.find
    xtension = "PRIMARY" if is_first else find("XTENSION")
    if not isinstance(xtension, str) or not xtension:
        raise ExposureError("contradictory", f"{path}: XTENSION at byte {start} is {xtension!r}; expected a text")
    name = str(find("EXTNAME") or xtension).strip().upper()
    _check_once(header, path)
    bitpix, naxis = find("BITPIX"), find("NAXIS")
    if not (type(bitpix) is int and bitpix in _DTYPES and type(naxis) is int and 0 <= naxis <= 999):
        raise ExposureError(
            "contradictory",
            f"{path}: {name} has BITPIX {bitpix!r} and NAXIS {naxis!r}; expected those of FITS",
        )
    sides = [find(f"NAXIS{axis}") for axis in range(naxis, 0, -1)]
    shape = tuple(side for side in sides if type(side) is int and side >= 0)
    if len(shape) != naxis:
        raise ExposureError("contradictory", f"{path}: {name} has axes of {sides} pixels; expected whole numbers")
    # The primary header needs neither; an extension has both.
    absent = (0, 1) if is_first else (None, None)
    extra, groups = _count(find, "PCOUNT", absent[0]), _count(find, "GCOUNT", absent[1])
    if None in (extra, groups) or (xtension == "IMAGE" and (extra, groups) != (0, 1)):
        raise ExposureError(
            "contradictory",
            f"{path}: {name} has PCOUNT {find('PCOUNT')!r} and GCOUNT {find('GCOUNT')!r}; expected whole numbers, of "
            "an image 0 and 1",
        )
    assert extra is not None
    assert groups is not None
    size = abs(bitpix) // 8 * groups * (extra + prod(shape)) if shape else 0
    ver = find("EXTVER")
    if not (type(ver) is int or (ver is None and header.lacks("EXTVER"))):
        raise ExposureError("contradictory", f"{path}: {name} has EXTVER {ver!r}; expected a whole number")
    hdu = Hdu(name, 1 if ver is None else ver, xtension, bitpix, shape, header, start, offset, size)
    if xtension in ("PRIMARY", "IMAGE"):
        read_scaling(hdu)
        if find("EXTEND") not in (True, False, None) or not isinstance(find("EXTNAME"), str | None):
            raise ExposureError("contradictory", f"{path}: {name} has EXTEND or EXTNAME of the wrong type")
    return hdu


def _check_once(header: Cards, path: str) -> None:
    """Refuse two different values of a keyword that says where data end: readers differ over which of them counts."""
    for keyword in _STRUCTURE:
        if header.is_repeated(keyword):
            raise ExposureError(
                "contradictory", f"{path}: a header has {keyword} twice, with different values; fetch the file again"
            )


def _count(find: Callable[[str], Value], keyword: str, default: int | None) -> int | None:
    """A number of the header that is not negative, `default` where it is absent; None for all else."""
    value = find(keyword)
    if value is None:
        return default
    return value if type(value) is int and value >= 0 else None
