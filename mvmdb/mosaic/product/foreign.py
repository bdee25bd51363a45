"""drizzlepac's product as it is read: which exposures it says it holds, and where its canvas lies in the sky cell.

It does not say which pixels of an exposure went in: a recalibrated file has the same name and may have the same WCS.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from mvmdb.errors import NameFormatError, ProductError
from mvmdb.inputs import open_plain
from mvmdb.instruments import LONGEST_EXPOSURE
from mvmdb.mosaic.product.structure import RAISED, check_columns, opened
from mvmdb.names import Kind, LayerName, parse_product_name, parse_rootname, reference_cell
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import cell_wcs
from mvmdb.stamp import file_stamp

BLOCK = 1 << 20
_EXTENSIONS = {"SCI", "WHT", "HDRTAB"}
_COLUMNS = ("ROOTNAME", "EXPTIME")
_LARGEST = 32 << 30
"""Bytes of a product: SCI and WHT of a whole sky cell have 4 GB, and CTX as much for each 64 chips."""
_NEAR = 1e-3
"""Pixels by which the grid of a product may be off the sky cell's."""
_OWN = "MVMLAYER"
"""The keyword of HDRTAB by which mvmdb's products are known."""


@dataclass(frozen=True, slots=True)
class ForeignMember:
    """One exposure as drizzlepac's HDRTAB names it; `exptime` in seconds, `sky` in electrons/s/arcsec^2 if known.

    `wcsname` is None where HDRTAB has no WCSNAME: drizzlepac takes no such keyword from exposures of WFPC2.
    """

    ipppssoo: str
    rootname: str
    wcsname: str | None
    exptime: float
    sky: float | None


@dataclass(frozen=True, slots=True)
class ForeignProduct:
    """A product file of another program. `digest` is that of the whole file.

    `pixels` is its rectangle in pixels of its layer's scale, 1-based and inclusive in the sky cell.
    """

    layer: LayerName
    kind: Kind
    path: str
    size: int
    mtime_ns: int
    digest: str
    pixels: Canvas
    members: tuple[ForeignMember, ...]


def is_own(path: Path) -> bool:
    """Whether mvmdb made this product, however damaged it is. Raises ProductError if it is no FITS file with tables."""
    with _opened(path) as hdus:
        return any(_OWN in hdu.header for hdu in hdus if hdu.name == "HDRTAB")


def read_foreign(path: Path) -> ForeignProduct:
    """What drizzlepac's product says that it holds. The whole file is read, for its digest.

    Raises ProductError if it is not such a product, is cut short, or does not lie on the grid of its sky cell.
    """
    try:
        layer, kind = parse_product_name(path.name)
    except NameFormatError as error:
        raise ProductError(str(error)) from error
    with _opened(path) as hdus:
        size, mtime_ns = file_stamp(path.stat())
        names = [hdu.name for hdu in hdus]
        if not set(names) >= _EXTENSIONS:
            raise ProductError(f"{path} holds {', '.join(names)}; expected SCI, WHT and HDRTAB")
        if size > _LARGEST:
            raise ProductError(f"{path} has {size} bytes; expected {_LARGEST} at most")
        _check_arrays(path, hdus["SCI"], hdus["WHT"])
        _check_cell(path, hdus["PRIMARY"].header, layer)
        pixels = _place(path, hdus["SCI"].header, layer)
        members = _list_members(path, hdus["HDRTAB"])
    return ForeignProduct(layer, kind, str(path), size, mtime_ns, digest_file(path), pixels, members)


