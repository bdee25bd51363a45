"""The rows of HDRTAB: what a product says it was made of, one row per chip. read.py and write.py handle files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.errors import ProductError
from mvmdb.names import Kind
from mvmdb.records import Canvas, ProductMember
from mvmdb.sky.region import parse_region

COLUMNS = {
    "ROOTNAME": "rootname", "FILENAME": "filename", "EXTNAME": "extname", "EXTVER": "extver", "EXPTIME": "exptime",
    "EXPSTART": "expstart", "EXPEND": "expend", "WCSNAME": "wcsname", "BUNIT": "bunit", "IDCSCALE": "idcscale",
    "MDRIZSKY": "subtracted", "IPPPSSOO": "ipppssoo", "KIND": "kind", "PIXELS": "pixels", "PIXDIGST": "pixel_digest",
    "WCSDIGST": "wcs_digest", "SKYGROUP": "sky_group", "SKY": "sky", "S_REGION": "s_region",
}  # fmt: skip
"""HDRTAB's columns and the fields of ChipRow that they hold. The first eleven names are drizzlepac's."""

_UNITS = {"EXPTIME": "s", "EXPSTART": "d", "EXPEND": "d", "IDCSCALE": "arcsec", "SKY": "electron / (s arcsec2)"}
_NUMBERS = {"extver": ">i4", "exptime": ">f8", "expstart": ">f8", "expend": ">f8", "idcscale": ">f8",
            "subtracted": ">f8", "sky": ">f8"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChipRow:
    """One chip of a member as a product holds it.

    `exptime` in seconds, `expstart` and `expend` in MJD (NaN where the exposure has none), `idcscale` in arcsec, `sky`
    in electrons/s/arcsec^2 (NaN where none was matched), `subtracted` the same in the chip's own units.
    """

    ipppssoo: str
    rootname: str
    filename: str
    kind: Kind
    extver: int
    exptime: float
    expstart: float
    expend: float
    wcsname: str
    bunit: str
    idcscale: float
    subtracted: float
    pixels: str
    pixel_digest: str
    wcs_digest: str
    sky_group: str
    sky: float
    s_region: str
    extname: str = "SCI"


_ROW_FIELDS = attrgetter(*(field.name for field in fields(ChipRow)))


def read_outlines(rows: Sequence[ChipRow]) -> list[list[NDArray[np.float64]]]:
    """The polygons of each row's S_REGION, (n, 2) in degrees: one per row, as mvmdb writes it.

    What mvmdb writes is already normalised. `parse_region`, which normalises any region, would take a tenth of a second
    for a few hundred members.
    """
    outlines = []
    for row in rows:
        words = row.s_region.split(" ")
        if words[:2] == ["POLYGON", "ICRS"] and len(words) % 2 == 0 and words.count("POLYGON") == 1:
            outlines.append([np.array([float(word) for word in words[2:]]).reshape(-1, 2)])
        else:
            outlines.append(parse_region(row.s_region))
    return outlines


def list_members(rows: Sequence[ChipRow]) -> tuple[ProductMember, ...]:
    """The members that the rows stand for, sorted."""
    members = {
        row.ipppssoo: ProductMember(
            ipppssoo=row.ipppssoo,
            rootname=row.rootname,
            pixels=row.pixels,
            pixel_digest=row.pixel_digest,
            wcs_digest=row.wcs_digest,
            wcsname=row.wcsname,
            sky_group=row.sky_group,
            exptime=row.exptime,
            sky=None if math.isnan(row.sky) else row.sky,
        )
        for row in rows
    }
    return tuple(members[ipppssoo] for ipppssoo in sorted(members))


def pack_rows(rows: Sequence[ChipRow]) -> fits.BinTableHDU:
    """HDRTAB as a binary table, without the header keywords that product files add."""
    columns = []
    for name, field in COLUMNS.items():
        values = [getattr(row, field) for row in rows]
        if field in _NUMBERS:
            array = np.array(values, _NUMBERS[field])
            columns.append(
                fits.Column(name, {"i": "J", "f": "D"}[array.dtype.kind], unit=_UNITS.get(name), array=array)
            )
        else:
            width = max(1, *(len(value) for value in values))
            columns.append(fits.Column(name, f"{width}A", array=np.array(values, f"S{width}")))
    return fits.BinTableHDU.from_columns(columns, name="HDRTAB")


def unpack_rows(table: fits.BinTableHDU, path: str) -> tuple[ChipRow, ...]:
    """The rows of a product's HDRTAB: the inverse of `pack_rows`.

    Raises ProductError when columns are missing: drizzlepac's HDRTAB has no provenance.
    """
    missing = [name for name in COLUMNS if name not in table.columns.names]
    if missing:
        raise ProductError(
            f"{path} was not made by mvmdb: its HDRTAB has no columns {', '.join(missing)}; "
            "expected the provenance of every member; make the layer again"
        )
    lists = {
        field: table.data[name].tolist() if field in _NUMBERS else [str(text) for text in table.data[name]]
        for name, field in COLUMNS.items()
    }
    return tuple(ChipRow(**dict(zip(lists, values, strict=True))) for values in zip(*lists.values(), strict=True))


def seal_provenance(
    layer: str, canvas: Canvas, recipe: str, recipe_digest: str, data: str, headers: str, rows: Sequence[ChipRow]
) -> str:
    """A digest of everything a product says about itself, which reveals damage to its headers: 32 hex digits.

    `data` is the digest of the arrays (SCI, WHT, and ERR if any), `headers` that of their headers and PRIMARY's.
    """
    values = [_ROW_FIELDS(row) for row in rows]
    text = json.dumps([layer, str(canvas), recipe, recipe_digest, data, headers, values])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
