"""Finds the compact sources of a chip: stars, cores of galaxies, and what cosmic rays leave; matching tells them apart.

As DAOFIND does (P. Stetson 1987, PASP 99, 191), a Gaussian is fitted with a constant at every pixel, by one
convolution; a source is where its height is largest and clearly above the noise. Each is then centred in a window that
follows it. numpy alone: shifts are measured wherever mosaics are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mvmdb.alignment.sources import HALF, TOLERATED, Float, Mask, centre_sources, require_wcs
from mvmdb.exposures.fits.pixels import ChipData, read_chips
from mvmdb.remote.files import keep_fetched

Plane = NDArray[np.float32]

FULL_WIDTH = 0.1
"""arcsec: of a star, at which sources are looked for; in pixels it is at least 1.5 and at most 3."""
THRESHOLD = 5.0
"""Noise: of the fitted height of a source. Cosmic rays are far more than chance peaks of noise at this height."""
MOST = 5000
"""Sources of an exposure that are kept, the highest above the noise."""
SHARPEST = 1.0
"""Of a source's pixel above its neighbours, in units of the fitted height: a star has 0.3 to 0.9, one hot pixel 1.2
at a full width of 1.5 pixels, and 2 at 2 pixels."""
_BOX = 64  # pixels, of the background
_STEP = 3  # every third pixel of a box, and of noise


@dataclass(frozen=True, slots=True, eq=False)
class Compact:
    """Sources of an exposure, the clearest first: (n,) ra, dec in degrees, and their height in units of the noise.

    `pixel` is the size of the exposure's largest pixels, arcsec.
    """

    ra: Float
    dec: Float
    height: Float
    pixel: float

    def __len__(self) -> int:
        return len(self.ra)


def find_compact(path: str, wcs_digest: str) -> Compact:
    """The compact sources of an exposure's file, placed by its own WCS.

    Raises ExposureError as `read_exposure` and `read_chips`, and `contradictory` if its WCS is not the one expected.
    """
    return keep_fetched(partial(_find, path, wcs_digest))


def _find(path: str, wcs_digest: str) -> Compact:
    require_wcs(path, wcs_digest)
    parts, pixels = [np.empty((0, 3))], []
    for chip in read_chips(path):
        parts.append(find_in_chip(chip))
        pixels.append(chip.idcscale)
    ra, dec, height = np.concatenate(parts).T
    order = np.argsort(-height, kind="stable")[:MOST]
    return Compact(ra[order], dec[order], height[order], max(pixels))


def find_in_chip(chip: ChipData) -> Float:
    """(n, 3): ra, dec, height over noise, of the clearest `MOST`."""
    good = ((chip.dq & ~TOLERATED) == 0) & np.isfinite(chip.science)
    if min(chip.shape) < 4 * HALF or np.count_nonzero(good) < _BOX:
        return np.empty((0, 3))
    image = np.where(good, chip.science, np.float32(0.0))
    image -= np.where(good, _background(image, good), np.float32(0.0))
    sigma = float(np.clip(FULL_WIDTH / chip.idcscale, 1.5, 3.0)) / 2.355
    height = _fit_heights(image, sigma)
    noise = _spread(height[::_STEP, ::_STEP][good[::_STEP, ::_STEP]])
    if not noise > 0.0:
        return np.empty((0, 3))
    rows, columns = _peaks(height, THRESHOLD * noise)
    kept = good[rows, columns] & (_rise(image, rows, columns) < SHARPEST * height[rows, columns])
    rows, columns = rows[kept], columns[kept]
    clearest = np.argsort(-height[rows, columns], kind="stable")[: 2 * MOST]
    rows, columns = rows[clearest], columns[clearest]
    x, y, _, of = centre_sources(image, good, columns.astype(np.float64), rows.astype(np.float64), sigma)
    heights = height[rows[of], columns[of]] / noise
    ra, dec = chip.wcs.all_pix2world(x[:MOST], y[:MOST], 0)
    sources: Float = np.stack([ra, dec, heights[:MOST]], axis=1)
    finite: Float = sources[np.isfinite(sources).all(axis=1)]
    return finite


def _background(image: Plane, good: Mask) -> Plane:
    """The background at each pixel: medians of boxes, the median of 3 by 3 of these, and straight lines in between."""
    rows, columns = (max(1, side // _BOX) for side in image.shape)
    ends = [np.linspace(0, side, n + 1).astype(int) for side, n in zip(image.shape, (rows, columns), strict=True)]
    level = np.full((rows, columns), np.nan)
    for i in range(rows):
        for j in range(columns):
            box = np.s_[ends[0][i] : ends[0][i + 1] : _STEP, ends[1][j] : ends[1][j + 1] : _STEP]
            values = image[box][good[box]]
            if values.size > _BOX // 2:
                level[i, j] = np.median(values)
    level = np.where(np.isnan(level), np.nanmedian(level) if np.isfinite(level).any() else 0.0, level)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(level, 1, mode="edge"), (3, 3))
    level = np.median(around, axis=(2, 3))
    middles = [0.5 * (end[:-1] + end[1:] - 1) for end in ends]
    along = np.stack([np.interp(np.arange(image.shape[1]), middles[1], row) for row in level])
    place = np.interp(np.arange(image.shape[0]), middles[0], np.arange(rows))
    low = np.minimum(place.astype(int), rows - 1)
    high = np.minimum(low + 1, rows - 1)
    part: Plane = (place - low)[:, None].astype(np.float32)
    lines: Plane = along.astype(np.float32)
    surface: Plane = (lines[low] * (1 - part) + lines[high] * part).astype(np.float32)
    return surface


def _fit_heights(image: Plane, sigma: float) -> Plane:
    """The height of the Gaussian that fits best at each pixel, over a constant, in a square of 7 by 7 pixels.

    Least squares: sum((g - mean(g)) * d) / sum((g - mean(g))^2). Sums over squares are those over rows, then columns.
    """
    reach = np.arange(-3, 4)
    profile = np.exp(-0.5 * (reach / sigma) ** 2)
    kernel = np.outer(profile, profile)
    scale = float(((kernel - kernel.mean()) ** 2).sum())
    smooth, flat = _along_both(image, profile), _along_both(image, np.ones(7))
    height = smooth - np.float32(kernel.mean()) * flat
    height /= np.float32(scale)
    return height


def _along_both(image: Plane, profile: Float) -> Plane:
    """The image convolved with a symmetric profile of 7 pixels along both axes; 0 within 3 pixels of the edge."""
    result = image
    for axis in (0, 1):
        length = image.shape[axis]
        total = np.zeros_like(image)
        inside = [slice(None), slice(None)]
        inside[axis] = slice(3, length - 3)
        target = total[tuple(inside)]
        for step, weight in enumerate(profile.astype(np.float32)):
            inside[axis] = slice(step, length - 6 + step)
            target += weight * result[tuple(inside)]
        result = total
    return result


def _spread(values: NDArray[np.float32]) -> float:
    """The standard deviation of most values, by their median distance from the median."""
    if not values.size:
        return 0.0
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _peaks(height: Plane, limit: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of pixels above a limit, that are above all eight neighbours or the first of equals."""
    rows, columns = np.nonzero(height[1:-1, 1:-1] > limit)
    rows, columns = rows + 1, columns + 1
    here = height[rows, columns]
    highest = np.ones(len(rows), dtype=bool)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            there = height[rows + dy, columns + dx]
            highest &= (here > there) if (dy, dx) < (0, 0) else (here >= there)
    return rows[highest], columns[highest]


def _rise(image: Plane, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
    """How far pixels are above the mean of their eight neighbours."""
    total = np.zeros(len(rows), dtype=np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                total += image[rows + dy, columns + dx]
    rise: Plane = image[rows, columns] - total / np.float32(8)
    return rise
