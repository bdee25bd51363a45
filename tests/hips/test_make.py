"""HiPS of mosaics with stars at known places: pixels, bookkeeping, and what other programs read of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from mocpy import MOC
from PIL import Image
from reproject.hips import hips_as_dask_array

from mvmdb.errors import InputError, NothingViableError, UsageError
from mvmdb.hips import make
from mvmdb.hips.describe import moc_bytes
from mvmdb.hips.geometry import tile_path
from mvmdb.hips.make import make_hips
from mvmdb.hips.values import WIDTH, HipsMosaic, HipsOptions
from mvmdb.names import parse_cell_name
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import cell_wcs
from mvmdb.workers.serial import IN_THIS_PROCESS

NOW = dt.datetime(2026, 11, 27, 12, 30, tzinfo=dt.UTC)
STARS = ((101.3, 88.7), (150.0, 201.5), (230.2, 60.1))
FLUX, SIGMA, SKY = 500.0, 3.0, 0.25
ORDER = 5
"""Of a HiPS whose pixels nobody looks at: with few orders it is made quickly."""
MANDATORY = {
    "creator_did", "obs_title", "dataproduct_type", "hips_version", "hips_release_date", "hips_status", "hips_frame",
    "hips_order", "hips_tile_format",
}  # fmt: skip
"""HiPS 1.0, section 4.4.1: what is mandatory of an image survey."""


def write_mosaic(folder: Path, cell: str, offset: float = 0.0, weight: float = 100.0, x_min: int = 9001) -> HipsMosaic:
    """A coarse mosaic of 300 by 320 pixels with three stars on a flat sky, and no data in a corner."""
    wcs = cell_wcs(parse_cell_name(cell), "coarse", Canvas(x_min, x_min + 899, 8001, 8960))
    columns, rows = wcs.pixel_shape
    y, x = np.mgrid[:rows, :columns]
    pixels = np.full((rows, columns), SKY + offset)
    for across, up in STARS:
        pixels += FLUX / (2 * np.pi * SIGMA**2) * np.exp(-((x - across) ** 2 + (y - up) ** 2) / (2 * SIGMA**2))
    weights = np.full(pixels.shape, weight)
    pixels[:40, :40], weights[:40, :40] = np.nan, 0.0
    path = folder / f"{cell}_{x_min}_drz.fits"
    images = [
        fits.ImageHDU(a.astype(np.float32), wcs.to_header(), name) for a, name in ((pixels, "SCI"), (weights, "WHT"))
    ]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path, overwrite=True)
    return HipsMosaic(path.stem, str(path), f"{offset} {weight}")


def bring(folder: Path, *mosaics: HipsMosaic, order: int | None = ORDER) -> Any:
    options = HipsOptions("f160w", "wfc3/ir", "coarse", order)
    return make_hips(mosaics, options, folder, workers=IN_THIS_PROCESS, now=NOW)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha1(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".mvmdb.lock"
    }


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HipsMosaic]:
    """The HiPS of one mosaic at the order of its pixels."""
    folder = tmp_path_factory.mktemp("deep")
    mosaic = write_mosaic(folder, "skycell-p0647x10y11")
    done = bring(folder / "hips", mosaic, order=None)
    assert (done.order, done.mosaics) == (12, 1)
    return folder / "hips", mosaic


def tiles_of(folder: Path, order: int) -> dict[int, np.ndarray]:
    found = (folder / f"Norder{order}").glob("Dir*/Npix*.fits")
    return {int(path.stem[4:]): fits.getdata(path) for path in found}


def test_stars_keep_their_places_and_their_light(deep: tuple[Path, HipsMosaic]) -> None:
    folder, mosaic = deep
    wcs = WCS(fits.getheader(mosaic.path, "SCI"))
    tiles = tiles_of(folder, 12)
    area = (58.6323 * 3600 / 2**21) ** 2 / 0.12**2  # of a pixel of a tile, in pixels of the mosaic
    measured = 0
    for across, up in STARS:
        lon, lat = wcs.pixel_to_world_values(across, up)
        for number, pixels in tiles.items():
            at = WCS(fits.getheader(folder / tile_path(12, number, "fits")))
            x, y = at.world_to_pixel_values(lon, lat)
            if not (20 < x < 491 and 20 < y < 491):
                continue
            rows, columns = (slice(round(float(v)) - 18, round(float(v)) + 19) for v in (y, x))
            part = pixels[rows, columns].astype(float) - SKY
            grid_y, grid_x = np.mgrid[rows, columns]
            assert abs((part * grid_x).sum() / part.sum() - x) < 0.01
            assert abs((part * grid_y).sum() / part.sum() - y) < 0.01
            assert part.sum() * area == pytest.approx(FLUX, rel=1e-3)
            measured += 1
    assert measured >= 2


def test_reproject_reads_it_and_finds_the_mosaic_in_its_place(deep: tuple[Path, HipsMosaic]) -> None:
    """At a low order, as reproject lists all tiles of the sky, and a whole tile, as it reads no parts."""
    folder, mosaic = deep
    middle = WCS(fits.getheader(mosaic.path, "SCI")).pixel_to_world(150, 160)
    everything, whole = hips_as_dask_array(str(folder), level=4)
    column, row = (int(np.rint(v)) // WIDTH * WIDTH for v in whole.world_to_pixel(middle))
    part = everything[row : row + WIDTH, column : column + WIDTH].compute()
    rows, columns = np.nonzero(np.isfinite(part))
    there = whole.pixel_to_world(columns + column, rows + row)
    assert 1 <= len(rows) <= 12  # 38 arcsec, in pixels of 26
    assert middle.separation(there).max().arcsec < 19 * 2**0.5 + 26
    assert SKY < np.nanmax(part) < SKY + FLUX / 100


def test_lower_orders_are_means_at_the_right_places(deep: tuple[Path, HipsMosaic]) -> None:
    """By the WCS of the files: where a pixel of a parent lies is the mean of the four of its child there."""
    folder, _ = deep
    for number, pixels in tiles_of(folder, 12).items():
        parent = fits.getdata(folder / tile_path(11, number // 4, "fits"))
        y, x = np.mgrid[0:WIDTH:2, 0:WIDTH:2] + 0.5
        lon, lat = WCS(fits.getheader(folder / tile_path(12, number, "fits"))).pixel_to_world_values(x, y)
        at = WCS(fits.getheader(folder / tile_path(11, number // 4, "fits"))).world_to_pixel_values(lon, lat)
        columns, rows = (np.rint(values).astype(int) for values in at)
        assert max(float(np.abs(at[0] - columns).max()), float(np.abs(at[1] - rows).max())) < 1e-3
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
            means = np.nanmean(pixels.reshape(256, 2, 256, 2), (1, 3))
        assert np.allclose(parent[rows, columns], means, rtol=1e-6, equal_nan=True)
    allsky = fits.getdata(folder / "Norder3" / "Allsky.fits")
    (number,) = tiles_of(folder, 3)
    row, column = divmod(number, 27)
    rows, columns = np.nonzero(np.isfinite(allsky))
    assert allsky.shape == (29 * 64, 27 * 64)
    assert set((28 - rows // 64).tolist()) == {row}
    assert set((columns // 64).tolist()) == {column}


def test_pictures_show_the_tiles_with_the_first_row_at_the_bottom(deep: tuple[Path, HipsMosaic]) -> None:
    folder, _ = deep
    for number, pixels in tiles_of(folder, 12).items():
        picture = np.asarray(Image.open(folder / tile_path(12, number, "png")))[::-1]
        assert np.array_equal(picture[..., 1] == 255, np.isfinite(pixels))
        bright = np.unravel_index(np.nanargmax(pixels), pixels.shape)
        assert picture[bright][0] == picture[..., 0].max()


def test_properties_and_coverage_are_as_the_standards_say(deep: tuple[Path, HipsMosaic]) -> None:
    folder, _ = deep
    lines = (folder / "properties").read_text().splitlines()
    properties = {name.strip(): value.strip() for name, value in (line.split("=", 1) for line in lines)}
    assert set(properties) >= MANDATORY
    assert properties["hips_release_date"] == "2026-11-27T12:30Z"
    assert (properties["hips_order"], properties["hips_frame"]) == ("12", "equatorial")
    assert properties["hips_status"].split()[0] in ("public", "private")
    moc = MOC.load(folder / "Moc.fits", "fits")
    tiles = tiles_of(folder, 12)
    assert moc == MOC.from_healpix_cells(np.array(sorted(tiles), dtype=np.uint64), np.uint8(12), 12)
    assert float(properties["moc_sky_fraction"]) == pytest.approx(moc.sky_fraction, rel=1e-4)
    assert 'src="http' not in (folder / "index.html").read_text()


def test_full_tiles_of_a_coverage_are_merged(tmp_path: Path) -> None:
    tiles = [*range(64, 128), 3, 4, 5, 6, 7]
    (tmp_path / "moc.fits").write_bytes(moc_bytes(5, tiles))
    assert MOC.load(tmp_path / "moc.fits", "fits") == MOC.from_healpix_cells(np.array(tiles, np.uint64), np.uint8(5), 5)
    assert sorted(fits.getdata(tmp_path / "moc.fits")["UNIQ"]) == [4 * 4**2 + 1, 4 * 4**4 + 1, 4 * 4**5 + 3]


def test_only_tiles_under_changed_mosaics_are_made_again_and_all_equals_a_new_one(tmp_path: Path) -> None:
    near = write_mosaic(tmp_path, "skycell-p0647x10y11")
    far = write_mosaic(tmp_path, "skycell-p1322x11y11")
    folder = tmp_path / "hips"
    first = bring(folder, near, far)
    assert first.made >= 2
    assert bring(folder, near, far).made == 0
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("Npix*") if path.is_file()}
    for path in before:
        os.utime(path, ns=(0, 0))
    changed = write_mosaic(tmp_path, "skycell-p1322x11y11", offset=1.0)
    beside = write_mosaic(tmp_path, "skycell-p1322x11y11", offset=3.0, weight=300.0, x_min=9301)  # overlaps it
    done = bring(folder, near, changed, beside)
    assert done.unchanged >= 1
    untouched = {path for path in before if path.exists() and path.stat().st_mtime_ns == 0}
    of_near = {folder / tile_path(ORDER, number, "fits") for number in make._expect([near], ORDER)} & set(before)
    assert of_near
    assert untouched >= of_near
    assert not untouched & {folder / tile_path(ORDER, n, "fits") for n in make._expect([changed, beside], ORDER)}
    bring(tmp_path / "anew", near, changed, beside)
    assert contents(folder) == contents(tmp_path / "anew")
    bring(folder, near)
    bring(tmp_path / "small", near)
    assert contents(folder) == contents(tmp_path / "small")


def test_overlapping_mosaics_are_means_by_weight(tmp_path: Path) -> None:
    one = write_mosaic(tmp_path, "skycell-p0647x10y11", offset=0.0, weight=100.0)
    two = write_mosaic(tmp_path, "skycell-p0647x10y11", offset=4.0, weight=300.0, x_min=9301)
    bring(tmp_path / "hips", one, two, order=10)
    values = np.concatenate([pixels[np.isfinite(pixels)] for pixels in tiles_of(tmp_path / "hips", 10).values()])
    both = SKY + 3.0
    assert np.count_nonzero(np.abs(values - both) < 1e-4) > 500


def test_a_killed_run_is_completed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mosaics = [write_mosaic(tmp_path, cell) for cell in ("skycell-p0647x10y11", "skycell-p1322x11y11")]
    bring(tmp_path / "anew", *mosaics)
    expected = contents(tmp_path / "anew")
    for killed_in in ("make_tile", "make_parent", "write_description"):
        folder = tmp_path / killed_in
        left, made = [1 if killed_in == "make_tile" else 0], getattr(make, killed_in)

        def fail(*given: Any, function: Any = made, left: list[int] = left) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return function(*given)

        with monkeypatch.context() as patched:
            patched.setattr(make, killed_in, fail)
            with pytest.raises(KeyboardInterrupt):
                bring(folder, *mosaics)
        bring(folder, *mosaics)
        assert contents(folder) == expected, killed_in


def test_what_cannot_be_made_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    mosaic = write_mosaic(tmp_path, "skycell-p0647x10y11")
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty, and not a HiPS made by mvmdb"):
        bring(other, mosaic)
    assert [path.name for path in other.iterdir()] == ["mine.txt"]
    bring(tmp_path / "hips", mosaic, order=5)
    with pytest.raises(UsageError, match="holds another HiPS"):
        bring(tmp_path / "hips", mosaic, order=6)
    with pytest.raises(NothingViableError, match=r"no intact mosaic of wfc3/ir in f160w"):
        bring(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    shutil.copy(mosaic.path, tmp_path / "cut.fits")
    with (tmp_path / "cut.fits").open("r+b") as file:
        file.truncate(3000)
    with pytest.raises(InputError, match=r"cut.fits cannot be read .* run mvmdb status"):
        bring(tmp_path / "cut", HipsMosaic("cut", str(tmp_path / "cut.fits"), ""))
    with pytest.raises(UsageError, match="expected 3 to 18"):
        bring(tmp_path / "none", mosaic, order=2)
    (tmp_path / "hips" / "mvmdb-hips.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        bring(tmp_path / "hips", mosaic, order=5)
