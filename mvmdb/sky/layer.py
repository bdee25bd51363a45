"""Geometry of layers: how much of its sky cell each one's members cover, and which of them overlap."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.errors import InputError
from mvmdb.names import CELLS_PER_PROJECTION_CELL, CELLS_PER_SIDE
from mvmdb.recipe import PIXEL_SCALE
from mvmdb.sky.depth import areas_within, groups_of, join_chips
from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges, is_readable
from mvmdb.sky.sphere import FloatArray
from mvmdb.sky.tessellation import CELL_SIZE, PIXELS_PER_RADIAN, PROJECTION_CRPIX, STEP, sky_to_plane
from mvmdb.sky.unions import MOST, are_convex, union_areas_or_nan
from mvmdb.workers.background import map_in_threads

ARCMIN2_PER_PIXEL = (PIXEL_SCALE["fine"] / 60) ** 2
"""Area of a fine pixel at the tangent point, square arcmin; on the sky it is at most 0.6% smaller."""
_WORTH_A_THREAD = 500  # layers: 20 ms of work
_WORTH_A_CALL = 32  # layers: a call of its own costs as much as a polygon more for each of so many

GRID = 2.0**-10  # pixels

Shapes = NDArray[np.object_]


def measure_areas(cell: IntArray, start: IntArray, exposure: IntArray, regions: Sequence[str]) -> FloatArray:
    """The area in square arcmin of the plane that at least one member covers within the cell, of each of n layers.

    `cell`: (n,) `CellId.index`. `exposure[start[i] : start[i + 1]]`: the members of layer i, as places in `regions`,
    which holds their `s_region`.
    """
    counts = np.diff(start)
    wanted = np.repeat(cell // CELLS_PER_PROJECTION_CELL, counts) * len(regions) + exposure
    distinct, shape_of = np.unique(wanted, return_inverse=True)
    plane = _project(distinct // len(regions), Footprints.from_regions(regions), distinct % len(regions))
    within = cell % CELLS_PER_PROJECTION_CELL
    low = np.stack([within % CELLS_PER_SIDE, within // CELLS_PER_SIDE], axis=1) * STEP + np.float64(0.5)
    areas = np.full(len(cell), np.nan)
    for chosen, polygons in _group_quads(plane, shape_of, start):
        vertices = (plane.polygon_start[np.maximum(polygons, 0)] + np.arange(4)[:, None, None]).transpose(1, 0, 2)
        x, y = plane.x[vertices] - low[chosen, 0], plane.y[vertices] - low[chosen, 1]
        place, layer = np.nonzero(polygons < 0)
        x[place, :, layer], y[place, :, layer] = _put_outside(place)
        areas[chosen] = union_areas_or_nan(x, y, CELL_SIZE)
    left = np.flatnonzero(np.isnan(areas))
    if len(left):
        members = shape_of[expand_ranges(start[left], counts[left])]
        shapes, place = np.unique(members, return_inverse=True)
        first = np.concatenate([[0], np.cumsum(counts[left])])
        areas[left] = _measure_shapes(plane.select(shapes).join(), place, first, low[left])
    return areas * ARCMIN2_PER_PIXEL


def _measure_shapes(exposures: Shapes, shape_of: IntArray, start: IntArray, low: FloatArray) -> FloatArray:
    """As `measure_areas`, in pixels^2, of shapes of any form, by as many threads as there are processors."""
    counts = np.diff(start)
    areas = np.empty(len(counts))

    def measure(chosen: IntArray) -> None:
        areas[chosen] = areas_within(_unite(exposures, shape_of, start[chosen], counts[chosen]), low[chosen], CELL_SIZE)

    n_threads = min(os.cpu_count() or 1, 1 + len(counts) // _WORTH_A_THREAD)
    # GEOS works without Python's lock
    list(map_in_threads(measure, np.array_split(np.arange(len(counts)), n_threads), n_threads))
    return areas


def sky_per_plane(cell: IntArray, box: IntArray) -> FloatArray:
    """(n,) how much smaller an area is on the sky than in the plane of its sky cell, at the middle of a box there.

    `cell`: (n,) `CellId.index`. `box`: (n, 4) x_min, x_max, y_min, y_max in fine pixels of the cell. It is cos^3 of the
    distance from the tangent point, 0.996 in a corner of a projection cell, and differs within a sky cell by less than
    0.06%. Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3: r = tan(distance) in the gnomonic projection.
    """
    within = cell % CELLS_PER_PROJECTION_CELL
    x = (within % CELLS_PER_SIDE) * STEP + (box[:, 0] + box[:, 1]) / 2 - PROJECTION_CRPIX
    y = (within // CELLS_PER_SIDE) * STEP + (box[:, 2] + box[:, 3]) / 2 - PROJECTION_CRPIX
    return np.asarray((1.0 + (x * x + y * y) / PIXELS_PER_RADIAN**2) ** -1.5)


def find_groups(projection_cell: int, regions: Mapping[str, str]) -> dict[str, str]:
    """Maps each of a layer's members to the first member of its group of mutually overlapping footprints.

    Groups are of whole footprints, since the skies of exposures are matched over all of their overlap. A region that
    `format_region` did not write, as in a row that was changed by hand, overlaps nothing: its member is a group.
    """
    names = sorted(regions)
    footprints = _read_regions([regions[name] for name in names])
    exposures = project_exposures(projection_cell, footprints)
    numbers = groups_of(exposures, unite(exposures).item()).tolist()
    firsts: dict[int, str] = {}
    return {name: firsts.setdefault(number, name) for name, number in zip(names, numbers, strict=True)}


def _read_regions(regions: Sequence[str]) -> Footprints:
    """The footprints of all, of which those that cannot be read are empty."""
    try:
        return Footprints.from_regions(regions)
    except InputError:
        return Footprints.from_regions([region if is_readable(region) else "" for region in regions])


def _unite(exposures: Shapes, shape_of: IntArray, start: IntArray, counts: IntArray) -> Shapes:
    """The union of each layer's members. Layers of one size are joined in one call: a third of a call for each."""
    unions = np.empty(len(start), dtype=object)
    for size in np.unique(counts).tolist():
        chosen = np.flatnonzero(counts == size)
        unions[chosen] = unite(exposures[shape_of[start[chosen, None] + np.arange(size)]])
    return unions


