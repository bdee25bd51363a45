"""Files that are unusual, and how each is read: as astropy reads it, or refused with the keyword's name."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import set_raw_value, write_exposure

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.pixels import read_chips
from mvmdb.exposures.read import read_exposure
from mvmdb.exposures.read_tasks import read_task
from mvmdb.exposures.reading import Task

# After the last HDU, and in headers


@pytest.mark.parametrize("tail", [bytes(2880), b" " * 2880, bytes(100), bytes(5 << 20), bytes(2880) + b" " * 7])
def test_fill_after_the_last_hdu_is_no_fault(tmp_path: Path, tail: bytes) -> None:
    path = write_exposure(tmp_path)
    path.write_bytes(path.read_bytes() + tail)
    assert read_exposure(path).exposure.eligible


def test_anything_else_after_the_last_hdu_is_a_fault(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(2880) + b"x")
    with pytest.raises(ExposureError, match="no extension begins at byte"):
        read_exposure(path)


def test_a_header_without_end_is_given_up(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    with path.open("r+b") as stream:
        stream.seek(0)
        card = stream.read(80)
        stream.truncate(0)
        stream.seek(0)
        stream.write(card)
        stream.truncate(1 << 30)  # a hole: a gigabyte of NULs
    with pytest.raises(ExposureError, match=r"has no END within 11[0-9]{6} bytes"):
        read_exposure(path)


@pytest.mark.parametrize(("byte", "read"), [(b"\0", "IDC w"), (b"\xe9", "IDC?w"), (b"\x1b", "IDC?w")])
def test_bytes_that_are_no_text_are_read_as_astropy_reads_them(tmp_path: Path, byte: bytes, read: str) -> None:
    path = write_exposure(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"'IDC_w", b"'IDC" + byte + b"w"))
    assert str(read_exposure(path).exposure.wcsname).startswith(read)
    (chip,) = read_chips(path)
    assert str(chip.header["WCSNAME"]).startswith(read)


@pytest.mark.parametrize("keyword", ["BITPIX", "NAXIS", "NAXIS1", "PCOUNT", "GCOUNT", "EXTVER"])
@pytest.mark.parametrize("text", ["NaN", "1e300", "-1", "T", "'x'", "99999999999999999999"])
@pytest.mark.parametrize("occurrence", [0, 1])
def test_structural_keywords_of_any_kind_end_in_a_refusal_or_a_reading(
    tmp_path: Path, keyword: str, text: str, occurrence: int
) -> None:
    path = write_exposure(tmp_path)
    try:
        set_raw_value(path, keyword, text, occurrence)
    except IndexError:
        pytest.skip(f"the primary header has no {keyword}")
    with suppress(ExposureError):  # no other error
        read_exposure(path)
        list(read_chips(path, errors=True))


@pytest.mark.parametrize(("keyword", "text"), [("PCOUNT", "1"), ("PCOUNT", "-1"), ("GCOUNT", "2"), ("GCOUNT", "0")])
def test_an_image_with_parameters_or_groups_is_refused(tmp_path: Path, keyword: str, text: str) -> None:
    """Section 7.1.1 of the FITS standard: an image has PCOUNT 0 and GCOUNT 1."""
    path = write_exposure(tmp_path)
    set_raw_value(path, keyword, text, 0)
    with pytest.raises(ExposureError, match=f"SCI has PCOUNT .*{text}.*expected whole numbers, of an image 0 and 1"):
        read_exposure(path)


@pytest.mark.parametrize(
    ("keyword", "text", "found"),
    [
        ("EXPSTART", "1e300", "EXPSTART is 1e\\+300; expected an MJD, 47892"),
        ("EXPEND", "-5.0", "EXPEND is -5.0; expected an MJD"),
        ("PROCTIME", "99999.0", "PROCTIME is 99999.0; expected an MJD"),
        ("EXPTIME", "1_0", "found the card 'EXPTIME =.*1_0'; expected a value of FITS"),
        ("TARGNAME", "'M31' x", "found the card .*expected a value of FITS"),
        ("FILTER", "2", "FILTER is 2; expected a text"),
        ("EXTEND", "1e300", "EXTEND or EXTNAME of the wrong type"),
        ("BITPIX", "'8'", "has BITPIX '8'"),
        ("NAXIS1", "64.0", "has axes of"),
        ("EXTVER", "'1'", "has EXTVER '1'; expected a whole number"),
    ],
)
def test_values_that_another_reader_would_not_see_are_refused(
    tmp_path: Path, keyword: str, text: str, found: str
) -> None:
    path = write_exposure(tmp_path)
    set_raw_value(path, keyword, text)
    with pytest.raises(ExposureError, match=found):
        read_exposure(path)


def test_a_keyword_in_small_letters_is_read_as_in_capitals(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = read_exposure(path).exposure
    path.write_bytes(path.read_bytes().replace(b"A_0_2   =", b"a_0_2   =").replace(b"EXPSTART=", b"exPSTART="))
    after = read_exposure(path).exposure
    assert (after.wcs_digest, after.expstart) == (before.wcs_digest, before.expstart)


@pytest.mark.parametrize(("copies", "found"), [(1001, "1001 headers or more"), (3, "")])
def test_a_file_of_a_thousand_headers_is_given_up(tmp_path: Path, copies: int, found: str) -> None:
    path = write_exposure(tmp_path)
    cards = ("XTENSION= 'IMAGE   '", "BITPIX  = 8", "NAXIS   = 0", "PCOUNT  = 0", "GCOUNT  = 1", "END")
    path.write_bytes(path.read_bytes() + "".join(card.ljust(80) for card in cards).ljust(2880).encode() * copies)
    result = read_task(Task(str(path)))
    assert (found in str(result)) if found else not isinstance(result, ExposureError)


@pytest.mark.parametrize("size", [1 << 31, 1 << 40])
def test_a_file_that_goes_on_as_a_hole_is_given_up(tmp_path: Path, size: int) -> None:
    path = write_exposure(tmp_path)
    os.truncate(path, size)
    with pytest.raises(ExposureError, match=r"NUL bytes or blanks or more|expected 2147483648 at most"):
        read_exposure(path)


# EXTVER


@pytest.mark.parametrize("ver", [0, 2, 7])
@pytest.mark.parametrize("others", ["same", "1"])
def test_one_chip_may_have_any_extver(tmp_path: Path, ver: int, others: str) -> None:
    flags = np.zeros((64, 64), "i2")
    flags[3, 5] = 4
    path = write_exposure(tmp_path, dq=flags)
    (before,) = read_chips(path, errors=True)
    with fits.open(path, mode="update") as hdus:
        for hdu in hdus[1:]:
            if hdu.name == "SCI" or others == "same":
                hdu.header["EXTVER"] = ver
    assert read_exposure(path).exposure.eligible
    (chip,) = read_chips(path, errors=True)
    assert (chip.extver, chip.dq[3, 5]) == (ver, 4)
    np.testing.assert_array_equal(chip.error, before.error)


@pytest.mark.parametrize("name", ["SCI", "DQ"])
def test_two_extensions_of_one_extver_are_refused(tmp_path: Path, name: str) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    with fits.open(path, mode="update") as hdus:
        hdus[name, 2].header["EXTVER"] = 1
    with pytest.raises(ExposureError, match=f"two {name} extensions have the same EXTVER"):
        read_exposure(path)


def test_dq_for_one_chip_of_two_is_refused(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    with fits.open(path) as hdus:
        hdus[0].header["NEXTEND"] = len(hdus) - 2
        del hdus["DQ", 2]
        hdus.writeto(path, overwrite=True)
    with pytest.raises(ExposureError, match=r"\(DQ,2\) is missing"):
        read_exposure(path)


# Values


@pytest.mark.parametrize("scaled", [{"BSCALE": 0.001, "BZERO": 0.0}, {"BSCALE": 0.001, "BZERO": 32.0}, {}])
@pytest.mark.parametrize("dtype", ["i2", "i4", "u1"])
def test_blank_pixels_of_integers_are_nan_as_astropy_reads_them(
    tmp_path: Path, scaled: dict[str, float], dtype: str
) -> None:
    path = write_exposure(tmp_path)
    stored = np.arange(64 * 64).reshape(64, 64).astype(dtype)
    blank = int(stored[1, 1])
    with fits.open(path) as hdus:
        header = hdus["SCI", 1].header
        image = fits.ImageHDU(stored, name="SCI", ver=1)
        for card in header.cards:
            if card.keyword not in image.header and card.keyword not in ("BSCALE", "BZERO"):
                image.header[card.keyword] = card.value
        image.header.update(scaled | {"BLANK": blank})
        hdus[1] = image
        hdus.writeto(path, overwrite=True)
    (chip,) = read_chips(path)
    with fits.open(path) as hdus:
        expected = hdus["SCI", 1].data.astype("f4")
    if not scaled:  # astropy leaves unscaled integers as they are
        expected[stored == blank] = np.nan
    np.testing.assert_allclose(chip.science, expected, rtol=1e-6)
    assert np.isnan(chip.science[1, 1])


@pytest.mark.parametrize(
    "unit",
    ["ELECTRON/S", "electrons/s", " ELECTRONS/SEC", str(u.electron / u.s)],
)
def test_rates_may_be_written_in_several_ways(tmp_path: Path, unit: str) -> None:
    from mvmdb.mosaic.drizzle.chips import is_rate, read_member_chips

    path = write_exposure(tmp_path, sci={"BUNIT": unit})
    assert [is_rate(chip) for chip in read_member_chips(str(path), "ib6o04tu", 65535)] == [True]


@pytest.mark.parametrize("value", ["11359.0", 11359.0, "11359", 11359, " 11359 "])
def test_a_program_may_be_written_in_several_ways(tmp_path: Path, value: object) -> None:
    assert read_exposure(write_exposure(tmp_path, primary={"PROPOSID": value})).exposure.proposal_id == 11359


def test_numbers_may_be_written_as_texts(tmp_path: Path) -> None:
    times = {"PROCTIME": "57645.5", "EXPSTART": "55093.25", "EXPTIME": "8.02D2"}
    path = write_exposure(tmp_path, primary=times)
    exposure = read_exposure(path).exposure
    assert (exposure.processed, exposure.expstart, exposure.exptime) == (57645.5, 55093.25, 802.0)


def test_a_start_of_0_is_unknown(tmp_path: Path) -> None:
    exposure = read_exposure(write_exposure(tmp_path, primary={"EXPSTART": 0.0, "EXPEND": 0})).exposure
    assert (exposure.expstart, exposure.expend) == (None, None)


@pytest.mark.parametrize("time", [-(10**18), 2**63 + 10**9, 2**63 - 1])
def test_any_time_of_modification_can_be_catalogued(tmp_path: Path, time: int) -> None:
    path = write_exposure(tmp_path)
    os.utime(path, ns=(time, time))
    assert abs(read_exposure(path).mtime_ns) < 2**63


def test_whatever_reading_a_file_raises_is_that_files_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("mvmdb.exposures.read.footprint_center", fail)
    path = str(write_exposure(tmp_path))
    error = read_task(Task(path))
    assert isinstance(error, ExposureError)
    assert path in str(error)
    assert "ZeroDivisionError" in str(error)


# WCS


def positions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(mvmdb's, astropy's) ra and dec of pixels all over the first chip."""
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(1, 64, 8), np.linspace(1, 64, 8)))
    (chip,) = read_chips(path)
    with fits.open(path) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = WCS(hdus["SCI", 1].header, hdus)
    return np.array(chip.wcs.all_pix2world(x, y, 1)), np.array(reference.all_pix2world(x, y, 1))


