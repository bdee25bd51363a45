"""The bands of filters: headers of the archive confirm them, and so do the digits in the filters' names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from astropy.io import fits

from mvmdb.filters import Band, band_of, list_bands
from mvmdb.instruments import INSTRUMENTS

LEAKING = {"f280n", "fq232n", "fq243n"}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("file", "instrument", "detector", "filter"),
    [
        ("2chipA.fits.gz", "acs", "wfc", "f606w"),
        ("j8bt06nyq_sip_flt.fits", "acs", "hrc", "f606w"),
        ("2chipC.fits.gz", "wfc3", "uvis", "f606w"),
        ("sample_svm_flc.fits", "wfc3", "uvis", "f555w"),
        ("sample_svm_flt.fits", "wfc3", "ir", "f110w"),
    ],
)
def test_a_pivot_wavelength_is_that_of_real_headers(
    shared: Path, file: str, instrument: str, detector: str, filter: str
) -> None:
    band = band_of(instrument, detector, filter)
    assert band is not None
    with fits.open(shared / "data" / "headers" / file) as hdus:
        pivot = next(hdu.header["PHOTPLAM"] for hdu in hdus if "PHOTPLAM" in hdu.header)
    assert band.pivot_nm == pytest.approx(pivot / 10, rel=4e-4)  # chips and years of WFC3/UVIS differ by so much


@pytest.mark.parametrize(("place", "band"), list_bands().items())
def test_a_band_agrees_with_the_name_of_its_filter(place: tuple[str, str, str], band: Band) -> None:
    """Digits are the nominal wavelength in nm, in 10 nm for WFC3/IR; those of long-pass filters are the cut-on."""
    instrument, detector, filter = place
    assert INSTRUMENTS[instrument].find(detector) is not None
    assert band.low_nm < band.high_nm
    assert band.low_nm < band.pivot_nm
    assert band.pivot_nm < band.high_nm or filter in LEAKING
    named = re.fullmatch(r"fq?(\d{3,4})(bw|lp|[wmnx])", filter)
    if named is None:
        assert filter.startswith(("pol", "clear"))
        return
    nominal = int(named[1]) * (10 if detector == "ir" else 1)
    kind = named[2]
    if kind == "lp":
        assert band.low_nm == pytest.approx(nominal, rel=0.05)
        assert band.high_nm > nominal
        return
    assert band.low_nm * 0.98 < nominal < band.high_nm * 1.02
    relative = (band.high_nm - band.low_nm) / nominal
    assert relative < {"n": 0.11, "m": 0.19}.get(kind, 0.7)


def test_what_stands_beside_a_filter_leaves_its_band() -> None:
    alone = band_of("acs", "wfc", "f606w")
    assert alone is not None
    for name in ("F606W", "f606w-pol60v", "pol0v-f606w", "CLEAR1L;F606W"):
        assert band_of("ACS", "WFC", name) == alone, name
    assert band_of("wfpc2", "pc", "f300w-f130lp") == band_of("wfpc2", "pc", "f300w")
    assert band_of("acs", "wfc", "pol60v") is not None


def test_two_filters_pass_what_both_pass() -> None:
    bands = list_bands()
    both = band_of("wfpc2", "pc", "f606w-f675w")
    assert both is not None
    assert both.low_nm == bands["wfpc2", "pc", "f675w"].low_nm
    assert both.high_nm == bands["wfpc2", "pc", "f606w"].high_nm
    assert both.low_nm < both.pivot_nm < both.high_nm


@pytest.mark.parametrize("filter", ["f999w", "fr459m", "g141", "fqch4n", "f300w-f814w", "", "clear-x"])
def test_the_band_of_an_unknown_filter_is_not_guessed(filter: str) -> None:
    assert band_of("wfpc2", "pc", filter) is None


def test_every_detector_has_bands() -> None:
    known = {(instrument, detector) for instrument, detector, _ in list_bands()}
    assert known == {(name, detector.name) for name, facts in INSTRUMENTS.items() for detector in facts.detectors}
