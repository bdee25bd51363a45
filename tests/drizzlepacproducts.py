"""Small products as drizzlepac 3.11 writes them: headers and HDRTAB are those of a true one, pixels are simulated."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.names import parse_product_name
from mvmdb.records import Canvas

TRUE_PRODUCT = (
    Path(__file__).parent / "reconcile/drizzlepac/hst_skycell-p0726x10y04_wfc3_ir_f140w_coarse-all_drz.fits.gz"
)
"""drizzlepac/README.md says how it was made."""


def unpack_true_product(folder: Path) -> Path:
    """Write the true product, whose arrays are 0, into a folder."""
    target = folder / TRUE_PRODUCT.name.removesuffix(".gz")
    folder.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.decompress(TRUE_PRODUCT.read_bytes()))
    return target


def write_product(
    folder: Path, filename: str, canvas: Canvas, members: Mapping[str, str], *, chips: int = 1, level: float = 1.0
) -> Path:
    """Write a product of this name and canvas (fine pixels), of members given as ROOTNAME and WCSNAME.

    HDRTAB has `chips` rows for each.
    """
    layer, _ = parse_product_name(filename)
    grid = LayerGrid.of_layer(layer, canvas)
    rows = [(root, wcsname, chip) for root, wcsname in members.items() for chip in range(1, chips + 1)]
    true = _read_true_product()
    table = np.repeat(true.rows[:1], len(rows))
    for number, row in enumerate(rows):
        for column, value in zip(("ROOTNAME", "WCSNAME", "EXTVER", "MDRIZSKY"), (*row, 0.01 * number), strict=True):
            table[column][number] = value
    primary = fits.PrimaryHDU(header=true.headers["PRIMARY"].copy())
    primary.header.update(
        FILENAME=filename, ROOTNAME=str(layer), NDRIZIM=len(rows), SCELLID=layer.skycell.removeprefix("skycell-")
    )
    hdus = [primary]
    for name in ("SCI", "WHT"):
        header = true.headers[name].copy()
        header.update(grid.wcs_cards())
        hdus.append(fits.ImageHDU(np.full(grid.shape, level, "f4"), header, name=name))
    hdus.append(fits.ImageHDU(None, true.headers["CTX"].copy(), name="CTX"))
    target = folder / filename
    target.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList(hdus).writeto(target, overwrite=True, output_verify="silentfix")
    with target.open("ab") as file:  # astropy takes a second to write a table of 279 columns
        file.write(true.table_header.replace(_card("NAXIS2", len(true.rows)), _card("NAXIS2", len(rows))))
        file.write(table.tobytes() + bytes(-table.nbytes % 2880))
    return target


class _TrueProduct(NamedTuple):
    headers: dict[str, fits.Header]
    table_header: bytes
    rows: np.ndarray


@cache
def _read_true_product() -> _TrueProduct:
    """The headers of the true product, and its HDRTAB as it lies in the file."""
    content = gzip.decompress(TRUE_PRODUCT.read_bytes())
    with fits.open(io.BytesIO(content)) as true:
        place = true.fileinfo("HDRTAB")
        rows = np.array(true["HDRTAB"].data).view(np.ndarray)
        headers = {hdu.name: hdu.header.copy() for hdu in true}
    return _TrueProduct(headers, content[place["hdrLoc"] : place["datLoc"]], rows)


def _card(keyword: str, value: int) -> bytes:
    return f"{keyword:8}= {value:20}".encode()
