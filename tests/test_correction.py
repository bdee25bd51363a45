"""A correction moves positions and headers alike, anywhere on the sky."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, SkyOffsetFrame
from astropy.wcs import WCS

from mvmdb.correction import (
    Correction,
    digest_realigned,
    format_alternate,
    parse_alternate,
    sky_to_tangent,
    tangent_to_sky,
)

PLACES = [(53.1, -27.7), (0.001, 89.99), (359.9999, 0.0), (180.0, -89.5)]


def a_wcs(ra: float, dec: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [ra, dec], [500.0, 400.0]
    wcs.wcs.cd = [[-1.1e-5, 3e-6], [2.9e-6, 1.2e-5]]
    return wcs


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("lonpole", [180.0, 137.0])
def test_a_moved_header_puts_pixels_where_moved_positions_are(ra: float, dec: float, lonpole: float) -> None:
    correction = Correction(ra, dec, 0.4, -0.3, 0.02)
    # A chip's reference point is 100 arcsec from the middle of the exposure.
    crval = tuple(float(value) for value in tangent_to_sky(ra, dec, np.array(70.0), np.array(-70.0)))
    wcs = a_wcs(*crval)
    wcs.wcs.lonpole = lonpole
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 4000, 7), np.linspace(0, 2000, 7)))
    expected = correction.move(*wcs.all_pix2world(x, y, 0))
    moved = a_wcs(*crval)
    moved.wcs.lonpole = lonpole
    moved.wcs.crval, moved.wcs.cd = correction.move_pointing(crval, wcs.wcs.cd.tolist())  # type: ignore[arg-type]
    found = SkyCoord(*moved.all_pix2world(x, y, 0), unit="deg")
    assert found.separation(SkyCoord(*expected, unit="deg")).mas.max() < 0.001


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_the_parts_of_a_correction_mean_what_they_say(ra: float, dec: float) -> None:
    centre = SkyCoord(ra, dec, unit="deg")
    star = SkyCoord(30 * u.arcsec, 40 * u.arcsec, frame=SkyOffsetFrame(origin=centre)).icrs
    place = np.array([star.ra.deg]), np.array([star.dec.deg])

    def moved(correction: Correction) -> SkyCoord:
        (east,), (north,) = correction.move(*place)
        return SkyCoord(east, north, unit="deg")

    rolled = moved(Correction(ra, dec, 0.0, 0.0, 90.0))
    assert centre.position_angle(rolled).deg == pytest.approx(centre.position_angle(star).deg + 90, abs=1e-6)
    assert centre.separation(rolled).arcsec == pytest.approx(50, abs=1e-5)
    offsets = moved(Correction(ra, dec, 0.25, -0.5, 0.0)).transform_to(SkyOffsetFrame(origin=centre))
    assert (offsets.lon.arcsec, offsets.lat.arcsec) == pytest.approx((30.25, 39.5), abs=1e-5)
    assert centre.separation(moved(Correction(ra, dec, 0.0, 0.0, 0.0, 1.001))).arcsec == pytest.approx(50.05, abs=1e-5)


def test_text_and_digest_tell_corrections_apart() -> None:
    correction = Correction(53.1, -27.7, 0.1, 1 / 3, -1e-5)
    assert Correction.parse(str(correction)) == correction
    assert Correction.parse("") is None
    assert parse_alternate(format_alternate("gaia", correction)) == ("gaia", correction)
    assert parse_alternate("") == ("", None)
    assert digest_realigned("ab", "") == "ab"
    digests = {digest_realigned(wcs, text) for wcs in ("ab", "cd") for text in ("", "x 1 2", "x 1 3", "y 1 3")}
    assert len(digests) == 6


def test_planes_are_inverse() -> None:
    xi, eta = np.array([0.0, 100.0, -3.0]), np.array([0.0, 5.0, 200.0])
    for place in PLACES:
        assert np.allclose(sky_to_tangent(*place, *tangent_to_sky(*place, xi, eta)), [xi, eta], atol=1e-8)
