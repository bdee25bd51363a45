"""What is left of known fluxes in mosaics whose members have unlike PHOTFLAM, and what is done about a new PHOTFLAM.

Stars are simulated in overlapping WFC3/IR exposures, once as an instrument that stays as it is sees them, and once as
one that gets dimmer, whose PHOTFLAM says so. The flux of a star is its electrons/s above the sky around it times the
mosaic's PHOTFLAM. Its error is relative to the same star in the mosaic, by the same program, of the instrument that
stays: that leaves out what sampling does to both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from archive import FINE, Archive
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import set_keywords
from generated import Block
from mosaic_field import DEC, PHOTFLAM, RA, Field, Star, around, dim
from numpy.typing import NDArray

from conformance.accuracy.ways import (
    NOT_RUN,
    WAYS,
    Setting,
    complete,
    make_by_peer,
    only_fine,
    pipeline_name,
    table,
)
from mvmdb.catalog.configure import initialise
from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.make import make_product
from mvmdb.recipe import Method
from mvmdb.records import Action, LayerJob

METHODS: tuple[Method, ...] = ("hap", "mvmdb")
SIZE = 200  # pixels of 0.128 arcsec
STEP = 0.035  # arcsec from one exposure to the next, for each pixel along the side of one
SKIES, NOISE = 1.0, 0.01  # electrons/s per pixel
APERTURE, ANNULUS = 25.0, (35.0, 55.0)  # pixels of the mosaic
YEARS = (0, 2, 4, 6, 8, 10)
CASES = {
    "1, 1.02, 1.02, 1.04": (1.0, 1.02, 1.02, 1.04),
    "3% in ten years": tuple(1 + 0.03 * year / 10 for year in YEARS),
    "the same, newest first": tuple(1 + 0.03 * year / 10 for year in reversed(YEARS)),
}
"""PHOTFLAM of members in the order of their names, relative to the instrument that stays."""


def expose(folder: Path, factors: Sequence[float], stars: Sequence[Star], size: int = SIZE) -> tuple[Field, list[Path]]:
    """Exposures in a row, each a step further to the east, of an instrument that got dimmer by these factors."""
    folder.mkdir(parents=True)
    field = Field(folder)
    paths = []
    for number, factor in enumerate(factors):
        path = field.expose(
            chr(ord("a") + number) * 2, east=STEP * size * (number - len(factors) / 2), north=1.3 * (number % 2),
            sky=SKIES * (1 + number / 10), noise=NOISE, stars=stars, shape=(size, size),
            filename=pipeline_name(f"ib6o04{chr(ord('a') + number) * 2}"),
        )  # fmt: skip
        paths.append(complete(dim(path, factor)))
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


def fluxes(product: Path | str, stars: Sequence[Star]) -> NDArray[np.float64]:
    """The flux of each star in a mosaic, erg/s/cm2/Angstrom."""
    with fits.open(product) as hdus:
        science, header = hdus["SCI"].data.astype(float), hdus["SCI"].header
    x, y = WCS(header).wcs_world2pix([star.ra for star in stars], [star.dec for star in stars], 0)
    rows, columns = np.indices(science.shape)
    measured = []
    for place in zip(x, y, strict=True):
        distance = np.hypot(columns - place[0], rows - place[1])
        inside, around_it = distance < APERTURE, (distance > ANNULUS[0]) & (distance < ANNULUS[1])
        measured.append((science[inside] - np.nanmedian(science[around_it])).sum() * header["PHOTFLAM"])
    return np.array(measured)


def scatter_stars(n: int, size: int = SIZE) -> list[Star]:
    """Stars on a grid over the field, of which every exposure sees some."""
    places = np.linspace(-0.035, 0.035, n) * size
    return [
        Star(RA + east / 3600 / np.cos(np.radians(DEC)), DEC + north / 3600, 3000.0)
        for east in places
        for north in places
    ]


def measure(
    setting: Setting,
    *,
    cases: Sequence[str] = tuple(CASES),
    stars_a_side: int = 6,
    size: int = SIZE,
    methods: Sequence[Method] = METHODS,
) -> Iterator[Block]:
    """The tables of fluxes, and of a recalibrated exposure."""
    rows: list[list[str]] = []
    for number, case in enumerate(cases):
        rows += compare_fluxes(setting.below(f"flux-{number}"), case, setting, scatter_stars(stars_a_side, size), size)
    titles = ("mean", "largest")
    yield "flux", table(["members", "action", *(f"{way}: {title}" for way in WAYS for title in titles)], rows)
    yield (
        "recalibrated",
        table(
            ["method", "reason", "action", "PHOTFLAM of the mosaic", "SCI"],
            [recalibrate(setting.below(f"recalibrated-{method}"), method) for method in methods],
        ),
    )


def compare_fluxes(folder: Path, case: str, setting: Setting, stars: Sequence[Star], size: int) -> list[list[str]]:
    """A row for each action: the mean error and the largest one by each way."""
    factors = CASES[case]
    truth_field, truth_paths = expose(folder / "truth", [1.0] * len(factors), stars, size)
    field, paths = expose(folder / "dimmed", factors, stars, size)
    truth = {action: fluxes(job.target, stars) for action, job in make_each(truth_field, truth_paths, "hap")}
    found: dict[str, list[str]] = {action: make_theirs(folder, setting, stars, action) for action in truth}
    for method in METHODS:
        for action, job in make_each(field, paths, method):
            found[action] += say_errors(fluxes(job.target, stars) / truth[action] - 1)
    return [[case, f"`{action}`", *values] for action, values in found.items()]


def make_theirs(folder: Path, setting: Setting, stars: Sequence[Star], action: str) -> list[str]:
    """drizzlepac's errors: it drizzles all members whatever happens."""
    if action != "drizzle":
        return ["-", "-"]
    if setting.peer is None:
        return [NOT_RUN, NOT_RUN]
    (product,) = (folder / "truth" / "products").glob("*_drz.fits")  # both have its members
    layer = product.name.rsplit("_", 1)[0]
    expected = {layer: product, layer.replace("_all", "_coarse-all"): product}
    with ThreadPoolExecutor() as both:  # each is a process of its own
        made = both.map(lambda name: make_by_peer(folder / name, expected, setting), ("truth", "dimmed"))
    truth, dimmed = (fluxes(only_fine(products), stars) for products in made)
    return say_errors(dimmed / truth - 1)


