"""Every form of a name identifies the exposure; instrument, detector, filters and kind come from the row's cells."""

from __future__ import annotations

import pytest

from mvmdb.instruments import is_association
from mvmdb.tables.identity import read_filters, read_instrument, read_kind, read_name


@pytest.mark.parametrize(
    ("text", "rootname"),
    [
        ("ib6o04tuq", "ib6o04tuq"),
        ("IB6O04TUQ", "ib6o04tuq"),
        ("ib6o04tu", "ib6o04tu"),
        ("ib6o04tuq_flt.fits", "ib6o04tuq"),
        ("/data/inbox/jcz906dvq_flc.fits", "jcz906dvq"),
        ("hst_11359_04_wfc3_ir_f125w_ib6o04tu", "ib6o04tu"),
        ("hst_10524_06_acs_wfc_f606w_jcz906dv_flc.fits", "jcz906dv"),
        ("HST_10524_06_ACS_WFC_F606W_JCZ906DV_DRC.FITS", "jcz906dv"),
        ("mast:HST/product/u2n20102t_c0m.fits", "u2n20102t"),
        ("ivo://mast.stsci.edu/hst?ib6o04tuq", "ib6o04tuq"),
    ],
)
def test_every_form_of_a_name_is_read(text: str, rootname: str) -> None:
    assert read_name(text) == (rootname[:8], rootname)


@pytest.mark.parametrize(
    "text",
    ["", "o4qpkzooq", "ib6o04", "ib6o04tuq1", "hst_11359_04_wfc3_ir_total_ib6o04", "jw01063-o101_t001", "ib6o04t q"],
)
def test_names_that_are_not_of_an_exposure_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_name(text)


@pytest.mark.parametrize("root", ["ib6o04020", "jcz906011", "JCZ906010", "ibyg0202c", "ib6o040a0", "ib6o0401"])
def test_products_of_associations_are_known_by_their_numbers(root: str) -> None:
    assert is_association(root)


@pytest.mark.parametrize("root", ["ib6o04tuq", "ib6o23s0q", "ib6o040aq", "ib6o04tu", "u2n201020", "u2n20102", "", "x"])
def test_exposures_have_letters_where_associations_count_and_wfpc2_numbers_its_exposures(root: str) -> None:
    assert not is_association(root)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("WFC3/IR", "", ""), ("wfc3", "ir")),
        (("ACS/WFC", "", ""), ("acs", "wfc")),
        (("HST WFC3 UVIS", "", ""), ("wfc3", "uvis")),
        (("WFC3", "ir", ""), ("wfc3", "ir")),
        (("ACS", "SBC", "WFC"), ("acs", "sbc")),
        (("WFC3  ", "", "GRISM1024"), ("wfc3", "ir")),
        (("WFC3", "", "UVIS2-C512C-SUB"), ("wfc3", "uvis")),
        (("ACS", "", "HRC-512"), ("acs", "hrc")),
        (("WFPC2/WFC", "", ""), ("wfpc2", "pc")),
        (("WFPC2/PC", "", ""), ("wfpc2", "pc")),
        (("WFPC2/WF", "", ""), ("wfpc2", "pc")),
        (("WFPC2", "3", "WFALL"), ("wfpc2", "pc")),
    ],
)
def test_instrument_and_detector_are_read(cells: tuple[str, str, str], expected: tuple[str, str]) -> None:
    assert read_instrument(*cells) == expected


@pytest.mark.parametrize(
    "cells", [("STIS/CCD", "", ""), ("", "", ""), ("WFC3", "", ""), ("WFC3", "hrc", ""), ("ACS/WFC/HRC", "", "")]
)
def test_other_instruments_and_unknown_detectors_are_refused(cells: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_instrument(*cells)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F125W", ("F125W", "f125w")),
        ("clear1l;f814w", ("CLEAR1L;F814W", "f814w")),
        ("F814W;CLEAR2L", ("F814W;CLEAR2L", "f814w")),
        ("F606W, POL60V", ("F606W;POL60V", "f606w-pol60v")),
        ("F115LP;N/A", ("F115LP;N/A", "f115lp")),
    ],
)
def test_filters_are_wheels_as_in_poller_files(text: str, expected: tuple[str, str]) -> None:
    assert read_filters(text) == expected


@pytest.mark.parametrize("text", ["", " ; ", "F606W(2)", "../f606w"])
def test_filters_that_could_not_be_in_a_file_name_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected names like F814W"):
        read_filters(text)


def test_kind_comes_from_the_row_then_the_file_then_the_detector() -> None:
    assert read_kind("FLT", "jcz906dvq_flc.fits", "acs", "wfc") == "flt"
    assert read_kind("", "jcz906dvq_flt.fits", "acs", "wfc") == "flt"
    assert read_kind("", "jcz906dvq", "acs", "wfc") == "flc"
    assert read_kind("", "", "wfc3", "uvis") == "flc"
    assert {read_kind("", "", "acs", "hrc"), read_kind("", "", "wfc3", "ir"), read_kind("", "", "wfpc2", "pc")} == {
        "flt"
    }
    with pytest.raises(ValueError, match="expected flt or flc"):
        read_kind("drz", "", "acs", "wfc")
