"""The history as users ask for it: runs, and events by time, run, layer, sky cell, exposure or program."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.narrow import program_condition
from mvmdb.catalog.open import Begin
from mvmdb.errors import NameFormatError
from mvmdb.names import parse_layer_name
from mvmdb.records import Reason, ReasonCode
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among

_PAGE = 5000
_CELL_LENGTH = len("skycell-p0000x00y00")

Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class HistoryQuestion:
    """Which events are wanted: those that meet every condition that is given. Times are UTC; `until` is excluded.

    `program` is a proposal number or the three characters of it in root names; with it, layers count that hold,
    should hold or may have held an exposure of the program, by their sky cell, camera and filter. With `skycell`, so do
    exposures that overlap the cell.
    """

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    run: int | None = None
    layer: str | None = None
    skycell: str | None = None
    exposure: str | None = None
    program: str | None = None
    kinds: tuple[str, ...] = ()

    @property
    def names_events(self) -> bool:
        """Whether more is asked than the time: for certain events rather than for runs."""
        return any((self.run, self.layer, self.skycell, self.exposure, self.program, self.kinds))


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event of the history; fields as the columns of the table `event`."""

    id: int
    run_id: int | None
    at: dt.datetime
    kind: str
    exposure: str | None
    layer: str | None
    path: str | None
    detail: str | None
    reasons: tuple[Reason, ...]
    n_members: int | None
    seconds: float | None
    size: int | None
    memory_mb: int | None


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run; fields as the columns of the table `run`, and the number of its events of each kind."""

    id: int
    command: str
    arguments: str
    username: str
    host: str
    pid: int
    version: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    exit_code: int | None
    error: str | None
    counts: dict[str, int]


def load_runs(begin: Begin, question: HistoryQuestion) -> Iterator[PastRun]:
    """The runs that began in the time asked for, or the one run asked for, oldest first; read in short transactions."""
    r = t.run.c
    query = sa.select(*(r[name] for name in PastRun.__slots__ if name != "counts"))
    if question.run is not None:
        query = query.where(r.id == question.run)
    if question.since is not None:
        query = query.where(r.started_at >= question.since)
    if question.until is not None:
        query = query.where(r.started_at < question.until)
    for rows in _pages(begin, query, r.id):
        with begin() as connection:
            counts = _count_events(connection, [row.id for row in rows])
        yield from (PastRun(**row._mapping, counts=counts.get(row.id, {})) for row in rows)


def load_events(begin: Begin, question: HistoryQuestion) -> Iterator[RecordedEvent]:
    """The events asked for, oldest first, read in short transactions."""
    e = t.event.c
    conditions = _conditions(question)
    if question.program is not None:
        with begin() as connection:
            conditions.append(_of_program(question.program, _layers_of_program(connection, question.program)))
    query = sa.select(*(e[name] for name in RecordedEvent.__slots__)).where(*conditions)
    for rows in _pages(begin, query, e.id):
        yield from map(_event, rows)


def _pages(begin: Begin, query: sa.Select[Any], key: sa.ColumnElement[int]) -> Iterator[Sequence[Any]]:
    """The rows of a query in the order of a key that is above 0, some at a time, each time in a transaction."""
    last, rows = 0, None
    while rows is None or len(rows) == _PAGE:
        with begin() as connection:
            rows = connection.execute(query.where(key > last).order_by(key).limit(_PAGE)).all()
        yield rows
        last = rows[-1].id if rows else last


def load_history_of(connection: sa.Connection, kind: str, name: str, *, newest: int) -> list[RecordedEvent]:
    """The latest events, oldest first, of what `describe` has described: its kind and name.

    Those of a sky cell are those of its layers.
    """
    e = t.event.c
    conditions = {
        "layer": e.layer == name,
        "sky cell": _in_layers_of(name),
        "exposure": e.exposure == name,
        "quarantined file": e.path == name,
    }
    query = sa.select(*(e[column] for column in RecordedEvent.__slots__)).where(conditions[kind])
    rows = connection.execute(query.order_by(e.id.desc()).limit(newest)).all()
    return [_event(row) for row in reversed(rows)]


def _event(row: Any) -> RecordedEvent:
    reasons = tuple(Reason(ReasonCode(code), about, detail) for code, about, detail in json.loads(row.reasons or "[]"))
    return RecordedEvent(**(row._asdict() | {"reasons": reasons}))


def _count_events(connection: sa.Connection, runs: list[int]) -> dict[int, dict[str, int]]:
    e = t.event.c
    query = sa.select(e.run_id, e.kind, sa.func.count()).where(e.run_id.in_(runs)).group_by(e.run_id, e.kind)
    counts: dict[int, dict[str, int]] = {}
    for run, kind, number in connection.execute(query.order_by(e.run_id, e.kind)):
        counts.setdefault(run, {})[kind] = number
    return counts


def _conditions(question: HistoryQuestion) -> list[Condition]:
    """All conditions but that on the program."""
    e = t.event.c
    conditions: list[Condition] = []
    if question.since is not None:
        conditions.append(e.at >= question.since)
    if question.until is not None:
        conditions.append(e.at < question.until)
    for column, value in ((e.run_id, question.run), (e.layer, question.layer), (e.exposure, question.exposure)):
        if value is not None:
            conditions.append(column == value)
    if question.kinds:
        conditions.append(e.kind.in_(question.kinds))
    if question.skycell is not None:
        conditions.append(_in_cell(question.skycell))
    return conditions


def _in_cell(skycell: str) -> sa.ColumnElement[bool]:
    overlapping = (
        sa.select(t.exposure.c.ipppssoo)
        .select_from(t.membership.join(t.exposure).join(t.skycell))
        .where(t.skycell.c.name == skycell)
    )
    return sa.or_(_in_layers_of(skycell), t.event.c.exposure.in_(overlapping))


def _in_layers_of(skycell: str) -> sa.ColumnElement[bool]:
    return t.event.c.layer.startswith(f"hst_{skycell}_", autoescape=True)


def _of_program(program: str, layers: Condition) -> Condition:
    return sa.or_(t.event.c.exposure.in_(sa.select(t.exposure.c.ipppssoo).where(program_condition(program))), layers)


def _layers_of_program(connection: sa.Connection, program: str) -> Condition:
    """Whether an event is about a layer that could hold an exposure of the program: by sky cell, camera and filter.

    So layers count that are gone, and neither expected nor made any more.
    """
    x = t.exposure.c
    query = (
        sa.select(t.skycell.c.name, x.instrument, x.detector, x.filter)
        .distinct()
        .select_from(t.membership.join(t.exposure).join(t.skycell))
        .where(program_condition(program), x.eligible)
    )
    wanted = {tuple(str(part).lower() for part in row) for row in connection.execute(query)}
    cell = sa.func.substr(t.event.c.layer, len("hst_") + 1, _CELL_LENGTH, type_=sa.Text)
    named = sa.select(t.event.c.layer).distinct().where(among(connection, cell, sorted({row[0] for row in wanted})))
    names = [name for name in connection.scalars(named) if _place_of(name) in wanted]
    return among(connection, t.event.c.layer, names)


def _place_of(layer: str) -> tuple[str, ...]:
    """(sky cell, instrument, detector, filter) of a layer's name; nothing for a text that is none."""
    try:
        name = parse_layer_name(layer)
    except NameFormatError:
        return ()
    return name.skycell, name.instrument, name.detector, name.filter
