"""Putting members onto the canvas with drizzle 3, chip by chip; the only module that imports drizzle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from drizzle.resample import Drizzle
from numpy.typing import NDArray

from mvmdb.exposures.pixels import ChipData
from mvmdb.mosaic.chips import brightness_per_unit, good_pixels, is_rate, read_member_chips
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.pixmap import ExactMap, map_chip
from mvmdb.mosaic.planes import MARGIN, Planes
from mvmdb.recipes import Recipe

WINDOW_STEP = 64
"""Detector pixels between the points that decide which part of a chip can fall on the canvas."""

Float = NDArray[np.float64]


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


def drizzle_members(
    planes: Planes, members: Iterable[DrizzledMember], grid: LayerGrid, recipe: Recipe, exptime: float = 0.0
) -> list[DrizzledChip]:
    """Add members to the planes in place, in the given order, and say what was used of each chip.

    `exptime` is the exposure time (seconds) that the planes hold already. Resuming gives the same bits as having
    drizzled all members in one go in the same order. Raises MemberUnusableError.
    """
    engine = Drizzle(
        kernel=recipe.kernel,
        fillval="INDEF",  # any other value costs a pass over the canvas for each chip
        out_img=planes.wide_science,
        out_wht=planes.wide_weight,
        exptime=exptime,
        disable_ctx=True,  # a context plane costs 4 bytes a pixel per 32 chips; HDRTAB keeps the membership
    )
    used = []
    for member in members:
        for chip in read_member_chips(member.path, member.ipppssoo):
            subtracted = 0.0 if member.sky is None else member.sky / brightness_per_unit(chip)
            used.append(DrizzledChip(member.ipppssoo, chip.extver, chip.bunit, chip.idcscale, subtracted))
            _drizzle_chip(engine, chip, subtracted, grid, recipe)
    return used


def _drizzle_chip(engine: Drizzle, chip: ChipData, subtracted: float, grid: LayerGrid, recipe: Recipe) -> None:
    rows = find_rows(chip, grid, recipe.pixel_scale)
    if rows is None:
        return
    good = good_pixels(chip, recipe.good_bits)[rows]
    science = np.where(good, chip.science[rows] - np.float32(subtracted), np.float32(0.0))
    pixmap = map_chip(chip.wcs, chip.shape, grid, MARGIN).positions(rows)
    ratio = recipe.pixel_scale / chip.idcscale
    engine.add_image(
        science,
        exptime=chip.exptime,
        pixmap=pixmap,
        iscale=ratio**2,
        pixel_scale_ratio=ratio,
        weight_map=good * np.float32(chip.exptime),
        pixfrac=recipe.pixfrac,
        in_units="cps" if is_rate(chip) else "counts",
    )


def find_rows(chip: ChipData, grid: LayerGrid, pixel_scale: float) -> slice | None:
    """The rows of a chip that can fall on the canvas, with a margin; None if the chip misses it.

    Found on a net of points `WINDOW_STEP` pixels apart: a pixel on the canvas has a net point within one step of it.
    Columns are not cut: drizzle itself passes over what is off its array.
    """
    ys, xs = (_net(size) for size in chip.shape)
    canvas_x, canvas_y = np.moveaxis(ExactMap(chip.wcs, chip.shape, grid).project(*np.meshgrid(xs, ys)), -1, 0)
    margin = 1.5 * WINDOW_STEP * chip.idcscale / pixel_scale + 2.0
    near = (canvas_x > -margin) & (canvas_x < grid.shape[1] + margin)
    near &= (canvas_y > -margin) & (canvas_y < grid.shape[0] + margin)
    if not near.any():
        return None
    found = ys[near.any(axis=1)]
    return slice(max(0, int(found[0]) - WINDOW_STEP), min(chip.shape[0], int(found[-1]) + WINDOW_STEP + 1))


def _net(size: int) -> Float:
    return np.unique(np.append(np.arange(0, size, WINDOW_STEP), size - 1)).astype(np.float64)
