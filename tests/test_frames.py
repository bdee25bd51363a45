"""What a solution's positions are tied to, by its name; the names of real headers among them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from astropy.io import fits

from mvmdb.exposures.wcsname import split_wcsname
from mvmdb.frames import frame_of_alternate, frame_of_file, preference

NAMES = {
    None: None,
    " ": None,
    "OPUS": "none",
    "OPUS-GSC240": "gsc240-apriori",
    "OPUS-GAIADR1": "gaia-apriori",
    "IDC_w3m18525i": "none",
    "IDC_w3m18525i-FIT_REL_NONE": "none",
    "IDC_w3m18525i-GSC240": "gsc240-apriori",
    "IDC_w3m18525i-HSC30": "hsc30-apriori",
    "IDC_w3m18525i-GAIADR1": "gaia-apriori",
    "IDC_w3m18525i-FIT_REL_GSC242": "gsc242",
    "IDC_w3m18525i-FIT_IMG_2MASS": "2mass",
    "IDC_w3m18525i-FIT_REL_GAIADR1": "gaia",
    "IDC_w3m18525i-FIT_SVM_GAIADR2": "gaia",
    "IDC_w3m18525i-FIT_EVM_GAIAeDR3": "gaia",
    "IDC_w3m18525i-FIT-SVM_GAIADR3": "gaia",
    "TWEAK": "tweak",
    "TWEAK_A ": "tweak_a",
    "Gaia_2024": "gaia",
}
"""Each WCSNAME, and the frame that it tells of."""


def frame_of(wcsname: str | None) -> str | None:
    solution = split_wcsname(wcsname)
    return frame_of_file(wcsname, solution.distortion, solution.fit, solution.catalog)


@pytest.mark.parametrize("wcsname", NAMES)
def test_a_name_tells_the_frame(wcsname: str | None) -> None:
    assert frame_of(wcsname) == NAMES[wcsname]


def test_an_alternate_is_in_the_frame_of_its_reference() -> None:
    references = ("gaia.ecsv", "Field7_GAIA_dr3.csv", "gaia", "stars.v2.csv", "hsc30.fits", "")
    frames = ["gaia", "gaia", "gaia", "stars.v2", "hsc30", "aligned-best"]
    assert [frame_of_alternate("Best", reference) for reference in references] == frames


def test_gaia_is_preferred_to_other_catalogs_and_these_to_guide_stars_and_anything_to_none() -> None:
    best_first = ["gaia", "gsc242", "tweak", "gaia-apriori", "gsc240-apriori", "aligned-best", "none"]
    assert sorted(set(best_first), key=preference) == best_first
    assert all(preference(first) < preference(second) for first, second in pairwise(best_first))


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("sample_svm_flc.fits", {"none", "gsc240-apriori", "hsc30-apriori", "gaia"}),
        ("sample_ipppssoot_flt.fits", {"none", "gsc240-apriori", "hsc30-apriori", "gaia"}),
        ("2chipC.fits.gz", {"none", "tweak_a"}),
        ("j8bt06nyq_sip_flt.fits", {"none"}),
    ],
)
def test_solutions_of_real_headers_are_of_these_frames_and_no_others(shared: Path, name: str, frames: set[str]) -> None:
    with fits.open(shared / "data" / "headers" / name) as hdus:
        values = {
            str(value)
            for hdu in hdus
            for key, value in hdu.header.items()
            if key.startswith("WCSNAME") and not str(value).endswith(".fits")
        }
    assert len(values) > 1
    assert {frame_of(value) for value in values} == frames
