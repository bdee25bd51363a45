"""The product file as it is written: headers, arrays and HDRTAB, whole or not at all. read.py reads it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
import shapely
from astropy.io import fits

from mvmdb import __version__
from mvmdb.atomic import replace_file
from mvmdb.errors import ProductError
from mvmdb.exposures.fits.file import BLOCK
from mvmdb.mosaic.drizzle.planes import Block, Extension, extensions_of, split_blocks
from mvmdb.mosaic.drizzle.variance import Plane
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.noise.drops import correlation_of_layer, list_drops
from mvmdb.mosaic.product.datadigest import DataDigest, digest_bytes
from mvmdb.mosaic.product.provenance import ChipRow, list_members, pack_rows, seal_provenance
from mvmdb.mosaic.product.read import describe_arrays
from mvmdb.mosaic.product.summary import (
    Keywords,
    WeightSummary,
    carried_numbers,
    join_texts,
    lie_within,
    measure_depths,
    member_footprints,
    outline_region,
    summarise_depth,
    summarise_observations,
)
from mvmdb.names import parse_layer_name
from mvmdb.recipe import Recipe, Weight
from mvmdb.records import ProductRecord
from mvmdb.stamp import file_stamp
from mvmdb.workers.background import BackgroundThread

WEIGHT_UNITS: Mapping[Weight, tuple[str, str]] = {
    "exptime": ("s", "exposure time"),
    "ivm": ("s2/electron2", "inverse variance of the background"),
}
"""BUNIT of WHT and its comment, by what members count by."""
STORE_BYTES = 1 << 24
"""Bytes that are written before the system is asked to flush them to disk: now and then, not for every row."""
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp|\..+\.fits\.findings")


@dataclass(frozen=True, slots=True)
class ProductText:
    """Everything that a product's headers say and its pixels do not.

    `primary` and `science` are the cards taken over from the first member (instrument, photometry). `before` is the
    canvas and the PRIMARY header of the product with the same pixels on another canvas, if there is one. With `errors`
    there is an ERR plane.
    """

    layer: str
    grid: LayerGrid
    recipe: str
    recipe_digest: str
    pixfrac: float
    kernel: str
    rows: tuple[ChipRow, ...]
    primary: fits.Header
    science: fits.Header
    before: tuple[LayerGrid, fits.Header] | None = None
    errors: bool = False
    weight: Weight = "exptime"


def write_product(target: Path, text: ProductText, blocks: Iterable[Block]) -> ProductRecord:
    """Write a product from its finished rows, each once and in any order, and return its record.

    Rows are taken one by one and not kept, so `blocks` may make them on demand. The product is written to a temporary
    file next to the target, synced and renamed, so that the target is always the old file or the new one, complete.
    Raises ProductError when the folder cannot be written; errors raised by `blocks` pass through.
    """
    digests: list[str] = []
    write_atomically(target, lambda file: digests.append(_write_hdus(file, target.name, text, blocks)))
    size, mtime_ns = file_stamp(target.stat())
    return ProductRecord(
        layer=text.layer,
        skycell=parse_layer_name(text.layer).skycell,
        path=str(target),
        size=size,
        mtime_ns=mtime_ns,
        data_digest=digests[0],
        canvas=text.grid.canvas,
        recipe=text.recipe,
        recipe_digest=text.recipe_digest,
        members=list_members(text.rows),
    )


def write_atomically(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace `target` whole or not at all; a failure leaves no trace.

    Raises ProductError where the system refuses to write; errors raised by `write` pass through.
    """
    try:
        replace_file(target, write)
    except OSError as error:
        raise ProductError(
            f"cannot write {target}: {error.strerror or error}; expected a writable folder with free space"
        ) from error


def sweep_temporaries(folder: str | Path, layer: str | None = None) -> list[str]:
    """Remove the temporary files that killed runs left in a folder, and return their names, sorted.

    With `layer` (a name), only those of its products. The caller must be the only run that writes to the folder, or
    that makes the layer, and have recorded the products that are there.
    """
    begins = "" if layer is None else f"{layer}_"
    names = (path for path in Path(folder).glob(".*") if path.name.lstrip(".").startswith(begins))
    paths = sorted(path for path in names if _TEMPORARY.fullmatch(path.name) and not path.is_dir())
    for path in paths:
        path.unlink(missing_ok=True)
    return [path.name for path in paths]


