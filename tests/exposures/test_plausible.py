"""Footprints that cannot be true of the detector are refused with numbers; real ones, however distorted, are not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits
from fitsfiles import gunzip, write_exposure

from mvmdb.exposures.fits.chipwcs import build_wcs
from mvmdb.exposures.fits.file import scan_file
from mvmdb.exposures.fits.layout import read_chip_wcs
from mvmdb.exposures.plausible import find_implausible
from mvmdb.exposures.read import read_exposure
from mvmdb.instruments import find_detector
from mvmdb.sky.footprint import chip_outline

FULL = {"IR": (1014, 1014), "UVIS": (2051, 4096), "WFC": (2048, 4096), "HRC": (1024, 1024), "SBC": (1024, 1024)}


def refusals(path: Path) -> list[str]:
    return [f"{refusal.rule}: {refusal.finding}" for refusal in read_exposure(path).exposure.refusals]


@pytest.mark.parametrize("detector", ["IR", "UVIS", "WFC", "HRC", "SBC", "PC"])
@pytest.mark.parametrize("dec", [-89.9, 0.0, 60.0])
def test_every_detector_is_plausible_all_over_the_sky(tmp_path: Path, detector: str, dec: float) -> None:
    chips = 2 if detector in ("UVIS", "WFC") else 1
    path = write_exposure(tmp_path, detector=detector, chips=chips, dec=dec, ra=0.001, lookup_tables=True)
    assert refusals(path) == []
    doubts = read_exposure(path).exposure.warnings
    assert [doubt for doubt in doubts if "no distortion" not in doubt and "not equalised" not in doubt] == []
    assert len(doubts) == (2 if detector == "PC" else 0), "its chips have neither, as in C0Ms of the archive"


@pytest.mark.parametrize("detector", FULL)
def test_full_frames_are_plausible(tmp_path: Path, detector: str) -> None:
    path = write_exposure(tmp_path, detector=detector, shape=FULL[detector], errors=False)
    assert refusals(path) == []


@pytest.mark.parametrize("binning", [2, 3])
def test_binned_pixels_are_plausible(tmp_path: Path, binning: int) -> None:
    scale = 0.0398 * binning / 3600
    sci = {"CD1_1": -scale, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": scale}
    bins = {"BINAXIS1": binning, "BINAXIS2": binning}
    assert refusals(write_exposure(tmp_path, detector="UVIS", sip=False, sci=sci | bins)) == []
    unbinned = refusals(write_exposure(tmp_path, detector="UVIS", sip=False, sci=sci))
    assert ["its pixels are" in refusal for refusal in unbinned] == [True]


@pytest.mark.parametrize(
    ("sci", "found"),
    [
        ({"CRPIX1": 1e6}, "area|CRVAL"),
        ({"CRPIX2": -1e5}, "area|CRVAL"),
        ({"CD1_1": 1e-9, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1e-9}, "pixels of .* arcsec|pixels are"),
        ({"CD1_1": 3e-5, "CD1_2": 3e-5, "CD2_1": 3e-5, "CD2_2": 3e-5}, "pixels"),
        ({"CD1_1": 3.5e-5, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 3.5e-5}, "mirrored"),
        ({"CD1_1": -9e-5, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1.4e-5}, "square"),
        ({"LONPOLE": 1e300}, "LONPOLE"),
        ({"LATPOLE": -1e300}, "LATPOLE"),
        ({"A_0_2": 180.0}, "area|footprint|edge|reach"),
        ({"RADESYS": "FK4"}, "RADESYS is FK4"),
        ({"RADESYS": "FK5", "EQUINOX": 1975.0}, "EQUINOX is 1975"),
        ({"EQUINOX": 1950.0, "RADESYS": None}, "RADESYS is FK4"),
        ({"CUNIT1": "arcsec"}, "CUNIT1 is 'arcsec'"),
        ({"PV2_1": 0.1}, "PV2_1 is 0.1"),
        ({"CQDIS1": "Polynomial"}, "CQDIS1"),
        ({"WCSAXES": 3}, "WCSAXES is 3"),
        ({"PC1_1": 1.0}, "both CD and PC"),
        ({"PV1_3": 0.0}, "PV1_3 is 0.0"),
        ({"AMDX1": 0.0}, "AMDX1 is 0.0"),
        ({"CUNIT1": 2}, "CUNIT1 is 2; expected a text"),
        ({"CRVAL3": 1.0}, "CRVAL3; expected two axes"),
        ({"A_0_3": 1.0}, "arcsec long; expected|area|reach"),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_refused_with_what_was_found(tmp_path: Path, sci: dict[str, object], found: str) -> None:
    path = write_exposure(tmp_path, sci={"A_ORDER": 4, "B_ORDER": 4} | sci)
    (refusal,) = refusals(path)
    assert refusal.startswith("no solution: ")
    assert re.search(found, refusal)


@pytest.mark.parametrize("distance", [90.0, 180.0, 0.5])
def test_chips_far_apart_are_refused(tmp_path: Path, distance: float) -> None:
    path = write_exposure(tmp_path, detector="UVIS", chips=2, ra=10.0, dec=0.0)
    with fits.open(path, mode="update") as hdus:
        hdus["SCI", 2].header["CRVAL1"] += distance
    (refusal,) = refusals(path)
    assert "chips reach over" in refusal


@pytest.mark.parametrize(
    ("target", "refused"),
    [
        ({"RA_TARG": 53.059, "DEC_TARG": -26.75}, False),
        ({"RA_TARG": 53.059, "DEC_TARG": -26.65}, True),
        ({"RA_TARG": 233.059, "DEC_TARG": 27.7}, True),
        ({"RA_TARG": 233.059, "DEC_TARG": 27.7, "MTFLAG": "T"}, False),
        ({"RA_TARG": 0.0, "DEC_TARG": 0.0}, False),
        ({"RA_TARG": 53.059}, False),
        ({"RA_TARG": 1e300, "DEC_TARG": -27.7}, False),
    ],
)
def test_a_footprint_far_from_its_target_is_refused(tmp_path: Path, target: dict[str, object], refused: bool) -> None:
    found = refusals(write_exposure(tmp_path, primary=target))
    assert any("degrees from RA_TARG, DEC_TARG; expected 1 at most" in refusal for refusal in found) is refused


def test_a_lookup_table_that_moves_pixels_far_is_refused(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, lookup_tables=True)
    with fits.open(path, mode="update") as hdus:
        hdus["WCSDVARR", 1].data[4, 4] = 800.0
    (refusal,) = refusals(path)
    assert "the WCSDVARR table of axis 1 moves pixels by more than 10 pixels" in refusal


@pytest.mark.shared
@pytest.mark.parametrize("name", ["2chipA", "2chipB", "2chipC", "sample_ipppssoot_flc", "sample_svm_flt"])
def test_real_headers_are_plausible(shared: Path, tmp_path: Path, name: str) -> None:
    """Their arrays are cut to 10 x 10 pixels, so the whole chips that their WCS describe are put in."""
    (source,) = (shared / "data" / "headers").glob(f"{name}.fits*")
    file = scan_file(gunzip(source, tmp_path / f"{name}.fits") if source.suffix == ".gz" else source)
    detector = find_detector(str(file.primary["INSTRUME"]).lower(), str(file.primary["DETECTOR"]).lower())
    with open(file.path, "rb") as stream:
        chips = [read_chip_wcs(file, hdu, stream) for hdu in file.images("SCI")]
    chips = [replace(chip, shape=FULL[detector.name.upper()]) for chip in chips]
    outlines = [chip_outline(build_wcs(chip), *chip.shape[::-1]) for chip in chips]
    assert find_implausible(detector, chips, outlines) == ""
