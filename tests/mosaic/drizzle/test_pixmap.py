"""Interpolated positions against astropy's exact transform, pixel by pixel, for ordinary and for extreme chips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.wcs import WCS, DistortionLookupTable, Sip
from fitsfiles import write_exposure
from mosaic_field import CELL, DEC, RA

from mvmdb.demo.optics import ACS_WFC, WFC3_IR, ChipOptics
from mvmdb.exposures.fits.pixels import read_chips
from mvmdb.mosaic.drizzle.pixmap import TOLERANCE, ExactMap, InterpolatedMap, map_chip
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.names import CellId, Scale
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import projection_cell_centers

CANVAS = Canvas(8001, 15000, 7001, 14000)
WFC = (2048, 4096)


def grid_of(cell: CellId = CELL, scale: Scale = "fine") -> LayerGrid:
    return LayerGrid(cell, scale, CANVAS)


def make_wcs(chip: ChipOptics, ra: float = RA, dec: float = DEC) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN-SIP", "DEC--TAN-SIP"], [ra, dec]
    wcs.wcs.crpix, wcs.wcs.cd = chip.crpix, np.array(chip.cd)
    a, b = np.zeros((5, 5)), np.zeros((5, 5))
    for matrix, terms in ((a, chip.sip_a), (b, chip.sip_b)):
        for (p, q), value in terms.items():
            matrix[p, q] = value
    wcs.sip = Sip(a, b, None, None, list(chip.crpix))
    wcs.wcs.set()
    return wcs


def table(shape: tuple[int, int], size: float, step: tuple[float, float], seed: int, origin: float = 0.0):
    """Random values of up to `size` pixels at nodes `step` pixels apart, as NPOL and D2IM have them."""
    values = np.random.default_rng(seed).uniform(-size, size, shape).astype("f4")
    return DistortionLookupTable(values, (origin, origin), (origin, origin), step)


def with_archive_tables(wcs: WCS) -> WCS:
    """NPOL and D2IM of the sizes and steps that ACS/WFC has, though much rougher from node to node."""
    wcs.cpdis1, wcs.cpdis2 = (table((33, 65), 0.03, (64.0, 64.0), seed) for seed in (1, 2))
    wcs.det2im1, wcs.det2im2 = (table((33, 65), 0.04, (64.0, 64.0), seed) for seed in (3, 4))
    return wcs


def worst(
    wcs: WCS, shape: tuple[int, int], grid: LayerGrid, stride: int = 1, map_type: type = InterpolatedMap
) -> float:
    """The largest distance from astropy's position, in output pixels, over 64 rows out of every 64 * `stride`."""
    chip_map, largest = map_chip(wcs, shape, grid), 0.0
    assert isinstance(chip_map, map_type)
    for top in range(0, shape[0], 64 * stride):
        rows = slice(top, min(top + 64, shape[0]))
        y, x = np.mgrid[rows, : shape[1]]
        ra, dec = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
        expected = np.column_stack(grid.sky_to_frame(ra, dec)).reshape(*x.shape, 2)
        largest = max(largest, float(np.abs(np.linalg.norm(chip_map.positions(rows) - expected, axis=-1)).max()))
    return largest


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_every_pixel_of_wfc3_ir_is_where_astropy_has_it(scale: Scale) -> None:
    assert worst(make_wcs(WFC3_IR.chips[0]), (1014, 1014), grid_of(scale=scale)) < 1e-6


@pytest.mark.parametrize("chip", ACS_WFC.chips)
def test_every_pixel_of_acs_with_npol_and_d2im_is_where_astropy_has_it(chip: ChipOptics) -> None:
    assert 0 < worst(with_archive_tables(make_wcs(chip)), WFC, grid_of()) < TOLERANCE


