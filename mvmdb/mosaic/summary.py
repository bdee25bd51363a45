"""What a product's header says of its pixels: depth, exposure, weight and outline. Files are written elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.provenance import ChipRow
from mvmdb.mosaic.raster import Depths, count_depths, polygon_rings, scan_rings
from mvmdb.sky.region import format_region, normalize_polygon, parse_region

ROWS_AT_ONCE = 512
OUTLINE_TOLERANCE = 1.0
"""How far (output pixels) the outline in S_REGION may lie from the union of the members' footprints."""

Keywords = dict[str, tuple[float | int | str, str]]


def summarise_depth(depths: Depths, grid: LayerGrid) -> Keywords:
    """NPIXFRAC and the means and medians of exposures and seconds over exposed pixels, keyword -> (value, comment).

    They come from the members' footprints, not from their masks, so that adding and padding need no old exposure.
    """
    mean_n, median_n = depths.mean_and_median(depths.exposures)
    mean_t, median_t = depths.mean_and_median(depths.exptime)
    fraction = int(depths.pixels.sum()) / grid.pixels_in_cell
    return {
        "NPIXFRAC": (fraction, "fraction of the sky cell's pixels exposed"),
        "MEANEXPT": (mean_t, "[s] mean exposure time of exposed pixels"),
        "MEDEXPT": (median_t, "[s] median exposure time of exposed pixels"),
        "MEANNEXP": (mean_n, "mean number of exposures of exposed pixels"),
        "MEDNEXP": (median_n, "median number of exposures of exposed pixels"),
    }


def summarise_weight(weight: NDArray[np.float32]) -> Keywords:
    """MEANWHT and MEDWHT over the pixels with weight above 0; both 0 if there are none.

    The median is exact and needs no copy of the plane: bits of positive floats sort as whole numbers do, so two
    passes that count their upper and lower halves find it.
    """
    count, total = 0, 0.0
    upper = np.zeros(1 << 16, np.int64)
    for block in _positive_blocks(weight):
        count += block.size
        total += float(block.sum(dtype=np.float64))
        upper += np.bincount(block.view(np.uint32) >> 16, minlength=1 << 16)
    median = 0.0
    if count:
        middle = [_value_at(rank, upper, weight) for rank in {(count - 1) // 2, count // 2}]
        median = sum(middle) / len(middle)
    return {
        "MEANWHT": (total / count if count else 0.0, "mean weight of pixels with weight"),
        "MEDWHT": (median, "median weight of pixels with weight"),
    }


def member_footprints(rows: Sequence[ChipRow], grid: LayerGrid) -> list[tuple[shapely.Geometry, float]]:
    """(footprint in 0-based canvas pixels, exposure time in seconds) of each member, its chips united."""
    chips: dict[str, list[shapely.Geometry]] = {}
    for row in rows:
        outlines = [grid.outline_on_canvas(polygon) for polygon in parse_region(row.s_region)]
        chips.setdefault(row.ipppssoo, []).extend(outlines)
    exptimes = {row.ipppssoo: row.exptime for row in rows}
    return [(shapely.union_all(outlines), exptimes[ipppssoo]) for ipppssoo, outlines in chips.items()]


def measure_depths(footprints: Sequence[tuple[shapely.Geometry, float]], grid: LayerGrid) -> Depths:
    """How many canvas pixels hold how many exposures and seconds, from the members' footprints."""
    scanned = [(scan_rings(polygon_rings(shape), grid.shape), exptime) for shape, exptime in footprints]
    return count_depths(scanned, grid.shape[1])


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


def _positive_blocks(weight: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for top in range(0, weight.shape[0], ROWS_AT_ONCE):
        block = weight[top : top + ROWS_AT_ONCE]
        yield block[block > 0.0]


def _value_at(rank: int, upper: NDArray[np.int64], weight: NDArray[np.float32]) -> float:
    reached = np.cumsum(upper)
    half = int(np.searchsorted(reached, rank, side="right"))
    below = int(reached[half] - upper[half])
    lower = np.zeros(1 << 16, np.int64)
    for block in _positive_blocks(weight):
        bits = block.view(np.uint32)
        lower += np.bincount(bits[bits >> 16 == half] & 0xFFFF, minlength=1 << 16)
    rest = int(np.searchsorted(np.cumsum(lower), rank - below, side="right"))
    return float(np.array([(half << 16) | rest], np.uint32).view(np.float32)[0])
