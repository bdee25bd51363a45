"""How much of a square footprints cover, and which of them hang together; the sphere plays no part."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.components import label_components
from mvmdb.sky.sphere import FloatArray


def join_chips(
    vertices: FloatArray, polygon_start: NDArray[np.int64], owner: NDArray[np.int64], n: int
) -> NDArray[np.object_]:
    """One sound polygonal geometry for each of `n` exposures, from flat arrays laid out as in Footprints, (n, 2)."""
    rings = shapely.linearrings(vertices, indices=np.repeat(np.arange(len(owner)), np.diff(polygon_start)))
    exposures = np.empty(n, dtype=object)
    exposures[:] = shapely.MultiPolygon()
    if len(owner):
        owners = np.unique(owner)
        exposures[owners] = shapely.multipolygons(shapely.polygons(rings), indices=np.searchsorted(owners, owner))
    for index in np.flatnonzero(~shapely.is_valid(exposures)):  # chips that cross themselves or each other
        exposures[index] = _mend(shapely.get_parts(exposures[index]))
    return exposures


def areas_within(shapes: NDArray[np.object_], low: FloatArray, size: float) -> FloatArray:
    """The area of each shape inside its square of side `size`; `low` is (n, 2): x_min, y_min."""
    bounds = shapely.bounds(shapes)
    cut = ((bounds[:, :2] < low) | (bounds[:, 2:] > low + size)).any(axis=1)
    areas: FloatArray = shapely.area(shapes)
    squares, member = np.unique(low[cut], axis=0, return_inverse=True)
    order = np.argsort(member.ravel(), kind="stable")
    counts = np.bincount(member.ravel(), minlength=len(squares))
    ends = np.cumsum(counts)
    rows = np.flatnonzero(cut)[order]
    for (x, y), first, last in zip(squares.tolist(), ends - counts, ends, strict=True):
        rows_of_square = rows[first:last]  # clipping takes half the time of an intersection
        areas[rows_of_square] = shapely.area(shapely.clip_by_rect(shapes[rows_of_square], x, y, x + size, y + size))
    return areas


def groups_of(exposures: NDArray[np.object_], union: shapely.Geometry) -> NDArray[np.int64]:
    """The number, from 0 in order of first appearance, of the group of connected exposures that each exposure is in.

    Exposures, as `join_chips` makes them, are connected when any of their chips overlap or share an edge, directly or
    through others; one without chips is a group by itself. The pieces of their `union` tell: chips of one piece hang
    together, and so do the pieces that one exposure has chips in.
    """
    pieces = shapely.get_parts(union)
    if len(pieces) == 1 and not shapely.is_empty(exposures).any():
        return np.zeros(len(exposures), dtype=np.int64)
    chips, owner = shapely.get_parts(exposures, return_index=True)
    chip, piece = shapely.STRtree(pieces).query(shapely.point_on_surface(chips), predicate="intersects")
    n = len(exposures)
    return label_components(n + len(pieces), owner[chip], n + piece)[:n]


def _mend(chips: NDArray[np.object_]) -> shapely.Geometry:
    sound = shapely.make_valid(chips)
    solid = [polygon for polygon in shapely.get_parts(shapely.get_parts(sound)) if shapely.get_dimensions(polygon) == 2]
    return shapely.union_all(solid)
