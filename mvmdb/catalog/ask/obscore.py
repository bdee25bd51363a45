"""Exposures and mosaics as ObsCore describes them, with what their exact outlines are computed from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.ask.search.find import conditions_of
from mvmdb.catalog.ask.search.question import Question
from mvmdb.catalog.ask.spool import SpooledRows
from mvmdb.schema import tables as t
from mvmdb.schema.obscore import COLUMNS, select_bands, select_exposures, select_mosaics

GEOMETRY = ("outline", "skycell", "x_min", "x_max", "y_min", "y_max")
"""The columns after those of ObsCore: an exposure's footprint, or a mosaic's sky cell and canvas, else None."""
_ROWS_AT_ONCE = 1000


def spool_obscore(connection: sa.Connection, question: Question, answer: SpooledRows) -> list[str]:
    """Put the rows of the view `obscore` that meet a question's conditions into `answer`; returns their columns.

    Exposures meet them as in a search for exposures, mosaics as in one for products. The columns are those of the view
    and GEOMETRY. Raises UsageError as a search does.
    """
    bands, nothing = select_bands(), sa.cast(sa.null(), sa.Integer)
    footprint = (t.exposure.c.s_region, sa.cast(sa.null(), sa.Text), *[nothing] * 4)
    canvas = (sa.cast(sa.null(), sa.Text), *(t.product.c[name] for name in GEOMETRY[1:]))
    parts: tuple[tuple[Any, Any, Any, Any], ...] = (
        ("exposures", select_exposures(connection, bands), footprint, t.exposure.c.ipppssoo),
        ("products", select_mosaics(connection, bands), canvas, t.product.c.layer),
    )
    for kind, select, geometry, name in parts:
        labelled = (column.label(label) for column, label in zip(geometry, GEOMETRY, strict=True))
        conditions = conditions_of(connection, replace(question, kind=kind))
        query = select.add_columns(*labelled).where(*conditions).order_by(name)
        result = connection.execute(query.execution_options(stream_results=True))
        for rows in result.partitions(_ROWS_AT_ONCE):
            answer.extend(tuple(row) for row in rows)
    return [*COLUMNS, *GEOMETRY]
