"""Who is in this pixel: the exposures and the layers that cover one position, with the pixels of the layers' mosaics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import sqlalchemy as sa

from mvmdb.catalog.ask.search.find import conditions_of
from mvmdb.catalog.ask.search.question import Question
from mvmdb.schema import tables as t
from mvmdb.schema.engine import among
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.position import find_cells_at
from mvmdb.sky.sphere import project, sky_to_vector, tangent_frame
from mvmdb.sky.tessellation import COARSE, STEP, sky_to_plane

EXPOSURE_COLUMNS = (
    "rootname", "instrument", "detector", "filter", "proposal_id", "target", "exptime", "expstart", "path",
)  # fmt: skip
LAYER_COLUMNS = {
    "layer": "name of the layer",
    "instrument": "acs, wfc3 or wfpc2",
    "detector": "wfc, hrc, sbc, uvis, ir or pc",
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
    query = sa.select(e.id, e.s_region, e.ipppssoo, *(e[name] for name in EXPOSURE_COLUMNS)).where(
        e.id.in_(near), *conditions_of(connection, question)
    )
    rows = connection.execute(query).all()
    inside = _contain([row[1] for row in rows], ra, dec)
    rows = [row for row, is_inside in zip(rows, inside, strict=True) if is_inside]
    return _with_layers(connection, rows, places)


def _contain(regions: Sequence[str], ra: float, dec: float) -> Sequence[bool]:
    """Which footprints contain a position: in the plane that touches the sky there, edges are straight."""
    footprints = Footprints.from_regions(regions)
    contain = np.zeros(len(regions), bool)
    if len(footprints.owner):
        x, y = project(tangent_frame(ra, dec), sky_to_vector(footprints.ra, footprints.dec))
        which = np.repeat(np.arange(len(footprints.owner)), np.diff(footprints.polygon_start))
        chips = shapely.polygons(shapely.linearrings(np.column_stack([x, y]), indices=which))
        contain[footprints.owner[shapely.intersects_xy(chips, 0.0, 0.0)]] = True
    return list(contain.tolist())


def _with_layers(connection: sa.Connection, rows: Sequence[Any], places: Sequence[_Place]) -> AtPosition:
    y, m, p = t.layer.c, t.layer_member.c, t.product.c
    query = sa.select(m.layer_id, m.exposure_id).join(t.layer, y.id == m.layer_id)
    query = query.where(
        among(connection, m.exposure_id, [row.id for row in rows]), y.skycell_id.in_([place.cell for place in places])
    )
    members: dict[int, list[int]] = defaultdict(list)
    for layer, exposure in connection.execute(query):
        members[layer].append(exposure)
    folder = sa.select(t.archive.c.value).where(t.archive.c.key == "products").scalar_subquery()
    exists = sa.and_(p.layer_id == y.id, p.state != "missing")
    canvas = [sa.func.coalesce(p[name], t.skycell.c[name]).label(name) for name in ("x_min", "y_min")]
    query = sa.select(
        y.id, y.name, y.skycell_id, y.instrument, y.detector, y.filter, y.scale, y.stale, *canvas,
        (folder + "/" + p.skycell + "/" + p.filename).label("path"),
    ).select_from(t.layer.join(t.skycell).outerjoin(t.product, exists))  # fmt: skip
    layers = connection.execute(query.where(among(connection, y.id, list(members))).order_by(y.name)).all()
    held = {exposure for layer in members.values() for exposure in layer}
    rows = sorted((row for row in rows if row.id in held), key=lambda row: str(row.ipppssoo))
    place_of = {row.id: number for number, row in enumerate(rows)}
    exptime = {row.id: row.exptime for row in rows}
    positions = {place.cell: place for place in places}
    answer, pairs = [], []
    for number, layer in enumerate(layers):
        own = sorted(members[layer.id], key=place_of.__getitem__)
        pairs += [(number, place_of[exposure]) for exposure in own]
        answer.append(
            (
                layer.name, layer.instrument, layer.detector, layer.filter, layer.scale, len(own),
                sum(exptime[exposure] for exposure in own), *_pixel(positions[layer.skycell_id], layer),
                bool(layer.stale), layer.path,
            )  # fmt: skip
        )
    return AtPosition(tuple(tuple(row[3:]) for row in rows), tuple(answer), tuple(pairs))


def _pixel(place: _Place, layer: Any) -> tuple[float, float]:
    """(x, y), from 1, of a position in the pixels of a layer's mosaic; a coarse pixel c has its centre at fine 3 c."""
    first = (layer.x_min, layer.y_min)
    if layer.scale == "fine":
        return tuple(round(value - low + 1, 3) for value, low in zip((place.x, place.y), first, strict=True))  # type: ignore[return-value]
    lows = [max(1, (low + 1) // COARSE) for low in first]
    x, y = (value / COARSE - low + 1 for value, low in zip((place.x, place.y), lows, strict=True))
    return round(x, 3), round(y, 3)
