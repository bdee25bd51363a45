"""A context image of a mosaic, as drizzlepac's CTX: which chips contribute to each pixel, from outlines alone."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError, UsageError
from mvmdb.exposures.fits.file import BLOCK
from mvmdb.mosaic.contributing.geometry import drops_of, shape_of, touched_pixels
from mvmdb.mosaic.drizzle.planes import split_blocks
from mvmdb.mosaic.drizzle.raster import Spans
from mvmdb.mosaic.product.provenance import pack_rows
from mvmdb.mosaic.product.read import StoredProduct, open_product
from mvmdb.recipe import Recipe

BITS = 32
"""Chips in one plane of a context image."""


def write_context(mosaic: str | os.PathLike[str], target: Path) -> Path:
    """Write the context image of a mosaic: PRIMARY, CTX (32-bit integers), and the mosaic's HDRTAB; returns its path.

    Bit i % 32 of plane i // 32 is set where the chip in row i of HDRTAB (from 0) has an area in common with the pixel.
    One plane is an image of two axes, several are a cube, as in drizzlepac's products. It is 4 bytes a pixel and plane;
    a few rows are in memory at a time. Pixels that were left out as bad are not known, so their bits are set, and so
    are those of gaps between drops where pixfrac is below 1. The file is there whole or not at all. Raises ProductError
    if the mosaic is missing, damaged or not mvmdb's, UsageError if the target is the mosaic itself, InputError if it
    cannot be written.
    """
    stored = open_product(os.fspath(mosaic))
    if target.exists() and target.samefile(stored.record.path):
        raise UsageError(f"{target} is the mosaic itself; expected the name of a new file")
    chips = list(_chip_spans(stored))
    try:
        replace_file(target, lambda file: _write(file, target.name, stored, chips))
    except OSError as error:
        raise InputError(
            f"cannot write {target}: {error.strerror or error}; expected a folder that can be written, with free space"
        ) from error
    return target


def iterate_context(stored: StoredProduct, chips: Sequence[tuple[int, Spans]]) -> Iterator[NDArray[np.int32]]:
    """The rows of all planes, plane after plane; `chips` are rows of HDRTAB and the pixels that they touch."""
    rows, columns = stored.grid.shape
    for plane in range(count_planes(len(stored.rows))):
        inside = [(row % BITS, spans) for row, spans in chips if row // BITS == plane]
        for block in split_blocks(range(rows), columns):
            values = np.zeros((len(block), columns), np.uint32)
            for bit, spans in inside:
                first, last = np.searchsorted(spans.row, [block.start, block.stop])
                places = (spans.row[first:last] - block.start, spans.start[first:last], spans.stop[first:last])
                for row, start, stop in zip(*(place.tolist() for place in places), strict=True):
                    values[row, start:stop] |= np.uint32(1 << bit)
            yield values.view(np.int32)


def count_planes(chips: int) -> int:
    """How many planes hold the bits of so many chips."""
    return max(1, -(-chips // BITS))


def _chip_spans(stored: StoredProduct) -> Iterator[tuple[int, Spans]]:
    recipe = Recipe.from_json(stored.record.recipe)
    for drop in drops_of(stored):
        yield drop.row, touched_pixels(shape_of(drop, recipe), stored.grid)


def _write(file: BinaryIO, name: str, stored: StoredProduct, chips: Sequence[tuple[int, Spans]]) -> None:
    rows, columns = stored.grid.shape
    planes = count_planes(len(stored.rows))
    primary = fits.PrimaryHDU().header
    primary["FILENAME"] = name
    primary["ROOTNAME"] = stored.record.layer
    primary["NDRIZIM"] = (len(stored.rows), "number of chips")
    primary["MVMDATA"] = (stored.record.data_digest, "digest of the mosaic's arrays")
    primary["COMMENT"] = "From footprints: pixels that were left out as bad have their bits, too."
    header = fits.Header([("XTENSION", "IMAGE", "image extension"), ("BITPIX", 32), ("NAXIS", 2 if planes == 1 else 3)])
    header.update({"NAXIS1": columns, "NAXIS2": rows, **({} if planes == 1 else {"NAXIS3": planes})})
    header.update({"PCOUNT": 0, "GCOUNT": 1, "EXTNAME": "CTX", "EXTVER": 1})
    header["BUNIT"] = ("UNITLESS", "bit i: row i of HDRTAB, from 0")
    header.update(stored.grid.wcs_cards())
    for each in (primary, header):
        file.write(each.tostring().encode("ascii"))
    size = 0
    for block in iterate_context(stored, chips):
        size += file.write(block.astype(">i4").tobytes())
    file.write(bytes(-size % BLOCK))
    file.write(_table(stored))


def _table(stored: StoredProduct) -> bytes:
    """The mosaic's HDRTAB, whose rows are the bits."""
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), pack_rows(stored.rows)]).writeto(buffer)
    return buffer.getvalue()[BLOCK:]  # without the primary HDU, one block, with which a file must begin
