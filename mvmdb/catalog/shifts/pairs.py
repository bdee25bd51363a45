"""Shifts of pairs as rows: recorded when they are measured, and valid while neither file's pixels nor WCS change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.rows import chunks
from mvmdb.catalog.shifts.due import is_usable
from mvmdb.correction import parse_alternate
from mvmdb.records import ShiftExposure, ShiftPair
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert

_DECIMALS = 6  # of arcsec
_VALUES = ("ra", "dec", "overlap_arcmin2", "pixel", "n_sources", "n_needed", "dx", "dy", "error")
FIRST, SECOND = t.exposure.alias("first"), t.exposure.alias("second")


def is_valid(pair: Any = t.shift_pair.c, first: Any = FIRST.c, second: Any = SECOND.c) -> sa.ColumnElement[bool]:
    """Whether both exposures of a pair are still those that were measured."""
    return sa.and_(
        pair.first_pixels == first.pixels, pair.first_wcs == first.wcs_digest,
        pair.second_pixels == second.pixels, pair.second_wcs == second.wcs_digest,
    )  # fmt: skip


def pairs_and_exposures() -> sa.Join:
    """Pairs with both exposures, `FIRST` and `SECOND`."""
    pair = t.shift_pair
    return pair.join(FIRST, FIRST.c.id == pair.c.first_id).join(SECOND, SECOND.c.id == pair.c.second_id)


def load_known(connection: sa.Connection, exposures: Iterable[int]) -> set[tuple[str, str]]:
    """The valid pairs of these exposures (keys) with any others, measured or not, by their identities."""
    query = sa.select(FIRST.c.ipppssoo, SECOND.c.ipppssoo).select_from(pairs_and_exposures()).where(is_valid())
    known: set[tuple[str, str]] = set()
    for ids in chunks(exposures):
        for side in ("first_id", "second_id"):
            known.update(tuple(row) for row in connection.execute(query.where(t.shift_pair.c[side].in_(ids))))
    return known


def record_pairs(connection: sa.Connection, pairs: Sequence[ShiftPair], exposures: Mapping[str, ShiftExposure]) -> None:
    """Record measured pairs of these exposures, except those of which one has left the catalog."""
    e = t.exposure.c
    there: set[int] = set()
    for ids in chunks(one.key for one in exposures.values()):
        there.update(connection.scalars(sa.select(e.id).where(e.id.in_(ids))))
    rows = []
    for pair in sorted(pairs, key=lambda one: (one.first, one.second)):
        first, second = exposures[pair.first], exposures[pair.second]
        if first.key in there and second.key in there:
            values = {name: getattr(pair, name) for name in _VALUES}
            values |= {name: None if values[name] is None else round(values[name], _DECIMALS) for name in _VALUES[-3:]}
            rows.append({
                "first_id": first.key, "second_id": second.key,
                "first_pixels": first.pixels, "first_wcs": first.wcs_digest,
                "second_pixels": second.pixels, "second_wcs": second.wcs_digest,
                **values, "left_dx": None, "left_dy": None, "left_pixels": None,
            })  # fmt: skip
    upsert(connection, t.shift_pair, ("first_id", "second_id"), rows)


def load_measured(connection: sa.Connection, exposures: Iterable[int], *, usable: bool = True) -> Iterator[Any]:
    """The valid pairs of these exposures (keys) that have a shift, each once, with both identities.

    With `usable`, only those of exposures that layers may be made of.
    """
    pair = t.shift_pair.c
    columns: list[sa.ColumnElement[Any]] = [pair[name] for name in ("first_id", "second_id", *_VALUES)]
    columns += [FIRST.c.ipppssoo.label("first"), SECOND.c.ipppssoo.label("second")]
    columns += [FIRST.c.alternate.label("first_alternate"), SECOND.c.alternate.label("second_alternate")]
    query = sa.select(*columns).select_from(pairs_and_exposures()).where(is_valid(), pair.dx.is_not(None))
    if usable:
        query = query.where(is_usable(FIRST.c), is_usable(SECOND.c))
    seen: set[tuple[int, int]] = set()
    for ids in chunks(exposures):
        for side in ("first_id", "second_id"):
            for row in connection.execute(query.where(pair[side].in_(ids))).all():
                if (row.first_id, row.second_id) not in seen:
                    seen.add((row.first_id, row.second_id))
                    yield row


def write_left(connection: sa.Connection, exposures: Iterable[int]) -> None:
    """Write to the pairs of these exposures (keys) what is left of their shifts as layers use them."""
    rows = []
    for row in load_measured(connection, exposures, usable=False):
        dx, dy = as_used(row, row.first_alternate, row.second_alternate)
        pixels = round(float((dx**2 + dy**2) ** 0.5) / row.pixel, 4)
        rows.append({
            "key_first": row.first_id, "key_second": row.second_id, "new_dx": round(dx, _DECIMALS),
            "new_dy": round(dy, _DECIMALS), "new_pixels": pixels,
        })  # fmt: skip
    if rows:
        pair = t.shift_pair
        this = sa.and_(pair.c.first_id == sa.bindparam("key_first"), pair.c.second_id == sa.bindparam("key_second"))
        change = sa.update(pair).where(this).values(
            left_dx=sa.bindparam("new_dx"), left_dy=sa.bindparam("new_dy"), left_pixels=sa.bindparam("new_pixels")
        )  # fmt: skip
        connection.execute(change, rows)


def as_used(pair: Any, first: str, second: str) -> tuple[float, float]:
    """A pair's shift (its row), in arcsec, once both exposures have these alternates (their texts)."""
    dx, dy = pair.dx, pair.dy
    for sign, text in ((-1.0, first), (1.0, second)):
        _, correction = parse_alternate(text)
        if correction is not None:
            east, north = correction.displace(pair.ra, pair.dec)
            dx, dy = dx + sign * east, dy + sign * north
    return dx, dy
