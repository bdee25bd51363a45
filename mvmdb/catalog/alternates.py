"""Keeps alternate solutions of exposures, and writes to exposures which of them layers use. mvmdb.alignment finds them.

One setting names the solution for the whole archive. An exposure has it if it was computed from the WCS that the
exposure's file has now; all others are used as their files are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from mvmdb.catalog.ask.search.question import filter_names
from mvmdb.catalog.clock import time_in
from mvmdb.catalog.history.events import Event, Happened, write_events
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import ALTERNATE, read_policy, read_settings, write_settings
from mvmdb.correction import Correction, digest_realigned, format_alternate, parse_alternate
from mvmdb.errors import UsageError
from mvmdb.frames import frame_of_alternate, frame_of_file
from mvmdb.layers.digests import digest_member
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, upsert

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
NONE = "none"
"""The word for the files' own solutions, which no solution may have for a name."""


@dataclass(frozen=True, slots=True)
class AlternateRow:
    """One row of the table `alternate`, but for the time."""

    ipppssoo: str
    name: str
    wcs_digest: str
    ra: float
    dec: float
    dx: float
    dy: float
    roll: float
    scale: float
    fit: str
    n_sources: int
    n_reference: int
    n_overlap: int
    rms_mas: float
    reference: str
    reference_digest: str


class Chosen(NamedTuple):
    """A solution that layers use: as `exposure.alternate` holds it, and its frame."""

    text: str
    frame: str


def check_name(name: str) -> str:
    """The name of a solution. Raises UsageError for one that cannot be a name."""
    if _NAME.fullmatch(name) is None or name.lower() == NONE:
        raise UsageError(
            f"{name!r} cannot name a solution; expected up to 40 letters, digits and . _ -, and not {NONE!r}"
        )
    return name


def load_alignable(connection: sa.Connection, cells: Sequence[int], filters: Sequence[str] = ()) -> list[Any]:
    """Rows of the exposures with a file that layers of these sky cells (keys) may hold, sorted by ipppssoo.

    With `filters`, only those with any of them. The columns are those that an alignment needs.
    """
    e, m = t.exposure.c, t.membership.c
    names = ("ipppssoo", "path", "wcs_digest", "s_region", "expstart", "expend", "wcsname")
    query = (
        sa.select(*(e[name] for name in names))
        .where(e.id.in_(sa.select(m.exposure_id).where(among(connection, m.skycell_id, cells))))
        .where(e.eligible, e.withdrawn_at.is_(None), e.wcs_digest.is_not(None), e.path != "")
        .order_by(e.ipppssoo)
    )
    if filters:
        query = query.where(e.filter.in_([name for text in filters for name in filter_names(text)]))
    return list(connection.execute(query).all())


def record_alternates(connection: sa.Connection, rows: Sequence[AlternateRow]) -> bool:
    """Record solutions, in place of those of the same exposures and names; return whether layers use them.

    If they do, the layers are updated.
    """
    time = time_in(connection)
    upsert(connection, t.alternate, ("ipppssoo", "name"), [asdict(row) | {"made_at": time} for row in rows])
    if not rows or read_settings(connection).get(ALTERNATE) != rows[0].name:
        return False
    e = t.exposure.c
    ids: list[int] = []
    for names in chunks(row.ipppssoo for row in rows):
        ids += connection.scalars(sa.select(e.id).where(e.ipppssoo.in_(names)))
    _refresh(connection, use_alternates(connection, ids))
    return True


def choose_alternate(connection: sa.Connection, name: str) -> None:
    """Have layers use the solution of this name where an exposure has it, or with `none` those of the files.

    Raises UsageError if no exposure has it.
    """
    wanted = "" if name.lower() == NONE else check_name(name)
    if wanted == read_settings(connection).get(ALTERNATE, ""):
        return
    known = connection.scalars(sa.select(t.alternate.c.name).distinct().order_by(t.alternate.c.name)).all()
    if wanted and wanted not in known:
        raise UsageError(
            f"no exposure has an alternate solution {wanted!r}; found {', '.join(known) or 'none at all'}; "
            f"make it first: mvmdb align SKYCELL --name {wanted}"
        )
    write_settings(connection, {ALTERNATE: wanted})
    _refresh(connection, use_alternates(connection))


