"""Which exposures are ineligible, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.schema import tables as t


class RefusedExposure(NamedTuple):
    """An ineligible exposure: the rules that it breaks and what was found, each joined with `; `."""

    ipppssoo: str
    rule: str
    reason: str


def load_refused(connection: sa.Connection, names: Sequence[str]) -> list[RefusedExposure]:
    """The ineligible ones among these exposures (ipppssoo), sorted by ipppssoo."""
    e = t.exposure.c
    query = sa.select(e.ipppssoo, e.ineligible_rule, e.ineligible_reason).where(e.ipppssoo.in_(names), ~e.eligible)
    return [RefusedExposure(*row) for row in connection.execute(query.order_by(e.ipppssoo))]
