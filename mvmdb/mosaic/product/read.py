"""The product file as it is read: its provenance, whether it is whole, and its pixels. writing.py writes it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits

from mvmdb.errors import NameFormatError, ProductError
from mvmdb.exposures.fits.checksum import ALL_ONES, sum_words
from mvmdb.exposures.fits.file import BLOCK
from mvmdb.inputs import open_plain
from mvmdb.mosaic.drizzle.planes import Block, Extension, Planes, extensions_of, split_blocks
from mvmdb.mosaic.drizzle.variance import Plane, variance_of
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.product.datadigest import DataDigest, digest_bytes
from mvmdb.mosaic.product.provenance import ChipRow, encode_rows, list_members, seal_provenance, unpack_rows
from mvmdb.mosaic.product.structure import RAISED, check_columns, opened
from mvmdb.names import parse_layer_name
from mvmdb.records import Canvas, ProductRecord
from mvmdb.stamp import file_stamp

REMEDY = "make the layer again (mvmdb reconcile)"
_LAYOUTS = [["PRIMARY", *extensions_of(errors), "HDRTAB"] for errors in (False, True)]
_READ_BYTES = 1 << 20
_MOST_ZEROS = 16 << 30
_FILL = {"SCI": np.nan, "WHT": 0.0, "ERR": np.nan}


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A product file that was read: record, HDRTAB rows, headers, and where its arrays lie in the file (bytes).

    `places` are in the order of the file. `shift` is subtracted from SCI when it is carried over, where there is
    weight: the skies of all members have moved by it.
    """

    record: ProductRecord
    rows: tuple[ChipRow, ...]
    primary: fits.Header
    science: fits.Header
    places: Mapping[Extension, int]
    grid: LayerGrid
    shift: float = 0.0


def read_product(path: str | Path, deep: bool = False) -> ProductRecord:
    """What a mosaic says it was made of, from its headers and HDRTAB alone.

    `deep` reads every byte of the arrays too, and compares their digest with the one recorded. Raises ProductError
    when the file is missing, not FITS, cut short, not made by mvmdb, or damaged.
    """
    stored = open_product(path)
    if deep:
        try:
            check_data(stored)
        except OSError as error:
            raise ProductError(f"{path} cannot be read: {error.strerror or error}; check its disk") from error
    return stored.record


def open_product(path: str | Path) -> StoredProduct:
    """As `read_product`, with the rows and headers that adding and padding carry over."""
    path = str(path)
    if not os.path.exists(path):
        raise ProductError(f"{path} does not exist; {REMEDY}")
    try:
        with opened(path) as hdus:
            return _interpret(path, hdus)
    except RAISED as error:
        raise ProductError(f"{path} is damaged: {error}; expected a FITS file with {_layout()}; {REMEDY}") from error


def holds_nothing(path: str | Path) -> bool:
    """Whether a file is empty or all zeros, as a power cut leaves files on some file systems: it may be replaced.

    Holes are skipped. A file with more than 16 GB of zeros outside of holes, the size of the largest products, is taken
    to hold something.
    """
    try:
        with open_plain(path, buffering=0) as file:
            size, place, read = os.fstat(file.fileno()).st_size, 0, 0
            while place < size and read <= _MOST_ZEROS:
                place = file.seek(_next_data(file.fileno(), place))
                block = file.read(_READ_BYTES)
                if block.strip(b"\0"):
                    return False
                place, read = place + len(block), read + len(block)
                if not block:
                    return True
            return place >= size
    except OSError:
        return False


