"""Which pixels a polygon covers: those whose centres lie inside, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

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


def polygon_rings(shape: shapely.Geometry) -> list[Float]:
    """The closed rings (n, 2) of every polygon in a geometry, including holes; points and lines have none."""
    rings: list[Float] = []
    for polygon in shapely.get_parts(shape):
        if isinstance(polygon, shapely.Polygon) and not polygon.is_empty:
            rings += [shapely.get_coordinates(ring) for ring in (polygon.exterior, *polygon.interiors)]
        elif isinstance(polygon, shapely.MultiPolygon):
            rings += polygon_rings(polygon)
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


def _no_spans() -> Spans:
    nothing = np.zeros(0, np.int64)
    return Spans(nothing, nothing, nothing)
