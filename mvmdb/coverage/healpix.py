"""Maps of depth in HEALPix pixels: the mean exposure time and the mean number of exposures of each; files are others'.

Each footprint is taken apart like a map of coverage (MOC): pixels wholly inside it are kept as they are, partly covered
ones are divided down to the wanted order, where the covered share of each is measured. A pixel's border is taken as the
great circles between points on it; the share is of the area between these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.errors import UsageError
from mvmdb.sky.depth import join_chips
from mvmdb.sky.footprints import Footprints, IntArray, expand_ranges
from mvmdb.sky.sphere import FloatArray, project, sky_to_vector, tangent_frame, vector_to_sky

MOST_NSIDE = 1 << 24
"""0.01 arcsec: finer than any detector's pixels."""
_BASE_ORDER = 6  # 0.9 degrees: a footprint lies in one such pixel or a few, and a plane about it has no distortion
_FEWEST_ORDER = 12  # 52 arcsec: shares of larger pixels are summed from these, as their borders bend
_POINTS, _MOST_POINTS = 4, 256  # along the side of a pixel of the last order; of larger ones the same points
_POINTS_AT_POLE = 64  # around the poles, the borders of pixels are arcs of circles
_POLE = 85.0  # degrees
_EXPOSURES_AT_ONCE = 2000
_PIXELS_AT_ONCE = 4_000_000
_MOST_PIXELS = 200_000_000


@dataclass(frozen=True, slots=True)
class DepthMap:
    """n HEALPix pixels that do not overlap, nested, ICRS: `order` and `pixel` of each, sorted by place on the sky.

    `exptime`: mean exposure time over the pixel, seconds. `n_exposures`: mean number of exposures. `finest`: the order
    down to which pixels are divided. `added`: (2, n), how much of both is of exposures that are asked about, or None.
    """

    order: IntArray
    pixel: IntArray
    exptime: FloatArray
    n_exposures: FloatArray
    finest: int
    added: FloatArray | None = None

    def flat(self) -> DepthMap:
        """The same at the finest order. Raises UsageError if these are too many pixels for one map."""
        shift = 2 * (self.finest - self.order)
        n = int((1 << shift).sum())
        if n > _MOST_PIXELS:
            raise UsageError(
                f"the map has {n} pixels; expected {_MOST_PIXELS} at most: choose a smaller nside, or multiorder"
            )
        counts = (1 << shift).astype(np.int64)
        pixel = expand_ranges(self.pixel << shift, counts)
        order = np.full(len(pixel), self.finest)
        added = None if self.added is None else np.repeat(self.added, counts, axis=1)
        values = np.repeat(self.exptime, counts), np.repeat(self.n_exposures, counts)
        return DepthMap(order, pixel, *values, self.finest, added)


def require_nside(nside: int) -> int:
    """`nside`, a power of 2 from 1 to 2^24. Raises UsageError for any other number."""
    if not (0 < nside <= MOST_NSIDE and nside & (nside - 1) == 0):
        raise UsageError(f"found nside {nside}; expected a power of 2 from 1 to {MOST_NSIDE}")
    return nside


def map_depths(
    footprints: Footprints, exptime: FloatArray, nside: int, adding: NDArray[np.bool_] | None = None
) -> DepthMap:
    """The depth of every pixel of `nside` that a footprint overlaps; exposure i has `exptime[i]` seconds.

    Pixels are only divided where the depth changes. With `adding`, which of the exposures are asked about, only pixels
    that one of these overlaps are in the map. Raises UsageError as `require_nside`.
    """
    require_nside(nside)
    finest = nside.bit_length() - 1
    working = max(finest, _FEWEST_ORDER)
    weights = [exptime, np.ones(len(exptime))]
    weights += [] if adding is None else [weight * adding for weight in weights]
    levels = _sum_pixels(footprints, working, weights)
    leaves = _resolve(levels, finest)
    order, pixel, seconds, number, *added = (np.concatenate(column) for column in zip(*leaves, strict=True))
    by_place = np.argsort(pixel << (2 * (finest - order)), kind="stable")
    if added:
        by_place = by_place[added[1][by_place] > 0]
    of_them = np.stack(added)[:, by_place] if added else None
    return DepthMap(order[by_place], pixel[by_place], seconds[by_place], number[by_place], finest, of_them)


