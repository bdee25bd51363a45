"""Pictures of mosaics: where things are, how bright, and how large."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from archive import CENTER, Archive, call
from astropy.io import fits
from PIL import Image

from mvmdb.errors import InputError, UsageError
from mvmdb.pictures.mosaics import shrink, stretch, write_picture


def mosaic(path: Path, pixels: np.ndarray) -> Path:
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels.astype(">f4"), name="SCI")]).writeto(path)
    return path


def test_a_star_is_where_it_is_on_the_sky(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).normal(0.0, 0.01, (200, 300))
    pixels[150:156, 40:46] = 5.0  # high, on the left: north-east
    pixels[:50] = np.nan
    picture = np.asarray(Image.open(write_picture(mosaic(tmp_path / "m_drz.fits", pixels))))
    assert picture.shape == (200, 300)
    assert picture[44:50, 40:46].min() > 200, "FITS counts rows from below"
    assert picture[:140].mean() < 60, "the sky is dark"
    assert picture[-40:].max() < 10, "black where there are no data"


@pytest.mark.parametrize(
    ("shape", "expected"), [((10, 4000), (5, 2000)), ((5000, 4097), (1667, 1366)), ((7, 9), (7, 9))]
)
def test_large_mosaics_are_shrunk_by_means(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    pixels = np.random.default_rng(2).normal(size=shape)
    pixels[::3, 1::4] = np.nan
    small = shrink(pixels, 2048)
    assert small.shape == expected
    step = -(-max(shape) // 2048)
    for row, column in ((0, 0), (expected[0] - 1, expected[1] - 1), (expected[0] // 2, 3)):
        square = pixels[row * step : (row + 1) * step, column * step : (column + 1) * step]
        assert small[row, column] == pytest.approx(np.nanmean(square), rel=1e-5)


def test_nothing_is_black_and_one_value_is_grey() -> None:
    assert not stretch(np.full((3, 3), np.nan, np.float32)).any()
    assert stretch(np.full((3, 3), 7.0, np.float32)).tolist() == [[1] * 3] * 3


def test_pictures_stand_beside_the_mosaics_that_are_made(tmp_path: Path) -> None:
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(40, 40))
    archive.ingest()
    words = ("--at", *map(str, CENTER), "--size", "0.1", "--filter", "f125w", "-o", str(tmp_path / "made"), "--picture")
    done = call(archive, "mosaic", *words, "--executor", "serial")
    assert done.exit_code == 0, done.exception
    products = sorted(tmp_path.glob("made/*/*.fits"))
    pictures = [path.with_suffix(".jpg") for path in products]
    assert [line for line in done.output.splitlines() if line.startswith("picture: ")] == [
        f"picture: {path}" for path in pictures
    ]
    for product, picture in zip(products, pictures, strict=True):
        with Image.open(picture) as image:
            assert (image.height, image.width) == fits.getdata(product, "SCI").shape


def test_without_the_library_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    archive = Archive(tmp_path, str(tmp_path / "mvm.db"))
    archive.expose(shape=(40, 40))
    archive.ingest()
    words = ("--at", *map(str, CENTER), "--size", "0.1", "-o", str(tmp_path / "made"), "--picture")
    refused = call(archive, "mosaic", *words)
    assert isinstance(refused.exception, UsageError)
    assert "pip install 'mvmdb[pictures]'" in str(refused.exception)
    assert not (tmp_path / "made").exists()


def test_what_is_no_mosaic_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "m_drz.fits"
    path.write_bytes(b"no mosaic")
    with pytest.raises(InputError, match="no picture of"):
        write_picture(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m_drz.fits"]
