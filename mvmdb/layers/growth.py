"""Which visits make the canvases of sky cells grow by an absurd amount: a canvas spans all members of its cell.

A wrong place is the usual cause. It is worth a word before terabytes are written, but no reason to refuse: two fields
in opposite corners of a sky cell also have a canvas that is mostly empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]

ABSURD_BYTES = 10_000_000_000
"""Bytes: more than twice the fine mosaic of a whole sky cell."""
ABSURD_RATIO = 1000
"""Times the size of the visit's files; the mosaics of exposures that lie alone have 1 to 6 times their size."""


@dataclass(frozen=True, slots=True)
class Growth:
    """By how many `bytes` the mosaics of some layers grow because of one visit."""

    bytes: float
    layers: int
    cells: int

    def __add__(self, other: Growth) -> Growth:
        return Growth(self.bytes + other.bytes, self.layers + other.layers, self.cells + other.cells)

    def is_absurd(self, size: int) -> bool:
        """Whether that is out of proportion to a visit whose files have this many bytes."""
        return self.bytes > max(ABSURD_BYTES, ABSURD_RATIO * size)


def measure_growth(box: IntArray, n_layers: int, bytes_per_pixel: float) -> dict[int, Growth]:
    """By how much the canvas of one sky cell would shrink without each visit, by its row; only those that matter.

    `box`: (n, 4) x_min, x_max, y_min, y_max of the visits in the cell, in fine pixels. `n_layers`: number of layers of
    the cell. `bytes_per_pixel`: what a fine pixel costs in all of them together. Exposures are taken by visits, as a
    wrong solution often is that of a whole visit: without one of two such exposures, the canvas would stay.
    """
    edges = box * np.array([1, -1, 1, -1])  # the smallest of each column bounds the canvas
    order = np.argsort(edges, axis=0, kind="stable")
    outermost = np.take_along_axis(edges, order[:1], axis=0)[0]
    second = np.take_along_axis(edges, order[1:2], axis=0)[0] if len(edges) > 1 else None
    growths = {}
    for row in np.unique(order[0]).tolist():
        without = None if second is None else np.where(order[0] == row, second, outermost)
        lost = _area(outermost) - (0 if without is None else _area(without))
        if lost > 0:
            growths[row] = Growth(lost * bytes_per_pixel, n_layers, 1)
    return growths


def _area(edges: IntArray) -> int:
    x_min, x_max, y_min, y_max = (edges * np.array([1, -1, 1, -1])).tolist()
    return int((x_max - x_min + 1) * (y_max - y_min + 1))
