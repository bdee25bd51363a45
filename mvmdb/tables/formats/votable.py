"""VOTable files as chunks of rows, read element by element."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator, Sequence
from typing import IO
from xml.etree import ElementTree

from mvmdb.errors import InputError
from mvmdb.tables.formats.bytesource import ByteSource
from mvmdb.tables.formats.source import MOST_AT_ONCE, Chunk, Format, Reject

log = logging.getLogger(__name__)

_BINARY = ("BINARY", "BINARY2", "FITS")


_MOST_WITHOUT_ROW = 16_000_000
_MOST_ELEMENTS = 100_000
_DEEPEST = 100
"""Bytes and elements without a row in them, and elements in each other: the parser keeps them all."""
_ENTITY = b"<!ENTITY"


class _BoundedStream:
    """A stream that refuses to go on where too much is read without a row in it: the parser would keep it all.

    Nor may it declare entities, of which the parser makes as much text as they say. No VOTable needs them.
    """

    def __init__(self, stream: IO[bytes], path: str):
        self._stream = stream
        self._path = path
        self.bytes = self.at_row = 0
        self._end = b""

    def read(self, size: int = -1, /) -> bytes:
        content = self._stream.read(size)
        self.bytes += len(content)
        if self.bytes - self.at_row > _MOST_WITHOUT_ROW:
            raise InputError(
                f"{self._path} has {_MOST_WITHOUT_ROW} bytes without a row; expected a table; fetch it again"
            )
        plain = self._end + content.replace(b"\0", b"")  # UTF-16
        if _ENTITY in plain:
            raise InputError(f"{self._path} declares an XML entity; expected a VOTable, which has none; fetch it again")
        self._end = plain[1 - len(_ENTITY) :]
        return content


class VoTable(ByteSource):
    """The first table of a VOTable whose data are TABLEDATA.

    Binary serialisations are refused: they are a single base64 text, and XML parsers keep all of it in memory.
    """

    def __init__(self, path: str, zipped: bool):
        self.format: Format = "votable"
        self._path = path
        super().__init__(path, zipped)
        self._bounded = _BoundedStream(self.stream, path)
        self._elements = 0
        self._events = ElementTree.iterparse(self._bounded, events=("start", "end"))
        try:
            self.names, self._table = self._read_fields()
        except BaseException:
            self.close()
            raise

    def chunks(self, positions: Sequence[int], size: int, reject: Reject) -> Iterator[Chunk]:
        """See TableSource; values are texts."""
        read = begin = 0
        rows: list[tuple[int, list[str]]] = []
        for row in self._read_rows():
            read += 1
            if len(row) == len(self.names):
                rows.append((read, row))
            else:
                reject(read, f"found {len(row)} values; expected {len(self.names)}, one per FIELD")
            if len(rows) == size or self._bounded.bytes - begin > MOST_AT_ONCE:
                yield _make_chunk(rows, positions, read)
                rows, begin = [], self._bounded.bytes
        yield _make_chunk(rows, positions, read)

    def _read_fields(self) -> tuple[tuple[str, ...], ElementTree.Element]:
        names: list[str] = []
        for event, element in self._walk():
            tag = _local(element)
            if event == "start" and tag == "FIELD":
                names.append(element.get("name") or element.get("ID") or "")
            elif event == "start" and tag == "TABLEDATA":
                return tuple(names), element
            elif event == "start" and tag in _BINARY:
                raise InputError(
                    f"{self._path} stores its rows as {tag}; expected TABLEDATA; ask the service for it, or rewrite "
                    "the file: astropy.table.Table.read(old).write(new, format='votable', tabledata_format='tabledata')"
                )
            elif event == "end" and tag == "INFO":
                self._check_status(element)
        raise InputError(f"{self._path} has no TABLEDATA; expected a VOTable with a table")

    def _read_rows(self) -> Iterator[list[str]]:
        inside = True
        for event, element in self._walk():
            tag = _local(element)
            if event == "end" and inside and tag == "TR":
                yield [cell.text or "" for cell in element]
                self._table.clear()  # rows that were read would stay in the tree
                self._bounded.at_row, self._elements = self._bounded.bytes, 0
            elif event == "end" and tag == "TABLEDATA":
                inside = False
            elif event == "start" and tag == "FIELD":
                return  # another table: only the first is read
            elif event == "end" and tag == "INFO":
                self._check_status(element)

    def _check_status(self, info: ElementTree.Element) -> None:
        """Heed the service's status (IVOA DALI 1.1, section 4.4): an error is raised, an overflow is logged."""
        status = (info.get("value") or "").upper() if info.get("name") == "QUERY_STATUS" else ""
        if status == "ERROR":
            raise InputError(f"{self._path} is an error from the service: {(info.text or '').strip()}; query it again")
        if status == "OVERFLOW":
            log.warning("%s: the service truncated the table (QUERY_STATUS OVERFLOW)", self._path)

    def _walk(self) -> Iterator[tuple[str, ElementTree.Element]]:
        depth = 0
        try:
            for event, element in self._events:
                depth += 1 if event == "start" else -1
                self._elements += event == "start"
                if depth > _DEEPEST or self._elements > _MOST_ELEMENTS:
                    raise InputError(
                        f"{self._path} has {depth} elements in each other, and {self._elements} without a row; "
                        "expected a table; fetch it again"
                    )
                yield event, element
        except ElementTree.ParseError as error:
            raise InputError(f"{self._path} is not well-formed XML: {error}; fetch it again") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{self._path} is a damaged gzip file: {error}; fetch it again") from error


def _make_chunk(rows: Sequence[tuple[int, list[str]]], positions: Sequence[int], read: int) -> Chunk:
    return Chunk([number for number, _ in rows], [[row[position] for _, row in rows] for position in positions], read)


def _local(element: ElementTree.Element) -> str:
    """The tag in capitals, without its namespace."""
    return str(element.tag).rpartition("}")[2].upper()
