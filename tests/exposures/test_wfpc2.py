"""WFPC2's exposures as the archive has them: FLTs, and C0Ms with their flags in C1Ms; one to four chips."""

from __future__ import annotations

import math
import os
from pathlib import Path

import astropy.io.fits
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import set_keywords
from wfpc2files import GAINS, PHOTFLAMS, READ_NOISES, SCALES, photflam_of, write_wfpc2

from mvmdb.errors import ExposureError
from mvmdb.exposures.choose import Candidate, choose_active, explain_choice
from mvmdb.exposures.find import find_exposures
from mvmdb.exposures.fits.digest import digest_pixels
from mvmdb.exposures.fits.pixels import read_chips
from mvmdb.exposures.read import read_exposure
from mvmdb.remote.files import stamp_of
from mvmdb.sky.region import parse_region

SIDE = 40
REAL = Path(astropy.io.fits.__file__).parent / "tests/data/test0.fits"
"""u2eq0201t before calibration, the first 40 x 40 pixels of each chip; astropy's own tests come with it."""


def write(folder: Path, **options: object) -> Path:
    return write_wfpc2(folder, side=SIDE, **options)  # type: ignore[arg-type]


def fail(path: Path) -> ExposureError:
    with pytest.raises(ExposureError) as caught:
        read_exposure(path)
    return caught.value


@pytest.mark.parametrize("form", ["flt", "c0m"])
def test_an_exposure_of_four_chips_is_read_with_each_chips_place(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form=form)
    exposure = read_exposure(path).exposure
    assert (exposure.ipppssoo, exposure.kind, exposure.n_chips, exposure.filters) == ("u2eq0201", "flt", 4, "F814W")
    assert (exposure.instrument, exposure.detector, exposure.eligible) == ("wfpc2", "pc", True)
    with fits.open(path) as hdus:
        for number, polygon in enumerate(parse_region(exposure.s_region), 1):
            x, y = WCS(hdus["SCI", number].header).all_world2pix(polygon, 1).T
            assert (x.min(), x.max(), y.min(), y.max()) == pytest.approx((0.5, 40.5, 0.5, 40.5), abs=1e-3)


def test_chips_that_were_read_out_alone_are_known_by_their_number_and_not_by_their_place(tmp_path: Path) -> None:
    (pc,) = read_chips(write(tmp_path / "1", chips=(1,)))
    (wf,) = read_chips(write(tmp_path / "4", chips=(4,), gain=15))
    assert (pc.factor, wf.factor) == pytest.approx((GAINS[7][1], GAINS[15][4]))
    assert (pc.idcscale, wf.idcscale) == (SCALES[1], SCALES[4])


@pytest.mark.parametrize("gain", [7, 15])
@pytest.mark.parametrize("form", ["flt", "c0m"])
def test_counts_become_electrons_of_the_reference_chip(tmp_path: Path, form: str, gain: int) -> None:
    path = write(tmp_path, form=form, gain=gain)
    for chip in read_chips(path):
        assert (chip.bunit, chip.stored_bunit) == ("ELECTRONS", "COUNTS")
        own = fits.getdata(path, ("SCI", chip.extver)) * GAINS[gain][chip.extver]
        sensitivity = PHOTFLAMS[chip.extver] / GAINS[7][chip.extver] / (PHOTFLAMS[3] / GAINS[7][3])
        assert chip.science == pytest.approx(own * sensitivity, rel=1e-6)
        assert chip.idcscale == pytest.approx(SCALES[chip.extver], rel=1e-9)


def test_chips_that_the_pipeline_equalised_give_the_same_electrons(tmp_path: Path) -> None:
    as_observed = read_chips(write(tmp_path / "observed"))
    equalised = read_chips(write(tmp_path / "equalised", equalised=True))
    for one, other in zip(as_observed, equalised, strict=True):
        assert one.science == pytest.approx(other.science, rel=1e-6)


def test_pixels_without_photflam_are_electrons_of_their_own_chip(tmp_path: Path) -> None:
    path = write(tmp_path, sci={"PHOTFLAM": 0.0})
    assert [chip.factor for chip in read_chips(path)] == [GAINS[7][chip] for chip in SCALES]
    assert "PHOTFLAM is missing from SCI; chips are not equalised" in read_exposure(path).exposure.warnings


