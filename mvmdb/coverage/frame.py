"""How deep each pixel of a layer's mosaic is, from footprints: a band of rows at a time; files are written elsewhere.

A pixel holds the exposures whose footprint contains its centre. The mosaic itself knows bad pixels, too; the map does
not, so it needs no exposure to be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.coverage.values import CoveringExposures
from mvmdb.names import CellId, Scale
from mvmdb.records import Canvas
from mvmdb.sky.depth import join_chips
from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges
from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import COARSE, STEP, sky_to_plane

_PIXELS_AT_ONCE = 1 << 21
_CROSSINGS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class FramedLayer:
    """A layer with its grid and its members: `canvas` is in fine pixels of the sky cell, whatever the `scale`."""

    layer: str
    cell: CellId
    scale: Scale
    canvas: Canvas
    exposures: CoveringExposures

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the mosaic."""
        return self.canvas.at_scale(self.scale).shape


@dataclass(frozen=True, slots=True)
class Band:
    """Rows of a map from `first` on: summed `exptime` in seconds and number of exposures, (rows, columns)."""

    first: int
    exptime: NDArray[np.float32]
    n_exposures: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Edges:
    """Edges of footprints in 0-based pixels; an exposure begins (`step` 1) or ends (-1) where one crosses a row."""

    x: FloatArray
    y: FloatArray
    slope: FloatArray
    first: IntArray
    last: IntArray
    step: IntArray
    exposure: IntArray


def count_pixels(layer: FramedLayer) -> IntArray:
    """How many pixels of the map each member is in."""
    edges = _edges_of(layer)
    pixels = np.zeros(len(layer.exposures), np.int64)
    for begin, end in _blocks(edges, layer.shape):
        edge, _, column = _cross(edges, begin, end, layer.shape[1])
        weights = (-edges.step[edge] * column).astype(float)
        pixels += np.bincount(edges.exposure[edge], weights=weights, minlength=len(pixels)).astype(np.int64)
    return pixels


def iterate_bands(layer: FramedLayer) -> Iterator[Band]:
    """The map from its first row to its last; a band takes some 50 MB whatever the canvas."""
    edges, columns = _edges_of(layer), layer.shape[1]
    micros = np.rint(layer.exposures.exptime * 1e6)
    for begin, end in _blocks(edges, layer.shape):
        edge, row, column = _cross(edges, begin, end, columns)
        place = (row - begin) * (columns + 1) + column
        size = (end - begin) * (columns + 1)
        step = edges.step[edge].astype(float)
        # Whole microseconds, in floats that hold them exactly: a sum that ends is 0 again.
        seconds, number = (
            np.bincount(place, weights=weights, minlength=size).reshape(-1, columns + 1).cumsum(axis=1)[:, :-1]
            for weights in (step * micros[edges.exposure[edge]], step)
        )
        yield Band(begin, (seconds / 1e6).astype(np.float32), number.astype(np.int32))


def _edges_of(layer: FramedLayer) -> _Edges:
    footprints = Footprints.from_regions(layer.exposures.s_region.tolist())
    x, y = sky_to_plane(layer.cell.projection_cell, footprints.ra, footprints.dec)
    pixels = layer.canvas.at_scale(layer.scale)
    zoom = 1 if layer.scale == "fine" else COARSE  # the centre of coarse pixel c is that of fine pixel 3 c
    x = (x - (layer.cell.x - 1) * STEP) / zoom - pixels.x_min
    y = (y - (layer.cell.y - 1) * STEP) / zoom - pixels.y_min
    shapes = join_chips(np.column_stack([x, y]), footprints.polygon_start, footprints.owner, footprints.n)
    parts, exposure = shapely.get_parts(shapely.normalize(shapes), return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)  # outlines clockwise, holes counter-clockwise
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.diff(ring) == 0
    (x0, y0), (x1, y1) = points[:-1][same].T, points[1:][same].T
    owner = exposure[part[ring[1:][same]]]
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    first, last = (np.clip(np.ceil(value), 0, layer.shape[0]).astype(np.int64) for value in (low, high))
    crosses = last > first
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (x1 - x0) / (y1 - y0)
    step = np.where(y1 > y0, 1, -1)  # clockwise, with y up: the left side goes up
    return _Edges(*(value[crosses] for value in (x0, y0, slope, first, last, step, owner)))


def _blocks(edges: _Edges, shape: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """(begin, end) of blocks of rows of bounded size."""
    rows, columns = shape
    change = np.bincount(edges.first, minlength=rows + 1) - np.bincount(edges.last, minlength=rows + 1)
    cost = np.maximum(np.cumsum(change)[:rows] / _CROSSINGS_AT_ONCE, (columns + 1) / _PIXELS_AT_ONCE)
    ends = np.flatnonzero(np.diff(np.floor(np.cumsum(cost)))) + 1
    bounds = [0, *ends.tolist(), rows]
    return ((a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True) if b > a)


def _cross(edges: _Edges, begin: int, end: int, columns: int) -> tuple[IntArray, IntArray, IntArray]:
    """Where edges cross rows: edge, row, and the first column whose centre is not left of the crossing."""
    low, high = np.clip(edges.first, begin, end), np.clip(edges.last, begin, end)
    edge = np.repeat(np.arange(len(low)), high - low)
    row = expand_ranges(low, high - low)
    x = edges.x[edge] + (row - edges.y[edge]) * edges.slope[edge]
    return edge, row, np.clip(np.ceil(x), 0, columns).astype(np.int64)
