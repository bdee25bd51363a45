"""Where the pixels of HiPS tiles lie on the sky, and which tiles a mosaic touches. No file is read here.

HEALPix is drawn in squares by the projection HPX of FITS (Calabretta & Roukema 2007, MNRAS 381, 865): a base pixel is a
diamond with sides of 45 * sqrt(2) degrees, its first axis to the north-east, its second to the north-west. In a tile of
HiPS columns go along the second axis, and rows against the first.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.hips.values import WIDTH

_MARGIN = 3.0
"""Pixels of a mosaic beyond a tile's outline that may matter to it: edges of tiles are not quite straight."""


def tile_wcs(order: int, number: int) -> WCS:
    """The WCS of a tile, with its shape; ICRS. The reference point is in the tile's own facets, so that no tile is cut.

    Exact: pixel (c, r), from 0, is HEALPix pixel of order + 9 at column 511 - r, row c within the tile.
    """
    face, first, second = _place(order, number)
    side = 2**order
    ring, column = divmod(face, 4)
    middle = (0.0, 0.0) if ring == 1 else (45.0, 45.0 if ring == 0 else -45.0)
    # The lower left corner of the tile's first pixel, in the plane of the projection.
    u, v = (first + 1) / side, second / side
    x, y = middle[0] + 45.0 * (u - v), middle[1] + 45.0 * (u + v - 1.0)
    step = 45.0 / WIDTH / side
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---HPX", "DEC--HPX"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [90.0 * column, 0.0]
    wcs.wcs.cd = [[-step, -step], [step, -step]]
    wcs.wcs.crpix = [0.5 + (x - y) / (2 * step), 0.5 + (x + y) / (2 * step)]
    wcs.wcs.set_pv([(2, 1, 4.0), (2, 2, 3.0)])
    wcs.wcs.radesys = "ICRS"
    wcs.pixel_shape = (WIDTH, WIDTH)
    wcs.wcs.set()
    return wcs


def touched_tiles(wcs: WCS, order: int) -> list[int]:
    """The tiles of an order that may share pixels with an image, whose WCS has its shape; sorted. None is missed."""
    columns, rows = wcs.pixel_shape
    step = max(1.0, 0.25 * 58.6 / 2**order / float(np.sqrt(np.abs(np.linalg.det(wcs.pixel_scale_matrix)))))
    x, y = (np.linspace(-0.5, n - 0.5, int(np.ceil(n / step)) + 1) for n in (columns, rows))
    ra, dec = wcs.pixel_to_world_values(*(grid.ravel() for grid in np.meshgrid(x, y)))
    healpix = _healpix(order)
    inside = np.unique(healpix.lonlat_to_healpix(*_angles(ra, dec)))
    around = healpix.neighbours(inside)
    near = np.unique(np.concatenate([inside, around.ravel()]))
    near = near[near >= 0]
    x0, x1, y0, y1 = bounds_in(wcs, order, near)
    meets = (x1 >= -0.5) & (x0 <= columns - 0.5) & (y1 >= -0.5) & (y0 <= rows - 0.5)
    return [int(number) for number in near[meets]]


def bounds_in(wcs: WCS, order: int, numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """(first column, last column, first row, last row) of tiles in the pixels of an image, from 0, with a margin.

    Shape (4, number of tiles).
    """
    along = np.linspace(0.0, 1.0, 9)
    u = np.concatenate([along, along, np.zeros(9), np.ones(9)])
    v = np.concatenate([np.zeros(9), np.ones(9), along, along])
    lon, lat = _healpix(order).healpix_to_lonlat(numbers[:, None], dx=u[None, :], dy=v[None, :])
    x, y = wcs.world_to_pixel_values(lon.deg, lat.deg)
    edges = (x.min(1) - _MARGIN, x.max(1) + _MARGIN, y.min(1) - _MARGIN, y.max(1) + _MARGIN)
    return np.asarray(edges, dtype=np.float64)


def tile_center(order: int, number: int) -> tuple[float, float]:
    """(ra, dec) in degrees of the middle of a tile."""
    lon, lat = _healpix(order).healpix_to_lonlat(number)
    return float(lon.deg), float(lat.deg)


def tile_path(order: int, number: int, extension: str) -> str:
    """Where a tile is in the folder of its HiPS."""
    return f"Norder{order}/Dir{number // 10_000 * 10_000}/Npix{number}.{extension}"


def _place(order: int, number: int) -> tuple[int, int, int]:
    """The base pixel of a tile, and its column and row there: the even and the odd bits of its number."""
    face, rest = divmod(number, 4**order)
    first = sum((rest >> 2 * bit & 1) << bit for bit in range(order))
    second = sum((rest >> 2 * bit + 1 & 1) << bit for bit in range(order))
    return face, first, second


@cache
def _healpix(order: int) -> Any:
    from astropy_healpix import HEALPix  # comes with reproject, which is known to be there

    return HEALPix(nside=2**order, order="nested")


def _angles(ra: Any, dec: Any) -> tuple[Any, Any]:
    from astropy import units as u

    return ra * u.deg, dec * u.deg
