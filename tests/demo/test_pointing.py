"""Pointing the simulated telescope, checked by angular distances on the sky."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from mvmdb.demo.optics import ACS_WFC, WFC3_IR, ChipOptics, DetectorOptics
from mvmdb.demo.pointing import point_detector


def corners_on_sky(header: fits.Header, shape: tuple[int, int]) -> SkyCoord:
    ny, nx = shape
    x, y = np.array([0, nx - 1, nx - 1, 0]), np.array([0, 0, ny - 1, ny - 1])
    return SkyCoord(*WCS(header).all_pix2world(x, y, 0), unit="deg")


def header_as_observed(optics: DetectorOptics, chip: ChipOptics) -> fits.Header:
    """The chip's WCS in the real exposure, written without the code under test."""
    header = fits.Header()
    for axis in (1, 2):
        header[f"CRPIX{axis}"] = chip.crpix[axis - 1] - chip.corner[axis - 1]
        header[f"CRVAL{axis}"] = chip.crval[axis - 1]
        header[f"CTYPE{axis}"] = ("RA---TAN-SIP", "DEC--TAN-SIP")[axis - 1]
        for column in (1, 2):
            header[f"CD{axis}_{column}"] = chip.cd[axis - 1][column - 1]
    for letter, terms in (("A", chip.sip_a), ("B", chip.sip_b)):
        header[f"{letter}_ORDER"] = 4
        for (p, q), value in terms.items():
            header[f"{letter}_{p}_{q}"] = value
    return header


def separations(positions: SkyCoord) -> npt.NDArray[np.float64]:
    """The distances between all pairs of positions, arcsec."""
    return positions[:, None].separation(positions[None, :]).to_value(u.arcsec)


@pytest.mark.parametrize("optics", [WFC3_IR, ACS_WFC], ids=["ir", "wfc"])
@pytest.mark.parametrize(("ra", "dec", "pa"), [(54.8, -30.0, 9.0), (359.99, 85.0, 200.0), (10.0, 0.0, -70.0)])
def test_turning_the_telescope_keeps_every_distance_between_chips(
    optics: DetectorOptics, ra: float, dec: float, pa: float
) -> None:
    turned = point_detector(optics, ra, dec, pa)
    now = [corners_on_sky(h, c.shape) for h, c in zip(turned, optics.chips, strict=True)]
    before = [corners_on_sky(header_as_observed(optics, c), c.shape) for c in optics.chips]
    corners = (SkyCoord(np.concatenate([p.ra for p in q]), np.concatenate([p.dec for p in q])) for q in (now, before))
    after, observed = (separations(positions) for positions in corners)
    assert np.abs(after - observed).max() < 1e-5


def test_the_detector_points_where_it_is_told() -> None:
    (header,) = point_detector(WFC3_IR, 54.8, -30.0, 4.0)
    assert header["CRVAL1"] == pytest.approx(54.8, abs=1e-9)
    assert header["CRVAL2"] == pytest.approx(-30.0, abs=1e-9)
    here = SkyCoord(*WCS(header).all_pix2world(506, 506, 0), unit="deg")
    above = SkyCoord(*WCS(header).all_pix2world(506, 507, 0), unit="deg")
    assert here.position_angle(above).to_value(u.deg) == pytest.approx(4.0, abs=0.01)


def test_the_chips_of_the_wfc_lie_apart_by_their_gap() -> None:
    lower, upper = (WCS(header) for header in point_detector(ACS_WFC, 54.8, -30.0, 9.0))
    rows = ACS_WFC.chips[0].shape[0]
    below = SkyCoord(*lower.all_pix2world(1023, rows - 1, 0), unit="deg")
    above = SkyCoord(*upper.all_pix2world(1023, 0, 0), unit="deg")
    assert 1.5 < below.separation(above).to_value(u.arcsec) < 3.5
