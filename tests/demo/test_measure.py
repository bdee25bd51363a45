"""Measuring stars in a mosaic, on synthetic images: true stars are confirmed, and errors are measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mvmdb.demo.measure import measure_stars
from mvmdb.demo.render import StarTable

SHAPE = (200, 300)
POSITIONS = np.array([[60.3, 80.7], [151.2, 99.9], [240.0, 60.5]])
RATES = np.array([500.0, 1000.0, 2000.0])


def write_image(path: Path, weight: npt.NDArray[np.float32]) -> WCS:
    """Three round stars on a sky of 3.0, at 0.04 arcsec per pixel."""
    header = fits.Header()
    header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=54.0, CRVAL2=-30.0, CRPIX1=900.0, CRPIX2=-400.0)
    header.update(CD1_1=-0.04 / 3600, CD1_2=0.0, CD2_1=0.0, CD2_2=0.04 / 3600)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.full(SHAPE, 3.0)
    for (x0, y0), rate in zip(POSITIONS, RATES, strict=True):
        image += rate / (2 * np.pi * 2.0**2) * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 2.0**2))
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(image.astype("f4"), header, name="SCI"), fits.ImageHDU(weight, name="WHT")]
    fits.HDUList(hdus).writeto(path)
    return WCS(header)


@pytest.fixture
def even() -> npt.NDArray[np.float32]:
    return np.full(SHAPE, 100.0, np.float32)


def test_true_stars_have_no_errors(tmp_path: Path, even: npt.NDArray[np.float32]) -> None:
    wcs = write_image(tmp_path / "image.fits", even)
    ra, dec = wcs.all_pix2world(POSITIONS[:, 0], POSITIONS[:, 1], 0)
    check = measure_stars(tmp_path / "image.fits", StarTable(ra, dec, RATES))
    assert check.n == 3
    assert check.offset.max() < 0.002
    assert np.abs(check.flux_error).max() < 0.001


def test_a_shift_and_a_wrong_flux_are_measured(tmp_path: Path, even: npt.NDArray[np.float32]) -> None:
    wcs = write_image(tmp_path / "image.fits", even)
    ra, dec = wcs.all_pix2world(POSITIONS[:, 0] + 0.3, POSITIONS[:, 1] - 0.4, 0)
    check = measure_stars(tmp_path / "image.fits", StarTable(ra, dec, RATES * 1.25))
    assert check.offset == pytest.approx([0.5, 0.5, 0.5], abs=0.003)
    assert check.flux_error == pytest.approx([-0.2, -0.2, -0.2], abs=0.002)


def test_a_star_on_the_edge_of_an_exposure_is_left_out(tmp_path: Path, even: npt.NDArray[np.float32]) -> None:
    even[:, 150:] *= 2
    wcs = write_image(tmp_path / "image.fits", even)
    ra, dec = wcs.all_pix2world(POSITIONS[:, 0], POSITIONS[:, 1], 0)
    assert measure_stars(tmp_path / "image.fits", StarTable(ra, dec, RATES)).n == 2


def test_a_mosaic_without_measurable_stars_is_described_in_words(tmp_path: Path, even: npt.NDArray[np.float32]) -> None:
    write_image(tmp_path / "image.fits", even)
    check = measure_stars(tmp_path / "image.fits", StarTable(np.array([10.0]), np.array([-30.0]), np.array([1.0])))
    assert check.n == 0
    assert "no star" in str(check)
