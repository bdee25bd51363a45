"""Which sky cells each exposure's footprint overlaps, and where; `mvmdb.layers` decides what layers are made of.

A HEALPix table proposes projection cells, geometry discards those out of reach, and an exact overlap in each
projection cell's plane decides (great circles are straight there). Ring limits in declination play no part: at the
poles, at ring borders and at RA 0 the same geometry holds as anywhere else.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import InputError, MvmdbError
from mvmdb.names import CELLS_PER_PROJECTION_CELL, CELLS_PER_SIDE, N_PROJECTION_CELLS
from mvmdb.records import Rule
from mvmdb.sky.footprints import Block, Footprints, IntArray, iterate_blocks
from mvmdb.sky.overlap import TOUCH, Overlap, is_degenerate, overlap_any, overlap_simple, polygon_area
from mvmdb.sky.position import find_cells_at
from mvmdb.sky.region import MAX_RADIUS
from mvmdb.sky.sphere import FloatArray, sky_to_vector, vector_to_sky
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

log = logging.getLogger(__name__)

NSIDE = 128
"""HEALPix resolution of the table: 200,000 pixels of 0.46 degrees, with 2.3 projection cells each."""
MARGIN = 0.1
"""Largest radius in degrees of polygons that the table serves, twice that of any Hubble footprint."""
_FEW = 256  # polygons; up to here, trying all projection cells beats making the table (0.1 s, and 1 s to import healpy)
_CLOSE = 10.0  # degrees
_EDGE_DUST = 1e-6  # fine pixels: an overlap that passes a pixel's edge by less does not count for the bounding box

Int32Array = NDArray[np.int32]
_Number = TypeVar("_Number", bound=np.generic)
_FindOverlap = Callable[[FloatArray, FloatArray], Overlap]


@dataclass(frozen=True, slots=True)
class Memberships:
    """n overlaps of an exposure with a sky cell, in parallel arrays sorted by exposure, projection cell, y, x.

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
        """The memberships for which `rows` is true."""
        return Memberships(*(getattr(self, name)[rows] for name in self.__slots__))

    def join(self, others: Memberships) -> Memberships:
        """These memberships and others, of exposures with higher numbers."""
        return Memberships(*(np.concatenate([getattr(self, name), getattr(others, name)]) for name in self.__slots__))


def match_regions(regions: Sequence[str], rule: Rule) -> Memberships:
    """As `find_members`, for footprints given as `s_region` texts in normal form; an empty text has no footprint."""
    return find_members(Footprints.from_regions(regions), rule)


class _PolygonOverlaps(NamedTuple):
    """Overlaps of single polygons with sky cells: `key` sorts by exposure and cell, `box` is (4, n)."""

    key: IntArray
    box: Int32Array
    area: FloatArray


def find_members(footprints: Footprints, rule: Rule = "overlap") -> Memberships:
    """The sky cells that each exposure's polygons overlap with non-zero area: touching is not membership.

    Rule `overlap` takes every projection cell; rule `nearest` takes, in each ring, only the one nearest to the
    exposure's centre. Polygons may have either winding and need not be convex; in one that crosses itself, points with
    an odd winding number are inside. Overlaps of less than 1e-7 pixel count as touching. Memory beyond input and output
    is bounded (blocks of 65,536 vertices). Raises InputError for coordinates off the sky and for polygons that reach
    more than 30 degrees from their centre.
    """
    center_ra = vector_to_sky(footprints.centers())[0] if rule == "nearest" else None
    overlaps: list[_PolygonOverlaps] = []
    for block in iterate_blocks(footprints):
        overlaps += _match_block(block, len(footprints.owner), center_ra)
    return _join_overlaps(overlaps)


def match_each(footprints: Footprints, rule: Rule) -> tuple[Memberships, dict[int, str]]:
    """As `find_members`, whatever an exposure does; and by exposure, why it could not be measured.

    An exposure at fault has no memberships. Where a batch fails, its halves are tried, until the exposure stands alone.
    """
    return _match_between(footprints, rule, 0, footprints.n)


