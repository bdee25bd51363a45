"""The frames and areas of layers that an upgrade left as they were; else they are written with the rest of a layer.

`mvmdb.layers.frames` and `measure_mixed_areas` decide here too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.rows import load_regions
from mvmdb.layers.frames import count_frames, mix_frames, number_frames
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, bulk_select
from mvmdb.sky.footprints import IntArray, expand_ranges
from mvmdb.sky.layer import sky_per_plane
from mvmdb.sky.mixing import DECIMALS, measure_mixed_areas
from mvmdb.sky.sphere import FloatArray

_AT_ONCE = 20_000  # layers


def settle_frames(connection: sa.Connection) -> int:
    """Write `frames` and `mixed_arcmin2` of the layers that have none, and return the number of these layers.

    The `area_arcmin2` of such a layer was that in the plane of its sky cell: it becomes that on the sky.
    """
    layer = t.layer.c
    box = (layer.x_min, layer.x_max, layer.y_min, layer.y_max)
    unsettled = (
        sa.select(layer.id, layer.skycell_id, layer.area_arcmin2, *box).where(layer.frames.is_(None)).order_by(layer.id)
    )
    n, last = 0, -1
    while rows := connection.execute(unsettled.where(layer.id > last).limit(_AT_ONCE)).all():
        cell = np.array([row.skycell_id for row in rows], dtype=np.int64)
        scale = sky_per_plane(cell, np.array([row[3:] for row in rows], dtype=np.int64))
        plane = np.array([row.area_arcmin2 for row in rows], dtype=np.float64)
        _settle(connection, [row.id for row in rows], cell, plane, scale)
        n, last = n + len(rows), rows[-1].id
    return n


def _settle(
    connection: sa.Connection, ids: Sequence[int], cell: IntArray, plane: FloatArray, scale: FloatArray
) -> None:
    m, e = t.layer_member.c, t.exposure.c
    query = (
        sa.select(m.layer_id, m.exposure_id, e.frame)
        .select_from(t.layer_member.join(t.exposure))
        .where(among(connection, m.layer_id, ids))
        .order_by(m.layer_id, m.exposure_id)
    )
    rows = list(bulk_select(connection, query))
    layer, exposure = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    start = np.append(np.searchsorted(layer, ids), len(rows)).astype(np.int64)
    frames, frame = number_frames([row[2] for row in rows])
    mixed = np.flatnonzero(mix_frames(start, frame, len(frames)))
    counts = np.diff(start)[mixed]
    of_mixed = expand_ranges(start[mixed], counts)
    distinct, region = np.unique(exposure[of_mixed], return_inverse=True)
    area = np.zeros(len(ids))
    area[mixed] = measure_mixed_areas(
        cell[mixed], np.concatenate([[0], np.cumsum(counts)]), region, frame[of_mixed],
        load_regions(connection, distinct.tolist()),
    )  # fmt: skip
    columns = (count_frames(start, frame, frames), (area * scale).round(DECIMALS).tolist(), (plane * scale).tolist())
    change = sa.update(t.layer).where(t.layer.c.id == sa.bindparam("key"))
    connection.execute(
        change.values(
            frames=sa.bindparam("new_frames"),
            mixed_arcmin2=sa.bindparam("new_mixed"),
            area_arcmin2=sa.bindparam("new_area"),
        ),
        [
            {"key": id_, "new_frames": text, "new_mixed": mixed, "new_area": sky}
            for id_, text, mixed, sky in zip(ids, *columns, strict=True)
        ],
    )
