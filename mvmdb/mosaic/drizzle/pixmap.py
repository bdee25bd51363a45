"""Where each pixel of a chip falls: interpolated, and checked against the exact transform on every chip.

A chip's WCS first moves a pixel by tables (D2IM, then NPOL) and then by smooth terms (SIP, the linear terms and the two
tangent projections). The smooth part is a polynomial of high degree in x and y, through nodes where it was computed
exactly. What the tables add is computed exactly at their own nodes, in output pixels, and is linear between them, as
the tables themselves are, so that their steps and kinks stay where they are. Both together are one matrix product.

Why the check bounds the error: the polynomial's error oscillates between its nodes, and is checked at three points
between each node and the next. The error made in the tables' part is a product of two small numbers: inside a cell of
a table, of the table's value and the variation of the smooth part's derivative, largest in the middle; next to a cell's
border, where D2IM moves a pixel across a kink of NPOL, of the two tables. Every cell is checked in its middle and next
to its borders (where there are very many cells, thousands of them, with every row and column among them). Between these
points the error may be a little larger than at them, but never twice as large, so at them it must be below half of
`TOLERANCE`. Otherwise nodes and cells are made finer, and where that does not help, every pixel is computed exactly.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from astropy.wcs import WCS, DistortionLookupTable
from numpy.typing import NDArray

from mvmdb.mosaic.grid import LayerGrid

log = logging.getLogger(__name__)

TOLERANCE = 1e-3
"""Largest distance, in output pixels, between an interpolated position and the exact one."""
LEVELS = ((8, 128.0), (12, 64.0), (18, 32.0), (27, 16.0))
"""(nodes along an axis, largest side of a cell in detector pixels), coarsest first. From one to the next the
polynomial's error falls by a factor of 100 or more, that of the cells by 4."""
CHECKS = 20000
"""Pixels at which the tables' part is compared with the exact transform: all cells of a table of 65 x 33 nodes."""
EXACT_SHARE = 4
"""Interpolation gains nothing where tables need more than one exact position per this many pixels."""
ROWS_AT_ONCE = 128
"""Rows computed at once: a fixed partition, so that a row's bits do not depend on which other rows are requested."""

PRODUCT_SIZE = 1 << 18
"""Multiplications in one matrix product: numpy's BLAS computes smaller products in one thread. More threads gain
nothing here, and cost much where every processor has a layer to make."""

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class ChipMap(Protocol):
    """Positions of the pixels of one chip and of the border around it, if any."""

    def positions(self, rows: slice) -> Float:
        """(rows, columns, 2): x, y by `LayerGrid.sky_to_frame` of all pixels of some rows, including the border."""


@dataclass(frozen=True, slots=True)
class ExactMap:
    """The full WCS evaluated at every pixel, 0.3 microseconds each.

    `shape` includes the border, so that pixel (0, 0) is `border` pixels before the chip's first on both axes.
    """

    wcs: WCS
    shape: tuple[int, int]
    grid: LayerGrid
    border: int = 0

    def project(self, x: Float, y: Float) -> Float:
        """(..., 2): x, y by `LayerGrid.sky_to_frame` of 0-based pixels, through SIP, NPOL and D2IM."""
        ra, dec = self.wcs.all_pix2world(x.ravel() - self.border, y.ravel() - self.border, 0)
        projected: Float = np.stack(self.grid.sky_to_frame(ra, dec), axis=-1).reshape(*x.shape, 2)
        return projected

    def positions(self, rows: slice) -> Float:
        """As `ChipMap.positions`."""
        pixmap = np.empty((rows.stop - rows.start, self.shape[1], 2))
        for top in range(rows.start, rows.stop, ROWS_AT_ONCE):
            bottom = min(top + ROWS_AT_ONCE, rows.stop)
            y, x = np.mgrid[top:bottom, : self.shape[1]].astype(np.float64)
            pixmap[top - rows.start : bottom - rows.start] = self.project(x, y)
        return pixmap


