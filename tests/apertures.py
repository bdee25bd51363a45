"""Scatter of sums in empty apertures of a mosaic, at every position, and mosaics of nothing but noise of known size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from astropy.io import fits
from fitsfiles import write_exposure
from mosaic_field import DEC, RA, Field

from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.noise.aperture import _Local
from mvmdb.mosaic.noise.circles import circle_shares
from mvmdb.mosaic.noise.correlation import NoiseCorrelation
from mvmdb.mosaic.noise.drops import correlation_of_chips
from mvmdb.mosaic.product.read import open_product
from mvmdb.names import Scale
from mvmdb.recipe import Recipe

EXPTIME = 400.0
CENTRE = (0.3, 0.45)


@dataclass(frozen=True)
class Scatter:
    """Scatter of sums, each over the error that pixels alone give, `naive`, or over that with correlation, `corrected`.

    `independent` is about how many apertures fit side by side.
    """

    radius: float
    naive: float
    corrected: float
    independent: int


def expose_noise(
    folder: Path,
    detector: str,
    number: int,
    shape: tuple[int, int],
    *,
    seed: int = 1,
    noise: float = 0.05,
    turn: float = 17.0,
) -> list[Path]:
    """Exposures of noise alone (electrons/s of a pixel, ERR is true), dithered at random and turned."""
    rng = np.random.default_rng(seed)
    unit = 1.0 if detector == "IR" else EXPTIME
    paths = []
    for i in range(number):
        sigma = noise * unit * rng.uniform(0.7, 1.3)
        east, north = rng.uniform(-1, 1, 2) / 3600
        letters = chr(97 + i) * 2
        paths.append(
            write_exposure(
                folder, rootname=("ib6o04" if detector == "IR" else "j8oz04") + f"{letters}q", detector=detector,
                shape=shape, science=rng.normal(0, sigma, shape), errors=np.full(shape, sigma), exptime=EXPTIME,
                ra=RA + east, dec=DEC + north, orientat=163.7 + turn * i,
            )
        )  # fmt: skip
    return paths


def mosaic_of_noise(
    folder: Path, detector: str, scale: Scale, number: int, shape: tuple[int, int], *, seed: int = 1, **recipe: object
) -> Path:
    """A mosaic with ERR of such exposures, all their pixels good, with other parameters of the recipe."""
    field = Field(folder)
    job = field.job(expose_noise(folder, detector, number, shape, seed=seed), scale=scale, mean=1)
    changed: Recipe = replace(job.recipe, errors=True, **recipe)  # type: ignore[arg-type]
    make_product(replace(job, recipe=changed))
    return Path(job.target)


def measure_scatter(
    science: np.ndarray, errors: np.ndarray, correlation: NoiseCorrelation, radii: Sequence[float]
) -> list[Scatter]:
    """The scatter of sums in apertures without a NaN, one around every pixel, off its middle."""
    kinds = np.zeros(science.shape, np.int64)
    return _measure_kinds(science, errors, kinds, {0: correlation}, radii)


def measure_mosaic(path: Path, radii: Sequence[float]) -> list[Scatter]:
    """As `measure_scatter`, of a mosaic that holds noise alone, with the correlation of each aperture's exposures."""
    with fits.open(path) as hdus:
        science, errors = (hdus[name].data.astype("f8") for name in ("SCI", "ERR"))
    places = _Local.of(open_product(str(path)))
    y, x = np.mgrid[: science.shape[0], : science.shape[1]]
    kinds = np.zeros(science.shape, np.int64)  # a bit for each chip
    for number, drop in enumerate(places.drops):
        outline = drop.shape
        shapely.prepare(outline)
        kinds |= shapely.contains_xy(outline, x, y).astype(np.int64) << number
    correlations = {}
    for kind in np.unique(kinds[np.isfinite(errors)]).tolist():
        chips = [drop for number, drop in enumerate(places.drops) if kind >> number & 1]
        if chips:
            correlations[kind] = correlation_of_chips(chips)
    return _measure_kinds(science, errors, kinds, correlations, radii)


def _measure_kinds(
    science: np.ndarray,
    errors: np.ndarray,
    kinds: np.ndarray,
    correlations: Mapping[int, NoiseCorrelation],
    radii: Sequence[float],
) -> list[Scatter]:
    """All apertures count alike, each over the error by the correlation of the kind of place that its middle is at."""
    bad = ~(np.isfinite(science) & np.isfinite(errors))
    planes = [np.where(bad, 0.0, science), np.where(bad, 0.0, np.square(errors)), bad.astype(np.float64)]
    found = []
    for radius in radii:
        shares = circle_shares(*CENTRE, radius)[2]
        sums, variances, flags = (
            _sum_windows(p, k) for p, k in zip(planes, (shares, shares**2, shares > 0), strict=True)
        )
        row, column = (side // 2 for side in shares.shape)
        at = kinds[row : row + sums.shape[0], column : column + sums.shape[1]]
        whole = (flags < 0.5) & np.isin(at, list(correlations))
        squares = sums[whole] ** 2 / variances[whole]
        factors = {kind: correlations[kind].factor_of(shares) ** 2 for kind in np.unique(at[whole]).tolist()}
        known, which = np.unique(at[whole], return_inverse=True)
        by_factor = squares / np.array([factors[kind] for kind in known.tolist()])[which]
        fit = int(whole.sum() / (np.pi * radius**2))
        found.append(Scatter(radius, float(np.sqrt(squares.mean())), float(np.sqrt(by_factor.mean())), fit))
    return found


def _sum_windows(plane: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The sum of `plane` times `shares` around each pixel around which the window fits."""
    size = [-(-(a + b) // 96) * 96 for a, b in zip(plane.shape, shares.shape, strict=True)]  # the FFT likes 2^5 x 3
    product = np.fft.rfft2(plane, size) * np.fft.rfft2(shares[::-1, ::-1], size)
    whole = np.fft.irfft2(product, size)
    rows, columns = shares.shape
    return whole[rows - 1 : plane.shape[0], columns - 1 : plane.shape[1]]
