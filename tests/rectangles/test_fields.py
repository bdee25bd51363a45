"""Which rectangle is made: about a position, around exposures, or that of an image; of which exposures and filters."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import CENTER, FINE, Archive, call
from astropy.io import fits

from mvmdb.mosaic.product.read import read_product
from mvmdb.rectangles.geometry import rectangle_around, rectangle_at
from mvmdb.rectangles.like import rectangle_like
from mvmdb.sky.region import parse_region
from mvmdb.sky.tessellation import sky_to_plane

NUMBERS = count()
"""Each call makes its mosaics in a folder of its own."""
A, B, C, D = "ib6o04tuq", "ib6o04tvq", "ib6o04twq", "j8oz00kpq"


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A and B of one program and C of another, in two filters, some arcsec apart; D of another camera."""
    folder = tmp_path_factory.mktemp("fields")
    archive = Archive(folder, str(folder / "mvm.db"))
    archive.expose(A, shape=(20, 20))
    archive.expose(B, shape=(20, 20), east=6.0)
    archive.expose(C, shape=(20, 20), north=3.0, filters="F160W", primary={"PROPOSID": 90001, "TARGNAME": "NGC-100"})
    archive.expose(D, shape=(20, 20), detector="WFC", filters="F606W;POL0V")
    archive.night()
    return archive


def made(archive: Archive, *words: object) -> dict[str, Path]:
    """The mosaics that the command makes, by filter and scale."""
    output = ("-o", str(archive.folder / f"fields{next(NUMBERS)}"), "--executor", "serial", "--json")
    done = call(archive, "mosaic", *map(str, words), *output)
    assert done.exit_code == 0, (done.output, done.exception)
    layers: list[dict[str, Any]] = json.loads(done.stdout)["layers"]
    return {"_".join(one["layer"].split("_")[-2:]): Path(one["product"]) for one in layers}


def members(path: Path) -> list[str]:
    return [member.rootname for member in read_product(path).members]


HERE = ("--at", *map(str, CENTER), "--size", "0.5")


def test_all_filters_or_several_are_made_at_once(stocked: Archive) -> None:
    everything = {"f125w_all", "f125w_coarse-all", "f160w_all", "f160w_coarse-all", "f606w-pol0v_all"}
    assert set(made(stocked, *HERE)) == everything
    two = made(stocked, *HERE, "--filter", "f160w", "--filter", "POL0V-F606W", "--scale", "fine")
    assert set(two) == {"f160w_all", "f606w-pol0v_all"}
    refused = call(stocked, "mosaic", *HERE, "--filter", "f125w", "--filter", "f140w")
    assert "found no exposure with f140w" in str(refused.exception)


def test_a_position_may_be_sexagesimal(stocked: Archive) -> None:
    one = made(stocked, *HERE, "--filter", "f125w", "--scale", "fine")["f125w_all"]
    words = ("--at", "3:30:43.2", "-26:00:00", "--size", "0.5", "--filter", "f125w", "--scale", "fine")
    again = made(stocked, *words)["f125w_all"]
    assert (again.name, read_product(again).data_digest) == (one.name, read_product(one).data_digest)


def test_exposures_are_excluded(stocked: Archive) -> None:
    path = made(stocked, *HERE, "--filter", "f125w", "--scale", "fine", "--exclude", B)["f125w_all"]
    assert members(path) == [A]
    refused = call(stocked, "mosaic", *HERE, "--exclude", "ib6o99zz")
    assert "ib6o99zz" in str(refused.exception)


def test_a_mosaic_covers_a_program_a_search_or_a_list(stocked: Archive) -> None:
    regions = {row[0]: row[1] for row in stocked.rows("SELECT rootname, s_region FROM exposure")}

    def box(*names: str) -> list[int]:
        vertices = np.concatenate([polygon for name in names for polygon in parse_region(regions[name])])
        x, y = sky_to_plane(726, vertices[:, 0], vertices[:, 1])
        return [int(value) for value in (x.min().round(), x.max().round(), y.min().round(), y.max().round())]

    def canvas(*words: str) -> list[int]:
        paths = made(stocked, "--fit", *words)
        c = read_product(next(path for name, path in sorted(paths.items()) if "coarse" not in name)).canvas
        return [c.x_min, c.x_max, c.y_min, c.y_max]

    assert np.abs(np.subtract(canvas("--program", "90001", "--filter", "f160w"), box(C))).max() <= 1
    assert np.abs(np.subtract(canvas("--program", "b6o", "--filter", "f125w"), box(A, B))).max() <= 1
    assert np.abs(np.subtract(canvas("--target", "ngc"), box(C))).max() <= 1
    listed = stocked.folder / "names.txt"
    listed.write_text(f"# two\n{B}\n{C}\n")
    rectangle = rectangle_around([regions[B], regions[C]]).canvas
    wanted = [rectangle.x_min, rectangle.x_max, rectangle.y_min, rectangle.y_max]
    assert np.abs(np.subtract(wanted, box(B, C))).max() <= 1
    report = call(
        stocked, "mosaic", "--fit", "--list", str(listed), "-o", str(stocked.folder / "listed"), "--jobs", "1"
    )
    assert report.exit_code == 0, report.exception
    found = {tuple(members(path)) for path in (stocked.folder / "listed").glob("*/*_all_drz.fits")}
    assert found == {(A, B), (C,), (D,)}, "whatever is there is in it"


