"""What a product's header says about its pixels and members: depth, weight, outline, programs. write.py writes it."""

from __future__ import annotations

import math
import re
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

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+)?")


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


def summarise_observations(rows: Sequence[ChipRow]) -> Keywords:
    """Programs, targets, apertures and the earliest date of the members, keyword -> (value, comment).

    Several are joined with `; `, as drizzlepac joins programs. RA_TARG and DEC_TARG are those of the first member, by
    drizzlepac's rules for headers (`pars/*_mvm_header_hap.rules`). There is no keyword where nobody knows a value, and
    none at all where a member was drizzled by a version that did not record these.
    """
    seen = [row.observation for row in rows if row.observation is not None]
    if len(seen) < len(rows):
        return {}
    targets = [(o.ra_targ, o.dec_targ) for o in seen if not math.isnan(o.ra_targ + o.dec_targ)]
    date, time = min(((o.date_obs, o.time_obs) for o in seen if _ISO_DATE.fullmatch(o.date_obs)), default=("", ""))
    cards: Keywords = {
        "PROPOSID": _join([str(number) for number in sorted({o.proposid for o in seen})], "program, or programs"),
        "TARGNAME": join_texts((o.targname for o in seen), "target, or targets"),
    }
    if targets:
        cards["RA_TARG"] = (targets[0][0], "[deg] target of the first member (J2000)")
        cards["DEC_TARG"] = (targets[0][1], "[deg] target of the first member (J2000)")
        cards["EQUINOX"] = (2000.0, "equinox of RA_TARG and DEC_TARG")
    cards["DATE-OBS"] = (date, "UT date of the earliest member")
    cards["TIME-OBS"] = (time, "UT time of the earliest member")
    cards["APERTURE"] = join_texts((o.aperture for o in seen), "aperture, or apertures")
    return {keyword: card for keyword, card in cards.items() if card[0] != ""}


def join_texts(texts: Iterable[str], comment: str) -> tuple[str, str]:
    """(different texts, sorted and joined with `; `; the comment, if there is room for it); empty ones are left out."""
    return _join(sorted({text for text in texts if text}), comment)


def _join(texts: Sequence[str], comment: str) -> tuple[str, str]:
    text = "; ".join(texts)
    length = max(len(text.replace("'", "''")), 8) + len(comment)
    return text, comment if length <= 65 else ""  # of 80, KEYWORD and quotes and slash take 15


