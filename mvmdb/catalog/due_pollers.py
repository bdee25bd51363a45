"""Which sky cells have poller files that may be behind the catalog: what changed since they were last written."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable

import sqlalchemy as sa

from mvmdb.catalog.settings import write_settings
from mvmdb.schema import tables as t

_UNFINISHED = "pollers_unfinished"
_SINCE = "pollers_since"


def load_unfinished(connection: sa.Connection) -> set[int]:
    """The sky cells (keys) that a run announced work in, and did not write the final poller files of."""
    return set(json.loads(_read(connection, _UNFINISHED) or "[]"))


def load_due(connection: sa.Connection) -> set[int]:
    """The sky cells (keys) whose poller files may be behind: unfinished ones, and those with changed exposures.

    All sky cells, where it is not known when the poller files were last right.
    """
    since = _read(connection, _SINCE)
    if since is None:
        return set(connection.scalars(sa.select(t.skycell.c.id)))
    e, when = t.exposure.c, dt.datetime.fromisoformat(since)
    query = sa.select(t.membership.c.skycell_id).select_from(t.membership.join(t.exposure)).distinct()
    changed = connection.scalars(query.where(sa.or_(e.changed_at >= when, e.withdrawn_at >= when)))
    return load_unfinished(connection) | set(changed)


def announce(connection: sa.Connection, cells: Iterable[int]) -> None:
    """Record that a run is about to work in these sky cells (keys), so that a run after a kill knows of them."""
    known = load_unfinished(connection)
    if not known.issuperset(cells):
        _write_unfinished(connection, known.union(cells))


def settle(connection: sa.Connection, done: Iterable[int], since: dt.datetime | None) -> None:
    """Record that the poller files of these sky cells are right; with `since`, that all were at that time.

    Nothing is written where that is known.
    """
    known = load_unfinished(connection)
    if not known.isdisjoint(done):
        _write_unfinished(connection, known.difference(done))
    if since is not None:
        write_settings(connection, {_SINCE: since.isoformat()})


def forget(connection: sa.Connection) -> None:
    """Record that any poller file may be behind: the layers of all sky cells are expected anew."""
    connection.execute(sa.delete(t.archive).where(t.archive.c.key == _SINCE))


def _read(connection: sa.Connection, key: str) -> str | None:
    return connection.scalar(sa.select(t.archive.c.value).where(t.archive.c.key == key))


def _write_unfinished(connection: sa.Connection, cells: set[int]) -> None:
    write_settings(connection, {_UNFINISHED: json.dumps(sorted(cells))})
