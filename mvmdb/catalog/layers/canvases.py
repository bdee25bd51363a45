"""The canvas of each sky cell: the rectangle that the members of all its layers cover, kept in `skycell`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.records import Canvas
from mvmdb.schema import tables as t

BOX = ("x_min", "x_max", "y_min", "y_max")

Bounds = tuple[int | None, ...]
"""A canvas in the order of BOX; nothing but None in a cell without layers."""
IntArray = NDArray[np.int64]


def settle_canvases(
    connection: sa.Connection, recorded: Mapping[int, Bounds], layer_cell: IntArray, boxes: IntArray
) -> tuple[dict[int, Canvas], dict[int, Canvas]]:
    """Record the canvases of the sky cells that `recorded` has; return all that there are, and those that changed.

    `boxes`, (n, 4) as in LayerMembers, are of all layers of these cells, and `layer_cell` says which cell's each is.
    """
    order = np.argsort(layer_cell, kind="stable")
    cell, box = layer_cell[order], boxes[order]
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    bounds: dict[int, Bounds] = dict.fromkeys(recorded, (None,) * 4)
    if len(first):
        edges = [
            np.minimum.reduceat(box[:, 0], first), np.maximum.reduceat(box[:, 1], first),
            np.minimum.reduceat(box[:, 2], first), np.maximum.reduceat(box[:, 3], first),
        ]  # fmt: skip
        bounds |= dict(zip(cell[first].tolist(), zip(*(edge.tolist() for edge in edges), strict=True), strict=True))
    moved = [id_ for id_, own in bounds.items() if recorded[id_] != own]
    _record(connection, [(id_, *bounds[id_]) for id_ in moved])
    canvases = {id_: Canvas(*own) for id_, own in bounds.items() if own[0] is not None}  # type: ignore[arg-type]
    return canvases, {id_: canvases[id_] for id_ in moved if id_ in canvases}


def _record(connection: sa.Connection, moved: Sequence[tuple[int | None, ...]]) -> None:
    """Write the bounds of cells, given as (cell, then as in BOX)."""
    if not moved:
        return
    names = [f"new_{name}" for name in BOX]
    change = sa.update(t.skycell).where(t.skycell.c.id == sa.bindparam("cell"))
    change = change.values({name: sa.bindparam(new) for name, new in zip(BOX, names, strict=True)})
    connection.execute(change, [dict(zip(("cell", *names), row, strict=True)) for row in moved])
