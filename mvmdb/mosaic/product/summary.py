"""What a product's header says of its pixels: depth, exposure, weight and outline. Files are written elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import shapely
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.mosaic.drizzle.raster import polygon_rings
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.product.depths import Depths, count_depths
from mvmdb.mosaic.product.provenance import ChipRow, read_outlines
from mvmdb.sky.region import format_region, normalize_polygon

VALUES_AT_ONCE = 1 << 18
OUTLINE_TOLERANCE = 1.0
"""How far (output pixels) the outline in S_REGION may lie from the union of the members' footprints."""

DEPTHS = ("NPIXFRAC", "MEANEXPT", "MEDEXPT", "MEANNEXP", "MEDNEXP")
WEIGHTS = ("MEANWHT", "MEDWHT")

Keywords = dict[str, tuple[float | int | str, str]]


def summarise_depth(depths: Depths, grid: LayerGrid) -> Keywords:
    """NPIXFRAC and the means and medians of exposures and seconds over exposed pixels, keyword -> (value, comment).

    They come from the members' footprints, not from their masks, so that adding and padding need no old exposure.
    """
    mean_n, median_n = depths.exposures.mean_and_median()
    mean_t, median_t = depths.seconds.mean_and_median()
    fraction = depths.pixels / grid.pixels_in_cell
    return {
        "NPIXFRAC": (fraction, "fraction of the sky cell's pixels exposed"),
        "MEANEXPT": (mean_t, "[s] mean exposure time of exposed pixels"),
        "MEDEXPT": (median_t, "[s] median exposure time of exposed pixels"),
        "MEANNEXP": (mean_n, "mean number of exposures of exposed pixels"),
        "MEDNEXP": (median_n, "median number of exposures of exposed pixels"),
    }


