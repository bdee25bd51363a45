"""Renders stars on a chip: how a point source of known rate fills the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
import numpy.typing as npt
from astropy.wcs import WCS

Floats = npt.NDArray[np.float64]

SIGMA_ARCSEC = 0.065  # of the Gaussian point-spread function
REACH = 7  # half width of a star's stamp, pixels: beyond 5 sigma of both detectors


@dataclass(frozen=True)
class StarTable:
    """Stars: `ra`, `dec` in degrees (ICRS), `rate` in electrons/s; arrays of one length."""

    ra: Floats
    dec: Floats
    rate: Floats


def find_star_pixels(
    wcs: WCS, shape: tuple[int, int], catalog: StarTable
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """0-based x and y of the stars whose light may reach the chip, and their indices in the catalog.

    The full WCS is inverted. Stars far from the chip are dropped first, because the distortion polynomial is
    meaningless there and its inversion would not converge.
    """
    ny, nx = shape
    rough_x, rough_y = wcs.wcs_world2pix(catalog.ra, catalog.dec, 0)
    margin = 100 + REACH
    near = (rough_x > -margin) & (rough_x < nx + margin) & (rough_y > -margin) & (rough_y < ny + margin)
    index = np.flatnonzero(near)
    x, y = wcs.all_world2pix(catalog.ra[index], catalog.dec[index], 0, tolerance=1e-6)
    inside = (x > -REACH) & (x < nx + REACH) & (y > -REACH) & (y < ny + REACH)
    return x[inside], y[inside], index[inside]


def pixel_areas(wcs: WCS, x: Floats, y: Floats) -> Floats:
    """Areas on the sky, in arcsec**2, of the pixels at 0-based `x`, `y`, from differences over one pixel."""
    steps = np.array([[-0.5, 0.5, 0.0, 0.0], [0.0, 0.0, -0.5, 0.5]])
    ra, dec = wcs.all_pix2world(np.add.outer(x, steps[0]), np.add.outer(y, steps[1]), 0)
    east, north = ra * np.cos(np.radians(dec.mean(axis=1)))[:, None] * 3600, dec * 3600
    (dx_e, dy_e), (dx_n, dy_n) = ((v[:, 1] - v[:, 0], v[:, 3] - v[:, 2]) for v in (east, north))
    area: Floats = np.abs(dx_e * dy_n - dy_e * dx_n)
    return area


def add_stars(image: Floats, wcs: WCS, x: Floats, y: Floats, rate: Floats, idcscale: float) -> None:
    """Add stars at 0-based `x`, `y` to `image`, in place.

    Each pixel gets its share of the Gaussian, integrated over the pixel, divided by the pixel's area in units of
    `idcscale`**2 (arcsec**2): that is the brightness in a flat-fielded exposure.
    """
    if x.size == 0:
        return
    values = rate * idcscale**2 / pixel_areas(wcs, x, y)
    for xi, yi, value in zip(x, y, values, strict=True):
        columns, share_x = _shares(float(xi), image.shape[1], SIGMA_ARCSEC / idcscale)
        rows, share_y = _shares(float(yi), image.shape[0], SIGMA_ARCSEC / idcscale)
        image[rows, columns] += value * np.outer(share_y, share_x)


def _shares(center: float, size: int, sigma: float) -> tuple[slice, Floats]:
    """The pixels of one axis within REACH of `center`, and the fraction of a Gaussian that falls on each."""
    first, last = max(0, round(center) - REACH), min(size, round(center) + REACH + 1)
    if last <= first:
        return slice(0, 0), np.zeros(0)
    edges = np.arange(first, last + 1) - 0.5 - center
    cumulative = np.array([0.5 * (1 + erf(edge / (sigma * sqrt(2)))) for edge in edges])
    return slice(first, last), np.diff(cumulative)
