"""HEALPix pixels of positions (Gorski et al. 2005), nested, ICRS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.sky.sphere import FloatArray


def nested_pixels(order: int, ra: FloatArray, dec: FloatArray) -> NDArray[np.int64]:
    """The pixels, 0 to 12 * 4**order - 1, that hold positions in degrees; -1 for NaN."""
    import healpy

    known = np.isfinite(ra) & np.isfinite(dec)
    pixels = np.full(len(ra), -1, np.int64)
    pixels[known] = healpy.ang2pix(1 << order, ra[known], dec[known], nest=True, lonlat=True)
    return pixels
