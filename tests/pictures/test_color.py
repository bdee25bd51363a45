"""Colours of sky cells: which filter is which colour, where mosaics lie, and what happens at their edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from mvmdb.errors import InputError
from mvmdb.pictures.color import color_shares, draw_color, mix, pivot_of

CELL = "skycell-p0726x11y11"


def mosaic(
    folder: Path, camera: str, name: str, pixels: np.ndarray, *, left: int, low: int, exptime: float = 1.0
) -> Path:
    """A mosaic whose lower left pixel is the cell's (left, low), 1-based."""
    sci = fits.ImageHDU(pixels.astype(">f4"), name="SCI")
    sci.header["CRPIX1"], sci.header["CRPIX2"] = 1000.0 - left + 1, 2000.0 - low + 1
    path = folder / f"hst_{CELL}_{camera}_{name}_drz.fits"
    fits.HDUList([fits.PrimaryHDU(header=fits.Header({"EXPTIME": exptime})), sci]).writeto(path)
    return path


def sky(*stars: tuple[int, int], shape: tuple[int, int] = (60, 80)) -> np.ndarray:
    pixels = np.random.default_rng(1).normal(0.0, 0.001, shape)
    for row, column in stars:
        pixels[row : row + 4, column : column + 4] = 1.0
    return pixels


def test_wavelengths_are_those_of_the_filters() -> None:
    names = ("acs_wfc_f850lp_all", "acs_wfc_f606w-pol60v_all", "wfc3_ir_f160w_all")
    pivots = [pivot_of(f"hst_{CELL}_{name}_drz.fits") for name in names]
    assert pivots[0] == pytest.approx(905, abs=10)
    assert pivots[1] == pytest.approx(592, abs=10)
    assert pivots[2] == pytest.approx(1537, abs=1)
    assert pivot_of(f"hst_{CELL}_acs_wfc_g800l_all_drz.fits") is None


@pytest.mark.parametrize("n", range(1, 9))
def test_every_filter_gives_and_every_colour_gets(n: int) -> None:
    shares = color_shares(n)
    assert (shares.sum(axis=1) > 0).all()
    assert (shares.sum(axis=0) > 0).all()
    if n > 1:
        assert (np.diff(shares[:, 0]) >= 0).all(), "red grows with wavelength"
        assert (np.diff(shares[:, 2]) <= 0).all()
        assert shares[0].tolist()[::2] == [0.0, 1.0]


def test_the_longest_wavelength_is_red_and_mosaics_lie_where_their_pixels_are(tmp_path: Path) -> None:
    paths = [
        mosaic(tmp_path, "wfc3_ir", "f160w_all", sky((10, 20)), left=101, low=201),
        mosaic(tmp_path, "acs_wfc", "f435w_all", sky((30, 60)), left=101, low=201),
        mosaic(tmp_path, "acs_wfc", "f814w_all", sky((40, 30), shape=(50, 70)), left=105, low=208),
    ]
    colors, words = draw_color(paths)
    assert colors.shape == (60, 80, 3)
    assert words == "from blue to red: acs/wfc f435w, acs/wfc f814w, wfc3/ir f160w"
    for row, column, brightest in ((11, 21, 0), (31, 61, 2), (48, 35, 1)):
        assert colors[row, column].argmax() == brightest
        assert colors[row, column].max() > 200
        assert np.sort(colors[row, column])[1] < 60


def test_large_cells_are_shrunk_on_one_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.pictures.color.LARGEST", 30)
    star = np.full((7, 11), 5.0)
    whole = np.zeros((200, 300))
    whole[100:107, 200:211] = 5.0
    paths = [
        mosaic(tmp_path, "wfc3_ir", "f160w_all", whole, left=1, low=1),
        mosaic(tmp_path, "acs_wfc", "f435w_all", np.pad(star, 20), left=181, low=81),
    ]
    colors, _ = draw_color(paths)
    assert colors.shape == (20, 30, 3)
    red, blue = (np.unravel_index(colors[..., color].astype(int).argmax(), (20, 30)) for color in (0, 2))
    assert red == blue == (10, 20)


def test_where_one_filter_has_no_data_the_others_show() -> None:
    bands = [np.full((2, 3), 0.5, np.float32) for _ in range(3)]
    bands[0][0, 0] = bands[1][0, 1] = np.nan
    for band in bands:
        band[1, 2] = np.nan
    colors = mix(bands)
    assert (colors[1, 2] == 0).all(), "no data at all"
    others = np.delete(colors.reshape(-1, 3), 5, axis=0)
    assert (np.ptp(others, axis=0) <= 1).all(), "equal brightness is grey, with and without the missing ones"


def test_of_two_layers_of_one_filter_the_longer_is_taken(tmp_path: Path) -> None:
    mosaic(tmp_path, "wfc3_ir", "f160w_short", sky((10, 20)), left=1, low=1, exptime=10.0)
    mosaic(tmp_path, "wfc3_ir", "f160w_long", sky((40, 50)), left=1, low=1, exptime=900.0)
    colors, words = draw_color(sorted(tmp_path.iterdir()))
    assert words == "from blue to red: wfc3/ir f160w"
    assert colors[41, 51].min() > 200 > colors[11, 21].max()


def test_what_is_no_mosaic_is_named(tmp_path: Path) -> None:
    path = tmp_path / f"hst_{CELL}_wfc3_ir_f160w_all_drz.fits"
    path.write_bytes(b"no mosaic")
    with pytest.raises(InputError, match="cannot be read"):
        draw_color([path])
    with pytest.raises(InputError, match="no mosaic has a filter whose wavelength is known"):
        draw_color([])
