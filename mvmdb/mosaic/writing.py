"""The product file as it is written: headers, two arrays and HDRTAB, whole or not at all. product.py reads it."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb import __version__
from mvmdb.atomic import replace_file
from mvmdb.errors import ProductError
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.planes import Planes
from mvmdb.mosaic.product import new_digest
from mvmdb.mosaic.provenance import ChipRow, list_members, pack_rows, seal_provenance
from mvmdb.mosaic.summary import (
    Keywords,
    measure_depths,
    member_footprints,
    outline_region,
    summarise_depth,
    summarise_weight,
)
from mvmdb.names import parse_layer_name
from mvmdb.records import ProductRecord

BLOCK = 2880
ROWS_AT_ONCE = 512
_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


@dataclass(frozen=True, slots=True)
class ProductText:
    """All that a product's headers say and its pixels do not.

    `primary` and `science` hold the cards taken over from the first member (instrument, photometry).
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


def write_product(target: Path, text: ProductText, planes: Planes) -> ProductRecord:
    """Write a finished product (science NaN where weight is 0) and return its record.

    Written to a temporary file beside the target, synced, and renamed, so that the target is the old file or the new
    one and never less. Raises ProductError when the folder cannot be written.
    """
    digests: list[str] = []
    write_atomically(target, lambda file: digests.append(_write_hdus(file, target.name, text, planes)))
    status = target.stat()
    return ProductRecord(
        layer=text.layer,
        skycell=parse_layer_name(text.layer).skycell,
        path=str(target),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        data_digest=digests[0],
        canvas=text.grid.canvas,
        recipe=text.recipe,
        recipe_digest=text.recipe_digest,
        members=list_members(text.rows),
    )


def write_atomically(target: Path, write: Callable[[BinaryIO], object]) -> None:
    """Replace `target` whole or not at all; no trace is left of a failure.

    Raises ProductError for what the system refuses; what `write` raises passes through.
    """
    try:
        replace_file(target, write)
    except OSError as error:
        raise ProductError(
            f"cannot write {target}: {error.strerror or error}; expected a folder with room that may be written"
        ) from error


def sweep_temporaries(folder: str | Path) -> list[str]:
    """Remove the temporary files that killed runs left in a folder, and return their names, sorted.

    The caller must be the only run that writes to the folder.
    """
    found = sorted(path for path in Path(folder).glob(".*.tmp") if _TEMPORARY.fullmatch(path.name))
    for path in found:
        path.unlink(missing_ok=True)
    return [path.name for path in found]


def _write_hdus(file: BinaryIO, filename: str, text: ProductText, planes: Planes) -> str:
    """Write the four HDUs and return the data digest; arrays go row block by row block, never copied whole."""
    footprints = member_footprints(text.rows, text.grid)
    depths = summarise_depth(measure_depths(footprints, text.grid), text.grid)
    primary = _primary_header(filename, text, {**depths, **summarise_weight(planes.weight)})
    digest, headers = new_digest(), new_digest()
    _write_header(file, primary, headers)
    for name, plane in (("SCI", planes.science), ("WHT", planes.weight)):
        header = _image_header(name, text)
        if name == "SCI":
            header["S_REGION"] = outline_region(footprints, text.grid)
        _write_header(file, header, headers)
        _write_plane(file, plane, digest)
    file.write(_table_bytes(text, digest.hexdigest(), headers.hexdigest()))
    return digest.hexdigest()


def _write_header(file: BinaryIO, header: fits.Header, digest: hashlib.blake2b) -> None:
    data = header.tostring().encode("ascii")
    digest.update(data)
    file.write(data)


def _write_plane(file: BinaryIO, plane: NDArray[np.float32], digest: hashlib.blake2b) -> None:
    for top in range(0, plane.shape[0], ROWS_AT_ONCE):
        data = plane[top : top + ROWS_AT_ONCE].astype(">f4").data
        digest.update(data)
        file.write(data)
    file.write(b"\0" * (-plane.nbytes % BLOCK))


def _primary_header(filename: str, text: ProductText, numbers: Keywords) -> fits.Header:
    header = fits.PrimaryHDU(header=text.primary.copy()).header
    starts, ends = ([v for v in times if not np.isnan(v)] for times in _times(text.rows))
    exptime = sum(member.exptime for member in list_members(text.rows))
    own: Keywords = {
        "DATE": (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "[UTC] when this file was written"),
        "FILENAME": (filename, ""),
        "ROOTNAME": (text.layer, ""),
        "FILETYPE": ("SCI", "type of data"),
        "PROD_VER": (f"mvmdb {__version__}", "software that made this file"),
        "NEXTEND": (3, "number of extensions"),
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
        own["EXPSTART"] = (min(starts), "[d] start of the first exposure (MJD)")
        own["EXPEND"] = (max(ends), "[d] end of the last exposure (MJD)")
    header.update({**own, **numbers})
    return header


def _times(rows: Sequence[ChipRow]) -> tuple[list[float], list[float]]:
    return [row.expstart for row in rows], [row.expend for row in rows]


def _image_header(name: str, text: ProductText) -> fits.Header:
    rows, columns = text.grid.shape
    header = fits.Header()
    header["XTENSION"] = ("IMAGE", "image extension")
    header.update({"BITPIX": -32, "NAXIS": 2, "NAXIS1": columns, "NAXIS2": rows, "PCOUNT": 0, "GCOUNT": 1})
    header.update({"EXTNAME": name, "EXTVER": 1})
    if name == "SCI":
        header.extend(text.science, update=True)
        header["BUNIT"] = ("ELECTRONS/S", "per pixel")
    header.update(text.grid.wcs_cards())
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
            "MVMDATA": (data_digest, "digest of SCI and WHT"),
            "MVMSEAL": (seal, "digest of provenance and headers"),
            "MVMRCPJS": text.recipe,
        }
    )
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    return buffer.getvalue()[BLOCK:]  # without the primary HDU, one block long, that a file must begin with
