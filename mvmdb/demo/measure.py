"""Measures the demo's stars in a mosaic: their offsets and flux errors against the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits
from astropy.wcs import WCS

from mvmdb.demo.render import Floats, StarTable

APERTURE = (
    0.45  # arcsec: more than 5 sigma of a star as drizzled, and within the blemish-free surroundings of each star
)
SKY_INNER, SKY_OUTER = 0.6, 1.2  # arcsec
EVENNESS = 0.97  # smallest over largest weight around a star, if no edge of an exposure crosses it


@dataclass(frozen=True)
class StarCheck:
    """Stars measured in one mosaic: `offset` in output pixels, `flux_error` relative to the true rate; both (n,)."""

    offset: Floats
    flux_error: Floats

    @property
    def n(self) -> int:
        """Number of stars that were measured."""
        return int(self.offset.size)

    def __str__(self) -> str:
        if self.n == 0:
            return "no star lies clear of the edges"
        return (
            f"{self.n} stars, at most {self.offset.max():.3f} pixels and {100 * np.abs(self.flux_error).max():.2f}% "
            "of their flux from the truth"
        )


def measure_stars(product: Path, catalog: StarTable) -> StarCheck:
    """Measure every star of the catalog that is not near an edge of an exposure or of the mosaic."""
    with fits.open(product) as hdus:
        science, weight, wcs = hdus["SCI"].data, hdus["WHT"].data, WCS(hdus["SCI"].header)
    scale = float(np.sqrt(np.abs(np.linalg.det(wcs.pixel_scale_matrix)))) * 3600
    xs, ys = wcs.all_world2pix(catalog.ra, catalog.dec, 0)
    results = []
    for x, y, rate in zip(xs, ys, catalog.rate, strict=True):
        measured = _measure(science, weight, float(x), float(y), scale)
        if measured is not None:
            dx, dy, flux = measured
            results.append((np.hypot(dx, dy), flux / rate - 1))
    offset, flux_error = np.array(results, dtype=np.float64).reshape(-1, 2).T
    return StarCheck(offset, flux_error)


def _measure(
    science: npt.NDArray[np.float32], weight: npt.NDArray[np.float32], x: float, y: float, scale: float
) -> tuple[float, float, float] | None:
    """(x offset, y offset, flux) in pixels and image units of the star at `x`, `y`; None if an edge is near."""
    reach = int(SKY_OUTER / scale) + 1
    column, row = round(x), round(y)
    if not (reach <= column < science.shape[1] - reach and reach <= row < science.shape[0] - reach):
        return None
    window = np.s_[row - reach : row + reach + 1, column - reach : column + reach + 1]
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    dy, dx = dy + row - y, dx + column - x
    radius = np.hypot(dx, dy) * scale
    core, ring = radius < APERTURE, (radius > SKY_INNER) & (radius < SKY_OUTER)
    around = weight[window][core]
    if around.min() <= EVENNESS * around.max():
        return None
    box = science[window].astype(np.float64)
    light = (box - np.nanmedian(box[ring]))[core]
    flux = light.sum()
    return float((light * dx[core]).sum() / flux), float((light * dy[core]).sum() / flux), float(flux)
