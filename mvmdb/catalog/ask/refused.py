"""Which exposures stay out of layers, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from mvmdb.schema import tables as t


class RefusedExposure(NamedTuple):
    """An exposure in the catalog and in no layer: the rule that it breaks, and what was read."""

    ipppssoo: str
    rule: str
    reason: str


def load_refused(connection: sa.Connection, names: Sequence[str]) -> list[RefusedExposure]:
    """Those of these exposures (ipppssoo) that are ineligible, sorted."""
    e = t.exposure.c
    query = sa.select(e.ipppssoo, e.ineligible_rule, e.ineligible_reason).where(e.ipppssoo.in_(names), ~e.eligible)
    return [RefusedExposure(*row) for row in connection.execute(query.order_by(e.ipppssoo))]