def say_errors(errors: NDArray[np.float64]) -> list[str]:
    """The mean error and the largest one in percent."""
    return [f"{round(100 * value, 4) + 0.0:.4f}%" for value in (float(errors.mean()), float(abs(errors).max()))]


def recalibrate(folder: Path, method: Method) -> list[str]:
    """A row: what status says of PHOTFLAM x 1.03 in all exposures, what is done, and what it does to the mosaic."""
    archive = Archive(folder, str(folder / "mvm.db"))
    initialise(archive.address, method=method)
    for number in range(3):
        archive.expose(f"ib6o04t{number}q", east=1.5 * number, shape=(64, 64))
    archive.night()
    before = read_fine(archive)
    for path in archive.inbox.iterdir():
        set_keywords(path, 0, {"PHOTFLAM": PHOTFLAM * 1.03})
    archive.ingest()
    (layer,) = (layer for layer in archive.look().plan.layers if layer.name == FINE)
    reasons = {f"`{reason.code}`: {reason.detail}" for reason in layer.reasons}
    archive.night()
    after = read_fine(archive)
    same = np.array_equal(before[0], after[0], equal_nan=True)
    return [
        method, "; ".join(sorted(reasons)), f"`{layer.action}`", f"x {after[1] / before[1]:.4f}",
        "equal to the bit" if same else "other pixels",
    ]  # fmt: skip


def read_fine(archive: Archive) -> tuple[NDArray[np.float32], float]:
    """SCI and PHOTFLAM of the archive's fine layer."""
    (path,) = archive.products.glob(f"*/{FINE}_drz.fits")
    with fits.open(path) as hdus:
        return hdus["SCI"].data.copy(), float(hdus["SCI"].header["PHOTFLAM"])
