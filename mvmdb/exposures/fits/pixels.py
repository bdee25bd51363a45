"""An exposure's pixels, chip by chip, for the drizzle; `mosaic/drizzle/chips.py` decides which of them are good.

Nothing stays open and nothing is memory-mapped: the caller may change every array.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mvmdb.correction import Correction
from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.cards import to_number
from mvmdb.exposures.fits.checksum import check_sums
from mvmdb.exposures.fits.chipwcs import NoSolutionError, build_wcs, correct_chip
from mvmdb.exposures.fits.counts import Conversion, Plane, find_conversions, find_sensitivity
from mvmdb.exposures.fits.file import FitsFile, Hdu, open_or_blame, read_array, read_scaling, scan_open
from mvmdb.exposures.fits.layout import find_companions, find_flags, read_chip_wcs, read_idcscale, require_sci
from mvmdb.exposures.fits.photometry import find_scales


@dataclass(frozen=True, slots=True, eq=False)
class ChipData:
    """One chip of an exposure: arrays of (rows, columns) in native byte order.

    `science` is float32 in `bunit` (capitals, `ELECTRONS` or `ELECTRONS/S`): the stored values times `factor`, where
    counts became electrons and chips were equalised (counts.py). `dq` has uint16 bits, `exptime` is in seconds,
    `idcscale` the detector's nominal pixel size in arcsec (as `read_idcscale` gives it, else the square root of the
    pixel's area), `wcs` has SIP, NPOL and D2IM. `error` is float32 in `bunit`, None where it was not requested.
    `stored_bunit` is the unit of the stored values. `scale` is the part of `factor` that is the ratio of sensitivities,
    `reference` the factor of the chip whose sensitivity the exposure's electrons have.
    """

    extver: int
    science: np.ndarray[Any, np.dtype[np.float32]]
    dq: np.ndarray[Any, np.dtype[np.uint16]]
    wcs: WCS
    header: fits.Header
    exptime: float
    bunit: str
    idcscale: float
    stored_bunit: str
    factor: float = 1.0
    scale: float = 1.0
    reference: float = 1.0
    error: np.ndarray[Any, np.dtype[np.float32]] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        rows, columns = self.science.shape
        return rows, columns


def read_chips(
    path: str | os.PathLike[str],
    errors: bool = False,
    correction: Correction | None = None,
    photflam: float | None = None,
) -> Iterator[ChipData]:
    """Read an exposure one chip at a time, in the order of EXTVER, with ERR or without.

    With a `correction`, the chips get the WCS that it makes of the file's. With `photflam`, chips that have PHOTFLAM
    are scaled to this one (`find_scales`).
    A file with no DQ extension at all has every pixel good; one that has DQ for some chips only is refused.
    The counts of WFPC2 become electrons, and their errors are computed: FLTs have ERR made of counts as if they were
    electrons, and other files have none.
    Raises ExposureError: as `scan_file`; `no-sci`; `checksum` where DATASUM or CHECKSUM of what is read does not hold;
    `contradictory` where DQ, ERR and SCI do not match, EXPTIME is not a number or the WCS cannot be evaluated; `no-err`
    where errors are requested and a chip has none; `no-gain` where counts cannot become electrons.
    """
    name = os.fspath(path)
    with open_or_blame(name) as opened:
        file = scan_open(opened, name)
        chips = require_sci(file)
        flags = find_flags(file, chips)
        sigmas = find_companions(file, chips, "ERR") if errors else {}
        exptime = to_number(file.primary.get("EXPTIME"))
        if exptime is None:
            raise ExposureError(
                "contradictory", f"{file.path}: EXPTIME is {file.primary.get('EXPTIME')!r}; expected seconds"
            )
        check_sums(opened.stream, file.hdus[0], file.path)
        headers = [chip.header for chip in chips]
        conversions = find_conversions(file.primary, headers, exptime, file.path, photflam)
        scales = find_scales(file.primary, headers, photflam)
        place = find_sensitivity(file.primary, headers).place
        reference = scales[place] if conversions is None else conversions[place].factor
        for number, chip in enumerate(chips):
            conversion = None if conversions is None else conversions[number]
            stored = _read_chip(file, opened.stream, chip, flags, exptime, correction)
            read_errors = partial(_read_errors, file, opened.stream, chip, sigmas)
            converted = _convert(stored, conversion, scales[number], read_errors if errors else None)
            yield replace(converted, reference=reference)


def _read_chip(
    file: FitsFile,
    stream: BinaryIO,
    chip: Hdu,
    flags: dict[int, Hdu],
    exptime: float,
    correction: Correction | None,
) -> ChipData:
    """A chip as it is stored, without errors."""
    try:
        wcs = build_wcs(correct_chip(read_chip_wcs(file, chip, stream), correction))
    except NoSolutionError as error:
        raise ExposureError("contradictory", f"{file.path}: {chip} has no usable WCS: {error}") from error
    bunit = str(chip.header.get("BUNIT") or "").strip().upper()
    return ChipData(
        extver=chip.ver,
        science=_read_values(file, stream, chip),
        dq=_read_flags(file, stream, chip, flags),
        wcs=wcs,
        header=fits.Header.fromstring(chip.header.printable),
        exptime=exptime,
        bunit=bunit,
        idcscale=read_idcscale(file.primary, chip.header) or 3600 * float(np.sqrt(abs(np.linalg.det(wcs.wcs.cd)))),
        stored_bunit=bunit,
    )


def _convert(
    chip: ChipData, conversion: Conversion | None, scale: float, read_errors: Callable[[], Plane] | None
) -> ChipData:
    """A chip as it is stored, in electrons and with errors if they are wanted; those of files in electrons `scale`d."""
    if conversion is None:
        error = None if read_errors is None else read_errors()
        if scale != 1.0:  # else all bits stay
            for plane in (chip.science, error):
                if plane is not None:
                    np.multiply(plane, np.float32(scale), out=plane)
        return replace(chip, factor=scale, scale=scale, error=error)
    factor = np.float32(conversion.factor)
    error = None
    if read_errors is not None:
        error = conversion.errors(chip.science)
        error = read_errors() * factor if error is None else error
    return replace(
        chip,
        science=chip.science * factor,
        bunit=conversion.converted,
        stored_bunit=conversion.bunit,
        factor=conversion.factor,
        scale=conversion.factor / conversion.gain,
        error=error,
    )


def _read_errors(file: FitsFile, stream: BinaryIO, chip: Hdu, sigmas: dict[int, Hdu]) -> Plane:
    hdu = sigmas.get(chip.ver)
    if hdu is None:
        which = f"(ERR,{chip.ver})" if sigmas else "ERR"
        raise ExposureError(
            "no-err",
            f"found no {which} extension in {file.path}; expected one per chip, as the archive's mosaics have errors; "
            "calibrate the exposure again, or run: mvmdb init --no-errors --weight exptime",
        )
    if hdu.pixel_shape != chip.pixel_shape:
        raise ExposureError(
            "contradictory",
            f"{file.path}: {hdu} has shape {hdu.pixel_shape}; expected shape {chip.pixel_shape} as {chip}",
        )
    return _read_values(file, stream, hdu)


def _read_values(file: FitsFile, stream: BinaryIO, hdu: Hdu) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The values of an image, NaN where BLANK of scaled integers says that there is none."""
    check_sums(stream, hdu, file.path)
    stored = read_array(stream, hdu)
    values = _scaled(hdu, stored).astype(np.float32)
    blank = hdu.header.get("BLANK")
    if hdu.bitpix > 0 and hdu.shape and isinstance(blank, int):  # it has no meaning for floating-point numbers
        values[stored == blank] = np.nan
    return values


def _read_flags(
    file: FitsFile, stream: BinaryIO, chip: Hdu, flags: dict[int, Hdu]
) -> np.ndarray[Any, np.dtype[np.uint16]]:
    if not flags:
        return np.zeros(chip.pixel_shape, np.uint16)
    hdu = flags[chip.ver]
    check_sums(stream, hdu, file.path)
    stored = _scaled(hdu, read_array(stream, hdu))
    if stored.dtype == np.dtype(">i2"):
        return stored.astype(np.int16).view(np.uint16)  # the sign bit is a flag like the others
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        raise ExposureError("contradictory", f"{file.path}: {hdu} has values that are not finite; expected bits")
    # Through a wide integer: in some old files DQ is a float.
    return (stored.astype(np.int64) & 0xFFFF).astype(np.uint16)


def _scaled(hdu: Hdu, stored: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """Stored numbers with BSCALE and BZERO applied; Hubble's files are never scaled, copies by other tools may be."""
    scale, zero = read_scaling(hdu)
    return stored if (scale, zero) == (1.0, 0.0) else stored * scale + zero
