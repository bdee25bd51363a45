"""Which sky cells each exposure's footprint overlaps, and where; what becomes of the members is decided elsewhere.

A healpix table proposes projection cells, geometry throws out those out of reach, and an exact overlap in each
projection cell's plane decides (great circles are straight there). Ring limits in declination play no part: at poles,
ring borders and RA 0 the same geometry holds as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mvmdb.names import CELLS_PER_PROJECTION_CELL, CELLS_PER_SIDE, N_PROJECTION_CELLS
from mvmdb.records import Rule
from mvmdb.sky.footprints import Block, Footprints, IntArray, iterate_blocks
from mvmdb.sky.overlap import TOUCH, Overlap, is_degenerate, overlap_any, overlap_simple, polygon_area
from mvmdb.sky.position import find_cells_at
from mvmdb.sky.sphere import FloatArray, vector_to_sky
from mvmdb.sky.tessellation import (
    CELL_HIGH,
    CELL_LOW,
    CELL_SIZE,
    PIXELS_PER_RADIAN,
    PROJECTION_CRPIX,
    REACH,
    STEP,
    load_rings,
    may_reach,
    projection_frames,
    ring_of,
)

__all__ = ["Footprints", "Memberships", "find_cells_at", "find_members"]

NSIDE = 128
"""Healpix resolution of the table: 200,000 pixels of 0.46 degrees, with 2.3 projection cells each."""
MARGIN = 0.1
"""Largest radius in degrees of polygons that the table serves, twice that of any Hubble footprint."""
_FEW = 256  # polygons up to which trying all projection cells beats making the table (0.1 s, importing healpy 1 s)
_EDGE_DUST = 1e-6  # fine pixels: an overlap that passes a pixel's edge by less does not count for the bounding box

Int32Array = NDArray[np.int32]
_Number = TypeVar("_Number", bound=np.generic)
_Judge = Callable[[FloatArray, FloatArray], Overlap]


@dataclass(frozen=True, slots=True)
class Memberships:
    """One exposure's part in one sky cell, n of them in parallel arrays sorted by exposure, projection cell, y, x.

    `exposure`: its number in the Footprints. `projection_cell`, `x`, `y`: the cell. `x_min` ... `y_max`: bounding box
    of the overlap in the cell's fine pixels, 1-based, inclusive, 1 to 21954. `area`: fine pixels^2, summed over the
    chips.
    """

    exposure: IntArray
    projection_cell: Int32Array
    x: Int32Array
    y: Int32Array
    x_min: Int32Array
    x_max: Int32Array
    y_min: Int32Array
    y_max: Int32Array
    area: FloatArray

    @property
    def cell_index(self) -> IntArray:
        """`CellId.index` of each membership's sky cell."""
        p, x, y = (column.astype(np.int64) for column in (self.projection_cell, self.x, self.y))
        return p * CELLS_PER_PROJECTION_CELL + (y - 1) * CELLS_PER_SIDE + x - 1

    def select(self, rows: NDArray[np.bool_]) -> Memberships:
        """The memberships that `rows` is true for."""
        return Memberships(*(getattr(self, name)[rows] for name in self.__slots__))


def match_regions(regions: Sequence[str], rule: Rule) -> Memberships:
    """As `find_members`, of footprints given as normal `s_region` texts; an empty text has none."""
    return find_members(Footprints.from_regions(regions), rule)


class _Parts(NamedTuple):
    """Overlaps of single polygons with sky cells: `key` sorts by exposure and cell, `box` is (4, n)."""

    key: IntArray
    box: Int32Array
    area: FloatArray


def find_members(footprints: Footprints, rule: Rule = "overlap") -> Memberships:
    """The sky cells that each exposure's polygons overlap with non-zero area: touching is not membership.

    Rule `overlap` takes every projection cell; rule `nearest` takes, in each ring, only the one nearest to the
    exposure's middle. Polygons may have any winding and be non-convex; where one crosses itself, an odd number of
    windings is inside. Overlaps of less than 1e-7 pixel count as touching. Memory beyond input and output is bounded
    (blocks of 65,536 vertices). Raises InputError for coordinates off the sky and for polygons that reach more than
    30 degrees from their centre.
    """
    middle_ra = vector_to_sky(footprints.centers())[0] if rule == "nearest" else None
    parts = [
        part for block in iterate_blocks(footprints) for part in _match_block(block, len(footprints.owner), middle_ra)
    ]
    return _join_parts(parts)


