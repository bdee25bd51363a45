"""Exposures that leave layers: refused for their pixels, or withdrawn."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.catalog.exposures.register import load_exposures_by_name
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.records import Policy
from mvmdb.schema import tables as t


def refuse_exposure(connection: sa.Connection, ipppssoo: str, rule: str, reason: str, policy: Policy) -> None:
    """Make a catalogued exposure ineligible for a rule that only its pixels could break."""
    change = {"eligible": False, "ineligible_rule": rule, "ineligible_reason": reason, "changed_at": now()}
    connection.execute(sa.update(t.exposure).where(t.exposure.c.ipppssoo == ipppssoo).values(**change))
    _refresh_of(connection, [ipppssoo], policy)


def withdraw(connection: sa.Connection, names: Sequence[str], why: str, policy: Policy) -> None:
    """Record that exposures (ipppssoo) left the archive; their layers are expected without them.

    A file of theirs with other pixels or another WCS brings them back when it is ingested.
    """
    for chunk in chunks(names):
        change = sa.update(t.exposure).where(t.exposure.c.ipppssoo.in_(chunk), t.exposure.c.withdrawn_at.is_(None))
        connection.execute(change.values(withdrawn_at=now(), withdrawn_why=why))
    _refresh_of(connection, names, policy)


def _refresh_of(connection: sa.Connection, names: Sequence[str], policy: Policy) -> None:
    ids = [row.id for row in load_exposures_by_name(connection, names).values()]
    refresh_layers(connection, keys_of_exposures(connection, ids), policy)
