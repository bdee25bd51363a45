"""Whether an exposure looks trailed, as after a loss of guiding: its compact sources are long, all in one direction.

drizzlepac's `verify_guiding` searches images for straight lines of 33 pixels. Here the second moments of bright,
compact sources are measured, which also shows trails of few pixels. Galaxies, neighbours and cosmic rays point in all
directions, so that the median of their shapes is round; a trail gives all of them the same shape. It is a warning only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvmdb.exposures.fits.pixels import ChipData
from mvmdb.exposures.warning_texts import TRAILED

HALF = 7
"""Pixels from a source's brightest pixel to the edge of the square that is measured."""
FEWEST = 10
"""Sources; fewer say nothing of an exposure."""
LEAST_ELLIPTICITY = 0.27
"""Of the median source: (a^2 - b^2) / (a^2 + b^2) of its axes. Trails of 3 pixels make stars 0.33 to 0.6, those of
2 pixels 0.2 to 0.4; without a trail it was below 0.15 in fields with 20 sources or more."""
LEAST_SIGNIFICANCE = 5.0
"""Median ellipticity in units of its own error. Of fields with random shapes, at most 3 in 10,000 reach all limits."""
LEAST_AGREEMENT = 0.6
"""Share of the sources that are elongated within 20 degrees of the median's direction."""

_BRIGHT, _CLEAR = 12.0, 4.0  # noise above the background: of a source's brightest pixel, and of any of its pixels
_EDGE = 0.15  # of the brightest pixel: fainter pixels belong to the wings
_MOST_PEAKS, _MOST_SOURCES = 20_000, 400
_TOLERATED = np.uint16(16 | 32 | 64 | 128 | 512 | 1024)  # DQ: hot, warm, bias, blob, trap; not saturation or cosmic ray
_SMALL_PIXEL = 0.06  # arcsec: a star covers several such pixels, most cosmic rays do not
_SHARP = 0.2  # of the brightest pixel: what each of its four neighbours has at least, in a star on small pixels

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_OFFSETS = np.arange(-HALF, HALF + 1)


def measure_shapes(chip: ChipData) -> Floats:
    """(n, 3) second moments on the sky (east-east, east-north, north-north, pixels^2) of a chip's brightest sources.

    It takes 0.01 s for a megapixel, 2 to 5% of the time of drizzling it.
    """
    good = ((chip.dq & ~_TOLERATED) == 0) & np.isfinite(chip.science)
    sample = chip.science[::5, ::5][good[::5, ::5]]
    if sample.size < 200 or min(chip.shape) < 4 * HALF:
        return np.empty((0, 3))
    level = float(np.median(sample))
    noise = 1.4826 * float(np.median(np.abs(sample - level)))
    if not noise > 0.0:
        return np.empty((0, 3))
    y, x = _find_peaks(chip.science, good, level, noise, sharp=chip.idcscale < _SMALL_PIXEL)
    squares = np.s_[y[:, None, None] + _OFFSETS[:, None], x[:, None, None] + _OFFSETS]
    moments = _measure_moments(chip.science[squares].astype(np.float64), good[squares], noise)
    scale = chip.wcs.wcs.cd / np.sqrt(abs(np.linalg.det(chip.wcs.wcs.cd)))
    on_sky = scale @ moments @ scale.T
    return np.stack([on_sky[:, 0, 0], on_sky[:, 0, 1], on_sky[:, 1, 1]], axis=1)


