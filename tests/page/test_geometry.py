"""The geometry of the page, judged by healpy, by the package's tessellation and by the textbook's formula."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import healpy
import numpy as np
import pytest
from browsers import open_browser
from playwright.sync_api import Page

import mvmdb.page
from mvmdb.names import CellId
from mvmdb.sky.pixels import nested_pixels
from mvmdb.sky.sphere import sky_to_vector
from mvmdb.sky.tessellation import cell_corners, load_rings

ASSETS = Path(mvmdb.page.__file__).parent / "assets"
RNG = np.random.default_rng(7)


def positions(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions all over the sky, with the poles and borders of faces among them."""
    ra = np.concatenate([RNG.uniform(0, 360, n), [0, 0, 45, 90, 359.999999, 180, 10]])
    dec = np.concatenate(
        [np.rad2deg(np.arcsin(RNG.uniform(-1, 1, n))), [89.9999, -89.9999, 0.001, 41.9, 0.2, 66.3, -42]]
    )
    return ra, dec


@pytest.fixture(scope="module")
def sphere() -> Iterator[Page]:
    with open_browser() as browser:
        page = browser.new_page()
        page.add_script_tag(content=(ASSETS / "sphere.js").read_text())
        page.evaluate("rings => { window.tess = new mvmdbPage.sphere.Tessellation(rings); }", rings())
        yield page


def rings() -> list[tuple[int, int, float]]:
    table = load_rings()
    return list(zip(table.projcell.tolist(), table.nband.tolist(), table.dec.tolist(), strict=True))


@pytest.mark.parametrize("order", [3, 5, 9])
def test_pixels_of_positions_are_those_of_healpy(sphere: Page, order: int) -> None:
    ra, dec = positions(3000)
    code = "([order, ra, dec]) => ra.map((r, i) => mvmdbPage.sphere.pixelOf(order, mvmdbPage.sphere.vector(r, dec[i])))"
    found = sphere.evaluate(code, [order, ra.tolist(), dec.tolist()])
    assert found == healpy.ang2pix(1 << order, ra, dec, nest=True, lonlat=True).tolist()
    assert found == nested_pixels(order, ra, dec).tolist()


def test_outlines_of_pixels_are_those_of_healpy(sphere: Page) -> None:
    for order in (0, 3, 9):
        pixels = np.unique(RNG.integers(0, 12 * 4**order, 200))
        code = "([order, list]) => list.map((p) => mvmdbPage.sphere.pixelOutline(order, p, 2))"
        found = np.array(sphere.evaluate(code, [order, pixels.tolist()]))
        expected = np.moveaxis(healpy.boundaries(1 << order, pixels, step=2, nest=True), 1, 2)
        for mine, theirs in zip(found, expected, strict=True):  # begun at another corner
            apart = np.linalg.norm(mine[:, None] - theirs[None], axis=2).min(axis=1)
            assert apart.max() < 1e-12
        centres = np.array(
            sphere.evaluate(
                "([o, list]) => list.map((p) => mvmdbPage.sphere.pixelCentre(o, p))", [order, pixels.tolist()]
            )
        )
        assert np.abs(centres - np.array(healpy.pix2vec(1 << order, pixels, nest=True)).T).max() < 1e-12


def test_corners_of_sky_cells_are_those_of_the_package(sphere: Page) -> None:
    cells = [CellId.from_index(int(n)) for n in RNG.integers(0, 2644 * 441, 300)] + [
        CellId(0, 1, 1),
        CellId(2643, 21, 21),
    ]
    code = "list => list.map(([p, local]) => [tess.name(p, local), tess.corners(p, local)])"
    found = sphere.evaluate(code, [[cell.projection_cell, cell.index % 441] for cell in cells])
    for cell, (name, corners) in zip(cells, found, strict=True):
        assert name == str(cell)
        expected = sky_to_vector(*cell_corners(cell).T).T
        assert np.abs(np.array(corners) - expected).max() < 1e-12


