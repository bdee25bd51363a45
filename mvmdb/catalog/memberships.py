"""Which sky cells exposures overlap, as rows: footprints go to sky.membership in one array, memberships come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.layers import chunks, refresh_layers
from mvmdb.names import CellId
from mvmdb.records import Policy, Rule
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL
from mvmdb.sky.membership import Footprints, Memberships, find_members
from mvmdb.sky.region import parse_region
from mvmdb.sky.tessellation import cell_centers


def replace_memberships(connection: sa.Connection, regions: Mapping[int, str], rule: Rule) -> tuple[set[int], int]:
    """Write the memberships of exposures whose footprints are new or moved.

    `regions` maps exposure keys to `s_region`. Returns every sky cell that gained or lost one of them, and the number
    of memberships written.
    """
    if not regions:
        return set(), 0
    touched = cells_of(connection, list(regions))
    ids = np.fromiter(regions, dtype=np.int64, count=len(regions))
    found = match_regions(list(regions.values()), rule)
    for part in chunks(regions):
        connection.execute(sa.delete(t.membership).where(t.membership.c.exposure_id.in_(part)))
    cells = found.cell_index
    _add_cells(connection, sorted(set(cells.tolist())))
    names = ("exposure_id", "skycell_id", "x_min", "x_max", "y_min", "y_max", "area_arcmin2")
    columns = (
        ids[found.exposure], cells, found.x_min, found.x_max, found.y_min, found.y_max, found.area * ARCMIN2_PER_PIXEL,
    )  # fmt: skip
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)]
    if rows:
        connection.execute(sa.insert(t.membership), rows)
    return touched | set(cells.tolist()), len(rows)


def match_regions(regions: Sequence[str], rule: Rule) -> Memberships:
    """The memberships of footprints given as `s_region` texts; an empty text has none."""
    polygons = [parse_region(region) if region else [] for region in regions]
    return find_members(Footprints.from_polygons(polygons), rule)


def cells_of(connection: sa.Connection, exposures: Sequence[int]) -> set[int]:
    """The sky cells that these exposures (keys) are members of."""
    cells: set[int] = set()
    for part in chunks(exposures):
        query = sa.select(t.membership.c.skycell_id).where(t.membership.c.exposure_id.in_(part)).distinct()
        cells.update(connection.scalars(query))
    return cells


def recompute_memberships(connection: sa.Connection, policy: Policy) -> int:
    """Compute every membership anew from the recorded footprints, after a change of rule; return their number."""
    touched: set[int] = set()
    total = 0
    last = 0
    while True:
        query = sa.select(t.exposure.c.id, t.exposure.c.s_region).where(t.exposure.c.id > last)
        rows = connection.execute(query.order_by(t.exposure.c.id).limit(20_000)).all()
        if not rows:
            break
        cells, count = replace_memberships(connection, dict(rows), policy.rule)
        touched |= cells
        total += count
        last = rows[-1][0]
    refresh_layers(connection, touched, policy)
    return total


def _add_cells(connection: sa.Connection, ids: list[int]) -> None:
    if not ids:
        return
    cells = [CellId.from_index(id_) for id_ in ids]
    ra, dec = cell_centers(cells)
    upsert(
        connection,
        t.skycell,
        ("id",),
        [
            {
                "id": cell.index, "name": str(cell), "projection_cell": cell.projection_cell, "x": cell.x, "y": cell.y,
                "ra": float(ra_), "dec": float(dec_),
            }
            for cell, ra_, dec_ in zip(cells, ra, dec, strict=True)
        ],
    )  # fmt: skip
