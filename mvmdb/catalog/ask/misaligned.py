"""Which layers have members that do not lie together, in short: how many they are, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.ask.mixing import WORST, made_in
from mvmdb.catalog.rows import chunks
from mvmdb.catalog.settings import FRAMES, read_settings
from mvmdb.catalog.shifts.pairs import is_valid
from mvmdb.frames import preference
from mvmdb.layers.agreement import divide_by_place
from mvmdb.schema import tables as t
from mvmdb.sky.layer import sky_per_plane
from mvmdb.sky.mixing import measure_mixed_areas


@dataclass(frozen=True, slots=True)
class ApartMember:
    """A member that lies elsewhere than most of its layer: by how many milliarcsec and pixels, and its frame."""

    exposure: str
    mas: float
    pixels: float
    frame: str | None


@dataclass(frozen=True, slots=True)
class MisalignedLayer:
    """A layer, its members that lie `apart` from most, and the area (square arcmin) in which these overlap others.

    `frames`: the numbers of all members by frame. `apart_pixels`: the largest shift of two members, in pixels.
    """

    layer: str
    skycell: str
    frames: str
    apart_pixels: float
    apart: tuple[ApartMember, ...] = ()
    apart_arcmin2: float = 0.0


@dataclass(frozen=True, slots=True)
class Misalignment:
    """How many `layers` have members that lie apart, and the `worst`, those of the largest shifts.

    The worst are of the fine scale; layers of the coarse scale have the same members.
    """

    layers: int
    worst: tuple[MisalignedLayer, ...]

    def as_values(self) -> dict[str, Any]:
        """As plain values: `misaligned_layers`, and `farthest` with a mapping for each."""
        return {"misaligned_layers": self.layers, "farthest": [asdict(one) for one in self.worst]}


def summarize_misalignment(connection: sa.Connection, cells: Sequence[int] | None = None) -> Misalignment:
    """The misalignment in these sky cells (keys), or in all. An index holds pairs that lie apart alone."""
    if cells is None:
        return _summarize(connection, [])
    parts = [_summarize(connection, [t.layer.c.skycell_id.in_(chunk)]) for chunk in chunks(cells)]
    worst = sorted((one for part in parts for one in part.worst), key=lambda one: (-one.apart_pixels, one.layer))
    return Misalignment(sum(part.layers for part in parts), tuple(worst[:WORST]))


def summarize_misaligned_made(connection: sa.Connection, run: int) -> Misalignment:
    """The misalignment in the layers whose mosaics a run made."""
    return _summarize(connection, [made_in(run)])


def describe_misaligned(connection: sa.Connection, layer: str) -> MisalignedLayer | None:
    """The misalignment of one layer, of either scale; None if its members agree as far as is known."""
    rows = _load_layers(connection, [t.layer.c.name == layer])
    return None if not rows else _describe(connection, rows[0])


def _pairs_of_layers() -> sa.FromClause:
    """The pairs that lie apart, with each layer that has both for members."""
    pair, first, second = t.shift_pair, t.exposure.alias("first"), t.exposure.alias("second")
    one, other = t.layer_member.alias("one"), t.layer_member.alias("other")
    both = sa.and_(other.c.exposure_id == pair.c.second_id, other.c.layer_id == one.c.layer_id)
    return (
        pair.join(first, first.c.id == pair.c.first_id)
        .join(second, sa.and_(second.c.id == pair.c.second_id, is_valid(pair.c, first.c, second.c)))
        .join(one, one.c.exposure_id == pair.c.first_id)
        .join(other, both)
        .join(t.layer, t.layer.c.id == one.c.layer_id)
        .join(t.skycell, t.skycell.c.id == t.layer.c.skycell_id)
    )


def _summarize(connection: sa.Connection, conditions: Sequence[Any]) -> Misalignment:
    query = sa.select(sa.func.count(sa.distinct(t.layer.c.id))).select_from(_pairs_of_layers())
    n = connection.scalar(query.where(t.APART, *conditions)) or 0
    if not n:
        return Misalignment(0, ())
    rows = _load_layers(connection, [*conditions, t.layer.c.scale == "fine"])
    return Misalignment(n, tuple(_describe(connection, row) for row in rows))


def _load_layers(connection: sa.Connection, conditions: Iterable[Any]) -> list[Any]:
    layer, most = t.layer.c, sa.func.max(t.shift_pair.c.left_pixels)
    columns = (layer.id, layer.name, layer.skycell_id, layer.frames, *(layer[name] for name in _BOX))
    query = (
        sa.select(*columns, t.skycell.c.name.label("skycell"), most.label("apart_pixels"))
        .select_from(_pairs_of_layers())
        .where(t.APART, *conditions)
        .group_by(*columns, t.skycell.c.name)
        .order_by(most.desc(), layer.name)
        .limit(WORST)
    )
    return list(connection.execute(query))


_BOX = ("x_min", "x_max", "y_min", "y_max")


def _describe(connection: sa.Connection, row: Any) -> MisalignedLayer:
    described = MisalignedLayer(row.name, row.skycell, row.frames or "", row.apart_pixels)
    members = _load_members(connection, row.id)
    groups: dict[str, list[Any]] = {}
    for member in members:
        groups.setdefault(member.shift_group, []).append(member)
    apart: list[ApartMember] = []
    area = 0.0
    for some in groups.values():
        place = np.array([complex(one.dx, one.dy) for one in some])
        pixel = np.array([one.pixel for one in some])
        rank = np.array([99 if one.frame is None else preference(one.frame)[0] for one in some])
        sets = divide_by_place(place, pixel, rank)
        off = np.abs(place - place[sets == 0].mean())
        for number in np.flatnonzero(sets > 0).tolist():
            mas, pixels = 1000 * off[number], off[number] / pixel[number]
            one = some[number]
            apart.append(ApartMember(one.ipppssoo, round(float(mas), 1), round(float(pixels), 2), one.frame))
        if sets.any():
            area += _measure_area(row, [one.s_region for one in some], sets)
    apart.sort(key=lambda one: (-one.pixels, one.exposure))
    return replace(described, apart=tuple(apart), apart_arcmin2=round(area, 6))


def _measure_area(row: Any, regions: Sequence[str], sets: Any) -> float:
    """The area on the sky in which exposures of different sets overlap within the layer's cell, square arcmin."""
    cell, n = np.array([row.skycell_id]), len(regions)
    area = measure_mixed_areas(cell, np.array([0, n]), np.arange(n), np.asarray(sets, dtype=np.int64), regions)
    box = np.array([[getattr(row, name) for name in _BOX]], dtype=np.int64)
    return float(area[0] * sky_per_plane(cell, box)[0])


def _load_members(connection: sa.Connection, layer: int) -> list[Any]:
    """The members of a layer whose places are known, with these as layers use them."""
    e, m, p = t.exposure.c, t.layer_member.c, t.placement.c
    moved = read_settings(connection).get(FRAMES) == "align"
    place = (p.dx + p.move_dx, p.dy + p.move_dy) if moved else (p.dx, p.dy)
    joined = sa.and_(p.ipppssoo == e.ipppssoo, p.wcs_digest == e.wcs_digest, p.n_pairs > 0)
    query = (
        sa.select(e.ipppssoo, e.frame, e.s_region, p.shift_group, p.pixel, place[0].label("dx"), place[1].label("dy"))
        .select_from(t.layer_member.join(t.exposure, m.exposure_id == e.id).join(t.placement, joined))
        .where(m.layer_id == layer)
        .order_by(e.ipppssoo)
    )
    return list(connection.execute(query))
