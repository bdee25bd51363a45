"""Makes one tile of the highest order from mosaics, and the files of tiles of any order.

Values stay electrons/s per pixel of the mosaics: a surface brightness, which resampling keeps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from mvmdb.atomic import remove_file, replace_file
from mvmdb.errors import InputError
from mvmdb.hips.geometry import bounds_in, tile_path, tile_wcs
from mvmdb.hips.values import WIDTH, HipsMosaic, TileTask

Pixels = NDArray[np.float32]
FORMATS = ("fits", "png")
_BLOCK = 2880
_SOFTENING = 0.02
"""Where the asinh stretch of pictures turns from linear to logarithmic, a fraction of the cut (Lupton et al. 1999)."""


def make_tile(task: TileTask) -> bool:
    """Make the files of one tile; whether there is anything in it. Without, its files are removed.

    Where mosaics overlap, pixels are means weighted by WHT. Raises InputError if a mosaic cannot be read.
    """
    wcs = tile_wcs(task.order, task.number)
    total, weights = np.zeros((2, WIDTH, WIDTH))
    for mosaic in task.mosaics:
        _add(total, weights, mosaic, wcs, task)
    with np.errstate(invalid="ignore", divide="ignore"):
        pixels = np.where(weights > 0, total / weights, np.nan).astype(np.float32)
    return write_tile(Path(task.folder), task.order, task.number, pixels, task.grey)


def mosaic_wcs(path: str) -> WCS:
    """The WCS of a mosaic, with its shape. Raises InputError if it cannot be read."""
    try:
        with fits.open(path, memmap=True) as hdus:
            return WCS(hdus["SCI"].header)
    except (OSError, KeyError, ValueError) as error:
        raise _unreadable(path, error) from error


def write_tile(folder: Path, order: int, number: int, pixels: Pixels, grey: tuple[float, float]) -> bool:
    """Write the FITS file and the picture of a tile, or remove them if no pixel has a value; whether they are there.

    The picture is for people: it is transparent where there is no value.
    """
    paths = {extension: folder / tile_path(order, number, extension) for extension in FORMATS}
    if not np.isfinite(pixels).any():
        for path in paths.values():
            remove_file(path)
        return False
    header = tile_wcs(order, number).to_header()
    header["BUNIT"] = ("electron/s", "per pixel of the mosaics")
    header["ORDER"], header["NPIX"] = order, number
    save_fits(paths["fits"], pixels, header)
    save_picture(paths["png"], pixels, grey)
    return True


def read_tile(folder: Path, order: int, number: int) -> Pixels | None:
    """The pixels of a tile; None where there is no such tile. Raises InputError if it cannot be read."""
    path = folder / tile_path(order, number, "fits")
    try:
        return np.asarray(fits.getdata(path, memmap=False), dtype=np.float32)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); remove the folder of this HiPS, and make it anew"
        ) from error


def save_fits(path: Path, pixels: Pixels, header: fits.Header) -> None:
    """Replace a FITS file by these pixels."""
    hdu = fits.PrimaryHDU(pixels, header)  # not written by astropy, which writes to what is no file pixel by pixel
    parts = (hdu.header.tostring().encode("ascii"), np.ascontiguousarray(pixels, dtype=">f4").tobytes())
    data = b"".join(parts)
    replace_file(path, lambda file: file.write(data + b"\0" * (-len(data) % _BLOCK)))


def save_picture(path: Path, pixels: Pixels, grey: tuple[float, float]) -> None:
    """Replace a PNG file: the first row of FITS is the lowest of a picture."""
    from PIL import Image

    low, high = grey
    there = np.isfinite(pixels)
    scaled = np.clip((np.where(there, pixels, low) - low) / (high - low), 0.0, 1.0)
    scaled *= 1 / _SOFTENING
    shown = np.rint(np.arcsinh(scaled) * (255 / np.arcsinh(1 / _SOFTENING))).astype(np.uint8)
    image = Image.fromarray(np.dstack([shown, np.where(there, 255, 0).astype(np.uint8)])[::-1], "LA")
    replace_file(path, lambda file: image.save(file, "PNG"))


def _add(total: Any, weights: Any, mosaic: HipsMosaic, wcs: WCS, task: TileTask) -> None:
    """Add a mosaic's share of a tile. Only the rectangle of the mosaic that the tile touches is read."""
    from reproject import reproject_interp

    try:
        with fits.open(mosaic.path, memmap=True) as hdus:
            whole = WCS(hdus["SCI"].header)
            part = _rectangle(whole, task)
            if part is None:
                return
            science = np.asarray(hdus["SCI"].data[part], dtype=np.float64)
            weight = np.asarray(hdus["WHT"].data[part], dtype=np.float64)
    except (OSError, KeyError, ValueError) as error:
        raise _unreadable(mosaic.path, error) from error
    here = whole[part]
    shape = {"shape_out": (WIDTH, WIDTH), "return_footprint": False}
    values = reproject_interp((science, here), wcs, order="bilinear", **shape)
    of_values = reproject_interp((weight, here), wcs, order="nearest-neighbor", **shape)
    good = np.isfinite(values) & (np.nan_to_num(of_values) > 0)
    total[good] += (values * of_values)[good]
    weights[good] += of_values[good]


def _rectangle(wcs: WCS, task: TileTask) -> tuple[slice, slice] | None:
    """The rows and columns of a mosaic that a tile touches; None if it touches none."""
    columns, rows = wcs.pixel_shape
    x0, x1, y0, y1 = bounds_in(wcs, task.order, np.array([task.number]))[:, 0]
    across = slice(max(0, int(np.floor(x0))), min(columns, int(np.ceil(x1)) + 1))
    along = slice(max(0, int(np.floor(y0))), min(rows, int(np.ceil(y1)) + 1))
    return (along, across) if across.start < across.stop and along.start < along.stop else None


def _unreadable(path: str, error: Exception) -> InputError:
    return InputError(
        f"the mosaic {path} cannot be read ({error}); run mvmdb status, which sees what is missing or damaged, "
        "and then mvmdb reconcile"
    )
