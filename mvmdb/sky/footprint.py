"""The part of the sky that a chip sees, from its full WCS; `membership` decides which cells it overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.errors import ExposureError, InputError
from mvmdb.sky.region import normalize_polygon
from mvmdb.sky.sphere import FloatArray, project, sky_to_vector, tangent_frame, vector_to_sky

IndexArray = NDArray[np.intp]

DENSE_SEGMENTS = 64
"""The number of pieces that an edge is cut into before it is thinned."""
TOLERANCE = 0.004
"""How far an outline may lie from the chip's edge, in arcsec: a tenth of a fine pixel."""
_STRIDES = (64, 32, 16, 8, 4, 2)
"""How many points a chord may span, the widest first; without any of these, each point is a vertex."""
_SANE_RA = 1000.0  # degrees; wcslib marks undefined values, such as a NaN in CRVAL, by 9.9e107
_ARCSEC = float(np.rad2deg(1.0)) * 3600.0


def chip_outline(wcs: WCS, naxis1: int, naxis2: int, tolerance: float = TOLERANCE) -> FloatArray:
    """The outline (n, 2), ra and dec in degrees, of a chip's pixel edges, in the normal form of `region`.

    The edges run at 0.5 and naxis + 0.5 (1-based pixels) and go through the full WCS: SIP, NPOL and D2IM tables.
    Distortion bends them, so each is cut into as few equal pieces (1, 2, 4 ... 64) as keep the great circles between
    the vertices within `tolerance` arcsec of the edge. Raises ExposureError (`no-wcs`) when the WCS cannot be
    evaluated all along the edge.
    """
    if naxis1 < 1 or naxis2 < 1:
        raise ExposureError("no-wcs", f"found a chip of {naxis1} x {naxis2} pixels; expected at least one pixel")
    ra, dec = _evaluate(wcs, *_edge_pixels(naxis1, naxis2))
    vector = sky_to_vector(ra, dec)
    centre = vector_to_sky(vector.sum(axis=1))
    xi, eta = project(tangent_frame(*centre), vector)  # great circles are straight here
    if not np.isfinite(xi).all():
        raise ExposureError("no-wcs", "found a chip whose edge spans half the sky; expected a camera's field of view")
    strides = _widest_strides(xi * _ARCSEC, eta * _ARCSEC, tolerance)
    vertices = [
        edge * DENSE_SEGMENTS + step for edge, stride in enumerate(strides) for step in range(0, DENSE_SEGMENTS, stride)
    ]
    try:
        return normalize_polygon(np.column_stack([ra[vertices], dec[vertices]]))
    except InputError as error:
        raise ExposureError("no-wcs", f"the WCS gives no footprint: {error}") from error


def footprint_center(polygons: Sequence[FloatArray]) -> tuple[float, float]:
    """An exposure's centre (ra, dec) in degrees: the mean direction of the vertices of all its (n, 2) polygons."""
    vertices = np.concatenate([np.asarray(polygon, dtype=np.float64) for polygon in polygons])
    ra, dec = vector_to_sky(sky_to_vector(vertices[:, 0], vertices[:, 1]).mean(axis=1))
    return float(ra), float(dec)


@lru_cache(maxsize=16)
def _edge_pixels(naxis1: int, naxis2: int) -> tuple[FloatArray, FloatArray]:
    """Points all around the chip, DENSE_SEGMENTS per edge, each corner once. The cached arrays are shared."""
    step = np.arange(DENSE_SEGMENTS) / DENSE_SEGMENTS
    x = np.concatenate([step, np.ones_like(step), 1.0 - step, np.zeros_like(step)])
    y = np.concatenate([np.zeros_like(step), step, np.ones_like(step), 1.0 - step])
    return 0.5 + naxis1 * x, 0.5 + naxis2 * y


def _evaluate(wcs: WCS, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    try:
        celestial = wcs.has_celestial
        ra, dec = wcs.all_pix2world(x, y, 1)
    except ValueError as error:  # the base class of astropy's WcsError
        cause = str(error).strip().splitlines()[-1]
        raise ExposureError("no-wcs", f"the WCS cannot be evaluated: {cause}") from error
    if not celestial:
        ctypes = list(wcs.wcs.ctype)
        raise ExposureError("no-wcs", f"found CTYPE {ctypes}; expected RA---TAN-SIP, DEC--TAN-SIP or the like")
    if not ((np.abs(ra) <= _SANE_RA).all() and (np.abs(dec) <= 90.0).all()):
        raise ExposureError(
            "no-wcs", "the WCS gives no positions on the sky along the edge; expected finite ra and dec"
        )
    return np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)


def _widest_strides(x: FloatArray, y: FloatArray, tolerance: float) -> list[int]:
    """For each edge, the largest power of two such that chords over so many points stay within `tolerance` of them.

    `x` and `y` go all around the chip, in the order of `_edge_pixels`.
    """
    near = _greatest_deviations(x, y) < tolerance
    return [int(_STRIDES[fits.argmax()]) if fits.any() else 1 for fits in near.T]


def _greatest_deviations(x: FloatArray, y: FloatArray) -> FloatArray:
    """The greatest distance (stride, edge) of an edge's points from the chords over so many of them."""
    starts, ends = _chord_ends()
    start_x, start_y = x[starts], y[starts]
    chord_x, chord_y = x[ends] - start_x, y[ends] - start_y
    offset_x, offset_y = x - start_x, y - start_y
    length = np.hypot(chord_x, chord_y)
    across = np.abs(offset_x * chord_y - offset_y * chord_x)
    if length.all():
        distance = across / length
    else:
        distance = np.where(length > 0, across / np.where(length > 0, length, 1.0), np.hypot(offset_x, offset_y))
    greatest: FloatArray = distance.reshape(len(_STRIDES), 4, DENSE_SEGMENTS).max(axis=2)
    return greatest


@lru_cache(maxsize=1)
def _chord_ends() -> tuple[IndexArray, IndexArray]:
    """For each stride (row) and point around the chip, where the chord over this point begins and where it ends."""
    points = np.arange(4 * DENSE_SEGMENTS)
    starts = np.stack([points - points % stride for stride in _STRIDES])
    return starts, (starts + np.array(_STRIDES)[:, None]) % points.size
