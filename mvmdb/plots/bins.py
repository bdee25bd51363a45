"""Exposures gathered in bins of the sky, so that a million are as quickly drawn as a thousand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvmdb.sky.sphere import FloatArray, wrap_ra


@dataclass(frozen=True, slots=True)
class SkyBins:
    """The bins that hold exposures: mean `ra` and `dec` in degrees of these, and the sum of `exptime` in seconds."""

    ra: FloatArray
    dec: FloatArray
    exptime: FloatArray


def bin_sky(ra: FloatArray, dec: FloatArray, exptime: FloatArray, width: float) -> SkyBins:
    """Exposures at these positions in bins of about `width` by `width` degrees, in rows of equal declination.

    There are at most 41253 / width**2 of them, however many exposures there are.
    """
    rows = int(np.ceil(180.0 / width))
    middle = (np.arange(rows) + 0.5) * 180.0 / rows - 90.0
    per_row = np.maximum(1, np.round(360.0 / width * np.cos(np.deg2rad(middle)))).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(per_row)])
    right = wrap_ra(ra)
    row = np.clip(((np.asarray(dec) + 90.0) / 180.0 * rows).astype(np.int64), 0, rows - 1)
    column = np.minimum((right / 360.0 * per_row[row]).astype(np.int64), per_row[row] - 1)
    bins, member = np.unique(start[row] + column, return_inverse=True)
    number = np.bincount(member, minlength=len(bins))
    sums = [np.bincount(member, weights=values, minlength=len(bins)) for values in (right, dec, exptime)]
    return SkyBins(sums[0] / number, sums[1] / number, np.asarray(sums[2], np.float64))
