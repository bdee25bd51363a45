"""One run among those that make layers of an archive: its lease, and its claims. Each stale layer is made by one run.

On SQLite the lock of the products folder lets one run work at a time, so any other that is recorded has ended. On
PostgreSQL several work together: each claims a layer in a transaction before it begins, and gives the claim back in the
one that records what became of the layer. The lease is renewed while the run lives; when it has run out, or its process
is known to have ended, others take its layers over.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from mvmdb.catalog import due_pollers
from mvmdb.catalog.claims.alive import Clock, Holder, identify_process, is_dead, load_holders, server_time
from mvmdb.catalog.history.events import RUN_OPTION
from mvmdb.errors import MvmdbError
from mvmdb.schema import tables as t
from mvmdb.schema.engine import hold_turn, upsert, without_turn
from mvmdb.workers.periodic import repeat

LEASE_SECONDS = 300.0
RENEWAL_SECONDS = 60.0

log = logging.getLogger(__name__)


def can_share(engine: sa.Engine) -> bool:
    """Whether several runs may make layers of this catalog at once."""
    return engine.dialect.name != "sqlite"


class Coordinator:
    """This run, as the others see it. `clock` tells the time by which leases run."""

    def __init__(self, engine: sa.Engine, *, clock: Clock = server_time, lease_seconds: float = LEASE_SECONDS) -> None:
        self.engine, self.shares = engine, can_share(engine)
        self.owner = str(uuid.uuid4())
        self._clock, self._lease = clock, dt.timedelta(seconds=lease_seconds)
        self._cells: list[int] = []

    def join(self) -> None:
        """Begin: note the run, and clear away those that have ended without doing so themselves."""
        with self.engine.begin() as connection:
            time = self._clock(connection)
            for row in connection.execute(sa.select(t.coordinator)).all():
                if not self.shares or is_dead(row, time):
                    _bury(connection, row.owner, row.skycells)
            self._note(connection, time)

    def is_alone(self) -> bool:
        """Whether no other run is making layers now."""
        with self.engine.begin() as connection:
            return not load_holders(connection, self._clock).keys() - {self.owner}

    def announce(self, connection: sa.Connection, cells: Iterable[int]) -> None:
        """Note the sky cells (keys) that this run is going to work in, for the others to know if it is killed."""
        self._cells = sorted(cells)
        self._note(connection, self._clock(connection))

    def renew(self) -> None:
        """Give a sign of life. It waits for no other writer, as that could take longer than the lease."""
        with without_turn(self.engine).begin() as connection:
            self._note(connection, self._clock(connection))

    def claim(self, connection: sa.Connection, layer: str) -> Holder | None:
        """Claim a layer in the caller's transaction; if a living run has claimed it, return that one instead."""
        time = self._clock(connection)
        c = t.coordinator.c
        query = sa.select(t.coordinator).select_from(t.claim.join(t.coordinator)).where(t.claim.c.layer == layer)
        holder = connection.execute(query).one_or_none()
        if holder is not None and holder.owner != self.owner:
            if not is_dead(holder, time):
                return Holder.of(holder)
            log.info("%s: taken over from process %d on %s, which has ended", layer, holder.pid, holder.host)
            _bury(connection, holder.owner, holder.skycells)
        if not connection.scalar(sa.select(sa.func.count()).where(c.owner == self.owner)):
            self._note(connection, time)  # this run was paused for longer than its lease, and buried
        upsert(connection, t.claim, ("layer",), [{"layer": layer, "owner": self.owner, "claimed_at": time}])
        return None

    def release(self, connection: sa.Connection, layer: str) -> bool:
        """Give a claim back in the caller's transaction; False if another run has taken it over."""
        claim = t.claim.c
        owner = connection.scalar(sa.select(claim.owner).where(claim.layer == layer))
        if owner not in (None, self.owner):
            return False
        connection.execute(sa.delete(t.claim).where(claim.layer == layer))
        return True

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Hold what one run at a time may do with files that several write, such as pollers; others wait for it."""
        with hold_turn(self.engine):
            yield

    def leave(self, *, finished: bool) -> None:
        """End; unless `finished`, the sky cells that were announced are left for the next run to put in order."""
        with self.engine.begin() as connection:
            _bury(connection, self.owner, "[]" if finished else json.dumps(self._cells))

    def _note(self, connection: sa.Connection, time: dt.datetime) -> None:
        row = {
            "owner": self.owner,
            "run_id": connection.get_execution_options().get(RUN_OPTION),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process": identify_process(os.getpid()),
            "renewed_at": time,
            "expires_at": time + self._lease,
            "skycells": json.dumps(self._cells),
        }
        changed = connection.execute(sa.update(t.coordinator).where(t.coordinator.c.owner == self.owner).values(row))
        if not changed.rowcount:
            connection.execute(sa.insert(t.coordinator).values(row | {"started_at": time}))


@contextmanager
def coordinate(engine: sa.Engine) -> Iterator[Coordinator]:
    """This run among the others, with a lease that is renewed in the background until the end of the block."""
    coordinator = Coordinator(engine)
    coordinator.join()
    try:
        with repeat(coordinator.renew, every=RENEWAL_SECONDS, what="the lease is not renewed"):
            yield coordinator
    except BaseException:
        with suppress(MvmdbError, sa.exc.SQLAlchemyError):  # else its process or its lease tells the others
            coordinator.leave(finished=False)
        raise
    coordinator.leave(finished=True)


def _bury(connection: sa.Connection, owner: str, skycells: str) -> None:
    """Forget a run that has ended, with its claims, and note the sky cells that it has left unfinished."""
    due_pollers.note_unfinished(connection, json.loads(skycells))
    connection.execute(sa.delete(t.coordinator).where(t.coordinator.c.owner == owner))
