"""Which runs are alive: their lease has not run out, and their process has not ended as far as can be seen here."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.schema import tables as t

Clock = Callable[[sa.Connection], dt.datetime]
"""Tells the time (UTC) in whose seconds leases are counted; it must be the same for all hosts."""

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holder:
    """A run that works: its process, and since when (UTC); as text, in words."""

    host: str
    pid: int
    since: dt.datetime

    @classmethod
    def of(cls, row: Any) -> Holder:
        """The run of a row of `coordinator`."""
        return cls(row.host, row.pid, row.started_at)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True)
class AtWork:
    """A run that works, and the names of the layers that it is making or removing, sorted."""

    holder: Holder
    layers: tuple[str, ...]


def server_time(connection: sa.Connection) -> dt.datetime:
    """The time by the server's clock, in whole seconds, as hosts' clocks may differ; on SQLite, by this host's."""
    if connection.dialect.name == "sqlite":
        return now()
    time = connection.scalar(sa.text("SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC')"))
    assert isinstance(time, dt.datetime)
    return time


def identify_process(pid: int) -> str:
    """What tells a process of this machine from a later one with its number: boot, namespace of numbers, and start.

    Empty where the system does not tell, or there is no such process, or nothing of it but its exit status.
    """
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
        after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    state, start = after_name[0], after_name[19]  # fields 3 and 22 of proc_pid_stat(5)
    return "" if state in "ZX" else f"{boot} {namespace} {start}"


def is_dead(row: Any, time: dt.datetime) -> bool:
    """Whether the run of this row of `coordinator` is over: its lease has run out, or its process here has ended."""
    expires_at: dt.datetime = row.expires_at
    if expires_at <= time:
        return True
    mine, recorded = identify_process(os.getpid()).split(), row.process.split()
    if row.host != socket.gethostname() or not mine or mine[:2] != recorded[:2]:
        return False  # its process cannot be seen from here
    return bool(identify_process(row.pid) != row.process)


def load_holders(connection: sa.Connection, clock: Clock = server_time) -> dict[str, Holder]:
    """The runs that are alive, by their identity."""
    return {row.owner: Holder.of(row) for row, dead in _judge_runs(connection, clock) if not dead}


def load_ended(connection: sa.Connection, clock: Clock = server_time) -> list[Any]:
    """The rows of `coordinator` whose runs have ended without doing away with them."""
    return [row for row, dead in _judge_runs(connection, clock) if dead]


def _judge_runs(connection: sa.Connection, clock: Clock) -> list[tuple[Any, bool]]:
    """The rows of `coordinator`, the oldest run first, each with whether the run is over."""
    rows = connection.execute(sa.select(t.coordinator).order_by(t.coordinator.c.started_at)).all()
    if not rows:
        return []
    time = clock(connection)
    return [(row, is_dead(row, time)) for row in rows]


def load_at_work(connection: sa.Connection) -> list[AtWork]:
    """The runs that make layers now, the longest first."""
    holders = load_holders(connection)
    layers: dict[str, list[str]] = {owner: [] for owner in holders}
    if holders:
        for layer, owner in connection.execute(sa.select(t.claim.c.layer, t.claim.c.owner).order_by(t.claim.c.layer)):
            if owner in layers:
                layers[owner].append(layer)
    return [AtWork(holder, tuple(layers[owner])) for owner, holder in holders.items()]


def load_claimed(connection: sa.Connection, but: str | None = None) -> dict[str, Holder]:
    """The layers that living runs are making or removing, by name; without those of the run with the identity `but`."""
    claims = connection.execute(sa.select(t.claim.c.layer, t.claim.c.owner)).all()
    if not claims:
        return {}
    holders = load_holders(connection)
    return {layer: holders[owner] for layer, owner in claims if owner in holders and owner != but}
