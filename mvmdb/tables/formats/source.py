"""What every table reader offers, and which reader a file needs, by its first bytes; what columns mean is not known.

Readers stream: a chunk of rows at a time, and of each row only the columns asked for.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from mvmdb.errors import InputError

Format = Literal["csv", "ecsv", "votable", "fits", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "ecsv", "votable", "fits", "parquet")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table: their numbers (the first row of data is 1), and one list of values a column.

    `read` is how many rows of the table were read so far, those rejected included.
    """

    numbers: Sequence[int]
    columns: list[list[object]]
    read: int


Reject = Callable[[int, str], None]
"""Called with the number of a row that is no row, and why."""


class TableSource(Protocol):
    """An open table. `length` and `done()` measure progress, in rows or bytes, whichever the format knows."""

    format: Format
    names: tuple[str, ...]
    length: int

    def chunks(self, wanted: Sequence[int], size: int, reject: Reject) -> Iterator[Chunk]:
        """The columns at positions `wanted`, `size` rows at a time, once; raises InputError where the file is bad."""
        ...

    def done(self) -> int:
        """How much of `length` was read."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@contextmanager
def open_table(path: str | os.PathLike[str], form: Format | None = None) -> Iterator[TableSource]:
    """Open a table of any of FORMATS, CSV, ECSV and VOTable also gzipped, and FITS gzipped at the cost of a copy.

    Raises InputError when the file cannot be opened, is of no such format or has no header.
    """
    name = os.fspath(path)
    try:
        zipped, head = _read_head(name)
        source = _open(name, form or _recognise(name, head), zipped)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}; check the path") from error
    try:
        yield source
    finally:
        source.close()


def _read_head(path: str) -> tuple[bool, bytes]:
    with open(path, "rb") as stream:
        head = stream.read(4096)
    if not head.startswith(_GZIP):
        return False, head
    try:
        with gzip.open(path) as unzipped:
            return True, unzipped.read(4096)
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is a damaged gzip file: {error}; fetch it again") from error


def _recognise(path: str, head: bytes) -> Format:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    if head.startswith(b"PAR1"):
        return "parquet"
    if text.startswith(b"# %ECSV"):
        return "ecsv"
    if text.startswith(b"<"):
        return "votable"
    if not text:
        raise InputError(f"{path} is empty; expected a table with a line of column names")
    if b"\0" in head:
        raise InputError(f"{path} is no table that is known; expected one of {', '.join(FORMATS)}; convert it")
    return "csv"


def _open(path: str, form: Format, zipped: bool) -> TableSource:
    if form in ("csv", "ecsv"):
        from mvmdb.tables.formats.textfile import TextTable

        return TextTable(path, form, zipped)
    if form == "votable":
        from mvmdb.tables.formats.votable import VoTable

        return VoTable(path, zipped)
    if form == "fits":
        from mvmdb.tables.formats.fitstable import FitsTable

        return FitsTable(path, zipped)
    from mvmdb.tables.formats.parquet import ParquetTable

    return ParquetTable(path)
