"""DATASUM and CHECKSUM are compared with the bytes whenever pixels are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits
from fitsfiles import add_headerlet, write_exposure

from mvmdb.errors import ExposureError
from mvmdb.exposures.fits.pixels import read_chips


def with_sums(folder: Path, **options: object) -> Path:
    path = write_exposure(folder, **options)  # type: ignore[arg-type]
    with fits.open(path) as hdus:
        hdus.writeto(path, overwrite=True, checksum=True)
    return path


def overwrite(path: Path, extension: tuple[str, int] | int, where: str, offset: int, content: bytes) -> None:
    """Change bytes of an HDU's header or data (`where`) behind astropy's back."""
    with fits.open(path) as hdus:
        start = hdus[extension].fileinfo()["hdrLoc" if where == "header" else "datLoc"]
    data = bytearray(path.read_bytes())
    data[start + offset : start + offset + len(content)] = content
    path.write_bytes(data)


@pytest.mark.parametrize("detector", ["IR", "WFC"])
def test_sums_that_astropy_wrote_hold(tmp_path: Path, detector: str) -> None:
    chips = 2 if detector == "WFC" else 1
    path = with_sums(tmp_path, detector=detector, chips=chips, lookup_tables=True, shape=(61, 37))
    assert len(list(read_chips(path, errors=True))) == chips


def test_sums_of_arrays_of_one_value_and_after_a_headerlet_hold(tmp_path: Path) -> None:
    path = with_sums(tmp_path, shape=(1, 1))
    add_headerlet(path)
    assert len(list(read_chips(path, errors=True))) == 1


@pytest.mark.parametrize(
    ("extension", "where", "keyword"),
    [(0, "header", "CHECKSUM"), (("SCI", 1), "header", "CHECKSUM"), (("SCI", 1), "data", "DATASUM"),
     (("ERR", 1), "data", "DATASUM"), (("DQ", 1), "data", "DATASUM"), (("DQ", 1), "header", "CHECKSUM")],
)  # fmt: skip
def test_changed_bytes_are_noticed(tmp_path: Path, extension: tuple[str, int] | int, where: str, keyword: str) -> None:
    path = with_sums(tmp_path)
    overwrite(path, extension, where, 79 if where == "header" else 400, b"!")
    with pytest.raises(ExposureError, match=f"{keyword} of .* does not hold") as caught:
        list(read_chips(path, errors=True))
    assert caught.value.code == "checksum"


def test_a_wrong_datasum_is_noticed_without_any_checksum(tmp_path: Path) -> None:
    path = write_exposure(tmp_path, sci={"DATASUM": "1234567"})
    with pytest.raises(ExposureError, match=r"DATASUM of \(SCI,1\) does not hold: the data's sum is \d+, exp"):
        list(read_chips(path))


@pytest.mark.parametrize("blank", ["", " ", "0" * 16])
def test_an_undefined_checksum_is_not_compared(tmp_path: Path, blank: str) -> None:
    assert list(read_chips(write_exposure(tmp_path, sci={"CHECKSUM": blank})))
