"""The exposures that cover the sky: members of layers that meet conditions, with their footprints."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.ask.search.find import conditions_of
from mvmdb.catalog.ask.search.question import Question
from mvmdb.coverage.values import COLUMNS, CoveringExposures, columns_of
from mvmdb.schema import tables as t


def load_covering(connection: sa.Connection, question: Question) -> CoveringExposures:
    """The exposures that meet a question's conditions and are members of a layer, in the order of their names.

    An exposure that no layer holds (ineligible, withdrawn, an FLT beside FLCs, without a footprint) covers nothing.
    Raises as a search for exposures.
    """
    return columns_of(connection.execute(covering_query(connection, question)).all())


def covering_query(connection: sa.Connection, question: Question) -> sa.Select[Any]:
    """The query of `load_covering`: rows of the values of COLUMNS."""
    x = t.exposure.c
    of_it = sa.select(sa.literal(1)).where(t.layer_member.c.exposure_id == x.id)
    return (
        sa.select(*(x[name] for name in COLUMNS))
        .where(*conditions_of(connection, question), sa.exists(of_it))
        .order_by(x.ipppssoo)
    )