def match_each_region(regions: Sequence[str], rule: Rule) -> tuple[Memberships, dict[int, str]]:
    """As `match_each`, for footprints given as `s_region` texts in normal form; an empty text has no footprint."""
    return match_each(Footprints.from_regions(regions), rule)


def _match_between(footprints: Footprints, rule: Rule, first: int, stop: int) -> tuple[Memberships, dict[int, str]]:
    some = footprints.between(first, stop)
    try:
        _check_extents(some)
        memberships = find_members(some, rule)
    except Exception as error:  # whatever GEOS or NumPy make of one footprint, the others are measured
        if stop - first == 1:
            log.info("a footprint cannot be measured", exc_info=True)
            return _no_memberships(), {first: _explain(error)}
        middle = (first + stop) // 2
        before, faults = _match_between(footprints, rule, first, middle)
        after, more = _match_between(footprints, rule, middle, stop)
        return before.join(after), faults | more
    return replace(memberships, exposure=memberships.exposure + first), {}


def _check_extents(footprints: Footprints) -> None:
    """Refuse chips of an exposure that lie far apart: what is 90 degrees away from a plane's centre is not in it."""
    if not len(footprints.owner):
        return
    first = np.flatnonzero(np.diff(footprints.owner, prepend=-1))
    vertex = footprints.polygon_start[first]
    wide = np.zeros(len(first), dtype=bool)
    for angle in (footprints.ra, footprints.dec):  # where both span a few degrees the vectors need not be made
        wide |= ~(np.maximum.reduceat(angle, vertex) - np.minimum.reduceat(angle, vertex) < _CLOSE)
    for exposure in footprints.owner[first[wide]].tolist():
        _check_extent(footprints.between(exposure, exposure + 1))


def _check_extent(exposure: Footprints) -> None:
    center = exposure.centers()
    along = (center * sky_to_vector(exposure.ra, exposure.dec)).sum(axis=0)
    if not (along >= np.cos(np.deg2rad(MAX_RADIUS)) * np.sqrt((center**2).sum())).all():
        raise InputError(
            f"found chips that reach more than {MAX_RADIUS:g} degrees from the mean of their vertices; expected those "
            "of one detector"
        )


def _explain(error: Exception) -> str:
    if isinstance(error, MvmdbError):
        return re.sub(r"^exposure \d+ has", "found", str(error))
    return f"its footprint cannot be measured: {type(error).__name__}: {error}"


def _no_memberships() -> Memberships:
    return _join_overlaps([])


def _match_block(block: Block, n_polygons: int, center_ra: FloatArray | None) -> Iterable[_PolygonOverlaps]:
    polygon, p = _propose(block, few=n_polygons <= _FEW)
    if center_ra is not None:
        nearest = _is_nearest(p, center_ra[block.owner[polygon]])
        polygon, p = polygon[nearest], p[nearest]
    x, y = _project(_take(block.vectors, polygon), p)
    owner, simple = block.owner[polygon], block.simple[polygon] & ~is_degenerate(x, y)
    for find_overlap, chosen in ((overlap_simple, np.flatnonzero(simple)), (overlap_any, np.flatnonzero(~simple))):
        if len(chosen):
            yield _match_cells(owner[chosen], p[chosen], _take(x, chosen), _take(y, chosen), find_overlap)


def _propose(block: Block, few: bool) -> tuple[IntArray, IntArray]:
    """(polygon, projection cell) pairs that may overlap; every pair that does is among them."""
    wide = np.full(block.radius.shape, True) if few else block.radius > 2.0 * np.sin(np.deg2rad(MARGIN / 2.0))
    pairs = [_try_all(block, np.flatnonzero(wide)), _look_up(block, np.flatnonzero(~wide))]
    polygon, p = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
    return polygon, p


