"""The product file as it is read: its provenance, whether it is whole, and its pixels. writing.py writes it."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray

from mvmdb.errors import NameFormatError, ProductError
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.planes import Planes
from mvmdb.mosaic.provenance import ChipRow, list_members, seal_provenance, unpack_rows
from mvmdb.names import parse_layer_name
from mvmdb.records import Canvas, ProductRecord

ROWS_AT_ONCE = 512
REMEDY = "make the layer again (mvmdb reconcile)"
_LAYOUT = ["PRIMARY", "SCI", "WHT", "HDRTAB"]


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A product file that was read: record, HDRTAB rows, headers, and where its two arrays lie in the file (bytes)."""

    record: ProductRecord
    rows: tuple[ChipRow, ...]
    primary: fits.Header
    science: fits.Header
    science_at: int
    weight_at: int
    grid: LayerGrid


def read_product(path: str | Path, deep: bool = False) -> ProductRecord:
    """What a mosaic says it was made of, from its headers and HDRTAB alone.

    `deep` reads every byte of SCI and WHT too, and compares their digest with the one recorded. Raises ProductError
    when the file is missing, not FITS, cut short, not made by mvmdb, or damaged.
    """
    stored = open_product(path)
    if deep:
        check_data(stored)
    return stored.record


def open_product(path: str | Path) -> StoredProduct:
    """As `read_product`, with the rows and headers that adding and padding carry over."""
    path = str(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)  # a cut is found and told below
            with fits.open(path, mode="readonly", memmap=False) as hdus:
                return _interpret(path, hdus)
    except FileNotFoundError as error:
        raise ProductError(f"{path} does not exist; {REMEDY}") from error
    except (OSError, VerifyError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ProductError(f"{path} is damaged: {error}; expected a FITS file with {_layout()}; {REMEDY}") from error


def check_data(stored: StoredProduct) -> None:
    """Compare the digest of SCI and WHT with the recorded one. Raises ProductError when they differ."""
    digest = new_digest()
    for _ in _stored_blocks(stored, digest):
        pass
    _compare(stored, digest.hexdigest())


def load_planes(stored: StoredProduct, grid: LayerGrid) -> Planes:
    """The product's arrays on another canvas of its sky cell: cropped, or padded with NaN and weight 0.

    Values are carried over bit by bit. Raises ProductError when the bytes are not those that were recorded.
    """
    planes = Planes.empty(grid.shape)
    planes.science[:] = np.nan
    source, target = stored.grid.pixels, grid.pixels
    left, right = max(source.x_min, target.x_min), min(source.x_max, target.x_max)
    digest = new_digest()
    for extension, top, block in _stored_blocks(stored, digest):
        plane = planes.science if extension == "SCI" else planes.weight
        first = max(source.y_min + top, target.y_min)
        last = min(source.y_min + top + block.shape[0] - 1, target.y_max)
        if first <= last and left <= right:
            rows = slice(first - source.y_min - top, last - source.y_min - top + 1)
            columns = slice(left - source.x_min, right - source.x_min + 1)
            there = slice(first - target.y_min, last - target.y_min + 1)
            plane[there, left - target.x_min : right - target.x_min + 1] = block[rows, columns]
    _compare(stored, digest.hexdigest())
    return planes


def new_digest() -> hashlib.blake2b:
    """The hash that data digests are made with: BLAKE2b, 16 bytes, over SCI then WHT as they lie in the file."""
    return hashlib.blake2b(digest_size=16)


def _interpret(path: str, hdus: fits.HDUList) -> StoredProduct:
    found = [hdu.name for hdu in hdus]
    if found != _LAYOUT:
        raise ProductError(f"{path} holds {', '.join(found)}; expected {_layout()}; {REMEDY}")
    _check_kinds(path, hdus)
    _check_size(path, hdus)
    table = hdus["HDRTAB"]
    rows = unpack_rows(table, path)
    try:
        layer = parse_layer_name(str(table.header["MVMLAYER"]))
    except NameFormatError as error:
        raise ProductError(f"{path} is damaged: {error}; {REMEDY}") from error
    status = Path(path).stat()
    record = ProductRecord(
        layer=str(layer),
        skycell=layer.skycell,
        path=path,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        data_digest=str(table.header["MVMDATA"]),
        canvas=Canvas.parse(str(table.header["MVMCANVS"])),
        recipe=str(table.header["MVMRCPJS"]),
        recipe_digest=str(table.header["MVMRECIP"]),
        members=list_members(rows),
    )
    grid = LayerGrid.of_layer(layer, record.canvas)
    _check_seal(record, rows, _digest_headers(path, hdus), str(table.header["MVMSEAL"]))
    _check_images(path, hdus, grid)
    science_at, weight_at = (int(hdus.fileinfo(name)["datLoc"]) for name in ("SCI", "WHT"))
    return StoredProduct(record, rows, hdus["PRIMARY"].header, hdus["SCI"].header, science_at, weight_at, grid)


def _check_size(path: str, hdus: fits.HDUList) -> None:
    last = hdus.fileinfo(len(hdus) - 1)
    expected, found = int(last["datLoc"]) + int(last["datSpan"]), Path(path).stat().st_size
    if found != expected:
        raise ProductError(f"{path} is damaged: it has {found} bytes; its headers say {expected}; {REMEDY}")


def _digest_headers(path: str, hdus: fits.HDUList) -> str:
    """The digest of the headers of PRIMARY, SCI and WHT as they stand in the file."""
    digest = new_digest()
    with open(path, "rb") as file:
        for name in ("PRIMARY", "SCI", "WHT"):
            place = hdus.fileinfo(name)
            file.seek(int(place["hdrLoc"]))
            digest.update(_read_exactly(file, int(place["datLoc"]) - int(place["hdrLoc"]), path))
    return digest.hexdigest()


def _check_seal(record: ProductRecord, rows: tuple[ChipRow, ...], headers: str, seal: str) -> None:
    expected = seal_provenance(
        record.layer, record.canvas, record.recipe, record.recipe_digest, record.data_digest, headers, rows
    )
    if seal != expected:
        raise ProductError(f"{record.path} is damaged: its headers have the seal {expected}, not {seal}; {REMEDY}")


def _check_kinds(path: str, hdus: fits.HDUList) -> None:
    kinds = (fits.PrimaryHDU, fits.ImageHDU, fits.ImageHDU, fits.BinTableHDU)
    for hdu, kind in zip(hdus, kinds, strict=True):
        if not isinstance(hdu, kind):
            raise ProductError(f"{path} is damaged: {hdu.name} is no {kind.__name__}; {REMEDY}")


def _check_images(path: str, hdus: fits.HDUList, grid: LayerGrid) -> None:
    expected: dict[str, float | int | str] = {"BITPIX": -32, "NAXIS1": grid.shape[1], "NAXIS2": grid.shape[0]}
    expected.update(grid.wcs_cards())
    for name in ("SCI", "WHT"):
        for keyword, value in expected.items():
            found = hdus[name].header.get(keyword)
            if not _agree(found, value):
                raise ProductError(f"{path} is damaged: {keyword} of {name} is {found}; expected {value}; {REMEDY}")


def _agree(found: object, expected: float | int | str) -> bool:
    if isinstance(expected, str) or not isinstance(found, int | float):
        return found == expected
    return math.isclose(found, expected, rel_tol=1e-13)  # a card holds a float to 14 digits at least


def _stored_blocks(stored: StoredProduct, digest: hashlib.blake2b) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
    """(extension, first row, rows) of SCI and then WHT, native floats, hashing the bytes on the way."""
    rows, columns = stored.grid.shape
    path = stored.record.path
    with Path(path).open("rb") as file:
        for extension, place in (("SCI", stored.science_at), ("WHT", stored.weight_at)):
            file.seek(place)
            for top in range(0, rows, ROWS_AT_ONCE):
                count = min(ROWS_AT_ONCE, rows - top)
                data = _read_exactly(file, count * columns * 4, path)
                digest.update(data)
                yield extension, top, np.frombuffer(data, ">f4").reshape(count, columns)


def _read_exactly(file: BinaryIO, size: int, path: str) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ProductError(f"{path} is damaged: it ends at {len(data)} of {size} bytes of an array; {REMEDY}")
    return data


def _compare(stored: StoredProduct, digest: str) -> None:
    if digest != stored.record.data_digest:
        raise ProductError(
            f"{stored.record.path} is damaged: SCI and WHT have digest {digest}, not {stored.record.data_digest} "
            f"as when it was made; {REMEDY}"
        )


def _layout() -> str:
    return ", ".join(_LAYOUT)
