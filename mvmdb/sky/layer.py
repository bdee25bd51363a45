"""Geometry of layers: how much of its sky cell each one's members cover, how deep, and which of them overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.names import CellId
from mvmdb.recipes import PIXEL_SCALE
from mvmdb.sky.depth import areas_within, groups_of, join_chips
from mvmdb.sky.footprints import Footprints, expand_ranges
from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import CELL_SIZE, STEP, sky_to_plane

ARCMIN2_PER_PIXEL = (PIXEL_SCALE["fine"] / 60) ** 2
"""Area of a fine pixel at the tangent point, square arcmin; on the sky it is at most 0.6% smaller."""


def measure_areas(layers: Sequence[tuple[CellId, Sequence[str]]], regions: Mapping[str, str]) -> FloatArray:
    """The area in square arcmin that at least one member covers within the cell, of each layer.

    A layer is its sky cell and its members; `regions` maps members to their `s_region`. Layers of equal numbers of
    members are joined in one call, which costs a third of a call for each.
    """
    wanted = sorted({(cell.projection_cell, name) for cell, members in layers for name in members})
    at = {key: index for index, key in enumerate(wanted)}
    exposures = _project_exposures(wanted, regions)
    by_size: dict[int, list[int]] = {}
    for index, (_, members) in enumerate(layers):
        by_size.setdefault(len(members), []).append(index)
    unions = np.empty(len(layers), dtype=object)
    for indices in by_size.values():
        rows = [[at[layers[i][0].projection_cell, name] for name in layers[i][1]] for i in indices]
        unions[indices] = shapely.union_all(exposures[np.array(rows)], axis=1)
    cells = np.array([(cell.x, cell.y) for cell, _ in layers], dtype=float).reshape(-1, 2)
    low = (cells - 1) * STEP + 0.5
    return areas_within(unions, np.column_stack([low, low + CELL_SIZE])) * ARCMIN2_PER_PIXEL


def find_groups(projection_cell: int, regions: Mapping[str, str]) -> dict[str, str]:
    """Maps each of a layer's members to the first member of its group of mutually overlapping footprints.

    Groups are of whole footprints, since the skies of exposures are matched over all of their overlap.
    """
    names = sorted(regions)
    exposures = _project_exposures([(projection_cell, name) for name in names], regions)
    numbers = groups_of(exposures, shapely.union_all(exposures)).tolist()
    firsts: dict[int, str] = {}
    return {name: firsts.setdefault(number, name) for name, number in zip(names, numbers, strict=True)}


def _project_exposures(wanted: Sequence[tuple[int, str]], regions: Mapping[str, str]) -> NDArray[np.object_]:
    """The footprint of each (projection cell, member) in the cell's plane, fine pixels."""
    names = sorted({name for _, name in wanted})
    number = {name: index for index, name in enumerate(names)}
    flat = Footprints.from_regions([regions[name] for name in names])
    first = np.searchsorted(flat.owner, np.arange(len(names) + 1))
    rows = np.array([number[name] for _, name in wanted], dtype=np.int64)
    counts = np.diff(first)[rows]
    polygons = expand_ranges(first[rows], counts)
    sizes = np.diff(flat.polygon_start)[polygons]
    vertices = expand_ranges(flat.polygon_start[polygons], sizes)
    owner = np.repeat(np.arange(len(wanted)), counts)
    cells = np.array([cell for cell, _ in wanted], dtype=np.int64)
    x, y = sky_to_plane(np.repeat(cells[owner], sizes), flat.ra[vertices], flat.dec[vertices])
    start = np.concatenate([[0], np.cumsum(sizes)])
    return join_chips(np.column_stack([x, y]), start, owner, len(wanted))
