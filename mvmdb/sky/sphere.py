"""Unit vectors and tangent planes: positions to vectors and back; cells and exposures play no part here.

Directions are vectors with the component first, shape (3, ...), so that numpy works on long rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


class Frame(NamedTuple):
    """The axes of tangent planes: unit vectors (3, ...) to the east, to the north and to the point of tangency."""

    east: FloatArray
    north: FloatArray
    centre: FloatArray


def sky_to_vector(ra: ArrayLike, dec: ArrayLike) -> FloatArray:
    """Unit vectors, shape (3, ...), of positions in degrees."""
    a, d = np.deg2rad(np.asarray(ra, dtype=np.float64)), np.deg2rad(np.asarray(dec, dtype=np.float64))
    cos_dec = np.cos(d)
    x = cos_dec * np.cos(a)
    vector = np.empty((3, *x.shape))  # filled in place: numpy's stack takes longer than all else on so few positions
    vector[0], vector[1], vector[2] = x, cos_dec * np.sin(a), np.sin(d)
    return vector


def vector_to_sky(vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(ra, dec) in degrees, RA in [0, 360), of vectors of any length, shape (3, ...)."""
    x, y, z = vector
    ra = wrap_ra(np.rad2deg(np.arctan2(y, x)))
    return ra, np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def wrap_ra(ra: ArrayLike) -> FloatArray:
    """Right ascension in [0, 360) degrees."""
    wrapped = np.mod(np.asarray(ra, dtype=np.float64), 360.0)
    return np.where(wrapped == 360.0, 0.0, wrapped)  # the remainder of a tiny negative number rounds to 360


def tangent_frame(ra: ArrayLike, dec: ArrayLike) -> Frame:
    """The axes of the planes that touch the sphere at positions in degrees."""
    a, d = np.deg2rad(np.asarray(ra, dtype=np.float64)), np.deg2rad(np.asarray(dec, dtype=np.float64))
    sin_a, cos_a, sin_d, cos_d = np.sin(a), np.cos(a), np.sin(d), np.cos(d)
    x = cos_d * cos_a
    axes = np.empty((3, 3, *x.shape))  # filled in place, as in `sky_to_vector`
    east, north, centre = axes
    east[0], east[1], east[2] = -sin_a, cos_a, 0.0
    north[0], north[1], north[2] = -sin_d * cos_a, -sin_d * sin_a, cos_d
    centre[0], centre[1], centre[2] = x, cos_d * sin_a, sin_d
    return Frame(east, north, centre)


def project(frame: Frame, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(xi, eta) in radians on the tangent plane; NaN for directions 90 degrees or more from its centre.

    The gnomonic projection (Calabretta & Greisen 2002, section 5.1.3): great circles become straight lines.
    """
    depth = _dot(frame.centre, vector)
    depth = np.where(depth > 0.0, depth, np.nan)
    return _dot(frame.east, vector) / depth, _dot(frame.north, vector) / depth


def deproject(frame: Frame, xi: ArrayLike, eta: ArrayLike) -> FloatArray:
    """Vectors (not of unit length) of plane coordinates in radians: the inverse of `project`."""
    xi, eta = np.asarray(xi, dtype=np.float64), np.asarray(eta, dtype=np.float64)
    components = [c + xi * e + eta * n for e, n, c in zip(*frame, strict=True)]  # one by one, so that shapes broadcast
    return np.stack(np.broadcast_arrays(*components))


def widest_angle(first: FloatArray, second: FloatArray) -> float:
    """The largest angle, in degrees and right to 2e-6, between two of the unit vectors (3, n) and (3, m)."""
    chord = math.sqrt(max(2 - 2 * float((first.T @ second).min()), 0.0))
    return math.degrees(2 * math.asin(min(chord / 2, 1.0)))


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    product: FloatArray = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return product
