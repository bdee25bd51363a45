"""What a mosaic keeps of the sky without noise: fluxes to 1e-4, positions to 0.01 pixel, no seams, true holes.

There are two references. One is the sky: a brightness on the sphere, whose mean over a detector pixel times IDCSCALE**2
is the value in a flat-fielded exposure; in a product, fluxes are larger by the plane's stretch, 1 / cos^3 (see
mosaic_field). The other is drizzling by hand: every pixel a polygon, every weight an area of overlap. It serves for
stars that the border of a member cuts. There, pixels of the other members that reach across the border count on one
side of it only, so that drizzling, however well done, differs from the sky by up to 0.03 (pixel / star's sigma)^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import shapely
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import write_exposure
from mosaic_field import CELL, DEC, RA, Field, Star, around, plane_stretch

from mvmdb.exposures.read import read_exposure
from mvmdb.mosaic.make import make_product
from mvmdb.records import Canvas, LayerJob
from mvmdb.sky.region import parse_region
from mvmdb.sky.tessellation import cell_wcs

COS = math.cos(math.radians(DEC))
SIGMA = 2.0  # nominal pixels, of the Gaussian stars
NOMINAL = {"IR": 0.1282500028610229, "WFC": 0.05, "UVIS": 0.03962000086903572}  # IDCSCALE, arcsec
NODES, SHARES = np.polynomial.legendre.leggauss(4)  # of an integral over a pixel, along one axis
IR = {"detector": "IR", "shape": (96, 96)}
ACS = {"detector": "WFC", "chips": 2, "kind": "flc", "shape": (128, 256), "orientat": 20.0}
UVIS = {"detector": "UVIS", "chips": 2, "kind": "flc", "shape": (256, 512), "orientat": 60.0, "lookup_tables": True}


def star_at(east: float, north: float, rate: float) -> Star:
    """A star at an offset from the field's middle in arcsec."""
    return Star(RA + east / 3600 / COS, DEC + north / 3600, rate)


def expose(
    field: Field, name: str, stars: Sequence[Star], sky: float, *, east: float = 0.0, north: float = 0.0, **options
) -> Path:
    """Write a noiseless exposure; `sky` and the stars' rates in electrons/s, the sky's per nominal pixel."""
    root = ("ib6o04" if options["detector"] in ("IR", "UVIS") else "j8oz04") + name + "q"
    common = {"rootname": root, "ra": RA + east / 3600 / COS, "dec": DEC + north / 3600, **options}
    blank = write_exposure(field.folder, **common, science=np.zeros(options["shape"]))
    with fits.open(blank) as hdus:
        chips = [hdu for hdu in hdus if hdu.name == "SCI"]
        seconds = 1.0 if chips[0].header["BUNIT"].endswith("/S") else hdus[0].header["EXPTIME"]
        pictures = [seconds * (sky + mean_brightness(WCS(h.header, hdus), h.shape, stars, h.header)) for h in chips]
    return write_exposure(field.folder, **common, science=pictures)


def mean_brightness(wcs: WCS, shape: tuple[int, int], stars: Sequence[Star], header: fits.Header) -> np.ndarray:
    """Electrons/s per nominal pixel of the stars, averaged over each pixel on 4 x 4 Gauss-Legendre nodes."""
    sigma = SIGMA * header["IDCSCALE"]
    total = np.zeros(shape)
    for star in stars:
        x0, y0 = wcs.all_world2pix(star.ra, star.dec, 0, quiet=True)
        rows, columns = (slice(max(0, round(float(v)) - 18), max(0, round(float(v)) + 19)) for v in (y0, x0))
        y, x = np.mgrid[: shape[0], : shape[1]].astype(float)[:, rows, columns]
        for dy, dx in np.ndindex(4, 4):
            sky = direction(*wcs.all_pix2world((x + NODES[dx] / 2).ravel(), (y + NODES[dy] / 2).ravel(), 0))
            chord = np.degrees(np.linalg.norm(sky - direction(star.ra, star.dec), axis=-1)) * 3600
            light = star.rate / (2 * math.pi * sigma**2) * np.exp(-0.5 * (chord / sigma) ** 2)
            total[rows, columns] += SHARES[dx] * SHARES[dy] / 4 * light.reshape(x.shape)
    return total * header["IDCSCALE"] ** 2