@pytest.mark.parametrize("gain", [7, 15])
def test_errors_are_the_scatter_of_simulated_readings(tmp_path: Path, gain: int) -> None:
    rng, exptime, level = np.random.default_rng(5), 300.0, 0.2
    electrons = {chip: rng.poisson(level * exptime, (200, 200)) for chip in SCALES}
    dark = 0.005 * exptime
    rates = {
        chip: (values + rng.normal(0, math.hypot(READ_NOISES[gain][chip], math.sqrt(dark)), values.shape)) / exptime
        for chip, values in electrons.items()
    }
    path = write_wfpc2(tmp_path, side=200, gain=gain, exptime=exptime, rates=rates)
    for chip in read_chips(path, errors=True):
        assert chip.error is not None
        assert float(np.sqrt(np.mean(chip.error**2))) == pytest.approx(float(chip.science.std()), rel=0.02)
        assert np.isfinite(chip.error).all()


def test_errors_of_a_file_in_electrons_are_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, sci={"BUNIT": "ELECTRONS"})
    for chip in read_chips(path, errors=True):
        assert chip.error == pytest.approx(fits.getdata(path, ("ERR", chip.extver)) * chip.factor)


@pytest.mark.parametrize(
    ("primary", "sci", "found"),
    [
        ({"ATODGAIN": 8.0}, {}, "ATODGAIN 8.0"),
        ({"ATODGAIN": None}, {}, "ATODGAIN None"),
        ({}, {"DETECTOR": 5}, "DETECTOR is 5"),
        ({}, {"BUNIT": "ERGS"}, "BUNIT is 'ERGS'"),
    ],
)
def test_counts_of_an_unknown_gain_chip_or_unit_are_no_electrons(
    tmp_path: Path, primary: dict, sci: dict, found: str
) -> None:
    with pytest.raises(ExposureError, match=found) as caught:
        list(read_chips(write(tmp_path, primary=primary, sci=sci)))
    assert caught.value.code == "no-gain"


def test_a_file_without_bunit_is_in_counts(tmp_path: Path) -> None:
    (chip,) = read_chips(write(tmp_path, chips=(3,), sci={"BUNIT": None}))
    assert (chip.stored_bunit, chip.factor) == ("COUNTS", pytest.approx(GAINS[7][3]))


def test_binned_pixels_have_twice_the_size_whatever_idcscale_says(tmp_path: Path) -> None:
    path = write(tmp_path, binned=True)
    assert read_exposure(path).exposure.eligible
    assert [chip.idcscale for chip in read_chips(path)] == pytest.approx([2 * scale for scale in SCALES.values()])


def test_a_first_pointing_without_distortion_is_taken_with_a_warning(tmp_path: Path) -> None:
    exposure = read_exposure(write(tmp_path, form="c0m")).exposure
    assert (exposure.eligible, exposure.wcsname) == (True, None)
    assert any("the WCS has no distortion" in warning for warning in exposure.warnings)
    assert not any("distortion" in warning for warning in read_exposure(write(tmp_path)).exposure.warnings)


def test_flags_come_from_the_file_beside_the_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    flags = {chip: rng.integers(0, 4096, (SIDE, SIDE)) for chip in SCALES}
    for form in ("flt", "c0m"):
        for chip in read_chips(write(tmp_path, form=form, flags=flags)):
            assert np.array_equal(chip.dq, flags[chip.extver])


def test_pixels_without_their_flags_are_all_good_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, form="c0m", c1m=False)
    exposure = read_exposure(path).exposure
    assert "there is no u2eq0201t_c1m.fits beside it: all its pixels are taken as good" in exposure.warnings
    assert not any(chip.dq.any() for chip in read_chips(path))


