"""The canvas of a sky cell, which all its layers share: the bounding box of their members."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvmdb.records import Canvas

IntArray = NDArray[np.int64]


def bound_canvases(cell: IntArray, box: IntArray) -> dict[int, Canvas]:
    """The canvas of each sky cell that has a layer, by cell.

    `cell`: (n,) the sky cell of each layer. `box`: (n, 4) the bounding box of each layer's members, x_min, x_max,
    y_min, y_max in fine pixels.
    """
    if not len(cell):
        return {}
    order = np.argsort(cell, kind="stable")
    cell, box = cell[order], box[order]
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    edges = [
        np.minimum.reduceat(box[:, 0], first), np.maximum.reduceat(box[:, 1], first),
        np.minimum.reduceat(box[:, 2], first), np.maximum.reduceat(box[:, 3], first),
    ]  # fmt: skip
    bounds = zip(*(edge.tolist() for edge in edges), strict=True)
    return {index: Canvas(*edges) for index, edges in zip(cell[first].tolist(), bounds, strict=True)}