def describe_trail(shapes: Sequence[Floats]) -> str:
    """The warning of an exposure whose chips have sources of these shapes (see `measure_shapes`); empty if none."""
    moments = np.concatenate([*shapes, np.empty((0, 3))])
    east, both, north = moments.T
    round_, e1, e2 = east + north, east - north, 2.0 * both
    compact = np.argsort(round_ - np.hypot(e1, e2))[: max(FEWEST, len(moments) // 2)]  # by the minor axis
    if len(compact) < FEWEST:
        return ""
    shape = np.stack([e1, e2], axis=1)[compact] / round_[compact, None]
    median = np.median(shape, axis=0)
    ellipticity = float(np.hypot(*median))
    errors = 1.2533 * np.std(shape, axis=0) / np.sqrt(len(shape))
    if ellipticity < max(LEAST_ELLIPTICITY, LEAST_SIGNIFICANCE * float(np.hypot(*errors)) / np.sqrt(2.0)):
        return ""
    along = shape @ median / ellipticity
    lengths = np.hypot(*shape.T)
    if np.mean((along > np.cos(np.deg2rad(40.0)) * lengths) & (lengths > 0.15)) < LEAST_AGREEMENT:
        return ""
    angle = 90.0 - np.rad2deg(np.arctan2(median[1], median[0])) / 2.0
    elongation = np.sqrt((1.0 + ellipticity) / (1.0 - ellipticity))
    return f"{TRAILED} ({len(shape)} sources, median elongation {elongation:.1f}, position angle {angle % 180.0:.0f})"


def _find_peaks(
    image: NDArray[np.float32], good: Mask, level: float, noise: float, sharp: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the brightest pixels of the brightest sources, away from edges and bad pixels."""
    inside = np.s_[HALF:-HALF, HALF:-HALF]
    y, x = np.nonzero((image[inside] > level + _BRIGHT * noise) & good[inside])
    y, x = y + HALF, x + HALF
    value = image[y, x]
    if len(value) > _MOST_PEAKS:
        brightest = np.argpartition(-value, _MOST_PEAKS)[:_MOST_PEAKS]
        y, x, value = y[brightest], x[brightest], value[brightest]
    is_peak = np.full(len(value), True)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            neighbour = image[y + dy, x + dx]
            higher = neighbour < value if (dy, dx) < (0, 0) else neighbour <= value
            is_peak &= good[y + dy, x + dx] & higher
            if sharp and abs(dy) + abs(dx) == 1:
                is_peak &= neighbour - level > _SHARP * (value - level)
    y, x, value = y[is_peak], x[is_peak], value[is_peak]
    brightest = np.argsort(-value, kind="stable")[:_MOST_SOURCES]
    return y[brightest], x[brightest]


def _measure_moments(squares: Floats, good: Mask, noise: float) -> Floats:
    """(n, 2, 2) second moments in pixels^2 (x, y) of the sources in the middle of squares, without those too small.

    A source is the pixels that hang together with the brightest one and are bright enough.
    """
    rim = np.full((2 * HALF + 1, 2 * HALF + 1), True)
    rim[1:-1, 1:-1] = False
    squares = squares - np.median(squares[:, rim], axis=1)[:, None, None]
    peak = squares[:, HALF, HALF]
    bright = (squares > np.maximum(_EDGE * peak, _CLEAR * noise)[:, None, None]) & good
    weight = np.where(_connect_to_middle(bright), squares, 0.0)
    total = weight.sum(axis=(1, 2))
    large = ((weight > 0).sum(axis=(1, 2)) >= 4) & (total > 0)
    weight = weight[large] / total[large, None, None]
    x, y = _OFFSETS[None, None, :], _OFFSETS[None, :, None]
    mean_x, mean_y = (weight * x).sum(axis=(1, 2)), (weight * y).sum(axis=(1, 2))
    xx = (weight * x * x).sum(axis=(1, 2)) - mean_x**2
    yy = (weight * y * y).sum(axis=(1, 2)) - mean_y**2
    xy = (weight * x * y).sum(axis=(1, 2)) - mean_x * mean_y
    return np.stack([xx, xy, xy, yy], axis=1).reshape(-1, 2, 2)


def _connect_to_middle(bright: Mask) -> Mask:
    """The pixels of each square from which bright pixels lead to the middle, by their sides."""
    connected = np.zeros_like(bright)
    connected[:, HALF, HALF] = bright[:, HALF, HALF]
    while True:
        grown = connected.copy()
        grown[:, 1:] |= connected[:, :-1]
        grown[:, :-1] |= connected[:, 1:]
        grown[:, :, 1:] |= connected[:, :, :-1]
        grown[:, :, :-1] |= connected[:, :, 1:]
        grown &= bright
        if np.array_equal(grown, connected):
            return connected
        connected = grown
