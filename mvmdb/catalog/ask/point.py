"""Who is in this pixel: the exposures and the layers that cover one position, and where it is in the mosaics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sqlalchemy as sa

from mvmdb.catalog.ask.search.find import conditions_of
from mvmdb.catalog.ask.search.question import Question
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among, bulk_select
from mvmdb.sky.containing import contain_point
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.position import find_cells_at
from mvmdb.sky.tessellation import COARSE, STEP, sky_to_plane

EXPOSURE_COLUMNS = (
    "rootname", "instrument", "detector", "filter", "proposal_id", "target", "exptime", "expstart", "path",
)  # fmt: skip
LAYER_COLUMNS = {
    "layer": "name of the layer",
    "instrument": "instrument, as in names of layers",
    "detector": "detector, as in names of layers",
    "filter": "the layer's filter",
    "scale": "fine (0.04 arcsec/pixel) or coarse (0.12)",
    "n_exposures": "number of members at this position",
    "exptime": "summed exposure time at this position, seconds",
    "x": "column of the position in the layer's mosaic, from 1 at the centre of the first pixel",
    "y": "row of the position in the layer's mosaic, from 1 at the centre of the first pixel",
    "stale": "whether the mosaic is not as it should be",
    "path": "file of its mosaic; null where there is none",
}
"""The meanings of the columns of a layer at a position."""


@dataclass(frozen=True, slots=True)
class AtPosition:
    """What covers a position: rows of EXPOSURE_COLUMNS, of LAYER_COLUMNS, and pairs of their places.

    Exposures are sorted by name, layers too. `pairs`: (layer, exposure) for every member at the position.
    """

    exposures: tuple[tuple[Any, ...], ...]
    layers: tuple[tuple[Any, ...], ...]
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """A position in the fine pixels of a sky cell (key)."""

    cell: int
    x: float
    y: float

    def in_box(self, columns: Any) -> sa.ColumnElement[bool]:
        """Whether it is in the bounding box of columns x_min ... y_max, its borders included."""
        return sa.and_(
            columns.skycell_id == self.cell,
            columns.x_min <= self.x + 0.5, columns.x_max >= self.x - 0.5,
            columns.y_min <= self.y + 0.5, columns.y_max >= self.y - 0.5,
        )  # fmt: skip


def find_at(connection: sa.Connection, ra: float, dec: float, question: Question) -> AtPosition:
    """The members of layers whose footprint contains a position in degrees, its border included, and their layers.

    They meet the conditions of the question, which is one for exposures. The boxes of memberships say which footprints
    may contain the position, the footprints decide. Raises UsageError for a position that is not on the sky.
    """
    places = []
    for cell in find_cells_at(ra, dec):
        x, y = sky_to_plane(cell.projection_cell, ra, dec)
        places.append(_Place(cell.index, float(x) - (cell.x - 1) * STEP, float(y) - (cell.y - 1) * STEP))
    e, m = t.exposure.c, t.membership.c
    near = sa.select(m.exposure_id).where(sa.or_(*(place.in_box(m) for place in places)))
    query = _all_exposures().where(e.id.in_(near), *conditions_of(connection, question))
    rows = sorted(bulk_select(connection, query), key=lambda row: str(row[-1]))
    inside = contain_point(Footprints.from_regions([row[1] for row in rows]), ra, dec)
    return _with_layers(connection, [rows[number] for number in np.flatnonzero(inside).tolist()], places)


def _with_layers(connection: sa.Connection, rows: Sequence[Any], places: Sequence[_Place]) -> AtPosition:
    """The rows of exposures that a layer has as members, and these layers: one statement finds both."""
    exposures = {row[0]: row for row in rows}
    members: dict[Any, list[int]] = defaultdict(list)
    for exposure, *layer in bulk_select(connection, _members(connection, list(exposures), places)):
        members[tuple(layer)].append(exposure)
    held = {exposure for own in members.values() for exposure in own}
    listed = [row for row in rows if row[0] in held]
    place_of = {row[0]: number for number, row in enumerate(listed)}
    positions = {place.cell: place for place in places}
    seconds = EXPOSURE_COLUMNS.index("exptime") + 2
    answer, pairs = [], []
    for number, layer in enumerate(sorted(members, key=lambda layer: str(layer[0]))):
        name, cell, instrument, detector, filter_, scale, stale, x_min, y_min, path = layer
        own = sorted(members[layer], key=place_of.__getitem__)
        pairs += [(number, place_of[exposure]) for exposure in own]
        exptime = sum(exposures[exposure][seconds] for exposure in own)
        pixel = _pixel(positions[cell], scale, x_min, y_min)
        answer.append((name, instrument, detector, filter_, scale, len(own), exptime, *pixel, bool(stale), path))
    return AtPosition(tuple(tuple(row[2:-1]) for row in listed), tuple(answer), tuple(pairs))


def _members(connection: sa.Connection, exposures: Sequence[int], places: Sequence[_Place]) -> sa.Select[Any]:
    """Which layers in these sky cells have these exposures (keys) as members: rows of the exposure and the layer."""
    return _all_members().where(
        among(connection, t.layer_member.c.exposure_id, exposures),
        sa.or_(*(place.in_box(t.layer.c) for place in places)),
    )


@cache  # to join the tables in Python takes a tenth of the question
def _all_members() -> sa.Select[Any]:
    y, m, p = t.layer.c, t.layer_member.c, t.product.c
    folder = sa.select(t.archive.c.value).where(t.archive.c.key == "products").scalar_subquery()
    exists = sa.and_(p.layer_id == y.id, p.state != "missing")
    canvas = [sa.func.coalesce(p[name], t.skycell.c[name]) for name in ("x_min", "y_min")]
    return sa.select(
        m.exposure_id, y.name, y.skycell_id, y.instrument, y.detector, y.filter, y.scale, y.stale, *canvas,
        folder + "/" + p.skycell + "/" + p.filename,
    ).select_from(t.layer_member.join(t.layer).join(t.skycell).outerjoin(t.product, exists))  # fmt: skip


@cache
def _all_exposures() -> sa.Select[Any]:
    e = t.exposure.c
    return sa.select(e.id, e.s_region, *(e[name] for name in EXPOSURE_COLUMNS), e.ipppssoo)


def _pixel(place: _Place, scale: str, x_min: int, y_min: int) -> tuple[float, float]:
    """(x, y), from 1, of a position in the pixels of a layer's mosaic; a coarse pixel c has its centre at fine 3 c."""
    if scale == "fine":
        return round(place.x - x_min + 1, 3), round(place.y - y_min + 1, 3)
    lows = [max(1, (low + 1) // COARSE) for low in (x_min, y_min)]
    x, y = (value / COARSE - low + 1 for value, low in zip((place.x, place.y), lows, strict=True))
    return round(x, 3), round(y, 3)


def find_paths(connection: sa.Connection, exposures: Iterable[str]) -> dict[str, str]:
    """The paths of the active files of exposures (ipppssoo), of those that the catalog has."""
    x = t.exposure.c
    query = sa.select(x.ipppssoo, x.path).where(among(connection, x.ipppssoo, sorted(exposures)))
    return {name: path for name, path in connection.execute(query)}
