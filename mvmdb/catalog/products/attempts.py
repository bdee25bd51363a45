"""Layers that fail again and again: `nightly` tries them less and less often, and at last not until they change."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert

_AT_ONCE = 2
"""After so many failures, the next night tries again."""
_MOST = 7
"""After so many failures, no night tries again until the layer is to be made of something else."""
_SLACK = dt.timedelta(hours=12)
"""Nights do not begin at the same second."""


@dataclass(frozen=True, slots=True)
class FailingLayer:
    """A layer that failed: why, how often in a row, since when, and when `nightly` tries it again.

    `retry_at` is None if it is not tried again until it is to be made of something else. Times are UTC.
    """

    layer: str
    error: str
    attempts: int
    since: dt.datetime
    retry_at: dt.datetime | None


def next_attempt(failures: int, at: dt.datetime) -> dt.datetime | None:
    """When a layer is due again that failed for this many times in a row, the last time `at`; None for never.

    The first two failures are followed by an attempt in the next night, the others after 2, 4, 8 and 16 nights.
    """
    if failures <= _AT_ONCE:
        return at
    if failures >= _MOST:
        return None
    return at + dt.timedelta(days=2 ** (failures - _AT_ONCE)) - _SLACK


def count_failure(connection: sa.Connection, layer: str) -> None:
    """Record that a layer has failed once more; failures with another recipe digest do not count."""
    recorded = connection.execute(sa.select(t.layer_failure).where(t.layer_failure.c.layer == layer)).one_or_none()
    digest = connection.scalar(sa.select(t.layer.c.recipe_digest).where(t.layer.c.name == layer))
    time = now()
    again = recorded is not None and recorded.recipe_digest == digest
    attempts = recorded.attempts + 1 if recorded is not None and again else 1
    row = {
        "layer": layer,
        "recipe_digest": digest or "",
        "attempts": attempts,
        "since": recorded.since if recorded is not None and again else time,
        "retry_at": next_attempt(attempts, time),
    }
    upsert(connection, t.layer_failure, ("layer",), [row])


def forget_failures(connection: sa.Connection, layer: str) -> None:
    """Forget a layer's failures: it was made."""
    connection.execute(sa.delete(t.layer_failure).where(t.layer_failure.c.layer == layer))


def load_failing(connection: sa.Connection, layer: str, error: str, at: dt.datetime) -> FailingLayer:
    """What is known of a layer that failed with this error; `at` is when, in case its failures were forgotten since."""
    query = sa.select(t.layer_failure).where(t.layer_failure.c.layer == layer)
    row = connection.execute(query).one_or_none()
    if row is None:
        return FailingLayer(layer, error, 1, at, at)
    return FailingLayer(layer, error, row.attempts, row.since, row.retry_at)


def load_resting(connection: sa.Connection) -> dict[str, FailingLayer]:
    """The layers that are not due now, by name."""
    f, layer = t.layer_failure.c, t.layer.c
    query = (
        sa.select(f.layer, layer.failure, f.attempts, f.since, f.retry_at)
        .select_from(t.layer_failure.join(t.layer, layer.name == f.layer))
        .where(
            layer.recipe_digest == f.recipe_digest,
            layer.failure.is_not(None),
            sa.or_(f.retry_at.is_(None), f.retry_at > now()),
        )
    )
    return {row.layer: FailingLayer(*row) for row in connection.execute(query.order_by(f.layer))}
