"""The WCS made of a header's values is the one that astropy reads, bit for bit; its digest depends on the sky alone."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fitsfiles import add_headerlet, gunzip, realign, set_keywords, set_raw_value, write_exposure

from mvmdb.exposures.fits.chipwcs import NoSolutionError, build_wcs, digest_wcs
from mvmdb.exposures.fits.file import scan_file
from mvmdb.exposures.fits.layout import read_chip_wcs


def read_all(path: Path) -> tuple:
    file = scan_file(path)
    with path.open("rb") as stream:
        return tuple(read_chip_wcs(file, chip, stream) for chip in file.images("SCI"))


def digest(path: Path) -> str:
    return digest_wcs(read_all(path))


def assert_as_astropy(path: Path) -> int:
    """Compare on pixels over and around the area that the SIP coefficients were made for."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-50, 4200, 60), np.linspace(-50, 2100, 40)))
    chips = read_all(path)
    with fits.open(path) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for chip, hdu in zip(chips, [hdu for hdu in hdus if hdu.name == "SCI"], strict=True):
            expected = WCS(hdu.header, hdus)
            built = build_wcs(chip)
            np.testing.assert_array_equal(built.all_pix2world(x, y, 1), expected.all_pix2world(x, y, 1))
            assert (built.sip is None) == (expected.sip is None)
            for name in ("cpdis1", "cpdis2", "det2im1", "det2im2"):
                assert (getattr(built, name) is None) == (getattr(expected, name) is None), name
    return len(chips)


@pytest.mark.parametrize("detector", ["IR", "UVIS", "WFC", "HRC", "SBC"])
@pytest.mark.parametrize("lookup_tables", [False, True])
def test_wcs_is_that_of_astropy(tmp_path: Path, detector: str, lookup_tables: bool) -> None:
    chips = 2 if detector in ("UVIS", "WFC") else 1
    path = write_exposure(tmp_path, detector=detector, chips=chips, lookup_tables=lookup_tables)
    assert assert_as_astropy(path) == chips