def direction(ra: np.ndarray | float, dec: np.ndarray | float) -> np.ndarray:
    """Unit vectors of positions in degrees, (..., 3)."""
    a, d = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def product_planes(job: LayerJob) -> tuple[np.ndarray, np.ndarray, fits.Header]:
    """SCI and WHT of a job's product, made now, and the header of SCI."""
    make_product(job)
    with fits.open(job.target) as hdus:
        return hdus["SCI"].data.astype(float), hdus["WHT"].data.astype(float), hdus["SCI"].header


def measure(science: np.ndarray, header: fits.Header, star: Star, detector: str) -> tuple[float, float]:
    """(flux over truth - 1, distance from the true position in product pixels), in a product whose sky is 0."""
    scale = header["CD2_2"] * 3600
    x0, y0 = WCS(header).wcs_world2pix(star.ra, star.dec, 0)
    y, x = np.indices(science.shape)
    radius = 6 * SIGMA * NOMINAL[detector] / scale
    nearby = disc(header, star, radius * scale)
    assert nearby.sum() == pytest.approx(math.pi * radius**2, rel=0.02), "the star is on the canvas"
    assert np.isfinite(science[nearby]).all(), "all of the star is exposed"
    flux = science[nearby].sum()
    offsets = (science[nearby] @ x[nearby] / flux - x0, science[nearby] @ y[nearby] / flux - y0)
    return flux / (star.rate * plane_stretch(star)) - 1, math.hypot(*offsets)


def remaining_sky(sky: float, header: fits.Header, detector: str) -> float:
    """Electrons/s per product pixel of the lowest sky among the members, which is left in."""
    return sky * (header["CD2_2"] * 3600 / NOMINAL[detector]) ** 2


# Stars


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_bright_and_faint_stars_keep_flux_and_place_across_rolled_members_of_different_sky(
    field: Field, scale: str
) -> None:
    stars = [star_at(-2.6, 1.9, 5e4), star_at(2.4, 2.2, 1.0), star_at(0.3, -2.5, 300.0)]
    members = (("aa", 0, 0, 1.3, 163.7), ("bb", 0.41, -0.33, 1.0, 163.7), ("cc", -0.2, 0.7, 1.1, 120.0))
    paths = [
        expose(field, n, stars, sky, east=e, north=s, orientat=angle, **IR, exptime=300.0 + 100 * sky)
        for n, e, s, sky, angle in members
    ]
    science, _, header = product_planes(field.job(paths, scale=scale))
    for star in stars:
        flux, distance = measure(science - remaining_sky(1.0, header, "IR"), header, star, "IR")
        assert abs(flux) < 1e-4, star
        assert distance < 0.01, star


@pytest.mark.parametrize("options", [IR, ACS, UVIS], ids=["IR", "ACS", "UVIS"])
def test_stars_beside_every_edge_of_a_chip_keep_flux_and_place(field: Field, options: dict[str, object]) -> None:
    detector, (ny, nx) = str(options["detector"]), options["shape"]  # type: ignore[misc]
    reach = 6 * SIGMA * 1.1  # all of a star's light, in the shortest pixels
    positions = [(reach, ny / 2), (nx - reach, ny / 2), (nx / 2, reach), (nx / 3, ny - reach), (nx - reach, ny - reach)]
    with fits.open(expose(field, "zz", [], 0.0, **options)) as hdus:
        chips = [WCS(hdu.header, hdus) for hdu in hdus if hdu.name == "SCI"]
        sky = [chip.all_pix2world(x, y, 0) for chip in chips for x, y in positions]
    stars = [Star(float(ra), float(dec), 30.0 * 3**n) for n, (ra, dec) in enumerate(sky)]
    path = expose(field, "zz", stars, 0.0, **options)
    science, _, header = product_planes(field.job([path], mean=1))
    for star in stars:
        flux, distance = measure(science, header, star, detector)
        assert abs(flux) < 1e-4, star
        assert distance < 0.01, star


