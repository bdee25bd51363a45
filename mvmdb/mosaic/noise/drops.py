"""The drops of a mosaic's chips in output pixels, by HDRTAB alone, and what each adds to the noise.

A drop is an input pixel shrunk by pixfrac. Where a chip's outline is that of the whole chip, its pixel is the outline
divided by the chip's rows and columns; of a subarray, whose number of pixels HDRTAB does not have, it has the outline's
directions and the sides IDCSCALE. R hardly depends on more than a drop's area.

An input pixel's weight is its exposure time t, divided among the output pixels by the shares of its drop's area. There
is one in A output pixels, A being a pixel's area, so a chip gives WHT t / A. In output units, the variance of a pixel
under equal sky is as 1 / (A t). So a chip adds t^2 / (A t) / A = t / A^2 times C, which is of shares of the drop. Where
the weight is the inverse variance 1 / v itself, it adds 1 / v^2 * v / A = 1 / (A v) times C, and gives WHT 1 / (A v).

This holds where all pixels that an exposure covers have the same weight: with pixfrac 1 and the kernel `square`, or
with very many exposures. Of fewer exposures whose drops leave gaps the correlation is that of `patches`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from mvmdb.instruments import Detector, find_detector
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.noise.correlation import Matrix, NoiseCorrelation, add_up, combine, has_area
from mvmdb.mosaic.noise.patches import PixelGrid, correlate_grids
from mvmdb.mosaic.product.provenance import ChipRow, read_outlines
from mvmdb.names import LayerName
from mvmdb.recipe import Recipe

_TOLERANCE = 0.03
"""How far a pixel's side may be from those of the detector where the outline is that of a whole chip."""
_NEAR_IDCSCALE = 0.15
_FINENESS = 0.005
"""Sides of drops are rounded to this part of an output pixel, so that equal cameras share one computation."""
POINT = 0.001
"""The pixfrac at which drizzle 3 takes drops as points, whatever the kernel."""
MANY = 32
"""Chips at a place beyond which their weights are taken as even: R of so many is right to 0.2%, with pixfrac 0.8."""
_PLACES = 16
"""Places along a side of a mosaic at which it is looked which chips are there."""
_KINDS = 8
"""Kinds of places, the most frequent ones, by which the correlation of a whole layer is told."""

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ChipDrop:
    """A chip of a mosaic: its outline (n, 2) in 0-based canvas pixels, its pixel, its drop, and its weights.

    `row` is its place in HDRTAB, from 0. `depth` is the WHT that it gives a pixel that its good pixels cover. `weight`
    times C of the drop (see `correlate_drop`) is what it adds to the covariance of such pixels, up to a factor that
    all chips have in common.
    """

    row: int
    outline: Float
    pixel: Matrix
    drop: Matrix
    depth: float
    weight: float

    @property
    def shape(self) -> shapely.Geometry:
        """Its outline as a valid shape."""
        return shapely.make_valid(shapely.polygons(self.outline))


def list_drops(layer: LayerName, grid: LayerGrid, recipe: Recipe, rows: Sequence[ChipRow]) -> list[ChipDrop]:
    """The drops of all chips of a mosaic, in the order of HDRTAB's rows; chips without an outline are left out."""
    detector = find_detector(layer.instrument, layer.detector)
    outlines = read_outlines(rows)
    drops = []
    vertices = np.concatenate([polygon for polygons in outlines for polygon in polygons] or [np.empty((0, 2))])
    placed = np.column_stack(grid.sky_to_pixel(vertices[:, 0], vertices[:, 1]))
    first = 0
    for number, (row, polygons) in enumerate(zip(rows, outlines, strict=True)):
        for polygon in polygons:
            outline = placed[first : first + len(polygon)]
            first += len(polygon)
            if np.isfinite(outline).all():
                pixel = _find_pixel(outline, row.idcscale, recipe.pixel_scale, detector)
                area = abs(float(np.linalg.det(pixel)))
                drop = _find_drop(pixel, row.idcscale, recipe)
                depth = (row.weight or row.exptime) / area
                weight = depth if row.weight else depth / area
                drops.append(ChipDrop(number, outline, _rounded(pixel), drop, depth, weight))
    return drops


def correlation_of_chips(chips: Sequence[ChipDrop]) -> NoiseCorrelation:
    """The correlation at a place where these chips are."""
    if len(chips) > MANY or not any(map(_leaves_gaps, chips)):
        return _combine_even(chips, [chip.weight for chip in chips])
    return correlate_grids(_grids(chips))


def correlation_of_layer(drops: Sequence[ChipDrop]) -> NoiseCorrelation:
    """The correlation in a layer as a whole: chips count by their weight and area.

    Where drops leave gaps, places do: by their number and the weight of the chips that are there.
    """
    if not any(map(_leaves_gaps, drops)):
        return _combine_even(drops, [chip.weight * _area(chip.outline) for chip in drops])
    kinds: Counter[tuple[PixelGrid, ...]] = Counter()
    chips_of: dict[tuple[PixelGrid, ...], list[ChipDrop]] = {}
    for chips in _chips_at_places(drops) or [[chip] for chip in drops]:
        kind = _grids(chips)
        chips_of[kind] = chips
        kinds[kind] += 1
    parts = []
    for kind, places in kinds.most_common(_KINDS):
        chips = chips_of[kind]
        parts.append((correlation_of_chips(chips).covariance, places * sum(chip.weight for chip in chips)))
    return add_up(parts)