@dataclass(frozen=True, slots=True)
class InterpolatedMap:
    """Smooth polynomial and tables' part, each expanded to all columns, so that a row is a product of two matrices.

    `row_factors` (rows, nodes) times `columns` (nodes, 2 * columns) is the smooth part, x and y alternating in a row;
    `cells` (len(knots), 2 * columns) is what the tables add at the rows `knots` (ascending, from 0 to the last row).
    """

    shape: tuple[int, int]
    row_factors: Float
    columns: Float
    knots: Float
    cells: Float
    _starts: Int

    def positions(self, rows: slice) -> Float:
        """As `ChipMap.positions`."""
        pixmap = np.empty((rows.stop - rows.start, 2 * self.shape[1]))
        first, last = np.searchsorted(self._starts, [rows.start, rows.stop - 1], side="right") - 1
        for cell in range(int(first), int(last) + 1):
            top, bottom = int(self._starts[cell]), int(self._starts[cell + 1])
            begin, end = max(top, rows.start), min(bottom, rows.stop)
            block = self._cell_rows(cell, top, bottom, pixmap[begin - rows.start : end - rows.start])
            if (begin, end) != (top, bottom):
                pixmap[begin - rows.start : end - rows.start] = block[begin - top : end - top]
        return pixmap.reshape(-1, self.shape[1], 2)

    def _cell_rows(self, cell: int, top: int, bottom: int, out: Float) -> Float:
        """All rows of a cell, in `out` if that has as many: the bits of a matrix product may depend on its size."""
        factors = np.column_stack([self.row_factors[top:bottom], *self._cell_weights(cell, np.arange(top, bottom))])
        values = np.vstack([self.columns, self.cells[cell : cell + 2]])
        block = out if out.shape[0] == bottom - top else np.empty((bottom - top, out.shape[1]))
        at_once = max(16, PRODUCT_SIZE // factors.size // 16 * 16)
        for first in range(0, block.shape[1], at_once):
            columns = slice(first, first + at_once)
            np.matmul(factors, values[:, columns], out=block[:, columns])
        return block

    def pixel_positions(self, x: Int, y: Int) -> Float:
        """(n, 2): the positions of single pixels, from the same numbers as `positions`."""
        cell = np.searchsorted(self._starts, y, side="right") - 1
        low, high = self._cell_weights(cell, y)
        columns, cells = (matrix.reshape(len(matrix), -1, 2) for matrix in (self.columns, self.cells))
        smooth: Float = np.einsum("nk,kna->na", self.row_factors[y], columns[:, x])
        return smooth + low[:, None] * cells[cell, x] + high[:, None] * cells[cell + 1, x]

    def _cell_weights(self, cell: int | Int, y: Int) -> tuple[Float, Float]:
        along = (y - self.knots[cell]) / (self.knots[np.add(cell, 1)] - self.knots[cell])
        return 1.0 - along, along


def map_chip(wcs: WCS, shape: tuple[int, int], grid: LayerGrid, border: int = 0) -> ChipMap:
    """The positions of a chip of `shape` (rows, columns), each within `TOLERANCE` output pixels of the exact one.

    They include `border` pixels around the chip, and depend on the whole chip alone: not on the canvas, nor on which
    rows are requested.
    """
    wide = (shape[0] + 2 * border, shape[1] + 2 * border)
    exact = ExactMap(wcs, wide, grid, border)
    smooth = ExactMap(_without_tables(wcs), wide, grid, border)
    for nodes, step in LEVELS:
        x_knots, y_knots = (_find_knots(exact, axis, step) for axis in (0, 1))
        if x_knots.size * y_knots.size * EXACT_SHARE > wide[0] * wide[1]:
            break
        interpolated = _interpolate(exact, smooth, nodes, x_knots, y_knots)
        error = _largest_error(interpolated, exact, nodes, x_knots, y_knots)
        if error < TOLERANCE / 2:
            return interpolated
        log.debug("%d nodes and cells of %g pixels leave an error of %.2g pixels", nodes, step, error)
    return exact


def _interpolate(exact: ExactMap, smooth: ExactMap, nodes: int, x_knots: Float, y_knots: Float) -> InterpolatedMap:
    rows, columns = exact.shape
    x_nodes, y_nodes = chebyshev_nodes(nodes, columns), chebyshev_nodes(nodes, rows)
    values = smooth.project(*np.meshgrid(x_nodes, y_nodes))
    by_row, by_column = (
        lagrange_weights(x, np.arange(n, dtype=np.float64)) for x, n in ((y_nodes, rows), (x_nodes, columns))
    )
    if _tables(exact.wcs):
        x, y = np.meshgrid(x_knots, y_knots)
        at_knots = lagrange_weights(y_nodes, y_knots), lagrange_weights(x_nodes, x_knots)
        added = exact.project(x, y) - np.einsum("rk,kma,cm->rca", at_knots[0], values, at_knots[1], optimize=True)
    else:
        added = np.zeros((y_knots.size, x_knots.size, 2))
    starts = np.append(np.ceil(y_knots[:-1]), rows).astype(np.int64)
    return InterpolatedMap(
        exact.shape,
        by_row,
        np.einsum("cm,kma->kca", by_column, values).reshape(nodes, 2 * columns),
        y_knots,
        _expand(added, x_knots, columns).reshape(y_knots.size, 2 * columns),
        starts,
    )


def _largest_error(interpolated: InterpolatedMap, exact: ExactMap, nodes: int, x_knots: Float, y_knots: Float) -> float:
    """The largest error at the checked pixels, in output pixels; NaN where a position is not finite."""
    x, y = _smooth_checks(nodes, exact.shape)
    if _tables(exact.wcs):
        more_x, more_y = _cell_checks(x_knots, y_knots)
        x, y = np.concatenate([x, more_x]), np.concatenate([y, more_y])
    error = np.hypot(
        *(interpolated.pixel_positions(x, y) - exact.project(x.astype(np.float64), y.astype(np.float64))).T
    )
    return float(error.max())


def _smooth_checks(nodes: int, shape: tuple[int, int]) -> tuple[Int, Int]:
    """Columns and rows of pixels: the corners, and three points between each node and the next on both axes."""
    sides = []
    for size in reversed(shape):
        ends = np.concatenate([[0.0], chebyshev_nodes(nodes, size), [size - 1.0]])
        between = ends[:-1, None] + np.diff(ends)[:, None] * np.array([0.25, 0.5, 0.75])
        sides.append(np.unique(np.rint(np.concatenate([ends[[0, -1]], between.ravel()]))).astype(np.int64))
    x, y = np.meshgrid(*sides)
    return x.ravel(), y.ravel()


def _cell_checks(x_knots: Float, y_knots: Float) -> tuple[Int, Int]:
    """Columns and rows of pixels in the middle of cells and at their ends: all, or at least `CHECKS`, well mixed."""
    x, y = (
        np.unique(np.rint(np.stack([knots[:-1] + 1, (knots[:-1] + knots[1:]) / 2, knots[1:] - 1]))).astype(np.int64)
        for knots in (x_knots, y_knots)
    )
    if x.size * y.size <= CHECKS:
        pairs = np.meshgrid(x, y)
        return pairs[0].ravel(), pairs[1].ravel()
    count = np.arange(max(CHECKS, x.size, y.size))
    # Steps of the golden section pair every column and row with ever new partners.
    return x[count % x.size], y[(count * 0.6180339887498949 % 1.0 * y.size).astype(np.int64)]


def _find_knots(exact: ExactMap, axis: int, step: float) -> Float:
    """Where, along x (0) or y (1), a table's interpolation may bend, and points between, at most `step` apart.

    In 0-based pixels, border included; the first and the last pixel are among them. Node k of a table (from 0) is the
    chip's pixel (k + 1 - CRPIX) * CDELT + CRVAL, 1-based.
    """
    last = max(exact.shape[1 - axis] - 1.0, 1.0)
    knots = [np.array([0.0, last])]
    for table in _tables(exact.wcs):
        nodes = np.arange(table.data.shape[1 - axis])
        knots.append((nodes + 1 - table.crpix[axis]) * table.cdelt[axis] + table.crval[axis] - 1 + exact.border)
    bends = np.unique(np.concatenate(knots))
    bends = bends[(bends >= 0.0) & (bends <= last)]
    pieces = np.ceil(np.diff(bends) / step).astype(np.int64)
    width = np.repeat(np.diff(bends) / pieces, pieces)
    number = np.arange(width.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return np.append(np.repeat(bends[:-1], pieces) + number * width, bends[-1])


def _expand(values: Float, knots: Float, size: int) -> Float:
    """(n, len(knots), 2) values at `knots`, interpolated linearly between them: (n, size, 2)."""
    pixel = np.arange(size, dtype=np.float64)
    cell = np.clip(np.searchsorted(knots, pixel, side="right") - 1, 0, knots.size - 2)
    along = ((pixel - knots[cell]) / (knots[cell + 1] - knots[cell]))[:, None]
    expanded: Float = values[:, cell] * (1.0 - along) + values[:, cell + 1] * along
    return expanded


def chebyshev_nodes(nodes: int, size: int) -> Float:
    """Nodes over the pixels 0 to size - 1, ascending, at which interpolation by a polynomial is nearly optimal."""
    angles = (2 * np.arange(nodes)[::-1] + 1) * np.pi / (2 * nodes)
    return (size - 1) / 2 * (1 + np.cos(angles))


def lagrange_weights(nodes: Float, points: Float) -> Float:
    """(points, nodes): the weight of each node's value at some points (Lagrange interpolation in barycentric form)."""
    order = np.arange(nodes.size)
    weights = (-1.0) ** order * np.sin((2 * order + 1) * np.pi / (2 * nodes.size))
    difference = points[:, None] - nodes
    hit = difference == 0.0
    terms = weights / np.where(hit, 1.0, difference)
    factors: Float = np.where(hit.any(axis=1, keepdims=True), hit, terms / terms.sum(axis=1, keepdims=True))
    return factors


def _tables(wcs: WCS) -> list[DistortionLookupTable]:
    return [table for table in (wcs.det2im1, wcs.det2im2, wcs.cpdis1, wcs.cpdis2) if table is not None]


def _without_tables(wcs: WCS) -> WCS:
    smooth = wcs.deepcopy()
    smooth.det2im1 = smooth.det2im2 = smooth.cpdis1 = smooth.cpdis2 = None
    return smooth
