"""Opens a product's file if it can be read in limited time and memory; what it holds is not judged.

astropy believes axes and formats of columns before it looks at the size of the file, waits for a named pipe, and
unpacks what is compressed. So the headers are scanned first, as those of exposures are.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning

from mvmdb.errors import ExposureError, ProductError
from mvmdb.exposures.fits.file import Hdu, scan_file

RAISED = (
    OSError, VerifyError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, AssertionError,
    MemoryError, struct.error,
)  # fmt: skip
"""What astropy and numpy raise for files that are damaged."""
LARGEST_TABLE = 1 << 26
"""Bytes of HDRTAB: tens of thousands of chips."""
MOST_ROWS = 50_000
LARGEST_HEADERS = 1 << 22
"""Bytes of all headers together: 50,000 cards, which astropy reads in a second; a product has some hundreds."""


@contextmanager
def opened(path: str | Path) -> Iterator[fits.HDUList]:
    """The HDUs of a product's file. Raises one of RAISED if it is no FITS file, is cut short or has absurd tables."""
    name = os.path.abspath(path)
    try:
        scanned = scan_file(name)
    except ExposureError as error:
        raise ValueError(str(error).removeprefix(name).lstrip(": ")) from error
    length = sum(hdu.offset - hdu.start for hdu in scanned.hdus)
    if length > LARGEST_HEADERS:
        raise ValueError(f"its headers have {length} bytes; expected {LARGEST_HEADERS} at most")
    for hdu in scanned.hdus:
        if hdu.xtension == "BINTABLE":
            _check_table(hdu)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # of cards that are not used
        with fits.open(
            path, mode="readonly", memmap=False, lazy_load_hdus=False, disable_image_compression=True
        ) as hdus:
            yield hdus


def check_columns(table: fits.BinTableHDU, path: str | Path) -> None:
    """Refuse a table whose columns are not those of its rows, before any row is read. Raises ProductError."""
    formats = [str(column.format) for column in table.columns]
    if any("P" in text or "Q" in text for text in formats):  # rows would say how much is to be read, and from where
        raise ProductError(f"{path} is damaged: {table.name} has columns of variable length; expected fixed ones")
    width = table.columns.dtype.itemsize
    if width != table.header["NAXIS1"]:
        raise ProductError(
            f"{path} is damaged: the columns of {table.name} have {width} bytes, and its rows {table.header['NAXIS1']}"
        )


def _check_table(hdu: Hdu) -> None:
    if hdu.size > LARGEST_TABLE or len(hdu.shape) != 2 or hdu.shape[0] > MOST_ROWS:
        raise ValueError(
            f"the table {hdu} has {hdu.size} bytes and the shape {hdu.shape}; "
            f"expected {LARGEST_TABLE} bytes and {MOST_ROWS} rows at most"
        )
