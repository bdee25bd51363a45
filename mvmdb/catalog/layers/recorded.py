"""What the catalog holds of the layers whose keys are staged in `touched`, and of the rest of their sky cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.layers.canvases import BOX, Bounds
from mvmdb.catalog.layers.changed_keys import touched
from mvmdb.layers.canvas import IntArray
from mvmdb.layers.members import Candidates
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_select

Recorded = dict[int, dict[str, Any]]
"""The rows recorded for the layers of each key number, by name."""
_OBSMODE = ("instrument", "detector", "filter")


@dataclass(frozen=True, slots=True)
class Staged:
    """What was found; `other_cells` and `other_boxes` (n, 4) are of layers of these cells that are not staged.

    `bounds`: the cells' recorded canvases.
    """

    candidates: Candidates
    recorded: Recorded
    other_cells: IntArray
    other_boxes: IntArray
    bounds: dict[int, Bounds]


def load_staged(connection: sa.Connection, *, none_yet: bool) -> Staged:
    """Read it all; with `none_yet` no layer is recorded at all, and none is looked for."""
    others = np.empty((0, 5), dtype=np.int64) if none_yet else _load_others(connection)
    return Staged(
        _load_candidates(connection),
        {} if none_yet else _load_recorded(connection),
        others[:, 0],
        others[:, 1:],
        _load_bounds(connection),
    )


def _load_candidates(connection: sa.Connection) -> Candidates:
    e, m = t.exposure.c, t.membership.c
    cells = sa.select(touched.c.skycell_id).distinct().subquery()
    # From cells by way of memberships: from keys, each membership of a cell would be looked at once for each filter.
    own = sa.and_(*(touched.c[name] == e[name] for name in _OBSMODE))
    query = (
        sa.select(
            touched.c.number, e.id, e.kind, e.member_digest, m.x_min, m.x_max, m.y_min, m.y_max,
            e.exptime, e.expstart, e.expend, m.area_arcmin2,
        )
        .select_from(
            cells.join(t.membership, m.skycell_id == cells.c.skycell_id)
            .join(t.exposure, e.id == m.exposure_id)
            .join(touched, sa.and_(touched.c.skycell_id == m.skycell_id, own))
        )
        .where(e.eligible, e.withdrawn_at.is_(None), e.wcs_digest.is_not(None))
        .order_by(touched.c.number, e.ipppssoo)
    )  # fmt: skip
    return Candidates.of_rows(list(bulk_select(connection, query)))


def _load_recorded(connection: sa.Connection) -> Recorded:
    layer = t.layer.c
    # From `touched` to layers: the sum keeps SQLite from looking up every layer of the catalog in `touched`.
    own = sa.and_(layer.skycell_id == touched.c.skycell_id + 0, *(layer[name] == touched.c[name] for name in _OBSMODE))
    recorded: Recorded = {}
    for row in connection.execute(sa.select(touched.c.number, t.layer).join(touched, own)).all():
        recorded.setdefault(row.number, {})[row.name] = row
    return recorded


def _load_others(connection: sa.Connection) -> IntArray:
    """(n, 5) cells and boxes of the layers that are not staged, in cells of those that are."""
    layer = t.layer.c
    own = sa.and_(*(layer[name] == touched.c[name] for name in ("skycell_id", *_OBSMODE)))
    query = sa.select(layer.skycell_id, *(layer[name] for name in BOX)).where(
        layer.skycell_id.in_(sa.select(touched.c.skycell_id)), ~sa.select(touched.c.skycell_id).where(own).exists()
    )
    return np.array(connection.execute(query.distinct()).all(), dtype=np.int64).reshape(-1, 5)


def _load_bounds(connection: sa.Connection) -> dict[int, Bounds]:
    cell = t.skycell.c
    query = sa.select(cell.id, *(cell[name] for name in BOX)).where(cell.id.in_(sa.select(touched.c.skycell_id)))
    return {id_: tuple(box) for id_, *box in connection.execute(query).all()}
