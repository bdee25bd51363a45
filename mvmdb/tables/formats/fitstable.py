"""FITS tables as chunks of rows; what columns mean is decided elsewhere.

astropy reads the headers. The rows are read here: astropy maps the file, and each access to a text column leaves 100
bytes a row behind (measured with astropy 8), so that memory would grow with the table.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from astropy.io import fits

from mvmdb.errors import InputError
from mvmdb.tables.formats.source import Chunk, Format, Reject


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
        """Rows that were read."""
        return self._done

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self, wanted: Sequence[int], size: int, reject: Reject) -> Iterator[Chunk]:
        """See TableSource; texts, numbers and logicals are Python's."""
        for first in range(0, self.length, size):
            count = min(size, self.length - first)
            content = self._read(self._start + first * self._row.itemsize, count * self._row.itemsize)
            rows = np.frombuffer(content, self._row)
            self._done = first + count
            yield Chunk(
                range(first + 1, self._done + 1), [self._values(rows, at) for at in wanted], self._done
            )  # fmt: skip

    def _read_header(self) -> None:
        try:
            with fits.open(self._file.name, mode="readonly", memmap=True) as hdus:
                tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
                if not tables:
                    raise InputError(f"{self._path} has no table extension; expected a FITS binary table")
                table = tables[0]
                width, self.length = int(table.header["NAXIS1"]), int(table.header["NAXIS2"])
                self._start = int(table.fileinfo()["datLoc"])
                self._heap = self._start + int(table.header.get("THEAP", width * self.length))
                self._columns = list(table.columns)
                own: np.dtype[Any] = table.columns.dtype
        except (OSError, ValueError, KeyError, fits.VerifyError) as error:
            raise InputError(f"{self._path} cannot be read as FITS: {error}; fetch it again") from error
        self.names = tuple(column.name for column in self._columns)
        fields = [own.fields[name] for name in own.names] if own.fields and own.names else []
        offsets = [field[1] for field in fields]
        if isinstance(table, fits.TableHDU):  # columns of an ASCII table need not touch
            offsets = [column.start - 1 for column in self._columns]
        kinds = [field[0].newbyteorder(">") for field in fields]
        names = [str(at) for at in range(len(fields))]
        self._row = np.dtype({"names": names, "formats": kinds, "offsets": offsets, "itemsize": width})

    def _read(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        content = self._file.read(count)
        if len(content) < count:
            raise InputError(f"{self._path} is cut short: {count - len(content)} bytes are missing; fetch it again")
        return content

    def _values(self, rows: np.ndarray[Any, Any], at: int) -> list[object]:
        column, values = self._columns[at], rows[str(at)]
        form = str(column.format)
        if values.dtype.kind == "S":
            return [value.decode("ascii", errors="replace").strip() for value in values.tolist()]
        if "PA" in form or "QA" in form:
            return [self._read_text(length, offset) for length, offset in values.tolist()]
        if values.ndim > 1 or values.dtype.kind not in "iuf":
            raise InputError(
                f"{self._path}: column {column.name} is of format {form}; expected one text or number a row"
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
        return self._read(self._heap + offset, length).decode("ascii", errors="replace").strip()


def _unpack(path: str) -> IO[bytes]:
    unpacked = tempfile.NamedTemporaryFile(suffix=".fits")  # noqa: SIM115 - closed by FitsTable.close
    try:
        with gzip.open(path) as zipped:
            shutil.copyfileobj(zipped, unpacked, 1 << 20)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        unpacked.close()
        raise InputError(f"{path} is a damaged gzip file: {error}; fetch it again") from error
    unpacked.flush()
    return unpacked