class WeightSummary:
    """Mean and median of the weights above 0 of an array that goes by twice, in rows, and is never held whole.

    The median is exact: bits of positive floats sort as whole numbers do, so counting their upper halves, and then the
    lower halves of those in the middle, finds it. Neither number depends on which rows come together. Weights below
    1e-40 count as none.
    """

    def __init__(self) -> None:
        self._row_sums: list[float] = []
        self._upper = np.zeros(1 << 16, np.int64)

    def add(self, rows: NDArray[np.float32]) -> None:
        """Count rows of the array for the first time."""
        values = np.ascontiguousarray(rows, np.float32)
        self._row_sums += values.sum(axis=1, dtype=np.float64).tolist()
        for start in range(0, values.size, VALUES_AT_ONCE):  # bincount makes eight bytes of each two
            halves = values.reshape(-1)[start : start + VALUES_AT_ONCE].view(np.uint32) >> 16
            self._upper += np.bincount(halves, minlength=1 << 16)

    def keywords(self, again: Iterable[NDArray[np.float32]]) -> Keywords:
        """MEANWHT and MEDWHT, both 0 where there is no weight; `again` are all rows once more, in any order."""
        upper = self._upper.copy()
        upper[0] = 0
        count, reached = int(upper.sum()), np.cumsum(upper)
        mean = median = 0.0
        if count:
            ranks = ((count - 1) // 2, count // 2)
            halves = [int(np.searchsorted(reached, rank, side="right")) for rank in ranks]
            lower = _count_lower(set(halves), again)
            before = [rank - int(reached[half] - upper[half]) for rank, half in zip(ranks, halves, strict=True)]
            rest = [np.searchsorted(np.cumsum(lower[h]), b, side="right") for h, b in zip(halves, before, strict=True)]
            bits = np.array([(h << 16) | int(r) for h, r in zip(halves, rest, strict=True)], np.uint32)
            mean, median = math.fsum(self._row_sums) / count, float(bits.view(np.float32).astype(np.float64).mean())
        return {
            "MEANWHT": (mean, "mean weight of pixels with weight"),
            "MEDWHT": (median, "median weight of pixels with weight"),
        }


def carried_numbers(primary: fits.Header, before: LayerGrid, grid: LayerGrid) -> tuple[Keywords, Keywords]:
    """(keywords of `summarise_depth`, keywords of `WeightSummary`) that a product keeps on another canvas.

    Either is empty where it has to be found anew: weights where pixels are cut off; depths too where a footprint may
    go on beyond the old canvas, which then was not the sky cell's whole.
    """
    if not grid.holds(before):
        return {}, {}
    found = {key: (primary[key], primary.comments[key]) for key in (*DEPTHS, *WEIGHTS) if key in primary}
    depths, weights = ({key: found[key] for key in keys if key in found} for keys in (DEPTHS, WEIGHTS))
    return depths if len(depths) == len(DEPTHS) else {}, weights if len(weights) == len(WEIGHTS) else {}


def lie_within(footprints: Sequence[tuple[shapely.Geometry, float]], grid: LayerGrid, before: LayerGrid) -> bool:
    """Whether all footprints, in 0-based pixels of one canvas, lie on another canvas of the same cell."""
    bounds = shapely.total_bounds([shape for shape, _ in footprints])
    left, bottom = grid.pixels.x_min - before.pixels.x_min, grid.pixels.y_min - before.pixels.y_min
    low = bounds[0] + left >= -0.5 and bounds[1] + bottom >= -0.5
    return bool(low and bounds[2] + left <= before.shape[1] - 0.5 and bounds[3] + bottom <= before.shape[0] - 0.5)


def member_footprints(rows: Sequence[ChipRow], grid: LayerGrid) -> list[tuple[shapely.Geometry, float]]:
    """(footprint in 0-based canvas pixels, exposure time in seconds) of each member, its chips united."""
    outlines = read_outlines(rows)
    shapes = iter(grid.outlines_on_canvas([outline for own in outlines for outline in own]))
    chips: dict[str, list[shapely.Geometry]] = {}
    for row, own in zip(rows, outlines, strict=True):
        chips.setdefault(row.ipppssoo, []).extend(islice(shapes, len(own)))
    exptimes = {row.ipppssoo: row.exptime for row in rows}
    return [
        (own[0] if len(own) == 1 else shapely.union_all(own), exptimes[ipppssoo]) for ipppssoo, own in chips.items()
    ]


def measure_depths(footprints: Sequence[tuple[shapely.Geometry, float]], grid: LayerGrid) -> Depths:
    """How many canvas pixels hold how many exposures and seconds, from the members' footprints."""
    shapes = shapely.normalize([shape for shape, _ in footprints])
    rings = [polygon_rings(shape) for shape in shapes]
    return count_depths([(own, exptime) for own, (_, exptime) in zip(rings, footprints, strict=True)], grid.shape)


def outline_region(footprints: Sequence[tuple[shapely.Geometry, float]], grid: LayerGrid) -> str:
    """S_REGION of the product: the union of the members' footprints on the canvas, holes left out; may be empty."""
    rows, columns = grid.shape
    canvas = shapely.box(-0.5, -0.5, columns - 0.5, rows - 0.5)
    union = shapely.intersection(shapely.union_all([shape for shape, _ in footprints]), canvas)
    outlines = []
    for part in shapely.get_parts(shapely.simplify(union, OUTLINE_TOLERANCE)):
        if isinstance(part, shapely.Polygon) and not part.is_empty:
            x, y = shapely.get_coordinates(part.exterior)[:-1].T
            outlines.append(normalize_polygon(np.column_stack(grid.pixel_to_sky(x, y))))
    return format_region(outlines)


def _count_lower(halves: set[int], rows: Iterable[NDArray[np.float32]]) -> dict[int, NDArray[np.int64]]:
    """For each of some upper halves of bits, how many values have it with each lower half."""
    counts = {half: np.zeros(1 << 16, np.int64) for half in halves}
    for block in rows:
        bits = np.ascontiguousarray(block, np.float32).view(np.uint32)
        for half in counts:
            counts[half] += np.bincount(bits[bits >> 16 == half] & 0xFFFF, minlength=1 << 16)
    return counts
