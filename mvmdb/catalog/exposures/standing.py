"""Exposures that leave layers, because they are refused for their pixels or withdrawn, and that are readmitted."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from mvmdb.catalog.clock import time_in
from mvmdb.catalog.exposures.quarantine import stamp_files
from mvmdb.catalog.exposures.register import load_exposures_by_name
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.errors import UsageError
from mvmdb.records import Policy
from mvmdb.schema import tables as t


def refuse_exposure(engine: sa.Engine, ipppssoo: str, rule: str, reason: str, policy: Policy) -> set[int]:
    """Make a catalogued exposure ineligible by one of the PIXEL_RULES, and update its layers.

    Returns the keys of the sky cells that it overlaps. The file's current size and time are recorded, so that any
    other file in its place counts as changed.
    """
    with engine.begin() as connection:
        path = connection.scalar(sa.select(t.exposure.c.path).where(t.exposure.c.ipppssoo == ipppssoo))
    size, mtime_ns = stamp_files([path or ""])[path or ""]
    with engine.begin() as connection:
        if size is not None:
            file = sa.update(t.dataset).where(t.dataset.c.path == path)
            connection.execute(file.values(size=size, mtime_ns=mtime_ns))
        _refuse(connection, ipppssoo, path, rule, reason)
        _refresh_of(connection, [ipppssoo], policy)
        cells = sa.select(t.membership.c.skycell_id).join(t.exposure).where(t.exposure.c.ipppssoo == ipppssoo)
        return set(connection.scalars(cells))


def _refuse(connection: sa.Connection, ipppssoo: str, path: str | None, rule: str, reason: str) -> None:
    change = {
        "eligible": False,
        "ineligible_rule": rule,
        "ineligible_reason": reason,
        "changed_at": time_in(connection),
    }
    connection.execute(sa.update(t.exposure).where(t.exposure.c.ipppssoo == ipppssoo).values(**change))
    refused = Event(Happened.EXPOSURE_REFUSED, exposure=ipppssoo, path=path, detail=f"{rule}: {reason}")
    write_events(connection, [refused])


def lift_refusals(connection: sa.Connection, rule: str) -> None:
    """Make exposures eligible that only this one of the PIXEL_RULES keeps out; the caller updates their layers."""
    names = connection.scalars(sa.select(t.exposure.c.ipppssoo).where(t.exposure.c.ineligible_rule == rule)).all()
    change = {"eligible": True, "ineligible_rule": "", "ineligible_reason": "", "changed_at": time_in(connection)}
    connection.execute(sa.update(t.exposure).where(t.exposure.c.ineligible_rule == rule).values(**change))
    detail = f"the rule {rule!r} applies no more"
    write_events(connection, [Event(Happened.EXPOSURE_ADMITTED, exposure=name, detail=detail) for name in names])


def withdraw(connection: sa.Connection, names: Sequence[str], why: str, policy: Policy) -> None:
    """Record that exposures (ipppssoo) left the archive, and update their layers.

    `readmit` brings them back, and so does the ingest of a file with other pixels or another WCS. If an exposure is
    withdrawn already, a new reason replaces the recorded one. One that was pruned does not return with its file then.
    """
    e = t.exposure.c
    known = load_exposures_by_name(connection, names)
    present = sorted(name for name, row in known.items() if row.withdrawn_at is None or row.pruned)
    write_events(connection, [Event(Happened.EXPOSURE_WITHDRAWN, exposure=name, detail=why) for name in present])
    for chunk in chunks(names):
        change = sa.update(t.exposure).where(e.ipppssoo.in_(chunk))
        if why:
            connection.execute(change.where(e.withdrawn_at.is_not(None)).values(withdrawn_why=why))
        still = change.where(sa.or_(e.withdrawn_at.is_(None), e.pruned))
        connection.execute(still.values(withdrawn_at=time_in(connection), withdrawn_why=why, pruned=False))
    _refresh_of(connection, names, policy)


def readmit(connection: sa.Connection, names: Sequence[str], policy: Policy) -> None:
    """Return withdrawn exposures (ipppssoo) to the layers to which they belong.

    Raises UsageError, and changes nothing, if one of them is not withdrawn.
    """
    known = load_exposures_by_name(connection, names)
    present = sorted(name for name, row in known.items() if row.withdrawn_at is None)
    if present:
        raise UsageError(f"{', '.join(present)}: not withdrawn; expected exposures that are: see `mvmdb explain`")
    for chunk in chunks(names):
        change = sa.update(t.exposure).where(t.exposure.c.ipppssoo.in_(chunk))
        connection.execute(
            change.values(withdrawn_at=None, withdrawn_why=None, pruned=False, changed_at=time_in(connection))
        )
    write_events(connection, [Event(Happened.EXPOSURE_READMITTED, exposure=name) for name in sorted(known)])
    _refresh_of(connection, names, policy)


def _refresh_of(connection: sa.Connection, names: Sequence[str], policy: Policy) -> None:
    ids = [row.id for row in load_exposures_by_name(connection, names).values()]
    refresh_layers(connection, keys_of_exposures(connection, ids), policy)
