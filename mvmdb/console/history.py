"""The history in words and as plain values, and the times that its options take."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mvmdb.console.render import reasons_words

if TYPE_CHECKING:
    from mvmdb.catalog.ask.history import PastRun, RecordedEvent

_AGE = re.compile(r"(\d{1,6}) *(h|d|w)")
_HOURS = {"h": 1, "d": 24, "w": 168}


def utc_time(text: str) -> dt.datetime:
    """The time, in UTC and without a time zone, that a user writes.

    `2026-11-24`, `2026-11-24T06:00`, `yesterday`, `today`, or an age such as `36h`, `7d` or `2w`. Raises
    click.BadParameter for any other text.
    """
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    midnight = now.replace(hour=0, minute=0, second=0)
    if text in ("today", "yesterday"):
        return midnight - dt.timedelta(days=text == "yesterday")
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return now - dt.timedelta(hours=int(age[1]) * _HOURS[age[2]])
        time = dt.datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is no time; expected a date like 2026-11-24 or 2026-11-24T06:00 (UTC), or an age like 7d."
        ) from error
    return time if time.tzinfo is None else time.astimezone(dt.UTC).replace(tzinfo=None)


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
    facts += [f"{event.n_members} members"] if event.n_members else []
    facts += [f"{event.seconds:.1f} s"] if event.seconds is not None else []
    facts += [f"{event.size / 1e6:.1f} MB"] if event.size is not None else []
    facts += [f"peak memory {event.memory_mb} MB"] if event.memory_mb is not None else []
    run = "" if event.run_id is None else f" (run {event.run_id})"
    words = f"{event.at:%Y-%m-%d %H:%M:%S} {event.kind} {subject}".rstrip()
    return words + (f": {'; '.join(facts)}" if facts else "") + run


def run_json(run: PastRun) -> dict[str, Any]:
    """A run as plain values; times in ISO 8601, UTC."""
    values = {name: getattr(run, name) for name in type(run).__slots__}
    return values | {"started_at": _iso(run.started_at), "ended_at": _iso(run.ended_at)}


def event_json(event: RecordedEvent) -> dict[str, Any]:
    """An event as plain values; times in ISO 8601, UTC."""
    values = {name: getattr(event, name) for name in type(event).__slots__}
    reasons = [{"code": str(r.code), "exposure": r.exposure, "detail": r.detail} for r in event.reasons]
    return values | {"at": _iso(event.at), "reasons": reasons}


def _iso(time: dt.datetime | None) -> str | None:
    return None if time is None else f"{time.isoformat()}Z"


def lines_of(runs: Iterator[PastRun], events: Iterator[RecordedEvent]) -> Iterator[str]:
    """Lines for people: runs, then events."""
    yield from map(run_words, runs)
    yield from map(event_words, events)
