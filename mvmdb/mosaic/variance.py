"""Errors of a mosaic from the errors of its members: planes and units; drizzling.py sums, writing.py stores.

Drizzle adds variances by squared weights: an output pixel that is the weighted mean of input pixels, sum(w v) / sum(w),
has the variance sum(w^2 var) / sum(w)^2 (the arguments `out_img2` and `data2` of drizzle 3). Errors of neighbouring
output pixels are correlated, as they share input pixels: one pixel's error is right, and a sum's is larger than its
pixels' variances add up to (S. Casertano et al. 2000, AJ 120, 2747, appendix).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvmdb.mosaic.planes import MARGIN, Plane


@dataclass(frozen=True, slots=True)
class VariancePlane:
    """The variance of a mosaic while it is made, float32, in (electrons/s per output pixel)^2; 0 where nothing is yet.

    `wide` has the `MARGIN` that `Planes` are drizzled with; it is what Drizzle takes as `out_img2`, filled in place.
    """

    wide: Plane

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> VariancePlane:
        """A plane for a canvas of `shape` (rows, columns) that nothing has been drizzled onto."""
        return cls(np.zeros((shape[0] + 2 * MARGIN, shape[1] + 2 * MARGIN), np.float32))

    @classmethod
    def from_error(cls, error: Plane, weight: Plane) -> VariancePlane:
        """The plane that `to_error` made `error` of, to add members to; both are of the canvas' shape.

        Squares and roots of float32 are rounded, so it is the plane of before to 2e-7 and not to the bit. NaN with
        weight, which says that the error is not known, stays.
        """
        plane = cls.empty(weight.shape)
        np.square(error, out=plane.variance)
        plane.variance[weight == 0.0] = 0.0
        return plane

    @property
    def variance(self) -> Plane:
        """The variance, of the canvas' shape."""
        return self.wide[MARGIN:-MARGIN, MARGIN:-MARGIN]

    def to_error(self, weight: Plane) -> Plane:
        """The product's ERR: standard deviations in electrons/s per output pixel, NaN where `weight` is 0.

        NaN too where a pixel without a known error has contributed.
        """
        error = np.sqrt(self.variance)
        error[weight == 0.0] = np.nan
        return error


def pixel_variance(error: NDArray[np.floating], good: NDArray[np.bool_]) -> Plane:
    """What a chip adds, Drizzle's `data2`: its ERR squared, in the square of its own units; (rows, columns).

    0 for bad pixels, which have no weight. NaN for good pixels whose ERR says nothing, being 0, below, or no finite
    number: to take them for exact would make the mosaic better than it is.
    """
    error = np.asarray(error, dtype=np.float32)
    known = np.isfinite(error) & (error > 0)
    variance: Plane = np.where(known, error, np.float32(np.nan)) ** 2
    variance[~good] = 0.0
    return variance