@pytest.mark.parametrize("options", [IR, ACS], ids=["edge", "gap"])
def test_stars_that_an_edge_or_the_gap_cuts_are_as_drizzled_by_hand(field: Field, options: dict[str, object]) -> None:
    detector = str(options["detector"])
    # Nominal pixels east and north; member aa ends, or has its gap, at north = 0; the other members do not.
    ends = 47.5 if detector == "IR" else 0.0
    stars = [pixels_at(detector, x, y, rate) for x, y, rate in ((-30, 0, 90.0), (0, 1.5, 4e3), (30, 14, 7.0))]
    paths = [
        expose(field, name, stars, sky, **{**options, "orientat": angle, "exptime": seconds}, **offset(detector, 3, y))
        for name, y, angle, sky, seconds in (
            ("aa", -ends, 0.0, 0.10, 500.0), ("bb", 24.0, 0.0, 0.13, 350.0), ("cc", -26.0, 7.0, 0.11, 700.0)
        )
    ]  # fmt: skip
    job = field.job(paths)
    science, _, header = product_planes(job)
    nearby = np.logical_or.reduce([disc(header, star, 6.5 * SIGMA * NOMINAL[detector]) for star in stars])
    by_hand = drizzle_by_hand(paths, job.canvas, nearby, {"aa": 0.0, "bb": 0.03, "cc": 0.01})
    sky = remaining_sky(0.10, header, detector)
    smeared = 0.0
    for star in stars:
        flux, distance = measure(science - sky, header, star, detector)
        truth, true_distance = measure(by_hand - sky, header, star, detector)
        assert abs(flux - truth) < 1e-4, star
        assert abs(distance - true_distance) < 0.01, star
        smeared = max(smeared, abs(truth))
    assert 1e-4 < smeared < 0.03 / SIGMA**2


def pixels_at(detector: str, x: float, y: float, rate: float) -> Star:
    """A star at an offset from the field's middle in nominal pixels east and north."""
    return star_at(x * NOMINAL[detector], y * NOMINAL[detector], rate)


def offset(detector: str, x: float, y: float) -> dict[str, float]:
    return {"east": x * NOMINAL[detector], "north": y * NOMINAL[detector]}


def disc(header: fits.Header, star: Star, radius: float) -> np.ndarray:
    """The product's pixels within `radius` arcsec of a star."""
    x0, y0 = WCS(header).wcs_world2pix(star.ra, star.dec, 0)
    y, x = np.ogrid[: header["NAXIS2"], : header["NAXIS1"]]
    inside: np.ndarray = np.hypot(x - x0, y - y0) < radius / (header["CD2_2"] * 3600)
    return inside


def drizzle_by_hand(paths: Sequence[Path], canvas: Canvas, chosen: np.ndarray, skies: dict[str, float]) -> np.ndarray:
    """SCI at the fine scale, of the canvas pixels in `chosen`; NaN elsewhere. All detector pixels are good."""
    total, weight = np.zeros(canvas.shape), np.zeros(canvas.shape)
    for path in paths:
        with fits.open(path) as hdus:
            seconds = hdus[0].header["EXPTIME"]
            sky = skies[hdus[0].header["ROOTNAME"][6:8]]
            for chip in (hdu for hdu in hdus if hdu.name == "SCI"):
                unit = 1.0 if chip.header["BUNIT"].endswith("/S") else seconds
                value = (chip.data / unit - sky) * (0.04 / chip.header["IDCSCALE"]) ** 2
                output, pixel, area = overlaps(WCS(chip.header, hdus), np.ones(chip.shape, bool), canvas, chosen)
                np.add.at(total.ravel(), output, seconds * value.ravel()[pixel] * area)
                np.add.at(weight.ravel(), output, seconds * area)
    with np.errstate(invalid="ignore"):
        quotient: np.ndarray = total / weight
    return quotient


