"""Names: parse and format are inverses, and what is not a name is refused."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvmdb import names
from mvmdb.errors import NameFormatError
from mvmdb.names import (
    CellId,
    LayerName,
    format_cell_name,
    format_layer_filter,
    format_product_name,
    parse_cell_name,
    parse_exposure_name,
    parse_layer_name,
    parse_product_name,
    parse_rootname,
)

cells = st.builds(CellId, st.integers(0, 2643), st.integers(1, 21), st.integers(1, 21))


@given(cells)
def test_cell_names_come_back(cell: CellId) -> None:
    assert parse_cell_name(format_cell_name(cell)) == cell
    assert parse_cell_name(format_cell_name(cell).removeprefix("skycell-").upper()) == cell


@given(cells)
def test_cell_index_is_unique_and_comes_back(cell: CellId) -> None:
    assert CellId.from_index(cell.index) == cell
    assert 0 <= cell.index < 1_166_004


@pytest.mark.parametrize(
    "text", ["", "p1", "skycell-p2644x01y01", "p0000x00y01", "p0000x22y01", "p0000x01y22", "layer"]
)
def test_what_is_no_cell_is_refused(text: str) -> None:
    with pytest.raises(NameFormatError):
        parse_cell_name(text)


@given(cells, st.sampled_from(["f125w", "f606w-pol60v", "clear"]), st.sampled_from(["all", "coarse-all", "short"]))
def test_layer_and_product_names_come_back(cell: CellId, filter_name: str, label: str) -> None:
    layer = LayerName(str(cell), "wfc3", "ir", filter_name, label)
    assert parse_layer_name(str(layer)) == layer
    assert parse_product_name(format_product_name(str(layer), "flc")) == (layer, "flc")
    assert parse_product_name(format_product_name(str(layer), "flt")) == (layer, "flt")


PARTS = (
    "hst_", "skycell-", "p0001x01y01", "p2644x22y00", "_", "wfc3", "ir", "f125w", "all", "coarse-", "_drz.fits",
    "_flt.fits", "ib6o04tuq", "..", "/", "\n", " ", "\0", "A", "٣", "-ra1d0000-decn1d0000",
    "hst_skycell-p0001x01y01_wfc3_ir_f125w_all", "skycell-p0001x01y01",
)  # fmt: skip
ANY = st.one_of(st.text(st.characters(codec=None)), st.lists(st.sampled_from(PARTS)).map("".join))


@given(ANY)
def test_any_text_is_a_name_that_comes_back_or_an_error(text: str) -> None:
    for parse in (parse_cell_name, parse_layer_name, parse_product_name, names.parse_rootname):
        try:
            parsed = parse(text)
        except NameFormatError:
            continue
        if parse is parse_product_name:
            layer, kind = parsed
            assert format_product_name(str(layer), kind) == text.lower()
        elif parse is names.parse_rootname:
            assert parsed[0].isascii()
        else:
            assert parse(str(parsed)) == parsed
            assert text.strip().lower().removeprefix("skycell-") == str(parsed).removeprefix("skycell-")


@given(ANY, ANY)
def test_a_place_of_a_product_never_leaves_its_folder(skycell: str, filename: str) -> None:
    for cell in (skycell, "skycell-p0001x01y01"):
        try:
            place = names.product_place(cell, filename)
        except NameFormatError:
            continue
        assert place.count("/") == 1
        assert place.isprintable()
        assert not any(part.startswith(".") for part in place.split("/"))


def test_layer_scale_follows_the_label() -> None:
    assert parse_layer_name("hst_skycell-p0001x01y01_wfc3_ir_f160w_coarse-all").scale == "coarse"
    assert parse_layer_name("hst_skycell-p0001x01y01_wfc3_ir_f160w_all").scale == "fine"


@pytest.mark.parametrize("text", ["", "hst_11359_wfc3_ir_f160w", "hst_skycell-p9999x01y01_wfc3_ir_f160w_all"])
def test_what_is_no_layer_is_refused(text: str) -> None:
    with pytest.raises(NameFormatError):
        parse_layer_name(text)


def test_only_exposures_have_exposure_names() -> None:
    assert parse_exposure_name("JCZ906DVQ_FLC.FITS") == ("jcz906dv", "flc")
    assert parse_exposure_name("jcz906dvq_raw.fits") is None
    assert parse_exposure_name("hst_skycell-p0001x01y01_wfc3_ir_f160w_all_drz.fits") is None


@pytest.mark.parametrize("text", ["../etc/pw", "ib6o04tu", "ib6o04tuqq", "ib6o 4tuq", ""])
def test_wrong_rootnames_are_refused(text: str) -> None:
    with pytest.raises(NameFormatError, match="ROOTNAME"):
        parse_rootname(text)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("F125W", "f125w"),
        ("CLEAR1L;F814W", "f814w"),
        ("POL60V;F606W", "f606w-pol60v"),
        ("F606W;POL60V", "f606w-pol60v"),
        ("F475W;F606W", "f475w-f606w"),
        ("CLEAR1S;CLEAR2S", "clear"),
        ("F115LP;N/A;F140LP", "f115lp"),
    ],
)
def test_layer_filter_drops_empty_wheels_and_puts_the_polariser_second(filters: str, expected: str) -> None:
    assert format_layer_filter(filters) == expected


def test_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(names).failed == 0