@pytest.mark.parametrize("rotation", [0.0, 33.0, -171.5])
def test_crota2_turns_the_pixels_as_in_astropy(tmp_path: Path, rotation: float) -> None:
    scale = 0.13 / 3600
    sci = dict.fromkeys(("CD1_1", "CD1_2", "CD2_1", "CD2_2")) | {
        "CDELT1": -scale, "CDELT2": scale * 0.95, "CROTA2": rotation,
    }  # fmt: skip
    ours, astropys = positions(write_exposure(tmp_path, sci=sci))
    np.testing.assert_allclose(ours, astropys, atol=1e-11)


@pytest.mark.parametrize("axis", [1, 2])
def test_the_table_that_axiscorr_names_moves_pixels_as_in_astropy(tmp_path: Path, axis: int) -> None:
    path = write_exposure(tmp_path, sci={"AXISCORR": axis})
    with fits.open(path) as hdus:
        table = fits.ImageHDU(np.linspace(-0.3, 0.4, 64, dtype="f4"), name="D2IMARR", ver=1)
        table.header.update(CRPIX1=0.0, CRVAL1=0.0, CDELT1=1.0)
        hdus.append(table)
        hdus.writeto(path, overwrite=True)
    ours, astropys = positions(path)
    np.testing.assert_allclose(ours, astropys, atol=1e-11)
    (without,) = read_chips(write_exposure(tmp_path, filename="other_flt.fits"))
    assert np.abs(ours - np.array(without.wcs.all_pix2world([64.0], [64.0], 1))[:, :1]).max() > 1e-6


def test_axiscorr_without_its_table_is_refused(tmp_path: Path) -> None:
    (refusal,) = read_exposure(write_exposure(tmp_path, sci={"AXISCORR": 1})).exposure.refusals
    assert refusal.finding == "the lookup table (D2IMARR,1) is missing"
