"""Putting members onto the canvas with drizzle 3, piece by piece; the only module that imports drizzle.

Drizzle leaves out input pixels that are off its array, and judges that by straight lines between the array's corners
as it finds them in the detector: with a distorted chip that is tens of pixels beside the truth, and rows at the edge
get lost by rounding. So every chip is cut into the same small squares, each is drizzled onto an array that holds all of
it, and the part on the canvas is carried over. Pixels then depend neither on where the canvas ends nor on which of its
rows are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from drizzle.resample import Drizzle
from numpy.typing import NDArray

from mvmdb.exposures.fits.pixels import ChipData
from mvmdb.mosaic.drizzle.chips import brightness_per_unit, good_pixels, is_rate, read_member_chips
from mvmdb.mosaic.drizzle.pixmap import ChipMap, ExactMap, map_chip
from mvmdb.mosaic.drizzle.planes import Planes
from mvmdb.mosaic.drizzle.variance import pixel_variance
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.recipe import Recipe

TILE = 256
"""Longest side of the squares of detector pixels that are drizzled at once: their output stays in the processor's
cache."""
BORDER = 1
"""Pixels of weight 0 around a square: drizzle finds the corners of pixels between their centres, and theirs."""
RIM = 4
"""Output pixels around a square's outermost positions in the array that it is drizzled onto. No weight falls on them;
but where pixfrac is below 1, the last bits of pixels depend on where the array begins, so that another number would be
another `ALGORITHM`."""
REACH = 1.0
"""How far, in output pixels, a square's pixels reach at most beyond its corners, to the middle of an output pixel that
they touch: half an output pixel, and the bulge of the square's edges by distortion (0.33 in WFC3/IR, the largest)."""

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Part = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class DrizzledMember:
    """What one member brings: its file, and the sky to subtract in electrons/s/arcsec^2 (None: nothing)."""

    ipppssoo: str
    path: str
    sky: float | None


@dataclass(frozen=True, slots=True)
class DrizzledChip:
    """What was used of one chip, for the record; `subtracted` is the sky in the input's own units (MDRIZSKY)."""

    ipppssoo: str
    extver: int
    bunit: str
    idcscale: float
    subtracted: float


@dataclass(frozen=True, slots=True, eq=False)
class _Square:
    """Part of a chip as drizzle takes it, with a border of weight 0; `variance` in the square of science's units."""

    science: Image
    weight: Image
    variance: Image | None


class Scratch:
    """Two arrays that are used again and again: memory is slow when it is new."""

    def __init__(self) -> None:
        self._room = np.empty((2, 0), np.float32)

    def take(self, shape: tuple[int, int]) -> tuple[Image, Image]:
        """Two arrays of a shape, with anything in them; those taken before are not to be used any more."""
        size = shape[0] * shape[1]
        if self._room.shape[1] < size:
            self._room = np.empty((2, size + size // 4), np.float32)
        return self._room[0, :size].reshape(shape), self._room[1, :size].reshape(shape)


def drizzle_members(
    planes: Planes, members: Iterable[DrizzledMember], grid: LayerGrid, recipe: Recipe
) -> list[DrizzledChip]:
    """Add members to the planes in place, in the given order, and say what was used of each chip.

    The planes have variances exactly where the recipe has errors.
    Resuming gives the same bits as having drizzled all members in one go in the same order; so do planes of some of
    the rows, and other canvases of the same cell. Raises MemberUnusableError.
    """
    used = []
    for member in members:
        for chip in read_member_chips(member.path, member.ipppssoo, recipe.errors):
            subtracted = 0.0 if member.sky is None else member.sky / brightness_per_unit(chip)
            used.append(DrizzledChip(member.ipppssoo, chip.extver, chip.bunit, chip.idcscale, subtracted))
            _drizzle_chip(planes, chip, subtracted, grid, recipe)
    return used


def _drizzle_chip(planes: Planes, chip: ChipData, subtracted: float, grid: LayerGrid, recipe: Recipe) -> None:
    made: ChipMap | None = None
    scratch = Scratch()
    for rows, parts in find_squares(chip, grid, planes.rows):
        made = made or map_chip(chip.wcs, chip.shape, grid, BORDER)
        positions = made.positions(slice(rows.start, rows.stop + 2 * BORDER))
        for columns in parts:
            pixmap = positions[:, columns.start : columns.stop + 2 * BORDER]
            square = _cut_out(chip, (rows, columns), subtracted, recipe.good_bits)
            _drizzle_square(planes, grid, square, pixmap, chip, recipe, scratch)


def find_squares(chip: ChipData, grid: LayerGrid, rows: range) -> Iterator[tuple[slice, list[slice]]]:
    """Row by row of squares, their detector rows, and the columns of each that may fall on some rows of the canvas."""
    y_edges, x_edges = (_cut_evenly(size) for size in chip.shape)
    # Corners, not middles and a nominal size: IDCSCALE of ACS/SBC is 0.025, and its pixels are 0.034 x 0.030 arcsec.
    corner = ExactMap(chip.wcs, chip.shape, grid).project(*np.meshgrid(x_edges - 0.5, y_edges - 0.5)) - grid.offset
    corners = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]])
    low, high = corners.min(axis=0) - REACH, corners.max(axis=0) + REACH
    near = (high > [0, rows.start]) & (low < [grid.shape[1] - 1, rows.stop - 1])
    for i, row in enumerate(np.logical_and(near[..., 0], near[..., 1])):
        if row.any():
            columns = [slice(int(x_edges[j]), int(x_edges[j + 1])) for j in np.flatnonzero(row)]
            yield slice(int(y_edges[i]), int(y_edges[i + 1])), columns


