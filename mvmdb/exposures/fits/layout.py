"""What a file must contain to be an exposure: SCI images, and the tables of their WCS; the rest is ignored."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.cards import Cards
from mvmdb.exposures.fits.chipwcs import ChipWcs, NoSolutionError, Table, read_wcs
from mvmdb.exposures.fits.file import FitsFile, Hdu, read_array


def require_sci(file: FitsFile) -> tuple[Hdu, ...]:
    """The SCI images of a file in the order of EXTVER.

    Raises ExposureError: `no-sci` where there is none or one has no pixels, `contradictory` where two have the same
    EXTVER.
    """
    chips = file.images("SCI")
    if not chips:
        names = ", ".join(sorted({hdu.name for hdu in file.hdus}))
        raise ExposureError("no-sci", f"{file.path} has no SCI extension, only {names}; expected an FLT or FLC")
    for chip in chips:
        if chip.xtension != "IMAGE":
            raise ExposureError(
                "no-sci", f"{file.path}: {chip} is a {chip.xtension}; expected an image; uncompress: funpack"
            )
        if len(chip.pixel_shape) != 2 or 0 in chip.pixel_shape:
            raise ExposureError("no-sci", f"{file.path}: {chip} has no pixels; expected an image of 2 axes")
    if len({chip.ver for chip in chips}) != len(chips):
        raise ExposureError("contradictory", f"{file.path}: two SCI extensions have the same EXTVER")
    return chips


def read_chip_wcs(file: FitsFile, chip: Hdu, stream: BinaryIO) -> ChipWcs:
    """The WCS values of one chip, its lookup tables read from `stream`; raises NoSolutionError."""

    def find_table(extname: str, extver: int) -> tuple[Cards, Table]:
        for hdu in file.images(extname):
            if hdu.ver == extver and hdu.xtension == "IMAGE" and hdu.shape:
                return hdu.header, read_array(stream, hdu).astype(np.float32)
        raise NoSolutionError(f"the lookup table ({extname},{extver}) is missing")

    rows, columns = chip.pixel_shape
    return read_wcs(chip.header, (rows, columns), find_table)
