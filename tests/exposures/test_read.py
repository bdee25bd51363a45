"""One file becomes one exposure value; contradictions are errors with a code, poor astrometry is a refusal."""

from __future__ import annotations

import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import gunzip, realign, set_keywords, set_raw_value, write_exposure

from mvmdb.errors import ExposureError
from mvmdb.exposures.read import read_exposure
from mvmdb.records import Exposure, Refusal
from mvmdb.sky.region import parse_region


def read(path: Path) -> Exposure:
    return read_exposure(path).exposure


def fail(path: Path) -> ExposureError:
    with pytest.raises(ExposureError) as caught:
        read_exposure(path)
    return caught.value


def test_an_infrared_exposure_is_read(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    dataset = read_exposure(path)
    exposure = dataset.exposure
    assert (dataset.path, dataset.size, dataset.mtime_ns) == (
        str(path), path.stat().st_size, path.stat().st_mtime_ns,
    )  # fmt: skip
    assert (exposure.ipppssoo, exposure.rootname, exposure.kind) == ("ib6o04tu", "ib6o04tuq", "flt")
    assert (exposure.instrument, exposure.detector) == ("wfc3", "ir")
    assert (exposure.filters, exposure.filter) == ("F125W", "f125w")
    assert (exposure.proposal_id, exposure.program, exposure.visit) == (11359, "B6O", "04")
    assert exposure.target == "WFC3-ERSII-IR04"
    assert exposure.exptime == 802.934753
    assert exposure.expstart == 55093.63386886
    assert exposure.expend == pytest.approx(55093.63386886 + 802.934753 / 86400)
    assert exposure.processed == 57645.53663194
    assert (exposure.wcsname, exposure.distortion, exposure.fit) == ("IDC_w3m18525i", "IDC_w3m18525i", None)
    assert exposure.n_chips == 1
    assert exposure.eligible
    assert exposure.warnings == ()


def test_a_two_chip_flc_is_read(tmp_path: Path) -> None:
    path = write_exposure(
        tmp_path, detector="WFC", chips=2, kind="flc", lookup_tables=True, wcsname="IDC_0461802ej-FIT_SVM_GAIAeDR3",
        filename="hst_9816_04_acs_wfc_f814w_j8oz04kp_flc.fits",
    )  # fmt: skip
    exposure = read(path)
    assert (exposure.ipppssoo, exposure.kind, exposure.n_chips) == ("j8oz04kp", "flc", 2)
    assert (exposure.filters, exposure.filter) == ("CLEAR1L;F814W", "f814w")
    assert (exposure.fit, exposure.astrometric_catalog) == ("FIT_SVM", "GAIAeDR3")
    assert len(parse_region(exposure.s_region)) == 2


def test_a_wfpc2_exposure_is_read(tmp_path: Path) -> None:
    exposure = read(write_exposure(tmp_path, detector="PC"))
    assert (exposure.instrument, exposure.detector, exposure.filters) == ("wfpc2", "pc", "F814W")
    assert exposure.eligible


def test_footprint_holds_exactly_the_chips_pixels(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, shape=(40, 50))
    exposure = read(path)
    (polygon,) = parse_region(exposure.s_region)
    with fits.open(path) as hdus:
        wcs = WCS(hdus[1].header, hdus)
    x, y = wcs.all_world2pix(polygon, 1).T
    corners = [(0.5, 0.5), (50.5, 0.5), (50.5, 40.5), (0.5, 40.5)]
    for corner in corners:
        assert np.hypot(x - corner[0], y - corner[1]).min() < 1e-3
    on_edge = np.minimum.reduce([abs(x - 0.5), abs(x - 50.5), abs(y - 0.5), abs(y - 40.5)])
    assert on_edge.max() < 1e-3
    assert wcs.all_world2pix([[exposure.ra, exposure.dec]], 1)[0] == pytest.approx([25.5, 20.5], abs=1.5)


def test_a_new_solution_changes_the_wcs_and_not_the_pixels(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = read(path)
    realign(path, dec_arcsec=0.3, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3")
    after = read(path)
    assert after.wcs_digest != before.wcs_digest
    assert after.pixels == before.pixels
    assert after.wcs_rank > before.wcs_rank
    assert 3600 * (after.dec - before.dec) == pytest.approx(0.3, abs=1e-6)


def test_reading_touches_no_pixels(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = path.stat()
    read(path)
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)


@pytest.mark.parametrize(
    ("filename", "primary", "kind"),
    [
        ("ib6o04tuq_flc.fits", {}, "flc"),
        ("IB6O04TUQ_FLT.FITS", {}, "flt"),
        ("copy_of_it_flc.fits", {}, "flc"),
        ("copy.fits", {}, "flt"),
        ("copy.fits", {"PCTECORR": "COMPLETE"}, "flc"),
        ("copy.fits", {"PCTECORR": "OMIT"}, "flt"),
    ],
)
def test_kind_is_that_of_the_name_or_of_the_header(tmp_path: Path, filename: str, primary: dict, kind: str) -> None:
    assert read(write_exposure(tmp_path, filename=filename, primary=primary)).kind == kind


@pytest.mark.parametrize(
    "rootname", ["../../etc/x", "ib6o/4tuq", "ib6o04tu", "ib6o04tuq_flt", "ib6o 4tuq", "..", "ib6o04tu\\"]
)
def test_a_rootname_of_the_wrong_form_is_contradictory(tmp_path: Path, rootname: str) -> None:
    path = write_exposure(tmp_path, primary={"ROOTNAME": rootname})
    error = fail(path)
    assert error.code == "contradictory"
    assert "ROOTNAME" in str(error)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"primary": {"INSTRUME": "ACS"}}, "INSTRUME"),
        ({"rootname": "j8oz04kpq"}, "INSTRUME"),
        ({"rootname": "xb6o04tuq"}, "INSTRUME"),
        ({"filename": "ib6o04twq_flt.fits"}, "ROOTNAME"),
        ({"filename": "hst_11359_04_wfc3_ir_f125w_ib6o04tw_flt.fits"}, "ROOTNAME"),
        ({"primary": {"DETECTOR": "WFC"}}, "DETECTOR"),
        ({"primary": {"EXPTIME": "long"}}, "EXPTIME"),
        ({"primary": {"EXPTIME": -1.0}}, "EXPTIME"),
        ({"primary": {"EXPSTART": "today"}}, "EXPSTART"),
        ({"primary": {"PROPOSID": -5}}, "PROPOSID"),
        ({"primary": {"PROPOSID": 11359.5}}, "PROPOSID"),
        ({"primary": {"PROPOSID": "none"}}, "PROPOSID"),
        ({"primary": {"PROPOSID": True}}, "PROPOSID"),
        ({"primary": {"FILTER": "../F125W"}}, "FILTER"),
        ({"primary": {"FILTER": "F125W,F140W"}}, "FILTER"),
    ],
)
def test_contradictions_are_refused_by_keyword(tmp_path: Path, arguments: dict, word: str) -> None:
    error = fail(write_exposure(tmp_path, **arguments))
    assert error.code == "contradictory"
    assert word in str(error)


