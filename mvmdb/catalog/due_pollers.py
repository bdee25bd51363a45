"""Which sky cells have poller files that may be out of date: what changed since they were last written."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable

import sqlalchemy as sa

from mvmdb.catalog.claims.alive import load_ended
from mvmdb.catalog.settings import read_settings, write_settings
from mvmdb.schema import tables as t

_UNFINISHED = "pollers_unfinished"
_BEHIND = "pollers_behind"
_SINCE = "pollers_since"


def load_unfinished(connection: sa.Connection) -> set[int]:
    """The sky cells (keys) in which a run that has ended announced work but did not write the final poller files."""
    left = [row.skycells for row in load_ended(connection)]
    return _read_cells(connection, _UNFINISHED).union(*map(json.loads, left))


def load_behind(connection: sa.Connection) -> set[int]:
    """The sky cells (keys) whose poller files are known to differ from what a run would have left."""
    return _read_cells(connection, _BEHIND)


def load_due(connection: sa.Connection) -> set[int]:
    """The sky cells (keys) whose poller files may be out of date: unfinished, noted, or with changed exposures.

    These are all sky cells if it is not known when all poller files were last up to date.
    """
    since = _read(connection, _SINCE)
    if since is None:
        return set(connection.scalars(sa.select(t.skycell.c.id)))
    e, when = t.exposure.c, dt.datetime.fromisoformat(since)
    query = sa.select(t.membership.c.skycell_id).select_from(t.membership.join(t.exposure)).distinct()
    changed = connection.scalars(query.where(sa.or_(e.changed_at >= when, e.withdrawn_at >= when)))
    return load_unfinished(connection) | load_behind(connection) | set(changed)


def note_unfinished(connection: sa.Connection, cells: Iterable[int]) -> None:
    """Record that a run has ended that was to work in these sky cells (keys), for the next run to finish."""
    _write_cells(connection, _UNFINISHED, _read_cells(connection, _UNFINISHED).union(cells))


def note_behind(connection: sa.Connection, cells: Iterable[int]) -> None:
    """Record that the poller files of these sky cells (keys) differ from what a run would have left."""
    _write_cells(connection, _BEHIND, _read_cells(connection, _BEHIND).union(cells))


def settle(
    connection: sa.Connection, done: Collection[int], behind: Collection[int], since: dt.datetime | None
) -> None:
    """Record the end of a run: the poller files of the cells (keys) `done` are up to date, those of `behind` are not.

    With `since`, those of all other cells were up to date at that time. Values that do not change are not written.
    """
    _write_cells(connection, _UNFINISHED, _read_cells(connection, _UNFINISHED).difference(done, behind))
    _write_cells(connection, _BEHIND, _read_cells(connection, _BEHIND).difference(done).union(behind))
    if since is not None:
        write_settings(connection, {_SINCE: since.isoformat()})


def forget(connection: sa.Connection) -> None:
    """Record that any poller file may be out of date, because the layers of all sky cells were recomputed."""
    connection.execute(sa.delete(t.archive).where(t.archive.c.key == _SINCE))


def _read(connection: sa.Connection, key: str) -> str | None:
    return read_settings(connection).get(key)


def _read_cells(connection: sa.Connection, key: str) -> set[int]:
    return set(json.loads(_read(connection, key) or "[]"))


def _write_cells(connection: sa.Connection, key: str, cells: set[int]) -> None:
    if not cells:
        connection.execute(sa.delete(t.archive).where(t.archive.c.key == key))
    elif cells != _read_cells(connection, key):
        write_settings(connection, {key: json.dumps(sorted(cells))})
