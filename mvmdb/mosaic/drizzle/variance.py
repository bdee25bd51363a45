"""Errors of a mosaic from the errors of its members: planes and units. members.py sums them, planes.py finishes them.

Drizzle adds variances by squared weights: an output pixel that is the weighted mean of input pixels, sum(w v) / sum(w),
has the variance sum(w^2 var) / sum(w)^2 (the arguments `out_img2` and `data2` of drizzle 3). Errors of neighbouring
output pixels are correlated, as they share input pixels: one pixel's error is right, and a sum's is larger than its
pixels' variances add up to (S. Casertano et al. 2000, AJ 120, 2747, appendix).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""One array of a mosaic, or some rows of it: (rows, columns)."""


def error_of(variance: Plane, weight: Plane) -> Plane:
    """The product's ERR: standard deviations in electrons/s per output pixel, NaN where `weight` is 0.

    `variance` is Drizzle's `out_img2`, in (electrons/s per output pixel)^2, float32. The result is also NaN where a
    pixel without a known error contributed.
    """
    error = np.sqrt(variance)
    error[weight == 0.0] = np.nan
    return error


def variance_of(error: Plane, weight: Plane) -> Plane:
    """The variance plane from which `error_of` made `error`, to add members to: 0 where `weight` is 0.

    Squares and roots of float32 are rounded, so it equals the original plane to 2e-7 and not to the bit. NaN where
    there is weight stays: it says that the error is not known.
    """
    variance = np.square(error)
    variance[weight == 0.0] = 0.0
    return variance


def pixel_variance(error: NDArray[np.floating], good: NDArray[np.bool_]) -> Plane:
    """What a chip adds, Drizzle's `data2`: its ERR squared, in the square of its own units; (rows, columns).

    0 for bad pixels, which have no weight. NaN for good pixels whose ERR is 0, negative or not finite, and so
    unknown: counting them as exact would make the mosaic's errors too small.
    """
    error = np.asarray(error, dtype=np.float32)
    known = np.isfinite(error) & (error > 0)
    variance: Plane = np.where(known, error, np.float32(np.nan)) ** 2
    variance[~good] = 0.0
    return variance
