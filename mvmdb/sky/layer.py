"""Geometry of layers: how much of its sky cell each one's members cover, and which of them overlap."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.names import CELLS_PER_PROJECTION_CELL, CELLS_PER_SIDE
from mvmdb.recipes import PIXEL_SCALE
from mvmdb.sky.depth import areas_within, groups_of, join_chips
from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges
from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import CELL_SIZE, STEP, sky_to_plane

ARCMIN2_PER_PIXEL = (PIXEL_SCALE["fine"] / 60) ** 2
"""Area of a fine pixel at the tangent point, square arcmin; on the sky it is at most 0.6% smaller."""
_WORTH_A_THREAD = 500  # layers: 20 ms of work

Shapes = NDArray[np.object_]


def measure_areas(cell: IntArray, start: IntArray, exposure: IntArray, regions: Sequence[str]) -> FloatArray:
    """The area in square arcmin that at least one member covers within the cell, of each of n layers.

    `cell`: (n,) `CellId.index`. `exposure[start[i] : start[i + 1]]`: the members of layer i, as places in `regions`,
    which holds their `s_region`.
    """
    projection_cell = cell // CELLS_PER_PROJECTION_CELL
    counts = np.diff(start)
    wanted = np.repeat(projection_cell, counts) * len(regions) + exposure
    shapes, at = np.unique(wanted, return_inverse=True)
    exposures = project_exposures(shapes // len(regions), Footprints.from_regions(regions), shapes % len(regions))
    within = cell % CELLS_PER_PROJECTION_CELL
    low = (np.stack([within % CELLS_PER_SIDE, within // CELLS_PER_SIDE], axis=1) * STEP + 0.5).astype(np.float64)
    areas = np.empty(len(cell))

    def measure(chosen: IntArray) -> None:
        areas[chosen] = areas_within(_unite(exposures, at, start[chosen], counts[chosen]), low[chosen], CELL_SIZE)

    n_threads = min(os.cpu_count() or 1, 1 + len(cell) // _WORTH_A_THREAD)
    with ThreadPoolExecutor(n_threads) as threads:  # GEOS works without Python's lock
        list(threads.map(measure, np.array_split(np.arange(len(cell)), n_threads)))
    return areas * ARCMIN2_PER_PIXEL


def find_groups(projection_cell: int, regions: Mapping[str, str]) -> dict[str, str]:
    """Maps each of a layer's members to the first member of its group of mutually overlapping footprints.

    Groups are of whole footprints, since the skies of exposures are matched over all of their overlap.
    """
    names = sorted(regions)
    footprints = Footprints.from_regions([regions[name] for name in names])
    exposures = project_exposures(np.full(len(names), projection_cell), footprints, np.arange(len(names)))
    numbers = groups_of(exposures, shapely.union_all(exposures)).tolist()
    firsts: dict[int, str] = {}
    return {name: firsts.setdefault(number, name) for name, number in zip(names, numbers, strict=True)}


def _unite(exposures: Shapes, at: IntArray, start: IntArray, counts: IntArray) -> Shapes:
    """The union of each layer's members. Layers of one size are joined in one call: a third of a call for each."""
    unions = np.empty(len(start), dtype=object)
    for size in np.unique(counts).tolist():
        chosen = np.flatnonzero(counts == size)
        unions[chosen] = shapely.union_all(exposures[at[start[chosen, None] + np.arange(size)]], axis=1)
    return unions


def project_exposures(projection_cell: IntArray, footprints: Footprints, exposure: IntArray) -> Shapes:
    """The footprints of exposures, each in the plane of its projection cell, fine pixels."""
    first = np.searchsorted(footprints.owner, np.arange(footprints.n + 1))
    counts = np.diff(first)[exposure]
    polygons = expand_ranges(first[exposure], counts)
    sizes = np.diff(footprints.polygon_start)[polygons]
    vertices = expand_ranges(footprints.polygon_start[polygons], sizes)
    owner = np.repeat(np.arange(len(exposure)), counts)
    cells = np.repeat(projection_cell[owner], sizes)
    x, y = sky_to_plane(cells, footprints.ra[vertices], footprints.dec[vertices])
    start = np.concatenate([[0], np.cumsum(sizes)])
    return join_chips(np.column_stack([x, y]), start, owner, len(exposure))
