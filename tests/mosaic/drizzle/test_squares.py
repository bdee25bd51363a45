"""Which squares of a chip are drizzled onto some rows, and that nothing of them is lost; by true geometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drizzle.resample import Drizzle
from fitsfiles import write_exposure

from mvmdb.exposures.fits.pixels import ChipData, read_chips
from mvmdb.layers.recipes import choose_recipe
from mvmdb.mosaic.drizzle.members import DrizzledMember, drizzle_members, find_squares
from mvmdb.mosaic.drizzle.pixmap import map_chip
from mvmdb.mosaic.drizzle.planes import Planes
from mvmdb.mosaic.grid import LayerGrid
from mvmdb.names import CellId, Scale
from mvmdb.records import Canvas
from mvmdb.sky.tessellation import CELL_SIZE, projection_cell_centers

CELL = CellId(726, 11, 11)
RA, DEC = (float(value) for value in projection_cell_centers(726))  # the middle of the cell
FULL = {"IR": (1014, 1014), "UVIS": (2051, 4096), "WFC": (2048, 4096), "HRC": (1024, 1024), "SBC": (1024, 1024),
        "PC": (800, 800)}  # fmt: skip
SKEWED = {
    "HRC": {
        "CD1_1": -7.3535609772738e-06, "CD1_2": 1.85500817048893e-06,
        "CD2_1": 2.88105626539018e-06, "CD2_2": 6.64719093910560e-06,
    }
}  # fmt: skip
"""The linear terms of a real exposure, where pixels are no rectangles."""
BULGING = 269.9
"""The position angle at which squares of WFC3/IR bulge the most beyond their corners, by 0.33 output pixels."""
SIZE = {"fine": 1, "coarse": 3}
"""Fine pixels along the side of a pixel."""
Square = tuple[int, int, int, int]
"""The first row of the detector, the row after the last, and columns likewise."""


def read_full_chip(folder: Path, detector: str, orientat: float) -> ChipData:
    """A chip of a detector's full size, with its own distortion."""
    shape = FULL[detector]
    path = write_exposure(
        folder, detector=detector, shape=shape, ra=RA, dec=DEC, orientat=orientat, science=np.ones(shape), errors=False,
        sci=SKEWED.get(detector) if orientat == 0.0 else None,
    )  # fmt: skip
    return next(read_chips(path))


def whole_cell(scale: Scale) -> LayerGrid:
    return LayerGrid(CELL, scale, Canvas(1, CELL_SIZE, 1, CELL_SIZE))


def squares_on(chip: ChipData, grid: LayerGrid, rows: range) -> set[Square]:
    return {
        (rows.start, rows.stop, columns.start, columns.stop)
        for rows, all_columns in find_squares(chip, grid, rows)
        for columns in all_columns
    }


def extent(chip: ChipData, grid: LayerGrid, square: Square) -> tuple[float, float, float, float]:
    """x_min, x_max, y_min, y_max of a square's pixels on the canvas, by points all along its edges."""
    bottom, top, left, right = (edge - 0.5 for edge in square)
    along = np.linspace(0, 1, 65)
    x = np.concatenate([left + (right - left) * along] * 2 + [np.full(65, left), np.full(65, right)])
    y = np.concatenate([np.full(65, bottom), np.full(65, top)] + [bottom + (top - bottom) * along] * 2)
    x, y = grid.sky_to_pixel(*chip.wcs.all_pix2world(x, y, 0))
    return x.min(), x.max(), y.min(), y.max()


def canvas_around(chip: ChipData, scale: Scale, rim: int) -> LayerGrid:
    """The pixels that a chip covers, and some more all around."""
    edges = extent(chip, whole_cell(scale), (0, chip.shape[0], 0, chip.shape[1]))
    x_min, x_max, y_min, y_max = (SIZE[scale] * (round(edge) + 1) for edge in edges)
    more = SIZE[scale] * rim
    return LayerGrid(CELL, scale, Canvas(x_min - more, x_max + more, y_min - more, y_max + more))