@pytest.mark.parametrize("keyword", ["ROOTNAME", "INSTRUME", "DETECTOR", "EXPTIME", "PROPOSID", "FILTER"])
def test_a_missing_keyword_is_named(tmp_path: Path, keyword: str) -> None:
    error = fail(write_exposure(tmp_path, primary={keyword: None}))
    assert error.code == "missing-keyword"
    assert f"{keyword} is missing" in str(error)


def test_another_instrument_is_unsupported(tmp_path: Path) -> None:
    assert fail(write_exposure(tmp_path, primary={"INSTRUME": "STIS"})).code == "unsupported"


def test_optional_keywords_may_be_absent(tmp_path: Path) -> None:
    missing = {"EXPSTART": None, "EXPEND": None, "PROCTIME": None, "TARGNAME": None}
    path = write_exposure(tmp_path)
    set_keywords(path, 0, missing)
    exposure = read(path)
    assert (exposure.expstart, exposure.expend, exposure.processed, exposure.target) == (None, None, 0.0, "")


def test_numbers_may_be_written_as_text(tmp_path: Path) -> None:
    numbers = {"EXPTIME": "802.9", "EXPSTART": "55093.5", "PROCTIME": " 57645.5", "PROPOSID": "11359", "TARGNAME": 47}
    exposure = read(write_exposure(tmp_path, primary=numbers))
    assert (exposure.exptime, exposure.expstart, exposure.processed) == (802.9, 55093.5, 57645.5)
    assert (exposure.proposal_id, exposure.target) == (11359, "47")
    assert exposure.eligible


