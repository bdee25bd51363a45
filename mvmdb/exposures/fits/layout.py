"""What a file must contain to be an exposure: SCI images, and the tables of their WCS; the rest is ignored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import prod
from typing import BinaryIO, TypeGuard

import numpy as np

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.cards import Cards, Value, to_number
from mvmdb.exposures.fits.chipwcs import ChipWcs, NoSolutionError, Table, read_wcs
from mvmdb.exposures.fits.file import FitsFile, Hdu, read_array, read_scaling
from mvmdb.instruments import INSTRUMENTS

LARGEST_TABLE = 1 << 20
"""Values in a lookup table: Hubble's have 64 x 32 to 4096."""
MOST_CHIPS = 4
"""WFPC2's."""
_SCALE_ROOM = 0.1
LARGEST_SCALE = 1.0
"""Arcsec: the largest pixels of Hubble's cameras, WFC3/IR's, are 0.135."""


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
    if len(chips) > MOST_CHIPS:
        raise ExposureError(
            "contradictory",
            f"{file.path} has {len(chips)} SCI extensions; expected one for each chip, {MOST_CHIPS} at most",
        )
    if len({chip.ver for chip in chips}) != len(chips):
        raise ExposureError("contradictory", f"{file.path}: two SCI extensions have the same EXTVER")
    return chips


def find_companions(file: FitsFile, chips: tuple[Hdu, ...], name: str) -> dict[int, Hdu]:
    """The DQ or ERR (`name`) of each chip, by the chip's EXTVER; a chip without one is left out.

    Where there is one chip and one companion they belong together, whatever their EXTVER: files of one chip or of a
    subarray come with unlike numbers. Raises ExposureError `contradictory` where two companions have the same EXTVER.
    """
    companions = {hdu.ver: hdu for hdu in file.images(name)}
    if len(companions) != len(file.images(name)):
        raise ExposureError("contradictory", f"{file.path}: two {name} extensions have the same EXTVER")
    if len(chips) == len(companions) == 1:
        return {chips[0].ver: next(iter(companions.values()))}
    return companions


def find_flags(file: FitsFile, chips: tuple[Hdu, ...]) -> dict[int, Hdu]:
    """The DQ of each chip, by the chip's EXTVER; empty for a file without any, whose pixels are all good.

    Raises ExposureError `contradictory` where DQ is there for some of the chips only, or has another shape than SCI.
    """
    flags = find_companions(file, chips, "DQ")
    for chip in chips if flags else ():
        hdu = flags.get(chip.ver)
        if hdu is None or hdu.pixel_shape != chip.pixel_shape:
            problem = "is missing" if hdu is None else f"has shape {hdu.pixel_shape}"
            raise ExposureError(
                "contradictory", f"{file.path}: (DQ,{chip.ver}) {problem}; expected shape {chip.pixel_shape} as {chip}"
            )
    return flags


def is_scale(value: Value) -> TypeGuard[float]:
    """Whether a header's value can be a pixel size in arcsec."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < LARGEST_SCALE


def read_idcscale(primary: Mapping[str, Value], sci: Mapping[str, Value]) -> float | None:
    """A chip's nominal pixel size in arcsec, by which brightness is defined: IDCSCALE, else the detector's.

    None where neither is known. Of WFPC2, whose chips differ, IDCSCALE counts only where it is the size of the chip's
    own pixels to 10%: of binned pixels (MODE AREA) it is half of it.
    """
    camera = INSTRUMENTS.get(str(primary.get("INSTRUME") or "").strip().lower())
    scale, pixel = sci.get("IDCSCALE"), None
    if camera is not None and camera.chips_are_detectors:
        pixel = _pixel_size(sci)
    if is_scale(scale) and (pixel is None or abs(scale / pixel - 1) < _SCALE_ROOM):
        return float(scale)
    detector = camera.find(str(primary.get("DETECTOR") or "").strip().lower()) if camera is not None else None
    return None if detector is None else detector.idcscale


def _pixel_size(sci: Mapping[str, Value]) -> float | None:
    """The size of a chip's pixels at CRPIX in arcsec by its CD matrix, if it has one."""
    numbers = [to_number(sci.get(f"CD{i}_{j}")) for i in (1, 2) for j in (1, 2)]
    a, b, c, d = (number or 0.0 for number in numbers)
    return 3600 * math.sqrt(abs(a * d - b * c)) or None


def read_chip_wcs(file: FitsFile, chip: Hdu, stream: BinaryIO) -> ChipWcs:
    """The WCS values of one chip, its lookup tables read from `stream`; raises NoSolutionError."""

    def find_table(extname: str, extver: int) -> tuple[Cards, Table]:
        for hdu in file.images(extname):
            if hdu.ver == extver and hdu.xtension == "IMAGE" and hdu.shape:
                _check_table(hdu)
                with np.errstate(over="ignore", invalid="ignore"):  # what is no number then is refused
                    return hdu.header, read_array(stream, hdu).astype(np.float32)
        raise NoSolutionError(f"the lookup table ({extname},{extver}) is missing")

    rows, columns = chip.pixel_shape
    return read_wcs(chip.header, (rows, columns), find_table)


def _check_table(hdu: Hdu) -> None:
    if prod(hdu.shape) > LARGEST_TABLE:
        raise NoSolutionError(
            f"the lookup table {hdu} has the shape {hdu.shape}; expected {LARGEST_TABLE} values at most"
        )
    if read_scaling(hdu) != (1.0, 0.0):
        raise NoSolutionError(f"the lookup table {hdu} is scaled by BSCALE or BZERO; expected plain numbers")