def _match_block(block: Block, n_polygons: int, middle_ra: FloatArray | None) -> Iterable[_Parts]:
    polygon, p = _propose(block, few=n_polygons <= _FEW)
    if middle_ra is not None:
        nearest = _is_nearest(p, middle_ra[block.owner[polygon]])
        polygon, p = polygon[nearest], p[nearest]
    x, y = _project(_take(block.vectors, polygon), p)
    owner, simple = block.owner[polygon], block.simple[polygon] & ~is_degenerate(x, y)
    for judge, chosen in ((overlap_simple, np.flatnonzero(simple)), (overlap_any, np.flatnonzero(~simple))):
        if len(chosen):
            yield _match_cells(owner[chosen], p[chosen], _take(x, chosen), _take(y, chosen), judge)


def _propose(block: Block, few: bool) -> tuple[IntArray, IntArray]:
    """(polygon, projection cell) pairs that may overlap: all that do are among them."""
    wide = np.full(block.radius.shape, True) if few else block.radius > 2.0 * np.sin(np.deg2rad(MARGIN / 2.0))
    pairs = [_try_all(block, np.flatnonzero(wide)), _look_up(block, np.flatnonzero(~wide))]
    polygon, p = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
    return polygon, p


def _try_all(block: Block, polygon: IntArray) -> tuple[IntArray, IntArray]:
    every = np.arange(N_PROJECTION_CELLS)
    found = [np.empty((2, 0), dtype=np.int64)]
    for first in range(0, len(polygon), _FEW):
        some = polygon[first : first + _FEW]
        near = may_reach(every, block.center[:, some, None], block.radius[some, None])
        row, p = np.nonzero(near)
        found.append(np.stack([some[row], p]))
    polygon, p = np.concatenate(found, axis=1)
    return polygon, p


def _look_up(block: Block, polygon: IntArray) -> tuple[IntArray, IntArray]:
    if len(polygon) == 0:
        return polygon, polygon
    import healpy

    start, table = candidate_table()
    center = _take(block.center, polygon)
    pixel = healpy.vec2pix(NSIDE, *center)
    row, entry = _expand(start[pixel + 1] - start[pixel])
    p = table[start[pixel[row]] + entry]
    near = may_reach(p, _take(center, row), block.radius[polygon[row]])
    return polygon[row[near]], p[near]


@cache
def candidate_table() -> tuple[IntArray, IntArray]:
    """For every healpix pixel (ring order), the projection cells that polygons within MARGIN of it may overlap.

    As offsets (n_pixels + 1) and the ids they cut into runs.
    """
    import healpy

    n_pixels = healpy.nside2npix(NSIDE)
    margin = healpy.max_pixrad(NSIDE) + np.deg2rad(MARGIN)
    reach = np.arctan(np.sqrt(2.0) * REACH / PIXELS_PER_RADIAN) + margin
    centre = projection_frames().centre.T
    discs = [healpy.query_disc(NSIDE, vector, reach) for vector in centre]
    pixel, p = np.concatenate(discs), np.repeat(np.arange(N_PROJECTION_CELLS), [len(disc) for disc in discs])
    near = may_reach(p, np.stack(healpy.pix2vec(NSIDE, pixel)), margin)
    pixel, p = pixel[near], p[near]
    start = np.concatenate([[0], np.cumsum(np.bincount(pixel, minlength=n_pixels))])
    return start, p[np.argsort(pixel, kind="stable")]


def _is_nearest(p: IntArray, ra: FloatArray) -> NDArray[np.bool_]:
    """Whether projection cell `p` is the nearest of its ring to right ascension `ra`; a ring has one declination."""
    rings, ring = load_rings(), ring_of(p)
    nband = rings.nband[ring]
    return np.asarray(np.rint(ra * nband / 360.0).astype(np.int64) % nband == p - rings.projcell[ring])


def _project(vectors: FloatArray, p: IntArray) -> tuple[FloatArray, FloatArray]:
    """Fine pixels (k, n) of the projection cells `p` (n,), as `sky_to_plane`, of vectors (3, k, n)."""
    east, north, centre = (_take(axis, p) for axis in projection_frames())
    depth = (centre[:, None] * vectors).sum(axis=0)
    xi, eta = (east[:, None] * vectors).sum(axis=0) / depth, (north[:, None] * vectors).sum(axis=0) / depth
    return PROJECTION_CRPIX - xi * PIXELS_PER_RADIAN, PROJECTION_CRPIX + eta * PIXELS_PER_RADIAN