def _write_hdus(file: BinaryIO, filename: str, text: ProductText, blocks: Iterable[Block]) -> str:
    """Write all HDUs and return the data digest; every row is written to its place as it comes."""
    footprints = member_footprints(text.rows, text.grid)
    noise = _noise_cards(text)
    depths, carried = _carry_numbers(text, footprints)
    weights = WeightSummary()
    images = {name: _image_header(name, text) for name in extensions_of(text.errors)}
    for name in images.keys() - {"WHT"}:
        images[name].update(noise)
    images["SCI"]["S_REGION"] = outline_region(footprints, text.grid)
    _declare_long_texts(images["SCI"])
    # The weights' keywords are known last; a header with other values has the same length.
    primary = _primary_header(filename, text, {**depths, **weights.keywords([])})
    layout = _Layout.after(len(primary.tostring()), {n: len(h.tostring()) for n, h in images.items()}, text.grid.shape)
    digest = _write_arrays(file, layout, blocks, None if carried else weights)
    numbers = carried or weights.keywords(layout.read(file.name, "WHT"))
    primary.update(numbers)
    headers = [header.tostring().encode("ascii") for header in (primary, *images.values())]
    ends = [len(headers[0]), *layout.places.values()]
    for end, data in zip(ends, headers, strict=True):
        file.seek(end - len(data))
        file.write(data)
    file.seek(layout.end)
    file.write(b"\0" * (-layout.length % BLOCK) + _table_bytes(text, digest, digest_bytes(b"".join(headers))))
    return digest


def _noise_cards(text: ProductText) -> Keywords:
    """How the noise of pixels is correlated, from the members' footprints: the same however the product was made."""
    recipe = Recipe.from_json(text.recipe)
    drops = list_drops(parse_layer_name(text.layer), text.grid, recipe, text.rows)
    return correlation_of_layer(drops).cards()


def _carry_numbers(
    text: ProductText, footprints: Sequence[tuple[shapely.Geometry, float]]
) -> tuple[Keywords, Keywords]:
    """The keywords of the depths, and those of the weights where they are known before the pixels."""
    depths, weights = ({}, {}) if text.before is None else carried_numbers(text.before[1], text.before[0], text.grid)
    if text.before is None or not depths or not lie_within(footprints, text.grid, text.before[0]):
        depths = summarise_depth(measure_depths(footprints, text.grid), text.grid)
    return depths, weights


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the arrays begin in a file (bytes), in the order of the file, and their shape."""

    places: Mapping[Extension, int]
    shape: tuple[int, int]

    @classmethod
    def after(cls, start: int, headers: Mapping[Extension, int], shape: tuple[int, int]) -> _Layout:
        """Arrays of one shape from the byte `start` on, each after its header; `headers` are their lengths in bytes."""
        padded = -(-shape[0] * shape[1] * 4 // BLOCK) * BLOCK
        places: dict[Extension, int] = {}
        for extension, size in headers.items():
            places[extension] = start + size
            start += size + padded
        return cls(places, shape)

    @property
    def length(self) -> int:
        """Bytes of one array, without the padding of its last block."""
        return self.shape[0] * self.shape[1] * 4

    @property
    def end(self) -> int:
        """Where the last array ends."""
        return max(self.places.values()) + self.length

    def place(self, extension: Extension, row: int) -> int:
        """Where a row of an array begins."""
        return self.places[extension] + row * self.shape[1] * 4

    def read(self, path: str, extension: Extension, first: int = 0) -> Iterator[Plane]:
        """The rows of an array from the first one on, big-endian, from the file as it is being written."""
        with open(path, "rb") as file:
            file.seek(self.place(extension, first))
            for rows in split_blocks(range(first, self.shape[0]), self.shape[1]):
                yield np.frombuffer(file.read(len(rows) * self.shape[1] * 4), ">f4").reshape(len(rows), -1)


def _write_arrays(file: BinaryIO, layout: _Layout, blocks: Iterable[Block], weights: WeightSummary | None) -> str:
    """Write all rows, count their weights, and return the digest of the arrays in the order of the file.

    Rows that come in that order are hashed as they pass; the others are read again.
    """
    digest, hashed = DataDigest(), dict.fromkeys(layout.places, 0)
    order, run = list(layout.places), range(0)
    with BackgroundThread() as thread:
        for extension, top, rows in blocks:
            data = np.ascontiguousarray(rows, ">f4")
            place = layout.place(extension, top)
            file.seek(place)
            file.write(data.data)
            run = range(run.start if place == run.stop else place, place + data.nbytes)
            if len(run) >= STORE_BYTES:
                thread.submit(_begin_to_store, file.fileno(), run)
                run = run[len(run) :]
            if weights is not None and extension == "WHT":
                thread.submit(weights.add, rows)
            before = order[: order.index(extension)]
            if hashed[extension] == top and all(hashed[other] == layout.shape[0] for other in before):
                digest.update(data.data)
                hashed[extension] += rows.shape[0]
        file.flush()
    for extension in order:
        for data in layout.read(file.name, extension, hashed[extension]):
            digest.update(data.data)
    return digest.text()


def _begin_to_store(file: int, written: range) -> None:
    """Have the system flush the bytes just written while more is made; else everything waits for the sync at the end.

    On Linux, saying that these bytes are not needed in memory does this. They stay in memory until they are flushed.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, written.start, len(written), os.POSIX_FADV_DONTNEED)


