"""The pictures of one mosaic that archives hand out with it: a preview, a thumbnail, and one of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from mvmdb.atomic import replace_file
from mvmdb.errors import InputError
from mvmdb.pictures.mosaics import LARGEST, require_pictures, shrink, shrink_by, stretch

THUMB = 256
"""The longest side of a thumbnail in pixels."""
_FULL_WEIGHT = 99.8
"""The percentile of the weights that is white."""


class SmallMosaic:
    """A mosaic that is made small when it is first asked for, and once for several pictures."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._planes: dict[str, NDArray[np.float32]] = {}

    def plane(self, extension: str) -> NDArray[np.float32]:
        """An image of the mosaic, shrunk to LARGEST pixels. Raises InputError if it cannot be read."""
        if extension not in self._planes:
            with open_mosaic(self.path) as hdus:
                self._planes[extension] = shrink(hdus[extension].data, LARGEST)
        return self._planes[extension]


def draw_preview(mosaic: SmallMosaic) -> NDArray[np.uint8]:
    """Grey by an asinh of brightness; the first row is the lowest."""
    return stretch(mosaic.plane("SCI"))


def draw_thumb(mosaic: SmallMosaic) -> NDArray[np.uint8]:
    """The preview, with at most 256 pixels along a side."""
    pixels = mosaic.plane("SCI")
    return stretch(shrink_by(pixels, max(1, -(-max(pixels.shape) // THUMB))))


def draw_weight(mosaic: SmallMosaic) -> NDArray[np.uint8]:
    """Grey in proportion to the weight; black where there is none."""
    weight = np.nan_to_num(mosaic.plane("WHT"), nan=0.0, posinf=0.0, neginf=0.0)
    exposed = weight[weight > 0]
    top = float(np.percentile(exposed, _FULL_WEIGHT)) if exposed.size else 1.0
    return np.where(weight > 0, np.round(1 + 254 * np.clip(weight / top, 0.0, 1.0)), 0).astype(np.uint8)


def open_mosaic(path: Path) -> Any:
    """Open a mosaic; its pixels are read as they are asked for. Raises InputError if that is not possible."""
    try:
        return fits.open(path, memmap=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected a mosaic: run mvmdb verify --deep") from error


def write_jpeg(target: Path, pixels: NDArray[np.uint8], comment: str) -> None:
    """Write a picture, grey (rows, columns) or of colours (rows, columns, 3), with a comment, replacing it whole.

    The first row is the lowest, as in FITS. Raises UsageError without Pillow, InputError if it cannot be written.
    """
    image = require_pictures().fromarray(np.ascontiguousarray(pixels[::-1]))
    try:
        replace_file(target, lambda file: image.save(file, "JPEG", quality=90, comment=comment.encode()))
    except OSError as error:
        raise InputError(
            f"cannot write the picture {target} ({error.strerror or error}); expected a folder that can be written"
        ) from error