def test_the_cells_that_hold_a_position_are_those_whose_corners_surround_it(sphere: Page) -> None:
    inside = sphere.evaluate(
        """() => { const found = [];
            for (const p of [0, 726, 1501, 2643]) for (let local = 0; local < 441; local += 13) {
            const centre = tess.centre(p, local), pixel = tess.pixel(p, centre), list = tess.holding(p, pixel);
            found.push([list[0][1] === local, list[0][0] < 1e-4, list.length]); } return found; }"""
    )
    assert all(same and near and n == 1 for same, near, n in inside)
    both = sphere.evaluate("tess.holding(726, [21442 * 10 + 200, 21442 * 10 + 200]).map(([, local]) => local)")
    assert sorted(both) == [9 * 21 + 9, 9 * 21 + 10, 10 * 21 + 9, 10 * 21 + 10]  # the corner that four cells share


def test_the_projection_is_that_of_hammer_and_its_inverse(sphere: Page) -> None:
    ra, dec = positions(500)
    code = """([ra, dec, ra0, dec0, scale]) => { const view = new mvmdbPage.sphere.View(ra0, dec0, scale, 1000, 600);
        return ra.map((r, i) => { const v = mvmdbPage.sphere.vector(r, dec[i]), at = view.place(view.turn(v));
        return [...at, ...(view.vectorAt(...at) || [9, 9, 9]), ...v]; }); }"""
    plain = np.array(sphere.evaluate(code, [ra.tolist(), dec.tolist(), 0, 0, 150]))
    lon, lat = np.deg2rad((ra + 180) % 360 - 180), np.deg2rad(dec)
    root = np.sqrt(1 + np.cos(lat) * np.cos(lon / 2))
    x = 500 - 150 * 2 * np.sqrt(2) * np.cos(lat) * np.sin(lon / 2) / root  # east is to the left
    y = 300 - 150 * np.sqrt(2) * np.sin(lat) / root
    off_seam = np.abs(np.abs(lon) - np.pi) > 1e-6
    assert np.abs(plain[off_seam, 0] - x[off_seam]).max() < 1e-6
    assert np.abs(plain[:, 1] - y).max() < 1e-6
    for ra0, dec0, scale in ((200.0, 35.0, 150.0), (10.0, -89.0, 150.0), (53.1, -27.8, 3e6)):
        some = slice(None) if scale < 1e4 else slice(0, 0)
        near_ra, near_dec = (ra0 + RNG.uniform(-0.004, 0.004, 50), dec0 + RNG.uniform(-0.003, 0.003, 50))
        given = (ra[some], dec[some]) if scale < 1e4 else (near_ra, near_dec)
        turned = np.array(sphere.evaluate(code, [given[0].tolist(), given[1].tolist(), ra0, dec0, scale]))
        ends = np.linalg.norm(turned[:, 2:5] - turned[:, 5:8], axis=1)
        assert np.median(ends) < 1e-12
        assert ends.max() < (0.2 / scale if scale < 1e4 else 1e-11)  # radians: a fifth of a pixel at the very edge


def test_what_crosses_the_seam_is_drawn_on_both_sides_and_a_pole_is_filled(sphere: Page) -> None:
    code = """([order, ra0, dec0]) => {
        const view = new mvmdbPage.sphere.View(ra0, dec0, 150, 1000, 600);
        let widest = 0;
        for (let p = 0; p < 12 * 4 ** order; p++)
          for (const outline of view.outline(mvmdbPage.sphere.pixelOutline(order, p, 4))) {
            const xs = outline.map(([x]) => (x - 500) / 150);
            widest = Math.max(widest, Math.max(...xs) - Math.min(...xs));
          }
        return widest; }"""
    for ra0, dec0 in ((0, 0), (180, 0), (10, 85), (45, -41.8), (0, 90)):
        assert sphere.evaluate(code, [4, ra0, dec0]) < 1.2  # no streak across the map, which is 5.7 wide


def test_names_of_sky_cells_are_read_as_the_package_reads_them(sphere: Page) -> None:
    read = "text => tess.parse(text)"
    assert sphere.evaluate(read, "skycell-p0647x10y11") == [647, 10 * 21 + 9]
    assert sphere.evaluate(read, " P0647X10Y11 ") == [647, 10 * 21 + 9]
    assert sphere.evaluate(read, "53.1 -27.8") is None
    assert "expected p0000 to p2643" in sphere.evaluate(read, "p2644x01y01")
    assert "expected x and y from 01 to 21" in sphere.evaluate(read, "p0000x22y01")
