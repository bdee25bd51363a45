"""How much of a rectangle a layer's footprints cover, how deep, and which hang together; the sphere plays no part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.sky.sphere import FloatArray


@dataclass(frozen=True, slots=True)
class Depth:
    """`area`: covered by one exposure or more; `total`: summed over the exposures. Both in pixels^2, within the box."""

    area: float
    total: float

    @property
    def mean(self) -> float:
        """The mean number of exposures over the covered area; 0 where nothing is covered."""
        return self.total / self.area if self.area > 0.0 else 0.0


def measure_depth(polygons_xy: Sequence[Sequence[FloatArray]], box: tuple[float, float, float, float]) -> Depth:
    """The depth of a layer within `box` (x_min, y_min, x_max, y_max).

    `polygons_xy` holds, for each exposure, its chips' outlines (n, 2) in the box's plane. What two chips of one
    exposure share counts once. Outlines that cross themselves cover what an odd number of their windings cover.
    """
    exposures = _join_lists(polygons_xy)
    shapes = np.append(exposures, shapely.union_all(exposures))
    areas = areas_within(shapes, np.tile(np.array(box, dtype=float), (len(shapes), 1)))
    return Depth(float(areas[-1]), float(areas[:-1].sum()))


def connect(polygons_xy: Sequence[Sequence[FloatArray]]) -> NDArray[np.int64]:
    """The number, from 0 in order of first appearance, of the group of connected exposures that each exposure is in.

    Exposures are connected when any of their chips (see `measure_depth`) overlap or share an edge, directly or through
    others.
    """
    exposures = _join_lists(polygons_xy)
    return groups_of(exposures, shapely.union_all(exposures))


def join_chips(
    vertices: FloatArray, polygon_start: NDArray[np.int64], owner: NDArray[np.int64], n: int
) -> NDArray[np.object_]:
    """One sound polygonal geometry for each of `n` exposures, from flat arrays laid out as in Footprints, (n, 2)."""
    rings = shapely.linearrings(vertices, indices=np.repeat(np.arange(len(owner)), np.diff(polygon_start)))
    exposures = np.empty(n, dtype=object)
    exposures[:] = shapely.MultiPolygon()
    if len(owner):
        held = np.unique(owner)
        exposures[held] = shapely.multipolygons(shapely.polygons(rings), indices=np.searchsorted(held, owner))
    for at in np.flatnonzero(~shapely.is_valid(exposures)):  # chips that cross themselves or each other
        exposures[at] = _mend(shapely.get_parts(exposures[at]))
    return exposures


def areas_within(shapes: NDArray[np.object_], boxes: FloatArray) -> FloatArray:
    """The area of each shape inside its box; `boxes` is (n, 4): x_min, y_min, x_max, y_max."""
    bounds = shapely.bounds(shapes)
    cut = ((bounds[:, :2] < boxes[:, :2]) | (bounds[:, 2:] > boxes[:, 2:])).any(axis=1)
    inside = shapes.copy()
    inside[cut] = shapely.intersection(shapes[cut], shapely.box(*boxes[cut].T))
    areas: FloatArray = shapely.area(inside)
    return areas


def groups_of(exposures: NDArray[np.object_], union: shapely.Geometry) -> NDArray[np.int64]:
    """As `connect`, of exposures as `join_chips` makes them, whose union is `union`.

    The pieces of the union tell: chips of one piece hang together, and so do the pieces that one exposure has chips in.
    """
    pieces = shapely.get_parts(union)
    if len(pieces) == 1:
        return np.zeros(len(exposures), dtype=np.int64)
    chips, owner = shapely.get_parts(exposures, return_index=True)
    chip, piece = shapely.STRtree(pieces).query(shapely.point_on_surface(chips), predicate="intersects")
    n = len(exposures)
    label = _label_groups(n + len(pieces), owner[chip], n + piece)
    return np.asarray(np.unique(label[:n], return_inverse=True)[1], dtype=np.int64)


def _join_lists(polygons_xy: Sequence[Sequence[FloatArray]]) -> NDArray[np.object_]:
    polygons = [polygon for chips in polygons_xy for polygon in chips]
    start = np.cumsum([0, *(len(polygon) for polygon in polygons)])
    owner = np.repeat(np.arange(len(polygons_xy)), [len(chips) for chips in polygons_xy])
    return join_chips(np.concatenate([np.empty((0, 2)), *polygons]), start, owner, len(polygons_xy))


def _mend(chips: NDArray[np.object_]) -> shapely.Geometry:
    sound = shapely.make_valid(chips)
    solid = [part for part in shapely.get_parts(shapely.get_parts(sound)) if shapely.get_dimensions(part) == 2]
    return shapely.union_all(solid)


def _label_groups(n: int, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the connected components of a graph of n nodes: every node takes the lowest label it can reach."""
    label = np.arange(n)
    while True:
        lowest = np.minimum(label[first], label[second])
        settled = label.copy()
        np.minimum.at(settled, label[first], lowest)  # the label's owner learns it too, so chains halve at each turn
        np.minimum.at(settled, label[second], lowest)
        settled = settled[settled]
        if np.array_equal(settled, label):
            break
        label = settled
    return np.asarray(np.unique(label, return_inverse=True)[1], dtype=np.int64)
