"""The rows of HDRTAB: what a product says it was made of, one row per chip. read.py and write.py handle files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.errors import ProductError
from mvmdb.exposures.fits.file import BLOCK
from mvmdb.names import Kind
from mvmdb.photometry import parse_photometry
from mvmdb.records import Canvas, ProductMember
from mvmdb.sky.region import parse_region

COLUMNS = {
    "ROOTNAME": "rootname", "FILENAME": "filename", "EXTNAME": "extname", "EXTVER": "extver", "EXPTIME": "exptime",
    "EXPSTART": "expstart", "EXPEND": "expend", "WCSNAME": "wcsname", "BUNIT": "bunit", "IDCSCALE": "idcscale",
    "MDRIZSKY": "subtracted", "IPPPSSOO": "ipppssoo", "KIND": "kind", "PIXELS": "pixels", "PIXDIGST": "pixel_digest",
    "WCSDIGST": "wcs_digest", "SKYGROUP": "sky_group", "SKY": "sky", "S_REGION": "s_region",
}  # fmt: skip
"""HDRTAB's columns and the fields of ChipRow that they hold. The first eleven names are drizzlepac's."""

OBSERVATION_COLUMNS = {
    "PROPOSID": "proposid", "TARGNAME": "targname", "RA_TARG": "ra_targ", "DEC_TARG": "dec_targ",
    "DATE_OBS": "date_obs", "TIME_OBS": "time_obs", "APERTURE": "aperture", "FILTER": "filter", "CCDCHIP": "ccdchip",
    "NCOMBINE": "ncombine",
}  # fmt: skip
"""HDRTAB's columns and the fields of Observation that they hold. Their names are the keywords of members' headers.

DATE_OBS and TIME_OBS are DATE-OBS and TIME-OBS: FITS advises against a hyphen in a column's name, and fitsverify warns.
"""

FACTOR = "FACTOR"
"""HDRTAB's column of `ChipRow.factor`. It is only there where it is other than 1 for some chip."""

WEIGHT = "WEIGHT"
"""HDRTAB's column of `ChipRow.weight`. It is only there in mosaics whose members do not count by exposure time."""
PHOTOMETRY_COLUMNS = {"PHOTFLAM": "photflam", "PHOTSCAL": "photscale", "PHOTOMET": "photometry"}
"""HDRTAB's columns of a member's photometry, and the fields of ChipRow. Products of earlier versions have none."""

UNKNOWN = -1
"""A whole number that is not known: TNULL of HDRTAB's columns."""

