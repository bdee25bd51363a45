"""Whether an HDU's bytes are those that its DATASUM and CHECKSUM were computed from; most files of Hubble have neither.

The sums are those of the FITS checksum convention (appendix J of the FITS standard 4.0): 32-bit words are added in
one's complement, over the data for DATASUM, and over header and data for CHECKSUM, which makes the total all ones.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.file import BLOCK, Hdu

_CHUNK = 4096 * BLOCK
ALL_ONES = 0xFFFFFFFF
"""The sum over header and data where CHECKSUM holds."""


def check_sums(stream: BinaryIO, hdu: Hdu, path: str) -> None:
    """Compare an HDU's bytes with its DATASUM and CHECKSUM; one that is absent or blank is not compared.

    Raises ExposureError `checksum`, naming the HDU and the keyword.
    """
    stated, check = hdu.header.get("DATASUM"), hdu.header.get("CHECKSUM")
    expected = int(stated) if isinstance(stated, str) and stated.strip().isdecimal() else stated
    checked = isinstance(check, str) and check.strip() not in ("", "0" * 16)
    if not isinstance(expected, int) and not checked:
        return
    data = sum_words(stream, hdu.offset, -(-hdu.size // BLOCK) * BLOCK)
    if isinstance(expected, int) and data != expected:
        raise _mismatch(path, hdu, "DATASUM", f"the data's sum is {data}, expected {expected}")
    if checked and _add(sum_words(stream, hdu.start, hdu.offset - hdu.start), data) != ALL_ONES:
        raise _mismatch(path, hdu, "CHECKSUM", "header and data are not those that it was computed from")


def sum_words(stream: BinaryIO, offset: int, size: int) -> int:
    """The one's complement sum of the big-endian 32-bit words in a part of a file."""
    stream.seek(offset)
    total = 0
    while size > 0 and (chunk := stream.read(min(_CHUNK, size))):
        chunk += b"\0" * (-len(chunk) % 4)
        total = _add(total, int(np.frombuffer(chunk, ">u4").sum(dtype=np.uint64)))
        size -= len(chunk)
    return total


def _add(first: int, second: int) -> int:
    total = first + second
    while total > ALL_ONES:
        total = (total & ALL_ONES) + (total >> 32)
    return total


def _mismatch(path: str, hdu: Hdu, keyword: str, finding: str) -> ExposureError:
    return ExposureError(
        "checksum",
        f"{path}: {keyword} of {hdu} does not hold: {finding}; fetch the file again, "
        "or where it was edited on purpose run: fitscheck --write",
    )
