"""Where exposures lie among those that they overlap, as rows; alignment/shifts/places.py solves it from the pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import sqlalchemy as sa

from mvmdb.catalog.alternates import Base, load_base, use_alternates
from mvmdb.catalog.clock import time_in
from mvmdb.catalog.layers.changed_keys import keys_of_exposures
from mvmdb.catalog.layers.refresh import refresh_layers
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.shifts.due import is_usable
from mvmdb.catalog.shifts.pairs import as_used, load_measured, write_left
from mvmdb.correction import digest_realigned
from mvmdb.frames import is_absolute, preference
from mvmdb.records import Policy
from mvmdb.schema import tables as t
from mvmdb.schema.engine import upsert

KEPT = 0.03
"""Pixels by which the solution of an exposure may change before its mosaics are made anew: what is left between two
exposures grows by twice as much at most, and each night changes all solutions of a field a little."""
MAJORITY = "majority"
"""What a group without an absolute frame is tied to: what most of its exposures say."""
_DECIMALS = 5  # of arcsec


@dataclass(frozen=True, slots=True)
class TiedExposure:
    """An exposure whose place is to be solved for, by its row of `exposure`; `base`: the solution it starts from."""

    key: int
    ipppssoo: str
    ra: float
    dec: float
    pixels: str
    wcs_digest: str
    base: Base

    @property
    def rank(self) -> int:
        """How good its frame is: lower is better, and from `WORST_RANK` on it is not absolute."""
        if self.base.frame is not None and is_absolute(self.base.frame):
            return preference(self.base.frame)[0]
        return WORST_RANK + (9 if self.base.frame is None else preference(self.base.frame)[0])


WORST_RANK = 10


@dataclass(frozen=True, slots=True)
class TiedPair:
    """A measured pair of exposures, by their numbers; the shift is that of the solutions they start from, arcsec."""

    first: int
    second: int
    ra: float
    dec: float
    dx: float
    dy: float
    error: float
    pixel: float
    n_sources: int


@dataclass(frozen=True, slots=True)
class TiedField:
    """Exposures, sorted by identity, with all that measured shifts connect them with, and these pairs."""

    exposures: tuple[TiedExposure, ...]
    pairs: tuple[TiedPair, ...]

    @property
    def pixel(self) -> list[float]:
        """Of each exposure the size of its pixels, as its pairs have it, arcsec; 0 where it has no pair."""
        sizes = [0.0] * len(self.exposures)
        for pair in self.pairs:
            for side in (pair.first, pair.second):
                sizes[side] = min(sizes[side] or pair.pixel, pair.pixel)
        return sizes


@dataclass(frozen=True, slots=True)
class Place:
    """Where an exposure lies: arcsec to the east and north of where its group has it; `group` and `rank` as solved."""

    dx: float
    dy: float
    error: float
    group: int
    rank: int


def load_tied(connection: sa.Connection, exposures: Iterable[int]) -> TiedField:
    """These exposures (keys) that layers may be made of, and all that measured shifts connect them with."""
    rows: dict[tuple[int, int], Any] = {}
    known, new = set[int](), set(exposures)
    while new:
        known |= new
        found = {(row.first_id, row.second_id): row for row in load_measured(connection, new)}
        rows |= found
        new = set(chain.from_iterable(found)) - known
    e = t.exposure.c
    query = sa.select(e.id, e.ipppssoo, e.ra, e.dec, e.pixels, e.wcs_digest).where(is_usable(e))
    usable = [row for ids in chunks(known) for row in connection.execute(query.where(e.id.in_(ids)))]
    usable.sort(key=lambda row: row.ipppssoo)
    bases = load_base(connection, [row.id for row in usable])
    tied = tuple(TiedExposure(*row, bases[row.id]) for row in usable)
    number = {one.key: place for place, one in enumerate(tied)}
    pairs = []
    for (first, second), row in sorted(rows.items()):
        dx, dy = as_used(row, bases[first].text, bases[second].text)
        pairs.append(
            TiedPair(number[first], number[second], row.ra, row.dec, dx, dy, row.error, row.pixel, row.n_sources)
        )
    return TiedField(tied, tuple(pairs))


def placed_exposures(connection: sa.Connection) -> list[int]:
    """The keys of the exposures whose place was solved for."""
    e, p = t.exposure.c, t.placement.c
    query = sa.select(e.id).join(t.placement, sa.and_(p.ipppssoo == e.ipppssoo, p.n_pairs > 0))
    return list(connection.scalars(query.order_by(e.id)))


def record_places(connection: sa.Connection, field: TiedField, places: Sequence[Place], policy: Policy) -> bool:
    """Record where the exposures of a field lie; return whether layers have changed by it.

    Under the policy `align` they follow with their positions, under `agree` with their members.
    """
    before = _load_rows(connection, [one.ipppssoo for one in field.exposures])
    time, changed, rows = time_in(connection), [], []
    for one, solved in zip(field.exposures, _describe(field, places), strict=True):
        row = before.get(one.ipppssoo)
        values = solved | _move(row, solved)
        if row is None or any(getattr(row, name) != value for name, value in values.items()):
            changed.append(one.key)
            rows.append(values | {"made_at": time})
    upsert(connection, t.placement, ("ipppssoo",), rows)
    layers = 0
    if changed and policy.frames == "align":
        moved = use_alternates(connection, changed)
        layers = refresh_layers(connection, keys_of_exposures(connection, moved), policy)
    elif changed and policy.frames == "agree":
        layers = refresh_layers(connection, keys_of_exposures(connection, changed), policy)
    write_left(connection, [one.key for one in field.exposures])
    return layers > 0


def _describe(field: TiedField, places: Sequence[Place]) -> list[dict[str, Any]]:
    """The columns of each exposure's row, but for what earlier solutions decide."""
    n_pairs, n_sources, n_group = Counter[int](), Counter[int](), Counter(place.group for place in places)
    for pair in field.pairs:
        for side in (pair.first, pair.second):
            n_pairs[side] += 1
            n_sources[side] += pair.n_sources
    frames: dict[int, Counter[str]] = {}
    for one, place in zip(field.exposures, places, strict=True):
        if one.rank == place.rank < WORST_RANK:
            frames.setdefault(place.group, Counter())[str(one.base.frame)] += 1
    tied = {group: min(counts, key=lambda frame: (-counts[frame], frame)) for group, counts in frames.items()}
    return [
        {
            "ipppssoo": one.ipppssoo, "pixels": one.pixels, "wcs_digest": one.wcs_digest,
            "base_wcs": digest_realigned(one.wcs_digest, one.base.text), "ra": one.ra, "dec": one.dec,
            "dx": round(place.dx, _DECIMALS), "dy": round(place.dy, _DECIMALS), "error": round(place.error, _DECIMALS),
            "pixel": pixel, "n_pairs": n_pairs[number], "n_sources": n_sources[number],
            "shift_group": field.exposures[place.group].ipppssoo, "n_group": n_group[place.group],
            "tied_to": tied.get(place.group, MAJORITY),
        }
        for number, (one, place, pixel) in enumerate(zip(field.exposures, places, field.pixel, strict=True))
    ]  # fmt: skip


def _move(before: Any, values: dict[str, Any]) -> dict[str, float]:
    """What `align` adds to positions: as it was (0 at first), unless the solution lies farther off than `KEPT`."""
    same = before is not None and (before.wcs_digest, before.base_wcs) == (values["wcs_digest"], values["base_wcs"])
    kept = (before.move_dx, before.move_dy) if same else (0.0, 0.0)
    off = ((values["dx"] + kept[0]) ** 2 + (values["dy"] + kept[1]) ** 2) ** 0.5
    if off > KEPT * values["pixel"]:
        kept = (0.0 - values["dx"], 0.0 - values["dy"])
    return {"move_dx": kept[0], "move_dy": kept[1]}


def _load_rows(connection: sa.Connection, names: Iterable[str]) -> dict[str, Any]:
    query, column = sa.select(t.placement), t.placement.c.ipppssoo
    return {row.ipppssoo: row for some in chunks(names) for row in connection.execute(query.where(column.in_(some)))}
