"""What is left of known fluxes in mosaics whose members have unlike PHOTFLAM, by each method and action.

Run from the repository: `make accuracy-flux`. Stars are simulated in overlapping WFC3/IR exposures, once as an
instrument that stays as it is sees them, and once as one that gets dimmer, whose PHOTFLAM says so. The flux of a star
is its electrons/s above the sky around it times the mosaic's PHOTFLAM. Its error is relative to the same star in the
mosaic of the instrument that stays: that leaves out what sampling does to both. Prints the rows of the table in
docs/mosaics.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from mosaic_field import DEC, RA, Field, Star, around, dim
from numpy.typing import NDArray

from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.make import make_product
from mvmdb.recipe import Method
from mvmdb.records import Action, LayerJob

SIZE = 256  # pixels of 0.128 arcsec
STEP = 9.0  # arcsec from one exposure to the next
SKIES, NOISE = 1.0, 0.01  # electrons/s per pixel
APERTURE, ANNULUS = 25.0, (35.0, 55.0)  # pixels of the mosaic
YEARS = (0, 2, 4, 6, 8, 10)
CASES = {
    "1, 1.02, 1.02, 1.04": (1.0, 1.02, 1.02, 1.04),
    "3% in ten years": tuple(1 + 0.03 * year / 10 for year in YEARS),
    "the same, newest first": tuple(1 + 0.03 * year / 10 for year in reversed(YEARS)),
}
"""PHOTFLAM of members in the order of their names, relative to the instrument that stays."""


def expose(folder: Path, factors: Sequence[float], stars: Sequence[Star]) -> tuple[Field, list[Path]]:
    """Exposures in a row, each a step further to the east, of an instrument that got dimmer by these factors."""
    folder.mkdir(parents=True)
    field = Field(folder)
    paths = []
    for number, factor in enumerate(factors):
        path = field.expose(
            chr(ord("a") + number) * 2, east=STEP * (number - len(factors) / 2), north=1.3 * (number % 2),
            sky=SKIES * (1 + number / 10), noise=NOISE, stars=stars, shape=(SIZE, SIZE),
        )  # fmt: skip
        paths.append(dim(path, factor))
    return field, paths


def make_each(field: Field, paths: Sequence[Path], method: Method) -> Iterator[tuple[str, LayerJob]]:
    """Make the mosaic by each action in turn."""
    names = [read_exposure(path).exposure.ipppssoo for path in paths]
    whole = around([read_exposure(path).exposure.s_region for path in paths])

    def job(chosen: Sequence[int], drizzled: Sequence[int] = ()) -> LayerJob:
        action = Action.ADD if drizzled else Action.DRIZZLE
        made = field.job([paths[i] for i in chosen], canvas=whole, action=action, drizzled=[names[i] for i in drizzled])
        return replace(made, recipe=replace(made.recipe, method=method))

    everything = job(range(len(paths)))
    make_product(everything)
    yield "drizzle", everything
    wide = replace(whole, x_min=whole.x_min - 20, y_max=whole.y_max + 20)
    make_product(replace(everything, action=Action.RECANVAS, canvas=wide))
    yield "recanvas", everything
    came: list[int] = []
    for number in reversed(range(len(paths))):  # so that each night brings another first member
        make_product(job(sorted([*came, number]), came))
        came.append(number)
    yield "add", everything


def fluxes(job: LayerJob, stars: Sequence[Star]) -> NDArray[np.float64]:
    """The flux of each star in a mosaic, erg/s/cm2/Angstrom."""
    with fits.open(job.target) as hdus:
        science, header = hdus["SCI"].data.astype(float), hdus["SCI"].header
    x, y = WCS(header).wcs_world2pix([star.ra for star in stars], [star.dec for star in stars], 0)
    rows, columns = np.indices(science.shape)
    measured = []
    for place in zip(x, y, strict=True):
        distance = np.hypot(columns - place[0], rows - place[1])
        inside, around_it = distance < APERTURE, (distance > ANNULUS[0]) & (distance < ANNULUS[1])
        measured.append((science[inside] - np.nanmedian(science[around_it])).sum() * header["PHOTFLAM"])
    return np.array(measured)


def scatter_stars(n: int) -> list[Star]:
    """Stars on a grid over the field, of which every exposure sees some."""
    places = np.linspace(-12, 12, n)
    return [
        Star(RA + east / 3600 / np.cos(np.radians(DEC)), DEC + north / 3600, 3000.0)
        for east in places
        for north in places
    ]


def main() -> None:
    stars = scatter_stars(6)
    methods: tuple[Method, ...] = ("hap", "mvmdb")
    with tempfile.TemporaryDirectory() as name:
        for number, (case, factors) in enumerate(CASES.items()):
            found: dict[str, list[str]] = {}
            folder = Path(name) / str(number)
            truth_field, truth_paths = expose(folder / "truth", [1.0] * len(factors), stars)
            field, paths = expose(folder / "dimmed", factors, stars)
            truth = {action: fluxes(job, stars) for action, job in make_each(truth_field, truth_paths, "hap")}
            for method in methods:
                for action, job in make_each(field, paths, method):
                    error = 100 * (fluxes(job, stars) / truth[action] - 1)
                    values = (float(error.mean()), float(abs(error).max()))
                    found.setdefault(action, []).extend(f"{round(value, 4) + 0.0:.4f}%" for value in values)
            for action, values in found.items():
                print(f"| {case} | `{action}` | {' | '.join(values)} |", flush=True)


if __name__ == "__main__":
    main()
