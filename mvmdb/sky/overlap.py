"""Exact overlap of plane polygons with a sky cell's rectangle; `membership` decides which cells a polygon may overlap.

Arrays are vertex first, shape (k, n): vertex i of n polygons is one long row. Coordinates are fine pixels of the cell.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import CELL_HIGH, CELL_LOW

TOUCH = 1e-7
"""Overlaps no deeper than this many fine pixels are rounding: 10 times the error of projected degrees, 4e-9 arcsec."""
LOW, HIGH = CELL_LOW + TOUCH, CELL_HIGH - TOUCH
"""The edges of the rectangle that polygons are compared with."""
_NEVER_ZERO = 1e-290  # replaces a difference of 0: quotients become huge, but neither NaN nor infinite

BoolArray = NDArray[np.bool_]


class Overlap(NamedTuple):
    """For n polygons: whether they overlap the cell with non-zero area, that area (pixels^2) and its bounding box.

    Areas are right to about 1e-6 of a pixel row. Where `member` is false, the other values mean nothing.
    """

    member: BoolArray
    area: FloatArray
    x_low: FloatArray
    x_high: FloatArray
    y_low: FloatArray
    y_high: FloatArray


def polygon_area(x: FloatArray, y: FloatArray) -> FloatArray:
    """Areas of n polygons (k, n) that do not cross themselves, convex or not, by the shoelace formula."""
    x, y = x - x[0], y - y[0]
    area: FloatArray = np.abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum(axis=0)) / 2.0
    return area


def is_degenerate(x: FloatArray, y: FloatArray) -> BoolArray:
    """Which of n polygons (k, n) are no thicker than TOUCH: all their vertices lie on one line, to rounding."""
    return np.asarray(polygon_area(x, y) <= TOUCH * (np.ptp(x, axis=0) + np.ptp(y, axis=0)))


def overlap_simple(x: FloatArray, y: FloatArray) -> Overlap:
    """The overlap of polygons (k, n) that do not cross themselves, convex or not, of either winding.

    Each edge is clipped to the rectangle (Liang & Barsky 1984). A piece of an edge inside has area on one of its sides;
    without any such piece, the polygon overlaps only if it contains the whole rectangle, and so its corners.
    """
    dx, dy = _differences(x), _differences(y)
    x_in, x_out = _crossings(x, dx)
    y_in, y_out = _crossings(y, dy)
    begin, end = np.maximum(np.maximum(x_in, y_in), 0.0), np.minimum(np.minimum(x_out, y_out), 1.0)
    inside = end > begin
    begin, end = np.minimum(begin, 1.0), np.maximum(end, 0.0)
    x_low, x_high = _extent(x, dx, begin, end, inside)
    y_low, y_high = _extent(y, dy, begin, end, inside)
    member: BoolArray = np.logical_or.reduce(inside, axis=0)
    for corner_x, corner_y, contains in _contained_corners(x, y, dx, dy):
        member |= contains
        x_low[contains] = np.minimum(x_low[contains], corner_x)
        x_high[contains] = np.maximum(x_high[contains], corner_x)
        y_low[contains] = np.minimum(y_low[contains], corner_y)
        y_high[contains] = np.maximum(y_high[contains], corner_y)
    area = _area_inside(x, y, dx, dy, np.clip(x_in, 0.0, 1.0), np.clip(x_out, 0.0, 1.0))
    return Overlap(member, area, x_low, x_high, y_low, y_high)


def overlap_any(x: FloatArray, y: FloatArray) -> Overlap:
    """The overlap of any polygons (k, n); points with an odd winding number are inside.

    About 10 microseconds per polygon, and 100 for one that needs repair; `overlap_simple` takes less than one.
    """
    polygons = shapely.polygons(np.stack([x.T, y.T], axis=-1))
    broken = ~shapely.is_valid(polygons)
    polygons[broken] = shapely.make_valid(polygons[broken])
    inside = shapely.intersection(polygons, shapely.box(LOW, LOW, HIGH, HIGH))
    collections, owner = shapely.get_parts(inside, return_index=True)
    pieces, collection = shapely.get_parts(collections, return_index=True)  # collections contain multipolygons
    owner = owner[collection]
    piece_area = shapely.area(pieces)
    # Not lines and points, nor the slivers that rounding makes of them.
    solid = piece_area > TOUCH * shapely.length(pieces) / 2.0
    pieces, owner, piece_area = pieces[solid], owner[solid], piece_area[solid]
    n = x.shape[1]
    low, high = np.full((2, n), np.inf), np.full((2, n), -np.inf)
    bounds = shapely.bounds(pieces).reshape(-1, 4).T
    for axis in (0, 1):
        np.minimum.at(low[axis], owner, bounds[axis])
        np.maximum.at(high[axis], owner, bounds[axis + 2])
    area = np.bincount(owner, weights=piece_area, minlength=n).astype(np.float64)
    return Overlap(area > 0.0, area, low[0], high[0], low[1], high[1])


def _differences(values: FloatArray) -> FloatArray:
    step: FloatArray = np.roll(values, -1, axis=0) - values
    step[step == 0.0] = _NEVER_ZERO
    return step


def _crossings(start: FloatArray, step: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where, as fractions of its length, each edge enters and leaves the strip between LOW and HIGH."""
    low, high = (LOW - start) / step, (HIGH - start) / step
    return np.minimum(low, high), np.maximum(low, high)