def unite(shapes: Shapes) -> Shapes:
    """The union along the last axis. Where GEOS fails on one, all are snapped to a grid of 0.001 pixel, which it can
    always unite; coordinates without a digit to spare are what it fails on."""
    try:
        return np.asarray(shapely.union_all(shapes, axis=-1))
    except shapely.GEOSException:
        return np.asarray(shapely.union_all(shapes, axis=-1, grid_size=GRID))


@dataclass(frozen=True, slots=True)
class _Plane:
    """Footprints of m exposures, each in the plane of its projection cell (fine pixels): exposure i has the polygons
    `first[i]` to `first[i + 1]`, polygon j the vertices `polygon_start[j]` to `polygon_start[j + 1]`."""

    x: FloatArray
    y: FloatArray
    polygon_start: IntArray
    first: IntArray

    def select(self, exposures: IntArray) -> _Plane:
        """Some of the exposures."""
        counts = np.diff(self.first)[exposures]
        polygons = expand_ranges(self.first[exposures], counts)
        sizes = np.diff(self.polygon_start)[polygons]
        vertices = expand_ranges(self.polygon_start[polygons], sizes)
        start, first = (np.concatenate([[0], np.cumsum(values)]) for values in (sizes, counts))
        return _Plane(self.x[vertices], self.y[vertices], start, first)

    def join(self) -> Shapes:
        """One geometry for each exposure."""
        n = len(self.first) - 1
        owner = np.repeat(np.arange(n), np.diff(self.first))
        return join_chips(np.column_stack([self.x, self.y]), self.polygon_start, owner, n)


def project_exposures(projection_cell: int, footprints: Footprints) -> Shapes:
    """The footprint of every exposure in the plane of a projection cell, fine pixels."""
    return _project(np.full(footprints.n, projection_cell), footprints, np.arange(footprints.n)).join()


def _project(projection_cell: IntArray, footprints: Footprints, exposure: IntArray) -> _Plane:
    first = np.searchsorted(footprints.owner, np.arange(footprints.n + 1))
    sky = _Plane(footprints.ra, footprints.dec, footprints.polygon_start, first).select(exposure)
    sizes = np.diff(sky.polygon_start[sky.first])
    x, y = sky_to_plane(np.repeat(projection_cell, sizes), sky.x, sky.y)
    return _Plane(x, y, sky.polygon_start, sky.first)


def _put_outside(place: IntArray) -> tuple[FloatArray, FloatArray]:
    """Unit squares (n, 4) outside of every sky cell, at another position for each of n places."""
    return np.array([0.0, 1.0, 1.0, 0.0]) - 3.0 * (place[:, None] + 1), np.array([-3.0, -3.0, -2.0, -2.0])[None]


def _group_quads(plane: _Plane, shape_of: IntArray, start: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Layers whose members are few convex quadrilaterals, by their number p: layers (n,), and polygons (p, n).

    Where few layers have some number they are put to those that have more; -1 stands for a polygon that they lack.
    """
    is_quad = np.diff(plane.polygon_start) == 4
    vertices = plane.polygon_start[:-1][is_quad] + np.arange(4)[:, None]
    is_quad[is_quad] = are_convex(plane.x[vertices], plane.y[vertices])
    chips = np.diff(plane.first)
    owner = np.repeat(np.arange(len(chips)), chips)
    sound = (np.bincount(owner, weights=~is_quad, minlength=len(chips)) == 0)[shape_of]
    layer = np.repeat(np.arange(len(start) - 1), np.diff(start))
    n_layers = len(start) - 1
    n_polygons = np.bincount(layer, weights=chips[shape_of], minlength=n_layers).astype(np.int64)
    fit = (np.bincount(layer, weights=~sound, minlength=n_layers) == 0) & (n_polygons <= MOST)
    polygons = expand_ranges(plane.first[shape_of], chips[shape_of])
    first = np.cumsum(n_polygons) - n_polygons
    numbers = np.unique(n_polygons[fit])
    waiting = np.empty(0, dtype=np.int64)
    for p in numbers.tolist():
        waiting = np.concatenate([waiting, np.flatnonzero(fit & (n_polygons == p))])
        if len(waiting) >= _WORTH_A_CALL or p == numbers[-1]:
            place = np.arange(p)[:, None]
            exists = place < n_polygons[waiting]
            yield waiting, np.where(exists, polygons[np.where(exists, first[waiting] + place, 0)], -1)
            waiting = waiting[:0]
