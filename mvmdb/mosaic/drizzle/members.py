"""Putting members onto the canvas with drizzle 3, piece by piece; the only module that imports drizzle.

Drizzle leaves out input pixels that fall off its output array. It decides this with straight lines between the array's
corners in detector coordinates: for a distorted chip these are off by tens of pixels, and rows at the edge are lost to
rounding. Every chip is therefore cut into the same small squares, each square is drizzled onto an array that contains
all of it, and what lies on the canvas is copied over. Pixels then depend neither on where the canvas ends nor on which
of its rows are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from drizzle.resample import Drizzle
from numpy.typing import NDArray

from mvmdb.exposures.fits.pixels import ChipData
from mvmdb.mosaic.drizzle.chips import (
    blame_member,
    brightness_per_unit,
    count_not_finite,
    good_pixels,
    is_rate,
    read_member_chips,
)
from mvmdb.mosaic.drizzle.pixmap import ChipMap, ExactMap, map_chip
from mvmdb.mosaic.drizzle.planes import Planes
from mvmdb.mosaic.drizzle.variance import pixel_variance
from mvmdb.mosaic.drizzle.weights import weigh_chip
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.trailing import measure_shapes
from mvmdb.recipe import Recipe

TILE = 256
"""Longest side of the squares of detector pixels that are drizzled at once: their output stays in the processor's
cache."""
BORDER = 1
"""Pixels of weight 0 around a square: drizzle interpolates the corners of pixels between the centres of neighbours."""
RIM = 4
"""Output pixels around a square's outermost positions in the array that it is drizzled onto. No weight falls on them;
but where pixfrac is below 1, the last bits of pixels depend on where the array begins, so that another number would be
another `ALGORITHM`."""
REACH = 1.0
"""How far, in output pixels, a square's pixels reach at most beyond its corners, to the middle of an output pixel that
they touch: half an output pixel, and the bulge of the square's edges by distortion (0.33 in WFC3/IR, the largest)."""

SPARE = 2
"""Detector pixels drizzled around those that reach the canvas: drizzle may lose the outermost row and column."""
LEAST = 64
"""Shortest side of a part of a square: drizzle finds the rows of a part to a few hundredths of a pixel, which is many
rows where a part is a few pixels wide."""

FLAGGED = 2.0**-24
"""The weight of a flagged pixel, in times of a good one's, where the recipe takes it if there is no good one: half of
what the last digit of a float32 stands for. So a good pixel is changed by no more than its rounding, whichever of them
comes first, and the sum of weights tells where there is none."""

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Window = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class DrizzledMember:
    """One member to drizzle: its file, and the sky to subtract in electrons/s/arcsec^2 (None: none).

    `alternate` is the text of the solution that takes the place of the file's, if any. `photflam` is the PHOTFLAM that
    its chips are scaled to, in whose electrons the sky is; None for the chips' own.
    """

    ipppssoo: str
    path: str
    sky: float | None
    alternate: str = ""
    photflam: float | None = None


