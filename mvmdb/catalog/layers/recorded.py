"""What the catalog records of layers whose keys are in `changed_key`, and of the other layers of their cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.layers.canvases import BOX, Bounds
from mvmdb.catalog.layers.changed_keys import changed_key
from mvmdb.catalog.settings import read_policy
from mvmdb.layers.canvas import IntArray
from mvmdb.layers.members import Candidates
from mvmdb.records import Placed
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_select

RecordedLayers = dict[int, dict[str, Any]]
"""The recorded rows of `layer`: for each key, by its number in `changed_key`, the rows by layer name."""
_OBSMODE = ("instrument", "detector", "filter")


@dataclass(frozen=True, slots=True)
class ChangedLayers:
    """The candidates for the layers of the changed keys, and the rows recorded for these layers.

    `other_cells` (n,) and `other_boxes` (n, 4) describe the distinct boxes of the other layers of the same sky cells.
    `bounds`: the recorded canvas of each cell.
    """

    candidates: Candidates
    recorded: RecordedLayers
    other_cells: IntArray
    other_boxes: IntArray
    bounds: dict[int, Bounds]


def load_changed_layers(connection: sa.Connection, *, none_yet: bool) -> ChangedLayers:
    """Read them for the keys in `changed_key`; with `none_yet`, the catalog has no layers, and none are queried."""
    others = np.empty((0, 5), dtype=np.int64) if none_yet else _load_others(connection)
    return ChangedLayers(
        load_candidates(connection),
        {} if none_yet else _load_recorded(connection),
        others[:, 0],
        others[:, 1:],
        _load_bounds(connection),
    )


def load_candidates(connection: sa.Connection) -> Candidates:
    """The exposures that may be members of layers with keys in `changed_key`: eligible, and not withdrawn."""
    e, m = t.exposure.c, t.membership.c
    cells = sa.select(changed_key.c.skycell_id).distinct().subquery()
    # Join cells to memberships first: starting from keys, each membership of a cell would be read once per filter.
    same_obsmode = sa.and_(*(changed_key.c[name] == e[name] for name in _OBSMODE))
    columns = {
        "key": changed_key.c.number, "exposure": e.id, "kind": e.kind, "digest": e.member_digest,
        "x_min": m.x_min, "x_max": m.x_max, "y_min": m.y_min, "y_max": m.y_max,
        "exptime": e.exptime, "expstart": e.expstart, "expend": e.expend, "area_arcmin2": m.area_arcmin2,
        "has_file": e.path != "", "frame": e.frame,
    }  # fmt: skip
    placed, columns_of_place = place_of(connection)
    query = (
        sa.select(*columns.values(), *columns_of_place)
        .select_from(
            cells.join(t.membership, m.skycell_id == cells.c.skycell_id)
            .join(t.exposure, e.id == m.exposure_id)
            .join(changed_key, sa.and_(changed_key.c.skycell_id == m.skycell_id, same_obsmode))
            .outerjoin(t.placement, placed)
        )
        .where(e.eligible, e.withdrawn_at.is_(None), e.wcs_digest.is_not(None))
        .order_by(changed_key.c.number, e.ipppssoo)
    )
    n = len(columns)
    return Candidates.of_rows([(*row[:n], as_placed(*row[n:])) for row in bulk_select(connection, query)])


def place_of(connection: sa.Connection) -> tuple[sa.ColumnElement[bool], list[sa.ColumnElement[Any]]]:
    """How an exposure is joined with its placement, and the columns of it that `as_placed` takes.

    The place counts where members are to agree, and if it is that of the WCS that layers use.
    """
    e, p = t.exposure.c, t.placement.c
    joined = sa.and_(p.ipppssoo == e.ipppssoo, p.base_wcs == e.member_wcs, p.n_pairs > 0)
    wanted = read_policy(connection).frames == "agree"
    return (joined if wanted else sa.false()), [p.shift_group, p.dx, p.dy, p.pixel]


def as_placed(group: str | None, dx: float, dy: float, pixel: float) -> Placed | None:
    """The place of an exposure, of the columns of `place_of`."""
    return None if group is None else Placed(group, dx, dy, pixel)


def _load_recorded(connection: sa.Connection) -> RecordedLayers:
    layer = t.layer.c
    # Join from `changed_key` to layers: `+ 0` keeps SQLite from looking up every layer of the catalog in `changed_key`.
    same_key = sa.and_(
        layer.skycell_id == changed_key.c.skycell_id + 0, *(layer[name] == changed_key.c[name] for name in _OBSMODE)
    )
    recorded: RecordedLayers = {}
    for row in connection.execute(sa.select(changed_key.c.number, t.layer).join(changed_key, same_key)).all():
        recorded.setdefault(row.number, {})[row.name] = row
    return recorded


def _load_others(connection: sa.Connection) -> IntArray:
    """(n, 5): cell and box of the layers of other keys in the same sky cells, without duplicates."""
    layer = t.layer.c
    same_key = sa.and_(*(layer[name] == changed_key.c[name] for name in ("skycell_id", *_OBSMODE)))
    query = sa.select(layer.skycell_id, *(layer[name] for name in BOX)).where(
        layer.skycell_id.in_(sa.select(changed_key.c.skycell_id)),
        ~sa.select(changed_key.c.skycell_id).where(same_key).exists(),
    )
    return np.array(connection.execute(query.distinct()).all(), dtype=np.int64).reshape(-1, 5)


def _load_bounds(connection: sa.Connection) -> dict[int, Bounds]:
    cell = t.skycell.c
    query = sa.select(cell.id, *(cell[name] for name in BOX)).where(cell.id.in_(sa.select(changed_key.c.skycell_id)))
    return {id_: tuple(box) for id_, *box in connection.execute(query).all()}
