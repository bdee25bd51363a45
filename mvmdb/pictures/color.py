"""The colour picture of a sky cell, from the mosaics of its filters in the order of their wavelengths.

Blue is the shortest wavelength and red the longest. Three filters are blue, green and red; of more, each gives to the
two nearest colours by its place in the order; of two, green is the mean of both; one is grey. Brightness is stretched
by an asinh that keeps the colours (Lupton et al. 2004, PASP 116, 133).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import InputError
from mvmdb.filters import band_of
from mvmdb.names import parse_product_name
from mvmdb.pictures.mosaics import LARGEST, limits_of, shrink_by
from mvmdb.pictures.previews import open_mosaic

_Q = float(np.arcsinh(10.0))
_STRETCH = _Q * 0.1
"""With these, Lupton's stretch turns from linear to logarithmic at a tenth of white, as the grey pictures do."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a mosaic lies among the pixels of its projection cell (rows, columns of the corner), and its shape."""

    corner: tuple[int, int]
    shape: tuple[int, int]
    exptime: float


def pivot_of(product: str) -> float | None:
    """The pivot wavelength, in nm, of the filter of a mosaic with this file name; None where it is not known."""
    layer, _ = parse_product_name(product)
    band = band_of(layer.instrument, layer.detector, layer.filter)
    return None if band is None else band.pivot_nm


def draw_color(products: Sequence[Path]) -> tuple[NDArray[np.uint8], str]:
    """The colour picture of fine mosaics of one sky cell, and what its colours are, in words.

    It is (rows, columns, 3), with the lowest row first. Of several mosaics of one filter of a camera, the one with the
    longest exposure time is taken. Raises InputError if a mosaic cannot be read, or no wavelength is known.
    """
    places = {path: _read_place(path) for path in products}
    chosen = _choose(places)
    if not chosen:
        raise InputError("no mosaic has a filter whose wavelength is known; expected one")
    corner = tuple(min(places[path].corner[axis] for path in chosen) for axis in (0, 1))
    end = tuple(max(places[path].corner[axis] + places[path].shape[axis] for path in chosen) for axis in (0, 1))
    step = max(1, -(-max(end[0] - corner[0], end[1] - corner[1]) // LARGEST))
    bands = []
    for path in chosen:
        at = (places[path].corner[0] - corner[0], places[path].corner[1] - corner[1])
        whole = np.full((-(-(end[0] - corner[0]) // step), -(-(end[1] - corner[1]) // step)), np.nan, np.float32)
        with open_mosaic(path) as hdus:
            small = shrink_by(hdus["SCI"].data, step, (at[0] % step, at[1] % step))
        whole[at[0] // step :, at[1] // step :][: small.shape[0], : small.shape[1]] = small
        low, high = limits_of(whole)
        bands.append((whole - np.float32(low)) / np.float32(high - low))
    return mix(bands), _describe(chosen)


def mix(bands: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Colours (rows, columns, 3) of images in the order of their wavelengths, 0 for black and 1 for white, NaN without.

    Where some of the images have no data, the others give their share; a colour of which none has data gets the mean
    of the other colours. Pixels without any data are black.
    """
    from astropy.visualization import make_lupton_rgb

    shares = color_shares(len(bands))
    planes = []
    for color in range(3):
        total, weight = (np.zeros(bands[0].shape, np.float32) for _ in range(2))
        for band, share in zip(bands, shares[:, color], strict=True):
            good = np.isfinite(band)
            total[good] += np.float32(share) * band[good]
            weight[good] += np.float32(share)
        planes.append(np.where(weight > 0, total / np.maximum(weight, 1e-6), np.nan))
    stacked = np.stack(planes)
    known = np.isfinite(stacked)
    count = known.sum(axis=0)
    mean = np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(count, 1)
    red, green, blue = np.where(known, stacked, mean)
    with np.errstate(invalid="ignore", divide="ignore"):  # it divides by the intensity before it asks for zeros
        colors: NDArray[np.uint8] = make_lupton_rgb(red, green, blue, minimum=0.0, stretch=_STRETCH, Q=_Q)
    colors[count == 0] = 0
    return colors


def color_shares(n: int) -> NDArray[np.float64]:
    """How much each of n images, by wavelength, gives to red, green and blue: (n, 3).

    >>> color_shares(3).tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    place = np.linspace(0.0, 1.0, n) if n > 1 else np.array([0.5])
    red, blue = np.clip(2 * place - 1, 0.0, 1.0), np.clip(1 - 2 * place, 0.0, 1.0)
    shares = np.column_stack([red, 1.0 - red - blue, blue])
    if n == 1:
        shares[:] = 1.0
    elif n == 2:
        shares[:, 1] = 0.5
    return shares


def _choose(places: dict[Path, _Place]) -> list[Path]:
    """One mosaic per filter of a camera, in the order of wavelengths."""
    longest: dict[tuple[float, str, str], Path] = {}
    for path in sorted(places):
        layer, _ = parse_product_name(path.name)
        pivot = pivot_of(path.name)
        if pivot is None:
            continue
        key = (pivot, f"{layer.instrument} {layer.detector}", layer.filter)
        if key not in longest or places[path].exptime > places[longest[key]].exptime:
            longest[key] = path
    return [longest[key] for key in sorted(longest)]


def _read_place(path: Path) -> _Place:
    try:
        with open_mosaic(path) as hdus:
            header = hdus["SCI"].header
            corner = (-round(float(header["CRPIX2"]) - 0.5), -round(float(header["CRPIX1"]) - 0.5))
            shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
            return _Place(corner, shape, float(hdus[0].header.get("EXPTIME") or 0.0))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected a mosaic: run mvmdb verify --deep") from error


def _describe(chosen: Iterable[Path]) -> str:
    """The filters from blue to red, as they are in the picture's comment."""
    layers = [parse_product_name(path.name)[0] for path in chosen]
    return "from blue to red: " + ", ".join(f"{one.instrument}/{one.detector} {one.filter}" for one in layers)
