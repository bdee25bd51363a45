"""How many pixels of a canvas hold how many exposures and how many seconds, from footprints; no plane of it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CROSSINGS_AT_ONCE = 1 << 15
"""Places where edges cross rows that are sorted at once, on average: their arrays stay in the processor's cache."""

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

    Every row is counted: for 500 ACS exposures on a whole sky cell in 1 s, a twentieth of the time to add one more.
    """
    edges = _list_edges(footprints, shape[0])
    by_depth = np.zeros(len(footprints) + 1, np.int64)
    parts: list[tuple[Float, Int]] = []
    for rows in _split_rows(edges):
        depth, micros, length = _count_rows(edges, rows, shape[1])
        by_depth += np.bincount(depth, weights=length, minlength=by_depth.size).astype(np.int64)
        parts.append(_merge(micros, length))
    depths = np.flatnonzero(by_depth)
    values, pixels = _merge(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else _nothing()
    return Depths(
        int(by_depth.sum()), Histogram(depths.astype(np.float64), by_depth[depths]), Histogram(values / 1e6, pixels)
    )


def _split_rows(edges: _Edges) -> Iterator[range]:
    """All rows that edges cross, as many at once as have `CROSSINGS_AT_ONCE` crossings on average."""
    bottom = int(edges.last.max(initial=0))
    top = int(edges.first.min(initial=bottom))
    step = max(1, CROSSINGS_AT_ONCE * (bottom - top) // max(1, int((edges.last - edges.first).sum())))
    for first in range(top, bottom, step):
        yield range(first, min(first + step, bottom))


def _list_edges(footprints: Sequence[tuple[Sequence[Float], float]], rows: int) -> _Edges:
    """The edges that cross any of so many rows."""
    rings = [(ring, exptime) for shapes, exptime in footprints for ring in shapes]
    if not rings:
        return _Edges(*(np.zeros((5, 0))), *np.zeros((2, 0)))
    start = np.concatenate([ring[:-1] for ring, _ in rings])
    end = np.concatenate([ring[1:] for ring, _ in rings])
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
    order = np.argsort(place)
    place, edge = place[order], edge[order]
    depth, length = np.cumsum(edges.step[edge])[:-1].astype(np.int64), np.diff(place)
    exposed = (depth > 0) & (length > 0)
    return depth[exposed], np.cumsum(edges.micros[edge])[:-1][exposed], length[exposed]


def _merge(values: Float, pixels: Int) -> tuple[Float, Int]:
    """The same, each value once and ascending."""
    order = np.argsort(values)
    values, pixels = values[order], pixels[order]
    first = np.flatnonzero(np.diff(values, prepend=-np.inf))
    merged: Int = np.add.reduceat(pixels, first) if first.size else pixels
    return values[first], merged


def _nothing() -> tuple[Float, Int]:
    return np.zeros(0), np.zeros(0, np.int64)