@pytest.mark.parametrize(
    ("detector", "scale"), [*((name, "fine") for name in FULL), ("IR", "coarse"), ("PC", "coarse")]
)
@pytest.mark.parametrize("orientat", [0.0, 45.0, BULGING])
def test_the_squares_of_a_row_or_column_are_those_that_reach_it(
    tmp_path: Path, detector: str, orientat: float, scale: Scale
) -> None:
    chip, grid = read_full_chip(tmp_path, detector, orientat), whole_cell(scale)
    squares = sorted(squares_on(chip, grid, range(grid.shape[0])))
    assert sum((s[1] - s[0]) * (s[3] - s[2]) for s in squares) == chip.shape[0] * chip.shape[1]
    extents = np.array([extent(chip, grid, square) for square in squares])
    sample = range(0, len(squares), -(-len(squares) // 16))
    for side, square in ((side, square) for side in range(4) for square in sample):
        # The row or column of pixels that hold a square's outermost point on that side.
        place = int(np.floor(extents[square, side] + 0.5))
        low, high = extents[:, side // 2 * 2], extents[:, side // 2 * 2 + 1]
        if side >= 2:
            chosen = squares_on(chip, grid, range(place, place + 1))
        else:
            column = SIZE[scale] * (place + 1)
            narrow = LayerGrid(CELL, scale, Canvas(column, column, 1, CELL_SIZE))
            assert narrow.offset[0] - grid.offset[0] == place
            chosen = squares_on(chip, narrow, range(grid.shape[0]))
        for name, begin, end in zip(squares, low, high, strict=True):
            if name in chosen:
                assert place - 1.5 < end
                assert begin < place + 1.5, "squares that are far away are left out"
            else:
                assert end <= place - 0.5 or begin >= place + 0.5


@pytest.mark.parametrize(
    ("detector", "scale"), [("IR", "fine"), ("IR", "coarse"), ("HRC", "fine"), ("PC", "fine"), ("PC", "coarse")]
)
@pytest.mark.parametrize("orientat", [0.0, 45.0, 90.0, 163.7])
def test_the_weight_of_every_pixel_is_on_the_canvas(
    tmp_path: Path, detector: str, scale: Scale, orientat: float
) -> None:
    shape = (300, 417)
    instrument = {"IR": "wfc3", "HRC": "acs", "PC": "wfpc2"}[detector]
    path = write_exposure(
        tmp_path, detector=detector, shape=shape, ra=RA, dec=DEC, orientat=orientat, exptime=100.0, errors=False
    )
    grid = canvas_around(next(read_chips(path)), scale, rim=9)
    planes = Planes.empty(grid.shape)
    recipe = choose_recipe(instrument, detector.lower(), "f606w", scale, 1)
    drizzle_members(planes, [DrizzledMember("aa", str(path), None)], grid, recipe)
    assert planes.weight.sum(dtype="f8") == pytest.approx(100.0 * shape[0] * shape[1], rel=1e-6)


def test_rows_of_a_detector_whose_pixels_are_larger_than_nominal_are_whole(tmp_path: Path) -> None:
    # IDCSCALE of ACS/SBC is 0.025, and its pixels are 0.034 x 0.030 arcsec.
    grid = canvas_around(read_full_chip(tmp_path, "SBC", 40.0), "fine", rim=2)
    recipe = choose_recipe("acs", "sbc", "f150lp", "fine", 1)
    members = [DrizzledMember("j9l701a1", str(path), None) for path in tmp_path.iterdir()]
    whole = Planes.empty(grid.shape)
    drizzle_members(whole, members, grid, recipe)
    for top in range(0, grid.shape[0], 100):
        rows = range(top, min(top + 100, grid.shape[0]))
        band = Planes.empty(grid.shape, rows)
        drizzle_members(band, members, grid, recipe)
        assert band.weight.tobytes() == whole.weight[rows.start : rows.stop].tobytes()
        assert band.science.tobytes() == whole.science[rows.start : rows.stop].tobytes()


@pytest.mark.parametrize("orientat", [12.3, 90.0, 163.7])
def test_pixels_have_the_bits_of_arrays_that_begin_4_pixels_before_a_square(tmp_path: Path, orientat: float) -> None:
    # They depend on it where pixfrac is below 1, and products of ALGORITHM 1 were made so.
    shape = (256, 256)  # one square
    science = np.random.default_rng(1).normal(1, 0.1, shape)
    path = write_exposure(tmp_path, shape=shape, ra=RA, dec=DEC, orientat=orientat, science=science, exptime=100.0)
    chip = next(read_chips(path))
    grid = canvas_around(chip, "fine", rim=9)
    recipe = replace(choose_recipe("wfc3", "ir", "f125w", "fine", 1), pixfrac=0.6)
    planes = Planes.empty(grid.shape)
    drizzle_members(planes, [DrizzledMember("ib6o04tu", str(path), None)], grid, recipe)

    positions = map_chip(chip.wcs, chip.shape, grid, border=1).positions(slice(0, shape[0] + 2))
    first = np.floor(positions.min(axis=(0, 1))).astype(int) - 4
    columns, rows = np.ceil(positions.max(axis=(0, 1))).astype(int) + 5 - first
    image, weight = np.zeros((rows, columns), "f4"), np.zeros((rows, columns), "f4")
    ratio = 0.04 / chip.idcscale
    Drizzle(
        kernel="square", fillval="INDEF", fillval2="INDEF", out_img=image, out_wht=weight, exptime=1.0, disable_ctx=True
    ).add_image(
        np.pad(chip.science, 1), exptime=100.0, pixmap=positions - first, iscale=ratio**2, pixel_scale_ratio=ratio,
        weight_map=np.pad(np.full(shape, 100.0, "f4"), 1), pixfrac=0.6, in_units="cps",
    )  # fmt: skip
    left, bottom = first - grid.offset
    there = np.s_[bottom : bottom + rows, left : left + columns]
    assert planes.weight[there].tobytes() == weight.tobytes()
    assert planes.science[there].tobytes() == image.tobytes()
