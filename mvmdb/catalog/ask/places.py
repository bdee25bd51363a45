"""Where an exposure lies by measured shifts, in words."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.settings import FRAMES, read_settings
from mvmdb.catalog.shifts.pairs import FIRST, SECOND, is_valid, pairs_and_exposures
from mvmdb.catalog.shifts.places import MAJORITY
from mvmdb.schema import tables as t

_MOST_NAMED = 5


def describe_place(connection: sa.Connection, exposure: Any) -> list[str]:
    """What is known of the place of an exposure (its row), and with which others too few sources were common."""
    if exposure.wcs_digest is None:
        return []
    p = t.placement.c
    query = sa.select(t.placement).where(p.ipppssoo == exposure.ipppssoo, p.wcs_digest == exposure.wcs_digest)
    row = connection.execute(query).one_or_none()
    if row is None:
        return ["Its shift against others is not measured yet."]
    short = _too_few(connection, exposure.id)
    if not row.n_pairs:
        why = "it overlaps no other of its camera and filter" if not short else "too few sources are common"
        return [f"Its place among others is not known: {why}{_listed(short)}."]
    others = f"the {row.n_group} exposures that shifts connect"
    tied = f"most of {others}" if row.tied_to == MAJORITY else f"{others}, tied to those on {row.tied_to}"
    pixels = (row.dx**2 + row.dy**2) ** 0.5 / row.pixel
    lines = [
        f"By shifts against {row.n_pairs} overlapping exposures ({row.n_sources} common sources) it lies "
        f"{1000 * row.dx:+.1f} mas east and {1000 * row.dy:+.1f} mas north of where {tied} have it, "
        f"{pixels:.2f} pixels; the error is {1000 * row.error:.1f} mas."
    ]
    if short:
        lines.append(f"Too few sources are common with {len(short)} that it overlaps{_listed(short)}.")
    if read_settings(connection).get(FRAMES) == "align" and (row.move_dx, row.move_dy) != (0.0, 0.0):
        lines.append(
            f"As frames are to be aligned, layers move it by {1000 * row.move_dx:+.1f} mas to the east and "
            f"{1000 * row.move_dy:+.1f} mas to the north."
        )
    return lines


def _too_few(connection: sa.Connection, exposure: int) -> list[str]:
    """The exposures with which a shift could not be measured, with the numbers of sources."""
    pair = t.shift_pair.c
    other = sa.case((FIRST.c.id == exposure, SECOND.c.ipppssoo), else_=FIRST.c.ipppssoo).label("other")
    query = (
        sa.select(other, pair.n_sources, pair.n_needed)
        .select_from(pairs_and_exposures())
        .where(is_valid(), pair.dx.is_(None), sa.or_(pair.first_id == exposure, pair.second_id == exposure))
        .order_by(other)
    )
    return [f"{row.other} {row.n_sources} of {row.n_needed}" for row in connection.execute(query)]


def _listed(short: list[str]) -> str:
    if not short:
        return ""
    more = f", and {len(short) - _MOST_NAMED} more" if len(short) > _MOST_NAMED else ""
    return f" ({', '.join(short[:_MOST_NAMED])}{more})"