# No TUNIT of SKY: FITS has no unit electron, and astropy would warn of it at each reading.
_UNITS = {"EXPTIME": "s", "EXPSTART": "d", "EXPEND": "d", "IDCSCALE": "arcsec", "RA_TARG": "deg", "DEC_TARG": "deg"}
_DESCRIPTIONS = {
    "SKY": "electron / (s arcsec2)",
    "MDRIZSKY": "in units of BUNIT",
    FACTOR: "electrons per BUNIT",
    WEIGHT: "of a good pixel, s2 / electron2",
    "PHOTFLAM": "erg/cm2/Angstrom/electron",
    "PHOTSCAL": "factor of the chip's electrons",
    "PHOTOMET": "of all chips, JSON",
}
_NUMBERS = {"extver": ">i4", "exptime": ">f8", "expstart": ">f8", "expend": ">f8", "idcscale": ">f8",
            "subtracted": ">f8", "sky": ">f8", "proposid": ">i4", "ra_targ": ">f8", "dec_targ": ">f8",
            "ccdchip": ">i4", "ncombine": ">i4", "factor": ">f8",
            "weight": ">f8", "photflam": ">f8", "photscale": ">f8"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Observation:
    """What the headers of a member say that people choose exposures by; none of it makes a product stale.

    `ra_targ` and `dec_targ` in degrees. Unknown are texts that are empty, NaN, and whole numbers that are UNKNOWN.
    `filter` is as in the product's header, dates are as the member's headers have them.
    """

    proposid: int
    targname: str
    ra_targ: float
    dec_targ: float
    date_obs: str
    time_obs: str
    aperture: str
    filter: str
    ccdchip: int
    ncombine: int


_NOTHING = Observation(UNKNOWN, "", math.nan, math.nan, "", "", "", "", UNKNOWN, UNKNOWN)


@dataclass(frozen=True, slots=True)
class ChipRow:
    """One chip of a member as a product holds it.

    `exptime` in seconds, `expstart` and `expend` in MJD (NaN where the exposure has none), `idcscale` in arcsec, `sky`
    in electrons/s/arcsec^2 (NaN where none was matched), `subtracted` the same in the chip's own unit, `bunit`, and
    `factor` the electrons (or electrons/s) that were made of one such unit: gain and equalisation. `weight`: what a
    good pixel counts by, in (electrons/s per output pixel)^-2; 0 where that is the exposure time. `observation` is
    None where an earlier version of mvmdb drizzled the chip and did not record it. `photflam` is the chip's, in
    erg/cm2/Angstrom/electron (NaN where it has none), `photscale` the ratio of it and the product's that its
    electrons were multiplied by, and `photometry` that of all chips of the member (mvmdb/photometry.py), empty where an
    earlier version did not record it.
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
    observation: Observation | None = None
    factor: float = 1.0
    weight: float = 0.0
    photflam: float = math.nan
    photscale: float = 1.0
    photometry: str = ""


_SEALED_APART = ("observation", "factor", "weight", *PHOTOMETRY_COLUMNS.values())
_ROW_FIELDS = attrgetter(*(field.name for field in fields(ChipRow) if field.name not in _SEALED_APART))
_PHOTOMETRY_FIELDS = attrgetter(*PHOTOMETRY_COLUMNS.values())
_OBSERVATION_FIELDS = attrgetter(*(field.name for field in fields(Observation)))


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
    """The members that the rows stand for, sorted. Raises ValueError where a photometry is none."""
    chips: dict[str, list[ChipRow]] = {}
    for row in rows:
        chips.setdefault(row.ipppssoo, []).append(row)
    return tuple(_as_member(chips[ipppssoo]) for ipppssoo in sorted(chips))


def _as_member(chips: Sequence[ChipRow]) -> ProductMember:
    row = chips[-1]
    photometry = parse_photometry(row.photometry)
    return ProductMember(
        ipppssoo=row.ipppssoo,
        rootname=row.rootname,
        pixels=row.pixels,
        pixel_digest=row.pixel_digest,
        wcs_digest=row.wcs_digest,
        wcsname=row.wcsname,
        sky_group=row.sky_group,
        exptime=row.exptime,
        sky=None if math.isnan(row.sky) else row.sky,
        photflam=None if photometry is None else photometry.photflam,
        photscale=None if photometry is None else chips[min(photometry.reference, len(chips) - 1)].photscale,
        photometry=row.photometry or None,
    )


def pack_rows(rows: Sequence[ChipRow]) -> fits.BinTableHDU:
    """HDRTAB as a binary table, without the header keywords that product files add.

    The columns are described once in a process, as texts of one letter; then the lengths of texts are put in. For
    astropy, to describe them is most of the work of making a table.
    """
    columns = _pack_columns(rows)
    header = fits.Header.fromstring(_describe_columns(tuple((name, array.dtype.kind) for name, _, array in columns)))
    for number, (_, _, array) in enumerate(columns, start=1):
        if array.dtype.kind == "S":
            header[f"TFORM{number}"] = f"{array.dtype.itemsize}A"
    header["NAXIS1"], header["NAXIS2"] = sum(array.dtype.itemsize for _, _, array in columns), len(rows)
    data = _join(columns, len(rows))
    return fits.BinTableHDU.fromstring(header.tostring().encode("ascii") + data + bytes(-len(data) % BLOCK))


def encode_rows(rows: Sequence[ChipRow]) -> tuple[list[str], bytes]:
    """The names of HDRTAB's columns, and the bytes that its rows have in a file.

    Without astropy, which takes 100 times as long for it: every reading of a product encodes its rows.
    """
    columns = _pack_columns(rows)
    return [name for name, _, _ in columns], _join(columns, len(rows))


def _join(columns: Sequence[tuple[str, str, NDArray[Any]]], count: int) -> bytes:
    values = np.empty(count, [(name, array.dtype) for name, _, array in columns])
    for name, _, array in columns:
        values[name] = array
    return values.tobytes()


def _pack_columns(rows: Sequence[ChipRow]) -> list[tuple[str, str, NDArray[Any]]]:
    """(name of the column, field, values as they stand in a file) of each column that the table of these rows has."""
    observations = [row.observation or _NOTHING for row in rows]
    columns = [(name, field, _pack(field, rows)) for name, field in COLUMNS.items()]
    columns += [(name, field, _pack(field, observations)) for name, field in OBSERVATION_COLUMNS.items()]
    if any(row.factor != 1.0 for row in rows):
        columns.append((FACTOR, "factor", _pack("factor", rows)))
    if any(row.weight != 0.0 for row in rows):
        columns.append((WEIGHT, "weight", _pack("weight", rows)))
    if any(row.photometry for row in rows):
        columns += [(name, field, _pack(field, rows)) for name, field in PHOTOMETRY_COLUMNS.items()]
    return columns


def _pack(field: str, rows: Sequence[ChipRow | Observation]) -> NDArray[Any]:
    values = [getattr(row, field) for row in rows]
    if field not in _NUMBERS:
        return np.array(values, f"S{max(1, *map(len, values))}")
    array = np.array(values, _NUMBERS[field])
    if array.dtype.kind == "f":  # one NaN, whatever its lower bits say
        array = np.where(np.isnan(array), np.copysign(np.nan, array), array).astype(array.dtype)
    return array


@cache
def _describe_columns(columns: tuple[tuple[str, str], ...]) -> str:
    """The header of a table without rows that has these columns, each a name and numpy's letter for the kind."""
    described = [_describe_column(name, kind) for name, kind in columns]
    header = fits.BinTableHDU.from_columns(described, name="HDRTAB").header
    for number, (name, _) in enumerate(columns, start=1):
        if name in _DESCRIPTIONS:
            header[f"TCOMM{number}"] = _DESCRIPTIONS[name]
    return str(header.tostring())


def _describe_column(name: str, kind: str) -> fits.Column:
    if kind == "S":
        return fits.Column(name, "1A")
    if kind == "f":
        return fits.Column(name, "D", unit=_UNITS.get(name))
    return fits.Column(name, "J", null=UNKNOWN if name in OBSERVATION_COLUMNS else None)


def unpack_rows(table: fits.BinTableHDU, path: str) -> tuple[ChipRow, ...]:
    """The rows of a product's HDRTAB: the inverse of `pack_rows`. Products of earlier versions have no observations.

    Raises ProductError when columns are missing: drizzlepac's HDRTAB has no provenance.
    """
    missing = [name for name in COLUMNS if name not in table.columns.names]
    if missing:
        raise ProductError(
            f"{path} was not made by mvmdb: its HDRTAB has no columns {', '.join(missing)}; "
            "expected the provenance of every member; make the layer again"
        )
    values, names = _read_values(table, path), set(table.columns.names)
    observations: list[Observation | None] = [None] * len(values)
    if set(OBSERVATION_COLUMNS) <= names:
        known = (Observation(**fields) for fields in _unpack(values, OBSERVATION_COLUMNS))
        observations = [None if observation.proposid == UNKNOWN else observation for observation in known]
    factors = values[FACTOR].tolist() if FACTOR in names else [1.0] * len(values)
    weights = values[WEIGHT].tolist() if WEIGHT in names else [0.0] * len(values)
    photometries: list[dict[str, Any]] = [{}] * len(values)
    if set(PHOTOMETRY_COLUMNS) <= names:
        photometries = list(_unpack(values, PHOTOMETRY_COLUMNS))
    rows = zip(_unpack(values, COLUMNS), observations, factors, weights, photometries, strict=True)
    return tuple(
        ChipRow(**fields, observation=observation, factor=factor, weight=weight, **photometry)
        for fields, observation, factor, weight, photometry in rows
    )


def _read_values(table: fits.BinTableHDU, path: str) -> NDArray[Any]:
    """The rows of a table whose columns were checked, as they stand in its file.

    Without `table.data`, for which astropy would describe each column again.
    """
    if changed := [column.name for column in table.columns if column.bscale or column.bzero or column.dim]:
        raise ProductError(
            f"{path} is damaged: the columns {', '.join(changed)} of its HDRTAB are scaled or have dimensions; "
            "expected plain values; make the layer again"
        )
    kind, count = table.columns.dtype.newbyteorder(">"), int(table.header["NAXIS2"])
    with open(path, "rb") as file:
        file.seek(int(table.fileinfo()["datLoc"]))
        return np.frombuffer(file.read(kind.itemsize * count), kind, count)


def _unpack(values: NDArray[Any], columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each row as the fields that some columns hold. Raises ValueError where a text is not ASCII."""
    lists = [
        values[name].tolist()
        if field in _NUMBERS
        else [text.decode("ascii").rstrip() for text in values[name].tolist()]
        for name, field in columns.items()
    ]
    return (dict(zip(columns.values(), row, strict=True)) for row in zip(*lists, strict=True))


def seal_provenance(
    layer: str, canvas: Canvas, recipe: str, recipe_digest: str, data: str, headers: str, rows: Sequence[ChipRow]
) -> str:
    """A digest of everything a product says about itself, which reveals damage to its headers: 32 hex digits.

    `data` is the digest of the arrays (SCI, WHT, and ERR if any), `headers` that of their headers and PRIMARY's.
    A row without an observation or photometry, or with the factor 1 or the weight 0, is sealed as earlier versions did.
    """
    values = [
        _ROW_FIELDS(row)
        + (() if row.observation is None else _OBSERVATION_FIELDS(row.observation))
        + (() if row.factor == 1.0 else (row.factor,))
        + (() if row.weight == 0.0 else ("weight", row.weight))
        + (_PHOTOMETRY_FIELDS(row) if row.photometry else ())
        for row in rows
    ]
    text = json.dumps([layer, str(canvas), recipe, recipe_digest, data, headers, values])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
