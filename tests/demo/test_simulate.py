"""The simulated exposures: positions and brightness of their stars, and their blemishes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from spherical_geometry.polygon import SingleSphericalPolygon

from mvmdb.demo.simulate import BAD_PIXEL, NIGHTS, Shot, simulate_exposure, simulate_night, stars

HALF = 8  # half width of the box in which a star is measured, pixels
SHOTS = {shot.rootname: shot for shots in NIGHTS.values() for shot in shots}


@pytest.fixture(scope="module", params=["idmo01a2q", "jdmo01b1q"])
def exposed(request: pytest.FixtureRequest) -> tuple[Shot, fits.HDUList]:
    shot = SHOTS[request.param]
    return shot, simulate_exposure(shot, stars())


def true_area(wcs: WCS, x: int, y: int) -> float:
    """Area of one pixel on the sphere, arcsec**2, from its corners."""
    ra, dec = wcs.all_pix2world(x + np.array([-0.5, 0.5, 0.5, -0.5]), y + np.array([-0.5, -0.5, 0.5, 0.5]), 0)
    steradians = SingleSphericalPolygon.from_radec(ra, dec).area()
    return float(min(steradians, 4 * np.pi - steradians) * (180 / np.pi * 3600) ** 2)


def measure_star(rate: npt.NDArray[np.float64], wcs: WCS, ra: float, dec: float) -> tuple[float, float, float] | None:
    """(x, y, summed counts) of a star, None if its box leaves the chip; the sky is the median around it."""
    x, y = (round(float(v)) for v in wcs.all_world2pix(ra, dec, 0))
    ny, nx = rate.shape
    if not (2 * HALF < x < nx - 2 * HALF and 2 * HALF < y < ny - 2 * HALF):
        return None
    box = rate[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1]
    sky = np.median(rate[y - 2 * HALF : y + 2 * HALF, x - 2 * HALF : x + 2 * HALF])
    rows, columns = np.mgrid[-HALF : HALF + 1, -HALF : HALF + 1]
    core = np.hypot(rows, columns) < 5.5
    light = np.where(core, box - sky, 0)
    total = light.sum()
    return x + (light * columns).sum() / total, y + (light * rows).sum() / total, float(total)


def test_stars_lie_at_their_sky_positions_and_have_their_rates(exposed: tuple[Shot, fits.HDUList]) -> None:
    shot, hdus = exposed
    catalog, seen = stars(), 0
    for version in range(1, len(shot.optics.chips) + 1):
        wcs = WCS(hdus["SCI", version].header)
        unit = shot.exptime if shot.optics.bunit == "ELECTRONS" else 1.0
        rate = hdus["SCI", version].data.astype(np.float64) / unit
        near = np.hypot((catalog.ra - hdus["SCI", version].header["CRVAL1"]) * 0.87, catalog.dec + 30) < 100 / 3600
        for ra, dec, true_rate in zip(catalog.ra[near], catalog.dec[near], catalog.rate[near], strict=True):
            measured = measure_star(rate, wcs, ra, dec)
            if measured is None:
                continue
            x, y, counts = measured
            distance = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*wcs.all_pix2world(x, y, 0), unit="deg"))
            assert distance.to_value(u.arcsec) < 0.05 * shot.optics.idcscale
            flux = counts * true_area(wcs, round(x), round(y)) / shot.optics.idcscale**2
            assert flux == pytest.approx(true_rate, rel=0.02)
            seen += 1
    assert seen > 50


def test_pixel_areas_differ_enough_to_matter(exposed: tuple[Shot, fits.HDUList]) -> None:
    shot, hdus = exposed
    ratios = []
    for version, chip in enumerate(shot.optics.chips, start=1):
        wcs = WCS(hdus["SCI", version].header)
        ratios += [true_area(wcs, x, y) / shot.optics.idcscale**2 for x in (5, chip.shape[1] - 5) for y in (5, 1000)]
    assert max(ratios) - min(ratios) > 0.02


def test_blemishes_are_flagged_and_keep_away_from_stars(exposed: tuple[Shot, fits.HDUList]) -> None:
    shot, hdus = exposed
    for version in range(1, len(shot.optics.chips) + 1):
        quality = hdus["DQ", version].data
        assert (quality & shot.optics.cosmic_ray_bit > 0).sum() == 400
        assert (quality & BAD_PIXEL > 0).sum() > 100
        science, error = hdus["SCI", version].data, hdus["ERR", version].data
        sky = np.median(science)
        unflagged = (quality == 0) & (science < sky + 6 * error)
        assert unflagged.mean() > 0.95


def test_a_night_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, again = simulate_night(tmp_path / "a", 2), simulate_night(tmp_path / "b", 2)
    assert [path.name for path in first] == [shot.filename for shot in NIGHTS[2]]
    assert all(one.read_bytes() == two.read_bytes() for one, two in zip(first, again, strict=True))


def test_skies_differ_between_exposures() -> None:
    skies = [shot.sky for shots in NIGHTS.values() for shot in shots]
    assert len(set(skies)) == len(skies)


def test_stars_are_far_enough_apart_to_be_measured_alone() -> None:
    catalog = stars()
    positions = SkyCoord(catalog.ra, catalog.dec, unit="deg")
    distances = positions[:, None].separation(positions[None, :]).to_value(u.arcsec)
    assert distances[~np.eye(len(positions), dtype=bool)].min() > 5