@pytest.mark.parametrize("proposid", [11359.0, "11359.0", " 11359 "])
def test_a_programs_number_may_be_written_with_a_point(tmp_path: Path, proposid: object) -> None:
    assert read(write_exposure(tmp_path, primary={"PROPOSID": proposid})).proposal_id == 11359


def test_an_exposure_time_of_zero_as_text_is_no_exposure_time(tmp_path: Path) -> None:
    exposure = read(write_exposure(tmp_path, primary={"EXPTIME": "0.0"}))
    assert [refusal.rule for refusal in exposure.refusals] == ["exposure time"]


def test_a_date_of_zero_is_unknown(tmp_path: Path) -> None:
    exposure = read(write_exposure(tmp_path, primary={"EXPSTART": 0.0, "EXPEND": "0.0"}))
    assert (exposure.expstart, exposure.expend) == (None, None)


def test_nan_exposure_time_is_contradictory(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    set_raw_value(path, "EXPTIME", "NaN")
    assert fail(path).code == "contradictory"


@pytest.mark.parametrize(("keyword", "text"), [("CRVAL1", "NaN"), ("CD1_1", "NaN"), ("CRPIX1", ""), ("CRVAL2", "")])
def test_a_broken_wcs_is_no_solution_and_has_no_footprint(tmp_path: Path, keyword: str, text: str) -> None:
    path = write_exposure(tmp_path)
    set_raw_value(path, keyword, text)
    exposure = read(path)
    assert [refusal.rule for refusal in exposure.refusals] == ["no solution"]
    assert keyword in exposure.refusals[0].finding
    assert (exposure.ra, exposure.dec, exposure.s_region, exposure.wcs_digest) == (None, None, "", None)


def test_a_wcs_that_bends_beyond_the_sky_is_no_solution(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, sci={"A_4_0": 1e300, "B_0_4": 1e300})
    exposure = read(path)
    assert [refusal.rule for refusal in exposure.refusals] == ["no solution"]
    assert exposure.s_region == ""


def test_no_wcsname_is_no_solution_though_the_footprint_is_known(tmp_path: Path) -> None:
    exposure = read(write_exposure(tmp_path, sci={"WCSNAME": None}))
    assert exposure.refusals == (Refusal("no solution", "WCSNAME is missing"),)
    assert (exposure.wcsname, exposure.wcs_rank) == (None, 0)
    assert exposure.s_region


def test_a_file_without_sci_is_refused(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    with fits.open(path) as hdus:
        hdus[0].header["NEXTEND"] = 1
        fits.HDUList([hdus[0].copy(), hdus[2].copy()]).writeto(path, overwrite=True)
    error = fail(path)
    assert error.code == "no-sci"
    assert "ERR" in str(error)


def test_a_tile_compressed_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    with fits.open(path) as hdus:
        fits.HDUList([hdus[0].copy(), fits.CompImageHDU(hdus[1].data, hdus[1].header)]).writeto(path, overwrite=True)
    error = fail(path)
    assert error.code == "no-sci"
    assert "funpack" in str(error)


def test_two_chips_of_one_extver_are_contradictory(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    set_keywords(path, 4, {"EXTVER": 1})
    assert fail(path).code == "contradictory"


def test_a_file_cut_between_extensions_is_truncated(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    with fits.open(path) as hdus:
        end = hdus[3].fileinfo()["datLoc"] + hdus[3].fileinfo()["datSpan"]
    path.write_bytes(path.read_bytes()[:end])
    error = fail(path)
    assert error.code == "truncated"
    assert "NEXTEND" in str(error)


def test_a_file_cut_within_pixels_is_truncated(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    path.write_bytes(path.read_bytes()[:20000])
    assert fail(path).code == "truncated"


def test_errors_cross_process_borders(tmp_path: Path) -> None:
    error = fail(write_exposure(tmp_path, primary={"EXPTIME": None}))
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.code, str(copy)) == (error.code, str(error))


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_exposure(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read_exposure(path.name).path == str(path)


def test_a_grism_exposure_is_read_and_refused(tmp_path: Path) -> None:
    exposure = read(write_exposure(tmp_path, filters="G141", primary={"OBSTYPE": "SPECTROSCOPIC"}))
    assert [refusal.rule for refusal in exposure.refusals] == ["imaging", "spectroscopic element"]
    assert not exposure.eligible


@pytest.mark.shared
def test_real_headers_with_headerlets(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "headers"
    expected = {
        "sample_ipppssoot_flc.fits": ("ib4606c5", "flc", "uvis", 2, "FIT_REL"),
        "sample_ipppssoot_flt.fits": ("ib4606cp", "flt", "ir", 1, "FIT_REL"),
        "sample_svm_flc.fits": ("ib4606c6", "flc", "uvis", 2, "FIT_SVM"),
        "sample_svm_flt.fits": ("ib4606cp", "flt", "ir", 1, "FIT_SVM"),
    }
    for name, values in expected.items():
        exposure = read(folder / name)
        assert (exposure.ipppssoo, exposure.kind, exposure.detector, exposure.n_chips, exposure.fit) == values
        assert exposure.eligible
        assert exposure.astrometric_catalog == "GAIAeDR3"


@pytest.mark.shared
def test_real_two_chip_headers_with_npol_and_d2im(shared: Path, tmp_path: Path) -> None:
    for name, root, detector in (
        ("2chipA", "j94f05bg", "wfc"),
        ("2chipB", "j9irw1rq", "wfc"),
        ("2chipC", "ibc301qr", "uvis"),
    ):
        exposure = read(gunzip(shared / "data" / "headers" / f"{name}.fits.gz", tmp_path / f"{name}.fits"))
        assert (exposure.ipppssoo, exposure.detector, exposure.n_chips) == (root, detector, 2)
        assert exposure.eligible


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore:The WCS transformation has more axes")
def test_real_hrc_header_without_pixels_is_refused_and_as_a_constant_array_is_read(
    shared: Path, tmp_path: Path
) -> None:
    source = shared / "data" / "headers" / "j8bt06nyq_sip_flt.fits"
    assert fail(source).code == "no-sci"
    path = tmp_path / "j8bt06nyq_flt.fits"
    path.write_bytes(source.read_bytes())
    set_keywords(path, 1, {"NPIX1": 1024, "NPIX2": 1024, "PIXVALUE": 0.0})
    set_keywords(path, 0, {"NEXTEND": 2})
    exposure = read(path)
    assert (exposure.ipppssoo, exposure.detector, exposure.filters) == ("j8bt06ny", "hrc", "F606W;CLEAR2S")
    low, high = 0.5, 1024.5
    corners = WCS(fits.getheader(path, 1)).all_pix2world([[low, low], [high, low], [high, high], [low, high]], 1)
    (polygon,) = parse_region(exposure.s_region)
    assert np.ptp(polygon, axis=0) == pytest.approx(np.ptp(corners, axis=0), abs=0.02 / 3600)


@pytest.mark.shared
def test_real_grism_and_direct_exposures_are_told_apart(shared: Path, tmp_path: Path) -> None:
    with tarfile.open(shared / "data" / "headers" / "ers_grism_direct_flts.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    exposures = [read(path) for path in sorted(tmp_path.rglob("*_flt.fits"))]
    assert len(exposures) == 16
    for exposure in exposures:
        rules = {refusal.rule for refusal in exposure.refusals}
        assert "no solution" in rules  # these came before WCSNAME was written
        assert ("spectroscopic element" in rules) == exposure.filters.startswith("G")
    assert sum(exposure.filters.startswith("G") for exposure in exposures) == 8


@pytest.mark.shared
def test_the_ers_field_is_12_and_4_direct_and_4_grism_exposures(ers_folder: Path) -> None:
    exposures = [read(ers_folder / name) for name in sorted(os.listdir(ers_folder))]
    filters = [exposure.filters for exposure in exposures if exposure.eligible]
    assert (filters.count("F125W"), filters.count("F140W"), len(filters)) == (12, 4, 16)
    refused = [exposure for exposure in exposures if not exposure.eligible]
    assert {exposure.filters for exposure in refused} == {"G141"}
    assert all("spectroscopic element" in {r.rule for r in exposure.refusals} for exposure in refused)
    assert (
        len({exposure.pixels for exposure in exposures}) == len({exposure.wcs_digest for exposure in exposures}) == 20
    )
