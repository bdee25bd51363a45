"""How many exposures have warnings, by kind."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.exposures.warning_texts import count_kinds
from mvmdb.schema import tables as t


def count_warnings(connection: sa.Connection, cells: Sequence[int] | None = None) -> dict[str, int]:
    """How many eligible exposures that are not withdrawn have each kind of warning; in these sky cells (keys) or all.

    An index holds the warnings, so that few rows are read however many exposures there are.
    """
    e = t.exposure.c
    query = sa.select(e.warnings, sa.func.count()).where(t.DOUBTFUL[connection.dialect.name]).group_by(e.warnings)
    if cells is None:
        return count_kinds((text, number) for text, number in connection.execute(query))
    names: dict[str, str] = {}
    of_cells = sa.select(e.ipppssoo, e.warnings).select_from(t.exposure.join(t.membership))
    for chunk in chunks(cells):
        rows = connection.execute(
            of_cells.where(t.membership.c.skycell_id.in_(chunk), t.DOUBTFUL[connection.dialect.name])
        )
        names.update({name: text for name, text in rows})
    return count_kinds((text, 1) for text in names.values())
