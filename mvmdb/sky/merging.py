"""Polygons of the sky that overlap, made into fewer that cover the same: for what costs as much as their borders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges
from mvmdb.sky.sphere import FloatArray, deproject, project, sky_to_vector, tangent_frame, vector_to_sky

_SIDE = 0.1  # degrees of a square whose polygons are united: a field of a camera
_FEWEST = 3  # polygons of a square; fewer are not worth the work
_VERTICES = 60  # of a polygon at most: what asks whether a point is in it takes longer for more
_FARTHEST = 0.5  # cosine of the angle from the middle of a square to a vertex
_POLYGON = 3


def merge_polygons(footprints: Footprints) -> Iterator[FloatArray]:
    """Polygons (n, 2), ra and dec in degrees, that cover together what all chips of the footprints cover.

    Those of one small part of the sky are united in the plane that touches the sky there, where great circles are
    straight. Pieces are cut until they have no hole and at most 60 vertices. Polygons that cross themselves, or reach
    more than 60 degrees from the others, stay as they are. The pieces have no order.
    """
    if not len(footprints.owner):
        return
    start = footprints.polygon_start
    vertices = np.column_stack([footprints.ra, footprints.dec])
    vectors = sky_to_vector(footprints.ra, footprints.dec)
    middles = np.add.reduceat(vectors, start[:-1], axis=1)
    for chosen in _squares(*vector_to_sky(middles)):
        united = _unite(vectors, start, chosen, middles[:, chosen].sum(axis=1)) if len(chosen) >= _FEWEST else None
        yield from united if united is not None else [vertices[start[n] : start[n + 1]] for n in chosen.tolist()]


def _squares(ra: FloatArray, dec: FloatArray) -> Iterator[IntArray]:
    """The places of the polygons whose middles are in one square of the sky, square by square."""
    band = np.floor((dec + 90.0) / _SIDE).astype(np.int64)
    width = np.cos(np.deg2rad(np.minimum(np.abs(band * _SIDE - 90.0 + _SIDE / 2), 90.0)))
    key = band * (1 << 20) + np.floor(np.mod(ra, 360.0) * width / _SIDE).astype(np.int64)
    order = np.argsort(key, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(key[order])) + 1)


def _unite(vectors: FloatArray, start: IntArray, chosen: IntArray, middle: FloatArray) -> list[FloatArray] | None:
    """The pieces of the union of some polygons; None where there is none in a plane."""
    ra, dec = vector_to_sky(middle)
    frame = tangent_frame(float(ra), float(dec))
    sizes = start[chosen + 1] - start[chosen]
    corner = vectors[:, expand_ranges(start[chosen], sizes)]
    if (frame.centre @ corner).min() < _FARTHEST:
        return None
    rings = shapely.linearrings(
        np.column_stack(project(frame, corner)), indices=np.repeat(np.arange(len(chosen)), sizes)
    )
    shapes = shapely.polygons(rings)
    if not shapely.is_valid(shapes).all():
        return None
    try:
        pieces = [piece for part in shapely.get_parts(shapely.union_all(shapes)) for piece in _cut(part)]
    except shapely.GEOSException:
        return None
    found = []
    for piece in pieces:
        x, y = shapely.get_coordinates(piece)[:-1].T
        found.append(np.column_stack(vector_to_sky(deproject(frame, x, y))))
    return found


def _cut(polygon: shapely.Polygon) -> Iterator[shapely.Polygon]:
    """Parts of a polygon without holes and with few vertices: it is halved until they are so."""
    if shapely.get_type_id(polygon) != _POLYGON or shapely.is_empty(polygon):
        return  # a cut leaves points and lines where a polygon touches it
    if shapely.get_num_interior_rings(polygon) == 0 and shapely.get_num_coordinates(polygon) <= _VERTICES + 1:
        yield polygon
        return
    left, bottom, right, top = polygon.bounds
    if right - left > top - bottom:
        middle = (left + right) / 2.0
        halves = [(left, bottom, middle, top), (middle, bottom, right, top)]
    else:
        middle = (bottom + top) / 2.0
        halves = [(left, bottom, right, middle), (left, middle, right, top)]
    for half in halves:
        for part in shapely.get_parts(shapely.intersection(polygon, shapely.box(*half))):
            yield from _cut(part)
