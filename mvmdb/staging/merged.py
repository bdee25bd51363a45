"""An exposure of two files (WFPC2's C0M and C1M) as one FLT, which drizzlepac needs: made anew, never a link.

The FLT has the pixels and headers of the C0M, DQ from the C1M, ERR from gain and read noise, and DETECTOR, which
drizzlepac asks for. The pipeline makes its FLTs alike (`wfpc2_to_flt`), but takes ERR as the root of counts.
Nothing else is changed: chips are not equalised, and the WCS stays as it is.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mvmdb.atomic import replace_file
from mvmdb.errors import ExposureError, InputError
from mvmdb.remote.files import open_pixels, stamp_of
from mvmdb.remote.pairs import flags_beside

if TYPE_CHECKING:
    from astropy.io import fits


def is_merged(source: str) -> bool:
    """Whether a file is put as one FLT made of two files, by its path or address."""
    return flags_beside(source) is not None


def is_current(source: str, target: Path) -> bool:
    """Whether `target` was made of both files as they are now. Raises OSError if there is no `source`."""
    stamp = stamp_of(source)
    try:
        found = os.lstat(target)
    except OSError:
        return False
    return not target.is_symlink() and found.st_mtime_ns == stamp[1]


def put(source: str, target: Path) -> None:
    """Make `target` of both files, with the time of their stamp; whole or not at all.

    Raises InputError, naming source and target.
    """
    try:
        replace_file(target, lambda stream: _write(source, stream))
    except FileNotFoundError as error:
        raise InputError(f"{source} is gone; put the file back, or ingest it where it is now") from error
    except OSError as error:
        raise InputError(f"cannot put {source} at {target}: {error.strerror or error}") from error
    except ExposureError as error:
        raise InputError(f"cannot put {source} at {target}: {error}") from error


def _write(source: str, stream: BinaryIO) -> None:
    from astropy.io import fits

    with open_pixels(source) as opened:
        content = opened.stream.read(opened.pixels or opened.size)
        while len(content) < (opened.pixels or opened.size) and (more := opened.stream.read(1 << 20)):
            content += more
        flags = b"" if opened.pixels is None else opened.stream.read()
        stamp = opened.size, opened.mtime_ns
    with fits.open(io.BytesIO(content)) as pixels, fits.open(io.BytesIO(flags)) if flags else fits.HDUList() as marks:
        _merge(source, pixels, marks).writeto(stream)
    stream.flush()
    if stamp_of(source) != stamp:
        raise InputError(f"{source} changed while it was copied; expected files at rest; run the command again")
    os.utime(stream.name, ns=(stamp[1], stamp[1]))


def _merge(source: str, pixels: fits.HDUList, marks: fits.HDUList) -> fits.HDUList:
    import numpy as np
    from astropy.io import fits

    from mvmdb.exposures.fits.counts import find_conversions
    from mvmdb.exposures.read import read_exposure

    primary = pixels[0].copy()
    detector = read_exposure(source).exposure.detector.upper()
    primary.header.update(DETECTOR=detector, PRIMESI=detector)
    chips = [hdu for hdu in pixels[1:] if hdu.name == "SCI"]
    exptime = float(primary.header["EXPTIME"])
    conversions = find_conversions(primary.header, [hdu.header for hdu in chips], exptime, source)
    if conversions is None:
        raise ExposureError("unsupported", f"{source} is in electrons; expected counts, as pairs of files are")
    by_version = {hdu.ver: hdu.data for hdu in marks[1:]}
    flags, errors = [], []
    for hdu, conversion in zip(chips, conversions, strict=True):
        dq = by_version.get(hdu.ver, np.zeros(hdu.shape, np.int16)).astype(np.int16)
        flags.append(fits.ImageHDU(dq, name="DQ", ver=hdu.ver))
        error = conversion.errors(hdu.data.astype(np.float32))
        if error is not None:
            errors.append(fits.ImageHDU(error / np.float32(conversion.factor), name="ERR", ver=hdu.ver))
    merged = fits.HDUList([primary, *chips, *flags, *errors])
    merged[0].header["NEXTEND"] = len(merged) - 1
    return merged