def test_a_mosaic_is_like_an_image_on_the_grid(stocked: Archive) -> None:
    for scale, words in (("fine", ("--scale", "fine")), ("coarse", ("--scale", "coarse"))):
        (path,) = made(stocked, *HERE, "--filter", "f125w", "--no-trim", *words).values()
        first = path.rename(stocked.folder / f"{scale}.fits")
        rectangle, found = rectangle_like(first)
        assert found == scale
        assert rectangle.canvas.at_scale(scale) == rectangle_at(*CENTER, 0.5).canvas.at_scale(scale)
        (again,) = made(stocked, "--like", first, "--filter", "f125w").values()
        with fits.open(first) as one, fits.open(again) as other:
            assert one["SCI"].data.shape == other["SCI"].data.shape
            np.testing.assert_array_equal(one["SCI"].data, other["SCI"].data)
            for keyword in ("CRPIX1", "CRPIX2", "CRVAL1", "CD1_1"):
                assert one["SCI"].header[keyword] == other["SCI"].header[keyword]
    product = next(stocked.products.glob(f"*/{FINE}_drz.fits"))
    (like,) = made(stocked, "--like", product, "--filter", "f125w").values()
    assert fits.getdata(like, "SCI").shape == fits.getdata(product, "SCI").shape


def change(path: Path, **cards: object) -> Path:
    changed = path.with_name("changed.fits")
    with fits.open(path) as hdus:
        hdus["SCI"].header.update(cards)
        hdus.writeto(changed, overwrite=True)
    return changed


OFF = {
    "half a pixel": ({"CRPIX1": 100.5}, "pixels off the fine grid"),
    "another centre": ({"CRVAL1": 52.0}, "is not on the grid of a projection cell"),
    "another scale": ({"CD1_1": -1.39e-5}, "with pixels of 0.04 or 0.12 arcsec"),
    "another projection": ({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}, "RA---SIN/DEC--SIN"),
    "outside": ({"CRPIX1": -225144.0}, "choose a smaller rectangle"),
}


@pytest.mark.parametrize("off", OFF)
def test_an_image_off_the_grid_is_refused_with_what_differs(stocked: Archive, off: str) -> None:
    cards, words = OFF[off]
    product = next(stocked.products.glob(f"*/{FINE}_drz.fits"))
    refused = call(stocked, "mosaic", "--like", str(change(product, **cards)), "--filter", "f125w")
    assert words in str(refused.exception)


REFUSED = {
    (): "expected one of: a position with a size, fit, or like",
    ("--at", "1", "2"): "expected one of",
    ("--size", "2"): "expected one of",
    (*HERE, "--fit"): "expected one of",
    (*HERE, "--program", "90001"): "are given without --fit",
    ("--fit", "--program", "12345"): "there is no exposure to fit",
    ("--fit", "--list", "nowhere.txt"): "cannot be read",
    ("--like", "nowhere.fits"): "cannot be read",
    ("--at", "x", "y", "--size", "1"): "is no position",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_is_not_clear_is_refused(stocked: Archive, words: tuple[str, ...]) -> None:
    assert REFUSED[words] in str(call(stocked, "mosaic", *words).exception)


def test_exposures_all_over_the_sky_fit_into_no_rectangle() -> None:
    far = ["POLYGON ICRS 10 10 10.1 10 10.1 10.1 10 10.1", "POLYGON ICRS 190 10 190.1 10 190.1 10.1 190 10.1"]
    with pytest.raises(Exception, match="projection cell"):
        rectangle_around(far)
