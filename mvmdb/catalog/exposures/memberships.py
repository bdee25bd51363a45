"""The sky cells that exposures overlap, as rows; sky/membership.py computes them for many footprints at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mvmdb.catalog.layers.changed_keys import all_keys
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.names import CellId
from mvmdb.records import Policy
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, bulk_insert
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL
from mvmdb.sky.membership import Memberships, match_each_region
from mvmdb.sky.tessellation import cell_centers

log = logging.getLogger(__name__)


def replace_memberships(connection: sa.Connection, ids: Sequence[int], memberships: Memberships) -> int:
    """Replace the memberships of exposures with these keys; return the number of new ones.

    `ids[i]` is the key of exposure number i of `memberships`.
    """
    for exposure_ids in chunks(ids):
        connection.execute(sa.delete(t.membership).where(t.membership.c.exposure_id.in_(exposure_ids)))
    return add_memberships(connection, np.array(ids, dtype=np.int64), memberships)


def add_memberships(connection: sa.Connection, ids: NDArray[np.int64], memberships: Memberships) -> int:
    """Insert memberships, and the sky cells that are new; return the number of memberships.

    `ids[i]` is the key of exposure number i of `memberships`.
    """
    cells = memberships.cell_index
    _add_cells(connection, np.unique(cells).tolist())
    columns = (
        ids[memberships.exposure], cells, memberships.x_min, memberships.x_max, memberships.y_min, memberships.y_max,
        memberships.area * ARCMIN2_PER_PIXEL,
    )  # fmt: skip
    names = ("exposure_id", "skycell_id", "x_min", "x_max", "y_min", "y_max", "area_arcmin2")
    bulk_insert(connection, t.membership, names, zip(*(column.tolist() for column in columns), strict=True))
    return len(cells)


def recompute_memberships(connection: sa.Connection, policy: Policy) -> int:
    """Recompute all memberships from the recorded footprints, and all layers; return the number of memberships."""
    keys_before = all_keys(connection)
    total = 0
    last = 0
    while True:
        query = sa.select(t.exposure.c.id, t.exposure.c.ipppssoo, t.exposure.c.s_region).where(t.exposure.c.id > last)
        rows = connection.execute(query.order_by(t.exposure.c.id).limit(20_000)).all()
        if not rows:
            break
        matched, faults = match_each_region([row.s_region for row in rows], policy.rule)
        for number, why in faults.items():
            log.warning("exposure %s is in no sky cell: %s", rows[number].ipppssoo, why)
        total += replace_memberships(connection, [row.id for row in rows], matched)
        last = rows[-1].id
    refresh_layers(connection, keys_before | all_keys(connection), policy)
    return total


def _add_cells(connection: sa.Connection, ids: list[int]) -> None:
    known = set(connection.scalars(sa.select(t.skycell.c.id).where(among(connection, t.skycell.c.id, ids))))
    cells = [CellId.from_index(id_) for id_ in ids if id_ not in known]
    if not cells:
        return
    ra, dec = cell_centers(cells)
    names = ("id", "name", "projection_cell", "x", "y", "ra", "dec")
    rows = (
        (cell.index, str(cell), cell.projection_cell, cell.x, cell.y, ra_, dec_)
        for cell, ra_, dec_ in zip(cells, ra.tolist(), dec.tolist(), strict=True)
    )
    bulk_insert(connection, t.skycell, names, rows)
