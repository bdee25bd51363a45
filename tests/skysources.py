"""Sources of skies for tests: of the exposures of a job, and squares without files in fields of several kinds.

And light that is painted on exposures: a galaxy, and a crowd of stars; what is left at seams of real exposures; how
much worse skies of few pairs are than those of all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import set_pixels
from mosaic_field import DEC, RA

from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.mosaic.skies.choose import choose_pairs
from mvmdb.mosaic.skies.source import SkySource
from mvmdb.records import LayerJob
from mvmdb.sky.region import parse_region

Light = Callable[[np.ndarray, np.ndarray], np.ndarray]
SIDE = 130.0


def squares(places: np.ndarray) -> list[SkySource]:
    return [
        SkySource(f"i{n:07d}", "", (shapely.box(x, y, x + SIDE, y + SIDE),)) for n, (x, y) in enumerate(places.tolist())
    ]


def everything(sources: list[SkySource]) -> set[str]:
    return {source.ipppssoo for source in sources}


def scattered(kind: str, n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return {
        "one field": rng.uniform(-10, 10, (n, 2)),
        "one place": np.zeros((n, 2)),
        "a strip": np.column_stack([np.arange(n) * 100.0, rng.uniform(-5, 5, n)]),
        "a wide field": rng.uniform(0, 40 * n**0.5, (n, 2)),
        "three fields in a chain": np.repeat([[0, 0], [SIDE - 12, 0], [2 * SIDE - 24, 0]], -(-n // 3), axis=0)[:n]
        + rng.uniform(-4, 4, (n, 2)),
        "two fields apart": np.repeat([[0, 0], [900, 0]], -(-n // 2), axis=0)[:n] + rng.uniform(-9, 9, (n, 2)),
    }[kind]


def sources_of(job: LayerJob, grid: LayerGrid) -> list[SkySource]:
    regions = {m.ipppssoo: parse_region(read_exposure(m.path).exposure.s_region) for m in job.members}
    return [SkySource(m.ipppssoo, m.path, tuple(grid.outlines_on_canvas(regions[m.ipppssoo]))) for m in job.members]


def paint(path: Path, light: Light, sky: float, noise: float, seed: int) -> Path:
    """Set the pixels to light (a function of ra and dec, degrees, in electrons/s per pixel), sky and noise (its root at
    the sky; light adds its own)."""
    with fits.open(path) as hdus:
        shape = hdus["SCI", 1].shape
        y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
        ra, dec = WCS(hdus["SCI", 1].header, hdus).all_pix2world(x.ravel(), y.ravel(), 0)
        exptime = 1.0 if hdus["SCI", 1].header["BUNIT"].endswith("/S") else hdus[0].header["EXPTIME"]
        seconds = hdus[0].header["EXPTIME"]
    truth = light(ra, dec).reshape(shape)
    rng = np.random.default_rng(seed)
    rate = truth + sky + rng.normal(0.0, 1.0, shape) * np.sqrt(noise**2 + truth / seconds)
    set_pixels(path, rate * exptime)
    return path


def dark(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    return np.zeros(ra.shape)


def galaxy(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """A galaxy that fills the field: an exponential disc of 8 arcsec, its centre in one corner of the overlap."""
    x, y = (ra - RA) * np.cos(np.radians(DEC)) * 3600, (dec - DEC) * 3600
    return 4.0 * np.exp(-np.hypot(x - 4.0, 1.5 * (y - 3.0)) / 8.0)


def crowd(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Stars of all brightness, several to every ten pixels: no pixel is without."""
    rng = np.random.default_rng(3)
    x, y = (ra - RA) * np.cos(np.radians(DEC)) * 3600, (dec - DEC) * 3600
    light = np.zeros(ra.shape)
    for east, north, rate in zip(*rng.uniform(-16, 16, (2, 900)), rng.pareto(1.2, 900).clip(0, 300), strict=True):
        near = np.flatnonzero((np.abs(x - east) < 1.2) & (np.abs(y - north) < 1.2))
        light[near] += rate * np.exp(-((x[near] - east) ** 2 + (y[near] - north) ** 2) / (2 * 0.14**2))
    return light


def seam(first: Path, second: Path) -> float:
    """The mean difference of an overlap in electrons/s per pixel, without what lies beyond three deviations."""
    with fits.open(first) as one, fits.open(second) as other:
        ours, theirs = WCS(one["SCI", 1].header, one), WCS(other["SCI", 1].header, other)
        rows, columns = one["SCI", 1].shape
        y, x = (axis.ravel() for axis in np.mgrid[3:rows:5, 3:columns:5])
        at = np.rint(theirs.all_world2pix(*ours.all_pix2world(x, y, 0), 0, quiet=True, tolerance=1e-2)).astype(int)
        on = (at[0] >= 0) & (at[0] < columns) & (at[1] >= 0) & (at[1] < rows)
        x, y, u, v = x[on], y[on], at[0][on], at[1][on]
        good = ((one["DQ", 1].data[y, x] | other["DQ", 1].data[v, u]) & ~np.int16(16)) == 0
        difference = (one["SCI", 1].data[y, x] - other["SCI", 1].data[v, u])[good].astype(float)
    middle, width = np.median(difference), 1.4826 * np.median(np.abs(difference - np.median(difference)))
    return float(difference[np.abs(difference - middle) < 3 * width].mean())


def sparse_against_all(n: int) -> tuple[float, float]:
    """How much larger errors of differences of skies are by the chosen pairs of n exposures of a field than by all.

    In the mean of two exposures, and of the worst two. Offsets of two pairs with one exposure in common are not
    independent: both have its noise. The medians of differences of pixels a - b and a - c are, as the signs of the
    differences are, correlated by (2 / pi) arcsin(1 / 2) = 1/3. So of the variance of a pair one third is noise of
    either exposure, which no number of pairs lessens, and one third its own.
    """
    sources = squares(scattered("one field", n))
    laplacian = np.zeros((n, n))
    for i, j in choose_pairs(sources, everything(sources)):
        laplacian[[i, j], [j, i]] -= 1
        laplacian[[i, j], [i, j]] += 1
    covariance = np.linalg.pinv(laplacian, hermitian=True)
    variances = np.diag(covariance)
    resistance = (variances[:, None] + variances - 2 * covariance)[np.triu_indices(n, 1)]
    shared, own = 2 / 3, 1 / 3  # of the variance of a pair's offset
    dense = shared + own * 2 / n  # of all pairs, the resistance is 2 / n
    mean, worst = (float(np.sqrt((shared + own * r) / dense)) for r in (resistance.mean(), resistance.max()))
    return mean, worst
