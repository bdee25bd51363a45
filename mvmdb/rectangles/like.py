"""The rectangle of another image that lies on the grid of a projection cell."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from mvmdb.errors import InputError, UsageError
from mvmdb.inputs import open_plain
from mvmdb.names import Scale
from mvmdb.recipe import PIXEL_SCALE
from mvmdb.records import Canvas
from mvmdb.rectangles.geometry import Rectangle
from mvmdb.sky.sphere import sky_to_vector
from mvmdb.sky.tessellation import COARSE, PROJECTION_CRPIX, nearest_projection_cell, projection_cell_centers

_NEAR = 1e-6
"""How far, in pixels, an image may be from the grid: rounding in headers."""


class Likeness(NamedTuple):
    """A rectangle and the scale of its pixels."""

    rectangle: Rectangle
    scale: Scale


def rectangle_like(path: str | os.PathLike[str]) -> Likeness:
    """The rectangle that the first image with a WCS in a FITS file has, and its scale.

    Raises InputError if the file cannot be read or has no such image, UsageError if its pixels are not those of a
    projection cell's grid, at the fine or the coarse scale.
    """
    try:
        with open_plain(path) as file, fits.open(file, memmap=False, lazy_load_hdus=True) as hdus:
            header = next((h.header for h in hdus if h.header.get("NAXIS") == 2 and "CRVAL1" in h.header), None)
            wcs = None if header is None else WCS(header)
    except (OSError, ValueError, fits.VerifyError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected a FITS file with an image and its WCS") from error
    if header is None or wcs is None:
        raise InputError(f"{path} has no image with a WCS; expected one")
    shape = (int(header["NAXIS1"]), int(header["NAXIS2"]))
    return _place(str(path), wcs, shape)


def _place(path: str, wcs: WCS, shape: tuple[int, int]) -> Likeness:
    p, offset = _nearest_cell(wcs)
    scale = _scale_of(wcs)
    ra, dec = wcs.wcs.crval
    if list(wcs.wcs.ctype) != ["RA---TAN", "DEC--TAN"] or offset > _NEAR * PIXEL_SCALE["fine"] or scale is None:
        raise UsageError(
            f"{path} is not on the grid of a projection cell: it has {'/'.join(wcs.wcs.ctype)} about {ra:.6f} {dec:.6f}"
            f", {offset:.3g} arcsec from the centre of the nearest; expected a tangent plane about this centre, north "
            "up, with pixels of 0.04 or 0.12 arcsec; give --at and --size"
        )
    zoom = 1 if scale == "fine" else COARSE
    first = np.array([PROJECTION_CRPIX / zoom - float(each) + 1 for each in wcs.wcs.crpix])
    if np.abs(first - np.round(first)).max() > _NEAR:
        off = first - np.round(first)
        raise UsageError(
            f"{path} is {off[0]:+.3f} and {off[1]:+.3f} pixels off the {scale} grid of its projection cell; expected "
            "whole pixels; give --at and --size"
        )
    x, y = (int(each) for each in np.round(first))
    low = [zoom * each - zoom // 2 for each in (x, y)]  # as in `Canvas.at_scale`
    high = [zoom * (each + side - 1) + zoom // 2 for each, side in zip((x, y), shape, strict=True)]
    return Likeness(Rectangle(p, Canvas(low[0], high[0], low[1], high[1])), scale)


def _nearest_cell(wcs: WCS) -> tuple[int, float]:
    """The projection cell with the nearest centre, and how far that is, in arcsec."""
    here = sky_to_vector(float(wcs.wcs.crval[0]), float(wcs.wcs.crval[1]))
    p = nearest_projection_cell(here)
    (ra,), (dec,) = projection_cell_centers([p])
    chord = float(np.linalg.norm(sky_to_vector(ra, dec) - here))
    return p, float(np.rad2deg(2 * np.arcsin(chord / 2))) * 3600


def _scale_of(wcs: WCS) -> Scale | None:
    matrix = wcs.pixel_scale_matrix * 3600
    for scale in ("fine", "coarse"):
        step = PIXEL_SCALE[scale]
        if np.abs(matrix - np.array([[-step, 0.0], [0.0, step]])).max() < 1e-9:
            return scale
    return None