def test_the_stamp_and_the_digest_follow_both_files(tmp_path: Path) -> None:
    path = write(tmp_path, form="c0m")
    flags = tmp_path / "u2eq0201t_c1m.fits"
    dataset, digest = read_exposure(path), digest_pixels(path)
    assert (dataset.size, dataset.mtime_ns) == stamp_of(str(path))
    assert dataset.size == path.stat().st_size + flags.stat().st_size
    os.utime(flags, ns=(1, flags.stat().st_mtime_ns - 7))  # older, and of the same size
    assert stamp_of(str(path)) != (dataset.size, dataset.mtime_ns)
    assert digest_pixels(path) == digest
    with fits.open(flags, mode="update") as hdus:
        hdus[1].data[3, 3] = 4
    assert digest_pixels(path) != digest
    before = stamp_of(str(path))
    flags.unlink()
    assert stamp_of(str(path)) != before


@pytest.mark.parametrize("keyword", ["PHOTFLAM", "DETECTOR"])
def test_what_turns_counts_into_electrons_is_part_of_the_pixels_identity(tmp_path: Path, keyword: str) -> None:
    path = write(tmp_path)
    before = read_exposure(path).exposure.pixels, digest_pixels(path)
    set_keywords(path, ("SCI", 2), {keyword: 3 if keyword == "DETECTOR" else 9e-18})
    after = read_exposure(path).exposure.pixels, digest_pixels(path)
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_flags_of_another_exposure_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, form="c0m")
    set_keywords(tmp_path / "u2eq0201t_c1m.fits", 0, {"ROOTNAME": "u2eq0203t"})
    error = fail(path)
    assert (error.code, "u2eq0203t" in str(error)) == ("contradictory", True)


def test_flags_of_fewer_chips_or_another_shape_are_refused(tmp_path: Path) -> None:
    path, flags = write(tmp_path, form="c0m"), tmp_path / "u2eq0201t_c1m.fits"
    with fits.open(flags) as hdus:
        fits.HDUList(hdus[:3]).writeto(tmp_path / "fewer.fits")
    (tmp_path / "fewer.fits").replace(flags)
    assert fail(path).code == "truncated"  # NEXTEND says so
    set_keywords(flags, 0, {"NEXTEND": 2})
    assert "(DQ,3) is missing" in str(fail(path))


def test_flags_that_are_cut_short_are_truncated(tmp_path: Path) -> None:
    path, flags = write(tmp_path, form="c0m"), tmp_path / "u2eq0201t_c1m.fits"
    flags.write_bytes(flags.read_bytes()[:-4000])
    error = fail(path)
    assert (error.code, str(flags) in str(error)) == ("truncated", True)


def test_an_flt_is_preferred_to_the_c0m_it_was_made_of(tmp_path: Path) -> None:
    c0m, flt = (Candidate.of(read_exposure(write(tmp_path, form=form))) for form in ("c0m", "flt"))
    assert choose_active([c0m, flt]) == flt
    assert "FLT" in explain_choice(flt, c0m)


def test_folders_are_searched_for_c0ms_and_not_for_their_flags(tmp_path: Path) -> None:
    path = write(tmp_path, form="c0m")
    assert find_exposures([tmp_path]).paths == (str(path),)


def test_a_real_header_is_understood_and_its_moving_target_refused(tmp_path: Path) -> None:
    """The file is of before calibration: without target and program, and PC1 without the names of its axes."""
    path = tmp_path / "u2eq0201t_c0m.fits"
    with fits.open(REAL) as hdus:
        hdus[0].header.update(PROPOSID=5837, TARGNAME="NEPTUNE")
        for hdu in hdus[1:]:
            hdu.header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN")
        hdus.writeto(path)
    exposure = read_exposure(path).exposure
    assert [refusal.rule for refusal in exposure.refusals] == ["moving target"]
    assert (exposure.filters, exposure.exptime, exposure.n_chips) == ("F673N", 0.23, 4)
    assert [chip.idcscale for chip in read_chips(path)] == pytest.approx([0.091, 0.199, 0.199, 0.199], rel=0.01)


def test_photflam_of_the_two_gains_is_one_per_electron() -> None:
    for chip in SCALES:
        assert photflam_of(chip, 15) / GAINS[15][chip] == pytest.approx(photflam_of(chip, 7) / GAINS[7][chip])
