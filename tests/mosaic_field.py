"""A small field for mosaic tests: exposures with stars of known flux at known positions, and jobs for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import write_exposure

from mvmdb.errors import ProductError
from mvmdb.exposures.read import read_exposure
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.make import make_product
from mvmdb.names import CellId, format_cell_name, format_product_name
from mvmdb.recipe import Recipe
from mvmdb.records import Action, Canvas, LayerJob, MemberInput
from mvmdb.sky.region import parse_region
from mvmdb.sky.tessellation import STEP, projection_cell_centers, sky_to_plane

CELL = CellId(726, 10, 4)
RA, DEC = 53.05903846302, -27.70586104406  # of the ERS field; the cell holds it well inside
FULL_WIDTH = 2.355
PHOTFLAM = 2.2483417e-20
"""Of `write_exposure`."""


@dataclass(frozen=True)
class Star:
    """A star at `ra`, `dec` (degrees) of `rate` electrons/s."""

    ra: float
    dec: float
    rate: float


def dim(path: Path, *factors: float) -> Path:
    """Let the instrument have been less sensitive by a factor, or by one for each chip.

    It has fewer electrons, and a PHOTFLAM that is higher by the same.
    """
    with fits.open(path, mode="update") as hdus:
        chips = [hdu.header["EXTVER"] for hdu in hdus if hdu.name == "SCI"]
        for chip, factor in zip(chips, factors * (len(chips) if len(factors) == 1 else 1), strict=True):
            for name in ("SCI", "ERR"):
                hdus[name, chip].data = (hdus[name, chip].data.astype(float) / factor).astype(np.float32)
            hdus["SCI", chip].header["PHOTFLAM"] = PHOTFLAM * factor
        del hdus[0].header["PHOTFLAM"]
    return path


@dataclass
class Field:
    """Writes exposures into one folder and makes jobs of them; products go to `folder/products`."""

    folder: Path

    @property
    def products(self) -> Path:
        folder = self.folder / "products"
        folder.mkdir(exist_ok=True)
        return folder

    def expose(
        self,
        name: str,
        *,
        east: float = 0.0,
        north: float = 0.0,
        sky: float = 1.0,
        noise: float = 0.0,
        stars: Sequence[Star] = (),
        shape: tuple[int, int] = (64, 64),
        dq: np.ndarray | None = None,
        **options: object,
    ) -> Path:
        """Write exposure ib6o04<name>q (or j8oz04<name>q for ACS), offset by arcsec, with sky in electrons/s per pixel.

        As in flat-fielded FLTs, the sky is flat and a star's counts follow its surface brightness: its electrons
        times the nominal pixel area over the pixel's own.
        """
        detector = str(options.get("detector", "IR"))
        root = ("ib6o04" if detector in ("IR", "UVIS") else "j8oz04") + name + "q"
        position = {"ra": RA + east / 3600 / math.cos(math.radians(DEC)), "dec": DEC + north / 3600}
        common = {"rootname": root, "shape": shape, "dq": dq, **position, **options}
        chips = int(options.get("chips", 1))  # type: ignore[call-overload]
        blank = write_exposure(self.folder, **common, science=np.zeros(shape))  # type: ignore[arg-type]
        rng = np.random.default_rng(sum(root.encode()))
        pictures = []
        with fits.open(blank) as hdus:
            exptime = 1.0 if hdus["SCI", 1].header["BUNIT"].endswith("/S") else hdus[0].header["EXPTIME"]
            for chip in range(1, chips + 1):
                rate = np.full(shape, sky) + rng.normal(0, noise, shape)
                rate += sum(paint_star(hdus["SCI", chip].header, hdus, star) for star in stars)
                pictures.append(rate * exptime)
        return write_exposure(self.folder, **common, science=pictures)  # type: ignore[arg-type]

    def job(
        self,
        paths: Sequence[Path],
        *,
        scale: str = "fine",
        mean: float = 2,
        canvas: Canvas | None = None,
        action: Action = Action.DRIZZLE,
        kept: dict[str, float | None] | None = None,
        drizzled: Sequence[str] = (),
        recipe: Recipe | None = None,
    ) -> LayerJob:
        """A job for exposures of one detector; `kept` and `drizzled` name members by ipppssoo."""
        exposures = sorted((read_exposure(path) for path in paths), key=lambda dataset: dataset.exposure.ipppssoo)
        first = exposures[0].exposure
        label = "all" if scale == "fine" else "coarse-all"
        layer = f"hst_{format_cell_name(CELL)}_{first.instrument}_{first.detector}_{first.filter}_{label}"
        members = tuple(
            MemberInput(
                e.ipppssoo, dataset.path, e.pixels, None, e.wcs_digest or "", "g", (kept or {}).get(e.ipppssoo),
                e.ipppssoo in drizzled,
            )
            for dataset in exposures
            for e in [dataset.exposure]
        )  # fmt: skip
        return LayerJob(
            layer=layer,
            action=action,
            kind=first.kind,
            canvas=canvas or around([dataset.exposure.s_region for dataset in exposures]),
            recipe=recipe or choose_recipe(first.instrument, first.detector, first.filter, scale, mean),  # type: ignore[arg-type]
            recipe_digest="0123456789abcdef0123456789abcdef",
            members=members,
            target=str(self.products / format_product_name(layer, first.kind)),
        )


def around(regions: Sequence[str]) -> Canvas:
    """The fine pixels of the cell that contain some footprints, rounded outwards."""
    vertices = np.concatenate([polygon for region in regions for polygon in parse_region(region)])
    x, y = sky_to_plane(CELL.projection_cell, vertices[:, 0], vertices[:, 1])
    x, y = x - (CELL.x - 1) * STEP, y - (CELL.y - 1) * STEP
    return Canvas(math.floor(x.min()), math.ceil(x.max()), math.floor(y.min()), math.ceil(y.max()))


def paint_star(header: fits.Header, hdus: fits.HDUList, star: Star) -> np.ndarray:
    """Electrons/s of a star in each pixel: a Gaussian of 2.2 pixels full width, integrated over the pixel."""
    wcs = WCS(header, hdus)
    x0, y0 = wcs.all_world2pix(star.ra, star.dec, 0, quiet=True)
    shape = (header["NAXIS2"], header["NAXIS1"])
    x, y = (pixel_shares(size, centre, 2.2 / FULL_WIDTH) for size, centre in zip(shape[::-1], (x0, y0), strict=True))
    return star.rate * np.outer(y, x) * header["IDCSCALE"] ** 2 / pixel_areas(wcs, shape)


def depth_of(paths: Sequence[Path], wcs: WCS, shape: tuple[int, int]) -> np.ndarray:
    """How many exposures have the middle of each pixel of a mosaic well inside."""
    y, x = np.indices(shape)
    sky = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    depth = np.zeros(shape, int)
    for path in paths:
        with fits.open(path) as hdus:
            rows, columns = hdus["SCI", 1].shape
            u, v = WCS(hdus["SCI", 1].header, hdus).all_world2pix(*sky, 0, quiet=True)
        depth += ((u > 1) & (u < columns - 2) & (v > 1) & (v < rows - 2)).reshape(shape)
    return depth


def pixel_shares(size: int, centre: float, sigma: float) -> np.ndarray:
    """The share of a Gaussian in each of `size` pixels in a row."""
    edges = (np.arange(size + 1) - 0.5 - centre) / (sigma * math.sqrt(2))
    return np.diff([math.erf(edge) for edge in edges]) / 2


def pixel_areas(wcs: WCS, shape: tuple[int, int]) -> np.ndarray:
    """True area of each pixel in square arcsec, from its corners on the sky."""
    y, x = np.mgrid[: shape[0] + 1, : shape[1] + 1] - 0.5
    ra, dec = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    xi = ((ra - wcs.wcs.crval[0]) * np.cos(np.radians(dec)) * 3600).reshape(x.shape)
    eta = ((dec - wcs.wcs.crval[1]) * 3600).reshape(x.shape)
    rising = (xi[1:, 1:] - xi[:-1, :-1], eta[1:, 1:] - eta[:-1, :-1])
    falling = (xi[1:, :-1] - xi[:-1, 1:], eta[1:, :-1] - eta[:-1, 1:])
    return np.abs(rising[0] * falling[1] - rising[1] * falling[0]) / 2


def plane_stretch(star: Star) -> float:
    """How much larger areas are in the cell's tangent plane than on the sky at a star: 1 / cos^3 of its distance.

    Flux in a product is per pixel of the plane, so it comes out larger by this, 0.6% at most.
    """
    ra, dec, ra0, dec0 = np.radians([star.ra, star.dec, *np.ravel(projection_cell_centers(CELL.projection_cell))])
    cosine = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
    return float(cosine**-3)


def measure_star(product: Path, star: Star, radius_arcsec: float = 2.0) -> tuple[float, float, float]:
    """(flux, x offset, y offset) of a star in a product: electrons/s, and pixels from where its WCS puts the star."""
    with fits.open(product) as hdus:
        science, wcs = hdus["SCI"].data.astype(float), WCS(hdus["SCI"].header)
        x0, y0 = wcs.wcs_world2pix(star.ra, star.dec, 0)
        y, x = np.indices(science.shape)
        nearby = np.hypot(x - x0, y - y0) < radius_arcsec / abs(hdus["SCI"].header["CD2_2"] * 3600)
        flux = science[nearby].sum()
        return flux, (science * x)[nearby].sum() / flux - x0, (science * y)[nearby].sum() / flux - y0


def with_members(job: LayerJob, **changes: object) -> LayerJob:
    """The job with the same change made to every member."""
    return replace(job, members=tuple(replace(member, **changes) for member in job.members))


def dithered(field: Field, **options: object) -> list[Path]:
    """Three overlapping exposures of different sky."""
    return [
        field.expose(name, east=east, north=north, sky=sky, noise=0.01, **options)
        for name, east, north, sky in (("aa", 0, 0, 1.0), ("bb", 2.5, 1.1, 1.4), ("cc", -1.7, 2.3, 0.7))
    ]


def refusal(job: LayerJob) -> str:
    """The message of the error with which the job is refused."""
    with pytest.raises(ProductError) as caught:
        make_product(job)
    return str(caught.value)
