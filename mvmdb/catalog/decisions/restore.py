"""Takes up again what a decisions file says about exposures and files, once the catalog has them."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.clock import now
from mvmdb.catalog.decisions.values import KeptExposure, KeptFile, KeptProduct
from mvmdb.catalog.exposures.register import load_exposures_by_name
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import read_policy, read_settings, write_settings
from mvmdb.errors import ExposureError
from mvmdb.exposures.warning_texts import join_warnings, split_warnings
from mvmdb.layers.digests import digest_member
from mvmdb.photometry import differs
from mvmdb.schema import tables as t

log = logging.getLogger(__name__)

_WAITING = "waiting_decisions"
"""The setting that holds what was decided about exposures and files that the catalog does not have yet, JSON."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Decisions about exposures, files and products that the catalog does not have: they are taken up when these come.

    Those about products are taken up by the rebuild, which looks for them.
    """

    exposures: tuple[KeptExposure, ...] = ()
    accepted: tuple[KeptFile, ...] = ()
    adopted: tuple[KeptProduct, ...] = ()


def load_waiting(connection: sa.Connection) -> Waiting:
    """The decisions that wait for their exposures and files."""
    values = json.loads(read_settings(connection).get(_WAITING, "{}"))
    return Waiting(
        tuple(KeptExposure(**one) for one in values.get("exposures", ())),
        tuple(KeptFile(**one) for one in values.get("accepted", ())),
        tuple(KeptProduct(**one) for one in values.get("adopted", ())),
    )


def write_waiting(connection: sa.Connection, waiting: Waiting) -> None:
    """Record the decisions that wait, if there are any."""
    if waiting == Waiting():
        connection.execute(sa.delete(t.archive).where(t.archive.c.key == _WAITING))
        return
    write_settings(connection, {_WAITING: json.dumps(asdict(waiting))})


def settle_waiting(engine: sa.Engine) -> Waiting:
    """Take up the decisions about what has come since; return those that still wait."""
    with engine.begin() as connection:
        waiting = load_waiting(connection)
    return waiting if waiting == Waiting() else _take_up(engine, waiting)


def _take_up(engine: sa.Engine, kept: Waiting) -> Waiting:
    """Take up these decisions where the catalog has the exposures and files; the others are recorded, and returned.

    What was decided about a file that has other contents now no longer holds: it is logged, and forgotten. Pixels are
    read where headers do not tell whether they are the same, and before the transaction.
    """
    with engine.begin() as connection:
        known = load_exposures_by_name(connection, [one.ipppssoo for one in kept.exposures])
    digests = {one.ipppssoo: _digest_now(one, known[one.ipppssoo]) for one in kept.exposures if one.ipppssoo in known}
    with engine.begin() as connection:
        rows = load_exposures_by_name(connection, digests)
        for one in kept.exposures:
            if one.ipppssoo in rows:
                _restore(connection, one, rows[one.ipppssoo], digests[one.ipppssoo])
        refresh_layers(
            connection, keys_of_exposures(connection, [r.id for r in rows.values()]), read_policy(connection)
        )
        absent = tuple(one for one in kept.exposures if one.ipppssoo not in rows)
        waiting = Waiting(absent, _accept(connection, kept.accepted), kept.adopted)
        write_waiting(connection, waiting)
    return waiting


def _digest_now(kept: KeptExposure, row: Any) -> str | None:
    """The digest of an exposure's pixels, where it is needed to tell whether they are those of the decision."""
    if row.pixels == kept.pixels or kept.pixel_digest is None or not row.path:
        return None
    from mvmdb.exposures.fits.digest import digest_pixels  # which loads astropy

    try:
        return row.pixel_digest or digest_pixels(row.path)
    except ExposureError as error:
        log.warning("%s: %s", kept.ipppssoo, error)
        return None


def _restore(connection: sa.Connection, kept: KeptExposure, row: Any, digest: str | None) -> None:
    same = row.pixels == kept.pixels or (digest is not None and digest == kept.pixel_digest)
    if not same or row.kind != kept.kind or row.wcs_digest != kept.wcs_digest:
        log.warning("%s: its file has other contents than when it was decided about: decide again", kept.ipppssoo)
        return
    of_pixels, others = split_warnings(row.warnings)
    recalibrated = differs(row.photometry or "", kept.photometry)  # then it is no longer what kept.pixels identifies
    pixels = row.pixels if recalibrated else kept.pixels
    change: dict[str, Any] = {
        "pixels": pixels,
        "pixel_digest": kept.pixel_digest or row.pixel_digest,
        "member_digest": digest_member(row.ipppssoo, row.kind, pixels, row.member_wcs or ""),
        "warnings": join_warnings([*(of_pixels or split_warnings(kept.warnings)[0]), *others]),
    }
    events = []
    if kept.rule and row.eligible:
        change |= {"eligible": False, "ineligible_rule": kept.rule, "ineligible_reason": kept.reason}
        change["changed_at"] = now()
        words = f"{kept.rule}: {kept.reason}"
        events.append(Event(Happened.EXPOSURE_REFUSED, exposure=row.ipppssoo, path=row.path, detail=words))
    if kept.withdrawn_at is not None and row.withdrawn_at is None:
        change["withdrawn_at"] = dt.datetime.fromisoformat(kept.withdrawn_at)
        change["withdrawn_why"] = kept.withdrawn_why
        change["changed_at"] = now()  # withdrawn_at is long ago: the poller files of its cells may be out of date
        events.append(Event(Happened.EXPOSURE_WITHDRAWN, exposure=row.ipppssoo, detail=kept.withdrawn_why))
    connection.execute(sa.update(t.exposure).where(t.exposure.c.id == row.id).values(**change))
    write_events(connection, events)


def _accept(connection: sa.Connection, accepted: Sequence[KeptFile]) -> tuple[KeptFile, ...]:
    """Accept files that are quarantined as they were; return those that are not quarantined."""
    q = t.quarantine.c
    rows: dict[str, Any] = {}
    for chunk in chunks(one.path for one in accepted):
        rows.update((row.path, row) for row in connection.execute(sa.select(t.quarantine).where(q.path.in_(chunk))))
    for one in accepted:
        row = rows.get(one.path)
        if row is not None and (row.kind, row.size, row.mtime_ns) == (one.kind, one.size, one.mtime_ns):
            first_seen = dt.datetime.fromisoformat(one.first_seen)
            change = sa.update(t.quarantine).where(q.path == one.path)
            connection.execute(change.values(accepted=True, first_seen=first_seen))
            write_events(connection, [Event(Happened.FILE_ACCEPTED, path=one.path)])
    return tuple(one for one in accepted if one.path not in rows)
