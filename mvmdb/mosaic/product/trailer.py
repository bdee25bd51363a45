"""The log of a mosaic, `<layer>_trl.txt`: what the mosaic says of itself, in lines that people read.

Its name is that of drizzlepac's trailer file. It follows from the mosaic alone, without times, so that the same mosaic
has the same log, whoever writes it.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from mvmdb.atomic import remove_file
from mvmdb.errors import NameFormatError, ProductError
from mvmdb.mosaic.product.read import StoredProduct, open_product
from mvmdb.mosaic.product.write import write_atomically
from mvmdb.names import format_trailer_name, parse_product_name, parse_trailer_name
from mvmdb.recipe import Recipe
from mvmdb.stamp import file_stamp

log = logging.getLogger(__name__)

MARK = "# The log of a mosaic made by mvmdb"
"""How each log begins: files of the same name from drizzlepac are left alone."""


def write_trailers(folder: Path, skycell: str, *, every: bool = False) -> bool:
    """Write the logs of a sky cell's products that have none, or an older one, and remove those whose product is gone.

    With `every`, newer ones are compared too. Returns whether any file was changed. A product that mvmdb did not make,
    or that is damaged, keeps the log that it has. Raises ProductError when the folder cannot be written.
    """
    products = find_products(folder, skycell)
    changed = [
        _write_if_due(product, folder / format_trailer_name(layer), every) for layer, product in products.items()
    ]
    for name in _list_trailers(folder, skycell):
        if parse_trailer_name(name) not in products and _is_own(folder / name):
            _remove(folder / name)
            changed.append(True)
    return any(changed)


def find_products(folder: Path, skycell: str) -> dict[str, Path]:
    """The products of a sky cell in its folder, by layer (name), sorted; of a `drc` and a `drz`, the one made last."""
    found: dict[str, Path] = {}
    for name in sorted(os.listdir(folder)):
        with suppress(NameFormatError, FileNotFoundError):
            layer, _ = parse_product_name(name)
            path = folder / name
            if layer.skycell != skycell or not path.is_file():
                continue
            other = found.get(str(layer))
            if other is None or other.stat().st_mtime_ns < path.stat().st_mtime_ns:
                found[str(layer)] = path
    return found


def expect_trailer(product: Path) -> bytes | None:
    """The log that a product should have; None if mvmdb did not make it, or it is damaged."""
    try:
        return format_trailer(open_product(product))
    except ProductError:
        return None


def format_trailer(product: StoredProduct) -> bytes:
    """The log of a product."""
    lines = [MARK, *_describe(product), "", "# One line for each chip", *_chip_lines(product), ""]
    return "\n".join(lines).encode()


def _describe(product: StoredProduct) -> Iterator[str]:
    record, recipe = product.record, Recipe.from_json(product.record.recipe)
    canvas = record.canvas
    rows, columns = product.grid.shape
    yield f"layer: {record.layer}"
    yield f"product: {Path(record.path).name}"
    yield f"made by: {product.primary.get('PROD_VER', '')}"
    yield f"canvas: fine pixels {canvas}; {columns} columns, {rows} rows of {recipe.pixel_scale} arcsec"
    yield f"members: {len(record.members)}, with {len(product.rows)} chips"
    yield f"exposure time: {sum(member.exptime for member in record.members)!r} s"
    yield f"recipe: {record.recipe}"
    yield f"recipe digest: {record.recipe_digest}"
    yield f"data digest: {record.data_digest}"
    yield f"skies: {'matched' if recipe.sky_match else 'not matched'}"


_COLUMNS: Mapping[str, str] = {
    "file": "filename", "chip": "extver", "exptime (s)": "exptime", "WCSNAME": "wcsname",
    "sky (electrons/s/arcsec2)": "sky", "sky group": "sky_group", "WCS digest": "wcs_digest",
    "pixel digest": "pixel_digest",
}  # fmt: skip


def _chip_lines(product: StoredProduct) -> Iterator[str]:
    columns = dict(_COLUMNS)
    if any(row.photscale != 1.0 for row in product.rows):
        columns |= {"PHOTFLAM": "photflam", "scale": "photscale"}
    yield "# " + "\t".join(columns)
    for row in product.rows:
        yield "\t".join(_format(getattr(row, name)) for name in columns.values())


def _format(value: object) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else repr(float(value))
    return str(value) or "-"


def _write_if_due(product: Path, trailer: Path, every: bool) -> bool:
    """Write a product's log if it is not as it should be, and again if another run replaces the product."""
    changed = False
    with suppress(FileNotFoundError):  # another run has removed the product
        while every or not _is_newer(trailer, product):
            before = file_stamp(product.stat())
            expected = expect_trailer(product)
            if expected is not None and _read(trailer) != expected:
                write_atomically(trailer, partial(_write_bytes, expected))
                log.info("wrote %s", trailer)
                changed = True
            if file_stamp(product.stat()) == before:
                break
    return changed


def _write_bytes(data: bytes, file: BinaryIO) -> None:
    file.write(data)


def _is_newer(trailer: Path, product: Path) -> bool:
    """Whether a log was written after its product. Where both have the same time, the clock of files is too coarse."""
    try:
        return trailer.stat().st_mtime_ns > product.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _read(trailer: Path) -> bytes | None:
    try:
        return trailer.read_bytes() if trailer.is_file() else None
    except OSError as error:
        raise ProductError(f"{trailer} cannot be read: {error.strerror}; make it readable, or move it away") from error


def _list_trailers(folder: Path, skycell: str) -> list[str]:
    names = []
    for name in os.listdir(folder):
        with suppress(NameFormatError):
            if f"hst_{skycell}_" in parse_trailer_name(name):
                names.append(name)
    return sorted(names)


def _is_own(trailer: Path) -> bool:
    return (_read(trailer) or b"").startswith(MARK.encode())


def _remove(trailer: Path) -> None:
    try:
        remove_file(trailer)
    except OSError as error:
        raise ProductError(f"cannot remove {trailer}: {error.strerror}; make its folder writable") from error
    log.info("removed %s, whose mosaic is gone", trailer)