def _combine_even(chips: Sequence[ChipDrop], weights: Sequence[float]) -> NoiseCorrelation:
    parts: dict[Matrix, float] = {}
    for chip, weight in zip(chips, weights, strict=True):
        parts[chip.drop] = parts.get(chip.drop, 0.0) + weight
    return combine(parts)


def _leaves_gaps(chip: ChipDrop) -> bool:
    """Whether its drops are not its pixels. A drop without area goes to one output pixel, which shares nothing."""
    return chip.drop != chip.pixel and has_area(chip.drop)


def _grids(chips: Sequence[ChipDrop]) -> tuple[PixelGrid, ...]:
    """The grids of chips, in an order of their own, with weights relative to the largest, to two digits."""
    areas = [abs(float(np.linalg.det(np.array(chip.pixel)))) for chip in chips]
    weights = np.array([chip.depth * area for chip, area in zip(chips, areas, strict=True)])
    variances = np.array([chip.weight * area for chip, area in zip(chips, areas, strict=True)]) / weights**2
    values = zip((weights / weights.max()).tolist(), (variances / variances.min()).tolist(), strict=True)
    grids = [
        PixelGrid(chip.pixel, chip.drop, float(f"{weight:.2g}"), float(f"{variance:.2g}"))
        for chip, (weight, variance) in zip(chips, values, strict=True)
    ]
    return tuple(sorted(grids, key=lambda grid: (grid.pixel, grid.drop, grid.weight, grid.variance)))


def _chips_at_places(drops: Sequence[ChipDrop]) -> list[list[ChipDrop]]:
    """The chips at each place of a grid over a mosaic, where any is."""
    outlines = [drop.shape for drop in drops]
    x_min, y_min, x_max, y_max = shapely.total_bounds(outlines)
    parts = (np.arange(_PLACES) + 0.5) / _PLACES
    x, y = np.meshgrid(x_min + parts * (x_max - x_min), y_min + parts * (y_max - y_min))
    places, chips = shapely.STRtree(outlines).query(shapely.points(x.ravel(), y.ravel()), predicate="intersects")
    found: dict[int, list[ChipDrop]] = {}
    for place, chip in sorted(zip(places.tolist(), chips.tolist(), strict=True)):
        found.setdefault(place, []).append(drops[chip])
    return list(found.values())


def _find_pixel(outline: Float, idcscale: float, pixel_scale: float, detector: Detector) -> Float:
    """(2, 2): a pixel's two sides in output pixels, x and y of each in a column, along the two sides of the chip."""
    corners = _find_corners(outline)
    sides = (
        np.stack(
            [corners[1] - corners[0] + corners[2] - corners[3], corners[3] - corners[0] + corners[2] - corners[1]],
            axis=1,
        )
        / 2.0
    )
    lengths = np.hypot(*sides)
    numbers = np.array(sorted(detector.chip), dtype=np.float64)  # along the shorter and the longer side
    if lengths[0] > lengths[1]:
        numbers = numbers[::-1]
    lowest, highest = detector.pixels[0] * (1 - _TOLERANCE), detector.pixels[1] * (1 + _TOLERANCE)
    arcsec = lengths / numbers * pixel_scale
    nominal = detector.idcscale is not None and not lowest <= detector.idcscale <= highest  # ACS/SBC: it is no pixel's
    near = nominal or abs(math.sqrt(arcsec[0] * arcsec[1]) / idcscale - 1.0) < _NEAR_IDCSCALE
    if near and np.all((arcsec >= lowest) & (arcsec <= highest)):
        whole: Float = sides / numbers
        return whole
    part: Float = sides / lengths * (idcscale / pixel_scale)
    return part


def _find_drop(pixel: Float, idcscale: float, recipe: Recipe) -> Matrix:
    """The drop of a pixel by the recipe's kernel (`square`, `turbo` or `point`), rounded."""
    if recipe.kernel == "point" or recipe.pixfrac <= POINT:
        return ((0.0, 0.0), (0.0, 0.0))
    if recipe.kernel == "turbo":  # parallel to the output's pixels, of the nominal size
        side = recipe.pixfrac * idcscale / recipe.pixel_scale
        return _rounded(np.array([[side, 0.0], [0.0, side]]))
    return _rounded(pixel * recipe.pixfrac)


def _rounded(sides: Float) -> Matrix:
    (x1, x2), (y1, y2) = (np.round(sides / _FINENESS) * _FINENESS).tolist()
    return ((x1, x2), (y1, y2))


def _find_corners(outline: Float) -> Float:
    """(4, 2): the corners of a chip's outline in its own order: where it turns most."""
    before, after = outline - np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0) - outline
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turn = np.abs(np.arctan2(cross, (before * after).sum(axis=1)))
    return outline[np.sort(np.argsort(-turn, kind="stable")[:4])]


def _area(outline: Float) -> float:
    x, y = (outline - outline[0]).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2.0