def digest_file(path: Path) -> str:
    """The digest of all bytes of a file: BLAKE2b, 32 hex digits. Raises ProductError if it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open_plain(path) as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise ProductError(f"{path} cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[fits.HDUList]:
    """The HDUs of a FITS file; what astropy raises in the block becomes a ProductError."""
    try:
        with opened(path) as hdus:
            yield hdus
    except RAISED as error:
        raise ProductError(f"{path} is damaged: {error}; expected drizzlepac's product") from error


def _check_arrays(path: Path, science: Any, weight: Any) -> None:
    for hdu in (science, weight):
        if not isinstance(hdu, fits.ImageHDU) or len(hdu.shape) != 2 or hdu.shape != science.shape:
            raise ProductError(f"{path}: {hdu.name} is no image of two axes; expected SCI and WHT of one shape")


def _check_cell(path: Path, primary: fits.Header, layer: LayerName) -> None:
    cell = str(primary.get("SCELLID", "")).strip()
    expected = layer.skycell.removeprefix("skycell-")
    if cell and cell != expected:
        raise ProductError(f"{path} is of the sky cell {cell}, as SCELLID says; expected {expected}, as its name does")


def _place(path: Path, header: fits.Header, layer: LayerName) -> Canvas:
    """The rectangle of the sky cell that the array covers, in pixels of the layer's scale."""
    cell = cell_wcs(reference_cell(layer.skycell), layer.scale)
    whole = cell.wcs
    plane = {
        "CRVAL1": whole.crval[0], "CRVAL2": whole.crval[1], "CD1_1": whole.cd[0][0], "CD2_2": whole.cd[1][1],
        "CD1_2": 0.0, "CD2_1": 0.0,
    }  # fmt: skip
    for key, value in plane.items():
        tolerance = 1e-7 if key.startswith("CRVAL") else 1e-6 * abs(whole.cd[1][1])
        if not abs(float(header.get(key, 0.0)) - value) <= tolerance:
            raise ProductError(f"{path} is not on the grid of its sky cell: {key} is {header.get(key)}, not {value}")
    if [header.get(f"CTYPE{axis}") for axis in (1, 2)] != ["RA---TAN", "DEC--TAN"]:
        raise ProductError(f"{path} is not on the grid of its sky cell: CTYPE1 is {header.get('CTYPE1')}, not RA---TAN")
    edges = []
    for axis in (1, 2):
        first = float(whole.crpix[axis - 1]) - float(header[f"CRPIX{axis}"]) + 1
        if not abs(first - round(first)) <= _NEAR:
            raise ProductError(f"{path} is off the grid of its sky cell by {first - round(first):.3f} pixels")
        edges += [round(first), round(first) + int(header[f"NAXIS{axis}"]) - 1]
        if edges[-2] < 1 or edges[-1] > cell.pixel_shape[axis - 1] or edges[-1] < edges[-2]:
            raise ProductError(
                f"{path} has the pixels {edges[-2]} to {edges[-1]} of its sky cell, which has not as many"
            )
    return Canvas(*edges)


def _list_members(path: Path, table: Any) -> tuple[ForeignMember, ...]:
    """The exposures of HDRTAB, which has one row a chip; sorted."""
    if not isinstance(table, fits.BinTableHDU):
        raise ProductError(f"{path}: HDRTAB is no table; expected drizzlepac's, with one row for each chip")
    check_columns(table, path)
    missing = [name for name in _COLUMNS if name not in table.columns.names]
    if missing or _OWN in table.header:
        found = f"no columns {', '.join(missing)}" if missing else "mvmdb's provenance"
        raise ProductError(f"{path}: HDRTAB has {found}; expected drizzlepac's, with one row for each chip")
    if not len(table.data):
        raise ProductError(f"{path}: HDRTAB has no rows; expected one for each chip")
    members: dict[str, ForeignMember] = {}
    for row in table.data:
        rootname, ipppssoo = parse_rootname(str(row["ROOTNAME"]).strip())
        wcsname = str(row["WCSNAME"]).strip() if "WCSNAME" in table.columns.names else None
        exptime = float(row["EXPTIME"])
        if not ((wcsname is None or wcsname.isprintable()) and 0.0 <= exptime <= LONGEST_EXPOSURE):
            raise ProductError(f"{path}: HDRTAB has WCSNAME {wcsname!r} and EXPTIME {exptime} of {ipppssoo}")
        member = ForeignMember(ipppssoo, rootname, wcsname, exptime, _sky(row, table.columns.names))
        before = members.setdefault(ipppssoo, member)
        if before.wcsname != wcsname:
            raise ProductError(f"{path}: the chips of {ipppssoo} have WCSNAME {before.wcsname} and {wcsname}")
    return tuple(members[name] for name in sorted(members))


def _sky(row: Any, names: Sequence[str]) -> float | None:
    """The subtracted sky, from MDRIZSKY in the chip's own units; None where it cannot be told, as of counts."""
    if not {"MDRIZSKY", "BUNIT", "IDCSCALE"} <= set(names):
        return None
    sky, scale, exptime = (_number(row[name]) for name in ("MDRIZSKY", "IDCSCALE", "EXPTIME"))
    unit = str(row["BUNIT"]).strip().upper()
    if not unit.startswith("ELECTRON"):
        return None
    per_second = unit.endswith("/S")
    sky = sky / scale**2 / (1.0 if per_second else exptime) if scale > 0 and exptime > 0 else math.nan
    return sky if math.isfinite(sky) else None


def _number(value: Any) -> float:
    return math.nan if value is None or np.ma.is_masked(value) else float(value)