def _extent(
    start: FloatArray, step: FloatArray, begin: FloatArray, end: FloatArray, inside: BoolArray
) -> tuple[FloatArray, FloatArray]:
    first = np.clip(start + begin * step, LOW, HIGH)
    last = np.clip(start + end * step, LOW, HIGH)
    low = np.where(inside, np.minimum(first, last), np.inf).min(axis=0)
    high = np.where(inside, np.maximum(first, last), -np.inf).max(axis=0)
    return low, high


def _contained_corners(
    x: FloatArray, y: FloatArray, dx: FloatArray, dy: FloatArray
) -> list[tuple[float, float, BoolArray]]:
    """The rectangle's corners, and which polygons contain each: rays to high x cross an odd number of edges."""
    corners = []
    for corner_y in (LOW, HIGH):
        above = y > corner_y
        crosses = above != np.roll(above, -1, axis=0)
        crossing_x = x + (corner_y - y) / dy * dx
        corners += [(corner_x, corner_y, _is_odd(crosses & (crossing_x > corner_x))) for corner_x in (LOW, HIGH)]
    return corners


def _is_odd(flags: BoolArray) -> BoolArray:
    return np.asarray(np.logical_xor.reduce(flags, axis=0))


def _area_inside(
    x: FloatArray, y: FloatArray, dx: FloatArray, dy: FloatArray, begin: FloatArray, end: FloatArray
) -> FloatArray:
    """Area by Green's theorem: the sum over edges of the integral, over the x inside, of y clipped to LOW and HIGH.

    `begin` and `end` cut the edges to the x inside; on each piece y bends at most twice, so three trapezoids are exact.
    """
    start, step = y + begin * dy, (end - begin) * dy
    step = np.where(step == 0.0, _NEVER_ZERO, step)
    bends = [np.clip(bend, 0.0, 1.0) for bend in _crossings(start, step)]
    width = (end - begin) * dx
    area = np.zeros(x.shape[1])
    fraction, height = np.zeros_like(x), np.clip(start, LOW, HIGH) - LOW
    for next_fraction in (*bends, np.ones_like(x)):
        next_height = np.clip(start + next_fraction * step, LOW, HIGH) - LOW
        area += ((next_fraction - fraction) * width * (height + next_height)).sum(axis=0)
        fraction, height = next_fraction, next_height
    return np.abs(area) / 2.0