def _primary_header(filename: str, text: ProductText, numbers: Keywords) -> fits.Header:
    header = fits.PrimaryHDU(header=text.primary.copy()).header
    starts, ends = ([v for v in times if v > 0] for times in _times(text.rows))  # neither NaN, nor 0 for unknown
    exptime = sum(member.exptime for member in list_members(text.rows))
    cards: Keywords = {
        "DATE": (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "[UTC] when this file was written"),
        "FILENAME": (filename, ""),
        "ROOTNAME": (text.layer, ""),
        "FILETYPE": ("SCI", "type of data"),
        "PROD_VER": (f"mvmdb {__version__}", "software that made this file"),
        "NEXTEND": (len(extensions_of(text.errors)) + 1, "number of extensions"),
        "HAPLEVEL": (4, "multi-visit mosaic"),
        "SCELLID": (parse_layer_name(text.layer).skycell.removeprefix("skycell-"), "sky cell"),
        "DRIZCORR": ("COMPLETE", "drizzle processing"),
        "NDRIZIM": (len(text.rows), "number of chips drizzled"),
        "DRIZKERN": (text.kernel, "drizzle kernel"),
        "DRIZPIXF": (text.pixfrac, "drizzle pixfrac"),
        "EXPTIME": (exptime, "[s] sum over the members"),
        "TEXPTIME": (exptime, "[s] sum over the members"),
    }
    if starts and ends:
        cards["EXPSTART"] = (min(starts), "[d] start of the first exposure (MJD)")
        cards["EXPEND"] = (max(ends), "[d] end of the last exposure (MJD)")
    header.update({**cards, **summarise_observations(text.rows), **numbers})
    _declare_long_texts(header)
    return header


def _declare_long_texts(header: fits.Header) -> None:
    """Add LONGSTRN where a text goes on in CONTINUE cards; without it, verifiers warn of them."""
    first = next((card.keyword for card in header.cards if len(card.image) > fits.Card.length), None)
    if first is not None:
        header.set("LONGSTRN", "OGIP 1.0", "texts may go on in CONTINUE cards", before=first)


def _times(rows: Sequence[ChipRow]) -> tuple[list[float], list[float]]:
    return [row.expstart for row in rows], [row.expend for row in rows]


def _image_header(name: Extension, text: ProductText) -> fits.Header:
    rows, columns = text.grid.shape
    header = fits.Header()
    header["XTENSION"] = ("IMAGE", "image extension")
    header.update({"BITPIX": -32, "NAXIS": 2, "NAXIS1": columns, "NAXIS2": rows, "PCOUNT": 0, "GCOUNT": 1})
    header.update({"EXTNAME": name, "EXTVER": 1})
    if name == "SCI":
        header.extend(text.science, update=True)
    if name in ("SCI", "ERR"):
        header["BUNIT"] = ("electron/s", "per pixel")
    else:
        header["BUNIT"] = WEIGHT_UNITS[text.weight]
    header.update(text.grid.wcs_cards())
    if name == "SCI":
        header["WCSNAME"] = join_texts((row.wcsname for row in text.rows), "solution, or solutions")
    return header


def _table_bytes(text: ProductText, data_digest: str, headers: str) -> bytes:
    table = pack_rows(text.rows)
    seal = seal_provenance(
        text.layer, text.grid.canvas, text.recipe, text.recipe_digest, data_digest, headers, text.rows
    )
    table.header.update(
        {
            "EXTVER": 1,
            "MVMLAYER": text.layer,
            "MVMVERS": (__version__, "version of mvmdb"),
            "MVMRECIP": (text.recipe_digest, "recipe digest"),
            "MVMCANVS": (str(text.grid.canvas), "x and y of the canvas, fine pixels"),
            "MVMDATA": (data_digest, f"digest of {describe_arrays(extensions_of(text.errors))}"),
            "MVMSEAL": (seal, "digest of provenance and headers"),
            "MVMRCPJS": text.recipe,
        }
    )
    _declare_long_texts(table.header)
    table.add_checksum(
        when="of this HDU, which MVMSEAL does not cover"
    )  # without the time: equal products, equal bytes
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()[BLOCK:]  # without the primary HDU, one block, with which a file must begin
