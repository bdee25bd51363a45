"""What a night brought, from the history of its run, and what is new against the night before."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.ask.history import HistoryQuestion, RecordedEvent, load_events
from mvmdb.catalog.ask.misaligned import summarize_misaligned_made, summarize_misalignment
from mvmdb.catalog.ask.mixing import summarize_made, summarize_mixing
from mvmdb.catalog.clock import utc_text
from mvmdb.catalog.open import Engine
from mvmdb.catalog.products.attempts import FailingLayer, load_failing
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among

_MADE = (
    "layer-drizzled", "layer-added", "layer-recanvased", "layer-shifted", "layer-rescaled", "layer-removed",
)  # fmt: skip
_LISTS = {
    **dict.fromkeys(_MADE, "made"),
    **dict.fromkeys(("exposure-refused", "file-quarantined", "file-vanished"), "refused"),
    **dict.fromkeys(
        (
            "exposure-new",
            "exposure-changed",
            "exposure-realigned",
            "exposure-moved",
            "exposure-readmitted",
            "exposure-returned",
        ),
        "came",
    ),
    "exposure-pruned": "left",
    "layer-failed": "failed",
}
MOST_LISTED = 1000
"""How many events a list of a report names at most: a first night may bring a million exposures."""
_SLOWEST = 5


def summarize_night(
    engine: Engine,
    run: int,
    *,
    resting: Iterable[FailingLayer] = (),
    problems: Iterable[str] = (),
    left_alone: Iterable[str] = (),
    unmade: Iterable[str] = (),
) -> dict[str, Any]:
    """The summary of a run of `nightly`, as plain values.

    `counts` has the number of its events by kind. `came`, `left`, `refused` and `made` list the first 1000 of each;
    `slowest` names the layers that took longest. `failed` lists the layers that failed, each with the number of its
    failures in a row, when they began, and when it is tried again. `last_night` compares these with the run of
    `nightly` before: the layers whose failures are `new_failures`, and the `mended` ones. `astrometry`: how many of the
    layers that were made mix astrometric frames or have members that do not lie together, the worst of either, and how
    many do so in all. `resting` layers were not tried,
    `problems` are those of no single layer, and `left_alone` says which product files were left alone, and why: the
    history does not hold them. `unmade`: the files beside products that could not be made, and why.
    """
    lists: dict[str, list[dict[str, Any]]] = {"came": [], "left": [], "refused": [], "made": [], "failed": []}
    counts: Counter[str] = Counter()
    slowest: list[tuple[float, str]] = []
    with engine.begin() as connection:
        started = connection.execute(sa.select(t.run).where(t.run.c.id == run)).one()
        last = _last_night(connection, run)
    for event in load_events(engine.begin, HistoryQuestion(run=run)):
        counts[event.kind] += 1
        name = _LISTS.get(event.kind)
        if name is not None and len(lists[name]) < MOST_LISTED:
            lists[name].append(_line(engine, event))
        if name == "made" and event.seconds:
            slowest = heapq.nlargest(_SLOWEST, [*slowest, (event.seconds, str(event.layer))])
    before = set() if last is None else _failing(json.loads(last.report))
    now = {line["layer"] for line in lists["failed"]}
    with engine.begin() as connection:
        failing = _still_failing(connection, before)
        mixing, mixed_now = summarize_made(connection, run), summarize_mixing(connection).layers
        apart, apart_now = summarize_misaligned_made(connection, run), summarize_misalignment(connection).layers
    return {
        "run": run,
        "host": started.host,
        "version": started.version,
        "started_at": utc_text(started.started_at),
        "counts": dict(sorted(counts.items())),
        **lists,
        "slowest": [{"layer": layer, "seconds": seconds} for seconds, layer in slowest],
        "last_night": {
            "run": None if last is None else last.id,
            "new_failures": sorted(now - before),
            "mended": sorted(before - failing),
        },
        "astrometry": mixing.as_values()
        | {"mixed_layers_in_all": mixed_now}
        | apart.as_values()
        | {"misaligned_layers_in_all": apart_now},
        "resting": [_failure(layer) for layer in resting],
        "problems": list(problems),
        "left_alone": list(left_alone),
        "unmade": list(unmade),
    }


def count_listed(report: Mapping[str, Any], name: str) -> int:
    """How many events a list of a report, such as `came`, stands for; it may show fewer.

    The list `made` has the mosaics that were `removed` too, which are counted by that name.
    """
    names = _LISTS | {"layer-removed": "removed"}
    return sum(number for kind, number in report["counts"].items() if names.get(kind) == name)


def save_report(engine: Engine, run: int, report: dict[str, Any]) -> None:
    """Keep a night's report with its run."""
    with engine.begin() as connection:
        connection.execute(sa.update(t.run).where(t.run.c.id == run).values(report=json.dumps(report)))


def load_left_alone(engine: Engine) -> list[str]:
    """What the last night said of product files that it left alone."""
    with engine.begin() as connection:
        last = _last_night(connection)
    return [] if last is None else list(json.loads(last.report).get("left_alone", ()))


def _last_night(connection: sa.Connection, before: int = 2**31 - 1) -> Any:
    """The last run of `nightly` with a report, of those before this one."""
    r = t.run.c
    query = sa.select(r.id, r.report).where(r.command == "nightly", r.id < before, r.report.is_not(None))
    return connection.execute(query.order_by(r.id.desc()).limit(1)).one_or_none()


def _failing(report: Mapping[str, Any]) -> set[str]:
    return {line["layer"] for name in ("failed", "resting") for line in report.get(name, ())}


def _still_failing(connection: sa.Connection, names: set[str]) -> set[str]:
    query = sa.select(t.layer.c.name).where(among(connection, t.layer.c.name, sorted(names)))
    return set(connection.scalars(query.where(t.layer.c.failure.is_not(None))))


def _line(engine: Engine, event: RecordedEvent) -> dict[str, Any]:
    what = event.kind.split("-", 1)[1]
    if event.kind == "layer-failed":
        with engine.begin() as connection:
            return _failure(load_failing(connection, str(event.layer), event.detail or "", event.at))
    if event.kind not in _MADE:
        return {"exposure": event.exposure, "path": event.path, "what": what, "detail": event.detail}
    return {
        "layer": event.layer,
        "action": what,
        "reasons": [asdict(reason) for reason in event.reasons],
        "n_members": event.n_members,
        "seconds": event.seconds,
        "bytes": event.size,
        "memory_mb": event.memory_mb,
    }


def _failure(layer: FailingLayer) -> dict[str, Any]:
    times = {"since": utc_text(layer.since), "retry_at": utc_text(layer.retry_at)}
    return {"layer": layer.layer, "error": layer.error, "attempts": layer.attempts, **times}


def is_eventful(report: Mapping[str, Any], troubles: Iterable[object]) -> bool:
    """Whether there is anything to say about a night."""
    return any(report[name] for name in ("came", "left", "refused", "made", "failed")) or any(troubles)
