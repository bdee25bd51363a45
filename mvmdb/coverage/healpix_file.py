"""Maps of depth as FITS files that HEALPix programs read: with the pixels that are covered, or multi-order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvmdb.atomic import replace_file
from mvmdb.coverage.healpix import DepthMap


def write_healpix(target: Path, depth: DepthMap, *, multiorder: bool = False) -> None:
    """Write a map to a FITS file, whole or not at all.

    Flat: the columns PIXEL, EXPTIME and N_EXPOSURES of the pixels of one nside, nested (the explicit scheme that
    `healpy.read_map(partial=True)` reads). Multi-order: UNIQ, EXPTIME and N_EXPOSURES, with ORDERING NUNIQ as in the
    IVOA's MOC 2.0 and in LIGO's sky maps. Both have EXPTIME_ADDED and N_EXPOSURES_ADDED, if the map has them.

    Raises UsageError for too many pixels, OSError if it cannot be written.
    """
    from astropy.io import fits

    shown = depth if multiorder else depth.flat()
    key = ("UNIQ", "K", shown.pixel + (1 << (2 * (shown.order + 1)))) if multiorder else ("PIXEL", "K", shown.pixel)
    columns = [
        fits.Column(name=key[0], format=key[1], array=key[2].astype(np.int64)),
        fits.Column(name="EXPTIME", format="D", unit="s", array=shown.exptime),
        fits.Column(name="N_EXPOSURES", format="D", array=shown.n_exposures),
    ]
    if shown.added is not None:
        columns += [
            fits.Column(name="EXPTIME_ADDED", format="D", unit="s", array=shown.added[0]),
            fits.Column(name="N_EXPOSURES_ADDED", format="D", array=shown.added[1]),
        ]
    table = fits.BinTableHDU.from_columns(columns, name="COVERAGE")
    cards: list[tuple[str, object, str]] = [
        ("PIXTYPE", "HEALPIX", "HEALPix pixels"),
        ("COORDSYS", "C", "ICRS"),
        ("INDXSCHM", "EXPLICIT", "pixels have numbers"),
    ]
    if multiorder:
        cards += [("ORDERING", "NUNIQ", "4^(order + 1) + nested pixel"), ("MOCORDER", depth.finest, "finest order")]
    else:
        cards += [
            ("ORDERING", "NESTED", "pixels are numbered so"),
            ("NSIDE", 1 << depth.finest, "sides of pixels"),
            ("OBJECT", "PARTIAL", "only pixels that are covered"),
        ]
    for name, value, comment in cards:
        table.header[name] = (value, comment)
    table.header["COMMENT"] = "EXPTIME and N_EXPOSURES are means over the area of each pixel."
    if shown.added is not None:
        table.header["COMMENT"] = "Of them, EXPTIME_ADDED and N_EXPOSURES_ADDED are what is added."
    files = fits.HDUList([fits.PrimaryHDU(), table])
    replace_file(target, lambda stream: files.writeto(stream, checksum=True))
