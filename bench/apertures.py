"""Errors of sums in empty apertures, before and after their correlation counts; prints a table.

    python bench/apertures.py [--size 1014] [--radii 1,2,3,5,10,20]

Noise of known size is drizzled at each scale, as one exposure, as four that are turned and dithered, and with smaller
drops. `before` is the scatter of sums, each over the root of the sum of squared ERR, `after` the scatter of sums, each
over its `mvmdb.aperture_error`, with R of the exposures that are there: 1 is right. One value of the table is uncertain
by about `+-`. With ../shared, the last rows are of real stars and galaxies: two mosaics of three exposures each are
subtracted. Needs tests/, whose modules write exposures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import run

import numpy as np
from astropy.io import fits
from tabulate import tabulate

from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.noise.aperture import noise_correlation
from mvmdb.names import Scale
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import cell_wcs

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))
SHARED = Path(os.environ.get("MVMDB_SHARED") or REPOSITORY.parent / "shared").resolve()

Case = tuple[str, Scale, int, float]
CASES: tuple[Case, ...] = (
    ("IR", "fine", 1, 1.0), ("IR", "fine", 4, 1.0), ("IR", "coarse", 1, 1.0), ("IR", "coarse", 4, 1.0),
    ("WFC", "fine", 1, 1.0), ("WFC", "fine", 4, 1.0), ("WFC", "fine", 1, 0.8), ("WFC", "fine", 2, 0.8),
    ("WFC", "fine", 6, 0.8), ("IR", "fine", 4, 0.6),
)  # fmt: skip
"""Detector, scale, number of exposures, pixfrac."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1014, help="pixels along a side of an exposure")
    parser.add_argument("--radii", default="1,2,3,5,10,20", help="radii of apertures in pixels")
    options = parser.parse_args()
    radii = [float(radius) for radius in options.radii.split(",")]
    rows = [*measure_noise(options.size, radii), *(measure_ers(radii) if SHARED.is_dir() else [])]
    titles = ["mosaic", "CORRFACT", *(f"r = {radius:g}: before, after, +-" for radius in radii)]
    print(tabulate(rows, titles, disable_numparse=True))


def measure_noise(size: int, radii: Sequence[float], cases: Sequence[Case] = CASES) -> Iterator[list[str]]:
    """The rows of mosaics of nothing but noise."""
    from apertures import measure_mosaic, mosaic_of_noise

    for seed, (detector, scale, number, pixfrac) in enumerate(cases):
        with tempfile.TemporaryDirectory() as folder:
            path = mosaic_of_noise(Path(folder), detector, scale, number, (size, size), seed=seed, pixfrac=pixfrac)
            name = f"noise, {detector} {scale}, {number} exp., pixfrac {pixfrac:g}"
            yield row_of(name, noise_correlation(path).factor, measure_mosaic(path, radii))


def measure_ers(radii: Sequence[float]) -> Iterator[list[str]]:
    """The rows of differences of two mosaics of real exposures of the same visit."""
    from apertures import measure_scatter
    from mosaic_field import CELL, Field

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run([sys.executable, SHARED / "tools/make_ers_flts.py", folder, "--visits", "04"], check=True)
        paths = sorted(folder.rglob("ib6o04*_flt.fits"))
        paths = [path for path in paths if fits.getheader(path)["FILTER"].strip() == "F125W"]
        x, y = (round(float(v)) for v in cell_wcs(CELL).wcs_world2pix(53.0543, -27.7111, 1))
        canvas = Canvas(x - 1200, x + 1199, y - 1050, y + 1049)
        scales: tuple[Scale, ...] = ("fine", "coarse")
        for scale in scales:
            planes = []
            for half in (paths[0::2], paths[1::2]):
                job = Field(folder).job(half, scale=scale, mean=3, canvas=canvas)
                make_product(replace(job, recipe=replace(job.recipe, errors=True)))
                with fits.open(job.target) as hdus:
                    planes.append([hdus[name].data.astype("f8") for name in ("SCI", "ERR")])
            correlation = noise_correlation(job.target)
            yield row_of(f"ERS, {scale}, 3 - 3 exp.", correlation.factor, measure_scatter(
                *subtract(*planes), correlation, radii
            ))  # fmt: skip


def subtract(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The difference of two mosaics (SCI, ERR) outside sources, NaN on these, and its errors."""
    errors = np.hypot(first[1], second[1])
    difference, mean = first[0] - second[0], (first[0] + second[0]) / 2
    difference[mean > np.nanmedian(mean) + 4 * np.nanmedian(errors)] = np.nan
    return difference - np.nanmedian(difference), errors


def row_of(name: str, factor: float, found: Sequence[object]) -> list[str]:
    """One row of the table, of `Scatter` values."""
    from apertures import Scatter

    cells = [
        f"{each.naive:.2f}, {each.corrected:.3f}, {(2 * max(each.independent, 1)) ** -0.5:.3f}"
        for each in found
        if isinstance(each, Scatter)
    ]
    return [name, f"{factor:.3f}", *cells]


if __name__ == "__main__":
    main()
