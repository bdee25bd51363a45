"""Geometry of one layer: how much of its sky cell the members cover, how deep, and which of them overlap each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mvmdb.names import CellId
from mvmdb.recipes import PIXEL_SCALE
from mvmdb.sky.depth import connect, measure_depth
from mvmdb.sky.region import parse_region
from mvmdb.sky.tessellation import CELL_SIZE, STEP, sky_to_plane

ARCMIN2_PER_PIXEL = (PIXEL_SCALE["fine"] / 60) ** 2
"""Area of a fine pixel at the tangent point, square arcmin; on the sky it is at most 0.4% smaller."""

PlanePolygons = list[NDArray[np.float64]]


def project_region(projection_cell: int, s_region: str) -> PlanePolygons:
    """The polygons of a region, (n, 2) fine pixels each, in a projection cell's tangent plane."""
    polygons = []
    for polygon in parse_region(s_region):
        x, y = sky_to_plane(projection_cell, polygon[:, 0], polygon[:, 1])
        polygons.append(np.column_stack([x, y]))
    return polygons


def measure_layer(cell: CellId, regions: Mapping[str, str]) -> tuple[float, float, dict[str, str]]:
    """(area in square arcmin, mean exposures over it, first member of each member's group) of a layer.

    `regions` maps members to their `s_region`. Area and mean count what lies within the cell; groups are of whole
    footprints, since the skies of exposures are matched over all of their overlap.
    """
    names = sorted(regions)
    polygons: Sequence[PlanePolygons] = [project_region(cell.projection_cell, regions[name]) for name in names]
    left, bottom = (cell.x - 1) * STEP + 0.5, (cell.y - 1) * STEP + 0.5
    depth = measure_depth(polygons, (left, bottom, left + CELL_SIZE, bottom + CELL_SIZE))
    firsts: dict[int, str] = {}
    groups = {}
    for name, component in zip(names, connect(polygons).tolist(), strict=True):
        groups[name] = firsts.setdefault(component, name)
    return depth.area * ARCMIN2_PER_PIXEL, depth.mean, groups
