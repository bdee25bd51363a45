"""How many pixels of a canvas hold how many exposures and how many seconds, from footprints; no plane of it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS_AT_ONCE = 1 << 18
"""Pixels of the rows that are looked at at once: what is counted in them stays in the processor's cache."""
CROSSINGS = 1 << 18
"""How often edges may cross rows before one row stands for several: some dozens of exposures cross them as often."""
ROWS = 2000
"""Of a canvas that has so many rows, this many at least are looked at."""
SORTING = 10
"""What it takes to sort one place where a depth changes, in units of what it takes to look at a pixel."""

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Histogram:
    """`values`, ascending, each held by some `pixels`."""

    values: Float
    pixels: Int

    def mean_and_median(self) -> tuple[float, float]:
        """Mean and median over the pixels; zeros where there are none."""
        total = int(self.pixels.sum())
        if total == 0:
            return 0.0, 0.0
        reached = np.cumsum(self.pixels)
        middle = np.searchsorted(reached, [(total - 1) // 2, total // 2], side="right")
        return float(self.values @ self.pixels) / total, float(self.values[middle].mean())


@dataclass(frozen=True, slots=True)
class Depths:
    """How many pixels are exposed, and how many of them hold how many exposures and seconds."""

    pixels: int
    exposures: Histogram
    seconds: Histogram


@dataclass(frozen=True, slots=True)
class _Edges:
    """Edges of all footprints: where one crosses a row, `step` exposures and `micros` microseconds begin (or end).

    An edge crosses the rows from `first` to `last` (excluded), at x = `x` + (row - `y`) * `slope`.
    """

    x: Float
    y: Float
    slope: Float
    first: Int
    last: Int
    step: Float
    micros: Float


def count_depths(footprints: Sequence[tuple[Sequence[Float], float]], shape: tuple[int, int]) -> Depths:
    """How many pixels of a canvas of `shape` (rows, columns) hold how many exposures and seconds.

    Each footprint is the closed rings of a valid polygon, (n, 2) x, y in 0-based pixels, outlines clockwise and holes
    counter-clockwise (as `shapely.normalize` has them), and an exposure time in seconds. It holds the pixels that
    `scan_rings` finds. Along a row the depth changes only where an edge crosses it, and grows where the edge goes up.
    Seconds are summed as whole microseconds: the sum does not depend on the order.

    Where edges cross rows more than `CROSSINGS` times, one row stands for several, but `ROWS` or all are looked at: so
    the cost hardly grows with the number of footprints.
    """
    edges = _list_edges(footprints, shape[0])
    # Odd, so that a row in the middle stands for those around it.
    most = max(1, shape[0] // ROWS)
    every = min(int((edges.last - edges.first).sum()) // CROSSINGS * 2 + 1, most - 1 + most % 2)
    if every > 1:
        edges = _list_edges(footprints, shape[0], every)
    step = max(1, BINS_AT_ONCE // (shape[1] + 1))
    by_depth = np.zeros(len(footprints) + 1, np.int64)
    parts: list[tuple[Float, Int]] = []
    bottom = int(edges.last.max(initial=0))
    for top in range(int(edges.first.min(initial=bottom)), bottom, step):
        depth, micros, length = _count_rows(edges, range(top, min(top + step, bottom)), shape[1])
        by_depth += np.bincount(depth, weights=length, minlength=by_depth.size).astype(np.int64)
        parts.append(_merge(micros, length))
    each = shape[0] / _sampled_rows(shape[0], every)  # how many rows one stands for
    by_depth = np.rint(by_depth * each).astype(np.int64)
    held = np.flatnonzero(by_depth)
    values, pixels = _merge(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else _nothing()
    pixels = np.rint(pixels * each).astype(np.int64)
    return Depths(
        int(by_depth.sum()), Histogram(held.astype(np.float64), by_depth[held]), Histogram(values / 1e6, pixels)
    )


def _sampled_rows(rows: int, every: int) -> int:
    return -(-(rows - every // 2) // every)


def _list_edges(footprints: Sequence[tuple[Sequence[Float], float]], rows: int, every: int = 1) -> _Edges:
    """The edges that cross rows; or, where not `every` is 1, one row in so many, counted from 0."""
    rings = [(ring, exptime) for shapes, exptime in footprints for ring in shapes]
    if not rings:
        return _Edges(*(np.zeros((5, 0))), *np.zeros((2, 0)))
    start = np.concatenate([ring[:-1] for ring, _ in rings])
    end = np.concatenate([ring[1:] for ring, _ in rings])
    for ends in (start, end):
        ends[:, 1] = (ends[:, 1] - every // 2) / every
    rows = _sampled_rows(rows, every)
    exptime = np.repeat([float(round(seconds * 1e6)) for _, seconds in rings], [len(ring) - 1 for ring, _ in rings])
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first, last = (np.clip(np.ceil(y), 0, rows).astype(np.int64) for y in (low, high))
    crossing = last > first
    start, end, first, last = start[crossing], end[crossing], first[crossing], last[crossing]
    slope = (end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1])
    step = np.sign(end[:, 1] - start[:, 1])
    return _Edges(start[:, 0], start[:, 1], slope, first, last, step, step * exptime[crossing])


def _count_rows(edges: _Edges, rows: range, columns: int) -> tuple[Int, Float, Int]:
    """Depth, microseconds and length of the runs of pixels that are exposed, over some rows."""
    here = np.flatnonzero((edges.first < rows.stop) & (edges.last > rows.start))
    first = np.maximum(edges.first[here], rows.start)
    count = np.minimum(edges.last[here], rows.stop) - first
    edge = np.repeat(here, count)
    row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count - first, count)
    column = np.ceil(edges.x[edge] + (row - edges.y[edge]) * edges.slope[edge])
    # One column more than there are: where a footprint ends at the canvas' border, it ends on its own row.
    place = np.clip(column, 0, columns).astype(np.int64) + (row - rows.start) * (columns + 1)
    place, step, micros = _add_up(place, edges.step[edge], edges.micros[edge], len(rows) * (columns + 1))
    depth, length = np.cumsum(step)[:-1].astype(np.int64), np.diff(place)
    exposed = (depth > 0) & (length > 0)
    return depth[exposed], np.cumsum(micros)[:-1][exposed], length[exposed]


def _add_up(place: Int, step: Float, micros: Float, bins: int) -> tuple[Int, Float, Float]:
    """The places, ascending, of some steps, of which those at one place may be one."""
    if place.size * SORTING < bins:
        order = np.argsort(place)
        return place[order], step[order], micros[order]
    steps, times = (np.asarray(np.bincount(place, each, bins), np.float64) for each in (step, micros))
    found = np.flatnonzero((steps != 0) | (times != 0))
    return found, steps[found], times[found]


def _merge(values: Float, pixels: Int) -> tuple[Float, Int]:
    """The same, each value once and ascending."""
    order = np.argsort(values)
    values, pixels = values[order], pixels[order]
    first = np.flatnonzero(np.diff(values, prepend=-np.inf))
    merged: Int = np.add.reduceat(pixels, first) if first.size else pixels
    return values[first], merged


def _nothing() -> tuple[Float, Int]:
    return np.zeros(0), np.zeros(0, np.int64)