def test_tables_of_one_value_a_column_keep_their_steps() -> None:
    wcs = with_archive_tables(make_wcs(ACS_WFC.chips[0]))
    steps = np.zeros((1, 4096), "f4")
    steps[0, 1000:] = 0.5
    steps[0, 2024::68] += 0.3
    wcs.det2im1 = DistortionLookupTable(steps, (1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    grid = grid_of()
    assert worst(wcs, WFC, grid, stride=4) < TOLERANCE
    x = map_chip(wcs, WFC, grid).positions(slice(0, 1))[0, :, 0]
    assert np.argsort(np.abs(np.diff(x, 2)))[-60:].min() >= 997  # no step has been smoothed into its surroundings


def test_tables_that_do_not_reach_the_edges_go_on_as_astropy_has_them() -> None:
    wcs = make_wcs(WFC3_IR.chips[0])
    wcs.cpdis1 = table((5, 7), 0.1, (100.3, 77.7), 5, origin=2.5)
    wcs.det2im2 = table((3, 1), 0.1, (1.0, 400.5), 6, origin=0.5)
    assert worst(wcs, (1014, 1014), grid_of()) < TOLERANCE


RIM = (projection_cell_centers(726)[0] + 2.75, projection_cell_centers(726)[1] + 2.4)


@pytest.mark.parametrize(
    ("cell", "position"),
    [
        (CellId(0, 11, 11), (40.0, -89.97)),
        (CellId(2643, 11, 11), (200.0, 89.98)),
        (CellId(635, 11, 11), (359.9999, projection_cell_centers(635)[1])),
        (CellId(726, 1, 21), RIM),
    ],
)
def test_positions_hold_at_the_poles_at_ra_0_and_at_the_rim_of_a_projection_cell(
    cell: CellId, position: tuple[float, float]
) -> None:
    wcs = with_archive_tables(make_wcs(ACS_WFC.chips[1], *map(float, position)))
    if cell.projection_cell == 635:
        ra = wcs.all_pix2world([0.0, 4095.0], [0.0, 0.0], 0)[0]
        assert float(np.ptp(ra)) > 300  # the chip lies on both sides of RA 0
    assert worst(wcs, WFC, grid_of(cell), stride=8) < TOLERANCE


def test_a_smooth_part_that_is_too_strong_for_few_nodes_gets_more() -> None:
    chip = WFC3_IR.chips[0]
    wcs = make_wcs(chip)
    a, b = np.zeros((10, 10)), np.zeros((10, 10))
    a[:5, :5], b[:5, :5] = wcs.sip.a, wcs.sip.b
    a[9, 0], a[0, 9], b[4, 5] = 3e-24, -2e-24, 2e-24  # 6 pixels at the edges, of the ninth power
    wcs.sip = Sip(a, b, None, None, list(chip.crpix))
    chip_map = map_chip(wcs, (1014, 1014), grid_of())
    assert isinstance(chip_map, InterpolatedMap)
    assert chip_map.row_factors.shape[1] > 8
    assert worst(wcs, (1014, 1014), grid_of()) < TOLERANCE


def test_tables_so_rough_that_nothing_helps_are_computed_exactly() -> None:
    wcs = make_wcs(WFC3_IR.chips[0])
    wcs.cpdis1 = table((127, 127), 1.0, (8.0, 8.0), 7)
    wcs.det2im2 = table((1, 1014), 2.0, (1.0, 1.0), 8, origin=1.0)  # moves pixels across kinks of the other table
    grid = grid_of()
    chip_map = map_chip(wcs, (1014, 1014), grid)
    assert isinstance(chip_map, ExactMap)
    y, x = np.mgrid[100:300, :1014]
    expected = np.column_stack(grid.sky_to_frame(*wcs.all_pix2world(x.ravel(), y.ravel(), 0)))
    assert np.array_equal(chip_map.positions(slice(100, 300)).reshape(-1, 2), expected)


def test_a_table_as_fine_as_the_detector_is_computed_exactly() -> None:
    wcs = make_wcs(WFC3_IR.chips[0])
    wcs.det2im2 = table((1014, 1014), 0.01, (1.0, 1.0), 9)
    assert isinstance(map_chip(wcs, (1014, 1014), grid_of()), ExactMap)


def test_the_exact_transform_is_taken_where_the_check_fails_at_every_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvmdb.mosaic.drizzle.pixmap.TOLERANCE", 1e-14)
    assert isinstance(map_chip(make_wcs(WFC3_IR.chips[0]), (1014, 1014), grid_of()), ExactMap)


def test_rows_have_the_same_bits_whichever_others_are_asked_for() -> None:
    chip_map = map_chip(with_archive_tables(make_wcs(ACS_WFC.chips[0])), WFC, grid_of())
    whole = chip_map.positions(slice(0, WFC[0]))
    for rows in (slice(0, 1), slice(63, 65), slice(200, 777), slice(2047, 2048)):
        assert chip_map.positions(rows).tobytes() == whole[rows].tobytes()


@pytest.mark.parametrize("scale", ["fine", "coarse"])
def test_positions_do_not_depend_on_the_canvas_but_for_whole_pixels(scale: Scale) -> None:
    wcs, grid = with_archive_tables(make_wcs(ACS_WFC.chips[0])), grid_of(scale=scale)
    moved = replace(grid, canvas=Canvas(7901, 15000, 6981, 14000))
    rows = slice(900, 1100)
    positions = map_chip(wcs, WFC, grid).positions(rows)
    assert map_chip(wcs, WFC, moved).positions(rows).tobytes() == positions.tobytes()
    ra, dec = wcs.all_pix2world([17.0], [900.0], 0)
    for either_grid in (grid, moved):
        assert positions[0, 17] - either_grid.offset == pytest.approx(
            np.ravel(either_grid.sky_to_pixel(ra, dec)), abs=TOLERANCE
        )


def test_fine_positions_are_one_in_all_sky_cells_of_a_projection_cell() -> None:
    wcs = make_wcs(ACS_WFC.chips[0])
    cell_10, cell_11 = (map_chip(wcs, WFC, grid_of(CellId(726, x, 4))).positions(slice(0, 9)) for x in (10, 11))
    assert cell_10.tobytes() == cell_11.tobytes()


def test_a_border_goes_on_beyond_the_chip() -> None:
    wcs, grid = with_archive_tables(make_wcs(ACS_WFC.chips[0])), grid_of()
    wide = map_chip(wcs, WFC, grid, border=2).positions(slice(0, WFC[0] + 4))
    assert wide.shape == (WFC[0] + 4, WFC[1] + 4, 2)
    assert np.abs(wide[2:-2, 2:-2] - map_chip(wcs, WFC, grid).positions(slice(0, WFC[0]))).max() < TOLERANCE
    x, y = np.array([-2.0, 4097.0, 4097.0, -1.0]), np.array([-2.0, 2049.0, 7.0, 2048.0])
    expected = np.column_stack(grid.sky_to_frame(*wcs.all_pix2world(x, y, 0)))
    interpolated = wide[(y + 2).astype(int), (x + 2).astype(int)]
    assert np.abs(interpolated - expected).max() < TOLERANCE


@pytest.mark.parametrize(("detector", "chips"), [("WFC", 2), ("UVIS", 2), ("HRC", 1), ("PC", 1), ("IR", 1)])
def test_small_files_of_every_detector_are_within_bounds(tmp_path: Path, detector: str, chips: int) -> None:
    path = write_exposure(tmp_path, detector=detector, chips=chips, shape=(150, 230), lookup_tables=True)
    for chip in read_chips(path):
        assert worst(chip.wcs, chip.shape, grid_of(), map_type=object) < TOLERANCE


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_chips_of_few_pixels_are_right_too(shape: tuple[int, int]) -> None:
    assert worst(make_wcs(WFC3_IR.chips[0]), shape, grid_of(), map_type=object) < 1e-6