def _next_data(descriptor: int, place: int) -> int:
    """Where data begin at or after a place in a file; the end of the file if there is only a hole left."""
    if not hasattr(os, "SEEK_DATA"):
        return place
    try:
        return os.lseek(descriptor, place, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return os.lseek(descriptor, 0, os.SEEK_END)
        return place  # a file system that does not know holes


def check_data(stored: StoredProduct) -> None:
    """Compare the digest of the arrays with the recorded one, and look at the padding after each.

    Raises ProductError when they differ, or where the padding is not as the FITS standard says.
    """
    digest = DataDigest()
    with Path(stored.record.path).open("rb") as file:
        for name, place in stored.places.items():
            file.seek(place)
            for rows in split_blocks(range(stored.grid.shape[0]), stored.grid.shape[1]):
                digest.update(_read_rows(file, len(rows), stored).data)
            if file.read(-(file.tell() - place) % BLOCK).strip(b"\0"):
                raise ProductError(f"{file.name} is damaged: {name} is padded with other bytes than NUL; {REMEDY}")
    _compare(stored, digest)


def _compare(stored: StoredProduct, digest: DataDigest) -> None:
    actual = digest.text()
    if actual != stored.record.data_digest:
        raise ProductError(
            f"{stored.record.path} is damaged: {describe_arrays(stored.places)} have digest {actual}, "
            f"not {stored.record.data_digest} as when it was made; {REMEDY}"
        )


def load_planes(stored: StoredProduct, grid: LayerGrid, planes: Planes) -> None:
    """Put a product into planes of another canvas of its sky cell, ready to be added to: without NaN.

    Where the product has pixels with weight, SCI (minus `shift`) and WHT are carried over bit by bit, and ERR as
    `variance_of` it. The planes have variances exactly where the product has ERR. All rows are checked as by
    `check_data`, some are not.
    """
    whole = planes.rows == range(grid.shape[0])
    if whole and grid == stored.grid:
        _load_all(stored, planes)
        return
    blocks = checked_blocks(stored, grid) if whole else recanvas_blocks(stored, grid, planes.rows)
    for extension, row, block in blocks:  # WHT comes before ERR
        rows_of_block = slice(row - planes.first, row - planes.first + block.shape[0])
        if extension == "SCI":
            planes.science[rows_of_block] = block
        elif extension == "WHT":
            planes.weight[rows_of_block] = block
            planes.science[rows_of_block][planes.weight[rows_of_block] == 0.0] = 0.0
        elif planes.variance is not None:
            planes.variance[rows_of_block] = variance_of(block, planes.weight[rows_of_block])


def _load_all(stored: StoredProduct, planes: Planes) -> None:
    """As `load_planes`, all rows of the same canvas, in few large steps: they hardly ask for Python's lock."""
    arrays = {"SCI": planes.science, "WHT": planes.weight, "ERR": planes.variance}
    present = [array for name in stored.places if (array := arrays[name]) is not None]
    digest = DataDigest()
    with Path(stored.record.path).open("rb", buffering=0) as file:
        for array, place in zip(present, stored.places.values(), strict=True):
            file.seek(place)
            _read_into(file, array, stored.record.path)
            digest.update(array.data)
    _compare(stored, digest)
    for rows in split_blocks(planes.rows, stored.grid.shape[1]):
        rows_of_block = slice(rows.start, rows.stop)
        for array in present:
            array[rows_of_block] = array[rows_of_block].view(">f4")
        if stored.shift:
            planes.science[rows_of_block] -= np.float32(stored.shift)
        planes.science[rows_of_block][planes.weight[rows_of_block] == 0.0] = 0.0
        if planes.variance is not None:
            planes.variance[rows_of_block] = variance_of(planes.variance[rows_of_block], planes.weight[rows_of_block])


def checked_blocks(stored: StoredProduct, grid: LayerGrid) -> Iterator[Block]:
    """As `recanvas_blocks`, all rows, with the check of `check_data`: on the way, where every byte is read anyway."""
    if not grid.holds(stored.grid):
        check_data(stored)
        yield from recanvas_blocks(stored, grid)
        return
    digest = DataDigest()
    yield from recanvas_blocks(stored, grid, digest=digest)
    _compare(stored, digest)


def recanvas_blocks(
    stored: StoredProduct, grid: LayerGrid, rows: range | None = None, digest: DataDigest | None = None
) -> Iterator[Block]:
    """A product's arrays on another canvas of its sky cell: cropped, or padded with NaN and weight 0; all rows or some.

    One array after the other, as in the file. Values are carried over bit by bit (SCI minus `shift`), big-endian as
    they lie in the file, and few rows are in memory at a time. A digest is given the bytes that are read.
    """
    source, target = stored.grid.pixels, grid.pixels
    rows = range(grid.shape[0]) if rows is None else rows
    left, right = max(source.x_min, target.x_min), min(source.x_max, target.x_max)
    taken = slice(left - source.x_min, max(right - source.x_min + 1, 0))
    put = slice(left - target.x_min, max(right - target.x_min + 1, 0))
    with Path(stored.record.path).open("rb") as file:
        for extension, place in stored.places.items():
            fill = _FILL[extension]
            for rows_of_block in split_blocks(rows, grid.shape[1]):
                top, bottom = rows_of_block.start, rows_of_block.stop
                first = max(top + target.y_min, source.y_min)
                last = min(bottom - 1 + target.y_min, source.y_max)
                block = np.empty((bottom - top, grid.shape[1]), ">f4")
                there = slice(first - target.y_min - top, max(last - target.y_min - top + 1, 0))
                if first > last or left > right:
                    block[:] = fill
                else:
                    file.seek(place + (first - source.y_min) * stored.grid.shape[1] * 4)
                    stored_rows = _read_rows(file, last - first + 1, stored)
                    if digest is not None:
                        digest.update(stored_rows.data)
                    block[there, put] = stored_rows[:, taken]
                    for empty in (
                        np.s_[: there.start],
                        np.s_[there.stop :],
                        np.s_[:, : put.start],
                        np.s_[:, put.stop :],
                    ):
                        block[empty] = fill
                if stored.shift and extension == "SCI":
                    block -= np.float32(stored.shift)  # NaN, where there is no weight, stays NaN
                yield extension, top, block


def describe_arrays(extensions: Iterable[Extension]) -> str:
    """The arrays in words: `SCI and WHT`, or `SCI, WHT and ERR`."""
    *names, last = extensions
    return f"{', '.join(names)} and {last}"


def _interpret(path: str, hdus: fits.HDUList) -> StoredProduct:
    names = [hdu.name for hdu in hdus]
    if names not in _LAYOUTS:
        raise ProductError(f"{path} holds {', '.join(names)}; expected {_layout()}; {REMEDY}")
    extensions = extensions_of("ERR" in names)
    _check_kinds(path, hdus, extensions)
    _check_size(path, hdus)
    table = hdus["HDRTAB"]
    _check_table(path, hdus)
    check_columns(table, path)
    rows = unpack_rows(table, path)
    try:
        layer = parse_layer_name(str(table.header["MVMLAYER"]))
    except NameFormatError as error:
        raise ProductError(f"{path} is damaged: {error}; {REMEDY}") from error
    size, mtime_ns = file_stamp(Path(path).stat())
    record = ProductRecord(
        layer=str(layer),
        skycell=layer.skycell,
        path=path,
        size=size,
        mtime_ns=mtime_ns,
        data_digest=str(table.header["MVMDATA"]),
        canvas=Canvas.parse(str(table.header["MVMCANVS"])),
        recipe=str(table.header["MVMRCPJS"]),
        recipe_digest=str(table.header["MVMRECIP"]),
        members=list_members(rows),
    )
    grid = LayerGrid.of_layer(layer, record.canvas)
    _check_seal(record, rows, _digest_headers(path, hdus, extensions), str(table.header["MVMSEAL"]))
    _check_rows(path, hdus, rows)
    places = {name: int(hdus[name].fileinfo()["datLoc"]) for name in extensions}
    return StoredProduct(record, rows, hdus["PRIMARY"].header, hdus["SCI"].header, places, grid)


def _check_size(path: str, hdus: fits.HDUList) -> None:
    last = hdus[-1].fileinfo()
    expected, size = int(last["datLoc"]) + int(last["datSpan"]), Path(path).stat().st_size
    if size != expected:
        raise ProductError(f"{path} is damaged: it has {size} bytes; its headers say {expected}; {REMEDY}")


def _check_table(path: str, hdus: fits.HDUList) -> None:
    """Check HDRTAB's CHECKSUM, which covers what no seal does: its cards, and the bytes between its values.

    Products of earlier versions have neither CHECKSUM nor DATASUM.
    """
    header, place = hdus["HDRTAB"].header, hdus["HDRTAB"].fileinfo()
    sums = [keyword for keyword in ("CHECKSUM", "DATASUM") if keyword in header]
    if len(sums) == 1:
        raise ProductError(f"{path} is damaged: of CHECKSUM and DATASUM, HDRTAB has {sums[0]} alone; {REMEDY}")
    start, end = int(place["hdrLoc"]), int(place["datLoc"]) + int(place["datSpan"])
    with open(path, "rb") as file:
        if sums and sum_words(file, start, end - start) != ALL_ONES:
            raise ProductError(f"{path} is damaged: the CHECKSUM of HDRTAB does not hold; {REMEDY}")


def _check_rows(path: str, hdus: fits.HDUList, rows: tuple[ChipRow, ...]) -> None:
    """Check that HDRTAB's bytes are those that its rows are written as, with NUL behind them.

    CHECKSUM does not tell four bytes of zeros from four of ones (FITS Standard 4.0, appendix J: a ones' complement sum
    has two zeros), nor the seal one NaN from another. To be called for rows whose seal holds: it makes them anew.
    Tables of earlier versions, which have other columns, are not compared.
    """
    table, place = hdus["HDRTAB"], hdus["HDRTAB"].fileinfo()
    names, expected = encode_rows(rows)
    if table.columns.names != names:
        return
    with open(path, "rb") as file:
        file.seek(int(place["datLoc"]))
        if file.read(int(place["datSpan"])) != expected + bytes(-len(expected) % BLOCK):
            raise ProductError(f"{path} is damaged: the bytes of HDRTAB are not those of its rows; {REMEDY}")


def _digest_headers(path: str, hdus: fits.HDUList, extensions: Sequence[Extension]) -> str:
    """The digest of the headers of PRIMARY and the arrays as they stand in the file."""
    headers = []
    with open(path, "rb") as file:
        for name in ("PRIMARY", *extensions):
            place = hdus[name].fileinfo()
            file.seek(int(place["hdrLoc"]))
            headers.append(_read_exactly(file, int(place["datLoc"]) - int(place["hdrLoc"]), path))
    return digest_bytes(b"".join(headers))


def _check_seal(record: ProductRecord, rows: tuple[ChipRow, ...], headers: str, seal: str) -> None:
    expected = seal_provenance(
        record.layer, record.canvas, record.recipe, record.recipe_digest, record.data_digest, headers, rows
    )
    if seal != expected:
        raise ProductError(f"{record.path} is damaged: its headers have the seal {expected}, not {seal}; {REMEDY}")


def _check_kinds(path: str, hdus: fits.HDUList, extensions: Sequence[Extension]) -> None:
    kinds = (fits.PrimaryHDU, *(fits.ImageHDU for _ in extensions), fits.BinTableHDU)
    for hdu, kind in zip(hdus, kinds, strict=True):
        if not isinstance(hdu, kind):
            raise ProductError(f"{path} is damaged: {hdu.name} is no {kind.__name__}; {REMEDY}")


def _read_rows(file: BinaryIO, count: int, stored: StoredProduct) -> Plane:
    """The next rows of one of the arrays, big-endian."""
    columns = stored.grid.shape[1]
    data = _read_exactly(file, count * columns * 4, stored.record.path)
    return np.frombuffer(data, ">f4").reshape(count, columns)


def _read_exactly(file: BinaryIO, size: int, path: str) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ProductError(f"{path} is damaged: it ends at {len(data)} of {size} bytes of an array; {REMEDY}")
    return data


def _read_into(file: FileIO, array: Plane, path: str) -> None:
    """Fill an array with the next bytes of a file."""
    data = array.data.cast("B")
    filled = 0
    while filled < data.nbytes:  # 2 GB at most come at once
        count = file.readinto(data[filled:])
        if not count:
            raise ProductError(f"{path} is damaged: it ends at {filled} of {data.nbytes} bytes of an array; {REMEDY}")
        filled += count


def _layout() -> str:
    return " or ".join(", ".join(names) for names in _LAYOUTS)
