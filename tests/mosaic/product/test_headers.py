"""Headers and HDRTAB: what users of the archive's products expect there, and that fitsverify and astropy take them."""

from __future__ import annotations

import math
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable, Table
from astropy.wcs import WCS
from fitsfiles import set_raw_value
from hypothesis import given
from hypothesis import strategies as st
from mosaic_field import CELL, Field

from mvmdb.mosaic.make import make_product
from mvmdb.mosaic.product import provenance, summary
from mvmdb.mosaic.product.provenance import ChipRow, seal_provenance
from mvmdb.mosaic.product.read import open_product, read_product
from mvmdb.records import Action, Canvas, LayerJob
from mvmdb.sky.tessellation import cell_wcs

SMALL = {"shape": (40, 40), "noise": 0.01}
PHOTOMETRY = {
    "PHOTMODE": "TEST",
    "PHOTFLAM": 2.2483417e-20,
    "PHOTZPT": -21.1,
    "PHOTPLAM": 12486.06,
    "PHOTBW": 866.28125,
}


def observed(
    proposid: object, targname: object, day: str, *, ra: object = 53.1, aperture: str = "IR-FIX", **more: object
) -> dict[str, object]:
    """Primary keywords of an exposure that say what was observed."""
    return {
        "PROPOSID": proposid, "TARGNAME": targname, "DATE-OBS": day, "TIME-OBS": "11:47:40", "RA_TARG": ra,
        "DEC_TARG": -27.7, "APERTURE": aperture, "EQUINOX": 2000.0, **more,
    }  # fmt: skip


def three_programs(field: Field) -> list[Path]:
    """Three exposures of three programs; the first by name is not the earliest."""
    return [
        field.expose("aa", primary=observed(13000, "UDF", "2012-10-11", ra=53.2, aperture="IR"), **SMALL),
        field.expose("bb", primary=observed(9500, "GOODS-S", "2009-09-27"), east=1.0, sky=1.2, **SMALL),
        field.expose("cc", primary=observed(11359, "GOODS-S", "2010-01-02"), east=-1.0, sky=0.8, **SMALL),
    ]


def primary_of(job: LayerJob) -> fits.Header:
    make_product(job)
    return fits.getheader(job.target)


# What is searched by


@pytest.mark.parametrize("where", ["primary", "sci"])
@pytest.mark.parametrize(("detector", "chips"), [("IR", 1), ("UVIS", 2), ("WFC", 2), ("HRC", 1), ("SBC", 1)])
def test_sci_has_the_photometry_wherever_the_member_has_it(field: Field, detector: str, chips: int, where: str) -> None:
    headers: dict[str, dict[str, object]] = {"primary": dict.fromkeys(PHOTOMETRY), "sci": {}}
    headers[where] = dict(PHOTOMETRY)
    job = field.job([field.expose("aa", detector=detector, chips=chips, **SMALL, **headers)])
    make_product(job)
    with fits.open(job.target) as hdus:
        assert {key: hdus["SCI"].header[key] for key in PHOTOMETRY} == PHOTOMETRY
        assert ("PHOTFLAM" in hdus[0].header) == (where == "primary")


def test_header_says_what_was_observed(field: Field) -> None:
    job = field.job([field.expose("aa", primary=observed(11359, "WFC3-ERSII-IR04", "2009-09-27"), **SMALL)])
    header = primary_of(job)
    expected = observed("11359", "WFC3-ERSII-IR04", "2009-09-27", FILTER="F125W")
    assert {keyword: header[keyword] for keyword in expected} == expected
    assert fits.getheader(job.target, "SCI")["WCSNAME"] == "IDC_w3m18525i"


@pytest.mark.filterwarnings("error")  # astropy warns of a comment that does not fit
def test_several_programs_targets_apertures_and_solutions_are_joined(field: Field) -> None:
    paths = three_programs(field)
    paths.append(field.expose("dd", primary=observed(9500, "UDF", "2012-10-12"), wcsname="IDC_w3m18525i-FIT", **SMALL))
    job = field.job(paths)
    header = primary_of(job)
    assert header["PROPOSID"] == "9500; 11359; 13000"
    assert header["TARGNAME"] == "GOODS-S; UDF"
    assert header["APERTURE"] == "IR; IR-FIX"
    assert fits.getheader(job.target, "SCI")["WCSNAME"] == "IDC_w3m18525i; IDC_w3m18525i-FIT"


def test_target_is_the_first_members_and_the_date_the_earliest_ones(field: Field) -> None:
    header = primary_of(field.job(three_programs(field)))
    assert (header["RA_TARG"], header["DEC_TARG"], header["EQUINOX"]) == (53.2, -27.7, 2000.0)
    assert (header["DATE-OBS"], header["TIME-OBS"]) == ("2009-09-27", "11:47:40")