@dataclass(frozen=True, slots=True)
class DrizzledChip:
    """What was used of one chip, for HDRTAB; `subtracted` is the sky in the input's own unit, `bunit` (MDRIZSKY).

    `factor`: electrons (or electrons/s) that were made of one stored unit, `scale`: the ratio of sensitivities in it
    (see `ChipData`). `weight`: what a good pixel counted by (see `weigh_chip`).
    `not_finite` counts its infinite and NaN pixels that DQ does not flag. `shapes` are those of its sources (see
    `measure_shapes`), where they were measured.
    """

    ipppssoo: str
    extver: int
    bunit: str
    idcscale: float
    subtracted: float
    factor: float = 1.0
    weight: float = 0.0
    scale: float = 1.0
    not_finite: int = 0
    shapes: Float = field(default_factory=lambda: np.empty((0, 3)), compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Square:
    """A square of a chip as drizzle takes it, with a border of weight 0; `variance` is in science's units squared."""

    science: Image
    weight: Image
    variance: Image | None


class Scratch:
    """Two arrays that are reused from square to square: newly allocated memory is slow."""

    def __init__(self) -> None:
        self._arrays = np.empty((2, 0), np.float32)

    def take(self, shape: tuple[int, int]) -> tuple[Image, Image]:
        """Two arrays of `shape` with arbitrary values; arrays taken earlier must not be used any more."""
        size = shape[0] * shape[1]
        if self._arrays.shape[1] < size:
            self._arrays = np.empty((2, size + size // 4), np.float32)
        return self._arrays[0, :size].reshape(shape), self._arrays[1, :size].reshape(shape)


def drizzle_members(
    planes: Planes, members: Iterable[DrizzledMember], grid: LayerGrid, recipe: Recipe, *, with_shapes: bool = False
) -> list[DrizzledChip]:
    """Add members to the planes in place, in the given order, and return what was used of each chip.

    The planes must have a variance plane if the recipe has errors, and none otherwise. Adding members in several calls
    gives the same bits as one call with all of them in the same order; so do planes of some of the rows, and other
    canvases of the same cell. `with_shapes` measures the shapes of sources as well. Raises MemberUnusableError, and
    ProductError as `read_member_chips`.
    """
    used = []
    for member in members:
        with blame_member(member.ipppssoo):
            chips = read_member_chips(
                member.path, member.ipppssoo, recipe.used_bits, recipe.reads_errors, member.alternate, member.photflam
            )
            for chip in chips:
                subtracted = 0.0 if member.sky is None else member.sky / brightness_per_unit(chip, recipe.sky_units)
                weight = weigh_chip(chip, member.ipppssoo, recipe)
                used.append(_describe(member, chip, subtracted, weight, with_shapes))
                _drizzle_chip(planes, chip, subtracted, weight, grid, recipe)
    return used


def _describe(
    member: DrizzledMember, chip: ChipData, subtracted: float, weight: float, with_shapes: bool
) -> DrizzledChip:
    return DrizzledChip(
        member.ipppssoo,
        chip.extver,
        chip.stored_bunit,
        chip.idcscale,
        subtracted / chip.factor,
        chip.factor,
        weight,
        chip.scale,
        count_not_finite(chip),
        *([measure_shapes(chip)] if with_shapes else []),
    )


def _drizzle_chip(
    planes: Planes, chip: ChipData, subtracted: float, weight: float, grid: LayerGrid, recipe: Recipe
) -> None:
    chip_map: ChipMap | None = None
    scratch = Scratch()
    for rows, column_ranges in find_squares(chip, grid, planes.rows):
        chip_map = chip_map or map_chip(chip.wcs, chip.shape, grid, BORDER)
        positions = chip_map.positions(slice(rows.start, rows.stop + 2 * BORDER))
        for columns in column_ranges:
            pixmap = positions[:, columns.start : columns.stop + 2 * BORDER]
            square = _cut_out(chip, (rows, columns), subtracted, weight, recipe)
            _drizzle_square(planes, grid, square, pixmap, chip, recipe, scratch)


def find_squares(chip: ChipData, grid: LayerGrid, rows: range) -> Iterator[tuple[slice, list[slice]]]:
    """Yield, for each row of squares, its detector rows and the columns of squares that may reach these canvas rows."""
    y_edges, x_edges = (_cut_evenly(size) for size in chip.shape)
    # Corners, not middles and a nominal size: IDCSCALE of ACS/SBC is 0.025, and its pixels are 0.034 x 0.030 arcsec.
    corner = ExactMap(chip.wcs, chip.shape, grid).project(*np.meshgrid(x_edges - 0.5, y_edges - 0.5)) - grid.offset
    corners = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]])
    low, high = corners.min(axis=0) - REACH, corners.max(axis=0) + REACH
    in_reach = (high > [0, rows.start]) & (low < [grid.shape[1] - 1, rows.stop - 1])
    for i, row in enumerate(np.logical_and(in_reach[..., 0], in_reach[..., 1])):
        if row.any():
            columns = [slice(int(x_edges[j]), int(x_edges[j + 1])) for j in np.flatnonzero(row)]
            yield slice(int(y_edges[i]), int(y_edges[i + 1])), columns