def _cut_evenly(size: int) -> NDArray[np.int64]:
    """Where a side of so many pixels is cut: drizzle loses rows of narrow pieces, so that none must be left over."""
    return np.linspace(0, size, -(-size // TILE) + 1).round().astype(np.int64)


def _cut_out(chip: ChipData, part: Part, subtracted: float, good_bits: int) -> _Square:
    """A square's pixels without the sky, their weights, and variances if any: 0 for bad pixels, and in the border."""
    good = good_pixels(chip, good_bits, part)
    shape = (good.shape[0] + 2 * BORDER, good.shape[1] + 2 * BORDER)
    science, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    inside = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    np.subtract(chip.science[part], np.float32(subtracted), out=science[inside], where=good)
    np.multiply(good, np.float32(chip.exptime), out=weight[inside])
    if chip.error is None:
        return _Square(science, weight, None)
    variance = np.zeros(shape, np.float32)
    variance[inside] = pixel_variance(chip.error[part], good)
    return _Square(science, weight, variance)


def _drizzle_square(
    planes: Planes,
    grid: LayerGrid,
    square: _Square,
    positions: Float,
    chip: ChipData,
    recipe: Recipe,
    scratch: Scratch,
) -> None:
    # The outermost positions are those of the square's own edge, to the few hundredths of a pixel of the tables.
    edge = np.concatenate([positions[0], positions[-1], positions[:, 0], positions[:, -1]])
    low = np.floor(edge.min(axis=0)).astype(np.int64) - RIM
    high = np.ceil(edge.max(axis=0)).astype(np.int64) + RIM + 1
    # Whole pixels are taken off, and the small numbers that remain are exact: the same on every canvas.
    left, bottom = (low - grid.offset - [0, planes.first]).tolist()
    width, height = (high - low).tolist()
    rows, columns = planes.science.shape
    on_canvas = np.s_[max(bottom, 0) : min(bottom + height, rows), max(left, 0) : min(left + width, columns)]
    if on_canvas[0].start >= on_canvas[0].stop or on_canvas[1].start >= on_canvas[1].stop:
        return
    here = np.s_[
        on_canvas[0].start - bottom : on_canvas[0].stop - bottom, on_canvas[1].start - left : on_canvas[1].stop - left
    ]
    image, weights = scratch.take((height, width))
    _lift(planes.science, on_canvas, here, image)
    _lift(planes.weight, on_canvas, here, weights)
    variances = None
    if planes.variance is not None:
        variances = [np.empty((height, width), np.float32)]
        _lift(planes.variance, on_canvas, here, variances[0])
    ratio = recipe.pixel_scale / chip.idcscale
    # No context plane: it would cost 4 bytes a pixel per 32 chips, and HDRTAB keeps the membership. The time that the
    # arrays hold already is for drizzle's own accounts; with 0 it would check by a sum that they are empty.
    engine = Drizzle(
        kernel=recipe.kernel, fillval="INDEF", fillval2="INDEF", out_img=image, out_wht=weights, out_img2=variances,
        exptime=1.0, disable_ctx=True,
    )  # fmt: skip
    engine.add_image(
        square.science,
        data2=None if square.variance is None else [square.variance],
        exptime=chip.exptime,
        pixmap=_shift(positions, low),
        iscale=ratio**2,
        pixel_scale_ratio=ratio,
        weight_map=square.weight,
        pixfrac=recipe.pixfrac,
        in_units="cps" if is_rate(chip) else "counts",
    )
    planes.science[on_canvas], planes.weight[on_canvas] = image[here], weights[here]
    if planes.variance is not None and variances is not None:
        planes.variance[on_canvas] = variances[0][here]


def _lift(plane: Image, on_canvas: Part, here: Part, lifted: Image) -> None:
    """Copy part of a plane into `here` of an array, with zeros around it."""
    part = plane[on_canvas]
    if part.shape != lifted.shape:
        lifted[:] = 0.0
    lifted[here] = part


def _shift(positions: Float, low: NDArray[np.int64]) -> Float:
    """Positions less `low`, x and y as one complex number: numpy is slow along an axis of length 2."""
    rows, columns = positions.shape[:2]
    flat = positions.view(np.complex128)[..., 0] - complex(*low)
    return flat.view(np.float64).reshape(rows, columns, 2)