class WeightSummary:
    """Mean and median of the weights above 0 of an array whose rows are read twice; it is never in memory whole.

    The median is exact: the bits of positive floats sort as integers do, so counting their upper halves, and then the
    lower halves of those in the middle, finds it. Neither number depends on how rows are grouped. Weights below 1e-40
    count as none.
    """

    def __init__(self) -> None:
        self._row_sums: list[float] = []
        self._upper = np.zeros(1 << 16, np.int64)

    def add(self, rows: NDArray[np.float32]) -> None:
        """Count some rows of the array, in the first reading."""
        values = np.ascontiguousarray(rows, np.float32)
        self._row_sums += values.sum(axis=1, dtype=np.float64).tolist()
        for start in range(0, values.size, VALUES_AT_ONCE):  # bincount turns two bytes into eight
            halves = values.reshape(-1)[start : start + VALUES_AT_ONCE].view(np.uint32) >> 16
            self._upper += np.bincount(halves, minlength=1 << 16)

    def keywords(self, second_reading: Iterable[NDArray[np.float32]]) -> Keywords:
        """MEANWHT and MEDWHT, both 0 where there is no weight; `second_reading` yields all rows again, in any order."""
        upper = self._upper.copy()
        upper[0] = 0
        count, reached = int(upper.sum()), np.cumsum(upper)
        mean = median = 0.0
        if count:
            ranks = ((count - 1) // 2, count // 2)
            halves = [int(np.searchsorted(reached, rank, side="right")) for rank in ranks]
            lower = _count_lower(set(halves), second_reading)
            before = [rank - int(reached[half] - upper[half]) for rank, half in zip(ranks, halves, strict=True)]
            lows = [np.searchsorted(np.cumsum(lower[h]), b, side="right") for h, b in zip(halves, before, strict=True)]
            bits = np.array([(h << 16) | int(low) for h, low in zip(halves, lows, strict=True)], np.uint32)
            mean, median = math.fsum(self._row_sums) / count, float(bits.view(np.float32).astype(np.float64).mean())
        return {
            "MEANWHT": (mean, "mean weight of pixels with weight"),
            "MEDWHT": (median, "median weight of pixels with weight"),
        }


def carried_numbers(primary: fits.Header, before: LayerGrid, grid: LayerGrid) -> tuple[Keywords, Keywords]:
    """(keywords of `summarise_depth`, keywords of `WeightSummary`) that a product keeps on another canvas.

    Both are empty where pixels are cut off, and either where `primary` lacks one of its keywords: they then have to be
    computed anew. The depths are right only if all footprints lie within the old canvas; see `lie_within`.
    """
    if not grid.holds(before):
        return {}, {}
    cards = {key: (primary[key], primary.comments[key]) for key in (*DEPTHS, *WEIGHTS) if key in primary}
    depths, weights = ({key: cards[key] for key in keys if key in cards} for keys in (DEPTHS, WEIGHTS))
    return depths if len(depths) == len(DEPTHS) else {}, weights if len(weights) == len(WEIGHTS) else {}


def lie_within(footprints: Sequence[tuple[shapely.Geometry, float]], grid: LayerGrid, before: LayerGrid) -> bool:
    """Whether all footprints, in 0-based pixels of `grid`, lie on the canvas `before` of the same cell."""
    bounds = shapely.total_bounds([shape for shape, _ in footprints])
    dx, dy = grid.pixels.x_min - before.pixels.x_min, grid.pixels.y_min - before.pixels.y_min
    low = bounds[0] + dx >= -0.5 and bounds[1] + dy >= -0.5
    return bool(low and bounds[2] + dx <= before.shape[1] - 0.5 and bounds[3] + dy <= before.shape[0] - 0.5)


def member_footprints(rows: Sequence[ChipRow], grid: LayerGrid) -> list[tuple[shapely.Geometry, float]]:
    """(footprint in 0-based canvas pixels, exposure time in seconds) of each member, its chips united."""
    outlines = read_outlines(rows)
    shapes = iter(grid.outlines_on_canvas([polygon for polygons in outlines for polygon in polygons]))
    chips: dict[str, list[shapely.Geometry]] = {}
    for row, polygons in zip(rows, outlines, strict=True):
        chips.setdefault(row.ipppssoo, []).extend(islice(shapes, len(polygons)))
    exptimes = {row.ipppssoo: row.exptime for row in rows}
    return [
        (chip_shapes[0] if len(chip_shapes) == 1 else shapely.union_all(chip_shapes), exptimes[ipppssoo])
        for ipppssoo, chip_shapes in chips.items()
    ]


def measure_depths(footprints: Sequence[tuple[shapely.Geometry, float]], grid: LayerGrid) -> Depths:
    """How many canvas pixels hold how many exposures and seconds, from the members' footprints."""
    shapes = shapely.normalize([shape for shape, _ in footprints])
    rings = [polygon_rings(shape) for shape in shapes]
    return count_depths([(member, exptime) for member, (_, exptime) in zip(rings, footprints, strict=True)], grid.shape)


def outline_region(footprints: Sequence[tuple[shapely.Geometry, float]], grid: LayerGrid) -> str:
    """S_REGION of the product: the union of the members' footprints on the canvas, without holes; may be empty."""
    rows, columns = grid.shape
    canvas = shapely.box(-0.5, -0.5, columns - 0.5, rows - 0.5)
    union = shapely.intersection(shapely.union_all([shape for shape, _ in footprints]), canvas)
    outlines = []
    for polygon in shapely.get_parts(shapely.simplify(union, OUTLINE_TOLERANCE)):
        if isinstance(polygon, shapely.Polygon) and not polygon.is_empty:
            x, y = shapely.get_coordinates(polygon.exterior)[:-1].T
            outlines.append(normalize_polygon(np.column_stack(grid.pixel_to_sky(x, y))))
    return format_region(outlines)


def _count_lower(halves: set[int], rows: Iterable[NDArray[np.float32]]) -> dict[int, NDArray[np.int64]]:
    """For each of some upper halves of bits, how many values have it with which lower half."""
    counts = {half: np.zeros(1 << 16, np.int64) for half in halves}
    for block in rows:
        bits = np.ascontiguousarray(block, np.float32).view(np.uint32)
        for half in counts:
            counts[half] += np.bincount(bits[bits >> 16 == half] & 0xFFFF, minlength=1 << 16)
    return counts
