"""Grid and WCS of cells against numbers derived here by brute force from the rules of the tessellation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sky import judge

from mvmdb.errors import UsageError
from mvmdb.names import CellId
from mvmdb.records import Canvas
from mvmdb.sky import tessellation as tess

SCALES = ("fine", "coarse")


def choose_cells():
    rng = np.random.default_rng(7)
    firsts = tess.load_rings().projcell  # RA 0
    chosen = [(p, x, y) for p in (0, 2643) for x in (1, 11, 21) for y in (1, 10, 21)]
    chosen += [(int(p), x, y) for p in firsts for x, y in ((1, 1), (21, 21))]
    chosen += [(int(p), 11, 11) for p in firsts[1:] - 1]  # the last of each ring, west of RA 0
    chosen += [tuple(int(v) for v in rng.integers([0, 1, 1], [2644, 22, 22])) for _ in range(100)]
    return sorted(set(chosen))


CELLS = choose_cells()


def test_at_least_200_cells_are_compared():
    assert len(CELLS) >= 200


@pytest.mark.parametrize("scale", SCALES)
def test_cell_wcs_follows_the_rules_of_the_tessellation(scale):
    zoom = {"fine": 1, "coarse": 3}[scale]
    for p, x, y in CELLS:
        wcs = tess.cell_wcs(CellId(p, x, y), scale)
        assert list(wcs.wcs.crpix) == [(225144 - (x - 1) * 21442) / zoom, (225144 - (y - 1) * 21442) / zoom]
        np.testing.assert_array_equal(wcs.wcs.crval, judge.CENTERS[p])
        np.testing.assert_allclose(wcs.wcs.cd, np.diag([-0.04, 0.04]) * zoom / 3600, rtol=1e-15, atol=0)
        assert list(wcs.wcs.ctype) == ["RA---TAN", "DEC--TAN"]
        assert wcs.pixel_shape == (21954 // zoom, 21954 // zoom)


@pytest.mark.parametrize("scale", SCALES)
def test_cell_wcs_puts_pixels_where_spherical_trigonometry_does(scale):
    zoom = {"fine": 1, "coarse": 3}[scale]
    rng = np.random.default_rng(8)
    for p, x, y in CELLS:
        wcs = tess.cell_wcs(CellId(p, x, y), scale)
        pixels = rng.uniform(0.5, 21954.5 / zoom, (5, 2))
        ra, dec = wcs.all_pix2world(pixels, 1).T
        plane_x, plane_y = judge.project(p, ra, dec)
        expected = np.column_stack([plane_x - (x - 1) * 21442, plane_y - (y - 1) * 21442])
        np.testing.assert_allclose(pixels * zoom, expected, atol=2e-7, rtol=0)


def test_coarse_pixel_covers_three_fine_pixels_exactly():
    for p, x, y in CELLS[::20]:
        fine, coarse = (tess.cell_wcs(CellId(p, x, y), scale) for scale in SCALES)
        c = np.array([1.0, 2.0, 7318.0])
        edges = np.concatenate([c - 0.5, c + 0.5])
        back = fine.all_world2pix(*coarse.all_pix2world(edges, edges, 1), 1)
        np.testing.assert_allclose(back, np.tile(np.concatenate([3 * c - 1.5, 3 * c + 1.5]), (2, 1)), atol=2e-7)


@pytest.mark.parametrize("scale", SCALES)
def test_canvas_shifts_the_grid_by_whole_pixels(scale):
    canvas = Canvas(1000, 3001, 7, 21954)
    grid = canvas.at_scale(scale)
    cell = CellId(1889, 7, 19)
    whole, cut = tess.cell_wcs(cell, scale), tess.cell_wcs(cell, scale, canvas)
    assert cut.pixel_shape == (grid.x_max - grid.x_min + 1, grid.y_max - grid.y_min + 1)
    position = whole.all_pix2world([[grid.x_min, grid.y_min]], 1)
    np.testing.assert_allclose(cut.all_world2pix(position, 1), [[1.0, 1.0]], atol=1e-7)
    np.testing.assert_array_equal(whole.wcs.crpix - cut.wcs.crpix, [grid.x_min - 1, grid.y_min - 1])


def test_projection_cell_wcs_is_centred_and_five_degrees_wide():
    wcs = tess.projection_cell_wcs(1322)
    assert list(wcs.wcs.crpix) == [(450287 + 1) / 2] * 2
    assert wcs.pixel_shape == (450287, 450287)
    assert tuple(wcs.wcs.crval) == judge.CENTERS[1322] == (0.0, 2.0)


def test_centers_and_rings_are_those_of_the_table():
    p = np.arange(2644)
    ra, dec = tess.projection_cell_centers(p)
    np.testing.assert_array_equal(np.column_stack([ra, dec]), judge.CENTERS)
    rings = tess.load_rings()
    assert len(rings.dec) == 46
    np.testing.assert_array_equal(rings.dec[tess.ring_of(p)], dec)
    assert rings.nband.sum() == 2644
    assert (rings.dec_min < rings.dec).all()
    assert (rings.dec < rings.dec_max).all()


@pytest.mark.parametrize("p", [0, 1, 9, 10, 700, 1322, 1411, 1889, 2634, 2643])
def test_sky_to_plane_agrees_with_astropy(p):
    x, y = np.random.default_rng(p).uniform(-1000, 451000, (2, 500))
    ra, dec = tess.projection_cell_wcs(p).all_pix2world(x, y, 1)
    np.testing.assert_allclose(tess.sky_to_plane(p, ra, dec), [x, y], atol=2e-8, rtol=0)
    np.testing.assert_allclose(tess.sky_to_plane(p, ra + 360, dec), [x, y], atol=1e-7, rtol=0)


@given(st.integers(0, 2643), st.floats(-1000, 451000), st.floats(-1000, 451000))
def test_plane_to_sky_is_the_inverse_of_sky_to_plane(p, x, y):
    ra, dec = tess.plane_to_sky(p, x, y)
    assert 0 <= ra < 360
    np.testing.assert_allclose(tess.sky_to_plane(p, ra, dec), [x, y], atol=2e-8, rtol=0)


def test_far_hemisphere_is_nan():
    x, y = tess.sky_to_plane([1322, 1322, 0], [180.0, 0.0, 0.0], [2.0, 2.0, 45.0])
    np.testing.assert_array_equal(np.isnan(x), [True, False, True])
    np.testing.assert_array_equal(np.isnan(y), [True, False, True])


def test_projection_cells_and_positions_broadcast():
    x, y = tess.sky_to_plane(np.arange(3), 10.0, np.array([[-88.0], [-86.0]]))
    assert x.shape == y.shape == (2, 3)
    ra, dec = tess.plane_to_sky(np.arange(3), x, y)
    np.testing.assert_allclose(ra, 10.0)
    np.testing.assert_allclose(dec, [[-88.0] * 3, [-86.0] * 3])


def test_cell_corners_are_the_pixel_edges_counter_clockwise_on_the_sky():
    for p, x, y in CELLS:
        corners = tess.cell_corners(CellId(p, x, y))
        edges = [[0.5, 0.5], [21954.5, 0.5], [21954.5, 21954.5], [0.5, 21954.5]]
        pixels = np.column_stack(judge.project(p, *corners.T)) - [(x - 1) * 21442, (y - 1) * 21442]
        np.testing.assert_allclose(pixels, edges, atol=2e-7, rtol=0)
    # Seen from inside with north up, east is to the left: south-east, south-west, north-west, north-east.
    ra, dec = tess.cell_corners(CellId(1889, 11, 11)).T
    assert ra[0] > ra[1]
    assert dec[1] < dec[2]


def test_cell_centers_are_the_middle_of_the_pixel_grid():
    cells = [CellId(*numbers) for numbers in CELLS]
    ra, dec = tess.cell_centers(cells)
    for cell, a, d in zip(cells, ra, dec, strict=True):
        x, y = judge.project(cell.projection_cell, a, d)
        assert (x - (cell.x - 1) * 21442, y - (cell.y - 1) * 21442) == pytest.approx((10977.5, 10977.5), abs=2e-7)


def test_row_and_column_21_pass_the_projection_cell_by_507_pixels():
    assert 20 * tess.STEP + tess.CELL_HIGH - (tess.PROJECTION_SIZE + 0.5) == 507
    assert tess.PROJECTION_CRPIX + tess.REACH == 20 * tess.STEP + tess.CELL_HIGH


@pytest.mark.parametrize("p", [-1, 2644])
def test_projection_cells_that_do_not_exist_are_refused(p):
    with pytest.raises(UsageError, match="0 to 2643"):
        tess.projection_cell_centers(p)
    with pytest.raises(UsageError, match="0 to 2643"):
        tess.sky_to_plane([5, p], 0.0, 0.0)


def test_sky_cells_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="x=22"):
        tess.cell_wcs(CellId(5, 22, 1))


def test_ring_table_cannot_be_changed_by_a_caller():
    with pytest.raises(ValueError, match="read-only"):
        tess.load_rings().dec[0] = 0.0
