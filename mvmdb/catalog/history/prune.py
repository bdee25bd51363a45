"""Old history, which leaves the catalog when the archive is set to keep it for a number of days only."""

from __future__ import annotations

import datetime as dt
import logging

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.catalog.settings import LONGEST_HISTORY, history_days
from mvmdb.schema import tables as t

log = logging.getLogger(__name__)


def prune_history(connection: sa.Connection) -> int:
    """Delete events, and runs without events, that are older than the archive's setting; return how many events.

    Without a setting, history is kept for ever.
    """
    days = history_days(connection)
    if not 0 < days <= LONGEST_HISTORY:
        return 0
    oldest = now() - dt.timedelta(days=days)
    deleted = connection.execute(sa.delete(t.event).where(t.event.c.at < oldest)).rowcount
    log.info("deleted %d events from before %s", deleted, oldest)
    in_use = sa.select(t.event.c.run_id).where(t.event.c.run_id.is_not(None))
    connection.execute(sa.delete(t.run).where(t.run.c.started_at < oldest, t.run.c.id.not_in(in_use)))
    return int(deleted)