def test_filter_is_without_the_wheels_that_are_clear(field: Field) -> None:
    job = field.job([field.expose("aa", detector="WFC", **SMALL)])
    header = primary_of(job)
    assert (header["FILTER"], header["FILTER1"], header["FILTER2"]) == ("F814W", "CLEAR1L", "F814W")
    assert list(fits.getdata(job.target, "HDRTAB")["FILTER"]) == ["F814W"]


def test_what_no_member_says_is_in_no_header(field: Field) -> None:
    unknown = dict.fromkeys(["TARGNAME", "DATE-OBS", "TIME-OBS", "RA_TARG", "DEC_TARG", "APERTURE", "PHOTBW"])
    first = field.expose("aa", primary=observed(1, "A", "27/09/09", **unknown, EXPSTART=0.0, EXPEND=0.0), **SMALL)
    job = field.job([first])
    header = primary_of(job)
    assert not {*unknown, "EQUINOX", "EXPSTART", "EXPEND"} & set(header)
    (row,) = fits.getdata(job.target, "HDRTAB")
    assert (row["TARGNAME"], row["DATE_OBS"], row["CCDCHIP"]) == ("", "", provenance.UNKNOWN)
    assert math.isnan(row["EXPSTART"])
    second = field.expose("bb", primary=observed(1, "A", "2009-09-27"), expstart=55000.5, east=1.0, **SMALL)
    header = primary_of(field.job([first, second]))
    assert (header["TARGNAME"], header["DATE-OBS"], header["RA_TARG"]) == ("A", "2009-09-27", 53.1)
    assert header["EXPSTART"] == 55000.5


def test_dates_of_another_form_stay_in_hdrtab(field: Field) -> None:
    header = primary_of(job := field.job([field.expose("aa", primary=observed(1, "A", "27/09/95"), **SMALL)]))
    assert not {"DATE-OBS", "TIME-OBS"} & set(header)
    assert list(fits.getdata(job.target, "HDRTAB")["DATE_OBS"]) == ["27/09/95"]


def test_hdrtab_can_be_filtered_by_what_was_observed(field: Field) -> None:
    options = {"detector": "WFC", "chips": 2, "shape": (30, 60), "noise": 0.01}
    chip = {"CCDCHIP": 2, "NCOMBINE": 4}
    job = field.job([field.expose("aa", primary=observed(9816, "M31", "2004-01-02"), sci=chip, **options)])
    make_product(job)
    table = Table.read(job.target, hdu="HDRTAB")
    of_program = table[(table["PROPOSID"] == 9816) & (table["CCDCHIP"] == 2)]
    assert len(of_program) == 2
    texts = {
        name: of_program[name].astype(str)[0] for name in ("TARGNAME", "DATE_OBS", "TIME_OBS", "APERTURE", "FILTER")
    }
    assert texts == {
        "TARGNAME": "M31", "DATE_OBS": "2004-01-02", "TIME_OBS": "11:47:40", "APERTURE": "IR-FIX", "FILTER": "F814W",
    }  # fmt: skip
    assert list(of_program["NCOMBINE"]) == [4, 4]
    assert [(row["RA_TARG"], row["DEC_TARG"]) for row in of_program] == [(53.1, -27.7)] * 2


@pytest.mark.parametrize("chip", [{}, {"CCDCHIP": -999}])
def test_astropy_masks_the_chip_of_a_detector_that_has_one(field: Field, chip: dict[str, object]) -> None:
    make_product(job := field.job([field.expose("aa", sci=chip, **SMALL)]))
    assert list(Table.read(job.target, hdu="HDRTAB")["CCDCHIP"].mask) == [True]


# Numbers and texts


def test_numbers_that_a_member_has_as_text_are_numbers_in_the_product(field: Field) -> None:
    primary = observed("11359.0", 47, "2009-09-27", ra="53.25", PHOTFLAM="2.2483417E-20", PHOTPLAM="N/A")
    path = field.expose("aa", primary=primary | {"PROCTIME": "57645.5", "EXPTIME": "100.0"}, **SMALL)
    header = primary_of(field.job([path]))
    assert (header["PROPOSID"], header["TARGNAME"], header["RA_TARG"]) == ("11359", "47", 53.25)
    assert (header["PHOTFLAM"], header["EXPTIME"]) == (2.2483417e-20, 100.0)
    assert "PHOTPLAM" not in header


def test_a_number_that_is_none_in_fits_is_left_out(field: Field) -> None:
    path = field.expose("aa", primary=observed(1, "A", "2009-09-27"), **SMALL)
    set_raw_value(path, "PHOTFLAM", "NaN")
    set_raw_value(path, "RA_TARG", "NaN")
    header = primary_of(field.job([path]))
    assert not {"PHOTFLAM", "RA_TARG", "DEC_TARG"} & set(header)
    assert header["PHOTPLAM"] == 12486.06


