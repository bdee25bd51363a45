"""Finds the point sources of an exposure, and where they are on the sky; which of them are real is left to matching.

Sources are found with DAOStarFinder of photutils (P. Stetson 1987, PASP 99, 191), whose sharpness and roundness leave
most cosmic rays out. Each is then centred in a Gaussian window that follows it, as XWIN and YWIN of SExtractor do: the
noise of that is near the best possible, and the centre of an undersampled star is biased by less than 0.05 pixels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.pixels import ChipData, read_chips
from mvmdb.exposures.read import read_exposure

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

FULL_WIDTH = 0.1
"""arcsec: of a star, at which sources are looked for; in pixels it is at least 1.5 and at most 3."""
THRESHOLD = 8.0
"""Noise: of a source's peak above the background, as DAOFIND means it. Fainter ones are off by a tenth of a pixel."""
MOST = 4000
"""Sources of a chip that are kept, the brightest."""
HALF = 4
"""Pixels from a source's middle to the edge of the square in which it is centred."""
TOLERATED = np.uint16(32 | 128 | 512 | 1024 | 2048)
"""DQ bits of pixels that a source may cover: CTE tail, bias, blob, trap, signal in the zeroth read. Not hot and warm
pixels: those stay in place while the sky moves, so that undithered exposures would agree on them."""
_BOX = 64  # pixels, of the background


@dataclass(frozen=True, slots=True, eq=False)
class SourceList:
    """Sources of all chips of an exposure, brightest first: ra, dec in degrees, flux in the file's units; (n,) each."""

    ra: Float
    dec: Float
    flux: Float

    def __len__(self) -> int:
        return len(self.ra)


def require_wcs(path: str, wcs_digest: str) -> None:
    """Raise ExposureError `contradictory` if the WCS of an exposure's file is not the one expected."""
    found = read_exposure(path).exposure.wcs_digest
    if found != wcs_digest:
        raise ExposureError(
            "contradictory",
            f"{path} has another WCS than in the catalog ({found}); expected {wcs_digest}; ingest it again",
        )


def find_sources(path: str, wcs_digest: str) -> SourceList:
    """The sources of an exposure's file, placed by its own WCS.

    Raises ExposureError as `read_exposure` and `read_chips`, and `contradictory` if its WCS is not the one expected.
    """
    require_wcs(path, wcs_digest)
    parts = [_find_in_chip(chip) for chip in read_chips(path)]
    ra, dec, flux = np.concatenate([*parts, np.empty((0, 3))]).T
    order = np.argsort(-flux, kind="stable")
    return SourceList(ra[order], dec[order], flux[order])


def _find_in_chip(chip: ChipData) -> Float:
    """(n, 3): ra, dec, flux."""
    from astropy.utils.exceptions import AstropyWarning
    from photutils.detection import DAOStarFinder

    good = ((chip.dq & ~TOLERATED) == 0) & np.isfinite(chip.science)
    if min(chip.shape) < 4 * HALF or np.count_nonzero(good) < _BOX:
        return np.empty((0, 3))
    image = np.where(good, chip.science, 0.0).astype(np.float64)
    level, noise = _background(image, good)
    if not noise > 0.0:
        return np.empty((0, 3))
    image = np.where(good, image - level, 0.0)
    width = float(np.clip(FULL_WIDTH / chip.idcscale, 1.5, 3.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # NoDetectionsWarning: the result says it
        finder = DAOStarFinder(THRESHOLD * noise, width, sharpness_range=(0.2, 1.0))
        table = finder(image, mask=~good)
    if table is None:
        return np.empty((0, 3))
    x, y = (np.asarray(table[name], dtype=np.float64) for name in ("x_centroid", "y_centroid"))
    x, y, flux, _ = centre_sources(image, good, x, y, width / 2.355)
    kept = np.argsort(-flux, kind="stable")[:MOST]
    ra, dec = chip.wcs.all_pix2world(x[kept], y[kept], 0)
    return np.stack([ra, dec, flux[kept]], axis=1)


def _background(image: Float, good: Mask) -> tuple[Float, float]:
    """The background of each pixel, and its noise: medians of boxes, clipped at 3 sigma."""
    from astropy.stats import SigmaClip
    from photutils.background import Background2D, MedianBackground

    box = tuple(min(_BOX, side) for side in image.shape)
    try:
        map_ = Background2D(
            image, box, mask=~good, exclude_percentile=90.0, filter_size=3, sigma_clip=SigmaClip(3.0, maxiters=5),
            bkg_estimator=MedianBackground(),
        )  # fmt: skip
    except ValueError:  # every box is mostly bad
        level = np.full(image.shape, np.median(image[good]))
    else:
        level = np.asarray(map_.background, dtype=np.float64)
    return level, 1.4826 * float(np.median(np.abs(image - level)[good]))


def centre_sources(
    image: Float | NDArray[np.float32], good: Mask, x: Float, y: Float, sigma: float
) -> tuple[Float, Float, Float, NDArray[np.intp]]:
    """x, y and flux of sources, centred in a window that follows them, and which of the given ones they are.

    Those beside bad pixels or an edge are left out. The window is a Gaussian somewhat wider than a star, which a factor
    2 makes converge (SExtractor manual, "Windowed positional parameters").
    """
    rows, columns = np.rint(y).astype(int), np.rint(x).astype(int)
    inside = (rows >= HALF) & (rows < image.shape[0] - HALF) & (columns >= HALF) & (columns < image.shape[1] - HALF)
    which = np.flatnonzero(inside)
    rows, columns = rows[inside], columns[inside]
    offsets = np.arange(-HALF, HALF + 1)
    squares = np.s_[rows[:, None, None] + offsets[:, None], columns[:, None, None] + offsets]
    values, whole = image[squares], good[squares][:, HALF - 1 : HALF + 2, HALF - 1 : HALF + 2].all(axis=(1, 2))
    values = np.where(good[squares], values, 0.0)
    dx, dy = x[inside] - columns, y[inside] - rows
    spread = 2 * max(1.4 * sigma, 1.0) ** 2
    for _ in range(12):
        across, along = offsets[None, None, :] - dx[:, None, None], offsets[None, :, None] - dy[:, None, None]
        weighted = values * np.exp(-(across**2 + along**2) / spread)
        total = weighted.sum(axis=(1, 2))
        with np.errstate(all="ignore"):
            steps = [2 * (weighted * side).sum(axis=(1, 2)) / total for side in (across, along)]
        dx, dy = dx + steps[0], dy + steps[1]
    kept = whole & (np.hypot(dx, dy) < 1.5) & (np.hypot(*steps) < 0.01) & (total > 0)
    return columns[kept] + dx[kept], rows[kept] + dy[kept], total[kept], which[kept]
