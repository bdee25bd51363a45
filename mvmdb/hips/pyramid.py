"""Tiles of lower orders, which are means of those above, and the picture of the whole sky (Allsky)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits

from mvmdb.hips.tiles import read_tile, save_fits, save_picture, write_tile
from mvmdb.hips.values import LOWEST, WIDTH, TileTask
from mvmdb.pictures.mosaics import shrink_by

_SMALL = 64
"""Pixels along the side of a tile in Allsky."""
_ACROSS = 27
"""Tiles in a row of Allsky: the square root of the 768 tiles of order 3, without its fraction."""


def ancestors(numbers: Iterable[int]) -> list[int]:
    """The tiles of the next lower order that hold these, sorted."""
    return sorted({number // 4 for number in numbers})


def make_parent(task: TileTask) -> bool:
    """Make a tile from the four of the next order that it holds; whether there is anything in it."""
    folder, half = Path(task.folder), WIDTH // 2
    pixels = np.full((WIDTH, WIDTH), np.nan, np.float32)
    for child in range(4):
        found = read_tile(folder, task.order + 1, 4 * task.number + child)
        if found is not None:
            first, second = child & 1, child >> 1  # along the axes of HEALPix: rows go against the first
            rows = slice(0, half) if first else slice(half, WIDTH)
            columns = slice(half, WIDTH) if second else slice(0, half)
            pixels[rows, columns] = shrink_by(found, 2)
    return write_tile(folder, task.order, task.number, pixels, task.grey)


def make_allsky(folder: Path, numbers: Iterable[int], grey: tuple[float, float]) -> None:
    """Write Allsky.fits and Allsky.png of order 3: its tiles in rows from the top, each in 64 by 64 pixels."""
    down = -(-12 * 4**LOWEST // _ACROSS)
    shown = np.full((down * _SMALL, _ACROSS * _SMALL), np.nan, np.float32)
    for number in numbers:
        pixels = read_tile(folder, LOWEST, number)
        if pixels is not None:
            row, column = divmod(number, _ACROSS)
            place = (slice(row * _SMALL, (row + 1) * _SMALL), slice(column * _SMALL, (column + 1) * _SMALL))
            shown[place] = shrink_by(pixels, WIDTH // _SMALL)[::-1]  # rows of pictures go down
    at = folder / f"Norder{LOWEST}"
    save_fits(at / "Allsky.fits", shown[::-1], fits.Header())
    save_picture(at / "Allsky.png", shown[::-1], grey)
