"""The members of the layers of sky cells, as poller files name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.remote.state import Stamp
from mvmdb.schema import tables as t


class LayerExposure(NamedTuple):
    """An exposure as a member of one layer; `exptime` in seconds, `path` is that of its active file."""

    skycell: str
    layer: str
    ipppssoo: str
    filename: str
    proposal_id: int
    program: str
    visit: str
    exptime: float
    filters: str
    detector: str
    path: str


def load_layer_exposures(connection: sa.Connection, cells: Iterable[int]) -> list[LayerExposure]:
    """Every member with a file, of every layer of these sky cells (keys).

    Sorted by sky cell and file name within each chunk of cells.
    """
    e = t.exposure.c
    columns = (getattr(e, name) for name in LayerExposure._fields[2:])
    query = (
        sa.select(t.skycell.c.name, t.layer.c.name, *columns)
        .select_from(t.layer_member.join(t.layer).join(t.skycell).join(t.exposure))
        .where(e.path != "")
        .order_by(t.skycell.c.name, e.filename)
    )
    rows = []
    for chunk in chunks(cells):
        rows += [LayerExposure(*row) for row in connection.execute(query.where(t.layer.c.skycell_id.in_(chunk)))]
    return rows


def load_stamps(connection: sa.Connection, paths: Iterable[str]) -> dict[str, Stamp]:
    """The size and time of each of these files, by path, as they were registered."""
    d = t.dataset.c
    stamps: dict[str, Stamp] = {}
    for chunk in chunks(paths):
        for path, *stamp in connection.execute(sa.select(d.path, d.size, d.mtime_ns).where(d.path.in_(chunk))):
            stamps[path] = (stamp[0], stamp[1])
    return stamps
