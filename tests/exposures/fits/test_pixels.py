"""Chips come with the arrays, units and WCS that are in the file, and the file stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fitsfiles import gunzip, set_keywords, set_raw_value, write_exposure

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.pixels import read_chips


def test_chips_hold_the_files_arrays_in_native_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    science = [rng.normal(size=(20, 30)).astype("f4") for _ in range(2)]
    flags = [rng.integers(-(2**15), 2**15, (20, 30)).astype("i2") for _ in range(2)]
    path = write_exposure(tmp_path, detector="WFC", chips=2, science=science, dq=flags, exptime=347.0)
    chips = list(read_chips(path))
    assert [chip.extver for chip in chips] == [1, 2]
    for chip, sci, dq in zip(chips, science, flags, strict=True):
        assert chip.science.dtype == np.dtype("=f4")
        assert chip.dq.dtype == np.dtype("=u2")
        np.testing.assert_array_equal(chip.science, sci)
        np.testing.assert_array_equal(chip.dq, dq.view("u2"))
        assert (chip.exptime, chip.bunit, chip.idcscale) == (347.0, "ELECTRONS", 0.05)
        assert chip.header["EXTVER"] == chip.extver
        chip.science[0, 0] = 5  # the caller's own


def test_reading_changes_nothing_and_leaves_nothing_open(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = path.read_bytes(), path.stat().st_mtime_ns
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    list(read_chips(path))
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_wcs_has_sip_and_tables(tmp_path: Path) -> None:
    (chip,) = read_chips(write_exposure(tmp_path, lookup_tables=True))
    assert None not in (chip.wcs.sip, chip.wcs.cpdis1, chip.wcs.cpdis2, chip.wcs.det2im1, chip.wcs.det2im2)


def test_a_file_with_no_dq_at_all_has_good_pixels(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, dq=np.full((64, 64), 4))
    with fits.open(path) as hdus:
        fits.HDUList([hdus[0].copy(), hdus[1].copy()]).writeto(path, overwrite=True)
    (chip,) = read_chips(path)
    assert chip.dq.shape == (64, 64)
    assert not chip.dq.any()


def test_a_file_with_dq_for_one_chip_only_is_refused(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    with fits.open(path) as hdus:
        fits.HDUList([hdu.copy() for hdu in hdus[:6]]).writeto(path, overwrite=True)
    with pytest.raises(ExposureError, match=r"\(DQ,2\) is missing"):
        list(read_chips(path))


def test_dq_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, dq=np.zeros((64, 32)))
    with pytest.raises(ExposureError, match="shape"):
        list(read_chips(path))


def test_constant_arrays_are_filled(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, shape=(6, 4))
    with fits.open(path) as hdus:
        constant = fits.ImageHDU(name="DQ", ver=1)
        constant.header.update(NPIX1=4, NPIX2=6, PIXVALUE=64)
        fits.HDUList([hdus[0].copy(), hdus[1].copy(), constant]).writeto(path, overwrite=True)
    (chip,) = read_chips(path)
    np.testing.assert_array_equal(chip.dq, np.full((6, 4), 64, "u2"))


def test_scaled_arrays_are_read_at_their_value(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, shape=(6, 4))
    flags = np.full((6, 4), 40000, "u2")
    with fits.open(path) as hdus:
        unsigned = fits.ImageHDU(flags, name="DQ", ver=1)  # astropy stores these with BZERO 32768
        fits.HDUList([hdus[0].copy(), hdus[1].copy(), unsigned]).writeto(path, overwrite=True)
    (chip,) = read_chips(path)
    np.testing.assert_array_equal(chip.dq, flags)


@pytest.mark.parametrize("value", [None, "0.04", 0.0, -0.04, 1e300])
@pytest.mark.parametrize(("detector", "scale"), [("UVIS", 0.03962), ("IR", 0.1282500028610229), ("SBC", 0.025)])
def test_the_detectors_scale_stands_in_for_an_idcscale_that_is_none(
    tmp_path: Path, detector: str, scale: float, value: object
) -> None:
    (chip,) = read_chips(write_exposure(tmp_path, detector=detector, sci={"IDCSCALE": value}))
    assert chip.idcscale == pytest.approx(scale, rel=1e-7)


def test_the_pixels_of_a_chip_tell_its_idcscale_where_chips_differ(tmp_path: Path) -> None:
    (chip,) = read_chips(write_exposure(tmp_path, detector="PC", sci={"IDCSCALE": None}))
    assert chip.idcscale == pytest.approx(0.04555, rel=1e-6)


def test_a_wcs_that_cannot_be_evaluated_is_an_error(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    set_raw_value(path, "CRVAL1", "NaN")
    with pytest.raises(ExposureError, match="CRVAL1 is nan"):
        list(read_chips(path))


def test_a_missing_exposure_time_is_an_error(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    set_keywords(path, 0, {"EXPTIME": None})
    with pytest.raises(ExposureError, match="EXPTIME"):
        list(read_chips(path))


@pytest.mark.shared
def test_float_flags_of_an_old_file_become_bits(shared: Path, tmp_path: Path) -> None:
    path = gunzip(shared / "data" / "headers" / "2chipA.fits.gz", tmp_path / "j94f05bgq_flt.fits")
    assert [chip.dq.dtype for chip in read_chips(path)] == [np.dtype("u2")] * 2


def test_errors_are_read_where_they_are_requested(tmp_path: Path) -> None:
    sigmas = [np.full((20, 30), 0.25), np.full((20, 30), 0.5)]
    path = write_exposure(tmp_path, detector="WFC", chips=2, shape=(20, 30), errors=sigmas)
    assert [chip.error for chip in read_chips(path)] == [None, None]
    errors = [chip.error for chip in read_chips(path, errors=True)]
    for error, sigma in zip(errors, sigmas, strict=True):
        assert error is not None
        assert error.dtype == np.dtype("f4")
        assert np.array_equal(error, sigma)


def test_errors_that_are_missing_or_of_another_shape_are_refused(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, errors=False)
    assert len(list(read_chips(path))) == 1
    with pytest.raises(ExposureError, match="found no ERR extension") as caught:
        list(read_chips(path, errors=True))
    assert caught.value.code == "no-err"
    path = write_exposure(tmp_path, errors=np.ones((64, 63)))
    with pytest.raises(ExposureError, match=r"\(ERR,1\) has shape \(64, 63\); expected shape \(64, 64\)"):
        list(read_chips(path, errors=True))