def use_alternates(connection: sa.Connection, exposures: Iterable[int] | None = None) -> list[int]:
    """Write to these exposures (keys), or to all, the solution that layers use; return the keys of those that changed.

    The caller updates their layers.
    """
    rows, e = _load_rows(connection, exposures), t.exposure.c
    time, changed, events = time_in(connection), [], []
    for row in rows:
        text, frame = _text(row), _frame(row)
        used = None if row.wcs_digest is None else digest_realigned(row.wcs_digest, text)
        if (row.alternate, row.member_wcs, row.frame) == (text, used, frame):
            continue
        digest = digest_member(row.ipppssoo, row.kind, row.pixels, used or "")
        changed.append({"key": row.id, "new_text": text, "new_wcs": used, "new_digest": digest, "new_frame": frame,
                        "new_time": time})  # fmt: skip
        if (row.alternate, row.member_wcs) != (text, used):
            events.append(Event(Happened.EXPOSURE_REALIGNED, exposure=row.ipppssoo, detail=_words(row.alternate, text)))
    if changed:
        columns = {"alternate": "new_text", "member_wcs": "new_wcs", "member_digest": "new_digest",
                   "frame": "new_frame", "changed_at": "new_time"}  # fmt: skip
        change = sa.update(t.exposure).where(e.id == sa.bindparam("key"))
        connection.execute(change.values({name: sa.bindparam(key) for name, key in columns.items()}), changed)
        write_events(connection, events)
    return [int(one["key"]) for one in changed]


def load_chosen(connection: sa.Connection, exposures: Iterable[int]) -> dict[int, Chosen]:
    """The solutions that these exposures (keys) should have in layers; those without are left out."""
    return {row.id: Chosen(text, str(_frame(row))) for row in _load_rows(connection, exposures) if (text := _text(row))}


def _load_rows(connection: sa.Connection, exposures: Iterable[int] | None) -> list[Any]:
    """These exposures (keys), or all that have or should have an alternate, each with the chosen one if it holds."""
    e, a = t.exposure.c, t.alternate.c
    chosen = read_settings(connection).get(ALTERNATE, "")
    holds = sa.and_(a.ipppssoo == e.ipppssoo, a.name == chosen, a.wcs_digest == e.wcs_digest)
    columns = (
        e[name]
        for name in (
            "id", "ipppssoo", "kind", "pixels", "wcs_digest", "member_wcs", "alternate", "frame", "wcsname",
            "distortion", "fit", "astrometric_catalog",
        )
    )  # fmt: skip
    of_solution = (a[name] for name in ("name", "reference", "ra", "dec", "dx", "dy", "roll", "scale"))
    query = sa.select(*columns, *of_solution).select_from(t.exposure.outerjoin(t.alternate, holds))
    if exposures is None:
        return list(connection.execute(query.where(sa.or_(e.alternate != "", a.name.is_not(None)))))
    return [row for ids in chunks(exposures) for row in connection.execute(query.where(e.id.in_(ids)))]


def _text(row: Any) -> str:
    return "" if row.name is None else format_alternate(row.name, Correction(*row[-6:]))


def _frame(row: Any) -> str | None:
    if row.name is None:
        return frame_of_file(row.wcsname, row.distortion, row.fit, row.astrometric_catalog)
    return frame_of_alternate(row.name, row.reference)


def describe_solution(text: str) -> str:
    """What the text of an alternate says, in words; empty for an empty text."""
    name, correction = parse_alternate(text)
    if correction is None:
        return ""
    scale = "" if correction.scale == 1.0 else f", scale {correction.scale:.6f}"
    return (
        f"alternate {name}: {1000 * correction.dx:+.1f} mas east, {1000 * correction.dy:+.1f} mas north, "
        f"roll {correction.roll:+.5f} degrees{scale}"
    )


def _words(before: str, after: str) -> str:
    return " -> ".join(describe_solution(text) or "the solution of its file" for text in (before, after))


def _refresh(connection: sa.Connection, changed: Sequence[int]) -> None:
    from mvmdb.catalog import due_pollers

    if changed:
        refresh_layers(connection, keys_of_exposures(connection, changed), read_policy(connection))
        due_pollers.forget(connection)
