"""The canvas of each sky cell: the rectangle that the members of all its layers cover, kept in `skycell`."""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.touched import touched
from mvmdb.records import Canvas
from mvmdb.schema import tables as t

_BOX = ("x_min", "x_max", "y_min", "y_max")

IntArray = NDArray[np.int64]


def settle_canvases(
    connection: sa.Connection, cells: IntArray, layer_cell: IntArray, boxes: IntArray, none_yet: bool
) -> tuple[dict[int, Canvas], dict[int, Canvas]]:
    """Record the canvases of sky cells (sorted keys); return all that there are, and those that changed.

    `boxes`, (n, 4) as in LayerMembers, are of the layers that are touched, in the cells `layer_cell`; those of the
    other layers are recorded; with `none_yet` there are none. A cell without layers has no canvas.
    """
    cell, box = layer_cell, boxes
    if not none_yet:
        other_cells, other_boxes = _load_others(connection)
        cell, box = np.concatenate([cell, other_cells]), np.concatenate([box, other_boxes])
    order = np.argsort(cell, kind="stable")
    cell, box = cell[order], box[order]
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    bounds: dict[int, tuple[int | None, ...]] = dict.fromkeys(cells.tolist(), (None,) * 4)
    if len(first):
        edges = [
            np.minimum.reduceat(box[:, 0], first), np.maximum.reduceat(box[:, 1], first),
            np.minimum.reduceat(box[:, 2], first), np.maximum.reduceat(box[:, 3], first),
        ]  # fmt: skip
        bounds |= dict(zip(cell[first].tolist(), zip(*(edge.tolist() for edge in edges), strict=True), strict=True))
    moved = _record(connection, bounds)
    canvases = {id_: Canvas(*own) for id_, own in bounds.items() if own[0] is not None}  # type: ignore[arg-type]
    return canvases, {id_: canvases[id_] for id_ in moved if id_ in canvases}


def _load_others(connection: sa.Connection) -> tuple[IntArray, IntArray]:
    """Cells and boxes of the layers that are not touched, in cells that are."""
    layer = t.layer.c
    own = sa.and_(*(layer[name] == touched.c[name] for name in ("skycell_id", "instrument", "detector", "filter")))
    query = sa.select(layer.skycell_id, *(layer[name] for name in _BOX)).where(
        layer.skycell_id.in_(sa.select(touched.c.skycell_id)), ~sa.select(touched.c.skycell_id).where(own).exists()
    )
    rows = np.array(connection.execute(query.distinct()).all(), dtype=np.int64).reshape(-1, 5)
    return rows[:, 0], rows[:, 1:]


def _record(connection: sa.Connection, bounds: dict[int, tuple[int | None, ...]]) -> list[int]:
    """Write the bounds that differ from what is recorded; return the cells of these."""
    cell = t.skycell.c
    query = sa.select(cell.id, *(cell[name] for name in _BOX)).where(cell.id.in_(sa.select(touched.c.skycell_id)))
    moved = [row[0] for row in connection.execute(query).all() if bounds[row[0]] != tuple(row[1:])]
    if moved:
        change = sa.update(t.skycell).where(cell.id == sa.bindparam("cell"))
        change = change.values({name: sa.bindparam(f"new_{name}") for name in _BOX})
        rows: list[dict[str, Any]] = [
            {"cell": id_} | {f"new_{name}": value for name, value in zip(_BOX, bounds[id_], strict=True)}
            for id_ in moved
        ]
        connection.execute(change, rows)
    return moved
