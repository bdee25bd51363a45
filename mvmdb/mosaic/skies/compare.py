"""The difference of the skies of two exposures: the median of the differences of their pixels in the overlap.

What both see is subtracted pixel by pixel, so neither a galaxy that fills the overlap nor a crowd of stars stays in it.
Each pixel of the first exposure is compared with one beside the same place in the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.mosaic.drizzle.chips import brightness_per_unit, good_pixels, read_member_chips
from mvmdb.mosaic.drizzle.raster import polygon_rings
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.clipping import clipped_median, exact_median
from mvmdb.mosaic.skies.overlay import Box, is_on, overlay
from mvmdb.mosaic.skies.source import SkySource, to_detector
from mvmdb.recipe import Recipe
from mvmdb.records import SkyPair

FEWEST = 200
"""Fewer pixels than this say nothing: clipping needs a distribution, and the error of a median needs many values."""
BLOCK = 64
"""A box around an overlap begins and ends at multiples of this many pixels: it must not depend on the last digits of
an outline, which are those of the sky cell."""
PIXELS_AT_ONCE = 1 << 15
"""Pixels of the first exposure that are compared at once, so that they stay in the processor's cache."""
SPREAD_FROM = 1 << 17
"""Values from which the spread of differences is estimated; the sky of either exposure, from as many."""
MEDIAN_ERROR = 1.9666
"""The error of a median of n values of a normal distribution is this times their middle quarter over the root of n:
sqrt(pi / 2) standard deviations (Kendall & Stuart, Advanced Theory of Statistics, vol. 1, section 14.12), of which the
quantiles 0.375 and 0.625 are 0.63728 apart. The middle quarter knows nothing of stars and cosmic rays."""
_DITHER = (0.7548776662466927, 0.5698402909980532)
"""The inverse of the plastic ratio, and its square."""
RESOLUTION = 2.0**-20
"""The least error of one pixel, as a fraction of its brightness: differences of noiseless pixels are rounded."""

Float = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SkyChip:
    """A chip as skies are compared on it: brightness in electrons/s/arcsec^2 (rows, columns), NaN where a pixel is bad.

    `outline` is in 0-based canvas pixels, `area` that of a pixel in arcsec^2.
    """

    brightness: Float
    wcs: WCS
    outline: shapely.Geometry
    area: float


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """Pixels of the first exposure, and of the second where they fall on it: differences and brightness of the first.

    `quarter` is 0 to 3, that of the overlap in which the pixel lies. `area` is that of these pixels in arcsec^2, and
    `independent` how many of the differences share no pixel of the second.
    """

    difference: Float
    first: Float
    quarter: NDArray[np.uint8]
    area: float
    independent: float


def read_sky_chips(source: SkySource, recipe: Recipe) -> tuple[SkyChip, ...]:
    """The chips of an exposure. Raises as `read_member_chips`."""
    chips = []
    read = read_member_chips(
        source.path, source.ipppssoo, recipe.used_bits, alternate=source.alternate, photflam=source.photflam
    )
    for chip, outline in zip(read, source.outlines, strict=True):
        good = good_pixels(chip, recipe.sky_good_bits)
        good &= chip.science >= np.float32(recipe.sky_lower * chip.factor)  # it is a limit of stored values
        brightness = np.full(chip.shape, np.nan, np.float32)
        np.multiply(chip.science, np.float32(brightness_per_unit(chip)), out=brightness, where=good)
        chips.append(SkyChip(brightness, chip.wcs, outline, chip.idcscale**2))
    return tuple(chips)


def compare_exposures(
    names: tuple[str, str], first: tuple[SkyChip, ...], second: tuple[SkyChip, ...], grid: LayerGrid, recipe: Recipe
) -> SkyPair:
    """The pair of two exposures; one without `FEWEST` pixels to compare has 0 pixels.

    It depends on both exposures alone: `grid` is only where their outlines are.
    """
    common = shapely.intersection(
        shapely.union_all([chip.outline for chip in first]), shapely.union_all([chip.outline for chip in second])
    )
    pieces = [
        piece
        for chip in first
        for other in second
        for piece in _compare_chips(chip, other, grid, shapely.centroid(common))
    ]
    if sum(piece.difference.size for piece in pieces) < FEWEST:
        return SkyPair(*names, 0.0, 0.0, 0, 0)
    values = np.concatenate([piece.difference for piece in pieces])
    clipped = clipped_median(values, -np.inf, recipe.sky_clips, recipe.sky_sigma)
    if clipped is None or clipped[1] < FEWEST:
        return SkyPair(*names, 0.0, 0.0, 0, 0)
    difference, pixels = clipped
    level = exact_median(_some(np.concatenate([piece.first for piece in pieces])))
    low, high = np.quantile(_some(values), [0.375, 0.625])
    spread = max(MEDIAN_ERROR * float(high - low), RESOLUTION * max(abs(level), abs(level - difference)), 1e-12)
    independent = sum(piece.independent for piece in pieces) * pixels / values.size
    return SkyPair(
        *names,
        level,
        level - difference,
        pixels,
        pixels,
        difference,
        spread / max(independent, 1.0) ** 0.5,
        _gradient(values, np.concatenate([piece.quarter for piece in pieces])),
        sum(piece.area for piece in pieces) * pixels / values.size,
    )


