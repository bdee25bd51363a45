"""The interface of all table readers, and the choice of a reader by a file's first bytes; columns.py names the columns.

Readers stream: they yield one chunk of rows at a time, with the requested columns alone.
"""

from __future__ import annotations

import gzip
import logging
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from mvmdb.errors import InputError, MvmdbError
from mvmdb.inputs import open_plain

log = logging.getLogger(__name__)

Format = Literal["csv", "ecsv", "votable", "fits", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "ecsv", "votable", "fits", "parquet")
MOST_AT_ONCE = 64_000_000
"""Bytes or characters of a table that a reader holds at once; rows of ordinary length do not come near it."""
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table: their numbers (the first row of data is 1), and one list of values per column.

    `read` is the number of rows of the table that were read so far, including rejected ones.
    """

    numbers: Sequence[int]
    columns: list[list[object]]
    read: int


Reject = Callable[[int, str], None]
"""Called with the number of a malformed row, and what is wrong with it."""


class TableSource(Protocol):
    """An open table. `length` and `done()` measure progress, in rows or bytes, whichever the format knows."""

    format: Format
    names: tuple[str, ...]
    length: int

    def chunks(self, positions: Sequence[int], size: int, reject: Reject) -> Iterator[Chunk]:
        """The columns at `positions`, `size` rows at a time; may be called once. Raises InputError for a bad file."""
        ...

    def done(self) -> int:
        """How much of `length` was read."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


@contextmanager
def open_table(path: str | os.PathLike[str], form: Format | None = None) -> Iterator[TableSource]:
    """Open a table in any of FORMATS. CSV, ECSV, VOTable and FITS may be gzipped; FITS is unpacked to a copy then.

    Raises InputError if the file cannot be opened, is no plain file, is in none of these formats or has no header.
    """
    name = os.fspath(path)
    try:
        with damage_named(name):
            zipped, head = _read_head(name)
            source = _open(name, form or _recognise(name, head), zipped)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}; check the path") from error
    try:
        yield source
    finally:
        source.close()


@contextmanager
def damage_named(path: str) -> Iterator[None]:
    """Whatever the libraries raise while they read a table becomes an InputError that names the file.

    Theirs are errors of every kind: a broken header makes astropy raise TypeError, AttributeError, IndexError and more.
    """
    try:
        yield
    except (MvmdbError, OSError):
        raise
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} is a damaged gzip file: {error}; fetch it again") from error
    except MemoryError as error:
        raise InputError(f"{path} asks for more memory than there is; expected a table; fetch it again") from error
    except Exception as error:
        log.info("%s cannot be read", path, exc_info=True)
        raise InputError(f"{path} is damaged: {type(error).__name__}: {error}; fetch it again") from error


def next_chunk(chunks: Iterator[Chunk], path: str) -> Chunk | None:
    """The next chunk of a table, None after the last. Raises InputError for a file that is damaged."""
    try:
        with damage_named(path):
            return next(chunks, None)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}; fetch it again") from error


def _read_head(path: str) -> tuple[bool, bytes]:
    with open_plain(path) as stream:
        head = stream.read(4096)
    if not head.startswith(_GZIP):
        return False, head
    try:
        with gzip.open(path) as unzipped:
            return True, unzipped.read(4096)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
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
        raise InputError(f"{path} is not in a known table format; expected one of {', '.join(FORMATS)}; convert it")
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