def _cut_evenly(size: int) -> NDArray[np.int64]:
    """Where a side of `size` pixels is cut: evenly, because drizzle loses rows of narrow pieces."""
    return np.linspace(0, size, -(-size // TILE) + 1).round().astype(np.int64)


def _cut_out(chip: ChipData, window: Window, subtracted: float, chip_weight: float, recipe: Recipe) -> _Square:
    """A square's pixels minus the sky, their weights, and variances if any: 0 for bad pixels and in the border.

    A flagged pixel of unknown error is as one that is not finite: its variance would reach good pixels.
    """
    good = good_pixels(chip, recipe.good_bits, window)
    flagged = _flagged_pixels(chip, good, window, recipe)
    if flagged is not None:
        good |= flagged
    shape = (good.shape[0] + 2 * BORDER, good.shape[1] + 2 * BORDER)
    science, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    np.subtract(chip.science[window], np.float32(subtracted), out=science[inside], where=good)
    np.multiply(good, np.float32(chip_weight), out=weight[inside])
    if flagged is not None:
        weight[inside][flagged] *= np.float32(FLAGGED)
    if chip.error is None or not recipe.errors:
        return _Square(science, weight, None)
    variance = np.zeros(shape, np.float32)
    variance[inside] = pixel_variance(chip.error[window], good)
    return _Square(science, weight, variance)


def _flagged_pixels(
    chip: ChipData, good: NDArray[np.bool_], window: Window, recipe: Recipe
) -> NDArray[np.bool_] | None:
    """The pixels that are used where there is no good one; None where the recipe uses good ones alone."""
    if recipe.used_bits == recipe.good_bits:
        return None
    flagged = good_pixels(chip, recipe.used_bits, window) & ~good
    if chip.error is not None:
        flagged &= np.isfinite(pixel_variance(chip.error[window], flagged))
    return flagged


def _drizzle_square(
    planes: Planes,
    grid: LayerGrid,
    square: _Square,
    positions: Float,
    chip: ChipData,
    recipe: Recipe,
    scratch: Scratch,
) -> None:
    # The outermost positions lie on the square's edge, to the few hundredths of a pixel by which tables move pixels.
    edge = np.concatenate([positions[0], positions[-1], positions[:, 0], positions[:, -1]])
    low = np.floor(edge.min(axis=0)).astype(np.int64) - RIM
    high = np.ceil(edge.max(axis=0)).astype(np.int64) + RIM + 1
    # Subtracting whole pixels is exact, and leaves the same small numbers on every canvas.
    left, bottom = (low - grid.offset - [0, planes.first]).tolist()
    width, height = (high - low).tolist()
    rows, columns = planes.science.shape
    on_canvas = np.s_[max(bottom, 0) : min(bottom + height, rows), max(left, 0) : min(left + width, columns)]
    if on_canvas[0].start >= on_canvas[0].stop or on_canvas[1].start >= on_canvas[1].stop:
        return
    in_square = np.s_[
        on_canvas[0].start - bottom : on_canvas[0].stop - bottom, on_canvas[1].start - left : on_canvas[1].stop - left
    ]
    moved = _shift(positions, low)
    limits: dict[str, int] = {}
    if in_square[0].stop - in_square[0].start < height or in_square[1].stop - in_square[1].start < width:
        part = _find_part(moved, in_square)
        if part is None:
            return
        limits = part
    image, weights = scratch.take((height, width))
    _copy_in(planes.science, on_canvas, in_square, image)
    _copy_in(planes.weight, on_canvas, in_square, weights)
    variances = None
    if planes.variance is not None:
        variances = [np.empty((height, width), np.float32)]
        _copy_in(planes.variance, on_canvas, in_square, variances[0])
    ratio = recipe.pixel_scale / chip.idcscale
    # No context plane: it would cost 4 bytes per pixel and 32 chips, and HDRTAB lists the members. `exptime`, the time
    # already in the arrays, is only for drizzle's own bookkeeping; with 0 it would sum the arrays to see them empty.
    engine = Drizzle(
        kernel=recipe.kernel, fillval="INDEF", fillval2="INDEF", out_img=image, out_wht=weights, out_img2=variances,
        exptime=1.0, disable_ctx=True,
    )  # fmt: skip
    engine.add_image(
        square.science,
        data2=None if square.variance is None else [square.variance],
        exptime=chip.exptime,
        pixmap=moved,
        iscale=ratio**2,
        pixel_scale_ratio=ratio,
        weight_map=square.weight,
        pixfrac=recipe.pixfrac,
        in_units="cps" if is_rate(chip) else "counts",
        **limits,
    )
    planes.science[on_canvas], planes.weight[on_canvas] = image[in_square], weights[in_square]
    if planes.variance is not None and variances is not None:
        planes.variance[on_canvas] = variances[0][in_square]


def _find_part(positions: Float, window: Window) -> dict[str, int] | None:
    """Drizzle's limits of rows and columns of a square (inclusive) that hold all pixels that reach a window of its
    output array, from the pixels' positions there; None where none does.

    Drizzle takes the corners of pixels from the whole square, and goes through rows and columns in the same order, so
    pixels of the window are the same to the bit.
    """
    edges = positions[0], positions[-1], positions[:, 0], positions[:, -1]
    steps = [np.abs(np.diff(edge, axis=0)).max(axis=0) for edge in edges]
    reach = 0.5 + np.maximum(steps[0], steps[1]) + np.maximum(steps[2], steps[3])  # twice what a pixel needs
    near = np.ones(positions.shape[:2], dtype=np.bool_)
    for axis, side in enumerate(window[::-1]):
        along = positions[..., axis]
        near &= (along > side.start - reach[axis]) & (along < side.stop - 1 + reach[axis])
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if not rows.size:
        return None
    bottom, top = _widen(int(rows[0]), int(rows[-1]), positions.shape[0])
    left, right = _widen(int(columns[0]), int(columns[-1]), positions.shape[1])
    return {"ymin": bottom, "ymax": top, "xmin": left, "xmax": right}


def _widen(first: int, last: int, size: int) -> tuple[int, int]:
    """A range of pixels (inclusive) with `SPARE` on both sides, of `LEAST` at least, inside the first `size`."""
    first = max(0, min(first - SPARE, size - LEAST))
    return first, min(max(last + SPARE, first + LEAST - 1), size - 1)


def _copy_in(plane: Image, on_canvas: Window, in_square: Window, image: Image) -> None:
    """Copy a window of a plane into a window of a square's output array, with zeros around it."""
    pixels = plane[on_canvas]
    if pixels.shape != image.shape:
        image[:] = 0.0
    image[in_square] = pixels


def _shift(positions: Float, low: NDArray[np.int64]) -> Float:
    """Positions minus `low`, with x and y as one complex number: numpy is slow along an axis of length 2."""
    rows, columns = positions.shape[:2]
    flat = positions.view(np.complex128)[..., 0] - complex(*low)
    return flat.view(np.float64).reshape(rows, columns, 2)
