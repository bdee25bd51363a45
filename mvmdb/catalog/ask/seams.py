"""The seams of mosaics, the worst first: pairs of members, and what their skies leave of their difference."""

from __future__ import annotations

import sqlalchemy as sa

from mvmdb.catalog.ask.relations import find_columns
from mvmdb.catalog.ask.search.find import conditions_of
from mvmdb.catalog.ask.search.question import Question
from mvmdb.catalog.ask.search.relations import Relation
from mvmdb.catalog.ask.spool import SpooledRows
from mvmdb.schema import tables as t
from mvmdb.schema.meanings import VIEWS

_USUAL = (
    "layer", "first_exposure", "second_exposure", "residual", "sigma", "overlap_arcmin2", "mean_exposures", "gradient",
    "looks_like_gradient",
)  # fmt: skip
_ROWS_AT_ONCE = 1000


def find_seams(connection: sa.Connection, question: Question, gradients: bool, answer: SpooledRows) -> list[str]:
    """Put the seams of the layers that are asked about into `answer`; returns the names of their columns.

    `gradients`: only those that look like one. Without columns to sort by, those of the most standard deviations come
    first, then those whose error is not known, by the size of the step. Raises UsageError as `find_rows`.
    """
    seam = sa.table("seam", *map(sa.column, VIEWS["seam"][1]))
    source = t.layer.join(seam, seam.c.layer == t.layer.c.name)
    relation = Relation(source, t.layer, dict(seam.columns.items()), t.layer.c.name, _USUAL)
    conditions = conditions_of(connection, question) + ([seam.c.looks_like_gradient] if gradients else [])
    order = relation.order(question.sort or ("-sigma",))
    if not question.sort:
        order.insert(-1, sa.func.abs(seam.c.residual).desc())
    query = (
        sa.select(*relation.chosen(question.columns))
        .select_from(source)
        .where(*conditions)
        .order_by(*order, seam.c.first_exposure, seam.c.second_exposure)
        .limit(question.limit)
    )
    result = connection.execute(query.execution_options(stream_results=True))
    for rows in result.partitions(_ROWS_AT_ONCE):
        answer.extend(tuple(row) for row in rows)
    return list(result.keys())


def meanings_of_seams() -> dict[str, tuple[str, str | None]]:
    """(meaning, unit) of each column of seams."""
    return find_columns("seam")
