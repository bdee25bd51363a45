"""The photometry of exposures from their headers, and the scale of their chips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fitsfiles import set_keywords, set_raw_value, write_exposure
from wfpc2files import GAINS, PHOTFLAMS, write_wfpc2

from mvmdb.exposures.fits.pixels import read_chips
from mvmdb.exposures.read import read_exposure
from mvmdb.photometry import Photometry, parse_photometry

PHOTFLAM = 2.2483417e-20


def photometry_of(path: Path) -> Photometry:
    parsed = parse_photometry(read_exposure(path).exposure.photometry)
    assert parsed is not None
    return parsed


def test_keywords_of_primary_count_where_a_chip_has_none(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="UVIS", chips=2)
    set_keywords(path, ("SCI", 2), {"PHOTFLAM": 3e-20, "PHOTMODE": "WFC3 UVIS2  F606W"})
    found = photometry_of(path)
    assert found.sensitivities == (PHOTFLAM, 3e-20)
    assert found.values["PHOTMODE"] == ("TEST", "WFC3 UVIS2 F606W")
    assert (found.photflam, found.photmode) == (PHOTFLAM, "TEST")


@pytest.mark.parametrize("text", ["NaN", "'N/A     '", "T"])
def test_what_is_no_number_is_no_photflam(tmp_path: Path, text: str) -> None:
    path = write_exposure(tmp_path)
    set_raw_value(path, "PHOTFLAM", text)
    assert photometry_of(path).photflam is None
    assert any("PHOTFLAM is missing from SCI" in warning for warning in read_exposure(path).exposure.warnings)


def test_a_number_as_text_is_a_number(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, primary={"PHOTFLAM": "2.5E-20"})
    assert photometry_of(path).photflam == 2.5e-20


def test_chips_and_their_errors_are_scaled_and_not_at_all_by_1(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="UVIS", chips=2)
    set_keywords(path, ("SCI", 2), {"PHOTFLAM": 2 * PHOTFLAM})
    plain, scaled = list(read_chips(path, errors=True)), list(read_chips(path, errors=True, photflam=PHOTFLAM))
    assert [chip.scale for chip in plain] == [1.0, 1.0]
    assert [chip.scale for chip in scaled] == [chip.factor for chip in scaled] == [1.0, 2.0]
    for before, after in zip(plain, scaled, strict=True):
        assert before.error is not None
        assert after.error is not None
        assert np.array_equal(after.science, before.science * np.float32(after.scale), equal_nan=True)
        assert np.array_equal(after.error, before.error * np.float32(after.scale), equal_nan=True)
        assert np.array_equal(after.dq, before.dq)


def test_wfpc2_has_photflam_per_electron_and_that_of_wf3(tmp_path: Path) -> None:
    path = write_wfpc2(tmp_path)
    found = photometry_of(path)
    assert found.sensitivities == pytest.approx([PHOTFLAMS[chip] / GAINS[7][chip] for chip in (1, 2, 3, 4)])
    assert found.photflam == pytest.approx(PHOTFLAMS[3] / GAINS[7][3])
    assert found.reference == 2


def test_wfpc2_is_scaled_from_one_exposure_to_another_as_from_chip_to_chip(tmp_path: Path) -> None:
    path = write_wfpc2(tmp_path)
    own = photometry_of(path).photflam
    assert own is not None
    for plain, same, scaled in zip(
        read_chips(path, errors=True),
        read_chips(path, errors=True, photflam=own),
        read_chips(path, errors=True, photflam=own / 1.5),
        strict=True,
    ):
        assert plain.error is not None
        assert same.error is not None
        assert scaled.error is not None
        assert np.array_equal(same.science, plain.science)
        assert np.array_equal(same.error, plain.error)
        assert (same.factor, same.scale) == (plain.factor, plain.scale)
        np.testing.assert_allclose(scaled.science, 1.5 * plain.science, rtol=3e-7)
        np.testing.assert_allclose(scaled.error, 1.5 * plain.error, rtol=3e-7)
        assert scaled.scale == pytest.approx(1.5 * plain.scale)


def test_the_photometry_says_nothing_of_astrometry(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = read_exposure(path).exposure
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].header["CRVAL1"] += 1e-5
    after = read_exposure(path).exposure
    assert after.wcs_digest != before.wcs_digest
    assert after.photometry == before.photometry