def _match_cells(owner: IntArray, p: IntArray, x: FloatArray, y: FloatArray, judge: _Judge) -> _Parts:
    """Try polygons (k, n), in their projection cells' pixels, with the sky cells that their bounding boxes meet."""
    box = np.stack([x.min(axis=0), x.max(axis=0), y.min(axis=0), y.max(axis=0)])
    first_x, count_x = _cell_range(box[0], box[1])
    first_y, count_y = _cell_range(box[2], box[3])
    row, entry = _expand(count_x * count_y)
    line, column = np.divmod(entry, count_x[row])
    line, column = line + first_y[row], column + first_x[row]
    shift_x, shift_y = column * float(STEP), line * float(STEP)
    key = (owner * N_PROJECTION_CELLS + p)[row] * CELLS_PER_PROJECTION_CELL + line * CELLS_PER_SIDE + column
    box = _take(box, row)
    box[:2] -= shift_x
    box[2:] -= shift_y

    member = np.zeros(len(row), dtype=bool)
    area = np.zeros(len(row))
    if (
        judge is overlap_simple
    ):  # polygons inside the cell need no cutting; those that cross themselves need repair anyway
        whole = polygon_area(x, y)
        member = (box[0] >= CELL_LOW) & (box[1] <= CELL_HIGH) & (box[2] >= CELL_LOW) & (box[3] <= CELL_HIGH)
        area[member] = whole[row[member]]
    cut = np.flatnonzero(~member)
    overlap = judge(_take(x, row[cut]) - shift_x[cut], _take(y, row[cut]) - shift_y[cut])
    member[cut], area[cut] = overlap.member, overlap.area
    box[:, cut] = overlap.x_low, overlap.x_high, overlap.y_low, overlap.y_high
    return _Parts(key[member], _pixel_box(_take(box, np.flatnonzero(member))), area[member])


def _cell_range(low: FloatArray, high: FloatArray) -> tuple[IntArray, IntArray]:
    """The first column (or row) of sky cells, from 0, that an extent in projection cell pixels meets, and how many."""
    first = np.floor((low - (CELL_HIGH - TOUCH)) / STEP).astype(np.int64) + 1
    last = np.ceil((high - (CELL_LOW + TOUCH)) / STEP).astype(np.int64) - 1
    first, last = np.maximum(first, 0), np.minimum(last, CELLS_PER_SIDE - 1)
    return first, np.maximum(last - first + 1, 0)


def _pixel_box(box: FloatArray) -> Int32Array:
    """Whole pixels, clipped to the cell, over which extents (x_low, x_high, y_low, y_high) reach."""
    pixels = np.empty(box.shape, dtype=np.int32)
    pixels[0::2] = np.clip(np.floor(box[0::2] + 0.5 + _EDGE_DUST), 1, CELL_SIZE)
    pixels[1::2] = np.clip(np.ceil(box[1::2] - 0.5 - _EDGE_DUST), 1, CELL_SIZE)
    pixels[0::2] = np.minimum(pixels[0::2], pixels[1::2])  # an overlap thinner than the dust
    return pixels


def _take(array: NDArray[_Number], index: IntArray) -> NDArray[_Number]:
    """`array[..., index]` in C order; plain indexing transposes it in memory, and what follows takes twice as long."""
    return np.take(array, index, axis=-1)


def _expand(counts: IntArray) -> tuple[IntArray, IntArray]:
    """(row, entry) for `counts[row]` entries, from 0, of every row."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)


def _join_parts(parts: list[_Parts]) -> Memberships:
    """Add up the polygons of each exposure in each cell."""
    empty = _Parts(np.empty(0, dtype=np.int64), np.empty((4, 0), dtype=np.int32), np.empty(0))
    key, box, area = (np.concatenate(columns, axis=-1) for columns in zip(empty, *parts, strict=True))
    order = np.argsort(key, kind="stable")
    key, box, area = key[order], _take(box, order), area[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    cells_key = key[first]
    if len(first):
        low, high = np.minimum.reduceat(box[0::2], first, axis=1), np.maximum.reduceat(box[1::2], first, axis=1)
        area = np.add.reduceat(area, first)
    else:
        low, high = box[0::2], box[1::2]
    exposure, cell = np.divmod(cells_key, N_PROJECTION_CELLS * CELLS_PER_PROJECTION_CELL)
    p, cell = np.divmod(cell, CELLS_PER_PROJECTION_CELL)
    y, x = np.divmod(cell, CELLS_PER_SIDE)
    p, x, y = (column.astype(np.int32) for column in (p, x + 1, y + 1))
    return Memberships(exposure, p, x, y, low[0], high[0], low[1], high[1], area)
