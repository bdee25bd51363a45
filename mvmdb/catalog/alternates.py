"""Keeps alternate solutions of exposures, and writes to exposures which of them layers use. mvmdb.alignment finds them.

One setting names the solution for the whole archive. An exposure has it if it was computed from the WCS that the
exposure's file has now; all others are used as their files are. If frames are to be aligned, what the shifts of pairs
say (the table `placement`) is added to either.
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
from mvmdb.catalog.settings import ALTERNATE, FRAMES, read_policy, read_settings, write_settings
from mvmdb.catalog.shifts.pairs import write_left
from mvmdb.correction import Correction, digest_realigned, format_alternate, parse_alternate
from mvmdb.errors import UsageError
from mvmdb.frames import frame_of_alternate, frame_of_file, frame_of_group
from mvmdb.layers.digests import digest_member
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, upsert

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
NONE = "none"
"""The word for the files' own solutions, which no solution may have for a name."""
SOLVED = "solved"
"""The name of what shifts of pairs make of a file's solution; after that of an alternate it stands with a plus sign."""


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
    frame: str | None


class Base(NamedTuple):
    """The solution of an exposure before shifts of pairs are added: the chosen alternate or no text, and its frame."""

    text: str
    frame: str | None


def check_name(name: str) -> str:
    """The name of a solution. Raises UsageError for one that cannot be a name."""
    if _NAME.fullmatch(name) is None or name.lower() in (NONE, SOLVED):
        raise UsageError(
            f"{name!r} cannot name a solution; expected up to 40 letters, digits and . _ -, and not {NONE!r} or "
            f"{SOLVED!r}"
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
        text, frame = _choose(row)
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
        write_left(connection, [one["key"] for one in changed])
    return [int(one["key"]) for one in changed]


def load_chosen(connection: sa.Connection, exposures: Iterable[int]) -> dict[int, Chosen]:
    """The solutions that these exposures (keys) should have in layers; those that are as their files are left out."""
    chosen = {row.id: (_choose(row), _frame_of_file(row)) for row in _load_rows(connection, exposures)}
    return {id_: one for id_, (one, frame) in chosen.items() if one != ("", frame)}


def load_base(connection: sa.Connection, exposures: Iterable[int]) -> dict[int, Base]:
    """The solutions of these exposures (keys) before shifts of pairs are added."""
    return {row.id: _base(row) for row in _load_rows(connection, exposures)}


def _load_rows(connection: sa.Connection, exposures: Iterable[int] | None) -> list[Any]:
    """These exposures (keys), or all that have or should have a solution other than that of their files.

    Each comes with the chosen alternate if it holds, and if frames are to be aligned with its placement.
    """
    e, a, p = t.exposure.c, t.alternate.c, t.placement.c
    settings = read_settings(connection)
    holds = sa.and_(a.ipppssoo == e.ipppssoo, a.name == settings.get(ALTERNATE, ""), a.wcs_digest == e.wcs_digest)
    aligned = [p.ipppssoo == e.ipppssoo, p.wcs_digest == e.wcs_digest, p.n_pairs > 0]
    placed = sa.and_(*aligned) if settings.get(FRAMES) == "align" else sa.false()
    columns = (
        e[name]
        for name in (
            "id", "ipppssoo", "kind", "pixels", "wcs_digest", "member_wcs", "alternate", "frame", "wcsname",
            "distortion", "fit", "astrometric_catalog",
        )
    )  # fmt: skip
    of_solution = (a[name] for name in ("name", "reference", "ra", "dec", "dx", "dy", "roll", "scale"))
    of_place = (
        p[name].label(f"place_{name}")
        for name in ("base_wcs", "ra", "dec", "move_dx", "move_dy", "shift_group", "tied_to")
    )
    query = sa.select(*columns, *of_solution, *of_place).select_from(
        t.exposure.outerjoin(t.alternate, holds).outerjoin(t.placement, placed)
    )
    if exposures is None:
        return list(
            connection.execute(query.where(sa.or_(e.alternate != "", a.name.is_not(None), p.ipppssoo.is_not(None))))
        )
    return [row for ids in chunks(exposures) for row in connection.execute(query.where(e.id.in_(ids)))]


def _base(row: Any) -> Base:
    if row.name is None:
        return Base("", _frame_of_file(row))
    correction = Correction(row.ra, row.dec, row.dx, row.dy, row.roll, row.scale)
    return Base(format_alternate(row.name, correction), frame_of_alternate(row.name, row.reference))


def _choose(row: Any) -> Chosen:
    base = _base(row)
    if row.place_base_wcs is None or row.place_base_wcs != digest_realigned(row.wcs_digest, base.text):
        return Chosen(*base)
    frame = frame_of_group(row.place_tied_to, row.place_shift_group)
    if (row.place_move_dx, row.place_move_dy) == (0.0, 0.0):
        return Chosen(base.text, frame)
    name, correction = parse_alternate(base.text)
    start = correction or Correction(row.place_ra, row.place_dec, 0.0, 0.0, 0.0)
    text = format_alternate(f"{name}+{SOLVED}" if name else SOLVED, start.shifted(row.place_move_dx, row.place_move_dy))
    return Chosen(text, frame)


def _frame_of_file(row: Any) -> str | None:
    return frame_of_file(row.wcsname, row.distortion, row.fit, row.astrometric_catalog)


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
