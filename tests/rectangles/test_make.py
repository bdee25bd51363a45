"""Mosaics of rectangles: pixels of the sky cells' own mosaics, across their borders, with and without a catalog."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import CENTER, Archive, names_to_list
from astropy.io import fits
from astropy.wcs import WCS
from click.testing import CliRunner, Result

from mvmdb.cli import commands
from mvmdb.errors import NothingViableError, UsageError
from mvmdb.mosaic.product.read import read_product
from mvmdb.records import Canvas
from mvmdb.rectangles.geometry import Rectangle, rectangle_at

BORDER = 21442 / 2 * 0.04
"""Arcsec from the middle of a sky cell to its border with the next: east of CENTER, with column 10."""


def run(archive: Archive, *words: object) -> Result:
    """The command; an error that a user can cause is raised."""
    result = CliRunner().invoke(commands, ["--db", archive.address, *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def products_of(result: Result) -> dict[str, Path]:
    report: dict[str, Any] = json.loads(result.stdout)
    assert report["failed"] == 0
    return {("coarse" if "coarse" in done["layer"] else "fine"): Path(done["product"]) for done in report["layers"]}


def on_border(archive: Archive) -> None:
    """Three exposures with skies of their own across the border of columns 10 and 11, all in either cell."""
    for n, shift in enumerate((-1.0, 0.0, 1.5)):
        science = np.random.default_rng(n).normal(1.0 + n, 0.1, (64, 64)).astype("f4")
        archive.expose(f"ib6o0{n}tuq", east=BORDER + shift, north=2 * shift, science=science)
    archive.night()


def same_pixels(mosaic: Path, product: Path) -> int:
    """Compare where both have pixels; the number of exposed ones."""
    with fits.open(mosaic) as ours, fits.open(product) as theirs:
        shift = np.array(WCS(theirs["SCI"].header).wcs.crpix) - WCS(ours["SCI"].header).wcs.crpix
        dx, dy = np.rint(shift).astype(int)
        assert np.abs(shift - (dx, dy)).max() < 1e-9, "the grids are shifted by whole pixels"
        for name in ("SCI", "WHT"):
            a, b = ours[name].data, theirs[name].data
            y0, y1 = max(0, -dy), min(a.shape[0], b.shape[0] - dy)
            x0, x1 = max(0, -dx), min(a.shape[1], b.shape[1] - dx)
            assert y1 > y0
            assert x1 > x0
            cut = a[y0:y1, x0:x1]
            np.testing.assert_array_equal(cut, b[y0 + dy : y1 + dy, x0 + dx : x1 + dx])
        return int(np.isfinite(cut).sum())


def test_a_rectangle_across_sky_cells_has_the_pixels_of_either_cells_mosaic(archive: Archive, tmp_path: Path) -> None:
    on_border(archive)
    position = (CENTER[0] + BORDER / 3600 / np.cos(np.deg2rad(CENTER[1])), CENTER[1])
    words = ("mosaic", "--at", *position, "--size", 0.3, "--filter", "F125W", "-o", tmp_path, "--json", "--jobs", 1)
    words += ("--no-trim",)
    mosaics = products_of(run(archive, *words))
    assert set(mosaics) == {"fine", "coarse"}
    fine = read_product(mosaics["fine"], deep=True)
    assert fine.canvas.shape == (450, 450)
    cells = sorted(archive.products.glob("skycell-p0726x1[01]y11/*_f125w_all_drz.fits"))
    assert len(cells) == 2
    for product in cells:
        assert same_pixels(mosaics["fine"], product) > 1000
    header = fits.getheader(mosaics["fine"])
    assert header["SCELLID"].startswith("p0726-ra52d8")
    assert 0.1 < header["NPIXFRAC"] < 0.9


def test_limits_of_a_poller_make_the_same_mosaic_with_no_catalog(archive: Archive, tmp_path: Path) -> None:
    on_border(archive)
    position = (CENTER[0] + BORDER / 3600 / np.cos(np.deg2rad(CENTER[1])), CENTER[1])
    c = rectangle_at(*position, 0.3).canvas
    pollers = archive.folder / "pollers"
    run(archive, "poller", "--all", "-o", pollers)
    rows = "".join(path.read_text() for path in sorted(pollers.glob("*/*_input.out")))
    poller = tmp_path / "all_input.out"
    poller.write_text(rows)
    limits = ("--limits", c.x_min, c.x_max, c.y_min, c.y_max)
    mosaics = products_of(run(archive, "process", poller, *limits, "-o", tmp_path / "out", "--json", "--jobs", 1))
    assert mosaics["fine"].parent.name == rectangle_at(*position, 0.3).name
    for product in archive.products.glob("skycell-p0726x1[01]y11/*_f125w_all_drz.fits"):
        assert same_pixels(mosaics["fine"], product) > 1000
    assert (
        mosaics["fine"].parent / f"{mosaics['fine'].parent.name}_manifest.txt"
    ).read_text().split() == names_to_list(path.name for path in mosaics.values())


def test_only_exposures_inside_the_rectangle_are_members(archive: Archive, tmp_path: Path) -> None:
    archive.expose("ib6o01tuq")
    archive.expose("ib6o02tuq", east=20.0)
    archive.ingest()
    words = ("--at", *CENTER, "--size", 0.1, "--filter", "f125w", "--scale", "fine", "-o", tmp_path, "--json")
    mosaics = products_of(run(archive, "mosaic", *words, "--executor", "serial"))
    assert [member.ipppssoo for member in read_product(mosaics["fine"]).members] == ["ib6o01tu"]


def test_what_is_in_the_way_is_not_written_over(archive: Archive, tmp_path: Path) -> None:
    archive.expose()
    archive.ingest()
    words = ("mosaic", "--at", *CENTER, "--filter", "f125w", "--scale", "fine", "-o", tmp_path, "--json", "--jobs", 1)
    mosaic = products_of(run(archive, *words, "--size", 0.1))["fine"]
    before = mosaic.read_bytes()
    with pytest.raises(UsageError, match="with the rectangle"):
        run(archive, *words, "--size", 0.2)
    assert mosaic.read_bytes() == before
    again = products_of(run(archive, *words, "--size", 0.1))["fine"]
    assert again == mosaic
    assert read_product(again, deep=True).canvas == rectangle_at(*CENTER, 0.1).canvas
    mosaic.write_text("mine")
    with pytest.raises(UsageError, match="is not a mosaic made by mvmdb"):
        run(archive, *words, "--size", 0.1)
    assert mosaic.read_text() == "mine"


def test_a_mosaic_is_trimmed_to_its_data_and_grows_with_them(archive: Archive, tmp_path: Path) -> None:
    words = ("mosaic", "--at", *CENTER, "--size", 2, "--filter", "f125w", "--scale", "fine", "-o", tmp_path, "--json")
    whole = rectangle_at(*CENTER, 2.0)
    canvases = []
    for n in range(3):
        archive.expose(f"ib6o0{n}tuq", east=20.0 * n)
        archive.ingest()
        mosaic = products_of(run(archive, *words, "--executor", "serial"))["fine"]
        assert mosaic.parent.name == whole.name
        with fits.open(mosaic) as hdus:
            exposed = hdus["WHT"].data > 0
            assert exposed.any(axis=0)[[0, -1]].all()
            assert exposed.any(axis=1)[[0, -1]].all()
        canvases.append(read_product(mosaic).canvas)
    assert canvases[0].x_min > canvases[1].x_min > canvases[2].x_min
    assert {canvas.x_max for canvas in canvases} == {canvases[0].x_max}


def test_a_mosaic_of_many_gigabytes_needs_a_yes_and_says_its_cost_first(archive: Archive, tmp_path: Path) -> None:
    archive.expose(east=-450.0)
    archive.expose("ib6o05tuq", east=450.0, north=400.0)
    archive.expose("ib6o06tuq", north=-400.0)
    archive.ingest()
    words = ("mosaic", "--at", *CENTER, "--size", 20, "--filter", "f125w", "--scale", "fine", "-o", tmp_path / "out")
    with pytest.raises(UsageError, match=r"would take 3\.\d GB; .* repeat with --yes"):
        run(archive, *words)
    assert not (tmp_path / "out").exists()
    words = ("mosaic", "--at", *CENTER, "--size", 1, "--filter", "f125w", "--scale", "coarse", "-o", tmp_path / "out")
    with pytest.raises(NothingViableError):
        run(archive, *words)
    archive.expose("ib6o07tuq")
    archive.ingest()
    assert run(archive, *words, "--executor", "serial").stdout.startswith("1 mosaic: 0.1 MB on disk, ")


def test_impossible_rectangles_are_refused(archive: Archive, tmp_path: Path) -> None:
    archive.expose()
    archive.ingest()
    with pytest.raises(UsageError, match="expected X0 X1 Y0 Y1"):
        Rectangle(726, Canvas(0, 10, 1, 10))
    with pytest.raises(UsageError, match="expected X0 X1 Y0 Y1"):
        rectangle_at(53.0, -24.01, 90.0)
    with pytest.raises(UsageError, match="found the size"):
        rectangle_at(53.0, -24.01, -1.0)
    with pytest.raises(UsageError, match="no exposure with f814w"):
        run(archive, "mosaic", "--at", *CENTER, "--size", 1, "--filter", "f814w", "-o", tmp_path)
    north = ("--at", CENTER[0], CENTER[1] + 0.05, "--size", 0.2, "--filter", "f125w", "-o", tmp_path)
    with pytest.raises(NothingViableError, match="overlaps"):
        run(archive, "mosaic", *north)
    assert not any(tmp_path.glob("skycell*"))


def test_a_poller_of_several_projection_cells_has_no_limits(archive: Archive, tmp_path: Path) -> None:
    path = archive.expose(north=2.0 * 3600)  # two rings of projection cells overlap there
    poller = tmp_path / "basic_input.out"
    shutil.copy(path, tmp_path)
    poller.write_text(f"{path.name}\n")
    with pytest.raises(UsageError, match="sky cells are in p0726, p0808"):
        run(archive, "process", poller, "--limits", 1, 10, 1, 10)


def test_memory_bounds_a_worker_and_not_the_pixels(archive: Archive, tmp_path: Path) -> None:
    archive.expose()
    archive.ingest()
    words = ("mosaic", "--at", *CENTER, "--filter", "f125w", "--scale", "fine", "--size", 1.5, "--json", "--jobs", 1)
    free = products_of(run(archive, *words, "-o", tmp_path / "free"))["fine"]
    bound = products_of(run(archive, *words, "-o", tmp_path / "bound", "--memory", 410))["fine"]
    assert read_product(bound, deep=True).data_digest == read_product(free, deep=True).data_digest
    with_too_little = run(archive, *words, "-o", tmp_path / "none", "--memory", 20)
    assert with_too_little.exit_code == 1
    assert "allow more memory" in json.loads(with_too_little.stdout)["layers"][0]["error"]
