"""Events: what happened to an exposure, a file or a layer. Each is written in the transaction that makes it true."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

import sqlalchemy as sa

from mvmdb.catalog.clock import time_in
from mvmdb.records import Reason
from mvmdb.schema import tables as t
from mvmdb.schema.engine import bulk_insert, plain_time

log = logging.getLogger(__name__)

RUN_OPTION = "mvmdb_run"
"""The execution option of engines and connections that holds the key of the run that uses them."""


class Happened(StrEnum):
    """The kinds of events."""

    EXPOSURE_NEW = "exposure-new"
    EXPOSURE_CHANGED = "exposure-changed"
    EXPOSURE_REALIGNED = "exposure-realigned"
    EXPOSURE_MOVED = "exposure-moved"
    EXPOSURE_REFUSED = "exposure-refused"
    EXPOSURE_ADMITTED = "exposure-admitted"
    EXPOSURE_WITHDRAWN = "exposure-withdrawn"
    EXPOSURE_READMITTED = "exposure-readmitted"
    EXPOSURE_PRUNED = "exposure-pruned"
    EXPOSURE_RETURNED = "exposure-returned"
    FILE_QUARANTINED = "file-quarantined"
    FILE_ACCEPTED = "file-accepted"
    FILE_VANISHED = "file-vanished"
    LAYER_DRIZZLED = "layer-drizzled"
    LAYER_ADDED = "layer-added"
    LAYER_RECANVASED = "layer-recanvased"
    LAYER_SHIFTED = "layer-shifted"
    LAYER_RESCALED = "layer-rescaled"
    LAYER_REMOVED = "layer-removed"
    LAYER_FAILED = "layer-failed"
    LAYER_ADOPTED = "layer-adopted"
    LAYER_FOUND = "layer-found"
    LAYER_MISSING = "layer-missing"
    LAYER_DAMAGED = "layer-damaged"
    CONFIGURED = "configured"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `size` is in bytes, `memory_mb` the peak memory of the worker, `seconds` the duration."""

    kind: Happened
    exposure: str | None = None
    layer: str | None = None
    path: str | None = None
    detail: str | None = None
    reasons: tuple[Reason, ...] = ()
    n_members: int | None = None
    seconds: float | None = None
    size: int | None = None
    memory_mb: int | None = None

    def __str__(self) -> str:
        """In a line for the log."""
        what = ": ".join(str(one) for one in (self.exposure, self.layer, self.path, self.detail) if one)
        words = ((str(reason.code), reason.exposure, reason.detail) for reason in self.reasons)
        why = "; ".join(" ".join(word for word in reason if word) for reason in words)
        return f"{self.kind}: {what}" + (f" ({why})" if why else "")


_COLUMNS = (
    "run_id", "at", "kind", "exposure", "layer", "path", "detail", "reasons", "n_members", "seconds", "size",
    "memory_mb",
)  # fmt: skip


def write_events(connection: sa.Connection, events: Iterable[Event]) -> None:
    """Add events to the history, as part of the connection's run."""
    source = _logged(events) if log.isEnabledFor(logging.INFO) else iter(events)
    first = next(source, None)
    if first is None:  # often: nothing is asked of the database then
        return
    run, time = connection.get_execution_options().get(RUN_OPTION), plain_time(connection, time_in(connection))
    rows = (
        (
            run, time, str(event.kind), event.exposure, event.layer, event.path, event.detail or None,
            format_reasons(event.reasons) if event.reasons else None, event.n_members, event.seconds, event.size,
            event.memory_mb,
        )
        for event in chain([first], source)
    )  # fmt: skip
    bulk_insert(connection, t.event, _COLUMNS, rows)


def _logged(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        log.info("%s", event)
        yield event


def format_reasons(reasons: Sequence[Reason]) -> str:
    """Reasons as the catalog records them: a JSON list of [code, exposure, detail]."""
    return json.dumps([[str(reason.code), reason.exposure, reason.detail] for reason in reasons])
