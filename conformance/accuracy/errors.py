"""Errors of sums in empty apertures before and after their correlation counts, and noise by what members count by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from fitsfiles import write_exposure
from generated import Block
from mosaic_field import DEC, RA, Field

from bench.apertures import CASES, Case, measure_ers, measure_noise
from conformance.accuracy.ways import NOT_RUN, Setting, complete, make_all, only_fine, pipeline_name, table
from mvmdb.mosaic.make import make_product
from mvmdb.recipe import Weight

RADII = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
NOISES = (0.04, 0.12)
"""Electrons/s a pixel of two exposures of the same time, under unlike skies."""
BINS = 6
"""Side of the squares of output pixels whose sums are compared: larger than a drop."""


def measure(
    setting: Setting,
    *,
    size: int = 500,
    side: int = 180,
    radii: Sequence[float] = RADII,
    cases: Sequence[Case] = CASES,
    real: bool = True,
) -> Iterator[Block]:
    """The tables of sums in apertures, and of weights."""
    rows = [*measure_noise(size, radii, cases), *(measure_ers(radii) if real else [])]
    yield "apertures", table(["mosaic", "CORRFACT", *(f"r = {radius:g}" for radius in radii)], rows)
    yield "weights", measure_weights(setting, side)


def measure_weights(setting: Setting, side: int) -> str:
    """The variance of a mosaic of two exposures under unlike skies, over the least that is possible."""
    folder = setting.below("weights")
    for number, noise in enumerate(NOISES):
        name = f"ib6o04{chr(97 + number) * 2}"
        science = np.random.default_rng(number).normal(0.0, noise, (side, side))
        complete(write_exposure(
            folder, rootname=f"{name}q", shape=(side, side), science=science, errors=np.full((side, side), noise),
            ra=RA, dec=DEC, exptime=800.0, filename=pipeline_name(name),
        ))  # fmt: skip
    made = make_all(folder, setting)
    alone = [variance(drizzle(folder, [path], "exptime")) for path in sorted(folder.glob("*_flt.fits"))]
    least = 1.0 / sum(1.0 / one for one in alone)
    products = [only_fine(made[way]) if made[way] else None for way in ("drizzlepac", "mvmdb")]
    products.append(drizzle(folder, sorted(folder.glob("*_flt.fits")), "ivm"))
    cells = [f"{variance(product) / least:.2f}" if product else NOT_RUN for product in products]
    title = "variance of two exposures of unlike noise, over the least possible"
    return table(["", "drizzlepac", "`--weight exptime`", "`--weight ivm`"], [[title, *cells]])


def drizzle(folder: Path, paths: Sequence[Path], weight: Weight) -> Path:
    """A mosaic of some exposures on the canvas of all, without skies."""
    field = Field(folder)
    whole = field.job(sorted(folder.glob("*_flt.fits")), mean=1)
    job = field.job(paths, mean=1, canvas=whole.canvas)
    make_product(replace(job, recipe=replace(job.recipe, weight=weight)))
    return Path(job.target)


def variance(product: Path) -> float:
    """The variance of sums of squares of pixels in the middle of a mosaic."""
    with fits.open(product) as hdus:
        plane = hdus["SCI"].data.astype(float)
    y, x = (size // 2 for size in plane.shape)
    reach = min(plane.shape) // 4 // BINS * BINS
    inner = plane[y - reach : y + reach, x - reach : x + reach]
    count = inner.shape[0] // BINS
    return float(np.var(inner.reshape(count, BINS, count, BINS).sum(axis=(1, 3))))
