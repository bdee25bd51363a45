"""Which sky cells have poller files that may be behind the catalog: what changed since they were last written."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from mvmdb.catalog.settings import write_settings
from mvmdb.schema import tables as t

_UNFINISHED = "pollers_unfinished"
_BEHIND = "pollers_behind"
_SINCE = "pollers_since"


def load_unfinished(connection: sa.Connection) -> set[int]:
    """The sky cells (keys) that a run announced work in, and did not write the final poller files of."""
    return _read_cells(connection, _UNFINISHED)


def load_due(connection: sa.Connection) -> set[int]:
    """The sky cells (keys) whose poller files may be behind: unfinished, noted, and with changed exposures.

    All sky cells, where it is not known when the poller files were last right.
    """
    since = _read(connection, _SINCE)
    if since is None:
        return set(connection.scalars(sa.select(t.skycell.c.id)))
    e, when = t.exposure.c, dt.datetime.fromisoformat(since)
    query = sa.select(t.membership.c.skycell_id).select_from(t.membership.join(t.exposure)).distinct()
    changed = connection.scalars(query.where(sa.or_(e.changed_at >= when, e.withdrawn_at >= when)))
    return load_unfinished(connection) | _read_cells(connection, _BEHIND) | set(changed)


def announce(connection: sa.Connection, cells: Iterable[int]) -> None:
    """Record that a run is about to work in these sky cells (keys), so that a run after a kill knows of them."""
    _write_cells(connection, _UNFINISHED, load_unfinished(connection).union(cells))


def note_behind(connection: sa.Connection, cells: Iterable[int]) -> None:
    """Record that the poller files of these sky cells (keys) say another state than the one that a run leaves."""
    _write_cells(connection, _BEHIND, _read_cells(connection, _BEHIND).union(cells))


def settle(
    connection: sa.Connection, done: Collection[int], behind: Collection[int], since: dt.datetime | None
) -> None:
    """Record that a run has ended: the poller files of some sky cells (keys) are right, those of others are not.

    With `since`, all others were right at that time. Nothing is written where all that is known.
    """
    _write_cells(connection, _UNFINISHED, load_unfinished(connection).difference(done, behind))
    _write_cells(connection, _BEHIND, _read_cells(connection, _BEHIND).difference(done).union(behind))
    if since is not None:
        write_settings(connection, {_SINCE: since.isoformat()})


def forget(connection: sa.Connection) -> None:
    """Record that any poller file may be behind: the layers of all sky cells are expected anew."""
    connection.execute(sa.delete(t.archive).where(t.archive.c.key == _SINCE))


def _read(connection: sa.Connection, key: str) -> str | None:
    return connection.scalar(sa.select(t.archive.c.value).where(t.archive.c.key == key))


def _read_cells(connection: sa.Connection, key: str) -> set[int]:
    return set(json.loads(_read(connection, key) or "[]"))


def _write_cells(connection: sa.Connection, key: str, cells: set[int]) -> None:
    if cells != _read_cells(connection, key):
        write_settings(connection, {key: json.dumps(sorted(cells))})