def test_pixels_in_electron_per_second_are_as_those_in_electrons_per_second(field: Field) -> None:
    digests = []
    for unit in ("ELECTRONS/S", "ELECTRON/S"):
        job = field.job([field.expose("aa", sci={"BUNIT": unit}, **SMALL)])
        digests.append(make_product(job).data_digest)
        assert fits.getheader(job.target, "SCI")["BUNIT"] == "electron/s"
    assert digests[0] == digests[1]


# Verifiers and astropy


def say_ok(fitsverify: str, path: str) -> None:
    done = subprocess.run([fitsverify, "-q", path], capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.startswith("verification OK"):
        pytest.fail(subprocess.run([fitsverify, path], capture_output=True, text=True, check=False).stdout)


def test_fitsverify_finds_nothing_in_a_product_of_two_chips(field: Field, fitsverify: str) -> None:
    options = {"detector": "WFC", "chips": 2, "shape": (40, 80), "noise": 0.01}
    paths = [
        field.expose("aa", primary=observed(9816, "M31", "2004-01-02"), sci={"CCDCHIP": 1}, **options),
        field.expose("bb", primary=observed(9817, "M31", "2004-01-03"), east=2.0, **options),
    ]
    job = field.job(paths)
    make_product(replace(job, recipe=replace(job.recipe, errors=True)))
    say_ok(fitsverify, job.target)


def test_fitsverify_finds_nothing_where_texts_go_on_in_further_cards(field: Field, fitsverify: str) -> None:
    paths = [
        field.expose(f"a{n}", primary=observed(9000 + n, f"A LONG NAME'S TARGET {n}", "2004-01-02"),
                     wcsname=f"IDC_w3m18525i-FIT_REL_{n}", east=n, **SMALL)
        for n in range(9)
    ]  # fmt: skip
    make_product(job := field.job(paths))
    say_ok(fitsverify, job.target)
    with fits.open(job.target) as hdus:
        assert hdus[0].header["LONGSTRN"] == "OGIP 1.0"
        assert hdus[0].header["TARGNAME"].split("; ") == [f"A LONG NAME'S TARGET {n}" for n in range(9)]
        assert len(hdus["SCI"].header["WCSNAME"].split("; ")) == 9
        assert "LONGSTRN" not in hdus["WHT"].header


@pytest.mark.shared
def test_fitsverify_finds_nothing_in_a_product_of_real_exposures(
    ers_folder: Path, field: Field, fitsverify: str
) -> None:
    x, y = (round(float(v)) for v in cell_wcs(CELL).wcs_world2pix(53.0543, -27.7111, 1))
    canvas = Canvas(x - 60, x + 59, y - 50, y + 49)
    make_product(job := field.job(sorted(ers_folder.glob("ib6o04t*_flt.fits")), canvas=canvas))
    say_ok(fitsverify, job.target)
    with fits.open(job.target) as hdus:
        header = hdus[0].header
        assert (header["PROPOSID"], header["TARGNAME"]) == ("11359", "WFC3-ERSII-IR04")
        assert (header["DATE-OBS"], header["TIME-OBS"]) == ("2009-09-27", "11:47:40")  # not the day of EXPSTART
        assert (header["APERTURE"], header["RA_TARG"]) == ("IR-FIX", 53.05645875)
        assert hdus["SCI"].header["PHOTPLAM"] == 12486.06
        assert list(hdus["HDRTAB"].data["NCOMBINE"]) == [22, 22]


def test_astropy_reads_a_product_without_a_warning(field: Field) -> None:
    job = field.job(three_programs(field))
    make_product(replace(job, recipe=replace(job.recipe, errors=True)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = {name: CCDData.read(job.target, hdu=name).unit for name in ("SCI", "WHT", "ERR")}
        table = QTable.read(job.target, hdu="HDRTAB")
        with fits.open(job.target) as hdus:
            assert all(WCS(hdus[name].header).is_celestial for name in ("SCI", "WHT", "ERR"))
            units = {name: u.Unit(hdus[name].header["BUNIT"]) for name in ("SCI", "WHT", "ERR")}
            assert units == {"SCI": u.electron / u.s, "WHT": u.s, "ERR": u.electron / u.s}
    assert names == {"SCI": u.electron / u.s, "WHT": u.s, "ERR": u.electron / u.s}
    assert (table["EXPTIME"].unit, table["RA_TARG"].unit, table["EXPSTART"].unit) == (u.s, u.deg, u.d)


# Add, recanvas, and products of earlier versions


def cards_of(path: str, extension: str) -> list[tuple[str, object, str]]:
    """The cards of a header, but for those of the time, and of pixels that `add` changes in their last bits."""
    changing = {"DATE", "MVMSEAL", "MVMDATA", "CHECKSUM", "DATASUM", "MEANWHT", "MEDWHT"}
    return [tuple(card) for card in fits.getheader(path, extension).cards if card.keyword not in changing]


@pytest.mark.parametrize("first_is_new", [False, True])
@pytest.mark.parametrize("detector", ["IR", "WFC"])
def test_an_added_and_recanvased_product_has_the_headers_of_a_drizzled_one(
    field: Field, detector: str, first_is_new: bool
) -> None:
    options = {"detector": detector, "chips": 2 if detector == "WFC" else 1, **SMALL}
    paths = [
        field.expose("aa", primary=observed(1, "A", "2012-10-11", ra=53.1), sci={"PHOTFLAM": 1.0}, **options),
        field.expose("bb", primary=observed(3, "B", "2009-09-27", ra=53.2), sci={"PHOTFLAM": 2.0}, east=1.0, **options),
        field.expose("cc", primary=observed(2, "C", "2010-01-02", ra=53.3), sci={"CCDCHIP": 2}, east=2.0, **options),
    ]
    whole = field.job(paths)
    before = paths[1:] if first_is_new else paths[:2]
    make_product(replace(field.job(before), canvas=replace(whole.canvas, x_max=whole.canvas.x_max + 9)))
    start = replace(field.job(before), action=Action.RECANVAS, canvas=whole.canvas)
    make_product(start)
    drizzled = [member.ipppssoo for member in start.members]
    make_product(field.job(paths, action=Action.ADD, drizzled=drizzled))
    names = ("PRIMARY", "SCI", "WHT", "HDRTAB")
    added, rows = {name: cards_of(whole.target, name) for name in names}, open_product(whole.target).rows
    make_product(whole)
    assert {name: cards_of(whole.target, name) for name in names} == added
    assert [row.observation for row in open_product(whole.target).rows] == [row.observation for row in rows]


@pytest.fixture
def earlier(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Until it is undone, products are written as before HDRTAB had what was observed."""
    monkeypatch.setattr(provenance, "OBSERVATION_COLUMNS", {})
    monkeypatch.setattr("mvmdb.mosaic.inputs._observe", lambda *_: None)
    monkeypatch.setattr("mvmdb.mosaic.product.write.summarise_observations", lambda _: {})
    return monkeypatch


def test_a_product_of_an_earlier_version_can_be_read_recanvased_and_added_to(
    field: Field, earlier: pytest.MonkeyPatch
) -> None:
    paths = three_programs(field)
    old = field.job(paths[:2])
    record = make_product(old)
    earlier.undo()
    assert "PROPOSID" not in fits.getdata(old.target, "HDRTAB").names
    assert read_product(old.target, deep=True) == record
    wide = replace(old.canvas, x_max=old.canvas.x_max + 9)
    assert make_product(replace(old, action=Action.RECANVAS, canvas=wide)).members == record.members
    make_product(field.job(paths, action=Action.ADD, drizzled=["ib6o04aa", "ib6o04bb"]))
    stored = open_product(old.target)
    assert [row.observation is None for row in stored.rows] == [True, True, False]
    # Programs of some members would look like those of all.
    assert not {"PROPOSID", "TARGNAME", "DATE-OBS"} & set(stored.primary)
    assert stored.science["PHOTFLAM"] == PHOTOMETRY["PHOTFLAM"]
    assert primary_of(field.job(paths))["PROPOSID"] == "9500; 11359; 13000"


def test_rows_of_earlier_versions_are_sealed_as_they_were() -> None:
    row = ChipRow(
        "ib6o04tu", "ib6o04tuq", "ib6o04tuq_flt.fits", "flt", 1, 802.9, 55093.6, math.nan, "IDC_x", "ELECTRONS/S",
        0.128, 0.25, "t:0", "d:1", "2", "g", 0.5, "POLYGON ICRS 1 2 3 4 5 6",
    )  # fmt: skip
    assert (
        seal_provenance("layer", Canvas(1, 2, 3, 4), "{}", "r", "d", "h", [row]) == "cdfc571e71808d40bc926993d1a7236f"
    )


def test_texts_are_joined_once_each_and_sorted() -> None:
    assert summary.join_texts(iter(["b", "", "a", "b"]), "words") == ("a; b", "words")
    assert summary.join_texts([], "words") == ("", "words")


@given(st.text("A'", max_size=80), st.text("c", min_size=1, max_size=30))
def test_a_comment_stands_where_it_fits_its_card(text: str, comment: str) -> None:
    value, kept = summary.join_texts([text], comment)
    fits_in = len(f"KEYWORD = '{text.replace(chr(39), 2 * chr(39)):8}' / {comment}") <= 80
    assert (value, kept) == (text, comment if fits_in else "")