def _try_all(block: Block, polygon: IntArray) -> tuple[IntArray, IntArray]:
    all_cells = np.arange(N_PROJECTION_CELLS)
    pairs = [np.empty((2, 0), dtype=np.int64)]
    for first in range(0, len(polygon), _FEW):
        batch = polygon[first : first + _FEW]
        near = may_reach(all_cells, block.center[:, batch, None], block.radius[batch, None])
        row, p = np.nonzero(near)
        pairs.append(np.stack([batch[row], p]))
    polygon, p = np.concatenate(pairs, axis=1)
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
    """For every HEALPix pixel (ring order), the projection cells that polygons within MARGIN of it may overlap.

    Returned as offsets (n_pixels + 1), and the ids that they divide into runs.
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
    """As `sky_to_plane`: (x, y), each (k, n), in the fine pixels of projection cells `p` (n,), of vectors (3, k, n)."""
    east, north, centre = (_take(axis, p) for axis in projection_frames())
    depth = (centre[:, None] * vectors).sum(axis=0)
    xi, eta = (east[:, None] * vectors).sum(axis=0) / depth, (north[:, None] * vectors).sum(axis=0) / depth
    return PROJECTION_CRPIX - xi * PIXELS_PER_RADIAN, PROJECTION_CRPIX + eta * PIXELS_PER_RADIAN


def _match_cells(
    owner: IntArray, p: IntArray, x: FloatArray, y: FloatArray, find_overlap: _FindOverlap
) -> _PolygonOverlaps:
    """Compare polygons (k, n), in their projection cells' pixels, with the sky cells that their bounding boxes meet."""
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
    # Polygons inside the cell need no cutting; those that cross themselves need repair anyway.
    if find_overlap is overlap_simple:
        whole = polygon_area(x, y)
        member = (box[0] >= CELL_LOW) & (box[1] <= CELL_HIGH) & (box[2] >= CELL_LOW) & (box[3] <= CELL_HIGH)
        area[member] = whole[row[member]]
    cut = np.flatnonzero(~member)
    overlap = find_overlap(_take(x, row[cut]) - shift_x[cut], _take(y, row[cut]) - shift_y[cut])
    member[cut], area[cut] = overlap.member, overlap.area
    box[:, cut] = overlap.x_low, overlap.x_high, overlap.y_low, overlap.y_high
    return _PolygonOverlaps(key[member], _pixel_box(_take(box, np.flatnonzero(member))), area[member])


def _cell_range(low: FloatArray, high: FloatArray) -> tuple[IntArray, IntArray]:
    """The first column (or row) of sky cells, from 0, that an extent in projection cell pixels meets, and how many."""
    first = np.floor((low - (CELL_HIGH - TOUCH)) / STEP).astype(np.int64) + 1
    last = np.ceil((high - (CELL_LOW + TOUCH)) / STEP).astype(np.int64) - 1
    first, last = np.maximum(first, 0), np.minimum(last, CELLS_PER_SIDE - 1)
    return first, np.maximum(last - first + 1, 0)


def _pixel_box(box: FloatArray) -> Int32Array:
    """The whole pixels, clipped to the cell, that extents (x_low, x_high, y_low, y_high) reach into."""
    pixels = np.empty(box.shape, dtype=np.int32)
    pixels[0::2] = np.clip(np.floor(box[0::2] + 0.5 + _EDGE_DUST), 1, CELL_SIZE)
    pixels[1::2] = np.clip(np.ceil(box[1::2] - 0.5 - _EDGE_DUST), 1, CELL_SIZE)
    pixels[0::2] = np.minimum(pixels[0::2], pixels[1::2])  # an overlap thinner than the dust
    return pixels


def _take(array: NDArray[_Number], index: IntArray) -> NDArray[_Number]:
    """`array[..., index]` in C order; plain indexing transposes it in memory, and later steps take twice as long."""
    return np.take(array, index, axis=-1)


def _expand(counts: IntArray) -> tuple[IntArray, IntArray]:
    """(row, entry) for the entries 0 to `counts[row]` - 1 of each row."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)


def _join_overlaps(overlaps: list[_PolygonOverlaps]) -> Memberships:
    """Add up the polygons of each exposure in each cell."""
    empty = _PolygonOverlaps(np.empty(0, dtype=np.int64), np.empty((4, 0), dtype=np.int32), np.empty(0))
    key, box, area = (np.concatenate(columns, axis=-1) for columns in zip(empty, *overlaps, strict=True))
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
