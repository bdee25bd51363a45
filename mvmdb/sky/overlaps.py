"""Which exposures overlap: pairs, found in each sky cell, and the components that they connect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import shapely

from mvmdb.names import CELLS_PER_PROJECTION_CELL
from mvmdb.sky.depth import label_groups
from mvmdb.sky.footprints import Footprints
from mvmdb.sky.layer import GRID, Shapes, project_exposures
from mvmdb.sky.sphere import FloatArray

LEAST_AREA = 1.0
"""Fine pixels^2: edges that touch, and chips that graze each other, do not overlap."""


class Overlap(NamedTuple):
    """Two exposures that overlap, the first the lower, and the first sky cell (key) that both are in."""

    first: str
    second: str
    cell: int


def find_overlaps(cells: Mapping[int, Sequence[str]], regions: Mapping[str, str]) -> list[Overlap]:
    """The pairs of exposures that overlap, sorted.

    `cells` lists the exposures (ipppssoo) of each sky cell (key), `regions` has the `s_region` of each. Exposures
    overlap somewhere in a sky cell that both are in, so pairs are sought within cells: the cost is linear in the
    number of cells.
    """
    found: dict[tuple[str, str], int] = {}
    for cell in sorted(cells):
        names = sorted(cells[cell])
        shapes = project_exposures(
            cell // CELLS_PER_PROJECTION_CELL, Footprints.from_regions([regions[name] for name in names])
        )
        first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
        once = first < second
        first, second = first[once], second[once]
        shared = _shared_area(shapes[first], shapes[second]) >= LEAST_AREA
        for i, j in zip(first[shared].tolist(), second[shared].tolist(), strict=True):
            found.setdefault((names[i], names[j]), cell)
    return [Overlap(first, second, cell) for (first, second), cell in sorted(found.items())]


def _shared_area(first: Shapes, second: Shapes) -> FloatArray:
    """The area that the shapes of each pair share; where GEOS fails on one, all are snapped to a grid, as in layers."""
    try:
        return np.asarray(shapely.area(shapely.intersection(first, second)))
    except shapely.GEOSException:
        return np.asarray(shapely.area(shapely.intersection(first, second, grid_size=GRID)))


def find_components(names: Sequence[str], overlaps: Sequence[Overlap]) -> list[list[str]]:
    """The exposures in components of directly or indirectly overlapping ones; all are sorted."""
    ordered = sorted(names)
    number = {name: index for index, name in enumerate(ordered)}
    ends = np.array([(number[o.first], number[o.second]) for o in overlaps], dtype=np.int64).reshape(-1, 2)
    components: dict[int, list[str]] = {}
    labels = label_groups(len(ordered), ends[:, 0], ends[:, 1])
    for name, label in zip(ordered, labels.tolist(), strict=True):
        components.setdefault(label, []).append(name)
    return sorted(components.values())
