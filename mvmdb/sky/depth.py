"""How much of a rectangle a layer's footprints cover, how deep, and which hang together; the sphere plays no part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.sky.sphere import FloatArray

_AREA_IN_COMMON = "2********"  # DE-9IM: the interiors meet in an area, where a shared edge would give 1 and a corner 0


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
    exposures = shapely.intersection(_join_chips(polygons_xy), shapely.box(*box))
    return Depth(area=float(shapely.area(shapely.union_all(exposures))), total=float(shapely.area(exposures).sum()))


def connect(polygons_xy: Sequence[Sequence[FloatArray]]) -> NDArray[np.int64]:
    """The number, from 0 in order of first appearance, of the group of connected exposures that each exposure is in.

    Exposures are connected when any of their chips (see `measure_depth`) overlap with non-zero area, directly or
    through others.
    """
    exposures = _join_chips(polygons_xy)
    first, second = shapely.STRtree(exposures).query(exposures, predicate="intersects")
    pairs = first < second
    first, second = first[pairs], second[pairs]
    overlap = shapely.relate_pattern(exposures[first], exposures[second], _AREA_IN_COMMON)
    return _label_groups(len(exposures), first[overlap], second[overlap])


def _join_chips(polygons_xy: Sequence[Sequence[FloatArray]]) -> NDArray[np.object_]:
    """One sound polygonal geometry an exposure."""
    exposures = np.empty(len(polygons_xy), dtype=object)
    for i, chips in enumerate(polygons_xy):
        sound = shapely.make_valid([shapely.Polygon(chip) for chip in chips])
        solid = [part for part in shapely.get_parts(shapely.get_parts(sound)) if shapely.get_dimensions(part) == 2]
        exposures[i] = shapely.union_all(solid)
    return exposures


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
