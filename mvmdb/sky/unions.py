"""The area of unions of convex quadrilaterals inside a square, for many unions at once; other shapes are GEOS's.

By Green's theorem an area is half the sum, over the pieces of its border, of the cross product of their ends. A piece
of a polygon's edge is on the border of the union where it is inside the square and in no other polygon; a piece of the
square's edge where it is in any polygon. An edge is inside a convex polygon between two fractions of its length (Cyrus
& Beck 1978), so all that is needed is the length of unions of intervals.

With GEOS alone a first import of 100,000 exposures takes 10% longer (`bench/archive.py --exposures 100000`, with and
without; best of 12 runs each), one of 20,000 no longer.

Arrays are union last, as in overlap.py: vertex i of polygon j of n unions is one long row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.sky.sphere import FloatArray

BoolArray = NDArray[np.bool_]

MOST = 64
"""Polygons up to which this is worth it: the work grows with their square."""
_NEAR = 1e-4
"""Pixels: an edge whose both ends are so near to the line of another edge may lie on it, as far as rounding can tell
(1e-10 pixels); farther off, rounding moves a crossing by less than a millionth of the edge."""
_AT_ONCE = 1 << 15  # numbers in one array: what stays in a processor's cache


def are_convex(x: FloatArray, y: FloatArray) -> BoolArray:
    """Which of n quadrilaterals, (4, n), turn the same way at every vertex."""
    dx, dy = np.roll(x, -1, axis=0) - x, np.roll(y, -1, axis=0) - y
    turn = dx * np.roll(dy, -1, axis=0) - dy * np.roll(dx, -1, axis=0)
    return np.asarray((turn > 0).all(axis=0) | (turn < 0).all(axis=0))


def union_areas_or_nan(x: FloatArray, y: FloatArray, size: float) -> FloatArray:
    """The area of each of n unions of p convex quadrilaterals inside a square, NaN where it is not sure.

    `x`, `y`: (p, 4, n), of either winding, from the square's corner; `size` is its side. A union is not sure where
    edges may lie on each other, so that rounding could count a piece twice, or not at all.
    """
    p, _, n = x.shape
    areas = np.empty(n)
    step = max(16, _AT_ONCE // (16 * (p + 1)))
    square_x, square_y = (np.array(side)[None, :, None] * size for side in ([0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]))
    for first in range(0, n, step):
        own_x, own_y = x[..., first : first + step], y[..., first : first + step]
        cross = own_x * np.roll(own_y, -1, axis=1) - np.roll(own_x, -1, axis=1) * own_y
        right = cross.sum(axis=1, keepdims=True) < 0  # clockwise: the other way round
        own_x, own_y = np.where(right, own_x[:, ::-1], own_x), np.where(right, own_y[:, ::-1], own_y)
        m = own_x.shape[-1]
        every_x, every_y = (
            np.concatenate([sides, np.broadcast_to(square, (1, 4, m))])
            for sides, square in ((own_x, square_x), (own_y, square_y))
        )
        areas[first : first + m] = _sum_border(every_x, every_y)
    return areas


def _sum_border(x: FloatArray, y: FloatArray) -> FloatArray:
    """As `union_areas_or_nan`, of polygons (p + 1, 4, n) that turn left, the last of which is the square."""
    begin, end, sure = _inside(x, y)
    p = len(x) - 1
    numbers = np.arange(p)
    end[numbers, numbers] = begin[numbers, numbers]  # a polygon does not hide its own edges
    of_square = _union_length(begin[:p, p], end[:p, p])
    begin_in, end_in = begin[p, :p], end[p, :p]
    hidden = _union_length(np.maximum(begin[:p, :p], begin_in), np.minimum(end[:p, :p], end_in))
    exposed = np.concatenate([np.maximum(end_in - begin_in, 0.0) - hidden, of_square[None]])
    cross = x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y
    areas: FloatArray = (exposed * cross).sum(axis=(0, 1)) / 2
    areas[~sure] = np.nan
    return areas


def _inside(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """(q, q, 4, n) twice: between which fractions polygon j holds the edges of polygon i; nowhere if begin >= end.

    It tells nothing of a polygon and its own edges. The last is whether none of n unions has edges that may lie on
    each other.
    """
    q, _, n = x.shape
    begin, end = np.zeros((q, q, 4, n)), np.ones((q, q, 4, n))
    sure = np.ones(n, dtype=bool)
    x, y = (
        np.concatenate([values, values[:, :1]], axis=1) for values in (x, y)
    )  # each edge's end follows its beginning
    dx, dy = np.diff(x, axis=1), np.diff(y, axis=1)
    length = np.sqrt(dx * dx + dy * dy)
    normal_x, normal_y = -dy / length, dx / length
    offset = normal_x * x[:, :4] + normal_y * y[:, :4]
    distance, other = np.empty_like(x), np.empty_like(x)  # held ready, as are the next: the work is all in memory
    fall, crossing, falling = np.empty_like(dx), np.empty_like(dx), np.empty(dx.shape, dtype=bool)
    for j in range(q):
        doubtful = np.zeros((q, 4, n), dtype=bool)
        for h in range(4):
            np.multiply(normal_x[j, h], x, out=distance)
            distance += np.multiply(normal_y[j, h], y, out=other)
            distance -= offset[j, h]
            distance[j] = 1.0
            np.subtract(distance[:, :4], distance[:, 1:], out=fall)
            with np.errstate(divide="ignore", invalid="ignore"):
                # An edge along the line leaves at plus infinity if inside, at minus infinity if not.
                np.divide(distance[:, :4], fall, out=crossing)
            np.greater_equal(fall, 0.0, out=falling)
            np.abs(distance, out=other)
            if other.min() < _NEAR:
                near = np.maximum(other[:, :4], other[:, 1:]) < _NEAR
                doubtful |= near
                falling |= near
                crossing[near] = 1.0
            np.maximum(begin[j], np.where(falling, 0.0, crossing), out=begin[j])
            np.minimum(end[j], np.where(falling, crossing, 1.0), out=end[j])
        if doubtful.any():
            sure &= ~(doubtful & (end[j] > begin[j])).any(axis=(0, 1))
    return begin, end, sure


def _union_length(begin: FloatArray, end: FloatArray) -> FloatArray:
    """The length of the union of intervals along the first axis; those with begin >= end are empty."""
    intervals = np.empty(begin.shape, dtype=np.complex128)  # as one number each, they sort at a third of the cost
    intervals.real, intervals.imag = begin, np.maximum(begin, end)
    intervals.sort(axis=0)
    begin, end = intervals.real, intervals.imag
    length = end[0] - begin[0]
    reach = end[0]
    for from_, to in zip(begin[1:], end[1:], strict=True):
        length += np.maximum(to - np.maximum(from_, reach), 0.0)
        reach = np.maximum(reach, to)
    return np.asarray(length, dtype=np.float64)
