"""What the good pixels of a chip count by: its exposure time, or the inverse variance of its background.

With `ivm`, a pixel of a chip has the weight 1 / v, where v is the variance of its background in output units, that is
in (electrons/s per output pixel)^2. Drizzle divides it among the output pixels by the shares of the drop's area, so
that WHT is the sum of 1 / (A v) over the chips, A being the area of a chip's pixel in output pixels. A v is the
variance per output pixel that large sums have: WHT is the inverse variance of the background, in (electrons/s)^-2, of
pixels as if they were not correlated, 1 / (R ERR)^2 (A. S. Fruchter and R. N. Hook 2002, PASP 114, 144, section 7;
S. Casertano et al. 2000, AJ 120, 2747). Of all weights it leaves the least noise on the background, and
sources are weighted alike whatever their brightness.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import MemberUnusableError
from mvmdb.exposures.eligibility import ERRORS
from mvmdb.exposures.fits.pixels import ChipData
from mvmdb.mosaic.drizzle.chips import good_pixels, is_rate
from mvmdb.recipe import Recipe

SAMPLE = 1 << 18
"""Good pixels of a chip that tell its background, mixed well: their median error is exact to a thousandth."""
_CLIPS, _SIGMAS = 5, 4.0
_NEAR = 0.5  # standard deviations from the level: the pixels whose ERR counts
_SIGMA_PER_MAD = 1.4826

Values = NDArray[np.float32]


def weigh_chip(chip: ChipData, ipppssoo: str, recipe: Recipe) -> float:
    """The weight of a good pixel of a chip: seconds, or with `ivm` (electrons/s per output pixel)^-2.

    Only medians and exact sums go into it, so that all machines find the same bits. 0 where no pixel is good. Raises
    MemberUnusableError `errors` where ERR tells no error of the background.
    """
    if recipe.weight == "exptime":
        return chip.exptime
    science, error = _sample(chip, recipe.good_bits)
    if not science.size:
        return 0.0
    variance = background_variance(science, error)
    if not (math.isfinite(variance) and variance > 0.0):
        raise MemberUnusableError(
            ipppssoo,
            ERRORS,
            f"ERR of {ipppssoo} SCI,{chip.extver} is nowhere above 0; expected errors, by which members count; "
            "calibrate the exposure again, or run: mvmdb init --weight exptime",
        )
    seconds = 1.0 if is_rate(chip) else chip.exptime
    to_output = (recipe.pixel_scale / chip.idcscale) ** 2 / seconds
    return float(1.0 / (variance * to_output**2))


def background_variance(science: Values, error: Values) -> float:
    """The variance of the background, from pixels and their errors: the median ERR of pixels near the level, squared.

    The level is the median after 5 clips at 4 sigma, sigma being 1.4826 times the median deviation. Cameras that count
    photons may have no light, and ERR 0, in most pixels: then it is the mean of the squared errors. NaN without errors.
    """
    known = np.isfinite(error) & (error >= 0.0)
    science, error = science[known], error[known]
    if not science.size:
        return math.nan
    kept, level, sigma = science, 0.0, math.inf
    for _ in range(_CLIPS + 1):
        level = float(np.median(kept))
        sigma = _SIGMA_PER_MAD * float(np.median(np.abs(kept - np.float32(level))))
        inside = kept[np.abs(kept - np.float32(level)) <= _SIGMAS * sigma]
        if inside.size in (0, kept.size):
            break
        kept = inside
    typical = float(np.median(error[np.abs(science - np.float32(level)) <= _NEAR * sigma]))
    if typical > 0.0:
        return typical**2
    return math.fsum((error.astype(np.float64) ** 2).tolist()) / error.size


def _sample(chip: ChipData, good_bits: int) -> tuple[Values, Values]:
    """Some good pixels of a chip and their errors."""
    if chip.error is None:
        raise ValueError("the chip was read without its errors")
    places = np.flatnonzero(good_pixels(chip, good_bits))
    if places.size > SAMPLE:
        # Steps of the golden section; every nth value might all come from one column of a detector.
        places = places[(np.arange(SAMPLE) * 0.6180339887498949 % 1.0 * places.size).astype(np.intp)]
    return chip.science.ravel()[places], chip.error.ravel()[places]
