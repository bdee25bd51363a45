"""What identifies an exposure's pixels: a token made of its headers, and the digest of its SCI and DQ arrays.

`catalog/exposures/register.py` decides which of the two is used. Neither changes with the WCS: a new astrometric
solution rewrites WCS keywords and adds headerlets, and leaves the pixels as they are.
"""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.cards import Cards
from mvmdb.exposures.fits.counts import find_counts
from mvmdb.exposures.fits.file import FitsFile, Hdu, constant_value, open_or_blame, scan_open

CHUNK = 1 << 20

# What made the pixels: calibration software, its switches and reference files, and the statistics that it wrote.
# Left out on purpose: FILENAME and DATE (copies differ), DRIZCORR, MDRIZSKY and MDRIZTAB (a mosaic was made),
# IDCTAB, NPOLFILE, D2IMFILE, DGEOFILE and all WCS keywords (astrometry), ASN_TAB (association), GRAPHTAB, COMPTAB.
_IDENTITY = ("ROOTNAME", "INSTRUME", "DETECTOR", "EXPTIME", "EXPSTART")
_SOFTWARE = ("CAL_VER", "OPUS_VER", "CSYS_VER", "PROCTIME", "CTE_VER", "CTE_NAME")
_SWITCHES = (
    "DQICORR", "ATODCORR", "BLEVCORR", "BIASCORR", "FLSHCORR", "CRCORR", "EXPSCORR", "SHADCORR", "DARKCORR", "FLATCORR",
    "PCTECORR", "PHOTCORR", "FLUXCORR", "RPTCORR", "ZSIGCORR", "ZOFFCORR", "NLINCORR", "UNITCORR", "SATUCORR",
    "SINKCORR", "MASKCORR",
)  # fmt: skip
_FILES = (
    "BPIXTAB", "CCDTAB", "ATODTAB", "OSCNTAB", "BIASFILE", "FLSHFILE", "CRREJTAB", "SHADFILE", "DARKFILE", "PFLTFILE",
    "DFLTFILE", "LFLTFILE", "CFLTFILE", "IMPHTTAB", "PHOTTAB", "PCTETAB", "DRKCFILE", "BIACFILE", "SNKCFILE",
    "SATUFILE", "NLINFILE", "MLINTAB", "MASKFILE", "ATODFILE", "BLEVFILE", "FLATFILE",
)  # fmt: skip
_STATISTICS = (
    "BUNIT", "NCOMBINE", "NGOODPIX", "GOODMIN", "GOODMAX", "GOODMEAN", "SNRMIN", "SNRMAX", "SNRMEAN", "SOFTERRS",
    "MEANDARK", "MEANBLEV", "MEANFLSH",
)  # fmt: skip
_STORAGE = ("BSCALE", "BZERO", "PIXVALUE", "DATASUM")
_MEANING = ("BUNIT", "IDCSCALE")  # with EXPTIME, what turns stored numbers into brightness
_COUNTS_PRIMARY, _COUNTS_SCI = ("ATODGAIN", "MODE"), ("DETECTOR", "PHOTFLAM")  # what turns counts into electrons
_UNSET = ("", "N/A")  # tools that assign reference files write N/A where there was no keyword


def make_pixel_token(file: FitsFile, kind: str) -> str:
    """The identity of an exposure's pixels as far as its headers show: `t:` and 32 hexadecimal digits.

    Covers root name, kind, exposure time, calibration software, switches and reference files, and the shape, type, size
    and statistics of every SCI and DQ. Two copies of a file have the same token, whatever their names and WCS.
    """
    of_primary, of_sci = _meaning(file)
    primary = _values(file.primary, _IDENTITY + _SOFTWARE + _SWITCHES + _FILES + of_primary)
    values: list[object] = [kind, primary]
    for hdu in pixel_hdus(file):
        values.append((hdu.name, hdu.ver, hdu.bitpix, hdu.pixel_shape, hdu.size))
        values.append(_values(hdu.header, _STATISTICS + _STORAGE + of_sci if hdu.name == "SCI" else _STORAGE))
    return "t:" + hashlib.blake2b(repr(values).encode(), digest_size=16).hexdigest()


def digest_pixels(path: str | os.PathLike[str]) -> str:
    """The digest of all SCI and DQ arrays as stored: `d:` and the first 32 hexadecimal digits of their SHA-256.

    Each array counts with its name, EXTVER, type, shape and scaling, and all of them with EXPTIME, BUNIT and IDCSCALE,
    so that equal bytes of another meaning differ. Reads 1 MB at a time; SHA-256 runs at 1.7 GB/s where the processor
    has instructions for it, BLAKE2b at 0.6. Raises ExposureError as `scan_file` does, and `no-sci`.
    """
    name = os.fspath(path)
    with open_or_blame(name) as opened:
        return digest_open(scan_open(opened, name), opened.stream)


def digest_open(file: FitsFile, stream: BinaryIO) -> str:
    """As `digest_pixels`, of a file whose headers were read, from its open stream. Raises OSError too."""
    of_primary, of_sci = _meaning(file)
    digest = hashlib.sha256(repr(_values(file.primary, ("EXPTIME", *of_primary))).encode())
    if not file.images("SCI"):
        raise ExposureError("no-sci", f"{file.path} has no SCI extension; expected an FLT or FLC")
    for hdu in pixel_hdus(file):
        scaling = _values(hdu.header, ("BSCALE", "BZERO", *(of_sci if hdu.name == "SCI" else _MEANING)))
        digest.update(repr((hdu.name, hdu.ver, hdu.bitpix, hdu.pixel_shape, scaling)).encode())
        if hdu.shape:
            _update(digest, stream, hdu, file.path)
        else:
            digest.update(repr(float(constant_value(hdu))).encode())
    return "d:" + digest.hexdigest()[:32]


def _meaning(file: FitsFile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keywords of the primary and SCI headers that, with EXPTIME, turn stored numbers into brightness."""
    return (_COUNTS_PRIMARY, _MEANING + _COUNTS_SCI) if find_counts(file.primary) is not None else ((), _MEANING)


def pixel_hdus(file: FitsFile) -> list[Hdu]:
    """The SCI and DQ extensions in the order of EXTVER, SCI before DQ."""
    return sorted((*file.images("SCI"), *file.images("DQ")), key=lambda hdu: (hdu.ver, hdu.name != "SCI"))


def _update(digest: hashlib._Hash, stream: BinaryIO, hdu: Hdu, name: str) -> None:
    stream.seek(hdu.offset)
    remaining = hdu.array_size
    while remaining:
        chunk = stream.read(min(CHUNK, remaining))
        if not chunk:
            raise ExposureError("truncated", f"{name} is cut short: {remaining} data bytes of {hdu} are missing")
        digest.update(chunk)
        remaining -= len(chunk)


def _values(header: Cards, keywords: tuple[str, ...]) -> list[tuple[str, str | float]]:
    pairs = []
    for keyword in keywords:
        value = header.get(keyword)
        if value is not None and value not in _UNSET:
            pairs.append((keyword, value if isinstance(value, str) else float(value)))
    return pairs
