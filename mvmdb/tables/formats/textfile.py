"""CSV and ECSV files as chunks of rows."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice

from mvmdb.errors import InputError
from mvmdb.tables.formats.bytesource import ByteSource
from mvmdb.tables.formats.source import MOST_AT_ONCE, Chunk, Format, Reject

# The second row of the archive's HST search, and of MAST's own CSV, names the types of the columns.
_TYPES = {
    "string", "ustring", "char", "integer", "int", "long", "float", "double", "boolean", "datetime", "date",
    "ra", "dec",
}  # fmt: skip
LONGEST_LINE = 250_000
"""Characters of a line: twice those of the longest value that Python's csv reads."""
_ROWS_AT_ONCE = 100  # between looks at how many characters they have
_DELIMITERS = ",\t;|"
_ECSV_DELIMITER = re.compile(r"#\s*delimiter:\s*(['\"])(.*?)\1")


class TextTable(ByteSource):
    """A CSV file with a line of names, or an ECSV file; lines before the names that begin with # are skipped.

    The delimiter of a CSV file is the most frequent one of comma, tab, semicolon and bar in its line of names.
    """

    def __init__(self, path: str, form: Format, zipped: bool):
        self.format: Format = form
        self._path = path
        self._characters = self._at_row = 0  # read so far, and when the rows at hand were begun
        super().__init__(path, zipped)
        # A stray byte in a target's name is no reason to refuse a table.
        self._text = io.TextIOWrapper(self.stream, encoding="utf-8-sig", errors="replace", newline="")
        try:
            self.names, self._rows = self._read_names()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        super().close()

    def chunks(self, positions: Sequence[int], size: int, reject: Reject) -> Iterator[Chunk]:
        """See TableSource; a row whose number of values is not that of the names is rejected."""
        number = 0
        while rows := self._take(size):
            if number == 0 and _names_types(rows[0]):
                del rows[0]
            numbers: Sequence[int] = range(number + 1, number + len(rows) + 1)
            number += len(rows)
            if set(map(len, rows)) - {len(self.names)}:
                numbers, rows = self._drop_ragged(numbers, rows, reject)
            columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in self.names]
            yield Chunk(numbers, [columns[position] for position in positions], number)

    def _read_names(self) -> tuple[tuple[str, ...], Iterator[list[str]]]:
        delimiter = " " if self.format == "ecsv" else None  # ECSV's default
        line = self._next_line()
        while line.startswith("#") or not line.strip():
            stated = _ECSV_DELIMITER.match(line)
            if stated is not None and self.format == "ecsv":
                delimiter = stated[2].replace("\\t", "\t")
            if not line:
                raise InputError(f"{self._path} has no line of column names; expected one before the data")
            line = self._next_line()
        if delimiter is None:
            delimiter = max(_DELIMITERS, key=line.count)
        names = next(csv.reader([line], delimiter=delimiter))
        rows = csv.reader(self._lines(), delimiter=delimiter)
        return tuple(name.strip() for name in names), filter(None, rows)

    def _lines(self) -> Iterator[str]:
        """The lines after the names. Raises InputError for one without an end, which a bomb of zeros is."""
        readline = self._text.readline
        while line := readline(LONGEST_LINE):
            self._characters += len(line)
            if len(line) == LONGEST_LINE:
                raise self._too_long(len(line))
            if self._characters - self._at_row > MOST_AT_ONCE:
                raise self._too_long(MOST_AT_ONCE)
            yield line

    def _too_long(self, length: int) -> InputError:
        return InputError(
            f"{self._path} has a row of {length} characters or more; expected at most {LONGEST_LINE} in a line; "
            "check its quotes and line ends"
        )

    def _next_line(self) -> str:
        try:
            line = self._text.readline(LONGEST_LINE)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self._path} is a damaged gzip file: {error}; fetch it again") from error
        if len(line) == LONGEST_LINE:
            raise self._too_long(len(line))
        return line

    def _take(self, size: int) -> list[list[str]]:
        """The next rows: `size` of them, or fewer where these are long."""
        rows: list[list[str]] = []
        begin = self._characters
        try:
            while len(rows) < size and self._characters - begin < MOST_AT_ONCE:
                self._at_row = self._characters
                some = list(islice(self._rows, min(_ROWS_AT_ONCE, size - len(rows))))
                rows += some
                if not some:
                    break
            return rows
        except csv.Error as error:
            raise InputError(f"{self._path} is not {self.format}: {error}; check its quotes") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self._path} is a damaged gzip file: {error}; fetch it again") from error

    def _drop_ragged(
        self, numbers: Sequence[int], rows: list[list[str]], reject: Reject
    ) -> tuple[list[int], list[list[str]]]:
        good = []
        for number, row in zip(numbers, rows, strict=True):
            if len(row) == len(self.names):
                good.append((number, row))
            else:
                reject(number, f"found {len(row)} values; expected {len(self.names)}, one per column; quote commas")
        return [number for number, _ in good], [row for _, row in good]


def _names_types(row: Sequence[str]) -> bool:
    words = {value.strip().lower() for value in row} - {""}
    return bool(words) and words <= _TYPES