def _compare_chips(first: SkyChip, second: SkyChip, grid: LayerGrid, middle: shapely.Point) -> Iterator[_Compared]:
    """The differences of two chips, in pieces; none where they do not overlap."""
    overlap = shapely.intersection(first.outline, second.outline)
    box = _box(first, overlap, grid)
    if box is None:
        return
    place = overlay(first.wcs, box, second.wcs, second.brightness.shape)
    halves = _halves(first.wcs, box, grid, middle)
    flat, columns = second.brightness.ravel(), second.brightness.shape[1]
    independent = min(1.0, first.area / second.area)
    inside_box = first.brightness[box]
    at_once = max(1, PIXELS_AT_ONCE // inside_box.shape[1])
    for top in range(0, inside_box.shape[0], at_once):
        rows = slice(top, min(top + at_once, inside_box.shape[0]))
        x, y = place.positions(rows)
        x, y = _beside(x, y, box, rows)
        at = np.flatnonzero(is_on(x, y, second.brightness.shape))
        y *= columns
        y += x
        brightness = inside_box[rows].ravel()[at]
        difference = brightness - flat[y.ravel()[at].astype(np.intp)]
        known = np.flatnonzero(np.isfinite(difference))
        if known.size:
            quarter = _quarters(halves, rows, inside_box.shape[1]).ravel()[at[known]]
            yield _Compared(
                difference[known], brightness[known], quarter, known.size * first.area, known.size * independent
            )


def _beside(x: Float64, y: Float64, box: Box, rows: slice) -> tuple[Float64, Float64]:
    """Columns and rows (whole numbers) of pixels beside positions: each of the four around one as often as it is near.

    The nearest pixel would be off by the same fraction of a pixel all over the overlap of two exposures of one
    orientation, and so see another part of a galaxy's slope; these are off by nothing on average. Which one is taken
    follows from the place in the box alone, by an additive recurrence in two dimensions (Roberts 2018), which fills
    them evenly.
    """
    column = np.arange(box[1].start, box[1].start + x.shape[1])
    row = np.arange(box[0].start + rows.start, box[0].start + rows.start + x.shape[0])[:, None]
    beside = []
    for place, (a, b) in ((x, _DITHER), (y, _DITHER[::-1])):
        step = np.remainder(column * a, 1.0) + np.remainder(row * b, 1.0)
        whole = np.floor(step)
        step += place  # in place: newly allocated memory takes as long as the sums
        step -= whole
        beside.append(np.floor(step, out=step))
    return beside[0], beside[1]


def _box(chip: SkyChip, overlap: shapely.Geometry, grid: LayerGrid) -> Box | None:
    """Rows and columns of a chip that hold an overlap; None where it has no area."""
    rings = polygon_rings(overlap)
    if not rings or overlap.area <= 0.0:
        return None
    corners = np.concatenate([to_detector(ring, chip.wcs, grid) for ring in rings])
    low = np.floor((corners.min(axis=0) - 1.0) / BLOCK) * BLOCK
    high = np.ceil((corners.max(axis=0) + 1.0) / BLOCK) * BLOCK
    rows, columns = chip.brightness.shape
    left, bottom = (int(edge) for edge in np.maximum(low, 0.0))
    right, top = (int(edge) for edge in np.minimum(high, [columns, rows]))
    return (slice(bottom, top), slice(left, right)) if left < right and bottom < top else None


def _halves(wcs: WCS, box: Box, grid: LayerGrid, middle: shapely.Point) -> Float64:
    """(2, 3): factors of column, row and 1 in a box that give how far a pixel lies east and north of the middle.

    A linear function is good enough to say in which quarter of the overlap a pixel lies.
    """
    rows, columns = (float(side.stop - side.start - 1) for side in box)
    x, y = np.array([0.0, columns, 0.0, columns]), np.array([0.0, 0.0, rows, rows])
    ra, dec = wcs.all_pix2world(x + box[1].start, y + box[0].start, 0)
    places = np.stack(grid.sky_to_pixel(ra, dec)) - np.array([[middle.x], [middle.y]])
    factors, *_ = np.linalg.lstsq(np.column_stack([x, y, np.ones(4)]), places.T, rcond=None)
    turned: Float64 = factors.T
    return turned


def _quarters(halves: Float64, rows: slice, columns: int) -> NDArray[np.uint8]:
    """(rows, columns): in which quarter each pixel in some rows of the box lies."""
    x, y = np.arange(columns), np.arange(rows.start, rows.stop)[:, None]
    east, north = (factor[0] * x + (factor[1] * y + factor[2]) > 0.0 for factor in halves)
    quarters: NDArray[np.uint8] = east.view(np.uint8) | (north.view(np.uint8) << np.uint8(1))
    return quarters


def _gradient(values: Float, quarters: NDArray[np.uint8]) -> float | None:
    """How much the difference changes from one half of the overlap to the other, by the medians of its quarters.

    Its error in either direction is twice that of the median of all values.
    """
    parts = [values[quarters == quarter] for quarter in range(4)]
    if min(part.size for part in parts) < FEWEST:
        return None
    a, b, c, d = (exact_median(part) for part in parts)
    return float(np.hypot((b + d - a - c) / 2, (c + d - a - b) / 2))


def _some(values: Float) -> Float:
    """About `SPREAD_FROM` of the values at most, evenly; every nth of an odd n, as detectors have even patterns."""
    return values[:: values.size // SPREAD_FROM | 1]
