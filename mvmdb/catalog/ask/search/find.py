"""Finds what is searched for: one SQL query, whose conditions are bound, never written into its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.ask.cells import resolve_cells
from mvmdb.catalog.ask.search.question import Question, filter_names
from mvmdb.catalog.ask.search.relations import MISALIGNED, relation_of
from mvmdb.catalog.ask.spool import SpooledRows
from mvmdb.catalog.narrow import program_condition
from mvmdb.errors import UsageError
from mvmdb.instruments import INSTRUMENTS
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among
from mvmdb.sky.cone import touch_cone
from mvmdb.sky.position import find_cells_at

_ROWS_AT_ONCE = 1000

Condition = sa.ColumnElement[bool]

_APART = sa.select(t.layer.c.id).where(t.layer.c.name.in_(sa.select(MISALIGNED.c.layer)))
"""The keys of the layers whose members do not lie together."""


def find_rows(connection: sa.Connection, question: Question, answer: SpooledRows) -> list[str]:
    """Put the rows that are searched for into `answer`; returns the names of their columns.

    Raises UsageError for a column, camera or sky cell that is not known, and for a position that is not on the sky.
    """
    relation = relation_of(connection, question.kind)
    columns, order = relation.chosen(question.columns), relation.order(question.sort)
    conditions = conditions_of(connection, question)
    if question.limit is not None and relation.is_of_base(question.sort):
        # Else the columns of all rows are computed, and then most are dropped.
        key = relation.base.c.id
        first = sa.select(key).where(*conditions).order_by(*order).limit(question.limit)
        conditions = [key.in_(sa.select(first.subquery().c.id))]
    query = sa.select(*columns).select_from(relation.source).where(*conditions).order_by(*order).limit(question.limit)
    result = connection.execute(query.execution_options(stream_results=True))
    for rows in result.partitions(_ROWS_AT_ONCE):
        answer.extend(tuple(row) for row in rows)
    return list(result.keys())


def conditions_of(connection: sa.Connection, question: Question) -> list[Condition]:
    """The conditions on rows of the table that a question of this kind is about."""
    return _CONDITIONS[question.kind](connection, question)


def _of_exposures(connection: sa.Connection, question: Question) -> list[Condition]:
    x = t.exposure.c
    conditions = _about_exposures(connection, question)
    conditions += _any(x.filter == name for text in question.filters for name in filter_names(text))
    conditions += _any(_of_camera(x, camera) for camera in question.cameras)
    conditions += _any_cell(connection, question, t.membership.c.exposure_id, x.id)
    if question.stale:
        of_it = (t.layer_member.c.exposure_id == x.id, t.layer.c.id == t.layer_member.c.layer_id, t.layer.c.stale)
        conditions.append(sa.exists(sa.select(sa.literal(1)).where(*of_it)))
    if question.mixed:
        mixed = (t.layer_member.c.exposure_id == x.id, t.layer.c.id == t.layer_member.c.layer_id, t.MIXED)
        conditions.append(sa.exists(sa.select(sa.literal(1)).where(*mixed)))
    if question.apart:
        conditions.append(
            x.id.in_(sa.select(t.layer_member.c.exposure_id).where(t.layer_member.c.layer_id.in_(_APART)))
        )
    if question.waiting:
        conditions.append(x.path == "")
    return conditions


def _of_layers(connection: sa.Connection, question: Question) -> list[Condition]:
    y = t.layer.c
    conditions = _any(y.filter == name for text in question.filters for name in filter_names(text))
    conditions += _any(_of_camera(y, camera) for camera in question.cameras)
    if question.skycells:
        conditions.append(among(connection, y.skycell_id, resolve_cells(connection, list(question.skycells))))
    members = _about_exposures(connection, question)
    if members:
        found = sa.select(t.exposure.c.id).where(*members)
        holding = sa.select(t.layer_member.c.layer_id).where(t.layer_member.c.exposure_id.in_(found))
        conditions.append(y.id.in_(holding))
    conditions += [y.stale] if question.stale else []
    conditions += [y.n_waiting > 0] if question.waiting else []
    conditions += [t.MIXED] if question.mixed else []  # in the words of its index
    conditions += [y.id.in_(_APART)] if question.apart else []
    return conditions


def _of_products(connection: sa.Connection, question: Question) -> list[Condition]:
    p = t.product.c
    filters = (name for text in question.filters for name in filter_names(text))
    conditions = _any(p.layer.contains(f"_{name}_", autoescape=True) for name in filters)
    conditions += _any(_in_name(p.layer, camera) for camera in question.cameras)
    if question.skycells:
        resolve_cells(connection, list(question.skycells))
        conditions.append(p.skycell.in_(question.skycells))
    members = _about_exposures(connection, question)
    if members:
        names = sa.select(t.exposure.c.ipppssoo).where(*members)
        holding = sa.select(t.product_member.c.product_id).where(t.product_member.c.ipppssoo.in_(names))
        conditions.append(p.id.in_(holding))
    if question.stale:
        stale = sa.select(t.layer.c.id).where(t.layer.c.stale)
        conditions.append(sa.or_(p.layer_id.in_(stale), p.layer_id.is_(None)))
    if question.mixed:
        conditions.append(p.layer_id.in_(sa.select(t.layer.c.id).where(t.MIXED)))
    if question.apart:
        conditions.append(p.layer_id.in_(_APART))
    if question.waiting:
        conditions.append(p.layer_id.in_(sa.select(t.layer.c.id).where(t.layer.c.n_waiting > 0)))
    return conditions


_CONDITIONS = {"exposures": _of_exposures, "layers": _of_layers, "products": _of_products}


def _about_exposures(connection: sa.Connection, question: Question) -> list[Condition]:
    """The conditions on exposures that have no counterpart among the columns of layers."""
    x = t.exposure.c
    first, last = question.dates
    conditions: list[Condition] = []
    conditions += [x.expstart >= first] if first is not None else []
    conditions += [x.expstart < last] if last is not None else []
    conditions += _any(map(program_condition, question.programs))
    conditions += _any(_holds(x.target, text) for text in question.targets)
    conditions += _any(sa.or_(_holds(x.rootname, text), _holds(x.filename, text)) for text in question.exposures)
    conditions += _any(_of_solution(text) for text in question.astrometry)
    if question.cones:
        conditions.append(among(connection, x.id, _touched(connection, question)))
    return conditions


def _any(conditions: Iterable[Condition]) -> list[Condition]:
    """At most one condition: that one of these holds."""
    listed = list(conditions)
    return [sa.or_(*listed)] if listed else []


def _any_cell(connection: sa.Connection, question: Question, exposure: Any, key: Any) -> list[Condition]:
    if not question.skycells:
        return []
    cells = resolve_cells(connection, list(question.skycells))
    return [key.in_(sa.select(exposure).where(t.membership.c.skycell_id.in_(cells)))]


def _holds(column: Any, text: str) -> Condition:
    """Whether a column has the text in it, in any case."""
    return sa.func.lower(column).contains(text.lower(), autoescape=True)


def _of_solution(text: str) -> Condition:
    x = t.exposure.c
    if text.lower() == "none":
        return x.astrometric_catalog.is_(None)
    return sa.or_(_holds(x.astrometric_catalog, text), _holds(x.fit, text))


def _split_camera(camera: str) -> tuple[str | None, str | None]:
    """(instrument, detector) of `WFC3/IR`, `WFC3` or `IR`. Raises UsageError for any other text."""
    known = {(name, detector.name) for name, facts in INSTRUMENTS.items() for detector in facts.detectors}
    instruments, detectors = ({pair[n] for pair in known} for n in (0, 1))
    first, slash, second = camera.lower().replace("-", "/").partition("/")
    if (first, second) in known:
        return first, second
    if not slash and first in instruments:
        return first, None
    if not slash and first in detectors:
        return None, first
    names = ", ".join(sorted(f"{instrument}/{detector}".upper() for instrument, detector in known))
    raise UsageError(f"{camera!r} is no camera; expected one of {names}, or a part of one")


def _of_camera(columns: Any, camera: str) -> Condition:
    instrument, detector = _split_camera(camera)
    conditions = [columns.instrument == instrument] if instrument else []
    return sa.and_(*conditions, *([columns.detector == detector] if detector else []))


def _in_name(layer: Any, camera: str) -> Condition:
    instrument, detector = _split_camera(camera)
    words = "_".join(part for part in (instrument, detector) if part)
    return sa.and_(layer.contains(f"_{words}_", autoescape=True))


def _touched(connection: sa.Connection, question: Question) -> list[int]:
    """The keys of the exposures whose footprints come near one of the positions."""
    touched: set[int] = set()
    for ra, dec in question.cones:
        cells = [cell.index for cell in find_cells_at(ra, dec, question.radius)]
        members = sa.select(t.membership.c.exposure_id).where(among(connection, t.membership.c.skycell_id, cells))
        query = sa.select(t.exposure.c.id, t.exposure.c.s_region).where(t.exposure.c.id.in_(members))
        for rows in connection.execute(query).partitions(_ROWS_AT_ONCE):
            touched.update(_near(rows, ra, dec, question.radius))
    return sorted(touched)


def _near(rows: Sequence[Any], ra: float, dec: float, radius: float) -> Iterable[int]:
    near = touch_cone([row.s_region for row in rows], ra, dec, radius)
    return (row.id for row, is_near in zip(rows, near, strict=True) if is_near)
