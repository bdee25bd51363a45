"""The outlines of projection cells as points on the sky, and where a map of the whole sky has to cut them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import PROJECTION_SIZE, plane_to_sky

_SAMPLES = 16
"""Points on each edge: 0.3 degrees apart, so that straight lines between them stay within 0.2 arcsec of the edge."""


def outline_cells(cells: NDArray[np.int64], samples: int = _SAMPLES) -> tuple[FloatArray, FloatArray]:
    """(ra, dec) in degrees, each (n, 4 * samples + 1), along the pixel edges of projection cells, closed.

    Edges are great circles, which are straight on the tangent plane. They start at low x and low y (south-east) and go
    on by high x (south-west).
    """
    low, high = 0.5, PROJECTION_SIZE + 0.5
    along = np.linspace(low, high, samples, endpoint=False)
    back = high + low - along
    flat_low, flat_high = np.full(samples, low), np.full(samples, high)
    x = np.concatenate([along, flat_high, back, flat_low, [low]])
    y = np.concatenate([flat_low, along, flat_high, back, [low]])
    return plane_to_sky(np.asarray(cells)[:, None], x[None, :], y[None, :])


def to_map(ra: FloatArray) -> FloatArray:
    """Longitudes on a map of the whole sky, in degrees from -180 to 180: RA 0 in the middle, growing to the left."""
    return -((np.asarray(ra) + 180.0) % 360.0 - 180.0)


def cut_lines(longitude: FloatArray, latitude: FloatArray) -> Iterator[FloatArray]:
    """The pieces, each (m, 2) in degrees, of a line on a map of the whole sky that is cut where it leaves the map.

    It leaves at one edge (180 or -180) and goes on at the other, at the latitude where it crosses.
    """
    jumps = np.diff(longitude)
    start: list[tuple[float, float]] = []
    first = 0
    for place in np.flatnonzero(np.abs(jumps) > 180.0):
        edge = 180.0 if jumps[place] < 0 else -180.0
        step = jumps[place] + 2 * edge  # the short way
        part = (edge - longitude[place]) / step if step else 0.0
        crossing = latitude[place] + part * (latitude[place + 1] - latitude[place])
        piece = np.column_stack([longitude[first : place + 1], latitude[first : place + 1]])
        yield np.vstack([np.reshape(start, (-1, 2)), piece, [(edge, crossing)]])
        start, first = [(-edge, crossing)], int(place) + 1
    yield np.vstack([np.reshape(start, (-1, 2)), np.column_stack([longitude[first:], latitude[first:]])])