def _sum_pixels(footprints: Footprints, working: int, weights: list[FloatArray]) -> list[tuple[Any, ...]]:
    """(pixels, sums of each weight) of each order up to `working`, every pixel once; memory grows with these alone."""
    none = (np.empty(0, np.int64), *(np.empty(0) for _ in weights))
    parts: list[list[tuple[Any, ...]]] = [[none] for _ in range(working + 1)]
    waiting: list[list[tuple[Any, ...]]] = [[] for _ in parts]
    n = 0
    for order, pixel, share, exposure in _take_apart(footprints, working):
        waiting[order].append((pixel, *(share * weight[exposure] for weight in weights)))
        n += len(pixel)
        if n > _PIXELS_AT_ONCE:
            for done, some in zip(parts, waiting, strict=True):
                done.extend([_join(some)] if some else [])
                some.clear()
            n = 0
    return [_join(done + some) for done, some in zip(parts, waiting, strict=True)]


def _join(parts: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    pixel, *sums = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _add_up(pixel, sums)


def _add_up(pixel: IntArray, sums: list[FloatArray]) -> tuple[Any, ...]:
    pixels, place = np.unique(pixel, return_inverse=True)
    return pixels, *(np.bincount(place.ravel(), weights=column, minlength=len(pixels)) for column in sums)


def _resolve(levels: list[tuple[Any, ...]], finest: int) -> Iterator[tuple[Any, ...]]:
    """From the sums in pixels of each order, pixels that do not overlap: the order, the pixel and the sums of each."""
    for level in range(len(levels) - 1, finest, -1):  # finer than wanted: means over larger pixels
        pixels, *sums = levels[level]
        coarse, above = levels[level - 1][0], levels[level - 1][1:]
        merged, place = np.unique(np.concatenate([coarse, pixels >> 2]), return_inverse=True)
        added = (
            np.bincount(place.ravel(), weights=np.concatenate([a, b / 4.0]), minlength=len(merged))
            for a, b in zip(above, sums, strict=True)
        )
        levels[level - 1] = (merged, *added)
    divided = [np.empty(0, np.int64)] * (finest + 1)  # pixels of each order with something in a finer order
    for level in range(finest, 0, -1):
        divided[level - 1] = np.unique(np.concatenate([divided[level], levels[level][0]]) >> 2)
    for level in range(finest + 1):
        pixels, *sums = levels[level]
        split = np.isin(pixels, divided[level])
        yield np.full((~split).sum(), level), pixels[~split], *(values[~split] for values in sums)
        if split.any():
            children = (pixels[split][:, None] * 4 + np.arange(4)).ravel()
            finer = levels[level + 1]
            merged, place = np.unique(np.concatenate([finer[0], children]), return_inverse=True)
            joined = [
                np.bincount(
                    place.ravel(), weights=np.concatenate([own, np.repeat(parent[split], 4)]), minlength=len(merged)
                )
                for own, parent in zip(finer[1:], sums, strict=True)
            ]
            levels[level + 1] = (merged, *joined)


def _take_apart(footprints: Footprints, working: int) -> Iterator[tuple[int, IntArray, FloatArray, IntArray]]:
    """The order, and (pixel, share, exposure) of pixels of footprints; the share is 1 but at the last order."""
    for shapes, exposure, base in _in_base_pixels(footprints):
        ra, dec = _center(base)
        points = _POINTS if abs(dec) < _POLE else _POINTS_AT_POLE
        rows = np.arange(len(shapes))
        pixel = np.full(len(shapes), base)
        shapely.prepare(shapes)
        for order in range(_BASE_ORDER, working + 1):
            if not len(rows):
                break
            outlines, place = np.unique(pixel, return_inverse=True)
            squares = _squares(order, outlines, min(points << (working - order), _MOST_POINTS), ra, dec)[place.ravel()]
            inside = shapely.contains(shapes[rows], squares)
            touching = ~inside & shapely.intersects(shapes[rows], squares)
            whole = np.flatnonzero(inside)
            yield order, pixel[whole], np.ones(len(whole)), exposure[rows[whole]]
            rows, pixel, squares = rows[touching], pixel[touching], squares[touching]
            if order == working:
                share = shapely.area(shapely.intersection(shapes[rows], squares)) / shapely.area(squares)
                some = share > 0
                yield order, pixel[some], share[some], exposure[rows[some]]
                break
            rows, pixel = np.repeat(rows, 4), (pixel[:, None] * 4 + np.arange(4)).ravel()


def _in_base_pixels(footprints: Footprints) -> Iterator[tuple[NDArray[np.object_], IntArray, int]]:
    """Footprints in the plane about each pixel of the base order that they may overlap, a bounded number at a time."""
    import healpy

    nside = 1 << _BASE_ORDER
    centers = footprints.centers()
    has = np.flatnonzero((centers != 0).any(axis=0))
    centers = centers[:, has] / np.sqrt((centers[:, has] ** 2).sum(axis=0))
    vectors = sky_to_vector(footprints.ra, footprints.dec)
    sizes = np.diff(footprints.polygon_start)
    owner = np.repeat(footprints.owner, sizes)
    far = np.zeros(footprints.n)
    place = np.searchsorted(has, owner)
    np.maximum.at(far, owner, np.sqrt(((vectors - centers[:, place]) ** 2).sum(axis=0)))
    reach = 2.0 * np.arcsin(np.minimum(far[has] / 2.0, 1.0)) + 1e-9
    near = [
        healpy.query_disc(nside, center, radius, inclusive=True, nest=True)
        for center, radius in zip(centers.T, reach.tolist(), strict=True)
    ]
    pairs = np.stack([np.concatenate([np.empty(0, np.int64), *near]), np.repeat(has, [len(pixels) for pixels in near])])
    pairs = pairs[:, np.lexsort(pairs[::-1])]
    bounds = np.flatnonzero(np.diff(pairs[0], prepend=-1, append=-1))
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        for begin in range(first, last, _EXPOSURES_AT_ONCE):
            base = int(pairs[0, begin])
            exposure = pairs[1, begin : min(begin + _EXPOSURES_AT_ONCE, last)]
            low, high = (
                np.searchsorted(footprints.owner, exposure),
                np.searchsorted(footprints.owner, exposure, "right"),
            )
            polygons = expand_ranges(low, high - low)
            vertices = expand_ranges(footprints.polygon_start[polygons], sizes[polygons])
            plane = np.column_stack(project(tangent_frame(*_center(base)), vectors[:, vertices]))
            start = np.concatenate([[0], np.cumsum(sizes[polygons])])
            place = np.searchsorted(exposure, footprints.owner[polygons])
            yield join_chips(plane, start, place, len(exposure)), exposure, base


def _center(pixel: int) -> tuple[float, float]:
    import healpy

    ra, dec = vector_to_sky(np.array(healpy.pix2vec(1 << _BASE_ORDER, pixel, nest=True)))
    return float(ra), float(dec)


def _squares(order: int, pixels: IntArray, points: int, ra: float, dec: float) -> NDArray[np.object_]:
    """The outlines of pixels, with so many points a side, in the plane about a position in degrees."""
    import healpy

    corners = np.asarray(healpy.boundaries(1 << order, pixels, step=points, nest=True)).reshape(len(pixels), 3, -1)
    x, y = project(tangent_frame(ra, dec), corners.transpose(1, 0, 2))
    return np.asarray(shapely.polygons(np.stack([x, y], axis=-1)))