def overlaps(
    wcs: WCS, good: np.ndarray, canvas: Canvas, chosen: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(canvas pixel, detector pixel, area in canvas pixels) wherever a good pixel meets a canvas pixel."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    pixels = np.argwhere(good)
    sky = wcs.all_pix2world((pixels[:, None, ::-1] + corners).reshape(-1, 2), 0)
    quads = shapely.polygons(cell_wcs(CELL, "fine", canvas).wcs_world2pix(sky, 0).reshape(-1, 4, 2))
    y, x = np.nonzero(np.ones(canvas.shape, bool) if chosen is None else chosen)
    boxes = shapely.box(x - 0.5, y - 0.5, x + 0.5, y + 0.5)
    box, quad = shapely.STRtree(quads).query(boxes)
    area = shapely.area(shapely.intersection(boxes[box], quads[quad]))
    output = np.ravel_multi_index((y[box], x[box]), canvas.shape)
    return output, np.ravel_multi_index(tuple(pixels[quad].T), good.shape), area


# Seams


def test_a_sky_step_of_a_tenth_between_members_leaves_no_seam(field: Field) -> None:
    paths = [expose(field, "aa", [], 1.0, **IR), expose(field, "bb", [], 1.1, east=5.0, orientat=130.0, **IR)]
    science, weight, header = product_planes(field.job(paths))
    assert np.abs(science[weight > 0] / remaining_sky(1.0, header, "IR") - 1).max() < 1e-5


def test_a_sky_step_under_noise_leaves_no_seam_beyond_the_noise(field: Field) -> None:
    paths = [
        field.expose(name, east=east, sky=sky, noise=0.05, shape=(200, 200))
        for name, east, sky in (("aa", 0.0, 1.0), ("bb", 12.0, 1.1))
    ]
    job = field.job(paths)
    science, _, header = product_planes(job)
    first, second = (well_inside(job, path) for path in paths)
    alone = [science[first & ~second], science[second & ~first]]
    assert min(pixels.size for pixels in alone) > 50_000
    # The medians of the 20,000 pixels of the overlap are good to 0.0005 each.
    levels = [float(pixels.mean()) / remaining_sky(1.0, header, "IR") for pixels in alone]
    assert levels == pytest.approx([1.0, 1.0], abs=0.003)


def well_inside(job: LayerJob, path: Path, by: float = 4) -> np.ndarray:
    """The canvas pixels whose centres lie inside an exposure by at least `by` pixels."""
    (outline,) = parse_region(read_exposure(path).exposure.s_region)
    polygon = shapely.Polygon(cell_wcs(CELL, "fine", job.canvas).wcs_world2pix(outline, 0))
    y, x = np.indices(job.canvas.shape)
    inside: np.ndarray = shapely.contains_xy(polygon.buffer(-by), x, y)
    return inside


# Holes and rims


@pytest.mark.parametrize("options", [IR, ACS], ids=["IR", "ACS"])
@pytest.mark.parametrize("sip", [False, True], ids=["plane", "distorted"])
def test_nan_is_exactly_where_no_good_pixel_of_any_member_contributes(
    field: Field, options: dict[str, object], sip: bool
) -> None:
    shape, chips = (36, 48), int(str(options.get("chips", 1)))
    kwargs = {**options, "shape": shape, "sip": sip}
    rng = np.random.default_rng(11)
    flags = {name: [holes(rng, shape) for _ in range(chips)] for name in ("aa", "bb")}
    paths = [
        expose(field, "aa", [], 1.0, dq=flags["aa"], **kwargs),
        expose(field, "bb", [], 1.0, dq=flags["bb"], east=0.31, north=0.2, **{**kwargs, "orientat": 77.0}),
    ]
    job = field.job(paths)
    science, weight, _ = product_planes(job)
    covered = sum(cover(path, flag, job.canvas) for path, flag in zip(paths, flags.values(), strict=True))
    assert np.array_equal(np.isnan(science), weight == 0)
    # Drizzle interpolates the corners of pixels between their centres; that is exact in a plane without distortion.
    slack = 0.02 if sip else 1e-5
    assert not np.isnan(science[covered > slack]).any()
    assert np.isnan(science[covered == 0.0]).mean() > (0.998 if sip else 0.99999)
    assert 200 < np.isnan(science).sum() < science.size - 200


def holes(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """DQ with a few bad rectangles, some of which reach the edge."""
    dq = np.zeros(shape, int)
    for _ in range(6):
        row, column = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        dq[row : row + rng.integers(3, 12), column : column + rng.integers(3, 12)] = 4
    return dq


def cover(path: Path, flags: Sequence[np.ndarray], canvas: Canvas) -> np.ndarray:
    """How much of each canvas pixel the good pixels of an exposure cover."""
    total = np.zeros(canvas.shape)
    with fits.open(path) as hdus:
        for chip, dq in enumerate(flags, start=1):
            output, _, area = overlaps(WCS(hdus["SCI", chip].header, hdus), dq == 0, canvas)
            np.add.at(total.ravel(), output, area)
    return total


@pytest.mark.parametrize("orientat", [0.0, 200.0])
def test_a_chip_across_the_border_of_the_canvas_loses_no_weight(field: Field, orientat: float) -> None:
    # Large enough that its distorted sides are bowed by several pixels.
    path = expose(field, "aa", [], 1.0, detector="IR", shape=(600, 600), orientat=orientat)
    whole = around([read_exposure(path).exposure.s_region])
    _, expected, _ = product_planes(field.job([path], canvas=whole, mean=1, scale="coarse"))
    for half in halves(whole):
        _, weight, _ = product_planes(field.job([path], canvas=half, mean=1, scale="coarse"))
        first, origin = half.at_scale("coarse"), whole.at_scale("coarse")
        row, column = first.y_min - origin.y_min, first.x_min - origin.x_min
        inside = expected[row : row + weight.shape[0], column : column + weight.shape[1]]
        assert np.abs(weight - inside).max() < 1e-3 * expected.max()


def halves(canvas: Canvas) -> list[Canvas]:
    """The left, right, lower and upper half of a canvas."""
    x, y = (canvas.x_min + canvas.x_max) // 2, (canvas.y_min + canvas.y_max) // 2
    return [
        Canvas(canvas.x_min, x, canvas.y_min, canvas.y_max),
        Canvas(x, canvas.x_max, canvas.y_min, canvas.y_max),
        Canvas(canvas.x_min, canvas.x_max, canvas.y_min, y),
        Canvas(canvas.x_min, canvas.x_max, y, canvas.y_max),
    ]


SKEWED = {
    "CD1_1": -1.08e-5,
    "CD1_2": 1.7353e-6,
    "CD2_1": 2.4212e-6,
    "CD2_2": 1.0929e-5,
}  # WFC3/UVIS, ORIENTAT 9 degrees


@pytest.mark.parametrize("shape", [(259, 1024), (1024, 259), (257, 1024)])
@pytest.mark.parametrize("turn", [0, 30, 100, 215, 300])
def test_no_part_of_a_chip_is_lost_whatever_its_size(field: Field, shape: tuple[int, int], turn: float) -> None:
    # A chip is drizzled in pieces; 259 = 256 + 3 as 2051 = 8 * 256 + 3, the rows of WFC3/UVIS.
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    matrix = np.array([[cosine, sine], [-sine, cosine]]) @ np.reshape(list(SKEWED.values()), (2, 2))
    cards = dict(zip(SKEWED, matrix.ravel().tolist(), strict=True))
    path = expose(field, "aa", [], 1.0, detector="UVIS", kind="flc", shape=shape, sci=cards)
    job = field.job([path], mean=1)
    _, weight, _ = product_planes(job)
    inside = well_inside(job, path, by=1.5)
    assert inside.sum() > 200_000
    y, x = np.nonzero(inside)
    surface = np.stack([np.ones(len(x)), x, y, x**2, x * y, y**2], axis=1)  # distortion makes it change slowly
    smooth = surface @ np.linalg.lstsq(surface, weight[inside], rcond=None)[0]
    assert np.abs(weight[inside] / smooth - 1).max() < 0.02
