"""Which pixels a polygon covers: the pixels whose centres lie inside, row by row. Polygons come from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

ROWS_AT_ONCE = 256

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spans:
    """Runs of pixels: row `row[k]`, columns `start[k]` to `stop[k]` (excluded), sorted by row and column."""

    row: Int
    start: Int
    stop: Int

    @property
    def size(self) -> int:
        """How many pixels the runs hold."""
        return int((self.stop - self.start).sum())


@dataclass(frozen=True, slots=True)
class Depths:
    """Values over the exposed pixels as a histogram: `exposures` and `exptime` (seconds) held by `pixels` pixels."""

    exposures: Int
    exptime: Float
    pixels: Int

    def mean_and_median(self, values: NDArray[np.number]) -> tuple[float, float]:
        """Mean and median over pixels of a per-bin value (`self.exposures` or `self.exptime`); zeros if none."""
        total = int(self.pixels.sum())
        if total == 0:
            return 0.0, 0.0
        order = np.argsort(values, kind="stable")
        reached = np.cumsum(self.pixels[order])
        middle = np.searchsorted(reached, [(total - 1) // 2, total // 2], side="right")
        return float(values @ self.pixels) / total, float(values[order][middle].mean())


def polygon_rings(shape: shapely.Geometry) -> list[Float]:
    """The closed rings (n, 2) of every polygon in a geometry, holes among them; points and lines have none."""
    rings: list[Float] = []
    for part in shapely.get_parts(shape):
        if isinstance(part, shapely.Polygon) and not part.is_empty:
            rings += [shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors)]
        elif isinstance(part, shapely.MultiPolygon):
            rings += polygon_rings(part)
    return rings


def scan_rings(rings: Sequence[Float], shape: tuple[int, int]) -> Spans:
    """The pixels of an array of `shape` (rows, columns) whose centres lie inside an odd number of closed rings.

    Rings are (n, 2) x, y in 0-based pixel coordinates. A centre on a left or lower border is inside, on a right or
    upper one outside, so polygons that share a border share no pixel.
    """
    if not rings:
        return _no_spans()
    from_x, from_y, to_x, to_y = (
        np.concatenate(column)
        for column in zip(*[(r[:-1, 0], r[:-1, 1], r[1:, 0], r[1:, 1]) for r in rings], strict=True)
    )
    first = np.clip(np.ceil(np.minimum(from_y, to_y)), 0, shape[0]).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(from_y, to_y)), 0, shape[0]).astype(np.int64)
    edge = np.repeat(np.arange(first.size), last - first)
    row = np.arange(edge.size) - np.repeat(np.cumsum(last - first) - last, last - first)
    slope = (to_x[edge] - from_x[edge]) / (to_y[edge] - from_y[edge])
    crossing = from_x[edge] + (row - from_y[edge]) * slope
    order = np.lexsort((crossing, row))
    # Closed rings cross every row an even number of times, so consecutive crossings pair up.
    column = np.clip(np.ceil(crossing[order]), 0, shape[1]).astype(np.int64)
    spans = Spans(row[order][0::2], column[0::2], column[1::2])
    kept = spans.stop > spans.start
    return Spans(spans.row[kept], spans.start[kept], spans.stop[kept])


def fill_mask(spans: Spans, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask of `shape` that is True on the spans."""
    mask = np.zeros(shape, dtype=np.bool_)
    for row, start, stop in zip(spans.row.tolist(), spans.start.tolist(), spans.stop.tolist(), strict=True):
        mask[row, start:stop] = True
    return mask


def count_depths(exposures: Sequence[tuple[Spans, float]], n_columns: int) -> Depths:
    """How many pixels hold how many exposures and seconds, from each exposure's spans and exposure time.

    No plane of the canvas' size is made: along a row the depth changes only where a span begins or ends. Seconds are
    summed as whole microseconds, so that the sum does not depend on the order.
    """
    bottom = max((int(spans.row[-1]) + 1 for spans, _ in exposures if spans.row.size), default=0)
    parts = [
        _count_rows(exposures, range(top, top + ROWS_AT_ONCE), n_columns) for top in range(0, bottom, ROWS_AT_ONCE)
    ]
    if not parts:
        return Depths(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    depth, micros, pixels = _merge(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return Depths(depth, micros / 1e6, pixels)


def _count_rows(exposures: Sequence[tuple[Spans, float]], rows: range, n_columns: int) -> tuple[Int, Int, Int]:
    """Depth, microseconds and pixels that have both, over some rows."""
    places, sizes = [np.zeros(0, np.int64)], []
    for spans, _ in exposures:
        first, last = np.searchsorted(spans.row, [rows.start, rows.stop])
        line = spans.row[first:last] * (n_columns + 1)  # one column more than there are: a stop stays on its row
        places += [line + spans.start[first:last], line + spans.stop[first:last]]
        sizes.append(line.size)
    place = np.concatenate(places)
    signs = np.concatenate([np.repeat(np.array([1, -1]), n) for n in sizes])
    micros = np.repeat(np.array([round(t * 1e6) for _, t in exposures], np.int64), 2 * np.array(sizes))
    order = np.argsort(place)
    depth, time = np.cumsum(signs[order])[:-1], np.cumsum((signs * micros)[order])[:-1]
    length = np.diff(place[order])
    inside = (length > 0) & (depth > 0)
    return _merge(depth[inside], time[inside], length[inside])


def _merge(depth: Int, micros: Int, pixels: Int) -> tuple[Int, Int, Int]:
    """The same with each depth and time once."""
    order = np.lexsort((micros, depth))
    depth, micros, pixels = depth[order], micros[order], pixels[order]
    first = np.flatnonzero(np.concatenate([[True], (np.diff(depth) != 0) | (np.diff(micros) != 0)])[: depth.size])
    return depth[first], micros[first], np.add.reduceat(pixels, first) if first.size else pixels


def _no_spans() -> Spans:
    nothing = np.zeros(0, np.int64)
    return Spans(nothing, nothing, nothing)
