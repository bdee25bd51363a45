"""The history in words and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mvmdb.catalog.clock import utc_text
from mvmdb.console.render import reasons_words

if TYPE_CHECKING:
    from mvmdb.catalog.ask.history import PastRun, RecordedEvent


def run_words(run: PastRun) -> str:
    """One run in one line."""
    if run.ended_at is None:
        ending = "with no end recorded (it still runs, or was killed)"
    else:
        ending = f"to {run.ended_at:%H:%M:%S} UTC, exit code {run.exit_code}"
    counts = ", ".join(f"{number} {kind}" for kind, number in run.counts.items())
    words = f"run {run.id}: {run.command}, {run.started_at:%Y-%m-%d %H:%M:%S} {ending}, by {run.username} on {run.host}"
    return words + (f": {run.error}" if run.error else f": {counts}" if counts else "")


def event_words(event: RecordedEvent) -> str:
    """One event in one line."""
    subject = event.layer or event.exposure or event.path or ""
    facts = [] if event.path is None or subject == event.path or event.path in (event.detail or "") else [event.path]
    if event.layer:
        facts = []  # the name of a layer says where its product is
    facts += [reasons_words(event.reasons)] if event.reasons else []
    facts += [event.detail] if event.detail else []
    facts += cost_words(event.n_members, event.seconds, event.size, event.memory_mb)
    run = "" if event.run_id is None else f" (run {event.run_id})"
    words = f"{event.at:%Y-%m-%d %H:%M:%S} {event.kind} {subject}".rstrip()
    return words + (f": {'; '.join(facts)}" if facts else "") + run


def cost_words(n_members: int | None, seconds: float | None, size: int | None, memory_mb: int | None) -> list[str]:
    """What making a product took, as far as it is known: members, seconds, bytes, and the worker's peak memory."""
    facts = [f"{n_members} members"] if n_members else []
    facts += [f"{seconds:.1f} s"] if seconds is not None else []
    facts += [f"{size / 1e6:.1f} MB"] if size is not None else []
    return facts + ([f"peak memory {memory_mb} MB"] if memory_mb is not None else [])


def run_json(run: PastRun) -> dict[str, Any]:
    """A run as plain values; times in ISO 8601, UTC."""
    values = {name: getattr(run, name) for name in type(run).__slots__}
    return values | {"started_at": utc_text(run.started_at), "ended_at": utc_text(run.ended_at)}


def event_json(event: RecordedEvent) -> dict[str, Any]:
    """An event as plain values; times in ISO 8601, UTC."""
    values = {name: getattr(event, name) for name in type(event).__slots__}
    reasons = [asdict(reason) for reason in event.reasons]
    return values | {"at": utc_text(event.at), "reasons": reasons}


def lines_of(runs: Iterator[PastRun], events: Iterator[RecordedEvent]) -> Iterator[str]:
    """Lines for people: runs, then events."""
    yield from map(run_words, runs)
    yield from map(event_words, events)
