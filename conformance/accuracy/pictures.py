"""The figures of docs/accuracy.md: mosaics by each way side by side with one stretch, and cuts through seams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from PIL import Image

from conformance.accuracy.ways import Plane, read_plane
from mvmdb.plots.style import DASHES, INK, MAP, PALETTE, new_figure, styled, write_figure

FINE = 0.04  # arcsec
PIXEL_AREA = (0.1282500028610229 / FINE) ** 2
"""Fine pixels of a mosaic in one of a WFC3/IR exposure, by which SCI is multiplied: electrons/s of a detector pixel."""
TITLES = {"drizzlepac": "before: drizzlepac 3.11", "hap": "before: method hap", "mvmdb": "after: method mvmdb"}
WIDTH, COLORS = 900, 256
UNIT = "electron/s a detector pixel"
MOST = 0.2
"""The ends of the stretch of the galaxy's figure, in that unit."""
Light = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def draw_border(strips: Mapping[str, NDArray[np.float64]], border: float, target: Path) -> None:
    """A strip of sky across the border of two sky cells (rows, columns of fine pixels), put together from both."""
    first = next(iter(strips.values()))
    extent = extent_of(first.shape, border)
    with styled():
        figure = new_figure(9.0, 2.2 * len(strips) + 3.0)
        axes = figure.subplots(len(strips) + 1, 1, sharex=True, height_ratios=[*[1.0] * len(strips), 1.2])
        low, high = limits({way: strip * PIXEL_AREA for way, strip in strips.items()})
        for place, (way, strip) in zip(axes, strips.items(), strict=False):
            image = place.imshow(strip * PIXEL_AREA, origin="lower", cmap=MAP, vmin=low, vmax=high, extent=extent)
            place.set(title=TITLES[way], ylabel="north, arcsec")
        figure.colorbar(image, ax=list(axes[:-1]), label=UNIT, shrink=0.8)
        draw_cuts(axes[-1], {way: medians(strip) * PIXEL_AREA for way, strip in strips.items()}, extent, step=12)
        axes[-1].axvline(0, color="black", linewidth=0.6)
        axes[-1].set(title="median of each column", xlabel="west of the border of the two sky cells, arcsec")
        axes[-1].set_ylabel(UNIT)
        _save(figure, target)


def draw_galaxy(products: Mapping[str, Path], light: Light, sky: float, target: Path) -> None:
    """The mosaics of two exposures of a galaxy less its true light and the lower sky, and cuts through them.

    `light` (of ra and dec, degrees) and `sky` are in electrons/s of a detector pixel.
    """
    planes = {way: read_plane(path) for way, path in products.items()}
    left, bottom, shape = _window(list(planes.values()))
    truth = true_light(next(iter(products.values())), (left, bottom), shape, light) + sky
    cuts = {way: plane.cut(left, bottom, shape) * PIXEL_AREA - truth for way, plane in planes.items()}
    rows = slice(shape[0] // 2 - 60, shape[0] // 2 + 60)
    extent = extent_of(shape, shape[1] / 2)
    with styled():
        figure = new_figure(9.0, 6.6)
        grid = figure.add_gridspec(2, len(cuts), height_ratios=(1.2, 1.0))
        places = [figure.add_subplot(grid[0, k]) for k in range(len(cuts))]
        for place, (way, cut) in zip(places, cuts.items(), strict=True):
            image = place.imshow(smooth(cut), origin="lower", cmap=MAP, vmin=-MOST, vmax=MOST, extent=extent)
            place.axhline(0, color=INK, linewidth=0.7, linestyle=":")
            place.set(title=TITLES[way], xlabel="arcsec")
        places[0].set_ylabel("arcsec")
        figure.colorbar(image, ax=places, label=UNIT, location="bottom", shrink=0.6, aspect=40)
        below = figure.add_subplot(grid[1, :])
        draw_cuts(below, {way: medians(cut[rows]) for way, cut in cuts.items()}, extent, step=12)
        below.axhline(0, color=INK, linewidth=0.6)
        below.set(title="median of 120 rows around the dotted line", xlabel="arcsec", ylabel=UNIT, ylim=(-MOST, MOST))
        _save(figure, target)


def true_light(product: Path, corner: tuple[int, int], shape: tuple[int, int], light: Light) -> NDArray[np.float64]:
    """What the sky shines in each pixel of a rectangle on a product's grid, whose first pixel is `corner`."""
    plane = read_plane(product)
    y, x = np.indices(shape)
    wcs = WCS(fits.getheader(product, "SCI"))
    ra, dec = wcs.wcs_pix2world((x + corner[0] - plane.left).ravel(), (y + corner[1] - plane.bottom).ravel(), 0)
    return np.asarray(light(ra, dec)).reshape(shape)


def smooth(image: NDArray[np.float64], step: int = 6) -> NDArray[np.float64]:
    """The medians of squares, so that what is less than the noise of a pixel can be seen."""
    rows, columns = (size // step for size in image.shape)
    squares = image[: rows * step, : columns * step].reshape(rows, step, columns, step).swapaxes(1, 2)
    return medians(squares.reshape(-1, step * step).T).reshape(rows, columns)


def draw_cuts(axes: Any, cuts: Mapping[str, NDArray[np.float64]], extent: Sequence[float], step: int) -> None:
    """A line for each way along x, in means of some pixels."""
    for number, (way, cut) in enumerate(cuts.items()):
        whole = cut[: len(cut) // step * step].reshape(-1, step).mean(axis=1)
        x = extent[0] + (np.arange(len(whole)) + 0.5) * step * FINE
        axes.plot(x, whole, color=PALETTE[number], linestyle=DASHES[number % len(DASHES)], label=TITLES[way], lw=1.6)
    axes.legend()


def medians(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each column, NaN where no pixel of it has a value."""
    found = np.full(image.shape[1], np.nan)
    seen = np.isfinite(image).any(axis=0)
    found[seen] = np.nanmedian(image[:, seen], axis=0)
    return found


def extent_of(shape: tuple[int, ...], origin: float) -> tuple[float, float, float, float]:
    """The edges of an image in arcsec: x from a column, y from the middle."""
    rows, columns = shape
    return (-origin * FINE, (columns - origin) * FINE, -rows / 2 * FINE, rows / 2 * FINE)


def limits(images: Mapping[str, NDArray[np.float64]], most: float = 98.0) -> tuple[float, float]:
    """One stretch for all images."""
    values = np.concatenate([image[np.isfinite(image)] for image in images.values()])
    low, high = np.percentile(values, [100 - most, most])
    return float(low), float(high)


def _window(planes: Sequence[Plane]) -> tuple[int, int, tuple[int, int]]:
    """The rectangle that all planes have."""
    left, bottom = max(p.left for p in planes), max(p.bottom for p in planes)
    right = min(p.left + p.science.shape[1] for p in planes)
    top = min(p.bottom + p.science.shape[0] for p in planes)
    return left, bottom, (top - bottom, right - left)


def _save(figure: Any, target: Path) -> None:
    """Write a figure, small: at the page's width, with few colours."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_figure(figure, target)
    with Image.open(target) as image:
        size = (WIDTH, round(image.height * WIDTH / image.width))
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)
