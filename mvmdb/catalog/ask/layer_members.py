"""Which exposures each layer covers the sky with."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from mvmdb.catalog.ask.search.find import conditions_of
from mvmdb.catalog.ask.search.question import Question
from mvmdb.schema import tables as t


def load_layer_members(connection: sa.Connection, question: Question) -> list[tuple[str, int]]:
    """(layer, key of an exposure), sorted, of the layers that meet a question's conditions; raises as a search."""
    query = (
        sa.select(t.layer.c.name, t.layer_member.c.exposure_id)
        .join(t.layer_member, t.layer_member.c.layer_id == t.layer.c.id)
        .where(*conditions_of(connection, replace(question, kind="layers")))
        .order_by(t.layer.c.name, t.layer_member.c.exposure_id)
    )
    return [(name, key) for name, key in connection.execute(query)]
