"""Other files of the same exposures, which may replace an active file that is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.schema import tables as t


class OtherFile(NamedTuple):
    """A member of some layer: the path of its active file, and the path of another file of the same exposure."""

    ipppssoo: str
    active: str
    other: str


def load_other_files(
    connection: sa.Connection, *, cells: Sequence[int] | None = None, everything: bool = False
) -> list[OtherFile]:
    """The other files of members of stale layers, in these sky cells (keys) or in all, sorted by ipppssoo and path.

    With `everything`, members of fresh layers are included.
    """
    e, d = t.exposure.c, t.dataset.c
    source = t.layer.join(t.layer_member).join(t.exposure).join(t.dataset)
    query = sa.select(e.ipppssoo, e.path, d.path).select_from(source).where(d.path != e.path).distinct()
    if not everything:
        query = query.where(t.layer.c.stale)
    if cells is not None:
        query = query.where(t.layer.c.skycell_id.in_(cells))
    return [OtherFile(*row) for row in connection.execute(query.order_by(e.ipppssoo, d.path))]
