"""Pictures of mosaics, for people to look at: grey, with an asinh stretch, north up, as archives show previews."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError, UsageError

LARGEST = 2048
"""The longest side of a picture in pixels: larger mosaics are shrunk by means over squares."""
_WHITE = 99.7
"""The percentile of the pixels that is white, if it is far enough above the noise."""
_DARKER, _BRIGHTER = 1.0, 30.0
"""How far below the median black is, and how far above it white is at least, in sigmas of the noise."""
_SOFTENING = 0.1
"""Where the asinh stretch turns from linear to logarithmic, as a fraction of the range (Lupton et al. 1999)."""
_ROWS_AT_ONCE = 256


def require_pictures() -> Any:
    """The library that writes pictures. Raises UsageError, with the remedy, where it is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise UsageError("pictures need Pillow, which is not installed; run: pip install 'mvmdb[pictures]'") from error
    return Image


def write_picture(product: str | Path, largest: int = LARGEST) -> Path:
    """Write `<product without .fits>.jpg` beside a mosaic; pixels without data are black.

    Raises UsageError without Pillow, InputError if the mosaic cannot be read or the picture not be written.
    """
    image_library, source = require_pictures(), Path(product)
    target = source.with_suffix(".jpg")
    try:
        with fits.open(source, memmap=True) as hdus:
            grey = stretch(shrink(hdus["SCI"].data, largest))
        image = image_library.fromarray(grey[::-1])  # the first row of a FITS image is the lowest
        replace_file(target, lambda file: image.save(file, "JPEG", quality=90))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"no picture of {source} could be made ({error}); expected a mosaic, and a folder that can be written"
        ) from error
    return target


def shrink(pixels: NDArray[Any], largest: int) -> NDArray[np.float32]:
    """Means over the smallest squares with which no side is longer than `largest`; NaN where a square has no data.

    A few rows are in memory at a time.
    """
    return shrink_by(pixels, max(1, -(-max(pixels.shape) // largest)))


def shrink_by(pixels: NDArray[Any], step: int, lead: tuple[int, int] = (0, 0)) -> NDArray[np.float32]:
    """Means over squares of `step` by `step` pixels; NaN where a square has no data.

    `lead`: how many rows and columns of the first squares lie before the image, so that squares of images with
    different corners are the same on the sky. A few rows are in memory at a time.
    """
    rows = pixels.shape[0]
    starts = [_starts(length, step, before) for length, before in zip(pixels.shape, lead, strict=True)]
    small = np.full((len(starts[0]), len(starts[1])), np.nan, np.float32)
    at_once = max(1, _ROWS_AT_ONCE // step)
    for first in range(0, len(small), at_once):
        places = starts[0][first : first + at_once]
        stop = starts[0][first + at_once] if first + at_once < len(small) else rows
        block = np.asarray(pixels[places[0] : stop], dtype=np.float64)
        good = np.isfinite(block)
        across = [np.add.reduceat(values, starts[1], axis=1) for values in (np.where(good, block, 0.0), good)]
        total, count = (np.add.reduceat(values, places - places[0], axis=0) for values in across)
        small[first : first + len(total)] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return small


def _starts(length: int, step: int, before: int) -> NDArray[np.int64]:
    """Where squares begin along a side, of which the first has so many pixels `before` the side."""
    return np.maximum(np.arange(-(before % step), length, step), 0)


def stretch(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey from 0 to 255 by an asinh of the range from the sky to the brightest pixels; pixels without data are 0."""
    good = np.isfinite(pixels)
    if not good.any():
        return np.zeros(pixels.shape, np.uint8)
    low, high = limits_of(pixels)
    scaled = np.clip(np.where(good, pixels, low) - low, 0.0, high - low)
    soft = softening_of(low, high)
    grey = np.arcsinh(scaled / soft) / np.arcsinh((high - low) / soft)
    return np.where(good, np.round(1 + 254 * grey), 0).astype(np.uint8)


def limits_of(pixels: NDArray[np.float32]) -> tuple[float, float]:
    """The values that are black and white, from the sky to the brightest pixels; (0, 1) where there are no data.

    The noise is that of the pixels below their median, most of which are sky.
    """
    values = pixels[np.isfinite(pixels)]
    if not values.size:
        return 0.0, 1.0
    below, median, bright = np.percentile(values, [15.87, 50.0, _WHITE]).tolist()
    sigma = median - below
    low = median - _DARKER * sigma
    return low, max(bright, median + _BRIGHTER * sigma, low + max(1e-9 * abs(low), 1e-30))


def softening_of(low: float, high: float) -> float:
    """Where the asinh stretch between these values turns from linear to logarithmic, above the low one."""
    return _SOFTENING * (high - low)
