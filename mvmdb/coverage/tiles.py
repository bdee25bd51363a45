"""Divides footprints among tiles of the sky, in whose planes great circles are straight; nothing is measured here.

The six faces of a cube around the sphere, seen from its centre, are gnomonic planes; lines across a face at equal
angles are great circles and divide it into tiles. So the tiles meet without gap or overlap, at the poles and at RA 0 as
anywhere, and a footprint that crosses a border is cut exactly. Projection cells would not do: they overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.sky.depth import join_chips
from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges
from mvmdb.sky.sphere import FloatArray, project, sky_to_vector, tangent_frame

TILES = 64
"""Tiles along the side of a face: 1.4 degrees each."""
_FACES = ((0.0, 0.0), (90.0, 0.0), (180.0, 0.0), (270.0, 0.0), (0.0, 90.0), (0.0, -90.0))
_BORDERS = np.tan(np.deg2rad(np.linspace(-45.0, 45.0, TILES + 1)))
_BORDERS[TILES // 2] = 0.0
_POLYGON = 3


@dataclass(frozen=True, slots=True)
class Edges:
    """m edges of pieces of footprints, in the plane of their tile's face (radians).

    Each goes from (x0, y0) up to (x1, y1), or to greater x. `step` is 1 where the footprint is on its right, at greater
    x, else -1. `exposure` is its place in the Footprints, `tile` the number of the tile.
    """

    x0: FloatArray
    y0: FloatArray
    x1: FloatArray
    y1: FloatArray
    step: NDArray[np.int8]
    exposure: IntArray
    tile: IntArray

    def select(self, chosen: IntArray | NDArray[np.bool_]) -> Edges:
        """Some of the edges, by their places or by a mask."""
        return Edges(*(getattr(self, name)[chosen] for name in self.__slots__))


def divide(footprints: Footprints) -> Iterator[Edges]:
    """The edges of all footprints, cut at the borders of tiles, for one face of the cube after another.

    Chips of one exposure that overlap are one outline. Each tile is in one face, so that only one face's edges need be
    in memory. A footprint may reach at most a few degrees from its centre.
    """
    for shapes, exposure, tile in _cut(footprints):
        yield _edges_of(shapes, exposure, tile)


def _cut(footprints: Footprints) -> Iterator[tuple[NDArray[np.object_], IntArray, IntArray]]:
    """For each face of the cube: pieces of footprints, their exposures, and their tiles."""
    centers = footprints.centers()
    length = np.sqrt((centers**2).sum(axis=0))
    has = length > 0
    centers = centers / np.where(has, length, 1.0)
    vectors = sky_to_vector(footprints.ra, footprints.dec)
    owner = np.repeat(footprints.owner, np.diff(footprints.polygon_start))
    chord = np.zeros(footprints.n)
    np.maximum.at(chord, owner, np.sqrt(((vectors - centers[:, owner]) ** 2).sum(axis=0)))
    sizes = np.diff(footprints.polygon_start)
    for number, (ra, dec) in enumerate(_FACES):
        frame = tangent_frame(ra, dec)
        xi, eta = project(frame, centers)
        near = has & (frame.centre @ centers > 0.3)
        near &= np.maximum(np.abs(xi), np.abs(eta)) < 1.0 + 10.0 * chord
        chosen = np.flatnonzero(near)
        if not len(chosen):
            yield np.empty(0, object), chosen, chosen
            continue
        polygons = np.flatnonzero(near[footprints.owner])
        vertices = expand_ranges(footprints.polygon_start[polygons], sizes[polygons])
        x, y = project(frame, vectors[:, vertices])
        start = np.concatenate([[0], np.cumsum(sizes[polygons])])
        place = np.searchsorted(chosen, footprints.owner[polygons])
        shapes = join_chips(np.column_stack([x, y]), start, place, len(chosen))
        yield _cut_face(shapes, chosen, number)


def _cut_face(
    shapes: NDArray[np.object_], exposure: IntArray, face: int
) -> tuple[NDArray[np.object_], IntArray, IntArray]:
    bounds = shapely.bounds(shapes)
    first = np.searchsorted(_BORDERS, bounds[:, :2], side="right") - 1
    last = np.searchsorted(_BORDERS, bounds[:, 2:], side="left") - 1
    crosses = (first != last).any(axis=1) | (first < 0).any(axis=1) | (last >= TILES).any(axis=1)
    whole = ~crosses
    low, high = np.clip(first[crosses], 0, TILES), np.clip(last[crosses], -1, TILES - 1)
    columns, rows = np.maximum(high - low + 1, 0).T
    counts = columns * rows
    which = np.repeat(np.arange(len(counts)), counts)
    number = expand_ranges(np.zeros(len(counts), np.int64), counts)
    x, y = low[which, 0] + number % columns[which], low[which, 1] + number // columns[which]
    boxes = shapely.box(_BORDERS[x], _BORDERS[y], _BORDERS[x + 1], _BORDERS[y + 1])
    crossing = np.flatnonzero(crosses)[which]
    cut = shapely.intersection(shapes[crossing], boxes)
    pieces = np.concatenate([shapes[whole], cut])
    owners = np.concatenate([exposure[whole], exposure[crossing]])
    x, y = np.concatenate([first[whole, 0], x]), np.concatenate([first[whole, 1], y])
    return pieces, owners, (face * TILES + y) * TILES + x


def _edges_of(pieces: NDArray[np.object_], exposure: IntArray, tile: IntArray) -> Edges:
    parts, piece = shapely.get_parts(pieces, return_index=True)
    solid = shapely.get_type_id(parts) == _POLYGON  # a cut leaves points and lines where a footprint touches a border
    parts, piece = parts[solid], piece[solid]
    rings, part = shapely.get_rings(parts, return_index=True)
    is_hole = np.diff(part, prepend=-1) == 0
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = np.diff(ring) == 0
    (x0, y0), (x1, y1), ring = points[:-1][same].T, points[1:][same].T, ring[1:][same]
    left, bottom = shapely.bounds(rings)[:, :2].T  # near the ring: products of far points would lose digits
    cross = (x0 - left[ring]) * (y1 - bottom[ring]) - (x1 - left[ring]) * (y0 - bottom[ring])
    turn = np.sign(np.bincount(ring, weights=cross, minlength=len(rings))) * np.where(is_hole, -1, 1)
    of = piece[part[ring]]
    up = (y1 > y0) | ((y1 == y0) & (x1 > x0))
    step = np.where(up, -turn[ring], turn[ring])
    edges = Edges(
        np.where(up, x0, x1), np.minimum(y0, y1), np.where(up, x1, x0), np.maximum(y0, y1), step.astype(np.int8),
        exposure[of], tile[of],
    )  # fmt: skip
    return edges.select((step != 0) & ((x0 != x1) | (y0 != y1)))
