"""One chip's pixels as sky matching and drizzling use them: which are good, in which units, whether there are any."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from mvmdb.correction import parse_alternate
from mvmdb.errors import ExposureError, MemberUnusableError, ProductError
from mvmdb.exposures.eligibility import DATA, EMPTY, ERRORS, EXPOSURE_TIME, UNITS
from mvmdb.exposures.fits.pixels import ChipData, read_chips
from mvmdb.exposures.fits.units import is_rate_unit
from mvmdb.recipe import SkyUnits

log = logging.getLogger(__name__)


_BAD_DATA = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
"""What numpy, astropy and drizzle raise for headers and pixels that contradict themselves; neither a lack of memory nor
a file system's error is among them."""
_ROWS = 256


def read_member_chips(
    path: str,
    ipppssoo: str,
    good_bits: int,
    errors: bool = False,
    alternate: str = "",
    photflam: float | None = None,
) -> Iterator[ChipData]:
    """Yield each chip of a member's file, with its ERR if `errors` are wanted, placed by the `alternate` if any.

    With `photflam`, chips are scaled to this PHOTFLAM (`read_chips`).
    Raises MemberUnusableError: `empty` after the last chip when no pixel that is good by `good_bits` has a finite value
    other than 0, `units` when BUNIT is not electrons or electrons/s, `exposure time` when EXPTIME is not above 0,
    `errors` when there is no ERR although `errors` are wanted, `data` when the file contradicts itself or was damaged.
    Raises ProductError when the file cannot be read at all, which may pass.
    """
    signal = False
    try:
        for chip in read_chips(path, errors, parse_alternate(alternate)[1], photflam):
            _check(chip, ipppssoo)
            signal = signal or _has_signal(chip, good_bits)
            yield chip
    except ExposureError as error:
        raise unusable_member(ipppssoo, error) from error
    if not signal:
        raise MemberUnusableError(
            ipppssoo, EMPTY, f"no good pixel of {path} has a finite value other than 0; ingest a file that has pixels"
        )


def unusable_member(ipppssoo: str, error: ExposureError) -> MemberUnusableError | ProductError:
    """What an error in a member's file means for its layers: the member is refused, or the layer waits for the file."""
    if error.code == "unreadable":
        return ProductError(
            f"member {ipppssoo} cannot be read: {error}; put the file back, or ingest it where it is now"
        )
    if error.code == "no-gain":
        return MemberUnusableError(ipppssoo, UNITS, str(error))
    if error.code == "no-err":
        return MemberUnusableError(ipppssoo, ERRORS, str(error))
    return MemberUnusableError(ipppssoo, DATA, str(error))


@contextmanager
def blame_member(ipppssoo: str) -> Iterator[None]:
    """Raise MemberUnusableError `data` for whatever a member's contents make numpy, astropy or drizzle raise."""
    try:
        yield
    except _BAD_DATA as error:
        log.exception("%s", ipppssoo)
        reason = f"{ipppssoo} cannot be used: {type(error).__name__}: {error}; fetch the file again"
        raise MemberUnusableError(ipppssoo, DATA, reason) from error


def _has_signal(chip: ChipData, good_bits: int) -> bool:
    for start in range(0, len(chip.science), _ROWS):
        rows = np.s_[start : start + _ROWS, :]
        if np.any(good_pixels(chip, good_bits, rows) & (chip.science[rows] != 0)):
            return True
    return False


def good_pixels(chip: ChipData, good_bits: int, window: tuple[slice, slice] = np.s_[:, :]) -> NDArray[np.bool_]:
    """Mask of the pixels in `window` that have a finite value and no DQ bits but those in `good_bits`."""
    good: NDArray[np.bool_] = (chip.dq[window] & np.uint16(0xFFFF & ~good_bits)) == 0
    good &= np.isfinite(chip.science[window])
    return good


def count_not_finite(chip: ChipData) -> int:
    """How many pixels are infinite or NaN although DQ has no bit for them; they are never used."""
    return sum(
        int(np.count_nonzero(~np.isfinite(chip.science[rows]) & (chip.dq[rows] == 0)))
        for rows in (slice(start, start + _ROWS) for start in range(0, len(chip.science), _ROWS))
    )


def is_rate(chip: ChipData) -> bool:
    """Whether the chip's values are per second."""
    return is_rate_unit(chip.bunit) is True


def brightness_per_unit(chip: ChipData, units: SkyUnits = "electrons") -> float:
    """Factor from the chip's own units to brightness in electrons/s/arcsec^2: by exposure time and IDCSCALE^2.

    Skies in `stored` units take each count as that of the reference chip, whatever the chip's own gain: so one sky
    is the same number of counts/s/arcsec^2 on all chips, as in drizzlepac.
    """
    seconds = 1.0 if is_rate(chip) else chip.exptime
    gain = chip.reference / chip.factor if units == "stored" else 1.0
    return float(gain / (seconds * chip.idcscale**2))


def _check(chip: ChipData, ipppssoo: str) -> None:
    if is_rate_unit(chip.bunit) is None:
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
