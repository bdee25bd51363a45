"""What identifies the pixels changes with the pixels: not with the WCS, the file's name or headerlets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fitsfiles import add_headerlet, realign, set_keywords, set_pixels, write_exposure

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.digest import digest_pixels, make_pixel_token
from mvmdb.exposures.fits.file import scan_file


def token(path: Path, kind: str = "flt") -> str:
    return make_pixel_token(scan_file(path), kind)


def test_forms_of_token_and_digest(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    assert token(path)[:2] == "t:"
    assert digest_pixels(path)[:2] == "d:"
    assert len(bytes.fromhex(token(path)[2:])) == len(bytes.fromhex(digest_pixels(path)[2:])) == 16


def test_a_new_solution_changes_neither_token_nor_digest(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2, lookup_tables=True)
    before = token(path), digest_pixels(path)
    realign(path, ra_arcsec=0.5, dec_arcsec=-0.3, wcsname="IDC_w3m18525i-FIT_REL_GAIAeDR3")
    set_keywords(path, 0, {"DRIZCORR": "PERFORM", "NPOLFILE": "iref$new_npl.fits", "UPWCSVER": "1.7.2"})
    set_keywords(path, 1, {"MDRIZSKY": 7.0, "HDRNAME": "x", "RMS_RA": 3.0, "CRVAL1O": 3.0})
    with fits.open(path, mode="update") as hdus:
        hdus["WCSDVARR", 1].data[0, 0] = 0.5
    add_headerlet(path)
    assert (token(path), digest_pixels(path)) == before


@pytest.mark.shared
def test_pipeline_and_visit_copies_of_a_real_exposure_have_one_token(shared: Path) -> None:
    folder = shared / "data" / "headers"
    pipeline, visit = folder / "sample_ipppssoot_flt.fits", folder / "sample_svm_flt.fits"
    assert token(pipeline) == token(visit)
    assert digest_pixels(pipeline) == digest_pixels(visit)
    assert token(folder / "sample_ipppssoot_flc.fits") != token(folder / "sample_svm_flc.fits")  # other exposures


@pytest.mark.parametrize(
    ("extension", "change"),
    [
        (0, {"CAL_VER": "3.7.1"}), (0, {"FLATCORR": "OMIT"}), (0, {"PFLTFILE": "iref$new_pfl.fits"}),
        (0, {"EXPTIME": 1.0}), (0, {"PROCTIME": 60000.0}), (0, {"ROOTNAME": "ib6o04twq"}), (1, {"GOODMEAN": 3.0}),
        (1, {"BUNIT": "ELECTRONS"}), (1, {"DATASUM": "123"}), (3, {"DATASUM": "5"}),
    ],
)  # fmt: skip
def test_token_changes_with_what_made_the_pixels(tmp_path: Path, extension: int, change: dict) -> None:
    path = write_exposure(tmp_path)
    before = token(path)
    set_keywords(path, extension, change)
    assert token(path) != before


def test_token_tells_kind_shape_and_recalibrated_pixels_apart(tmp_path: Path) -> None:
    first = token(write_exposure(tmp_path))
    brighter = write_exposure(tmp_path / "b", science=np.full((64, 64), 2.0))
    assert len({first, token(brighter), token(brighter, "flc"), token(write_exposure(tmp_path, shape=(32, 64)))}) == 4


def test_reference_files_that_are_not_set_count_for_nothing(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = token(path)
    set_keywords(path, 0, {"NLINFILE": "N/A", "CRREJTAB": " "})
    assert token(path) == before


def test_digest_changes_with_one_pixel_of_sci_or_dq_and_not_of_err(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    seen = [digest_pixels(path)]
    for name in ("SCI", "DQ"):
        with fits.open(path, mode="update") as hdus:
            hdus[name, 2].data[5, 5] += 1
        seen.append(digest_pixels(path))
    with fits.open(path, mode="update") as hdus:
        hdus["ERR", 1].data[5, 5] += 1
    assert len(set(seen)) == 3
    assert digest_pixels(path) == seen[-1]


def test_pixels_replaced_under_the_same_headers_are_seen_by_the_digest_alone(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    before = token(path), digest_pixels(path)
    set_pixels(path, np.zeros((64, 64)))
    assert token(path) == before[0]
    assert digest_pixels(path) != before[1]


def test_digest_does_not_depend_on_the_order_of_extensions(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, detector="WFC", chips=2)
    reordered = tmp_path / "reordered.fits"
    with fits.open(path) as hdus:
        fits.HDUList([hdus[index].copy() for index in (0, 6, 4, 3, 1)]).writeto(reordered)
    assert digest_pixels(reordered) == digest_pixels(path)


def test_digest_is_of_shape_too(tmp_path: Path) -> None:
    flat, tall = (write_exposure(tmp_path / str(n), science=np.ones(s)) for n, s in enumerate([(8, 32), (32, 8)]))
    assert digest_pixels(flat) != digest_pixels(tall)


def test_digest_of_many_chunks_is_that_of_the_whole(tmp_path: Path) -> None:
    science = np.random.default_rng(3).random((700, 800), "f4")  # 2.24 MB: three chunks
    path = write_exposure(tmp_path, science=science, dq=np.zeros((700, 800), "i2"))
    scale = [("BUNIT", "ELECTRONS/S"), ("IDCSCALE", 0.1282500028610229)]
    whole = hashlib.sha256(repr([("EXPTIME", 802.934753)]).encode())
    whole.update(repr(("SCI", 1, -32, (700, 800), scale)).encode() + science.astype(">f4").tobytes())
    whole.update(repr(("DQ", 1, 16, (700, 800), [])).encode() + bytes(700 * 800 * 2))
    assert digest_pixels(path) == f"d:{whole.hexdigest()[:32]}"


def test_constant_arrays_count_with_their_value(tmp_path: Path) -> None:
    digests, tokens = set(), set()
    for value in (0, 4):
        path = write_exposure(tmp_path)
        with fits.open(path) as hdus:
            constant = fits.ImageHDU(name="DQ", ver=1)
            constant.header.update(NPIX1=64, NPIX2=64, PIXVALUE=value)
            fits.HDUList([hdus[0].copy(), hdus[1].copy(), constant]).writeto(path, overwrite=True)
        digests.add(digest_pixels(path))
        tokens.add(token(path))
    assert len(digests) == len(tokens) == 2


def test_a_file_without_sci_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "ib6o04tuq_flt.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(ExposureError) as caught:
        digest_pixels(path)
    assert caught.value.code == "no-sci"