@pytest.mark.shared
def test_wcs_of_real_headers_is_that_of_astropy(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "headers"
    paths = sorted(folder.glob("sample_*.fits")) + [
        gunzip(path, tmp_path / path.stem) for path in sorted(folder.glob("2chip*.fits.gz"))
    ]
    assert sum(assert_as_astropy(path) for path in paths) == 12


def test_wcs_from_pc_and_cdelt_is_that_of_astropy(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    step = 0.12 / 3600
    changes = {f"CD{i}_{j}": None for i in (1, 2) for j in (1, 2)}
    set_keywords(path, 1, {**changes, "CDELT1": -step, "CDELT2": step, "PC1_2": 0.3, "PC2_1": -0.2})
    assert_as_astropy(path)


def test_transposed_tables_are_read_as_astropy_does(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, lookup_tables=True)
    content = path.read_bytes()
    swapped = content.replace(b"DP1     = 'AXIS.1: 1'", b"DP1     = 'AXIS.1: 2'")
    assert swapped != content
    path.write_bytes(swapped)
    assert_as_astropy(path)


@pytest.mark.parametrize(
    "change",
    [
        {"CRVAL1": 53.1}, {"CRVAL2": -27.7}, {"CRPIX1": 30.0}, {"CD1_1": 3e-5}, {"CD2_1": 1e-5}, {"A_2_0": 1e-7},
        {"B_0_2": None}, {"A_ORDER": 3}, {"CTYPE1": "RA---TAN"}, {"WCSNAME": "IDC_w3m18525i-HSC30"}, {"LONPOLE": 179.0},
    ],
)  # fmt: skip
def test_digest_changes_with_every_number_that_moves_pixels(tmp_path: Path, change: dict) -> None:
    path = write_exposure(tmp_path, lookup_tables=True)
    before = digest(path)
    set_keywords(path, ("SCI", 1), change)
    assert digest(path) != before


@pytest.mark.parametrize("table", [("WCSDVARR", 4), ("D2IMARR", 1)])
def test_digest_changes_with_lookup_tables(tmp_path: Path, table: tuple[str, int]) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2, lookup_tables=True)
    before = digest(path)
    with fits.open(path, mode="update") as hdus:
        hdus[table].data[4, 4] += 1e-6
    moved = digest(path)
    set_keywords(path, table, {"CDELT1": 9.0})
    assert len({before, moved, digest(path)}) == 3


def test_digest_changes_with_the_second_chip(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    before = digest(path)
    set_keywords(path, ("SCI", 2), {"CRVAL1": 53.0})
    assert digest(path) != before


def test_digest_changes_when_realigned_and_returns(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = digest(path)
    realign(path, dec_arcsec=0.3, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3")
    after = digest(path)
    write_exposure(tmp_path)
    assert after != before
    assert digest(path) == before


@pytest.mark.parametrize(
    "change",
    [
        {"LTV1": 5.0}, {"ORIENTAT": 3.0}, {"MDRIZSKY": 4.0}, {"CRVAL1A": 1.0}, {"WCSNAMEA": "IDC_x"}, {"HDRNAME": "x"},
        {"A_4_4": 1.0}, {"VAFACTOR": 1.1}, {"S_REGION": "POLYGON"}, {"CRDER1": 1e-6}, {"A_3_1": 0.0},
    ],
)  # fmt: skip
def test_digest_ignores_what_moves_nothing(tmp_path: Path, change: dict) -> None:
    path = write_exposure(tmp_path)
    before = digest(path)
    set_keywords(path, ("SCI", 1), change)
    add_headerlet(path)
    assert digest(path) == before


def test_digest_ignores_order_format_and_comments_of_cards(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = digest(path)
    with fits.open(path) as hdus:
        cards = [(card.keyword, card.value, "comment") for card in hdus[1].header.cards[9:]]
        random.Random(1).shuffle(cards)
        fits.HDUList([hdus[0].copy(), fits.ImageHDU(hdus[1].data, fits.Header(cards), name="SCI")]).writeto(
            path, overwrite=True
        )
    assert digest(path) == before
    set_raw_value(path, "CRPIX1", "3.25D1")  # was 32.5
    set_raw_value(path, "A_ORDER", "4 / order")
    assert digest(path) == before


@pytest.mark.parametrize("text", ["NaN", "nan", "inf", "'53.0'", "", "T"])
@pytest.mark.parametrize("keyword", ["CRVAL1", "CRPIX2", "CD1_1", "A_0_2"])
def test_a_value_that_is_not_a_finite_number_is_no_solution(tmp_path: Path, keyword: str, text: str) -> None:
    path = write_exposure(tmp_path)
    set_raw_value(path, keyword, text)
    if (keyword, text) in {("CD1_1", ""), ("A_0_2", "")}:
        text = "missing"
    with pytest.raises(NoSolutionError, match=keyword):
        read_all(path)


@pytest.mark.parametrize(
    "change",
    [
        {"CTYPE1": "GLON-TAN"}, {"CTYPE1": None}, {"CTYPE2": "RA---TAN"}, {"CRVAL2": 91.0}, {"A_ORDER": None},
        {"A_ORDER": 99}, {"CD1_1": 0.0, "CD1_2": 0.0}, {"CD1_1": 40.0, "CD2_2": 40.0}, {"CPDIS1": "Polynomial"},
        {"CPDIS1": None}, {"D2IMDIS2": None}, {"CPERR1": "x"}, {"CTYPE3": "WAVE"}, {"A_ORDER": 1, "B_ORDER": 1},
        {"CRVAL1": None}, {"PV1_3": 0.0},
    ],
)  # fmt: skip
def test_a_wcs_that_is_none_of_hubbles_is_no_solution(tmp_path: Path, change: dict) -> None:
    path = write_exposure(tmp_path, lookup_tables=True)
    set_keywords(path, 1, change)
    with pytest.raises(NoSolutionError):
        read_all(path)


def test_a_missing_lookup_table_is_no_solution(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, lookup_tables=True)
    with fits.open(path) as hdus:
        fits.HDUList([hdu.copy() for hdu in hdus if hdu.name != "WCSDVARR"]).writeto(path, overwrite=True)
    with pytest.raises(NoSolutionError, match="WCSDVARR"):
        read_all(path)
