"""FITS tables as chunks of rows.

astropy reads the headers. The rows are read here, because astropy maps the file and each access to a text column leaves
100 bytes per row behind (measured with astropy 8), so that memory would grow with the table.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from astropy.io import fits

from mvmdb.errors import InputError
from mvmdb.tables.formats.bytesource import bomb, most_unpacked
from mvmdb.tables.formats.source import MOST_AT_ONCE, Chunk, Format, Reject

_MANDATORY = (
    ("BITPIX", 8, 8), ("NAXIS", 2, 2), ("NAXIS1", 1, 10**7), ("NAXIS2", 0, 10**12), ("PCOUNT", 0, 10**15),
    ("GCOUNT", 1, 1), ("TFIELDS", 1, 999),
)  # fmt: skip
"""Keywords of a table's header, with the least and the most that they may be (FITS 4.0, sections 7.2.1 and 7.3.1)."""


class FitsTable:
    """The first table extension of a FITS file, binary or ASCII; a gzipped one is unpacked to a temporary file first.

    Columns may hold texts, numbers, logicals, and texts of variable length.
    """

    def __init__(self, path: str, zipped: bool):
        self.format: Format = "fits"
        self._path = path
        self._file: IO[bytes] = _unpack(path) if zipped else open(path, "rb")  # noqa: SIM115 - closed by close()
        self._done = 0
        try:
            self._read_header()
        except BaseException:
            self.close()
            raise

    def done(self) -> int:
        """Number of rows that were read."""
        return self._done

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self, positions: Sequence[int], size: int, reject: Reject) -> Iterator[Chunk]:
        """See TableSource; texts, numbers and logicals are plain Python values."""
        size = max(1, min(size, MOST_AT_ONCE // max(1, self._row.itemsize)))
        for first in range(0, self.length, size):
            count = min(size, self.length - first)
            content = self._read(self._start + first * self._row.itemsize, count * self._row.itemsize)
            rows = np.frombuffer(content, self._row)
            self._done = first + count
            columns = [self._values(rows, position) for position in positions]
            yield Chunk(range(first + 1, self._done + 1), columns, self._done)

    def _read_header(self) -> None:
        try:
            # What astropy would warn of either does not matter here or becomes an error.
            with warnings.catch_warnings(action="ignore"), fits.open(self._file.name, memmap=True) as hdus:
                tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
                if not tables:
                    raise InputError(f"{self._path} has no table extension; expected a FITS binary table")
                table = tables[0]
                self._check_header(table.header)
                width, self.length = int(table.header["NAXIS1"]), int(table.header["NAXIS2"])
                self._start = int(table.fileinfo()["datLoc"])
                self._heap = self._start + int(table.header.get("THEAP", width * self.length))
                self._columns = list(table.columns)
                dtype: np.dtype[Any] = table.columns.dtype
        except (OSError, ValueError, KeyError, fits.VerifyError) as error:
            raise InputError(f"{self._path} cannot be read as FITS: {error}; fetch it again") from error
        self.names = tuple(column.name for column in self._columns)
        fields = [dtype.fields[name] for name in dtype.names] if dtype.fields and dtype.names else []
        offsets = [field[1] for field in fields]
        if isinstance(table, fits.TableHDU):  # columns of an ASCII table need not be contiguous
            offsets = [column.start - 1 for column in self._columns]
        formats = [field[0].newbyteorder(">") for field in fields]
        names = [str(position) for position in range(len(fields))]
        self._check_size(width, max([o + f.itemsize for o, f in zip(offsets, formats, strict=True)], default=0))
        self._row = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": width})

    def _check_header(self, header: fits.Header) -> None:
        """Refuse what the standard does not allow: astropy would make as many columns as TFIELDS says."""
        for keyword, least, most in _MANDATORY:
            value = header.get(keyword)
            if type(value) is not int or not least <= value <= most:
                expected = str(least) if least == most else f"{least} to {most}"
                raise InputError(
                    f"{self._path} is damaged: found {keyword} = {value!r}; expected {expected}; fetch it again"
                )

    def _check_size(self, width: int, needed: int) -> None:
        """Refuse rows that cannot be as the header says, before anything is read by it."""
        if not 0 < needed <= width or self.length < 0:
            raise InputError(
                f"{self._path} is damaged: found NAXIS1 = {width} and NAXIS2 = {self.length}; expected rows of "
                f"{needed} bytes or more, as TFORMn say; fetch it again"
            )
        there = os.path.getsize(self._file.name) - self._start
        if width * self.length > there:
            raise InputError(
                f"{self._path} is cut short: {width * self.length - there} bytes are missing; fetch it again"
            )

    def _read(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        content = self._file.read(count)
        if len(content) < count:
            raise InputError(f"{self._path} is cut short: {count - len(content)} bytes are missing; fetch it again")
        return content

    def _values(self, rows: np.ndarray[Any, Any], position: int) -> list[object]:
        column, values = self._columns[position], rows[str(position)]
        form = str(column.format)
        if values.dtype.kind == "S":
            return [value.decode("ascii", errors="replace").strip() for value in values.tolist()]
        if "PA" in form or "QA" in form:
            return [self._read_text(length, offset) for length, offset in values.tolist()]
        if values.ndim > 1 or values.dtype.kind not in "iuf":
            raise InputError(
                f"{self._path}: column {column.name} is of format {form}; expected one text or number per row"
            )
        listed: list[object] = values.tolist()
        if form.endswith("L"):
            return [{84: True, 70: False}.get(value) for value in values.tolist()]  # the letters T and F
        missing = column.null if isinstance(column.null, int) else None
        scale, zero = column.bscale or 1, column.bzero or 0
        if (scale, zero) == (1, 0) and missing is None:
            return listed
        return [None if value == missing else value * scale + zero for value in values.tolist()]

    def _read_text(self, length: int, offset: int) -> str:
        if not (0 <= length <= MOST_AT_ONCE and offset >= 0):
            raise InputError(
                f"{self._path} is damaged: found a text of {length} bytes at {offset} of the heap; fetch it again"
            )
        return self._read(self._heap + offset, length).decode("ascii", errors="replace").strip()


def _unpack(path: str) -> IO[bytes]:
    unpacked = tempfile.NamedTemporaryFile(suffix=".fits")  # noqa: SIM115 - closed by FitsTable.close
    most = most_unpacked(path)
    try:
        with gzip.open(path) as zipped:
            while block := zipped.read(1 << 20):
                if unpacked.tell() + len(block) > most:
                    raise bomb(path)
                unpacked.write(block)
        unpacked.flush()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        unpacked.close()
        raise InputError(f"{path} is a damaged gzip file: {error}; fetch it again") from error
    except BaseException:
        unpacked.close()
        raise
    return unpacked
