"""One chip's pixels as sky matching and drizzling use them: which are good, in which units, whether all are zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import ExposureError, MemberUnusableError, ProductError
from mvmdb.exposures.eligibility import EMPTY, EXPOSURE_TIME, UNITS
from mvmdb.exposures.fits.pixels import ChipData, read_chips
from mvmdb.instruments import COUNT_UNITS, RATE_UNITS


def read_member_chips(path: str, ipppssoo: str, errors: bool = False) -> Iterator[ChipData]:
    """Yield each chip of a member's file, with its ERR if `errors` are wanted.

    Raises MemberUnusableError: `empty` after the last chip when every SCI array is all zeros, `units` when BUNIT is not
    electrons or electrons/s, `exposure time` when EXPTIME is not above 0. Raises ProductError when the file cannot be
    read, or has no ERR although `errors` are wanted.
    """
    signal = False
    try:
        for chip in read_chips(path, errors):
            _check(chip, ipppssoo)
            signal = signal or bool(np.any(chip.science))
            yield chip
    except ExposureError as error:
        if error.code == "no-err":  # reading it once more would not help
            raise ProductError(f"member {ipppssoo} cannot be used: {error}") from error
        raise ProductError(f"member {ipppssoo} cannot be read: {error}; ingest the file again") from error
    if not signal:
        raise MemberUnusableError(ipppssoo, EMPTY, f"every SCI array of {path} is all zeros; withdraw the exposure")


def good_pixels(chip: ChipData, good_bits: int, window: tuple[slice, slice] = np.s_[:, :]) -> NDArray[np.bool_]:
    """Mask of the pixels in `window` that have a finite value and no DQ bits but those in `good_bits`."""
    good: NDArray[np.bool_] = (chip.dq[window] & np.uint16(0xFFFF & ~good_bits)) == 0
    good &= np.isfinite(chip.science[window])
    return good


def is_rate(chip: ChipData) -> bool:
    """Whether the chip's values are per second."""
    return chip.bunit.strip().upper() in RATE_UNITS


def brightness_per_unit(chip: ChipData) -> float:
    """Factor from the chip's own units to brightness in electrons/s/arcsec^2: by exposure time and IDCSCALE^2."""
    seconds = 1.0 if is_rate(chip) else chip.exptime
    return float(1.0 / (seconds * chip.idcscale**2))


def _check(chip: ChipData, ipppssoo: str) -> None:
    if chip.bunit.strip().upper() not in RATE_UNITS + COUNT_UNITS:
        raise MemberUnusableError(
            ipppssoo,
            UNITS,
            f"BUNIT of {ipppssoo} SCI,{chip.extver} is {chip.bunit!r}; expected ELECTRONS or ELECTRONS/S; "
            "calibrate the exposure again",
        )
    if not chip.exptime > 0.0:
        raise MemberUnusableError(
            ipppssoo, EXPOSURE_TIME, f"EXPTIME of {ipppssoo} is {chip.exptime}; expected a number above 0"
        )
