"""Headers and data are found where astropy finds them, and the faults of incomplete files are told apart."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fitsfiles import add_headerlet, gunzip, set_raw_value, write_exposure

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.file import read_array, scan_file


def assert_as_astropy(path: Path) -> None:
    file = scan_file(path)
    with fits.open(path) as hdus:
        assert len(file.hdus) == len(hdus)
        for hdu, expected in zip(file.hdus[1:], hdus[1:], strict=True):
            info = expected.fileinfo()
            assert (hdu.name, hdu.ver, hdu.offset) == (expected.name, expected.ver, info["datLoc"])
            assert -(-hdu.size // 2880) * 2880 == info["datSpan"]
            assert hdu.header.raw.decode() == expected.header.tostring(endcard=False, padding=False)


@pytest.mark.parametrize("detector", ["IR", "WFC"])
def test_structure_is_that_which_astropy_finds(tmp_path: Path, detector: str) -> None:
    path = write_exposure(tmp_path, detector=detector, chips=2, lookup_tables=True)
    add_headerlet(path)
    assert_as_astropy(path)


@pytest.mark.shared
def test_structure_of_real_files_is_that_which_astropy_finds(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "headers"
    paths = sorted(folder.glob("*.fits")) + [
        gunzip(path, tmp_path / path.stem) for path in sorted(folder.glob("2chip*.fits.gz"))
    ]
    assert len(paths) == 8
    for path in paths:
        assert_as_astropy(path)


def test_arrays_are_read_as_stored(tmp_path: Path) -> None:
    science = np.arange(12, dtype="f4").reshape(3, 4)
    path = write_exposure(tmp_path, science=science)
    file = scan_file(path)
    with path.open("rb") as stream:
        np.testing.assert_array_equal(read_array(stream, file.images("SCI")[0]), science)


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    os.utime(path, ns=(5, 1234567890123456789))
    file = scan_file(path)
    assert (file.size, file.mtime_ns) == (path.stat().st_size, 1234567890123456789)


def code_of(path: Path) -> str:
    with pytest.raises(ExposureError) as caught:
        scan_file(path)
    assert str(path) in str(caught.value)
    return caught.value.code


def test_a_text_is_not_fits(tmp_path: Path) -> None:
    path = tmp_path / "ib6o04tuq_flt.fits"
    path.write_text("hello" * 1000)
    assert code_of(path) == "not-fits"


def test_a_gzipped_file_is_not_fits_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ib6o04tuq_flt.fits"
    path.write_bytes(b"\x1f\x8b" + bytes(100))
    with pytest.raises(ExposureError, match="gunzip"):
        scan_file(path)


def test_an_empty_file_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "ib6o04tuq_flt.fits"
    path.write_bytes(b"")
    assert code_of(path) == "truncated"


def test_a_file_cut_anywhere_is_refused_or_ends_between_extensions(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    content = path.read_bytes()
    borders = {hdu.offset + -(-hdu.size // 2880) * 2880 for hdu in scan_file(path).hdus}
    for length in [*range(100, len(content), 1440), len(content) - 2880]:
        path.write_bytes(content[:length])
        if length in borders:
            assert scan_file(path).size == length
        else:
            assert code_of(path) in ("truncated", "not-fits" if length < 2880 else "truncated")


def test_a_missing_last_padding_is_forgiven(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, shape=(10, 10))
    last = scan_file(path).hdus[-1]
    path.write_bytes(path.read_bytes()[: last.offset + last.size])
    assert scan_file(path).hdus[-1].size == last.size


@pytest.mark.parametrize(
    ("keyword", "text"),
    [("NAXIS1", "-3"), ("NAXIS1", "'many'"), ("BITPIX", "7"), ("NAXIS", "1000"), ("NAXIS", "T"), ("NAXIS1", "30")],
)
def test_nonsense_structure_is_refused(tmp_path: Path, keyword: str, text: str) -> None:
    path = write_exposure(tmp_path)
    occurrence = 0 if keyword == "NAXIS1" else 1  # the first NAXIS and BITPIX are the primary header's
    set_raw_value(path, keyword, text, occurrence)
    assert code_of(path) == "contradictory"


def test_a_size_that_says_too_much_is_truncated(tmp_path: Path) -> None:
    path = write_exposure(tmp_path)
    set_raw_value(path, "NAXIS1", "999999999999")
    assert code_of(path) == "truncated"


def test_folders_pipes_and_absent_files_are_unreadable(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe_flt.fits")
    assert code_of(tmp_path) == "unreadable"
    assert code_of(tmp_path / "pipe_flt.fits") == "unreadable"
    assert code_of(tmp_path / "absent_flt.fits") == "unreadable"


def test_a_file_without_permission_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_exposure(tmp_path)

    def refuse(*_: object, **__: object) -> None:  # root, whom permissions do not stop, runs this test too
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(ExposureError, match="Permission denied") as caught:
        scan_file(path)
    monkeypatch.undo()
    assert caught.value.code == "unreadable"
