"""How much of its sky cell each layer covers with members of different frames: there, sources may be smeared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import shapely

from mvmdb.names import CELLS_PER_PROJECTION_CELL, CELLS_PER_SIDE
from mvmdb.sky.depth import areas_within
from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges
from mvmdb.sky.layer import ARCMIN2_PER_PIXEL, measure_areas, project_exposures, unite
from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import CELL_SIZE, STEP

DECIMALS = 6
"""Areas are rounded to a millionth of a square arcmin, two fine pixels: below, geometry says nothing."""


def measure_mixed_areas(
    cell: IntArray, start: IntArray, exposure: IntArray, frame: IntArray, regions: Sequence[str]
) -> FloatArray:
    """The area in square arcmin that members of two frames or more cover within the cell, of each of n layers.

    `cell`: (n,) `CellId.index`. `exposure[start[i] : start[i + 1]]`: the members of layer i, as places in `regions`,
    which holds their `s_region`; `frame` is parallel to `exposure`, with -1 for members that are left out.

    With two frames the area is that of either, less that of both together (inclusion and exclusion), which
    `measure_areas` finds for many layers at once; with more, GEOS intersects them.
    """
    areas = np.zeros(len(cell))
    layer = np.repeat(np.arange(len(cell)), np.diff(start))
    known = np.flatnonzero(frame >= 0)
    n_frames = int(frame.max(initial=0)) + 1
    order = known[np.argsort(layer[known] * n_frames + frame[known], kind="stable")]
    first = np.flatnonzero(np.diff(layer[order] * n_frames + frame[order], prepend=-1))
    bounds = np.append(first, len(order))  # of the groups of members of one layer and frame
    of_group = layer[order[first]]
    n_groups = np.bincount(of_group, minlength=len(cell))
    two = np.flatnonzero(n_groups == 2)
    if len(two):
        group = np.flatnonzero(n_groups[of_group] == 2)
        single = bounds[group], bounds[group + 1]
        both = bounds[group[::2]], bounds[group[1::2] + 1]
        begin, end = (np.concatenate([one, other]) for one, other in zip(single, both, strict=True))
        unions = measure_areas(
            np.concatenate([np.repeat(cell[two], 2), cell[two]]),
            np.concatenate([[0], np.cumsum(end - begin)]),
            exposure[order[expand_ranges(begin, end - begin)]],
            regions,
        )
        n = len(two)
        areas[two] = unions[: 2 * n : 2] + unions[1 : 2 * n : 2] - unions[2 * n :]
    for number in np.flatnonzero(n_groups > 2).tolist():
        groups = np.flatnonzero(of_group == number)
        members = [exposure[order[slice(*ends)]] for ends in pairwise(bounds[[*groups, groups[-1] + 1]].tolist())]
        areas[number] = _measure_overlap(int(cell[number]), [[regions[one] for one in some] for some in members])
    rounded: FloatArray = np.maximum(areas, 0.0).round(DECIMALS)
    return rounded


def _measure_overlap(cell: int, frames: Sequence[Sequence[str]]) -> float:
    """The area, square arcmin, that two or more of these sets of regions cover within the sky cell (`CellId.index`)."""
    projection_cell, within = divmod(cell, CELLS_PER_PROJECTION_CELL)
    exposures = project_exposures(projection_cell, Footprints.from_regions([one for some in frames for one in some]))
    stops = np.cumsum([len(some) for some in frames])
    shapes = [unite(some).item() for some in np.split(exposures, stops[:-1])]
    overlaps, covered = [], shapes[0]
    for shape in shapes[1:]:
        overlaps.append(_intersect(covered, shape))
        covered = unite(np.array([covered, shape], dtype=object)).item()
    low = np.array([[within % CELLS_PER_SIDE, within // CELLS_PER_SIDE]]) * STEP + np.float64(0.5)
    overlap = np.array([unite(np.array(overlaps, dtype=object)).item()], dtype=object)
    return float(areas_within(overlap, low, CELL_SIZE)[0]) * ARCMIN2_PER_PIXEL


def _intersect(first: shapely.Geometry, second: shapely.Geometry) -> shapely.Geometry:
    """The intersection, on a grid of 0.001 pixel where GEOS fails without."""
    try:
        return shapely.intersection(first, second)
    except shapely.GEOSException:
        return shapely.intersection(first, second, grid_size=2.0**-10)
