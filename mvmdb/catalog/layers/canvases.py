"""The canvas of each sky cell, recorded in `skycell` when it changes; layers/canvas.py decides what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from mvmdb.layers.canvas import IntArray, bound_canvases
from mvmdb.records import Canvas
from mvmdb.schema import tables as t

BOX = ("x_min", "x_max", "y_min", "y_max")

Bounds = tuple[int | None, ...]
"""A canvas in the order of BOX, in fine pixels; four None for a cell without layers."""


def settle_canvases(
    connection: sa.Connection, recorded: Mapping[int, Bounds], layer_cell: IntArray, boxes: IntArray
) -> tuple[dict[int, Canvas], dict[int, Canvas]]:
    """Update the canvases of the sky cells in `recorded`; return all canvases, and those that changed, by cell.

    `boxes`: (n, 4), as in LayerMembers, for all layers of these cells. `layer_cell`: (n,) the cell of each layer. Cells
    without layers have no canvas.
    """
    canvases = bound_canvases(layer_cell, boxes)
    moved = [cell for cell, bounds in recorded.items() if bounds != _bounds(canvases.get(cell))]
    _record(connection, [(cell, *_bounds(canvases.get(cell))) for cell in moved])
    return canvases, {cell: canvases[cell] for cell in moved if cell in canvases}


def _bounds(canvas: Canvas | None) -> Bounds:
    return (None,) * 4 if canvas is None else (canvas.x_min, canvas.x_max, canvas.y_min, canvas.y_max)


def _record(connection: sa.Connection, moved: Sequence[tuple[int | None, ...]]) -> None:
    """Write the bounds of cells; rows are (cell, x_min, x_max, y_min, y_max)."""
    if not moved:
        return
    names = [f"new_{name}" for name in BOX]
    change = sa.update(t.skycell).where(t.skycell.c.id == sa.bindparam("cell"))
    change = change.values({name: sa.bindparam(new) for name, new in zip(BOX, names, strict=True)})
    connection.execute(change, [dict(zip(("cell", *names), row, strict=True)) for row in moved])
