"""Geometry of layers: how much of its sky cell each one's members cover, how deep, and which of them overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.names import CellId
from mvmdb.recipes import PIXEL_SCALE
from mvmdb.sky.depth import area_within, groups_of, join_chips
from mvmdb.sky.footprints import Footprints, expand_ranges
from mvmdb.sky.tessellation import CELL_SIZE, STEP, sky_to_plane

ARCMIN2_PER_PIXEL = (PIXEL_SCALE["fine"] / 60) ** 2
"""Area of a fine pixel at the tangent point, square arcmin; on the sky it is at most 0.6% smaller."""


class LayerShape(NamedTuple):
    """The area that at least one member covers within the cell, square arcmin, and the sky groups.

    `sky_groups` maps each member to the first member of its group of mutually overlapping footprints.
    """

    area_arcmin2: float
    sky_groups: dict[str, str]


def measure_layers(layers: Sequence[tuple[CellId, Sequence[str]]], regions: Mapping[str, str]) -> list[LayerShape]:
    """The shapes of layers given as sky cell and sorted members; `regions` maps members to their `s_region`.

    The area counts what lies within the cell; groups are of whole footprints, since the skies of exposures are matched
    over all of their overlap.
    """
    wanted = sorted({(cell.projection_cell, name) for cell, members in layers for name in members})
    at = {key: index for index, key in enumerate(wanted)}
    exposures = _project_exposures(wanted, regions)
    shapes = []
    for cell, members in layers:
        own = exposures[[at[cell.projection_cell, name] for name in members]]
        left, bottom = (cell.x - 1) * STEP + 0.5, (cell.y - 1) * STEP + 0.5
        union = shapely.union_all(own)
        area = area_within(union, (left, bottom, left + CELL_SIZE, bottom + CELL_SIZE))
        firsts: dict[int, str] = {}
        groups = zip(members, groups_of(own, union).tolist(), strict=True)
        shapes.append(LayerShape(area * ARCMIN2_PER_PIXEL, {name: firsts.setdefault(g, name) for name, g in groups}))
    return shapes


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
