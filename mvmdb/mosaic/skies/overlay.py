"""Where the pixels of one chip fall on another, through the WCS of both.

The position on the other chip is a smooth function of the position on this one, so it is computed exactly at a few
nodes only, and by a polynomial through them elsewhere. It is compared with the exact position between the nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.mosaic.drizzle.pixmap import chebyshev_nodes, lagrange_weights

TOLERANCE = 0.1
"""Largest error of a position, in pixels of the other chip, at the places where it is checked. The lookup tables of
Hubble's detectors move pixels by less than that from one place to the next, so no position is wrong by 0.3 pixels."""
NODES = (5, 9, 17)
"""Nodes along an axis, fewest first."""
ACCURACY = 1e-2
"""Accuracy, in pixels, with which the other chip's WCS is inverted."""

Float = NDArray[np.float64]
Shape = tuple[int, int]
Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Overlay:
    """Positions on the other chip: `by_row` (rows, nodes) times `x` or `y` (nodes, columns)."""

    by_row: Float
    x: Float
    y: Float

    def positions(self, rows: slice) -> tuple[Float, Float]:
        """0-based x and y on the other chip of the pixels in some rows of the box, each (rows, columns)."""
        return self.by_row[rows] @ self.x, self.by_row[rows] @ self.y


@dataclass(frozen=True, slots=True)
class ExactOverlay:
    """Positions on the other chip by both WCS, pixel by pixel: slow, for a WCS that no polynomial follows."""

    wcs: WCS
    other: WCS
    box: Box

    def positions(self, rows: slice) -> tuple[Float, Float]:
        """As of `Overlay`."""
        top, left, right = self.box[0].start, self.box[1].start, self.box[1].stop
        y, x = np.mgrid[top + rows.start : top + rows.stop, left:right].astype(np.float64)
        found = _project(self.wcs, self.other, x.ravel(), y.ravel())
        return found[0].reshape(x.shape), found[1].reshape(x.shape)


def overlay(wcs: WCS, box: Box, other: WCS, shape: Shape) -> Overlay | ExactOverlay:
    """Where the pixels in a `box` (rows, columns) of one chip fall on another one of `shape` (rows, columns)."""
    for nodes in NODES:
        found, error = _interpolate(wcs, box, other, shape, nodes)
        if error < TOLERANCE:
            return found
    return ExactOverlay(wcs, other, box)


def _interpolate(wcs: WCS, box: Box, other: WCS, shape: Shape, nodes: int) -> tuple[Overlay, float]:
    """The overlay through so many nodes along each axis, and its largest error between them on the other chip."""
    sizes = [max(side.stop - side.start, 2) for side in box]  # nodes of one pixel would fall on each other
    at = [chebyshev_nodes(nodes, size) for size in sizes]
    x, y = np.meshgrid(box[1].start + at[1], box[0].start + at[0])
    values = _project(wcs, other, x.ravel(), y.ravel()).reshape(2, nodes, nodes)
    by_row, by_column = (
        lagrange_weights(node, np.arange(size, dtype=np.float64)) for node, size in zip(at, sizes, strict=True)
    )
    between = [
        np.concatenate([[0.0], (node[:-1] + node[1:]) / 2, [size - 1.0]]) for node, size in zip(at, sizes, strict=True)
    ]
    rows, columns = (lagrange_weights(node, points) for node, points in zip(at, between, strict=True))
    guessed = np.einsum("rk,akm,cm->arc", rows, values, columns, optimize=True).reshape(2, -1)
    x, y = np.meshgrid(box[1].start + between[1], box[0].start + between[0])
    exact = _project(wcs, other, x.ravel(), y.ravel())
    inside = is_on(exact[0], exact[1], shape)
    error = np.hypot(*(guessed - exact))[inside]
    made = Overlay(by_row, values[0] @ by_column.T, values[1] @ by_column.T)
    return made, float(error.max()) if error.size else 0.0


def is_on(x: Float, y: Float, shape: Shape) -> NDArray[np.bool_]:
    """Whether pixels, by their column x and row y, are on a chip of `shape`; NaN is not."""
    on: NDArray[np.bool_] = (x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)
    return on


def _project(wcs: WCS, other: WCS, x: Float, y: Float) -> Float:
    """(2, n): 0-based x and y on the other chip. Far off its edge the inverse may not converge: not a position."""
    ra, dec = wcs.all_pix2world(x, y, 0)
    with np.errstate(all="ignore"):
        found: Float = np.stack(other.all_world2pix(ra, dec, 0, tolerance=ACCURACY, quiet=True))
    return found
